//! A question as other programs see it in a GIFT text.

use super::marks::escape;
use super::{FILL, GAP};
use crate::question::exchange::number;
use crate::question::{Body, Choice, Cloze, Draft, Matching, MultipleAnswer, Numeric, OriginKind, plain};

/// Markers that a text may begin with by accident.
const MARKERS: &[&str] = &["[html]", "[moodle]", "[plain]", "[markdown]"];

/// A question, and what other programs do not get of it.
pub(super) struct Visible {
    pub(super) text: String,
    pub(super) losses: Vec<String>,
}

/// The question without the comment.
pub(super) fn question(draft: &Draft) -> Visible {
    let mut losses = Vec::new();
    let hidden = hidden(draft);
    if !hidden.is_empty() {
        losses.push(format!("other programs do not see {}", hidden.join(", ")));
    }
    let stem = &draft.stem;
    let (before, answers, after) = match &draft.body {
        Body::MultipleChoice(body) => {
            let lines = body.options.iter().map(|option| {
                let right = option.id == body.right;
                // Moodle takes no weight after `=`, and one by mistake after `~`.
                let sign = match (right, weighty(&option.text)) {
                    (true, _) => "=",
                    (false, true) => "~%0%",
                    (false, false) => "~",
                };
                answer(sign, option)
            });
            (stem.clone(), block(lines), String::new())
        }
        Body::MultipleAnswer(body) => (stem.clone(), several(body, &mut losses), String::new()),
        Body::TrueFalse(body) => {
            let verdict = if body.right { "TRUE" } else { "FALSE" };
            // The first is for who answered wrongly, the second for who was right.
            let why = body.rationale.as_deref().map(|why| format!("#{0}#{0}", part(why))).unwrap_or_default();
            (stem.clone(), format!("{verdict}{why}"), String::new())
        }
        Body::Cloze(body) => cloze(stem, body, &mut losses),
        Body::ShortAnswer(body) => {
            if body.accepted.is_empty() {
                losses.push("other programs will see an essay: no answer is right to the letter".into());
            }
            if let [_, _, ..] = body.accepted.as_slice()
                && body.accepted.iter().all(|text| text.contains("->"))
            {
                losses.push("other programs will take \"->\" for a matching".into());
            }
            (stem.clone(), block(body.accepted.iter().map(|text| accepted(text))), String::new())
        }
        Body::Matching(body) => {
            if body.left.iter().any(|left| left.text.contains("->")) {
                losses.push("other programs will divide a pair at the first \"->\"".into());
            }
            (stem.clone(), block(pairs(body)), String::new())
        }
        Body::Ordering(body) => {
            losses.push("other programs will see an essay: GIFT has no order".into());
            let mut items: Vec<&str> = body.items.iter().map(|item| item.text.as_str()).collect();
            items.sort_unstable();
            (format!("{stem}\n- {}", items.join("\n- ")), String::new(), String::new())
        }
        Body::Numeric(Numeric { value, tolerance, .. }) => {
            (stem.clone(), format!("#={}:{}", number(*value), number(*tolerance)), String::new())
        }
        Body::Essay(_) => (stem.clone(), String::new(), String::new()),
    };
    Visible { text: format!("[plain]{}{{{answers}}}{}", escape(&before), escape(&after)), losses }
}

/// What GIFT has no words for, as far as the question has it.
fn hidden(draft: &Draft) -> Vec<&'static str> {
    let told = |choices: &[Choice]| choices.iter().any(|choice| choice.rationale.is_some());
    let body = match &draft.body {
        Body::ShortAnswer(body) => vec![(body.reference.is_some(), "its full answer")],
        Body::Essay(body) => {
            vec![(body.reference.is_some(), "its model answer"), (body.least_words.is_some(), "how long it must be")]
        }
        Body::Numeric(body) => vec![(!body.unit.is_empty(), "its unit")],
        Body::Matching(body) => vec![(told(&body.left) || told(&body.right), "why a pair is right")],
        Body::Ordering(body) => vec![(told(&body.items), "why the order is right")],
        Body::MultipleChoice(_) | Body::MultipleAnswer(_) | Body::TrueFalse(_) | Body::Cloze(_) => Vec::new(),
    };
    let about = [
        (draft.lesson.is_some(), "its lesson"),
        (draft.source.is_some(), "its source and quote"),
        (draft.bloom.is_some(), "its Bloom level"),
        (draft.difficulty.is_some(), "its difficulty"),
        (draft.origin.kind != OriginKind::Imported || draft.origin.model.is_some(), "how it came to be"),
        (!draft.lint.is_empty(), "what the lint said"),
        (!draft.hints.is_empty(), "its hints"),
    ];
    about.into_iter().chain(body).filter(|(there, _)| *there).map(|(_, name)| name).collect()
}

/// Answers on a line each; none of the lines is empty, since an empty line ends the question.
fn block(lines: impl Iterator<Item = String>) -> String {
    let lines: String = lines.map(|line| format!("\n\t{line}")).collect();
    if lines.is_empty() { lines } else { format!("{lines}\n") }
}

/// A part of the question that is not taken for a marker.
fn part(text: &str) -> String {
    let text = escape(text);
    let marked = MARKERS.iter().any(|marker| text.trim_start().starts_with(marker));
    format!("{}{text}", if marked { "[plain]" } else { "" })
}

/// Whether the text could be taken for one with a weight before it.
fn weighty(text: &str) -> bool {
    escape(text).trim_start().starts_with('%')
}

fn answer(sign: &str, option: &Choice) -> String {
    let why = option.rationale.as_deref().map(|why| format!("#{}", part(why))).unwrap_or_default();
    format!("{sign}{}{why}", part(&option.text))
}

/// An answer to write: a `*` in it is only itself, and a percent sign no weight.
fn accepted(text: &str) -> String {
    let sign = if weighty(text) { "=%100%" } else { "=" };
    format!("{sign}{}", part(&text.replace('*', "\\*")))
}

/// A right answer earns its share and a wrong one takes as much away, as Lyceum scores it.
fn several(body: &MultipleAnswer, losses: &mut Vec<String>) -> String {
    // The shares that Moodle knows.
    const SHARES: [&str; 10] = ["100", "50", "33.33333", "25", "20", "16.66667", "14.28571", "12.5", "11.11111", "10"];
    let share = body.right.len().checked_sub(1).and_then(|at| SHARES.get(at)).copied().unwrap_or_else(|| {
        losses.push("other programs know no share for so many right answers: each is worth 5 %".into());
        "5"
    });
    block(body.options.iter().map(|option| {
        let minus = if body.right.contains(&option.id) { "" } else { "-" };
        answer(&format!("~%{minus}{share}%"), option)
    }))
}

fn pairs(body: &Matching) -> impl Iterator<Item = String> {
    let partner = |left: &Choice| body.pairs.iter().find(|(id, _)| *id == left.id).map(|(_, right)| right);
    let taken: Vec<&String> = body.left.iter().filter_map(partner).collect();
    let joined = body.left.iter().filter_map(move |left| {
        let right = body.right.iter().find(|right| Some(&right.id) == partner(left))?;
        Some(format!("={} -> {}", part(&left.text), part(&right.text)))
    });
    let alone = body.right.iter().filter(move |right| !taken.contains(&&right.id));
    joined.chain(alone.map(|right| format!("= -> {}", part(&right.text))))
}

fn cloze(stem: &str, body: &Cloze, losses: &mut Vec<String>) -> (String, String, String) {
    let intro = if stem == FILL { String::new() } else { format!("{stem}\n") };
    let ([first, last], [blank]) = (body.parts.as_slice(), body.blanks.as_slice()) else {
        losses.push("other programs will see an essay: GIFT has one gap in a text, not several".into());
        let words = if body.options.is_empty() { String::new() } else { format!("\n({})", body.options.join(" / ")) };
        return (format!("{intro}{}{words}", body.parts.join(GAP)), String::new(), String::new());
    };
    let right = |text: &String| blank.iter().any(|accepted| plain(accepted) == plain(text));
    let lines: Vec<String> = if body.options.is_empty() {
        blank.iter().map(|text| accepted(text)).collect()
    } else {
        if !body.options.iter().any(right) {
            losses.push("other programs see no right word: none of the words offered is accepted".into());
        }
        let sign = |text: &String| match (right(text), weighty(text)) {
            (true, _) => "=",
            (false, true) => "~%0%",
            (false, false) => "~",
        };
        body.options.iter().map(|text| format!("{}{}", sign(text), part(text))).collect()
    };
    let answers = block(lines.into_iter());
    if last.trim().is_empty() {
        // Braces at the end are no gap in GIFT: it is drawn.
        (format!("{intro}{first}{GAP}"), answers, String::new())
    } else {
        (format!("{intro}{first}"), answers, last.clone())
    }
}
