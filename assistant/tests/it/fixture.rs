//! A small course in a store, and a worker whose models do as they are told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use assistant::Assistant;
use domain::chunk::{Chunk, Sentence};
use domain::course::Course;
use domain::document::DocumentKind;
use domain::ingestion::SourceKind;
use domain::institution::Institution;
use domain::wire::{ChatRequest, Down, Failure, Finish, Model, Reply, Request, Task, Up, Vectors};
use domain::{CourseId, InstitutionId, LocatorKind};
use llm_gateway::{Gateway, WorkerLink};
use store::sql::version::{NewLesson, NewModule};
use store::sql::{chunk, course, document, embedding, institution, source, version};
use store::vector::ExactScan;
use store::{Scope, Store};

pub(crate) const EMBED: &str = "words@test";
pub(crate) const CHAT: &str = "chat@test";
pub(crate) const BREAD: &str = include_str!("bread.md");

/// A chunk a section: `#` and `##` are headings, other lines text; every line has its number.
pub(crate) fn chunks(text: &str, kind: LocatorKind) -> Vec<Chunk> {
    let mut path: Vec<String> = Vec::new();
    let mut found: Vec<Chunk> = Vec::new();
    let mut open = false;
    for (number, line) in (1_i64..).zip(text.lines()) {
        let level = line.chars().take_while(|c| *c == '#').count();
        if level > 0 {
            path.truncate(level - 1);
            path.push(line.trim_start_matches('#').trim().to_owned());
            open = false;
        } else if !line.trim().is_empty() {
            let (start, end) =
                if kind == LocatorKind::Time { (number * 10_000, number * 10_000 + 9_000) } else { (number, number) };
            let place = domain::Locator::new(kind, start, end);
            if !open {
                found.push(Chunk {
                    heading_path: path.clone(),
                    text: String::new(),
                    locator: place,
                    sentences: Vec::new(),
                    flagged: false,
                });
                open = true;
            }
            let chunk = found.last_mut().unwrap();
            if !chunk.text.is_empty() {
                chunk.text.push('\n');
            }
            let from = chunk.text.len();
            chunk.text.push_str(line);
            chunk.locator = chunk.locator.union(place);
            chunk.sentences.extend(domain::text::sentences(line).into_iter().map(|(a, b)| Sentence {
                start: from + a,
                end: from + b,
                locator: place,
            }));
            chunk.flagged |= domain::injection::instruction_like(line).is_some();
        }
    }
    found
}

/// A unit vector of hashed index terms: texts that share words are near. A part that all texts
/// share lifts the cosines to where the thresholds of a real model lie.
pub(crate) fn vector(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0_f32; 512];
    for term in domain::text::terms(text) {
        let hash =
            term.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        vector[1 + (hash % 511) as usize] += 1.0;
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-6);
    vector.iter_mut().for_each(|x| *x /= length);
    vector[0] = 0.55_f32.sqrt();
    vector
}

pub(crate) async fn school(store: &Store, slug: &str) -> (InstitutionId, CourseId) {
    let slug = slug.to_owned();
    store
        .write(move |tx| {
            Box::pin(async move {
                let now = tx.now().await?;
                let school = Institution {
                    id: InstitutionId::fresh(),
                    slug: slug.clone(),
                    name: slug,
                    status: "active".into(),
                    created_at: now,
                };
                institution::insert(tx, &school).await?;
                let made = Course {
                    id: CourseId::fresh(),
                    institution_id: school.id,
                    slug: "bread".into(),
                    title: "Bread".into(),
                    description: String::new(),
                    status: "published".into(),
                    visibility: "institution".into(),
                    enrollment_type: "open".into(),
                    duration_weeks: None,
                    credit_hours: None,
                    metadata: serde_json::json!({}),
                    created_by: None,
                    version: 1,
                    created_at: now,
                    updated_at: now,
                };
                course::insert(tx, &made).await?;
                Ok((school.id, made.id))
            })
        })
        .await
        .unwrap()
}

/// Publishes documents (path, chunks) as one source; with vectors when asked. Those named `hidden` are.
pub(crate) async fn publish(
    store: &Store,
    (school, course): (InstitutionId, CourseId),
    documents: Vec<(String, Vec<Chunk>)>,
    embedded: bool,
) {
    store
        .write(move |tx| {
            Box::pin(async move {
                let from = source::find_or_create(tx, school, course, SourceKind::Dir, "bread", "Bread").await?;
                let print = format!("{documents:?}").len().to_string();
                let built = version::create(tx, school, from, &print, Some("0123abc"), &serde_json::json!({})).await?;
                let mut first = 0;
                let mut lessons = Vec::new();
                for (position, (path, chunks)) in (0..).zip(documents) {
                    let new = document::NewDocument {
                        institution_id: school,
                        course_id: course,
                        version_id: built,
                        path: path.clone(),
                        title: path.clone(),
                        kind: DocumentKind::Markdown,
                        blob_sha256: "0".into(),
                        extra: serde_json::json!({}),
                        position,
                    };
                    let id = document::insert(tx, &new).await?;
                    chunk::insert_many(tx, school, course, from, built, id, first, &chunks).await?;
                    first += i64::try_from(chunks.len()).unwrap();
                    lessons.push(NewLesson {
                        hidden: path.starts_with("hidden"),
                        title: path,
                        kind: "DOCUMENT".into(),
                        document_id: Some(id),
                    });
                }
                if embedded {
                    let rows = chunk::without_vector(tx, school, built, EMBED, 10_000).await?;
                    let new: Vec<embedding::NewEmbedding> = rows
                        .iter()
                        .map(|row| embedding::NewEmbedding {
                            chunk_id: row.id,
                            content_hash: row.content_hash.clone(),
                            vector: vector(&row.chunk.indexed_text()),
                            sentences: row.chunk.embedded_parts().iter().map(|text| vector(text)).collect(),
                        })
                        .collect();
                    embedding::insert_many(tx, school, course, built, EMBED, &new).await?;
                }
                version::publish(tx, school, course, from, built, &[NewModule { title: "All".into(), lessons }]).await
            })
        })
        .await
        .unwrap();
}

/// What the chat model does with a request.
#[derive(Clone)]
pub(crate) enum Script {
    /// Says this.
    Say(String),
    /// Says this much and dies.
    DieAfter(String),
}

type Rule = Arc<dyn Fn(&ChatRequest) -> Script + Send + Sync>;

/// A worker in this process with an embedding model and, with a rule, a chat model.
#[derive(Clone, Default)]
pub(crate) struct Worker {
    pub(crate) failing_embeds: Arc<AtomicUsize>,
    pub(crate) prompts: Arc<Mutex<Vec<ChatRequest>>>,
    /// Chat models beside [`CHAT`].
    pub(crate) more: Vec<&'static str>,
}

impl Worker {
    pub(crate) fn attach(&self, gateway: &Gateway, rule: Option<Rule>) {
        let (link, task) = gateway.attach_in_process();
        tokio::spawn(task);
        tokio::spawn(self.clone().serve(link, rule));
    }

    async fn serve(self, mut link: WorkerLink, rule: Option<Rule>) {
        let model = |id: &str, task| Model { dimension: Some(512), ..Model::new(id, task, "test") };
        let mut models = vec![model(EMBED, Task::Embed)];
        let chat = [CHAT].into_iter().chain(self.more.iter().copied());
        models.extend(chat.filter(|_| rule.is_some()).map(|id| model(id, Task::Chat)));
        let _ = link.outgoing.send(Up::Register { worker: "test".into(), models }).await;
        let _ = link.outgoing.send(Up::Credit { count: 8 }).await;
        while let Some(message) = link.incoming.recv().await {
            let Down::Assign { assignment } = message else { continue };
            let id = assignment.id;
            let failed = || Up::Fail { id, failure: Failure::Backend { message: "told to fail".into() } };
            match assignment.request {
                Request::Embed(request) => {
                    let fail = self
                        .failing_embeds
                        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                        .is_ok();
                    let vectors = Vectors(request.texts.iter().map(|text| vector(text)).collect());
                    let _ = link
                        .outgoing
                        .send(if fail { failed() } else { Up::Done { id, reply: Reply::Embed { vectors } } })
                        .await;
                }
                Request::Chat(request) => {
                    self.prompts.lock().unwrap().push(request.clone());
                    let (text, dies) = match rule.as_ref().map(|rule| rule(&request)) {
                        Some(Script::Say(text)) => (text, false),
                        Some(Script::DieAfter(text)) => (text, true),
                        None => (String::new(), true),
                    };
                    let pieces: Vec<char> = text.chars().collect();
                    for piece in pieces.chunks(40) {
                        let _ = link.outgoing.send(Up::Token { id, text: piece.iter().collect() }).await;
                    }
                    let done = Up::Done { id, reply: Reply::Chat { finish: Finish::Stop, usage: None } };
                    let _ = link.outgoing.send(if dies { failed() } else { done }).await;
                }
                Request::Forward(_) | Request::Transcribe(_) | Request::Unknown => {}
            }
            let _ = link.outgoing.send(Up::Credit { count: 1 }).await;
        }
    }
}

/// The bread course, a worker and a tutor over them.
pub(crate) struct Bench {
    pub(crate) tutor: Assistant,
    pub(crate) scope: Scope,
    pub(crate) worker: Worker,
    pub(crate) store: Store,
    pub(crate) scan: ExactScan,
    pub(crate) gateway: Gateway,
}

pub(crate) async fn bench(store: &Store, rule: Option<Rule>) -> Bench {
    bench_with(store, rule, BREAD, LocatorKind::Lines).await
}

pub(crate) async fn bench_with(store: &Store, rule: Option<Rule>, text: &str, kind: LocatorKind) -> Bench {
    let (institution, course) = school(store, "north").await;
    publish(store, (institution, course), vec![("bread.md".into(), chunks(text, kind))], true).await;
    let gateway = Gateway::default();
    let worker = Worker::default();
    worker.attach(&gateway, rule);
    until(|| gateway.embedding_model().is_some()).await;
    let scan = ExactScan::new(store.clone());
    let tutor = Assistant::new(store.clone(), scan.clone(), gateway.clone());
    Bench { tutor, scope: Scope { institution, course, hidden: false }, worker, store: store.clone(), scan, gateway }
}

/// Waits for other tasks to make it so.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    let soon = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), soon).await.expect("it did not come to hold");
}
