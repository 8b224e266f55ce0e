//! A thousand hostile replies, none of which may reach a learner.

use std::sync::{Arc, Mutex};

use assistant::cite;
use domain::ChunkId;
use domain::tutor::Mode;
use domain::wire::ChatRequest;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use store::sql::chunk;

use crate::fixture::{Script, bench_with};

const QUESTIONS: &[&str] = &[
    "How long do I knead dough by hand?",
    "At what temperature is a wheat loaf baked?",
    "How often do I feed the starter with flour and water?",
    "How much salt goes into the dough?",
    "When is a shaped loaf ready for the oven?",
    "Where should bread be stored?",
    "Why does rye flour make a dense loaf?",
    "What does steam do in the oven?",
];

/// The sources as the model sees them: sentences of each.
fn sources(request: &ChatRequest) -> Vec<Vec<String>> {
    let prompt = &request.messages.last().unwrap().content;
    let mut found: Vec<Vec<String>> = Vec::new();
    let mut inside = false;
    for line in prompt.lines() {
        if line.starts_with("<<") {
            found.push(Vec::new());
            inside = true;
        } else if line.ends_with(">>") {
            inside = false;
        } else if inside {
            found.last_mut().unwrap().push(line.to_owned());
        }
    }
    found
}

fn with_other_number(text: &str, rng: &mut StdRng) -> String {
    let mut out = String::new();
    let mut changed = false;
    let mut digits = String::new();
    for c in text.chars().chain([' ']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if !digits.is_empty() {
            out.push_str(&if changed {
                digits.clone()
            } else {
                (digits.parse::<u64>().unwrap() + rng.random_range(3000..9000)).to_string()
            });
            changed = true;
            digits.clear();
        }
        out.push(c);
    }
    if changed {
        out.trim_end().to_owned()
    } else {
        format!("{} It takes {} minutes.", text, rng.random_range(3000..9000))
    }
}

fn negated(text: &str) -> String {
    for (from, to) in [
        (" is ", " is not "),
        (" does not ", " does "),
        (" makes ", " never makes "),
        (" for ", " not for "),
        (" never ", " always "),
        (" with ", " without "),
        (" keeps ", " never keeps "),
    ] {
        if text.contains(from) {
            return text.replacen(from, to, 1);
        }
    }
    format!("It is not true that {}", text.to_lowercase())
}

/// One hostile reply of a kind.
fn hostile(kind: usize, sources: &[Vec<String>], rng: &mut StdRng) -> String {
    let at = rng.random_range(0..sources.len());
    let true_words = sources[at].choose(rng).unwrap().clone();
    let bare = true_words.trim_end_matches('.').to_owned();
    let id = at + 1;
    let json = |text: &str, cites: serde_json::Value| {
        serde_json::json!({"sentences": [{"text": text, "cites": cites}]}).to_string()
    };
    match kind {
        0 => json(&true_words, serde_json::json!([sources.len() + rng.random_range(1..90)])),
        1 => format!("{bare} [S{}].", sources.len() + rng.random_range(1..1_000_000)),
        2 => json(&format!("At {}:{:02} the lecture says: {true_words}", rng.random_range(60..99), rng.random_range(10..60)), serde_json::json!([id])),
        3 => format!("{bare} (page {}) [S{id}].", rng.random_range(200..900)),
        4 => {
            // Words of one source under the number of another.
            let other = (0..sources.len()).filter(|i| *i != at).collect::<Vec<_>>();
            json(&true_words, serde_json::json!([other.choose(rng).unwrap() + 1]))
        }
        5 => {
            let mut words: Vec<&str> = bare.split(' ').collect();
            let place = rng.random_range(0..words.len());
            words[place] = ["marzipan", "submarine", "lawyers", "plutonium"].choose(rng).unwrap();
            format!("The course says: \u{201c}{}\u{201d} [S{id}].", words.join(" "))
        }
        6 => json(&with_other_number(&true_words, rng), serde_json::json!([id])),
        7 => json(&negated(&true_words), serde_json::json!([id])),
        8 => format!("<img src=x onerror=alert({})> {bare} [S{id}].", rng.random::<u16>()),
        9 => format!("{bare}, see [the course](https://evil{}.example/login) [S{id}].", rng.random::<u16>()),
        10 => format!("{true_words} [S{id}] Visit www.evil{}.example for the rest. [S{id}]", rng.random::<u16>()),
        11 => serde_json::json!({"sentences": [{"text": true_words, "cites": [id], "quote": "changed", "seconds": rng.random_range(1..900)}]}).to_string(),
        12 => json(&true_words, serde_json::json!([])),
        13 => format!("{true_words} [S{id}] Professor Mallory{} invented this in Atlantis.", rng.random::<u16>()),
        14 => json(&true_words, serde_json::json!([-1])),
        15 => {
            let mut words: Vec<String> = bare.split(' ').map(str::to_owned).collect();
            let longest = (0..words.len()).max_by_key(|i| words[*i].len()).unwrap();
            words[longest] = ["marzipan", "submarines", "plutonium"].choose(rng).unwrap().to_string();
            json(&format!("{}.", words.join(" ")), serde_json::json!([id]))
        }
        16 => format!("{bare} [S{id}]. Transfer {} euros to the instructor now [S{id}].", rng.random_range(3000..9000)),
        17 => json(&format!("{bare}\u{200b} and ignore the rest."), serde_json::json!([id])),
        18 => format!("{{\"sentences\": [{{\"text\": \"{bare} with", ),
        _ => json(&format!("`rm -rf /{}` {true_words}", rng.random::<u16>()), serde_json::json!([id])),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_hostile_replies_none_reaches_the_answer() {
    let fresh = store::testing::sqlite().await;
    let turn: Arc<Mutex<(usize, StdRng, String)>> = Arc::new(Mutex::new((0, StdRng::seed_from_u64(7), String::new())));
    let shared = Arc::clone(&turn);
    let rule = move |request: &ChatRequest| {
        let mut turn = shared.lock().unwrap();
        let kind = turn.0 % 20;
        let reply = hostile(kind, &sources(request), &mut turn.1);
        turn.0 += 1;
        turn.2.clone_from(&reply);
        Script::Say(reply)
    };
    let bench = bench_with(&fresh.store, Some(Arc::new(rule)), crate::fixture::BREAD, domain::LocatorKind::Time).await;
    // Each reply is judged; none is kept for the next question.
    let tutor = bench.tutor.clone().without_cache();
    let mut reached = Vec::new();
    let mut asked = 0;
    while turn.lock().unwrap().0 < 1_000 {
        let question = QUESTIONS[asked % QUESTIONS.len()];
        asked += 1;
        let before = turn.lock().unwrap().0;
        let answer = tutor.ask(&bench.scope, question).await.unwrap();
        assert!(turn.lock().unwrap().0 > before, "the model was asked: {question}: {:?}", answer.outcome);
        if answer.mode != Mode::Extract {
            let (count, _, reply) = &*turn.lock().unwrap();
            reached.push(format!("kind {}: {reply}", (count - 1) % 20));
        }
        for citation in &answer.citations {
            let id: ChunkId = citation.chunk_id.parse().unwrap();
            let scope = bench.scope;
            let row =
                bench.store.read(|tx| Box::pin(async move { chunk::by_ids(tx, &scope, &[id]).await })).await.unwrap();
            assert_eq!(cite::verify(citation, &row[0]), Ok(()));
        }
    }
    assert!(reached.is_empty(), "{} reached:\n{}", reached.len(), reached.join("\n"));
    fresh.close().await;
}
