use ingestion::parse::manifest::{Item, Version, parse};

fn manifest(inner: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><manifest identifier=\"m\" xmlns:adlcp=\"http://www.adlnet.org/xsd/adlcp_rootv1p2\">{inner}</manifest>"
    )
}

const TREE: &str = "<metadata><schema>ADL SCORM</schema><schemaversion>1.2</schemaversion></metadata>
<organizations default=\"o\"><organization identifier=\"o\"><title>Course &amp; more</title>
<item identifier=\"i1\"><title>Unit</title><item identifier=\"i2\" identifierref=\"r1\"><title>Leaf</title></item></item>
<item identifier=\"i3\" identifierref=\"r2\" isvisible=\"false\"><title>Hidden</title></item></organization></organizations>
<resources xml:base=\"content/\"><resource identifier=\"r1\" adlcp:scormtype=\"sco\" href=\"a%20b.html?x=1\" xml:base=\"one/\"><file href=\"a%20b.html\"/><dependency identifierref=\"r2\"/></resource>
<resource identifier=\"r2\" href=\"../c.html\"/></resources>";

#[test]
fn the_tree_and_the_addresses_are_read() {
    let parsed = parse(manifest(TREE).as_bytes()).unwrap();
    assert_eq!((parsed.version, parsed.title.as_str()), (Version::V12, "Course & more"));
    let titles = |items: &[Item]| items.iter().map(|item| item.title.clone()).collect::<Vec<_>>();
    assert_eq!(titles(&parsed.items), ["Unit", "Hidden"]);
    assert_eq!(titles(&parsed.items[0].children), ["Leaf"]);
    assert!(parsed.items[1].hidden);
    assert_eq!(parsed.resources["r1"].href.as_deref(), Some("content/one/a b.html"));
    assert_eq!(parsed.resources["r1"].dependencies, ["r2"]);
    assert_eq!(parsed.resources["r2"].href.as_deref(), Some("c.html"));
}

#[test]
fn what_the_run_time_has_to_know_is_read() {
    let old = "<title>Leaf</title><adlcp:masteryscore>80</adlcp:masteryscore>
        <adlcp:maxtimeallowed>00:30:00</adlcp:maxtimeallowed><adlcp:timelimitaction>exit,message</adlcp:timelimitaction>
        <adlcp:datafromlms>level=3</adlcp:datafromlms>";
    let parsed = parse(manifest(&TREE.replace("<title>Leaf</title>", old)).as_bytes()).unwrap();
    let facts = &parsed.items[0].children[0].facts;
    assert_eq!((facts.mastery_score.as_deref(), facts.launch_data.as_deref()), (Some("80"), Some("level=3")));
    assert_eq!(facts.max_time_allowed.as_deref(), Some("00:30:00"));
    assert_eq!(facts.time_limit_action.as_deref(), Some("exit,message"));
    assert_eq!(parsed.items[0].facts, domain::scorm::Facts::default(), "facts are of their own item");

    let new = "<title>Leaf</title><adlcp:completionThreshold completedByMeasure=\"true\" minProgressMeasure=\"0.75\"/>
        <adlcp:data><adlcp:map targetID=\"notes\"/></adlcp:data>
        <imsss:sequencing xmlns:imsss=\"http://www.imsglobal.org/xsd/imsss\">
        <imsss:limitConditions attemptAbsoluteDurationLimit=\"PT30M\"/><imsss:objectives>
        <imsss:primaryObjective objectiveID=\"main\" satisfiedByMeasure=\"true\">
        <imsss:minNormalizedMeasure>0.6</imsss:minNormalizedMeasure></imsss:primaryObjective>
        <imsss:objective objectiveID=\"side\" satisfiedByMeasure=\"true\">
        <imsss:minNormalizedMeasure>0.1</imsss:minNormalizedMeasure></imsss:objective>
        </imsss:objectives></imsss:sequencing>";
    let parsed = parse(manifest(&TREE.replace("<title>Leaf</title>", new)).as_bytes()).unwrap();
    let facts = &parsed.items[0].children[0].facts;
    assert_eq!(facts.completion_threshold.as_deref(), Some("0.75"));
    assert_eq!(facts.scaled_passing_score.as_deref(), Some("0.6"));
    assert_eq!(facts.objectives, ["main", "side"]);
    assert_eq!(
        (facts.shared.as_slice(), facts.max_time_allowed.as_deref()),
        (&["notes".to_owned()][..], Some("PT30M"))
    );
    let third = "<title>Leaf</title><adlcp:completionThreshold>0.5</adlcp:completionThreshold>";
    let parsed = parse(manifest(&TREE.replace("<title>Leaf</title>", third)).as_bytes()).unwrap();
    assert_eq!(parsed.items[0].children[0].facts.completion_threshold.as_deref(), Some("0.5"));
}

#[test]
fn versions_are_told_apart() {
    for (text, version) in [
        ("1.2", Version::V12),
        ("CAM 1.3", Version::V2004),
        ("2004 3rd Edition", Version::V2004),
        ("2004 4th Edition", Version::V2004),
    ] {
        let parsed = parse(manifest(&TREE.replace(">1.2<", &format!(">{text}<"))).as_bytes()).unwrap();
        assert_eq!(parsed.version, version, "{text}");
    }
}

#[test]
fn hostile_and_broken_manifests_are_refused_at_once() {
    let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
    let attributes: String = (0..5000).map(|n| format!(" a{n}=\"x\"")).collect();
    let cases: Vec<(&str, String, &str)> = vec![
        ("doctype", format!("<!DOCTYPE manifest [<!ENTITY a \"b\">]>{}", manifest(TREE)), "DOCTYPE"),
        ("external entity", format!("<!DOCTYPE m SYSTEM \"file:///etc/passwd\">{}", manifest(TREE)), "DOCTYPE"),
        ("laughs", format!("<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]>{}", manifest("&b;")), "DOCTYPE"),
        ("depth", manifest(&deep), "nested deeper"),
        ("nodes", manifest(&"<a/>".repeat(100_001)), "100,000"),
        ("attributes", manifest(&format!("<a{attributes}/>")), "attributes"),
        ("repeated attribute", manifest("<a b=\"1\" b=\"2\"/>"), "repeats"),
        ("size", manifest(&"x".repeat(9 << 20)), "8 MiB"),
        ("cut off", manifest(TREE).replace("</manifest>", ""), "before its elements"),
        ("mismatched", manifest("<a></b>"), "well-formed"),
        ("not xml", "hello".into(), "root element"),
        ("binary", "\0\0".into(), "binary"),
        ("other root", "<html></html>".into(), "root element"),
        (
            "no items",
            manifest("<organizations/><resources><resource identifier=\"r\"/></resources>"),
            "nothing to launch",
        ),
        ("no resources", manifest(&TREE[..TREE.find("<resources").unwrap()]), "no resources"),
    ];
    for (name, text, why) in cases {
        let began = std::time::Instant::now();
        let failure = parse(text.as_bytes()).unwrap_err();
        assert!(failure.message.contains(why), "{name}: {failure}");
        assert_eq!(failure.code, "BAD_MANIFEST", "{name}");
        assert!(began.elapsed().as_millis() < 1000, "{name} took {:?}", began.elapsed());
    }
}

#[test]
fn other_packages_are_refused_by_name() {
    let cartridge =
        manifest("<metadata><schema>IMS Common Cartridge</schema><schemaversion>1.1.0</schemaversion></metadata>");
    let qti = "<manifest><resources><resource identifier=\"a\" type=\"imsqti_item_xmlv2p1\" href=\"a.xml\"/></resources></manifest>".to_owned();
    for (text, name) in [(cartridge, "Common Cartridge"), (qti, "QTI")] {
        let failure = parse(text.as_bytes()).unwrap_err();
        assert_eq!(failure.code, "UNSUPPORTED_FORMAT");
        assert!(failure.message.contains(name), "{failure}");
    }
}
