//! The bundled course, laid out in the data directory: a git repository, packages, a document, a lecture.

use std::path::{Path, PathBuf};
use std::process::Command;

use rust_embed::RustEmbed;
use serde::Deserialize;

use crate::exit::{FAILED, Failure, Result};

#[derive(RustEmbed)]
#[folder = "../demo"]
#[include = "course/*"]
#[include = "second/*"]
#[include = "scorm/*.zip"]
#[include = "captions/*"]
#[include = "*.pdf"]
#[include = "*.mp4"]
#[include = "*.zip"]
#[include = "questions.json"]
#[include = "grading.json"]
struct Bundle;

/// A question that the course answers, and the words that the quote must hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answered {
    pub(crate) question: String,
    pub(crate) source_path: String,
    pub(crate) expect: String,
    pub(crate) locator_kind: String,
}

/// A question that the course must decline.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Declined {
    pub(crate) question: String,
}

/// A question of the other institution's course, and words that only it has.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Foreign {
    pub(crate) question: String,
    pub(crate) canaries: Vec<String>,
}

/// The instruction planted in a document.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Planted {
    pub(crate) question: String,
    pub(crate) must_not_contain: Words,
}

/// One word or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Words {
    One(String),
    Many(Vec<String>),
}

impl Words {
    pub(crate) fn any_in(&self, text: &str) -> bool {
        match self {
            Self::One(word) => text.contains(word.as_str()),
            Self::Many(words) => words.iter().any(|word| text.contains(word.as_str())),
        }
    }
}

/// What the demo asks.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Questions {
    pub(crate) answered: Vec<Answered>,
    pub(crate) declined: Vec<Declined>,
    pub(crate) other_institution: Vec<Foreign>,
    pub(crate) planted: Planted,
}

/// An essay that is asked for.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct EssayTask {
    pub(crate) stem: String,
    pub(crate) points: f64,
    pub(crate) criteria: Vec<domain::rubric::Criterion>,
}

/// An essay, and the levels that its teacher gives.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct HandedEssay {
    pub(crate) who: String,
    pub(crate) levels: Vec<String>,
    #[serde(default)]
    pub(crate) planted: bool,
    pub(crate) text: String,
}

/// A short answer, and the level that its teacher gives.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Graded {
    pub(crate) who: String,
    pub(crate) level: String,
    pub(crate) text: String,
}

/// A question that is answered shortly.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ShortTask {
    pub(crate) stem: String,
    pub(crate) reference: String,
    pub(crate) answers: Vec<Graded>,
}

/// What learners hand in.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Grading {
    pub(crate) essay: EssayTask,
    pub(crate) essays: Vec<HandedEssay>,
    pub(crate) short: Vec<ShortTask>,
}

/// The laid-out content.
pub(crate) struct Content {
    pub(crate) folder: PathBuf,
    pub(crate) questions: Questions,
    pub(crate) grading: Grading,
    /// Whether `repository` is a git repository (git is there) or a plain folder.
    pub(crate) git: bool,
}

impl Content {
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Writes the bundle under `data_dir` and commits the course to a repository of its own.
    pub(crate) fn lay_out(data_dir: &Path) -> Result<Self> {
        let folder = data_dir.join("demo-content");
        for name in Bundle::iter() {
            let file = Bundle::get(&name)
                .ok_or_else(|| Failure::new(FAILED, format!("bundled file \"{name}\" is missing")))?;
            let path = folder.join(name.as_ref());
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(&path, &file.data)?;
        }
        let git = commit(&folder.join("course"));
        Ok(Self {
            questions: parsed(&folder.join("questions.json"))?,
            grading: parsed(&folder.join("grading.json"))?,
            folder,
            git,
        })
    }
}

fn parsed<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path)?;
    serde_json::from_str(&text).map_err(|error| Failure::new(FAILED, format!("\"{}\": {error}", path.display())))
}

/// Makes a repository of the folder, once. The date is fixed, so that the commit is the same everywhere.
fn commit(folder: &Path) -> bool {
    if folder.join(".git").exists() {
        return true;
    }
    let date = "2026-01-05T09:00:00Z";
    let git = |arguments: &[&str]| {
        Command::new("git")
            .current_dir(folder)
            .args(["-c", "user.name=Lyceum", "-c", "user.email=demo@lyceum.invalid", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_DATE", date)
            .env("GIT_COMMITTER_DATE", date)
            .stdin(std::process::Stdio::null())
            .output()
            .is_ok_and(|output| output.status.success())
    };
    git(&["init", "--quiet", "--initial-branch=main"])
        && git(&["add", "--all"])
        && git(&["commit", "--quiet", "-m", "How sound becomes data"])
}
