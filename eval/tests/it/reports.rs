//! Suites on the bread course, and the reports of them.

use eval::{Ports, dataset, report, run, suite};

use crate::fixture::{Bench, bench};

const QUESTIONS: &str = r#"
{"id":"a1","question":"How many minutes do I knead dough by hand?","kind":"answerable","gold":[{"sourcePath":"bread.md","heading":"Kneading"}]}
{"id":"a2","question":"How warm is the oven for a wheat loaf?","kind":"answerable","gold":[{"sourcePath":"bread.md","heading":"Baking Temperature"}]}
{"id":"a3","question":"zzz","kind":"answerable","gold":[{"sourcePath":"bread.md","heading":"Nowhere"}]}
{"id":"f1","question":"Who commanded the fleet at the battle of Trafalgar?","kind":"far"}
{"id":"n1","question":"How do I brew an espresso with 9 bar of pressure?","kind":"near"}
"#;

const SUITE: &str = r#"
name = "retrieval"
measure = "retrieval"
dataset = "none"
course = "bread"
about = "A <b>test</b>."
[floors]
"ours.recall@5" = 0.6
"ours.mrr" = 0.99
"#;

pub(crate) fn ports(bench: &Bench) -> Ports {
    let about = [("course".to_owned(), "bread".to_owned())].into_iter().collect();
    Ports {
        store: bench.store.clone(),
        scan: bench.scan.clone(),
        assistant: bench.tutor.clone(),
        scope: bench.scope,
        data: None,
        about,
    }
}

store::both_databases!(a_broken_floor_is_named_and_the_misses_come_first, |store| async move {
    let bench = bench(&store, None).await;
    let questions = dataset::parse(QUESTIONS).unwrap();
    let found = run::run_on(&suite::parse(SUITE).unwrap(), &questions, &ports(&bench), &|_, _, _| {}).await.unwrap();
    assert_eq!(found.retrieval[0].id, "a3");
    assert!((found.metrics["ours.recall@5"].value - 2.0 / 3.0).abs() < 1e-9, "{:?}", found.metrics);
    assert!(found.metrics.contains_key("bm25.mrr") && found.metrics.contains_key("vectors.mrr"));
    assert!(found.differences.contains_key("ours.mrr - bm25.mrr"));
    let broken: Vec<&str> = found.checks.iter().filter(|c| !c.holds).map(|c| c.rule.as_str()).collect();
    assert_eq!(broken, ["ours.mrr at least 0.99"]);
    let report = eval::Report { passed: false, about: ports(&bench).about, suites: vec![found] };
    let folder = tempfile::tempdir().unwrap();
    let files = report::write(&report, folder.path()).unwrap();
    let read = |i: usize| std::fs::read_to_string(&files[i]).unwrap();
    assert!(read(0).contains("<svg") && !read(0).contains("<b>test") && !read(0).contains("src="));
    assert!(read(1).find("Misses").unwrap() > 0 && read(1).contains("**broken**"));
    assert!(serde_json::from_str::<serde_json::Value>(&read(2)).unwrap()["suites"][0]["metrics"].is_object());
});

store::both_databases!(the_scope_suite_counts_what_was_kept_and_declined, |store| async move {
    let bench = bench(&store, None).await;
    let questions = dataset::parse(QUESTIONS).unwrap();
    let found = run::run_on(&suite::named("scope").unwrap(), &questions, &ports(&bench), &|_, _, _| {}).await.unwrap();
    assert!((found.metrics["declined.far"].value - 1.0).abs() < 1e-9, "{:?}", found.scope);
    assert!(found.metrics["kept.answerable"].value > 0.6);
    assert!(found.numbers.contains_key("area under the curve, gate, all"));
});
