//! Searching and answering without a chat model.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use assistant::{Assistant, Degraded};
use async_trait::async_trait;
use domain::tutor::{Mode, Outcome};
use domain::{ChunkId, CourseId, InstitutionId, LocatorKind, VersionId};
use store::vector::{Reconciled, VectorHit, VectorIndex};
use store::{Scope, Store};

use crate::fixture::{BREAD, bench, bench_with, chunks, publish, school};

store::both_databases!(the_course_is_quoted_with_its_exact_lines, |store| async move {
    let bench = bench(&store, None).await;
    let answer = bench.tutor.ask(&bench.scope, "How long do I knead dough by hand?").await.unwrap();
    assert_eq!((answer.outcome, answer.mode), (Outcome::Answered, Mode::Extract));
    assert!(answer.answer.contains("Knead by hand for 10 minutes"), "{answer:#?}");
    for citation in &answer.citations {
        let line = BREAD.lines().nth(usize::try_from(citation.locator.start).unwrap() - 1).unwrap();
        assert!(line.contains(&citation.quote), "{citation:?}");
        assert_eq!((citation.source_path.as_str(), citation.commit.as_deref()), ("bread.md", Some("0123abc")));
        assert!(citation.lesson_id.is_some());
    }
    assert!(answer.notices.iter().any(|notice| notice.starts_with("Offline mode: excerpts from your course.")));
    for (sentence, words) in answer.sentences.iter().zip(&answer.citations) {
        assert_eq!(sentence.text, words.quote);
    }
});

store::both_databases!(another_subject_is_declined_without_citations, |store| async move {
    let bench = bench(&store, None).await;
    let answer = bench.tutor.ask(&bench.scope, "Who commanded the fleet at the battle of Trafalgar?").await.unwrap();
    assert_eq!(answer.outcome, Outcome::Declined);
    assert_eq!(answer.answer, assistant::DECLINED);
    assert!(answer.citations.is_empty());
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_find_the_same() {
    let Some(postgres) = store::testing::postgres().await else { return };
    let sqlite = store::testing::sqlite().await;
    let mut found = Vec::new();
    for fresh in [&sqlite, &postgres] {
        let bench = bench(&fresh.store, None).await;
        let mut lines = Vec::new();
        for query in ["temperature of the oven", "flour and water", "how long does the dough rest"] {
            let hits = bench.tutor.search(&bench.scope, query, 10).await.unwrap();
            lines.extend(
                hits.into_iter().map(|hit| (hit.rank, format!("{:.4}", hit.score), hit.heading_path, hit.text)),
            );
        }
        found.push(lines);
    }
    assert_eq!(found[0], found[1]);
    assert!(found[0].len() >= 20);
    sqlite.close().await;
    postgres.close().await;
}

store::both_databases!(seconds_of_a_recording_are_those_of_the_sentence, |store| async move {
    let bench = bench_with(&store, None, BREAD, LocatorKind::Time).await;
    let answer = bench.tutor.ask(&bench.scope, "At what angle do I score the loaf?").await.unwrap();
    let cited = answer.citations.iter().find(|c| c.quote.contains("45 degrees")).unwrap();
    let line = i64::try_from(BREAD.lines().position(|l| l.contains("45 degrees")).unwrap()).unwrap() + 1;
    assert_eq!(cited.locator, domain::Locator::new(LocatorKind::Time, line * 10_000, line * 10_000 + 9_000));
});

store::both_databases!(without_a_model_keywords_answer_and_say_so, |store| async move {
    let (institution, course) = school(&store, "south").await;
    publish(&store, (institution, course), vec![("bread.md".into(), chunks(BREAD, LocatorKind::Lines))], false).await;
    let scan = store::vector::ExactScan::new(store.clone());
    let tutor = Assistant::new(store.clone(), scan, llm_gateway::Gateway::default());
    let scope = Scope { institution, course, hidden: false };
    let answer = tutor.ask(&scope, "How long do I knead dough by hand?").await.unwrap();
    assert_ne!(answer.outcome, Outcome::Declined, "{answer:#?}");
    assert!(answer.answer.contains("10 minutes"));
    assert!(answer.notices.iter().any(|notice| notice.starts_with("Keyword search only")));
    let far = tutor.ask(&scope, "Who commanded the fleet at the battle of Trafalgar?").await.unwrap();
    assert_eq!(far.outcome, Outcome::Declined);
});

store::both_databases!(a_failed_embedding_costs_one_question_only, |store| async move {
    let bench = bench(&store, None).await;
    bench.tutor.calibrate(&bench.scope).await.unwrap();
    bench.worker.failing_embeds.store(1, Ordering::SeqCst);
    let question = "How long do I knead dough by hand?";
    let first = bench.tutor.retrieve(&bench.scope, question, 5).await.unwrap();
    assert_eq!((first.degraded, first.passages.is_empty()), (Some(Degraded::ModelFailed), false));
    let second = bench.tutor.retrieve(&bench.scope, question, 5).await.unwrap();
    assert_eq!((second.degraded, second.model.as_deref()), (None, Some(crate::fixture::EMBED)));
});

/// Fails while told to, and counts what it was asked.
struct Broken {
    inner: store::vector::ExactScan,
    broken: AtomicBool,
}

#[async_trait]
impl VectorIndex for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }
    async fn upsert(
        &self,
        _: InstitutionId,
        _: CourseId,
        _: VersionId,
        _: &str,
        _: &[(ChunkId, Vec<f32>)],
    ) -> store::Result<()> {
        Ok(())
    }
    async fn search(&self, scope: &Scope, model: &str, query: &[f32], limit: usize) -> store::Result<Vec<VectorHit>> {
        if self.broken.swap(false, Ordering::SeqCst) {
            return Err(store::Error::Unavailable("told to fail".into()));
        }
        self.inner.search(scope, model, query, limit).await
    }
    async fn delete_version(&self, _: InstitutionId, _: VersionId) -> store::Result<()> {
        Ok(())
    }
    async fn reconcile(&self, _: &Store, _: InstitutionId) -> store::Result<Reconciled> {
        Ok(Reconciled::default())
    }
    async fn rebuild(&self, _: &Store, _: InstitutionId) -> store::Result<()> {
        Ok(())
    }
    async fn healthy(&self) -> bool {
        true
    }
}

store::both_databases!(a_failed_index_call_changes_no_result_and_is_tried_again, |store| async move {
    let bench = bench(&store, None).await;
    let index = Arc::new(Broken { inner: bench.scan.clone(), broken: AtomicBool::new(true) });
    let tutor = bench.tutor.clone().with_index(index.clone());
    let first = tutor.search(&bench.scope, "oven temperature", 5).await.unwrap();
    assert!(!index.broken.load(Ordering::SeqCst), "the index was asked");
    index.broken.store(true, Ordering::SeqCst);
    let second = tutor.search(&bench.scope, "oven temperature", 5).await.unwrap();
    assert!(!index.broken.load(Ordering::SeqCst), "and asked again");
    assert_eq!(first, second);
});

store::both_databases!(the_gate_is_kept_and_made_again_when_the_course_changes, |store| async move {
    let bench = bench(&store, None).await;
    let owner = (bench.scope.institution, bench.scope.course);
    // A course needs fifty sentences before its own gate is fitted.
    let ovens: String =
        (1..60).map(|n| format!("Oven number {n} bakes its loaf at {} degrees.\n\n", 150 + n)).collect();
    let long = format!("{BREAD}## Ovens\n{ovens}");
    publish(&store, owner, vec![("bread.md".into(), chunks(&long, LocatorKind::Lines))], true).await;
    let first = bench.tutor.calibrate(&bench.scope).await.unwrap();
    assert!(first.negatives >= 300, "{first:?}");
    let kept = |model: &'static str| {
        let (store, institution, course) = (store.clone(), bench.scope.institution, bench.scope.course);
        async move {
            let read =
                store.read(|tx| Box::pin(async move { store::sql::gate::get(tx, institution, course, model).await }));
            read.await.unwrap().expect("a gate is kept")
        }
    };
    let (by_words, by_model) = (kept("").await, kept(crate::fixture::EMBED).await);
    // Another process finds what this one stored.
    let other = Assistant::new(bench.store.clone(), bench.scan.clone(), bench.gateway.clone());
    let found = other.calibrate(&bench.scope).await.unwrap();
    assert!(
        found.negatives == first.negatives && (found.answered_from - first.answered_from).abs() < 1e-9,
        "{found:?}"
    );
    assert_eq!(kept("").await.created_at, by_words.created_at);
    let more = format!("{long}## Pizza\nPizza dough is stretched thin and baked at 300 degrees.\n");
    publish(&store, owner, vec![("bread.md".into(), chunks(&more, LocatorKind::Lines))], true).await;
    bench.tutor.calibrate(&bench.scope).await.unwrap();
    assert_ne!(kept("").await.fingerprint, by_words.fingerprint);
    assert_ne!(kept(crate::fixture::EMBED).await.fingerprint, by_model.fingerprint);
});

store::both_databases!(the_other_institution_is_never_seen, |store| async move {
    let bench = bench(&store, None).await;
    let (institution, course) = school(&store, "west").await;
    let secret = "# Secrets\n## Oven\nThe canary of the west oven is 7781 degrees.\n";
    publish(&store, (institution, course), vec![("secret.md".into(), chunks(secret, LocatorKind::Lines))], true).await;
    for scope in [
        bench.scope,
        Scope { institution: bench.scope.institution, course, hidden: true },
        Scope { institution, course: bench.scope.course, hidden: true },
    ] {
        let found = bench.tutor.search(&scope, "canary of the west oven degrees", 20).await.unwrap();
        assert!(found.iter().all(|r| !r.text.contains("7781")), "{scope:?}");
    }
});
