//! The key that signs addresses of streams: a file of the data directory that only its owner may read.

use std::path::Path;

use school::playback::StreamKey;

use crate::exit::{FAILED, Failure, Result};

/// Name of the file. Nodes that share a database share its content.
const FILE: &str = "stream.key";

/// The key of a data directory, made when there is none.
pub(crate) fn open(data_dir: &Path) -> Result<StreamKey> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = data_dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => StreamKey::from_hex(&text).ok_or_else(|| {
            let message =
                format!("\"{}\" is no key of 64 hexadecimal digits; remove it and a new one is made", path.display());
            Failure::new(FAILED, message)
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = StreamKey::default();
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(key.to_hex().as_bytes())?;
            file.sync_all()?;
            Ok(key)
        }
        Err(error) => Err(error.into()),
    }
}
