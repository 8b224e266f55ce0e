//! A chat model that fails is followed by the next one of its alias, and what that says is not kept as the first one's.

use std::collections::BTreeMap;
use std::sync::Arc;

use assistant::Assistant;
use domain::LocatorKind;
use domain::tutor::Mode;
use llm_gateway::{Gateway, Options};
use store::Scope;
use store::vector::ExactScan;

use crate::cache::quotes;
use crate::fixture::{BREAD, CHAT, Script, Worker, chunks, publish, school, until};

const SECOND: &str = "second@test";

#[tokio::test]
async fn a_question_goes_on_to_the_next_model_of_the_alias() {
    let fresh = store::testing::sqlite().await;
    let store = &fresh.store;
    let (institution, course) = school(store, "north").await;
    publish(store, (institution, course), vec![("bread.md".into(), chunks(BREAD, LocatorKind::Lines))], true).await;
    let aliases = BTreeMap::from([("chat".to_owned(), vec![CHAT.to_owned(), SECOND.to_owned()])]);
    let gateway = Gateway::new(Options { aliases, ..Options::default() });
    let worker = Worker { more: vec![SECOND], ..Worker::default() };
    let rule = |request: &domain::wire::ChatRequest| match request.model.as_str() {
        SECOND => quotes(request),
        _ => Script::DieAfter("Knead the".into()),
    };
    worker.attach(&gateway, Some(Arc::new(rule)));
    until(|| gateway.embedding_model().is_some()).await;
    assert_eq!(gateway.chat_models(), [CHAT, SECOND]);
    let tutor = Assistant::new(store.clone(), ExactScan::new(store.clone()), gateway.clone());
    let scope = Scope { institution, course, hidden: false };
    for _ in 0..2 {
        let answer = tutor.ask(&scope, "How long do I knead dough by hand?").await.unwrap();
        assert_eq!((answer.mode, answer.cached), (Mode::Generated, false), "{answer:#?}");
    }
    let asked: Vec<String> = worker.prompts.lock().unwrap().iter().map(|request| request.model.clone()).collect();
    assert_eq!(asked, [CHAT, SECOND, CHAT, SECOND]);
}
