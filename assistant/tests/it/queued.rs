//! Whoever waits for the language model is told how many are ahead.

use std::sync::{Arc, Mutex, mpsc};

use assistant::{Assistant, Event};
use domain::LocatorKind;
use futures::StreamExt as _;
use llm_gateway::{Gateway, Options};
use store::Scope;
use store::vector::ExactScan;

use crate::fixture::{BREAD, Script, Worker, chunks, publish, school, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_question_that_waits_says_how_many_are_ahead() {
    let fresh = store::testing::sqlite().await;
    let store = &fresh.store;
    let (institution, course) = school(store, "north").await;
    let documents = vec![("bread.md".into(), chunks(BREAD, LocatorKind::Lines))];
    publish(store, (institution, course), documents, true).await;
    let gateway = Gateway::new(Options { max_credits: 1, ..Options::default() });
    // One worker makes vectors, the other writes and stands still until it is let go.
    Worker::default().attach(&gateway, None);
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let writer = Worker::default();
    writer.attach(
        &gateway,
        Some(Arc::new(move |_| {
            let _ = wait.lock().unwrap().recv();
            Script::Say("I do not know.".into())
        })),
    );
    until(|| gateway.chat_model().is_some() && gateway.workers().len() == 2).await;
    let tutor = Assistant::new(store.clone(), ExactScan::new(store.clone()), gateway.clone()).without_cache();
    let scope = Scope { institution, course, hidden: false };
    let first = tokio::spawn({
        let tutor = tutor.clone();
        async move { tutor.ask(&scope, "How long do I knead dough by hand?").await.unwrap() }
    });
    until(|| !writer.prompts.lock().unwrap().is_empty()).await;
    let mut events = Box::pin(tutor.ask_stream(scope, "Why does rye flour make a dense loaf?".into()));
    assert_eq!(events.next().await.unwrap().unwrap(), Event::Queued { ahead: Some(0) });
    // Both are asked twice, because what is said does not hold.
    for _ in 0..8 {
        go.send(()).unwrap();
    }
    let rest: Vec<Event> = events.map(Result::unwrap).collect().await;
    assert!(matches!(rest.last(), Some(Event::Done { .. })), "{rest:?}");
    first.await.unwrap();
}
