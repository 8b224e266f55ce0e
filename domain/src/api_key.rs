//! API keys: what opens the model API to scripts and clients, under the rights of the one who made it.
//!
//! The key itself is random and shown once; only its SHA-256 is stored.

use serde::{Deserialize, Serialize};

use crate::{ApiKeyId, CourseId, InstitutionId, Micros, UserId};

/// What every key begins with, so that a scanner of leaked secrets knows it.
pub const MARK: &str = "lyk_";
/// Characters after the mark: 43 of 64 are 258 random bits.
pub const SECRET_LENGTH: usize = 43;
/// Characters of a key that its owner sees again: the mark and eight more.
pub const PREFIX_LENGTH: usize = MARK.len() + 8;
/// The characters of a key (RFC 4648, section 5).
pub const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Most keys of one user that are neither revoked nor expired.
pub const MOST_PER_USER: i64 = 50;

/// A key as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// Identity.
    pub id: ApiKeyId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Whose rights it has.
    pub user_id: UserId,
    /// The course whose use it is; none is the user's own.
    pub course_id: Option<CourseId>,
    /// What its owner calls it.
    pub name: String,
    /// The beginning of the key, to know it again.
    pub prefix: String,
    /// When it was made.
    pub created_at: Micros,
    /// When it ends by itself.
    pub expires_at: Option<Micros>,
    /// When it was ended.
    pub revoked_at: Option<Micros>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Micros>,
}

impl ApiKey {
    /// Whether it opens anything at `now`.
    #[must_use]
    pub fn live(&self, now: Micros) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// A key made of random bytes.
#[must_use]
pub fn compose(random: &[u8; SECRET_LENGTH]) -> String {
    let letters = random.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 63)).copied().map(char::from));
    MARK.chars().chain(letters).collect()
}

/// Whether a text can be a key at all; what cannot is never looked up.
#[must_use]
pub fn well_formed(text: &str) -> bool {
    text.strip_prefix(MARK).is_some_and(|rest| {
        rest.len() == SECRET_LENGTH && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_composed_key_is_well_formed_and_others_are_not() {
        let key = compose(&std::array::from_fn(|n| u8::try_from(n * 7 % 256).unwrap()));
        assert_eq!(key.len(), 47);
        assert!(well_formed(&key));
        assert_ne!(key, compose(&[255; SECRET_LENGTH]));
        for text in ["", "lyk_", &key[..46], &format!("{key}a"), &key.replace("lyk", "sk-"), "lyk_ä"] {
            assert!(!well_formed(text), "{text}");
        }
    }
}
