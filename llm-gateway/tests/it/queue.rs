//! Who is served when, and what happens when workers fail.

use std::time::Duration;

use domain::wire::{Class, Down, Failure, Finish, Reply, Request, Up};
use futures::StreamExt;
use llm_gateway::{Gateway, GatewayError, Options};

use crate::worker::{CHAT, EMBED, Hand, LONG, embed, request, settle};

fn text(request: &Request) -> &str {
    match request {
        Request::Embed(embed) => &embed.texts[0],
        _ => "",
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_worker_the_answer_is_no_model_at_once() {
    let gateway = Gateway::default();
    let missing = |alias: &str| GatewayError::NoModel { alias: alias.into() };
    assert_eq!(gateway.embed(Class::Chat, EMBED, vec!["x".into()], LONG).await, Err(missing(EMBED)));
    assert_eq!(gateway.chat(Class::Chat, request(), LONG).await.unwrap_err(), missing(CHAT));
    assert_eq!(gateway.embedding_model(), None);
    assert_eq!(gateway.embed(Class::Chat, EMBED, vec![], LONG).await, Ok(vec![]));
}

#[tokio::test(start_paused = true)]
async fn more_urgent_classes_are_served_first() {
    let gateway = Gateway::default();
    let mut hand = Hand::attach(&gateway, 0).await;
    for (class, name) in
        [(Class::Transcribe, "e"), (Class::Embed, "d"), (Class::Quiz, "c"), (Class::Grade, "b"), (Class::Chat, "a")]
    {
        embed(&gateway, class, name, LONG).await;
    }
    assert!(hand.idle().await);
    hand.say(Up::Credit { count: 7 }).await;
    let mut order = String::new();
    for _ in 0..5 {
        order.push_str(text(&hand.next().await.request));
    }
    assert_eq!(order, "abcde");
}

#[tokio::test(start_paused = true)]
async fn batch_work_leaves_credits_for_people_who_wait() {
    let gateway = Gateway::default();
    let mut hand = Hand::attach(&gateway, 8).await;
    for _ in 0..10 {
        embed(&gateway, Class::Embed, "batch", LONG).await;
    }
    for _ in 0..6 {
        assert_eq!(hand.next().await.class, Class::Embed);
    }
    assert!(hand.idle().await, "two of eight credits are reserved");
    for _ in 0..2 {
        embed(&gateway, Class::Chat, "person", LONG).await;
        assert_eq!(hand.next().await.class, Class::Chat);
    }
}

#[tokio::test(start_paused = true)]
async fn full_queue_says_when_to_try_again() {
    let gateway = Gateway::new(Options { depths: [2; 5], ..Options::default() });
    let _hand = Hand::attach(&gateway, 0).await;
    let _waiting = [embed(&gateway, Class::Embed, "1", LONG).await, embed(&gateway, Class::Embed, "2", LONG).await];
    let refused = gateway.embed(Class::Embed, EMBED, vec!["3".into()], LONG).await.unwrap_err();
    assert!(matches!(refused, GatewayError::Overloaded { retry_after } if retry_after >= Duration::from_secs(1)));
    // Another class has a queue of its own.
    let other = embed(&gateway, Class::Chat, "4", LONG).await;
    assert!(!other.is_finished());
    let counters = gateway.counters();
    assert_eq!((counters[3].1.queued, counters[3].1.overloaded, counters[0].1.queued), (2, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn stalled_worker_costs_a_request_its_deadline_and_no_more() {
    let gateway = Gateway::default();
    let mut hand = Hand::attach(&gateway, 2).await;
    let pending = embed(&gateway, Class::Chat, "x", Duration::from_secs(5)).await;
    let assignment = hand.next().await;
    assert!(assignment.deadline_ms <= 5_000 && assignment.deadline_ms > 4_900);
    assert_eq!(pending.await.unwrap(), Err(GatewayError::Deadline));
    assert_eq!(hand.link.incoming.recv().await, Some(Down::Cancel { id: assignment.id }));
    // A reply that comes too late changes nothing.
    hand.done(assignment.id, vec![vec![1.0]]).await;
    let next = embed(&gateway, Class::Chat, "y", LONG).await;
    let assignment = hand.next().await;
    hand.done(assignment.id, vec![vec![1.0]]).await;
    assert_eq!(next.await.unwrap(), Ok(vec![vec![1.0]]));
    assert_eq!(gateway.counters()[0].1.deadline, 1);
}

#[tokio::test(start_paused = true)]
async fn waiting_request_that_expires_is_never_assigned() {
    let gateway = Gateway::default();
    let mut hand = Hand::attach(&gateway, 0).await;
    let pending = embed(&gateway, Class::Embed, "x", Duration::from_secs(1)).await;
    assert_eq!(pending.await.unwrap(), Err(GatewayError::Deadline));
    hand.say(Up::Credit { count: 4 }).await;
    assert!(hand.idle().await);
}

#[tokio::test(start_paused = true)]
async fn caller_that_lets_go_takes_its_request_back() {
    let gateway = Gateway::default();
    let mut hand = Hand::attach(&gateway, 1).await;
    let running = embed(&gateway, Class::Chat, "x", LONG).await;
    let waiting = embed(&gateway, Class::Chat, "y", LONG).await;
    let assignment = hand.next().await;
    running.abort();
    waiting.abort();
    settle().await;
    assert_eq!(hand.link.incoming.recv().await, Some(Down::Cancel { id: assignment.id }));
    hand.say(Up::Credit { count: 1 }).await;
    assert!(hand.idle().await);
    let chat = &gateway.counters()[0].1;
    assert_eq!((chat.cancelled, chat.queued, chat.running), (2, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn embedding_of_a_lost_worker_is_given_to_another_once() {
    let gateway = Gateway::default();
    let mut first = Hand::attach(&gateway, 4).await;
    let pending = embed(&gateway, Class::Embed, "x", LONG).await;
    first.next().await;
    let mut second = Hand::attach(&gateway, 4).await;
    drop(first);
    settle().await;
    assert_eq!(text(&second.next().await.request), "x");
    let _third = Hand::attach(&gateway, 4).await;
    drop(second);
    assert_eq!(pending.await.unwrap(), Err(GatewayError::WorkerLost));
    let counters = &gateway.counters()[3].1;
    assert_eq!((counters.retried, counters.lost), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_only_a_lost_worker_served_fails_by_type() {
    let gateway = Gateway::default();
    let mut hand = Hand::attach(&gateway, 1).await;
    let running = embed(&gateway, Class::Chat, "x", LONG).await;
    let waiting = embed(&gateway, Class::Chat, "y", LONG).await;
    hand.next().await;
    drop(hand);
    assert_eq!(running.await.unwrap(), Err(GatewayError::WorkerLost));
    assert_eq!(waiting.await.unwrap(), Err(GatewayError::NoModel { alias: EMBED.into() }));
    assert_eq!(gateway.embedding_model(), None);
    // The model is used again as soon as somebody serves it.
    let _hand = Hand::attach(&gateway, 1).await;
    assert_eq!(gateway.embedding_model().as_deref(), Some(EMBED));
}

#[tokio::test(start_paused = true)]
async fn chat_streams_and_is_never_said_twice() {
    let gateway = Gateway::default();
    let mut hand = Hand::attach(&gateway, 4).await;
    let mut stream = gateway.chat(Class::Chat, request(), LONG).await.unwrap();
    let id = hand.next().await.id;
    hand.say(Up::Token { id, text: "Hel".into() }).await;
    assert_eq!(stream.next().await.unwrap().unwrap().text, "Hel");
    hand.say(Up::Token { id, text: "lo".into() }).await;
    hand.say(Up::Done { id, reply: Reply::Chat { finish: Finish::Stop, usage: None } }).await;
    assert_eq!(stream.next().await.unwrap().unwrap().text, "lo");
    assert_eq!(stream.next().await.unwrap().unwrap().finish, Some(Finish::Stop));
    assert!(stream.next().await.is_none());

    let mut spare = Hand::attach(&gateway, 1).await;
    let mut stream = gateway.chat(Class::Chat, request(), LONG).await.unwrap();
    let id = hand.next().await.id;
    hand.say(Up::Token { id, text: "Once".into() }).await;
    drop(hand);
    assert_eq!(stream.next().await.unwrap().unwrap().text, "Once");
    assert_eq!(stream.next().await, Some(Err(GatewayError::WorkerLost)));
    assert!(spare.idle().await);
}

#[tokio::test(start_paused = true)]
async fn worker_is_believed_only_as_far_as_its_reply_fits() {
    let gateway = Gateway::default();
    let mut hand = Hand::attach(&gateway, 4).await;
    for vectors in [vec![], vec![vec![]], vec![vec![1.0], vec![1.0]], vec![vec![f32::NAN]], vec![vec![f32::INFINITY]]] {
        let pending = embed(&gateway, Class::Chat, "x", LONG).await;
        let id = hand.next().await.id;
        hand.done(id, vectors).await;
        assert!(matches!(pending.await.unwrap(), Err(GatewayError::Backend(_))));
    }
    let pending = embed(&gateway, Class::Chat, "x", LONG).await;
    let id = hand.next().await.id;
    // A reply by somebody else, and one of another kind.
    let stranger = Hand::attach(&gateway, 0).await;
    stranger.done(id, vec![vec![6.0]]).await;
    assert!(!pending.is_finished());
    hand.say(Up::Done { id, reply: Reply::Chat { finish: Finish::Stop, usage: None } }).await;
    assert!(matches!(pending.await.unwrap(), Err(GatewayError::Backend(_))));
}

#[tokio::test(start_paused = true)]
async fn failures_keep_their_type() {
    let gateway = Gateway::default();
    let mut hand = Hand::attach(&gateway, 4).await;
    for (failure, error) in [
        (Failure::Deadline, GatewayError::Deadline),
        (Failure::NoModel { model: EMBED.into() }, GatewayError::NoModel { alias: EMBED.into() }),
        (Failure::Invalid { message: "m".into() }, GatewayError::Invalid("m".into())),
        (Failure::Backend { message: "m".into() }, GatewayError::Backend("m".into())),
    ] {
        let pending = embed(&gateway, Class::Chat, "x", LONG).await;
        let id = hand.next().await.id;
        hand.say(Up::Fail { id, failure }).await;
        hand.say(Up::Credit { count: 1 }).await;
        assert_eq!(pending.await.unwrap(), Err(error));
    }
}

#[tokio::test(start_paused = true)]
async fn embedding_model_stays_the_one_that_was_chosen() {
    let gateway = Gateway::default();
    let hand = Hand::attach(&gateway, 1).await;
    let mut other = crate::worker::models();
    other[0].id = "tiny@int8".into();
    let _other = Hand::attach_with(&gateway, 1, other).await;
    assert_eq!(gateway.embedding_model().as_deref(), Some(EMBED));
    drop(hand);
    settle().await;
    // Vectors of the other model would not fit those in the store.
    assert_eq!(gateway.embedding_model(), None);

    let pinned = Gateway::new(Options { embedding_model: Some("tiny@int8".into()), ..Options::default() });
    let _hand = Hand::attach(&pinned, 1).await;
    assert_eq!(pinned.embedding_model(), None);
}

#[tokio::test(start_paused = true)]
async fn oversized_requests_are_refused_before_they_travel() {
    let gateway = Gateway::default();
    let _hand = Hand::attach(&gateway, 4).await;
    for texts in [vec![String::new(); 2_049], vec!["x".repeat(3 * 1024 * 1024)]] {
        let refused = gateway.embed(Class::Embed, EMBED, texts, LONG).await;
        assert!(matches!(refused, Err(GatewayError::Invalid(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn reader_that_does_not_read_loses_its_request_not_the_worker() {
    let gateway = Gateway::default();
    let mut hand = Hand::attach(&gateway, 4).await;
    let stream = gateway.chat(Class::Chat, request(), LONG).await.unwrap();
    let id = hand.next().await.id;
    for _ in 0..5_000 {
        hand.link.outgoing.send(Up::Token { id, text: "x".into() }).await.unwrap();
    }
    settle().await;
    assert_eq!(hand.link.incoming.recv().await, Some(Down::Cancel { id }));
    let ends: Vec<_> = stream.collect().await;
    assert_eq!(ends.last(), Some(&Err(GatewayError::WorkerLost)));
    assert_eq!(gateway.models()[0].workers, 1);
}
