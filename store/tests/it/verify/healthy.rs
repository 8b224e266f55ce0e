//! A small school in which everything is as it should be.

use std::sync::Arc;

use domain::chunk::{Chunk, Sentence};
use domain::document::DocumentKind;
use domain::event::Event;
use domain::ingestion::{Outcome, SourceKind};
use domain::job::FailureClass;
use domain::{
    ChunkId, CourseId, EnrollmentId, IngestionId, InstitutionId, Locator, LocatorKind, SourceId, UserId, VersionId,
};
use serde_json::json;
use store::blob::LocalBlobs;
use store::bus::{Bus, BusOptions, Consumer};
use store::queue::{self, NewJob};
use store::sql::document::NewDocument;
use store::sql::embedding::NewEmbedding;
use store::sql::event::{self, NewEvent};
use store::sql::idempotency::{self, Receipt};
use store::sql::job::{self, Claim, Failed};
use store::sql::package_file::PackageFile;
use store::sql::rendition::{File, Kind};
use store::sql::version::{NewLesson, NewModule};
use store::sql::{audit, chunk, document, embedding, ingestion, package_file, rendition, source, version};
use store::testing::execute;
use store::{Store, Tx};

mod gateway;
mod media;
mod scorm;

pub(super) struct Healthy {
    pub(super) institution: InstitutionId,
    pub(super) user: UserId,
    pub(super) other_user: UserId,
    pub(super) course: CourseId,
    pub(super) enrollment: EnrollmentId,
    pub(super) source: SourceId,
    pub(super) version: VersionId,
    pub(super) ingestion: IngestionId,
    pub(super) blob: String,
    pub(super) blob_key: String,
    pub(super) document: String,
    pub(super) chunks: Vec<ChunkId>,
}

impl Healthy {
    /// Replaces `{institution}` and so on; `{other.course}` is of the other school.
    pub(super) fn fill_one(&self, text: &str, other: &Healthy) -> String {
        let mut text = text.to_owned();
        for (prefix, school) in [("", self), ("other.", other)] {
            for (name, value) in [
                ("institution", school.institution.to_string()),
                ("user", school.user.to_string()),
                ("second_user", school.other_user.to_string()),
                ("course", school.course.to_string()),
                ("enrollment", school.enrollment.to_string()),
                ("source", school.source.to_string()),
                ("version", school.version.to_string()),
                ("ingestion", school.ingestion.to_string()),
                ("blob", school.blob.clone()),
                ("blob_key", school.blob_key.clone()),
                ("document", school.document.clone()),
                ("first_chunk", school.chunks[0].to_string()),
                ("chunk", school.chunks[2].to_string()),
                ("last_chunk", school.chunks[4].to_string()),
            ] {
                text = text.replace(&format!("{{{prefix}{name}}}"), &value);
            }
        }
        assert!(!text.contains('{') || text.contains("\":"), "unknown name in {text}");
        text
    }

    pub(super) fn fill(&self, statements: &[&str], other: &Healthy) -> Vec<String> {
        statements.iter().map(|statement| self.fill_one(statement, other)).collect()
    }
}

/// Plants a school with learners, a course made from a document, jobs in every state, and a consumer.
pub(super) async fn plant(store: &Store, slug: &'static str) -> Healthy {
    let institution = InstitutionId::fresh();
    let (user, other_user, course) = (UserId::fresh(), UserId::fresh(), CourseId::fresh());
    let (enrollment, second) = (EnrollmentId::fresh(), EnrollmentId::fresh());
    for sql in [
        format!(
            "INSERT INTO institutions (id, slug, name, status, created_at) VALUES ('{institution}', '{slug}', 'School', 'active', 1)"
        ),
        learner(user, institution, "ada"),
        learner(other_user, institution, "bob"),
        format!(
            "INSERT INTO user_roles (id, institution_id, user_id, role, scope_type, scope_id, created_at) VALUES ('role-{user}', '{institution}', '{user}', 'instructor', 'course', '{course}', 1)"
        ),
        format!(
            "INSERT INTO tokens (id, institution_id, user_id, kind, family, secret_hash, authenticated_at, expires_at, created_at) VALUES ('token-{user}', '{institution}', '{user}', 'access', 'f', 'hash-{user}', 1, 2, 1)"
        ),
        format!(
            "INSERT INTO courses (id, institution_id, slug, title, description, status, visibility, enrollment_type, capacity, metadata, version, created_at, updated_at) VALUES ('{course}', '{institution}', 'sound', 'Sound', '', 'published', 'institution', 'open', 2, '{{}}', 1, 1, 1)"
        ),
        enrolled(enrollment, institution, user, course),
        enrolled(second, institution, other_user, course),
    ] {
        execute(store, &sql).await.unwrap();
    }
    let events = [
        ("institution.created", institution.to_string()),
        ("user.created", user.to_string()),
        ("user.created", other_user.to_string()),
        ("course.created", course.to_string()),
        ("enrollment.created", enrollment.to_string()),
        ("enrollment.created", second.to_string()),
    ];
    let source = store
        .write(move |tx| {
            Box::pin(async move {
                for (event_type, aggregate) in events {
                    event::append(tx, &NewEvent::new(event_type, institution, aggregate)).await?;
                }
                audit::append(tx, institution, "operator", "course.create", &format!("course:{course}"), None).await?;
                audit::append(tx, institution, "operator", "user.create", &format!("user:{user}"), None).await?;
                let receipt = Receipt { request_hash: "ab".into(), response: "{\"data\":{}}".into() };
                idempotency::insert(tx, institution, user, &format!("key-{user}"), &receipt).await?;
                source::find_or_create(tx, institution, course, SourceKind::Dir, "/lectures", "Lectures").await
            })
        })
        .await
        .unwrap();
    let mut healthy = Healthy {
        institution,
        user,
        other_user,
        course,
        enrollment,
        source,
        version: VersionId::fresh(),
        ingestion: IngestionId::fresh(),
        blob: String::new(),
        blob_key: String::new(),
        document: String::new(),
        chunks: Vec::new(),
    };
    let published = publish(store, &healthy, Some("m1"), "first").await;
    healthy = Healthy { institution, user, other_user, course, enrollment, source, ..published };
    let sql = format!(
        "INSERT INTO lesson_progress (enrollment_id, lesson_id, institution_id, position, completed, updated_at)
         SELECT '{enrollment}', l.id, l.institution_id, 1.5, TRUE, 1 FROM lessons l WHERE l.course_id = '{course}'"
    );
    execute(store, &sql).await.unwrap();
    let gate = format!(
        "INSERT INTO scope_gates (course_id, model, institution_id, fingerprint, calibration, created_at) VALUES ('{course}', 'm1', '{institution}', 'f', '{{}}', 1)"
    );
    execute(store, &gate).await.unwrap();
    for sql in quiz(institution, course, user) {
        execute(store, &sql).await.unwrap();
    }
    for sql in grading(institution, course, user, other_user) {
        execute(store, &sql).await.unwrap();
    }
    for sql in media::rows(institution, course, source, user) {
        execute(store, &sql).await.unwrap();
    }
    for sql in gateway::rows(institution, course, user) {
        execute(store, &sql).await.unwrap();
    }
    gateway::requests(store, institution, user).await;
    scorm::attempt(store, institution, course, source, other_user).await;
    recording(store, &healthy).await;
    packaged(store, &healthy).await;
    jobs(store, institution).await;
    settle(store).await;
    healthy
}

/// A recording of the document, with a stream made of it.
async fn recording(store: &Store, school: &Healthy) {
    let blobs = LocalBlobs::new(&store.options().data_dir);
    let institution = school.institution;
    let keep = |bytes: &str, kind| {
        let bytes = format!("{bytes} {institution}").into_bytes();
        let blobs = blobs.clone();
        async move { store::blob::keep(store, &blobs, institution, bytes, kind).await.unwrap().sha256 }
    };
    let (spoken, stream) = (keep("spoken", "video/mp4").await, keep("stream", "video/mp4").await);
    let document = &school.document;
    execute(
        store,
        &format!(
            "INSERT INTO document_blobs (document_id, blob_sha256, institution_id)
             VALUES ('{document}', '{spoken}', '{institution}')"
        ),
    )
    .await
    .unwrap();
    let file = File { name: "video-240.m4s".into(), blob_sha256: stream, media_type: "video/mp4".into() };
    store
        .write(move |tx| {
            Box::pin(async move { rendition::put(tx, institution, &spoken, Kind::Hls, &json!({}), &[file]).await })
        })
        .await
        .unwrap();
}

/// A file of a package.
async fn packaged(store: &Store, school: &Healthy) {
    let blobs = LocalBlobs::new(&store.options().data_dir);
    let (institution, version) = (school.institution, school.version);
    let bytes = format!("start {institution}").into_bytes();
    let blob = store::blob::keep(store, &blobs, institution, bytes, "text/html").await.unwrap();
    let file = PackageFile { path: "Start.html".into(), blob_sha256: blob.sha256 };
    store
        .write(move |tx| Box::pin(async move { package_file::insert(tx, institution, version, &[file]).await }))
        .await
        .unwrap();
}

/// A question, the quiz that asks it, an attempt with a response, a hint, and a prerequisite.
fn quiz(institution: InstitutionId, course: CourseId, user: UserId) -> [String; 7] {
    let [question, assessment, attempt, lesson, needs] = std::array::from_fn(|_| uuid::Uuid::now_v7().to_string());
    [
        format!(
            "INSERT INTO questions (id, institution_id, course_id, version, state, type, draft, created_at, updated_at)
             VALUES ('{question}', '{institution}', '{course}', 1, 'live', 'essay', '{{}}', 1, 1)"
        ),
        format!(
            "INSERT INTO assessments (id, institution_id, course_id, title, state, feedback, created_at, updated_at)
             VALUES ('{assessment}', '{institution}', '{course}', 'Quiz', 'published', 'never', 1, 1)"
        ),
        format!(
            "INSERT INTO assessment_items (assessment_id, institution_id, question_id, position, points)
             VALUES ('{assessment}', '{institution}', '{question}', 0, 1)"
        ),
        format!(
            "INSERT INTO attempts (id, institution_id, course_id, assessment_id, user_id, preview, state, seed, started_at,
               needs_person) VALUES ('{attempt}', '{institution}', '{course}', '{assessment}', '{user}', FALSE, 'open', 1, 1, FALSE)"
        ),
        format!(
            "INSERT INTO responses (attempt_id, institution_id, question_id, question_version, seq, response, saved_at)
             VALUES ('{attempt}', '{institution}', '{question}', 1, 1, '{{}}', 1)"
        ),
        format!(
            "INSERT INTO hint_states (user_id, institution_id, question_id, wrong, first_wrong_at)
             VALUES ('{user}', '{institution}', '{question}', 1, 1)"
        ),
        format!(
            "INSERT INTO prerequisites (institution_id, course_id, lesson_id, needs_id, required, created_at)
             VALUES ('{institution}', '{course}', '{lesson}', '{needs}', TRUE, 1)"
        ),
    ]
}

/// A text that was handed in, proposed for, graded, released by the instructor, and appealed against.
fn grading(institution: InstitutionId, course: CourseId, teacher: UserId, learner: UserId) -> Vec<String> {
    let one = |table: &str| format!("(SELECT id FROM {table} WHERE institution_id = '{institution}' LIMIT 1)");
    let [question, quiz] = ["questions", "assessments"].map(one);
    let [attempt, submission, proposal, grade, appeal] = std::array::from_fn(|_| uuid::Uuid::now_v7().to_string());
    vec![
        format!(
            "INSERT INTO attempts (id, institution_id, course_id, assessment_id, user_id, preview, state, seed, started_at,
               deadline, submitted_at, score, most, needs_person)
             VALUES ('{attempt}', '{institution}', '{course}', {quiz}, '{learner}', FALSE, 'submitted', 1, 1, 9, 2, 0.5, 1, FALSE)"
        ),
        format!(
            "INSERT INTO responses (attempt_id, institution_id, question_id, question_version, seq, response, saved_at,
               fraction) VALUES ('{attempt}', '{institution}', {question}, 1, 1, '{{}}', 2, 0.5)"
        ),
        format!(
            "INSERT INTO rubrics (question_id, institution_id, version, rubric, created_at)
             VALUES ({question}, '{institution}', 1, '{{}}', 1)"
        ),
        format!(
            "INSERT INTO submissions (id, institution_id, course_id, question_id, question_version, attempt_id, user_id,
               text, most, submitted_at)
             VALUES ('{submission}', '{institution}', '{course}', {question}, 1, '{attempt}', '{learner}', 'Waves.', 1, 2)"
        ),
        format!(
            "INSERT INTO proposals (id, institution_id, submission_id, rubric_version, proposal, share, inputs_hash,
               created_at) VALUES ('{proposal}', '{institution}', '{submission}', 1, '{{}}', 0.5, 'ab', 3)"
        ),
        format!(
            "INSERT INTO grades (id, institution_id, submission_id, version, rubric_version, marks, share, points, most,
               proposal_id, graded_by, graded_at)
             VALUES ('{grade}', '{institution}', '{submission}', 1, 1, '[]', 0.5, 0.5, 1, '{proposal}', '{teacher}', 4)"
        ),
        format!(
            "INSERT INTO releases (grade_id, institution_id, released_by, released_at)
             VALUES ('{grade}', '{institution}', '{teacher}', 5)"
        ),
        format!(
            "INSERT INTO appeals (id, institution_id, course_id, submission_id, grade_id, user_id, text, outcome,
               created_at, due_at)
             VALUES ('{appeal}', '{institution}', '{course}', '{submission}', '{grade}', '{learner}', 'No.', 'open', 6, 7)"
        ),
    ]
}

fn learner(id: UserId, institution: InstitutionId, name: &str) -> String {
    format!(
        "INSERT INTO users (id, institution_id, username, display_name, status, authz_epoch, created_at, updated_at)
         VALUES ('{id}', '{institution}', '{name}', 'Name', 'active', 0, 1, 1)"
    )
}

fn enrolled(id: EnrollmentId, institution: InstitutionId, user: UserId, course: CourseId) -> String {
    format!(
        "INSERT INTO enrollments (id, institution_id, user_id, course_id, status, progress, created_at, updated_at)
         VALUES ('{id}', '{institution}', '{user}', '{course}', 'enrolled', 0, 1, 1)"
    )
}

/// Ingests a document of five passages as the next version of the school's source.
pub(super) async fn publish(
    store: &Store,
    school: &Healthy,
    model: Option<&'static str>,
    text: &'static str,
) -> Healthy {
    let blobs = LocalBlobs::new(&store.options().data_dir);
    let (institution, course, source) = (school.institution, school.course, school.source);
    let bytes = format!("{text} {institution}").into_bytes();
    let blob = store::blob::keep(store, &blobs, institution, bytes, "text/markdown").await.unwrap();
    let sha256 = blob.sha256.clone();
    let (version, ingestion, document, chunks) = store
        .write(move |tx| {
            Box::pin(async move {
                let run = ingestion::create(tx, institution, course, source, &json!({}), None).await?;
                let version = version::create(tx, institution, source, text, None, &json!({})).await?;
                ingestion::set_version(tx, institution, run, version).await?;
                let new = NewDocument {
                    institution_id: institution,
                    course_id: course,
                    version_id: version,
                    path: "waves.md".into(),
                    title: "Waves".into(),
                    kind: DocumentKind::Markdown,
                    blob_sha256: sha256,
                    extra: json!({}),
                    position: 0,
                };
                let document = document::insert(tx, &new).await?;
                let chunks: Vec<Chunk> = (0..5).map(|i| passage(text, i)).collect();
                chunk::insert_many(tx, institution, course, source, version, document, 0, &chunks).await?;
                document::set_chunked(tx, institution, document, "Waves", &[]).await?;
                let lesson = NewLesson {
                    title: "Waves".into(),
                    kind: "DOCUMENT".into(),
                    document_id: Some(document),
                    hidden: false,
                };
                let modules = [NewModule { title: "Sound".into(), lessons: vec![lesson] }];
                version::publish(tx, institution, course, source, version, &modules).await?;
                embed(tx, institution, course, source, version, model, &chunks).await?;
                version::ready(tx, institution, version, model).await?;
                ingestion::finish(tx, institution, run, Outcome::Succeeded, None).await?;
                let ids = (0..5).map(|position| ChunkId::derived(source, version, position)).collect();
                Ok((version, run, document.to_string(), ids))
            })
        })
        .await
        .unwrap();
    Healthy {
        institution,
        user: school.user,
        other_user: school.other_user,
        course,
        enrollment: school.enrollment,
        source,
        version,
        ingestion,
        blob: blob.sha256,
        blob_key: blob.key,
        document,
        chunks,
    }
}

fn passage(text: &str, number: i64) -> Chunk {
    let locator = Locator { kind: LocatorKind::Lines, start: number + 1, end: number + 1 };
    let text = format!("Waves of kind {number} travel. They are {text}.");
    let half = text.find(". ").unwrap() + 1;
    let sentences =
        vec![Sentence { start: 0, end: half, locator }, Sentence { start: half + 1, end: text.len(), locator }];
    Chunk { heading_path: vec!["Sound".into()], text, locator, sentences, flagged: false }
}

async fn embed(
    tx: &mut Tx,
    institution: InstitutionId,
    course: CourseId,
    source: SourceId,
    version: VersionId,
    model: Option<&str>,
    chunks: &[Chunk],
) -> store::Result<()> {
    let Some(model) = model else { return Ok(()) };
    let vectors: Vec<NewEmbedding> = (0..)
        .zip(chunks)
        .map(|(position, chunk)| NewEmbedding {
            chunk_id: ChunkId::derived(source, version, position),
            content_hash: chunk::content_hash(chunk),
            vector: vec![0.5, 0.5, 0.25],
            sentences: vec![vec![1.0, 0.0, 0.0]; chunk.embedded_parts().len()],
        })
        .collect();
    embedding::insert_many(tx, institution, course, version, model, &vectors).await
}

/// One job in each state; their kinds are named after the states.
async fn jobs(store: &Store, institution: InstitutionId) {
    for state in ["done", "dead", "backoff", "leased", "cancelled", "ready"] {
        store
            .write(move |tx| {
                Box::pin(async move {
                    let kind = format!("{state}_work");
                    queue::enqueue(tx, NewJob::new(institution, kind.clone(), "1", json!({"for": state}))).await?;
                    if state == "ready" {
                        return Ok(());
                    }
                    if state == "cancelled" {
                        queue::cancel(tx, institution, &kind, "1").await?;
                        return Ok(());
                    }
                    let lease = std::time::Duration::from_secs(600);
                    let claim = Claim { instance: "n/1".into(), kinds: vec![kind], limit: 1, lease, after: None };
                    let claimed = job::claim(tx, &claim).await?.remove(0);
                    let token = claimed.lease_token.unwrap();
                    let failed = |class| Failed { class, message: "no".into(), wait: lease };
                    match state {
                        "done" => job::complete(tx, claimed.id, &token).await,
                        "dead" => job::fail(tx, claimed.id, &token, &failed(FailureClass::Permanent)).await.map(|_| ()),
                        "backoff" => {
                            job::fail(tx, claimed.id, &token, &failed(FailureClass::Retryable)).await.map(|_| ())
                        }
                        _ => Ok(()),
                    }
                })
            })
            .await
            .unwrap();
    }
}

struct Nothing;

#[async_trait::async_trait]
impl Consumer for Nothing {
    async fn consume(&self, _: &mut Tx, _: &Event) -> store::Result<()> {
        Ok(())
    }
}

/// Lets a consumer follow the log to its end.
pub(super) async fn settle(store: &Store) {
    crate::school::settled(store).await;
    let mut bus = Bus::new(store.clone(), BusOptions::new("n/1"));
    bus.subscribe("projection", Arc::new(Nothing));
    bus.drain().await.unwrap();
}
