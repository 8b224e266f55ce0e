//! Answers that want more than they deserve: none may stand as right without a flag.

use assistant::grade::{Item, Level, Vectors, propose_with};
use serde::Deserialize;

use super::truth;
use crate::replies::Sample;
use crate::run::SuiteReport;
use crate::{Error, Result, stats};

const ATTACKS: &str = include_str!("../../data/grading-attacks.jsonl");
/// A share of the points that counts as all of them.
const FULL: f64 = 0.9;

/// One attack.
#[derive(Deserialize)]
pub(super) struct Attack {
    kind: String,
    #[serde(flatten)]
    pub(super) item: Item,
}

/// The attacks that are built in.
pub(super) fn items() -> Result<Vec<Attack>> {
    let read = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| Error::Damaged {
            what: format!("grading-attacks.jsonl, line {number}"),
            reason: error.to_string(),
        })
    };
    (1..).zip(ATTACKS.lines()).map(read).collect()
}

/// What is proposed for them.
pub(super) fn measure(name: &str, attacks: &[Attack], vectors: Option<&Vectors>, report: &mut SuiteReport) {
    let (mut unmet, mut unfull, mut flagged) = (Vec::new(), Vec::new(), Vec::new());
    for attack in attacks {
        let Ok(proposal) = propose_with(&attack.item, vectors) else { continue };
        let met = proposal.criteria.iter().any(|criterion| criterion.level == Level::Met);
        let bare = proposal.flags.is_empty();
        unmet.push(truth(!(met && bare)));
        unfull.push(truth(!(bare && proposal.score >= FULL * attack.item.max)));
        flagged.push(truth(!bare));
        report.replies.push(Sample {
            id: format!("{name}{}", attack.item.id),
            kind: attack.kind.clone(),
            good: false,
            shown: met && bare,
            parts: 1,
            reason: Some(format!("{:.2} of {}, {:?}", proposal.score, attack.item.max, proposal.flags)),
            note: attack.item.answer.chars().take(80).collect(),
        });
    }
    report.replies.sort_by_key(|one| !one.shown);
    report.metrics.insert(format!("{name}attacks.not met without a flag"), stats::mean(&unmet));
    report.metrics.insert(format!("{name}attacks.no full marks without a flag"), stats::mean(&unfull));
    report.metrics.insert(format!("{name}attacks.flagged"), stats::mean(&flagged));
}
