//! Answering one question: retrieve, ask the gate, take the extract or a checked draft, verify.

use std::collections::HashMap;

use domain::ChunkId;
use domain::tutor::{Answer, AnswerSentence, Citation, Mode, Outcome};
use store::Scope;
use store::sql::chunk::StoredChunk;

use crate::extract::{Extract, extract, nearest};
use crate::generate::{Fallback, generate};
use crate::retrieve::{Degraded, Retrieval};
use crate::{Assistant, Result, cite, closed};

/// What a learner reads when the gate declines.
pub const DECLINED: &str = "This course does not cover that.";
const OFFLINE: &str = "Offline mode: excerpts from your course. No language model is running.";
const UNVERIFIED: &str = "Excerpts from your course: what the language model wrote could not be verified against the sources, so it is not shown.";
const MODEL_FAILED: &str = "Excerpts from your course: the language model did not answer.";
const CLOSEST: &str = "This is the closest material in the course. It may not answer your question.";
const FLAGGED: &str =
    "Text that reads like an instruction to an AI was found in this material. It was left out and has no effect.";
const CHANGED: &str = "The course was changed while this was answered. Ask again.";

/// Passages that an answer is made from and points to.
const PASSAGES: usize = 6;

impl Assistant {
    /// Answers a question from the scope's course.
    ///
    /// # Errors
    /// The question is empty, or the rows cannot be read. Models that fail are no error.
    pub async fn ask(&self, scope: &Scope, question: &str) -> Result<Answer> {
        let closed = self.closed(scope).await?;
        if let Some(id) = closed.asked(question) {
            return Ok(closed::answer(id, Vec::new()));
        }
        let mut found = self.retrieve(scope, question, PASSAGES).await?;
        let partly = closed.take_out(&mut found.passages);
        let gate = self.gate(scope, found.model.as_deref().unwrap_or_default()).await?;
        let (outcome, coverage) = gate.decide(&found.signals);
        let mut answer = Answer {
            outcome,
            mode: Mode::Extract,
            answer: String::new(),
            sentences: Vec::new(),
            citations: Vec::new(),
            nearest: Vec::new(),
            notices: notices(&found),
            coverage,
            closed: None,
        };
        if partly {
            answer.notices.push(closed::PARTLY.into());
        }
        if outcome == Outcome::Declined {
            decline(&mut answer, &found);
        } else {
            let extracted = extract(&found.passages, &found.terms);
            let drafted = if outcome == Outcome::Answered {
                generate(&self.models, self.checker.as_ref(), question, &found.passages, found.dense.as_ref()).await
            } else {
                // Nothing is synthesised from material that may not answer.
                Err(Fallback::NoModel)
            };
            match drafted {
                Ok(draft) => {
                    answer.mode = Mode::Generated;
                    answer.answer = draft.text;
                    answer.sentences = draft.sentences;
                    answer.citations = draft.citations;
                    answer.nearest = extracted.nearest.clone();
                }
                Err(fallback) => {
                    take(&mut answer, extracted.clone());
                    answer.notices.extend(self.why(outcome, &fallback).map(str::to_owned));
                }
            }
            if extracted.flagged {
                answer.notices.push(FLAGGED.into());
            }
            self.verified(scope, &mut answer, extracted).await?;
        }
        let rows = self.rows(scope, &answer.nearest).await?;
        answer.nearest.retain(|citation| holds(citation, &rows));
        Ok(answer)
    }

    fn why(&self, outcome: Outcome, fallback: &Fallback) -> Option<&'static str> {
        match (outcome, fallback) {
            (Outcome::Closest, _) => Some(CLOSEST),
            (_, Fallback::NoModel) if !self.models.has_chat() => Some(OFFLINE),
            (_, Fallback::Unverified) => Some(UNVERIFIED),
            (_, Fallback::Failed | Fallback::NoModel) => Some(MODEL_FAILED),
        }
    }

    /// Holds every citation against the rows as they are now; a draft that does not hold becomes the
    /// extract, and sentences of the extract that do not hold go.
    async fn verified(&self, scope: &Scope, answer: &mut Answer, extracted: Extract) -> Result<()> {
        let rows = self.rows(scope, &answer.citations).await?;
        if answer.citations.iter().all(|citation| holds(citation, &rows)) && !answer.sentences.is_empty() {
            return Ok(());
        }
        let rows = self.rows(scope, &extracted.citations).await?;
        let kept: Vec<(AnswerSentence, Citation)> = extracted
            .sentences
            .into_iter()
            .zip(extracted.citations)
            .filter(|(sentence, citation)| holds(citation, &rows) && sentence.text == citation.quote)
            .collect();
        let mut sound = Extract { nearest: extracted.nearest, ..Extract::default() };
        for (mut sentence, citation) in kept {
            sentence.citations = vec![sound.citations.len()];
            sound.sentences.push(sentence);
            sound.citations.push(citation);
        }
        answer.mode = Mode::Extract;
        take(answer, sound);
        if answer.sentences.is_empty() {
            answer.outcome = Outcome::Closest;
            CLOSEST.clone_into(&mut answer.answer);
            if answer.nearest.is_empty() {
                answer.notices.push(CHANGED.into());
            }
        }
        Ok(())
    }

    async fn rows(&self, scope: &Scope, citations: &[Citation]) -> Result<HashMap<String, StoredChunk>> {
        let mut ids: Vec<ChunkId> = citations.iter().filter_map(|citation| citation.chunk_id.parse().ok()).collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(self.chunks(scope, ids).await?.into_iter().map(|chunk| (chunk.id.to_string(), chunk)).collect())
    }
}

fn holds(citation: &Citation, rows: &HashMap<String, StoredChunk>) -> bool {
    let broken = match rows.get(&citation.chunk_id) {
        Some(row) => cite::verify(citation, row).err(),
        None => Some(cite::Broken::Passage),
    };
    if let Some(reason) = broken {
        tracing::warn!(chunk.id = %citation.chunk_id, %reason, "a citation was dropped");
    }
    broken.is_none()
}

fn take(answer: &mut Answer, extract: Extract) {
    answer.answer = extract.text();
    answer.sentences = extract.sentences;
    answer.citations = extract.citations;
    answer.nearest = extract.nearest;
}

fn decline(answer: &mut Answer, found: &Retrieval) {
    DECLINED.clone_into(&mut answer.answer);
    answer.sentences = vec![AnswerSentence { text: DECLINED.into(), citations: Vec::new() }];
    let weights = found.terms.iter().map(|(term, idf, _)| (term.clone(), *idf)).collect();
    answer.nearest = nearest(found.passages.iter(), &weights);
}

fn notices(found: &Retrieval) -> Vec<String> {
    let why = match found.degraded {
        None => return Vec::new(),
        Some(Degraded::NoModel) => "no embedding model is running",
        Some(Degraded::ModelFailed) => "the embedding model did not answer",
        Some(Degraded::IndexFailed) => "the vector index did not answer",
        Some(Degraded::NotEmbedded) => "this course is not indexed by meaning yet",
    };
    vec![format!("Keyword search only: {why}. Use the course's own words.")]
}
