//! The lanes of the embedding pool, with an encoder whose steps the test controls.

use std::sync::{Arc, Mutex, mpsc};

use domain::wire::{Class, Model, Task};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use llm_worker::Error;
use llm_worker::pool::{Encoder, Open, Pool};
use llm_worker::tokenize::Tokens;

/// Texts of this encoder are numbers; a vector holds the number. Token 13 is refused, 14 panics.
struct Steps {
    /// Taken once before each group, where the test holds the other end.
    gate: Option<mpsc::Receiver<()>>,
    seen: Arc<Mutex<Vec<usize>>>,
}

impl Encoder for Steps {
    fn encode(&mut self, ids: &[Vec<u32>]) -> Result<Vec<Vec<f32>>, String> {
        self.seen.lock().unwrap().push(ids.len());
        if let Some(gate) = &self.gate {
            gate.recv().map_err(|_| "the test is over".to_owned())?;
        }
        if ids.iter().flatten().any(|id| *id == 13) {
            return Err("thirteen".to_owned());
        }
        assert!(ids.iter().flatten().all(|id| *id != 14), "fourteen");
        Ok(ids.iter().map(|ids| ids.iter().map(|id| *id as f32).collect()).collect())
    }
}

/// A tokenizer that makes one token of each number below twenty.
fn numbers() -> Tokens {
    let vocabulary: Vec<String> = (0..20).map(|number| format!("\"{number}\":{number}")).collect();
    let text = format!(
        r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
        "pre_tokenizer":{{"type":"Whitespace"}},"post_processor":null,"decoder":null,
        "model":{{"type":"WordLevel","vocab":{{{}}},"unk_token":"0"}}}}"#,
        vocabulary.join(",")
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, text).unwrap();
    Tokens::open(&path, 16).unwrap()
}

type Asked = Shared<BoxFuture<'static, Result<Vec<Vec<f32>>, String>>>;

struct Fixture {
    /// One message lets the bulk lane do one group; dropped before the pool, which waits for its lanes.
    bulk: mpsc::Sender<()>,
    pool: Arc<Pool>,
    seen_by_bulk: Arc<Mutex<Vec<usize>>>,
    seen_by_query: Arc<Mutex<Vec<usize>>>,
}

fn pool(group_tokens: usize) -> Fixture {
    let (bulk, gate) = mpsc::channel();
    let (seen_by_bulk, seen_by_query) = (Arc::default(), Arc::default());
    let lane = |gate: Option<mpsc::Receiver<()>>, seen: &Arc<Mutex<Vec<usize>>>| -> Open<Steps> {
        let seen = Arc::clone(seen);
        Box::new(move || Ok(Steps { gate, seen }))
    };
    let (query_lane, bulk_lane) = (lane(None, &seen_by_query), lane(Some(gate), &seen_by_bulk));
    let model = Model::new("numbers", Task::Embed, "test");
    let pool = Arc::new(Pool::start(model, numbers(), group_tokens, query_lane, vec![bulk_lane]).unwrap());
    Fixture { bulk, pool, seen_by_bulk, seen_by_query }
}

impl Fixture {
    /// Asks, and returns when the request stands in the queue. Dropping it takes it back.
    fn ask(&self, class: Class, texts: &[&str]) -> Asked {
        let (pool, texts) = (Arc::clone(&self.pool), texts.iter().map(|text| (*text).to_owned()).collect());
        let asked = async move { pool.vectors(class, texts).await }.boxed().shared();
        drop(asked.clone().now_or_never());
        asked
    }

    /// Waits until the bulk lane stands at the gate with its `count`th group.
    async fn bulk_stands(&self, count: usize) {
        while self.seen_by_bulk.lock().unwrap().len() < count {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn query_is_answered_while_the_bulk_lane_is_taken() {
    let fixture = pool(8);
    let bulk = fixture.ask(Class::Embed, &["1 1", "2 2"]);
    fixture.bulk_stands(1).await;
    assert_eq!(fixture.ask(Class::Chat, &["7"]).await.unwrap(), [[7.0]]);
    assert_eq!(*fixture.seen_by_query.lock().unwrap(), [1]);
    fixture.bulk.send(()).unwrap();
    assert_eq!(bulk.await.unwrap(), [[1.0, 1.0], [2.0, 2.0]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn small_request_does_not_wait_for_all_of_a_large_one() {
    let fixture = pool(1);
    let large = fixture.ask(Class::Embed, &["1"; 100]);
    fixture.bulk_stands(1).await;
    let small = fixture.ask(Class::Embed, &["2"]);
    // One group of the large one that is at the gate, one before each turn of the small one, and its own.
    for _ in 0..4 {
        fixture.bulk.send(()).unwrap();
    }
    assert_eq!(small.await.unwrap(), [[2.0]]);
    assert!(large.now_or_never().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_several_callers_share_a_group_and_its_failure_stays_with_the_culprit() {
    let fixture = pool(8);
    let first = fixture.ask(Class::Embed, &["1 1 1"]);
    fixture.bulk_stands(1).await;
    let asked: Vec<_> = ["5", "6", "13", "14"].iter().map(|text| fixture.ask(Class::Embed, &[text])).collect();
    for _ in 0..6 {
        fixture.bulk.send(()).unwrap();
    }
    assert_eq!(first.await.unwrap(), [[1.0, 1.0, 1.0]]);
    let mut outcomes = Vec::new();
    for answer in asked {
        outcomes.push(answer.await);
    }
    assert_eq!(outcomes[0], Ok(vec![vec![5.0]]));
    assert_eq!(outcomes[1], Ok(vec![vec![6.0]]));
    assert_eq!(outcomes[2], Err("thirteen".to_owned()));
    assert_eq!(outcomes[3], Err("the engine panicked".to_owned()));
    // The first caller's, the four together, and each of them alone after that failed.
    assert_eq!(*fixture.seen_by_bulk.lock().unwrap(), [1, 4, 1, 1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn abandoned_request_is_skipped() {
    let fixture = pool(1);
    let first = fixture.ask(Class::Embed, &["1", "1", "1"]);
    fixture.bulk_stands(1).await;
    drop(first);
    let second = fixture.ask(Class::Embed, &["3"]);
    fixture.bulk.send(()).unwrap();
    fixture.bulk.send(()).unwrap();
    assert_eq!(second.await.unwrap(), [[3.0]]);
    assert_eq!(fixture.seen_by_bulk.lock().unwrap().len(), 2);
}

#[test]
fn lane_that_does_not_open_fails_the_start() {
    let open = |fails: bool| -> Open<Steps> {
        Box::new(move || {
            if fails { Err(Error::Tokenize("no".to_owned())) } else { Ok(Steps { gate: None, seen: Arc::default() }) }
        })
    };
    let model = || Model::new("numbers", Task::Embed, "test");
    let error = Pool::start(model(), numbers(), 1, open(false), vec![open(true)]).err().unwrap();
    assert!(error.to_string().contains("no"), "{error}");
    let dies: Open<Steps> = Box::new(|| panic!("over the encoder"));
    assert!(Pool::start(model(), numbers(), 1, open(false), vec![dies]).is_err());
}
