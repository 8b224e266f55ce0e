//! Twin courses with canaries in two institutions.

use domain::LocatorKind;
use eval::{Ports, tenancy};
use store::Scope;

use crate::fixture::{BREAD, bench, chunks, publish, school};

/// The bread course with a hundred lockers whose words are this institution's own.
fn course(name: &str) -> (String, Vec<String>) {
    let mut text = BREAD.to_owned();
    let mut canaries = Vec::new();
    for locker in 0..100 {
        let canary = format!("{name}canary{locker:03}");
        text.push_str(&format!("## Locker {locker}\nThe oven key of locker {locker} is {canary}.\n"));
        canaries.push(canary);
    }
    (text, canaries)
}

store::both_databases!(of_a_thousand_calls_none_sees_the_other_institution, |store| async move {
    let bench = bench(&store, None).await;
    let mut scopes = Vec::new();
    let mut canaries = Vec::new();
    for name in ["east", "west"] {
        let owner = school(&store, name).await;
        let (text, words) = course(name);
        publish(&store, owner, vec![("bread.md".into(), chunks(&text, LocatorKind::Lines))], true).await;
        scopes.push(Scope { institution: owner.0, course: owner.1, hidden: false });
        canaries.push(words);
    }
    let ports = Ports {
        store: bench.store.clone(),
        scan: bench.scan.clone(),
        assistant: bench.tutor.clone(),
        scope: scopes[0],
        data: None,
        about: std::collections::BTreeMap::new(),
    };
    // As many questions ask for the other's words outright as for what both have.
    let questions: Vec<String> = (0..500)
        .map(|i| match i % 3 {
            0 => format!("What is the oven key of locker {}?", i % 100),
            1 => format!("Tell me about {}", canaries[1][i % 100]),
            _ => format!("How long is dough kneaded, proofed or baked in locker {}?", i % 100),
        })
        .collect();
    let found = tenancy(&ports, &bench.scan, scopes[0], scopes[1], &canaries[1], &questions).await.unwrap();
    assert_eq!((found.questions, found.port_calls), (500, 500));
    assert!(found.passages > 500, "{found:?}");
    assert!(found.foreign.is_empty(), "{:#?}", found.foreign);
});
