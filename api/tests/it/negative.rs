//! The negative tests of SAFETY section 6.1 that have a door, beside what the matrix covers.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use domain::UserId;
use domain::user::{Grant, Role, Scope};
use school::Actor;
use serde_json::{Value, json};
use store::testing;

use crate::world::{World, grant, request};

/// Every column of every table, and what attackers like to add.
async fn names(world: &World) -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        ["isAdmin", "is_admin", "role", "tenantId", "tenant_id", "institutionId", "createdBy"]
            .map(str::to_owned)
            .into();
    for rows in world.tables().await.values() {
        for row in rows.iter().take(1) {
            for column in row.as_object().unwrap().keys() {
                names.insert(column.clone());
                let mut camel = String::new();
                for (index, word) in column.split('_').enumerate() {
                    let mut letters = word.chars();
                    match letters.next() {
                        Some(first) if index > 0 => camel.push(first.to_ascii_uppercase()),
                        Some(first) => camel.push(first),
                        None => {}
                    }
                    camel.extend(letters);
                }
                names.insert(camel);
            }
        }
    }
    names
}

store::both_databases!(fields_that_nobody_asked_for_are_refused_and_change_nothing, |store| async move {
    let world = World::new(store).await;
    let place = &world.places["own"];
    let enrolments = world.school.user().enrollments(&world.operator(), world.users["LE"].id, None, 10).await.unwrap();
    let writes = [
        ("IA", Method::POST, "/api/v1/users".to_owned(), json!({ "username": "new" })),
        ("IA", Method::PUT, format!("/api/v1/users/{}", world.users["LE"].id), json!({ "displayName": "New" })),
        ("IA", Method::POST, format!("/api/v1/users/{}/roles", world.users["LE"].id), json!({ "role": "creator" })),
        ("IA", Method::POST, "/api/v1/courses".to_owned(), json!({ "title": "New" })),
        ("IA", Method::PUT, format!("/api/v1/courses/{}", place.course), json!({ "title": "New" })),
        ("GA", Method::POST, "/api/v1/institutions".to_owned(), json!({ "slug": "new", "name": "New" })),
        ("LE", Method::POST, "/api/v1/enrollments".to_owned(), json!({ "courseId": world.places["open"].course })),
        (
            "LE",
            Method::PUT,
            format!("/api/v1/enrollments/{}/progress", enrolments[0].id),
            json!({ "lessonId": place.lesson, "position": 10 }),
        ),
        ("LE", Method::POST, format!("/api/v1/courses/{}/tutor/messages", place.course), json!({ "question": "what" })),
        (
            "IA",
            Method::POST,
            "/api/v1/ingestions".to_owned(),
            json!({ "courseId": place.course, "kind": "git", "url": "https://github.com/a/b" }),
        ),
    ];
    let allowed: BTreeSet<&str> = [
        "username",
        "email",
        "displayName",
        "password",
        "roles",
        "institution",
        "status",
        "role",
        "courseId",
        "title",
        "description",
        "slug",
        "visibility",
        "enrollmentType",
        "durationWeeks",
        "creditHours",
        "metadata",
        "name",
        "userId",
        "lessonId",
        "position",
        "page",
        "secondsWatched",
        "question",
        "kind",
        "url",
    ]
    .into();
    let before = world.tables().await;
    let names = names(&world).await;
    let mut cases = 0;
    for (who, method, path, body) in writes {
        for name in &names {
            if allowed.contains(name.as_str()) {
                continue;
            }
            let mut body = body.clone();
            body[name] = json!("100");
            let headers = [("if-match", "*")];
            let sent = request(Some(&world.tokens[who]), method.clone(), &path, Some(body), &headers);
            let answer = world.send(sent).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{method} {path} with {name}: {}", answer.text);
            cases += 1;
        }
    }
    assert!(before == world.tables().await, "a refused field changed something");
    println!("mass assignment cases: {cases}");
});

store::both_databases!(progress_is_computed_and_never_taken, |store| async move {
    let world = World::new(store).await;
    let place = world.places["own"].clone();
    let enrolments = world.school.user().enrollments(&world.operator(), world.users["LE"].id, None, 10).await.unwrap();
    let mate = world.school.user().enrollments(&world.operator(), world.users["classmate"].id, None, 10).await.unwrap();
    let path = format!("/api/v1/enrollments/{}/progress", enrolments[0].id);
    let token = world.tokens["LE"].clone();
    let report = |body: String| {
        let mut sent = request(Some(&token), Method::PUT, &path, None, &[("content-type", "application/json")]);
        *sent.body_mut() = axum::body::Body::from(body);
        sent
    };
    let lesson = place.lesson;
    let good = world.send(report(json!({ "lessonId": lesson, "position": 40 }).to_string())).await;
    assert_eq!(good.status, StatusCode::OK);
    assert_eq!(good.json()["data"]["attributes"]["progress"], json!(40.0));
    for bad in [
        format!("{{\"lessonId\":\"{lesson}\",\"position\":NaN}}"),
        format!("{{\"lessonId\":\"{lesson}\",\"position\":\"NaN\"}}"),
        format!("{{\"lessonId\":\"{lesson}\",\"position\":1e999}}"),
        json!({ "lessonId": lesson, "position": 100.1 }).to_string(),
        json!({ "lessonId": lesson, "position": -1 }).to_string(),
        json!({ "lessonId": lesson, "position": 39 }).to_string(),
        json!({ "lessonId": lesson }).to_string(),
        json!({ "lessonId": lesson, "position": 50, "page": 1 }).to_string(),
        json!({ "lessonId": lesson, "progress": 100 }).to_string(),
        json!({ "progress": 100 }).to_string(),
    ] {
        let answer = world.send(report(bad.clone())).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}: {}", answer.text);
    }
    // A lesson of another course, a hidden one, and somebody else's enrolment are not there.
    for foreign in [world.places["sibling"].lesson, world.places["other"].lesson, place.hidden] {
        let answer = world.send(report(json!({ "lessonId": foreign, "position": 50 }).to_string())).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text);
    }
    let theirs = format!("/api/v1/enrollments/{}/progress", mate[0].id);
    let body = json!({ "lessonId": lesson, "position": 100 });
    assert_eq!(world.call(Some(&token), Method::PUT, &theirs, Some(body)).await.status, StatusCode::NOT_FOUND);
    let now = world.get("LE", &format!("/api/v1/enrollments/{}", enrolments[0].id)).await;
    assert_eq!(now.json()["data"]["attributes"]["progress"], json!(40.0));

    let done = world.send(report(json!({ "lessonId": lesson, "position": 100 }).to_string())).await;
    assert_eq!(done.json()["data"]["attributes"], json!({ "progress": 100.0, "status": "completed" }));
    let events =
        testing::query(&world.store, "SELECT payload FROM events WHERE event_type = 'course.completed'").await.unwrap();
    assert_eq!(events.len(), 1);
    assert!(events[0]["payload"].as_str().unwrap().contains("\"completion_percentage\":100"));
});

store::both_databases!(nobody_hands_out_more_than_the_own_cap, |store| async move {
    let world = World::new(store).await;
    let (own, sibling) = (world.places["own"].course, world.places["sibling"].course);
    let target = world.stranger(world.home, "target", "plain").await.id;
    let foreign = world.users["other"].id;
    let before = world.tables().await;
    for (who, user, role, course, expected) in [
        ("TA", target, "teaching_assistant", Some(own), vec![403]),
        ("TA", target, "student", Some(own), vec![403]),
        ("IN", target, "instructor", Some(own), vec![403]),
        ("IN", target, "student", Some(sibling), vec![404]),
        ("IN", target, "admin", None, vec![403]),
        ("IN", world.users["IN"].id, "creator", None, vec![403]),
        ("CC", target, "instructor", Some(sibling), vec![403, 404]),
        ("CC", target, "admin", None, vec![403]),
        ("IA", target, "global_admin", None, vec![403]),
        ("IA", world.users["IA"].id, "global_admin", None, vec![403]),
        ("IA", foreign, "student", None, vec![404]),
        ("IA", foreign, "instructor", Some(world.places["other"].course), vec![404]),
        ("IA", target, "instructor", Some(world.places["other"].course), vec![404]),
        ("GA", target, "instructor", Some(world.places["other"].course), vec![404]),
        ("LE", world.users["LE"].id, "instructor", Some(own), vec![403]),
        ("IA", target, "guest", None, vec![422]),
        ("IA", target, "observer", Some(own), vec![422]),
    ] {
        let mut body = json!({ "role": role });
        if let Some(course) = course {
            body["courseId"] = json!(course);
        }
        let answer = world.post(who, &format!("/api/v1/users/{user}/roles"), body).await;
        assert!(expected.contains(&answer.status.as_u16()), "{who} gives {role}: {} {}", answer.status, answer.text);
    }
    let roles = json!([{ "role": "global_admin" }]);
    let made = world.post("IA", "/api/v1/users", json!({ "username": "sneaky", "roles": roles })).await;
    assert_eq!(made.status, StatusCode::FORBIDDEN);
    // The administrator of one institution does not touch the account of a global one.
    let path = format!("/api/v1/users/{}", world.users["GA"].id);
    let taken =
        world.call(Some(&world.tokens["IA"]), Method::PUT, &path, Some(json!({ "email": "x@example.org" }))).await;
    assert_eq!(taken.status, StatusCode::FORBIDDEN);
    assert!(before == world.tables().await, "a refused grant changed something");

    let good = world
        .post("IN", &format!("/api/v1/users/{target}/roles"), json!({ "role": "teaching_assistant", "courseId": own }))
        .await;
    assert_eq!(good.status, StatusCode::CREATED, "{}", good.text);
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_sequence_of_grants_by_others_than_administrators_climbs() {
    let fresh = testing::sqlite().await;
    let world = World::new(fresh.store.clone()).await;
    let columns = ["CC", "IN", "TA", "GT", "LE", "OB", "AU", "classmate", "sibling"];
    let mut users: Vec<UserId> = columns.iter().map(|column| world.users[column].id).collect();
    users.push(world.stranger(world.home, "stranger", "plain").await.id);
    let courses = ["own", "draft", "sibling", "open", "other"].map(|name| world.places[name].course);
    let all = |rows: Vec<Value>| {
        rows.iter()
            .map(|row| format!("{} {} {}", row["user_id"], row["role"], row["scope_id"]))
            .collect::<BTreeSet<_>>()
    };
    let query = "SELECT user_id, role, scope_id FROM user_roles WHERE role IN ('global_admin', 'institution_admin', 'course_creator', 'auditor')";
    let before = all(testing::query(&world.store, query).await.unwrap());
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let mut given = 0;
    for _ in 0..3_000 {
        let who = users[next(users.len())];
        let user = world.school.user().get(&world.operator(), who).await.unwrap().user;
        let mut actor: Actor = world.school.session().impersonate(world.home, &user.username).await.unwrap();
        actor.reason = Some("because".into());
        let role = Role::ALL[next(11)];
        let scope = match next(7) {
            0 => Scope::Global,
            1 => Scope::Institution(world.home),
            2 => Scope::Institution(world.other),
            _ => Scope::Course(courses[next(courses.len())]),
        };
        let target = users[next(users.len())];
        let roles = world.school.role();
        if next(4) == 0 {
            let _ = roles.revoke(&actor, target, Grant { role, scope }).await;
        } else if roles.grant(&actor, target, Grant { role, scope }).await.is_ok() {
            given += 1;
        }
    }
    assert!(given > 10, "only {given} grants went through: this shows nothing");
    assert_eq!(before, all(testing::query(&world.store, query).await.unwrap()));
    let sibling = world.places["sibling"].course;
    let teachers = format!(
        "SELECT user_id FROM user_roles WHERE role = 'instructor' AND scope_id NOT IN ('{}', '{}')",
        courses[0], courses[1]
    );
    assert!(testing::query(&world.store, &teachers).await.unwrap().is_empty(), "an instructor outside {sibling}");
    fresh.close().await;
}

store::both_databases!(one_forbidden_id_among_a_hundred_refuses_them_all, |store| async move {
    let world = World::new(store).await;
    let mut ids = Vec::new();
    for number in 0..99 {
        ids.push(world.stranger(world.home, &format!("many{number}"), "plain").await.id);
    }
    ids.insert(60, world.users["other"].id);
    let path = format!("/api/v1/courses/{}/enrollments", world.places["own"].course);
    let before = world.tables().await;
    let refused = world.post("IN", &path, json!({ "userIds": ids })).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.text);
    assert!(before == world.tables().await, "part of a refused batch was written");
    ids.remove(60);
    let good = world.post("IN", &path, json!({ "userIds": ids })).await;
    assert_eq!(good.status, StatusCode::CREATED, "{}", good.text);
    assert_eq!(good.json()["data"].as_array().unwrap().len(), 99);
});

store::both_databases!(the_catalogue_shows_each_what_is_open_to_each, |store| async move {
    let world = World::new(store).await;
    let titles = |text: &str| -> Vec<String> {
        let list: Value = serde_json::from_str(text).unwrap();
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["attributes"]["title"].as_str().unwrap().to_owned())
            .collect()
    };
    let path = "/api/v1/courses?institution=a-school";
    let guest = world.call(None, Method::GET, path, None).await;
    assert_eq!(titles(&guest.text), ["public title"]);
    let learner = world.get("LE", path).await;
    assert_eq!(titles(&learner.text), ["plain title", "open title", "public title"]);
    let elsewhere = world.get("other", path).await;
    assert_eq!(titles(&elsewhere.text), ["public title"]);
    // Who may see the card of an open course does not read it before enrolling.
    let open = world.places["open"].course;
    assert_eq!(world.get("LE", &format!("/api/v1/courses/{open}")).await.status, StatusCode::OK);
    assert_eq!(world.get("LE", &format!("/api/v1/courses/{open}/modules")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        world.get("LE", &format!("/api/v1/courses/{open}/search?q=ownership")).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(world.get("other", &format!("/api/v1/courses/{open}")).await.status, StatusCode::NOT_FOUND);
});

store::both_databases!(hidden_lessons_are_not_counted_found_or_played, |store| async move {
    let world = World::new(store).await;
    let own = world.places["own"].clone();
    let count = |text: &str| serde_json::from_str::<Value>(text).unwrap()["data"].as_array().unwrap().len();
    let content = format!("/api/v1/courses/{}/content", own.course);
    assert_eq!(count(&world.get("LE", &content).await.text), 1);
    assert_eq!(count(&world.get("IN", &content).await.text), 2);
    let search = format!("/api/v1/courses/{}/search?q=canary-draft%20ownership", own.course);
    let found = world.get("LE", &search).await;
    assert!(
        !found.text.contains("canary-draft ownership") && !found.text.contains("canary-draft heading"),
        "{}",
        found.text
    );
    assert!(world.get("IN", &search).await.text.contains("canary-draft heading"));
    assert_eq!(world.get("LE", &format!("/api/v1/content/{}/media", own.hidden)).await.status, StatusCode::NOT_FOUND);
    let asked = world
        .post(
            "LE",
            &format!("/api/v1/courses/{}/tutor/messages", own.course),
            json!({ "question": "what is the canary-draft" }),
        )
        .await;
    assert!(!asked.text.contains("canary-draft heading"), "{}", asked.text);
});

store::both_databases!(a_reason_lands_in_the_audit_trail, |store| async move {
    let world = World::new(store).await;
    let path = format!("/api/v1/courses/{}/modules", world.places["other"].course);
    let token = world.tokens["GA"].clone();
    assert_eq!(world.call(Some(&token), Method::GET, &path, None).await.code(), "REASON_REQUIRED");
    let sent = request(Some(&token), Method::GET, &path, None, &[("x-reason", "ticket 12 of the other school")]);
    assert_eq!(world.send(sent).await.status, StatusCode::OK);
    let trail = testing::query(&world.store, "SELECT institution_id, reason FROM audit WHERE action = 'content.read'")
        .await
        .unwrap();
    assert_eq!(trail.len(), 1);
    assert_eq!(trail[0]["reason"], "ticket 12 of the other school");
    assert_eq!(trail[0]["institution_id"], world.other.to_string(), "the institution that was read sees it");
});

store::both_databases!(somebody_of_the_other_institution_can_do_nothing_here, |store| async move {
    let world = World::new(store).await;
    let operator = Actor::operator(world.other);
    let admin = grant(Role::InstitutionAdmin, Scope::Institution(world.other));
    world.school.role().grant(&operator, world.users["other"].id, admin).await.unwrap();
    let before = world.tables().await;
    let place = &world.places["own"];
    for (method, path, body) in [
        (Method::GET, "/api/v1/users?institution=a-school".to_owned(), None),
        (Method::GET, "/api/v1/jobs/dead?institution=a-school".to_owned(), None),
        (Method::GET, "/api/v1/audit?institution=a-school".to_owned(), None),
        (Method::GET, format!("/api/v1/courses/{}", place.course), None),
        (Method::GET, format!("/api/v1/content/{}", place.lesson), None),
        (Method::GET, format!("/api/v1/ingestions/{}", place.ingestion), None),
        (Method::GET, format!("/api/v1/users/{}", world.users["LE"].id), None),
        (Method::PUT, format!("/api/v1/users/{}", world.users["LE"].id), Some(json!({ "status": "suspended" }))),
        (Method::PUT, format!("/api/v1/courses/{}", place.course), Some(json!({ "title": "mine" }))),
        (Method::POST, "/api/v1/courses".to_owned(), Some(json!({ "institution": "a-school", "title": "mine" }))),
        (
            Method::POST,
            format!("/api/v1/courses/{}/tutor/messages", place.course),
            Some(json!({ "question": "as the admin" })),
        ),
        (
            Method::POST,
            format!("/api/v1/courses/{}/enrollments", place.course),
            Some(json!({ "userId": world.users["other"].id })),
        ),
    ] {
        let answer = world.call(Some(&world.tokens["other"]), method.clone(), &path, body).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}: {}", answer.text);
    }
    assert!(before == world.tables().await, "a refused request changed something");
});
