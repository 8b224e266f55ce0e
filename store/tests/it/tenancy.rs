//! Two institutions with the same corpus and canaries: neither port ever yields a row of the other.

use std::collections::HashSet;

use domain::ChunkId;
use store::sql::chunk::by_ids;
use store::sql::search::keyword;
use store::vector::suite::{self, MODEL, Page, Planted, vector};
use store::vector::{ExactScan, VectorIndex as _};
use store::{Scope, Store, both_databases};

const CANARIES: usize = 200;
const CALLS: usize = 500;

/// The corpus is the same; only the canary's owner differs.
fn pages(owner: &str) -> Vec<Page> {
    (0..CANARIES / 4)
        .map(|page| {
            let passages: Vec<String> = (0..4)
                .map(|part| {
                    let number = page * 4 + part;
                    format!(
                        "Passage {number} tells how topic{} meets topic{}. The secret is canary{owner}{number}.",
                        number % 17,
                        number % 23
                    )
                })
                .collect();
            Page { path: format!("page{page}.md"), hidden: page % 10 == 9, passages }
        })
        .collect()
}

/// Scopes that mix what belongs to one institution with what belongs to the other.
fn mixed(a: &Planted, b: &Planted, call: usize) -> Scope {
    let hidden = call.is_multiple_of(2);
    match call % 3 {
        0 => Scope { institution: a.institution, course: b.course, hidden },
        1 => Scope { institution: b.institution, course: a.course, hidden },
        _ => Scope { institution: b.institution, course: b.course, hidden },
    }
}

async fn texts(store: &Store, scope: Scope, ids: Vec<ChunkId>) -> Vec<String> {
    let chunks = store.read(move |tx| Box::pin(async move { by_ids(tx, &scope, &ids).await })).await.unwrap();
    chunks.into_iter().map(|chunk| chunk.chunk.text).collect()
}

both_databases!(no_call_to_a_search_port_yields_a_foreign_row, |store| async move {
    let scan = ExactScan::new(store.clone());
    let (one, course_one) = suite::course(&store).await;
    let (two, course_two) = suite::course(&store).await;
    let a = suite::plant(&store, &scan, one, course_one, "same", &pages("a")).await;
    let b = suite::plant(&store, &scan, two, course_two, "same", &pages("b")).await;
    let of_a: HashSet<ChunkId> = a.chunks.iter().copied().collect();
    let (mut found, mut calls) = (0, 0);
    for call in 0..CALLS {
        // Everything asks for what is A's, in A's very words, with B's scope or a scope of both.
        let question =
            format!("canarya{} passage {call} topic{} topic{} secret", call % CANARIES, call % 17, call % 23);
        let scope = mixed(&a, &b, call);
        let asked = question.clone();
        let words = store.read(move |tx| Box::pin(async move { keyword(tx, &scope, &asked, 50).await })).await.unwrap();
        assert!(
            words.query.iter().all(|(term, _, seen)| !(*seen && term.starts_with("canarya"))),
            "a foreign term was counted"
        );
        let near = scan.search(&scope, MODEL, &vector(&question, 0), 50).await.unwrap();
        let ids: Vec<ChunkId> =
            words.hits.iter().map(|hit| hit.chunk_id).chain(near.iter().map(|hit| hit.chunk_id)).collect();
        assert!(ids.iter().all(|id| !of_a.contains(id)), "call {call} found a foreign passage");
        if scope.institution != b.institution || scope.course != b.course {
            assert!(ids.is_empty(), "call {call} found something in a course that is not the institution's");
        }
        // Ids that leaked some other way open nothing either.
        assert!(texts(&store, scope, a.chunks.clone()).await.is_empty());
        assert!(texts(&store, scope, ids).await.iter().all(|text| !text.contains("canarya")));
        found += words.hits.len() + near.len();
        calls += 2;
    }
    assert!(found > CALLS, "the searches found nothing at all");
    // The control: with its own scope each canary is found.
    for number in 0..CANARIES {
        let (scope, word) = (Scope { hidden: true, ..a.scope() }, format!("canarya{number}"));
        let own = store.read(move |tx| Box::pin(async move { keyword(tx, &scope, &word, 5).await })).await.unwrap();
        assert_eq!(own.hits.iter().map(|hit| hit.chunk_id).collect::<Vec<_>>(), [a.chunks[number]]);
    }
    println!("{calls} calls, {found} passages, 0 foreign");
});
