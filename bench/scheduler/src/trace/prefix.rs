//! Learners of four courses talk with their tutors: long instructions in common, a conversation each.

use std::time::Duration;

use rand::Rng;

use super::{MODELS, Request, Step, Trace, numbers, pause};
use crate::clock;
use crate::text::{self, Message};

const LEARNERS: usize = 40;
const TURNS: usize = 6;
const COURSES: usize = 4;
const WORKERS: usize = 3;
/// Instructions and the course's context, the same in every request of a course.
const COURSE_TOKENS: usize = 1_200;
/// Mean time of a learner between an answer and the next question, in the simulated world.
const THINKING: Duration = Duration::from_secs(20);

/// Forty sessions of six turns; the answers are known beforehand, so that the prompts are the same for all.
pub fn prefix(seed: u64) -> Trace {
    let mut rng = numbers(seed, 4);
    let courses: Vec<String> = (0..COURSES).map(|_| text::words(&mut rng, COURSE_TOKENS)).collect();
    let mut sessions = Vec::with_capacity(LEARNERS);
    for learner in 0..LEARNERS {
        let course = rng.random_range(0..COURSES);
        let mut messages = vec![Message { role: "system", text: courses.get(course).cloned().unwrap_or_default() }];
        let mut steps = Vec::with_capacity(TURNS);
        for turn in 0..TURNS {
            let id = format!("prefix-{seed}-{learner}-{turn}");
            let question_tokens = rng.random_range(15..=40);
            let question = format!("{} #{id}", text::words(&mut rng, question_tokens));
            messages.push(Message { role: "user", text: question });
            let completion_tokens = rng.random_range(20..=40);
            let request = Request {
                id: id.clone(),
                user: learner,
                model: MODELS[0],
                prompt_tokens: text::tokens(messages.iter().map(|message| message.text.as_str())).len(),
                messages: messages.clone(),
                completion_tokens,
                stream: rng.random_bool(0.5),
                deadline: None,
            };
            steps.push(Step { pause: pause(&mut rng, clock::scaled(THINKING)), request });
            messages.push(Message { role: "assistant", text: text::reply(&id, completion_tokens) });
        }
        sessions.push(steps);
    }
    Trace { workers: WORKERS, sessions }
}
