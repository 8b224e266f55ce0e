//! SCORM packages over HTTP: opened, committed to, left, read; who may; what ADL expects.

use std::path::PathBuf;

use axum::http::{Method, StatusCode};
use domain::document::DocumentKind;
use domain::ingestion::{Outcome, SourceKind};
use domain::policy::Actor;
use domain::scorm::{Api, Edition, Launch};
use domain::{InstitutionId, LessonId, ScormAttemptId};
use school::scorm::Opening;
use serde_json::{Value, json};
use store::blob::keep;
use store::sql;
use store::sql::document::NewDocument;
use store::sql::package_file::PackageFile;
use store::sql::version::{NewLesson, NewModule};
use store::testing;

use crate::world::{Answer, Place, World};

/// The secret of every session here.
pub(crate) const NONCE: &str = "a-secret-of-this-session";

/// A package of the course with these files and two items, whose lessons are answered.
pub(crate) async fn packaged(
    world: &World,
    place: &Place,
    mark: &str,
    schema: &str,
    files: &[(&str, &[u8])],
) -> Vec<LessonId> {
    let (institution, course) = (place.institution, place.course);
    let mut kept = Vec::new();
    for (path, bytes) in files {
        let blob = keep(&world.store, &*world.blobs, institution, bytes.to_vec(), "application/octet-stream").await;
        kept.push(PackageFile { path: (*path).to_owned(), blob_sha256: blob.unwrap().sha256 });
    }
    let page = keep(&world.store, &*world.blobs, institution, b"<p>a page</p>".to_vec(), "text/html").await.unwrap();
    let (mark, schema) = (mark.to_owned(), schema.to_owned());
    world
        .store
        .write(move |tx| {
            Box::pin(async move {
                let name = format!("{mark} golf {}.zip", uuid::Uuid::now_v7());
                let source =
                    sql::source::find_or_create(tx, institution, course, SourceKind::Scorm, &name, &mark).await?;
                let run = sql::ingestion::create(tx, institution, course, source, &json!({}), None).await?;
                let report = json!({ "import": {
                    "version": schema, "schemaVersion": schema, "reportsCompletion": true, "packageSha256": "ab12",
                } });
                let version = sql::version::create(tx, institution, source, "one", None, &report).await?;
                sql::ingestion::set_version(tx, institution, run, version).await?;
                sql::package_file::insert(tx, institution, version, &kept).await?;
                let mut lessons = Vec::new();
                for (position, item) in [(0, "one"), (1, "two")] {
                    let new = NewDocument {
                        institution_id: institution,
                        course_id: course,
                        version_id: version,
                        path: format!("{item}.html"),
                        title: format!("{mark} {item}"),
                        kind: DocumentKind::Scorm,
                        blob_sha256: page.sha256.clone(),
                        extra: json!({
                            "item": item, "launch": "shared/start page.html", "parameters": "?x=1",
                            "title": format!("{mark} item {item}"), "facts": { "masteryScore": "80" },
                        }),
                        position,
                    };
                    let document = sql::document::insert(tx, &new).await?;
                    sql::document::set_chunked(tx, institution, document, &new.title, &[]).await?;
                    let document_id = Some(document);
                    lessons.push(NewLesson {
                        title: new.title,
                        kind: "INTERACTIVE".into(),
                        document_id,
                        hidden: false,
                    });
                }
                let modules = [NewModule { title: format!("{mark} package"), lessons }];
                sql::version::publish(tx, institution, course, source, version, &modules).await?;
                sql::version::ready(tx, institution, version, None).await?;
                sql::ingestion::finish(tx, institution, run, Outcome::Succeeded, None).await?;
                let pages = sql::scorm::pages(tx, institution, version).await?;
                Ok(pages.into_iter().map(|page| page.lesson_id).collect())
            })
        })
        .await
        .unwrap()
}

/// The package of a place of the matrix: made when it is first asked for.
async fn lesson_of(world: &World, place: &Place, mark: &str) -> LessonId {
    let (institution, course) = (place.institution, place.course);
    let all =
        world.store.read(move |tx| Box::pin(sql::lesson::in_course(tx, institution, course, false))).await.unwrap();
    match all.iter().find(|lesson| lesson.kind == "INTERACTIVE") {
        Some(lesson) => lesson.id,
        None => packaged(world, place, mark, "1.2", &[("start.html", b"x")]).await[0],
    }
}

async fn actor(world: &World, key: &str, institution: InstitutionId) -> Actor {
    world.school.session().impersonate(institution, &world.users[key].username).await.unwrap()
}

/// Path and body of a case of the matrix; nothing for a route of something else.
pub(crate) async fn aim(
    world: &World,
    (_, path): (&Method, &str),
    (role, near): (&str, bool),
    taker: Option<&str>,
    place: &Place,
    mark: &str,
) -> Option<(String, Option<Value>)> {
    if !path.contains("scorm") {
        return None;
    }
    let lesson = lesson_of(world, place, mark).await;
    if path == "/api/v1/content/{id}/scorm" {
        return Some((path.replace("{id}", &lesson.to_string()), Some(json!({ "nonce": NONCE }))));
    }
    if path.starts_with("/api/v1/courses/") {
        return Some((path.replace("{id}", &place.course.to_string()), None));
    }
    let takes = near && ["IN", "TA", "LE"].contains(&role);
    // Who reads what a learner did is asked of the learner's.
    let reads = !path.ends_with("/commits") && !path.ends_with("/finish");
    let whose = if takes && !reads { role } else { taker.unwrap_or("LE") };
    let by = actor(world, whose, place.institution).await;
    let opening = Opening { nonce: NONCE.into(), ..Opening::default() };
    let opened = world.school.scorm().open(&by, lesson, opening).await.unwrap();
    let (id, revision) = (opened.attempt.id, opened.attempt.revision);
    let body = if path.ends_with("/commits") {
        Some(batch(revision, 1, &[("cmi.core.lesson_location", "3")], false))
    } else if path.ends_with("/finish") {
        Some(json!({ "nonce": NONCE, "revision": revision }))
    } else {
        None
    };
    Some((path.replace("{id}", &id.to_string()), body))
}

pub(crate) fn batch(revision: i64, sequence: i64, values: &[(&str, &str)], terminate: bool) -> Value {
    let values: Vec<Value> =
        values.iter().map(|(element, value)| json!({ "element": element, "value": value })).collect();
    json!({
        "key": format!("{revision}-{sequence}"), "nonce": NONCE, "revision": revision, "sequence": sequence,
        "values": values, "terminate": terminate,
    })
}

pub(crate) async fn open(world: &World, who: &str, lesson: LessonId) -> Answer {
    world.post(who, &format!("/api/v1/content/{lesson}/scorm"), json!({ "nonce": NONCE })).await
}

fn attributes(answer: &Answer) -> Value {
    answer.json()["data"]["attributes"].clone()
}

store::both_databases!(a_learner_plays_leaves_comes_back_and_passes_over_http, |store| async move {
    let world = World::new(store).await;
    let place = world.places["own"].clone();
    let lesson = packaged(&world, &place, "plain", "1.2", &[("shared/start page.html", b"<p>hello</p>")]).await[0];
    let first = open(&world, "LE", lesson).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);
    let told = attributes(&first);
    assert_eq!((&told["playable"], &told["attempt"]["revision"]), (&json!(true), &json!(1)));
    assert_eq!(told["values"]["cmi.core.entry"], "ab-initio");
    assert_eq!(told["items"].as_array().unwrap().len(), 2);
    let launch = told["launchUrl"].as_str().unwrap();
    assert!(launch.ends_with("/files/shared/start%20page.html?x=1"), "{launch}");
    let origin = format!("http://{}.localhost:8080", first.id());
    assert_eq!(told["origin"], json!(origin));
    let path = format!("/api/v1/scorm-attempts/{}", first.id());

    let values = [("cmi.core.lesson_location", "5"), ("cmi.core.student_id", "root"), ("cmi.suspend_data", "abc")];
    let sent = batch(1, 1, &values, false);
    let done = world.post("LE", &format!("{path}/commits"), sent.clone()).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    let outcome = attributes(&done);
    assert_eq!((&outcome["kept"], &outcome["refused"][0]["code"]), (&json!(2), &json!(403)));
    for _ in 0..3 {
        let again = world.post("LE", &format!("{path}/commits"), sent.clone()).await;
        assert_eq!(
            (again.status, attributes(&again)),
            (StatusCode::OK, outcome.clone()),
            "the same key, the same answer"
        );
    }
    let other = batch(1, 1, &[("cmi.suspend_data", "x")], false);
    let reused = world.post("LE", &format!("{path}/commits"), other).await;
    assert_eq!((reused.status, reused.code().as_str()), (StatusCode::CONFLICT, "SCORM_KEY_REUSED"));
    let early = world.post("LE", &format!("{path}/commits"), batch(1, 3, &[], false)).await;
    assert_eq!((early.status, early.code().as_str()), (StatusCode::CONFLICT, "SCORM_OUT_OF_ORDER"));
    let mut stolen = batch(1, 2, &[], false);
    stolen["nonce"] = json!("another-secret-of-16");
    let stolen = world.post("LE", &format!("{path}/commits"), stolen).await;
    assert_eq!((stolen.status, stolen.code().as_str()), (StatusCode::CONFLICT, "SCORM_OTHER_SESSION"));

    let left = json!({ "nonce": NONCE, "revision": 1 });
    for _ in 0..2 {
        let left = world.post("LE", &format!("{path}/finish"), left.clone()).await;
        assert_eq!((left.status, &attributes(&left)["state"]), (StatusCode::OK, &json!("terminated")), "{}", left.text);
    }
    let second = open(&world, "LE", lesson).await;
    assert_eq!(second.id(), first.id(), "the attempt goes on");
    let told = attributes(&second);
    assert_eq!(told["values"]["cmi.core.entry"], "resume");
    assert_eq!(told["values"]["cmi.core.lesson_location"], "5");
    assert_eq!(told["attempt"]["standing"]["bookmark"], "5");
    let late = world.post("LE", &format!("{path}/commits"), batch(1, 4, &[], false)).await;
    assert_eq!(late.code(), "SCORM_OTHER_SESSION", "what an older session still holds came too late");

    let values = [("cmi.core.score.raw", "85"), ("cmi.core.session_time", "00:10:00"), ("cmi.core.exit", "")];
    let passed = world.post("LE", &format!("{path}/commits"), batch(2, 1, &values, true)).await;
    let standing = attributes(&passed)["standing"].clone();
    assert_eq!((&standing["success"], &standing["raw"]), (&json!("passed"), &json!(85.0)), "{}", passed.text);
    let after = world.post("LE", &format!("{path}/commits"), batch(2, 2, &[], false)).await;
    assert_eq!(after.code(), "SCORM_SESSION_ENDED");

    for who in ["LE", "IN"] {
        let results = world.get(who, &format!("/api/v1/courses/{}/scorm-results", place.course)).await;
        let one = &results.json()["data"][0];
        assert_eq!(one["attributes"]["success"], "passed", "{who} {}", results.text);
        assert_eq!(one["attributes"]["scoreSource"], "client-reported");
        assert_eq!(one["relationships"]["user"]["data"]["id"], json!(world.users["LE"].id.to_string()));
        let card = world.get(who, &path).await;
        assert_eq!(attributes(&card)["standing"]["totalTimeSeconds"], 600.0, "{}", card.text);
        let trace = attributes(&world.get(who, &format!("{path}/trace")).await);
        assert_eq!((&trace["agrees"], &trace["complete"]), (&json!(true), &json!(true)));
        assert_eq!(trace["commits"].as_array().unwrap().len(), 3);
        assert_eq!(trace["values"]["cmi.suspend_data"], "abc");
    }
    // What the package says is no grade.
    assert!(world.tables().await["grades"].is_empty());
    let fresh = json!({ "nonce": NONCE, "restart": true });
    let fresh = world.post("LE", &format!("/api/v1/content/{lesson}/scorm"), fresh).await;
    assert_eq!(attributes(&fresh)["attempt"]["number"], 2);
});

store::both_databases!(another_learner_s_attempt_is_not_there, |store| async move {
    let world = World::new(store).await;
    let place = world.places["own"].clone();
    let lesson = packaged(&world, &place, "plain", "2004 3rd Edition", &[("shared/start page.html", b"x")]).await[0];
    let opened = open(&world, "LE", lesson).await;
    let path = format!("/api/v1/scorm-attempts/{}", opened.id());
    let before = world.get("LE", &format!("{path}/trace")).await.text;
    for who in ["classmate", "sibling", "other", "IN", "IA"] {
        let sent = batch(1, 1, &[("cmi.score.scaled", "1")], true);
        let commit = world.post(who, &format!("{path}/commits"), sent).await;
        assert_eq!(commit.status, StatusCode::NOT_FOUND, "{who} {}", commit.text);
        let left = json!({ "nonce": NONCE, "revision": 1 });
        assert_eq!(world.post(who, &format!("{path}/finish"), left).await.status, StatusCode::NOT_FOUND, "{who}");
    }
    for who in ["classmate", "sibling", "other"] {
        for path in [path.clone(), format!("{path}/trace")] {
            assert_eq!(world.get(who, &path).await.status, StatusCode::NOT_FOUND, "{who} {path}");
        }
        let open = open(&world, who, lesson).await;
        let expected = if who == "classmate" { StatusCode::CREATED } else { StatusCode::NOT_FOUND };
        assert_eq!(open.status, expected, "{who} {}", open.text);
    }
    let guest = world.call(None, Method::POST, &format!("{path}/commits"), Some(batch(1, 1, &[], false))).await;
    assert_eq!(guest.status, StatusCode::UNAUTHORIZED);
    let after = world.get("LE", &format!("{path}/trace")).await.text;
    let kept = |text: &str| serde_json::from_str::<Value>(text).unwrap()["data"]["attributes"].clone();
    assert_eq!(kept(&after), kept(&before));
});

store::both_databases!(a_batch_is_bounded, |store| async move {
    let world = World::new(store).await;
    let place = world.places["own"].clone();
    let lesson = packaged(&world, &place, "plain", "1.2", &[("shared/start page.html", b"x")]).await[0];
    let opened = open(&world, "LE", lesson).await;
    let path = format!("/api/v1/scorm-attempts/{}/commits", opened.id());
    let large = "x".repeat(2 << 20);
    let answer = world.post("LE", &path, batch(1, 1, &[("cmi.suspend_data", &large)], false)).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE"));
    let many: Vec<(&str, &str)> = (0..2_001).map(|_| ("cmi.comments", "x")).collect();
    let answer = world.post("LE", &path, batch(1, 1, &many, false)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text);
    for bad in
        [json!({}), json!({ "nonce": "short" }), json!({ "nonce": NONCE, "userId": world.users["classmate"].id })]
    {
        let answer = world.post("LE", &format!("/api/v1/content/{lesson}/scorm"), bad).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text);
    }
    let none = open(&world, "LE", place.lesson).await;
    assert_eq!((none.status, none.code().as_str()), (StatusCode::CONFLICT, "SCORM_NO_PACKAGE"));
});

fn adl() -> Option<Vec<(String, Value)>> {
    let root = std::env::var_os("LYCEUM_TEST_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let folder = root.join("scorm/adl-api");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: no outside test data at {} (set LYCEUM_TEST_DATA)", folder.display());
        return None;
    };
    let mut cases: Vec<(String, Value)> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap())
        })
        .collect();
    cases.sort_by(|one, other| one.0.cmp(&other.0));
    Some(cases)
}

fn flat(prefix: &str, value: &Value, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(parts) => parts.iter().for_each(|(name, part)| flat(&format!("{prefix}.{name}"), part, into)),
        Value::String(text) => into.push((prefix.to_owned(), text.clone())),
        other => panic!("{prefix} is {other}"),
    }
}

/// What the commit route made of ADL's cases.
#[derive(Default)]
struct Tally {
    activities: usize,
    sets: usize,
    reads: usize,
    /// Calls that a player answers itself and never sends.
    local: usize,
    wrong: Vec<String>,
}

/// Sends what an activity sets, and compares each refusal's code and what is then stored.
async fn replay(world: &World, lesson: LessonId, name: &str, activity: &Value, tally: &mut Tally) {
    let fresh = json!({ "nonce": NONCE, "restart": true });
    let opened = world.post("LE", &format!("/api/v1/content/{lesson}/scorm"), fresh).await;
    let id: ScormAttemptId = opened.id().parse().unwrap();
    // What a case presumes of its package and of earlier visits, since no manifest is with it.
    let mut initial = Vec::new();
    if let Some(cmi) = activity.pointer("/initialState/cmi") {
        flat("cmi", cmi, &mut initial);
    }
    let api = Api::restored(Edition::V2004Third, &Launch::default(), initial);
    let state = serde_json::to_string(&api).unwrap().replace('\'', "''");
    let sql = format!("UPDATE scorm_attempts SET state = '{state}' WHERE id = '{id}'");
    testing::execute(&world.store, &sql).await.unwrap();

    let path = format!("/api/v1/scorm-attempts/{id}");
    let (mut running, mut sequence) = (false, 0);
    tally.activities += 1;
    for (number, step) in activity["steps"].as_array().unwrap().iter().enumerate() {
        let text = |field: &str| step[field].as_str().unwrap_or_default();
        let case = format!("{name} {} step {number} {step}", activity["id"]);
        let expected = (text("expectedReturn"), text("expectedErrorCode"));
        match text("method") {
            "Initialize" if expected.0 == "true" => running = true,
            "SetValue" if running => {
                sequence += 1;
                tally.sets += 1;
                let sent = batch(1, sequence, &[(text("element"), text("value"))], false);
                let answer = world.post("LE", &format!("{path}/commits"), sent).await;
                let outcome = attributes(&answer);
                let code =
                    outcome["refused"][0]["code"].as_u64().map_or_else(|| "0".to_owned(), |code| code.to_string());
                let done = (outcome["kept"] == 1).to_string();
                if answer.status != StatusCode::OK || (done.as_str(), code.as_str()) != expected {
                    tally.wrong.push(format!("{case}: {}", answer.text));
                }
            }
            "GetValue" if running && expected.1 == "0" && step["expectedReturn"].is_string() => {
                let trace = attributes(&world.get("LE", &format!("{path}/trace")).await);
                // Defaults, counts and what is evaluated are not stored.
                let stored = trace["values"].get(text("element")).and_then(Value::as_str);
                let evaluated = ["cmi.completion_status", "cmi.success_status"].contains(&text("element"));
                match stored.filter(|_| !evaluated) {
                    Some(stored) if stored == expected.0 => tally.reads += 1,
                    Some(stored) => tally.wrong.push(format!("{case}: stored \"{stored}\"")),
                    None => tally.local += 1,
                }
            }
            "Terminate" if running && expected.0 == "true" => {
                sequence += 1;
                running = false;
                let answer = world.post("LE", &format!("{path}/commits"), batch(1, sequence, &[], true)).await;
                if attributes(&answer)["state"] != "terminated" {
                    tally.wrong.push(format!("{case}: {}", answer.text));
                }
            }
            _ => tally.local += 1,
        }
    }
}

store::both_databases!(adl_s_cases_pass_behind_the_commit_route, |store| async move {
    let Some(cases) = adl() else { return };
    let world = World::new(store).await;
    let place = world.places["own"].clone();
    let lesson = packaged(&world, &place, "plain", "2004 3rd Edition", &[("shared/start page.html", b"x")]).await[0];
    let mut tally = Tally::default();
    for (name, case) in &cases {
        for activity in case["activities"].as_array().unwrap() {
            replay(&world, lesson, name, activity, &mut tally).await;
        }
    }
    println!(
        "ADL behind the commit route: {} cases, {} activities, {} values set, {} read back, {} calls that a player \
         answers itself, {} wrong",
        cases.len(),
        tally.activities,
        tally.sets,
        tally.reads,
        tally.local,
        tally.wrong.len()
    );
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
    assert!(cases.len() >= 34 && tally.sets > 100, "{} cases, {} sets", cases.len(), tally.sets);
});
