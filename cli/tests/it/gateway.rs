//! Keys, limits, usage and the AI switch at the command line.

use crate::support::School;

#[test]
fn keys_limits_usage_and_the_switch_are_there_for_people_and_scripts() {
    let school = School::new();
    school.json(&["course", "create", "intro", "--json"]);
    school.json(&["course", "publish", "intro", "--json"]);
    for name in ["ines", "leo"] {
        school.json(&["user", "create", name, "--json"]);
    }
    school.json(&["user", "grant", "ines", "instructor", "--course", "intro", "--json"]);
    school.json(&["user", "grant", "leo", "student", "--course", "intro", "--json"]);

    let made = school.json(&["key", "create", "--user", "ines", "--course", "intro", "--expires-days", "90", "--json"]);
    assert!(domain::api_key::well_formed(made["key"].as_str().unwrap()), "{made}");
    let id = made["id"].as_str().unwrap();
    assert_eq!(school.run(&["key", "create", "--json"]).code, 2, "the operator names whose it is");
    assert_eq!(school.run(&["--as", "leo", "key", "create", "--course", "intro", "--json"]).code, 5);
    assert_eq!(school.run(&["--as", "leo", "key", "revoke", id, "--json"]).code, 4);
    let own = school.json(&["--as", "ines", "key", "list", "--json"]);
    assert_eq!(own["keys"][0]["id"], made["id"], "{own}");
    assert_eq!(school.json(&["--as", "leo", "key", "list", "--json"])["keys"], serde_json::json!([]));
    let listed = school.run(&["key", "list"]);
    assert!(listed.stdout.contains(id) && !listed.stdout.contains(made["key"].as_str().unwrap()), "{}", listed.stdout);
    school.json(&["key", "revoke", id, "--json"]);
    assert!(school.run(&["key", "list"]).stdout.contains("revoked"));

    let set = ["gateway", "limits", "set", "--user", "leo", "--requests-minute", "60", "--tokens-day", "100000"];
    school.json(&[&set[..], &["--json"]].concat());
    school.json(&["gateway", "limits", "set", "--each", "user", "--requests-day", "500", "--json"]);
    school.json(&["gateway", "limits", "set", "--whole", "--concurrent", "8", "--json"]);
    let limits = school.json(&["gateway", "limits", "list", "--json"]);
    assert_eq!(limits["limits"].as_array().unwrap().len(), 3, "{limits}");
    let shown = school.run(&["gateway", "limits", "list"]).stdout;
    assert!(shown.contains("100000") && shown.contains("each without its own"), "{shown}");
    assert_eq!(school.run(&["gateway", "limits", "set", "--user", "leo"]).code, 2, "no limit is named");
    assert_eq!(school.run(&["gateway", "limits", "set", "--requests-day", "5"]).code, 2, "nobody is named");
    assert_eq!(school.run(&["--as", "ines", "gateway", "limits", "list", "--json"]).code, 5);
    school.json(&["gateway", "limits", "clear", "--user", "leo", "--json"]);
    assert_eq!(school.json(&["gateway", "limits", "list", "--json"])["limits"].as_array().unwrap().len(), 2);

    for by in ["institution", "course", "user", "feature", "model", "day"] {
        assert_eq!(school.json(&["gateway", "usage", "--by", by, "--json"])["usage"], serde_json::json!([]), "{by}");
    }
    assert_eq!(school.run(&["gateway", "usage", "--from", "yesterday", "--json"]).code, 2);
    assert_eq!(school.run(&["--as", "ines", "gateway", "usage", "--by", "user", "--json"]).code, 5);
    assert_eq!(school.run(&["--as", "ines", "gateway", "usage", "--by", "day", "--json"]).code, 0);

    assert_eq!(school.json(&["course", "ai", "show", "--course", "intro", "--json"])["enabled"], true);
    school.json(&["--as", "ines", "course", "ai", "off", "--course", "intro", "--json"]);
    assert_eq!(school.json(&["--as", "leo", "course", "ai", "show", "--course", "intro", "--json"])["enabled"], false);
    assert!([4, 5].contains(&school.run(&["--as", "leo", "course", "ai", "on", "--course", "intro", "--json"]).code));
    school.json(&["course", "ai", "on", "--course", "intro", "--json"]);
    assert!(school.run(&["course", "ai", "show", "--course", "intro"]).stdout.contains("is on"));
    assert_eq!(school.json(&["verify", "--json"])["clean"], true);
}
