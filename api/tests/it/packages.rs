//! The origin of packages: what is served there, to whom, until when, and that nobody is logged in there.

use std::time::Duration;

use api::ApiOptions;
use axum::http::{Method, StatusCode};
use domain::LessonId;
use serde_json::{Value, json};
use store::Store;

use crate::scorm::{NONCE, batch, packaged};
use crate::world::{Answer, World, cheap, request};

const APP: &str = "http://127.0.0.1:8080";

/// Extensions with the type that SAFETY's table of a package's files gives them, transcribed by hand.
const TYPES: &[(&str, &str)] = &[
    ("html", "text/html"),
    ("htm", "text/html"),
    ("HTML", "text/html"),
    ("xhtml", "application/xhtml+xml"),
    ("js", "text/javascript"),
    ("mjs", "text/javascript"),
    ("css", "text/css"),
    ("json", "application/json"),
    ("map", "application/json"),
    ("xml", "text/xml"),
    ("xsd", "text/xml"),
    ("xsl", "text/xml"),
    ("dtd", "application/xml-dtd"),
    ("txt", "text/plain"),
    ("csv", "text/csv"),
    ("md", "text/markdown"),
    ("vtt", "text/vtt"),
    ("srt", "application/x-subrip"),
    ("pdf", "application/pdf"),
    ("rtf", "application/rtf"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("JPEG", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("svg", "image/svg+xml"),
    ("ico", "image/x-icon"),
    ("bmp", "image/bmp"),
    ("tif", "image/tiff"),
    ("apng", "image/apng"),
    ("mp3", "audio/mpeg"),
    ("m4a", "audio/mp4"),
    ("aac", "audio/aac"),
    ("ogg", "audio/ogg"),
    ("opus", "audio/ogg"),
    ("wav", "audio/wav"),
    ("flac", "audio/flac"),
    ("mp4", "video/mp4"),
    ("m4v", "video/mp4"),
    ("webm", "video/webm"),
    ("ogv", "video/ogg"),
    ("mov", "video/quicktime"),
    ("avi", "video/x-msvideo"),
    ("mpg", "video/mpeg"),
    ("m3u8", "application/vnd.apple.mpegurl"),
    ("ts", "video/mp2t"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("ttf", "font/ttf"),
    ("otf", "font/otf"),
    ("eot", "application/vnd.ms-fontobject"),
    ("wasm", "application/wasm"),
    ("swf", "application/x-shockwave-flash"),
    ("zip", "application/zip"),
    ("epub", "application/epub+zip"),
    ("exe", "application/octet-stream"),
    ("php", "application/octet-stream"),
    ("hta", "application/octet-stream"),
    ("none", "application/octet-stream"),
];

/// An opened package: where its files and its player are.
struct Shown {
    world: World,
    lesson: LessonId,
    attempt: String,
    host: String,
    /// The path of the files, without the host.
    files: String,
    player: String,
}

async fn shown(store: Store, options: ApiOptions, files: &[(&str, &[u8])]) -> Shown {
    let world = World::with(store, cheap(), options).await;
    let place = world.places["own"].clone();
    let lesson = packaged(&world, &place, "plain", "1.2", files).await[0];
    let (attempt, told) = open(&world, lesson).await;
    let text = |name: &str| told[name].as_str().unwrap().to_owned();
    let (origin, launch, player) = (text("origin"), text("launchUrl"), text("playerUrl"));
    let host = origin.strip_prefix("http://").unwrap().to_owned();
    let files = launch.strip_prefix(&origin).unwrap().split("shared/start").next().unwrap().to_owned();
    let player = player.strip_prefix(&origin).unwrap().to_owned();
    Shown { world, lesson, attempt, host, files, player }
}

async fn open(world: &World, lesson: LessonId) -> (String, Value) {
    let body = Some(json!({ "nonce": NONCE }));
    let path = format!("/api/v1/content/{lesson}/scorm");
    let headers = [("origin", APP), ("host", "127.0.0.1:8080")];
    let opened = world.send(request(Some(&world.tokens["LE"]), Method::POST, &path, body, &headers)).await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.text);
    (opened.id(), opened.json()["data"]["attributes"].clone())
}

impl Shown {
    async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    async fn get_with(&self, path: &str, more: &[(&str, &str)]) -> Answer {
        let mut headers = vec![("host", self.host.as_str())];
        headers.extend(more);
        self.world.send(request(None, Method::GET, path, None, &headers)).await
    }

    async fn file(&self, name: &str) -> Answer {
        self.get(&format!("{}{name}", self.files)).await
    }
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

store::both_databases!(files_are_served_by_their_extension_and_never_guessed, |store| async move {
    let names: Vec<String> = TYPES.iter().map(|(end, _)| format!("files/a {end}.{end}")).collect();
    let html = b"<script>alert(1)</script>".as_slice();
    let mut files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), html)).collect();
    files.push(("shared/start page.html", b"0123456789"));
    files.push(("plain", html));
    let at = shown(store, ApiOptions::default(), &files).await;
    assert!(TYPES.len() >= 60);
    for ((end, kind), name) in TYPES.iter().zip(&names) {
        let answer = at.file(&name.replace(' ', "%20")).await;
        assert_eq!(answer.status, StatusCode::OK, "{end} {}", answer.text);
        assert_eq!(header(&answer, "content-type"), *kind, "{end}");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{end}");
        let csp = header(&answer, "content-security-policy");
        assert!(csp.contains("default-src 'self'") && csp.ends_with(&format!("frame-ancestors 'self' {APP}")), "{csp}");
        assert_eq!(header(&answer, "cache-control"), "private, no-cache", "{end}");
        assert_eq!(header(&answer, "x-frame-options"), "", "{end}");
    }
    assert_eq!(header(&at.file("plain").await, "content-type"), "application/octet-stream");

    let part = at.get_with(&format!("{}shared/start%20page.html", at.files), &[("range", "bytes=2-4")]).await;
    assert_eq!((part.status, part.text.as_str()), (StatusCode::PARTIAL_CONTENT, "234"));
    assert_eq!(header(&part, "content-range"), "bytes 2-4/10");
    let beyond = at.get_with(&format!("{}shared/start%20page.html", at.files), &[("range", "bytes=20-")]).await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    let tag = header(&part, "etag").to_owned();
    let same = at.get_with(&format!("{}shared/start%20page.html", at.files), &[("if-none-match", &tag)]).await;
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    assert_eq!(at.file("SHARED/Start%20Page.HTML").await.text, "0123456789", "case does not count");
    for name in [
        "missing.html",
        "",
        "../play",
        "shared/../plain",
        "shared/%2e%2e/plain",
        "shared%2f..%2fplain",
        "..%5cplain",
        "plain%00.html",
        "/plain",
        "%zz",
    ] {
        let answer = at.file(name).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{name} {}", answer.text);
    }
});

store::both_databases!(nobody_is_logged_in_at_the_origin_of_packages, |store| async move {
    let at = shown(store, ApiOptions::default(), &[("shared/start page.html", b"x")]).await;
    let token = at.world.tokens["LE"].clone();
    let bearer = format!("Bearer {token}");
    let cookie = format!("session={token}; __Host-session={token}; lyceum={token}");
    for entry in api::Api::entries() {
        let path = entry.path.replace("{id}", &at.attempt).replace("{*file}", "courses");
        let headers = [("host", at.host.as_str()), ("authorization", &bearer), ("cookie", &cookie)];
        let body = (entry.method != Method::GET).then(|| json!({}));
        let answer = at.world.send(request(None, entry.method.clone(), &path, body, &headers)).await;
        let expected = if path.starts_with("/api") || path.starts_with("/v1") {
            StatusCode::UNAUTHORIZED
        } else {
            StatusCode::NOT_FOUND
        };
        assert_eq!(answer.status, expected, "{} {path} {}", entry.method, answer.text);
    }
    // Another spelling of the host is the same host, and the address in full names it too.
    for host in [at.host.to_uppercase(), at.host.replace(":8080", "."), at.host.replace(":8080", ":1")] {
        let headers = [("host", host.as_str()), ("authorization", bearer.as_str())];
        let answer = at.world.send(request(None, Method::GET, "/api/v1/auth/session", None, &headers)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{host}");
    }
    let full = format!("http://{}/api/v1/auth/session", at.host);
    let headers = [("host", "127.0.0.1:8080"), ("authorization", bearer.as_str())];
    let answer = at.world.send(request(None, Method::GET, &full, None, &headers)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    // The host of the app shows no file of a package.
    let path = format!("{}shared/start%20page.html", at.files);
    let headers = [("host", "127.0.0.1:8080"), ("authorization", bearer.as_str())];
    assert_eq!(at.world.send(request(None, Method::GET, &path, None, &headers)).await.status, StatusCode::NOT_FOUND);
    // Nothing can be written there.
    let headers = [("host", at.host.as_str())];
    let sent = Some(batch(1, 1, &[("cmi.core.score.raw", "100")], true));
    assert_eq!(at.world.send(request(None, Method::POST, &path, sent, &headers)).await.status, StatusCode::NOT_FOUND);
});

store::both_databases!(an_address_stands_for_one_session_of_one_attempt, |store| async move {
    let at = shown(store, ApiOptions::default(), &[("shared/start page.html", b"x")]).await;
    let path = format!("{}shared/start%20page.html", at.files);
    assert_eq!(at.get(&path).await.status, StatusCode::OK);
    for n in [1, 30, 80, at.files.len() - 12] {
        let mut forged = path.clone().into_bytes();
        forged[n] = if forged[n] == b'a' { b'b' } else { b'a' };
        let forged = at.get(&String::from_utf8(forged).unwrap()).await;
        assert!([StatusCode::UNAUTHORIZED, StatusCode::NOT_FOUND].contains(&forged.status), "{n} {}", forged.text);
    }
    let unsigned = at.get(&path.replace('.', "")).await;
    assert_eq!(unsigned.status, StatusCode::NOT_FOUND);
    let elsewhere = format!("{}.localhost:8080", uuid::Uuid::now_v7());
    let headers = [("host", elsewhere.as_str())];
    let other = at.world.send(request(None, Method::GET, &path, None, &headers)).await;
    assert_eq!(other.status, StatusCode::UNAUTHORIZED, "the host of another attempt");
    // The next session shuts this one.
    let (attempt, told) = open(&at.world, at.lesson).await;
    assert_eq!(attempt, at.attempt);
    assert_eq!(at.get(&path).await.status, StatusCode::UNAUTHORIZED);
    let launch = told["launchUrl"].as_str().unwrap().strip_prefix(told["origin"].as_str().unwrap()).unwrap().to_owned();
    assert_eq!(at.get(&launch).await.status, StatusCode::OK);
    // So does logging out.
    let out = at.world.post("LE", "/api/v1/auth/logout", json!({})).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    let over = at.get(&launch).await;
    assert_eq!(over.status, StatusCode::UNAUTHORIZED);
    assert!(over.text.contains("open the package again"), "{}", over.text);
});

store::both_databases!(an_address_ends, |store| async move {
    let options = ApiOptions { content_time: Duration::ZERO, ..ApiOptions::default() };
    let at = shown(store, options, &[("shared/start page.html", b"x")]).await;
    for path in [format!("{}shared/start%20page.html", at.files), at.player.clone()] {
        let answer = at.get(&path).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(header(&answer, "cache-control"), "no-store");
    }
});

store::both_databases!(only_the_page_of_a_package_frames_and_only_the_app_is_framed_by, |store| async move {
    let at = shown(store, ApiOptions::default(), &[("shared/start page.html", b"x")]).await;
    let course = at.world.places["own"].course;
    let page = at.world.get("LE", &format!("/app/courses/{course}/lessons/{}/package", at.lesson)).await;
    let other = at.world.get("LE", &format!("/app/courses/{course}/lessons/{}", at.lesson)).await;
    if api::client_is_built() {
        assert!(header(&page, "content-security-policy").ends_with("frame-src 'self' http://*.localhost:8080"));
    }
    assert!(header(&other, "content-security-policy").ends_with("frame-src 'self'"));
    let player = at.get(&at.player).await;
    if player.status == StatusCode::OK {
        assert!(player.text.contains(&format!("content=\"{APP}\"")), "{}", player.text);
        assert_eq!(header(&player, "cache-control"), "no-store");
        assert!(header(&player, "content-security-policy").ends_with(&format!("frame-ancestors {APP}")));
        let script = at.get(&at.player.replace("/play", "/player/player.js")).await;
        assert_eq!(
            (script.status, header(&script, "content-type")),
            (StatusCode::OK, "text/javascript; charset=utf-8")
        );
    } else {
        println!("skipped: the player is not built (make web)");
        assert_eq!(player.status, StatusCode::SERVICE_UNAVAILABLE, "{}", player.text);
    }
    for name in ["../index.html", "..%2findex.html", "nothing.js"] {
        let answer = at.get(&at.player.replace("/play", &format!("/player/{name}"))).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{name}");
    }
});

store::both_databases!(without_a_reachable_origin_opening_says_what_to_set, |store| async move {
    let world = World::new(store).await;
    let place = world.places["own"].clone();
    let lesson = packaged(&world, &place, "plain", "1.2", &[("a.html", b"x")]).await[0];
    let path = format!("/api/v1/content/{lesson}/scorm");
    let headers = [("origin", "https://school.example.org"), ("host", "school.example.org")];
    let body = Some(json!({ "nonce": NONCE }));
    let answer = world.send(request(Some(&world.tokens["LE"]), Method::POST, &path, body, &headers)).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::CONFLICT, "CONTENT_ORIGIN_UNSET"));
    assert!(answer.text.contains("content_origin"));
    assert!(world.tables().await["scorm_attempts"].is_empty(), "no session was begun");
});
