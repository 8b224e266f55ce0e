//! Simulated learners: nobody real. They compare what policies of "what next" do to a made-up memory.
//!
//! A learner either knows a lesson or does not (as in Bayesian knowledge tracing), learns it by reading, more likely
//! when what it needs is known, answers questions by an ability and their difficulty (item response theory), and
//! forgets with time. None of this is evidence about people; every figure carries the word.

use std::collections::HashMap;

use domain::LessonId;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use recommender::map::CourseMap;
use recommender::signal::State;
use recommender::{graph, rank};
use school::learning::Record;
use serde_json::json;
use store::sql::enrollment::Seen;
use store::sql::learning::Deed;

use crate::run::SuiteReport;
use crate::stats;

const SEED: u64 = 20_260_703;
const LEARNERS: usize = 24;
/// Minutes of a day's sitting, and how often the content could be read in all of them.
const SITTING: f64 = 40.0;
const READINGS: f64 = 1.6;
/// Courses are cut to so many lessons, to keep a run short.
const LESSONS: usize = 40;
const QUESTIONS: usize = 3;
const MINUTES_A_QUESTION: f64 = 1.0;
const DAY: i64 = 86_400_000_000;
const POLICIES: [&str; 3] = ["ours", "linear", "random"];

/// What a simulated learner knows of one lesson.
#[derive(Clone, Copy, Default)]
struct Memory {
    known: bool,
    /// Days that a memory lasts, and the day on which it was last used.
    strength: f64,
    day: f64,
}

struct Learner<'a> {
    map: &'a CourseMap,
    needs: &'a HashMap<LessonId, Vec<LessonId>>,
    ability: f64,
    memory: Vec<Memory>,
    day: f64,
    record: Record,
    rng: StdRng,
}

/// Lets the same learners follow each policy for the same minutes.
pub(crate) fn measure(report: &mut SuiteReport, map: &CourseMap) {
    let ids: Vec<LessonId> = map.places().iter().map(|place| place.id).collect();
    let needs = graph::required(&graph::settled(&ids, &map.suggestions(), &[]));
    let lessons = ids.len().min(LESSONS);
    let minutes: f64 = map.places().iter().take(lessons).map(|place| place.minutes).sum::<f64>() * READINGS;
    report.numbers.insert("simulated learners".into(), LEARNERS as f64);
    report.numbers.insert("simulated minutes for each".into(), minutes);
    let mut ends: HashMap<&str, Vec<f64>> = HashMap::new();
    for number in 0..LEARNERS {
        for policy in POLICIES {
            let mut rng = StdRng::seed_from_u64(SEED + number as u64);
            let ability = rng.random_range(-1.0..1.0);
            let memory = vec![Memory::default(); lessons];
            let mut learner = Learner { map, needs: &needs, ability, memory, day: 0.0, record: Record::default(), rng };
            ends.entry(policy).or_default().push(learner.study(policy, minutes));
        }
    }
    for policy in POLICIES {
        let values = ends.get(policy).cloned().unwrap_or_default();
        report.metrics.insert(format!("simulated {policy}.mastery"), stats::mean(&values));
        if let Some(ours) = ends.get("ours").filter(|_| policy != "ours") {
            let name = format!("simulated ours.mastery - simulated {policy}.mastery");
            report.differences.insert(name, stats::difference(ours, &values));
        }
    }
}

impl Learner<'_> {
    /// Studies for so many minutes and yields the share of lessons that are known and recalled at the end.
    fn study(&mut self, policy: &str, minutes: f64) -> f64 {
        let (mut spent, mut today) = (0.0, 0.0);
        while spent < minutes {
            let lesson = self.choose(policy);
            let reading = self.map.places().get(lesson).map_or(1.0, |place| place.minutes);
            self.read(lesson);
            let cost = reading + QUESTIONS as f64 * MINUTES_A_QUESTION;
            (spent, today) = (spent + cost, today + cost);
            if today >= SITTING {
                (self.day, today) = (self.day + 1.0, 0.0);
            }
        }
        let recalled: f64 = (0..self.memory.len()).map(|lesson| self.recall(lesson)).sum();
        recalled / self.memory.len().max(1) as f64
    }

    fn choose(&mut self, policy: &str) -> usize {
        let count = self.memory.len().max(1);
        let random = self.rng.random_range(0..count);
        let unread = (0..count).find(|at| {
            let id = self.map.places().get(*at).map(|place| place.id);
            !self.record.seen.iter().any(|seen| Some(seen.lesson_id) == id)
        });
        match policy {
            "linear" => unread.unwrap_or_else(|| self.record.deeds.len() / QUESTIONS % count),
            "ours" => {
                let state = State::of(self.map, &self.record);
                let items = rank::recommend(self.map, &state, self.needs, self.now(), 8);
                let places = items.iter().filter_map(|item| self.map.at(item.lesson));
                places.into_iter().find(|at| *at < count).or(unread).unwrap_or(random)
            }
            _ => random,
        }
    }

    fn now(&self) -> i64 {
        (self.day * DAY as f64) as i64
    }

    fn recall(&self, lesson: usize) -> f64 {
        self.memory.get(lesson).filter(|one| one.known).map_or(0.0, |one| (-(self.day - one.day) / one.strength).exp())
    }

    /// Reads a lesson, perhaps learns it, and answers its questions.
    fn read(&mut self, lesson: usize) {
        let Some(id) = self.map.places().get(lesson).map(|place| place.id) else { return };
        let needed = self.needs.get(&id).into_iter().flatten().filter_map(|needed| self.map.at(*needed));
        let ready = needed.filter(|at| *at < self.memory.len()).all(|at| self.recall(at) > 0.5);
        let chance = if ready { 0.7 } else { 0.15 };
        let learns = self.rng.random_bool(chance);
        let (recall, day) = (self.recall(lesson), self.day);
        if let Some(memory) = self.memory.get_mut(lesson) {
            if memory.known {
                // What was nearly forgotten gains most by being read again.
                memory.strength *= 1.0 + 1.5 * (1.0 - recall);
                memory.day = day;
            } else if learns {
                *memory = Memory { known: true, strength: 12.0, day };
            }
        }
        if !self.record.seen.iter().any(|seen| seen.lesson_id == id) {
            self.record.seen.push(Seen { lesson_id: id, position: 1.0, completed: true });
        }
        for question in 0..QUESTIONS {
            let difficulty = 0.3 + 0.2 * question as f64;
            let skill = 1.0 / (1.0 + (-(self.ability + 2.0 - 3.0 * difficulty)).exp());
            let known = self.recall(lesson);
            let correct = self.rng.random_bool((0.2 * (1.0 - known) + known * (0.3 + 0.65 * skill)).clamp(0.0, 1.0));
            let name = format!("{lesson}/{question}");
            let payload = json!({ "questionId": name, "lessonId": id, "correct": correct, "difficulty": difficulty });
            let at = self.now();
            self.record.deeds.push(Deed {
                event_type: "quiz.answered".into(),
                course: None,
                aggregate: name,
                payload,
                at,
            });
        }
    }
}
