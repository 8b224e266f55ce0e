//! Candidates, the filter of prerequisites, weights, diversity, and the sentence that says why.

use std::collections::{BTreeMap, HashMap};

use domain::recommendation::{Item, Reason, ReasonCode};
use domain::{LessonId, Micros};

use crate::map::CourseMap;
use crate::signal::State;

/// What each feature of a candidate counts; the score is their weighted sum.
pub const WEIGHTS: [(&str, f64); 7] = [
    ("forgetting", 0.9),
    ("need", 1.0),
    ("path", 0.6),
    ("similarity", 0.3),
    ("readiness", 0.2),
    ("novelty", 0.15),
    ("length fit", 0.05),
];
/// Share of the score against sameness with what was chosen before (maximal marginal relevance).
const RELEVANCE: f64 = 0.8;
/// Unfinished lessons ahead that count as the path.
const AHEAD: usize = 3;
/// Similar lessons that are looked at, and how close they must be.
const SIMILAR: usize = 5;
const CLOSE: f64 = 0.15;
/// Reading time that a sitting has, in minutes.
const SITTING: f64 = 15.0;
/// Microseconds of a day.
const DAY: f64 = 86_400_000_000.0;
/// Learners that a figure over a course must rest on.
pub const LEAST_LEARNERS: usize = 5;

struct Candidate {
    at: usize,
    reason: Reason,
    features: [f64; 7],
}

impl Candidate {
    fn score(&self) -> f64 {
        self.features.iter().zip(WEIGHTS).map(|(feature, (_, weight))| feature * weight).sum()
    }
}

/// What a learner does best next: at most `limit` lessons, none of which has an unmet prerequisite.
#[must_use]
pub fn recommend(
    map: &CourseMap,
    state: &State,
    needs: &HashMap<LessonId, Vec<LessonId>>,
    now: Micros,
    limit: usize,
) -> Vec<Item> {
    let learner = Learner { map, state, needs, now };
    let mut found: HashMap<usize, Candidate> = HashMap::new();
    for candidate in learner.candidates().into_iter().filter(|candidate| learner.open(candidate.at)) {
        // A lesson that several rules name keeps the reason that speaks for it most.
        let better = found.get(&candidate.at).is_none_or(|known| candidate.score() > known.score());
        if better {
            found.insert(candidate.at, candidate);
        }
    }
    let mut open: Vec<Candidate> = found.into_values().collect();
    open.sort_by(|a, b| b.score().total_cmp(&a.score()).then(a.at.cmp(&b.at)));
    chosen(map, open, limit)
}

/// Takes the best one after the other, each against its sameness with those before.
fn chosen(map: &CourseMap, mut open: Vec<Candidate>, limit: usize) -> Vec<Item> {
    let mut taken: Vec<usize> = Vec::new();
    let mut items = Vec::new();
    while items.len() < limit && !open.is_empty() {
        let worth = |candidate: &Candidate| {
            let same = taken.iter().map(|other| map.similarity(candidate.at, *other)).fold(0.0, f64::max);
            RELEVANCE * candidate.score() - (1.0 - RELEVANCE) * same
        };
        // The first of equals: candidates come best first.
        let mut best = (0, f64::MIN);
        for (index, candidate) in open.iter().enumerate() {
            let value = worth(candidate);
            if value > best.1 {
                best = (index, value);
            }
        }
        let candidate = open.remove(best.0);
        taken.push(candidate.at);
        if let Some(place) = map.places().get(candidate.at) {
            let score = rounded(candidate.score());
            items.push(Item { lesson: place.id, title: place.title.clone(), reason: candidate.reason, score });
        }
    }
    items
}

struct Learner<'a> {
    map: &'a CourseMap,
    state: &'a State,
    needs: &'a HashMap<LessonId, Vec<LessonId>>,
    now: Micros,
}

impl Learner<'_> {
    fn needed(&self, at: usize) -> Vec<usize> {
        let lesson = self.map.places().get(at).map(|place| place.id);
        let ids = lesson.and_then(|id| self.needs.get(&id)).into_iter().flatten();
        ids.filter_map(|id| self.map.at(*id)).collect()
    }

    fn open(&self, at: usize) -> bool {
        self.needed(at).into_iter().all(|needed| self.state.carries(needed))
    }

    fn read(&self, at: usize) -> bool {
        self.state.read.get(at).copied().unwrap_or_default()
    }

    fn minutes(&self, at: usize) -> f64 {
        self.map.places().get(at).map_or(1.0, |place| place.minutes)
    }

    fn candidates(&self) -> Vec<Candidate> {
        let mut all = self.due();
        all.extend(self.weak());
        all.extend(self.path());
        all.extend(self.similar());
        all
    }

    /// Features that every candidate has, whatever names it.
    fn features(&self, at: usize) -> [f64; 7] {
        let needed = self.needed(at);
        let known = |at: &usize| self.state.lessons.get(*at).map_or(1.0, |estimate| estimate.mastery);
        let readiness = needed.iter().map(known).fold(1.0, f64::min);
        let need = self.state.lessons.get(at).filter(|estimate| estimate.weak()).map_or(0.0, |one| 1.0 - one.mastery);
        let novelty = f64::from(u8::from(!self.read(at)));
        let fit = (SITTING / self.minutes(at).max(SITTING)).min(1.0);
        [0.0, need, 0.0, 0.0, readiness, novelty, fit]
    }

    fn due(&self) -> Vec<Candidate> {
        let mut by_lesson: BTreeMap<usize, (usize, f64, f64)> = BTreeMap::new();
        for review in self.state.reviews.iter().filter(|review| review.memory.due_at <= self.now) {
            let days = (self.now - review.memory.due_at) as f64 / DAY;
            let recall = review.memory.recall(self.now);
            let entry = by_lesson.entry(review.lesson).or_insert((0, 0.0, 1.0));
            *entry = (entry.0 + 1, entry.1.max(days), entry.2.min(recall));
        }
        let of = |(at, (count, days, recall)): (usize, (usize, f64, f64))| {
            let mut features = self.features(at);
            features[0] = 0.5 + 0.5 * (1.0 - recall) + 0.1 * count.min(5) as f64;
            let late = if days < 1.0 { "due today".to_owned() } else { format!("due for {days:.0} days") };
            let noun = if count == 1 { "question of this lesson is" } else { "questions of this lesson are" };
            let text =
                format!("{count} {noun} due for review; the first is {late}, recall about {:.0} %.", recall * 100.0);
            let numbers = [("due", count as f64), ("overdueDays", days), ("recall", recall)];
            self.candidate(at, ReasonCode::DueReview, &numbers, text, features)
        };
        by_lesson.into_iter().map(of).collect()
    }

    fn weak(&self) -> Vec<Candidate> {
        let weak = self.state.lessons.iter().enumerate().filter(|(_, estimate)| estimate.weak());
        weak.map(|(at, estimate)| {
            let missed = estimate.answers - estimate.correct;
            let mut terms: Vec<_> = self
                .state
                .terms
                .iter()
                .filter(|((lesson, _), term)| *lesson == at && term.correct < term.answers)
                .map(|((_, name), term)| (term.mastery, name))
                .collect();
            terms.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
            let about = terms.first().map_or_else(String::new, |(_, name)| format!(", most of all on \u{201c}{name}\u{201d}"));
            let text = format!(
                "You missed {missed} of {} questions on this lesson{about}; mastery {:.0} %, about {:.0} minutes to read.",
                estimate.answers,
                estimate.mastery * 100.0,
                self.minutes(at)
            );
            let numbers =
                [("missed", missed as f64), ("answers", estimate.answers as f64), ("mastery", estimate.mastery)];
            self.candidate(at, ReasonCode::WeakConcept, &numbers, text, self.features(at))
        })
        .collect()
    }

    fn path(&self) -> Vec<Candidate> {
        let total = self.map.places().len();
        let ahead = (0..total).filter(|at| !self.read(*at) && self.open(*at)).take(AHEAD);
        ahead
            .enumerate()
            .map(|(rank, at)| {
                let mut features = self.features(at);
                features[2] = 1.0 / (1.0 + rank as f64);
                let needed = self.needed(at).len();
                let minutes = self.minutes(at);
                let numbers =
                    [("position", at as f64 + 1.0), ("lessons", total as f64), ("prerequisites", needed as f64)];
                if self.state.fresh() && at == 0 {
                    let text =
                        format!("The first of {total} lessons; nothing comes before it, about {minutes:.0} minutes.");
                    return self.candidate(at, ReasonCode::StartHere, &numbers, text, features);
                }
                let ground = match needed {
                    0 => "it needs no other lesson".to_owned(),
                    1 => "the lesson that it builds on is done".to_owned(),
                    more => format!("the {more} lessons that it builds on are done"),
                };
                let text =
                    format!("Lesson {} of {total}, not finished yet; {ground}, about {minutes:.0} minutes.", at + 1);
                self.candidate(at, ReasonCode::NextInPath, &numbers, text, features)
            })
            .collect()
    }

    fn similar(&self) -> Vec<Candidate> {
        let Some(last) = self.state.last else { return Vec::new() };
        let Some(name) = self.map.places().get(last).map(|place| place.title.clone()) else { return Vec::new() };
        let mut close: Vec<(f64, usize)> = (0..self.map.places().len())
            .filter(|at| *at != last && !self.read(*at))
            .map(|at| (self.map.similarity(last, at), at))
            .filter(|(similarity, _)| *similarity >= CLOSE)
            .collect();
        close.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        close
            .into_iter()
            .take(SIMILAR)
            .map(|(similarity, at)| {
                let mut features = self.features(at);
                features[3] = similarity;
                let text = format!(
                    "Close in content to \u{201c}{name}\u{201d}, which you dealt with last (similarity {similarity:.2})."
                );
                self.candidate(at, ReasonCode::Similar, &[("similarity", similarity)], text, features)
            })
            .collect()
    }

    fn candidate(
        &self,
        at: usize,
        code: ReasonCode,
        numbers: &[(&str, f64)],
        text: String,
        features: [f64; 7],
    ) -> Candidate {
        let minutes = [("minutes", self.minutes(at))];
        let numbers =
            numbers.iter().chain(&minutes).map(|(name, value)| ((*name).to_owned(), rounded(*value))).collect();
        Candidate { at, reason: Reason { code, numbers, text }, features }
    }
}

/// What a class needs: lessons that at least [`LEAST_LEARNERS`] answered questions on, weakest first.
#[must_use]
pub fn of_class(map: &CourseMap, states: &[State], limit: usize) -> Vec<Item> {
    let mut items = Vec::new();
    for (at, place) in map.places().iter().enumerate() {
        let answered: Vec<_> =
            states.iter().filter_map(|state| state.lessons.get(at)).filter(|one| one.answers > 0).collect();
        let weak = answered.iter().filter(|estimate| estimate.weak()).count();
        if answered.len() < LEAST_LEARNERS || weak == 0 {
            continue;
        }
        let mean = answered.iter().map(|estimate| estimate.mastery).sum::<f64>() / answered.len() as f64;
        let text = format!(
            "{weak} of {} learners who answered questions on this lesson do not master it; mean mastery {:.0} %.",
            answered.len(),
            mean * 100.0
        );
        let numbers = [("weak", weak as f64), ("learners", answered.len() as f64), ("mastery", mean)];
        let numbers = numbers.iter().map(|(name, value)| ((*name).to_owned(), rounded(*value))).collect();
        let reason = Reason { code: ReasonCode::ClassNeeds, numbers, text };
        let score = rounded(weak as f64 / answered.len() as f64);
        items.push(Item { lesson: place.id, title: place.title.clone(), reason, score });
    }
    items.sort_by(|a, b| b.score.total_cmp(&a.score));
    items.truncate(limit);
    items
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
