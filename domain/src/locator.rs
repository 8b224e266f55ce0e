//! The exact place of a passage in its source: lines, page, second, section, slide or cell.

use serde::{Deserialize, Serialize};

/// What `start` and `end` of a locator count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LocatorKind {
    /// Lines of the file, from 1, both inclusive.
    Lines,
    /// Pages of a document, from 1, both inclusive.
    Page,
    /// Seconds of a recording; stored as milliseconds.
    Time,
    /// Ordinal of the section (heading) within an HTML page, from 1.
    Section,
    /// Slides of a presentation, from 1, both inclusive.
    Slide,
    /// Cells of a notebook, from 1, both inclusive.
    Cell,
}

impl LocatorKind {
    /// The spelling used in rows and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Page => "page",
            Self::Time => "time",
            Self::Section => "section",
            Self::Slide => "slide",
            Self::Cell => "cell",
        }
    }

    /// The kind of that spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Lines, Self::Page, Self::Time, Self::Section, Self::Slide, Self::Cell];
        all.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A span of a source. For `Time`, `start` and `end` are milliseconds in memory and in rows and
/// seconds in JSON; for the others they are counts in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Locator {
    /// What is counted.
    pub kind: LocatorKind,
    /// First line, page, section, slide, cell, or millisecond.
    pub start: i64,
    /// Last line, page, section, slide, cell (inclusive), or end millisecond (exclusive).
    pub end: i64,
}

impl Locator {
    /// A span of `kind`.
    #[must_use]
    pub fn new(kind: LocatorKind, start: i64, end: i64) -> Self {
        Self { kind, start, end }
    }

    /// The smallest span that covers both; the kind is this one's.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self { kind: self.kind, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Whether `inner` lies within this span.
    #[must_use]
    pub fn covers(self, inner: Self) -> bool {
        self.kind == inner.kind && self.start <= inner.start && inner.end <= self.end
    }
}

impl std::fmt::Display for Locator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let clock = |ms: i64| format!("{:02}:{:02}", ms / 60_000, ms / 1000 % 60);
        match self.kind {
            LocatorKind::Lines if self.start == self.end => write!(f, "line {}", self.start),
            LocatorKind::Lines => write!(f, "lines {}-{}", self.start, self.end),
            LocatorKind::Page if self.start == self.end => write!(f, "page {}", self.start),
            LocatorKind::Page => write!(f, "pages {}-{}", self.start, self.end),
            LocatorKind::Section => write!(f, "section {}", self.start),
            LocatorKind::Slide if self.start == self.end => write!(f, "slide {}", self.start),
            LocatorKind::Slide => write!(f, "slides {}-{}", self.start, self.end),
            LocatorKind::Cell if self.start == self.end => write!(f, "cell {}", self.start),
            LocatorKind::Cell => write!(f, "cells {}-{}", self.start, self.end),
            LocatorKind::Time => write!(f, "{}-{}", clock(self.start), clock(self.end)),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Wire {
    kind: LocatorKind,
    start: serde_json::Number,
    end: serde_json::Number,
}

impl Serialize for Locator {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = |value: i64| match self.kind {
            LocatorKind::Time if value % 1000 != 0 => {
                #[expect(clippy::cast_precision_loss, reason = "milliseconds of a recording fit 53 bits")]
                let seconds = value as f64 / 1000.0;
                serde_json::Number::from_f64(seconds).unwrap_or_else(|| value.into())
            }
            LocatorKind::Time => (value / 1000).into(),
            _ => value.into(),
        };
        Wire { kind: self.kind, start: number(self.start), end: number(self.end) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Locator {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let count = |number: &serde_json::Number| match wire.kind {
            LocatorKind::Time => {
                #[expect(clippy::cast_possible_truncation, reason = "seconds of a recording are small")]
                let ms = (number.as_f64().unwrap_or(0.0) * 1000.0).round() as i64;
                ms
            }
            _ => number.as_i64().unwrap_or(0),
        };
        Ok(Self { kind: wire.kind, start: count(&wire.start), end: count(&wire.end) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_seconds_on_the_wire_and_milliseconds_inside() {
        let span = Locator::new(LocatorKind::Time, 12_500, 20_000);
        let text = serde_json::to_string(&span).unwrap();
        assert_eq!(text, r#"{"kind":"time","start":12.5,"end":20}"#);
        assert_eq!(serde_json::from_str::<Locator>(&text).unwrap(), span);
    }
}
