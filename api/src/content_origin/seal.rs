//! Signed addresses: what they stand for, until when, and the proof that nobody changed it (RFC 2104).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use school::scorm::Ticket;
use serde::{Deserialize, Serialize};

/// Keeps a signature of this kind from being one of another.
const PURPOSE: &[u8] = b"lyceum content address 1\n";

/// What an address says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// Whose files, and for which session.
    pub(crate) ticket: Ticket,
    /// The page that may frame them.
    pub(crate) app: String,
    /// Until when, in seconds since 1970.
    pub(crate) until: i64,
}

fn message(payload: &str) -> Vec<u8> {
    PURPOSE.iter().copied().chain(payload.bytes()).collect()
}

fn by(key: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key)
}

/// The claims as one step of an address.
pub(crate) fn seal(key: &[u8], claims: &Claims) -> String {
    let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims).unwrap_or_default());
    let signature = hmac::sign(&by(key), &message(&payload));
    format!("{payload}.{}", hex::encode(signature))
}

/// The claims of an address that was signed with this key and has not ended.
pub(crate) fn open(key: &[u8], token: &str, now: i64) -> Option<Claims> {
    let (payload, signature) = token.split_once('.')?;
    let signature = hex::decode(signature).ok()?;
    hmac::verify(&by(key), &message(payload), &signature).ok()?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    (now < claims.until).then_some(claims)
}

#[cfg(test)]
mod tests {
    use domain::{InstitutionId, ScormAttemptId, UserId, VersionId};

    use super::{Claims, Ticket, open, seal};

    #[test]
    fn an_address_is_opened_with_its_key_until_it_ends_and_not_when_it_was_changed() {
        let ticket = Ticket {
            institution: InstitutionId::fresh(),
            version: VersionId::fresh(),
            attempt: ScormAttemptId::fresh(),
            revision: 3,
            user: UserId::fresh(),
            login: Some("family".into()),
        };
        let claims = Claims { ticket, app: "http://127.0.0.1:8080".into(), until: 100 };
        let (key, other) = ([7; 32], [8; 32]);
        let token = seal(&key, &claims);
        assert_eq!(open(&key, &token, 99).as_ref(), Some(&claims));
        assert_eq!(open(&key, &token, 100), None, "it has ended");
        assert_eq!(open(&other, &token, 1), None, "another key");
        let later = seal(&other, &Claims { until: 1_000, ..claims });
        let (payload, _) = later.split_once('.').unwrap();
        let (_, signature) = token.split_once('.').unwrap();
        assert_eq!(open(&key, &format!("{payload}.{signature}"), 1), None, "other claims");
        for at in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[at] ^= 1;
            let forged = String::from_utf8_lossy(&forged).into_owned();
            assert_eq!(open(&key, &forged, 1), None, "changed at {at}");
        }
        for none in ["", ".", "a.b", "a"] {
            assert_eq!(open(&key, none, 1), None);
        }
    }
}
