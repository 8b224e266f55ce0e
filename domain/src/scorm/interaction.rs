//! Responses of learners and correct response patterns, by the type of the interaction.
//!
//! SCORM 2004 RTE 4.2.9: `[,]` parts a list, `[.]` a pair, `[:]` a range; `{case_matters=..}`,
//! `{order_matters=..}` and `{lang=..}` stand before what they say something about.

use super::kind::{is_short_identifier, localized, real};

/// Most entries of a choice, a sequence or pairs.
const CHOICES: usize = 36;
/// Most blanks of a fill-in.
const BLANKS: usize = 10;
/// Most steps of a performance (the standard's 250 for a response).
const STEPS: usize = 250;

/// How many patterns an interaction of a type may have, and whether they have to differ.
pub(super) fn patterns(interaction: &str) -> (usize, bool) {
    match interaction {
        "choice" => (10, true),
        "sequencing" => (5, true),
        "fill-in" | "long-fill-in" | "matching" | "performance" => (5, false),
        // true-false, likert, numeric and other have one.
        _ => (1, false),
    }
}

/// Whether a learner's response has the form of its type.
pub(super) fn is_response(interaction: &str, value: &str) -> bool {
    match interaction {
        "true-false" => matches!(value, "true" | "false"),
        "choice" => is_set(value),
        "fill-in" => {
            let blanks: Vec<&str> = value.split("[,]").collect();
            blanks.len() <= BLANKS && blanks.iter().all(|blank| localized(blank).is_some())
        }
        "long-fill-in" => localized(value).is_some(),
        "matching" => is_pairs(value),
        "performance" => is_steps(value, false),
        "sequencing" => is_list(value),
        "likert" => is_short_identifier(value),
        "numeric" => real(value).is_some(),
        "other" => true,
        _ => false,
    }
}

/// Whether a correct response has the form of its type.
pub(super) fn is_pattern(interaction: &str, value: &str) -> bool {
    match interaction {
        "fill-in" => {
            let Some(rest) = flags(value, &["case_matters", "order_matters"]) else { return false };
            is_response("fill-in", rest)
        }
        "long-fill-in" => flags(value, &["case_matters"]).is_some_and(|rest| localized(rest).is_some()),
        "performance" => flags(value, &["order_matters"]).is_some_and(|rest| is_steps(rest, true)),
        "numeric" => is_range(value),
        other => is_response(other, value),
    }
}

/// What stands after leading flags, each at most once; nothing when one is neither true nor false.
fn flags<'v>(value: &'v str, names: &[&str]) -> Option<&'v str> {
    let mut rest = value;
    let mut left: Vec<&str> = names.to_vec();
    loop {
        let Some(body) = rest.strip_prefix('{') else { return Some(rest) };
        let Some((name, after)) = body.split_once('=') else { return Some(rest) };
        if !matches!(name, "case_matters" | "order_matters") {
            return Some(rest);
        }
        let place = left.iter().position(|known| *known == name)?;
        left.swap_remove(place);
        rest = after.strip_prefix("true}").or_else(|| after.strip_prefix("false}"))?;
    }
}

/// Identifiers, each once; the empty set is one.
fn is_set(value: &str) -> bool {
    if value.is_empty() {
        return true;
    }
    let mut seen = std::collections::BTreeSet::new();
    value.split("[,]").all(|one| is_short_identifier(one) && seen.insert(one)) && seen.len() <= CHOICES
}

fn is_list(value: &str) -> bool {
    value.split("[,]").count() <= CHOICES && value.split("[,]").all(is_short_identifier)
}

fn is_pairs(value: &str) -> bool {
    if value.is_empty() {
        return true;
    }
    value.split("[,]").count() <= CHOICES
        && value.split("[,]").all(|pair| {
            pair.split_once("[.]").is_some_and(|(one, other)| is_short_identifier(one) && is_short_identifier(other))
        })
}

/// Steps `name[.]answer`; either may be missing, not both. In a pattern the answer may be a range.
fn is_steps(value: &str, pattern: bool) -> bool {
    value.split("[,]").count() <= STEPS
        && value.split("[,]").all(|step| {
            let Some((name, answer)) = step.split_once("[.]") else { return false };
            let named = name.is_empty() || is_short_identifier(name);
            let answered = !pattern || !answer.contains("[:]") || is_range(answer);
            named && answered && !(name.is_empty() && answer.is_empty())
        })
}

/// `least[:]most`, each may be missing; a number alone is the range of itself.
fn is_range(value: &str) -> bool {
    let Some((least, most)) = value.split_once("[:]") else { return real(value).is_some() };
    let bound = |text: &str| if text.is_empty() { Some(None) } else { real(text).map(Some) };
    match (bound(least), bound(most)) {
        (Some(Some(least)), Some(Some(most))) => least <= most,
        (Some(_), Some(_)) => true,
        _ => false,
    }
}
