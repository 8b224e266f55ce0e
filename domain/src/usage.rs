//! What models were used for: sums by day, and how they are grouped in a report.

use serde::{Deserialize, Serialize};

use crate::Micros;
use crate::quota::Payer;

/// One finished request, to be added to its sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// Whose use.
    pub payer: Payer,
    /// Which part of the product asked, such as `tutor`, `api` or `ingestion`.
    pub feature: String,
    /// The model that answered, or was asked for.
    pub model: String,
    /// How much.
    pub sums: Sums,
}

/// What is added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sums {
    /// Requests, failed ones among them.
    pub requests: u64,
    /// Requests without an answer.
    pub failed: u64,
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
    /// Milliseconds before a worker began.
    pub waited_ms: u64,
    /// Milliseconds that a worker was busy: what it cost.
    pub busy_ms: u64,
    /// Requests that a cache answered.
    pub cache_hits: u64,
}

impl Sums {
    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.failed = self.failed.saturating_add(other.failed);
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
        self.completion_tokens = self.completion_tokens.saturating_add(other.completion_tokens);
        self.waited_ms = self.waited_ms.saturating_add(other.waited_ms);
        self.busy_ms = self.busy_ms.saturating_add(other.busy_ms);
        self.cache_hits = self.cache_hits.saturating_add(other.cache_hits);
    }
}

/// What a report is grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// One line.
    Institution,
    /// A line for each course; use that is no course's is one line too.
    Course,
    /// A line for each user.
    User,
    /// A line for each part of the product.
    Feature,
    /// A line for each model.
    Model,
    /// A line for each day, UTC.
    #[default]
    Day,
}

impl GroupBy {
    /// Every grouping.
    pub const ALL: [Self; 6] = [Self::Institution, Self::Course, Self::User, Self::Feature, Self::Model, Self::Day];

    /// The spelling used in requests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Institution => "institution",
            Self::Course => "course",
            Self::User => "user",
            Self::Feature => "feature",
            Self::Model => "model",
            Self::Day => "day",
        }
    }

    /// The grouping of that spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == text)
    }
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageLine {
    /// Id of the group, a name, or a day as `2026-11-21`; empty is use that belongs to none.
    pub group: String,
    /// The group's name for people, where it has one besides its id.
    pub name: Option<String>,
    /// What was added up.
    #[serde(flatten)]
    pub sums: Sums,
}

/// The day that a moment lies in, as `2026-11-21`.
#[must_use]
pub fn day_name(day: Micros) -> String {
    let moment = time::OffsetDateTime::from_unix_timestamp(day.div_euclid(1_000_000)).ok();
    moment.map(|moment| moment.date().to_string()).unwrap_or_default()
}

/// The beginning of a day written as `2026-11-21`.
#[must_use]
pub fn parse_day(text: &str) -> Option<Micros> {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    let date = time::Date::parse(text, format).ok()?;
    date.midnight().assume_utc().unix_timestamp().checked_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_as_it_is_read() {
        for text in ["1970-01-01", "2026-11-21", "2000-02-29"] {
            assert_eq!(day_name(parse_day(text).unwrap()), text);
        }
        assert_eq!(day_name(parse_day("2026-11-21").unwrap() + 86_399_999_999), "2026-11-21");
        assert!(parse_day("21.11.2026").is_none() && parse_day("2026-02-30").is_none());
    }
}
