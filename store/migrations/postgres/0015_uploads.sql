-- Files that come in pieces, until they are ingested. The bytes, and with them how much has come, are on the disk.
CREATE TABLE uploads (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  course_id TEXT NOT NULL REFERENCES courses (id),
  user_id TEXT NOT NULL,
  name TEXT NOT NULL,
  length BIGINT NOT NULL CHECK (length >= 0),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX uploads_expiring ON uploads (institution_id, expires_at);
