//! Use cases as the command line calls them: the operator, `--as USER`, and what both leave behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests may panic and tell figures"
)]

use domain::course::Course;
use domain::policy::{Action, Actor, Idempotency};
use domain::user::{Grant, Role, Scope, User};
use domain::{ErrorKind, InstitutionId};
use school::course::{CourseChange, NewCourse};
use school::institution::NewInstitution;
use school::user::{NewUser, UserQuery};
use school::{PasswordCost, School, SchoolOptions};
use store::{Store, testing};

mod api_key;
mod course_ai;
mod model_request;
mod quota;
mod scorm;
mod usage;

struct Small {
    school: School,
    home: InstitutionId,
    operator: Actor,
}

impl Small {
    async fn new(store: Store) -> Self {
        let cost = PasswordCost { memory_kib: 64, passes: 1, at_once: 2 };
        let school = School::with(store, SchoolOptions { password_cost: cost, ..SchoolOptions::default() }).unwrap();
        let nobody = Actor::operator(InstitutionId(uuid::Uuid::nil()));
        let new = NewInstitution { slug: "home".into(), name: "Home".into() };
        let home = school.institution().create(&nobody, new).await.unwrap().id;
        Self { school, home, operator: Actor::operator(home) }
    }

    async fn course(&self, title: &str, status: &str) -> Course {
        let new = NewCourse { title: title.into(), status: Some(status.into()), ..NewCourse::default() };
        self.school.course().create(&self.operator, self.home, new).await.unwrap()
    }

    async fn user(&self, name: &str) -> User {
        let new = NewUser { username: name.into(), ..NewUser::default() };
        self.school.user().create(&self.operator, self.home, new).await.unwrap()
    }

    async fn acting(&self, name: &str) -> Actor {
        self.school.session().impersonate(self.home, name).await.unwrap()
    }
}

store::both_databases!(a_slug_is_made_from_the_title_and_taken_once, |store| async move {
    let small = Small::new(store).await;
    assert_eq!(small.course("Rust, by Example!", "draft").await.slug, "rust-by-example");
    let again = NewCourse { title: "Rust by example".into(), ..NewCourse::default() };
    let refused = small.school.course().create(&small.operator, small.home, again).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict);
    let found = small.school.course().by_slug(&small.operator, small.home, "rust-by-example").await.unwrap();
    assert_eq!(found.title, "Rust, by Example!");
});

store::both_databases!(every_change_leaves_its_event_and_its_audit_entry, |store| async move {
    let small = Small::new(store.clone()).await;
    let course = small.course("One", "draft").await;
    let change = CourseChange { status: Some("published".into()), ..CourseChange::default() };
    small.school.course().update(&small.operator, course.id, change, Some(1)).await.unwrap();
    let user = small.user("ada").await;
    small.school.enrollment().enrol(&small.operator, course.id, Some(user.id)).await.unwrap();
    let types = testing::query(&store, "SELECT event_type FROM events ORDER BY seq").await.unwrap();
    let types: Vec<&str> = types.iter().map(|row| row["event_type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "institution.created",
            "course.created",
            "course.updated",
            "course.published",
            "user.created",
            "enrollment.created",
            "user.enrolled",
            "progress.initialized"
        ]
    );
    let trail = small.school.audit().list(&small.operator, small.home, None, 50).await.unwrap();
    assert_eq!(trail.len(), 5);
    assert!(trail.iter().all(|entry| entry.actor == "operator"));
});

store::both_databases!(a_refused_change_leaves_nothing, |store| async move {
    let small = Small::new(store.clone()).await;
    small.user("ada").await;
    let before = testing::dump(&store).await.unwrap();
    let ada = small.acting("ada").await;
    let new = NewCourse { title: "Mine".into(), ..NewCourse::default() };
    let refused = small.school.course().create(&ada, small.home, new).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    assert_eq!(before, testing::dump(&store).await.unwrap());
});

store::both_databases!(who_is_unenrolled_and_enrolled_again_keeps_the_enrolment, |store| async move {
    let small = Small::new(store).await;
    let course = small.course("One", "published").await;
    let user = small.user("ada").await;
    let first = small.school.enrollment().enrol(&small.acting("ada").await, course.id, None).await.unwrap();
    assert!(small.school.scope_for(&small.acting("ada").await, course.id, Action::TutorChat).await.is_ok());
    small.school.enrollment().drop(&small.operator, first.id).await.unwrap();
    let refused = small.school.scope_for(&small.acting("ada").await, course.id, Action::TutorChat).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden, "the card of an open course is still known");
    let again = small.school.enrollment().enrol(&small.operator, course.id, Some(user.id)).await.unwrap();
    assert_eq!((again.id, again.status.as_str()), (first.id, "enrolled"));
    assert!(small.school.scope_for(&small.acting("ada").await, course.id, Action::TutorChat).await.is_ok());
});

store::both_databases!(only_those_who_may_read_hidden_lessons_search_them, |store| async move {
    let small = Small::new(store).await;
    let course = small.course("One", "published").await;
    for (name, role) in [("ada", Role::Learner), ("grace", Role::Instructor)] {
        let user = small.user(name).await;
        let grant = Grant { role, scope: Scope::Course(course.id) };
        small.school.role().grant(&small.operator, user.id, grant).await.unwrap();
    }
    for (name, hidden) in [("ada", false), ("grace", true)] {
        let scope = small.school.scope_for(&small.acting(name).await, course.id, Action::TutorChat).await.unwrap();
        assert_eq!((scope.institution, scope.course, scope.hidden), (small.home, course.id, hidden), "{name}");
    }
});

store::both_databases!(a_key_of_the_operator_has_one_effect, |store| async move {
    let small = Small::new(store).await;
    let key = |hash: &str| Some(Idempotency { key: "k".into(), request_hash: hash.into() });
    let actor = Actor { idempotency: key("a"), ..small.operator.clone() };
    let new = || NewUser { username: "ada".into(), ..NewUser::default() };
    let first = small.school.user().create(&actor, small.home, new()).await.unwrap();
    let second = small.school.user().create(&actor, small.home, new()).await.unwrap();
    assert_eq!(first.id, second.id);
    let other = Actor { idempotency: key("b"), ..small.operator.clone() };
    let refused = small.school.user().create(&other, small.home, new()).await.unwrap_err();
    assert_eq!(refused.code, "IDEMPOTENCY_KEY_REUSED");
    let all = small.school.user().list(&small.operator, small.home, UserQuery::default()).await.unwrap();
    assert_eq!(all.len(), 1);
});

store::both_databases!(an_institution_is_found_without_its_name_only_when_it_is_alone, |store| async move {
    let small = Small::new(store).await;
    assert_eq!(small.school.institution().resolve(None).await.unwrap().id, small.home);
    let new = NewInstitution { slug: "second".into(), name: "Second".into() };
    small.school.institution().create(&small.operator, new).await.unwrap();
    assert_eq!(small.school.institution().resolve(None).await.unwrap_err().kind, ErrorKind::ValidationError);
    assert_eq!(small.school.institution().resolve(Some("home")).await.unwrap().id, small.home);
    assert_eq!(small.school.institution().resolve(Some("third")).await.unwrap_err().kind, ErrorKind::NotFound);
});
