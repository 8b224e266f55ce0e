//! Everything among the outside test data that concerns ingestion: read with its report, or refused by type.

use std::path::{Path, PathBuf};

use domain::ingestion::{Failure, SourceKind};
use ingestion::parse::Format;
use ingestion::sandbox::Input;
use ingestion::source::{Bytes, Fetched, Place, of};

use crate::testkit::{outside, sandbox};

/// What became of a file.
struct Outcome {
    lessons: usize,
    words: usize,
    questions: usize,
    kept: usize,
    changed: usize,
    lost: usize,
    /// Type, stem and key of each question.
    asked: Vec<String>,
}

async fn read(kind: SourceKind, path: &Path) -> Result<Outcome, Failure> {
    let scratch = tempfile::tempdir().unwrap();
    let place = Place {
        origin: path.display().to_string(),
        name: None,
        captions: None,
        local: true,
        rights: false,
        crawl: Default::default(),
    };
    let fetched: Fetched = of(kind).unwrap().fetch(&place, &sandbox(), scratch.path()).await?;
    let mut inputs = Vec::new();
    for document in &fetched.documents {
        let format = match document.kind.as_str() {
            "html" | "scorm" => Format::Html,
            "pdf" => Format::Pdf,
            "markdown" => Format::Markdown,
            other => panic!("{other} in {}", path.display()),
        };
        let bytes = match &document.bytes {
            Bytes::Memory(bytes) => bytes.clone(),
            Bytes::File(file) => std::fs::read(file).unwrap(),
            Bytes::Stored(_) => unreachable!("nothing is loaded here"),
        };
        inputs.push(Input { format, path: document.path.clone(), bytes });
    }
    let mut words = 0;
    for parsed in sandbox().parse(inputs).await {
        words += parsed?.blocks.iter().map(|block| block.text.split_whitespace().count()).sum::<usize>();
    }
    let count =
        |name: &str| fetched.outline.import.as_ref().and_then(|report| report[name].as_array()).map_or(0, Vec::len);
    let lessons = fetched.outline.modules.iter().flat_map(|module| &module.lessons);
    Ok(Outcome {
        words,
        questions: fetched.outline.questions.len(),
        asked: fetched
            .outline
            .questions
            .iter()
            .map(|draft| {
                format!(
                    "{}: {} => {}",
                    draft.body.type_name(),
                    draft.stem.replace('\n', " / "),
                    draft.body.key().join("; ")
                )
            })
            .collect(),
        kept: count("kept"),
        changed: count("changed"),
        lost: count("lost"),
        lessons: lessons.count(),
    })
}

/// Every path to try: its kind, and where it stands in the data.
fn everything(root: &Path) -> Vec<(SourceKind, PathBuf)> {
    let listed = |folder: &str| -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let mut all = Vec::new();
    let mut add = |kind, paths: Vec<PathBuf>| all.extend(paths.into_iter().map(|path| (kind, path)));
    add(SourceKind::Cartridge, listed("cartridge"));
    add(SourceKind::Cmi5, listed("cmi5"));
    add(SourceKind::H5p, listed("h5p"));
    // The packages as folders, and each item by itself.
    add(SourceKind::Qti, listed("qti"));
    add(SourceKind::Qti, listed("qti/items_1.2"));
    add(SourceKind::Qti, listed("qti/items_2.1"));
    add(SourceKind::File, listed("pdf"));
    add(
        SourceKind::Scorm,
        listed("scorm").into_iter().filter(|path| path.extension().is_some_and(|end| end == "zip")).collect(),
    );
    all
}

/// The code and a word of the reason with which a file must be refused.
fn refusal(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "cmi5/201-1-iris-course-id.xml" => ("BAD_MANIFEST", "not a full IRI"),
        "cmi5/201-3-iris-au-id.xml" => ("BAD_MANIFEST", "the id of \"au\""),
        "cmi5/202-1-relative-url-no-zip.xml" => ("BAD_MANIFEST", "is relative"),
        "cmi5/205-1-duplicated-block.xml" => ("BAD_MANIFEST", "the id of \"block\""),
        "cmi5/205-3-duplicated-au.xml" => ("BAD_MANIFEST", "stands twice"),
        "cmi5/206-1-invalid-au-url.xml" => ("BAD_MANIFEST", "not a valid address"),
        "cmi5/207-1-invalid-courseStructure.xml" => ("BAD_MANIFEST", "stands too late"),
        "cmi5/209-1-not-a-zip.zip" => ("BROKEN_ARCHIVE", "not a zip archive"),
        "h5p/broken-h5p-json.h5p" => ("BAD_MANIFEST", "h5p.json"),
        "h5p/invalid-library-json.h5p" => ("BAD_MANIFEST", "\"majorVersion\" is missing"),
        "h5p/corrupt_archive.h5p" => ("BROKEN_ARCHIVE", "zip"),
        "h5p/h5p-with-virus.h5p" => ("HOSTILE_ARCHIVE", "EICAR"),
        "qti/no_assessment_xml" => ("EMPTY", "which answer is right"),
        "qti/unsupported_version" => ("UNSUPPORTED_FORMAT", "QTI 1.1 Export"),
        "pdf/libreoffice-writer-password.pdf" => ("PASSWORD_PROTECTED", "password"),
        // Single items that no question of ours can be.
        "items_1.2/formula.xml"
        | "items_1.2/formula_mform.xml"
        | "items_1.2/formula_mvar.xml"
        | "items_1.2/formula_scientific.xml" => ("EMPTY", "formula"),
        "items_1.2/hot_spot.xml" => ("EMPTY", "picture"),
        "items_1.2/upload.xml" | "items_1.2/upload_with_custom_settings.xml" => ("EMPTY", "wants a file"),
        "items_1.2/text.no.question.xml" | "items_1.2/stimulus.xml" | "items_1.2/stimulus_passage.xml" => {
            ("EMPTY", "not a question")
        }
        "items_1.2/choice_vary_points_by_answer_zero_points.xml" => ("EMPTY", "which answer is right"),
        "items_1.2/fib.xml" | "items_1.2/fib_str.xml" | "items_1.2/item_no_title.xml" => {
            ("BAD_DOCUMENT", "not well-formed")
        }
        "items_1.2/bank_entry_item.xml" => ("EMPTY", "from the bank"),
        _ => return None,
    })
}

#[tokio::test]
async fn everything_is_read_with_its_report_or_refused_by_its_type() {
    let Some(root) = outside("") else { return };
    println!(
        "{:<58} {:<20} {:>7} {:>7} {:>9} {:>5} {:>7} {:>5}",
        "file", "outcome", "lessons", "words", "questions", "kept", "changed", "lost"
    );
    let (mut accepted, mut refused, mut wrong) = (0, 0, Vec::new());
    for (kind, path) in everything(&root) {
        let parts: Vec<_> = path.components().rev().take(2).map(|part| part.as_os_str().to_string_lossy()).collect();
        let name = format!("{}/{}", parts[1], parts[0]);
        let began = std::time::Instant::now();
        match (read(kind, &path).await, refusal(&name)) {
            (Ok(got), None) => {
                println!(
                    "{name:<58} {:<20} {:>7} {:>7} {:>9} {:>5} {:>7} {:>5}",
                    "read", got.lessons, got.words, got.questions, got.kept, got.changed, got.lost
                );
                if !path.is_dir() {
                    got.asked.iter().for_each(|asked| println!("    {asked:.200}"));
                }
                accepted += 1;
                // Its only page is empty, and the report says so.
                let silent = name == "cartridge/single-page.imscc" && got.changed == 1;
                if got.lessons == 0 || (got.words == 0 && !silent) || (kind == SourceKind::Qti && got.questions == 0) {
                    wrong.push(format!("{name}: nothing of it"));
                }
                let expected = match name.as_str() {
                    "cmi5/101-one-thousand-aus.xml" => Some((1001, 0)),
                    "cmi5/single_au_basic_responsive.zip" => Some((1, 0)),
                    "cartridge/latex.imscc" => Some((2, 0)),
                    "cartridge/canvas_cc_gem_course.imscc" => Some((3, 0)),
                    "cartridge/single-page.imscc" => Some((1, 0)),
                    // The essay of its five has a story that is longer than a question may be.
                    "qti/test_qti_2.1" => Some((1, 4)),
                    _ => None,
                };
                if expected.is_some_and(|expected| expected != (got.lessons, got.questions)) {
                    wrong.push(format!("{name}: {expected:?}, got {} and {}", got.lessons, got.questions));
                }
            }
            (Err(failure), expected) => {
                println!("{name:<58} {:<20} {}", failure.code, failure.message);
                refused += 1;
                match expected {
                    Some((code, word)) if failure.code == code && failure.message.contains(word) => {}
                    _ => wrong.push(format!("{name}: {} {failure}, expected {expected:?}", failure.code)),
                }
            }
            (Ok(_), Some(expected)) => wrong.push(format!("{name}: was read, expected {expected:?}")),
        }
        if began.elapsed().as_secs() > 20 {
            wrong.push(format!("{name} took {:?}", began.elapsed()));
        }
    }
    println!("{accepted} read, {refused} refused");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(accepted >= 50 && refused >= 20, "{accepted} {refused}");
}
