//! Quizzes and attempts: when one may be taken, what counts, and when feedback is released.

use serde::{Deserialize, Serialize};

use crate::{AssessmentId, AttemptId, CourseId, InstitutionId, LessonId, Micros, QuestionId, UserId};

/// States of a quiz.
pub const STATES: &[&str] = &["draft", "published", "closed"];
/// When score, keys and rationales are shown to the learner.
pub const FEEDBACK: &[&str] = &["after_submit", "after_close", "never"];
/// The rungs of the ladder: a nudge, the place, a worked part, the answer.
pub const RUNGS: i64 = 3;
/// A rung is given for each whole day since the first wrong answer.
pub const RUNG_MICROS: Micros = 24 * 3600 * 1_000_000;

/// A question of a quiz with its weight.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Which question.
    pub question: QuestionId,
    /// Points for a full answer; above 0.
    pub points: f64,
}

/// A quiz.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assessment {
    /// Identity.
    pub id: AssessmentId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Course.
    pub course_id: CourseId,
    /// Name for people.
    pub title: String,
    /// One of [`STATES`].
    pub state: String,
    /// The lesson that it belongs to.
    pub lesson_id: Option<LessonId>,
    /// How long an attempt may take, seconds.
    pub time_limit_seconds: Option<i64>,
    /// How many attempts a learner has; unlimited when missing.
    pub attempts_allowed: Option<i64>,
    /// One of [`FEEDBACK`].
    pub feedback: String,
    /// Not before.
    pub opens_at: Option<Micros>,
    /// Not after.
    pub closes_at: Option<Micros>,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// When it was made.
    pub created_at: Micros,
    /// When it was changed.
    pub updated_at: Micros,
    /// Its questions, in order.
    pub items: Vec<Item>,
}

impl Assessment {
    /// Whether an attempt may begin now.
    #[must_use]
    pub fn is_open(&self, now: Micros) -> bool {
        self.state == "published"
            && self.opens_at.is_none_or(|opens| opens <= now)
            && self.closes_at.is_none_or(|closes| now < closes)
    }

    /// When an attempt that begins now ends: the time limit or the close, whichever is first.
    #[must_use]
    pub fn deadline(&self, now: Micros) -> Option<Micros> {
        let limit = self.time_limit_seconds.map(|seconds| now.saturating_add(seconds.saturating_mul(1_000_000)));
        [limit, self.closes_at].into_iter().flatten().min()
    }

    /// Whether a learner may see score and keys of a submitted attempt.
    #[must_use]
    pub fn released(&self, now: Micros) -> bool {
        match self.feedback.as_str() {
            "after_submit" => true,
            "after_close" => self.state == "closed" || self.closes_at.is_some_and(|closes| closes <= now),
            _ => false,
        }
    }

    /// Points of a full attempt.
    #[must_use]
    pub fn most(&self) -> f64 {
        self.items.iter().map(|item| item.points).sum()
    }
}

/// One try at a quiz.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Identity.
    pub id: AttemptId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Course.
    pub course_id: CourseId,
    /// Quiz.
    pub assessment_id: AssessmentId,
    /// Whose.
    pub user_id: UserId,
    /// An instructor trying the quiz; it never counts.
    pub preview: bool,
    /// `open` or `submitted`.
    pub state: String,
    /// Seed of the order shown.
    pub seed: i64,
    /// When it began, by the server's clock.
    pub started_at: Micros,
    /// When it ends by itself.
    pub deadline: Option<Micros>,
    /// When it ended.
    pub submitted_at: Option<Micros>,
    /// Points of what rules could mark.
    pub score: Option<f64>,
    /// Points of all there is.
    pub most: Option<f64>,
    /// A person has to judge a part of it.
    pub needs_person: bool,
}

impl Attempt {
    /// Whether it takes answers at `now`.
    #[must_use]
    pub fn takes_answers(&self, now: Micros) -> bool {
        self.state == "open" && self.deadline.is_none_or(|deadline| now <= deadline)
    }
}

/// The highest rung of the ladder that is unlocked, -1 for none: one for each wrong answer that was
/// submitted, and one for each whole day since the first. Nothing that is written to the tutor counts.
#[must_use]
pub fn unlocked(wrong: i64, first_wrong_at: Option<Micros>, now: Micros) -> i64 {
    let Some(first) = first_wrong_at.filter(|_| wrong > 0) else { return -1 };
    let days = now.saturating_sub(first).max(0) / RUNG_MICROS;
    wrong.saturating_sub(1).saturating_add(days).clamp(0, RUNGS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_rises_by_wrong_answers_and_days_alone() {
        let day = RUNG_MICROS;
        for (wrong, first, now, rung) in [
            (0, None, 10 * day, -1),
            (0, Some(0), 10 * day, -1),
            (1, Some(0), 0, 0),
            (1, Some(0), day - 1, 0),
            (1, Some(0), day, 1),
            (2, Some(0), day, 2),
            (3, Some(0), 0, 2),
            (4, Some(0), 0, 3),
            (90, Some(0), 90 * day, 3),
            (1, Some(day), 0, 0),
        ] {
            assert_eq!(unlocked(wrong, first, now), rung, "{wrong} wrong at {first:?}, now {now}");
        }
    }

    #[test]
    fn the_first_of_limit_and_close_ends_an_attempt() {
        let mut quiz = Assessment {
            id: AssessmentId::fresh(),
            institution_id: InstitutionId::fresh(),
            course_id: CourseId::fresh(),
            title: "Quiz".into(),
            state: "published".into(),
            lesson_id: None,
            time_limit_seconds: Some(60),
            attempts_allowed: None,
            feedback: "after_close".into(),
            opens_at: Some(10),
            closes_at: Some(50_000_000),
            created_by: None,
            created_at: 0,
            updated_at: 0,
            items: Vec::new(),
        };
        assert_eq!(quiz.deadline(0), Some(50_000_000));
        assert_eq!(quiz.deadline(-20_000_000), Some(40_000_000));
        assert!(!quiz.is_open(9) && quiz.is_open(10) && !quiz.is_open(50_000_000));
        assert!(!quiz.released(49_999_999) && quiz.released(50_000_000));
        quiz.feedback = "never".into();
        assert!(!quiz.released(i64::MAX));
    }
}
