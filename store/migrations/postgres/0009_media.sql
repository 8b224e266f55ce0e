-- Recordings: what documents need besides their own bytes, and what was made of a recording.

-- Blobs of a document besides its own: a recording, a package, included files. It keeps them from being collected.
CREATE TABLE document_blobs (
  document_id TEXT NOT NULL,
  blob_sha256 TEXT NOT NULL,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  PRIMARY KEY (document_id, blob_sha256)
);
CREATE INDEX document_blobs_blob ON document_blobs (institution_id, blob_sha256);

-- What was made of a recording, once for the same bytes: streams for players, or a transcript.
CREATE TABLE renditions (
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  recording_sha256 TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('hls', 'transcript')),
  manifest TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (institution_id, recording_sha256, kind)
);

CREATE TABLE rendition_files (
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  recording_sha256 TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  blob_sha256 TEXT NOT NULL,
  media_type TEXT NOT NULL,
  PRIMARY KEY (institution_id, recording_sha256, kind, name)
);
CREATE INDEX rendition_files_blob ON rendition_files (institution_id, blob_sha256);

INSERT INTO document_blobs (document_id, blob_sha256, institution_id)
SELECT id, CAST(extra AS JSONB) ->> 'media', institution_id FROM documents
WHERE CAST(extra AS JSONB) ->> 'media' IS NOT NULL;
INSERT INTO document_blobs (document_id, blob_sha256, institution_id)
SELECT id, CAST(extra AS JSONB) ->> 'package', institution_id FROM documents
WHERE CAST(extra AS JSONB) ->> 'package' IS NOT NULL
ON CONFLICT DO NOTHING;
INSERT INTO document_blobs (document_id, blob_sha256, institution_id)
SELECT d.id, i.value, d.institution_id
FROM documents d, jsonb_each_text(COALESCE(CAST(d.extra AS JSONB) -> 'includes', '{}')) i
ON CONFLICT DO NOTHING;
