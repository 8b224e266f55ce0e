//! An item of QTI 2.1 or 2.2: what its interaction asks and its response declaration says is right.

use std::collections::HashMap;

use super::flow::{Flow, words};
use super::{Found, choice, distinct, essay, title, with_blanks};
use crate::question::exchange::{labelled, matched, number};
use crate::question::{Body, Numeric, Ordering, plain};
use crate::xml::Element;

/// Interactions that leave a blank in a text.
const INLINE: &[&str] = &["textEntryInteraction", "inlineChoiceInteraction", "gap"];

/// What a response declaration says.
struct Declared {
    cardinality: String,
    base: String,
    correct: Vec<String>,
    /// Worth of each answer.
    mapped: Vec<(String, f64)>,
}

impl Declared {
    fn of(declaration: &Element) -> Self {
        let text = |name: &str| declaration.attribute(name).unwrap_or_default().to_owned();
        let correct = declaration.child("correctResponse");
        let mapping = declaration.child("mapping");
        let entry = |entry: &Element| {
            Some((entry.attribute("mapKey")?.to_owned(), entry.attribute("mappedValue")?.trim().parse().ok()?))
        };
        Self {
            cardinality: text("cardinality"),
            base: text("baseType"),
            correct: correct.map(|correct| correct.all("value").map(Element::words).collect()).unwrap_or_default(),
            mapped: mapping.map(|mapping| mapping.all("mapEntry").filter_map(entry).collect()).unwrap_or_default(),
        }
    }

    /// The right answers: those named so, else those worth the most.
    fn right(&self) -> Vec<String> {
        if !self.correct.is_empty() {
            return self.correct.clone();
        }
        self.mapped.iter().filter(|(_, worth)| *worth > 0.0).map(|(key, _)| key.clone()).collect()
    }

    /// Texts worth everything, and whether others are worth a part.
    fn accepted(&self) -> (Vec<String>, bool) {
        let most = self.mapped.iter().map(|(_, worth)| *worth).fold(0.0, f64::max);
        let full = self.mapped.iter().filter(|(_, worth)| *worth > 0.0 && *worth >= most).map(|(key, _)| key.clone());
        let accepted = distinct(self.correct.iter().cloned().chain(full));
        let known = |key: &String| accepted.iter().any(|text| plain(text) == plain(key));
        let part = self.mapped.iter().any(|(key, worth)| *worth > 0.0 && *worth < most && !known(key));
        (accepted, part)
    }
}

pub(super) fn question(item: &Element) -> Result<Found, String> {
    let body = item.child("itemBody").ok_or("it has no body")?;
    let declared: HashMap<&str, Declared> = item
        .all("responseDeclaration")
        .filter_map(|declaration| Some((declaration.attribute("identifier")?, Declared::of(declaration))))
        .collect();
    let mut interactions = Vec::new();
    collect(body, &mut interactions);
    let mut losses = Vec::new();
    if item.attribute("adaptive") == Some("true") {
        losses.push("it is adaptive; it is asked once".to_owned());
    }
    let is_interaction = |element: &Element| element.name.ends_with("Interaction");
    let blocks: Vec<&&Element> =
        interactions.iter().filter(|interaction| !INLINE.contains(&interaction.name.as_str())).collect();
    let named = title(item);
    let (stem, question) = match (blocks.as_slice(), interactions.len()) {
        (_, 0) => return Err("it has no interaction: it is a text, not a question".into()),
        ([], _) => {
            let flow = Flow::of(body, INLINE, &|_| false);
            if flow.lost {
                losses.push(super::write::MARKUP.to_owned());
            }
            in_text(flow, tolerance(item), &declared, &named, &mut losses)?
        }
        ([only], 1) => {
            let flow = Flow::of(body, &[], &is_interaction);
            let mut lost = flow.lost;
            let mut stem = flow.text();
            if let Some(prompt) = only.child("prompt") {
                let (text, more) = words(prompt);
                lost |= more;
                stem = [stem.trim(), text.trim()]
                    .iter()
                    .filter(|part| !part.is_empty())
                    .copied()
                    .collect::<Vec<_>>()
                    .join("\n");
            }
            if stem.trim().is_empty() {
                stem.clone_from(&named);
            }
            let response = only.attribute("responseIdentifier").and_then(|id| declared.get(id));
            let made = interaction(only, response, stem, &named, &mut lost, &mut losses)?;
            if lost {
                losses.push(super::write::MARKUP.to_owned());
            }
            made
        }
        (_, count) => return Err(format!("it has {count} interactions in one item; divide it")),
    };
    Ok(Found { stem, body: question, losses })
}

/// The interactions, those inside another left out.
fn collect<'e>(element: &'e Element, found: &mut Vec<&'e Element>) {
    for inner in element.elements() {
        if inner.name.ends_with("Interaction") {
            found.push(inner);
        } else {
            collect(inner, found);
        }
    }
}

fn interaction(
    element: &Element,
    response: Option<&Declared>,
    stem: String,
    named: &str,
    lost: &mut bool,
    losses: &mut Vec<String>,
) -> Result<(String, Body), String> {
    let missing = || "its response is not declared".to_owned();
    let mut shown = |element: &Element| {
        let (text, more) = words(element);
        *lost |= more;
        text
    };
    match element.name.as_str() {
        "extendedTextInteraction" => {
            let reference = response.and_then(|response| response.correct.first().cloned());
            Ok((stem, essay(reference.filter(|text| !text.is_empty()))))
        }
        "choiceInteraction" => {
            let response = response.ok_or_else(missing)?;
            let choices: Vec<&Element> = element.all("simpleChoice").collect();
            let right = response.right();
            let at = |id: &String| choices.iter().position(|choice| choice.attribute("identifier") == Some(id));
            let right: Vec<usize> = right.iter().filter_map(at).collect();
            let several =
                response.cardinality == "multiple" || element.attribute("maxChoices").is_some_and(|most| most != "1");
            let options = choices
                .iter()
                .map(|choice| {
                    let told = choice.first("feedbackInline").map(|told| words(told).0).filter(|told| !told.is_empty());
                    (shown(choice), told)
                })
                .collect();
            let several = several && response.cardinality != "single";
            Ok((stem, choice(options, &right, several)?))
        }
        "orderInteraction" => {
            let response = response.ok_or_else(missing)?;
            let mut items = Vec::new();
            for id in response.right() {
                let found = element.all("simpleChoice").find(|choice| choice.attribute("identifier") == Some(&id));
                items.push((shown(found.ok_or("its right order names an item that is not there")?), None));
            }
            if items.len() != element.all("simpleChoice").count() {
                return Err("its right order does not name each item once".into());
            }
            Ok((stem, Body::Ordering(Ordering { items: labelled(items) })))
        }
        "matchInteraction" => {
            let response = response.ok_or_else(missing)?;
            let sets: Vec<&Element> = element.all("simpleMatchSet").collect();
            let [left, right] = sets.as_slice() else { return Err("it does not match two sets".into()) };
            let text = |set: &Element, shown: &mut dyn FnMut(&Element) -> String, id: &str| {
                set.elements().find(|choice| choice.attribute("identifier") == Some(id)).map(shown)
            };
            let mut pairs = Vec::new();
            let mut joined = Vec::new();
            for pair in response.right() {
                let Some((one, other)) = pair.split_once(' ') else { continue };
                let (one, other) = (one.trim(), other.trim());
                let (Some(from), Some(to)) = (text(left, &mut shown, one), text(right, &mut shown, other)) else {
                    return Err("a right pair names something that is not there".into());
                };
                joined.push((one.to_owned(), other.to_owned()));
                pairs.push((from, to));
            }
            for choice in left.elements() {
                let id = choice.attribute("identifier").unwrap_or_default();
                if joined.iter().filter(|(one, _)| one == id).count() != 1 {
                    return Err("something on its left has no partner or several".into());
                }
            }
            for choice in right.elements() {
                let id = choice.attribute("identifier").unwrap_or_default();
                if !joined.iter().any(|(_, other)| other == id) {
                    pairs.push((String::new(), shown(choice)));
                }
            }
            Ok((stem, Body::Matching(matched(&pairs))))
        }
        "associateInteraction" => {
            let response = response.ok_or_else(missing)?;
            let mut text = |id: &str| {
                element
                    .all("simpleAssociableChoice")
                    .find(|choice| choice.attribute("identifier") == Some(id))
                    .map(&mut shown)
            };
            let mut pairs = Vec::new();
            for pair in response.right() {
                let Some((one, other)) = pair.split_once(' ') else { continue };
                let (Some(one), Some(other)) = (text(one.trim()), text(other.trim())) else {
                    return Err("a right pair names something that is not there".into());
                };
                pairs.push((one, other));
            }
            losses.push("its pairs of one list became pairs of two columns".into());
            Ok((stem, Body::Matching(matched(&pairs))))
        }
        "gapMatchInteraction" => {
            let response = response.ok_or_else(missing)?;
            let words: Vec<(String, String)> = element
                .all("gapText")
                .map(|gap| (gap.attribute("identifier").unwrap_or_default().to_owned(), shown(gap)))
                .collect();
            let flow =
                Flow::of(element, &["gap"], &|inner| matches!(inner.name.as_str(), "prompt" | "gapText" | "gapImg"));
            let right = response.right();
            let blanks = flow.blanks.iter().map(|gap| {
                let id = gap.attribute("identifier").unwrap_or_default();
                let pair = right.iter().filter_map(|pair| pair.split_once(' ')).find(|(_, to)| to.trim() == id);
                let word = pair.and_then(|(from, _)| words.iter().find(|(name, _)| name == from.trim()));
                word.map(|(_, text)| text.clone()).into_iter().collect()
            });
            let blanks = blanks.collect();
            let options = words.iter().map(|(_, text)| text.clone()).collect();
            with_blanks(Some(stem), flow.parts, blanks, options, named)
        }
        other => Err(format!("\"{other}\" is an interaction that questions here do not have")),
    }
}

/// Blanks in a running text: a number, a short answer, or a text to fill.
fn in_text(
    flow: Flow<'_>,
    tolerance: Option<f64>,
    declared: &HashMap<&str, Declared>,
    named: &str,
    losses: &mut Vec<String>,
) -> Result<(String, Body), String> {
    let mut blanks = Vec::new();
    let mut options = Vec::new();
    let mut numeric = None;
    for blank in &flow.blanks {
        let id = blank.attribute("responseIdentifier").unwrap_or_default();
        let response = declared.get(id).ok_or("a response is not declared")?;
        if blank.name == "inlineChoiceInteraction" {
            let choices: Vec<(&str, String)> = blank
                .all("inlineChoice")
                .map(|choice| (choice.attribute("identifier").unwrap_or_default(), words(choice).0))
                .collect();
            let right = response.right();
            blanks.push(
                choices
                    .iter()
                    .filter(|(id, _)| right.iter().any(|one| one == id))
                    .map(|(_, text)| text.clone())
                    .collect(),
            );
            options.extend(choices.into_iter().map(|(_, text)| text));
            continue;
        }
        let (accepted, part) = response.accepted();
        if part {
            losses.push("answers that are worth a part of the points are not accepted".into());
        }
        if matches!(response.base.as_str(), "float" | "integer") {
            numeric = accepted.first().and_then(|text| text.trim().parse::<f64>().ok());
        }
        blanks.push(accepted);
    }
    if let (Some(value), [_]) = (numeric, blanks.as_slice()) {
        let after: String = flow.parts.iter().skip(1).map(String::as_str).collect();
        let text = flow.parts.join(" _____ ");
        let stem = if plain(&after).is_empty() { flow.parts.concat() } else { text };
        let stem = if stem.trim().is_empty() { named.to_owned() } else { stem.trim().to_owned() };
        if tolerance.is_none() {
            losses.push(format!("how far from {} an answer may be is not read: it must be exact", number(value)));
        }
        return Ok((stem, Body::Numeric(Numeric { value, tolerance: tolerance.unwrap_or(0.0), unit: String::new() })));
    }
    if blanks.len() == 1 && blanks.iter().all(Vec::is_empty) {
        // Nothing is right to the letter: a person reads it.
        let stem = flow.parts.concat();
        let stem = if stem.trim().is_empty() { named.to_owned() } else { stem.trim().to_owned() };
        return Ok((stem, essay(None)));
    }
    with_blanks(None, flow.parts, blanks, distinct(options), named)
}

/// How far off an answer may be, when the item compares numbers with one absolute tolerance.
fn tolerance(item: &Element) -> Option<f64> {
    let equal = item.child("responseProcessing")?.first("equal")?;
    let mode = equal.attribute("toleranceMode").unwrap_or("exact");
    let most =
        equal.attribute("tolerance").unwrap_or_default().split_whitespace().next().and_then(|text| text.parse().ok());
    match mode {
        "exact" => Some(0.0),
        "absolute" => most,
        _ => None,
    }
}
