//! I1, I2 and I3: what was acknowledged is there, once, and no course holds more learners than it may.
//!
//! The receipts of an acknowledged write are its event, its entry in the audit trail and its row;
//! they are one transaction, so none may be there without the others.

use super::Check;

/// Says that a row was deleted on purpose, when it had been kept long enough.
const FORGOTTEN: &str = "llm.processing_forgotten";

/// Tables whose rows are made with an event, and its type.
const MADE: &[(&str, &str)] = &[
    ("institutions", "institution.created"),
    ("users", "user.created"),
    ("courses", "course.created"),
    ("enrollments", "enrollment.created"),
    ("ingestions", "content.ingestion_started"),
    ("api_keys", "key.created"),
    ("model_requests", "llm.processing_requested"),
    ("scorm_attempts", "scorm.started"),
];

/// What an audit subject such as `course:ID` names.
const SUBJECTS: &[(&str, &str)] =
    &[("institution", "institutions"), ("user", "users"), ("course", "courses"), ("enrollment", "enrollments")];

pub(super) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for (table, event) in MADE {
        let institution = if *table == "institutions" { "t.id" } else { "t.institution_id" };
        checks.push(Check::new(
            "I1",
            format!(
                "SELECT {institution} AS institution_id, '{table} ' || t.id AS subject, 'has no event {event}' AS message
                 FROM {table} t
                 WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.event_type = '{event}' AND e.aggregate_id = t.id)"
            ),
        ));
        checks.push(Check::new(
            "I1",
            format!(
                "SELECT e.institution_id, 'event ' || e.event_id AS subject,
                   '{event} was written and its row {table} ' || e.aggregate_id || ' is missing' AS message
                 FROM events e WHERE e.event_type = '{event}'
                   AND NOT EXISTS (SELECT 1 FROM {table} t WHERE t.id = e.aggregate_id)
                   AND NOT EXISTS (SELECT 1 FROM events f WHERE f.event_type = '{FORGOTTEN}'
                     AND f.aggregate_id = e.aggregate_id)"
            ),
        ));
        checks.push(Check::new(
            "I2",
            format!(
                "SELECT MIN(e.institution_id) AS institution_id, '{table} ' || e.aggregate_id AS subject,
                   'was made ' || CAST(COUNT(*) AS TEXT) || ' times ({event})' AS message
                 FROM events e WHERE e.event_type = '{event}' GROUP BY e.aggregate_id HAVING COUNT(*) > 1"
            ),
        ));
    }
    for (name, table) in SUBJECTS {
        checks.push(Check::new(
            "I1",
            format!(
                "SELECT a.institution_id, 'audit ' || a.id AS subject,
                   a.action || ' was recorded and ' || a.subject || ' is missing' AS message
                 FROM audit a WHERE a.subject LIKE '{name}:%'
                   AND NOT EXISTS (SELECT 1 FROM {table} t WHERE t.id = SUBSTR(a.subject, {}))",
                name.len() + 2
            ),
        ));
    }
    checks.push(Check::new(
        "I1",
        "SELECT i.institution_id, 'ingestion ' || i.id AS subject, 'ended as ' || i.state || ' without its event' AS message
         FROM ingestions i WHERE i.state <> 'running' AND NOT EXISTS (
           SELECT 1 FROM events e WHERE e.aggregate_id = i.id
             AND e.event_type IN ('content.ingestion_completed', 'content.ingestion_failed'))",
    ));
    checks.push(Check::new(
        "I1",
        "SELECT i.institution_id, 'ingestion ' || i.id AS subject, 'runs although its event says that it ended' AS message
         FROM ingestions i WHERE i.state = 'running' AND EXISTS (
           SELECT 1 FROM events e WHERE e.aggregate_id = i.id
             AND e.event_type IN ('content.ingestion_completed', 'content.ingestion_failed'))",
    ));
    checks.push(Check::new(
        "I1",
        "SELECT v.institution_id, 'version ' || v.id AS subject, 'is published without its event' AS message
         FROM source_versions v WHERE v.state IN ('live', 'ready') AND NOT EXISTS (
           SELECT 1 FROM events e WHERE e.event_type = 'content.text_published' AND e.aggregate_id = v.source_id
             AND e.payload LIKE '%\"versionId\":\"' || v.id || '\"%')",
    ));
    checks.push(Check::new(
        "I2",
        "SELECT i.institution_id, 'idempotency key ' || i.idem_key AS subject,
           'has no hash of its request or no status of its response' AS message
         FROM idempotency i WHERE i.request_hash = '' OR i.status NOT BETWEEN 100 AND 599",
    ));
    checks.push(Check::new(
        "I2",
        "SELECT i.institution_id, 'idempotency key ' || i.idem_key AS subject, 'belongs to no user' AS message
         FROM idempotency i WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = i.user_id)",
    ));
    checks.push(Check::new(
        "I3",
        "SELECT e.institution_id, 'course ' || e.course_id AS subject,
           'user ' || e.user_id || ' has ' || CAST(COUNT(*) AS TEXT) || ' enrolments' AS message
         FROM enrollments e GROUP BY e.institution_id, e.course_id, e.user_id HAVING COUNT(*) > 1",
    ));
    checks.push(Check::new(
        "I3",
        "SELECT c.institution_id, 'course ' || c.id AS subject,
           'has more active enrolments than its ' || CAST(c.capacity AS TEXT) || ' seats' AS message
         FROM courses c WHERE c.capacity IS NOT NULL AND c.capacity < (
           SELECT COUNT(*) FROM enrollments e WHERE e.course_id = c.id AND e.status = 'enrolled')",
    ));
    checks
}
