//! Questions for the tests of the formats: one of each type with everything on it, and arbitrary ones.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::question::*;
use crate::{LessonId, Locator, LocatorKind};

/// One question of each type, with every field filled.
pub(super) fn each_type() -> Vec<Draft> {
    let told =
        |id: &str, text: &str| Choice { rationale: Some(format!("{text} because: #1")), ..Choice::new(id, text) };
    let bodies = vec![
        Body::MultipleChoice(MultipleChoice {
            options: vec![told("x", "=A1 {or} ~B"), told("q", "100% of it"), Choice::new("z", "%50% of it")],
            right: "q".into(),
        }),
        Body::MultipleAnswer(MultipleAnswer {
            options: vec![told("k", "Box"), Choice::new("l", "Rc"), Choice::new("m", "u8")],
            right: vec!["k".into(), "l".into()],
        }),
        Body::TrueFalse(TrueFalse { right: false, rationale: Some("It is not.".into()) }),
        Body::Cloze(Cloze {
            parts: vec!["A value has one ".into(), " at a time.".into()],
            blanks: vec![vec!["owner".into(), "proprietor".into()]],
            options: vec![],
        }),
        Body::Cloze(Cloze {
            parts: vec!["An index a[".into(), "] of [[x]] is ".into(), String::new()],
            blanks: vec![vec!["i|j".into()], vec!["checked".into()]],
            options: vec!["checked".into(), "free".into()],
        }),
        Body::ShortAnswer(ShortAnswer {
            accepted: vec!["fn() -> u8".into(), "C:\\n*".into()],
            reference: Some("A function that gives a byte.".into()),
        }),
        Body::Matching(Matching {
            left: vec![told("1", "a-b"), Choice::new("2", "x->y")],
            right: vec![Choice::new("3", "two"), Choice::new("4", "one"), Choice::new("5", "none")],
            pairs: vec![("2".into(), "3".into()), ("1".into(), "4".into())],
        }),
        Body::Ordering(Ordering {
            items: vec![told("u", "parse"), Choice::new("v", "check"), Choice::new("w", "run")],
        }),
        Body::Numeric(Numeric { value: 0.1 + 0.2, tolerance: 1e-9, unit: "kHz".into() }),
        Body::Essay(Essay { least_words: Some(120), reference: Some("What a model answer says.".into()) }),
    ];
    let draft = |body: Body| Draft {
        lesson: "0198c0de-0000-7000-8000-000000000001".parse::<LessonId>().ok(),
        stem: format!("What of {}?\n\n// Not a comment: {{\\n}}", body.type_name()),
        body,
        source: Some(Source {
            source_path: "book/ch04.md".into(),
            heading_path: vec!["Ownership".into(), "a | b".into()],
            locator: Locator::new(LocatorKind::Lines, 3, 9),
            quote: "-Each value has \"one\" owner,\nat a time.".into(),
        }),
        bloom: Some(Bloom::Analyze),
        difficulty: Some(0.1 + 0.2),
        origin: Origin { kind: OriginKind::Generated, model: Some("m".into()), prompt_version: Some("3".into()) },
        lint: vec![Flaw::soft("LONG", "it is long")],
        hints: vec!["Look | up".into(), "@chapter 4".into()],
    };
    bodies.into_iter().map(draft).collect()
}

/// Words with everything in them that a format takes for a sign.
pub(super) fn words() -> BoxedStrategy<String> {
    const PIECES: &[&str] = &[
        "a",
        "Value",
        " ",
        "\n",
        "\n\n",
        "\r",
        "\t",
        "\\",
        "\\n",
        "~",
        "=",
        "#",
        "####",
        "{",
        "}",
        ":",
        "::",
        "->",
        "%50%",
        "*",
        "//",
        "// lyceum: {}",
        "$CATEGORY: x",
        "[html]",
        "[[",
        "]]",
        "|",
        "\"",
        "'",
        ",",
        ";",
        "<b>",
        "&amp;",
        "-",
        "+1",
        "@",
        "ä",
        "語",
        "\u{feff}",
        "\u{2028}",
        "\u{1}",
        "_____",
        "T",
        "1..2",
    ];
    let piece = prop_oneof![4 => select(PIECES).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    vec(piece, 1..8).prop_map(|pieces| pieces.concat()).boxed()
}

/// An arbitrary question, flawed or not; `words` makes its texts.
pub(super) fn draft<S: Strategy<Value = String> + Clone + 'static>(words: S) -> impl Strategy<Value = Draft> {
    let origin = (option::of(words.clone()), select(vec![OriginKind::Manual, OriginKind::Imported]))
        .prop_map(|(model, kind)| Origin { kind, model, prompt_version: None });
    let place = (0..9_i64, 0..9_i64).prop_map(|(start, end)| Locator::new(LocatorKind::Page, start, end));
    let source = (words.clone(), vec(words.clone(), 0..3), place, words.clone())
        .prop_map(|(source_path, heading_path, locator, quote)| Source { source_path, heading_path, locator, quote });
    let bloom = option::of(select(vec![Bloom::Remember, Bloom::Create]));
    let about = (option::of(source), bloom, option::of(0.0..=1.0), origin, vec(words.clone(), 0..3));
    let lint = vec(words.clone().prop_map(|message| Flaw::soft("X", message)), 0..2);
    (words.clone(), body(words), about, lint).prop_map(
        |(stem, body, (source, bloom, difficulty, origin, hints), lint)| Draft {
            lesson: None,
            stem,
            body,
            source,
            bloom,
            difficulty,
            origin,
            lint,
            hints,
        },
    )
}

fn body<S: Strategy<Value = String> + Clone + 'static>(words: S) -> impl Strategy<Value = Body> {
    let choices = |prefix: &'static str| {
        vec((words.clone(), option::of(words.clone())), 2..6).prop_map(move |texts| -> Vec<Choice> {
            // A number in each, since options that only differ in signs count as one.
            let choice = |(at, (text, rationale)): (usize, (String, Option<String>))| Choice {
                id: format!("{prefix}{at}"),
                text: format!("{text}{at}"),
                rationale,
            };
            texts.into_iter().enumerate().map(choice).collect()
        })
    };
    let number = any::<f64>().prop_filter("finite", |number| number.is_finite());
    let texts = vec(words.clone(), 1..4);
    let picked = any::<prop::sample::Index>();
    prop_oneof![
        (choices("o"), picked).prop_map(|(options, right)| {
            let right = right.get(&options).id.clone();
            Body::MultipleChoice(MultipleChoice { options, right })
        }),
        (choices("o"), 1..4_usize).prop_map(|(options, count)| {
            let right = options.iter().take(count).map(|option| option.id.clone()).collect();
            Body::MultipleAnswer(MultipleAnswer { options, right })
        }),
        (any::<bool>(), option::of(words.clone()))
            .prop_map(|(right, rationale)| Body::TrueFalse(TrueFalse { right, rationale })),
        (vec((words.clone(), texts.clone()), 1..4), words.clone(), vec(words.clone(), 0..3)).prop_map(
            |(pairs, last, options)| {
                let (mut parts, blanks): (Vec<String>, Vec<Vec<String>>) = pairs.into_iter().unzip();
                parts.push(last);
                Body::Cloze(Cloze { parts, blanks, options })
            }
        ),
        (texts, option::of(words.clone()))
            .prop_map(|(accepted, reference)| Body::ShortAnswer(ShortAnswer { accepted, reference })),
        (choices("l"), choices("r")).prop_map(|(left, right)| {
            let partner = |at: usize| right.get(at % right.len()).map(|one| one.id.clone()).unwrap_or_default();
            let pairs = left.iter().enumerate().map(|(at, left)| (left.id.clone(), partner(at * 5 + 1))).collect();
            Body::Matching(Matching { left, right, pairs })
        }),
        choices("i").prop_map(|items| Body::Ordering(Ordering { items })),
        (number.clone(), number, words.clone()).prop_map(|(value, tolerance, unit)| {
            Body::Numeric(Numeric { value, tolerance: tolerance.abs(), unit })
        }),
        (option::of(any::<u32>()), option::of(words))
            .prop_map(|(least_words, reference)| Body::Essay(Essay { least_words, reference })),
    ]
}
