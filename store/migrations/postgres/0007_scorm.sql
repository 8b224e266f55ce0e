-- The run-time of SCORM packages: attempts, and the trace of what was committed to them.

CREATE TABLE scorm_attempts (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  course_id TEXT NOT NULL REFERENCES courses (id),
  source_id TEXT NOT NULL REFERENCES sources (id),
  -- The item of the package's manifest; its pages may be several lessons.
  item TEXT NOT NULL,
  -- The lesson that it was opened from last; lessons come and go with the versions of their source.
  lesson_id TEXT NOT NULL,
  user_id TEXT NOT NULL REFERENCES users (id),
  number BIGINT NOT NULL CHECK (number > 0),
  -- An instructor's look, which never counts.
  preview BOOLEAN NOT NULL,
  edition TEXT NOT NULL CHECK (edition IN ('1.2', '2004-3', '2004-4')),
  -- The data model and what the last session was launched with, JSON.
  state TEXT NOT NULL,
  launch TEXT NOT NULL,
  -- Read from the state at each change, for lists. Told by the package, believed by nobody.
  completion TEXT NOT NULL CHECK (completion IN ('completed', 'incomplete', 'not_attempted', 'unknown')),
  success TEXT NOT NULL CHECK (success IN ('passed', 'failed', 'unknown')),
  score_scaled DOUBLE PRECISION CHECK (score_scaled IS NULL OR (score_scaled >= -1 AND score_scaled <= 1)),
  score_raw DOUBLE PRECISION,
  progress DOUBLE PRECISION CHECK (progress IS NULL OR (progress >= 0 AND progress <= 1)),
  bookmark TEXT,
  total_time_seconds BIGINT NOT NULL,
  -- Sessions so far, the last batch of this one, and the hash of the secret that its player holds.
  revision BIGINT NOT NULL CHECK (revision > 0),
  sequence BIGINT NOT NULL,
  nonce_hash TEXT NOT NULL,
  -- Batches so far, also those whose trace is dropped.
  commits BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  ended_at BIGINT,
  UNIQUE (user_id, source_id, item, number)
);
CREATE UNIQUE INDEX scorm_attempts_open ON scorm_attempts (user_id, source_id, item) WHERE ended_at IS NULL;
CREATE INDEX scorm_attempts_course ON scorm_attempts (institution_id, course_id, id);

-- What a player sent, in order, with what became of it; the oldest go when an attempt has too much.
CREATE TABLE scorm_commits (
  attempt_id TEXT NOT NULL REFERENCES scorm_attempts (id),
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  position BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  client_key TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  terminated BOOLEAN NOT NULL,
  -- Elements and values in the order in which the script set them.
  sets TEXT NOT NULL,
  outcome TEXT NOT NULL,
  size BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (attempt_id, position),
  UNIQUE (attempt_id, client_key),
  UNIQUE (attempt_id, revision, sequence)
);
