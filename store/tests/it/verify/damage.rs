//! The damages that `verify` must find: at least three of each invariant.

use std::path::Path;

use super::healthy::Healthy;

mod gateway;

/// One damage and the finding that it must lead to; names in braces are filled in from the school.
pub(super) struct Damage {
    pub(super) invariant: &'static str,
    pub(super) name: &'static str,
    sql: Vec<&'static str>,
    /// What PostgreSQL must be told first, such as dropping the constraint that would refuse.
    postgres_first: Vec<&'static str>,
    sqlite_first: Vec<&'static str>,
    pub(super) postgres: bool,
    pub(super) file: Option<fn(&Path, &Healthy)>,
    pub(super) subject: &'static str,
    pub(super) message: &'static str,
}

impl Damage {
    pub(super) fn statements(&self, sqlite: bool) -> Vec<&'static str> {
        let first = if sqlite { &self.sqlite_first } else { &self.postgres_first };
        first.iter().chain(&self.sql).copied().collect()
    }

    fn postgres_first(mut self, sql: &'static str) -> Self {
        self.postgres_first.push(sql);
        self
    }

    fn sqlite_first(mut self, sql: &'static str) -> Self {
        self.sqlite_first.push(sql);
        self
    }

    fn sqlite_only(mut self) -> Self {
        self.postgres = false;
        self
    }

    fn and(mut self, sql: &'static str) -> Self {
        self.sql.push(sql);
        self
    }
}

fn sql(
    invariant: &'static str,
    name: &'static str,
    sql: &'static str,
    subject: &'static str,
    message: &'static str,
) -> Damage {
    Damage {
        invariant,
        name,
        sql: vec![sql],
        postgres_first: Vec::new(),
        sqlite_first: Vec::new(),
        postgres: true,
        file: None,
        subject,
        message,
    }
}

fn file(name: &'static str, break_file: fn(&Path, &Healthy), subject: &'static str, message: &'static str) -> Damage {
    Damage { sql: Vec::new(), file: Some(break_file), ..sql("I9", name, "", subject, message) }
}

/// A copy of the table without its constraints: what a lost index amounts to.
const BARE_ENROLLMENTS: &str =
    "CREATE TABLE bare AS SELECT * FROM enrollments; DROP TABLE enrollments; ALTER TABLE bare RENAME TO enrollments";
const BARE_JOBS: &str = "CREATE TABLE bare AS SELECT * FROM jobs; DROP TABLE jobs; ALTER TABLE bare RENAME TO jobs";

pub(super) fn damages() -> Vec<Damage> {
    let mut all = receipts();
    all.extend(log());
    all.extend(content());
    all.extend(jobs());
    all.extend(blobs());
    all.extend(strangers());
    all.extend(gateway::damages());
    all
}

fn receipts() -> Vec<Damage> {
    vec![
        sql("I1", "a course is gone", "DELETE FROM courses WHERE id = '{course}'", "event", "and its row courses"),
        sql("I1", "an enrolment is gone", "DELETE FROM enrollments WHERE id = '{enrollment}'", "event", "and its row enrollments"),
        sql("I1", "an event is gone", "DELETE FROM events WHERE event_type = 'user.created' AND aggregate_id = '{user}'", "users {user}", "has no event user.created"),
        sql("I1", "a user is gone", "DELETE FROM users WHERE id = '{user}'", "audit", "and user:"),
        sql("I1", "an ended run runs again", "UPDATE ingestions SET state = 'running' WHERE id = '{ingestion}'", "ingestion {ingestion}", "runs although"),
        sql("I1", "the end of a run is gone", "DELETE FROM events WHERE event_type = 'content.ingestion_completed' AND aggregate_id = '{ingestion}'", "ingestion {ingestion}", "without its event"),
        sql("I1", "a publication is gone from the log", "DELETE FROM events WHERE event_type = 'content.text_published' AND aggregate_id = '{source}'", "version {version}", "published without its event"),
        sql("I1", "an event's payload is cut", "UPDATE events SET payload = '{\"a\":' WHERE aggregate_id = '{user}'", "event", "payload is damaged"),
        sql("I2", "a stored response is cut", "UPDATE idempotency SET response = '{\"data\":' WHERE user_id = '{user}'", "key-{user}", "response is damaged"),
        sql("I2", "a request's hash is empty", "UPDATE idempotency SET request_hash = '' WHERE user_id = '{user}'", "key-{user}", "no hash"),
        sql("I2", "a status is none", "UPDATE idempotency SET status = 0 WHERE user_id = '{user}'", "key-{user}", "no status"),
        sql(
            "I2",
            "a course was made twice",
            "INSERT INTO events (event_id, event_type, topic, partition_no, aggregate_id, institution_id, source_service, payload, created_at)
             SELECT '22222222-2222-7222-8222-222222222222', event_type, topic, partition_no, aggregate_id, institution_id, source_service, payload, created_at
             FROM events WHERE event_type = 'course.created' AND aggregate_id = '{course}'",
            "courses {course}",
            "was made 2 times",
        ),
        sql("I2", "a key's user is gone", "UPDATE idempotency SET user_id = 'nobody' WHERE user_id = '{user}'", "key-{user}", "no user"),
        sql("I3", "fewer seats than learners", "UPDATE courses SET capacity = 1 WHERE id = '{course}'", "course {course}", "than its 1 seats"),
        sql(
            "I3",
            "one learner too many",
            "INSERT INTO enrollments (id, institution_id, user_id, course_id, status, progress, created_at, updated_at)
             VALUES ('e3', '{institution}', '{other.user}', '{course}', 'enrolled', 0, 1, 1)",
            "course {course}",
            "than its 2 seats",
        ),
        sql(
            "I3",
            "a learner enrolled twice",
            "INSERT INTO enrollments (id, institution_id, user_id, course_id, status, progress, created_at, updated_at)
             VALUES ('e3', '{institution}', '{user}', '{course}', 'enrolled', 0, 1, 1)",
            "course {course}",
            "has 2 enrolments",
        )
        .sqlite_first(BARE_ENROLLMENTS)
        .postgres_first("ALTER TABLE enrollments DROP CONSTRAINT enrollments_user_id_course_id_key"),
    ]
}

fn log() -> Vec<Damage> {
    vec![
        sql(
            "I6",
            "an event was skipped",
            "DELETE FROM processed_events WHERE event_id = (SELECT event_id FROM events WHERE event_type = 'course.created' AND aggregate_id = '{course}')",
            "event",
            "was not processed",
        ),
        sql("I6", "an offset went back", "UPDATE consumer_offsets SET seq = 0", "event", "lies above its offset"),
        sql(
            "I6",
            "an offset ran ahead",
            "UPDATE consumer_offsets SET seq = 1000000 WHERE partition_no = 3",
            "consumer projection",
            "beyond the end",
        ),
        sql(
            "I6",
            "a partition is not followed",
            "DELETE FROM consumer_offsets WHERE partition_no = 3",
            "consumer projection",
            "15 of 16",
        ),
        sql(
            "I6",
            "an event changed its partition",
            "UPDATE events SET partition_no = (partition_no + 1) % 16 WHERE aggregate_id = '{course}'",
            "event",
            "order of its aggregate",
        ),
        sql(
            "I6",
            "an event changed its topic",
            "UPDATE events SET topic = 'lms.users.events' WHERE event_type = 'course.created'",
            "event",
            "does not belong to topic",
        ),
        sql(
            "I6",
            "a processed event is not in the log",
            "UPDATE processed_events SET event_id = 'gone' WHERE event_id = (SELECT event_id FROM events WHERE event_type = 'course.created' AND aggregate_id = '{course}')",
            "event gone",
            "is not in the log",
        ),
        sql(
            "I6",
            "a dead event has no reason",
            "UPDATE processed_events SET outcome = 'dead' WHERE institution_id = '{institution}'",
            "event",
            "without a reason",
        ),
    ]
}

fn content() -> Vec<Damage> {
    vec![
        sql(
            "I7",
            "a chunk is gone",
            "DELETE FROM chunks WHERE id = '{chunk}'",
            "version {version}",
            "has 4 chunks at positions 0 to 4",
        ),
        sql(
            "I7",
            "the last chunk and its vector are gone",
            "DELETE FROM embeddings WHERE chunk_id = '{last_chunk}'",
            "version {version}",
            "had 5 when it became ready",
        )
        .and("DELETE FROM chunks WHERE id = '{last_chunk}'"),
        sql(
            "I7",
            "a vector is gone",
            "DELETE FROM embeddings WHERE chunk_id = '{chunk}'",
            "chunk {chunk}",
            "has no vector of m1",
        ),
        sql(
            "I7",
            "vectors are of another model",
            "UPDATE embeddings SET model = 'm2' WHERE chunk_id = '{chunk}'",
            "version {version}",
            "4 vectors of m1 for 5 chunks",
        ),
        sql(
            "I7",
            "a vector lost its chunk",
            "DELETE FROM chunks WHERE id = '{last_chunk}'",
            "vector of chunk {last_chunk}",
            "has no chunk",
        ),
        sql(
            "I7",
            "a vector of other text",
            "UPDATE embeddings SET content_hash = 'x' WHERE chunk_id = '{chunk}'",
            "vector of chunk {chunk}",
            "other text",
        ),
        sql(
            "I7",
            "a vector is cut",
            "UPDATE embeddings SET dimension = 4 WHERE chunk_id = '{chunk}'",
            "vector of chunk {chunk}",
            "12 bytes for 4 numbers",
        ),
        sql(
            "I7",
            "a vector is all zero",
            "UPDATE embeddings SET vector = x'000000000000000000000000' WHERE chunk_id = '{chunk}'",
            "vector of chunk {chunk}",
            "not a usable vector",
        )
        .sqlite_only(),
        sql(
            "I7",
            "sentence vectors are gone",
            "UPDATE embeddings SET sentences = x'' WHERE chunk_id = '{chunk}'",
            "vector of chunk {chunk}",
            "bytes of vectors for",
        )
        .sqlite_only(),
        sql(
            "I7",
            "a text changed",
            "UPDATE chunks SET text = REPLACE(text, 'Waves', 'Caves') WHERE id = '{chunk}'",
            "chunk {chunk}",
            "not have the text",
        ),
        sql(
            "I7",
            "index terms changed",
            "UPDATE chunks SET terms = 'other' WHERE id = '{chunk}'",
            "chunk {chunk}",
            "other index terms",
        ),
        sql(
            "I7",
            "the full-text index lost a chunk",
            "DELETE FROM chunk_terms WHERE chunk_id = '{chunk}'",
            "chunk {chunk}",
            "missing or different in the full-text index",
        )
        .sqlite_only(),
        sql(
            "I7",
            "the full-text index has one too many",
            "INSERT INTO chunk_terms (rowid, chunk_id, course, terms) VALUES (999, 'ghost', 'c', 'boo')",
            "chunk ghost",
            "not among the chunks",
        )
        .sqlite_only(),
        sql(
            "I7",
            "a chunk moved",
            "UPDATE chunks SET position = 7 WHERE id = '{chunk}'",
            "chunk {chunk}",
            "id of position 7",
        ),
        sql(
            "I7",
            "a chunk has another id",
            "UPDATE chunks SET id = '33333333-3333-5333-8333-333333333333' WHERE id = '{chunk}'",
            "chunk 33333333-3333-5333-8333-333333333333",
            "id of position 2",
        ),
        sql(
            "I7",
            "the current version is forgotten",
            "UPDATE sources SET current_version_id = NULL WHERE id = '{source}'",
            "version {version}",
            "not the current one",
        ),
        sql(
            "I7",
            "the current version is not there",
            "UPDATE sources SET current_version_id = 'gone' WHERE id = '{source}'",
            "source {source}",
            "not published",
        ),
        sql(
            "I7",
            "a document was never read",
            "UPDATE documents SET state = 'fetched' WHERE id = '{document}'",
            "document {document}",
            "never read",
        ),
        sql(
            "I7",
            "a lesson shows nothing",
            "UPDATE lessons SET document_id = 'gone' WHERE document_id = '{document}'",
            "lesson",
            "not there",
        ),
    ]
}

fn jobs() -> Vec<Damage> {
    const HERE: &str = "job ";
    vec![
        sql("I8", "an unknown state", "UPDATE jobs SET state = 'lost' WHERE kind = 'ready_work' AND institution_id = '{institution}'", HERE, "no known state")
            .postgres_first("ALTER TABLE jobs DROP CONSTRAINT jobs_state_check"),
        sql("I8", "a lease without a token", "UPDATE jobs SET lease_token = NULL WHERE kind = 'leased_work'", HERE, "without the whole of a lease")
            .postgres_first("ALTER TABLE jobs DROP CONSTRAINT jobs_check"),
        sql("I8", "a done job holds a lease", "UPDATE jobs SET lease_token = 't' WHERE kind = 'done_work'", HERE, "is done and holds a lease")
            .postgres_first("ALTER TABLE jobs DROP CONSTRAINT jobs_check"),
        sql("I8", "a lease ended long ago", "UPDATE jobs SET lease_until = 1 WHERE kind = 'leased_work'", HERE, "was not swept"),
        sql("I8", "a job waits for ever", "UPDATE jobs SET run_at = run_at + 31536000000000 WHERE kind = 'backoff_work'", HERE, "it is stuck"),
        sql("I8", "too many attempts", "UPDATE jobs SET attempts = 7 WHERE kind = 'leased_work'", HERE, "7 attempts of 5"),
        sql("I8", "crashed and not dead", "UPDATE jobs SET crashes = 3 WHERE kind = 'ready_work'", HERE, "crashed 3 times and is ready"),
        sql("I8", "dead without a reason", "UPDATE jobs SET last_error = NULL WHERE kind = 'dead_work'", HERE, "dead without a reason"),
        sql("I8", "another payload", "UPDATE jobs SET payload = '{\"for\":\"me\"}' WHERE kind = 'ready_work'", HERE, "not the one that was enqueued"),
        sql(
            "I8",
            "the same work twice",
            "INSERT INTO jobs (id, institution_id, kind, payload, idem_key, state, attempts, crashes, max_attempts, run_at, priority, payload_hash, created_at, updated_at)
             SELECT 'twin', institution_id, kind, payload, idem_key, state, attempts, crashes, max_attempts, run_at, priority, payload_hash, created_at, updated_at
             FROM jobs WHERE kind = 'ready_work' AND institution_id = '{institution}'",
            HERE,
            "one of 2 jobs for the same work",
        )
        .sqlite_first(BARE_JOBS)
        .postgres_first("ALTER TABLE jobs DROP CONSTRAINT jobs_institution_id_kind_idem_key_key"),
    ]
}

fn blobs() -> Vec<Damage> {
    fn path(data_dir: &Path, school: &Healthy) -> std::path::PathBuf {
        data_dir.join("blobs").join(&school.blob_key)
    }
    vec![
        file(
            "a file is gone",
            |dir, school| std::fs::remove_file(path(dir, school)).unwrap(),
            "blob {blob}",
            "is missing",
        ),
        file(
            "a file is cut",
            |dir, school| std::fs::write(path(dir, school), b"cut").unwrap(),
            "blob {blob}",
            "has 3 bytes",
        ),
        file(
            "a file has one other bit",
            |dir, school| {
                let mut bytes = std::fs::read(path(dir, school)).unwrap();
                bytes[0] ^= 1;
                std::fs::write(path(dir, school), bytes).unwrap();
            },
            "blob {blob}",
            "other content",
        ),
        file(
            "an old file has no row",
            |dir, school| {
                let stray = dir.join(format!("blobs/{}/00/{}", school.institution, "0".repeat(32)));
                std::fs::create_dir_all(stray.parent().unwrap()).unwrap();
                let stray = std::fs::File::create(stray).unwrap();
                stray.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(3 * 86_400)).unwrap();
            },
            "blob {institution}/00/",
            "has no row",
        ),
        sql("I9", "a row is gone", "DELETE FROM blobs WHERE sha256 = '{blob}'", "document {document}", "has no blob"),
        sql(
            "I9",
            "a recording is gone",
            "DELETE FROM blobs WHERE sha256 IN (SELECT blob_sha256 FROM document_blobs WHERE document_id = '{document}')",
            "document {document}",
            "which is gone",
        ),
        sql(
            "I9",
            "a stream is gone",
            "DELETE FROM blobs WHERE sha256 IN (SELECT blob_sha256 FROM rendition_files WHERE institution_id = '{institution}')",
            "recording",
            "no blob for its file video-240.m4s",
        ),
        sql(
            "I9",
            "a file of a package is gone",
            "DELETE FROM blobs WHERE sha256 IN (SELECT blob_sha256 FROM package_files WHERE institution_id = '{institution}')",
            "version",
            "no blob for its file Start.html",
        ),
        sql(
            "I9",
            "an old row nobody references",
            "INSERT INTO blobs (institution_id, sha256, storage_key, size, media_type, created_at) VALUES ('{institution}', 'f00', '{institution}/aa/old', 1, 'x', 1)",
            "blob {institution}/aa/old",
            "was not collected",
        ),
        sql(
            "I9",
            "two rows share a file",
            "INSERT INTO blobs (institution_id, sha256, storage_key, size, media_type, created_at) VALUES ('{institution}', 'f00', '{blob_key}', 1, 'x', 1)",
            "blob {blob_key}",
            "named by 2 rows",
        ),
    ]
}

fn strangers() -> Vec<Damage> {
    vec![
        sql(
            "I12",
            "a chunk of another school",
            "UPDATE chunks SET institution_id = '{other.institution}' WHERE id = '{chunk}'",
            "chunks {chunk}",
            "another institution than its",
        ),
        sql(
            "I12",
            "a vector of another school",
            "UPDATE embeddings SET institution_id = '{other.institution}' WHERE chunk_id = '{chunk}'",
            "embeddings {chunk}",
            "than its chunk_id",
        ),
        sql(
            "I12",
            "a job of no school",
            "UPDATE jobs SET institution_id = 'nobody' WHERE institution_id = '{institution}' AND kind = 'ready_work'",
            "jobs",
            "belongs to no institution",
        ),
        sql(
            "I12",
            "an enrolment across schools",
            "UPDATE enrollments SET course_id = '{other.course}' WHERE id = '{enrollment}'",
            "enrollments {enrollment}",
            "than its course_id",
        ),
        sql(
            "I12",
            "a source in another school's course",
            "UPDATE sources SET course_id = '{other.course}' WHERE id = '{source}'",
            "sources {source}",
            "than its course_id",
        ),
        sql(
            "I12",
            "a role in another school's course",
            "UPDATE user_roles SET scope_id = '{other.course}' WHERE user_id = '{user}'",
            "user_roles role-{user}",
            "course of another institution",
        ),
        sql(
            "I12",
            "a blob in another school's folder",
            "UPDATE blobs SET storage_key = '{other.institution}/aa/x' WHERE sha256 = '{blob}'",
            "blobs {blob}",
            "outside its institution",
        ),
        sql(
            "I12",
            "an event of no school",
            "UPDATE events SET institution_id = '' WHERE aggregate_id = '{course}'",
            "events",
            "belongs to no institution",
        ),
        sql(
            "I12",
            "a document of another school's version",
            "UPDATE documents SET version_id = '{other.version}', path = 'b.md' WHERE id = '{document}'",
            "documents {document}",
            "than its version_id",
        ),
        sql(
            "I4",
            "a first grade that is gone",
            "UPDATE grades SET version = 3 WHERE institution_id = '{institution}'",
            "grade ",
            "earlier grade",
        )
        .sqlite_first("DROP TRIGGER grades_stay")
        .postgres_first("ALTER TABLE grades DISABLE TRIGGER USER"),
        sql(
            "I4",
            "points above the share",
            "UPDATE grades SET points = 1 WHERE institution_id = '{institution}'",
            "grade ",
            "not its share",
        )
        .sqlite_first("DROP TRIGGER grades_stay")
        .postgres_first("ALTER TABLE grades DISABLE TRIGGER USER"),
        sql(
            "I4",
            "an answer without its grade",
            "UPDATE responses SET fraction = 1 WHERE fraction = 0.5 AND institution_id = '{institution}'",
            "submission ",
            "released last",
        ),
        sql(
            "I4",
            "a score that nobody gave",
            "UPDATE attempts SET score = 1 WHERE state = 'submitted' AND institution_id = '{institution}'",
            "attempt ",
            "sum of its answers",
        ),
        sql(
            "I4",
            "a draft in a published quiz",
            "UPDATE questions SET state = 'draft' WHERE institution_id = '{institution}'",
            "question ",
            "not reviewed",
        ),
        sql(
            "I4",
            "an answer after the time",
            "UPDATE responses SET saved_at = 99 WHERE fraction = 0.5 AND institution_id = '{institution}'",
            "response ",
            "time was over",
        ),
        sql(
            "I5",
            "a release by nobody",
            "UPDATE releases SET released_by = 'nobody' WHERE institution_id = '{institution}'",
            "release ",
            "no person",
        )
        .sqlite_first("DROP TRIGGER releases_stay")
        .postgres_first("ALTER TABLE releases DISABLE TRIGGER USER"),
        sql(
            "I5",
            "a release by the learner",
            "UPDATE releases SET released_by = '{second_user}' WHERE institution_id = '{institution}'",
            "release ",
            "the learner",
        )
        .sqlite_first("DROP TRIGGER releases_stay")
        .postgres_first("ALTER TABLE releases DISABLE TRIGGER USER"),
        sql(
            "I5",
            "a grade by nobody",
            "UPDATE grades SET graded_by = 'a model' WHERE institution_id = '{institution}'",
            "grade ",
            "no person",
        )
        .sqlite_first("DROP TRIGGER grades_stay")
        .postgres_first("ALTER TABLE grades DISABLE TRIGGER USER"),
        sql(
            "I5",
            "a release before its grade",
            "UPDATE releases SET released_at = 1 WHERE institution_id = '{institution}'",
            "release ",
            "before it was set",
        )
        .sqlite_first("DROP TRIGGER releases_stay")
        .postgres_first("ALTER TABLE releases DISABLE TRIGGER USER"),
    ]
}
