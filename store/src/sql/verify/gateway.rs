//! I8 of model requests: whoever waits for an answer has a job that makes it, and a done request has its answer;
//! I11: figures of quotas and usage that can be.

use super::Check;

pub(super) fn checks() -> Vec<Check> {
    let request = |condition: &str, message: &str| {
        Check::new(
            "I8",
            format!(
                "SELECT r.institution_id, 'model request ' || r.id AS subject, {message} AS message
                 FROM model_requests r WHERE {condition}"
            ),
        )
    };
    let job = "SELECT 1 FROM jobs j WHERE j.institution_id = r.institution_id AND j.kind = 'run_model_request'
               AND j.idem_key = r.id";
    vec![
        request(
            &format!(
                "r.state IN ('queued', 'running') AND NOT EXISTS ({job} AND j.state IN ('ready', 'leased', 'backoff'))"
            ),
            "'is ' || r.state || ' and no job will answer it'",
        ),
        request(
            "r.state = 'done' AND (r.response IS NULL OR r.status IS NULL OR r.finished_at IS NULL)",
            "'is done without its answer'",
        ),
        request(
            &format!("r.state = 'done' AND NOT EXISTS ({job} AND j.state = 'done') AND EXISTS ({job})"),
            "'is done and its job is not'",
        ),
        request("r.state = 'failed' AND COALESCE(r.error, '') = ''", "'failed without a reason'"),
        Check::new(
            "I11",
            "SELECT q.institution_id, 'quota of ' || q.scope || ' ' || q.scope_id AS subject,
               'a figure of its ' || q.period || ' is negative' AS message
             FROM model_quota_use q WHERE q.requests < 0 OR q.tokens < 0",
        ),
        Check::new(
            "I11",
            "SELECT q.institution_id, 'quota of ' || q.scope || ' ' || q.scope_id AS subject,
               'its ' || q.period || ' begins at no ' || q.period AS message
             FROM model_quota_use q
             WHERE q.starts_at % (CASE WHEN q.period = 'day' THEN 86400000000 ELSE 60000000 END) <> 0",
        ),
        Check::new(
            "I11",
            "SELECT u.institution_id, 'usage of ' || u.model AS subject, 'a figure cannot be' AS message
             FROM model_usage u WHERE u.requests < 0 OR u.failed < 0 OR u.failed > u.requests OR u.cache_hits < 0
               OR u.cache_hits > u.requests OR u.prompt_tokens < 0 OR u.completion_tokens < 0 OR u.waited_ms < 0
               OR u.busy_ms < 0 OR u.day % 86400000000 <> 0",
        ),
    ]
}
