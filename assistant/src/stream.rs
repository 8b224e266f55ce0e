//! An answer as a stream of events. Only what was checked is ever sent.
//!
//! The whole answer is checked before the first event: a sentence that was shown cannot be taken
//! back when a later one turns out to be wrong.

use domain::tutor::{Answer, Citation};
use futures::future::BoxFuture;
use futures::stream::{self, Stream, StreamExt as _};
use serde::Serialize;
use store::Scope;
use tokio::sync::watch;

use crate::{Assistant, Result};

/// One event of an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Event {
    /// The question waits for the language model; comes before everything else, and again when it changes.
    Queued {
        /// Requests that are ahead of it; none once the model has it.
        ahead: Option<usize>,
    },
    /// A place that the following text cites.
    Citation {
        /// Its number in the answer.
        index: usize,
        /// The place.
        citation: Citation,
    },
    /// The next words of the answer.
    Delta {
        /// Appended to what came before.
        text: String,
        /// Numbers of the places that carry it.
        citations: Vec<usize>,
    },
    /// The whole answer; the last event.
    Done {
        /// The answer.
        answer: Box<Answer>,
    },
}

impl Assistant {
    /// Answers a question as a stream of events that ends in [`Event::Done`].
    pub fn ask_stream(&self, scope: Scope, question: String) -> impl Stream<Item = Result<Event>> + Send + use<> {
        let (sender, ahead) = watch::channel(None);
        let assistant = Self { models: self.models.telling(sender), ..self.clone() };
        let answer: BoxFuture<'static, _> = Box::pin(async move { assistant.ask(&scope, &question).await });
        stream::unfold(Some(Asking { answer, ahead }), |asking| async move {
            let mut asking = asking?;
            tokio::select! {
                result = &mut asking.answer => {
                    let said = match result {
                        Ok(answer) => events(answer).into_iter().map(Ok).collect(),
                        Err(error) => vec![Err(error)],
                    };
                    Some((said, None))
                }
                Ok(()) = asking.ahead.changed() => {
                    let ahead = *asking.ahead.borrow_and_update();
                    Some((vec![Ok(Event::Queued { ahead })], Some(asking)))
                }
            }
        })
        .flat_map(stream::iter)
    }
}

/// A question on its way.
struct Asking {
    answer: BoxFuture<'static, Result<Answer>>,
    ahead: watch::Receiver<Option<usize>>,
}

/// Citations first, then the sentences with what stands between them, then the whole.
#[must_use]
pub fn events(answer: Answer) -> Vec<Event> {
    let mut events: Vec<Event> = answer
        .citations
        .iter()
        .cloned()
        .enumerate()
        .map(|(index, citation)| Event::Citation { index, citation })
        .collect();
    let mut sent = 0;
    for sentence in &answer.sentences {
        let rest = answer.answer.get(sent..).unwrap_or_default();
        let end = rest.find(&sentence.text).map_or(rest.len(), |at| at + sentence.text.len());
        events.push(Event::Delta {
            text: rest.get(..end).unwrap_or_default().to_owned(),
            citations: sentence.citations.clone(),
        });
        sent += end;
    }
    let rest = answer.answer.get(sent..).unwrap_or_default();
    if !rest.is_empty() {
        events.push(Event::Delta { text: rest.to_owned(), citations: Vec::new() });
    }
    events.push(Event::Done { answer: Box::new(answer) });
    events
}
