//! What the suites share: a way to see blocks at a glance, zips, and the outside test data.

use std::io::Write as _;
use std::path::PathBuf;

use domain::document::{BlockKind, Document};
use ingestion::sandbox::Sandbox;

/// A sandbox that runs the parser binary of this crate.
pub(crate) fn sandbox() -> Sandbox {
    Sandbox::with_program(env!("CARGO_BIN_EXE_lyceum-parse"))
}

/// `kind: text @place` of each block.
pub(crate) fn shown(document: &Document) -> Vec<String> {
    document
        .blocks
        .iter()
        .map(|block| {
            let kind = match block.kind {
                BlockKind::Heading(level) => format!("h{level}"),
                BlockKind::Paragraph => "p".into(),
                BlockKind::List => "list".into(),
                BlockKind::Code => "code".into(),
                BlockKind::Table => "table".into(),
                BlockKind::Quote => "quote".into(),
                BlockKind::Cue => "cue".into(),
            };
            format!("{kind}: {} @{}-{}", block.text, block.locator.start, block.locator.end)
        })
        .collect()
}

/// A zip of these files.
pub(crate) fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// An open file with these bytes.
pub(crate) fn file(bytes: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    file
}

/// The folder of outside test data (`LYCEUM_TEST_DATA`, else `shared/data` beside the repository);
/// says so when it is not there.
pub(crate) fn outside(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("LYCEUM_TEST_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: no outside test data at {} (set LYCEUM_TEST_DATA)", path.display());
    None
}
