use domain::document::BlockKind;
use ingestion::parse::Format;
use ingestion::sandbox::{Input, Level, Options, Sandbox};

use crate::testkit::{file, sandbox, zipped};

fn html(path: &str, text: &str) -> Input {
    Input { format: Format::Html, path: path.into(), bytes: text.as_bytes().to_vec() }
}

#[tokio::test]
async fn the_level_is_said() {
    match sandbox().level().await.unwrap() {
        Level::Full => println!("sandbox: full"),
        Level::Reduced(reasons) => {
            println!("sandbox: reduced: {}", reasons.join("; "));
            assert!(!reasons.is_empty());
        }
    }
}

#[tokio::test]
async fn one_child_parses_many_documents() {
    let inputs = (0..50).map(|n| html(&format!("{n}.html"), &format!("<h1>Page {n}</h1><p>Words"))).collect();
    let outcomes = sandbox().parse(inputs).await;
    assert_eq!(outcomes.len(), 50);
    for (n, outcome) in outcomes.into_iter().enumerate() {
        let document = outcome.unwrap();
        assert_eq!((document.title, document.blocks[0].kind), (format!("Page {n}"), BlockKind::Heading(1)));
    }
}

#[tokio::test]
async fn a_document_that_kills_the_parser_fails_alone() {
    let huge = Input { format: Format::Html, path: "bomb.html".into(), bytes: vec![b'<'; 1] };
    let options =
        Options { program: Some(env!("CARGO_BIN_EXE_lyceum-parse").into()), answer: 300, ..Options::default() };
    let outcomes = Sandbox::new(options)
        .parse(vec![
            html("a.html", "<p>One"),
            html("b.html", &"<p>Many words here".repeat(500)),
            huge,
            html("c.html", "<p>Two"),
        ])
        .await;
    let codes: Vec<Option<String>> =
        outcomes.into_iter().map(|outcome| outcome.err().map(|failure| failure.code)).collect();
    assert_eq!(codes, [None, Some("PARSER_KILLED".into()), None, None]);
}

#[tokio::test]
async fn a_missing_program_is_a_typed_failure() {
    let outcomes = Sandbox::with_program("/nowhere/lyceum").parse(vec![html("a.html", "x")]).await;
    let failure = outcomes.into_iter().next().unwrap().unwrap_err();
    assert_eq!(failure.code, "PARSER_KILLED");
}

#[tokio::test]
async fn packages_are_read_from_an_open_file_and_others_refused_by_name() {
    for (name, files, code, words) in [
        ("cmi5", vec![("cmi5.xml", "<x/>")], "UNSUPPORTED_FORMAT", "cmi5"),
        ("h5p", vec![("h5p.json", "{}")], "UNSUPPORTED_FORMAT", "H5P"),
        ("docx", vec![("[Content_Types].xml", "<x/>")], "UNSUPPORTED_FORMAT", "Office"),
        ("epub", vec![("META-INF/container.xml", "<x/>")], "UNSUPPORTED_FORMAT", "EPUB"),
        ("none", vec![("index.html", "<p>x")], "BAD_MANIFEST", "no imsmanifest.xml"),
        ("doctype", vec![("imsmanifest.xml", "<!DOCTYPE m><manifest/>")], "BAD_MANIFEST", "DOCTYPE"),
    ] {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        let failure = sandbox().package(file(&zipped(&files)), name, None).await.unwrap_err();
        assert_eq!(failure.code, code, "{name}: {failure}");
        assert!(failure.message.contains(words), "{name}: {failure}");
    }
    let failure = sandbox().package(file(b"no zip at all, just some words of text"), "x.zip", None).await.unwrap_err();
    assert_eq!(failure.code, "BROKEN_ARCHIVE");
}

#[tokio::test]
async fn bombs_end_with_a_type_and_the_next_document_is_parsed() {
    let deep = [
        b"%PDF-1.7\n1 0 obj\n".to_vec(),
        b"[".repeat(2_000_000),
        b"\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF".to_vec(),
    ]
    .concat();
    let pdf = Input { format: Format::Pdf, path: "deep.pdf".into(), bytes: deep };
    let options = Options {
        program: Some(env!("CARGO_BIN_EXE_lyceum-parse").into()),
        document_time: std::time::Duration::from_secs(4),
        ..Options::default()
    };
    let slow = html("slow.html", &"<div>".repeat(200_000));
    let began = std::time::Instant::now();
    let outcomes = Sandbox::new(options).parse(vec![pdf, slow, html("c.html", "<p>Two")]).await;
    let codes: Vec<Option<String>> =
        outcomes.iter().map(|outcome| outcome.as_ref().err().map(|failure| failure.code.clone())).collect();
    assert!(matches!(codes[0].as_deref(), Some("BAD_DOCUMENT" | "PARSER_KILLED")), "{codes:?}");
    assert_eq!(codes[1].as_deref(), Some("PARSER_KILLED"));
    assert_eq!(codes[2], None);
    assert!(outcomes[1].as_ref().unwrap_err().message.contains("took longer"));
    assert!(began.elapsed().as_secs() < 20);
}

#[tokio::test]
async fn a_zip_bomb_in_a_package_is_refused_in_little_time_and_memory() {
    let manifest = "<manifest><organizations><organization><item identifierref=\"r\"/></organization></organizations><resources><resource identifier=\"r\" href=\"a.html\"/></resources></manifest>";
    let zeros = vec![0; 64 << 20];
    let began = std::time::Instant::now();
    let failure = sandbox()
        .package(file(&zipped(&[("imsmanifest.xml", manifest.as_bytes()), ("a.html", &zeros)])), "bomb.zip", None)
        .await
        .unwrap_err();
    assert_eq!(failure.code, "HOSTILE_ARCHIVE", "{failure}");
    assert!(began.elapsed().as_secs() < 10);
}
