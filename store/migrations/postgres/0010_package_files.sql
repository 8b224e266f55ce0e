-- The files of a package, each a blob, by their path within it: what a player shows of a published version.
CREATE TABLE package_files (
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  version_id TEXT NOT NULL REFERENCES source_versions (id),
  path TEXT NOT NULL,
  -- The path in small letters: packages that were made where case does not count mix it up.
  folded TEXT NOT NULL,
  blob_sha256 TEXT NOT NULL,
  PRIMARY KEY (version_id, path)
);
CREATE INDEX package_files_folded ON package_files (version_id, folded);
CREATE INDEX package_files_blob ON package_files (institution_id, blob_sha256);
