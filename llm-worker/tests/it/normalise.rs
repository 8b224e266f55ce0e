//! Text is normalised for servers whose tokeniser is at fault; the right one must not see a difference.

use llm_worker::Cache;
use llm_worker::Catalog;
use llm_worker::backend::ollama::normalise::normalised;
use llm_worker::tokenize::Tokens;

use crate::models::{fifty_texts, open};

#[test]
fn normalised_text_is_cut_as_before() {
    use llm_worker::{Engine, Precision};
    // Only to learn whether the model is there, or was promised.
    if open(Engine::Candle, Precision::Fp32).is_none() {
        return;
    }
    let catalog = Catalog::built_in().unwrap();
    let model = catalog.model("all-MiniLM-L6-v2").unwrap();
    let tokenizer = Cache::from_environment().checked(model, "tokenizer.json").unwrap();
    let tokens = Tokens::open(&tokenizer, 512).unwrap();
    let mut texts = fifty_texts();
    texts.extend(
        ["naïve café", "Ärger", "x=3.14!", "Ångström ≤ 5 µm", "a+b*c^2 == `d`", "所有权 is 所有", "Tiếng Việt", "ﬁne"]
            .map(str::to_owned),
    );
    // Their marks become ASCII, because nothing else survives that tokeniser: other tokens, by intent.
    let marks = |text: &str| text.chars().any(|c| "—–“”‘’…「」、。，！？·•«»−".contains(c));
    for text in texts.iter().filter(|text| !marks(text)) {
        assert_eq!(tokens.ids(text).unwrap(), tokens.ids(&normalised(text)).unwrap(), "{text:?}");
    }
    assert_eq!(normalised("“a—b”…").split_whitespace().collect::<Vec<_>>(), ["\"", "a", "-", "b", "\"", ".", ".", "."]);
}
