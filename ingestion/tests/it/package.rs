//! Packages of other programs: what comes over, what is named as lost, and what is refused.

use domain::ingestion::{Failure, Outcome, SourceKind};
use ingestion::source::{Fetched, Place, of};

use crate::school::{Bench, findings};
use crate::source::example;
use crate::testkit::{sandbox, zipped};

async fn fetch(kind: SourceKind, path: &std::path::Path) -> Result<Fetched, Failure> {
    let place = Place {
        origin: path.display().to_string(),
        name: None,
        captions: None,
        local: true,
        rights: false,
        crawl: Default::default(),
    };
    let scratch = tempfile::tempdir().unwrap();
    of(kind).unwrap().fetch(&place, &sandbox(), scratch.path()).await
}

/// Module titles with the titles of their lessons, hidden ones in brackets.
fn tree(fetched: &Fetched) -> Vec<String> {
    let lesson = |lesson: &ingestion::source::Lesson| {
        let title = lesson.title.clone().unwrap_or_else(|| lesson.path.clone());
        if lesson.hidden { format!("({title})") } else { title }
    };
    fetched
        .outline
        .modules
        .iter()
        .map(|module| {
            let lessons: Vec<String> = module.lessons.iter().map(lesson).collect();
            format!("{}: {}", module.title.as_deref().unwrap_or_default(), lessons.join(", "))
        })
        .collect()
}

fn counts(fetched: &Fetched) -> (usize, usize, usize) {
    let report = fetched.outline.import.as_ref().unwrap();
    let count = |name: &str| report[name].as_array().unwrap().len();
    (count("kept"), count("changed"), count("lost"))
}

#[tokio::test]
async fn a_cartridge_brings_pages_links_topics_and_questions() {
    let folder = tempfile::tempdir().unwrap();
    let path = example(SourceKind::Cartridge, folder.path());
    let fetched = fetch(SourceKind::Cartridge, &path).await.unwrap();
    assert_eq!(fetched.outline.title, "Harbour");
    assert_eq!(
        tree(&fetched),
        [
            "Week 1: Boats, Harbour office, Your boat",
            "Other pages: (draft.html)",
            "Imported questions: (Imported questions)"
        ]
    );
    assert_eq!(counts(&fetched), (2, 3, 3));
    assert_eq!(fetched.outline.questions.iter().map(|draft| draft.body.key()).collect::<Vec<_>>(), [["Bowline"]]);
    assert_eq!(fetched.outline.failures.len(), 1);
    let record = fetched.documents.iter().find(|document| document.path == "imported-questions.html").unwrap();
    let ingestion::source::Bytes::Memory(bytes) = &record.bytes else { panic!("in memory") };
    let text = String::from_utf8_lossy(bytes);
    assert!(text.contains("1 questions came into") && text.contains("it wants a file"), "{text}");
    // The words of questions stay closed to whoever searches lessons.
    assert!(!text.contains("Bowline") && !text.contains("Which knot") && !text.contains("Secret words"), "{text}");
}

#[tokio::test]
async fn a_package_is_known_by_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, name) in [
        (SourceKind::Cartridge, "a.zip"),
        (SourceKind::H5p, "b.zip"),
        (SourceKind::Cmi5, "c.zip"),
        (SourceKind::Scorm, "d.zip"),
    ] {
        let inner = folder.path().join(kind.as_str());
        std::fs::create_dir_all(&inner).unwrap();
        let path = folder.path().join(name);
        std::fs::copy(example(kind, &inner), &path).unwrap();
        let fetched = fetch(SourceKind::File, &path).await.unwrap();
        assert!(!fetched.documents.is_empty(), "{kind:?}");
        let wrong = if kind == SourceKind::H5p { SourceKind::Cmi5 } else { SourceKind::H5p };
        let refused = fetch(wrong, &path).await.unwrap_err();
        assert_eq!(refused.code, "UNSUPPORTED_FORMAT", "{kind:?}: {refused}");
        assert!(refused.message.contains(&format!("ingest {}", kind.as_str())), "{refused}");
    }
    let aicc = zipped(&[("a.crs", b"x"), ("a.au", b"x"), ("a.des", b"x"), ("a.cst", b"x")]);
    let path = folder.path().join("aicc.zip");
    std::fs::write(&path, aicc).unwrap();
    for kind in [SourceKind::File, SourceKind::Scorm, SourceKind::Cmi5, SourceKind::Cartridge] {
        let refused = fetch(kind, &path).await.unwrap_err();
        assert_eq!(refused.code, "UNSUPPORTED_FORMAT");
        assert!(refused.message.contains("AICC"), "{kind:?}: {refused}");
    }
}

#[tokio::test]
async fn h5p_keeps_content_and_drops_labels() {
    let folder = tempfile::tempdir().unwrap();
    let fetched = fetch(SourceKind::H5p, &example(SourceKind::H5p, folder.path())).await.unwrap();
    let ingestion::source::Bytes::Memory(bytes) = &fetched.documents[0].bytes else { panic!("in memory") };
    let text = String::from_utf8_lossy(bytes);
    assert!(text.contains("A boat floats.") && text.contains("H5P.T 1.0"), "{text}");
    assert!(!text.contains("Check it") && !text.contains("image/png"), "{text}");
    let paths: Vec<&str> = fetched.files.iter().map(|file| file.path.as_str()).collect();
    assert!(paths.contains(&"H5P.T-1.0/library.json") && paths.contains(&"content/a.png"), "{paths:?}");
    assert_eq!(fetched.documents[0].kind, domain::document::DocumentKind::Scorm);
    assert_eq!(fetched.documents[0].extra["runtime"], "h5p");
    assert_eq!(counts(&fetched), (2, 0, 0));
}

#[tokio::test]
async fn an_h5p_without_its_library_is_read_and_the_library_named() {
    let folder = tempfile::tempdir().unwrap();
    let about = r#"{"title":"Boats","language":"en","mainLibrary":"H5P.T","embedTypes":["div"],"preloadedDependencies":[{"machineName":"H5P.T","majorVersion":1,"minorVersion":0}]}"#;
    let files: [(&str, &[u8]); 2] =
        [("h5p.json", about.as_bytes()), ("content/content.json", br#"{"text":"<p>A boat floats.</p>"}"#)];
    let path = folder.path().join("h.h5p");
    std::fs::write(&path, zipped(&files)).unwrap();
    let fetched = fetch(SourceKind::H5p, &path).await.unwrap();
    assert!(fetched.files.is_empty(), "nothing to be played");
    assert_eq!(fetched.documents[0].kind, domain::document::DocumentKind::Html);
    let report = fetched.outline.import.unwrap();
    assert_eq!(report["lost"][0]["item"], "H5P.T 1.0");
}

#[tokio::test]
async fn a_course_structure_becomes_modules_by_its_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let fetched = fetch(SourceKind::Cmi5, &example(SourceKind::Cmi5, folder.path())).await.unwrap();
    assert_eq!(tree(&fetched), ["Harbour: Boats", "Knots: Bowline"]);
    assert_eq!(counts(&fetched), (1, 1, 0));
}

#[tokio::test]
async fn a_book_is_read_in_the_order_of_its_spine() {
    let chapter = |title: &str| {
        format!(
            "<html xmlns=\"http://www.w3.org/1999/xhtml\"><head><title/></head><body><h1>{title}</h1><p>Words of {title}.</p></body></html>"
        )
    };
    let opf = "<package version=\"3.0\"><metadata><dc:title>Harbour book</dc:title></metadata><manifest><item id=\"n\" href=\"nav.xhtml\" properties=\"nav\"/><item id=\"p\" href=\"text/pre.xhtml\"/><item id=\"b\" href=\"text/b%20oats.xhtml\"/><item id=\"k\" href=\"text/knots.xhtml\"/><item id=\"c\" href=\"cover.xhtml\"/></manifest><spine><itemref idref=\"c\"/><itemref idref=\"p\"/><itemref idref=\"b\"/><itemref idref=\"k\"/></spine></package>";
    let nav = "<html><body><nav epub:type=\"toc\"><ol><li><a href=\"text/pre.xhtml\">Preface</a></li><li><span>Part one</span><ol><li><a href=\"text/b%20oats.xhtml#a\">Of boats</a></li><li><a href=\"text/knots.xhtml\">Of knots</a></li></ol></li></ol></nav></body></html>";
    let container = "<container><rootfiles><rootfile full-path=\"OEBPS/book.opf\"/></rootfiles></container>";
    let (pre, boats, knots) = (chapter("Preface"), chapter("Boats"), chapter("Knots"));
    let files = [
        ("META-INF/container.xml", container),
        ("OEBPS/book.opf", opf),
        ("OEBPS/nav.xhtml", nav),
        ("OEBPS/cover.xhtml", "<html><body><img src=\"a.png\"/></body></html>"),
        ("OEBPS/text/pre.xhtml", &pre),
        ("OEBPS/text/b oats.xhtml", &boats),
        ("OEBPS/text/knots.xhtml", &knots),
    ];
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book.epub");
    std::fs::write(&path, zipped(&files)).unwrap();
    let fetched = fetch(SourceKind::File, &path).await.unwrap();
    assert_eq!(tree(&fetched), ["Harbour book: Preface", "Part one: Of boats, Of knots"]);
    assert_eq!(fetched.documents[1].path, "OEBPS/text/b oats.xhtml");
    let lock = "<encryption><EncryptedData><CipherData><CipherReference URI=\"OEBPS/text/knots.xhtml\"/></CipherData></EncryptedData></encryption>";
    let locked: Vec<(&str, &[u8])> =
        files.iter().copied().chain([("META-INF/encryption.xml", lock.as_bytes())]).collect();
    std::fs::write(&path, zipped(&locked)).unwrap();
    assert_eq!(fetch(SourceKind::File, &path).await.unwrap_err().code, "PASSWORD_PROTECTED");
}

store::both_databases!(questions_of_a_package_come_into_the_bank_once, |store| async move {
    let bench = Bench::new(&store, None).await;
    let path = example(SourceKind::Cartridge, bench.folder.path());
    bench.ingest(SourceKind::Cartridge, &path).await;
    let bank = || store::testing::query(&store, "SELECT id, state, type FROM questions");
    let first = bank().await.unwrap();
    assert_eq!(first.len(), 1);
    assert_eq!((first[0]["state"].as_str(), first[0]["type"].as_str()), (Some("draft"), Some("multiple_choice")));
    // Another state of the same package has the same question, and one more page.
    let mut files = vec![("more.html", "<h1>More</h1><p>Of boats.</p>".to_owned())];
    files.extend(crate::source::CARTRIDGE.iter().map(|(name, text)| {
        let more = "<resource identifier=\"n\" type=\"webcontent\" href=\"more.html\"><file href=\"more.html\"/></resource></resources>";
        (*name, text.replace("</resources>", more))
    }));
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    std::fs::write(&path, zipped(&files)).unwrap();
    let again = bench.ingest(SourceKind::Cartridge, &path).await;
    assert_eq!(again.lessons, 6);
    assert_eq!(bank().await.unwrap(), first);
    let events = store::testing::query(&store, "SELECT event_type FROM events WHERE event_type = 'question.created'")
        .await
        .unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(crate::school::findings(&store).await, Vec::<String>::new());
    bench.stop.cancel();
});

const TWO_ITEMS: &str = "<manifest><metadata><schemaversion>1.2</schemaversion></metadata><organizations><organization>\
<title>Knots</title><item identifier=\"one\" identifierref=\"r\" parameters=\"?part=1\"><title>Part &lt;1&gt;</title></item>\
<item identifier=\"two\" identifierref=\"r\" parameters=\"part=2\"><title>Part 2</title></item></organization></organizations>\
<resources><resource identifier=\"r\" adlcp:scormtype=\"sco\" href=\"Shared/Play.html?skin=a\"/></resources></manifest>";

store::both_databases!(every_file_of_a_package_is_kept_and_items_without_text_are_played, |store| async move {
    let bench = Bench::new(&store, None).await;
    let files: [(&str, &[u8]); 4] = [
        ("imsmanifest.xml", TWO_ITEMS.as_bytes()),
        ("Shared/Play.html", b"<script src='play.js'></script>"),
        ("Shared/play.js", b"API.LMSInitialize('')"),
        ("Shared/knot.png", b"\x89PNG not really"),
    ];
    let path = bench.file("knots.zip", zipped(&files));
    let report = bench.ingest(SourceKind::Scorm, &path).await;
    assert_eq!((report.outcome, report.error.clone(), report.lessons), (Outcome::Succeeded, None, 2), "{report:?}");
    let rows = |sql: &'static str| {
        let store = store.clone();
        async move { store::testing::query(&store, sql).await.unwrap() }
    };
    let kept = rows(
        "SELECT f.path, f.folded, b.size FROM package_files f \
         JOIN blobs b ON b.sha256 = f.blob_sha256 ORDER BY f.path",
    )
    .await;
    let kept: Vec<(&str, &str, i64)> = kept
        .iter()
        .map(|row| (row["path"].as_str().unwrap(), row["folded"].as_str().unwrap(), row["size"].as_i64().unwrap()))
        .collect();
    let size = |n: usize| i64::try_from(files[n].1.len()).unwrap();
    assert_eq!(
        kept,
        [
            ("Shared/Play.html", "shared/play.html", size(1)),
            ("Shared/knot.png", "shared/knot.png", size(3)),
            ("Shared/play.js", "shared/play.js", size(2)),
            ("imsmanifest.xml", "imsmanifest.xml", size(0)),
        ]
    );
    let extra = rows("SELECT extra FROM documents ORDER BY position").await;
    let launched: Vec<(String, String)> = extra
        .iter()
        .map(|row| {
            let extra = match &row["extra"] {
                serde_json::Value::String(text) => serde_json::from_str(text).unwrap(),
                other => other.clone(),
            };
            (extra["launch"].as_str().unwrap().to_owned(), extra["parameters"].as_str().unwrap().to_owned())
        })
        .collect();
    let launch = |part: u8| ("Shared/Play.html".to_owned(), format!("?skin=a&part={part}"));
    assert_eq!(launched, [launch(1), launch(2)]);
    let titles = rows("SELECT title FROM lessons ORDER BY position").await;
    assert_eq!(titles.iter().map(|row| row["title"].as_str().unwrap()).collect::<Vec<_>>(), ["Part <1>", "Part 2"]);
    // The same again is nothing new, and the files of a version that is replaced go with it.
    let again = bench.ingest(SourceKind::Scorm, &path).await;
    assert_eq!(again.outcome, Outcome::Succeeded);
    assert_eq!(rows("SELECT path FROM package_files").await.len(), 4);
    let changed = zipped(&[files[0], files[1], files[2]]);
    bench.file("knots.zip", changed);
    assert_eq!(bench.ingest(SourceKind::Scorm, &path).await.outcome, Outcome::Succeeded);
    assert_eq!(rows("SELECT path FROM package_files").await.len(), 3);
    assert_eq!(findings(&store).await, Vec::<String>::new());
    bench.stop.cancel();
});
