//! Questions with what should come of them.

use std::collections::HashSet;

use serde::Deserialize;

use crate::{Error, Result};

/// Whether the course answers a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A section of the course does.
    Answerable,
    /// Another subject altogether.
    Far,
    /// It sounds like the course, which does not cover it.
    Near,
}

impl Kind {
    /// The spelling used in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Answerable => "answerable",
            Self::Far => "far",
            Self::Near => "near",
        }
    }
}

/// A section that answers a question.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gold {
    /// Path of the document within its source.
    pub source_path: String,
    /// A heading over the passage.
    pub heading: String,
}

impl Gold {
    /// Whether a passage lies in this section.
    #[must_use]
    pub fn holds(&self, source_path: &str, heading_path: &[String]) -> bool {
        self.source_path == source_path && heading_path.iter().any(|heading| plain(heading) == plain(&self.heading))
    }
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Question {
    /// Name in reports.
    pub id: String,
    /// What is asked.
    pub question: String,
    /// Whether the course answers it.
    pub kind: Kind,
    /// The sections that do.
    #[serde(default)]
    pub gold: Vec<Gold>,
}

impl Question {
    /// Whether it holds a content word of the heading of its gold.
    #[must_use]
    pub fn shares_words(&self) -> bool {
        let asked: HashSet<String> = domain::text::terms(&self.question).into_iter().collect();
        self.gold.iter().any(|gold| domain::text::terms(&gold.heading).iter().any(|term| asked.contains(term)))
    }
}

const DATASETS: &[(&str, &str)] = &[("rust-book.questions", include_str!("../data/rust-book.questions.jsonl"))];

/// The built-in dataset of that name.
///
/// # Errors
/// There is none, or a line of it is damaged.
pub fn named(name: &str) -> Result<Vec<Question>> {
    let (_, text) = DATASETS.iter().find(|(known, _)| *known == name).ok_or_else(|| Error::Damaged {
        what: format!("dataset \"{name}\""),
        reason: "there is none of that name".into(),
    })?;
    parse(text)
}

/// Questions from JSON lines.
///
/// # Errors
/// A line is no question.
pub fn parse(text: &str) -> Result<Vec<Question>> {
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            serde_json::from_str(line)
                .map_err(|error| Error::Damaged { what: format!("dataset, line {number}"), reason: error.to_string() })
        })
        .collect()
}

/// A heading as it is compared: lower case, one kind of apostrophe, no code marks.
fn plain(heading: &str) -> String {
    heading.replace(['`', '*', '_'], "").replace('\u{2019}', "'").trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn the_questions_on_the_rust_book_are_enough_and_in_other_words() {
        let questions = named("rust-book.questions").unwrap();
        let count = |kind| questions.iter().filter(|q| q.kind == kind).count();
        assert!(count(Kind::Answerable) >= 50 && count(Kind::Far) >= 20 && count(Kind::Near) >= 20);
        let shared: Vec<&str> = questions.iter().filter(|q| q.shares_words()).map(|q| q.question.as_str()).collect();
        // The dataset was written against another list of stop words; a few common words may remain.
        assert!(shared.len() * 20 <= questions.len(), "{shared:#?}");
        assert!(questions.iter().all(|q| (q.kind == Kind::Answerable) != q.gold.is_empty()));
    }

    #[test]
    fn headings_are_compared_without_their_marks() {
        let gold = Gold { source_path: "a.md".into(), heading: "Using `async`'s power".into() };
        assert!(gold.holds("a.md", &["Part".into(), "Using async\u{2019}s Power".into()]));
        assert!(!gold.holds("b.md", &["Using async's power".into()]));
    }
}
