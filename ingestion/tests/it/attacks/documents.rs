//! Documents: bytes that make parsers crash, loop, grow or read other files.

use std::time::{Duration, Instant};

use ingestion::parse::Format;
use ingestion::sandbox::{Input, Options, Sandbox};

use super::{Victim, soon};
use crate::testkit::zipped;

fn pdf(objects: &str) -> Vec<u8> {
    format!("%PDF-1.7\n{objects}\ntrailer << /Root 1 0 R /Size 9 >>\n%%EOF\n").into_bytes()
}

/// Documents by what is wrong with them.
fn cases(victim: &Victim) -> Vec<(&'static str, Format, Vec<u8>)> {
    let (file, address) = (victim.file(), victim.address());
    let page = "2 0 obj << /Type /Pages /Kids [3 0 R] /Count 1 >> endobj 3 0 obj << /Type /Page /Parent 2 0 R /Contents 4 0 R >> endobj";
    let tree = |kids: &str| {
        pdf(&format!(
            "1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj 2 0 obj << /Type /Pages /Kids [{kids}] /Count 2147483647 >> endobj"
        ))
    };
    let stream = |dictionary: &str, body: &str| {
        pdf(&format!(
            "1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj {page} 4 0 obj << {dictionary} >> stream\n{body}\nendstream endobj"
        ))
    };
    let document = |body: &str| {
        let text = format!(
            "<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"><w:body>{body}</w:body></w:document>"
        );
        zipped(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", text.as_bytes())])
    };
    let outside = format!(
        "<Relationships><Relationship Id=\"r1\" Target=\"{address}\" TargetMode=\"External\"/><Relationship Id=\"r2\" Target=\"file://{file}\" TargetMode=\"External\"/><Relationship Id=\"r3\" Target=\"../../../../..{file}\"/></Relationships>"
    );
    let zeros = vec![b' '; 80 << 20];
    vec![
        ("a PDF that is its own parent", Format::Pdf, tree("2 0 R 2 0 R")),
        ("a PDF with pages that are not there", Format::Pdf, tree("7 0 R 8 0 R")),
        ("a PDF of arrays", Format::Pdf, pdf(&format!("1 0 obj {}", "[".repeat(1_000_000)))),
        ("a PDF of dictionaries", Format::Pdf, pdf(&format!("1 0 obj {}", "<</A ".repeat(300_000)))),
        ("a PDF with an endless text", Format::Pdf, pdf(&format!("1 0 obj ({}", "(".repeat(1_000_000)))),
        ("a PDF whose length lies", Format::Pdf, stream("/Length 99999999999", "BT (x) Tj ET")),
        ("a PDF with a negative length", Format::Pdf, stream("/Length -1", "BT (x) Tj ET")),
        ("a PDF with a length that is itself", Format::Pdf, stream("/Length 4 0 R", "BT (x) Tj ET")),
        ("a PDF with a filter a hundred times", Format::Pdf, stream(&format!("/Length 5 /Filter [{}]", "/FlateDecode ".repeat(100)), "xxxxx")),
        ("a PDF with an unknown filter", Format::Pdf, stream("/Length 5 /Filter /Nothing", "xxxxx")),
        ("a PDF of another file", Format::Pdf, stream(&format!("/Length 0 /F ({file})"), "")),
        ("a PDF with an action", Format::Pdf, pdf(&format!("1 0 obj << /Type /Catalog /Pages 2 0 R /OpenAction << /S /URI /URI ({address}) >> >> endobj {page} 4 0 obj << /Length 0 >> stream\n\nendstream endobj"))),
        ("a PDF with a form that calls itself", Format::Pdf, stream("/Length 9 /Subtype /Form /Resources << /XObject << /X 4 0 R >> >>", "/X Do /X Do")),
        ("a PDF table that points at itself", Format::Pdf, b"%PDF-1.7\nxref\n0 1\n0000000000 65535 f \ntrailer << /Prev 9 /Root 1 0 R /Size 2147483647 >>\nstartxref\n9\n%%EOF".to_vec()),
        ("a head alone", Format::Pdf, b"%PDF-1.7".to_vec()),
        ("no PDF", Format::Pdf, b"MZ\x90\x00".to_vec()),
        ("a text document that inflates", Format::Docx, zipped(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", &zeros)])),
        ("a text document with files outside", Format::Docx, zipped(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", b"<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:body><w:p><w:r><w:t>Words.</w:t></w:r></w:p></w:body></w:document>"), ("word/_rels/document.xml.rels", outside.as_bytes())])),
        ("a text document of tables in tables", Format::Docx, document(&"<w:tbl><w:tr><w:tc>".repeat(20_000))),
        ("a text document of a million empty runs", Format::Docx, document(&format!("<w:p>{}</w:p>", "<w:r/>".repeat(1_000_000)))),
        ("a text document with a field that includes", Format::Docx, document(&format!("<w:p><w:r><w:instrText>INCLUDETEXT \"{file}\"</w:instrText></w:r><w:r><w:t>Words.</w:t></w:r></w:p>"))),
        ("a text document that climbs", Format::Docx, zipped(&[("../word/document.xml", b"<x/>")])),
        ("a presentation without slides", Format::Pptx, zipped(&[("[Content_Types].xml", b"<Types/>"), ("ppt/presentation.xml", b"<p:presentation xmlns:p=\"http://schemas.openxmlformats.org/presentationml/2006/main\"/>")])),
        ("a presentation with slides outside", Format::Pptx, zipped(&[("[Content_Types].xml", b"<Types/>"), ("ppt/presentation.xml", b"<p:presentation xmlns:p=\"http://schemas.openxmlformats.org/presentationml/2006/main\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"><p:sldIdLst><p:sldId r:id=\"r1\"/><p:sldId r:id=\"r2\"/><p:sldId r:id=\"r3\"/></p:sldIdLst></p:presentation>"), ("ppt/_rels/presentation.xml.rels", outside.as_bytes())])),
        ("a presentation that inflates", Format::Pptx, zipped(&[("[Content_Types].xml", b"<Types/>"), ("ppt/presentation.xml", &zeros)])),
        ("a page of open elements", Format::Html, "<b><i><a>".repeat(30_000).into_bytes()),
        ("a page of open tables", Format::Html, "<table><tr><td>".repeat(20_000).into_bytes()),
        ("a page with an endless attribute", Format::Html, format!("<p a=\"{}", "x".repeat(4 << 20)).into_bytes()),
        ("a page with two hundred thousand attributes", Format::Html, format!("<p {}>x", "a=1 ".repeat(200_000)).into_bytes()),
        ("a page of references", Format::Html, "&lt".repeat(1_000_000).into_bytes()),
        ("a page with a base elsewhere", Format::Html, format!("<base href=\"{address}\"><link rel=stylesheet href=a><iframe src=\"file://{file}\"></iframe><p>Words of a page.").into_bytes()),
    ]
}

#[tokio::test]
async fn hostile_documents_end_with_a_type_and_reach_nothing() {
    let victim = Victim::new();
    let options = Options {
        program: Some(env!("CARGO_BIN_EXE_lyceum-parse").into()),
        document_time: Duration::from_secs(6),
        ..Options::default()
    };
    let sandbox = Sandbox::new(options);
    let (mut tried, mut refused) = (0, 0);
    for (what, format, bytes) in cases(&victim) {
        let good =
            Input { format: Format::Html, path: "good.html".into(), bytes: b"<p>Words of a good page.".to_vec() };
        let began = Instant::now();
        let outcomes = sandbox.parse(vec![Input { format, path: "hostile".into(), bytes }, good]).await;
        soon(what, began, 30);
        victim.unharmed(what, &format!("{outcomes:?}"));
        tried += 1;
        if let Err(failure) = &outcomes[0] {
            refused += 1;
            let known = [
                "BAD_DOCUMENT",
                "BROKEN_ARCHIVE",
                "HOSTILE_ARCHIVE",
                "EMPTY",
                "NO_TEXT",
                "TOO_LARGE",
                "PARSER_KILLED",
                "UNSUPPORTED_FORMAT",
            ];
            assert!(known.contains(&failure.code.as_str()), "{what}: {} {failure}", failure.code);
        }
        assert!(outcomes[1].is_ok(), "{what}: the next document is read: {:?}", outcomes[1]);
    }
    println!("documents: {tried} tried, {refused} refused, the others read; 0 files read, 0 connections");
}

#[test]
fn hostile_text_formats_end_soon() {
    let cues = format!("WEBVTT\n\n{}", "00:00.000 --> 99:59:59.999\nx\n\n".repeat(50_000));
    let deep = format!("{{\"cells\":{}", "[".repeat(100_000));
    let cells = format!("{{\"cells\":[{}{{}}]}}", "{\"cell_type\":\"markdown\",\"source\":\"x\"},".repeat(20_001));
    let cases: Vec<(&str, Format, String)> = vec![
        ("quotes in quotes", Format::Markdown, ">".repeat(100_000)),
        ("lists in lists", Format::Markdown, (0..2_000).map(|n| format!("{}- x\n", " ".repeat(n))).collect()),
        ("brackets", Format::Markdown, "[".repeat(100_000)),
        ("links", Format::Markdown, "[a](".repeat(50_000)),
        ("emphasis", Format::Markdown, "*a_".repeat(100_000)),
        ("ticks", Format::Markdown, (1..1_500).map(|n| "`".repeat(n) + " ").collect()),
        ("an include of itself", Format::Markdown, "{{#include a}}\n".repeat(10_000)),
        ("front matter without end", Format::Markdown, format!("---\n{}", "a: &a [*a, *a]\n".repeat(1_000))),
        ("a table of columns", Format::Markdown, format!("|{}\n|{}\n", "a|".repeat(20_000), "-|".repeat(20_000))),
        ("cues of a hundred hours", Format::Captions, cues),
        ("a notebook of brackets", Format::Notebook, deep),
        ("a notebook of cells", Format::Notebook, cells),
        ("a table of quotes", Format::Csv, "\"".repeat(1_000_001)),
        ("a table of commas", Format::Csv, ",".repeat(1_000_000)),
    ];
    let count = cases.len();
    for (what, format, text) in cases {
        let began = Instant::now();
        if let Ok(document) = ingestion::parse::document(format, "a", text.as_bytes()) {
            let _ = ingestion::chunk::chunks(&document, &[]);
        }
        soon(what, began, 10);
    }
    println!("text formats: {count} tried");
}
