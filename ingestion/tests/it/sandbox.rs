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
        let failure = sandbox().package(file(&zipped(&files)), name).await.unwrap_err();
        assert_eq!(failure.code, code, "{name}: {failure}");
        assert!(failure.message.contains(words), "{name}: {failure}");
    }
    let failure = sandbox().package(file(b"no zip at all, just some words of text"), "x.zip").await.unwrap_err();
    assert_eq!(failure.code, "BROKEN_ARCHIVE");
}
