//! The AI switch of a course.

use std::time::{Duration, Instant};

use domain::ErrorKind;
use domain::user::{Grant, Role, Scope};
use school::School;
use store::testing;

use crate::Small;

store::both_databases!(a_switch_bites_at_once_here_and_within_five_seconds_elsewhere, |store| async move {
    let small = Small::new(store.clone()).await;
    let course = small.course("One", "published").await;
    let elsewhere = School::new(store.clone()).unwrap();
    for school in [&small.school, &elsewhere] {
        assert!(school.course_ai().enabled(small.home, course.id).await.unwrap(), "a course has its AI on");
    }
    small.school.course_ai().set(&small.operator, course.id, false).await.unwrap();
    assert!(!small.school.course_ai().enabled(small.home, course.id).await.unwrap());
    let refused = small.school.course_ai().check(small.home, course.id).await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Forbidden, school::course_ai::AI_OFF));
    let begun = Instant::now();
    while elsewhere.course_ai().enabled(small.home, course.id).await.unwrap() {
        assert!(begun.elapsed() < Duration::from_millis(5_200), "the switch does not bite");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    small.school.course_ai().set(&small.operator, course.id, false).await.unwrap();
    small.school.course_ai().set(&small.operator, course.id, true).await.unwrap();
    assert!(small.school.course_ai().get(&small.operator, course.id).await.unwrap());
    let sql = "SELECT payload FROM events WHERE event_type = 'course.ai_switched' ORDER BY seq";
    assert_eq!(testing::query(&store, sql).await.unwrap().len(), 2, "what changes nothing is no event");
});

store::both_databases!(an_instructor_switches_the_own_course_alone, |store| async move {
    let small = Small::new(store).await;
    let (one, two) = (small.course("One", "published").await, small.course("Two", "published").await);
    for (name, role) in [("grace", Role::Instructor), ("tess", Role::TeachingAssistant), ("ada", Role::Learner)] {
        let user = small.user(name).await;
        let grant = Grant { role, scope: Scope::Course(one.id) };
        small.school.role().grant(&small.operator, user.id, grant).await.unwrap();
        let acting = small.acting(name).await;
        let switched = small.school.course_ai().set(&acting, one.id, false).await;
        assert_eq!(switched.is_ok(), role == Role::Instructor, "{name}");
        assert!(small.school.course_ai().set(&acting, two.id, false).await.is_err(), "{name}");
        assert!(!small.school.course_ai().get(&acting, one.id).await.unwrap(), "who sees the course sees the switch");
    }
});
