//! Sources: what a folder, a repository, a package or a file holds, before anything is parsed.
//!
//! A source lists documents and the tree of modules and lessons; it writes nothing to the store.

mod dir;
mod file;
mod git;
mod github;
mod outline;
mod outside;
mod package;
mod scorm;
mod summary;
mod video;
mod video_page;
mod web;
mod youtube;
mod ytdlp;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::document::{DocumentKind, Warning};
use domain::ingestion::{Crawl, Failure, SourceKind, failure};
use domain::question::Draft;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::sandbox::{Sandbox, Unpacked};
pub use github::GitHub;
pub use outside::Outside;

/// Where a source is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Path or https address.
    pub origin: String,
    /// What to call it where its path is no name, as for an upload.
    pub name: Option<String>,
    /// Captions of a recording.
    pub captions: Option<PathBuf>,
    /// Paths of this machine may be read.
    pub local: bool,
    /// Whoever asks says that the recording itself may be kept.
    #[serde(default)]
    pub rights: bool,
    /// How much of a site is read.
    #[serde(default)]
    pub crawl: Crawl,
}

impl Place {
    /// The path, when the source may be read from one.
    pub(crate) fn path(&self) -> Result<&Path, Failure> {
        if !self.local {
            let message = "this kind of source is read from files of this machine only; upload it, or run the command where the file is";
            return Err(Failure::new(failure::UNREADABLE, message));
        }
        Ok(Path::new(&self.origin))
    }

    /// The name that people know it by.
    pub(crate) fn shown(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.origin)
    }
}

/// Bytes of a document.
#[derive(Debug, Clone)]
pub enum Bytes {
    /// In memory.
    Memory(Vec<u8>),
    /// In a file.
    File(PathBuf),
    /// So many in the blobs of the institution, as a loaded pack left them.
    Stored(u64),
}

/// A document of a source.
#[derive(Debug, Clone)]
pub struct FetchedDocument {
    /// Path within the source.
    pub path: String,
    /// What it is.
    pub kind: DocumentKind,
    /// Its bytes.
    pub bytes: Bytes,
    /// SHA-256 of them, in hexadecimal.
    pub sha256: String,
    /// MIME type.
    pub media_type: &'static str,
    /// Files that its text includes, by path.
    pub includes: BTreeMap<String, Vec<u8>>,
    /// A recording that it is the text of.
    pub media: Option<Media>,
    /// What its kind needs besides.
    pub extra: Value,
}

/// A recording to keep beside a document.
#[derive(Debug, Clone)]
pub struct Media {
    /// The file.
    pub path: PathBuf,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
    /// MIME type.
    pub media_type: &'static str,
}

/// A lesson of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lesson {
    /// Title; `None` takes the document's.
    pub title: Option<String>,
    /// `DOCUMENT`, `VIDEO` or `INTERACTIVE`.
    pub kind: String,
    /// The document that it shows.
    pub path: String,
    /// Not shown to learners.
    #[serde(default)]
    pub hidden: bool,
}

/// A module of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Title; `None` takes the first document's.
    pub title: Option<String>,
    /// The title is the author's, so it stands above the headings of its lessons.
    pub chapter: bool,
    /// Lessons in order.
    pub lessons: Vec<Lesson>,
}

/// What a version of a source keeps besides its documents.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// Name of the source for people.
    pub title: String,
    /// The tree.
    pub modules: Vec<Module>,
    /// Documents that could not be fetched, and why.
    #[serde(default)]
    pub failures: Vec<(String, Failure)>,
    /// What its site says of it beside its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<Value>,
    /// What came over and what did not, for a package.
    #[serde(default)]
    pub import: Option<Value>,
    /// Questions for the bank of the course, as drafts; with their keys, so never shown with the outline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<Draft>,
}

/// A fetched source.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Tree, title and failures.
    pub outline: Outline,
    /// Commit of a git source.
    pub commit: Option<String>,
    /// Documents in reading order.
    pub documents: Vec<FetchedDocument>,
    /// Every file of a package that is played.
    pub files: Vec<Unpacked>,
    /// What a reader should know.
    pub warnings: Vec<Warning>,
}

/// Raised when a parser or the chunker changes what it makes of the same bytes.
pub(crate) const PARSERS: u32 = 1;
/// Where a version's outline says which parsers made it.
pub(crate) const PARSED_BY: &str = "parsers";

/// The same JSON with its keys in the order of the alphabet, however it came about.
fn sorted(mut json: Value) -> Value {
    json.sort_all_objects();
    json
}

impl Fetched {
    /// Equal content, tree and parsers have an equal fingerprint.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("parsers {PARSERS}\n{}\n", sorted(json!(self.outline))));
        for document in &self.documents {
            let media = document.media.as_ref().map(|media| media.sha256.as_str()).unwrap_or_default();
            let extra = sorted(document.extra.clone());
            hash.update(format!("{}\n{}\n{media}\n{extra}\n", document.path, document.sha256));
            for (path, bytes) in &document.includes {
                hash.update(format!("{path}\n{}\n", sha256(bytes)));
            }
        }
        for file in &self.files {
            hash.update(format!("{}\n{}\n", file.path, file.sha256));
        }
        hex::encode(hash.finalize())
    }
}

/// A kind of source.
#[async_trait::async_trait]
pub trait Source: Send + Sync {
    /// Which kind.
    fn kind(&self) -> SourceKind;

    /// Reads it. `scratch` is a private folder that is removed afterwards.
    async fn fetch(&self, place: &Place, sandbox: &Sandbox, scratch: &Path) -> Result<Fetched, Failure>;

    /// Reads it with the programs, hosts and cache of this node; a source that asks no other site needs none.
    async fn fetch_with(
        &self,
        place: &Place,
        sandbox: &Sandbox,
        scratch: &Path,
        _outside: &Outside,
    ) -> Result<Fetched, Failure> {
        self.fetch(place, sandbox, scratch).await
    }

    /// One spelling for an address, so that the same content is the same source.
    fn canonical(&self, _origin: &str) -> Option<String> {
        None
    }
}

/// Every kind of source, a line each.
pub static SOURCES: &[&dyn Source] = &[
    &dir::Dir,
    &git::Git,
    &scorm::Scorm,
    &file::File,
    &video::Video,
    &package::CARTRIDGE,
    &package::QTI,
    &package::H5P,
    &package::CMI5,
    &youtube::Youtube,
    &video_page::VideoPage,
    &web::Web,
];

/// The address that `OWNER/REPO` or `OWNER/REPO@REF` stands for on GitHub; none for any other text.
#[must_use]
pub fn github_address(text: &str) -> Option<String> {
    git::of_github(text)
}

/// The source of a kind.
///
/// # Errors
/// `UNSUPPORTED_FORMAT` when no source of that kind is built in.
pub fn of(kind: SourceKind) -> Result<&'static dyn Source, Failure> {
    let missing = || {
        Failure::new(
            failure::UNSUPPORTED_FORMAT,
            format!("sources of kind \"{}\" are not read by this build", kind.as_str()),
        )
    };
    SOURCES.iter().copied().find(|source| source.kind() == kind).ok_or_else(missing)
}

/// Whether a place is a recording without captions named for it or beside it.
pub(crate) fn without_captions(place: &Place) -> bool {
    place.captions.is_none() && place.path().is_ok_and(|path| path.is_file() && video::sidecar(path).is_none())
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// SHA-256 of a file, read in pieces.
pub(crate) fn file_sha256(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            count => hash.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

/// Work that blocks, away from the threads that serve.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.unwrap_or_else(|error| Err(Failure::new(failure::INTERNAL, format!("reading the source failed: {error}"))))
}

/// The failure of a path that cannot be opened.
pub(crate) fn cannot_open(shown: &str, error: &std::io::Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
            Failure::new(failure::NOT_FOUND, format!("there is nothing at \"{shown}\"; check the path"))
        }
        std::io::ErrorKind::PermissionDenied => Failure::new(
            failure::UNREADABLE,
            format!("\"{shown}\" may not be read by this user; change its permissions"),
        ),
        _ => Failure::new(failure::UNREADABLE, format!("\"{shown}\" cannot be read: {error}")),
    }
}
