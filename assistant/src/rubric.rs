//! Proposals for what was handed in: each criterion of the rubric by itself, by a chat model where there is
//! one, by words where there is none. A proposal never is a grade.
//!
//! Every criterion is listed, judged or not, with the reason; points are summed by the rubric, not by a model.
//! The learner is named nowhere.

mod model;
mod prompt;
mod words;

use domain::grade::{Flag, Judged, Proposal, Work};
use domain::injection::{instruction_like, speaks_to_grader};
use domain::question::{Origin, OriginKind};
use domain::text::invisible;
use sha2::{Digest as _, Sha256};
use words::Words;

use crate::models::Models;
use crate::{Assistant, Result};

pub use prompt::VERSION as PROMPT_VERSION;

/// A proposal with the hash of what it was made from, hexadecimal SHA-256.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// What is proposed.
    pub proposal: Proposal,
    /// Of question, rubric, text, examples and prompt.
    pub inputs_hash: String,
}

impl Assistant {
    /// Proposes a level for each criterion.
    ///
    /// # Errors
    /// The inputs cannot be written down. Models that fail are no error: words judge instead, or nobody.
    pub async fn proposal(&self, work: &Work) -> Result<Made> {
        made(&self.models, work).await
    }
}

/// A proposal through a gateway, for those who measure it.
///
/// # Errors
/// As [`Assistant::proposal`].
pub async fn proposed(gateway: llm_gateway::Gateway, work: &Work) -> Result<Made> {
    made(&Models::new(gateway), work).await
}

async fn made(models: &Models, work: &Work) -> Result<Made> {
    let chat = models.chat_model();
    let whole = flags(work);
    let mut by_model = chat.is_some();
    let mut criteria = Vec::with_capacity(work.rubric.criteria.len());
    for criterion in &work.rubric.criteria {
        let graded: Vec<(String, f64)> = work
            .graded
            .iter()
            .filter_map(|example| {
                let (_, share) = example.shares.iter().find(|(id, _)| *id == criterion.id)?;
                Some((example.text.clone(), *share))
            })
            .collect();
        let words = Words::of(&work.stem, criterion, &work.text, &graded);
        let judged = if work.text.trim().is_empty() {
            nothing(criterion)
        } else if !by_model {
            words.judged(criterion)
        } else if work.text.chars().count() > model::MOST_TEXT {
            too_long(words.judged(criterion))
        } else {
            match model::judge(models, &work.stem, criterion, &work.text, &words).await {
                Ok(judged) => judged,
                Err(_) => {
                    // The model went away: what follows is judged by words, and says so.
                    by_model = false;
                    words.judged(criterion)
                }
            }
        };
        criteria.push(judged);
    }
    let origin = match chat.filter(|_| by_model) {
        Some(model) => {
            Origin { kind: OriginKind::Generated, model: Some(model), prompt_version: Some(PROMPT_VERSION.into()) }
        }
        None => Origin::of(OriginKind::Extract),
    };
    let proposal = Proposal::of(&work.rubric, origin, criteria, &whole);
    Ok(Made { inputs_hash: hash(work)?, proposal })
}

/// Silence meets nothing.
fn nothing(criterion: &domain::rubric::Criterion) -> Judged {
    let level = criterion.level_for(0.0);
    Judged {
        criterion: criterion.id.clone(),
        level: level.map(|level| level.id.clone()),
        share: level.map(|level| level.share),
        confidence: 1.0,
        evidence: Vec::new(),
        flags: vec![Flag::Empty],
        comment: None,
        why_not: level.is_none().then(|| "the rubric has no levels".into()),
    }
}

fn too_long(mut judged: Judged) -> Judged {
    judged.flags.push(Flag::NeedsLook);
    judged.comment = None;
    let note = "longer than the language model can read at once; it was not shortened, words judged it";
    if judged.level.is_none() {
        judged.why_not = Some(note.into());
    }
    judged
}

/// What of a whole text a person must see before believing any proposal.
fn flags(work: &Work) -> Vec<Flag> {
    let mut flags = Vec::new();
    let references: String =
        work.rubric.criteria.iter().filter_map(|one| one.reference.as_deref()).collect::<Vec<_>>().join(" ");
    let asked = format!("{} {references}", work.stem);
    if instruction_like(&work.text).is_some() || speaks_to_grader(&work.text, &asked).is_some() {
        flags.extend([Flag::Instruction, Flag::NeedsLook]);
    }
    if work.text.chars().any(invisible) {
        flags.extend([Flag::HiddenText, Flag::NeedsLook]);
    }
    flags
}

fn hash(work: &Work) -> Result<String> {
    let inputs = serde_json::to_vec(&(work, PROMPT_VERSION))
        .map_err(|error| crate::Error::Domain(domain::Error::new(domain::ErrorKind::Internal, error.to_string())))?;
    Ok(hex::encode(Sha256::digest(inputs)))
}
