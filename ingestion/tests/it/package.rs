//! Packages of other programs: what comes over, what is named as lost, and what is refused.

use domain::ingestion::{Failure, SourceKind};
use ingestion::source::{Fetched, Place, of};

use crate::school::Bench;
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
