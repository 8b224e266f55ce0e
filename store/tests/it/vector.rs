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
    assert_eq!(of_hair_cells.len(), 3, "two sentences, and the heading after them");
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

/// A book: 2,500 passages of eight sentences under a model of 384 numbers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, run by hand"]
async fn measure_a_book() {
    let fresh = store::testing::sqlite().await;
    let store = fresh.store.clone();
    let (institution, course) = suite::course(&store).await;
    let sentence = "Ownership rules memory and a borrow lends a value of this kind to one function after another.";
    let pages: Vec<Page> = (0..100)
        .map(|page| {
            let passages: Vec<String> = (0..25)
                .map(|part| (0..8).map(|at| format!("{sentence} Topic{page} p{part} s{at} ")).collect())
                .collect();
            let passages: Vec<&str> = passages.iter().map(String::as_str).collect();
            Page::new(&format!("page{page}.md"), &passages)
        })
        .collect();
    let clock = std::time::Instant::now();
    let planted = suite::build(&store, institution, course, "one", &pages).await;
    println!("chunks written: {:?}", clock.elapsed());
    let clock = std::time::Instant::now();
    suite::publish(&store, &planted, &pages).await;
    println!("published: {:?}", clock.elapsed());
    let number =
        |seed: usize| (0..384).map(|at| ((seed * 31 + at * 17) % 97) as f32 / 97.0 - 0.5).collect::<Vec<f32>>();
    let clock = std::time::Instant::now();
    for first in (0..planted.chunks.len()).step_by(32) {
        let new: Vec<store::sql::embedding::NewEmbedding> = (first..planted.chunks.len().min(first + 32))
            .map(|at| store::sql::embedding::NewEmbedding {
                chunk_id: planted.chunks[at],
                content_hash: format!("h{at}"),
                vector: number(at),
                sentences: (0..8).map(|s| number(at * 8 + s)).collect(),
            })
            .collect();
        let version = planted.version;
        store
            .write(move |tx| {
                Box::pin(async move {
                    store::sql::embedding::insert_many(tx, institution, course, version, MODEL, &new).await
                })
            })
            .await
            .unwrap();
    }
    println!("vectors written, 32 a commit: {:?}", clock.elapsed());
    let scan = ExactScan::new(store.clone());
    let scope = planted.scope();
    for _ in 0..3 {
        let clock = std::time::Instant::now();
        scan.search(&scope, MODEL, &number(7), 20).await.unwrap();
        let nearest = clock.elapsed();
        let clock = std::time::Instant::now();
        scan.sentence_scores(&scope, MODEL, &number(7)).await.unwrap();
        let sentences = clock.elapsed();
        let clock = std::time::Instant::now();
        let words = store
            .read(move |tx| {
                Box::pin(async move {
                    store::sql::search::keyword(tx, &scope, "How does ownership of memory work in topic7?", 20).await
                })
            })
            .await
            .unwrap();
        println!(
            "nearest {nearest:?}, sentences {sentences:?}, keywords {:?} ({} hits)",
            clock.elapsed(),
            words.hits.len()
        );
    }
    let changed = [Page::new("page1.md", &["Other."])];
    let second = suite::build(&store, institution, course, "one", &changed).await;
    let clock = std::time::Instant::now();
    suite::publish(&store, &second, &changed).await;
    println!("superseded and deleted: {:?}", clock.elapsed());
    fresh.close().await;
}
