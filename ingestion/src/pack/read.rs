//! Reading a pack: the signature before everything else, then each file as the manifest announces it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use domain::ingestion::{Failure, failure};
use sha2::{Digest as _, Sha256};

use super::key::Signature;
use super::{LARGEST_MANIFEST, MANIFEST, Manifest, PackedFile, SIGNATURE, blob_name, damaged, tar};
use crate::source::cannot_open;

/// Most bytes of a signature's entry.
const LARGEST_SIGNATURE: u64 = 4096;

/// A pack whose signature holds and whose key is trusted, at its next file.
pub(crate) struct Reader {
    file: File,
    manifest: Manifest,
    key: String,
    next: usize,
}

impl Reader {
    /// Opens a pack; nothing of it is believed before its key is one of `trusted`.
    pub(crate) fn open(path: &Path, shown: &str, trusted: &[String]) -> Result<Self, Failure> {
        let mut file = File::open(path).map_err(|error| cannot_open(shown, &error))?;
        let state = file.metadata().map_err(|error| cannot_open(shown, &error))?;
        if !state.is_file() {
            return Err(Failure::new(failure::UNREADABLE, format!("\"{shown}\" is not a file")));
        }
        let text = entry(&mut file, MANIFEST, LARGEST_MANIFEST).map_err(|why| {
            let message = format!("\"{shown}\" is not a pack ({why}); make one with \"lyceum ingest pack\"");
            Failure::new(failure::PACK_DAMAGED, message)
        })?;
        let unsigned = |why: &str| {
            let message = format!(
                "the pack \"{shown}\" is not signed ({why}); load only what \"lyceum ingest pack\" wrote, and copy it again if it did"
            );
            Failure::new(failure::PACK_UNSIGNED, message)
        };
        let signature = entry(&mut file, SIGNATURE, LARGEST_SIGNATURE).map_err(|why| unsigned(&why))?;
        let signature: Signature =
            serde_json::from_slice(&signature).map_err(|_| unsigned("its signature cannot be read"))?;
        if !signature.holds(&text) {
            return Err(unsigned("its signature does not fit its manifest"));
        }
        if !trusted.contains(&signature.key) {
            let message = format!(
                "the pack \"{shown}\" is signed by a key that is not trusted here: {key}; compare it with the key that \"lyceum ingest pack\" printed on the other machine, and if it is the same, load with: --trust {key}",
                key = signature.key
            );
            return Err(Failure::new(failure::PACK_UNTRUSTED, message));
        }
        let manifest = Manifest::read(&text)?;
        let whole = manifest.files.iter().map(|file| tar::BLOCK + file.size + tar::padding(file.size)).sum::<u64>()
            + file.stream_position().map_err(|error| cannot_open(shown, &error))?
            + u64::try_from(tar::END.len()).unwrap_or_default();
        if state.len() != whole {
            let message = format!("it has {} bytes and should have {whole}", state.len());
            return Err(damaged("its end", &message));
        }
        Ok(Self { file, manifest, key: signature.key, next: 0 })
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Who signed it.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The file that comes next.
    pub(crate) fn upcoming(&self) -> Option<&PackedFile> {
        self.manifest.files.get(self.next)
    }

    /// Passes the next file, which is here already.
    pub(crate) fn skip(&mut self) -> Result<(), Failure> {
        let Some(next) = self.upcoming().cloned() else { return Ok(()) };
        self.begin(&next)?;
        let length = i64::try_from(next.size + tar::padding(next.size)).unwrap_or(i64::MAX);
        self.file
            .seek(SeekFrom::Current(length))
            .map_err(|error| damaged(&blob_name(&next.sha256), &error.to_string()))?;
        self.next += 1;
        Ok(())
    }

    /// Reads the next file, into `into` where one is given, and holds it against its hash.
    pub(crate) fn read(&mut self, mut into: Option<&mut File>) -> Result<(), Failure> {
        let Some(next) = self.upcoming().cloned() else { return Ok(()) };
        let name = blob_name(&next.sha256);
        self.begin(&next)?;
        let (mut hash, mut left) = (Sha256::new(), next.size);
        let mut buffer = vec![0; 256 * 1024];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let count = self
                .file
                .read(buffer.get_mut(..most).unwrap_or_default())
                .map_err(|error| damaged(&name, &error.to_string()))?;
            if count == 0 {
                return Err(damaged(&name, "it ends too early"));
            }
            let some = buffer.get(..count).unwrap_or_default();
            hash.update(some);
            if let Some(into) = &mut into {
                into.write_all(some).map_err(|error| {
                    Failure::new(
                        failure::INTERNAL,
                        format!("cannot write a file of the pack: {error}; check free space"),
                    )
                })?;
            }
            left -= u64::try_from(count).unwrap_or_default();
        }
        if hex::encode(hash.finalize()) != next.sha256 {
            return Err(damaged(&name, "its bytes are not those that were packed"));
        }
        let padding = i64::try_from(tar::padding(next.size)).unwrap_or_default();
        self.file.seek(SeekFrom::Current(padding)).map_err(|error| damaged(&name, &error.to_string()))?;
        self.next += 1;
        Ok(())
    }

    /// Takes the header of a file, which can be one only.
    fn begin(&mut self, file: &PackedFile) -> Result<(), Failure> {
        let name = blob_name(&file.sha256);
        let mut head = [0; tar::BLOCK as usize];
        self.file.read_exact(&mut head).map_err(|error| damaged(&name, &error.to_string()))?;
        if head == tar::header(&name, file.size) {
            Ok(())
        } else {
            Err(damaged(&name, "another entry stands in its place"))
        }
    }
}

/// The content of one of the first two entries.
fn entry(file: &mut File, name: &str, most: u64) -> Result<Vec<u8>, String> {
    let mut head = [0; tar::BLOCK as usize];
    file.read_exact(&mut head).map_err(|_| format!("it has no \"{name}\""))?;
    let size = tar::size(&head).filter(|size| *size <= most);
    let size = size.filter(|size| head == tar::header(name, *size)).ok_or_else(|| format!("it has no \"{name}\""))?;
    let mut content = vec![0; usize::try_from(size).unwrap_or_default()];
    file.read_exact(&mut content).map_err(|_| format!("its \"{name}\" is cut off"))?;
    let padding = i64::try_from(tar::padding(size)).unwrap_or_default();
    file.seek(SeekFrom::Current(padding)).map_err(|error| error.to_string())?;
    Ok(content)
}
