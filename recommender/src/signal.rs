//! From the log to what a learner knows: answers and readings of one record, folded in order.

use std::collections::HashMap;

use domain::recommendation::Mastery;
use domain::{CourseId, LessonId, Micros};
use school::learning::Record;
use serde_json::Value;
use store::sql::learning::Deed;

use crate::map::CourseMap;
use crate::mastery::{Estimate, MASTERED, Tracing};
use crate::review::{Memory, Rating, memory};

/// One answer to a question, as the log has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Which question.
    pub question: String,
    /// The lesson that teaches it.
    pub lesson: Option<LessonId>,
    /// Its stem and the passage that it rests on, as index terms.
    pub about: Vec<String>,
    /// Whether it was right.
    pub correct: bool,
    /// How well it was known, where the learner said so.
    pub rating: Option<u64>,
    /// Predicted, 0 easy to 1 hard.
    pub difficulty: f64,
    /// When.
    pub at: Micros,
}

/// The answer that an event tells of; `None` when it is another event, or waits for a person to judge it.
#[must_use]
pub fn answer(deed: &Deed) -> Option<Answer> {
    if !matches!(deed.event_type.as_str(), "quiz.answered" | "review.answered") {
        return None;
    }
    let payload = &deed.payload;
    let text = |name: &str| payload.get(name).and_then(Value::as_str);
    Some(Answer {
        question: text("questionId").unwrap_or(&deed.aggregate).to_owned(),
        lesson: text("lessonId").and_then(|id| id.parse().ok()),
        about: text("about").map(domain::text::terms).unwrap_or_default(),
        correct: payload.get("correct").and_then(Value::as_bool)?,
        rating: payload.get("rating").and_then(Value::as_u64),
        difficulty: payload.get("difficulty").and_then(Value::as_f64).unwrap_or(0.5),
        at: deed.at,
    })
}

/// A question to review.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// Which question.
    pub question: String,
    /// The lesson that teaches it, by its number in the course.
    pub lesson: usize,
    /// What is remembered of it.
    pub memory: Memory,
}

/// What is known of a learner in a course.
#[derive(Debug, Clone)]
pub struct State {
    /// By lesson, in the order of the course.
    pub lessons: Vec<Estimate>,
    /// By lesson: whether it was read to its end.
    pub read: Vec<bool>,
    /// Terms that questions asked for, by lesson.
    pub terms: HashMap<(usize, String), Estimate>,
    /// Every question that was answered.
    pub reviews: Vec<Review>,
    /// The lesson that the learner dealt with last.
    pub last: Option<usize>,
    answered_at: HashMap<usize, Micros>,
}

impl State {
    /// Somebody without a record.
    #[must_use]
    pub fn nobody(map: &CourseMap) -> Self {
        Self::of(map, &Record::default())
    }

    /// Folds a record.
    #[must_use]
    pub fn of(map: &CourseMap, record: &Record) -> Self {
        let mut read = vec![false; map.places().len()];
        for seen in record.seen.iter().filter(|seen| seen.completed) {
            if let Some(read) = map.at(seen.lesson_id).and_then(|at| read.get_mut(at)) {
                *read = true;
            }
        }
        let lessons = read.iter().map(|read| Estimate::new(Tracing::default(), *read)).collect();
        let last = read.iter().rposition(|read| *read);
        let none = (HashMap::new(), HashMap::new());
        let mut state = Self { lessons, read, terms: none.0, reviews: Vec::new(), last, answered_at: none.1 };
        let mut histories: HashMap<String, (usize, Vec<(Micros, Rating)>)> = HashMap::new();
        for deed in &record.deeds {
            let asked = deed.payload.get("lessons").and_then(|all| all.get(0)).and_then(Value::as_str);
            if let Some(at) = asked.and_then(|id| id.parse().ok()).and_then(|id| map.at(id)) {
                state.last = Some(at);
            }
            let Some(answer) = answer(deed) else { continue };
            let Some(at) = answer.lesson.and_then(|id| map.at(id)) else { continue };
            // What learners say of their own memory schedules reviews; it shows no mastery.
            if deed.event_type == "quiz.answered" {
                state.take(map, at, &answer);
            }
            let rating = Rating::of(answer.correct, answer.rating);
            histories.entry(answer.question).or_insert_with(|| (at, Vec::new())).1.push((answer.at, rating));
        }
        for (question, (lesson, history)) in histories {
            state.reviews.extend(memory(history).map(|memory| Review { question, lesson, memory }));
        }
        state.reviews.sort_by(|a, b| (a.memory.due_at, &a.question).cmp(&(b.memory.due_at, &b.question)));
        state
    }

    fn take(&mut self, map: &CourseMap, at: usize, answer: &Answer) {
        if let Some(estimate) = self.lessons.get_mut(at) {
            estimate.answer(answer.correct, answer.difficulty);
        }
        self.last = Some(at);
        self.answered_at.insert(at, answer.at);
        let taught = map.places().get(at).map_or(&[] as &[String], |place| &place.terms);
        let read = self.read.get(at).copied().unwrap_or_default();
        for term in taught {
            let stems = domain::text::terms(term);
            if !stems.is_empty() && answer.about.windows(stems.len()).any(|window| window == stems.as_slice()) {
                let estimate = self.terms.entry((at, term.clone()));
                let estimate = estimate.or_insert_with(|| Estimate::new(Tracing::default(), read));
                estimate.answer(answer.correct, answer.difficulty);
            }
        }
    }

    /// Whether a lesson carries what builds on it: read or answered well, and not shown to be weak.
    #[must_use]
    pub fn carries(&self, at: usize) -> bool {
        let Some(estimate) = self.lessons.get(at) else { return true };
        let known = estimate.answers >= 2 && estimate.mastery >= MASTERED;
        !estimate.weak() && (known || self.read.get(at).copied().unwrap_or_default())
    }

    /// Whether nothing is known of the learner.
    #[must_use]
    pub fn fresh(&self) -> bool {
        self.last.is_none()
    }

    /// Mastery of every concept, in the order of the course: each lesson, then its terms that were asked for.
    #[must_use]
    pub fn mastery(&self, map: &CourseMap) -> Vec<Mastery> {
        let row = |at: usize, lesson: LessonId, concept: &str, whole: bool, estimate: &Estimate| Mastery {
            lesson,
            concept: concept.to_owned(),
            whole_lesson: whole,
            mastery: (estimate.mastery * 1e4).round() / 1e4,
            model: estimate.model(),
            answers: estimate.answers,
            correct: estimate.correct,
            last_answered_at: self.answered_at.get(&at).copied().filter(|_| estimate.answers > 0),
        };
        let mut all = Vec::new();
        for (at, (place, estimate)) in map.places().iter().zip(&self.lessons).enumerate() {
            all.push(row(at, place.id, &place.title, true, estimate));
            for term in &place.terms {
                if let Some(estimate) = self.terms.get(&(at, term.clone())) {
                    all.push(row(at, place.id, term, false, estimate));
                }
            }
        }
        all
    }
}

/// Where a question belongs, and how each of its answers went.
type History = (CourseId, Option<LessonId>, Vec<(Micros, Rating)>);

/// When each question that was answered is due again, soonest first.
#[must_use]
pub fn reviews(deeds: &[Deed], now: Micros) -> Vec<domain::recommendation::Review> {
    let mut histories: HashMap<String, History> = HashMap::new();
    for deed in deeds {
        let (Some(answer), Some(course)) = (answer(deed), deed.course) else { continue };
        let history = histories.entry(answer.question).or_insert_with(|| (course, answer.lesson, Vec::new()));
        history.2.push((answer.at, Rating::of(answer.correct, answer.rating)));
    }
    let mut found: Vec<domain::recommendation::Review> = histories
        .into_iter()
        .filter_map(|(question, (course, lesson, history))| {
            let memory = memory(history)?;
            Some(domain::recommendation::Review {
                question,
                course,
                lesson,
                due_at: memory.due_at,
                recall: memory.recall(now),
                stability: f64::from(memory.stability),
                difficulty: f64::from(memory.difficulty),
                answers: memory.answers,
                lapses: memory.lapses,
            })
        })
        .collect();
    found.sort_by(|a, b| (a.due_at, &a.question).cmp(&(b.due_at, &b.question)));
    found
}
