//! Damages of durable requests, quotas and usage.

use super::{Damage, sql};

pub(super) fn damages() -> Vec<Damage> {
    vec![
        sql(
            "I8",
            "a queued request without its job",
            "DELETE FROM jobs WHERE idem_key = (SELECT id FROM model_requests WHERE idempotency_key = 'queued' AND institution_id = '{institution}')",
            "model request ",
            "is queued and no job will answer it",
        ),
        sql(
            "I8",
            "a running request whose job died",
            "UPDATE jobs SET state = 'dead', last_error = 'no', lease_token = NULL, lease_until = NULL, worker_instance = NULL
             WHERE idem_key = (SELECT id FROM model_requests WHERE idempotency_key = 'running' AND institution_id = '{institution}')",
            "model request ",
            "is running and no job will answer it",
        ),
        sql(
            "I8",
            "a done request without its answer",
            "UPDATE model_requests SET response = NULL WHERE idempotency_key = 'done' AND institution_id = '{institution}'",
            "model request ",
            "done without its answer",
        )
        .postgres_first("ALTER TABLE model_requests DROP CONSTRAINT model_requests_done"),
        sql(
            "I8",
            "a done request whose job runs again",
            "UPDATE jobs SET state = 'ready' WHERE idem_key = (SELECT id FROM model_requests WHERE idempotency_key = 'done' AND institution_id = '{institution}')",
            "model request ",
            "done and its job is not",
        ),
        sql(
            "I8",
            "a failed request without a reason",
            "UPDATE model_requests SET error = NULL WHERE idempotency_key = 'failed' AND institution_id = '{institution}'",
            "model request ",
            "failed without a reason",
        ),
        sql(
            "I1",
            "a request that was accepted is gone",
            "DELETE FROM model_requests WHERE idempotency_key = 'done' AND institution_id = '{institution}'",
            "event",
            "and its row model_requests",
        ),
        sql(
            "I11",
            "a negative use",
            "UPDATE model_quota_use SET requests = -1 WHERE institution_id = '{institution}'",
            "quota of user {user}",
            "is negative",
        ),
        sql(
            "I11",
            "a day that begins at noon",
            "UPDATE model_quota_use SET starts_at = 43200000000 WHERE institution_id = '{institution}'",
            "quota of user {user}",
            "begins at no day",
        ),
        sql(
            "I11",
            "more failures than requests",
            "UPDATE model_usage SET failed = 4 WHERE institution_id = '{institution}'",
            "usage of m1",
            "cannot be",
        ),
    ]
}
