//! For tests: content planted through the public doors, and what every vector index must hold to.
//!
//! One suite runs over every adapter: the scan on both databases, and a server wherever one is named.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets the unexpected has failed"
)]

use domain::chunk::{Chunk, Sentence};
use domain::document::DocumentKind;
use domain::ingestion::SourceKind;
use domain::{ChunkId, CourseId, InstitutionId, Locator, LocatorKind, SourceId, VersionId, text};
use serde_json::json;

use super::{Reconciled, VectorIndex};
use crate::sql::version::{NewLesson, NewModule};
use crate::sql::{chunk, document, embedding, source, version};
use crate::{Scope, Store};

/// A model of the suite's vectors.
pub const MODEL: &str = "suite-model@fp32";
/// Numbers of its vectors.
pub const DIMENSION: usize = 32;

/// A document to plant.
#[derive(Debug, Clone)]
pub struct Page {
    /// Path within the source.
    pub path: String,
    /// Its lesson is hidden.
    pub hidden: bool,
    /// Its passages, one after the other.
    pub passages: Vec<String>,
}

impl Page {
    /// A visible page.
    #[must_use]
    pub fn new(path: &str, passages: &[&str]) -> Self {
        Self { path: path.into(), hidden: false, passages: passages.iter().map(|text| (*text).to_owned()).collect() }
    }

    /// The same, hidden.
    #[must_use]
    pub fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }
}

/// A version that was planted.
#[derive(Debug, Clone)]
pub struct Planted {
    /// Tenant.
    pub institution: InstitutionId,
    /// Course.
    pub course: CourseId,
    /// Source.
    pub source: SourceId,
    /// Version.
    pub version: VersionId,
    /// Its chunks in order.
    pub chunks: Vec<ChunkId>,
}

impl Planted {
    /// What a learner of the course may search.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope { institution: self.institution, course: self.course, hidden: false }
    }
}

/// A vector that is near those of texts with the same words.
#[must_use]
pub fn vector(words: &str, seed: u64) -> Vec<f32> {
    let mut sum = vec![0.0_f32; DIMENSION];
    for term in text::terms(words) {
        let mut state = term.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        for value in &mut sum {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *value += f32::from(u16::try_from(state >> 48).unwrap()) / 32_768.0 - 1.0;
        }
    }
    sum
}

/// A passage of a page: two sentences where the text has them.
#[must_use]
pub fn passage(heading: &str, text: &str, line: i64) -> Chunk {
    let locator = Locator::new(LocatorKind::Lines, line, line + 1);
    Chunk {
        heading_path: vec![heading.to_owned()],
        text: text.to_owned(),
        locator,
        sentences: text::sentences(text).into_iter().map(|(start, end)| Sentence { start, end, locator }).collect(),
        flagged: false,
    }
}

/// An institution with a course.
pub async fn course(store: &Store) -> (InstitutionId, CourseId) {
    let institution = InstitutionId::fresh();
    let sql = format!(
        "INSERT INTO institutions (id, slug, name, status, created_at) VALUES ('{institution}', '{}', 'School', 'active', 1)",
        institution.0.simple()
    );
    crate::testing::execute(store, &sql).await.unwrap();
    (institution, another_course(store, institution).await)
}

/// One more course of an institution.
pub async fn another_course(store: &Store, institution: InstitutionId) -> CourseId {
    let course = CourseId::fresh();
    let sql = format!(
        "INSERT INTO courses (id, institution_id, slug, title, description, status, visibility, enrollment_type, metadata,
           version, created_at, updated_at)
         VALUES ('{course}', '{institution}', '{}', 'Course', '', 'published', 'institution', 'open', '{{}}', 1, 1, 1)",
        course.0.simple()
    );
    crate::testing::execute(store, &sql).await.unwrap();
    course
}

/// Builds a version of the course's source `origin`: documents and chunks, not published, no vectors.
pub async fn build(
    store: &Store,
    institution: InstitutionId,
    course: CourseId,
    origin: &str,
    pages: &[Page],
) -> Planted {
    let (origin, pages) = (origin.to_owned(), pages.to_vec());
    store
        .write(move |tx| {
            Box::pin(async move {
                let source = source::find_or_create(tx, institution, course, SourceKind::Dir, &origin, &origin).await?;
                let fingerprint = format!("{pages:?}");
                let version = version::create(tx, institution, source, &fingerprint, None, &json!({})).await?;
                let mut chunks = Vec::new();
                for (position, page) in (0..).zip(&pages) {
                    let new = document::NewDocument {
                        institution_id: institution,
                        course_id: course,
                        version_id: version,
                        path: page.path.clone(),
                        title: page.path.clone(),
                        kind: DocumentKind::Markdown,
                        blob_sha256: "0".repeat(64),
                        extra: json!({}),
                        position,
                    };
                    let document = document::insert(tx, &new).await?;
                    let passages: Vec<Chunk> = (1..)
                        .step_by(10)
                        .zip(&page.passages)
                        .map(|(line, text)| passage(&page.path, text, line))
                        .collect();
                    let first = i64::try_from(chunks.len()).unwrap();
                    chunk::insert_many(tx, institution, course, source, version, document, first, &passages).await?;
                    chunks.extend((first..).take(passages.len()).map(|at| ChunkId::derived(source, version, at)));
                }
                Ok(Planted { institution, course, source, version, chunks })
            })
        })
        .await
        .unwrap()
}

/// Publishes what [`build`] made: one module, a lesson for each document.
pub async fn publish(store: &Store, planted: &Planted, pages: &[Page]) {
    let (planted, pages) = (planted.clone(), pages.to_vec());
    store
        .write(move |tx| {
            Box::pin(async move {
                let documents = document::list(tx, planted.institution, planted.version).await?;
                let lessons = documents
                    .iter()
                    .zip(&pages)
                    .map(|(document, page)| NewLesson {
                        title: document.title.clone(),
                        kind: "DOCUMENT".into(),
                        document_id: Some(document.id),
                        hidden: page.hidden,
                    })
                    .collect();
                let modules = [NewModule { title: "Module".into(), lessons }];
                version::publish(tx, planted.institution, planted.course, planted.source, planted.version, &modules)
                    .await
            })
        })
        .await
        .unwrap();
}

/// Writes the vectors of a version as rows, and yields them as an index takes them.
pub async fn embed(store: &Store, planted: &Planted, model: &'static str, seed: u64) -> Vec<(ChunkId, Vec<f32>)> {
    let planted = planted.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                let Planted { institution, course, version, .. } = planted;
                let chunks = chunk::without_vector(tx, institution, version, model, 10_000).await?;
                let new: Vec<embedding::NewEmbedding> = chunks
                    .into_iter()
                    .map(|stored| embedding::NewEmbedding {
                        chunk_id: stored.id,
                        content_hash: stored.content_hash,
                        vector: vector(&stored.chunk.text, seed),
                        sentences: stored.chunk.embedded_parts().iter().map(|text| vector(text, seed)).collect(),
                    })
                    .collect();
                embedding::insert_many(tx, institution, course, version, model, &new).await?;
                Ok(new.into_iter().map(|embedding| (embedding.chunk_id, embedding.vector)).collect())
            })
        })
        .await
        .unwrap()
}

/// Builds, publishes and embeds under [`MODEL`], and fills `index`.
pub async fn plant(
    store: &Store,
    index: &dyn VectorIndex,
    institution: InstitutionId,
    course: CourseId,
    origin: &str,
    pages: &[Page],
) -> Planted {
    let planted = build(store, institution, course, origin, pages).await;
    publish(store, &planted, pages).await;
    let vectors = embed(store, &planted, MODEL, 0).await;
    index.upsert(institution, course, planted.version, MODEL, &vectors).await.unwrap();
    planted
}

/// Three pages of six passages, one page hidden.
#[must_use]
pub fn pages() -> Vec<Page> {
    vec![
        Page::new(
            "waves.md",
            &["A wave carries energy. It moves no matter along.", "Frequency counts cycles in a second."],
        ),
        Page::new(
            "ears.md",
            &["The cochlea sorts frequency by place.", "Hair cells answer to pressure. They do not grow back."],
        ),
        Page::new("answers.md", &["The answer to the exam is loudness.", "The second answer is the cochlea."]).hidden(),
    ]
}

async fn found(index: &dyn VectorIndex, scope: &Scope, words: &str, limit: usize) -> Vec<ChunkId> {
    let hits = index.search(scope, MODEL, &vector(words, 0), limit).await.unwrap();
    assert!(hits.is_sorted_by(|a, b| a.score >= b.score), "{} does not answer best first", index.name());
    hits.into_iter().map(|hit| hit.chunk_id).collect()
}

/// What every vector index holds to, over `store`.
///
/// # Panics
/// When it does not.
pub async fn holds(store: &Store, index: &dyn VectorIndex) {
    assert!(index.healthy().await);
    ranks_by_cosine_within_the_scope(store, index).await;
    models_never_mix(store, index).await;
    follows_publication(store, index).await;
    follows_the_rows(store, index).await;
}

async fn ranks_by_cosine_within_the_scope(store: &Store, index: &dyn VectorIndex) {
    let (institution, course_a) = course(store).await;
    let course_b = another_course(store, institution).await;
    let (other, other_course) = course(store).await;
    let pages = pages();
    let a = plant(store, index, institution, course_a, "one", &pages).await;
    plant(store, index, institution, course_b, "one", &pages).await;
    plant(store, index, other, other_course, "one", &pages).await;

    // The passage itself comes first, with cosine 1, and all others follow: those of this course alone.
    let text = "The cochlea sorts frequency by place.";
    let hits = index.search(&a.scope(), MODEL, &vector(text, 0), 10).await.unwrap();
    let ids: Vec<ChunkId> = hits.iter().map(|hit| hit.chunk_id).collect();
    assert_eq!(ids.first(), a.chunks.get(2));
    assert!((hits[0].score - 1.0).abs() < 1e-4, "score of the same vector is {}", hits[0].score);
    assert_eq!(hits.len(), 4, "hidden passages are not for learners");
    assert!(ids.iter().all(|id| a.chunks[..4].contains(id)));
    assert_eq!(found(index, &a.scope(), text, 2).await, ids[..2], "a smaller limit is a prefix");
    assert!(found(index, &a.scope(), text, 0).await.is_empty());

    // Who may see hidden lessons finds them too.
    let all = Scope { hidden: true, ..a.scope() };
    assert_eq!(found(index, &all, "The second answer is the cochlea.", 10).await.first(), a.chunks.get(5));
    assert_eq!(found(index, &all, text, 10).await.len(), 6);

    // The same corpus elsewhere is out of reach, and so is a course under another institution.
    for scope in [
        Scope { institution: other, ..all },
        Scope { course: other_course, ..all },
        Scope { course: CourseId::fresh(), ..all },
    ] {
        assert!(found(index, &scope, text, 10).await.is_empty());
    }
    // Taking the same vectors twice is no change.
    let again = vec![(a.chunks[2], vector(text, 0))];
    index.upsert(institution, course_a, a.version, MODEL, &again).await.unwrap();
    assert_eq!(found(index, &a.scope(), text, 10).await, ids);
}

async fn models_never_mix(store: &Store, index: &dyn VectorIndex) {
    const OTHER: &str = "suite-model@int8";
    let (institution, course) = course(store).await;
    let pages = pages();
    let planted = plant(store, index, institution, course, "one", &pages).await;
    let query = vector("Frequency counts cycles in a second.", 0);
    assert!(index.search(&planted.scope(), OTHER, &query, 10).await.unwrap().is_empty());
    let vectors = embed(store, &planted, OTHER, 77).await;
    index.upsert(institution, course, planted.version, OTHER, &vectors).await.unwrap();
    for (model, seed) in [(MODEL, 0), (OTHER, 77)] {
        let query = vector("Frequency counts cycles in a second.", seed);
        let hits = index.search(&planted.scope(), model, &query, 10).await.unwrap();
        assert_eq!(hits.len(), 4);
        assert_eq!(hits[0].chunk_id, planted.chunks[1]);
        assert!((hits[0].score - 1.0).abs() < 1e-4, "another model's vector was met");
    }
}

async fn follows_publication(store: &Store, index: &dyn VectorIndex) {
    let (institution, course) = course(store).await;
    let pages = pages();
    let first = plant(store, index, institution, course, "one", &pages).await;
    let changed = [Page::new("waves.md", &["Sound needs a medium.", "Frequency counts cycles in a second."])];
    let second = build(store, institution, course, "one", &changed).await;
    let vectors = embed(store, &second, MODEL, 0).await;
    index.upsert(institution, course, second.version, MODEL, &vectors).await.unwrap();
    let text = "Sound needs a medium.";
    assert!(
        !found(index, &first.scope(), text, 10).await.contains(&second.chunks[0]),
        "a version being built was found"
    );
    publish(store, &second, &changed).await;
    assert_eq!(found(index, &first.scope(), text, 10).await.len(), 2, "the superseded version was found");
    assert_eq!(found(index, &first.scope(), text, 10).await[0], second.chunks[0]);
    index.delete_version(institution, first.version).await.unwrap();
    assert_eq!(index.reconcile(store, institution).await.unwrap(), Reconciled::default(), "something was left or lost");
    assert_eq!(found(index, &first.scope(), text, 10).await.len(), 2);
}

async fn follows_the_rows(store: &Store, index: &dyn VectorIndex) {
    let (institution, course) = course(store).await;
    let (other, other_course) = self::course(store).await;
    let pages = pages();
    let untouched = plant(store, index, other, other_course, "one", &pages).await;
    let text = "Hair cells answer to pressure. They do not grow back.";

    // Rows of which the index was never told.
    let planted = build(store, institution, course, "one", &pages).await;
    publish(store, &planted, &pages).await;
    embed(store, &planted, MODEL, 0).await;
    index.reconcile(store, institution).await.unwrap();
    assert_eq!(found(index, &planted.scope(), text, 1).await, planted.chunks[3..4]);

    // Rows that went without the index being told.
    let changed = [Page::new("waves.md", &["Sound needs a medium."])];
    let second = build(store, institution, course, "one", &changed).await;
    publish(store, &second, &changed).await;
    embed(store, &second, MODEL, 0).await;
    index.reconcile(store, institution).await.unwrap();
    assert_eq!(found(index, &planted.scope(), text, 10).await, second.chunks);
    assert_eq!(index.reconcile(store, institution).await.unwrap(), Reconciled::default());

    index.rebuild(store, institution).await.unwrap();
    assert_eq!(found(index, &planted.scope(), text, 10).await, second.chunks);
    assert_eq!(
        found(index, &untouched.scope(), text, 1).await,
        untouched.chunks[3..4],
        "another institution was touched"
    );
}
