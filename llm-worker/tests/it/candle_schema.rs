//! Replies to a JSON Schema are valid, whatever the weights.

use domain::wire::{ChatRequest, Failure, Finish};
use serde_json::{Value, json};

use crate::candle_chat::{ARCHITECTURES, ENDLESS, failure, open, pieces, request, says};
use crate::tiny_gguf::Random;

/// A schema made by chance, of what drafts and grades are made of.
fn schema(random: &mut Random, depth: usize) -> Value {
    let kinds = if depth == 0 { 6 } else { 9 };
    match random.below(kinds) {
        0 => json!({"type": "string", "maxLength": 5 + random.below(40)}),
        1 => json!({"type": "integer", "minimum": 0, "maximum": 1 + random.below(100)}),
        2 => json!({"type": "boolean"}),
        3 => json!({"enum": ["low", "middle", "high \"quoted\"", 7, null]}),
        4 => json!({"type": "string", "minLength": 3}),
        5 => json!({"anyOf": [{"type": "null"}, {"type": "number", "minimum": -1, "maximum": 1}]}),
        6 => {
            let least = random.below(3);
            json!({"type": "array", "items": schema(random, depth - 1), "minItems": least, "maxItems": least + random.below(3)})
        }
        _ => {
            let names: Vec<String> = (0..=random.below(4)).map(|n| format!("field {n}")).collect();
            let required: Vec<&String> = names.iter().take(1 + random.below(names.len())).collect();
            let properties: serde_json::Map<String, Value> =
                names.iter().map(|name| (name.clone(), schema(random, depth - 1))).collect();
            json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
        }
    }
}

/// A validator of what [`schema`] makes, written apart from the code under test.
fn fits(schema: &Value, value: &Value) -> bool {
    if let Some(choices) = schema["enum"].as_array() {
        return choices.contains(value);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().any(|choice| fits(choice, value));
    }
    let within = |number: f64, least: &str, most: &str| {
        schema[least].as_f64().is_none_or(|least| number >= least)
            && schema[most].as_f64().is_none_or(|most| number <= most)
    };
    match schema["type"].as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.as_str().is_some_and(|text| within(text.chars().count() as f64, "minLength", "maxLength")),
        "integer" => value.is_i64() && within(value.as_f64().unwrap(), "minimum", "maximum"),
        "number" => value.as_f64().is_some_and(|number| within(number, "minimum", "maximum")),
        "array" => value.as_array().is_some_and(|items| {
            within(items.len() as f64, "minItems", "maxItems") && items.iter().all(|item| fits(&schema["items"], item))
        }),
        "object" => value.as_object().is_some_and(|object| {
            let known = &schema["properties"];
            object.iter().all(|(name, item)| known.get(name).is_some_and(|schema| fits(schema, item)))
                && schema["required"].as_array().unwrap().iter().all(|name| object.contains_key(name.as_str().unwrap()))
        }),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_to_a_schema_is_always_valid() {
    let began = std::time::Instant::now();
    let mut tokens = 0;
    for architecture in ARCHITECTURES {
        let tiny = open(architecture, 0.2, |_| {});
        let mut random = Random(5);
        for seed in 0..50 {
            let schema = schema(&mut random, 3);
            let asked = ChatRequest {
                schema: Some(schema.clone()),
                seed: Some(seed),
                temperature: Some(if seed % 5 == 0 { 0.0 } else { 1.0 }),
                max_tokens: 250,
                // A stop never cuts it.
                stop: vec!["\"".to_owned()],
                ..request("score the answer")
            };
            let (text, finish, usage) = says(&tiny.chat, asked).await;
            tokens += usage.completion_tokens;
            let value: Value =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text} for {schema}"));
            assert!(fits(&schema, &value), "{architecture} {seed}: {text} for {schema}");
            assert_eq!(finish, Finish::Stop);
        }
    }
    eprintln!("150 replies, {tokens} tokens, {:.1} s", began.elapsed().as_secs_f64());
}

/// A text without a longest length is closed before the limit, and so is what stands around it.
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_to_a_schema_ends_within_its_limit() {
    let tiny = open("llama", ENDLESS, |_| {});
    let schema = json!({"type": "object", "required": ["a", "b"], "additionalProperties": false, "properties": {
        "a": {"type": "array", "minItems": 1, "items": {"type": "string"}},
        "b": {"type": "object", "properties": {"c": {"type": "string"}, "d": {"type": "number"}}, "required": ["c", "d"]}}});
    for limit in [50, 60, 90, 200] {
        for seed in 0..5 {
            let asked =
                ChatRequest { schema: Some(schema.clone()), seed: Some(seed), max_tokens: limit, ..request("go") };
            let (text, finish, usage) = says(&tiny.chat, asked).await;
            let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert!(value["b"]["d"].is_number());
            assert!(usage.completion_tokens <= limit);
            assert_eq!(finish, Finish::Stop);
        }
    }
    let short = ChatRequest { schema: Some(schema), max_tokens: 5, ..request("go") };
    let error = failure(pieces(&tiny.chat, short).await.unwrap_err());
    assert!(matches!(&error, Failure::Invalid { message } if message.contains("5 are allowed")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_cannot_be_kept_is_refused() {
    let tiny = open("llama", ENDLESS, |_| {});
    let impossible = json!({"type": "integer", "minimum": 3, "maximum": 2});
    for schema in [
        json!({"$ref": "https://example.org/x.json"}),
        json!({"type": "colour"}),
        impossible,
        json!(true),
        json!({"not": {"type": "string"}}),
    ] {
        let asked = ChatRequest { schema: Some(schema.clone()), ..request("go") };
        let error = failure(pieces(&tiny.chat, asked).await.unwrap_err());
        assert!(matches!(&error, Failure::Invalid { message } if message.contains("schema")), "{schema}: {error}");
    }
}
