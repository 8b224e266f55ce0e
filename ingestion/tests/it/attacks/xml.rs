//! XML: entities that grow, entities that read, and elements without end, in each file that may carry XML.

use std::time::Instant;

use domain::ingestion::SourceKind;
use ingestion::parse::Format;
use ingestion::sandbox::Input;

use super::{Victim, fetch, soon, told};
use crate::testkit::{sandbox, zipped};

/// Hostile texts, and whether each has to be refused whatever file it stands in.
fn texts(victim: &Victim) -> Vec<(&'static str, String, bool)> {
    let (file, address) = (victim.file(), victim.address());
    let laughs: String =
        (1..10).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
    let attributes: String = (0..200_000).map(|n| format!(" a{n}=\"x\"")).collect();
    let spaces: String = (0..100_000).map(|n| format!(" xmlns:n{n}=\"urn:{n}\"")).collect();
    vec![
        ("billion laughs", format!("<!DOCTYPE r [<!ENTITY l0 \"ha\">{laughs}]><r>&l9;</r>"), true),
        (
            "quadratic growth",
            format!("<!DOCTYPE r [<!ENTITY a \"{}\">]><r>{}</r>", "x".repeat(100_000), "&a;".repeat(10_000)),
            true,
        ),
        ("recursive entity", "<!DOCTYPE r [<!ENTITY a \"&b;\"><!ENTITY b \"&a;\">]><r>&a;</r>".into(), true),
        ("file entity", format!("<!DOCTYPE r [<!ENTITY x SYSTEM \"file://{file}\">]><r>&x;</r>"), true),
        ("file entity without scheme", format!("<!DOCTYPE r [<!ENTITY x SYSTEM \"{file}\">]><r>&x;</r>"), true),
        ("public entity", format!("<!DOCTYPE r [<!ENTITY x PUBLIC \"-//x\" \"{address}\">]><r>&x;</r>"), true),
        ("network entity", format!("<!DOCTYPE r [<!ENTITY x SYSTEM \"{address}\">]><r>&x;</r>"), true),
        ("outside definition", format!("<!DOCTYPE r SYSTEM \"{address}\"><r/>"), true),
        ("public definition", format!("<!DOCTYPE r PUBLIC \"-//x\" \"{address}\"><r/>"), true),
        ("parameter entity", format!("<!DOCTYPE r [<!ENTITY % p SYSTEM \"{address}\"> %p;]><r/>"), true),
        (
            "parameter that defines",
            format!(
                "<!DOCTYPE r [<!ENTITY % f SYSTEM \"file://{file}\"><!ENTITY % e \"<!ENTITY s SYSTEM '{address}?%f;'>\"> %e;]><r>&s;</r>"
            ),
            true,
        ),
        ("definition in lower case", format!("<!doctype r [<!ENTITY x SYSTEM \"file://{file}\">]><r>&x;</r>"), true),
        (
            "definition behind a comment",
            format!("<!-- x --><!DOCTYPE r [<!ENTITY x SYSTEM \"file://{file}\">]><r>&x;</r>"),
            true,
        ),
        ("unknown entity", "<r>&unknown;</r>".into(), false),
        (
            "XInclude",
            format!(
                "<r xmlns:xi=\"http://www.w3.org/2001/XInclude\"><xi:include parse=\"text\" href=\"file://{file}\"/></r>"
            ),
            false,
        ),
        ("stylesheet", format!("<?xml-stylesheet href=\"{address}\"?><r/>"), false),
        (
            "schema location",
            format!(
                "<r xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"urn:x {address}\"/>"
            ),
            false,
        ),
        ("deep nesting", format!("{}{}", "<a>".repeat(200_000), "</a>".repeat(200_000)), true),
        ("deep without end", "<a>".repeat(500_000), true),
        ("two hundred thousand elements", format!("<r>{}</r>", "<a/>".repeat(200_000)), false),
        ("two hundred thousand attributes", format!("<r{attributes}/>"), false),
        ("a hundred thousand name spaces", format!("<r{spaces}/>"), false),
        ("one attribute twice", "<r a=\"1\" a=\"2\"/>".into(), false),
        ("a name of a megabyte", format!("<{}/>", "n".repeat(1 << 20)), false),
        ("an open comment", format!("<r><!-- {}", "-".repeat(1 << 20)), true),
        ("an open section", format!("<r><![CDATA[{}", "]".repeat(1 << 20)), true),
        ("a number beyond Unicode", "<r>&#x110000;&#99999999999;</r>".into(), false),
        ("a control by its number", "<r>&#0;&#8;</r>".into(), false),
        ("two roots", "<r/><r/>".into(), false),
        ("crossed elements", "<a><b></a></b>".into(), true),
        ("nothing", String::new(), true),
        ("no XML", "\u{0}\u{1}\u{2}".into(), true),
    ]
}

#[tokio::test]
async fn hostile_xml_is_refused_in_each_file_that_carries_it() {
    let victim = Victim::new();
    let folder = tempfile::tempdir().unwrap();
    let (mut tried, mut refused) = (0, 0);
    for (what, text, must) in texts(&victim) {
        let xml = text.as_bytes();
        let container = b"<container><rootfiles><rootfile full-path=\"o.opf\"/></rootfiles></container>";
        let packages: [(SourceKind, &str, Vec<u8>); 6] = [
            (SourceKind::Scorm, "a.zip", zipped(&[("imsmanifest.xml", xml), ("a.html", b"<p>x")])),
            (SourceKind::Cartridge, "a.imscc", zipped(&[("imsmanifest.xml", xml)])),
            (SourceKind::Qti, "a.xml", xml.to_vec()),
            (SourceKind::Cmi5, "cmi5.xml", xml.to_vec()),
            (
                SourceKind::File,
                "a.epub",
                zipped(&[("mimetype", b"application/epub+zip"), ("META-INF/container.xml", xml)]),
            ),
            (
                SourceKind::File,
                "b.epub",
                zipped(&[("mimetype", b"application/epub+zip"), ("META-INF/container.xml", container), ("o.opf", xml)]),
            ),
        ];
        for (kind, name, bytes) in packages {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let began = Instant::now();
            let outcome = fetch(kind, &path).await;
            soon(&format!("{what} in {name}"), began, 10);
            victim.unharmed(what, &told(&outcome));
            tried += 1;
            match outcome {
                Err(failure) => {
                    refused += 1;
                    assert_ne!(failure.code, "INTERNAL", "{what} in {name}: {failure}");
                    assert!(
                        failure.message.len() < 2_000,
                        "{what} in {name}: {} bytes of message",
                        failure.message.len()
                    );
                }
                Ok(_) => assert!(!must, "{what} in {name} was read"),
            }
        }
        let documents = [
            (Format::Docx, zipped(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", xml)])),
            (Format::Docx, zipped(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", b"<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:body><w:p><w:r><w:t>Words.</w:t></w:r></w:p></w:body></w:document>"), ("word/styles.xml", xml)])),
            (Format::Pptx, zipped(&[("[Content_Types].xml", b"<Types/>"), ("ppt/presentation.xml", xml)])),
        ];
        for (format, bytes) in documents {
            let began = Instant::now();
            let input = Input { format, path: "a".into(), bytes };
            let outcome = sandbox().parse(vec![input]).await.remove(0);
            soon(&format!("{what} in {format:?}"), began, 10);
            victim.unharmed(what, &format!("{outcome:?}"));
            tried += 1;
            if let Err(failure) = outcome {
                refused += 1;
                assert_ne!(failure.code, "INTERNAL", "{what} in {format:?}: {failure}");
            }
        }
    }
    println!("XML: {tried} tried in 9 places, {refused} refused, 0 files read, 0 connections");
    assert!(tried >= 250);
}
