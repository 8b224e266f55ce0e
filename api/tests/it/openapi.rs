//! The description of the interface is checked in; a change of it is a decision.

use std::collections::BTreeSet;

use serde_json::Value;

#[test]
fn the_checked_in_description_is_what_the_routes_say() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let made = api::openapi_json();
    if std::env::var("UPDATE_OPENAPI").is_ok() {
        std::fs::write(file, &made).unwrap();
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        kept == made,
        "api/openapi.json is not what the routes say; run the test with UPDATE_OPENAPI=1 and look at the change"
    );
}

#[test]
fn every_reference_has_its_schema_and_every_operation_its_own_id() {
    let document: Value = serde_json::from_str(&api::openapi_json()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    for name in &references {
        let schema = document.pointer(&name.replace("#/", "/"));
        assert!(schema.is_some_and(|schema| !schema.is_null()), "{name} leads nowhere");
    }
    let mut ids = BTreeSet::new();
    let mut count = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            count += 1;
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
        }
    }
    assert_eq!(count, api::Api::entries().len());
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field.as_str() {
                    Some(target) if name == "$ref" => {
                        references.insert(target.to_owned());
                    }
                    _ => collect(field, references),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}
