//! What a learner sees of a question. No type here has a field for a key, a rationale or a source.

use serde::{Deserialize, Serialize};

use super::{Choice, Question};
use crate::QuestionId;

/// An option, item or half as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Item {
    /// Name to answer with.
    pub id: String,
    /// What is shown.
    pub text: String,
}

impl From<&Choice> for Item {
    fn from(choice: &Choice) -> Self {
        Self { id: choice.id.clone(), text: choice.text.clone() }
    }
}

/// The type-specific part of what is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Shown {
    /// Choose one.
    MultipleChoice {
        /// Shuffled.
        options: Vec<Item>,
    },
    /// Choose all that are right.
    MultipleAnswer {
        /// Shuffled.
        options: Vec<Item>,
    },
    /// Say whether it holds.
    TrueFalse,
    /// Fill the blanks between the parts.
    Cloze {
        /// Text around the blanks: one more than there are blanks.
        parts: Vec<String>,
    },
    /// Answer in a few words.
    ShortAnswer,
    /// Give each left its right.
    Matching {
        /// In the order of the question.
        left: Vec<Item>,
        /// Shuffled.
        right: Vec<Item>,
    },
    /// Put in order.
    Ordering {
        /// Shuffled.
        items: Vec<Item>,
    },
    /// Give a number.
    Numeric {
        /// Whether a unit is wanted.
        unit: bool,
    },
    /// Write.
    Essay {
        /// At least so many words, when asked for.
        least_words: Option<u32>,
    },
}

/// A question as a learner gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// Identity.
    pub id: QuestionId,
    /// What is asked.
    pub stem: String,
    /// What to answer with.
    #[serde(flatten)]
    pub shown: Shown,
}

impl Question {
    /// What a learner sees, shuffled by `seed`: the same seed gives the same order.
    #[must_use]
    pub fn asked(&self, seed: u64) -> Asked {
        Asked { id: self.id, stem: self.draft.stem.clone(), shown: self.draft.body.kind().shown(seed) }
    }
}

/// The choices in an order that depends on the seed and on nothing that tells the key.
pub(crate) fn shuffled(choices: &[Choice], seed: u64) -> Vec<Item> {
    use sha2::{Digest as _, Sha256};
    let mut items: Vec<Item> = choices.iter().map(Item::from).collect();
    items.sort_by_cached_key(|item| {
        Sha256::new().chain_update(seed.to_be_bytes()).chain_update(&item.id).finalize().to_vec()
    });
    items
}

#[cfg(test)]
mod tests {
    use crate::question::*;

    const CANARY: &str = "KEYCANARY";

    fn questions() -> Vec<Draft> {
        let choice = |id: &str, text: &str| Choice { rationale: Some(CANARY.into()), ..Choice::new(id, text) };
        let bodies = vec![
            Body::MultipleChoice(MultipleChoice {
                options: vec![choice("a", "one"), choice("b", "two")],
                right: "a".into(),
            }),
            Body::MultipleAnswer(MultipleAnswer {
                options: vec![choice("a", "one"), choice("b", "two")],
                right: vec!["a".into()],
            }),
            Body::TrueFalse(TrueFalse { right: true, rationale: Some(CANARY.into()) }),
            Body::Cloze(Cloze {
                parts: vec!["x".into(), "y".into()],
                blanks: vec![vec![CANARY.into()]],
                options: vec![],
            }),
            Body::ShortAnswer(ShortAnswer { accepted: vec![CANARY.into()], reference: Some(CANARY.into()) }),
            Body::Matching(Matching {
                left: vec![choice("l1", "A"), choice("l2", "B")],
                right: vec![choice("r1", "1"), choice("r2", "2")],
                pairs: vec![("l1".into(), "r1".into()), ("l2".into(), "r2".into())],
            }),
            Body::Ordering(Ordering { items: vec![choice("i", "first"), choice("j", "second")] }),
            Body::Numeric(Numeric { value: 31_337.25, tolerance: 0.0, unit: CANARY.into() }),
            Body::Essay(Essay { least_words: Some(5), reference: Some(CANARY.into()) }),
        ];
        let draft = |body| Draft {
            lesson: None,
            stem: "What?".into(),
            body,
            source: None,
            bloom: None,
            difficulty: None,
            origin: Origin::of(OriginKind::Manual),
            lint: vec![Flaw::soft("X", CANARY)],
            hints: vec![CANARY.into()],
        };
        bodies.into_iter().map(draft).collect()
    }

    #[test]
    fn what_a_learner_sees_holds_no_key() {
        for draft in questions() {
            let question =
                Question { id: QuestionId::fresh(), course: CourseId::fresh(), version: 1, state: State::Live, draft };
            let seen = serde_json::to_string(&question.asked(7)).unwrap();
            for secret in [CANARY, "31337", "right\":\"", "\"right\":true", "pairs", "rationale", "hints", "lint"] {
                assert!(!seen.contains(secret), "{secret} in {seen}");
            }
            assert_eq!(question.asked(7), question.asked(7));
        }
    }

    #[test]
    fn the_order_shown_does_not_depend_on_the_key() {
        let items: Vec<Choice> = (0..6).map(|n| Choice::new(format!("x{n}"), format!("step {n}"))).collect();
        let orders: std::collections::HashSet<Vec<String>> =
            (0..40).map(|seed| super::shuffled(&items, seed).into_iter().map(|item| item.id).collect()).collect();
        assert!(orders.len() > 20, "{} orders of 40 seeds", orders.len());
    }

    #[test]
    fn every_type_survives_json() {
        for draft in questions() {
            let text = serde_json::to_string(&draft).unwrap();
            assert_eq!(serde_json::from_str::<Draft>(&text).unwrap(), draft);
            assert!(Body::TYPES.contains(&draft.body.type_name()));
        }
    }
}
