//! Conditions put together at run time: the text holds only placeholders, every value is bound.

use crate::db::Value;

/// The binds of a statement under construction.
pub(crate) struct Filter {
    /// In the order of their placeholders.
    pub(crate) args: Vec<Value>,
}

impl Filter {
    pub(crate) fn new(args: Vec<Value>) -> Self {
        Self { args }
    }

    /// Binds a value and yields its placeholder.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.args.push(value.into());
        format!("${}", self.args.len())
    }

    /// Binds several and yields their placeholders, separated by commas.
    pub(crate) fn list<T: Copy + Into<Value>>(&mut self, values: &[T]) -> String {
        values.iter().map(|value| self.bind(*value)).collect::<Vec<_>>().join(", ")
    }
}

/// Conditions of which one must hold; none at all never holds.
pub(crate) fn any_of(conditions: &[String]) -> String {
    if conditions.is_empty() { "1 = 0".into() } else { conditions.join(" OR ") }
}
