//! Reading a model's reply: JSON by schema, or prose with `[S1]` markers.
//!
//! Citing never changes the words: the text of a sentence is the reply minus its markers, byte for
//! byte. A reply that is neither form is refused, and so is JSON with fields that were not asked
//! for: a place of citation is not a model's to give.

use serde::Deserialize;

/// One sentence as the model wrote it, and the numbers of the sources that it claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The words, markers taken out and nothing else.
    pub text: String,
    /// Source numbers, from 1, in order of appearance.
    pub cites: Vec<usize>,
}

/// A reply that can be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The whole text minus markers.
    pub text: String,
    /// Its sentences in order.
    pub claims: Vec<Claim>,
}

/// Why a reply cannot even be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// JSON that does not fit the schema.
    #[error("the reply is JSON of another shape")]
    Shape,
    /// No sentence.
    #[error("the reply holds no sentence")]
    Empty,
    /// Longer than an answer may be.
    #[error("the reply is too long")]
    Long,
}

/// Most bytes of a reply that are read.
pub const MOST_BYTES: usize = 8_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    sentences: Vec<WireSentence>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSentence {
    text: String,
    cites: Vec<usize>,
}

/// The schema that the backend is asked to keep to.
#[must_use]
pub fn schema() -> serde_json::Value {
    serde_json::json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["sentences"],
        "properties": {"sentences": {"type": "array", "maxItems": 8, "items": {
            "type": "object",
            "additionalProperties": false,
            "required": ["text", "cites"],
            "properties": {
                "text": {"type": "string"},
                "cites": {"type": "array", "minItems": 1, "maxItems": 3, "items": {"type": "integer", "minimum": 1}}
            }
        }}}
    })
}

/// Reads a reply.
///
/// # Errors
/// When it is neither form, empty or too long.
pub fn read(reply: &str) -> Result<Draft, Unreadable> {
    if reply.len() > MOST_BYTES {
        return Err(Unreadable::Long);
    }
    let trimmed = reply.trim();
    let bare = llm_gateway::structured::bare(trimmed);
    let draft = if bare.starts_with('{') || bare.starts_with('[') && !bare.starts_with("[S") {
        from_json(bare)?
    } else {
        from_markers(trimmed)
    };
    if draft.claims.is_empty() { Err(Unreadable::Empty) } else { Ok(draft) }
}

fn from_json(text: &str) -> Result<Draft, Unreadable> {
    let wire: Wire = serde_json::from_str(text).map_err(|_| Unreadable::Shape)?;
    let mut claims = Vec::new();
    for sentence in wire.sentences {
        // Small models repeat the marker inside the text; it is taken out and counts as a claim.
        let (text, markers) = without_markers(&sentence.text);
        if text.trim().is_empty() {
            return Err(Unreadable::Shape);
        }
        let mut cites = sentence.cites;
        cites.extend(markers.into_iter().map(|(_, number)| number));
        dedup(&mut cites);
        claims.push(Claim { text, cites });
    }
    let text = claims.iter().map(|claim| claim.text.as_str()).collect::<Vec<_>>().join(" ");
    Ok(Draft { text, claims })
}

fn from_markers(reply: &str) -> Draft {
    let (text, markers) = without_markers(reply);
    let ranges = domain::text::sentences(&text);
    let claims = ranges
        .iter()
        .enumerate()
        .map(|(i, (start, end))| {
            let next = ranges.get(i + 1).map_or(usize::MAX, |(next, _)| *next);
            // A marker after the full stop belongs to the sentence that it follows.
            let first = if i == 0 { 0 } else { *start + 1 };
            let mut cites: Vec<usize> =
                markers.iter().filter(|(at, _)| *at >= first && *at <= next).map(|(_, number)| *number).collect();
            dedup(&mut cites);
            Claim { text: text.get(*start..*end).unwrap_or_default().to_owned(), cites }
        })
        .collect();
    Draft { text, claims }
}

fn dedup(cites: &mut Vec<usize>) {
    let mut seen = std::collections::HashSet::new();
    cites.retain(|number| seen.insert(*number));
}

/// The text without `[S12]` (and the white space before it), and where each marker stood.
///
/// A marker whose number does not fit is kept as a claim of source 0, which never exists.
#[must_use]
pub fn without_markers(text: &str) -> (String, Vec<(usize, usize)>) {
    let mut clean = String::with_capacity(text.len());
    let mut markers = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("[S") {
        let (before, from) = rest.split_at(at);
        let digits = from.get(2..).unwrap_or_default();
        let length = digits.bytes().take_while(u8::is_ascii_digit).count();
        if length > 0 && digits.as_bytes().get(length) == Some(&b']') {
            clean.push_str(before.trim_end_matches([' ', '\t']));
            let number = digits.get(..length).and_then(|digits| digits.parse().ok()).unwrap_or(0);
            markers.push((clean.len(), number));
            rest = digits.get(length + 1..).unwrap_or_default();
        } else {
            clean.push_str(before);
            clean.push_str("[S");
            rest = digits;
        }
    }
    clean.push_str(rest);
    (clean, markers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_belong_to_the_sentence_they_follow_and_leave_the_words_alone() {
        let draft = read("A loop repeats [S1]. A slice borrows.[S2] [S3] It ends here [S1][S2].").unwrap();
        assert_eq!(draft.text, "A loop repeats. A slice borrows. It ends here.");
        let got: Vec<(&str, &[usize])> = draft.claims.iter().map(|c| (c.text.as_str(), c.cites.as_slice())).collect();
        assert_eq!(got, [("A loop repeats.", &[1][..]), ("A slice borrows.", &[2, 3]), ("It ends here.", &[1, 2])]);
    }

    #[test]
    fn a_leading_marker_is_the_first_sentences_own() {
        let draft = read("[S2] A loop repeats.").unwrap();
        assert_eq!(draft.claims.first().map(|c| c.cites.clone()), Some(vec![2]));
    }

    #[test]
    fn json_with_a_place_of_its_own_is_refused() {
        let reply = r#"{"sentences":[{"text":"A.","cites":[1],"seconds":754}]}"#;
        assert_eq!(read(reply), Err(Unreadable::Shape));
    }

    #[test]
    fn a_fence_around_json_is_no_obstacle() {
        let draft = read("```json\n{\"sentences\":[{\"text\":\"A loop repeats.\",\"cites\":[1]}]}\n```").unwrap();
        assert_eq!(draft.text, "A loop repeats.");
    }

    #[test]
    fn a_number_too_large_claims_a_source_that_never_exists() {
        assert_eq!(without_markers("x [S99999999999999999999999]").1, [(1, 0)]);
    }
}
