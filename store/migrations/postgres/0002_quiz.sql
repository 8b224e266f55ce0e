-- Questions, quizzes, attempts and the ladder of hints.

CREATE TABLE questions (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  course_id TEXT NOT NULL REFERENCES courses (id),
  -- Raised by each change; a response names the version that it answered.
  version BIGINT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('draft', 'reviewed', 'live', 'retired')),
  type TEXT NOT NULL,
  -- Stem, body with its key, source, hints: never sent to a learner.
  draft TEXT NOT NULL,
  created_by TEXT,
  reviewed_by TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX questions_course ON questions (institution_id, course_id, id);

CREATE TABLE assessments (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  course_id TEXT NOT NULL REFERENCES courses (id),
  title TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('draft', 'published', 'closed')),
  lesson_id TEXT,
  time_limit_seconds BIGINT,
  attempts_allowed BIGINT,
  feedback TEXT NOT NULL CHECK (feedback IN ('after_submit', 'after_close', 'never')),
  opens_at BIGINT,
  closes_at BIGINT,
  created_by TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX assessments_course ON assessments (institution_id, course_id, id);

CREATE TABLE assessment_items (
  assessment_id TEXT NOT NULL REFERENCES assessments (id),
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  question_id TEXT NOT NULL REFERENCES questions (id),
  position BIGINT NOT NULL,
  points DOUBLE PRECISION NOT NULL CHECK (points > 0),
  PRIMARY KEY (assessment_id, question_id)
);

CREATE TABLE attempts (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  course_id TEXT NOT NULL REFERENCES courses (id),
  assessment_id TEXT NOT NULL REFERENCES assessments (id),
  user_id TEXT NOT NULL REFERENCES users (id),
  -- An instructor trying the quiz; it never counts.
  preview BOOLEAN NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'submitted')),
  -- Seed of the order shown.
  seed BIGINT NOT NULL,
  started_at BIGINT NOT NULL,
  deadline BIGINT,
  submitted_at BIGINT,
  -- Points of what rules could mark, and of all there is; NULL while open.
  score DOUBLE PRECISION,
  most DOUBLE PRECISION,
  needs_person BOOLEAN NOT NULL,
  CHECK (score IS NULL OR (score >= 0 AND score <= most))
);
CREATE UNIQUE INDEX attempts_open ON attempts (assessment_id, user_id) WHERE state = 'open';
CREATE INDEX attempts_user ON attempts (institution_id, assessment_id, user_id);

CREATE TABLE responses (
  attempt_id TEXT NOT NULL REFERENCES attempts (id),
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  question_id TEXT NOT NULL REFERENCES questions (id),
  question_version BIGINT NOT NULL,
  -- Given by the client; an older one never replaces a newer one.
  seq BIGINT NOT NULL,
  response TEXT NOT NULL,
  saved_at BIGINT NOT NULL,
  -- Share of the points, 0 to 1; NULL while open and for what a person has to judge.
  fraction DOUBLE PRECISION CHECK (fraction IS NULL OR (fraction >= 0 AND fraction <= 1)),
  PRIMARY KEY (attempt_id, question_id)
);

CREATE TABLE hint_states (
  user_id TEXT NOT NULL REFERENCES users (id),
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  question_id TEXT NOT NULL REFERENCES questions (id),
  -- Wrong answers in attempts that were submitted; the ladder's rung rises by these and by days alone.
  wrong BIGINT NOT NULL,
  first_wrong_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, question_id)
);
