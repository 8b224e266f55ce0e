//! Names of models: `llama3` and `llama3:latest` are one.

const LATEST: &str = ":latest";

/// The name without the tag that everything has that has no other.
pub(super) fn short(name: &str) -> &str {
    name.strip_suffix(LATEST).unwrap_or(name)
}

/// Whether two names are those of one model.
#[must_use]
pub fn same_model(left: &str, right: &str) -> bool {
    short(left) == short(right)
}
