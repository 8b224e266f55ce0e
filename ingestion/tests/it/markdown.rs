use std::collections::HashMap;

use ingestion::parse::markdown::{Files, NoFiles, parse};

use crate::testkit::shown;

struct Folder(HashMap<&'static str, &'static str>);

impl Files for Folder {
    fn read(&self, path: &str) -> Option<String> {
        self.0.get(path).map(|text| (*text).to_owned())
    }
}

#[test]
fn blocks_have_kinds_and_lines() {
    for (name, text, blocks) in [
        (
            "setext and atx",
            "Title\n=====\n\nText of\ntwo lines.\n\n## Sub ##\n",
            vec!["h1: Title @1-2", "p: Text of two lines. @4-5", "h2: Sub @7-7"],
        ),
        (
            "heading attributes",
            "# A {#anchor}\n## B {.wide key=1}\n### C {: #c }\n#### D ¶\n",
            vec!["h1: A @1-1", "h2: B @2-2", "h3: C @3-3", "h4: D @4-4"],
        ),
        ("braces that are text", "# Use {} and {x}\n", vec!["h1: Use {} and {x} @1-1"]),
        (
            "a hash in a fence",
            "# A\n\n```sh\n# not a heading\nls\n```\n",
            vec!["h1: A @1-1", "code: # not a heading\nls @3-6"],
        ),
        ("a hash in a longer fence", "````md\n```\n# no\n```\n````\n", vec!["code: ```\n# no\n``` @1-5"]),
        ("indented code", "Text\n\n    # no\n    x = 1\n", vec!["p: Text @1-1", "code: # no\nx = 1 @3-4"]),
        ("list", "- one\n- two\n  more\n  - inner\n", vec!["list: - one\n- two more\n  - inner @1-4"]),
        ("ordered list", "3. three\n4. four\n", vec!["list: 3. three\n4. four @1-2"]),
        (
            "list with code",
            "1. run\n\n   ```\n   ls\n   ```\n\n2. look\n",
            vec!["list: 1. run @1-1", "code: ls @3-5", "list: 2. look @7-7"],
        ),
        ("table", "| A | B |\n|---|---|\n| 1 | `a|b` |\n", vec!["table: A | B\n1 | `a @1-3"]),
        ("quote", "> Said\n> well.\n", vec!["quote: Said well. @1-2"]),
        (
            "inline markup",
            "Use **bold**, _it_, `code`, [a link](x) and ![a picture](y.png).\n",
            vec!["p: Use bold, it, code, a link and a picture. @1-1"],
        ),
        (
            "comments and tags",
            "Before <!-- hidden --> and <span class=\"x\">after</span>.\n\n<!-- a\nwhole block -->\n",
            vec!["p: Before  and after. @1-1"],
        ),
        ("generic without backticks", "A Vec<T> holds values.\n", vec!["p: A Vec<T> holds values. @1-1"]),
        (
            "listing component",
            "<Listing number=\"1-2\" file-name=\"a.rs\" caption=\"A `Box<T>` on the heap\">\n\n```rust\nx\n```\n\n</Listing>\n",
            vec!["p: Listing 1-2: A Box<T> on the heap @1-1", "code: x @3-5"],
        ),
        (
            "raw headings",
            "<h2 id=\"x\">Raw <em>title</em></h2>\n<p>Text</p>\n",
            vec!["h2: Raw title @1-2", "p: Text @1-2"],
        ),
        ("scripts in raw html", "<div>\nSeen\n<script>alert(1)</script>\n</div>\n", vec!["p: Seen @1-4"]),
        (
            "jinja and liquid",
            "Hello {{ user.name }}!\n\n{% if x %}\nShown\n{% endif %}\n",
            vec!["p: Hello ! @1-1", "p: Shown @4-4"],
        ),
        (
            "tags in code stay",
            "Write `{{ x }}` in a template.\n\n```html\n{% for a in b %}\n```\n",
            vec!["p: Write {{ x }} in a template. @1-1", "code: {% for a in b %} @3-5"],
        ),
        ("formulas stay", "So $x_{{1}}$ and \\frac{{a}}{{b}}.\n", vec!["p: So $x_{{1}}$ and \\frac{{a}}{{b}}. @1-1"]),
        ("hugo shortcodes", "{{< figure src=\"a.png\" >}}\nText\n", vec!["p: Text @2-2"]),
        ("zero width", "Ig\u{200b}no\u{ad}re\n", vec!["p: Ignore @1-1"]),
        (
            "text after a quoted heading",
            "# A\n\n> ## Aside\n> Inner\n\nOuter\n",
            vec!["h1: A @1-1", "h2: Aside @3-3", "quote: Inner @4-4", "h1: A @1-1", "p: Outer @6-6"],
        ),
        ("windows line ends", "# A\r\n\r\nText\r\n", vec!["h1: A @1-1", "p: Text @3-3"]),
    ] {
        assert_eq!(shown(&parse("a.md", text, &NoFiles).unwrap()), blocks, "{name}");
    }
}

#[test]
fn the_title_is_of_the_front_matter_then_of_the_heading_then_of_the_file() {
    for (text, title, first_line) in [
        ("---\ntitle: Real Title\ntags: [a]\n---\n\n# Other\n\nText\n", "Real Title", 6),
        ("---\ntitle: \"With: colon\"\n---\nText\n", "With: colon", 4),
        ("---\ntitle: Bare: colon {{ x }}\n---\nText\n", "Bare: colon", 4),
        ("+++\ntitle = \"Toml\"\n+++\n\nText\n", "Toml", 5),
        ("## First heading\n\nText\n", "First heading", 1),
        ("Only text\n", "My lesson", 1),
        ("---\n\nA rule, then prose.\n\n---\n", "My lesson", 3),
    ] {
        let document = parse("part/03-my_lesson.md", text, &NoFiles).unwrap();
        assert_eq!(document.title, title, "{text}");
        assert_eq!(document.blocks.first().unwrap().locator.start, first_line, "{text}");
    }
}

#[test]
fn includes_are_resolved_in_the_source_and_counted_outside_it() {
    let folder = Folder(HashMap::from([
        (
            "listings/a.rs",
            "// ANCHOR: all\nfn a() {}\n// ANCHOR: inner\nfn b() {}\n// ANCHOR_END: inner\n// ANCHOR_END: all\nfn c() {}\n",
        ),
        ("src/part.md", "Included words.\n"),
    ]));
    let text = "# A\n\n```rust\n{{#rustdoc_include ../listings/a.rs:inner}}\n```\n\n{{#include part.md}}\n\n```\n{{#include ../listings/a.rs:2:3}}\n```\n\n{{#include ../../../etc/passwd}}\n\n{{#include gone.md}}\n";
    let document = parse("src/ch.md", text, &folder).unwrap();
    assert_eq!(
        shown(&document),
        ["h1: A @1-1", "code: fn b() {} @3-5", "p: Included words. @7-7", "code: fn a() {} @9-11"]
    );
    let warning = document.warnings.first().unwrap();
    assert_eq!(warning.code, "UNRESOLVED_INCLUDE");
    assert!(warning.message.starts_with("2 includes name files outside"), "{}", warning.message);
}

#[test]
fn an_include_of_itself_ends() {
    let folder = Folder(HashMap::from([("a.md", "x\n{{#include a.md}}\n")]));
    let document = parse("a.md", "x\n{{#include a.md}}\n", &folder).unwrap();
    assert_eq!(document.warnings.len(), 1);
}

#[test]
fn each_sentence_of_a_paragraph_knows_its_lines() {
    let document = parse("a.md", "# A\n\nFirst one. Second\nends here. Third.\n", &NoFiles).unwrap();
    let chunk = ingestion::chunk::chunks(&document, &[]).remove(0);
    let places: Vec<(&str, i64, i64)> = chunk
        .sentences
        .iter()
        .map(|sentence| (chunk.sentence_text(sentence), sentence.locator.start, sentence.locator.end))
        .collect();
    assert_eq!(places, [("First one.", 3, 3), ("Second ends here.", 3, 4), ("Third.", 4, 4)]);
}
