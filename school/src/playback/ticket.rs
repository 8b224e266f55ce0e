//! Tickets: who may play which lesson until when, signed (HMAC-SHA256, RFC 2104) instead of stored.

use domain::{InstitutionId, LessonId, Micros, UserId};
use ring::hmac;
use uuid::Uuid;

/// Bytes of a ticket before its signature.
const BODY: usize = 1 + 16 + 16 + 16 + 8;
/// Bytes of a signature.
const MAC: usize = 32;

/// Signs tickets and makes the keys of protected recordings. It never leaves the process.
#[derive(Clone)]
pub struct StreamKey([u8; 32]);

impl std::fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StreamKey")
    }
}

impl Default for StreamKey {
    /// A key that nobody else has: its tickets end with the process.
    fn default() -> Self {
        Self(rand::random())
    }
}

/// Who may play which lesson until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) institution: InstitutionId,
    /// `None` for a guest.
    pub(super) user: Option<UserId>,
    pub(super) lesson: LessonId,
    pub(super) expires_at: Micros,
    /// The holder gave a reason for the access.
    pub(super) reasoned: bool,
}

impl StreamKey {
    /// The key of these 64 hexadecimal digits; `None` when they are none.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = hex::decode(text.trim()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// As [`Self::from_hex`] reads it, for a file that only its owner may read.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The AES-128 key of a recording; made from this key each time, and kept nowhere.
    #[must_use]
    pub fn of_recording(&self, institution: InstitutionId, sha256: &str) -> [u8; 16] {
        let mac = hmac::sign(&self.hmac(), format!("hls aes-128\0{institution}\0{sha256}").as_bytes());
        let mut key = [0; 16];
        key.iter_mut().zip(mac.as_ref()).for_each(|(key, byte)| *key = *byte);
        key
    }

    fn hmac(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }

    pub(super) fn seal(&self, ticket: &Ticket) -> String {
        let mut bytes = Vec::with_capacity(BODY + MAC);
        bytes.push(u8::from(ticket.reasoned));
        let user = ticket.user.map_or(Uuid::nil(), |user| user.0);
        for id in [ticket.institution.0, user, ticket.lesson.0] {
            bytes.extend_from_slice(id.as_bytes());
        }
        bytes.extend_from_slice(&ticket.expires_at.to_be_bytes());
        let mac = hmac::sign(&self.hmac(), &signed(&bytes));
        bytes.extend_from_slice(mac.as_ref());
        hex::encode(bytes)
    }

    /// What was sealed with this key; `None` for anything else.
    pub(super) fn open(&self, text: &str) -> Option<Ticket> {
        if text.len() != 2 * (BODY + MAC) {
            return None;
        }
        let bytes = hex::decode(text).ok()?;
        let (body, mac) = bytes.split_at_checked(BODY)?;
        hmac::verify(&self.hmac(), &signed(body), mac).ok()?;
        let id = |at: usize| Uuid::from_slice(body.get(at..at + 16)?).ok();
        let user = id(17)?;
        Some(Ticket {
            reasoned: *body.first()? != 0,
            institution: InstitutionId(id(1)?),
            user: (!user.is_nil()).then_some(UserId(user)),
            lesson: LessonId(id(33)?),
            expires_at: Micros::from_be_bytes(body.get(49..57)?.try_into().ok()?),
        })
    }
}

/// What a signature is of: a purpose of its own, so that no other message of the key is a ticket.
fn signed(body: &[u8]) -> Vec<u8> {
    [b"stream ticket\0".as_slice(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_with_its_key_and_as_it_was_alone() {
        let key = StreamKey::default();
        let ticket = Ticket {
            institution: InstitutionId(Uuid::now_v7()),
            user: Some(UserId(Uuid::now_v7())),
            lesson: LessonId(Uuid::now_v7()),
            expires_at: 17,
            reasoned: true,
        };
        let sealed = key.seal(&ticket);
        assert_eq!(key.open(&sealed), Some(ticket));
        assert_eq!(StreamKey::from_hex(&key.to_hex()).unwrap().open(&sealed), Some(ticket));
        assert_eq!(StreamKey::default().open(&sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(key.open(&String::from_utf8(changed).unwrap()), None, "{at}");
        }
        for none in ["", "zz", &sealed[2..], &format!("{sealed}00")] {
            assert_eq!(key.open(none), None);
        }
        let guest = Ticket { user: None, reasoned: false, ..ticket };
        assert_eq!(key.open(&key.seal(&guest)), Some(guest));
    }

    #[test]
    fn a_recording_has_another_key_in_another_institution() {
        let key = StreamKey::default();
        let (a, b) = (InstitutionId(Uuid::now_v7()), InstitutionId(Uuid::now_v7()));
        assert_ne!(key.of_recording(a, "x"), key.of_recording(b, "x"));
        assert_eq!(key.of_recording(a, "x"), key.of_recording(a, "x"));
    }
}
