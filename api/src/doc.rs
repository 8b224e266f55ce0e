//! OpenAPI 3.1 made from the table of routes, so that it cannot tell of other routes than there are.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::routes::Routes;

/// A type as the document names and describes it.
struct Described {
    name: String,
    all: Vec<(String, RefOr<Schema>)>,
}

fn described<T: ToSchema>() -> Described {
    let mut all = Vec::new();
    T::schemas(&mut all);
    let name = T::name().into_owned();
    all.push((name.clone(), T::schema()));
    Described { name, all }
}

/// The shape of a good answer.
enum Answer {
    One(u16, Described),
    Many(Described),
    Nothing,
    Text,
    Bytes,
    Stream,
}

/// What a route says of itself.
pub(crate) struct About {
    summary: &'static str,
    query: &'static [(&'static str, &'static str)],
    body: Option<Described>,
    answer: Answer,
}

/// Starts the description of a route.
pub(crate) fn about(summary: &'static str) -> About {
    About { summary, query: &[], body: None, answer: Answer::Nothing }
}

impl About {
    /// Takes these in the query: name and meaning.
    pub(crate) fn query(self, query: &'static [(&'static str, &'static str)]) -> Self {
        Self { query, ..self }
    }

    /// Takes this as JSON.
    pub(crate) fn body<T: ToSchema>(self) -> Self {
        Self { body: Some(described::<T>()), ..self }
    }

    pub(crate) fn one<T: ToSchema>(self) -> Self {
        Self { answer: Answer::One(200, described::<T>()), ..self }
    }

    pub(crate) fn created<T: ToSchema>(self) -> Self {
        Self { answer: Answer::One(201, described::<T>()), ..self }
    }

    pub(crate) fn many<T: ToSchema>(self) -> Self {
        Self { answer: Answer::Many(described::<T>()), ..self }
    }

    pub(crate) fn nothing(self) -> Self {
        Self { answer: Answer::Nothing, ..self }
    }

    pub(crate) fn text(self) -> Self {
        Self { answer: Answer::Text, ..self }
    }

    pub(crate) fn bytes(self) -> Self {
        Self { answer: Answer::Bytes, ..self }
    }

    pub(crate) fn stream(self) -> Self {
        Self { answer: Answer::Stream, ..self }
    }
}

/// The document as text, ended by a line break.
pub(crate) fn text(routes: &Routes) -> String {
    let mut document = document(routes);
    // By name, so that a route which moves in the code changes nothing here.
    document.sort_all_objects();
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn document(routes: &Routes) -> Value {
    let mut schemas: BTreeMap<String, Value> = BTreeMap::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for (entry, about) in &routes.table {
        for described in about.body.iter().chain(answer_type(&about.answer)) {
            for (name, schema) in &described.all {
                schemas.insert(name.clone(), serde_json::to_value(schema).unwrap_or_default());
            }
        }
        paths.entry(entry.path).or_default().insert(
            entry.method.as_str().to_lowercase(),
            operation(entry.path, &entry.method, entry.action.as_str(), about),
        );
    }
    schemas.insert("Error".into(), error_schema());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Lyceum",
            "version": "1",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "A self-hosted learning platform. Answers come in one envelope; errors carry a code and a trace id.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn answer_type(answer: &Answer) -> Option<&Described> {
    match answer {
        Answer::One(_, described) | Answer::Many(described) => Some(described),
        _ => None,
    }
}

fn operation(path: &str, method: &Method, action: &str, about: &About) -> Value {
    let mut parameters: Vec<Value> = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')))
        .map(|name| json!({ "name": name.trim_start_matches('*'), "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters.extend(about.query.iter().map(
        |(name, meaning)| json!({ "name": name, "in": "query", "description": meaning, "schema": { "type": "string" } }),
    ));
    if *method == Method::POST && path.starts_with("/api/") && !path.contains("/auth/") {
        let meaning = "The same key and body again answer what the first request did";
        parameters.push(json!({ "name": "Idempotency-Key", "in": "header", "description": meaning, "schema": { "type": "string" } }));
    }
    let mut operation = json!({
        "summary": about.summary,
        "operationId": operation_id(path, method),
        "tags": [path.trim_start_matches("/api/v1").split('/').nth(1).unwrap_or("root")],
        "x-action": action,
        "parameters": parameters,
        "responses": responses(about),
    });
    if let (Some(body), Some(operation)) = (&about.body, operation.as_object_mut()) {
        let content = json!({ "application/json": { "schema": reference(&body.name) } });
        operation.insert("requestBody".into(), json!({ "required": true, "content": content }));
    }
    if path.starts_with("/api/")
        && action != "session.start"
        && let Some(operation) = operation.as_object_mut()
    {
        operation.insert("security".into(), json!([{ "token": [] }, {}]));
    }
    operation
}

fn responses(about: &About) -> Value {
    let json_answer = |schema: Value| json!({ "application/json": { "schema": schema } });
    let (status, content) = match &about.answer {
        Answer::One(status, described) => (*status, Some(json_answer(one_schema(described)))),
        Answer::Many(described) => (200, Some(json_answer(many_schema(described)))),
        Answer::Nothing => (204, None),
        Answer::Text => (200, Some(json!({ "text/plain": { "schema": { "type": "string" } } }))),
        Answer::Bytes => (200, Some(json!({ "application/octet-stream": { "schema": { "type": "string" } } }))),
        Answer::Stream => (200, Some(json!({ "text/event-stream": { "schema": { "type": "string" } } }))),
    };
    let mut good = json!({ "description": "Done" });
    if let (Some(content), Some(good)) = (content, good.as_object_mut()) {
        good.insert("content".into(), content);
    }
    let bad = json!({ "description": "Refused", "content": json_answer(reference("Error")) });
    Value::Object([(status.to_string(), good), ("default".into(), bad)].into_iter().collect())
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn resource_schema(described: &Described) -> Value {
    json!({
        "type": "object",
        "required": ["id", "type", "attributes", "relationships", "meta"],
        "properties": {
            "id": { "type": "string" },
            "type": { "type": "string" },
            "attributes": reference(&described.name),
            "relationships": { "type": "object" },
            "meta": { "type": "object" },
        },
    })
}

fn one_schema(described: &Described) -> Value {
    json!({
        "type": "object",
        "required": ["data", "included", "links"],
        "properties": {
            "data": resource_schema(described),
            "included": { "type": "array", "items": { "type": "object" } },
            "links": { "type": "object" },
        },
    })
}

fn many_schema(described: &Described) -> Value {
    json!({
        "type": "object",
        "required": ["data", "meta", "links"],
        "properties": {
            "data": { "type": "array", "items": resource_schema(described) },
            "included": { "type": "array", "items": { "type": "object" } },
            "meta": { "type": "object", "properties": { "pagination": { "type": "object" } } },
            "links": { "type": "object" },
        },
    })
}

fn error_schema() -> Value {
    let text = || json!({ "type": "string" });
    let detail = json!({ "type": "object", "properties": { "field": text(), "message": text(), "code": text() } });
    json!({
        "type": "object",
        "required": ["error"],
        "properties": { "error": {
            "type": "object",
            "required": ["code", "message", "details", "traceId", "timestamp"],
            "properties": {
                "code": text(),
                "message": text(),
                "details": { "type": "array", "items": detail },
                "traceId": text(),
                "timestamp": { "type": "string", "format": "date-time" },
                "supportedVersions": { "type": "array", "items": text() },
            },
        }},
    })
}

/// A name for generated clients: `getCoursesIdModules`.
fn operation_id(path: &str, method: &Method) -> String {
    let words =
        path.trim_start_matches("/api/v1").split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(method.as_str().to_lowercase(), |mut id, word| {
        let mut letters = word.chars();
        id.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        id.extend(letters);
        id
    })
}
