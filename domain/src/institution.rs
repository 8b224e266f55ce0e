//! An institution: the tenant that every row, key, query and path carries.

use serde::{Deserialize, Serialize};

use crate::{Error, InstitutionId, Micros};

/// A school.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Institution {
    /// Identity.
    pub id: InstitutionId,
    /// Name in addresses and on the command line.
    pub slug: String,
    /// Name for people.
    pub name: String,
    /// `active` or `suspended`.
    pub status: String,
    /// When it was made.
    pub created_at: Micros,
}

/// Checks a slug: 1 to 64 of `a-z`, `0-9` and `-`, not at the ends.
///
/// # Errors
/// `INVALID_FORMAT` names the field.
pub fn check_slug(field: &str, slug: &str) -> Result<(), Error> {
    let good = (1..=64).contains(&slug.len())
        && slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !slug.starts_with('-')
        && !slug.ends_with('-');
    if good {
        Ok(())
    } else {
        Err(Error::invalid(
            field,
            "INVALID_FORMAT",
            format!("\"{slug}\" is not a slug: use 1 to 64 of a-z, 0-9 and -, such as \"intro-to-rust\""),
        ))
    }
}
