//! Packages as learners take them: sessions, batches, what is refused, what teachers see.

use domain::document::DocumentKind;
use domain::ingestion::{Outcome as Ended, SourceKind};
use domain::policy::Actor;
use domain::scorm::attempt::{Batch, ENDED, KEY_REUSED, OTHER_SESSION, OUT_OF_ORDER};
use domain::scorm::{Completion, Edition, H5P, Set, State, Success};
use domain::user::{Grant, Role, Scope};
use domain::{CourseId, Error, ErrorKind, LessonId};
use school::scorm::{NO_PACKAGE, Opened, Opening, SCORE_SOURCE};
use serde_json::json;
use store::sql::document::NewDocument;
use store::sql::version::{NewLesson, NewModule};
use store::sql::{document, ingestion, lesson, source, version};
use store::{Store, testing};

use crate::Small;

const NONCE: &str = "a-secret-of-this-session";

/// A package of two items, the first of two pages, the second played as H5P is, in a published course; and a page
/// that is no package.
struct Packaged {
    small: Small,
    course: CourseId,
    lessons: Vec<LessonId>,
    plain: LessonId,
    ada: Actor,
}

async fn packaged(store: Store, schema_version: &'static str) -> Packaged {
    let small = Small::new(store.clone()).await;
    let course = small.course("Golf", "published").await.id;
    let home = small.home;
    for (kind, name, extra) in [(SourceKind::Scorm, "golf.zip", true), (SourceKind::Dir, "notes", false)] {
        store
            .write(move |tx| {
                Box::pin(async move {
                    let source = source::find_or_create(tx, home, course, kind, name, name).await?;
                    let run = ingestion::create(tx, home, course, source, &json!({}), None).await?;
                    let report = json!({ "import": {
                        "version": schema_version, "schemaVersion": schema_version, "reportsCompletion": true,
                        "packageSha256": "ab12",
                    } });
                    let built = version::create(tx, home, source, "one", None, &report).await?;
                    ingestion::set_version(tx, home, run, built).await?;
                    let pages: &[(&str, &str)] = if extra {
                        &[("a.html", "one"), ("b.html", "one"), ("c.html", "two")]
                    } else {
                        &[("d.md", "")]
                    };
                    let mut lessons = Vec::new();
                    for (position, (path, item)) in (0..).zip(pages) {
                        let facts = json!({ "masteryScore": "80", "scaledPassingScore": "0.8" });
                        let new = NewDocument {
                            institution_id: home,
                            course_id: course,
                            version_id: built,
                            path: (*path).into(),
                            title: (*path).into(),
                            kind: if extra { DocumentKind::Scorm } else { DocumentKind::Markdown },
                            blob_sha256: String::new(),
                            extra: if extra {
                                json!({ "item": item, "launch": format!("{item}/start.html"), "parameters": "?x=1",
                                        "title": format!("Item {item}"), "facts": facts,
                                        "runtime": (*item == "two").then_some(H5P) })
                            } else {
                                json!({})
                            },
                            position,
                        };
                        let id = document::insert(tx, &new).await?;
                        document::set_chunked(tx, home, id, path, &[]).await?;
                        lessons.push(NewLesson {
                            title: (*path).into(),
                            kind: if extra { "INTERACTIVE" } else { "DOCUMENT" }.into(),
                            document_id: Some(id),
                            hidden: false,
                        });
                    }
                    let modules = [NewModule { title: name.into(), lessons }];
                    version::publish(tx, home, course, source, built, &modules).await?;
                    version::ready(tx, home, built, None).await?;
                    ingestion::finish(tx, home, run, Ended::Succeeded, None).await
                })
            })
            .await
            .unwrap();
    }
    let all = store.read(move |tx| Box::pin(lesson::in_course(tx, home, course, false))).await.unwrap();
    let mut lessons: Vec<LessonId> = all.iter().map(|lesson| lesson.id).collect();
    let plain = lessons.pop().unwrap();
    small.user("ada").await;
    small.school.enrollment().enrol(&small.acting("ada").await, course, None).await.unwrap();
    let ada = small.acting("ada").await;
    Packaged { small, course, lessons, plain, ada }
}

fn opening() -> Opening {
    Opening { nonce: NONCE.into(), ..Opening::default() }
}

fn batch(opened: &Opened, sequence: i64, values: &[(&str, &str)], terminate: bool) -> Batch {
    let values = values.iter().map(|(element, value)| Set { element: (*element).into(), value: (*value).into() });
    Batch {
        key: format!("{}-{}", opened.attempt.revision, sequence),
        nonce: NONCE.into(),
        revision: opened.attempt.revision,
        sequence,
        values: values.collect(),
        terminate,
    }
}

impl Packaged {
    async fn open(&self, lesson: usize) -> Opened {
        self.small.school.scorm().open(&self.ada, self.lessons[lesson], opening()).await.unwrap()
    }

    async fn types(&self) -> Vec<String> {
        let sql = "SELECT event_type FROM events WHERE event_type LIKE 'scorm.%' ORDER BY seq";
        let rows = testing::query(self.small.school.store(), sql).await.unwrap();
        rows.iter().map(|row| row["event_type"].as_str().unwrap().to_owned()).collect()
    }

    /// Nothing that `lyceum verify` looks for is broken by what happened here.
    async fn sound(&self) {
        let blobs = store::blob::LocalBlobs::new(&self.small.school.store().options().data_dir);
        let found = store::verify::verify(self.small.school.store(), &blobs, None).await.unwrap();
        let found: Vec<String> =
            found.iter().map(|one| format!("{one:?}")).filter(|one| one.contains("scorm")).collect();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

store::both_databases!(a_learner_leaves_comes_back_and_passes, |store| async move {
    let at = packaged(store, "1.2").await;
    let scorm = at.small.school.scorm();
    let first = at.open(0).await;
    assert_eq!((first.attempt.edition, first.attempt.number, first.attempt.revision), (Edition::V12, 1, 1));
    let launch = &first.launch;
    assert_eq!((launch.path.as_str(), launch.parameters.as_deref()), ("one/start.html", Some("?x=1")));
    assert_eq!(launch.package_sha256.as_deref(), Some("ab12"));
    let items: Vec<(&str, usize)> = launch.items.iter().map(|one| (one.title.as_str(), one.lessons.len())).collect();
    assert_eq!(items, [("Item one", 2), ("Item two", 1)]);
    assert_eq!(first.values["cmi.core.entry"], "ab-initio");
    assert_eq!(first.values["cmi.student_data.mastery_score"], "80");

    let values = [("cmi.core.lesson_location", "5"), ("cmi.core.student_id", "root"), ("cmi.suspend_data", "abc")];
    let done = scorm.commit(&at.ada, first.attempt.id, batch(&first, 1, &values, false)).await.unwrap();
    assert_eq!((done.kept, done.refused.len(), done.state), (2, 1, State::Running));
    assert_eq!((done.refused[0].index, done.refused[0].code), (1, 403));
    let card = scorm.finish(&at.ada, first.attempt.id, 1, NONCE.into()).await.unwrap();
    assert_eq!((card.state, card.ended_at), (State::Terminated, None));
    let again = scorm.finish(&at.ada, first.attempt.id, 1, NONCE.into()).await.unwrap();
    assert_eq!(again, card, "leaving twice is leaving once");

    // Another page of the same item is the same attempt.
    let second = at.open(1).await;
    assert_eq!((second.attempt.id, second.attempt.revision), (first.attempt.id, 2));
    assert_eq!(second.values["cmi.core.entry"], "resume");
    assert_eq!(second.values["cmi.core.lesson_location"], "5");
    let values = [("cmi.core.score.raw", "85"), ("cmi.core.session_time", "00:10:00"), ("cmi.core.exit", "")];
    let done = scorm.commit(&at.ada, second.attempt.id, batch(&second, 1, &values, true)).await.unwrap();
    assert_eq!((done.standing.completion, done.standing.success), (Completion::Completed, Success::Passed));
    assert_eq!(done.standing.scaled, Some(0.85));

    let own = at.small.school.enrollment().in_course(&at.ada, at.course, None, 10).await.unwrap();
    let seen = at.small.school.enrollment().seen(&at.ada, own[0].id).await.unwrap();
    let mut completed: Vec<LessonId> = seen.iter().filter(|one| one.completed).map(|one| one.lesson_id).collect();
    completed.sort();
    let mut expected = at.lessons[..2].to_vec();
    expected.sort();
    assert_eq!(completed, expected, "both pages of the item, not the other item");
    assert!((own[0].progress - 50.0).abs() < 1e-6, "two of four lessons: {}", own[0].progress);

    let results = scorm.results(&at.ada, at.course, None, 10).await.unwrap();
    assert_eq!(results.score_source, SCORE_SOURCE);
    assert_eq!(results.attempts.len(), 1);
    assert_eq!((results.attempts[0].raw, results.attempts[0].total_time_seconds), (Some(85.0), 600));
    let trace = scorm.trace(&at.ada, first.attempt.id).await.unwrap();
    assert_eq!((trace.commits.len(), trace.complete, trace.agrees), (3, true, Some(true)));
    assert_eq!(trace.values["cmi.suspend_data"], "abc");
    let expected =
        ["scorm.started", "scorm.committed", "scorm.suspended", "scorm.resumed", "scorm.suspended"].map(str::to_owned);
    assert_eq!(at.types().await, expected);
    at.sound().await;
});

store::both_databases!(an_attempt_of_2004_that_ended_is_followed_by_another, |store| async move {
    let at = packaged(store, "2004 3rd Edition").await;
    let scorm = at.small.school.scorm();
    let first = at.open(2).await;
    assert_eq!((first.attempt.edition, first.attempt.item.as_str()), (Edition::V2004Third, "two"));
    assert_eq!(first.values["cmi.scaled_passing_score"], "0.8");
    let values = [("cmi.score.scaled", "0.5"), ("cmi.completion_status", "completed"), ("cmi.exit", "normal")];
    let done = scorm.commit(&at.ada, first.attempt.id, batch(&first, 1, &values, true)).await.unwrap();
    assert!(done.ended);
    assert_eq!(done.standing.success, Success::Failed, "the passing score decides, not the script");
    let late = scorm.commit(&at.ada, first.attempt.id, batch(&first, 2, &[], false)).await.unwrap_err();
    assert_eq!((late.kind, late.code.as_str()), (ErrorKind::Conflict, ENDED));
    let second = at.open(2).await;
    assert_eq!((second.attempt.number, second.attempt.revision), (2, 1));
    assert_ne!(second.attempt.id, first.attempt.id);
    assert_eq!(second.values["cmi.entry"], "ab-initio");
    // A learner may begin anew although the attempt goes on.
    let restart = Opening { restart: true, ..opening() };
    let third = scorm.open(&at.ada, at.lessons[2], restart).await.unwrap();
    assert_eq!(third.attempt.number, 3);
    let lost = scorm.commit(&at.ada, second.attempt.id, batch(&second, 1, &[], false)).await.unwrap_err();
    assert_eq!(lost.code, ENDED);
    assert_eq!(scorm.results(&at.ada, at.course, None, 10).await.unwrap().attempts.len(), 3);
    at.sound().await;
});

store::both_databases!(batches_that_waited_offline_arrive_in_order_and_once, |store| async move {
    let at = packaged(store, "2004 4th Edition").await;
    let scorm = at.small.school.scorm();
    let opened = at.open(0).await;
    let id = opened.attempt.id;
    let waiting: Vec<Batch> =
        (1..=5).map(|number| batch(&opened, number, &[("cmi.location", &format!("page {number}"))], false)).collect();
    let code = async |batch: &Batch| scorm.commit(&at.ada, id, batch.clone()).await.unwrap_err().code;
    assert_eq!(code(&waiting[2]).await, OUT_OF_ORDER);
    let mut answers = Vec::new();
    for batch in &waiting {
        answers.push(scorm.commit(&at.ada, id, batch.clone()).await.unwrap());
    }
    // The answers were lost on the way, and the player sends everything again.
    for (batch, answer) in waiting.iter().zip(&answers) {
        assert_eq!(scorm.commit(&at.ada, id, batch.clone()).await.unwrap(), *answer);
    }
    let forged =
        Batch { values: vec![Set { element: "cmi.location".into(), value: "1".into() }], ..waiting[0].clone() };
    assert_eq!(code(&forged).await, KEY_REUSED);
    let trace = scorm.trace(&at.ada, id).await.unwrap();
    assert_eq!((trace.commits.len(), trace.agrees), (5, Some(true)));
    assert_eq!(trace.attempt.standing.bookmark.as_deref(), Some("page 5"));

    // Opened in a second window: the first one is told, nothing of it is mixed in.
    let (first, second) = (at.open(0).await, at.open(0).await);
    assert_eq!(second.attempt.revision, first.attempt.revision + 1);
    assert_eq!(code(&batch(&first, 1, &[("cmi.location", "9")], false)).await, OTHER_SESSION);
    let forged = Batch { nonce: "some-other-secret".into(), ..batch(&second, 1, &[], false) };
    assert_eq!(code(&forged).await, OTHER_SESSION);
});

store::both_databases!(batches_at_the_same_moment_have_one_effect_each, |store| async move {
    let at = packaged(store, "1.2").await;
    let opened = at.open(0).await;
    let sent = batch(&opened, 1, &[("cmi.comments", "once")], false);
    let tries = (0..6).map(|_| {
        let (school, ada, sent, id) = (at.small.school.clone(), at.ada.clone(), sent.clone(), opened.attempt.id);
        async move { school.scorm().commit(&ada, id, sent).await }
    });
    let answers = futures::future::join_all(tries).await;
    assert!(answers.iter().any(Result::is_ok));
    for answer in &answers {
        assert!(answer.as_ref().err().is_none_or(|error| error.kind == ErrorKind::Conflict), "{answer:?}");
    }
    let trace = at.small.school.scorm().trace(&at.ada, opened.attempt.id).await.unwrap();
    assert_eq!((trace.values["cmi.comments"].as_str(), trace.commits.len()), ("once", 1));
});

store::both_databases!(an_attempt_is_its_learners_and_its_trace_the_teachers_too, |store| async move {
    let at = packaged(store, "1.2").await;
    let scorm = at.small.school.scorm();
    let opened = at.open(0).await;
    let sent = batch(&opened, 1, &[("cmi.core.score.raw", "10")], false);
    scorm.commit(&at.ada, opened.attempt.id, sent.clone()).await.unwrap();
    for (name, role) in [("grace", Role::Instructor), ("tess", Role::TeachingAssistant), ("bob", Role::Learner)] {
        let user = at.small.user(name).await;
        if role == Role::Learner {
            at.small.school.enrollment().enrol(&at.small.acting(name).await, at.course, None).await.unwrap();
        } else {
            let grant = Grant { role, scope: Scope::Course(at.course) };
            at.small.school.role().grant(&at.small.operator, user.id, grant).await.unwrap();
        }
        let acting = at.small.acting(name).await;
        let refused = scorm.commit(&acting, opened.attempt.id, sent.clone()).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::NotFound, "{name}");
        let teaches = role != Role::Learner;
        assert_eq!(scorm.trace(&acting, opened.attempt.id).await.is_ok(), teaches, "{name}");
        let results = scorm.results(&acting, at.course, None, 10).await.unwrap();
        assert_eq!(results.attempts.len(), usize::from(teaches), "{name}");
        let own = scorm.open(&acting, at.lessons[0], opening()).await.unwrap();
        assert_eq!((own.attempt.preview, own.attempt.number), (teaches, 1), "{name}");
        let mode = if teaches { "browse" } else { "normal" };
        assert_eq!(own.values["cmi.core.lesson_mode"], mode, "{name}");
    }
    // Previews are in nobody's results.
    let grace = at.small.acting("grace").await;
    let results = scorm.results(&grace, at.course, None, 10).await.unwrap();
    assert_eq!(results.attempts.len(), 2, "ada and bob");

    at.small.user("eve").await;
    let eve = at.small.acting("eve").await;
    assert!(scorm.open(&eve, at.lessons[0], opening()).await.is_err());
    assert!(scorm.results(&eve, at.course, None, 10).await.is_err());
    let guest = Actor::guest(at.small.home);
    let refused = scorm.open(&guest, at.lessons[0], opening()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unauthorized);
    let refused = scorm.open(&at.ada, at.plain, opening()).await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Conflict, NO_PACKAGE));
    let weak = Opening { nonce: "short".into(), ..Opening::default() };
    assert_eq!(scorm.open(&at.ada, at.lessons[0], weak).await.unwrap_err().kind, ErrorKind::ValidationError);

    // Who leaves the course takes no more part in it.
    let own = at.small.school.enrollment().in_course(&at.ada, at.course, None, 10).await.unwrap();
    at.small.school.enrollment().drop(&at.small.operator, own[0].id).await.unwrap();
    let ada = at.small.acting("ada").await;
    assert!(scorm.commit(&ada, opened.attempt.id, batch(&opened, 2, &[], false)).await.is_err());
});

store::both_databases!(what_cannot_be_played_begins_no_attempt, |store| async move {
    let at = packaged(store, "1.2").await;
    let scorm = at.small.school.scorm();
    let without = || Opening { h5p_refused: Some(Error::new(ErrorKind::Conflict, "no player")), ..opening() };
    assert_eq!(scorm.open(&at.ada, at.lessons[2], without()).await.unwrap_err().message, "no player");
    assert!(at.types().await.is_empty());
    scorm.open(&at.ada, at.lessons[0], without()).await.unwrap();
    scorm.open(&at.ada, at.lessons[2], opening()).await.unwrap();
    assert_eq!(at.types().await.len(), 2);
});

store::both_databases!(a_trace_is_bounded_and_says_so, |store| async move {
    let at = packaged(store, "2004 4th Edition").await;
    let scorm = at.small.school.scorm();
    let opened = at.open(0).await;
    let long = "x".repeat(60_000);
    for number in 1..=10 {
        let values: Vec<(String, &str)> =
            (0..15).map(|index| (format!("cmi.comments_from_learner.{index}.comment"), long.as_str())).collect();
        let values: Vec<(&str, &str)> = values.iter().map(|(element, value)| (element.as_str(), *value)).collect();
        let done = scorm.commit(&at.ada, opened.attempt.id, batch(&opened, number, &values, false)).await.unwrap();
        assert!(done.refused.is_empty());
    }
    let trace = scorm.trace(&at.ada, opened.attempt.id).await.unwrap();
    assert!((5..10).contains(&trace.commits.len()), "{} of 10 batches of 900 kB in 8 MiB", trace.commits.len());
    assert_eq!((trace.complete, trace.agrees), (false, None));
    assert_eq!(trace.commits.last().unwrap().sequence, 10);
});
