//! Which questions the cache takes for one, on questions written for it and with the real embedding model.

use assistant::cache::Asked;
use domain::wire::Class;
use llm_worker::{Cache, Catalog, Precision, Settings, open_embedding};
use serde::Deserialize;

const PAIRS: &str = include_str!("questions.jsonl");
const COURSE: &str = include_str!("../../../eval/data/rust-book.questions.jsonl");

#[derive(Deserialize)]
struct Pair {
    kind: String,
    a: String,
    b: String,
}

#[derive(Deserialize)]
struct Question {
    question: String,
}

async fn asked(texts: &[String], precision: Precision) -> Option<Vec<Option<Asked>>> {
    let settings = Settings { engine: None, precision, threads: None };
    let opened = match open_embedding(&Cache::from_environment(), &Catalog::built_in().unwrap(), &settings) {
        Ok(opened) => opened,
        Err(error) => {
            let promised = std::env::var("LYCEUM_TEST_PROMISED").unwrap_or_default();
            assert!(!promised.contains("minilm"), "MiniLM was promised: {error}");
            eprintln!("skipped: {error}");
            return None;
        }
    };
    let vectors = opened.backend.vectors(Class::Embed, texts.to_vec()).await.unwrap();
    Some(texts.iter().zip(&vectors).map(|(text, vector)| Asked::new(text, vector)).collect())
}

fn same(a: &Option<Asked>, b: &Option<Asked>) -> bool {
    a.as_ref().zip(b.as_ref()).is_some_and(|(a, b)| a.same(b) && b.same(a))
}

async fn measure(precision: Precision) {
    let pairs: Vec<Pair> = PAIRS.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let texts: Vec<String> = pairs.iter().flat_map(|pair| [pair.a.clone(), pair.b.clone()]).collect();
    let Some(questions) = asked(&texts, precision).await else { return };
    let (mut alike, mut hits, mut apart, mut wrong) = (0, 0, 0, Vec::new());
    for (pair, both) in pairs.iter().zip(questions.chunks(2)) {
        let hit = same(&both[0], &both[1]);
        if pair.kind == "same" {
            (alike, hits) = (alike + 1, hits + usize::from(hit));
            if !hit {
                eprintln!("missed: {} / {}", pair.a, pair.b);
            }
        } else {
            apart += 1;
            wrong.extend(hit.then(|| format!("{}: {} / {}", pair.kind, pair.a, pair.b)));
        }
    }
    eprintln!("{precision:?}: paraphrases that hit {hits} of {alike}, near misses that hit {} of {apart}", wrong.len());
    assert!(apart >= 150 && wrong.len() * 200 < apart, "{wrong:#?}");
    assert!(hits * 2 >= alike, "a cache that never hits is none: {hits} of {alike}");
    // All others with all others: questions of the pairs, and of a whole course.
    let course = COURSE.lines().map(|line| serde_json::from_str::<Question>(line).unwrap().question);
    let mut texts: Vec<String> = texts.into_iter().chain(course).collect();
    texts.sort();
    texts.dedup();
    let questions = asked(&texts, precision).await.unwrap();
    let of_pairs = |a: &str, b: &str| {
        let linked =
            |x: &str, y: &str| pairs.iter().any(|p| p.kind == "same" && (p.a == x && p.b == y || p.a == y && p.b == x));
        linked(a, b) || texts.iter().any(|middle| linked(a, middle) && linked(middle, b))
    };
    let (mut compared, mut crossed) = (0_u32, Vec::new());
    for (i, a) in questions.iter().enumerate() {
        for (j, b) in questions.iter().enumerate().skip(i + 1) {
            compared += 1;
            if same(a, b) && !of_pairs(&texts[i], &texts[j]) {
                crossed.push(format!("{} / {}", texts[i], texts[j]));
            }
        }
    }
    eprintln!("{precision:?}: {} of {compared} other pairs hit", crossed.len());
    assert!(crossed.is_empty(), "{crossed:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_questions_are_never_taken_for_one_and_half_of_the_paraphrases_are() {
    measure(Precision::Fp32).await;
    measure(Precision::Int8).await;
}
