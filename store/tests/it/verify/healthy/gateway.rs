//! What the gateway keeps: limits, usage, a switched course, a key, and a durable request in each state.

use domain::api_key::ApiKey;
use domain::job::FailureClass;
use domain::model_request::ModelRequest;
use domain::{ApiKeyId, CourseId, InstitutionId, ModelRequestId, UserId};
use serde_json::json;
use store::queue::{self, NewJob};
use store::sql::api_key;
use store::sql::event::{self, NewEvent};
use store::sql::job::{self, Claim, Failed};
use store::sql::model_request::{self, End};
use store::{Store, Tx};

/// A limit and what is used of it, usage, and a switched course.
pub(super) fn rows(institution: InstitutionId, course: CourseId, user: UserId) -> [String; 4] {
    [
        format!(
            "INSERT INTO model_quotas (institution_id, scope, scope_id, requests_day, changed_at)
             VALUES ('{institution}', 'user', '{user}', 9, 1)"
        ),
        format!(
            "INSERT INTO model_quota_use (institution_id, scope, scope_id, period, starts_at, requests, tokens)
             VALUES ('{institution}', 'user', '{user}', 'day', 86400000000, 3, 0)"
        ),
        format!(
            "INSERT INTO model_usage (institution_id, day, course_id, user_id, key_id, feature, model, requests, failed,
               prompt_tokens, completion_tokens, waited_ms, busy_ms, cache_hits)
             VALUES ('{institution}', 86400000000, '{course}', '{user}', '', 'tutor', 'm1', 3, 1, 10, 20, 5, 50, 1)"
        ),
        format!(
            "INSERT INTO course_ai (course_id, institution_id, enabled, changed_at)
             VALUES ('{course}', '{institution}', FALSE, 1)"
        ),
    ]
}

/// A key, and a model request in each state; their idempotency keys are named after the states.
pub(super) async fn requests(store: &Store, institution: InstitutionId, user: UserId) {
    let key = ApiKey {
        id: ApiKeyId::fresh(),
        institution_id: institution,
        user_id: user,
        course_id: None,
        name: "script".into(),
        prefix: "lyk_abcdefgh".into(),
        created_at: 1,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    let key_id = key.id;
    store
        .write(move |tx| {
            Box::pin(async move {
                api_key::insert(tx, &key, &format!("hash-{}", key.id)).await?;
                event::append(tx, &NewEvent::new("key.created", institution, key.id)).await.map(|_| ())
            })
        })
        .await
        .unwrap();
    for state in ["queued", "running", "done", "failed", "cancelled"] {
        let request = ModelRequest {
            id: ModelRequestId::fresh(),
            institution_id: institution,
            user_id: user,
            key_id: Some(key_id),
            course_id: None,
            idempotency_key: state.into(),
            request_hash: "ab".into(),
            class: domain::wire::Class::Grade,
            endpoint: "/v1/chat/completions".into(),
            body: b"{}".to_vec(),
            state: domain::model_request::RequestState::Queued,
            status: None,
            response: None,
            error: None,
            created_at: 1,
            finished_at: None,
        };
        store.write(move |tx| Box::pin(async move { answer(tx, &request, state).await })).await.unwrap();
    }
}

async fn answer(tx: &mut Tx, request: &ModelRequest, state: &str) -> store::Result<()> {
    let (institution, id) = (request.institution_id, request.id.to_string());
    assert!(model_request::insert(tx, request).await?);
    event::append(tx, &NewEvent::new("llm.processing_requested", institution, request.id)).await?;
    let mut job = NewJob::new(institution, domain::model_request::JOB, &id, json!({ "requestId": id }));
    // The one just made is claimed first.
    job.priority = if state == "queued" { -1 } else { 9 };
    queue::enqueue(tx, job).await?;
    if state == "queued" {
        return Ok(());
    }
    if state == "cancelled" {
        assert!(model_request::cancel(tx, request).await?);
        return Ok(());
    }
    let lease = std::time::Duration::from_secs(600);
    let claim = Claim {
        instance: "n/1".into(),
        kinds: vec![domain::model_request::JOB.into()],
        limit: 1,
        lease,
        after: Some(institution),
    };
    let mut mine = None;
    // The turn may be another institution's first.
    while mine.is_none() {
        mine = job::claim(tx, &claim).await?.into_iter().find(|job| job.idem_key == id);
    }
    let claimed = mine.unwrap();
    let token = claimed.lease_token.unwrap();
    assert!(model_request::begin(tx, request, claimed.id, &token).await?);
    match state {
        "done" => {
            job::complete(tx, claimed.id, &token).await?;
            assert!(model_request::finish(tx, request, End::Done(200, b"{}".to_vec())).await?);
        }
        "failed" => {
            let failed = Failed { class: FailureClass::Permanent, message: "no".into(), wait: lease };
            job::fail(tx, claimed.id, &token, &failed).await?;
        }
        _ => {}
    }
    Ok(())
}
