//! What to learn next and why: items that never come without a reason, mastery that can be inspected.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{CourseId, LessonId, Micros, UserId};

/// Why something is recommended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonCode {
    /// The learner has done nothing yet, and nothing comes before this lesson.
    StartHere,
    /// The next lesson of the course that was not finished.
    NextInPath,
    /// Questions of this lesson are about to be forgotten.
    DueReview,
    /// Answers show that this lesson is not mastered.
    WeakConcept,
    /// Close in content to what the learner did last.
    Similar,
    /// Many learners of the course do not master this lesson; for those who teach it.
    ClassNeeds,
}

impl ReasonCode {
    /// The spelling on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StartHere => "start_here",
            Self::NextInPath => "next_in_path",
            Self::DueReview => "due_review",
            Self::WeakConcept => "weak_concept",
            Self::Similar => "similar",
            Self::ClassNeeds => "class_needs",
        }
    }
}

/// The evidence for one recommendation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// Which rule made it.
    pub code: ReasonCode,
    /// The figures that the rule looked at.
    pub numbers: BTreeMap<String, f64>,
    /// One sentence with those figures.
    pub text: String,
}

/// One recommended lesson.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Which lesson.
    pub lesson: LessonId,
    /// Its name.
    pub title: String,
    /// Why.
    pub reason: Reason,
    /// What it was ranked by, from the weights of the recommender.
    pub score: f64,
}

/// What is recommended to whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recommendations {
    /// In which course.
    pub course: CourseId,
    /// The learner; `None` for a guest, or for figures over all learners.
    pub user: Option<UserId>,
    /// Best first.
    pub items: Vec<Item>,
}

/// Which model an estimate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MasteryModel {
    /// Nothing was answered: the assumption before any evidence.
    Prior,
    /// Bayesian knowledge tracing, for few answers.
    Bkt,
    /// A logistic model with the difficulty of each question, from the fifth answer on.
    Logistic,
}

/// How well a learner masters one concept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mastery {
    /// The lesson that teaches it.
    pub lesson: LessonId,
    /// A term of that lesson, or the lesson's name.
    pub concept: String,
    /// Whether the concept is the lesson as a whole.
    pub whole_lesson: bool,
    /// Probability that it is mastered, 0 to 1.
    pub mastery: f64,
    /// Which model says so.
    pub model: MasteryModel,
    /// Answers that were seen.
    pub answers: usize,
    /// Right ones among them.
    pub correct: usize,
    /// When the last one was given.
    pub last_answered_at: Option<Micros>,
}

/// Where a prerequisite comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrerequisiteOrigin {
    /// An instructor said so.
    Instructor,
    /// The lesson links back to it.
    Link,
    /// It defines terms that the lesson uses often.
    Term,
}

/// One lesson that another one needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prerequisite {
    /// The lesson.
    pub lesson: LessonId,
    /// What it needs.
    pub needs: LessonId,
    /// Who says so.
    pub origin: PrerequisiteOrigin,
    /// What it rests on: the linked words, or the terms.
    pub evidence: Vec<String>,
    /// False where an instructor took a suggestion away.
    pub required: bool,
}

/// A question that a learner answered, and when it is due again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// Which question.
    pub question: String,
    /// Of which course.
    pub course: CourseId,
    /// The lesson that teaches it.
    pub lesson: Option<LessonId>,
    /// When it is due.
    pub due_at: Micros,
    /// Probability of recall now, 0 to 1.
    pub recall: f64,
    /// Days until recall falls to 90 %.
    pub stability: f64,
    /// 1 easy to 10 hard.
    pub difficulty: f64,
    /// Times that it was answered.
    pub answers: usize,
    /// Times that it was answered wrong.
    pub lapses: usize,
}
