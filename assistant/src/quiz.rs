//! Questions drawn from the passages of a course: without a model, and in a model's words.
//!
//! Without a model a fact is one sentence that says what a term is, does or is called; a list or
//! table gives several at once. Each question is made from words that stand in the course, its wrong
//! options from what the course says of other things of the same kind. With a chat model the first
//! half of a set is drafted by it (see [`draft`]); what does not hold is refused by name and the
//! course's own words fill the rest.

mod choice;
mod course;
mod draft;
mod fact;
mod group;
mod item;
mod lexicon;
pub mod prompt;
mod recall;
mod select;
mod truth;
mod words;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::time::{Duration, Instant};

use domain::chunk::Chunk;
use domain::question::{Bloom, Draft, lint};
use domain::{LessonId, text};
use serde::Serialize;
use store::Scope;
use store::sql::{chunk, learning};

use crate::models::Models;
use crate::retrieve::in_document_order;
use crate::{Assistant, Result};

pub use draft::Rejected;

/// One passage as questions are made from it.
#[derive(Debug, Clone)]
pub struct Passage {
    /// The lesson that shows it.
    pub lesson: Option<LessonId>,
    /// Path within the source.
    pub source_path: String,
    /// The passage.
    pub chunk: Chunk,
    /// Terms that its document's author stressed.
    pub stressed: Vec<String>,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Only questions on this lesson; wrong options may come from the whole course.
    pub lesson: Option<LessonId>,
    /// How many.
    pub count: usize,
    /// The same seed and course give the same questions.
    pub seed: u64,
    /// Stems that the course's bank has already.
    pub known: Vec<String>,
    /// How long a chat model may take in all; the course's own words fill what is left.
    pub model_time: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Offered {
    /// Questions without a hard flaw, to be looked at by a person.
    pub items: Vec<Draft>,
    /// Why others are not among them.
    pub rejected: Vec<Rejection>,
    /// What a reader must know.
    pub notices: Vec<String>,
}

/// One question that is not offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// Why.
    pub reason: String,
}

/// One option and why it is right or wrong.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choice {
    pub text: String,
    pub right: bool,
    pub why: String,
}

/// What kind of question it is, with its key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    One(Vec<Choice>),
    Truth { holds: bool, why: String },
    Cloze { before: String, after: String, accepted: Vec<String> },
    Short { accepted: Vec<String> },
    Matching(Vec<(String, String)>),
    Ordering(Vec<String>),
    Numeric { value: f64 },
}

/// A question before it is linted.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub stem: String,
    pub kind: Kind,
    /// What it asks for; no two questions of a set ask for the same.
    pub about: String,
    pub passage: usize,
    pub span: Range<usize>,
    pub worth: f64,
    /// Set where a model said so.
    pub bloom: Option<Bloom>,
    pub generated: bool,
}

/// A stable number for a text and a seed; orders what would otherwise come in the order of rows.
pub(crate) fn mix(seed: u64, text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), step);
    (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// All questions that the passages give without a model.
fn make(passages: &[Passage], seed: u64) -> Vec<Made> {
    let lexicon = lexicon::Lexicon::new(passages);
    let facts = fact::facts(passages, &lexicon);
    let course = course::Course::new(passages, &lexicon, &facts, seed);
    let mut made = choice::make(&course);
    made.extend(truth::make(&course));
    made.extend(recall::make(&course));
    made.extend(group::make(&course));
    made
}

/// Questions from passages without a model, linted, spread and free of repeats.
#[must_use]
pub fn from_words(passages: &[Passage], wanted: &Wanted) -> Offered {
    let mut offered = Offered::default();
    fill(passages, wanted, Vec::new(), None, &mut offered);
    offered
}

fn known(wanted: &Wanted) -> Vec<HashSet<String>> {
    wanted.known.iter().map(|stem| text::terms(stem).into_iter().collect()).collect()
}

/// Adds what the course's words give to what a model drafted, up to the wanted number.
fn fill(passages: &[Passage], wanted: &Wanted, drafted: Vec<Made>, model: Option<&str>, offered: &mut Offered) {
    let mut pool = make(passages, wanted.seed);
    let inside = |made: &Made| {
        wanted.lesson.is_none() || passages.get(made.passage).is_some_and(|passage| passage.lesson == wanted.lesson)
    };
    pool.retain(inside);
    // What the lint refuses leaves the pool before the choice, so that a set is not short of it.
    pool.retain(|made| match item::item(made, passages, None, wanted.seed) {
        Ok(_) => true,
        Err(rule) => {
            offered.rejected.push(Rejection { reason: Rejected::Flaw(rule).to_string() });
            false
        }
    });
    let mut known = known(wanted);
    known.extend(drafted.iter().map(select::tokens));
    let rest = wanted.count.saturating_sub(drafted.len());
    let chosen = select::select(pool, passages, &known, rest, wanted.seed);
    for made in drafted.iter().chain(&chosen) {
        match item::item(made, passages, model, wanted.seed) {
            Ok(draft) => offered.items.push(draft),
            Err(rule) => offered.rejected.push(Rejection { reason: Rejected::Flaw(rule).to_string() }),
        }
    }
    let places: Vec<(usize, usize)> = offered.items.iter().filter_map(place_of_key).collect();
    if lint::position_bias(&places) {
        offered.notices.push("The right option stands at one place too often in this set.".into());
    }
    if offered.items.len() < wanted.count {
        offered.notices.push(format!(
            "The material gives {} of {} questions that are worth a look.",
            offered.items.len(),
            wanted.count
        ));
    }
}

fn stopped() -> crate::Error {
    crate::Error::Domain(domain::Error::new(domain::ErrorKind::Internal, "the making of questions stopped"))
}

/// Where the right option stands, of how many.
fn place_of_key(draft: &Draft) -> Option<(usize, usize)> {
    let domain::question::Body::MultipleChoice(body) = &draft.body else { return None };
    Some((body.options.iter().position(|option| option.id == body.right)?, body.options.len()))
}

impl Assistant {
    /// Questions on a course, for a person to review: drafted by the chat model where there is one,
    /// else and for the rest from the course's own words.
    ///
    /// # Errors
    /// The rows cannot be read. Models that fail are no error.
    pub async fn questions(&self, scope: &Scope, wanted: &Wanted) -> Result<Offered> {
        let passages = self.passages(scope).await?;
        let mut offered = Offered::default();
        let model = self.models.chat_model();
        let drafted = if model.is_some() { self.drafted(&passages, wanted, &mut offered).await } else { Vec::new() };
        let (wanted, model) = (wanted.clone(), model);
        // Seconds of pure computation on a whole book are no work for a thread that serves requests.
        let work = move || {
            fill(&passages, &wanted, drafted, model.as_deref(), &mut offered);
            offered
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| stopped())
    }

    /// The course's passages in reading order, with what its authors stressed.
    async fn passages(&self, scope: &Scope) -> Result<Vec<Passage>> {
        let scope = *scope;
        let (mut chunks, stressed) = self
            .store
            .read(|tx| {
                Box::pin(async move {
                    let chunks = chunk::in_course(tx, &scope).await?;
                    let pages = learning::pages(tx, &scope).await?;
                    let stressed: HashMap<_, Vec<String>> =
                        pages.into_iter().map(|page| (page.document, page.notes.terms)).collect();
                    Ok((chunks, stressed))
                })
            })
            .await?;
        in_document_order(&mut chunks);
        Ok(chunks
            .into_iter()
            .map(|row| Passage {
                lesson: row.lesson_id,
                stressed: stressed.get(&row.document_id).cloned().unwrap_or_default(),
                source_path: row.source_path,
                chunk: row.chunk,
            })
            .collect())
    }

    /// Drafts of the chat model for the first half of a set, a passage each, the richest passages first.
    async fn drafted(&self, passages: &[Passage], wanted: &Wanted, offered: &mut Offered) -> Vec<Made> {
        let began = Instant::now();
        let half = wanted.count.div_ceil(2);
        let mut known = known(wanted);
        let mut drafted = Vec::new();
        for at in rich(passages, wanted).into_iter().take(half * 2) {
            if drafted.len() >= half || began.elapsed() > wanted.model_time {
                break;
            }
            match draft::draft(&self.models, passages, at, 1, &known, wanted.seed).await {
                Ok(verdicts) => {
                    for verdict in verdicts {
                        match verdict {
                            Ok(made) => {
                                known.push(select::tokens(&made));
                                drafted.push(made);
                            }
                            Err(rejected) => offered.rejected.push(Rejection { reason: rejected.to_string() }),
                        }
                    }
                }
                Err(_) => {
                    offered.notices.push("The language model went away; the rest is in the course's own words.".into());
                    break;
                }
            }
        }
        drafted
    }
}

/// Passages worth a question, spread over documents.
fn rich(passages: &[Passage], wanted: &Wanted) -> Vec<usize> {
    let lexicon = lexicon::Lexicon::new(passages);
    let mut worth: HashMap<usize, f64> = HashMap::new();
    for fact in fact::facts(passages, &lexicon) {
        *worth.entry(fact.passage).or_default() += fact.worth.max(0.0);
    }
    let mut order: Vec<(usize, f64)> = worth
        .into_iter()
        .filter(|(at, _)| {
            passages
                .get(*at)
                .is_some_and(|p| !p.chunk.flagged && (wanted.lesson.is_none() || p.lesson == wanted.lesson))
        })
        .collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut crowd: HashMap<&str, usize> = HashMap::new();
    let mut spread: Vec<(usize, usize)> = Vec::new();
    for (at, _) in order {
        let path = passages.get(at).map(|p| p.source_path.as_str()).unwrap_or_default();
        let place = crowd.entry(path).or_default();
        spread.push((*place, at));
        *place += 1;
    }
    spread.sort_by_key(|(round, _)| *round);
    spread.into_iter().map(|(_, at)| at).collect()
}

/// What became of one passage's drafts, for those who measure the pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The question, or why it is not offered.
    pub outcome: std::result::Result<Draft, Rejected>,
}

/// Drafts of a model on one passage, each with its verdict.
///
/// # Errors
/// No chat model answers.
pub async fn verdicts(gateway: llm_gateway::Gateway, passage: Passage, count: usize) -> Result<Vec<Verdict>> {
    let models = Models::new(gateway);
    let passages = [passage];
    let drafted = draft::draft(&models, &passages, 0, count, &[], 1).await.map_err(|_| stopped())?;
    let finish = |made: Made| item::item(&made, &passages, None, 1).map_err(Rejected::Flaw);
    Ok(drafted.into_iter().map(|verdict| Verdict { outcome: verdict.and_then(finish) }).collect())
}
