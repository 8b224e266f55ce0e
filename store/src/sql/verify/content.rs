//! I7 and the rows of I9: one set of chunks per version, one vector per chunk and model, and documents with their blobs.

use super::Check;

pub(super) fn checks(sqlite: bool) -> Vec<Check> {
    let mut checks = vec![
        Check::new(
            "I7",
            "SELECT v.institution_id, 'version ' || v.id AS subject,
               'has ' || CAST(COUNT(c.id) AS TEXT) || ' chunks at positions ' || CAST(MIN(c.position) AS TEXT) || ' to '
                 || CAST(MAX(c.position) AS TEXT) AS message
             FROM source_versions v JOIN chunks c ON c.version_id = v.id WHERE v.state IN ('live', 'ready')
             GROUP BY v.institution_id, v.id HAVING MIN(c.position) <> 0 OR MAX(c.position) <> COUNT(c.id) - 1",
        ),
        Check::new(
            "I7",
            "SELECT v.institution_id, 'version ' || v.id AS subject,
               'is ready and has ' || CAST((SELECT COUNT(*) FROM embeddings e WHERE e.version_id = v.id AND e.model = v.model) AS TEXT)
                 || ' vectors of ' || v.model || ' for ' || CAST((SELECT COUNT(*) FROM chunks c WHERE c.version_id = v.id) AS TEXT)
                 || ' chunks' AS message
             FROM source_versions v WHERE v.state = 'ready' AND v.model IS NOT NULL
               AND (SELECT COUNT(*) FROM embeddings e WHERE e.version_id = v.id AND e.model = v.model)
                 <> (SELECT COUNT(*) FROM chunks c WHERE c.version_id = v.id)",
        ),
        Check::new(
            "I7",
            "SELECT c.institution_id, 'chunk ' || c.id AS subject, 'has no vector of ' || v.model || ' in a ready version' AS message
             FROM source_versions v JOIN chunks c ON c.version_id = v.id
             WHERE v.state = 'ready' AND v.model IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.chunk_id = c.id AND e.model = v.model)",
        ),
        Check::new(
            "I7",
            "SELECT e.institution_id, 'vector of chunk ' || e.chunk_id AS subject, 'has no chunk' AS message
             FROM embeddings e WHERE NOT EXISTS (SELECT 1 FROM chunks c WHERE c.id = e.chunk_id)",
        ),
        Check::new(
            "I7",
            "SELECT e.institution_id, 'vector of chunk ' || e.chunk_id AS subject,
               'was made from other text than the chunk has' AS message
             FROM embeddings e JOIN chunks c ON c.id = e.chunk_id WHERE e.content_hash <> c.content_hash",
        ),
        Check::new(
            "I7",
            "SELECT e.institution_id, 'vector of chunk ' || e.chunk_id AS subject,
               'names another course or version than its chunk' AS message
             FROM embeddings e JOIN chunks c ON c.id = e.chunk_id
             WHERE e.course_id <> c.course_id OR e.version_id <> c.version_id",
        ),
        Check::new(
            "I7",
            "SELECT e.institution_id, 'vector of chunk ' || e.chunk_id AS subject,
               'has ' || CAST(LENGTH(e.vector) AS TEXT) || ' bytes for ' || CAST(e.dimension AS TEXT) || ' numbers' AS message
             FROM embeddings e WHERE LENGTH(e.vector) <> e.dimension * 4 OR e.dimension < 1",
        ),
        Check::new(
            "I7",
            "SELECT MIN(e.institution_id) AS institution_id, 'model ' || e.model AS subject,
               'has vectors of different dimensions' AS message
             FROM embeddings e GROUP BY e.model HAVING MIN(e.dimension) <> MAX(e.dimension)",
        ),
        Check::new(
            "I7",
            "SELECT c.institution_id, 'chunk ' || c.id AS subject, 'names another course or version than its document' AS message
             FROM chunks c JOIN documents d ON d.id = c.document_id
             WHERE c.course_id <> d.course_id OR c.version_id <> d.version_id",
        ),
        Check::new(
            "I7",
            "SELECT c.institution_id, 'chunk ' || c.id AS subject, 'has no document' AS message
             FROM chunks c WHERE NOT EXISTS (SELECT 1 FROM documents d WHERE d.id = c.document_id)",
        ),
        Check::new(
            "I7",
            "SELECT v.institution_id, 'version ' || v.id AS subject, 'is published and not the current one of its source' AS message
             FROM source_versions v LEFT JOIN sources s ON s.id = v.source_id
             WHERE v.state IN ('live', 'ready') AND (s.id IS NULL OR s.current_version_id IS NULL OR s.current_version_id <> v.id)",
        ),
        Check::new(
            "I7",
            "SELECT s.institution_id, 'source ' || s.id AS subject, 'has a current version that is not published' AS message
             FROM sources s WHERE s.current_version_id IS NOT NULL AND NOT EXISTS (
               SELECT 1 FROM source_versions v
               WHERE v.id = s.current_version_id AND v.source_id = s.id AND v.state IN ('live', 'ready'))",
        ),
        Check::new(
            "I7",
            "SELECT d.institution_id, 'document ' || d.id AS subject, 'of a published version was never read' AS message
             FROM documents d JOIN source_versions v ON v.id = d.version_id
             WHERE v.state IN ('live', 'ready') AND d.state = 'fetched'",
        ),
        Check::new(
            "I7",
            "SELECT l.institution_id, 'lesson ' || l.id AS subject, 'shows a document that is not there' AS message
             FROM lessons l WHERE l.document_id IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.id = l.document_id)",
        ),
        Check::new(
            "I9",
            "SELECT d.institution_id, 'document ' || d.id AS subject, 'has no blob ' || d.blob_sha256 AS message
             FROM documents d WHERE NOT EXISTS (
               SELECT 1 FROM blobs b WHERE b.institution_id = d.institution_id AND b.sha256 = d.blob_sha256)",
        ),
        Check::new(
            "I9",
            "SELECT d.institution_id, 'document ' || d.document_id AS subject,
               'needs the blob ' || d.blob_sha256 || ', which is gone' AS message
             FROM document_blobs d WHERE NOT EXISTS (
               SELECT 1 FROM blobs b WHERE b.institution_id = d.institution_id AND b.sha256 = d.blob_sha256)",
        ),
        Check::new(
            "I9",
            "SELECT f.institution_id, 'recording ' || f.recording_sha256 AS subject,
               'has no blob for its file ' || f.name AS message
             FROM rendition_files f WHERE NOT EXISTS (
               SELECT 1 FROM blobs b WHERE b.institution_id = f.institution_id AND b.sha256 = f.blob_sha256)",
        ),
        Check::new(
            "I9",
            "SELECT f.institution_id, 'version ' || f.version_id AS subject,
               'has no blob for its file ' || f.path AS message
             FROM package_files f WHERE NOT EXISTS (
               SELECT 1 FROM blobs b WHERE b.institution_id = f.institution_id AND b.sha256 = f.blob_sha256)",
        ),
        Check::new(
            "I9",
            "SELECT MIN(b.institution_id) AS institution_id, 'blob ' || b.storage_key AS subject,
               'is named by ' || CAST(COUNT(*) AS TEXT) || ' rows' AS message
             FROM blobs b GROUP BY b.storage_key HAVING COUNT(*) > 1",
        ),
    ];
    if sqlite {
        checks.push(Check::new(
            "I7",
            "SELECT c.institution_id, 'chunk ' || c.id AS subject, 'is missing or different in the full-text index' AS message
             FROM chunks c LEFT JOIN chunk_terms t ON t.rowid = c.rowid
             WHERE t.chunk_id IS NULL OR t.chunk_id <> c.id OR t.terms <> c.terms
               OR t.course <> 'c' || REPLACE(c.course_id, '-', '')",
        ));
        checks.push(Check::new(
            "I7",
            "SELECT CAST(NULL AS TEXT) AS institution_id, 'chunk ' || t.chunk_id AS subject,
               'is in the full-text index and not among the chunks' AS message
             FROM chunk_terms t WHERE NOT EXISTS (SELECT 1 FROM chunks c WHERE c.rowid = t.rowid)",
        ));
    }
    checks
}
