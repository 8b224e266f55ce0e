//! Server-sent events: order, resume, heartbeat, and the end of rights.

use std::time::Duration;

use api::ApiOptions;
use axum::http::{Method, StatusCode};
use domain::ingestion::{SourceKind, Stage};
use domain::user::{Role, Scope};
use domain::{IngestionId, InstitutionId};
use futures::StreamExt as _;
use serde_json::{Value, json};
use store::{Store, sql, testing};
use tower::ServiceExt as _;

use crate::world::{World, cheap, grant, request};

/// One event as a browser would see it; a comment has no name.
#[derive(Debug, Clone, Default, PartialEq)]
struct Seen {
    id: String,
    name: String,
    data: String,
}

/// A stream that is being read.
struct Reading {
    body: axum::body::BodyDataStream,
    rest: String,
}

impl Reading {
    async fn open(world: &World, who: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        let response = world
            .router
            .clone()
            .oneshot(request(world.tokens.get(who).map(String::as_str), Method::GET, path, None, headers))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self { body: response.into_body().into_data_stream(), rest: String::new() }
    }

    /// The next event or comment; `None` at the end.
    async fn next(&mut self) -> Option<Seen> {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let mut seen = Seen::default();
                for line in block.lines() {
                    match line.split_once(": ").or_else(|| line.split_once(':')) {
                        Some(("id", value)) => seen.id = value.into(),
                        Some(("event", value)) => seen.name = value.into(),
                        Some(("data", value)) => seen.data = value.into(),
                        Some(("", value)) => seen.data = value.trim().into(),
                        _ => {}
                    }
                }
                self.rest = rest.to_owned();
                return Some(seen);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(10), self.body.next())
                .await
                .expect("the stream goes on or ends")?;
            self.rest.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        }
    }

    async fn all(mut self) -> Vec<Seen> {
        let mut all = Vec::new();
        while let Some(seen) = self.next().await {
            if !seen.name.is_empty() {
                all.push(seen);
            }
        }
        all
    }
}

async fn running(store: &Store, world: &World) -> IngestionId {
    let (institution, course) = (world.home, world.places["own"].course);
    store
        .write(move |tx| {
            Box::pin(async move {
                let source =
                    sql::source::find_or_create(tx, institution, course, SourceKind::Git, "https://x", "x").await?;
                sql::ingestion::create(tx, institution, course, source, &json!({}), None).await
            })
        })
        .await
        .unwrap()
}

async fn stage(store: &Store, institution: InstitutionId, id: IngestionId, stage: Stage) {
    store
        .write(move |tx| {
            Box::pin(async move {
                sql::ingestion::progress(tx, institution, id, stage, 1, 2).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
}

async fn finish(store: &Store, institution: InstitutionId, id: IngestionId) {
    store
        .write(move |tx| {
            Box::pin(async move {
                sql::ingestion::finish(tx, institution, id, domain::ingestion::Outcome::Failed, None).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
}

store::both_databases!(an_ingestion_is_followed_from_its_state_to_its_end, |store| async move {
    let world = World::new(store.clone()).await;
    let id = running(&store, &world).await;
    let path = format!("/api/v1/progress/stream?ingestion={id}");
    let mut reading = Reading::open(&world, "IN", &path, &[]).await;
    let first = reading.next().await.unwrap();
    assert_eq!(first.name, "INITIAL");
    assert_eq!(serde_json::from_str::<Value>(&first.data).unwrap()["attributes"]["state"], "running");
    stage(&store, world.home, id, Stage::Chunk).await;
    finish(&store, world.home, id).await;
    let rest = reading.all().await;
    let last = rest.last().unwrap();
    assert_eq!(last.name, "progress");
    assert_eq!(serde_json::from_str::<Value>(&last.data).unwrap()["attributes"]["state"], "failed");
    assert!(rest.iter().any(|seen| seen.name.starts_with("content.ingestion_")), "{rest:?}");

    // Taken up after the first event of the log: the first is not sent again, the rest is.
    let log = testing::query(&store, &format!("SELECT seq FROM events WHERE correlation_id = '{id}' ORDER BY seq"))
        .await
        .unwrap();
    let seqs: Vec<String> = log.iter().map(|row| row["seq"].to_string()).collect();
    let again = Reading::open(&world, "IN", &path, &[("last-event-id", &seqs[0])]).await.all().await;
    assert_eq!(again[0].name, "INITIAL");
    let ids: Vec<&str> = again.iter().skip(1).filter(|seen| !seen.id.is_empty()).map(|seen| seen.id.as_str()).collect();
    assert_eq!(ids, seqs[1..].iter().map(String::as_str).collect::<Vec<_>>());
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_stream_says_that_it_lives_and_ends_with_the_rights_of_its_reader() {
    let fresh = testing::sqlite().await;
    let store = fresh.store.clone();
    let options = ApiOptions {
        heartbeat: Duration::from_millis(50),
        recheck: Duration::from_millis(100),
        ..ApiOptions::default()
    };
    let world = World::with(store.clone(), cheap(), options).await;
    let id = running(&store, &world).await;
    let mut reading = Reading::open(&world, "IN", &format!("/api/v1/progress/stream?ingestion={id}"), &[]).await;
    assert_eq!(reading.next().await.unwrap().name, "INITIAL");
    let beat = reading.next().await.unwrap();
    assert_eq!((beat.name.as_str(), beat.data.as_str()), ("", "heartbeat"));
    let instructor = grant(Role::Instructor, Scope::Course(world.places["own"].course));
    world.school.role().revoke(&world.operator(), world.users["IN"].id, instructor).await.unwrap();
    let began = std::time::Instant::now();
    assert!(reading.all().await.iter().all(|seen| seen.name != "progress"));
    assert!(began.elapsed() < Duration::from_secs(5), "an open stream ends within five seconds");
    fresh.close().await;
}

store::both_databases!(an_answer_is_streamed_and_taken_up_where_it_broke, |store| async move {
    let world = World::new(store.clone()).await;
    let path = format!("/api/v1/courses/{}/tutor/messages/stream", world.places["own"].course);
    let asked = format!("{path}?question=what%20moves%20a%20value%20from%20one%20binding%20to%20another");
    let all = Reading::open(&world, "LE", &asked, &[]).await.all().await;
    let done: Value = serde_json::from_str(&all.last().unwrap().data).unwrap();
    assert_eq!(all.last().unwrap().name, "done", "{all:?}");
    let deltas: String = all
        .iter()
        .filter(|seen| seen.name == "delta")
        .map(|seen| serde_json::from_str::<Value>(&seen.data).unwrap()["text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(deltas, done["answer"]["answer"].as_str().unwrap());

    let first = &all[0];
    let rest = Reading::open(&world, "LE", &path, &[("last-event-id", &first.id)]).await.all().await;
    assert_eq!(rest, all[1..]);
    // Another's answer cannot be taken up, nor one of another course.
    let stolen = request(Some(&world.tokens["classmate"]), Method::GET, &path, None, &[("last-event-id", &first.id)]);
    assert_eq!(world.send(stolen).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let recorded =
        testing::query(&store, "SELECT payload FROM events WHERE event_type = 'tutor.answered'").await.unwrap();
    assert_eq!(recorded.len(), 1);
    assert!(!recorded[0]["payload"].as_str().unwrap().contains("binding"), "the log holds no words");
});

store::both_databases!(a_question_with_a_key_is_answered_once, |store| async move {
    let world = World::new(store.clone()).await;
    let path = format!("/api/v1/courses/{}/tutor/messages", world.places["own"].course);
    let ask = || {
        let body = json!({ "question": "what moves a value from one binding to another" });
        request(Some(&world.tokens["LE"]), Method::POST, &path, Some(body), &[("idempotency-key", "q1")])
    };
    let (one, two) = (world.send(ask()).await, world.send(ask()).await);
    assert_eq!((one.status, two.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!(one.json()["data"]["attributes"], two.json()["data"]["attributes"]);
    let recorded = testing::query(&store, "SELECT seq FROM events WHERE event_type = 'tutor.answered'").await.unwrap();
    assert_eq!(recorded.len(), 1);
});
