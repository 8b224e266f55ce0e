//! Vectors of the real MiniLM: equal alone and in company, alike across engines.

use domain::wire::Class;
use llm_worker::probe::cosine;
use llm_worker::{Engine, Opened, Precision};

use crate::models::{fifty_texts, open};

async fn vectors(opened: &Opened, texts: Vec<String>) -> Vec<Vec<f32>> {
    opened.backend.vectors(Class::Embed, texts).await.unwrap()
}

fn bits(vector: &[f32]) -> Vec<u32> {
    vector.iter().map(|x| x.to_bits()).collect()
}

async fn batch_does_not_matter(engine: Engine, precision: Precision) {
    let Some(opened) = open(engine, precision) else { return };
    let count = fifty_texts().len();
    // Every text four times, so that groups of equal length are large.
    let texts: Vec<String> = std::iter::repeat_n(fifty_texts(), 4).flatten().collect();
    let together = vectors(&opened, texts.clone()).await;
    let mut reversed = vectors(&opened, texts.iter().rev().cloned().collect()).await;
    reversed.reverse();
    for (at, text) in texts.iter().enumerate().take(count) {
        let alone = vectors(&opened, vec![text.clone()]).await.remove(0);
        assert_eq!(alone.len(), 384);
        let norm = cosine(&alone, &alone);
        assert!((norm - 1.0).abs() < 1e-9);
        for copy in [at, at + count, at + 3 * count] {
            assert!(bits(&alone) == bits(&together[copy]), "{text:?} differs in company");
            assert!(bits(&alone) == bits(&reversed[copy]), "{text:?} differs by order");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn onnx_fp32_vector_is_the_same_alone_and_in_a_batch() {
    batch_does_not_matter(Engine::Onnx, Precision::Fp32).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn onnx_int8_vector_is_the_same_alone_and_in_a_batch() {
    batch_does_not_matter(Engine::Onnx, Precision::Int8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn candle_vector_is_the_same_alone_and_in_a_batch() {
    batch_does_not_matter(Engine::Candle, Precision::Fp32).await;
}

async fn agreement(left: &Opened, right: &Opened, texts: Vec<String>) -> (f64, f64) {
    let count = texts.len();
    let (left, right) = (vectors(left, texts.clone()).await, vectors(right, texts).await);
    let all: Vec<f64> = left.iter().zip(&right).map(|(a, b)| cosine(a, b)).collect();
    (all.iter().copied().fold(1.0, f64::min), all.iter().sum::<f64>() / count as f64)
}

#[tokio::test(flavor = "multi_thread")]
async fn candle_and_onnx_fp32_agree() {
    let (Some(onnx), Some(candle)) = (open(Engine::Onnx, Precision::Fp32), open(Engine::Candle, Precision::Fp32))
    else {
        return;
    };
    assert_eq!(onnx.model, candle.model, "one precision is one id");
    let (lowest, mean) = agreement(&onnx, &candle, fifty_texts()).await;
    eprintln!("candle and ONNX fp32: lowest cosine {lowest:.8}, mean {mean:.8}");
    assert!(lowest > 0.9999, "{lowest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn int8_is_close_to_fp32_and_has_an_id_of_its_own() {
    let (Some(fp32), Some(int8)) = (open(Engine::Onnx, Precision::Fp32), open(Engine::Onnx, Precision::Int8)) else {
        return;
    };
    assert_ne!(fp32.model, int8.model);
    // A text without a single word has nothing to be near to; there int8 falls to 0.986.
    let texts: Vec<String> = fifty_texts().into_iter().filter(|text| text.contains(char::is_alphanumeric)).collect();
    assert!(texts.len() >= 50);
    let (lowest, mean) = agreement(&fp32, &int8, texts).await;
    eprintln!("int8 and fp32: lowest cosine {lowest:.6}, mean {mean:.6}");
    assert!(lowest > 0.99, "{lowest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn near_texts_are_nearer_than_far_ones() {
    let Some(opened) = open(Engine::Candle, Precision::Fp32) else { return };
    let texts = ["Who owns a value?", "Each value has an owner.", "Knead the dough for ten minutes."];
    let vectors = vectors(&opened, texts.map(str::to_owned).to_vec()).await;
    assert!(cosine(&vectors[0], &vectors[1]) > cosine(&vectors[0], &vectors[2]) + 0.2);
}

#[tokio::test(flavor = "multi_thread")]
async fn text_beyond_the_limit_of_tokens_is_cut() {
    let Some(opened) = open(Engine::Candle, Precision::Fp32) else { return };
    let long = "word ".repeat(300);
    let longer = "word ".repeat(100_000);
    let vectors = vectors(&opened, vec![long, longer]).await;
    assert_eq!(bits(&vectors[0]), bits(&vectors[1]));
}

/// The probe answers for every engine, also for one that is not there.
#[tokio::test(flavor = "multi_thread")]
async fn probe_reports_every_engine() {
    let cache = llm_worker::Cache::from_environment();
    let catalog = llm_worker::Catalog::built_in().unwrap();
    let found = llm_worker::probe::probe(&cache, &catalog).await.unwrap();
    for probed in &found {
        eprintln!("{probed:?}");
    }
    assert_eq!(found.len(), 3);
    let empty = llm_worker::probe::probe(&llm_worker::Cache::at("/nonexistent"), &catalog).await.unwrap();
    assert!(empty.iter().all(|probed| probed.outcome.is_err()));
}
