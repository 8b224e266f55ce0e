//! Logins: passwords in, short access tokens and rotating refresh tokens out.
//!
//! A token says who, never what: the rights are read from the store at each request.

use domain::policy::{Actor, FRESH_SECONDS};
use domain::user::User;
use domain::{Error, ErrorKind, InstitutionId, Micros, TokenId};
use sha2::{Digest as _, Sha256};
use store::Tx;
use store::sql::event::NewEvent;
use store::sql::token::Token;
use store::sql::{self};

use crate::role::Roles;
use crate::unit::{announce, record};
use crate::{Result, School};

/// How long an access token holds.
pub const ACCESS_SECONDS: i64 = 10 * 60;
/// How long a login can be refreshed, from the password on.
pub const REFRESH_SECONDS: i64 = 30 * 24 * 3600;
/// Two refreshes of one client that cross each other are no theft within this time.
const RACE_SECONDS: i64 = 10;
const SECOND: Micros = 1_000_000;

/// Use cases of logins.
pub struct Sessions<'a> {
    pub(crate) school: &'a School,
}

/// Where a request comes from.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// Network address.
    pub address: String,
    /// What it calls itself.
    pub agent: String,
}

impl Client {
    /// Tells clients apart without storing what they are.
    fn fingerprint(&self) -> String {
        hash(&format!("{}\n{}", self.address, self.agent)).chars().take(16).collect()
    }
}

/// What a login yields. The secrets are shown once.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// For `Authorization: Bearer`.
    pub access: String,
    /// Exchanged once for the next pair.
    pub refresh: String,
    /// Seconds until the access token ends.
    pub access_seconds: i64,
    /// Who logged in.
    pub user: User,
}

enum Refreshed {
    Renewed(Box<Tokens>),
    Refused,
    Stolen,
}

impl Sessions<'_> {
    /// Checks a password and opens a login.
    ///
    /// The answer and the time are the same for a wrong institution, name or password.
    ///
    /// # Errors
    /// Unauthorized, rate limited, or that the store is gone.
    pub async fn login(
        &self,
        institution: Option<&str>,
        username: &str,
        password: &str,
        client: &Client,
    ) -> Result<Tokens> {
        let account = format!("{}/{username}", institution.unwrap_or_default());
        self.school.inner.throttle.attempt(&account, &client.address)?;
        let home = match self.school.institution().resolve(institution).await {
            Ok(found) if found.status == "active" => Some(found.id),
            Err(error) if matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Internal) => return Err(error),
            _ => None,
        };
        let name = username.to_owned();
        let known = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    match home {
                        Some(home) => sql::user::credentials(tx, home, &name).await,
                        None => Ok(None),
                    }
                })
            })
            .await?;
        let (user, stored) = known.map_or((None, None), |(user, stored)| (Some(user), stored));
        let good = self.school.inner.passwords.verify(stored, password).await?;
        let refused = || Error::new(ErrorKind::Unauthorized, "wrong login name or password");
        let user = user.filter(|user| good && user.status == "active").ok_or_else(refused)?;
        self.school.inner.throttle.succeeded(&account, &client.address);
        self.open(user, client).await
    }

    /// Opens a login for a user whose identity is already proved.
    async fn open(&self, user: User, client: &Client) -> Result<Tokens> {
        let family = format!("{}.{}", TokenId::fresh(), client.fingerprint());
        self.school
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    let now = tx.now().await?;
                    let tokens = issue(tx, user, &family, now, now).await?;
                    let user = &tokens.user;
                    // Of tokens that ended a month ago nothing can be learned any more.
                    let month = now - REFRESH_SECONDS * SECOND;
                    sql::token::forget_ended(tx, user.institution_id, user.id, month).await?;
                    let actor = Actor::user(user.id, user.institution_id, user.username.clone(), Vec::new());
                    announce(tx, &actor, NewEvent::new("session.started", user.institution_id, user.id)).await?;
                    record(tx, &actor, user.institution_id, "session.started", &format!("user:{}", user.id)).await?;
                    Ok(tokens)
                })
            })
            .await
            .map_err(Error::from)
    }

    /// Exchanges a refresh token for the next pair. A token that comes twice ends its whole family.
    ///
    /// # Errors
    /// Unauthorized.
    pub async fn refresh(&self, secret: &str, client: &Client) -> Result<Tokens> {
        let (secret_hash, fingerprint) = (hash(secret), client.fingerprint());
        let outcome = self
            .school
            .store()
            .write(move |tx| Box::pin(async move { exchange(tx, &secret_hash, &fingerprint).await }))
            .await?;
        match outcome {
            Refreshed::Renewed(tokens) => Ok(*tokens),
            Refreshed::Stolen => {
                tracing::warn!("a refresh token came twice; its login was ended");
                Err(refused())
            }
            Refreshed::Refused => Err(refused()),
        }
    }

    /// Ends the login that a token belongs to; unknown tokens are no error.
    ///
    /// # Errors
    /// The store is gone.
    pub async fn logout(&self, secret: &str) -> Result<()> {
        let secret_hash = hash(secret);
        self.school
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    let Some(token) = sql::token::by_secret(tx, &secret_hash).await? else { return Ok(()) };
                    let now = tx.now().await?;
                    if sql::token::revoke_family(tx, token.institution_id, &token.family, now).await? > 0 {
                        let ended = NewEvent::new("session.ended", token.institution_id, token.user_id);
                        sql::event::append(tx, &ended.user(Some(token.user_id))).await?;
                    }
                    Ok(())
                })
            })
            .await
            .map_err(Error::from)
    }

    /// Who an access token stands for, with the rights as they are now.
    ///
    /// # Errors
    /// Unauthorized when the token, the user or the institution does not hold any more.
    pub async fn actor(&self, secret: &str) -> Result<Actor> {
        let secret_hash = hash(secret);
        let found = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let Some(token) = sql::token::by_secret(tx, &secret_hash).await? else { return Ok(None) };
                    let now = tx.now().await?;
                    let live = token.kind == "access" && token.revoked_at.is_none() && now < token.expires_at;
                    let user = sql::user::get(tx, token.institution_id, token.user_id).await?;
                    let (true, Some(user)) = (live, user) else { return Ok(None) };
                    let Some(mut actor) = actor_of(tx, &user).await? else { return Ok(None) };
                    actor.fresh = now - token.authenticated_at <= FRESH_SECONDS * SECOND;
                    Ok(Some(actor))
                })
            })
            .await?;
        found.ok_or_else(refused)
    }

    /// The login that a token comes from, for what has to end with it.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn login_of(&self, secret: &str) -> Result<Option<String>> {
        let secret_hash = hash(secret);
        let found =
            self.school.read(move |tx| Box::pin(async move { sql::token::by_secret(tx, &secret_hash).await })).await?;
        Ok(found.map(|token| token.family))
    }

    /// The user of that name as actor, for the owner of the data directory (`--as USER`).
    ///
    /// # Errors
    /// Not found.
    pub async fn impersonate(&self, institution: InstitutionId, username: &str) -> Result<Actor> {
        let name = username.to_owned();
        let found = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    match sql::user::by_username(tx, institution, &name).await? {
                        Some(user) => actor_of(tx, &user).await,
                        None => Ok(None),
                    }
                })
            })
            .await?;
        found.map(|actor| Actor { fresh: true, ..actor }).ok_or_else(|| Error::not_found("user", username))
    }
}

fn refused() -> Error {
    Error::new(ErrorKind::Unauthorized, "the login has ended; log in again")
}

/// A user with the roles of the rows; nobody when suspended, or when the institution is.
pub(crate) async fn actor_of(tx: &mut Tx, user: &User) -> store::Result<Option<Actor>> {
    let home = sql::institution::get(tx, user.institution_id).await?;
    if user.status != "active" || home.is_none_or(|home| home.status != "active") {
        return Ok(None);
    }
    let grants = Roles::of(tx, user).await?;
    Ok(Some(Actor::user(user.id, user.institution_id, user.username.clone(), grants)))
}

async fn exchange(tx: &mut Tx, secret_hash: &str, fingerprint: &str) -> store::Result<Refreshed> {
    let Some(token) = sql::token::by_secret(tx, secret_hash).await? else { return Ok(Refreshed::Refused) };
    let now = tx.now().await?;
    if token.kind != "refresh" || token.revoked_at.is_some() || now >= token.expires_at {
        return Ok(Refreshed::Refused);
    }
    if !sql::token::spend(tx, token.institution_id, token.id, now).await? {
        let used = token.used_at.unwrap_or(now);
        let same_client = token.family.ends_with(&format!(".{fingerprint}"));
        if same_client && now - used <= RACE_SECONDS * SECOND {
            return Ok(Refreshed::Refused);
        }
        sql::token::revoke_family(tx, token.institution_id, &token.family, now).await?;
        let ended = NewEvent::new("session.ended", token.institution_id, token.user_id);
        let ended = ended.user(Some(token.user_id)).payload(serde_json::json!({ "reason": "refresh_token_reused" }));
        sql::event::append(tx, &ended).await?;
        let subject = format!("user:{}", token.user_id);
        sql::audit::append(tx, token.institution_id, &subject, "session.refresh_token_reused", &subject, None).await?;
        return Ok(Refreshed::Stolen);
    }
    let user = sql::user::get(tx, token.institution_id, token.user_id).await?;
    let Some(user) = user.filter(|user| user.status == "active") else { return Ok(Refreshed::Refused) };
    Ok(Refreshed::Renewed(Box::new(issue(tx, user, &token.family, token.authenticated_at, now).await?)))
}

async fn issue(tx: &mut Tx, user: User, family: &str, authenticated_at: Micros, now: Micros) -> store::Result<Tokens> {
    let (access, refresh) = (secret("lya"), secret("lyr"));
    // A family never outlives the login by more than its absolute end.
    let end = authenticated_at + REFRESH_SECONDS * SECOND;
    for (kind, text, expires_at) in
        [("access", &access, (now + ACCESS_SECONDS * SECOND).min(end)), ("refresh", &refresh, end)]
    {
        let token = Token {
            id: TokenId::fresh(),
            institution_id: user.institution_id,
            user_id: user.id,
            kind: kind.into(),
            family: family.into(),
            secret_hash: hash(text),
            authenticated_at,
            expires_at,
            used_at: None,
            revoked_at: None,
            created_at: now,
        };
        sql::token::insert(tx, &token).await?;
    }
    Ok(Tokens { access, refresh, access_seconds: ACCESS_SECONDS, user })
}

/// 256 random bits, marked so that a scanner of leaked secrets knows them.
fn secret(mark: &str) -> String {
    let bits: [u8; 32] = rand::random();
    format!("{mark}_{}", hex::encode(bits))
}

fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}
