//! One criterion judged by words alone, and what words say against a model's judgement.

use domain::grade::{Evidence, Flag, Judged};
use domain::question::OriginKind;
use domain::rubric::Criterion;
use domain::text::{sentences, terms};

use crate::check::{contradicts, other_number};
use crate::grade::{Graded, Item, Proposal, Vectors, propose_with};

/// Sentences that are compared with a reference at a time: features of overlap fade in long texts.
const WINDOW: usize = 3;
/// A share from which words speak for an answer.
const STRONG: f64 = 0.8;
/// A share for which every number must be the reference's.
const FULL: f64 = 0.75;

/// What the lines of a reference are.
#[derive(Clone, Copy)]
pub(super) enum Lines {
    /// Each is a full answer by itself: the accepted answers of a question.
    Alternatives,
    /// Together they are what a full answer says.
    OneText,
}

/// What words show of one criterion.
pub(super) struct Words {
    /// Nothing when the rubric gives no reference to compare with.
    found: Option<(usize, Proposal)>,
}

impl Words {
    /// The best few sentences of a text as an item beside the criterion's reference, and where they begin; nothing
    /// when the rubric gives no reference.
    pub(super) fn item(
        stem: &str,
        criterion: &Criterion,
        text: &str,
        graded: &[(String, f64)],
        lines: Lines,
    ) -> Option<(usize, Item)> {
        let reference = criterion.reference.as_deref().filter(|text| !terms(text).is_empty())?;
        let (start, end) = best_window(reference, text);
        let excerpt = text.get(start..end).unwrap_or(text);
        let graded = graded.iter().map(|(text, share)| {
            let (start, end) = best_window(reference, text);
            Graded { answer: text.get(start..end).unwrap_or(text).to_owned(), score: share.clamp(0.0, 1.0) }
        });
        let item = Item {
            id: criterion.id.clone(),
            question: stem.to_owned(),
            reference: match lines {
                Lines::Alternatives => reference.to_owned(),
                Lines::OneText => reference.split_whitespace().collect::<Vec<_>>().join(" "),
            },
            references: Vec::new(),
            answer: excerpt.to_owned(),
            max: 1.0,
            graded: graded.collect(),
        };
        Some((start, item))
    }

    /// What that comparison shows, by words and, where there are vectors, by meaning.
    pub(super) fn of(item: Option<&(usize, Item)>, vectors: Option<&Vectors>) -> Self {
        let found = item.and_then(|(start, item)| Some((*start, propose_with(item, vectors).ok()?)));
        Self { found }
    }

    /// The judgement, or why there is none.
    pub(super) fn judged(&self, criterion: &Criterion) -> Judged {
        let none = Judged {
            criterion: criterion.id.clone(),
            level: None,
            share: None,
            by: OriginKind::Extract,
            confidence: 0.0,
            evidence: Vec::new(),
            flags: vec![Flag::NeedsLook],
            comment: None,
            why_not: Some("the rubric says nothing that words could be compared with; a person judges this".into()),
        };
        let Some((offset, proposal)) = &self.found else { return none };
        let Some(level) = criterion.level_for(proposal.score) else { return none };
        let evidence = proposal.criteria.iter().flat_map(|one| &one.evidence).map(|one| Evidence {
            start: one.start + offset,
            end: one.end + offset,
            quote: one.quote.clone(),
        });
        Judged {
            level: Some(level.id.clone()),
            share: Some(level.share),
            confidence: proposal.confidence,
            evidence: evidence.collect(),
            flags: proposal.flags.clone(),
            comment: None,
            why_not: None,
            ..none
        }
    }

    /// Whether words alone would give nearly all.
    pub(super) fn strong(&self) -> bool {
        self.found.as_ref().is_some_and(|(_, found)| found.score >= STRONG && found.flags.is_empty())
    }

    /// What words say against this share of the points for these quotes; nothing where they cannot tell.
    pub(super) fn against(&self, criterion: &Criterion, text: &str, evidence: &[Evidence], share: f64) -> Vec<Flag> {
        let plain = [Flag::KeywordList, Flag::CopiedQuestion, Flag::CopiedReference, Flag::Empty];
        let found = self.found.iter().flat_map(|(_, found)| &found.flags);
        let mut flags: Vec<Flag> = found.copied().filter(|flag| plain.contains(flag)).collect();
        let Some(reference) = &criterion.reference else { return flags };
        let whole = sentences(text);
        // A quote is judged with the whole sentence that it was taken from.
        let quoted: Vec<&str> = whole
            .iter()
            .filter(|(start, end)| evidence.iter().any(|one| one.start < *end && one.end > *start))
            .filter_map(|(start, end)| text.get(*start..*end))
            .collect();
        if quoted.iter().any(|one| contradicts(one, reference)) {
            flags.push(Flag::Contradiction);
        }
        if share >= FULL && quoted.iter().any(|one| other_number(one, reference)) {
            flags.push(Flag::Numbers);
        }
        flags
    }
}

/// Terms shared and how short it is, with the bytes from and to.
type Window = ((usize, std::cmp::Reverse<usize>), (usize, usize));

/// The few neighbouring sentences that share most with a reference, as byte offsets; the shortest such window.
fn best_window(reference: &str, text: &str) -> (usize, usize) {
    let wanted: std::collections::HashSet<String> = terms(reference).into_iter().collect();
    let spans = sentences(text);
    let held: Vec<std::collections::HashSet<String>> = spans
        .iter()
        .map(|(start, end)| {
            let found = text.get(*start..*end).map(terms).unwrap_or_default();
            found.into_iter().filter(|term| wanted.contains(term)).collect()
        })
        .collect();
    let mut best: Option<Window> = None;
    for first in 0..spans.len() {
        let mut together = std::collections::HashSet::new();
        for last in first..spans.len().min(first + WINDOW) {
            together.extend(held.get(last).into_iter().flatten().cloned());
            let (Some((start, _)), Some((_, end))) = (spans.get(first), spans.get(last)) else { continue };
            let rank = (together.len(), std::cmp::Reverse(last - first));
            if best.as_ref().is_none_or(|(most, _)| rank > *most) {
                best = Some((rank, (*start, *end)));
            }
        }
    }
    best.map_or((0, text.len()), |(_, window)| window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_names_bytes_of_the_whole_text() {
        let criterion = Criterion {
            id: "c".into(),
            title: "Moves".into(),
            description: String::new(),
            reference: Some("The old variable becomes invalid after the move.".into()),
            points: 2.0,
            levels: domain::rubric::three_levels(),
        };
        for before in ["", "Größe zählt. ", "Erster Satz — ganz anders! 🦀 Und noch einer.\n\n"] {
            let text = format!("{before}After a move the old variable is invalid. Nothing else matters here.");
            let judged = Words::of(Words::item("What happens?", &criterion, &text, &[], Lines::OneText).as_ref(), None)
                .judged(&criterion);
            assert!(!judged.evidence.is_empty(), "{text}");
            assert!(judged.evidence.iter().all(|one| one.holds(&text)), "{judged:?}");
        }
        let open = Criterion { reference: None, ..criterion };
        let judged =
            Words::of(Words::item("What?", &open, "Anything.", &[], Lines::OneText).as_ref(), None).judged(&open);
        assert!(judged.level.is_none() && judged.why_not.is_some(), "{judged:?}");
    }

    #[test]
    fn one_line_of_a_reference_is_no_full_answer_unless_each_line_is_one() {
        let criterion = Criterion {
            id: "c".into(),
            title: "Moves".into(),
            description: String::new(),
            reference: Some(
                "Ownership goes to the new variable.\nThe old variable becomes invalid.\nMemory is freed once.".into(),
            ),
            points: 2.0,
            levels: domain::rubric::three_levels(),
        };
        let share = |lines| {
            let item = Words::item("What happens?", &criterion, "The old variable becomes invalid then.", &[], lines);
            Words::of(item.as_ref(), None).found.unwrap().1.score
        };
        assert!(share(Lines::OneText) < share(Lines::Alternatives), "{}", share(Lines::OneText));
        assert!(share(Lines::OneText) < 0.75, "{}", share(Lines::OneText));
    }
}
