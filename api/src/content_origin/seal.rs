//! Signed addresses: what they stand for, until when, and the proof that nobody changed it (RFC 2104).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use school::scorm::Ticket;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A block of SHA-256.
const BLOCK: usize = 64;
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

/// HMAC-SHA256.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; BLOCK];
    let short = if key.len() > BLOCK { Sha256::digest(key).to_vec() } else { key.to_vec() };
    for (place, byte) in block.iter_mut().zip(short) {
        *place = byte;
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

fn sign(key: &[u8], payload: &str) -> String {
    let message: Vec<u8> = PURPOSE.iter().copied().chain(payload.bytes()).collect();
    hex::encode(hmac(key, &message))
}

/// The same in every case, so that time tells nothing of where two texts differ.
fn equal(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// The claims as one step of an address.
pub(crate) fn seal(key: &[u8], claims: &Claims) -> String {
    let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims).unwrap_or_default());
    let signature = sign(key, &payload);
    format!("{payload}.{signature}")
}

/// The claims of an address that was signed with this key and has not ended.
pub(crate) fn open(key: &[u8], token: &str, now: i64) -> Option<Claims> {
    let (payload, signature) = token.split_once('.')?;
    if !equal(&sign(key, payload), signature) {
        return None;
    }
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    (now < claims.until).then_some(claims)
}

#[cfg(test)]
mod tests {
    use domain::{InstitutionId, ScormAttemptId, UserId, VersionId};

    use super::{Claims, Ticket, hmac, open, seal};

    #[test]
    fn the_code_is_that_of_rfc_4231() {
        let code = |key: &[u8], text: &[u8]| hex::encode(hmac(key, text));
        let first = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        assert_eq!(code(&[0x0b; 20], b"Hi There"), first);
        let second = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(code(b"Jefe", b"what do ya want for nothing?"), second);
        let long = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
        assert_eq!(code(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"), long);
    }

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
