//! Attacks of SAFETY's list by class, each through the door that an attacker has: every one ends with a type,
//! soon, and reaches nothing. Archives have their list in `archive.rs`, recordings in `media.rs`, the arguments
//! of yt-dlp in `youtube/hostile.rs`, packs in `pack.rs`.

mod documents;
mod repositories;
mod xml;

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use domain::ingestion::{Crawl, Failure, SourceKind};
use ingestion::source::{Bytes, Fetched, Place, of};

use crate::testkit::sandbox;

/// What nobody outside may learn.
const SECRET: &str = "the-secret-of-the-harbour";

/// Something that must never be reached: a file with the secret, and a listener.
struct Victim {
    folder: tempfile::TempDir,
    listener: TcpListener,
}

impl Victim {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret.txt"), SECRET).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { folder, listener }
    }

    fn file(&self) -> String {
        self.folder.path().join("secret.txt").display().to_string()
    }

    fn address(&self) -> String {
        format!("http://{}/x", self.listener.local_addr().unwrap())
    }

    /// Nobody has connected, and this text says nothing of the secret.
    fn unharmed(&self, what: &str, said: &str) {
        assert!(!said.contains(SECRET), "{what}: the secret came out");
        let visit = self.listener.accept();
        assert!(
            visit.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock),
            "{what}: a connection was made"
        );
    }
}

/// Reads a file of this machine as a source.
async fn fetch(kind: SourceKind, path: &Path) -> Result<Fetched, Failure> {
    let scratch = tempfile::tempdir().unwrap();
    let (origin, crawl) = (path.display().to_string(), Crawl::default());
    let place = Place { origin, name: None, captions: None, local: true, rights: false, crawl };
    of(kind).unwrap().fetch(&place, &sandbox(), scratch.path()).await
}

/// Everything that a fetch brought or said, as text.
fn told(outcome: &Result<Fetched, Failure>) -> String {
    let fetched = match outcome {
        Ok(fetched) => fetched,
        Err(failure) => return failure.message.clone(),
    };
    let mut text = format!("{:?} {:?}", fetched.outline, fetched.warnings);
    for document in &fetched.documents {
        if let Bytes::Memory(bytes) = &document.bytes {
            text.push_str(&String::from_utf8_lossy(bytes));
        }
        document.includes.values().for_each(|bytes| text.push_str(&String::from_utf8_lossy(bytes)));
        text.push_str(&document.extra.to_string());
    }
    text
}

/// An attack took less than this; generous, because suites share two processors.
fn soon(what: &str, began: Instant, most: u64) {
    assert!(began.elapsed() < Duration::from_secs(most), "{what} took {:?}", began.elapsed());
}
