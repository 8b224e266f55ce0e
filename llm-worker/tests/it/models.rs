//! The real models, where the set-up has fetched them.

use llm_worker::{Cache, Catalog, Engine, Opened, Precision, Settings, open_embedding};

/// The engine, or nothing when the set-up did not promise it; a broken promise fails the test.
pub(crate) fn open(engine: Engine, precision: Precision) -> Option<Opened> {
    let settings = Settings { engine: Some(engine), precision, threads: None };
    match open_embedding(&Cache::from_environment(), &Catalog::built_in().unwrap(), &settings) {
        Ok(opened) => Some(opened),
        Err(error) => {
            let promised = std::env::var("LYCEUM_TEST_PROMISED").unwrap_or_default();
            assert!(!promised.contains("minilm"), "MiniLM was promised: {error}");
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// More than fifty texts: questions, prose, code, single words, scripts other than Latin, and one too long.
pub(crate) fn fifty_texts() -> Vec<String> {
    let mut texts: Vec<String> = llm_worker::probe::TEXTS.iter().map(|text| (*text).to_owned()).collect();
    texts.extend(
        [
            "",
            " ",
            "?",
            "ownership",
            "naïve café façade",
            "Straße über Öl",
            "Ελληνικά γράμματα",
            "日本語の文章です。",
            "한국어 문장",
            "עברית",
            "العربية",
            "हिन्दी",
            "emoji 😀👩‍🔬 only",
            "a_b_c::<T>",
            "SELECT * FROM lesson;",
        ]
        .map(str::to_owned),
    );
    for i in 0..26_usize {
        let words: Vec<&str> =
            texts.iter().take(12).flat_map(|text| text.split(' ')).cycle().skip(i * 5).take(4 + i * 9).collect();
        let text = words.join(" ");
        texts.push(text);
    }
    texts.push("a very long text that goes on ".repeat(200));
    assert!(texts.len() >= 50);
    texts
}
