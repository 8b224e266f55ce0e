//! Answering one question: retrieve, ask the gate, take the extract or a checked draft, kept or new, verify.

use std::collections::HashMap;
use std::sync::Arc;

use domain::ChunkId;
use domain::tutor::{Answer, AnswerSentence, Citation, Mode, Outcome};
use futures::FutureExt as _;
use futures::future::Shared;
use sha2::{Digest as _, Sha256};
use store::Scope;
use store::sql::attempt;
use store::sql::chunk::StoredChunk;

use crate::cache::{Answers, Asked, Making, Partition};
use crate::closed::Closed;
use crate::extract::{Extract, extract, nearest};
use crate::generate::{Fallback, Generated, generate};
use crate::retrieve::{Degraded, Retrieval};
use crate::{Assistant, Result, cite, closed, prompt};

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

/// Where an answer may be looked up and kept.
struct Place {
    answers: Arc<Answers>,
    partition: Partition,
    purges: u64,
}

/// A checked draft: kept for another question, or made for this one and to be kept.
struct Drafted {
    draft: Arc<Generated>,
    cached: bool,
    keep: Option<Keep>,
}

/// What is to be kept. Others may join the draft until it is.
struct Keep {
    place: Place,
    asked: Asked,
    _made: Shared<Making>,
}

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
        // Read before anything is retrieved: what changes from here on makes another partition.
        let place = self.place(scope, &closed).await?;
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
            cached: false,
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
                self.draft_for(scope, question, &found, place.filter(|_| !partly)).await?
            } else {
                // Nothing is synthesised from material that may not answer.
                Err(Fallback::NoModel)
            };
            let mut keep = None;
            match drafted {
                Ok(drafted) => {
                    answer.mode = Mode::Generated;
                    answer.answer.clone_from(&drafted.draft.text);
                    answer.sentences.clone_from(&drafted.draft.sentences);
                    answer.citations.clone_from(&drafted.draft.citations);
                    answer.nearest = extracted.nearest.clone();
                    answer.cached = drafted.cached;
                    keep = drafted.keep.map(|keep| (keep, drafted.draft));
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
            answer.cached &= answer.mode == Mode::Generated;
            if let Some((Keep { place, asked, _made }, draft)) = keep.filter(|_| answer.mode == Mode::Generated) {
                place.answers.keep(place.purges, place.partition, asked, draft);
            }
        }
        let rows = self.rows(scope, &answer.nearest).await?;
        answer.nearest.retain(|citation| holds(citation, &rows));
        Ok(answer)
    }

    /// Where answers to this asker are kept; nowhere without a chat model, and not during one's attempt at a quiz.
    async fn place(&self, scope: &Scope, closed: &Closed) -> Result<Option<Place>> {
        let (Some(answers), Some(chat_model), Some(embedding_model)) =
            (self.answers.clone(), self.models.chat_model(), self.models.embedding_model())
        else {
            return Ok(None);
        };
        if let Some(user) = self.models.caller().user {
            let (institution, course) = (scope.institution, scope.course);
            let open =
                self.store.read(|tx| Box::pin(async move { attempt::is_open(tx, institution, course, user).await }));
            if open.await? {
                return Ok(None);
            }
        }
        let snapshot = self.scan.snapshot(scope, &embedding_model).await?;
        let partition = Partition {
            institution: scope.institution,
            course: scope.course,
            hidden: scope.hidden,
            chat_model,
            embedding_model,
            prompt: prompt::VERSION,
            snapshot: hex::encode(Sha256::digest(snapshot)),
            closed: closed.fingerprint(),
        };
        Ok(Some(Place { purges: answers.purges(), answers, partition }))
    }

    /// A draft for the question: a kept one whose citations still hold, else a new one.
    async fn draft_for(
        &self,
        scope: &Scope,
        question: &str,
        found: &Retrieval,
        place: Option<Place>,
    ) -> Result<std::result::Result<Drafted, Fallback>> {
        let new = |draft| Drafted { draft: Arc::new(draft), cached: false, keep: None };
        let afresh = || generate(&self.models, self.checker.as_ref(), question, &found.passages, found.dense.as_ref());
        let asked = found.query().and_then(|(model, vector)| {
            let place = place.filter(|place| place.partition.embedding_model == model)?;
            let flagged = found.passages.iter().any(|passage| passage.chunk.chunk.flagged);
            Some((place, Asked::new(question, vector).filter(|_| !flagged)?))
        });
        let Some((place, asked)) = asked else { return Ok(afresh().await.map(new)) };
        let (shared, anothers) = loop {
            if let Some(draft) = place.answers.find(&place.partition, &asked) {
                let rows = self.rows(scope, &draft.citations).await?;
                if !draft.citations.iter().all(|citation| holds(citation, &rows)) {
                    place.answers.forget(&place.partition, &draft);
                    continue;
                }
                // The switch of the course and the quotas hold for kept answers as well.
                if !self.models.may_be_answered(&place.partition.chat_model).await {
                    place.answers.miss();
                    return Ok(afresh().await.map(new));
                }
                place.answers.hit(false);
                return Ok(Ok(Drafted { draft, cached: true, keep: None }));
            }
            let joined = place.answers.join(&place.partition, &asked, || {
                let (models, checker, dense) = (self.models.clone(), Arc::clone(&self.checker), found.dense.clone());
                let (question, passages) = (question.to_owned(), found.passages.clone());
                async move {
                    generate(&models, checker.as_ref(), &question, &passages, dense.as_ref()).await.map(Arc::new)
                }
                .boxed()
            });
            if let Some(joined) = joined {
                break joined;
            }
        };
        place.answers.miss();
        if anothers && !self.models.may_be_answered(&place.partition.chat_model).await {
            return Ok(afresh().await.map(new));
        }
        match shared.clone().await {
            Ok(draft) => {
                if anothers {
                    place.answers.hit(true);
                }
                // Another may have answered: the preferred model failed, or was replaced meanwhile.
                let kept = draft.model == place.partition.chat_model;
                let keep = kept.then_some(Keep { place, asked, _made: shared });
                Ok(Ok(Drafted { draft, cached: anothers, keep }))
            }
            // What failed for another asker, by a quota for instance, need not fail for this one.
            Err(_) if anothers => Ok(afresh().await.map(new)),
            Err(fallback) => Ok(Err(fallback)),
        }
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
