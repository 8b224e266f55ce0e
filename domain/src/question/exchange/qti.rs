//! QTI, the question format of 1EdTech: items of 1.2 (also as Canvas and Common Cartridges write
//! them) and of 2.1 and 2.2, in one text each; written as 1.2, which holds many in one file.
//!
//! A text is a tree of items; each is read by itself, and one that cannot be a question of ours is
//! left out with its reason. Pictures, formulas and scoring rules beyond right and wrong are lost.
//!
//! The formats: <https://www.imsglobal.org/question/index.html>.

mod flow;
mod one;
mod two;
mod write;

pub(super) use write::write;

use super::{Format, Losses, MOST_QUESTIONS, Read, excerpt, fault, foreign, too_many};
use crate::Error;
use crate::question::{Body, Cloze, Draft, Essay, Origin, OriginKind, ShortAnswer, plain};
use crate::xml::{self, Element};

/// What a text with blanks asks when the file says nothing but the text.
const FILL: &str = "Fill the gap.";
/// Elements of a text: the largest exports of real banks have some hundred thousand.
const LIMITS: xml::Limits =
    xml::Limits { bytes: super::LARGEST, elements: 600_000, depth: 96, attributes: 64, doctype: true };

/// The questions of a QTI text.
pub(super) fn read(text: &str) -> Result<Read, Error> {
    let root = xml::parse(text, LIMITS).map_err(|why| foreign(Format::Qti, 1, &why))?;
    let mut losses = Losses::default();
    let items = match root.name.as_str() {
        "questestinterop" => {
            for entry in root.below("bankentry_item").into_iter().chain(root.below("itemref")) {
                let bank =
                    entry.attribute("sourcebank_ref").or_else(|| entry.attribute("linkrefid")).unwrap_or_default();
                let what =
                    format!("a question of the bank \"{}\" is asked by reference; read that bank", excerpt(bank));
                losses.name(format!("line {}", entry.line), what);
            }
            for group in root.below("selection_ordering") {
                if group.first("selection_number").is_some() {
                    let what = "questions are drawn from a group by chance; all of the group that are here are taken";
                    losses.name(format!("line {}", group.line), what);
                }
            }
            root.below("item")
        }
        "assessmentItem" => vec![&root],
        "item" => vec![&root],
        "assessmentTest" | "assessmentSection" => {
            let why = "it is a test that names its questions in other files; ingest the package with \"ingest qti\"";
            return Err(foreign(Format::Qti, root.line, why));
        }
        "qti-assessment-item" => {
            return Err(foreign(Format::Qti, root.line, "it is QTI 3.0; export it as QTI 2.1 or 1.2"));
        }
        other => {
            let why =
                format!("its root element is \"{}\", not \"questestinterop\" or \"assessmentItem\"", excerpt(other));
            return Err(foreign(Format::Qti, root.line, &why));
        }
    };
    if let Some(beyond) = items.get(MOST_QUESTIONS) {
        return Err(too_many(beyond.line));
    }
    let mut drafts = Vec::new();
    for item in items {
        let place = format!("line {}", item.line);
        let read = if item.name == "assessmentItem" { two::question(item) } else { one::question(item) };
        match read {
            Ok(found) => {
                let draft = draft(found.stem, found.body);
                match fault(&draft) {
                    Some(fault) => losses.name(place, format!("\"{}\" is left out: {fault}", excerpt(&draft.stem))),
                    None => {
                        for what in found.losses {
                            losses.name(&place, what);
                        }
                        drafts.push(draft);
                    }
                }
            }
            Err(why) => losses.name(place, format!("\"{}\" is left out: {why}", excerpt(&title(item)))),
        }
    }
    Ok(Read { drafts, losses: losses.list() })
}

/// What an item is called.
fn title(item: &Element) -> String {
    let named = ["title", "ident", "identifier"].into_iter().filter_map(|name| item.attribute(name));
    named.map(str::trim).find(|name| !name.is_empty()).unwrap_or("a question without a title").to_owned()
}

fn draft(stem: String, body: Body) -> Draft {
    Draft {
        lesson: None,
        stem,
        body,
        source: None,
        bloom: None,
        difficulty: None,
        origin: Origin::of(OriginKind::Imported),
        lint: Vec::new(),
        hints: Vec::new(),
    }
}

/// What an item gave.
struct Found {
    stem: String,
    body: Body,
    losses: Vec<String>,
}

/// Text around blanks as a question: a blank at the end of everything is a short answer.
fn with_blanks(
    stem: Option<String>,
    mut parts: Vec<String>,
    blanks: Vec<Vec<String>>,
    options: Vec<String>,
    title: &str,
) -> Result<(String, Body), String> {
    if blanks.iter().any(Vec::is_empty) {
        return Err("it does not say what belongs into a blank".into());
    }
    let after: String = parts.iter().skip(1).map(String::as_str).collect();
    if let ([accepted], true, true) = (blanks.as_slice(), plain(&after).is_empty(), options.is_empty()) {
        let asked = [stem.unwrap_or_default(), parts.first().cloned().unwrap_or_default()];
        let asked = asked.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n");
        let stem = if asked.is_empty() { title.to_owned() } else { asked };
        return Ok((stem, Body::ShortAnswer(ShortAnswer { accepted: accepted.clone(), reference: None })));
    }
    let stem = stem.filter(|stem| !stem.trim().is_empty()).or_else(|| {
        // The lines before the one with the first blank say what is to be done.
        let first = parts.first_mut()?;
        let (head, tail) = first.rsplit_once('\n').map(|(head, tail)| (head.trim().to_owned(), tail.to_owned()))?;
        *first = tail;
        Some(head).filter(|head| !head.is_empty())
    });
    Ok((stem.unwrap_or_else(|| FILL.to_owned()), Body::Cloze(Cloze { parts, blanks, options })))
}

fn essay(reference: Option<String>) -> Body {
    Body::Essay(Essay { least_words: None, reference })
}

/// Whether these two options are true and false: the index of the one that says true.
fn verdict(options: &[String]) -> Option<usize> {
    let says = |text: &String| match plain(text).as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    match options {
        [first, second] => match (says(first), says(second)) {
            (Some(true), Some(false)) => Some(0),
            (Some(false), Some(true)) => Some(1),
            _ => None,
        },
        _ => None,
    }
}

/// Answers that differ, each once.
fn distinct(answers: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    answers.into_iter().filter(|text| !plain(text).is_empty() && seen.insert(plain(text))).collect()
}

/// A choice of one or several, or a verdict.
fn choice(options: Vec<(String, Option<String>)>, right: &[usize], several: bool) -> Result<Body, String> {
    use crate::question::{MultipleAnswer, MultipleChoice, TrueFalse};
    if right.is_empty() {
        return Err("it does not say which answer is right".into());
    }
    let texts: Vec<String> = options.iter().map(|(text, _)| text.clone()).collect();
    if let (false, Some(truth), [only]) = (several, verdict(&texts), right) {
        let rationale = options.get(*only).and_then(|(_, why)| why.clone());
        return Ok(Body::TrueFalse(TrueFalse { right: *only == truth, rationale }));
    }
    let options = super::labelled(options);
    let id = |at: &usize| options.get(*at).map(|option| option.id.clone());
    if several {
        let right = right.iter().filter_map(id).collect();
        return Ok(Body::MultipleAnswer(MultipleAnswer { options, right }));
    }
    match right {
        [only] => {
            let right = id(only).unwrap_or_default();
            Ok(Body::MultipleChoice(MultipleChoice { options, right }))
        }
        _ => Err("one answer may be chosen, and several are right".into()),
    }
}

#[cfg(test)]
mod tests;
