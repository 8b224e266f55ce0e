//! Operating runs and sources over HTTP: conflicts by type, schedules, removal, limits.

use axum::http::{Method, StatusCode};
use domain::ingestion::{Failure, Outcome, SourceKind, failure};
use domain::policy::Actor;
use domain::{IngestionId, SourceId};
use serde_json::{Value, json};
use store::sql;

use crate::world::{Place, World};

/// A source of its own with a run in this state.
async fn run(world: &World, place: &Place, mark: &str, state: &str) -> (SourceId, IngestionId) {
    let (institution, course) = (place.institution, place.course);
    let (mark, state) = (mark.to_owned(), state.to_owned());
    let made = world.store.write(move |tx| {
        Box::pin(async move {
            let origin = format!("https://github.com/{mark}/{}", uuid::Uuid::now_v7());
            let source = sql::source::find_or_create(tx, institution, course, SourceKind::Git, &origin, &mark).await?;
            let id = sql::ingestion::create(tx, institution, course, source, &json!({ "url": origin }), None).await?;
            let why = Failure::new(failure::OFFLINE, "not there");
            match state.as_str() {
                "paused" => {
                    sql::ingestion::control::hold(tx, institution, id, &why, None).await?;
                }
                "failed" => {
                    sql::ingestion::finish(tx, institution, id, Outcome::Failed, Some(&why)).await?;
                }
                _ => {}
            }
            Ok((source, id))
        })
    });
    made.await.unwrap()
}

/// The request of a case of the matrix, if it is one of these routes.
pub(crate) async fn aim(
    world: &World,
    (method, path): (&Method, &str),
    place: &Place,
    slug: &str,
    mark: &str,
) -> Option<(String, Option<Value>)> {
    let on = |path: &str, id: String| path.replace("{id}", &id);
    let found = match (method.as_str(), path) {
        ("POST", "/api/v1/ingestions/plan") => {
            (path.to_owned(), Some(json!({ "courseId": place.course, "kind": "git", "url": "https://github.com/a/b" })))
        }
        ("POST", "/api/v1/ingestions/{id}/pause" | "/api/v1/ingestions/{id}/cancel") => {
            (on(path, run(world, place, mark, "running").await.1.to_string()), None)
        }
        ("POST", "/api/v1/ingestions/{id}/resume") => {
            (on(path, run(world, place, mark, "paused").await.1.to_string()), None)
        }
        ("POST", "/api/v1/ingestions/{id}/retry") => {
            (on(path, run(world, place, mark, "failed").await.1.to_string()), None)
        }
        ("GET", "/api/v1/sources") => (format!("{path}?course={}", place.course), None),
        ("PUT", "/api/v1/sources/{id}/schedule") => {
            let id = run(world, place, mark, "failed").await.0;
            (on(path, id.to_string()), Some(json!({ "cron": "0 3 * * *" })))
        }
        (_, "/api/v1/sources/{id}" | "/api/v1/sources/{id}/refresh") => {
            (on(path, run(world, place, mark, "failed").await.0.to_string()), None)
        }
        ("PUT", "/api/v1/ingestion-limits") => (format!("{path}?institution={slug}"), Some(json!({ "runs": 2 }))),
        (_, "/api/v1/ingestion-limits") => (format!("{path}?institution={slug}"), None),
        _ => return None,
    };
    Some(found)
}

struct Asked {
    status: StatusCode,
    code: String,
    attributes: Value,
}

async fn ask(world: &World, method: Method, path: &str, body: Option<Value>) -> Asked {
    let answer = world.call(Some(world.tokens["IA"].as_str()), method, path, body).await;
    let json = answer.json();
    Asked {
        status: answer.status,
        code: json["error"]["code"].as_str().unwrap_or_default().to_owned(),
        attributes: json["data"]["attributes"].clone(),
    }
}

store::both_databases!(a_run_is_paused_resumed_cancelled_and_retried_with_typed_conflicts, |store| async move {
    let world = World::new(store).await;
    let place = &world.places["own"];
    let (source, id) = run(&world, place, "plain", "running").await;
    let path = |verb: &str| format!("/api/v1/ingestions/{id}/{verb}");
    let retry = ask(&world, Method::POST, &path("resume"), None).await;
    assert_eq!((retry.status, retry.code.as_str()), (StatusCode::CONFLICT, "NOT_PAUSED"));
    let paused = ask(&world, Method::POST, &path("pause"), None).await;
    assert_eq!(paused.status, StatusCode::OK, "{}", paused.attributes);
    let seen = ask(&world, Method::GET, &format!("/api/v1/ingestions/{id}"), None).await.attributes;
    assert_eq!((&seen["state"], &seen["waiting"]["code"]), (&json!("paused"), &json!("PAUSED")), "{seen}");
    assert_eq!(seen["actions"], json!(["resume", "cancel"]));
    for (verb, code) in [("pause", "ALREADY_PAUSED"), ("retry", "PAUSED")] {
        let refused = ask(&world, Method::POST, &path(verb), None).await;
        assert_eq!((refused.status, refused.code.as_str()), (StatusCode::CONFLICT, code), "{verb}");
    }
    let refused = ask(&world, Method::POST, &format!("/api/v1/sources/{source}/refresh"), None).await;
    assert_eq!((refused.status, refused.code.as_str()), (StatusCode::CONFLICT, "PAUSED"));
    assert_eq!(ask(&world, Method::POST, &path("resume"), None).await.status, StatusCode::OK);
    let refused = ask(&world, Method::POST, &path("retry"), None).await;
    assert_eq!((refused.status, refused.code.as_str()), (StatusCode::CONFLICT, "RUNNING"));
    let cancelled = ask(&world, Method::POST, &path("cancel"), None).await;
    assert!(cancelled.attributes["message"].as_str().unwrap().contains("nothing of it was published"));
    let seen = ask(&world, Method::GET, &format!("/api/v1/ingestions/{id}"), None).await.attributes;
    assert_eq!((&seen["state"], &seen["actions"]), (&json!("cancelled"), &json!(["retry"])));
    for verb in ["pause", "resume", "cancel"] {
        let refused = ask(&world, Method::POST, &path(verb), None).await;
        assert_eq!((refused.status, refused.code.as_str()), (StatusCode::CONFLICT, "NOT_RUNNING"), "{verb}");
    }
    let again = ask(&world, Method::POST, &path("retry"), None).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_ne!(again.attributes["ingestion"], json!(id));
    let refused = ask(&world, Method::POST, &path("retry"), None).await;
    assert_eq!((refused.status, refused.code.as_str()), (StatusCode::CONFLICT, "NOT_THE_LATEST"));
    let refused = ask(&world, Method::POST, &format!("/api/v1/ingestions/{}/retry", place.ingestion), None).await;
    assert_eq!((refused.status, refused.code.as_str()), (StatusCode::CONFLICT, "NOTHING_FAILED"));
});

store::both_databases!(a_source_is_scheduled_and_removed_over_http, |store| async move {
    let world = World::new(store.clone()).await;
    let course = world.places["own"].course;
    let listed =
        world.call(Some(&world.tokens["IA"]), Method::GET, &format!("/api/v1/sources?course={course}"), None).await;
    let id = listed.json()["data"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/sources/{id}");
    let refused = ask(&world, Method::PUT, &format!("{path}/schedule"), Some(json!({ "cron": "* * * * *" }))).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.code);
    let set = ask(&world, Method::PUT, &format!("{path}/schedule"), Some(json!({ "cron": "0 3 * * *" }))).await;
    assert!(set.attributes["nextAt"].as_str().unwrap().contains("T03:00:00Z"), "{}", set.attributes);
    // Two nodes look at the same time: the turn is taken once.
    store::testing::execute(&store, &format!("UPDATE sources SET next_at = 5 WHERE id = '{id}'")).await.unwrap();
    let (one, two) = (world.school.clone(), world.school.clone());
    let (one_source, two_source) = (one.source(), two.source());
    let (one, two) = tokio::join!(one_source.run_due(), two_source.run_due());
    assert_eq!(one.unwrap() + two.unwrap(), 1);
    let card = ask(&world, Method::GET, &path, None).await.attributes;
    assert_eq!((&card["cron"], &card["last"]["state"]), (&json!("0 3 * * *"), &json!("running")), "{card}");
    // The next turn is left out while the run goes on, and that is told.
    store::testing::execute(&store, &format!("UPDATE sources SET next_at = 5 WHERE id = '{id}'")).await.unwrap();
    assert_eq!(world.school.source().run_due().await.unwrap(), 0);
    let card = ask(&world, Method::GET, &path, None).await.attributes;
    assert!(card["scheduleNote"].as_str().unwrap().contains("has not ended"), "{card}");
    let removed = ask(&world, Method::DELETE, &path, None).await;
    assert_eq!(removed.status, StatusCode::OK, "{}", removed.code);
    assert_eq!((&removed.attributes["lessons"], &removed.attributes["passages"]), (&json!(2), &json!(2)));
    assert_eq!(ask(&world, Method::GET, &path, None).await.status, StatusCode::NOT_FOUND);
    let lessons = ask(&world, Method::GET, &format!("/api/v1/content/{}", world.places["own"].lesson), None).await;
    assert_eq!(lessons.status, StatusCode::NOT_FOUND);
    let blobs = store::blob::LocalBlobs::new(&store.options().data_dir);
    let found = store::verify::verify(&store, &blobs, None).await.unwrap();
    let about = |invariant: &str| found.iter().any(|finding| format!("{finding:?}").contains(invariant));
    assert!(!about("I7") && !about("I1\""), "{found:?}");
});

store::both_databases!(limits_of_ingestion_are_set_and_read, |store| async move {
    let world = World::new(store).await;
    let path = "/api/v1/ingestion-limits";
    let set = ask(&world, Method::PUT, path, Some(json!({ "storedBytes": 1_000, "runs": 1 }))).await;
    assert_eq!((&set.attributes["storedBytes"], &set.attributes["runs"]), (&json!(1_000), &json!(1)));
    assert!(set.attributes["storedNow"].as_i64().unwrap() > 0);
    let refused = ask(&world, Method::PUT, path, Some(json!({ "runs": 0 }))).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let operator = Actor::operator(world.home);
    assert_eq!(world.school.source().limits(&operator, world.home).await.unwrap().0.runs, Some(1));
});
