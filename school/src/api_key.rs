//! API keys: made, listed and revoked by their owners, and resolved on every call of the model API.
//!
//! What a key resolves to is remembered for [`REMEMBERED`], so that a revoked key or a suspended user is
//! out within that time and a call costs a hash and a look-up.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use domain::api_key::{self, ApiKey};
use domain::policy::{self, Action, Actor, Subject};
use domain::user::Scope;
use domain::{ApiKeyId, CourseId, Error, ErrorKind, InstitutionId, Micros, UserId};
use foldhash::HashMap;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use store::Tx;
use store::sql::event::NewEvent;
use store::sql::institution::Owned;
use store::sql::{self};

use crate::course::{check_text, page};
use crate::unit::{KEY_REUSED, announce, record};
use crate::{Result, School, access};

/// How long what a key resolves to is remembered: revocation and suspension bite within this time.
pub const REMEMBERED: Duration = Duration::from_secs(5);
/// Too many keys that live.
pub const TOO_MANY_KEYS: &str = "TOO_MANY_KEYS";
/// Last use is noted at most this often.
const NOTED: Micros = 60_000_000;
const SECOND: Micros = 1_000_000;

/// Use cases of API keys.
pub struct ApiKeys<'a> {
    pub(crate) school: &'a School,
}

/// A key to be made.
#[derive(Debug, Clone, Default)]
pub struct NewApiKey {
    /// Whose; the caller's own without it. Only the operator makes keys for others.
    pub user: Option<UserId>,
    /// The course whose use it is.
    pub course: Option<CourseId>,
    /// What its owner calls it.
    pub name: String,
    /// Seconds until it ends by itself.
    pub expires_seconds: Option<i64>,
}

/// A made key. The secret is shown this once.
#[derive(Debug, Clone)]
pub struct Created {
    /// The key as it is kept.
    pub key: ApiKey,
    /// What goes into `Authorization: Bearer`.
    pub secret: String,
}

/// What a key stands for, with the rights as the store had them at most [`REMEMBERED`] ago.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Its owner.
    pub actor: Actor,
    /// The key.
    pub key: ApiKeyId,
    /// The course whose use it is.
    pub course: Option<CourseId>,
    /// Whether the owner may call models with it.
    pub model_use: bool,
}

impl Resolved {
    /// Who pays for what is asked with this key.
    #[must_use]
    pub fn payer(&self) -> domain::quota::Payer {
        domain::quota::Payer {
            institution: self.actor.institution,
            course: self.course,
            user: self.actor.user_id,
            key: Some(self.key),
        }
    }

    /// Checks that the owner may call models.
    ///
    /// # Errors
    /// Forbidden: learners reach models through the tutor.
    pub fn check_model_use(&self) -> Result<()> {
        if self.model_use {
            return Ok(());
        }
        let message = "your role does not allow \"model.use\" with this key; ask the tutor of a course instead";
        Err(Error::new(ErrorKind::Forbidden, message))
    }
}

impl ApiKeys<'_> {
    /// Makes a key.
    ///
    /// # Errors
    /// Refused by policy, too many keys, a course that the owner teaches nothing in, or an idempotency key that
    /// made one before: its secret is not shown twice.
    pub async fn create(&self, actor: &Actor, new: NewApiKey) -> Result<Created> {
        check_text("name", &new.name, 0, 100)?;
        if new.expires_seconds.is_some_and(|seconds| !(1..=10 * 366 * 86_400).contains(&seconds)) {
            let message = "\"expiresSeconds\" is at least a second and at most ten years";
            return Err(Error::invalid("expiresSeconds", "OUT_OF_RANGE", message));
        }
        let secret = api_key::compose(&rand::random());
        let (id, hash) = (ApiKeyId::fresh(), hex::encode(Sha256::digest(secret.as_bytes())));
        let prefix = secret.chars().take(api_key::PREFIX_LENGTH).collect::<String>();
        let key = self
            .school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let owner = owner(tx, actor, new.user).await?;
                    let subject = Subject::person(owner.institution_id, owner.id, Vec::new());
                    // A stranger's id is answered as no id, whether it is one or not.
                    let missing = || Error::not_found("user", owner.id);
                    access::hidden(actor, Action::KeyOwn, &subject, missing)?;
                    if let Some(course) = new.course {
                        bindable(tx, actor, &owner, course).await?;
                    }
                    let now = tx.now().await?;
                    if sql::api_key::live(tx, owner.institution_id, owner.id, now).await? >= api_key::MOST_PER_USER {
                        let message = format!("a user has at most {} keys; revoke one first", api_key::MOST_PER_USER);
                        return Err(Error::new(ErrorKind::Conflict, message).with_code(TOO_MANY_KEYS).into());
                    }
                    let key = ApiKey {
                        id,
                        institution_id: owner.institution_id,
                        user_id: owner.id,
                        course_id: new.course,
                        name: new.name.trim().to_owned(),
                        prefix,
                        created_at: now,
                        expires_at: new.expires_seconds.map(|seconds| now + seconds * SECOND),
                        revoked_at: None,
                        last_used_at: None,
                    };
                    sql::api_key::insert(tx, &key, &hash).await?;
                    note(tx, actor, &key, "key.created").await?;
                    Ok(key)
                })
            })
            .await?;
        if key.id != id {
            let message = "this idempotency key made a key before; its secret was shown then and is not kept";
            return Err(Error::new(ErrorKind::Conflict, message).with_code(KEY_REUSED));
        }
        Ok(Created { key, secret })
    }

    /// Keys of the caller; of another user or of everybody for those who manage keys.
    ///
    /// # Errors
    /// Refused by policy.
    pub async fn list(
        &self,
        actor: &Actor,
        institution: InstitutionId,
        user: Option<UserId>,
        after: Option<ApiKeyId>,
        limit: i64,
    ) -> Result<Vec<ApiKey>> {
        let own = user.is_some() && user == actor.user_id;
        if own {
            access::known(actor, Action::KeyOwn, &Subject::person(institution, user.unwrap_or(NOBODY), Vec::new()))?;
        } else {
            crate::course::allow_in(actor, Action::KeyAdmin, institution)?;
        }
        let limit = page(limit);
        self.school
            .read(move |tx| Box::pin(async move { sql::api_key::list(tx, institution, user, after, limit).await }))
            .await
    }

    /// Ends a key: within [`REMEMBERED`] it opens nothing, in this process at once. Ending it twice is ending it once.
    ///
    /// # Errors
    /// Not found when it is not the caller's, for who does not manage keys.
    pub async fn revoke(&self, actor: &Actor, id: ApiKeyId) -> Result<()> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let missing = || if actor.is_guest() { access::log_in() } else { Error::not_found("key", id) };
                    let institution = sql::institution::of(tx, Owned::ApiKey(id)).await?.ok_or_else(missing)?;
                    let key = sql::api_key::get(tx, institution, id).await?.ok_or_else(missing)?;
                    let subject = Subject::person(institution, key.user_id, Vec::new());
                    if !access::may(actor, Action::KeyOwn, &subject) {
                        access::hidden(actor, Action::KeyAdmin, &Subject::institution(institution), missing)?;
                    }
                    let now = tx.now().await?;
                    if sql::api_key::revoke(tx, institution, id, now).await? {
                        note(tx, actor, &key, "key.revoked").await?;
                    }
                    Ok(())
                })
            })
            .await?;
        self.school.inner.api_keys.forget(id);
        Ok(())
    }

    /// Who a key stands for. Remembered for at most [`REMEMBERED`].
    ///
    /// # Errors
    /// Unauthorized when the key, its owner or the institution does not hold any more; or the store is gone.
    pub async fn resolve(&self, secret: &str) -> Result<Arc<Resolved>> {
        if !api_key::well_formed(secret) {
            return Err(refused());
        }
        let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        if let Some(known) = self.school.inner.api_keys.get(&digest) {
            return known.ok_or_else(refused);
        }
        let begun = Instant::now();
        let hash = hex::encode(digest);
        let found = self.school.read(move |tx| Box::pin(async move { look_up(tx, &hash).await })).await?;
        let (resolved, life) = match found {
            Some(Found { resolved, left, used }) => {
                if used {
                    self.note_use(&resolved).await;
                }
                (Some(Arc::new(resolved)), left.min(REMEMBERED))
            }
            None => (None, REMEMBERED),
        };
        // Counted from before the look-up: what it read was true then.
        self.school.inner.api_keys.put(digest, resolved.clone(), begun + life);
        resolved.ok_or_else(refused)
    }

    /// Writes down the use of a key; a call does not fail because this does.
    async fn note_use(&self, resolved: &Resolved) {
        let (institution, key) = (resolved.actor.institution, resolved.key);
        let noted = self.school.store().write(move |tx| {
            Box::pin(async move {
                let now = tx.now().await?;
                sql::api_key::used(tx, institution, key, now).await
            })
        });
        if let Err(error) = noted.await {
            tracing::warn!(key.id = %key, %error, "the use of a key was not noted");
        }
    }
}

const NOBODY: UserId = UserId(uuid::Uuid::nil());

fn refused() -> Error {
    Error::new(ErrorKind::Unauthorized, "the API key does not hold; it may have been revoked or have ended")
}

/// The user that a key is made for.
async fn owner(tx: &mut Tx, actor: &Actor, user: Option<UserId>) -> store::Result<domain::user::User> {
    let Some(id) = user.or(actor.user_id) else {
        let guest = actor.is_guest();
        let nobody = || Error::invalid("user", "REQUIRED", "say for which user the key is");
        return Err(if guest { access::log_in() } else { nobody() }.into());
    };
    let missing = || if actor.is_guest() { access::log_in() } else { Error::not_found("user", id) };
    let found = crate::user::find(tx, id).await?.ok_or_else(missing)?;
    if found.status != "active" {
        return Err(missing().into());
    }
    Ok(found)
}

/// Checks that a key for a course is one whose owner may call models for it.
async fn bindable(tx: &mut Tx, actor: &Actor, owner: &domain::user::User, id: CourseId) -> store::Result<()> {
    let missing = || Error::not_found("course", id);
    let course = crate::course::visible(tx, actor, id).await?;
    if course.institution_id != owner.institution_id {
        return Err(missing().into());
    }
    let grants = crate::role::Roles::of(tx, owner).await?;
    let acting = Actor::user(owner.id, owner.institution_id, owner.username.clone(), grants);
    access::known(&acting, Action::ModelUse, &crate::course::subject(&course))?;
    Ok(())
}

async fn note(tx: &mut Tx, actor: &Actor, key: &ApiKey, what: &'static str) -> store::Result<()> {
    let mut event = NewEvent::new(what, key.institution_id, key.id).payload(json!({ "userId": key.user_id }));
    event.course_id = key.course_id;
    announce(tx, actor, event).await?;
    record(tx, actor, key.institution_id, what, &format!("key:{}", key.id)).await
}

/// A key that holds.
struct Found {
    resolved: Resolved,
    /// Until it ends by itself.
    left: Duration,
    /// Whether its use is to be noted.
    used: bool,
}

async fn look_up(tx: &mut Tx, hash: &str) -> store::Result<Option<Found>> {
    let Some(key) = sql::api_key::by_secret(tx, hash).await? else { return Ok(None) };
    let now = tx.now().await?;
    let owner = sql::user::get(tx, key.institution_id, key.user_id).await?;
    let (true, Some(owner)) = (key.live(now), owner) else { return Ok(None) };
    let Some(actor) = crate::session::actor_of(tx, &owner).await? else { return Ok(None) };
    let subject = match key.course_id {
        Some(id) => match sql::course::get(tx, key.institution_id, id).await? {
            Some(course) => crate::course::subject(&course),
            None => return Ok(None),
        },
        None => anywhere(&actor),
    };
    let model_use = policy::decide(&actor, Action::ModelUse, &subject).allowed();
    let left = key.expires_at.map_or(REMEMBERED, |end| Duration::from_micros(u64::try_from(end - now).unwrap_or(0)));
    let used = key.last_used_at.is_none_or(|last| now - last >= NOTED);
    let resolved = Resolved { actor, key: key.id, course: key.course_id, model_use };
    Ok(Some(Found { resolved, left, used }))
}

/// What a key without a course is for: whatever its owner teaches.
fn anywhere(actor: &Actor) -> Subject {
    let courses = actor.grants.iter().filter_map(|grant| match grant.scope {
        Scope::Course(course) => Some(course),
        Scope::Global | Scope::Institution(_) => None,
    });
    Subject { courses: courses.collect(), owner: actor.user_id, ..Subject::institution(actor.institution) }
}

/// Parts of the memory that are locked by themselves.
const SHARDS: usize = 16;
/// Most keys remembered in one part; a flood of wrong keys pushes out what has ended, then everything.
const MOST: usize = 4096;

/// What keys resolved to, by their hash. A key that does not hold is remembered as such.
#[derive(Default)]
pub(crate) struct Memory {
    shards: [RwLock<HashMap<[u8; 32], Known>>; SHARDS],
}

struct Known {
    until: Instant,
    resolved: Option<Arc<Resolved>>,
}

impl Memory {
    fn shard(&self, digest: &[u8; 32]) -> Option<&RwLock<HashMap<[u8; 32], Known>>> {
        // A hash is evenly spread in its first byte already.
        self.shards.get(usize::from(digest.first().copied().unwrap_or(0)) % SHARDS)
    }

    fn get(&self, digest: &[u8; 32]) -> Option<Option<Arc<Resolved>>> {
        let shard = self.shard(digest)?.read().unwrap_or_else(PoisonError::into_inner);
        shard.get(digest).filter(|known| Instant::now() < known.until).map(|known| known.resolved.clone())
    }

    fn put(&self, digest: [u8; 32], resolved: Option<Arc<Resolved>>, until: Instant) {
        let Some(shard) = self.shard(&digest) else { return };
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= MOST {
            let now = Instant::now();
            shard.retain(|_, known| now < known.until);
            if shard.len() >= MOST {
                shard.clear();
            }
        }
        shard.insert(digest, Known { until, resolved });
    }

    fn forget(&self, id: ApiKeyId) {
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, known| known.resolved.as_ref().is_none_or(|resolved| resolved.key != id));
        }
    }
}
