//! Runs the parsers of hostile formats in a child process that limits itself before it reads.
//!
//! The child is our own binary with a hidden argument. It gets bytes on standard input and answers
//! on standard output; it cannot open files or sockets, and dies with its group. What the system
//! refuses to limit is reported as [`Level::Reduced`], never passed over in silence.

mod child;
mod confine;
mod frame;
mod program;
mod reply;
mod running;
mod unpacking;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use domain::document::Document;
use domain::ingestion::{Failure, SourceKind, failure};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::parse::Format;
use crate::parse::manifest::Manifest;
use crate::parse::package::Bundle;
pub use child::child_main;
pub use program::{Allowance, Ended};
use reply::Reply;
use running::Running;
use unpacking::Unpacking;

/// The hidden first argument of the child.
pub const ARGUMENT: &str = "__parse";
/// Asks the child for the bytes of every file of a package.
const WITH_FILES: &str = "files";

/// How well the child is confined here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "level", content = "reasons")]
pub enum Level {
    /// Every limit holds.
    Full,
    /// Some limits could not be had, and why.
    Reduced(Vec<String>),
}

impl Level {
    /// What is missing; `None` when every limit holds.
    #[must_use]
    pub fn reduced(&self) -> Option<String> {
        match self {
            Self::Full => None,
            Self::Reduced(reasons) => Some(reasons.join("; ")),
        }
    }
}

/// What the parent may spend on a child.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program to run; `None` is this one.
    pub program: Option<PathBuf>,
    /// Wall time for one document.
    pub document_time: Duration,
    /// Wall time for one package.
    pub package_time: Duration,
    /// Largest answer about one document, in bytes.
    pub answer: usize,
    /// Most bytes of pages taken out of one package.
    pub pages: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            program: None,
            document_time: Duration::from_secs(45),
            package_time: Duration::from_secs(75),
            answer: 64 << 20,
            pages: 192 << 20,
        }
    }
}

/// One document to parse.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its format.
    pub format: Format,
    /// Its path within the source.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A page of a package: an HTML or script file and what its text looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Path within the package.
    pub path: String,
    /// Title, when it is HTML.
    pub title: String,
    /// Words of text that a reader sees.
    pub words: usize,
    /// Why it could not be parsed.
    pub error: Option<String>,
    /// The file itself.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

/// A SCORM package as the child understood it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its manifest.
    pub manifest: Manifest,
    /// The folder that the manifest lies in, with a final `/`; empty at the root.
    pub base: String,
    /// Every file and its size.
    pub files: Vec<(String, u64)>,
    /// HTML pages and scripts.
    pub pages: Vec<Page>,
    /// Every file with its bytes, where they were asked for.
    #[serde(skip)]
    pub unpacked: Vec<Unpacked>,
}

/// A file that was taken out of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// Path within the package.
    pub path: String,
    /// Where its bytes lie; the name is a number and never the package's.
    pub bytes: PathBuf,
    /// SHA-256 of them, in hexadecimal.
    pub sha256: String,
}

#[derive(Serialize, Deserialize)]
enum Request {
    Document {
        format: Format,
        path: String,
    },
    /// The files of a folder by path and size; their bytes follow one after the other.
    Folder {
        files: Vec<(String, usize)>,
    },
}

/// The parent's side.
#[derive(Debug, Clone, Default)]
pub struct Sandbox {
    options: Options,
}

impl Sandbox {
    /// A sandbox with `options`.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// A sandbox that runs `program` instead of this binary.
    pub fn with_program(program: impl Into<PathBuf>) -> Self {
        Self::new(Options { program: Some(program.into()), ..Options::default() })
    }

    /// How well a child is confined on this system.
    ///
    /// # Errors
    /// `PARSER_KILLED` when no child can be run at all.
    pub async fn level(&self) -> Result<Level, Failure> {
        let mut running = self.spawn("documents", Stdio::piped(), "the parser", self.options.document_time, &[])?;
        let level = running.ready().await;
        running.stop().await;
        level
    }

    /// Parses documents, each with its own outcome; one child serves them until one kills it.
    pub async fn parse(&self, inputs: Vec<Input>) -> Vec<Result<Document, Failure>> {
        let mut outcomes = Vec::with_capacity(inputs.len());
        let mut running: Option<Running> = None;
        for input in inputs {
            let mut child = match running.take() {
                Some(child) => child,
                None => {
                    let started = self.spawn("documents", Stdio::piped(), &input.path, self.options.document_time, &[]);
                    match started {
                        Ok(mut child) => match child.ready().await {
                            Ok(_) => child,
                            Err(error) => {
                                child.stop().await;
                                outcomes.push(Err(error));
                                continue;
                            }
                        },
                        Err(error) => {
                            outcomes.push(Err(error));
                            continue;
                        }
                    }
                }
            };
            child.subject.clone_from(&input.path);
            match child
                .ask(&Request::Document { format: input.format, path: input.path }, &input.bytes, self.options.answer)
                .await
            {
                Ok(Reply::Document(outcome)) => {
                    outcomes.push(outcome.map(|document| *document));
                    running = Some(child);
                }
                Ok(_) => {
                    outcomes.push(Err(child.killed("it answered out of turn")));
                    child.stop().await;
                }
                Err(error) => {
                    outcomes.push(Err(error));
                    child.stop().await;
                }
            }
        }
        if let Some(child) = running {
            child.stop().await;
        }
        outcomes
    }

    /// Reads a SCORM package from a file, and puts the bytes of its files into `folder` where one is given.
    ///
    /// # Errors
    /// The archive's, the manifest's, or `PARSER_KILLED`.
    pub async fn package(&self, archive: std::fs::File, name: &str, folder: Option<&Path>) -> Result<Package, Failure> {
        let more: &[&str] = if folder.is_some() { &[WITH_FILES] } else { &[] };
        let mut running = self.spawn("package", Stdio::from(archive), name, self.options.package_time, more)?;
        let mut unpacking = Unpacking { folder, open: None, done: Vec::new(), size: 0 };
        let outcome = running.package(self.options.answer, self.options.pages, &mut unpacking).await;
        running.stop().await;
        let package = outcome?;
        Ok(Package { unpacked: unpacking.end().await?, ..package })
    }

    /// Reads a package of another kind than SCORM from a file; `File` stands for a book. The bytes of its files
    /// go into `folder` where one is given.
    ///
    /// # Errors
    /// The archive's, those of the kind, or `PARSER_KILLED`.
    pub async fn bundle(
        &self,
        kind: SourceKind,
        archive: std::fs::File,
        name: &str,
        folder: Option<&Path>,
    ) -> Result<(Bundle, Vec<Unpacked>), Failure> {
        let more = [kind.as_str(), name, WITH_FILES];
        let more = if folder.is_some() { &more[..] } else { &more[..2] };
        let mut running = self.spawn("bundle", Stdio::from(archive), name, self.options.package_time, more)?;
        let mut unpacking = Unpacking { folder, open: None, done: Vec::new(), size: 0 };
        let outcome = running.bundle(None, self.options.pages, &mut unpacking).await;
        running.stop().await;
        Ok((outcome?, unpacking.end().await?))
    }

    /// Reads the files of a folder as a package.
    ///
    /// # Errors
    /// As [`Self::bundle`].
    pub async fn folder(&self, kind: SourceKind, files: Vec<(String, Vec<u8>)>, name: &str) -> Result<Bundle, Failure> {
        let mut running =
            self.spawn("folder", Stdio::piped(), name, self.options.package_time, &[kind.as_str(), name])?;
        let sizes = files.iter().map(|(path, bytes)| (path.clone(), bytes.len())).collect();
        let body = files.into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>().concat();
        let mut nothing = Unpacking { folder: None, open: None, done: Vec::new(), size: 0 };
        let asked = Some((Request::Folder { files: sizes }, body));
        let outcome = running.bundle(asked, self.options.pages, &mut nothing).await;
        running.stop().await;
        outcome
    }

    /// What kind of package a zip archive is; `File` for a document that is a zip, such as a DOCX.
    ///
    /// # Errors
    /// The archive's, `UNSUPPORTED_FORMAT` for a kind that is not read, or `PARSER_KILLED`.
    pub async fn kind(&self, archive: std::fs::File, name: &str) -> Result<SourceKind, Failure> {
        let mut running = self.spawn("kind", Stdio::from(archive), name, self.options.package_time, &[name])?;
        let answered = async {
            running.ready().await?;
            match running.reply(1 << 16).await? {
                (Reply::Kind(outcome), _) => outcome,
                _ => Err(running.killed("it answered out of turn")),
            }
        };
        let outcome = answered.await;
        running.stop().await;
        outcome
    }

    fn spawn(
        &self,
        mode: &str,
        input: Stdio,
        subject: &str,
        time: Duration,
        more: &[&str],
    ) -> Result<Running, Failure> {
        let cannot = |error: std::io::Error| {
            Failure::new(failure::PARSER_KILLED, format!("the parser for \"{subject}\" cannot be started: {error}"))
        };
        let program = match &self.options.program {
            Some(program) => program.clone(),
            None => own_program().map_err(cannot)?,
        };
        let mut child = Command::new(program)
            .arg(ARGUMENT)
            .arg(mode)
            .args(more)
            .env_clear()
            .current_dir("/")
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(cannot)?;
        let stdout = child.stdout.take().ok_or_else(|| Failure::new(failure::INTERNAL, "the parser has no output"))?;
        let stdin = child.stdin.take();
        Ok(Running {
            child,
            stdin,
            stdout: tokio::io::BufReader::with_capacity(256 * 1024, stdout),
            subject: subject.to_owned(),
            time,
        })
    }
}

/// This binary, also when its file was replaced while it runs.
fn own_program() -> std::io::Result<PathBuf> {
    let link = Path::new("/proc/self/exe");
    if link.exists() { Ok(link.to_owned()) } else { std::env::current_exe() }
}
