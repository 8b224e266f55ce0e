//! Recordings through the door: addresses for players, protection, places of learners, transcripts.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use axum::body::to_bytes;
use axum::http::{Method, StatusCode};
use domain::chunk::{Chunk, Sentence};
use domain::document::DocumentKind;
use domain::ingestion::SourceKind;
use domain::{InstitutionId, LessonId, Locator, LocatorKind};
use serde_json::{Value, json};
use store::blob::keep;
use store::both_databases;
use store::sql::document::NewDocument;
use store::sql::rendition::{File, Kind};
use store::sql::version::{NewLesson, NewModule};
use store::sql::{self};
use tower::ServiceExt as _;

use crate::world::{World, request};

const CAPTIONS: &str = "WEBVTT\n\n00:00.500 --> 00:03.000\nThe hull keeps the water out.\n\n00:03.500 --> 00:06.000\n\
    A sale is a wing.\n\n00:06.500 --> 00:09.000\nThe keel keeps her straight.\n";
const PLAYLIST: &str = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:5\n#EXT-X-MEDIA-SEQUENCE:0\n\
    #EXT-X-MAP:URI=\"audio.m4s\",BYTERANGE=\"4@0\"\n#EXTINF:5.0,\n#EXT-X-BYTERANGE:20@4\naudio.m4s\n#EXTINF:4.0,\n\
    #EXT-X-BYTERANGE:12@24\naudio.m4s\n#EXT-X-ENDLIST\n";
const DATA: &str = "HEADfirst segment 20 byteleven bytes";

/// A recording in the course of a place, with captions, chapters and a sound stream.
async fn recording(world: &World, place: &str) -> LessonId {
    let (institution, course) = (world.places[place].institution, world.places[place].course);
    let blob = |bytes: &'static str, kind: &'static str| {
        keep(&world.store, world.blobs.as_ref(), institution, bytes.as_bytes().to_vec(), kind)
    };
    let captions = blob(CAPTIONS, "text/vtt").await.unwrap().sha256;
    let media = blob("the recording itself", "video/mp4").await.unwrap().sha256;
    let playlist = blob(PLAYLIST, "application/vnd.apple.mpegurl").await.unwrap().sha256;
    let data = blob(DATA, "audio/mp4").await.unwrap().sha256;
    let chapters = json!({ "origin": "container", "list": [
        { "start": 0, "end": 3_500, "title": "Hulls" }, { "start": 3_500, "end": 9_500, "title": "Sails" }] });
    let extra =
        json!({ "media": media, "mediaType": "video/mp4", "seconds": 9.5, "language": "en", "chapters": chapters });
    let document = world.store.write(move |tx| {
        Box::pin(async move {
            let source =
                sql::source::find_or_create(tx, institution, course, SourceKind::Video, "upload:boats.mp4", "Boats")
                    .await?;
            let version = sql::version::create(tx, institution, source, "boats", None, &json!({})).await?;
            let new = NewDocument {
                institution_id: institution,
                course_id: course,
                version_id: version,
                path: "boats.mp4".into(),
                title: "Boats".into(),
                kind: DocumentKind::Video,
                blob_sha256: captions,
                extra,
                position: 0,
            };
            let document = sql::document::insert(tx, &new).await?;
            let locator = Locator::new(LocatorKind::Time, 500, 9_000);
            let text = "The hull keeps the water out.".to_owned();
            let chunk = Chunk {
                heading_path: vec!["Boats".into()],
                sentences: vec![Sentence { start: 0, end: text.len(), locator }],
                text,
                locator,
                flagged: false,
            };
            sql::chunk::insert_many(tx, institution, course, source, version, document, 0, &[chunk]).await?;
            sql::document::set_chunked(tx, institution, document, "Boats", &[]).await?;
            let lesson =
                NewLesson { title: "Boats".into(), kind: "VIDEO".into(), document_id: Some(document), hidden: false };
            let module = NewModule { title: "Boats".into(), lessons: vec![lesson] };
            sql::version::publish(tx, institution, course, source, version, &[module]).await?;
            let audio =
                json!({ "playlist": "audio.m3u8", "peakBits": 130_000, "meanBits": 128_000, "codec": "mp4a.40.2" });
            let manifest = json!({ "seconds": 9.5, "way": "encoded", "videos": [], "audio": audio });
            let file = |name: &str, sha256: &str| File {
                name: name.into(),
                blob_sha256: sha256.into(),
                media_type: "audio/mp4".into(),
            };
            let files = [file("audio.m3u8", &playlist), file("audio.m4s", &data)];
            sql::rendition::put(tx, institution, &media, Kind::Hls, &manifest, &files).await?;
            Ok(document)
        })
    });
    let document = document.await.unwrap();
    let lessons = world.store.read(move |tx| Box::pin(sql::lesson::in_course(tx, institution, course, true)));
    lessons.await.unwrap().into_iter().find(|lesson| lesson.document_id == Some(document)).unwrap().id
}

/// The bytes at an address, asked as a player does: without a login.
async fn bytes(world: &World, path: &str, headers: &[(&str, &str)]) -> (StatusCode, Vec<u8>) {
    let answer = world.router.clone().oneshot(request(None, Method::GET, path, None, headers)).await.unwrap();
    let status = answer.status();
    (status, to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec())
}

async fn text(world: &World, path: &str) -> (StatusCode, String) {
    let (status, bytes) = bytes(world, path, &[]).await;
    (status, String::from_utf8_lossy(&bytes).into_owned())
}

async fn addresses(world: &World, who: &str, lesson: LessonId) -> Value {
    let answer = world.get(who, &format!("/api/v1/content/{lesson}/streaming-url")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()["data"]["attributes"].clone()
}

fn at(addresses: &Value, name: &str) -> String {
    addresses[name].as_str().unwrap_or_else(|| panic!("no {name} in {addresses}")).to_owned()
}

both_databases!(a_player_needs_no_login_while_its_address_holds_and_its_learner_may_read, |store| async move {
    let world = World::new(store.clone()).await;
    let lesson = recording(&world, "own").await;
    let content = world.get("LE", &format!("/api/v1/content/{lesson}")).await.json();
    let video = &content["data"]["attributes"]["video"];
    assert_eq!(video["duration"], 9.5);
    assert_eq!(video["chapters"][1], json!({ "start": 3.5, "end": 9.5, "title": "Sails" }));
    assert_eq!((&video["chaptersBy"], &video["keepsPosition"]), (&json!("container"), &json!(true)));
    assert_eq!(video["captions"][0]["language"], "en");
    let found = addresses(&world, "LE", lesson).await;
    let (status, master) = text(&world, &at(&found, "hlsUrl")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(master.contains("audio.m3u8") && master.contains("captions.m3u8"), "{master}");
    let base = at(&found, "hlsUrl").replace("master.m3u8", "");
    assert_eq!(text(&world, &format!("{base}audio.m3u8")).await, (StatusCode::OK, PLAYLIST.to_owned()));
    let part = bytes(&world, &format!("{base}audio.m4s"), &[("range", "bytes=4-8")]).await;
    assert_eq!(part, (StatusCode::PARTIAL_CONTENT, b"first".to_vec()));
    let range = bytes(&world, &at(&found, "mediaUrl"), &[("range", "bytes=4-12")]).await;
    assert_eq!(range, (StatusCode::PARTIAL_CONTENT, b"recording".to_vec()));
    let (_, captions) = text(&world, &at(&found, "captionsUrl")).await;
    assert!(captions.starts_with("WEBVTT") && captions.contains("A sale is a wing."), "{captions}");
    // A changed address, another file, another's lesson: nothing is there.
    let forged = base.replacen("streams/0", "streams/1", 1);
    assert_ne!(forged, base);
    for gone in [format!("{forged}master.m3u8"), format!("{base}video.m4s"), format!("{base}stream.key")] {
        assert_eq!(text(&world, &gone).await.0, StatusCode::NOT_FOUND, "{gone}");
    }
    for who in ["sibling", "other"] {
        let refused = world.get(who, &format!("/api/v1/content/{lesson}/streaming-url")).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{who}");
    }
    // The address holds no longer than the right.
    let course = world.places["own"].course;
    let all = world.school.user().enrollments(&world.operator(), world.users["LE"].id, None, 200).await.unwrap();
    let enrollment = all.iter().find(|one| one.course_id == course).unwrap().id;
    world.school.enrollment().drop(&world.operator(), enrollment).await.unwrap();
    assert_eq!(text(&world, &at(&found, "hlsUrl")).await.0, StatusCode::NOT_FOUND);
});

both_databases!(a_protected_recording_is_encrypted_and_its_key_is_behind_the_policy, |store| async move {
    let world = World::new(store.clone()).await;
    let lesson = recording(&world, "own").await;
    let course = format!("/api/v1/courses/{}/media", world.places["own"].course);
    let token = |who: &str| Some(world.tokens[who].as_str());
    let clear = addresses(&world, "LE", lesson).await;
    let refused = world.call(token("LE"), Method::PUT, &course, Some(json!({ "protected": true }))).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let set = world.call(token("IN"), Method::PUT, &course, Some(json!({ "protected": true }))).await;
    assert_eq!((set.status, &set.json()["data"]["attributes"]["protected"]), (StatusCode::OK, &json!(true)));

    // It bites at once, also for addresses that were given before.
    assert_eq!(text(&world, &at(&clear, "mediaUrl")).await.0, StatusCode::FORBIDDEN);
    let found = addresses(&world, "LE", lesson).await;
    assert_eq!((&found["mediaUrl"], &found["protected"]), (&Value::Null, &json!(true)));
    let base = at(&found, "hlsUrl").replace("master.m3u8", "");
    assert_eq!(text(&world, &format!("{base}audio.m4s")).await.0, StatusCode::FORBIDDEN);
    let own = world.get("LE", &format!("/api/v1/content/{lesson}/media")).await;
    assert_eq!((own.status, own.code()), (StatusCode::FORBIDDEN, "RECORDING_PROTECTED".into()));
    assert_eq!(world.get("IN", &format!("/api/v1/content/{lesson}/media")).await.status, StatusCode::OK);

    let (_, playlist) = text(&world, &format!("{base}audio.m3u8")).await;
    assert!(playlist.contains("#EXT-X-KEY:METHOD=AES-128,URI=\"stream.key\""), "{playlist}");
    assert!(playlist.contains("audio.0.enc\n") && !playlist.contains("m4s"), "{playlist}");
    assert_eq!(bytes(&world, &format!("{base}audio.head.mp4"), &[]).await.1, b"HEAD");
    let (status, key) = bytes(&world, &format!("{base}stream.key"), &[]).await;
    let key: [u8; 16] = key.try_into().unwrap();
    assert_eq!(status, StatusCode::OK);
    let mut plain = Vec::new();
    for number in 0..2_u128 {
        let (_, mut sealed) = bytes(&world, &format!("{base}audio.{number}.enc"), &[]).await;
        assert!(sealed.len() % 16 == 0 && !DATA.as_bytes().windows(6).any(|part| sealed.starts_with(part)));
        let vector = number.to_be_bytes();
        let open = cbc::Decryptor::<aes::Aes128>::new(&key.into(), &vector.into());
        plain.extend_from_slice(open.decrypt_padded::<Pkcs7>(&mut sealed).unwrap());
    }
    assert_eq!(plain, &DATA.as_bytes()[4..]);
    assert_eq!(bytes(&world, &format!("{base}audio.2.enc"), &[]).await.0, StatusCode::NOT_FOUND);

    // No key without enrolment, none for another institution, none in what is stored.
    for who in ["sibling", "other"] {
        for file in ["stream.key", "audio.0.enc"] {
            let refused = world.get(who, &format!("/api/v1/content/{lesson}/hls/{file}")).await;
            assert_eq!(refused.status, StatusCode::NOT_FOUND, "{who} {file}");
        }
    }
    let guest = world.call(None, Method::GET, &format!("/api/v1/content/{lesson}/hls/stream.key"), None).await;
    assert_eq!(guest.status, StatusCode::NOT_FOUND);
    let stored = format!("{:?}", world.tables().await);
    assert!(!stored.contains(&hex::encode(key)));
    let other = recording(&world, "other").await;
    let institution: InstitutionId = world.other;
    sql_protect(&world, institution, "other").await;
    let (_, foreign) = {
        let found = addresses(&world, "other", other).await;
        bytes(&world, &at(&found, "hlsUrl").replace("master.m3u8", "stream.key"), &[]).await
    };
    assert_ne!(foreign, key, "the same recording has another key in another institution");
});

async fn sql_protect(world: &World, institution: InstitutionId, place: &'static str) {
    let (actor, course) = (school::Actor::operator(institution), world.places[place].course);
    world.school.playback().protect(&actor, course, true).await.unwrap();
}

both_databases!(a_learner_comes_back_where_the_recording_was_left, |store| async move {
    let world = World::new(store.clone()).await;
    let lesson = recording(&world, "own").await;
    let path = format!("/api/v1/content/{lesson}");
    let token = |who: &str| Some(world.tokens[who].as_str());
    let put = |who: &'static str, seconds: f64| {
        let (world, path) = (&world, format!("{path}/position"));
        async move { world.call(token(who), Method::PUT, &path, Some(json!({ "seconds": seconds }))).await }
    };
    let video = |answer: crate::world::Answer| answer.json()["data"]["attributes"]["video"].clone();
    assert_eq!(video(world.get("LE", &path).await)["resumeAt"], Value::Null);
    assert_eq!(put("LE", 6.5).await.status, StatusCode::NO_CONTENT);
    assert_eq!(video(world.get("LE", &path).await)["resumeAt"], 6.5);
    assert_eq!(video(world.get("classmate", &path).await)["resumeAt"], Value::Null, "a place is one's own");
    let progress = |world: &World| {
        let (actor, user, course) = (world.operator(), world.users["LE"].id, world.places["own"].course);
        let school = world.school.clone();
        async move {
            let all = school.user().enrollments(&actor, user, None, 200).await.unwrap();
            all.into_iter().find(|one| one.course_id == course).unwrap().progress
        }
    };
    let reached = progress(&world).await;
    assert!(reached > 0.0, "{reached}");
    // Going back moves the place and never the progress.
    assert_eq!(put("LE", 1.0).await.status, StatusCode::NO_CONTENT);
    assert_eq!(video(world.get("LE", &path).await)["resumeAt"], 1.0);
    assert_eq!(progress(&world).await, reached);
    assert_eq!(put("LE", -1.0).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let teacher = put("IN", 3.0).await;
    assert_eq!(teacher.status, StatusCode::FORBIDDEN, "{}", teacher.text);
    assert_eq!(video(world.get("IN", &path).await)["keepsPosition"], false);
    let events = world.tables().await["events"].clone();
    assert_eq!(events.iter().filter(|event| event["event_type"] == "video.paused").count(), 2);
});

both_databases!(a_transcript_is_corrected_once_by_those_who_may, |store| async move {
    let world = World::new(store.clone()).await;
    let lesson = recording(&world, "own").await;
    let path = format!("/api/v1/content/{lesson}/transcript");
    let token = |who: &str| Some(world.tokens[who].as_str());
    let read = world.get("IN", &path).await.json()["data"]["attributes"].clone();
    assert_eq!(
        (read["cues"].as_array().unwrap().len(), &read["edited"], &read["editable"]),
        (3, &json!(false), &json!(true))
    );
    assert_eq!(world.get("LE", &path).await.json()["data"]["attributes"]["editable"], false);
    let mut cues = read["cues"].clone();
    cues[1]["text"] = json!("A sail is a <wing>.");
    let change = json!({ "version": read["version"], "cues": cues });
    let refused = world.call(token("LE"), Method::PUT, &path, Some(change.clone())).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(
        world.call(token("other"), Method::PUT, &path, Some(change.clone())).await.status,
        StatusCode::NOT_FOUND
    );
    let saved = world.call(token("IN"), Method::PUT, &path, Some(change.clone())).await;
    assert_eq!(saved.status, StatusCode::OK, "{}", saved.text);
    let after = saved.json()["data"]["attributes"].clone();
    assert_eq!(
        (&after["edited"], &after["indexed"], &after["cues"][1]["text"]),
        (&json!(true), &json!(false), &json!("A sail is a <wing>."))
    );
    let again = world.call(token("IN"), Method::PUT, &path, Some(change.clone())).await;
    assert_eq!((again.status, again.code()), (StatusCode::CONFLICT, "CONFLICT".into()));
    let mut bad = change.clone();
    bad["version"] = after["version"].clone();
    bad["cues"][2]["end"] = json!(1.0);
    let faulty = world.call(token("IN"), Method::PUT, &path, Some(bad)).await;
    assert_eq!((faulty.status, faulty.code()), (StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_ERROR".into()));
    assert!(faulty.text.contains("line 3"), "{}", faulty.text);
    // Players get the corrected words at once, escaped.
    let found = addresses(&world, "LE", lesson).await;
    let (_, captions) = text(&world, &at(&found, "captionsUrl")).await;
    assert!(captions.contains("00:00:03.500 --> 00:00:06.000\nA sail is a &lt;wing&gt;.\n"), "{captions}");
    let tables = world.tables().await;
    assert_eq!(tables["events"].iter().filter(|event| event["event_type"] == "transcript.edited").count(), 1);
    assert_eq!(tables["jobs"].iter().filter(|job| job["kind"] == "index_transcript").count(), 1);
});

both_databases!(a_pasted_text_takes_the_times_of_the_transcript, |store| async move {
    let world = World::new(store.clone()).await;
    let lesson = recording(&world, "own").await;
    let path = format!("/api/v1/content/{lesson}/transcript/align");
    let paste =
        "The hull keeps the water out. A sail is a wing! The keel keeps her straight. Applause and laughter by all.";
    let answer = world.post("IN", &path, json!({ "text": paste })).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let found = answer.json()["data"]["attributes"].clone();
    let starts: Vec<f64> = found["cues"].as_array().unwrap().iter().map(|cue| cue["start"].as_f64().unwrap()).collect();
    assert!(found["confidence"].as_f64().unwrap() > 0.7, "{found}");
    assert!((starts[0] - 0.5).abs() < 0.2 && (starts[1] - 3.5).abs() < 0.4, "{found}");
    assert!(found["unaligned"][0]["text"].as_str().unwrap().contains("Applause"), "{found}");
    assert_eq!(world.post("LE", &path, json!({ "text": paste })).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.tables().await["transcript_edits"].len(), 0, "nothing is kept of it");
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_of_another_sites_player_frames_that_site_alone() {
    let fresh = store::testing::sqlite().await;
    let world = World::new(fresh.store.clone()).await;
    let page = world.call(None, Method::GET, "/player/youtube/dQw4w9WgXcQ?start=83", None).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ?start=83&amp;"), "{}", page.text);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("frame-src https://www.youtube-nocookie.com;") && !policy.contains("script"), "{policy}");
    assert_eq!(page.headers["x-frame-options"], "SAMEORIGIN");
    let client = world.call(None, Method::GET, "/app/courses", None).await;
    assert!(client.headers["content-security-policy"].to_str().unwrap().ends_with("frame-src 'self'"));
    for bad in ["short", "dQw4w9WgXcQ%22", "..%2F..%2Fapp11"] {
        let refused = world.call(None, Method::GET, &format!("/player/youtube/{bad}"), None).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{bad}");
    }
    let odd = world.call(None, Method::GET, "/player/youtube/dQw4w9WgXcQ?start=1%22onload=x", None).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
    fresh.close().await;
}
