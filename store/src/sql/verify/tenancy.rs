//! I12: no row without an institution, and none that belongs to another institution than its parent.

use super::Check;

/// Every table whose rows belong to an institution, and the column that names a row.
pub(crate) const OWNED: &[(&str, &str)] = &[
    ("users", "id"),
    ("user_roles", "id"),
    ("tokens", "id"),
    ("courses", "id"),
    ("blobs", "sha256"),
    ("sources", "id"),
    ("source_versions", "id"),
    ("ingestions", "id"),
    ("documents", "id"),
    ("modules", "id"),
    ("lessons", "id"),
    ("chunks", "id"),
    ("embeddings", "chunk_id"),
    ("enrollments", "id"),
    ("lesson_progress", "enrollment_id"),
    ("scope_gates", "course_id"),
    ("idempotency", "idem_key"),
    ("audit", "id"),
    ("jobs", "id"),
    ("events", "event_id"),
    ("processed_events", "event_id"),
    ("questions", "id"),
    ("assessments", "id"),
    ("assessment_items", "question_id"),
    ("attempts", "id"),
    ("responses", "attempt_id"),
    ("hint_states", "question_id"),
    ("prerequisites", "lesson_id"),
    ("rubrics", "question_id"),
    ("submissions", "id"),
    ("proposals", "id"),
    ("grades", "id"),
    ("releases", "grade_id"),
    ("appeals", "id"),
    ("api_keys", "id"),
    ("model_quotas", "scope_id"),
    ("model_quota_use", "scope_id"),
    ("model_usage", "model"),
    ("course_ai", "course_id"),
    ("model_requests", "id"),
    ("scorm_attempts", "id"),
    ("scorm_commits", "attempt_id"),
    ("document_blobs", "document_id"),
    ("renditions", "recording_sha256"),
    ("rendition_files", "name"),
    ("package_files", "path"),
    ("playback_positions", "lesson_id"),
    ("transcript_edits", "path"),
    ("course_media", "course_id"),
];

/// A column that names a row of another table, and that row's key. Who acted is not here: a global
/// administrator acts in institutions that are not their own.
const PARENTS: &[(&str, &str, &str, &str)] = &[
    ("user_roles", "user_id", "users", "id"),
    ("tokens", "user_id", "users", "id"),
    ("sources", "course_id", "courses", "id"),
    ("sources", "current_version_id", "source_versions", "id"),
    ("source_versions", "source_id", "sources", "id"),
    ("ingestions", "course_id", "courses", "id"),
    ("ingestions", "source_id", "sources", "id"),
    ("ingestions", "version_id", "source_versions", "id"),
    ("documents", "course_id", "courses", "id"),
    ("documents", "version_id", "source_versions", "id"),
    ("modules", "course_id", "courses", "id"),
    ("modules", "source_id", "sources", "id"),
    ("lessons", "course_id", "courses", "id"),
    ("lessons", "module_id", "modules", "id"),
    ("lessons", "document_id", "documents", "id"),
    ("chunks", "course_id", "courses", "id"),
    ("chunks", "version_id", "source_versions", "id"),
    ("chunks", "document_id", "documents", "id"),
    ("embeddings", "chunk_id", "chunks", "id"),
    ("embeddings", "course_id", "courses", "id"),
    ("embeddings", "version_id", "source_versions", "id"),
    ("enrollments", "user_id", "users", "id"),
    ("enrollments", "course_id", "courses", "id"),
    ("lesson_progress", "enrollment_id", "enrollments", "id"),
    ("lesson_progress", "lesson_id", "lessons", "id"),
    ("scope_gates", "course_id", "courses", "id"),
    ("events", "course_id", "courses", "id"),
    ("processed_events", "event_id", "events", "event_id"),
    ("questions", "course_id", "courses", "id"),
    ("assessments", "course_id", "courses", "id"),
    ("assessment_items", "assessment_id", "assessments", "id"),
    ("assessment_items", "question_id", "questions", "id"),
    ("attempts", "assessment_id", "assessments", "id"),
    ("attempts", "user_id", "users", "id"),
    ("responses", "attempt_id", "attempts", "id"),
    ("responses", "question_id", "questions", "id"),
    ("hint_states", "user_id", "users", "id"),
    ("hint_states", "question_id", "questions", "id"),
    ("prerequisites", "course_id", "courses", "id"),
    ("rubrics", "question_id", "questions", "id"),
    ("submissions", "course_id", "courses", "id"),
    ("submissions", "question_id", "questions", "id"),
    ("submissions", "attempt_id", "attempts", "id"),
    ("submissions", "user_id", "users", "id"),
    ("proposals", "submission_id", "submissions", "id"),
    ("grades", "submission_id", "submissions", "id"),
    ("grades", "graded_by", "users", "id"),
    ("releases", "grade_id", "grades", "id"),
    ("releases", "released_by", "users", "id"),
    ("appeals", "submission_id", "submissions", "id"),
    ("appeals", "user_id", "users", "id"),
    ("api_keys", "user_id", "users", "id"),
    ("api_keys", "course_id", "courses", "id"),
    ("model_usage", "course_id", "courses", "id"),
    ("model_usage", "user_id", "users", "id"),
    ("model_usage", "key_id", "api_keys", "id"),
    ("course_ai", "course_id", "courses", "id"),
    ("model_requests", "user_id", "users", "id"),
    ("model_requests", "course_id", "courses", "id"),
    ("model_requests", "key_id", "api_keys", "id"),
    ("scorm_attempts", "course_id", "courses", "id"),
    ("scorm_attempts", "source_id", "sources", "id"),
    ("scorm_attempts", "user_id", "users", "id"),
    ("scorm_commits", "attempt_id", "scorm_attempts", "id"),
    ("document_blobs", "document_id", "documents", "id"),
    ("package_files", "version_id", "source_versions", "id"),
    ("playback_positions", "user_id", "users", "id"),
    ("transcript_edits", "source_id", "sources", "id"),
    ("course_media", "course_id", "courses", "id"),
];

pub(super) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for (table, key) in OWNED {
        checks.push(Check::new(
            "I12",
            format!(
                "SELECT t.institution_id, '{table} ' || t.{key} AS subject,
                   'belongs to no institution: \"' || t.institution_id || '\"' AS message
                 FROM {table} t WHERE NOT EXISTS (SELECT 1 FROM institutions i WHERE i.id = t.institution_id)"
            ),
        ));
    }
    for (table, column, parent, parent_key) in PARENTS {
        let key = OWNED.iter().find(|(owned, _)| owned == table).map_or("institution_id", |(_, key)| key);
        checks.push(Check::new(
            "I12",
            format!(
                "SELECT t.institution_id, '{table} ' || t.{key} AS subject,
                   'belongs to another institution than its {column} ' || t.{column} AS message
                 FROM {table} t JOIN {parent} p ON p.{parent_key} = t.{column} WHERE p.institution_id <> t.institution_id"
            ),
        ));
    }
    checks.push(Check::new(
        "I12",
        "SELECT r.institution_id, 'user_roles ' || r.id AS subject,
           'holds in a course of another institution: ' || r.scope_id AS message
         FROM user_roles r JOIN courses c ON c.id = r.scope_id
         WHERE r.scope_type = 'course' AND c.institution_id <> r.institution_id",
    ));
    checks.push(Check::new(
        "I12",
        "SELECT b.institution_id, 'blobs ' || b.sha256 AS subject,
           'lies outside its institution: ' || b.storage_key AS message
         FROM blobs b WHERE b.storage_key NOT LIKE b.institution_id || '/%'",
    ));
    checks
}
