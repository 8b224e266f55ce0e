-- The spine. Every table but `institutions` and `meta` carries its institution; time is BIGINT microseconds.
-- Bodies of text that grow are TEXT with JSON inside; ids are UUID text.

CREATE TABLE institutions (
  id TEXT NOT NULL PRIMARY KEY,
  slug TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  status TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE users (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  username TEXT NOT NULL,
  email TEXT,
  display_name TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('active', 'inactive', 'suspended')),
  password_hash TEXT,
  authz_epoch BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (institution_id, username),
  UNIQUE (institution_id, email)
);

CREATE TABLE user_roles (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  user_id TEXT NOT NULL REFERENCES users (id),
  role TEXT NOT NULL,
  scope_type TEXT NOT NULL CHECK (scope_type IN ('global', 'institution', 'course', 'group')),
  scope_id TEXT,
  granted_by TEXT,
  created_at BIGINT NOT NULL,
  CHECK ((scope_type = 'global') = (scope_id IS NULL))
);
CREATE UNIQUE INDEX user_roles_once ON user_roles (user_id, role, scope_type, COALESCE(scope_id, ''));

CREATE TABLE tokens (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  user_id TEXT NOT NULL REFERENCES users (id),
  kind TEXT NOT NULL,
  family TEXT NOT NULL,
  secret_hash TEXT NOT NULL UNIQUE,
  authenticated_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT,
  revoked_at BIGINT,
  created_at BIGINT NOT NULL
);
CREATE INDEX tokens_family ON tokens (family);

CREATE TABLE courses (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  slug TEXT NOT NULL,
  title TEXT NOT NULL,
  description TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('draft', 'review', 'published', 'archived')),
  visibility TEXT NOT NULL CHECK (visibility IN ('private', 'institution', 'public')),
  enrollment_type TEXT NOT NULL CHECK (enrollment_type IN ('open', 'invite_only', 'closed')),
  duration_weeks BIGINT,
  credit_hours BIGINT,
  capacity BIGINT,
  metadata TEXT NOT NULL,
  created_by TEXT,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (institution_id, slug)
);

CREATE TABLE blobs (
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  sha256 TEXT NOT NULL,
  storage_key TEXT NOT NULL,
  size BIGINT NOT NULL,
  media_type TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (institution_id, sha256)
);

CREATE TABLE sources (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  course_id TEXT NOT NULL REFERENCES courses (id),
  kind TEXT NOT NULL,
  origin TEXT NOT NULL,
  title TEXT NOT NULL,
  current_version_id TEXT,
  created_at BIGINT NOT NULL,
  UNIQUE (institution_id, course_id, kind, origin)
);

-- state: building -> live (text published) -> ready (vectors complete) | failed; a superseded version is deleted.
CREATE TABLE source_versions (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  source_id TEXT NOT NULL REFERENCES sources (id),
  fingerprint TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('building', 'live', 'ready', 'failed')),
  commit_id TEXT,
  outline TEXT NOT NULL,
  -- The embedding model whose vectors a ready version has; NULL when the school has no model.
  model TEXT,
  created_at BIGINT NOT NULL,
  published_at BIGINT
);
CREATE INDEX source_versions_source ON source_versions (source_id);
-- A source is built once at a time, and has one published version.
CREATE UNIQUE INDEX source_versions_building ON source_versions (source_id) WHERE state = 'building';
CREATE UNIQUE INDEX source_versions_published ON source_versions (source_id) WHERE state IN ('live', 'ready');

-- One run of the pipeline. state: running | succeeded | partial | failed.
CREATE TABLE ingestions (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  course_id TEXT NOT NULL REFERENCES courses (id),
  source_id TEXT NOT NULL REFERENCES sources (id),
  version_id TEXT,
  request TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('running', 'succeeded', 'partial', 'failed')),
  stage TEXT NOT NULL,
  done BIGINT NOT NULL,
  total BIGINT NOT NULL,
  embedded BIGINT NOT NULL,
  -- Totals of its source version, counted when it ends.
  modules BIGINT NOT NULL DEFAULT 0,
  lessons BIGINT NOT NULL DEFAULT 0,
  chunks BIGINT NOT NULL DEFAULT 0,
  error TEXT,
  warnings TEXT NOT NULL,
  stages TEXT NOT NULL,
  started_by TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX ingestions_course ON ingestions (institution_id, course_id, created_at);
-- A source has one unfinished run.
CREATE UNIQUE INDEX ingestions_running ON ingestions (source_id) WHERE state = 'running';

CREATE TABLE documents (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  course_id TEXT NOT NULL REFERENCES courses (id),
  version_id TEXT NOT NULL REFERENCES source_versions (id),
  path TEXT NOT NULL,
  title TEXT NOT NULL,
  kind TEXT NOT NULL,
  blob_sha256 TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('fetched', 'chunked', 'failed')),
  error TEXT,
  warnings TEXT NOT NULL,
  extra TEXT NOT NULL,
  position BIGINT NOT NULL,
  UNIQUE (version_id, path)
);

CREATE INDEX documents_blob ON documents (institution_id, blob_sha256);

CREATE TABLE modules (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  course_id TEXT NOT NULL REFERENCES courses (id),
  source_id TEXT REFERENCES sources (id),
  title TEXT NOT NULL,
  position BIGINT NOT NULL
);
CREATE INDEX modules_course ON modules (course_id, position);
CREATE INDEX modules_source ON modules (source_id);

CREATE TABLE lessons (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  course_id TEXT NOT NULL REFERENCES courses (id),
  module_id TEXT NOT NULL REFERENCES modules (id),
  document_id TEXT REFERENCES documents (id),
  title TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('VIDEO', 'DOCUMENT', 'INTERACTIVE', 'QUIZ', 'DISCUSSION')),
  position BIGINT NOT NULL,
  hidden BOOLEAN NOT NULL
);
CREATE INDEX lessons_module ON lessons (module_id, position);
CREATE INDEX lessons_document ON lessons (document_id);
CREATE INDEX lessons_course ON lessons (institution_id, course_id);

-- `terms` are the stemmed index terms, separated by spaces; `sentences` is JSON of domain::chunk::Sentence.
CREATE TABLE chunks (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  course_id TEXT NOT NULL REFERENCES courses (id),
  version_id TEXT NOT NULL REFERENCES source_versions (id),
  document_id TEXT NOT NULL REFERENCES documents (id),
  position BIGINT NOT NULL,
  locator_kind TEXT NOT NULL,
  locator_start BIGINT NOT NULL,
  locator_end BIGINT NOT NULL,
  content_hash TEXT NOT NULL,
  flagged BOOLEAN NOT NULL,
  term_count BIGINT NOT NULL,
  terms TEXT NOT NULL,
  heading_path TEXT NOT NULL,
  text TEXT NOT NULL,
  sentences TEXT NOT NULL,
  UNIQUE (version_id, position)
);
-- Holds all that the counts of a keyword search read, so that they never touch the text.
CREATE INDEX chunks_course ON chunks (institution_id, course_id, version_id, document_id, term_count);
CREATE INDEX chunks_document ON chunks (document_id);
CREATE INDEX chunks_content ON chunks (institution_id, content_hash);
-- A term is whole: `ascii` splits at spaces alone, as terms hold nothing else that it would split at. The index keeps
-- id and terms, so that it can be compared with the chunks.
CREATE VIRTUAL TABLE chunk_terms USING fts5 (
  chunk_id UNINDEXED, course, terms, detail = column, tokenize = "ascii tokenchars '_'"
);
CREATE TRIGGER chunks_indexed AFTER INSERT ON chunks BEGIN
  INSERT INTO chunk_terms (rowid, chunk_id, course, terms)
  VALUES (new.seq, new.id, 'c' || replace(new.course_id, '-', ''), new.terms);
END;
CREATE TRIGGER chunks_unindexed AFTER DELETE ON chunks BEGIN
  DELETE FROM chunk_terms WHERE rowid = old.seq;
END;

-- Vectors are rows: `vector` is `dimension` little-endian f32, `sentences` the same for each sentence in order.
CREATE TABLE embeddings (
  chunk_id TEXT NOT NULL REFERENCES chunks (id),
  model TEXT NOT NULL,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  course_id TEXT NOT NULL REFERENCES courses (id),
  version_id TEXT NOT NULL REFERENCES source_versions (id),
  content_hash TEXT NOT NULL,
  dimension BIGINT NOT NULL,
  vector BLOB NOT NULL,
  sentences BLOB NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (chunk_id, model)
);
CREATE INDEX embeddings_version ON embeddings (version_id, model, created_at);
CREATE INDEX embeddings_page ON embeddings (institution_id, model, dimension, chunk_id);
CREATE INDEX embeddings_content ON embeddings (institution_id, model, content_hash);

CREATE TABLE enrollments (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  user_id TEXT NOT NULL REFERENCES users (id),
  course_id TEXT NOT NULL REFERENCES courses (id),
  status TEXT NOT NULL CHECK (status IN ('enrolled', 'completed', 'dropped', 'suspended')),
  progress DOUBLE PRECISION NOT NULL CHECK (progress >= 0 AND progress <= 100),
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (user_id, course_id)
);

-- What a learner has seen; progress of the enrolment is computed from it.
CREATE TABLE lesson_progress (
  enrollment_id TEXT NOT NULL REFERENCES enrollments (id),
  lesson_id TEXT NOT NULL,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  position DOUBLE PRECISION NOT NULL,
  completed BOOLEAN NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (enrollment_id, lesson_id)
);

-- The scope gate of a course under one embedding model ('' = keywords only): thresholds and their two error rates, JSON.
CREATE TABLE scope_gates (
  course_id TEXT NOT NULL REFERENCES courses (id),
  model TEXT NOT NULL,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  fingerprint TEXT NOT NULL,
  calibration TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (course_id, model)
);

CREATE TABLE idempotency (
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  user_id TEXT NOT NULL,
  idem_key TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  status BIGINT NOT NULL,
  response TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (institution_id, user_id, idem_key)
);

-- Every acknowledged write leaves its receipt here in its own transaction (invariant I1).
CREATE TABLE audit (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  reason TEXT,
  created_at BIGINT NOT NULL
);

CREATE TABLE jobs (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  kind TEXT NOT NULL,
  payload TEXT NOT NULL,
  idem_key TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('ready', 'leased', 'backoff', 'done', 'dead', 'cancelled')),
  attempts BIGINT NOT NULL,
  crashes BIGINT NOT NULL,
  max_attempts BIGINT NOT NULL,
  run_at BIGINT NOT NULL,
  priority BIGINT NOT NULL,
  lease_token TEXT,
  lease_until BIGINT,
  leased_at BIGINT,
  checkpoint_at BIGINT,
  worker_instance TEXT,
  traceparent TEXT,
  deadline BIGINT,
  last_error TEXT,
  payload_hash TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (institution_id, kind, idem_key),
  CHECK ((state = 'leased') = (lease_token IS NOT NULL))
);
CREATE INDEX jobs_turn ON jobs (state, institution_id, kind, priority DESC, run_at, id);
CREATE INDEX jobs_due ON jobs (state, run_at);

-- The permanent log. `seq` orders a partition; rows are never changed or deleted.
CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id TEXT NOT NULL UNIQUE,
  event_type TEXT NOT NULL,
  topic TEXT NOT NULL,
  partition_no BIGINT NOT NULL,
  aggregate_id TEXT NOT NULL,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  user_id TEXT,
  course_id TEXT,
  session_id TEXT,
  correlation_id TEXT,
  source_service TEXT NOT NULL,
  payload TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX events_partition ON events (partition_no, seq);
CREATE INDEX events_correlation ON events (correlation_id, seq);
CREATE INDEX events_aggregate ON events (aggregate_id, event_type);

CREATE TABLE consumer_offsets (
  consumer TEXT NOT NULL,
  partition_no BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  lease_owner TEXT,
  lease_until BIGINT,
  PRIMARY KEY (consumer, partition_no)
);

CREATE TABLE processed_events (
  consumer TEXT NOT NULL,
  event_id TEXT NOT NULL,
  institution_id TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('done', 'dead')),
  error TEXT,
  processed_at BIGINT NOT NULL,
  PRIMARY KEY (consumer, event_id)
);

CREATE TABLE meta (
  key TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);
