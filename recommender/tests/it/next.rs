//! A new, a strong and a weak learner; who may see what; mastery and reviews from the log.

use domain::ErrorKind;
use domain::recommendation::{Item, MasteryModel, ReasonCode};

use recommender::review::Rating;

use crate::course::Taught;

fn codes(items: &[Item]) -> Vec<(String, ReasonCode)> {
    items.iter().map(|item| (item.title.clone(), item.reason.code)).collect()
}

store::both_databases!(
    a_new_learner_starts_at_the_beginning_and_sees_no_lesson_that_needs_another,
    |store| async move {
        let taught = Taught::new(store).await;
        taught.learner("ada").await;
        let ada = taught.acting("ada").await;
        let found = taught.recommender.recommend(&ada, taught.course, None, 5).await.unwrap();
        assert_eq!(found.user, ada.user_id);
        // "level" links back to "sound", "alias" to "sampling", "filter" to "alias".
        assert_eq!(
            codes(&found.items),
            [("sound".to_owned(), ReasonCode::StartHere), ("sampling".to_owned(), ReasonCode::NextInPath),]
        );
        let first = &found.items[0].reason;
        assert_eq!(first.numbers["lessons"], 5.0);
        assert!(first.text.starts_with("The first of 5 lessons"), "{}", first.text);
    }
);

store::both_databases!(a_strong_learner_goes_on_and_a_weak_one_goes_back, |store| async move {
    let taught = Taught::new(store).await;
    let strong = taught.learner("strong").await;
    let weak = taught.learner("weak").await;
    for who in [&strong, &weak] {
        taught.read(who, 0).await;
    }
    for question in ["q1", "q2", "q3", "q4", "q5"] {
        taught.answered(&strong.0, 0, question, true).await;
        taught.answered(&weak.0, 0, question, question == "q1").await;
    }
    let of = async |name: &str| {
        let actor = taught.acting(name).await;
        taught.recommender.recommend(&actor, taught.course, None, 5).await.unwrap().items
    };
    let items = of("strong").await;
    assert!(items.iter().any(|item| item.title == "level" && item.reason.code == ReasonCode::NextInPath), "{items:?}");
    assert!(items.iter().all(|item| item.reason.code != ReasonCode::WeakConcept));
    let items = of("weak").await;
    assert_eq!(codes(&items)[0], ("sound".to_owned(), ReasonCode::WeakConcept));
    assert!(items.iter().all(|item| item.title != "level"), "what builds on a weak lesson waits: {items:?}");
    let why = &items[0].reason;
    assert_eq!((why.numbers["missed"], why.numbers["answers"]), (4.0, 5.0));
    assert!(why.text.contains("missed 4 of 5 questions") && why.text.contains("amplitude"), "{}", why.text);

    let rows = taught.recommender.mastery(&taught.acting("weak").await, taught.course, None).await.unwrap();
    let whole = rows.iter().find(|row| row.whole_lesson && row.concept == "sound").unwrap();
    assert_eq!((whole.answers, whole.correct, whole.model), (5, 1, MasteryModel::Logistic));
    assert!(whole.mastery < 0.3 && whole.last_answered_at.is_some());
    assert!(rows.iter().any(|row| !row.whole_lesson && row.concept == "amplitude" && row.answers == 5));
    assert_eq!(rows.iter().find(|row| row.concept == "alias.md" || row.concept == "alias").unwrap().answers, 0);
});

store::both_databases!(what_was_answered_long_ago_is_due, |store| async move {
    let taught = Taught::new(store.clone()).await;
    let ada = taught.learner("ada").await;
    for lesson in 0..5 {
        taught.read(&ada, lesson).await;
    }
    taught.answered(&ada.0, 2, "q1", true).await;
    taught.answered(&ada.0, 2, "q2", true).await;
    let actor = taught.acting("ada").await;
    let items = taught.recommender.recommend(&actor, taught.course, None, 5).await.unwrap().items;
    assert!(items.is_empty(), "all is read, nothing is weak and nothing is due: {items:?}");
    let month = 40_i64 * 86_400_000_000;
    let sql = format!("UPDATE events SET created_at = created_at - {month} WHERE event_type = 'quiz.answered'");
    store::testing::execute(&store, &sql).await.unwrap();
    let items = taught.recommender.recommend(&actor, taught.course, None, 5).await.unwrap().items;
    assert_eq!(codes(&items), [("sampling".to_owned(), ReasonCode::DueReview)]);
    let numbers = &items[0].reason.numbers;
    assert!(numbers["due"] == 2.0 && numbers["overdueDays"] > 30.0 && numbers["recall"] < 0.9, "{numbers:?}");
});

store::both_databases!(another_learners_record_is_refused_and_a_teacher_sees_figures_only, |store| async move {
    let taught = Taught::new(store).await;
    let ada = taught.learner("ada").await;
    taught.learner("mate").await;
    let teacher = taught.teacher("grace").await;
    let mate = taught.acting("mate").await;
    let recommender = &taught.recommender;
    let refused = recommender.recommend(&mate, taught.course, Some(ada.0.id), 5).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);
    let refused = recommender.mastery(&mate, taught.course, Some(ada.0.id)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    let refused = recommender.recommend(&teacher, taught.course, Some(ada.0.id), 5).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    assert_eq!(recommender.mastery(&teacher, taught.course, Some(ada.0.id)).await.unwrap().len(), 5);
    let operator = recommender.recommend(&taught.operator(), taught.course, Some(ada.0.id), 5).await.unwrap();
    assert_eq!(operator.user, Some(ada.0.id));

    for number in 0..4 {
        let one = taught.learner(&format!("l{number}")).await;
        taught.answered(&one.0, 1, "q1", false).await;
        taught.answered(&one.0, 1, "q2", false).await;
    }
    let figures = recommender.recommend(&teacher, taught.course, None, 5).await.unwrap();
    assert!(figures.items.is_empty() && figures.user.is_none(), "four learners are too few to speak of");
    taught.answered(&ada.0, 1, "q1", true).await;
    let figures = recommender.recommend(&teacher, taught.course, None, 5).await.unwrap();
    assert_eq!(codes(&figures.items), [("level".to_owned(), ReasonCode::ClassNeeds)]);
    assert_eq!(figures.items[0].reason.numbers["weak"], 4.0);
    assert_eq!(figures.items[0].reason.numbers["learners"], 5.0);
});

store::both_databases!(a_learner_reviews_what_was_answered_and_nothing_else, |store| async move {
    let taught = Taught::new(store.clone()).await;
    let ada = taught.learner("ada").await;
    taught.learner("mate").await;
    taught.answered(&ada.0, 0, "q1", false).await;
    let sql = "UPDATE events SET created_at = created_at - 172800000000 WHERE event_type = 'quiz.answered'";
    store::testing::execute(&store, sql).await.unwrap();
    let (actor, mate) = (taught.acting("ada").await, taught.acting("mate").await);
    let (due, waiting) = taught.recommender.due(&actor).await.unwrap();
    assert_eq!((due.len(), waiting, due[0].question.as_str(), due[0].lapses), (1, 0, "q1", 1));
    let done = taught.recommender.review(&actor, "q1", Rating::Good).await.unwrap();
    assert_eq!((done.answers, done.lapses), (2, 1));
    let (due, waiting) = taught.recommender.due(&actor).await.unwrap();
    assert_eq!((due.len(), waiting), (0, 1));
    assert_eq!(taught.recommender.review(&mate, "q1", Rating::Good).await.unwrap_err().kind, ErrorKind::NotFound);
    assert!(taught.recommender.due(&mate).await.unwrap().0.is_empty());
    let rows = taught.recommender.mastery(&actor, taught.course, None).await.unwrap();
    assert_eq!(rows.iter().find(|row| row.concept == "sound").unwrap().answers, 1, "a self-rating shows no mastery");
    let refused = taught.recommender.due(&taught.teacher("grace").await).await;
    assert!(refused.is_ok_and(|(due, _)| due.is_empty()), "whoever learns somewhere has reviews of their own");
});
