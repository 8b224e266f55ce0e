//! What GitHub says of a repository beside its files (REST API, version 2022-11-28): description, licence, topics.
//!
//! Only what rarely changes is kept, so that a star makes no new version of a source. A failure is told by its kind
//! and never keeps the content from being read.

use std::time::Duration;

use domain::document::Warning;
use domain::ingestion::{Failure, failure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use crate::safe_client::{Answer, Limits, SafeClient};

const HOST: &str = "github.com";
const LIMITS: Limits = Limits { bytes: 1 << 20, time: Duration::from_secs(10), redirects: 2 };

/// How GitHub is asked.
#[derive(Clone)]
pub struct GitHub {
    /// A token that may read the repositories; sent to the API alone.
    pub token: String,
    /// Where the API is.
    pub api: String,
}

impl GitHub {
    /// GitHub's own API.
    #[must_use]
    pub fn new(token: String) -> Self {
        Self { token, api: "https://api.github.com".into() }
    }

    /// What it says of the repository at `origin`; nothing where that is not GitHub's. Of `hosts` those with a port
    /// may be private.
    ///
    /// # Errors
    /// A warning with the code of the failure.
    pub async fn about(&self, origin: &str, hosts: &[String]) -> Option<Result<Value, Warning>> {
        let (owner, name) = repository(origin)?;
        let place = format!("{}/repos/{owner}/{name}", self.api);
        let said = match self.ask(&place, hosts).await {
            Ok(answer) => read(&answer, &format!("{owner}/{name}")),
            Err(why) => Err(why),
        };
        Some(said.map_err(|why| Warning {
            code: why.code,
            message: format!("what GitHub says of the repository is missing: {}", why.message),
            place: Some(place),
        }))
    }

    async fn ask(&self, place: &str, hosts: &[String]) -> Result<Answer, Failure> {
        let api = Url::parse(place).map_err(|error| {
            Failure::new(failure::BAD_ADDRESS, format!("the address of the API is broken: {error}"))
        })?;
        let client = SafeClient::new(LIMITS, hosts).with_bearer(&api, &self.token);
        Ok(client.get(place).await?)
    }
}

/// Owner and name, of an address of GitHub; a branch or tag behind `@` is left out.
fn repository(origin: &str) -> Option<(String, String)> {
    let url = Url::parse(origin).ok().filter(|url| url.host_str() == Some(HOST))?;
    let project = url.path().split('@').next()?.trim_matches('/');
    let (owner, name) = project.split_once('/')?;
    let name = name.trim_end_matches(".git");
    let good = !owner.is_empty() && !name.is_empty() && !name.contains('/');
    good.then(|| (owner.to_owned(), name.to_owned()))
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
    html_url: String,
    description: Option<String>,
    homepage: Option<String>,
    #[serde(default)]
    topics: Vec<String>,
    license: Option<Licence>,
    default_branch: String,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    private: bool,
}

#[derive(Deserialize)]
struct Licence {
    spdx_id: Option<String>,
}

/// As it is kept.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct About {
    name: String,
    address: String,
    description: Option<String>,
    homepage: Option<String>,
    topics: Vec<String>,
    /// SPDX identifier; none where GitHub knows no licence.
    licence: Option<String>,
    default_branch: String,
    archived: bool,
    private: bool,
}

fn read(answer: &Answer, name: &str) -> Result<Value, Failure> {
    if answer.status != 200 {
        return Err(refused(answer, name));
    }
    let said: Repository = serde_json::from_slice(&answer.body)
        .map_err(|error| Failure::new(failure::SITE_ERROR, format!("GitHub's answer cannot be read: {error}")))?;
    let told = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    // "NOASSERTION" is a licence file that GitHub does not know.
    let licence = said.license.and_then(|licence| licence.spdx_id).filter(|id| id != "NOASSERTION");
    Ok(json!(About {
        name: said.full_name,
        address: said.html_url,
        description: told(said.description),
        homepage: told(said.homepage),
        topics: said.topics,
        licence,
        default_branch: said.default_branch,
        archived: said.archived,
        private: said.private,
    }))
}

/// Every status that is no answer, by its name.
fn refused(answer: &Answer, name: &str) -> Failure {
    let text = String::from_utf8_lossy(&answer.body).to_lowercase();
    let limited = answer.status == 429 || (answer.status == 403 && text.contains("rate limit"));
    let (code, why) = match answer.status {
        _ if limited => {
            (failure::RATE_LIMITED, "the limit of this token is used up; it is refilled within the hour".into())
        }
        401 => (failure::LOGIN_WANTED, "GitHub does not accept the token; set a new one as \"github_token\"".into()),
        403 => (failure::LOGIN_WANTED, format!("the token may not read \"{name}\"; give it \"Metadata: read\"")),
        404 => (
            failure::NOT_FOUND,
            format!("GitHub shows this token no repository \"{name}\"; check the name and its rights"),
        ),
        451 => (failure::NOT_FOUND, format!("\"{name}\" is not shown for legal reasons")),
        500..=599 => (failure::SITE_ERROR, "GitHub is in trouble; ingest again later".into()),
        _ => (failure::SITE_ERROR, "GitHub answered something unexpected".into()),
    };
    Failure::new(code, format!("{why} (HTTP {})", answer.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_repositories_of_github_are_asked_for() {
        for origin in [
            "https://github.com/rust-lang/book",
            "https://github.com/rust-lang/book.git",
            "https://github.com/rust-lang/book/",
            "https://github.com/rust-lang/book@release/1.0",
        ] {
            assert_eq!(repository(origin), Some(("rust-lang".into(), "book".into())), "{origin}");
        }
        for origin in [
            "https://gitlab.com/a/b",
            "https://github.com/a",
            "https://github.com/a/b/c",
            "/home/a/b",
            "https://github.com.evil.example/a/b",
        ] {
            assert_eq!(repository(origin), None, "{origin}");
        }
    }
}
