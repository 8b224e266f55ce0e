//! The outside book: headings, sizes and places compared with what stands in its files.

use domain::document::BlockKind;
use ingestion::chunk::{chunks, pieces};
use ingestion::parse::markdown::{NoFiles, parse};

use crate::testkit::outside;

#[test]
fn the_book_has_the_headings_that_a_reader_sees() {
    let Some(book) = outside("rust-book") else { return };
    let headings = |file: &str| {
        let document = parse(file, &std::fs::read_to_string(book.join(file)).unwrap(), &NoFiles).unwrap();
        document
            .blocks
            .iter()
            .filter_map(|block| match block.kind {
                BlockKind::Heading(level) => Some(format!("{} {}", "#".repeat(usize::from(level)), block.text)),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        headings("ch04-01-what-is-ownership.md"),
        [
            "## What Is Ownership?",
            "### The Stack and the Heap",
            "### Ownership Rules",
            "### Variable Scope",
            "### The String Type",
            "### Memory and Allocation",
            "#### Variables and Data Interacting with Move",
            "#### Scope and Assignment",
            "#### Variables and Data Interacting with Clone",
            "#### Stack-Only Data: Copy",
            "### Ownership and Functions",
            "### Return Values and Scope",
        ]
    );
    assert_eq!(
        headings("ch00-00-introduction.md")[..3],
        ["# Introduction", "## Who Rust Is For", "### Teams of Developers"]
    );
    // Every heading line outside fences is a heading, in every file.
    let mut count = 0;
    for entry in std::fs::read_dir(&book).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let text = std::fs::read_to_string(book.join(&name)).unwrap();
        let (mut fenced, mut comment) = (false, false);
        let mut expected = 0;
        for line in text.lines() {
            let line = line.trim_start_matches(['>', ' ']);
            comment = (comment || line.starts_with("<!--")) && !line.contains("-->");
            if line.starts_with("```") {
                fenced = !fenced;
            }
            expected += usize::from(
                !fenced && !comment && line.starts_with('#') && line.trim_start_matches('#').starts_with(' '),
            );
        }
        let mut found = headings(&name);
        found.dedup();
        assert!(found.len() >= expected, "{name}: {expected} {found:?}");
        count += expected;
    }
    println!("{count} headings in the book");
}

#[test]
fn the_book_is_cut_within_limits_and_every_place_holds_its_words() {
    let Some(book) = outside("rust-book") else { return };
    let (mut count, mut words, mut longest, mut most_pieces, mut long_code) = (0, 0, 0, 0, 0);
    for entry in std::fs::read_dir(&book).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let document = parse("a.md", &text, &NoFiles).unwrap();
        for chunk in chunks(&document, &["The Rust Programming Language".into()]) {
            count += 1;
            let size = chunk.text.split_whitespace().count();
            words += size;
            longest = longest.max(size);
            let cost = pieces(&chunk.indexed_text());
            // One code block may be longer than the model reads; nothing else may.
            if chunk.sentences.len() > 1 {
                most_pieces = most_pieces.max(cost)
            } else {
                long_code += usize::from(cost > 246)
            }
            for sentence in &chunk.sentences {
                let range = sentence.locator.start as usize - 1..sentence.locator.end as usize;
                let source = lines.get(range).unwrap_or_else(|| panic!("{path:?} {}", sentence.locator)).join(" ");
                let source = ["<kbd>", "</kbd>", "<br>", "<sup>", "</sup>"]
                    .iter()
                    .fold(source, |text, tag| text.replace(tag, ""));
                let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
                // Every word of the sentence stands in its lines; what lies between (links, tags) may differ.
                let source = plain(&source);
                for word in chunk.sentence_text(sentence).split_whitespace().map(plain) {
                    assert!(source.contains(&word), "{path:?} {}: {word} not in {source}", sentence.locator);
                }
            }
        }
    }
    println!(
        "{count} chunks, {words} words, longest {longest} words, most estimated pieces {most_pieces}, {long_code} long code blocks"
    );
    assert!(longest <= 300 && most_pieces <= 246, "{longest} {most_pieces}");
}
