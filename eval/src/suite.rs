//! A suite: what is measured on which questions, and what it must reach.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Error, Result};

/// What a suite measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Ranks of the right section.
    Retrieval,
    /// Questions kept and declined.
    Scope,
    /// Links found again by content, and simulated learners.
    Recommendation,
    /// Replies written by hand, put to the guards of the generated path.
    Replies,
    /// Proposals for short answers without a language model.
    Grading,
    /// Questions made without a model, and what a teacher says of them.
    Quiz,
}

/// One suite, from its TOML file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Name on the command line.
    pub name: String,
    /// What it measures.
    pub measure: Measure,
    /// Name of its dataset; empty for a suite that asks nothing.
    #[serde(default)]
    pub dataset: String,
    /// Slug of the course that the dataset asks about.
    pub course: String,
    /// One sentence for the report.
    pub about: String,
    /// Least values by metric.
    #[serde(default)]
    pub floors: BTreeMap<String, f64>,
    /// Least values of what is measured only on data that its user brings.
    #[serde(default)]
    pub floors_with_data: BTreeMap<String, f64>,
    /// Metrics that must be greater than others.
    #[serde(default)]
    pub ahead: BTreeMap<String, Vec<String>>,
}

const SUITES: &[(&str, &str)] = &[
    ("retrieval", include_str!("../suites/retrieval.toml")),
    ("scope", include_str!("../suites/scope.toml")),
    ("recommendation", include_str!("../suites/recommendation.toml")),
    ("quiz", include_str!("../suites/quiz.toml")),
    ("grading", include_str!("../suites/grading.toml")),
    ("replies", include_str!("../suites/replies.toml")),
];

/// Names of the suites that are built in.
#[must_use]
pub fn names() -> Vec<&'static str> {
    SUITES.iter().map(|(name, _)| *name).collect()
}

/// The built-in suite of that name.
///
/// # Errors
/// There is none, or its file is damaged.
pub fn named(name: &str) -> Result<Suite> {
    let (_, text) = SUITES
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| Error::NoSuite { name: name.into(), known: names().join(", ") })?;
    parse(text)
}

/// A suite from TOML.
///
/// # Errors
/// The text is no suite.
pub fn parse(text: &str) -> Result<Suite> {
    toml::from_str(text).map_err(|error| Error::Damaged { what: "suite".into(), reason: error.to_string() })
}
