//! Argon2id with bounded concurrency, and the same work for names that do not exist.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use domain::{Error, ErrorKind};
use tokio::sync::Semaphore;

use crate::{PasswordCost, Result};

/// Most requests that may wait for a hash; more are told to come back.
const WAITING: usize = 256;

pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// A hash that no password has, verified where there is no user.
    dummy: String,
}

impl Passwords {
    pub(crate) fn new(cost: PasswordCost) -> Result<Self> {
        let broken =
            |error: String| Error::new(ErrorKind::Internal, format!("cannot set up password hashing: {error}"));
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(|e| broken(e.to_string()))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let secret: [u8; 32] = rand::random();
        let dummy = argon2.hash_password(&secret).map_err(|e| broken(e.to_string()))?.to_string();
        Ok(Self {
            argon2,
            running: Arc::new(Semaphore::new(cost.at_once.max(1))),
            waiting: Arc::new(Semaphore::new(WAITING)),
            dummy,
        })
    }

    /// The hash of a password that is good enough.
    pub(crate) async fn hash(&self, username: &str, password: &str) -> Result<String> {
        let length = password.chars().count();
        if length < 8 {
            return Err(Error::invalid("password", "TOO_SHORT", "\"password\" needs at least 8 characters"));
        }
        if password.len() > 256 {
            return Err(Error::invalid("password", "TOO_LONG", "\"password\" has at most 256 bytes"));
        }
        if password.eq_ignore_ascii_case(username) {
            return Err(Error::invalid("password", "TOO_WEAK", "\"password\" must not be the login name"));
        }
        let (argon2, password) = (self.argon2.clone(), password.to_owned());
        self.run(move || argon2.hash_password(password.as_bytes()).map(|hash| hash.to_string()))
            .await?
            .map_err(|error| Error::new(ErrorKind::Internal, format!("cannot hash a password: {error}")))
    }

    /// Whether a password is that of a stored hash; takes as long when there is none.
    pub(crate) async fn verify(&self, stored: Option<String>, password: &str) -> Result<bool> {
        let known = stored.is_some();
        let text = stored.unwrap_or_else(|| self.dummy.clone());
        // A longer password than any that is taken costs no more than the longest.
        let password: String = password.chars().take(256).collect();
        let argon2 = self.argon2.clone();
        let matches = self
            .run(move || {
                PasswordHash::new(&text).is_ok_and(|hash| argon2.verify_password(password.as_bytes(), &hash).is_ok())
            })
            .await?;
        Ok(known && matches)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let busy = || Error::new(ErrorKind::Unavailable, "too many logins at once; try again in a moment");
        let _queued = self.waiting.clone().try_acquire_owned().map_err(|_| busy())?;
        let running = self.running.clone().acquire_owned().await.map_err(|_| busy())?;
        // The permit goes into the thread: a caller that leaves does not free it before the work ends.
        tokio::task::spawn_blocking(move || {
            let value = work();
            drop(running);
            value
        })
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, format!("password hashing stopped: {error}")))
    }
}
