//! How well something is mastered, from right and wrong answers: Bayesian knowledge tracing for the first four, a
//! logistic model with the difficulty of each question afterwards.
//!
//! Both have few parameters, all of them here, so that an estimate can be recomputed by hand.

use domain::recommendation::MasteryModel;

/// Below this a concept counts as weak, and does not carry what builds on it.
pub const MASTERED: f64 = 0.6;

/// Answers that Bayesian knowledge tracing judges; from the next one on the logistic model does.
pub const FEW: usize = 4;

/// Parameters of Bayesian knowledge tracing (Corbett and Anderson 1995).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tracing {
    /// Probability that it is mastered before any evidence.
    pub prior: f64,
    /// Probability of learning it at one opportunity.
    pub learn: f64,
    /// Probability of a right answer without mastery.
    pub guess: f64,
    /// Probability of a wrong answer in spite of mastery.
    pub slip: f64,
}

impl Default for Tracing {
    fn default() -> Self {
        Self { prior: 0.3, learn: 0.15, guess: 0.2, slip: 0.1 }
    }
}

impl Tracing {
    /// What is known after one answer.
    #[must_use]
    pub fn after(&self, known: f64, correct: bool) -> f64 {
        let (if_known, if_not) = if correct { (1.0 - self.slip, self.guess) } else { (self.slip, 1.0 - self.guess) };
        let evidence = known * if_known + (1.0 - known) * if_not;
        self.opportunity(if evidence > 0.0 { known * if_known / evidence } else { known })
    }

    /// What is known after an opportunity to learn that shows nothing: a lesson that was read.
    #[must_use]
    pub fn opportunity(&self, known: f64) -> f64 {
        known + (1.0 - known) * self.learn
    }
}

/// Step of the logistic model: how far one surprising answer moves it, in logits.
pub const STEP: f64 = 0.8;
/// The logistic model never is surer than this, in logits.
const SUREST: f64 = 4.0;

/// The estimate for one concept, updated answer by answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    tracing: Tracing,
    /// Probability of mastery.
    pub mastery: f64,
    /// Answers seen.
    pub answers: usize,
    /// Right ones among them.
    pub correct: usize,
}

impl Estimate {
    /// Before any evidence; a lesson that was read counts as one opportunity.
    #[must_use]
    pub fn new(tracing: Tracing, read: bool) -> Self {
        let mastery = if read { tracing.opportunity(tracing.prior) } else { tracing.prior };
        Self { tracing, mastery, answers: 0, correct: 0 }
    }

    /// Takes one answer to a question of this difficulty (0 easy to 1 hard).
    pub fn answer(&mut self, correct: bool, difficulty: f64) {
        self.mastery = if self.answers < FEW {
            self.tracing.after(self.mastery, correct)
        } else {
            let ability = logit(self.mastery).clamp(-SUREST, SUREST);
            let expected = sigmoid(ability - logit(difficulty.clamp(0.1, 0.9)));
            sigmoid((ability + STEP * (f64::from(u8::from(correct)) - expected)).clamp(-SUREST, SUREST))
        };
        self.answers += 1;
        self.correct += usize::from(correct);
    }

    /// Which model the estimate comes from.
    #[must_use]
    pub fn model(&self) -> MasteryModel {
        match self.answers {
            0 => MasteryModel::Prior,
            answers if answers <= FEW => MasteryModel::Bkt,
            _ => MasteryModel::Logistic,
        }
    }

    /// Whether answers show that it is not mastered; one wrong answer alone shows nothing.
    #[must_use]
    pub fn weak(&self) -> bool {
        self.answers >= 2 && self.mastery < MASTERED
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-6, 1.0 - 1e-6);
    (p / (1.0 - p)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-4
    }

    #[test]
    fn few_answers_follow_bayesian_knowledge_tracing_by_hand() {
        let mut estimate = Estimate::new(Tracing::default(), false);
        // 0.3 right: 0.27 / (0.27 + 0.14) = 0.658537, then 0.15 of the rest is learned.
        estimate.answer(true, 0.5);
        assert!(near(estimate.mastery, 0.709_756), "{}", estimate.mastery);
        // 0.709756 wrong: 0.0709756 / (0.0709756 + 0.2321951) = 0.234111.
        estimate.answer(false, 0.5);
        assert!(near(estimate.mastery, 0.348_995), "{}", estimate.mastery);
        assert_eq!((estimate.answers, estimate.correct, estimate.model()), (2, 1, MasteryModel::Bkt));
    }

    #[test]
    fn the_logistic_model_takes_over_at_the_fifth_answer_and_heeds_difficulty() {
        let start = |last: bool, difficulty: f64| {
            let mut estimate = Estimate::new(Tracing::default(), false);
            [true, false, true, false].iter().for_each(|correct| estimate.answer(*correct, 0.5));
            estimate.answer(last, difficulty);
            estimate
        };
        assert_eq!(start(true, 0.5).model(), MasteryModel::Logistic);
        assert!(start(true, 0.9).mastery > start(true, 0.1).mastery, "a hard question shows more");
        assert!(start(false, 0.9).mastery > start(false, 0.1).mastery, "failing an easy one costs more");
    }

    #[test]
    fn a_right_answer_never_lowers_and_a_wrong_one_never_raises_the_logistic_estimate() {
        let mut estimate = Estimate::new(Tracing::default(), true);
        for step in 0..60 {
            let (before, correct) = (estimate.mastery, step % 3 != 0);
            estimate.answer(correct, 0.4);
            assert!(estimate.mastery > 0.0 && estimate.mastery < 1.0);
            if estimate.answers > FEW {
                assert!(if correct { estimate.mastery >= before } else { estimate.mastery <= before });
            }
        }
    }
}
