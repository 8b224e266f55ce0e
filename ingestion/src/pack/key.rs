//! The key that signs packs: Ed25519, made when it is first needed, readable by its owner alone.

use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use domain::ingestion::{Failure, failure};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

/// What stands before the manifest in what is signed, so that no other signature of the key fits.
const CONTEXT: &[u8] = b"lyceum pack manifest 1\n";
/// How keys are written.
const SCHEME: &str = "ed25519:";

/// A key that signs.
pub struct Key(Ed25519KeyPair);

/// The second entry of a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Signature {
    /// `ed25519:` and the public key in hexadecimal.
    pub(super) key: String,
    /// In hexadecimal.
    pub(super) signature: String,
}

impl Key {
    /// The key in this file; it is made, with mode 0600, when it is not there.
    ///
    /// # Errors
    /// The file cannot be read or written, may be read by others, or holds no key.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let failed = |why: String| Failure::new(failure::UNREADABLE, format!("the signing key \"{shown}\" {why}"));
        let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match made {
            Ok(mut file) => {
                let written = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
                    .map_err(|_| "cannot be made: the system gives no random numbers".to_owned())
                    .and_then(|secret| {
                        let kept = file.write_all(secret.as_ref()).and_then(|()| file.sync_all());
                        kept.map_err(|error| format!("cannot be written: {error}"))
                    });
                if let Err(why) = written {
                    // Half a key would be in the way of the next try.
                    let _ = std::fs::remove_file(path);
                    return Err(failed(why));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(format!("cannot be made: {error}"))),
        }
        let state = std::fs::metadata(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
        if state.permissions().mode() & 0o077 != 0 {
            return Err(failed(format!("may be read by others; make it private: chmod 600 \"{shown}\"")));
        }
        let bytes = std::fs::read(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
        let pair = Ed25519KeyPair::from_pkcs8(&bytes)
            .map_err(|_| failed("is damaged; move it away and a new one is made, which others have to trust".into()))?;
        Ok(Self(pair))
    }

    /// The public key as people compare it: `ed25519:` and 64 hexadecimal digits.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{SCHEME}{}", hex::encode(self.0.public_key().as_ref()))
    }

    pub(super) fn sign(&self, manifest: &[u8]) -> Signature {
        let signature = self.0.sign(&[CONTEXT, manifest].concat());
        Signature { key: self.name(), signature: hex::encode(signature.as_ref()) }
    }
}

impl Signature {
    /// Whether the key that it names signed this manifest.
    pub(super) fn holds(&self, manifest: &[u8]) -> bool {
        let key = self.key.strip_prefix(SCHEME).and_then(|key| hex::decode(key).ok());
        let (Some(key), Ok(signature)) = (key, hex::decode(&self.signature)) else { return false };
        UnparsedPublicKey::new(&ED25519, key).verify(&[CONTEXT, manifest].concat(), &signature).is_ok()
    }
}

/// The one spelling of a key that a person gave: `ed25519:` may be left out, capitals are the same.
#[must_use]
pub fn key_named(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.strip_prefix(SCHEME).unwrap_or(&text);
    let good = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| format!("{SCHEME}{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_is_private_and_signs_one_manifest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pack-key");
        let key = Key::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Key::open(&path).unwrap().name(), key.name());
        let signature = key.sign(b"one");
        assert!(signature.holds(b"one") && !signature.holds(b"two"));
        let other = Key::open(&folder.path().join("other")).unwrap();
        assert!(!Signature { key: other.name(), ..signature.clone() }.holds(b"one"));
        for key in ["", "ed25519:", "rsa:00", "ed25519:zz"] {
            assert!(!Signature { key: key.into(), ..signature.clone() }.holds(b"one"));
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Key::open(&path).err().unwrap().message.contains("chmod 600"));
    }

    #[test]
    fn keys_are_compared_in_one_spelling() {
        let name = format!("ed25519:{}", "ab".repeat(32));
        for text in [name.clone(), "AB".repeat(32), format!(" ED25519:{} ", "aB".repeat(32))] {
            assert_eq!(key_named(&text), Some(name.clone()));
        }
        for text in ["", "abc", "ed25519:xyz"] {
            assert_eq!(key_named(text), None);
        }
    }
}
