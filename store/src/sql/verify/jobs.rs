//! I8: every job is in exactly one state, with what belongs to it, and none can be stuck.

use super::Check;

/// After this long (microseconds) a live worker would have swept an expired lease.
const GRACE: i64 = 60_000_000;
/// The longest wait that the queue ever sets is a day.
const LONGEST_WAIT: i64 = 2 * 86_400_000_000;

pub(super) fn checks(clock: &str) -> Vec<Check> {
    let job = |condition: &str, message: &str| {
        Check::new(
            "I8",
            format!(
                "SELECT j.institution_id, 'job ' || j.id AS subject, {message} AS message FROM jobs j WHERE {condition}"
            ),
        )
    };
    vec![
        job(
            "j.state NOT IN ('ready', 'leased', 'backoff', 'done', 'dead', 'cancelled')",
            "'is in no known state: ' || j.state",
        ),
        job(
            "j.state = 'leased' AND (j.lease_token IS NULL OR j.lease_until IS NULL OR j.leased_at IS NULL OR j.worker_instance IS NULL)",
            "'is leased without the whole of a lease'",
        ),
        job(
            "j.state <> 'leased' AND (j.lease_token IS NOT NULL OR j.lease_until IS NOT NULL OR j.worker_instance IS NOT NULL)",
            "'is ' || j.state || ' and holds a lease'",
        ),
        job(&format!("j.state = 'leased' AND j.lease_until < {clock} - {GRACE}"), "'has a lease that ended and was not swept'"),
        job(
            &format!("j.state IN ('ready', 'backoff') AND j.run_at > {clock} + {LONGEST_WAIT}"),
            "'waits longer than any back-off: it is stuck'",
        ),
        job(
            "j.attempts > j.max_attempts + 1 OR j.attempts < 0 OR j.max_attempts < 1",
            "'has ' || CAST(j.attempts AS TEXT) || ' attempts of ' || CAST(j.max_attempts AS TEXT)",
        ),
        job("j.crashes < 0 OR (j.crashes > 2 AND j.state NOT IN ('dead', 'cancelled'))", "'crashed ' || CAST(j.crashes AS TEXT) || ' times and is ' || j.state"),
        job("j.state = 'dead' AND COALESCE(j.last_error, '') = ''", "'is dead without a reason'"),
        Check::new(
            "I8",
            "SELECT MIN(j.institution_id) AS institution_id, 'job ' || MIN(j.id) AS subject,
               'is one of ' || CAST(COUNT(*) AS TEXT) || ' jobs for the same work \"' || j.kind || '/' || j.idem_key || '\"' AS message
             FROM jobs j GROUP BY j.institution_id, j.kind, j.idem_key HAVING COUNT(*) > 1",
        ),
    ]
}
