//! Code by item: what is named, what is written about it, and where it stands.

use domain::document::BlockKind;
use ingestion::parse::code::{language, parse};

/// `heading: documentation @lines | first line of code @lines` of each item.
fn shown(path: &str, text: &str) -> Vec<String> {
    let document = parse(path, text).unwrap();
    let mut items: Vec<String> = vec![String::new()];
    for block in document.blocks {
        let lines = format!("@{}-{}", block.locator.start, block.locator.end);
        let last = items.last_mut().unwrap();
        match block.kind {
            BlockKind::Heading(_) => items.push(format!("{}:", block.text)),
            BlockKind::Paragraph => last.push_str(&format!(" {}{lines}", block.text.replace('\n', " "))),
            _ => last.push_str(&format!(" | {}{lines}", block.text.lines().next().unwrap())),
        }
    }
    items
}

#[test]
fn rust_is_read_by_function_type_and_method() {
    let text = "//! Boats.\n\nuse std::fmt;\nmod other;\n\n/// A boat.\n/// It floats.\n#[derive(Debug)]\npub struct Boat {\n    sails: u8,\n}\n\n\
        impl fmt::Display for Boat {\n    /// Shows it.\n    pub(crate) async fn show(&self) {\n        fn inner() {}\n    }\n}\n\n/* fn not_one() {\nfn nor_this() {} */\npub const fn speed() -> u8 {\n    3\n}\n";
    assert_eq!(
        shown("src/boat.rs", text),
        [
            " Boats.@1-1 | use std::fmt;@3-4",
            "struct Boat: A boat. It floats.@6-7 | #[derive(Debug)]@8-11",
            "impl fmt::Display for Boat: | impl fmt::Display for Boat {@13-13",
            "fn show: Shows it.@14-14 |     pub(crate) async fn show(&self) {@15-21",
            "fn speed: | pub const fn speed() -> u8 {@22-24",
        ]
    );
}

#[test]
fn python_is_read_with_its_comments_and_strings() {
    let text = "\"\"\"Boats.\n\ndef not_one(): pass\n\"\"\"\nimport os\n\n# Sails\n@cached\ndef sail(wind):\n    \"\"\"Sets sail.\"\"\"\n    return wind\n\nclass Boat:\n    async def float(self):\n        pass\n";
    assert_eq!(
        shown("boat.py", text),
        [
            " | \"\"\"Boats.@1-5",
            "def sail: Sails@7-7 | @cached@8-11",
            "class Boat: | class Boat:@13-13",
            "def float: |     async def float(self):@14-15",
        ]
    );
}

#[test]
fn other_languages_are_read_by_their_outer_items() {
    let names = |path: &str, text: &str| -> Vec<String> {
        let items = shown(path, text);
        items.iter().skip(1).map(|item| item.split(':').next().unwrap().to_owned()).collect()
    };
    let script = "import x from 'x';\n/** Sets sail. */\nexport default async function sail() {}\nexport class Boat {}\nexport const float = (a) => a;\nconst n = 3;\ninterface Hull {}\n";
    assert_eq!(names("boat.ts", script), ["function sail", "class Boat", "const float", "interface Hull"]);
    let go = "package boat\n\n// Sail sets sail.\nfunc Sail() {}\n\nfunc (b *Boat) Float() int {\n\treturn 1\n}\n\ntype Boat struct {\n}\n";
    assert_eq!(names("boat.go", go), ["func Sail", "func Boat.Float", "type Boat"]);
    let java = "package a;\n\n/** A boat. */\npublic final class Boat {\n    private int sails = f(3);\n    @Override\n    public String show(int a) {\n        return call(a);\n    }\n}\n";
    assert_eq!(names("Boat.java", java), ["class Boat", "method show"]);
    let c = "#include <stdio.h>\nint known(int);\n\n/* Sails. */\nstatic int *sail(const char *wind)\n{\n    if (wind) return 0;\n}\nstruct boat {\n    int sails;\n};\nvoid Boat::show() {\n}\n";
    assert_eq!(names("boat.c", c), ["function sail", "struct boat", "function Boat"]);
}

#[test]
fn what_no_person_wrote_is_left_out() {
    assert_eq!(parse("a.js", &"x".repeat(3_000)).unwrap_err().code, "UNSUPPORTED_FORMAT");
    assert_eq!(parse("a.rs", " \n").unwrap_err().code, "EMPTY");
    assert_eq!(parse("a.txt", "x").unwrap_err().code, "UNSUPPORTED_FORMAT");
    assert!(language("a/b.d/c").is_none() && language("Makefile").is_none() && language("x.rs").is_some());
    // Every line is in some block, whatever the text is.
    for text in ["fn\n", "impl", "impl<", "pub(", "}\n{\n(", "\"\"\"", "/*", "def ", "func (", "é fn x() {}"] {
        for end in ["rs", "py", "js", "go", "java", "c"] {
            let _ = parse(&format!("a.{end}"), text);
        }
    }
}
