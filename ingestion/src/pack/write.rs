//! Writing a pack: manifest, signature, then each file in pieces.

use std::io::{Read as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use domain::ingestion::{Failure, failure};
use sha2::{Digest as _, Sha256};

use super::{Key, MANIFEST, Manifest, SIGNATURE, blob_name, tar};

/// Writes a pack to a new file and yields its size; `files` are where those of the manifest lie, in its order.
///
/// A pack may hold the keys of questions, so that only its owner may read it. It is written beside
/// its place and takes its name when it is whole.
pub(crate) fn write(
    to: &Path,
    manifest: &Manifest,
    files: &[PathBuf],
    key: &Key,
    on_progress: &dyn Fn(u64),
) -> Result<u64, Failure> {
    let shown = to.display().to_string();
    let failed = |error: std::io::Error| {
        Failure::new(failure::UNREADABLE, format!("cannot write the pack \"{shown}\": {error}"))
    };
    if to.exists() {
        let message = format!("\"{shown}\" is there already; remove it or name another file");
        return Err(Failure::new(failure::UNREADABLE, message));
    }
    let partial = to.with_extension("lyp.partial");
    let written = fill(&partial, manifest, files, key, on_progress, &failed)
        .and_then(|size| std::fs::rename(&partial, to).map(|()| size).map_err(failed));
    if written.is_err() {
        // What is half written is of no use; the reason goes to the caller.
        let _ = std::fs::remove_file(&partial);
    }
    written
}

fn fill(
    to: &Path,
    manifest: &Manifest,
    files: &[PathBuf],
    key: &Key,
    on_progress: &dyn Fn(u64),
    failed: &dyn Fn(std::io::Error) -> Failure,
) -> Result<u64, Failure> {
    let internal = |error: serde_json::Error| Failure::new(failure::INTERNAL, error.to_string());
    let text = serde_json::to_vec(manifest).map_err(internal)?;
    // What is written can be read again: the limits are those of the reader.
    Manifest::read(&text)?;
    let signature = serde_json::to_vec(&key.sign(&text)).map_err(internal)?;
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to);
    let mut out = std::io::BufWriter::with_capacity(256 * 1024, file.map_err(failed)?);
    let mut size = 0;
    for (name, content) in [(MANIFEST, &text), (SIGNATURE, &signature)] {
        let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
        out.write_all(&tar::header(name, length)).map_err(failed)?;
        out.write_all(content).map_err(failed)?;
        size += pad(&mut out, length).map_err(failed)?;
    }
    let mut done = 0;
    for (file, path) in manifest.files.iter().zip(files) {
        out.write_all(&tar::header(&blob_name(&file.sha256), file.size)).map_err(failed)?;
        let mut from = std::fs::File::open(path)
            .map_err(|error| crate::source::cannot_open(&path.display().to_string(), &error))?
            .take(file.size + 1);
        let (mut hash, mut copied) = (Sha256::new(), 0_u64);
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let count = from.read(&mut buffer).map_err(failed)?;
            let some = buffer.get(..count).unwrap_or_default();
            if some.is_empty() {
                break;
            }
            hash.update(some);
            out.write_all(some).map_err(failed)?;
            copied += u64::try_from(count).unwrap_or_default();
            on_progress(done + copied);
        }
        if copied != file.size || hex::encode(hash.finalize()) != file.sha256 {
            let message = format!("\"{}\" changed while it was read; pack again", path.display());
            return Err(Failure::new(failure::UNREADABLE, message));
        }
        done += copied;
        size += pad(&mut out, copied).map_err(failed)?;
    }
    out.write_all(&tar::END).map_err(failed)?;
    let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok(size + u64::try_from(tar::END.len()).unwrap_or_default())
}

/// Fills up to the next block; yields what header, content and filling take.
fn pad(out: &mut impl Write, length: u64) -> std::io::Result<u64> {
    let padding = tar::padding(length);
    out.write_all(tar::END.get(..usize::try_from(padding).unwrap_or_default()).unwrap_or_default())?;
    Ok(tar::BLOCK + length + padding)
}
