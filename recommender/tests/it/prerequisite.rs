//! Prerequisites: suggested from links and terms, an instructor's edits winning.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::ErrorKind;
use domain::course::Lesson;
use domain::recommendation::PrerequisiteOrigin;
use domain::{CourseId, DocumentId, InstitutionId, LessonId, ModuleId, SourceId};
use proptest::prelude::*;
use recommender::map::CourseMap;
use recommender::signal::State;
use recommender::{graph, rank};
use school::learning::Record;
use serde_json::json;
use store::sql::enrollment::Seen;
use store::sql::learning::{Deed, Edit, Page, Terms};

use crate::course::Taught;

store::both_databases!(links_back_and_terms_suggest_and_an_instructor_decides, |store| async move {
    let taught = Taught::new(store.clone()).await;
    let (teacher, course) = (taught.teacher("grace").await, taught.course);
    taught.learner("ada").await;
    let listed = async || taught.recommender.prerequisites(&taught.operator(), course).await.unwrap();
    let edges: Vec<_> = listed().await.iter().map(|one| (one.lesson, one.needs, one.origin, one.required)).collect();
    let lesson = |at: usize| taught.lessons[at];
    assert_eq!(
        edges,
        [
            (lesson(1), lesson(0), PrerequisiteOrigin::Link, true),
            (lesson(3), lesson(2), PrerequisiteOrigin::Link, true),
            (lesson(4), lesson(3), PrerequisiteOrigin::Link, true),
        ]
    );

    let learning = taught.school.learning();
    let away = Edit { lesson: lesson(1), needs: lesson(0), required: false };
    learning.set_prerequisite(&teacher, course, away).await.unwrap();
    let ahead = Edit { lesson: lesson(0), needs: lesson(4), required: true };
    learning.set_prerequisite(&teacher, course, ahead.clone()).await.unwrap();
    let circle = Edit { lesson: lesson(4), needs: lesson(0), required: true };
    let refused = learning.set_prerequisite(&teacher, course, circle).await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Conflict, "PREREQUISITE_CIRCLE"));
    let now: Vec<_> = listed().await.iter().map(|one| (one.lesson, one.needs, one.origin, one.required)).collect();
    assert!(now.contains(&(lesson(1), lesson(0), PrerequisiteOrigin::Instructor, false)));
    assert!(now.contains(&(lesson(0), lesson(4), PrerequisiteOrigin::Instructor, true)));

    let ada = taught.acting("ada").await;
    let refused = learning.set_prerequisite(&ada, course, ahead).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    let items = taught.recommender.recommend(&ada, course, None, 5).await.unwrap().items;
    assert!(items.iter().all(|item| item.lesson != lesson(0)), "the first lesson waits for the last: {items:?}");
    let events = "SELECT seq FROM events WHERE event_type = 'prerequisite.changed'";
    assert_eq!(store::testing::query(&store, events).await.unwrap().len(), 2);
});

fn lessons(count: u128) -> Vec<Lesson> {
    (1..=count)
        .map(|number| Lesson {
            id: LessonId(uuid::Uuid::from_u128(number)),
            institution_id: InstitutionId(uuid::Uuid::nil()),
            course_id: CourseId(uuid::Uuid::nil()),
            module_id: ModuleId(uuid::Uuid::nil()),
            document_id: None,
            title: format!("Lesson {number}"),
            kind: "DOCUMENT".into(),
            position: number as i64,
            hidden: false,
        })
        .collect()
}

fn map(lessons: &[Lesson]) -> CourseMap {
    let mut pages = Vec::new();
    let mut terms = Vec::new();
    for lesson in lessons {
        let document = DocumentId(lesson.id.0);
        let (source, path) = (SourceId(uuid::Uuid::nil()), format!("{}.md", lesson.position));
        pages.push(Page { lesson: lesson.id, document, source, path, notes: domain::document::Notes::default() });
        let words = format!("word{} shared word{}", lesson.position % 3, lesson.position % 5);
        terms.push(Terms { chunk: domain::ChunkId(lesson.id.0), document, terms: words });
    }
    CourseMap::new(lessons, &pages, &terms, None)
}

proptest! {
    #[test]
    fn no_item_has_an_unmet_prerequisite_and_each_has_a_reason(
        edits in proptest::collection::vec((0_usize..9, 0_usize..9), 0..25),
        read in proptest::collection::hash_set(0_usize..9, 0..9),
        answers in proptest::collection::vec((0_usize..9, any::<bool>(), 0_i64..60), 0..40),
        limit in 1_usize..9,
    ) {
        const DAY: i64 = 86_400_000_000;
        let lessons = lessons(9);
        let map = map(&lessons);
        let ids: Vec<LessonId> = lessons.iter().map(|lesson| lesson.id).collect();
        let edits: Vec<Edit> = edits.into_iter().filter(|(a, b)| a != b)
            .map(|(a, b)| Edit { lesson: ids[a], needs: ids[b], required: true }).collect();
        let needs: HashMap<LessonId, Vec<LessonId>> = graph::required(&graph::settled(&ids, &map.suggestions(), &edits));
        let seen = read.iter().map(|at| Seen { lesson_id: ids[*at], position: 1.0, completed: true }).collect();
        let mut at = 0;
        let deeds = answers.iter().map(|(lesson, correct, days)| {
            at += days * DAY;
            let payload = json!({ "questionId": format!("q{lesson}"), "lessonId": ids[*lesson], "correct": correct });
            Deed { event_type: "quiz.answered".into(), course: None, aggregate: String::new(), payload, at }
        }).collect();
        let now = at + 20 * DAY;
        let state = State::of(&map, &Record { seen, deeds, now });
        let items = rank::recommend(&map, &state, &needs, now, limit);
        prop_assert!(items.len() <= limit);
        let distinct: HashSet<LessonId> = items.iter().map(|item| item.lesson).collect();
        prop_assert_eq!(distinct.len(), items.len());
        for item in &items {
            prop_assert!(!item.reason.text.is_empty() && !item.reason.numbers.is_empty());
            for needed in needs.get(&item.lesson).into_iter().flatten() {
                prop_assert!(state.carries(map.at(*needed).unwrap()), "{item:?} needs {needed}");
            }
        }
        // Somebody who has something left to read is never left without a next step.
        let carried: BTreeMap<LessonId, bool> = ids.iter().map(|id| (*id, state.carries(map.at(*id).unwrap()))).collect();
        if carried.values().any(|carries| !carries) {
            prop_assert!(!items.is_empty());
        }
    }
}
