//! Keyword search: one ranking on both databases, exact counts, and questions that look like syntax.

use store::sql::search::{Keywords, keyword};
use store::vector::ExactScan;
use store::vector::suite::{self, Page};
use store::{Scope, Store, both_databases};

async fn search(store: &Store, scope: Scope, question: &str, limit: usize) -> Keywords {
    let question = question.to_owned();
    store.read(move |tx| Box::pin(async move { keyword(tx, &scope, &question, limit).await })).await.unwrap()
}

/// A corpus of pseudo-random passages over a small vocabulary, so that scores tie and terms repeat.
fn corpus() -> Vec<Page> {
    const WORDS: [&str; 24] = [
        "ownership",
        "borrow",
        "lifetime",
        "trait",
        "vector",
        "string",
        "closure",
        "iterator",
        "module",
        "crate",
        "thread",
        "channel",
        "mutex",
        "pattern",
        "match",
        "enum",
        "struct",
        "generic",
        "macro",
        "cargo",
        "naïve",
        "read_line",
        "日本語",
        "x9",
    ];
    let mut state = 7_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    (0..40)
        .map(|page| {
            let passages: Vec<String> = (0..5)
                .map(|_| {
                    (0..4 + next(40)).map(|_| WORDS[next(WORDS.len()) * next(24) / 24]).collect::<Vec<_>>().join(" ")
                })
                .collect();
            let passages: Vec<&str> = passages.iter().map(String::as_str).collect();
            Page::new(&format!("Page-{:02}_{page}.md", (page * 7) % 40), &passages)
        })
        .collect()
}

/// Hits as what they stand for: ids differ from store to store.
async fn ranking(store: &Store) -> Vec<Vec<(String, u64)>> {
    let (institution, course) = suite::course(store).await;
    let scan = ExactScan::new(store.clone());
    let planted = suite::plant(store, &scan, institution, course, "one", &corpus()).await;
    // The same words in another institution must not move a count.
    let (other, other_course) = suite::course(store).await;
    suite::plant(store, &scan, other, other_course, "one", &corpus()[..9]).await;
    let mut rankings = Vec::new();
    for question in [
        "ownership",
        "How do I borrow a vector?",
        "macro cargo x9",
        "read_line",
        "naive 日本語",
        "generic generic closure",
        "trait string closure iterator module crate thread channel",
        "unknownword ownership",
    ] {
        let found = search(store, planted.scope(), question, 50).await;
        rankings.push(
            found
                .hits
                .iter()
                .map(|hit| {
                    let place = planted.chunks.iter().position(|id| *id == hit.chunk_id).unwrap();
                    (format!("{place} {:?}", hit.matched), hit.score.to_bits())
                })
                .collect(),
        );
    }
    rankings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_rank_alike_to_the_last_bit() {
    let sqlite = store::testing::sqlite().await;
    let embedded = ranking(&sqlite.store).await;
    sqlite.close().await;
    assert!(embedded.iter().all(|ranking| !ranking.is_empty()));
    if let Some(postgres) = store::testing::postgres().await {
        assert_eq!(embedded, ranking(&postgres.store).await);
        postgres.close().await;
    }
}

both_databases!(scores_are_the_textbook_bm25, |store| async move {
    let (institution, course) = suite::course(&store).await;
    let pages = [Page::new("a.md", &["wave wave sound", "ear", "wave ear canal bone"])];
    let planted = suite::plant(&store, &ExactScan::new(store.clone()), institution, course, "one", &pages).await;
    let found = search(&store, planted.scope(), "Waves, quasars", 10).await;
    // Every passage also holds its heading's terms: "a" is a stop word, "md" is one.
    let (lengths, counts) = ([4.0, 2.0, 5.0], [2.0, 0.0, 1.0]);
    let average = 11.0 / 3.0;
    let idf = (1.0_f64 + (3.0 - 2.0 + 0.5) / 2.5).ln();
    let score = |at: usize| idf * counts[at] * 2.2 / (counts[at] + 1.2 * (0.25 + 0.75 * lengths[at] / average));
    assert_eq!(found.documents, 3);
    assert_eq!(found.hits.iter().map(|hit| hit.chunk_id).collect::<Vec<_>>(), [planted.chunks[0], planted.chunks[2]]);
    assert!((found.hits[0].score - score(0)).abs() < 1e-12 && (found.hits[1].score - score(2)).abs() < 1e-12);
    assert_eq!(found.hits[0].matched, ["wave"]);
    let unseen = (1.0_f64 + 3.5 / 0.5).ln();
    assert_eq!(found.query[0], ("wave".to_owned(), idf, true));
    assert_eq!(found.query[1], ("quasar".to_owned(), unseen, false));
});

both_databases!(equal_scores_are_ordered_by_path_then_line, |store| async move {
    let (institution, course) = suite::course(&store).await;
    // Bytewise, capitals come first: no collation of a database decides.
    let pages = [Page::new("b.md", &["sound", "sound"]), Page::new("Z.md", &["sound"]), Page::new("c.md", &["sound"])];
    let planted = suite::plant(&store, &ExactScan::new(store.clone()), institution, course, "one", &pages).await;
    let found = search(&store, planted.scope(), "sound", 10).await;
    let ids: Vec<_> = found.hits.iter().map(|hit| hit.chunk_id).collect();
    assert_eq!(ids, [planted.chunks[2], planted.chunks[0], planted.chunks[1], planted.chunks[3]]);
});

both_databases!(a_question_is_never_syntax, |store| async move {
    let (institution, course) = suite::course(&store).await;
    let pages = [Page::new("a.md", &["the terms of a course and the near or far"])];
    let planted = suite::plant(&store, &ExactScan::new(store.clone()), institution, course, "one", &pages).await;
    for question in [
        "\"",
        "\" OR course : \"",
        "terms : *",
        "NEAR(a b)",
        "* ^ - + ( ) { } [ ]",
        "a AND NOT b",
        "c' ; DROP TABLE chunks; --",
        "\u{0}\u{1}",
        "ⓐ ﷺ ½ \u{200d}",
        "",
        "   ",
        "the of and",
    ] {
        search(&store, planted.scope(), question, 10).await;
    }
    assert_eq!(
        search(&store, planted.scope(), "\" OR course : \"", 10).await.hits.len(),
        1,
        "\"course\" is a word like others"
    );
    let long = "word ".repeat(20_000) + &(0..5_000).map(|n| format!("w{n} ")).collect::<String>();
    assert_eq!(search(&store, planted.scope(), &long, 10).await.query.len(), 64);
});

both_databases!(hidden_lessons_are_neither_found_nor_counted, |store| async move {
    let (institution, course) = suite::course(&store).await;
    let planted =
        suite::plant(&store, &ExactScan::new(store.clone()), institution, course, "one", &suite::pages()).await;
    let learner = search(&store, planted.scope(), "exam loudness cochlea", 10).await;
    assert_eq!((learner.documents, learner.hits.len()), (4, 1));
    assert!(learner.query.iter().all(|(term, _, seen)| *seen == (term == "cochlea")));
    let teacher = search(&store, Scope { hidden: true, ..planted.scope() }, "exam loudness cochlea", 10).await;
    assert_eq!((teacher.documents, teacher.hits.len()), (6, 3));
});
