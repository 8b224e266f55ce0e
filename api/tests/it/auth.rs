//! Logins: the same answer to every wrong one, rotation, theft, throttling, rights that end at once.

use std::time::{Duration, Instant};

use api::ApiOptions;
use axum::http::{Method, StatusCode};
use domain::user::{Role, Scope};
use school::user::UserChange;
use school::{PasswordCost, SchoolOptions};
use serde_json::{Value, json};
use store::testing;

use crate::world::{Answer, PASSWORD, World, cheap, grant, request};

const LOGIN: &str = "/api/v1/auth/login";
const REFRESH: &str = "/api/v1/auth/refresh";

async fn login(world: &World, institution: &str, name: &str, password: &str) -> Answer {
    let body = json!({ "institution": institution, "username": name, "password": password });
    world.call(None, Method::POST, LOGIN, Some(body)).await
}

fn token(answer: &Answer, name: &str) -> String {
    answer.json()["data"]["attributes"][name].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned()
}

async fn session(world: &World, access: &str) -> StatusCode {
    world.call(Some(access), Method::GET, "/api/v1/auth/session", None).await.status
}

store::both_databases!(every_wrong_login_gets_the_same_answer, |store| async move {
    let world = World::new(store).await;
    let suspended = UserChange { status: Some("suspended".into()), ..UserChange::default() };
    world.school.user().update(&world.operator(), world.users["classmate"].id, suspended).await.unwrap();
    let mut answers = Vec::new();
    for (institution, name, password) in [
        ("a-school", "le", "wrong password"),
        ("a-school", "nobody", "wrong password"),
        ("no-school", "le", PASSWORD),
        ("b-school", "le", PASSWORD),
        ("a-school", "mate", PASSWORD),
    ] {
        let answer = login(&world, institution, name, password).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{institution}/{name}");
        let mut error: Value = answer.json()["error"].clone();
        error["traceId"] = Value::Null;
        error["timestamp"] = Value::Null;
        answers.push(error);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    let good = login(&world, "a-school", "le", PASSWORD).await;
    assert_eq!(session(&world, &token(&good, "accessToken")).await, StatusCode::OK);
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_name_takes_as_long_as_a_wrong_password() {
    let fresh = testing::sqlite().await;
    let options =
        SchoolOptions { password_cost: PasswordCost { memory_kib: 19_456, passes: 2, at_once: 1 }, ..cheap() };
    let world = World::with(fresh.store.clone(), options, ApiOptions::default()).await;
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..9 {
        for (kind, name) in [(0, "le".to_owned()), (1, format!("nobody{round}"))] {
            let began = Instant::now();
            login(&world, "a-school", &name, "wrong password").await;
            times[kind].push(began.elapsed());
        }
    }
    // The fastest of each: what else the machine does only ever adds time.
    let fastest = |times: &[Duration]| times.iter().min().unwrap().as_secs_f64();
    let (known, unknown) = (fastest(&times[0]), fastest(&times[1]));
    assert!((0.5..2.0).contains(&(known / unknown)), "known {known} s, unknown {unknown} s");
    fresh.close().await;
}

store::both_databases!(a_refresh_token_that_comes_twice_ends_its_login, |store| async move {
    let world = World::new(store).await;
    let first = login(&world, "a-school", "le", PASSWORD).await;
    let stolen = token(&first, "refreshToken");
    let second = world.call(None, Method::POST, REFRESH, Some(json!({ "refreshToken": stolen }))).await;
    assert_eq!(second.status, StatusCode::OK);
    let access = token(&second, "accessToken");
    assert_eq!(session(&world, &access).await, StatusCode::OK);
    let agent = [("user-agent", "another client")];
    let again = request(None, Method::POST, REFRESH, Some(json!({ "refreshToken": stolen })), &agent);
    assert_eq!(world.send(again).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(session(&world, &access).await, StatusCode::UNAUTHORIZED);
    let rest = json!({ "refreshToken": token(&second, "refreshToken") });
    assert_eq!(world.call(None, Method::POST, REFRESH, Some(rest)).await.status, StatusCode::UNAUTHORIZED);
});

store::both_databases!(a_hundred_refreshes_at_once_leave_one_login, |store| async move {
    let world = World::new(store).await;
    let first = login(&world, "a-school", "le", PASSWORD).await;
    let body = json!({ "refreshToken": token(&first, "refreshToken") });
    let calls = (0..100).map(|_| world.call(None, Method::POST, REFRESH, Some(body.clone())));
    let answers = futures_of(calls).await;
    let good: Vec<&Answer> = answers.iter().filter(|answer| answer.status == StatusCode::OK).collect();
    assert_eq!(good.len(), 1);
    assert_eq!(session(&world, &token(good[0], "accessToken")).await, StatusCode::OK);
});

async fn futures_of<F: Future>(calls: impl Iterator<Item = F>) -> Vec<F::Output> {
    futures::future::join_all(calls).await
}

store::both_databases!(a_token_opens_only_its_own_doors, |store| async move {
    let world = World::new(store.clone()).await;
    let first = login(&world, "a-school", "le", PASSWORD).await;
    let (access, refresh) = (token(&first, "accessToken"), token(&first, "refreshToken"));
    assert_eq!(session(&world, &refresh).await, StatusCode::UNAUTHORIZED);
    let body = json!({ "refreshToken": access });
    assert_eq!(world.call(None, Method::POST, REFRESH, Some(body)).await.status, StatusCode::UNAUTHORIZED);
    for odd in ["lya_", "x", "eyJhbGciOiJub25lIn0.e30.", "' OR 1=1 --"] {
        assert_eq!(session(&world, odd).await, StatusCode::UNAUTHORIZED);
        // A token that does not hold is refused at open doors too.
        let open = world.call(Some(odd), Method::GET, "/api/v1/courses?institution=a-school", None).await;
        assert_eq!(open.status, StatusCode::UNAUTHORIZED);
    }
    testing::execute(&store, "UPDATE tokens SET expires_at = 1 WHERE kind = 'access'").await.unwrap();
    assert_eq!(session(&world, &access).await, StatusCode::UNAUTHORIZED);
});

store::both_databases!(rights_end_with_the_next_request, |store| async move {
    let world = World::new(store).await;
    let course = world.places["own"].course;
    let path = format!("/api/v1/courses/{course}/modules");
    assert_eq!(world.get("IN", &path).await.status, StatusCode::OK);
    let instructor = grant(Role::Instructor, Scope::Course(course));
    world.school.role().revoke(&world.operator(), world.users["IN"].id, instructor).await.unwrap();
    assert_eq!(world.get("IN", &path).await.status, StatusCode::NOT_FOUND);

    assert_eq!(world.get("LE", &path).await.status, StatusCode::OK);
    let enrolments = world.school.user().enrollments(&world.operator(), world.users["LE"].id, None, 10).await.unwrap();
    world.school.enrollment().drop(&world.operator(), enrolments[0].id).await.unwrap();
    assert_eq!(world.get("LE", &path).await.status, StatusCode::NOT_FOUND);

    let kept = login(&world, "a-school", "au", PASSWORD).await;
    let suspended = UserChange { status: Some("suspended".into()), ..UserChange::default() };
    world.school.user().update(&world.operator(), world.users["AU"].id, suspended).await.unwrap();
    assert_eq!(world.get("AU", &path).await.status, StatusCode::UNAUTHORIZED);
    let body = json!({ "refreshToken": token(&kept, "refreshToken") });
    assert_eq!(world.call(None, Method::POST, REFRESH, Some(body)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(login(&world, "a-school", "au", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_eleventh_wrong_password_is_told_to_wait_whatever_the_headers_say() {
    let fresh = testing::sqlite().await;
    let world = World::new(fresh.store.clone()).await;
    let attempt = |password: &'static str, address: String| {
        let body = json!({ "institution": "a-school", "username": "le", "password": password });
        request(None, Method::POST, LOGIN, Some(body), &[("x-forwarded-for", address.as_str())])
    };
    for round in 0..10 {
        assert_eq!(
            world.send(attempt("wrong password", format!("198.51.100.{round}"))).await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    let refused = world.send(attempt(PASSWORD, "203.0.113.9".into())).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(login(&world, "a-school", "mate", PASSWORD).await.status, StatusCode::OK);
    fresh.close().await;
}

store::both_databases!(logging_out_ends_both_tokens, |store| async move {
    let world = World::new(store).await;
    let first = login(&world, "a-school", "le", PASSWORD).await;
    let access = token(&first, "accessToken");
    let out = world.call(Some(&access), Method::POST, "/api/v1/auth/logout", None).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert_eq!(session(&world, &access).await, StatusCode::UNAUTHORIZED);
    let body = json!({ "refreshToken": token(&first, "refreshToken") });
    assert_eq!(world.call(None, Method::POST, REFRESH, Some(body)).await.status, StatusCode::UNAUTHORIZED);
});
