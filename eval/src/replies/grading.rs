//! Replies to the prompt that judges one criterion, served by a chat model in this process through the gateway,
//! so that the repair and every check run as they do for a teacher.

use assistant::rubric::proposed;
use domain::QuestionId;
use domain::grade::{Flag, Work};
use domain::rubric::{Criterion, Level, Rubric};
use serde::Deserialize;

use super::Sample;
use crate::{Error, Result};

const REPLIES: &str = include_str!("../../data/replies-grading.jsonl");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    kind: String,
    question: String,
    criterion: Judged,
    submission: String,
    reply: String,
    right_level: String,
    sound: bool,
}

#[derive(Deserialize)]
struct Judged {
    title: String,
    reference: String,
    points: f64,
    levels: Vec<Level>,
}

/// What becomes of each reply: shown is what is proposed without a flag that sends a person to look. With it, for
/// each reply whose level is not the one that a teacher would give, whether it is held back or flagged at all.
pub(super) async fn judged() -> Result<(Vec<Sample>, Vec<f64>)> {
    let mut samples = Vec::new();
    let mut wrong = Vec::new();
    for (number, line) in (1..).zip(REPLIES.lines()) {
        let written: Written = serde_json::from_str(line).map_err(|error| Error::Damaged {
            what: format!("replies-grading.jsonl, line {number}"),
            reason: error.to_string(),
        })?;
        let reply = written.reply.clone();
        let gateway = super::served(written.kind == "cut_off", move |_| reply.clone()).await;
        let criterion = Criterion {
            id: "c".into(),
            title: written.criterion.title,
            description: String::new(),
            reference: Some(written.criterion.reference),
            points: written.criterion.points,
            levels: written.criterion.levels,
        };
        let rubric = Rubric { question: QuestionId::fresh(), version: 1, criteria: vec![criterion] };
        let work = Work { stem: written.question, rubric, text: written.submission, graded: Vec::new(), course: None };
        let made = proposed(gateway, &work).await?;
        let found = &made.proposal;
        let level = found.criteria.first().and_then(|one| one.level.clone());
        let why = found.criteria.first().and_then(|one| one.why_not.clone());
        // The lowest level is always for a person to look at; that alone holds nothing back here.
        let lowest = found.share.is_some_and(|share| share <= 0.0);
        let plain = found.flags.iter().all(|flag| lowest && *flag == Flag::NeedsLook);
        let reason = match &level {
            None => Some(why.unwrap_or_else(|| "not judged".into())),
            Some(level) if !plain => Some(format!("\"{level}\" is shown with {:?}", found.flags)),
            Some(_) => None,
        };
        if !written.sound && written.reply.contains("\"level\"") {
            let marked = level.as_ref().is_some_and(|level| *level != written.right_level);
            wrong.push(f64::from(u8::from(!marked || !found.flags.is_empty())));
        }
        samples.push(Sample {
            id: written.id,
            kind: written.kind,
            good: written.sound,
            shown: reason.is_none(),
            parts: 1,
            reason,
            note: format!("a teacher would give \"{}\"", written.right_level),
        });
    }
    Ok((samples, wrong))
}
