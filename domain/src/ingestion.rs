//! Ingestion: kinds of source, stages, typed outcomes and failures.

pub mod estimate;
pub mod schedule;

use serde::{Deserialize, Serialize};

/// Where content comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// A plain folder.
    Dir,
    /// A git repository: local, bundle or https.
    Git,
    /// A SCORM 1.2 or 2004 package.
    Scorm,
    /// One document.
    File,
    /// A recording with captions.
    Video,
    /// A Common Cartridge of 1EdTech, as Canvas and other platforms export courses.
    Cartridge,
    /// Questions in QTI 1.2, 2.1 or 2.2: a package, a folder or one file.
    Qti,
    /// An H5P package.
    H5p,
    /// A cmi5 course: a package, or its structure alone.
    Cmi5,
    /// A video, playlist or channel of `YouTube`.
    Youtube,
    /// A page that shows a recording, on a host that the administrator lists.
    #[serde(rename = "video-page")]
    VideoPage,
    /// A page of the web, or a site within limits.
    Web,
}

impl SourceKind {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::Dir,
        Self::Git,
        Self::Scorm,
        Self::File,
        Self::Video,
        Self::Cartridge,
        Self::Qti,
        Self::H5p,
        Self::Cmi5,
        Self::Youtube,
        Self::VideoPage,
        Self::Web,
    ];

    /// The spelling used in rows and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dir => "dir",
            Self::Git => "git",
            Self::Scorm => "scorm",
            Self::File => "file",
            Self::Video => "video",
            Self::Cartridge => "cartridge",
            Self::Qti => "qti",
            Self::H5p => "h5p",
            Self::Cmi5 => "cmi5",
            Self::Youtube => "youtube",
            Self::VideoPage => "video-page",
            Self::Web => "web",
        }
    }

    /// The kind of that spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// How much of a web site is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Crawl {
    /// The pages that the first one links to as well.
    pub site: bool,
    /// Most pages.
    pub max_pages: usize,
    /// Most links between the first page and the last.
    pub depth: usize,
}

impl Crawl {
    /// The most pages that may be asked for.
    pub const MOST_PAGES: usize = 1_000;
    /// The deepest that may be asked for.
    pub const DEEPEST: usize = 10;
}

impl Default for Crawl {
    fn default() -> Self {
        Self { site: false, max_pages: 50, depth: 3 }
    }
}

/// The stages of an ingestion, in order; each is one checkpointed, idempotent job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Take the source's bytes into blobs and list its documents.
    Fetch,
    /// Parse documents into blocks and cut them into chunks.
    Chunk,
    /// Make the new version the current one: tree, lessons and keyword search in one transaction.
    Publish,
    /// Make vectors of the chunks that have none.
    Embed,
    /// Calibrate the scope gate, mirror vectors, close.
    Index,
    /// Make renditions of recordings for players; only runs with a recording have this stage.
    Transcode,
}

impl Stage {
    /// All, in order.
    pub const ALL: [Self; 6] = [Self::Fetch, Self::Chunk, Self::Publish, Self::Embed, Self::Index, Self::Transcode];

    /// The spelling used in rows, jobs and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Chunk => "chunk",
            Self::Publish => "publish",
            Self::Embed => "embed",
            Self::Index => "index",
            Self::Transcode => "transcode",
        }
    }

    /// The kind of its job.
    #[must_use]
    pub fn job(self) -> &'static str {
        match self {
            Self::Fetch => "fetch_source",
            Self::Chunk => "chunk_documents",
            Self::Publish => "publish_version",
            Self::Embed => "embed_chunks",
            Self::Index => "index_version",
            Self::Transcode => "transcode_media",
        }
    }

    /// The key of its job in a run: there is one job of a stage in each.
    #[must_use]
    pub fn job_key(self, run: crate::IngestionId) -> String {
        format!("{run}/{}", self.as_str())
    }

    /// The stage after this one.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| *stage > self)
    }

    /// The stage of that spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text)
    }
}

/// How an ingestion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Everything was read.
    Succeeded,
    /// Something could not be read; the rest is there and the error says what.
    Partial,
    /// Nothing was imported.
    Failed,
}

impl Outcome {
    /// The spelling used in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// A typed failure of an ingestion: a stable code, and a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Stable code, one of [`failure`].
    pub code: String,
    /// What happened and what to do.
    pub message: String,
}

impl Failure {
    /// A failure of `code`.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

/// The stable failure codes.
pub mod failure {
    /// The path or address does not exist.
    pub const NOT_FOUND: &str = "NOT_FOUND";
    /// The file exists and cannot be read.
    pub const UNREADABLE: &str = "UNREADABLE";
    /// Not a zip, or a damaged one.
    pub const BROKEN_ARCHIVE: &str = "BROKEN_ARCHIVE";
    /// The archive breaks a limit or hides something: bomb, traversal, link, encryption.
    pub const HOSTILE_ARCHIVE: &str = "HOSTILE_ARCHIVE";
    /// No `imsmanifest.xml`, or one that is not valid.
    pub const BAD_MANIFEST: &str = "BAD_MANIFEST";
    /// A document's format is known and its bytes are broken.
    pub const BAD_DOCUMENT: &str = "BAD_DOCUMENT";
    /// The format is not one that we read.
    pub const UNSUPPORTED_FORMAT: &str = "UNSUPPORTED_FORMAT";
    /// A PDF that needs a password.
    pub const PASSWORD_PROTECTED: &str = "PASSWORD_PROTECTED";
    /// No text layer: needs OCR.
    pub const NO_TEXT: &str = "NO_TEXT";
    /// A recording with no captions and no transcriber.
    pub const NO_CAPTIONS: &str = "NO_CAPTIONS";
    /// The address is not one of the kind's.
    pub const BAD_ADDRESS: &str = "BAD_ADDRESS";
    /// The host of an address is not on the administrator's list.
    pub const HOST_NOT_ALLOWED: &str = "HOST_NOT_ALLOWED";
    /// The owner shows the video to people of their choice only.
    pub const VIDEO_PRIVATE: &str = "VIDEO_PRIVATE";
    /// The video was taken down or never was.
    pub const VIDEO_REMOVED: &str = "VIDEO_REMOVED";
    /// The video is not shown in this country.
    pub const GEO_BLOCKED: &str = "GEO_BLOCKED";
    /// The site asks for an account: age, members only, or a check for robots.
    pub const LOGIN_WANTED: &str = "LOGIN_WANTED";
    /// The site refuses for a while because of too many requests.
    pub const RATE_LIMITED: &str = "RATE_LIMITED";
    /// The program that reads the site no longer understands it.
    pub const EXTRACTOR_BROKEN: &str = "EXTRACTOR_BROKEN";
    /// The site cannot be reached from here.
    pub const OFFLINE: &str = "OFFLINE";
    /// A live stream or premiere that has not ended.
    pub const LIVE_NOT_ENDED: &str = "LIVE_NOT_ENDED";
    /// A program that the source needs is not installed.
    pub const PROGRAM_MISSING: &str = "PROGRAM_MISSING";
    /// A program that the source needs is older than what is known to work.
    pub const PROGRAM_TOO_OLD: &str = "PROGRAM_TOO_OLD";
    /// The source did not answer within its time.
    pub const TOO_SLOW: &str = "TOO_SLOW";
    /// The address leads into a private network.
    pub const PRIVATE_ADDRESS: &str = "PRIVATE_ADDRESS";
    /// The address redirects again and again, or away from its site.
    pub const TOO_MANY_REDIRECTS: &str = "TOO_MANY_REDIRECTS";
    /// The site asks robots not to read the page.
    pub const ROBOTS_DISALLOWED: &str = "ROBOTS_DISALLOWED";
    /// The address answers with something that is no page.
    pub const NOT_HTML: &str = "NOT_HTML";
    /// The site answers with an error.
    pub const SITE_ERROR: &str = "SITE_ERROR";
    /// A git repository could not be read.
    pub const GIT_FAILED: &str = "GIT_FAILED";
    /// The source is larger than the limits allow.
    pub const TOO_LARGE: &str = "TOO_LARGE";
    /// The parser was stopped by its sandbox.
    pub const PARSER_KILLED: &str = "PARSER_KILLED";
    /// The source has no document that we can read.
    pub const EMPTY: &str = "EMPTY";
    /// Some documents could not be read; the message names them.
    pub const PARTLY_READ: &str = "PARTLY_READ";
    /// The embedding model failed; text is searchable, run again to embed.
    pub const EMBEDDING_FAILED: &str = "EMBEDDING_FAILED";
    /// A recording could not be made ready for players; it is served as it is.
    pub const TRANSCODE_FAILED: &str = "TRANSCODE_FAILED";
    /// No model could write a recording down.
    pub const TRANSCRIPTION_FAILED: &str = "TRANSCRIPTION_FAILED";
    /// A pack is cut off, or one of its entries is not what was packed.
    pub const PACK_DAMAGED: &str = "PACK_DAMAGED";
    /// A pack without a signature that fits it.
    pub const PACK_UNSIGNED: &str = "PACK_UNSIGNED";
    /// A pack that is signed by a key that nobody here trusts.
    pub const PACK_UNTRUSTED: &str = "PACK_UNTRUSTED";
    /// A person paused the run.
    pub const PAUSED: &str = "PAUSED";
    /// The disk is full, or would be.
    pub const DISK_FULL: &str = "DISK_FULL";
    /// The institution would store more bytes than it may.
    pub const STORAGE_QUOTA: &str = "STORAGE_QUOTA";
    /// Cancelled by a person.
    pub const CANCELLED: &str = "CANCELLED";
    /// A defect.
    pub const INTERNAL: &str = "INTERNAL";
}

/// What one stage did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageReport {
    /// Which.
    pub name: String,
    /// `succeeded`, `partial`, `failed` or `skipped`.
    pub outcome: String,
    /// Wall time spent, over all tries.
    pub seconds: f64,
}

/// What an ingestion did: the JSON that `lyceum ingest --json` prints last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// Why not everything was read.
    pub error: Option<Failure>,
    /// Slug of the course.
    pub course: String,
    /// Modules of this source version.
    pub modules: i64,
    /// Lessons of this source version.
    pub lessons: i64,
    /// Chunks of this source version.
    pub chunks: i64,
    /// Chunks embedded by this run.
    pub embedded: i64,
    /// What a reader should know; content was kept.
    pub warnings: Vec<crate::document::Warning>,
    /// Times of the stages.
    pub stages: Vec<StageReport>,
}
