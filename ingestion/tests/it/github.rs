//! What GitHub says of a repository, by a stand-in for its API: kept with the version, or named as a warning.

use ingestion::source::GitHub;
use serde_json::json;

use crate::web::Site;

const ORIGIN: &str = "https://github.com/rust-lang/book";

fn body() -> String {
    json!({ "full_name": "rust-lang/book", "html_url": ORIGIN, "description": "The Rust Programming Language",
        "homepage": "", "topics": ["rust", "book"], "license": { "spdx_id": "MIT" }, "default_branch": "main",
        "archived": false, "private": false, "stargazers_count": 17 })
    .to_string()
}

#[tokio::test]
async fn what_github_says_is_kept_and_every_refusal_has_its_name() {
    let site = Site::new().await;
    let github = GitHub { token: "a token of this test".into(), api: format!("http://{}", site.host) };
    let hosts = [site.host.clone()];
    site.serve("/repos/rust-lang/book", 200, vec![], &body());
    let about = github.about(ORIGIN, &hosts).await.unwrap().unwrap();
    assert_eq!(
        about,
        json!({ "name": "rust-lang/book", "address": ORIGIN, "description": "The Rust Programming Language",
            "homepage": null, "topics": ["rust", "book"], "licence": "MIT", "defaultBranch": "main",
            "archived": false, "private": false })
    );
    assert_eq!(site.logins(), ["Bearer a token of this test"]);

    for (status, text, code) in [
        (401, "Bad credentials", "LOGIN_WANTED"),
        (403, "API rate limit exceeded for user ID 1.", "RATE_LIMITED"),
        (403, "Resource not accessible by personal access token", "LOGIN_WANTED"),
        (404, "Not Found", "NOT_FOUND"),
        (429, "slow down", "RATE_LIMITED"),
        (451, "blocked", "NOT_FOUND"),
        (502, "bad gateway", "SITE_ERROR"),
        (418, "a teapot", "SITE_ERROR"),
        (200, "no json", "SITE_ERROR"),
    ] {
        site.serve("/repos/rust-lang/book", status, vec![], text);
        let warning = github.about(ORIGIN, &hosts).await.unwrap().unwrap_err();
        assert_eq!(warning.code, code, "{warning:?}");
        assert!(warning.message.contains(&status.to_string()) || status == 200, "{warning:?}");
        assert!(!format!("{warning:?}").contains("a token of"), "the token is told to nobody: {warning:?}");
    }
    // A renamed repository is followed; the token goes to nobody else.
    let other = Site::new().await;
    other.serve("/repositories/1", 200, vec![], &body());
    let hosts = [site.host.clone(), other.host.clone()];
    site.serve("/repos/rust-lang/book", 301, vec![("Location", other.address("/repositories/1"))], "");
    assert!(github.about(ORIGIN, &hosts).await.unwrap().is_ok());
    assert_eq!(other.logins(), [""; 0]);
    assert!(github.about("https://gitlab.com/a/b", &hosts).await.is_none());
}
