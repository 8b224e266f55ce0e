//! Fair shares, models that are loaded seldom, prompts that are known, circuits, fallbacks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::wire::{
    Assignment, Blob, ChatRequest, Class, Dialect, Down, Failure, Finish, ForwardRequest, Message, Model, Reply,
    Request, Role, Task, Up,
};
use domain::{InstitutionId, UserId};
use futures::StreamExt;
use llm_gateway::{Caller, ChatStream, Direct, Forwarded, Gateway, GatewayError, Held, Meter, Options, Used, Weight};

use crate::worker::{Hand, LONG, settle};

fn user(gateway: &Gateway, number: u128) -> Gateway {
    gateway.by(Caller {
        institution: Some(InstitutionId(uuid::Uuid::from_u128(1))),
        user: Some(UserId(uuid::Uuid::from_u128(number))),
        feature: "api",
        ..Caller::default()
    })
}

fn ask(model: &str, text: &str) -> ChatRequest {
    let message = Message { role: Role::User, content: text.into() };
    ChatRequest { model: model.into(), messages: vec![message], max_tokens: 50, ..ChatRequest::default() }
}

fn said(assignment: &Assignment) -> String {
    match &assignment.request {
        Request::Chat(chat) => chat.messages[0].content.clone(),
        _ => String::new(),
    }
}

fn chats(names: &[&str]) -> Vec<Model> {
    names.iter().map(|name| Model::new(*name, Task::Chat, "hand")).collect()
}

async fn finish(hand: &Hand, id: u64) {
    hand.say(Up::Token { id, text: "ok".into() }).await;
    hand.say(Up::Done { id, reply: Reply::Chat { finish: Finish::Stop, usage: None } }).await;
    hand.say(Up::Credit { count: 1 }).await;
}

async fn queue(gateway: &Gateway, model: &str, texts: &[String]) -> Vec<ChatStream> {
    let mut streams = Vec::new();
    for text in texts {
        streams.push(gateway.chat(Class::Chat, ask(model, text), LONG).await.unwrap());
    }
    streams
}

#[tokio::test(start_paused = true)]
async fn one_who_floods_does_not_keep_the_others_waiting() {
    let gateway = Gateway::default();
    let mut hand = Hand::attach_with(&gateway, 0, chats(&["m"])).await;
    let flood: Vec<String> = (0..40).map(|number| format!("flood {number}")).collect();
    let _flood = queue(&user(&gateway, 1), "m", &flood).await;
    let mut light = Vec::new();
    for number in 2..5 {
        light.extend(queue(&user(&gateway, number), "m", &[format!("light {number}")]).await);
    }
    hand.say(Up::Credit { count: 1 }).await;
    let mut order = Vec::new();
    for _ in 0..6 {
        let assignment = hand.next().await;
        order.push(said(&assignment));
        finish(&hand, assignment.id).await;
    }
    let last_light = order.iter().rposition(|text| text.starts_with("light")).unwrap();
    assert_eq!(order.iter().filter(|text| text.starts_with("light")).count(), 3, "{order:?}");
    assert!(last_light <= 3, "each user is served once before anybody twice: {order:?}");
}

#[tokio::test(start_paused = true)]
async fn models_are_served_in_groups() {
    let gateway = Gateway::default();
    let mut hand = Hand::attach_with(&gateway, 0, chats(&["a", "b"])).await;
    hand.say(Up::Capacity { resident: 1 }).await;
    let mut streams = Vec::new();
    for number in 0..6 {
        let model = if number % 2 == 0 { "a" } else { "b" };
        streams.extend(queue(&user(&gateway, number), model, &[format!("{model}{number}")]).await);
    }
    // Whoever waits makes the gateway look again.
    for stream in streams {
        tokio::spawn(stream.count());
    }
    hand.say(Up::Credit { count: 1 }).await;
    let mut order = String::new();
    for _ in 0..6 {
        let assignment = hand.next().await;
        order.push_str(assignment.request.model());
        finish(&hand, assignment.id).await;
    }
    assert!(order == "aaabbb" || order == "bbbaaa", "{order}");
    assert_eq!(gateway.workers()[0].loads, 2);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_kept_waiting_gets_its_turn_under_a_flood_of_another() {
    let options = Options::default();
    let longest = options.longest_waits[0];
    let gateway = Gateway::new(options);
    let mut hand = Hand::attach_with(&gateway, 0, chats(&["a", "b"])).await;
    hand.say(Up::Capacity { resident: 1 }).await;
    hand.say(Up::Credit { count: 1 }).await;
    let waits = |streams: Vec<ChatStream>| streams.into_iter().for_each(|one| drop(tokio::spawn(one.count())));
    waits(queue(&user(&gateway, 1), "a", &["a".into()]).await);
    let mut assignment = hand.next().await;
    waits(queue(&user(&gateway, 2), "b", &["b".into()]).await);
    let began = tokio::time::Instant::now();
    let waited = loop {
        waits(queue(&user(&gateway, 1), "a", &["a".into()]).await);
        tokio::time::advance(Duration::from_secs(1)).await;
        finish(&hand, assignment.id).await;
        assignment = hand.next().await;
        if assignment.request.model() == "b" {
            break began.elapsed();
        }
        assert!(began.elapsed() < longest * 2, "the other model starves");
    };
    assert!(waited <= longest + Duration::from_secs(2), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_batch_request_is_served_within_its_longest_wait_under_a_flood_of_chats() {
    let gateway = Gateway::default();
    let mut hand = Hand::attach_with(&gateway, 0, chats(&["m"])).await;
    hand.say(Up::Credit { count: 2 }).await;
    let mut streams = queue(&user(&gateway, 1), "m", &["chat".into(), "chat".into()]).await;
    let mut held = vec![hand.next().await.id, hand.next().await.id];
    streams.push(user(&gateway, 9).chat(Class::Quiz, ask("m", "quiz"), LONG).await.unwrap());
    let began = tokio::time::Instant::now();
    loop {
        for number in 0..2 {
            streams.extend(queue(&user(&gateway, number), "m", &["chat".into()]).await);
        }
        tokio::time::advance(Duration::from_secs(2)).await;
        for id in std::mem::take(&mut held) {
            finish(&hand, id).await;
        }
        settle().await;
        let mut quiz = false;
        while let Ok(message) = hand.link.incoming.try_recv() {
            if let Down::Assign { assignment } = message {
                quiz |= assignment.class == Class::Quiz;
                held.push(assignment.id);
            }
        }
        if quiz {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(66), "the longest wait of a quiz is a minute");
    }
}

#[tokio::test(start_paused = true)]
async fn a_conversation_stays_where_its_beginning_was_read() {
    let gateway = Gateway::default();
    let mut first = Hand::attach_with(&gateway, 1, chats(&["m"])).await;
    let mut second = Hand::attach_with(&gateway, 1, chats(&["m"])).await;
    let course = ["alpha ".repeat(200), "beta ".repeat(200)];
    let mut streams = queue(&user(&gateway, 1), "m", &[course[0].clone()]).await;
    streams.extend(queue(&user(&gateway, 2), "m", &[course[1].clone()]).await);
    let (one, two) = (first.next().await, second.next().await);
    finish(&first, one.id).await;
    finish(&second, two.id).await;
    for _ in 0..3 {
        for (at, hand) in [(1, &mut second), (0, &mut first)] {
            let text = format!("{}and a question", course[at]);
            streams.extend(queue(&user(&gateway, at as u128 + 1), "m", std::slice::from_ref(&text)).await);
            let assignment = hand.next().await;
            assert_eq!(said(&assignment), text);
            finish(hand, assignment.id).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_end_in_time_is_refused_with_a_true_time() {
    let gateway = Gateway::default();
    let mut hand = Hand::attach_with(&gateway, 1, chats(&["m"])).await;
    // Ten seconds each, six times: then the gateway knows.
    for _ in 0..6 {
        let mut streams = queue(&gateway, "m", &["x".into()]).await;
        let id = hand.next().await.id;
        tokio::time::advance(Duration::from_secs(10)).await;
        finish(&hand, id).await;
        while streams[0].next().await.is_some() {}
    }
    let _running = queue(&gateway, "m", &["x".into()]).await;
    let _waiting = queue(&gateway, "m", &["x".into()]).await;
    let refused = gateway.chat(Class::Chat, ask("m", "x"), Duration::from_secs(15)).await.unwrap_err();
    let GatewayError::Overloaded { retry_after } = refused else { panic!("{refused:?}") };
    // Twenty seconds are ahead and ten are its own; fifteen were given.
    assert!((12..=18).contains(&retry_after.as_secs()), "{retry_after:?}");
    assert!(gateway.chat(Class::Chat, ask("m", "x"), Duration::from_secs(60)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_alias_falls_back_to_its_next_model_before_anything_was_said() {
    let chain = vec!["big".to_owned(), "small".to_owned()];
    let gateway = Gateway::new(Options { aliases: BTreeMap::from([("tutor".into(), chain)]), ..Options::default() });
    let mut hand = Hand::attach_with(&gateway, 4, chats(&["big", "small"])).await;
    let mut stream = gateway.chat(Class::Chat, ask("tutor", "x"), LONG).await.unwrap();
    let first = hand.next().await;
    assert_eq!(first.request.model(), "big");
    hand.say(Up::Fail { id: first.id, failure: Failure::Backend { message: "no memory".into() } }).await;
    let second = hand.next().await;
    assert_eq!(second.request.model(), "small");
    finish(&hand, second.id).await;
    assert_eq!(stream.next().await.unwrap().unwrap().text, "ok");
    // The end of the chain is a typed failure, for whoever has a floor without models.
    let mut stream = gateway.chat(Class::Chat, ask("tutor", "x"), LONG).await.unwrap();
    for _ in 0..2 {
        let id = hand.next().await.id;
        hand.say(Up::Fail { id, failure: Failure::Backend { message: "no memory".into() } }).await;
    }
    assert_eq!(stream.next().await, Some(Err(GatewayError::Backend("no memory".into()))));
}

#[tokio::test(start_paused = true)]
async fn five_failures_in_a_row_open_the_circuit_and_one_request_tries_it_later() {
    let gateway = Gateway::default();
    let mut hand = Hand::attach_with(&gateway, 9, chats(&["m"])).await;
    for _ in 0..5 {
        let mut streams = queue(&gateway, "m", &["x".into()]).await;
        let id = hand.next().await.id;
        hand.say(Up::Fail { id, failure: Failure::Backend { message: "broken".into() } }).await;
        hand.say(Up::Credit { count: 1 }).await;
        assert!(streams[0].next().await.unwrap().is_err());
    }
    assert_eq!(gateway.workers()[0].health, "broken: m");
    let mut waiting = queue(&gateway, "m", &["one".into(), "two".into()]).await;
    assert!(hand.idle().await, "nothing is given to a broken model");
    tokio::time::advance(Duration::from_secs(11)).await;
    let mut two = waiting.pop().unwrap();
    let mut one = waiting.pop().unwrap();
    let tried = tokio::select! {
        assignment = hand.next() => assignment,
        _ = one.next() => panic!("nothing was said"),
    };
    assert!(hand.idle().await, "one request tries");
    finish(&hand, tried.id).await;
    let next = tokio::select! {
        assignment = hand.next() => assignment,
        _ = two.next() => panic!("nothing was said"),
    };
    assert_eq!((said(&tried).as_str(), said(&next).as_str()), ("one", "two"));
    assert_eq!(gateway.workers()[0].health, "ok");
}

/// Answers at once, or fails as often as told.
struct Server {
    fails: AtomicUsize,
}

#[async_trait::async_trait]
impl Direct for Server {
    async fn forward(&self, request: ForwardRequest) -> Result<Forwarded, GatewayError> {
        if self.fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(GatewayError::Backend("refused".into()));
        }
        let body = futures::stream::iter([Ok(request.body.0)]).boxed();
        Ok(Forwarded { status: 200, content_type: "application/json".into(), body })
    }
}

fn model(name: &str) -> Model {
    Model { dialects: vec![Dialect::OpenAi], ..Model::new(name, Task::Chat, "openai") }
}

async fn server(gateway: &Gateway, fails: usize, models: Vec<Model>) -> llm_gateway::WorkerLink {
    let (link, serve) = gateway.attach_server(Arc::new(Server { fails: AtomicUsize::new(fails) }), None);
    tokio::spawn(serve);
    link.outgoing.send(Up::Register { worker: "server".into(), models }).await.unwrap();
    link.outgoing.send(Up::Credit { count: 2 }).await.unwrap();
    settle().await;
    link
}

fn forward(model: &str) -> (ForwardRequest, Weight) {
    let body = format!(r#"{{"model":"{model}","x":"ä"}}"#);
    let model_at = Some(9..9 + model.len() + 2);
    let request = ForwardRequest {
        model: model.into(),
        dialect: Dialect::OpenAi,
        path: "/v1/chat/completions".into(),
        body: Blob(body.into()),
        stream: false,
    };
    (request, Weight { prompt_tokens: 5, model_at, ..Weight::default() })
}

#[tokio::test(start_paused = true)]
async fn a_forwarded_request_comes_back_byte_by_byte_and_frees_its_slot() {
    let gateway = Gateway::default();
    let _link = server(&gateway, 0, vec![model("m")]).await;
    for _ in 0..5 {
        let (request, weight) = forward("m");
        let bytes = request.body.0.clone();
        let answer = gateway.forward(Class::Chat, request, weight, LONG).await.unwrap().answer().await.unwrap();
        assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/json"));
        let pieces: Vec<_> = answer.body.map(Result::unwrap).collect().await;
        assert_eq!(pieces.concat(), bytes);
    }
    let counters = &gateway.counters()[0].1;
    assert_eq!((counters.completed, counters.running, counters.queued), (5, 0, 0));
    assert!(!gateway.speaks("m", Dialect::Ollama) && gateway.speaks("m:latest", Dialect::OpenAi));
    // Who lets go frees the slot as well.
    let (request, weight) = forward("m");
    drop(gateway.forward(Class::Chat, request, weight, LONG).await.unwrap());
    assert_eq!(gateway.workers()[0].running, 0);
}

#[tokio::test(start_paused = true)]
async fn a_forwarded_request_is_tried_on_another_server_and_under_another_name() {
    let chain = vec!["big".to_owned(), "small".to_owned()];
    let gateway = Gateway::new(Options { aliases: BTreeMap::from([("tutor".into(), chain)]), ..Options::default() });
    let _broken = server(&gateway, 1, vec![model("big")]).await;
    let _other = server(&gateway, 1, vec![model("big")]).await;
    let _small = server(&gateway, 0, vec![model("small")]).await;
    let (request, weight) = forward("tutor");
    let answer = gateway.forward(Class::Chat, request, weight, LONG).await.unwrap().answer().await.unwrap();
    let pieces: Vec<_> = answer.body.map(Result::unwrap).collect().await;
    assert_eq!(pieces.concat(), r#"{"model":"small","x":"ä"}"#.as_bytes());
    assert_eq!(gateway.counters()[0].1.retried, 2);
}

#[derive(Default)]
struct Books {
    refused: AtomicUsize,
    settled: AtomicUsize,
    recorded: AtomicUsize,
}

struct Kept(Arc<Books>);

struct Keeper(Arc<Books>);

impl Held for Kept {
    fn settle(self: Box<Self>, tokens: u64) {
        self.0.settled.fetch_add(usize::try_from(tokens).unwrap(), Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl Meter for Keeper {
    async fn reserve(&self, caller: &Caller, _: u64) -> Result<Box<dyn Held>, GatewayError> {
        if caller.user.is_none() {
            self.0.refused.fetch_add(1, Ordering::SeqCst);
            return Err(GatewayError::SwitchedOff);
        }
        Ok(Box::new(Kept(Arc::clone(&self.0))))
    }

    fn record(&self, used: Used) {
        assert_eq!(used.model, "m");
        self.0.recorded.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn the_meter_is_asked_before_anything_waits_and_told_at_the_end() {
    let books = Arc::new(Books::default());
    let gateway = Gateway::with_meter(Options::default(), Some(Arc::new(Keeper(Arc::clone(&books)))));
    let mut hand = Hand::attach_with(&gateway, 1, chats(&["m"])).await;
    assert_eq!(gateway.chat(Class::Chat, ask("m", "x"), LONG).await.unwrap_err(), GatewayError::SwitchedOff);
    assert!(hand.idle().await);
    let mut streams = queue(&user(&gateway, 1), "m", &["12345678".into()]).await;
    let id = hand.next().await.id;
    let usage = Some(domain::wire::Usage { prompt_tokens: 7, completion_tokens: 4 });
    hand.say(Up::Done { id, reply: Reply::Chat { finish: Finish::Stop, usage } }).await;
    assert!(streams[0].next().await.unwrap().is_ok());
    let seen = |count: &AtomicUsize| count.load(Ordering::SeqCst);
    assert_eq!((seen(&books.refused), seen(&books.settled), seen(&books.recorded)), (1, 11, 1));
}

/// Gives the first user a threefold share.
struct Favour;

struct Share(f64);

impl Held for Share {
    fn share(&self) -> f64 {
        self.0
    }

    fn settle(self: Box<Self>, _: u64) {}
}

#[async_trait::async_trait]
impl Meter for Favour {
    async fn reserve(&self, caller: &Caller, _: u64) -> Result<Box<dyn Held>, GatewayError> {
        let first = caller.user == Some(UserId(uuid::Uuid::from_u128(1)));
        Ok(Box::new(Share(if first { 3.0 } else { 1.0 })))
    }

    fn record(&self, _: Used) {}
}

#[tokio::test(start_paused = true)]
async fn who_has_a_threefold_share_is_served_three_times_as_much() {
    let gateway = Gateway::with_meter(Options::default(), Some(Arc::new(Favour)));
    let mut hand = Hand::attach_with(&gateway, 0, chats(&["m"])).await;
    let texts = |name: &str| (0..30).map(|number| format!("{name} {number:02}")).collect::<Vec<_>>();
    let _favoured = queue(&user(&gateway, 1), "m", &texts("one")).await;
    let _other = queue(&user(&gateway, 2), "m", &texts("two")).await;
    hand.say(Up::Credit { count: 1 }).await;
    let mut favoured = 0;
    for _ in 0..24 {
        let assignment = hand.next().await;
        favoured += usize::from(said(&assignment).starts_with("one"));
        finish(&hand, assignment.id).await;
    }
    assert!((17..=19).contains(&favoured), "{favoured} of 24");
}
