//! The usage ledger: nothing recorded is lost, and reports show what they may.

use domain::quota::Payer;
use domain::usage::{GroupBy, Sums, UsageRow};
use domain::user::{Grant, Role, Scope};
use domain::{CourseId, ErrorKind, UserId};
use school::usage::{Usage, UsageFilter};
use tokio_util::sync::CancellationToken;

use crate::Small;

fn row(small: &Small, course: Option<CourseId>, user: UserId, model: &str) -> UsageRow {
    let payer = Payer { institution: small.home, course, user: Some(user), key: None };
    let sums = Sums { requests: 1, prompt_tokens: 10, completion_tokens: 5, busy_ms: 100, ..Sums::default() };
    UsageRow { payer, feature: "tutor".into(), model: model.into(), sums }
}

fn by(by: GroupBy) -> UsageFilter {
    UsageFilter { by, ..UsageFilter::default() }
}

store::both_databases!(what_is_recorded_in_parallel_is_all_there_after_the_shutdown, |store| async move {
    let small = Small::new(store.clone()).await;
    let (course, user) = (small.course("One", "published").await, small.user("ada").await);
    let (usage, shutdown) = (Usage::new(store), CancellationToken::new());
    let running = tokio::spawn({
        let (usage, shutdown) = (usage.clone(), shutdown.clone());
        async move { usage.run(shutdown).await }
    });
    let recording: Vec<_> = (0..8)
        .map(|n| {
            let (usage, one) = (usage.clone(), row(&small, Some(course.id), user.id, &format!("m{}", n % 2)));
            tokio::spawn(async move {
                for _ in 0..500 {
                    usage.record(one.clone());
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for one in recording {
        one.await.unwrap();
    }
    shutdown.cancel();
    running.await.unwrap();
    assert_eq!(usage.lost(), 0);
    let usages = small.school.usage();
    let report = |filter| usages.report(&small.operator, small.home, filter);
    let whole = report(by(GroupBy::Institution)).await.unwrap();
    assert_eq!(whole.len(), 1);
    assert_eq!((whole[0].sums.requests, whole[0].sums.prompt_tokens), (4_000, 40_000));
    let models = report(by(GroupBy::Model)).await.unwrap();
    assert_eq!(models.iter().map(|line| line.sums.requests).collect::<Vec<_>>(), [2_000, 2_000]);
    let users = report(by(GroupBy::User)).await.unwrap();
    assert_eq!(users[0].name.as_deref(), Some("ada"));
    let days = report(by(GroupBy::Day)).await.unwrap();
    assert!(domain::usage::parse_day(&days[0].group).is_some(), "{}", days[0].group);
    let past = UsageFilter { to: Some(0), ..by(GroupBy::Day) };
    assert!(report(past).await.unwrap().is_empty());
});

store::both_databases!(instructors_see_their_courses_and_no_single_user, |store| async move {
    let small = Small::new(store.clone()).await;
    let (one, two) = (small.course("One", "published").await, small.course("Two", "published").await);
    let ada = small.user("ada").await;
    let grace = small.user("grace").await;
    let grant = Grant { role: Role::Instructor, scope: Scope::Course(one.id) };
    small.school.role().grant(&small.operator, grace.id, grant).await.unwrap();
    let usage = Usage::new(store);
    for course in [Some(one.id), Some(two.id), None] {
        usage.record(row(&small, course, ada.id, "m"));
    }
    usage.flush().await.unwrap();
    let acting = small.acting("grace").await;
    let seen = small.school.usage().report(&acting, small.home, by(GroupBy::Course)).await.unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].name.as_deref(), seen[0].sums.requests), (Some("one"), 1));
    let whole = small.school.usage().report(&acting, small.home, by(GroupBy::Institution)).await.unwrap();
    assert_eq!(whole[0].sums.requests, 1);
    let refused = small.school.usage().report(&acting, small.home, by(GroupBy::User)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    let other = UsageFilter { course: Some(two.id), ..by(GroupBy::Day) };
    let refused = small.school.usage().report(&acting, small.home, other).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);
    let learner = small.acting("ada").await;
    let refused = small.school.usage().report(&learner, small.home, by(GroupBy::Day)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
});
