//! Grades: what is proposed, what a person set, and what a learner may see of it.
//!
//! A proposal is never a grade. A person sets a [`Grade`], a person releases it, and a later one
//! never replaces an earlier one: the history only grows.

use serde::{Deserialize, Serialize};

use crate::rubric::Rubric;
use crate::{GradeId, Micros, SubmissionId, UserId};

/// Why a person should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// Reads like an order to a model.
    Instruction,
    /// Holds characters that show nothing.
    HiddenText,
    /// Says little beyond the question.
    CopiedQuestion,
    /// Gives the reference word for word.
    CopiedReference,
    /// Key words without a sentence.
    KeywordList,
    /// Says "not" where the reference does not, or the other way round.
    Negation,
    /// Has other numbers than the reference.
    Numbers,
    /// Nothing to judge.
    Empty,
    /// Weak, unsure, or flagged for another reason.
    NeedsLook,
    /// Says the opposite of the reference in nearly its words.
    Contradiction,
    /// Two ways of judging disagree.
    Disagreement,
    /// A quote or a level of the model's reply did not hold and was dropped.
    Unsupported,
}

/// A span of a text: byte offsets whose bytes equal the quote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The bytes between.
    pub quote: String,
}

impl Evidence {
    /// Whether the quote is what stands there.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        !self.quote.is_empty() && text.get(self.start..self.end) == Some(self.quote.as_str())
    }
}

/// What is to be judged, without its learner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Work {
    /// What was asked.
    pub stem: String,
    /// What it is judged by.
    pub rubric: Rubric,
    /// What was handed in.
    pub text: String,
    /// What people gave to other answers to the same question.
    pub graded: Vec<Example>,
    /// The course whose model use it is.
    #[serde(skip)]
    pub course: Option<crate::CourseId>,
}

/// An answer that a person graded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// What was written.
    pub text: String,
    /// Share given, by criterion.
    pub shares: Vec<(String, f64)>,
}

/// One criterion of a rubric as a model or the words judged it. It is listed even when it was not judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// Which criterion of the rubric.
    pub criterion: String,
    /// The level that is proposed; nothing when it was not judged.
    pub level: Option<String>,
    /// The level's share of the criterion's points.
    pub share: Option<f64>,
    /// A model, or the words alone: one proposal may hold both when the model could not judge everything.
    #[serde(default = "by_words")]
    pub by: crate::question::OriginKind,
    /// 0 to 1: how sure this judgement is.
    pub confidence: f64,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// Why a person should look.
    pub flags: Vec<Flag>,
    /// To the learner, from a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Why it was not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
}

fn by_words() -> crate::question::OriginKind {
    crate::question::OriginKind::Extract
}

/// What is proposed to the person who grades.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// The rubric's version that it was made by.
    pub rubric_version: i64,
    /// How it came to be; a model is named when it judged any criterion.
    pub origin: crate::question::Origin,
    /// Every criterion of the rubric, in its order.
    pub criteria: Vec<Judged>,
    /// Share of all points, 0 to 1; nothing unless every criterion was judged.
    pub share: Option<f64>,
    /// The least sure of its criteria.
    pub confidence: f64,
    /// Flags of the whole text and of its criteria, each once.
    pub flags: Vec<Flag>,
}

impl Proposal {
    /// Puts a proposal together; the share comes from the rubric and never passes its cap.
    #[must_use]
    pub fn of(rubric: &Rubric, origin: crate::question::Origin, criteria: Vec<Judged>, whole: &[Flag]) -> Self {
        let shares: Option<Vec<(String, f64)>> =
            criteria.iter().map(|judged| Some((judged.criterion.clone(), judged.share?))).collect();
        let mut flags: Vec<Flag> = Vec::new();
        for flag in whole.iter().chain(criteria.iter().flat_map(|judged| &judged.flags)) {
            if !flags.contains(flag) {
                flags.push(*flag);
            }
        }
        let share = shares.and_then(|shares| rubric.share(&shares));
        let confidence = criteria.iter().map(|judged| judged.confidence).fold(1.0, f64::min);
        Self { rubric_version: rubric.version, origin, criteria, share, confidence, flags }
    }
}

/// What a person gave for one criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// Which criterion.
    pub criterion: String,
    /// Which level of it.
    pub level: String,
    /// The level's share of the criterion's points.
    pub share: f64,
    /// To the learner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// What it rests on, taken over from the proposal where the level agrees with it.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
}

/// A grade that a person set: one entry of a submission's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grade {
    /// Identity.
    pub id: GradeId,
    /// Of which submission.
    pub submission_id: SubmissionId,
    /// 1 for the first; the highest is the current one.
    pub version: i64,
    /// The rubric's version that it was made by.
    pub rubric_version: i64,
    /// Each criterion.
    pub marks: Vec<Mark>,
    /// Share of all points, 0 to 1.
    pub share: f64,
    /// Points, never above `most`.
    pub points: f64,
    /// Points of a full answer.
    pub most: f64,
    /// To the learner.
    pub comment: Option<String>,
    /// Why it differs from the proposal or from the grade before.
    pub reason: Option<String>,
    /// The person.
    pub graded_by: UserId,
    /// When.
    pub graded_at: Micros,
    /// Who released it to the learner, and when.
    pub released: Option<(UserId, Micros)>,
}

/// Points of a share, rounded to a hundredth and never above `most`.
#[must_use]
pub fn points(share: f64, most: f64) -> f64 {
    ((share.clamp(0.0, 1.0) * most * 100.0).round() / 100.0).min(most)
}
