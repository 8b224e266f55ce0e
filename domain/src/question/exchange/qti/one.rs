//! An item of QTI 1.2: what its presentation shows, and what its response processing gives points for.

use super::flow::words;
use super::{Found, choice, distinct, essay, title, with_blanks};
use crate::question::exchange::{html, labelled, matched};
use crate::question::{Body, Numeric, Ordering, plain};
use crate::xml::{Element, Node};

/// Types of Canvas that no question here is like.
const OTHER: &[(&str, &str)] = &[
    ("calculated_question", "it is computed from a formula with values by chance"),
    ("file_upload_question", "it wants a file; make an assignment of it"),
    ("hot_spot_question", "it wants a place in a picture"),
    ("text_only_question", "it is a text, not a question"),
];

/// What is presented, in order.
enum Piece<'e> {
    Text(String),
    Response(Response<'e>),
}

/// A place for an answer.
struct Response<'e> {
    id: &'e str,
    name: &'e str,
    ordered: bool,
    several: bool,
    /// Its own text: the left side of a matching, the name of a blank.
    label: String,
    /// Answers offered: id and text.
    options: Vec<(&'e str, String)>,
    number: bool,
}

/// What an answer is worth.
struct Rule<'e> {
    worth: f64,
    equal: Vec<(&'e str, String)>,
    /// Bounds of a number: the response, the bound, and whether it is the lower one.
    bounds: Vec<(&'e str, f64, bool)>,
    feedback: Option<&'e str>,
}

pub(super) fn question(item: &Element) -> Result<Found, String> {
    let field = |wanted: &str| {
        let field = item
            .below("qtimetadatafield")
            .into_iter()
            .find(|field| field.child("fieldlabel").is_some_and(|label| label.words() == wanted))?;
        field.child("fieldentry").map(Element::words).filter(|text| !text.is_empty())
    };
    let kind = field("question_type").or_else(|| field("cc_profile")).unwrap_or_default();
    if let Some((_, why)) = OTHER.iter().find(|(name, _)| *name == kind) {
        return Err((*why).to_owned());
    }
    let presentation = item.child("presentation").ok_or("it presents nothing")?;
    if presentation.first("response_xy").is_some() || presentation.first("render_hotspot").is_some() {
        return Err("it wants a place in a picture".into());
    }
    if item.first("calculated").is_some() {
        return Err("it is computed from a formula with values by chance".into());
    }
    let mut lost = false;
    let mut pieces = Vec::new();
    present(presentation, &mut pieces, &mut lost);
    let responses: Vec<&Response<'_>> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Response(response) => Some(response),
            Piece::Text(_) => None,
        })
        .collect();
    let rules = rules(item);
    let texts = |pieces: &[Piece<'_>]| {
        let all = pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            Piece::Response(_) => None,
        });
        all.collect::<Vec<_>>().join("\n")
    };
    let named = title(item);
    let asked = Some(texts(&pieces)).filter(|text| !text.is_empty()).unwrap_or_else(|| named.clone());
    let mut losses = Vec::new();
    let solution = item.first("solution").map(|solution| material(solution, &mut lost)).filter(|text| !text.is_empty());
    let (stem, body) = match responses.as_slice() {
        [] if kind.contains("essay") => (asked, essay(solution)),
        [] => return Err("it has no place for an answer: it is a text, not a question".into()),
        [only] if only.name != "response_lid" => match single(item, only, &kind, &rules, solution, &mut losses)? {
            Some(body) => (asked, body),
            None => running(&pieces, &rules, &named)?,
        },
        [only] if only.ordered => (asked, ordered(only, &rules)?),
        [only] if !named_blanks(&asked, &responses) => (asked, chosen(item, only, &rules, &mut losses, &mut lost)?),
        many if many.iter().all(|response| response.name == "response_lid") => {
            if kind == "categorization_question" || many.iter().any(|response| response.several) {
                (asked, categories(many, &rules, &mut losses)?)
            } else if named_blanks(&asked, many) {
                dropdowns(&asked, many, &rules, &kind)?
            } else {
                (asked, Body::Matching(matching(many, &rules)?))
            }
        }
        many if named_blanks(&asked, many) => dropdowns(&asked, many, &rules, &kind)?,
        _ => running(&pieces, &rules, &named)?,
    };
    if lost {
        losses.push(super::write::MARKUP.to_owned());
    }
    Ok(Found { stem, body, losses })
}

/// Texts and places for answers, in their order.
fn present<'e>(element: &'e Element, pieces: &mut Vec<Piece<'e>>, lost: &mut bool) {
    for inner in element.elements() {
        match inner.name.as_str() {
            "material" => pieces.push(Piece::Text(material(inner, lost))),
            "response_lid" | "response_str" | "response_num" | "response_grp" => {
                let says = |name: &str, value: &str| {
                    inner.attribute(name).is_some_and(|text| text.eq_ignore_ascii_case(value))
                };
                let options = inner.below("response_label").into_iter().filter_map(|label| {
                    let text = material(label, lost);
                    Some((label.attribute("ident")?, text))
                });
                let options = options.collect();
                let own = inner.elements().filter(|own| own.name == "material").map(|own| material(own, lost));
                let label = own.collect::<Vec<_>>().join(" ");
                let fib = inner.first("render_fib").and_then(|fib| fib.attribute("fibtype")).unwrap_or_default();
                pieces.push(Piece::Response(Response {
                    id: inner.attribute("ident").unwrap_or_default(),
                    name: &inner.name,
                    ordered: says("rcardinality", "ordered"),
                    several: says("rcardinality", "multiple"),
                    label,
                    options,
                    number: inner.name == "response_num"
                        || ["decimal", "integer", "scientific"].iter().any(|kind| fib.eq_ignore_ascii_case(kind)),
                }));
            }
            _ => present(inner, pieces, lost),
        }
    }
}

/// The words of all material in an element.
fn material(element: &Element, lost: &mut bool) -> String {
    let mut parts = Vec::new();
    let mut open: Vec<&Element> = vec![element];
    while let Some(element) = open.pop() {
        match element.name.as_str() {
            "mattext" | "matemtext" => {
                let (text, more) = written(element);
                *lost |= more;
                parts.push(text);
            }
            "matimage" | "mataudio" | "matvideo" | "matapplet" | "matapplication" => *lost = true,
            "matbreak" => parts.push("\n".into()),
            _ => open.extend(element.elements().rev()),
        }
    }
    parts.concat()
}

fn written(element: &Element) -> (String, bool) {
    if element.elements().next().is_some() {
        return words(element);
    }
    let text = match element.children.first() {
        Some(Node::Text(text)) => text.as_str(),
        _ => return (String::new(), false),
    };
    match element.attribute("texttype") {
        Some(kind) if kind.eq_ignore_ascii_case("text/html") => html::text(text),
        _ => (text.to_owned(), false),
    }
}

fn rules(item: &Element) -> Vec<Rule<'_>> {
    let processing = item.all("resprocessing").flat_map(|processing| processing.all("respcondition"));
    processing
        .map(|condition| {
            let worth = condition
                .all("setvar")
                .filter(|set| {
                    set.attribute("action")
                        .is_none_or(|action| matches!(action.to_ascii_lowercase().as_str(), "set" | "add"))
                })
                .filter_map(|set| set.words().parse::<f64>().ok())
                .fold(0.0, f64::max);
            let mut rule = Rule { worth, equal: Vec::new(), bounds: Vec::new(), feedback: None };
            rule.feedback = condition.all("displayfeedback").find_map(|feedback| feedback.attribute("linkrefid"));
            if let Some(variables) = condition.child("conditionvar") {
                conditions(variables, &mut rule);
            }
            rule
        })
        .collect()
}

/// What must hold; what must not is passed over.
fn conditions<'e>(element: &'e Element, rule: &mut Rule<'e>) {
    for inner in element.elements() {
        let response = inner.attribute("respident").unwrap_or_default();
        let number = || inner.words().parse::<f64>().ok();
        match inner.name.as_str() {
            "not" => {}
            "varequal" | "varsubset" => rule.equal.push((response, inner.text().trim().to_owned())),
            "vargte" | "vargt" => rule.bounds.extend(number().map(|bound| (response, bound, true))),
            "varlte" | "varlt" => rule.bounds.extend(number().map(|bound| (response, bound, false))),
            _ => conditions(inner, rule),
        }
    }
}

/// The text of the feedback that goes with an answer alone.
fn told(item: &Element, rules: &[Rule<'_>], response: &str, answer: &str, lost: &mut bool) -> Option<String> {
    let link = rules.iter().find_map(|rule| match rule.equal.as_slice() {
        [(of, value)] if *of == response && value == answer => rule.feedback,
        _ => None,
    })?;
    let feedback = item.all("itemfeedback").find(|feedback| feedback.attribute("ident") == Some(link))?;
    Some(material(feedback, lost)).filter(|text| !text.trim().is_empty())
}

fn chosen(
    item: &Element,
    response: &Response<'_>,
    rules: &[Rule<'_>],
    losses: &mut Vec<String>,
    lost: &mut bool,
) -> Result<Body, String> {
    let at = |id: &str| response.options.iter().position(|(known, _)| *known == id);
    let mut worth: Vec<(usize, f64)> = Vec::new();
    for rule in rules.iter().filter(|rule| rule.worth > 0.0) {
        for (_, answer) in rule.equal.iter().filter(|(of, _)| *of == response.id) {
            worth.extend(at(answer).map(|place| (place, rule.worth)));
        }
    }
    let most = worth.iter().map(|(_, worth)| *worth).fold(0.0, f64::max);
    let counts = |points: f64| response.several || points >= most;
    let mut right: Vec<usize> = worth.iter().filter(|(_, points)| counts(*points)).map(|(place, _)| *place).collect();
    right.sort_unstable();
    right.dedup();
    if worth.iter().any(|(_, points)| !counts(*points)) {
        losses.push("answers that are worth a part of the points count as wrong".into());
    }
    let options = response
        .options
        .iter()
        .map(|(id, text)| (text.trim().to_owned(), told(item, rules, response.id, id, lost)))
        .collect();
    choice(options, &right, response.several)
}

fn ordered(response: &Response<'_>, rules: &[Rule<'_>]) -> Result<Body, String> {
    let best = rules.iter().filter(|rule| rule.worth > 0.0).max_by_key(|rule| rule.equal.len());
    let mut items = Vec::new();
    for (_, id) in best.map(|rule| rule.equal.as_slice()).unwrap_or_default() {
        let found = response.options.iter().find(|(known, _)| known == id);
        let (_, text) = found.ok_or("its right order names an item that is not there")?;
        items.push((text.trim().to_owned(), None));
    }
    if items.len() != response.options.len() {
        return Err("its right order does not name each item once".into());
    }
    Ok(Body::Ordering(Ordering { items: labelled(items) }))
}

/// The answer that gives points for a response.
fn right<'r>(rules: &'r [Rule<'_>], response: &str) -> Vec<&'r str> {
    let giving = rules.iter().filter(|rule| rule.worth > 0.0);
    giving.flat_map(|rule| &rule.equal).filter(|(of, _)| *of == response).map(|(_, answer)| answer.as_str()).collect()
}

fn matching(responses: &[&Response<'_>], rules: &[Rule<'_>]) -> Result<crate::question::Matching, String> {
    let mut pairs = Vec::new();
    let mut used = Vec::new();
    // A row without a label asks for nothing.
    for response in responses.iter().filter(|response| !response.label.trim().is_empty()) {
        let answers = right(rules, response.id);
        let partner = response.options.iter().find(|(id, _)| answers.contains(id));
        let (id, text) = partner.ok_or("something on its left has no right partner")?;
        used.push(*id);
        pairs.push((response.label.trim().to_owned(), text.trim().to_owned()));
    }
    for (id, text) in responses.iter().flat_map(|response| &response.options) {
        // A distractor without words offers nothing.
        if !used.contains(id) && !text.trim().is_empty() {
            used.push(id);
            pairs.push((String::new(), text.trim().to_owned()));
        }
    }
    Ok(matched(&pairs))
}

/// Things put into categories: each thing is matched with its category.
fn categories(responses: &[&Response<'_>], rules: &[Rule<'_>], losses: &mut Vec<String>) -> Result<Body, String> {
    let mut pairs = Vec::new();
    let mut used = Vec::new();
    for response in responses {
        for answer in right(rules, response.id) {
            let found = response.options.iter().find(|(id, _)| *id == answer);
            let (id, text) = found.ok_or("a category names something that is not there")?;
            if used.contains(id) {
                return Err("something belongs into several categories".into());
            }
            used.push(*id);
            pairs.push((text.trim().to_owned(), response.label.trim().to_owned()));
        }
    }
    let all = responses.iter().flat_map(|response| &response.options).map(|(id, _)| *id);
    let left: std::collections::HashSet<&str> = all.filter(|id| !used.contains(id)).collect();
    if !left.is_empty() {
        losses.push(format!("{} things that belong into no category", left.len()));
    }
    Ok(Body::Matching(matched(&pairs)))
}

/// The name of the blank that a response fills: Canvas puts `[name]` into the text and `response_name` here.
fn blank_name<'e>(response: &Response<'e>) -> &'e str {
    response.id.strip_prefix("response_").unwrap_or(response.id)
}

fn named_blanks(asked: &str, responses: &[&Response<'_>]) -> bool {
    responses.iter().all(|response| !response.id.is_empty() && asked.contains(&format!("[{}]", blank_name(response))))
}

fn dropdowns(
    asked: &str,
    responses: &[&Response<'_>],
    rules: &[Rule<'_>],
    kind: &str,
) -> Result<(String, Body), String> {
    let mut found: Vec<(usize, usize, &Response<'_>)> = responses
        .iter()
        .filter_map(|response| {
            let mark = format!("[{}]", blank_name(response));
            asked.find(&mark).map(|at| (at, at + mark.len(), *response))
        })
        .collect();
    found.sort_by_key(|(at, ..)| *at);
    let (mut parts, mut blanks, mut options, mut end) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for (from, to, response) in found {
        // In a Canvas fill-in every answer offered is right; in a drop-down the one that gives points.
        let answers = right(rules, response.id);
        let fill = kind.starts_with("fill_in") && !response.options.is_empty();
        let text = |(_, text): &(&str, String)| text.trim().to_owned();
        let accepted: Vec<String> = if fill {
            let first = response.options.iter().filter(|(id, _)| answers.contains(id));
            distinct(first.chain(&response.options).map(text))
        } else if response.options.is_empty() {
            distinct(answers.iter().map(|answer| (*answer).to_owned()))
        } else {
            options.extend(response.options.iter().map(text));
            distinct(response.options.iter().filter(|(id, _)| answers.contains(id)).map(text))
        };
        parts.push(asked.get(end..from).unwrap_or_default().to_owned());
        blanks.push(accepted);
        end = to;
    }
    parts.push(asked.get(end..).unwrap_or_default().to_owned());
    with_blanks(None, parts, blanks, distinct(options), "")
}

/// One place to write into: a number, some words, or an essay; `None` when it is a blank in a running text.
fn single(
    item: &Element,
    response: &Response<'_>,
    kind: &str,
    rules: &[Rule<'_>],
    solution: Option<String>,
    losses: &mut Vec<String>,
) -> Result<Option<Body>, String> {
    let answers = right(rules, response.id);
    if response.number || kind == "numerical_question" {
        let giving: Vec<&Rule<'_>> = rules.iter().filter(|rule| rule.worth > 0.0).collect();
        let Some(first) = giving.first() else { return Err("it does not say which number is right".into()) };
        if giving.len() > 1 {
            losses.push("only the first of several right numbers is kept".into());
        }
        let bound = |lower: bool| first.bounds.iter().find(|(.., low)| *low == lower).map(|(_, bound, _)| *bound);
        let named = first.equal.first().and_then(|(_, text)| text.parse::<f64>().ok());
        let (value, tolerance) = match (named, bound(true), bound(false)) {
            (Some(value), Some(low), Some(high)) => (value, (value - low).max(high - value)),
            (Some(value), ..) => (value, 0.0),
            (None, Some(low), Some(high)) => (f64::midpoint(low, high), (high - low) / 2.0),
            _ => return Err("it does not say which number is right".into()),
        };
        return Ok(Some(Body::Numeric(Numeric { value, tolerance: tolerance.max(0.0), unit: String::new() })));
    }
    if kind.contains("essay") || answers.is_empty() {
        return Ok(Some(essay(solution)));
    }
    let presentation = item.child("presentation");
    let after = presentation.is_some_and(|presentation| {
        let mut seen = false;
        let mut after = String::new();
        let mut open: Vec<&Element> = presentation.elements().rev().collect();
        while let Some(element) = open.pop() {
            match element.name.as_str() {
                "response_str" => seen = true,
                "material" if seen => after.push_str(&element.text()),
                _ => open.extend(element.elements().rev()),
            }
        }
        !plain(&after).is_empty()
    });
    if after {
        return Ok(None);
    }
    let accepted = distinct(answers.iter().map(|answer| (*answer).to_owned()));
    Ok(Some(Body::ShortAnswer(crate::question::ShortAnswer { accepted, reference: solution })))
}

/// Blanks between pieces of text. Of several pieces before the first blank, the last belongs to its line.
fn running(pieces: &[Piece<'_>], rules: &[Rule<'_>], named: &str) -> Result<(String, Body), String> {
    let first = pieces.iter().position(|piece| matches!(piece, Piece::Response(_))).unwrap_or(0);
    let text = |piece: &Piece<'_>| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Response(_) => String::new(),
    };
    let (stem, from) = if first > 1 {
        let head: Vec<String> = pieces.iter().take(first - 1).map(text).collect();
        (Some(head.join("\n").trim().to_owned()), first - 1)
    } else {
        (None, 0)
    };
    let (mut parts, mut blanks) = (vec![String::new()], Vec::new());
    for piece in pieces.iter().skip(from) {
        match piece {
            Piece::Text(text) => {
                if let Some(part) = parts.last_mut() {
                    part.push_str(text);
                }
            }
            Piece::Response(response) => {
                blanks.push(distinct(right(rules, response.id).into_iter().map(str::to_owned)));
                parts.push(String::new());
            }
        }
    }
    with_blanks(stem, parts, blanks, Vec::new(), named)
}
