//! Keys, limits, usage, the AI switch and durable requests over HTTP.

use axum::http::{Method, StatusCode};
use domain::policy::Actor;
use domain::user::User;
use domain::wire::Class;
use school::api_key::NewApiKey;
use school::model_request::NewModelRequest;
use serde_json::{Value, json};

use crate::world::{Place, World};

/// Whose thing a role asks about: its own, or a stranger's of the same school.
async fn owner(world: &World, role: &str, own: bool) -> User {
    if !own {
        let name = format!("u{}", uuid::Uuid::now_v7().simple());
        return world.stranger(world.home, &name, "plain").await;
    }
    world.users.get(role).unwrap_or_else(|| &world.users["LE"]).clone()
}

/// The request of a case of the matrix, if it is one of these routes.
pub(crate) async fn aim(
    world: &World,
    (method, path, state): (&Method, &str, &str),
    role: &str,
    place: &Place,
    slug: &str,
) -> Option<(String, Option<Value>)> {
    let own = state != "other";
    let operator = Actor::operator(world.home);
    let found = match (method.as_str(), path) {
        ("POST", "/api/v1/keys") => (path.to_owned(), Some(json!({ "name": "script" }))),
        ("GET", "/api/v1/keys") if own => (path.to_owned(), None),
        ("GET", "/api/v1/keys") => (format!("{path}?all=true"), None),
        ("DELETE", "/api/v1/keys/{id}") => {
            let user = Some(owner(world, role, own).await.id);
            let new = NewApiKey { user, ..NewApiKey::default() };
            let id = world.school.api_key().create(&operator, new).await.unwrap().key.id;
            (path.replace("{id}", &id.to_string()), None)
        }
        (_, "/api/v1/model-requests/{id}") => {
            let user = owner(world, role, own).await;
            let actor = Actor::user(user.id, user.institution_id, user.username, Vec::new());
            (path.replace("{id}", &submit(world, &actor).await), None)
        }
        ("PUT", "/api/v1/quotas") => {
            let body = json!({ "scope": "user", "scopeId": "*", "requestsDay": 1_000_000 });
            (format!("{path}?institution={slug}"), Some(body))
        }
        (_, "/api/v1/quotas" | "/api/v1/usage") => (format!("{path}?institution={slug}"), None),
        ("PUT", "/api/v1/courses/{id}/ai") => {
            (path.replace("{id}", &place.course.to_string()), Some(json!({ "enabled": false })))
        }
        _ => return None,
    };
    Some(found)
}

async fn submit(world: &World, actor: &Actor) -> String {
    let new = NewModelRequest {
        key: None,
        course: None,
        idempotency_key: None,
        class: Class::Grade,
        endpoint: "/v1/chat/completions".into(),
        body: b"{}".to_vec(),
    };
    world.school.model_request().submit(actor, new).await.unwrap().id.to_string()
}

store::both_databases!(a_key_is_shown_once_over_http, |store| async move {
    let world = World::new(store).await;
    let token = Some(world.tokens["IN"].as_str());
    let course = world.places["own"].course;
    let body = json!({ "name": "marking", "courseId": course, "expiresSeconds": 3600 });
    let made = world.call(token, Method::POST, "/api/v1/keys", Some(body)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let key = made.json()["data"]["attributes"]["key"].as_str().unwrap().to_owned();
    assert!(world.school.api_key().resolve(&key).await.unwrap().model_use);
    let listed = world.call(token, Method::GET, "/api/v1/keys", None).await;
    assert!(!listed.text.contains(&key) && listed.text.contains(&key[..12]), "{}", listed.text);
    assert_eq!(listed.json()["data"][0]["relationships"]["course"]["data"]["id"], json!(course));
    let address = format!("/api/v1/keys/{}", made.id());
    let stranger = world.call(Some(&world.tokens["LE"]), Method::DELETE, &address, None).await;
    assert_eq!(stranger.status, StatusCode::NOT_FOUND);
    assert_eq!(world.call(token, Method::DELETE, &address, None).await.status, StatusCode::NO_CONTENT);
    assert!(world.school.api_key().resolve(&key).await.is_err());
    let elsewhere = json!({ "courseId": world.places["sibling"].course });
    let refused = world.call(token, Method::POST, "/api/v1/keys", Some(elsewhere)).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.text);
});

store::both_databases!(limits_and_usage_are_read_and_set_over_http, |store| async move {
    let world = World::new(store).await;
    let token = Some(world.tokens["IA"].as_str());
    let user = world.users["LE"].id.to_string();
    let body = json!({ "scope": "user", "scopeId": user, "requestsMinute": 60, "tokensDay": 100_000 });
    let set = world.call(token, Method::PUT, "/api/v1/quotas", Some(body)).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text);
    let listed = world.call(token, Method::GET, "/api/v1/quotas", None).await.json();
    assert_eq!(listed["data"][0]["attributes"]["requestsMinute"], 60, "{listed}");
    let cleared = json!({ "scope": "user", "scopeId": user });
    world.call(token, Method::PUT, "/api/v1/quotas", Some(cleared)).await;
    let listed = world.call(token, Method::GET, "/api/v1/quotas", None).await.json();
    assert_eq!(listed["data"], json!([]));
    for wrong in [
        json!({ "scope": "planet", "scopeId": "*" }),
        json!({ "scope": "user", "scopeId": "*", "requestsDay": -1 }),
        json!({ "scope": "user", "scopeId": "*", "requestsDay": 10_u64.pow(18) }),
    ] {
        let refused = world.call(token, Method::PUT, "/api/v1/quotas", Some(wrong)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    }
    let usage = school::usage::Usage::new(world.store.clone());
    let payer = domain::quota::Payer {
        institution: world.home,
        course: Some(world.places["own"].course),
        user: Some(world.users["LE"].id),
        key: None,
    };
    let sums = domain::usage::Sums { requests: 2, prompt_tokens: 7, ..Default::default() };
    usage.record(domain::usage::UsageRow { payer, feature: "tutor".into(), model: "m".into(), sums });
    usage.flush().await.unwrap();
    let report = world.call(token, Method::GET, "/api/v1/usage?by=user", None).await.json();
    assert_eq!(report["data"][0]["attributes"]["name"], "le", "{report}");
    assert_eq!(report["data"][0]["attributes"]["promptTokens"], 7);
    let seen = world.call(Some(&world.tokens["IN"]), Method::GET, "/api/v1/usage?by=course", None).await.json();
    assert_eq!(seen["data"][0]["attributes"]["requests"], 2, "{seen}");
    let refused = world.call(Some(&world.tokens["IN"]), Method::GET, "/api/v1/usage?by=user", None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let wrong = world.call(token, Method::GET, "/api/v1/usage?from=yesterday", None).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
});

store::both_databases!(a_durable_request_is_read_and_called_off_by_who_sent_it, |store| async move {
    let world = World::new(store).await;
    let user = &world.users["IN"];
    let actor = Actor::user(user.id, user.institution_id, user.username.clone(), Vec::new());
    let address = format!("/api/v1/model-requests/{}", submit(&world, &actor).await);
    let token = Some(world.tokens["IN"].as_str());
    let read = world.call(token, Method::GET, &address, None).await.json();
    assert_eq!(read["data"]["attributes"]["state"], "queued", "{read}");
    let stranger = world.call(Some(&world.tokens["IA"]), Method::DELETE, &address, None).await;
    assert_eq!(stranger.status, StatusCode::NOT_FOUND);
    let cancelled = world.call(token, Method::DELETE, &address, None).await.json();
    assert_eq!(cancelled["data"]["attributes"]["state"], "cancelled");
});
