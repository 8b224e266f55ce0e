-- Grading: rubrics, what was handed in, proposals, grades, their release, appeals.

CREATE TABLE rubrics (
  question_id TEXT NOT NULL REFERENCES questions (id),
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  version BIGINT NOT NULL CHECK (version > 0),
  -- Criteria with levels and weights.
  rubric TEXT NOT NULL,
  created_by TEXT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (question_id, version)
);

CREATE TABLE submissions (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  course_id TEXT NOT NULL REFERENCES courses (id),
  question_id TEXT NOT NULL REFERENCES questions (id),
  question_version BIGINT NOT NULL,
  attempt_id TEXT NOT NULL REFERENCES attempts (id),
  user_id TEXT NOT NULL REFERENCES users (id),
  -- To the byte as it came: quotes name offsets in it.
  text TEXT NOT NULL,
  most DOUBLE PRECISION NOT NULL CHECK (most > 0),
  submitted_at BIGINT NOT NULL,
  UNIQUE (attempt_id, question_id)
);
CREATE INDEX submissions_course ON submissions (institution_id, course_id, id);
CREATE INDEX submissions_question ON submissions (institution_id, question_id, id);

CREATE TABLE proposals (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  submission_id TEXT NOT NULL REFERENCES submissions (id),
  rubric_version BIGINT NOT NULL,
  proposal TEXT NOT NULL,
  -- Share of all points; NULL unless every criterion was judged.
  share DOUBLE PRECISION CHECK (share IS NULL OR (share >= 0 AND share <= 1)),
  -- Of question, rubric, text and examples: what it was made from can be checked.
  inputs_hash TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX proposals_submission ON proposals (submission_id, created_at);

-- The history of grades: it only grows. The highest version is the current one.
CREATE TABLE grades (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  submission_id TEXT NOT NULL REFERENCES submissions (id),
  version BIGINT NOT NULL CHECK (version > 0),
  rubric_version BIGINT NOT NULL,
  marks TEXT NOT NULL,
  share DOUBLE PRECISION NOT NULL CHECK (share >= 0 AND share <= 1),
  points DOUBLE PRECISION NOT NULL,
  most DOUBLE PRECISION NOT NULL CHECK (most > 0),
  comment TEXT,
  reason TEXT,
  proposal_id TEXT REFERENCES proposals (id),
  -- A person, always.
  graded_by TEXT NOT NULL REFERENCES users (id),
  graded_at BIGINT NOT NULL,
  CHECK (points >= 0 AND points <= most),
  UNIQUE (submission_id, version)
);

-- A grade reaches the learner by a row here, which names a person with the right.
CREATE TABLE releases (
  grade_id TEXT NOT NULL PRIMARY KEY REFERENCES grades (id),
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  released_by TEXT NOT NULL REFERENCES users (id),
  released_at BIGINT NOT NULL
);

CREATE TABLE appeals (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  course_id TEXT NOT NULL REFERENCES courses (id),
  submission_id TEXT NOT NULL REFERENCES submissions (id),
  grade_id TEXT NOT NULL REFERENCES grades (id),
  criterion TEXT,
  user_id TEXT NOT NULL REFERENCES users (id),
  text TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('open', 'upheld', 'changed')),
  answer TEXT,
  answered_by TEXT REFERENCES users (id),
  created_at BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  answered_at BIGINT,
  CHECK ((outcome = 'open') = (answered_by IS NULL))
);
CREATE UNIQUE INDEX appeals_open ON appeals (submission_id) WHERE outcome = 'open';
CREATE INDEX appeals_course ON appeals (institution_id, course_id, id);

CREATE FUNCTION release_by_a_person() RETURNS trigger AS $$
BEGIN
  IF NOT EXISTS (
    SELECT 1 FROM grades g JOIN submissions s ON s.id = g.submission_id
    JOIN user_roles r ON r.scope_id = s.course_id JOIN users u ON u.id = r.user_id
    WHERE g.id = NEW.grade_id AND r.user_id = NEW.released_by AND r.scope_type = 'course' AND r.role = 'instructor'
    AND u.status = 'active' AND u.id <> s.user_id
  ) THEN
    RAISE EXCEPTION 'a grade is released by an instructor of its course';
  END IF;
  RETURN NEW;
END;
$$ LANGUAGE plpgsql;
CREATE TRIGGER releases_by_a_person BEFORE INSERT ON releases FOR EACH ROW EXECUTE FUNCTION release_by_a_person();
CREATE FUNCTION rows_are_only_added() RETURNS trigger AS $$
BEGIN
  RAISE EXCEPTION '% are only added', TG_TABLE_NAME;
END;
$$ LANGUAGE plpgsql;
CREATE TRIGGER grades_stay BEFORE UPDATE OR DELETE ON grades FOR EACH ROW EXECUTE FUNCTION rows_are_only_added();
CREATE TRIGGER releases_stay BEFORE UPDATE OR DELETE ON releases FOR EACH ROW EXECUTE FUNCTION rows_are_only_added();
