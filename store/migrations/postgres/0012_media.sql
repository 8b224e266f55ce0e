-- Playing and correcting recordings.

-- Where a learner left a recording.
CREATE TABLE playback_positions (
  user_id TEXT NOT NULL REFERENCES users (id),
  lesson_id TEXT NOT NULL,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  seconds DOUBLE PRECISION NOT NULL CHECK (seconds >= 0),
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, lesson_id)
);

-- A transcript as people corrected it, by the path of its document, so that it outlives versions of its source.
CREATE TABLE transcript_edits (
  source_id TEXT NOT NULL REFERENCES sources (id),
  path TEXT NOT NULL,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  version BIGINT NOT NULL CHECK (version >= 1),
  -- The captions that were corrected.
  base_sha256 TEXT NOT NULL,
  lines TEXT NOT NULL,
  changes TEXT NOT NULL,
  edited_by TEXT,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (source_id, path)
);

-- Courses whose recordings are played encrypted; a course without a row has them in the clear.
CREATE TABLE course_media (
  course_id TEXT NOT NULL PRIMARY KEY REFERENCES courses (id),
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  protected BOOLEAN NOT NULL,
  changed_by TEXT,
  changed_at BIGINT NOT NULL
);
