//! A worker whose every word is written by the test.

use std::time::Duration;

use domain::wire::{Assignment, ChatRequest, Class, Down, Message, Model, Reply, RequestId, Role, Task, Up, Vectors};
use llm_gateway::{Gateway, GatewayError, WorkerLink};
use tokio::task::JoinHandle;

pub(crate) const EMBED: &str = "tiny@fp32";
pub(crate) const CHAT: &str = "talker";
pub(crate) const LONG: Duration = Duration::from_secs(3600);

pub(crate) fn models() -> Vec<Model> {
    let model = |id: &str, task| Model::new(id, task, "hand");
    vec![model(EMBED, Task::Embed), model(CHAT, Task::Chat)]
}

pub(crate) struct Hand {
    pub(crate) link: WorkerLink,
}

impl Hand {
    /// A registered worker with this many credits.
    pub(crate) async fn attach(gateway: &Gateway, credits: u32) -> Self {
        Self::attach_with(gateway, credits, models()).await
    }

    pub(crate) async fn attach_with(gateway: &Gateway, credits: u32, models: Vec<Model>) -> Self {
        let (link, serve) = gateway.attach_in_process();
        tokio::spawn(serve);
        let hand = Self { link };
        hand.say(Up::Register { worker: "hand".into(), models }).await;
        hand.say(Up::Credit { count: credits }).await;
        settle().await;
        hand
    }

    pub(crate) async fn say(&self, message: Up) {
        self.link.outgoing.send(message).await.unwrap();
        settle().await;
    }

    /// The next assignment; cancels and signs of life are skipped.
    pub(crate) async fn next(&mut self) -> Assignment {
        loop {
            match self.link.incoming.recv().await.expect("the stream should be open") {
                Down::Assign { assignment } => return assignment,
                _ => continue,
            }
        }
    }

    /// Whether anything is assigned right now.
    pub(crate) async fn idle(&mut self) -> bool {
        settle().await;
        !matches!(self.link.incoming.try_recv(), Ok(Down::Assign { .. }))
    }

    pub(crate) async fn done(&self, id: RequestId, vectors: Vec<Vec<f32>>) {
        self.say(Up::Done { id, reply: Reply::Embed { vectors: Vectors(vectors) } }).await;
        self.say(Up::Credit { count: 1 }).await;
    }
}

/// Lets every other task run until it waits.
pub(crate) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

pub(crate) type Embedded = JoinHandle<Result<Vec<Vec<f32>>, GatewayError>>;

/// An embedding request of one text, on its way when this returns.
pub(crate) async fn embed(gateway: &Gateway, class: Class, text: &str, deadline: Duration) -> Embedded {
    let (gateway, text) = (gateway.clone(), text.to_owned());
    let handle = tokio::spawn(async move { gateway.embed(class, EMBED, vec![text], deadline).await });
    settle().await;
    handle
}

pub(crate) fn request() -> ChatRequest {
    let message = Message { role: Role::User, content: "hi".into() };
    ChatRequest { model: CHAT.into(), messages: vec![message], max_tokens: 10, ..ChatRequest::default() }
}
