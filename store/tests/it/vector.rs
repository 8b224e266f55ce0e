//! The scan over rows: the suite of the port, what it keeps in memory, and sentences.

use domain::{ChunkId, CourseId};
use store::vector::suite::{self, MODEL, Page, vector};
use store::vector::{ExactScan, VectorIndex as _};
use store::{Scope, both_databases};

both_databases!(the_scan_holds_to_the_suite, |store| async move {
    suite::holds(&store, &ExactScan::new(store.clone())).await;
});

both_databases!(a_scan_that_can_keep_nothing_holds_to_the_suite, |store| async move {
    suite::holds(&store, &ExactScan::with_memory(store.clone(), 0)).await;
});

both_databases!(sentences_are_scored_in_their_order, |store| async move {
    let scan = ExactScan::new(store.clone());
    let (institution, course) = suite::course(&store).await;
    let planted = suite::plant(&store, &scan, institution, course, "one", &suite::pages()).await;
    let query = vector("They do not grow back.", 0);
    let scores = scan.sentence_scores(&planted.scope(), MODEL, &query).await.unwrap();
    assert_eq!(scores.len(), 4, "hidden passages are not for learners");
    let of_hair_cells = &scores[&planted.chunks[3]];
    assert_eq!(of_hair_cells.len(), 2);
    assert!((of_hair_cells[1] - 1.0).abs() < 1e-4 && of_hair_cells[0] < 0.9);
});

both_databases!(a_lesson_hidden_later_is_gone_at_once, |store| async move {
    let scan = ExactScan::new(store.clone());
    let (institution, course) = suite::course(&store).await;
    let planted = suite::plant(&store, &scan, institution, course, "one", &suite::pages()).await;
    let query = vector("Frequency counts cycles in a second.", 0);
    let ids = async |scope: Scope| -> Vec<ChunkId> {
        scan.search(&scope, MODEL, &query, 9).await.unwrap().iter().map(|hit| hit.chunk_id).collect()
    };
    assert!(ids(planted.scope()).await.contains(&planted.chunks[1]));
    let hide = "UPDATE lessons SET hidden = (1 = 1) WHERE title = 'waves.md'";
    store::testing::execute(&store, hide).await.unwrap();
    assert!(!ids(planted.scope()).await.contains(&planted.chunks[1]));
    assert!(ids(Scope { hidden: true, ..planted.scope() }).await.contains(&planted.chunks[1]));
});

both_databases!(course_vectors_are_kept_until_rows_change, |store| async move {
    let scan = ExactScan::new(store.clone());
    let (institution, course) = suite::course(&store).await;
    let pages = [Page::new("a.md", &["One passage."]), Page::new("b.md", &["Another passage."])];
    let planted = suite::plant(&store, &scan, institution, course, "one", &pages).await;
    let first = scan.course_vectors(&planted.scope(), MODEL).await.unwrap();
    let second = scan.course_vectors(&planted.scope(), MODEL).await.unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &second), "unchanged rows were read again");
    assert_eq!((first.len(), first.dimension(), first.ids()), (2, suite::DIMENSION, planted.chunks.as_slice()));
    suite::plant(&store, &scan, institution, course, "two", &[Page::new("c.md", &["A third."])]).await;
    assert_eq!(scan.course_vectors(&planted.scope(), MODEL).await.unwrap().len(), 3);
    let nobody = Scope { course: CourseId::fresh(), ..planted.scope() };
    assert!(scan.course_vectors(&nobody, MODEL).await.unwrap().is_empty());
});
