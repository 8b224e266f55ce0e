use domain::document::BlockKind;
use ingestion::parse::{Format, document};

use crate::testkit::outside;

/// A PDF of pages of Helvetica lines, written by hand so that the test owns every byte.
pub(crate) fn written(pages: &[&[(&str, i32, i32, i32)]]) -> Vec<u8> {
    let mut objects: Vec<String> = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".into(),
        String::new(),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".into(),
    ];
    let mut kids = String::new();
    for page in pages {
        let stream: String =
            page.iter().map(|(text, x, y, size)| format!("BT /F1 {size} Tf {x} {y} Td ({text}) Tj ET\n")).collect();
        let number = objects.len() + 1;
        kids.push_str(&format!("{number} 0 R "));
        objects.push(format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {} 0 R /Resources << /Font << /F1 3 0 R >> >> >>", number + 1));
        objects.push(format!("<< /Length {} >>\nstream\n{stream}endstream", stream.len()));
    }
    objects[1] = format!("<< /Type /Pages /Kids [{kids}] /Count {} >>", pages.len());
    let mut pdf = String::from("%PDF-1.4\n");
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(pdf.len());
        pdf.push_str(&format!("{} 0 obj\n{object}\nendobj\n", index + 1));
    }
    let start = pdf.len();
    pdf.push_str(&format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1));
    offsets.iter().for_each(|offset| pdf.push_str(&format!("{offset:010} 00000 n \n")));
    pdf.push_str(&format!("trailer << /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF", objects.len() + 1));
    pdf.into_bytes()
}

#[test]
fn pages_headings_and_hyphens_are_read() {
    let bytes = written(&[
        &[
            ("Great Title", 72, 720, 20),
            ("This is the first para-", 72, 690, 10),
            ("graph of the page.", 72, 678, 10),
            ("Section", 72, 640, 14),
            ("Words below the section.", 72, 620, 10),
        ],
        &[("Second page text stands here.", 72, 700, 10)],
    ]);
    let document = document(Format::Pdf, "a.pdf", &bytes).unwrap();
    let got: Vec<(BlockKind, &str, i64)> =
        document.blocks.iter().map(|block| (block.kind, block.text.as_str(), block.locator.start)).collect();
    assert_eq!(
        got,
        [
            (BlockKind::Heading(1), "Great Title", 1),
            (BlockKind::Paragraph, "This is the first paragraph of the page.", 1),
            (BlockKind::Heading(2), "Section", 1),
            (BlockKind::Paragraph, "Words below the section.", 1),
            (BlockKind::Paragraph, "Second page text stands here.", 2),
        ]
    );
    assert_eq!(document.title, "Great Title");
}

#[test]
fn columns_are_read_one_after_the_other() {
    let mut lines = vec![("A Title Across Both Columns Of The Page", 100, 740, 18)];
    let texts: Vec<(String, String)> = (0..12)
        .map(|n| {
            (format!("left line {n} has quite some words in it"), format!("right line {n} has quite some words too"))
        })
        .collect();
    for (n, (left, right)) in texts.iter().enumerate() {
        let y = 700 - 12 * i32::try_from(n).unwrap();
        lines.push((left, 72, y, 10));
        lines.push((right, 320, y, 10));
    }
    let document = document(Format::Pdf, "a.pdf", &written(&[&lines])).unwrap();
    let text = document.blocks.iter().map(|block| block.text.as_str()).collect::<Vec<_>>().join(" ");
    let at = |needle: &str| text.find(needle).unwrap_or_else(|| panic!("{needle} not in {text}"));
    assert!(
        at("A Title") < at("left line 0")
            && at("left line 11") < at("right line 0")
            && at("right line 0") < at("right line 11"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_read_is_typed() {
    let empty = written(&[&[]]);
    for (name, bytes, code) in [
        ("no pdf", b"hello world".to_vec(), "BAD_DOCUMENT"),
        ("header only", b"%PDF-1.7\n".to_vec(), "BAD_DOCUMENT"),
        ("cut off", written(&[&[("Text", 72, 700, 10)]])[..150].to_vec(), "BAD_DOCUMENT"),
        ("no text", empty, "NO_TEXT"),
    ] {
        let failure = document(Format::Pdf, "a.pdf", &bytes).unwrap_err();
        assert_eq!(failure.code, code, "{name}: {failure}");
    }
}

#[tokio::test]
async fn the_outside_pdfs_are_read_or_refused_by_reason() {
    let Some(folder) = outside("pdf") else { return };
    let expected = [
        ("002-trivial-libre-office-writer.pdf", Ok((1, "Lorem ipsum dolor sit amet"))),
        // Right-to-left text is read; the order of a Latin word inside it is not promised.
        ("habibi.pdf", Ok((1, ""))),
        ("libreoffice-writer-password.pdf", Err("PASSWORD_PROTECTED")),
        ("multicolumn.pdf", Ok((3, "This is a sample document with two columns filled with Lorem Ipsum text."))),
        ("pdflatex-4-pages.pdf", Ok((4, "This text should show what a printed text will look like"))),
        ("pdflatex-outline.pdf", Ok((4, "This text should show what a printed text will look like"))),
    ];
    for (name, outcome) in expected {
        let input = ingestion::sandbox::Input {
            format: Format::Pdf,
            path: name.into(),
            bytes: std::fs::read(folder.join(name)).unwrap(),
        };
        let got = crate::testkit::sandbox().parse(vec![input]).await.remove(0);
        match (&got, outcome) {
            (Ok(document), Ok((pages, words))) => {
                let text = document.blocks.iter().map(|block| block.text.as_str()).collect::<Vec<_>>().join(" ");
                let last = document.blocks.iter().map(|block| block.locator.end).max();
                println!(
                    "{name}: {} blocks, {} words, last page {last:?}, title {:?}",
                    document.blocks.len(),
                    text.split_whitespace().count(),
                    document.title
                );
                assert_eq!(last, Some(pages), "{name}");
                assert!(text.contains(words), "{name}: {text}");
            }
            (Err(failure), Err(code)) => {
                println!("{name}: {} {failure}", failure.code);
                assert_eq!(failure.code, code, "{name}");
            }
            _ => panic!("{name}: {got:?}"),
        }
    }
}
