//! The shapes that clients rely on: envelope, versions, preconditions, pages, keys, ranges, headers.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use store::testing;

use crate::world::{Answer, World, request};

fn enveloped(answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    let error = &answer.json()["error"];
    assert_eq!(error["code"], code, "{error}");
    for field in ["message", "traceId", "timestamp"] {
        assert!(error[field].as_str().is_some_and(|text| !text.is_empty()), "{field} in {error}");
    }
    assert!(error["details"].is_array());
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_failure_has_the_same_shape() {
    let fresh = testing::sqlite().await;
    let world = World::new(fresh.store.clone()).await;
    let token = world.tokens["IA"].as_str();
    let raw = |method: Method, path: &str, kind: &str, body: String| {
        let mut sent = request(Some(token), method, path, None, &[("content-type", kind)]);
        *sent.body_mut() = Body::from(body);
        sent
    };
    let json = "application/json";
    enveloped(&world.get("IA", "/nowhere").await, StatusCode::NOT_FOUND, "NOT_FOUND");
    enveloped(&world.get("IA", "/api/v1/courses/not-an-id").await, StatusCode::NOT_FOUND, "NOT_FOUND");
    let deleted = world.call(Some(token), Method::DELETE, "/api/v1/courses", None).await;
    enveloped(&deleted, StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED");
    assert!(deleted.headers.contains_key("allow"));
    let courses = "/api/v1/courses";
    enveloped(
        &world.send(raw(Method::POST, courses, json, "{".into())).await,
        StatusCode::UNPROCESSABLE_ENTITY,
        "VALIDATION_ERROR",
    );
    enveloped(
        &world.send(raw(Method::POST, courses, "text/plain", "{}".into())).await,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "UNSUPPORTED_MEDIA_TYPE",
    );
    let huge = format!("{{\"title\":\"{}\"}}", "x".repeat(2 << 20));
    enveloped(
        &world.send(raw(Method::POST, courses, json, huge)).await,
        StatusCode::PAYLOAD_TOO_LARGE,
        "PAYLOAD_TOO_LARGE",
    );
    enveloped(
        &world.post("IA", courses, json!({ "title": "" })).await,
        StatusCode::UNPROCESSABLE_ENTITY,
        "VALIDATION_ERROR",
    );
    let short = world.post("IA", courses, json!({ "title": " ", "slug": "x" })).await.json();
    assert_eq!(
        short["error"]["details"][0],
        json!({ "field": "title", "code": "TOO_SHORT", "message": "\"title\" needs at least 1 characters" })
    );
    enveloped(&world.get("IA", "/api/v1/courses?limit=x").await, StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_ERROR");
    enveloped(
        &world.get("IA", "/api/v1/courses?limit=9999").await,
        StatusCode::UNPROCESSABLE_ENTITY,
        "VALIDATION_ERROR",
    );
    enveloped(
        &world.call(None, Method::GET, "/api/v1/auth/session", None).await,
        StatusCode::UNAUTHORIZED,
        "UNAUTHORIZED",
    );
    let taken =
        world.post("IA", "/api/v1/users", json!({ "username": "taken", "email": "le.plain@example.org" })).await;
    enveloped(&taken, StatusCode::CONFLICT, "CONFLICT");
    assert!(!taken.text.contains("users."), "a column is told: {}", taken.text);
    let trace = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    let traced = world.send(request(None, Method::GET, "/nowhere", None, &trace)).await;
    assert_eq!(traced.json()["error"]["traceId"], "0af7651916cd43dd8448eb211c80319c");
    fresh.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_version_is_told_which_ones_there_are() {
    let fresh = testing::sqlite().await;
    let world = World::new(fresh.store.clone()).await;
    for (path, version) in [("/api/v1/courses", Some("7")), ("/api/v9/courses", None)] {
        let headers: Vec<(&str, &str)> = version.map(|version| ("x-api-version", version)).into_iter().collect();
        let answer = world.send(request(Some(&world.tokens["LE"]), Method::GET, path, None, &headers)).await;
        enveloped(&answer, StatusCode::BAD_REQUEST, "UNSUPPORTED_VERSION");
        assert_eq!(answer.json()["error"]["supportedVersions"], json!(["1"]));
    }
    let good = request(Some(&world.tokens["LE"]), Method::GET, "/api/v1/courses", None, &[("x-api-version", "1")]);
    assert_eq!(world.send(good).await.status, StatusCode::OK);
    fresh.close().await;
}

store::both_databases!(a_course_is_changed_only_as_it_was_read, |store| async move {
    let world = World::new(store).await;
    let path = format!("/api/v1/courses/{}", world.places["own"].course);
    let read = world.get("IN", &path).await;
    let tag = read.headers["etag"].to_str().unwrap().to_owned();
    let change = |tag: Option<&str>, title: &str| {
        let headers: Vec<(&str, &str)> = tag.map(|tag| ("if-match", tag)).into_iter().collect();
        request(Some(&world.tokens["IN"]), Method::PUT, &path, Some(json!({ "title": title })), &headers)
    };
    enveloped(&world.send(change(None, "one")).await, StatusCode::PRECONDITION_REQUIRED, "PRECONDITION_REQUIRED");
    let changed = world.send(change(Some(&tag), "two")).await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_ne!(changed.headers["etag"].to_str().unwrap(), tag);
    enveloped(&world.send(change(Some(&tag), "three")).await, StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED");
    let now = world.get("IN", &path).await.json();
    assert_eq!(now["data"]["attributes"]["title"], "two");
    assert_eq!(now["data"]["type"], "courses");
    assert_eq!(now["links"]["self"], path.as_str());
    assert!(now["data"]["meta"]["createdAt"].as_str().unwrap().ends_with('Z'));
});

store::both_databases!(what_is_asked_twice_with_one_key_is_done_once, |store| async move {
    let world = World::new(store).await;
    let ask = |body: Value| {
        request(Some(&world.tokens["IA"]), Method::POST, "/api/v1/courses", Some(body), &[("idempotency-key", "key-1")])
    };
    let calls = (0..10).map(|_| world.send(ask(json!({ "title": "Once only" }))));
    let answers = futures::future::join_all(calls).await;
    let first = answers[0].id();
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        assert_eq!(answer.id(), first);
    }
    let other = world.send(ask(json!({ "title": "Something else" }))).await;
    enveloped(&other, StatusCode::CONFLICT, "IDEMPOTENCY_KEY_REUSED");
    let rows = testing::query(&world.store, "SELECT id FROM courses WHERE title = 'Once only'").await.unwrap();
    assert_eq!(rows.len(), 1);
    let events =
        format!("SELECT event_id FROM events WHERE aggregate_id = '{first}' AND event_type = 'course.created'");
    assert_eq!(testing::query(&world.store, &events).await.unwrap().len(), 1);
    // The key is this user's: another one may use the same word.
    let theirs = request(
        Some(&world.tokens["CC"]),
        Method::POST,
        "/api/v1/courses",
        Some(json!({ "title": "Theirs" })),
        &[("idempotency-key", "key-1")],
    );
    assert_eq!(world.send(theirs).await.status, StatusCode::CREATED);
});

store::both_databases!(enrolling_answers_as_the_contract_says, |store| async move {
    let world = World::new(store).await;
    let enrol = |name: &str| json!({ "courseId": world.places[name].course });
    let made = world.post("LE", "/api/v1/enrollments", enrol("open")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let links = &made.json()["links"];
    assert_eq!(links["self"], format!("/api/v1/enrollments/{}", made.id()));
    assert_eq!(links["course"], format!("/api/v1/courses/{}", world.places["open"].course));
    enveloped(&world.post("LE", "/api/v1/enrollments", enrol("open")).await, StatusCode::CONFLICT, "CONFLICT");
    enveloped(
        &world
            .post(
                "IA",
                "/api/v1/enrollments",
                json!({ "courseId": world.places["draft"].course, "userId": world.users["LE"].id }),
            )
            .await,
        StatusCode::NOT_FOUND,
        "NOT_FOUND",
    );
    enveloped(
        &world.post("LE", "/api/v1/enrollments", enrol("sibling draft")).await,
        StatusCode::NOT_FOUND,
        "NOT_FOUND",
    );
    let read = world.get("LE", &format!("/api/v1/courses/{}/modules", world.places["open"].course)).await;
    assert_eq!(read.status, StatusCode::OK, "an enrolled learner reads");
    let calls = (0..8).map(|_| world.post("sibling", "/api/v1/enrollments", enrol("open")));
    let good = futures::future::join_all(calls)
        .await
        .into_iter()
        .filter(|answer| answer.status == StatusCode::CREATED)
        .count();
    assert_eq!(good, 1, "of eight enrolments at once, one is made");
});

store::both_databases!(a_list_goes_on_where_its_page_ended, |store| async move {
    let world = World::new(store).await;
    let mut seen = Vec::new();
    let mut cursor = String::new();
    for _ in 0..10 {
        let answer = world.get("IA", &format!("/api/v1/courses?limit=2{cursor}")).await.json();
        seen.extend(answer["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        match answer["meta"]["pagination"]["cursor"]["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((seen.len(), count), (6, 6));
    let drafts = world.get("IA", "/api/v1/courses?status=draft").await.json();
    assert_eq!(drafts["data"].as_array().unwrap().len(), 2);
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_can_seek() {
    let fresh = testing::sqlite().await;
    let world = World::new(fresh.store.clone()).await;
    let path = format!("/api/v1/content/{}/media", world.places["own"].lesson);
    let ask = |headers: &[(&str, &str)]| request(Some(&world.tokens["LE"]), Method::GET, &path, None, headers);
    let whole = world.send(ask(&[])).await;
    assert_eq!((whole.status, whole.text.as_str()), (StatusCode::OK, "plain bytes of a page of the course"));
    assert_eq!(whole.headers["accept-ranges"], "bytes");
    assert_eq!(whole.headers["content-disposition"], "attachment");
    let part = world.send(ask(&[("range", "bytes=6-10")])).await;
    assert_eq!((part.status, part.text.as_str()), (StatusCode::PARTIAL_CONTENT, "bytes"));
    assert_eq!(part.headers["content-range"], "bytes 6-10/35");
    enveloped(
        &world.send(ask(&[("range", "bytes=99-")])).await,
        StatusCode::RANGE_NOT_SATISFIABLE,
        "RANGE_NOT_SATISFIABLE",
    );
    let tag = whole.headers["etag"].to_str().unwrap();
    assert_eq!(world.send(ask(&[("if-none-match", tag)])).await.status, StatusCode::NOT_MODIFIED);
    fresh.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_is_streamed_with_its_playlists_and_ranges() {
    let fresh = testing::sqlite().await;
    let world = World::new(fresh.store.clone()).await;
    let content = format!("/api/v1/content/{}", world.places["own"].lesson);
    let lesson = world.get("LE", &content).await.json();
    let master = lesson["data"]["attributes"]["hlsUrl"].as_str().unwrap().to_owned();
    assert_eq!(master, format!("{content}/hls/master.m3u8"));
    let ask =
        |path: &str, headers: &[(&str, &str)]| request(Some(&world.tokens["LE"]), Method::GET, path, None, headers);
    let listed = world.send(ask(&master, &[])).await;
    assert_eq!(
        (listed.status, &listed.headers["content-type"]),
        (StatusCode::OK, &"application/vnd.apple.mpegurl".parse().unwrap())
    );
    assert!(listed.text.starts_with("#EXTM3U") && listed.text.contains("audio.m3u8"), "{}", listed.text);
    let tag = listed.headers["etag"].to_str().unwrap();
    assert_eq!(world.send(ask(&master, &[("if-none-match", tag)])).await.status, StatusCode::NOT_MODIFIED);
    let part = world.send(ask(&format!("{content}/hls/audio.m4s"), &[("range", "bytes=6-10")])).await;
    assert_eq!((part.status, part.text.as_str()), (StatusCode::PARTIAL_CONTENT, "bytes"));
    assert_eq!(
        (&part.headers["content-type"], &part.headers["content-disposition"]),
        (&"audio/mp4".parse().unwrap(), &"inline".parse().unwrap())
    );
    for gone in ["video-720.m4s", "captions.vtt", "captions.m3u8", "..%2Fmaster.m3u8"] {
        assert_eq!(world.get("LE", &format!("{content}/hls/{gone}")).await.status, StatusCode::NOT_FOUND, "{gone}");
    }
    fresh.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documentation_works_from_the_binary_alone() {
    let fresh = testing::sqlite().await;
    let world = World::new(fresh.store.clone()).await;
    let page = world.call(None, Method::GET, "/docs/index.html", None).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("default-src 'none'")
            && policy.contains("script-src 'self';")
            && policy.contains("frame-ancestors 'none'")
    );
    for outside in ["src=\"http", "href=\"http", "src=\"//"] {
        assert!(!page.text.contains(outside), "the page loads from elsewhere: {outside}");
    }
    assert!(!page.text.contains("<script>"), "an inline script does not run under the policy");
    let script = world.call(None, Method::GET, "/docs/swagger-initializer.js", None).await;
    assert!(script.text.contains("/openapi.json"), "{}", script.text);
    assert_eq!(world.call(None, Method::GET, "/docs/swagger-ui-bundle.js", None).await.status, StatusCode::OK);
    assert_eq!(world.call(None, Method::GET, "/docs/nothing.js", None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.call(None, Method::GET, "/openapi.json", None).await.json()["openapi"], "3.1.0");
    fresh.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_of_another_origin_does_not_write() {
    let fresh = testing::sqlite().await;
    let world = World::new(fresh.store.clone()).await;
    let ask = |headers: &[(&str, &str)]| {
        request(
            Some(&world.tokens["IA"]),
            Method::POST,
            "/api/v1/courses",
            Some(json!({ "title": "New course" })),
            headers,
        )
    };
    for origin in ["https://evil.example", "null", "http://school.example.evil.example"] {
        let answer = world.send(ask(&[("origin", origin), ("host", "school.example")])).await;
        enveloped(&answer, StatusCode::FORBIDDEN, "FORBIDDEN");
    }
    let own = world.send(ask(&[("origin", "https://school.example"), ("host", "school.example")])).await;
    assert_eq!(own.status, StatusCode::CREATED);
    fresh.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_allowed_addresses_and_uploads_are_ingested() {
    let fresh = testing::sqlite().await;
    let world = World::new(fresh.store.clone()).await;
    let course = world.places["own"].course;
    for url in [
        "http://github.com/a/b",
        "https://evil.example/a/b",
        "https://github.com@evil.example/a",
        "https://github.com:8443/a/b",
        "https://127.0.0.1/a/b",
        "https://github.com\\@evil.example/",
        "file:///etc/passwd",
        "ext::sh -c touch% /tmp/x",
        "/etc",
        "--upload-pack=touch",
    ] {
        let answer =
            world.post("IN", "/api/v1/ingestions", json!({ "courseId": course, "kind": "git", "url": url })).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{url}: {}", answer.text);
    }
    let dir = world
        .post("IN", "/api/v1/ingestions", json!({ "courseId": course, "kind": "dir", "url": "https://github.com/a/b" }))
        .await;
    assert_eq!(dir.status, StatusCode::UNPROCESSABLE_ENTITY);

    let form = |kind: &str| {
        let part = |name: &str, extra: &str, body: &str| {
            format!("--frontier\r\nContent-Disposition: form-data; name=\"{name}\"{extra}\r\n\r\n{body}\r\n")
        };
        let text = [
            part("courseId", "", &course.to_string()),
            part("kind", "", kind),
            part("file", "; filename=\"../../evil.pdf\"", "%PDF-1.4"),
            "--frontier--\r\n".to_owned(),
        ]
        .concat();
        let mut sent = request(
            Some(&world.tokens["IN"]),
            Method::POST,
            "/api/v1/ingestions",
            None,
            &[("content-type", "multipart/form-data; boundary=frontier")],
        );
        *sent.body_mut() = Body::from(text);
        sent
    };
    let good = world.send(form("file")).await;
    assert_eq!(good.status, StatusCode::CREATED, "{}", good.text);
    assert_eq!(good.json()["data"]["attributes"]["state"], "running");
    assert_eq!(world.send(form("git")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    fresh.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_tells_no_secrets_and_metrics_have_a_door() {
    let fresh = testing::sqlite().await;
    let world = World::new(fresh.store.clone()).await;
    let ready = world.call(None, Method::GET, "/health/ready", None).await;
    assert_eq!(ready.status, StatusCode::OK);
    assert_eq!(ready.json()["status"], "degraded");
    assert_eq!(ready.json()["degraded"], json!(["embedding model"]));
    enveloped(&world.call(None, Method::GET, "/metrics", None).await, StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
    let metrics = world.get("GA", "/metrics").await;
    assert!(metrics.text.contains(
        "http_server_request_duration_seconds_count{http_request_method=\"GET\",http_route=\"/health/ready\""
    ));
    assert!(metrics.text.contains("lyceum_queue_dead{kind=\"embed_chunks\"} 2"), "{}", metrics.text);
    assert!(!metrics.text.contains(&world.home.to_string()), "an institution is a label");
    fresh.close().await;
}
