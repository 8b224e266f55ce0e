//! Replies of a shape: every way of asking, and a typed failure when none helps.

use domain::wire::{Class, Failure, Finish, Reply, Up};
use llm_gateway::{ChatRequest, Gateway, GatewayError, Message, Role, Structured, Way};
use serde_json::{Value, json};

use crate::worker::{CHAT, Hand, LONG};

fn asking() -> ChatRequest {
    ChatRequest {
        model: CHAT.into(),
        messages: vec![Message { role: Role::User, content: "How many?".into() }],
        schema: Some(json!({
            "type": "object", "required": ["count"], "additionalProperties": false,
            "properties": { "count": { "type": "integer", "minimum": 0 } },
        })),
        max_tokens: 50,
        seed: Some(7),
        ..ChatRequest::default()
    }
}

enum Says {
    Text(&'static str),
    Cut(&'static str),
    Fails,
}

/// Asks; the worker gives these replies one after the other. Also what it was asked.
async fn ask(request: ChatRequest, replies: Vec<Says>) -> (Result<Structured, GatewayError>, Vec<ChatRequest>) {
    let gateway = Gateway::default();
    let mut hand = Hand::attach(&gateway, 4).await;
    let asked = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.structured(Class::Quiz, request, LONG).await }
    });
    let mut seen = Vec::new();
    for says in replies {
        let assignment = hand.next().await;
        let id = assignment.id;
        let domain::wire::Request::Chat(chat) = assignment.request else { panic!("a chat") };
        seen.push(chat);
        let (text, finish) = match says {
            Says::Text(text) => (text, Some(Finish::Stop)),
            Says::Cut(text) => (text, Some(Finish::Length)),
            Says::Fails => ("", None),
        };
        match finish {
            Some(finish) => {
                hand.say(Up::Token { id, text: text.into() }).await;
                hand.say(Up::Done { id, reply: Reply::Chat { finish, usage: None } }).await;
            }
            None => hand.say(Up::Fail { id, failure: Failure::Backend { message: "no grammar".into() } }).await,
        }
        hand.say(Up::Credit { count: 1 }).await;
    }
    let outcome = asked.await.unwrap();
    assert!(hand.idle().await, "nothing more is asked");
    (outcome, seen)
}

fn value(outcome: Result<Structured, GatewayError>) -> (Value, Way, u32) {
    let outcome = outcome.unwrap();
    (outcome.value, outcome.way, outcome.calls)
}

#[tokio::test]
async fn a_reply_that_fits_takes_one_call() {
    for text in ["{\"count\":3}", "```json\n{\"count\": 3}\n```", "<think>{\"count\":9}</think>\n{\"count\":3}"] {
        let (outcome, seen) = ask(asking(), vec![Says::Text(text)]).await;
        assert_eq!(value(outcome), (json!({ "count": 3 }), Way::Constrained, 1));
        assert!(seen[0].schema.is_some());
    }
}

#[tokio::test]
async fn a_repair_is_shown_what_was_wrong() {
    let (outcome, seen) = ask(asking(), vec![Says::Text("{\"count\":-1}"), Says::Text("{\"count\":1}")]).await;
    assert_eq!(value(outcome), (json!({ "count": 1 }), Way::Repair, 2));
    let [.., shown, told] = seen[1].messages.as_slice() else { panic!("messages") };
    assert_eq!((shown.role, shown.content.as_str()), (Role::Assistant, "{\"count\":-1}"));
    assert!(told.content.contains("/count"), "{}", told.content);
    assert_ne!(seen[0].seed, seen[1].seed);
}

#[tokio::test]
async fn a_backend_that_breaks_under_the_schema_is_asked_in_words() {
    let replies = vec![Says::Text("{}{}"), Says::Cut("{\"count\":"), Says::Text("{\"count\":2}")];
    let (outcome, seen) = ask(asking(), replies).await;
    assert_eq!(value(outcome), (json!({ "count": 2 }), Way::InWords, 3));
    assert!(seen[2].schema.is_none() && seen[2].messages[0].content.contains("\"minimum\":0"));
}

#[tokio::test]
async fn at_last_the_answer_and_its_shape_are_two_calls() {
    let replies = ["", "seven", "7", "There are seven.", "{\"count\":7}"].map(Says::Text);
    let (outcome, seen) = ask(asking(), replies.into()).await;
    assert_eq!(value(outcome), (json!({ "count": 7 }), Way::TwoCalls, 5));
    assert!(seen[3].schema.is_none() && seen[3].messages.len() == 1);
    assert!(seen[4].schema.is_some() && seen[4].messages[0].content.contains("There are seven."));
}

#[tokio::test]
async fn what_never_fits_is_a_typed_failure() {
    let replies = ["{}", "{\"count\":\"1\"}", "no", "Seven.", "{\"count\":1.5}"].map(Says::Text);
    let (outcome, _) = ask(asking(), replies.into()).await;
    let Err(GatewayError::Shape(why)) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("1.5"), "{why}");
    let (outcome, _) = ask(ChatRequest { schema: None, ..asking() }, Vec::new()).await;
    assert!(matches!(outcome, Err(GatewayError::Invalid(_))));
    let odd = ChatRequest { schema: Some(json!({ "type": 7 })), ..asking() };
    assert!(matches!(ask(odd, Vec::new()).await.0, Err(GatewayError::Invalid(_))));
}

#[tokio::test]
async fn a_model_that_fails_is_asked_in_the_other_ways() {
    let (outcome, _) = ask(asking(), vec![Says::Fails, Says::Text("{\"count\":4}")]).await;
    assert_eq!(value(outcome), (json!({ "count": 4 }), Way::InWords, 2));
}
