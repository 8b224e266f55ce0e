-- An instructor's word on what a lesson needs; it wins over what links and terms suggest. Lessons may go and come
-- back with a new version of their source, so their ids are kept without a reference, as in lesson_progress.
CREATE TABLE prerequisites (
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  course_id TEXT NOT NULL REFERENCES courses (id),
  lesson_id TEXT NOT NULL,
  needs_id TEXT NOT NULL,
  -- False takes a suggested prerequisite away.
  required BOOLEAN NOT NULL,
  created_by TEXT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (lesson_id, needs_id),
  CHECK (lesson_id <> needs_id)
);
CREATE INDEX prerequisites_course ON prerequisites (institution_id, course_id);

-- What one learner did: mastery and reviews are computed from it.
CREATE INDEX events_learner ON events (institution_id, user_id, event_type, seq);
