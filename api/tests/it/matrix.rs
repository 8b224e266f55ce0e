//! Every route x every role x every distance, against a table that was transcribed by hand.
//!
//! Nothing here knows the product's policy: what is expected comes from `policy_matrix.csv` alone.

use std::collections::BTreeSet;

use api::Api;
use axum::http::{Method, StatusCode};
use school::Actor;
use serde_json::{Value, json};

use crate::world::{Answer, PASSWORD, World, request};

const ROLES: [&str; 11] = ["GA", "IA", "CC", "IN", "TA", "GT", "LE", "OB", "AU", "GU", "SV"];
/// Who sees what is hidden or not published in the courses that are reached.
const SEES_DRAFTS: [&str; 6] = ["GA", "IA", "CC", "IN", "TA", "AU"];

struct Row {
    method: Method,
    path: String,
    state: String,
    ok: u16,
    cells: Vec<String>,
}

fn rows() -> Vec<Row> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/policy_matrix.csv");
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_path(file).unwrap();
    assert_eq!(reader.headers().unwrap().iter().skip(5).collect::<Vec<_>>(), ROLES);
    reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            Row {
                method: record[0].parse().unwrap(),
                path: record[1].into(),
                state: record[2].into(),
                // Without the built client its pages say so.
                ok: if record[1] == *"/app/{*file}" && !api::client_is_built() {
                    503
                } else {
                    record[3].parse().unwrap()
                },
                cells: record.iter().skip(5).map(str::to_owned).collect(),
            }
        })
        .collect()
}

/// How far the thing in question is from the one who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Distance {
    /// In the course or institution of the role; for a person, the learner LE.
    Own,
    /// Another person of the same course.
    Mate,
    /// Another course of the same institution.
    Sibling,
    /// The other institution.
    Other,
    /// A public course of the own institution.
    Public,
    /// A public course of the other institution.
    ForeignPublic,
    /// An open course of the own institution.
    Open,
    /// An open course of the other institution.
    OtherOpen,
}

use Distance::{ForeignPublic, Mate, Open, Other, OtherOpen, Own, Public, Sibling};

/// The request of a case.
struct Aim {
    distance: Distance,
    path: String,
    body: Option<Value>,
    /// It names nothing but an institution.
    collection: bool,
}

/// Which distances a route is asked at.
fn distances(row: &Row) -> Vec<Distance> {
    let path = row.path.as_str();
    match (path, row.state.as_str()) {
        ("/api/v1/enrollments" | "/api/v1/courses/{id}/enrollments", "self") => {
            vec![Own, Sibling, Other, Open, Public, OtherOpen]
        }
        (p, "published") if p.ends_with("/enrollments") => vec![Own, Sibling, Other],
        (p, "published") if p.starts_with("/api/v1/courses/") || p.starts_with("/api/v1/content/") => {
            vec![Own, Sibling, Other, Public, ForeignPublic]
        }
        (p, _) if p.starts_with("/api/v1/users/{id}") || p.starts_with("/api/v1/enrollments/") => {
            vec![Own, Mate, Sibling, Other]
        }
        (p, _)
            if p.contains("/courses/{id}")
                || p.contains("/content/")
                || p.contains("ingestions")
                || p.contains("/sources") =>
        {
            vec![Own, Sibling, Other]
        }
        ("/api/v1/assessments/{id}", "published") => vec![Own, Sibling, Other, Public, ForeignPublic],
        (p, _)
            if ["attempts", "scorm-attempts", "submissions"]
                .iter()
                .any(|one| p.starts_with(&format!("/api/v1/{one}/"))) =>
        {
            vec![Own, Mate, Sibling, Other]
        }
        (p, _) if p.starts_with("/api/v1/submissions") || p.starts_with("/api/v1/appeals") => {
            vec![Own, Sibling, Other]
        }
        (p, _) if p.starts_with("/api/v1/assessments") || p.starts_with("/api/v1/questions") => {
            vec![Own, Sibling, Other]
        }
        ("/api/v1/progress/stream", _) => vec![Own, Sibling, Other],
        ("/api/v1/institutions/{id}", _) => vec![Own, Other],
        ("/api/v1/jobs/dead/{id}/retry" | "/api/v1/jobs/dead/{id}", _) => vec![Own, Other],
        ("/api/v1/courses" | "/api/v1/users" | "/api/v1/jobs/dead" | "/api/v1/audit", _) => vec![Own, Other],
        ("/api/v1/quotas" | "/api/v1/usage" | "/api/v1/ingestion-limits", _) => vec![Own, Other],
        _ => vec![Own],
    }
}

fn place(distance: Distance, state: &str) -> &'static str {
    match (distance, state) {
        (Own | Mate, "draft") => "draft",
        (Own | Mate, _) => "own",
        (Sibling, "draft") => "sibling draft",
        (Sibling, _) => "sibling",
        (Other, "draft") => "other draft",
        (Other, _) => "other",
        (Public, _) => "public",
        (ForeignPublic, _) => "foreign public",
        (Open, _) => "open",
        (OtherOpen, _) => "other institution",
    }
}

/// Builds the request; what a write would use up is made afresh.
async fn aim(world: &World, row: &Row, role: &str, distance: Distance) -> Aim {
    let target = &world.places[place(distance, &row.state)];
    let (course, institution) = (target.course, target.institution);
    let slug = if institution == world.home { "a-school" } else { "b-school" };
    let fresh = uuid::Uuid::now_v7().simple().to_string();
    let operator = Actor::operator(institution);
    let writes = row.method != Method::GET;
    let mark = match distance {
        Sibling => "canary-sib",
        Other => "canary-oth",
        _ => "plain",
    };
    let mut collection = false;
    let mut body = None;
    let taker = match distance {
        Mate => Some("classmate"),
        Sibling => Some("sibling"),
        Other => Some("other"),
        _ => None,
    };
    let near = distance == Own && row.state != "draft";
    if let Some((path, body)) = crate::model_api::aim(&row.path) {
        return Aim { distance, path, body, collection };
    }
    let role_case = (&row.method, row.path.as_str(), row.state.as_str());
    if let Some((path, body)) = crate::gateway::aim(world, role_case, role, target, slug).await {
        let collection = row.path == "/api/v1/quotas" || row.path == "/api/v1/usage";
        return Aim { distance, path, body, collection };
    }
    let asked = (&row.method, row.path.as_str());
    if let Some((path, body)) = crate::ingesting::aim(world, (&row.method, &row.path), target, slug, mark).await {
        let collection = row.path == "/api/v1/ingestion-limits";
        return Aim { distance, path, body, collection };
    }
    if let Some((path, body)) = crate::grading::aim(world, asked, (role, near), taker, target, mark).await {
        return Aim { distance, path, body, collection };
    }
    let quiz = crate::quizzes::aim(world, (&row.method, &row.path), (role, near), taker, target, mark).await;
    if let Some((path, body)) = quiz {
        return Aim { distance, path, body, collection };
    }
    if let Some((path, body)) = crate::scorm::aim(world, asked, (role, near), taker, target, mark).await {
        return Aim { distance, path, body, collection };
    }
    let path = match (row.method.as_str(), row.path.as_str()) {
        (_, "/app/{*file}") => "/app/courses".to_owned(),
        (_, "/docs/{*file}") => "/docs/index.html".to_owned(),
        (_, "/player/youtube/{video}") => "/player/youtube/dQw4w9WgXcQ".to_owned(),
        (_, "/api/v1/streams/{ticket}/{file}") => "/api/v1/streams/none/master.m3u8".to_owned(),
        ("PUT", "/api/v1/courses/{id}/media") => {
            // What changes nothing writes nothing.
            body = Some(json!({ "protected": false }));
            row.path.replace("{id}", &course.to_string())
        }
        (_, "/api/v1/auth/login") => {
            body = Some(json!({ "institution": "a-school", "username": "le", "password": PASSWORD }));
            row.path.clone()
        }
        (_, "/api/v1/auth/refresh") => {
            let client = school::session::Client::default();
            let tokens = world.school.session().login(Some("a-school"), "le", PASSWORD, &client).await.unwrap();
            body = Some(json!({ "refreshToken": tokens.refresh }));
            row.path.clone()
        }
        ("POST", "/api/v1/courses") => {
            collection = true;
            body = Some(json!({ "institution": slug, "title": "Made", "slug": format!("made-{fresh}") }));
            row.path.clone()
        }
        ("POST", "/api/v1/users") => {
            collection = true;
            body = Some(json!({ "institution": slug, "username": format!("made-{fresh}") }));
            row.path.clone()
        }
        ("POST", "/api/v1/institutions") => {
            collection = true;
            body = Some(json!({ "slug": format!("made-{}", &fresh[..20]), "name": "Made" }));
            row.path.clone()
        }
        ("GET", "/api/v1/courses" | "/api/v1/users" | "/api/v1/jobs/dead" | "/api/v1/audit") => {
            collection = true;
            format!("{}?institution={slug}", row.path)
        }
        (_, "/api/v1/institutions/{id}") => format!("/api/v1/institutions/{institution}"),
        ("POST", "/api/v1/courses/{id}/questions/generate") => {
            body = Some(json!({ "count": 1 }));
            row.path.replace("{id}", &course.to_string())
        }
        ("POST", "/api/v1/ingestions") => {
            body = Some(json!({ "courseId": course, "kind": "git", "url": "https://github.com/a/b" }));
            row.path.clone()
        }
        ("GET", "/api/v1/ingestions") => format!("/api/v1/ingestions?course={course}"),
        ("GET", "/api/v1/ingestions/{id}") => format!("/api/v1/ingestions/{}", target.ingestion),
        (_, "/api/v1/progress/stream") => format!("/api/v1/progress/stream?ingestion={}", target.ingestion),
        (_, p) if p.starts_with("/api/v1/content/") => {
            let lesson = if row.state == "hidden" { target.hidden } else { target.lesson };
            body = match (row.method.as_str(), p.rsplit('/').next()) {
                ("PUT", Some("position")) => Some(json!({ "seconds": 3.0 })),
                ("PUT", _) => {
                    Some(json!({ "version": "0-0", "cues": [{ "start": 0.0, "end": 1.0, "text": "a line" }] }))
                }
                ("POST", _) => Some(json!({ "text": "a line" })),
                _ => None,
            };
            p.replace("{id}", &lesson.to_string()).replace("{file}", "master.m3u8")
        }
        ("POST", "/api/v1/enrollments" | "/api/v1/courses/{id}/enrollments") => {
            let user = if row.state == "self" {
                drop_enrolment(world, role, course).await;
                None
            } else {
                Some(world.stranger(institution, &format!("u{fresh}"), mark).await.id)
            };
            let mut new = json!({});
            if let Some(user) = user {
                new["userId"] = json!(user);
            }
            if row.path == "/api/v1/enrollments" {
                new["courseId"] = json!(course);
            }
            body = Some(new);
            row.path.replace("{id}", &course.to_string())
        }
        (_, p) if p.starts_with("/api/v1/enrollments/{id}") => {
            let user = match distance {
                Own if row.path.ends_with("/progress") || !writes => world.users["LE"].id,
                Mate if !writes => world.users["classmate"].id,
                Sibling if !writes => world.users["sibling"].id,
                Other if !writes => world.users["other"].id,
                _ => {
                    let user = world.stranger(institution, &format!("u{fresh}"), mark).await.id;
                    world.enrol(place(distance, "published"), user).await;
                    user
                }
            };
            let all = world.school.user().enrollments(&operator, user, None, 200).await.unwrap();
            let found = all.iter().find(|one| one.course_id == course).unwrap();
            if p.ends_with("/progress") {
                body = Some(json!({ "lessonId": target.lesson, "position": 40 }));
            }
            p.replace("{id}", &found.id.to_string())
        }
        (_, p) if p.starts_with("/api/v1/jobs/dead/{id}") => {
            let id = world.dead_job(institution, mark).await;
            format!("{}?institution={slug}", p.replace("{id}", &id))
        }
        (_, p) if p.starts_with("/api/v1/users/{id}") => {
            let key = match distance {
                Mate => "classmate",
                Sibling => "sibling",
                Other => "other",
                _ => "LE",
            };
            let mut user = world.users[key].id;
            if p.ends_with("/roles") {
                user = world.stranger(institution, &format!("u{fresh}"), mark).await.id;
                let course_role = row.state == "course";
                body = Some(if course_role {
                    json!({ "role": "student", "courseId": course })
                } else {
                    json!({ "role": "creator" })
                });
                if row.method == Method::DELETE {
                    let scope = if course_role {
                        domain::user::Scope::Course(course)
                    } else {
                        domain::user::Scope::Institution(institution)
                    };
                    let name = if course_role { "student" } else { "creator" };
                    let grant = school::role::parse(name, scope).unwrap();
                    world.school.role().grant(&operator, user, grant).await.unwrap();
                }
            } else if row.method == Method::PUT {
                body = Some(json!({ "displayName": format!("{mark} renamed") }));
            }
            p.replace("{id}", &user.to_string())
        }
        ("PUT", "/api/v1/courses/{id}") => {
            body = Some(json!({ "description": format!("{mark} changed") }));
            row.path.replace("{id}", &course.to_string())
        }
        ("POST", "/api/v1/courses/{id}/tutor/messages") => {
            body = Some(json!({ "question": "what moves a value between bindings" }));
            row.path.replace("{id}", &course.to_string())
        }
        (_, "/api/v1/courses/{id}/tutor/messages/stream") => {
            format!("{}?question=what%20moves%20a%20value", row.path.replace("{id}", &course.to_string()))
        }
        (_, "/api/v1/courses/{id}/mastery") => {
            // Of a public course there is another learner than the one who asks.
            let learner = match distance {
                Own | Mate => "LE",
                Sibling => "sibling",
                Public | Open => "classmate",
                _ => "other",
            };
            format!("{}?user={}", row.path.replace("{id}", &course.to_string()), world.users[learner].id)
        }
        (_, "/api/v1/reviews/{question}") => {
            let question = uuid::Uuid::now_v7().to_string();
            world.answered("LE", &question).await;
            body = Some(json!({ "rating": "good" }));
            row.path.replace("{question}", &question)
        }
        ("PUT", "/api/v1/courses/{id}/prerequisites") => {
            body = Some(json!({ "lessonId": target.lesson, "needsId": target.hidden }));
            row.path.replace("{id}", &course.to_string())
        }
        (_, "/api/v1/courses/{id}/search") => {
            format!("{}?q=ownership%20binding", row.path.replace("{id}", &course.to_string()))
        }
        (_, p) => p.replace("{id}", &course.to_string()),
    };
    Aim { distance, path, body, collection }
}

/// Takes back what an earlier case enrolled.
async fn drop_enrolment(world: &World, role: &str, course: domain::CourseId) {
    let Some(user) = world.users.get(role) else { return };
    let operator = world.operator();
    let all = world.school.user().enrollments(&operator, user.id, None, 200).await.unwrap();
    let own = world.places["own"].course;
    for one in all.iter().filter(|one| one.course_id == course && one.course_id != own) {
        world.school.enrollment().drop(&operator, one.id).await.unwrap();
    }
}

/// Whether a code reaches a thing.
fn reaches(code: &str, role: &str, row: &Row, aim: &Aim) -> bool {
    let code = code.trim_end_matches(['!', 'r']);
    let near = !matches!(aim.distance, Other | ForeignPublic | OtherOpen);
    if aim.collection && row.method == Method::GET {
        // A list shows what is reached of the institution; one that can hold something is answered.
        return match code {
            "G" | "P" => true,
            "I" | "own" | "C" | "S" => near,
            _ => false,
        };
    }
    let people = ["users", "enrollments", "submissions"]
        .iter()
        .any(|kind| row.path.starts_with(&format!("/api/v1/{kind}/{{id}}")))
        || row.method == Method::GET && row.path.starts_with("/api/v1/scorm-attempts/{id}");
    match code {
        "G" => true,
        "I" => near,
        "own" => aim.distance == Own || (aim.distance == Mate && people),
        "C" => aim.distance == Own || (aim.distance == Mate && people),
        // Of a course's enrolments a learner sees the own one, where the course itself may be seen.
        "S" if row.path == "/api/v1/courses/{id}/enrollments" => aim.distance == Own,
        // What is asked there is the asker's own.
        "S" if ["/auth/", "/keys", "/model-requests/"].iter().any(|part| row.path.contains(part)) => {
            aim.distance == Own
        }
        // A model is nobody's: who may call one, may.
        "S" if crate::model_api::is(&row.path) => true,
        "S" => aim.distance == Own && role == "LE",
        "P" if row.state == "self" => matches!(aim.distance, Open | Public),
        "P" => matches!(aim.distance, Public | ForeignPublic),
        _ => false,
    }
}

/// What of the world must not be seen in an answer.
fn forbidden(role: &str, allowed: bool) -> Vec<&'static str> {
    let mut canaries = Vec::new();
    if !allowed || role != "GA" {
        canaries.push("canary-oth");
    }
    if !allowed || !["GA", "IA", "AU"].contains(&role) {
        canaries.push("canary-sib");
    }
    if !allowed || !SEES_DRAFTS.contains(&role) {
        canaries.push("canary-draft");
    }
    if !allowed || !["IA", "CC", "IN", "TA"].contains(&role) {
        canaries.push(crate::quizzes::KEY);
    }
    canaries
}

struct Tally {
    cases: usize,
    leaks: usize,
    failures: Vec<String>,
}

impl Tally {
    fn fail(&mut self, case: &str, what: &str, answer: &Answer) {
        let text: String = answer.text.chars().take(200).collect();
        self.failures.push(format!("{case}: {what}; got {} {text}", answer.status));
    }
}

struct Asker<'a> {
    token: Option<&'a str>,
    reason: bool,
    expected: Result<u16, Vec<u16>>,
}

async fn check(world: &World, row: &Row, role: &str, aim: &Aim, asker: Asker<'_>, name: &str, tally: &mut Tally) {
    let case = format!("{} {} [{}] {role} {:?} {name}", row.method, row.path, row.state, aim.distance);
    let mut headers = Vec::new();
    if asker.reason {
        headers.push(("x-reason", "support ticket 4711"));
    }
    if row.method == Method::PUT && row.path == "/api/v1/courses/{id}" {
        headers.push(("if-match", "*"));
    }
    let before = world.tables().await;
    let _echo = if crate::model_api::is(&row.path) { Some(crate::model_api::echo(&world.gateway).await) } else { None };
    let sent = match row.path.as_str() {
        "/v1/audio/transcriptions" => crate::model_api::upload(asker.token, "json"),
        _ => request(asker.token, row.method.clone(), &aim.path, aim.body.clone(), &headers),
    };
    let answer = world.send(sent).await;
    let after = world.tables().await;
    tally.cases += 1;
    let status = answer.status.as_u16();
    let allowed = asker.expected.is_ok();
    match &asker.expected {
        Ok(ok) if status != *ok => tally.fail(&case, &format!("expected {ok}"), &answer),
        Err(refusals) if !refusals.contains(&status) => {
            tally.fail(&case, &format!("expected one of {refusals:?}"), &answer)
        }
        _ => {}
    }
    let text = format!("{} {:?}", answer.text, answer.headers).to_lowercase();
    for canary in forbidden(role, allowed) {
        if text.contains(canary) {
            tally.leaks += 1;
            tally.fail(&case, &format!("leaks {canary}"), &answer);
        }
    }
    let changed: BTreeSet<&String> =
        before.iter().filter(|(table, rows)| after.get(*table) != Some(rows)).map(|(table, _)| table).collect();
    let read = row.method == Method::GET && !row.path.contains("/tutor/");
    // Reading with a reason is recorded.
    let tolerated = |table: &str| allowed && read && table == "audit";
    if (!allowed || read) && changed.iter().any(|table| !tolerated(table)) {
        tally.leaks += 1;
        tally.fail(&case, &format!("changed {changed:?}"), &answer);
    }
}

async fn ask_all(world: &World) -> Tally {
    let rows = rows();
    let listed: BTreeSet<String> = rows.iter().map(|row| format!("{} {}", row.method, row.path)).collect();
    let routed: BTreeSet<String> = Api::entries().iter().map(|one| format!("{} {}", one.method, one.path)).collect();
    assert_eq!(listed, routed, "the matrix and the routes name different things");

    let mut tally = Tally { cases: 0, leaks: 0, failures: Vec::new() };
    let stale = world.login("a-school", "ga").await;
    world.age(&stale).await;
    let stale_ia = world.login("a-school", "ia").await;
    world.age(&stale_ia).await;
    world.lengthen_logins().await;
    let open: BTreeSet<&str> = rows.iter().filter(|row| row.cells[9] == "P").map(|row| row.path.as_str()).collect();
    for row in &rows {
        let guest = row.cells[9].as_str();
        for (column, role) in ROLES.into_iter().enumerate() {
            let code = row.cells[column].as_str();
            for distance in distances(row) {
                // Logging out ends the login: each such case has its own.
                let own_login = match role {
                    "GU" | "SV" => None,
                    _ if row.path.ends_with("/logout") => Some(world.login("a-school", &role.to_lowercase()).await),
                    _ => world.tokens.get(role).cloned(),
                };
                let own_login = if crate::model_api::is(&row.path) {
                    crate::model_api::key_of(world, role).await
                } else {
                    own_login
                };
                let token = if role == "SV" { Some("lys_unknown".to_owned()) } else { own_login };
                let aim = aim(world, row, role, distance).await;
                // Whoever logged in may do what a guest may.
                let floor = role != "SV" && reaches(guest, "GU", row, &aim);
                // An unknown login is refused, except where nobody looks at one.
                let reached = (role != "SV" || code == "G") && reaches(code, role, row, &aim);
                let expected = if reached || floor {
                    Ok(row.ok)
                } else {
                    Err(refusals(row, role, row.method == Method::GET && open.contains(row.path.as_str()), &aim))
                };
                let asker = |token, reason, expected| Asker { token, reason, expected };
                let main = asker(token.as_deref(), true, expected.clone());
                check(world, row, role, &aim, main, "", &mut tally).await;
                if !reached || floor {
                    continue;
                }
                if code.contains('r') {
                    let again = self::aim(world, row, role, distance).await;
                    let mute = asker(token.as_deref(), false, Err(vec![403]));
                    check(world, row, role, &again, mute, "without a reason", &mut tally).await;
                }
                if code.contains('!') {
                    let again = self::aim(world, row, role, distance).await;
                    let old = if role == "GA" { &stale } else { &stale_ia };
                    let old = asker(Some(old.as_str()), true, Err(vec![401]));
                    check(world, row, role, &again, old, "with a stale login", &mut tally).await;
                }
            }
        }
    }
    tally
}

/// The statuses by which a refusal may be told.
fn refusals(row: &Row, role: &str, open_to_guests: bool, aim: &Aim) -> Vec<u16> {
    let unknown = StatusCode::NOT_FOUND.as_u16();
    match role {
        "SV" => vec![401],
        "GU" if open_to_guests => vec![unknown],
        "GU" => vec![401],
        _ => match aim.distance {
            // What is near may be known of; the matrix of cards says whether it is.
            Own | Mate | Open | Public => vec![403, unknown],
            // A public course of elsewhere is known to everybody.
            ForeignPublic => vec![403],
            Sibling | Other | OtherOpen => {
                let stays_home = row.path.ends_with("/roles") && row.state == "institution" && aim.distance == Sibling;
                // A role of the own institution is refused to somebody of that institution.
                let card = aim.distance == Sibling && ["IA", "AU", "GA"].contains(&role);
                let person = aim.distance == Sibling && row.path.starts_with("/api/v1/users/{id}");
                if stays_home || card || person || role == "GA" { vec![403, unknown] } else { vec![unknown] }
            }
        },
    }
}

store::both_databases!(every_route_answers_every_role_as_the_matrix_says, |store| async move {
    let world = World::new(store.clone()).await;
    let tally = ask_all(&world).await;
    let database = if store.sqlite() { "SQLite" } else { "PostgreSQL" };
    println!("policy cases on {database}: {}, leaks: {}", tally.cases, tally.leaks);
    assert!(tally.failures.is_empty(), "{} failures\n{}", tally.failures.len(), tally.failures.join("\n"));
    assert!(tally.cases > 1000, "only {} cases", tally.cases);
});
