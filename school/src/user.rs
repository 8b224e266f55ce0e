//! Users: making, finding, changing and suspending them.

use domain::enrollment::Enrollment;
use domain::policy::{self, Action, Actor, Cap, Permission, Subject};
use domain::user::{Grant, Role, Scope, User};
use domain::{CourseId, EnrollmentId, Error, ErrorKind, InstitutionId, UserId};
use store::Tx;
use store::sql::event::NewEvent;
use store::sql::institution::Owned;
use store::sql::{self};

use crate::course::{allow_in, check_text, one_of, page};
use crate::unit::{announce, record};
use crate::{Result, School, access};

/// Allowed spellings of `User::status`.
pub const STATUSES: [&str; 3] = ["active", "inactive", "suspended"];

/// Use cases of users.
pub struct Users<'a> {
    pub(crate) school: &'a School,
}

/// What a user is made from.
#[derive(Debug, Clone, Default)]
pub struct NewUser {
    /// Login name.
    pub username: String,
    /// Address.
    pub email: Option<String>,
    /// Name for people; the login name when missing.
    pub display_name: Option<String>,
    /// Without one nobody can log in as this user.
    pub password: Option<String>,
    /// Roles beside that of a learner of the institution, which everybody has.
    pub grants: Vec<Grant>,
}

/// What may be changed of a user; what is missing stays.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// Address.
    pub email: Option<String>,
    /// Name for people.
    pub display_name: Option<String>,
    /// `active`, `inactive` or `suspended`.
    pub status: Option<String>,
}

/// Which users to list.
#[derive(Debug, Clone, Default)]
pub struct UserQuery {
    /// Holding this role.
    pub role: Option<Role>,
    /// In this state.
    pub status: Option<String>,
    /// After this one.
    pub after: Option<UserId>,
    /// At most so many; 50 when zero.
    pub limit: i64,
}

/// A user as a caller may see one.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The row; the address is blank where `full` is not set.
    pub user: User,
    /// More than the name may be shown.
    pub full: bool,
}

impl Users<'_> {
    /// Makes a user of an institution.
    ///
    /// # Errors
    /// Refused by policy, bad fields, or a name that is taken.
    pub async fn create(&self, actor: &Actor, institution: InstitutionId, new: NewUser) -> Result<User> {
        allow_in(actor, Action::UserCreate, institution)?;
        check_username(&new.username)?;
        let display_name = new.display_name.unwrap_or_else(|| new.username.clone());
        check_text("displayName", &display_name, 1, 200)?;
        check_email(new.email.as_deref())?;
        let hash = match &new.password {
            Some(password) => Some(self.school.inner.passwords.hash(&new.username, password).await?),
            None => None,
        };
        let mut user = User {
            id: UserId::fresh(),
            institution_id: institution,
            username: new.username,
            email: new.email,
            display_name,
            status: "active".into(),
            authz_epoch: 1,
            created_at: 0,
        };
        let grants = new.grants;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    allow_in(actor, Action::UserCreate, institution)?;
                    if sql::institution::get(tx, institution).await?.is_none() {
                        return Err(Error::not_found("institution", institution).into());
                    }
                    if sql::user::by_username(tx, institution, &user.username).await?.is_some() {
                        let message = format!("there is a user \"{}\" already", user.username);
                        return Err(Error::new(ErrorKind::Conflict, message).into());
                    }
                    user.created_at = tx.now().await?;
                    sql::user::insert(tx, &user, hash.as_deref()).await?;
                    let member = Grant { role: Role::Learner, scope: Scope::Institution(institution) };
                    sql::role::insert(tx, institution, user.id, member, actor.user_id).await?;
                    for grant in grants.into_iter().filter(|grant| *grant != member) {
                        crate::role::give(tx, actor, &user, grant).await?;
                    }
                    announce(tx, actor, NewEvent::new("user.created", institution, user.id)).await?;
                    record(tx, actor, institution, Action::UserCreate.as_str(), &format!("user:{}", user.id)).await?;
                    Ok(user)
                })
            })
            .await
    }

    /// A user's profile.
    ///
    /// # Errors
    /// Not found when there is none that the caller may see.
    pub async fn get(&self, actor: &Actor, id: UserId) -> Result<Profile> {
        let acting = actor.clone();
        let (user, allowed) = self.school.read(move |tx| Box::pin(async move { known(tx, &acting, id).await })).await?;
        self.note(actor, &user, allowed.audited).await?;
        Ok(profile(user, allowed.cap))
    }

    /// The user of that login name.
    ///
    /// # Errors
    /// Not found when there is none that the caller may see.
    pub async fn by_username(&self, actor: &Actor, institution: InstitutionId, username: &str) -> Result<Profile> {
        let name = username.to_owned();
        let found = self
            .school
            .read(move |tx| Box::pin(async move { sql::user::by_username(tx, institution, &name).await }))
            .await?;
        let missing = || Error::not_found("user", username);
        let found = found.ok_or_else(missing)?;
        self.get(actor, found.id)
            .await
            .map_err(|error| if error.kind == ErrorKind::NotFound { missing() } else { error })
    }

    /// The users of an institution that the caller may see.
    ///
    /// # Errors
    /// Refused by policy, or an unknown state.
    pub async fn list(&self, actor: &Actor, institution: InstitutionId, query: UserQuery) -> Result<Vec<Profile>> {
        if let Some(status) = &query.status {
            one_of("status", status, &STATUSES)?;
        }
        let filter = access::listed(actor, Action::UserRead, institution)?;
        let subject = format!("institution:{institution}");
        self.school.note_access(actor, filter.audited, institution, Action::UserRead, subject).await?;
        let wanted = sql::user::Wanted {
            role: query.role.map(|role| role.as_str().to_owned()),
            status: query.status,
            after: query.after,
            limit: page(query.limit),
        };
        let full = filter.all;
        let users = self
            .school
            .read(move |tx| Box::pin(async move { sql::user::list(tx, institution, &filter, &wanted).await }))
            .await?;
        let own = actor.user_id;
        let cap = |user: &User| (!full && Some(user.id) != own).then_some(Cap::NameAndEnrollment);
        Ok(users
            .into_iter()
            .map(|user| {
                let cap = cap(&user);
                profile(user, cap)
            })
            .collect())
    }

    /// Changes a user.
    ///
    /// # Errors
    /// Refused by policy or bad fields.
    pub async fn update(&self, actor: &Actor, id: UserId, change: UserChange) -> Result<User> {
        if let Some(status) = &change.status {
            one_of("status", status, &STATUSES)?;
        }
        if let Some(name) = &change.display_name {
            check_text("displayName", name, 1, 200)?;
        }
        check_email(change.email.as_deref())?;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let mut user = changeable(tx, actor, id).await?;
                    let institution = user.institution_id;
                    user.email = change.email.or(user.email);
                    user.display_name = change.display_name.unwrap_or(user.display_name);
                    let before = std::mem::replace(&mut user.status, change.status.unwrap_or_default());
                    if user.status.is_empty() {
                        user.status.clone_from(&before);
                    }
                    sql::user::update(tx, &user).await?;
                    user.authz_epoch += 1;
                    announce(tx, actor, NewEvent::new("user.updated", institution, id)).await?;
                    if user.status != "active" {
                        let now = tx.now().await?;
                        sql::token::revoke_user(tx, institution, id, now).await?;
                        if before == "active" {
                            announce(tx, actor, NewEvent::new("user.deactivated", institution, id)).await?;
                        }
                    }
                    record(tx, actor, institution, "user.update", &format!("user:{id}")).await?;
                    Ok(user)
                })
            })
            .await
    }

    /// Sets a user's password and ends every login made with the old one.
    ///
    /// # Errors
    /// Refused by policy, or a password that is too short.
    pub async fn set_password(&self, actor: &Actor, id: UserId, password: &str) -> Result<()> {
        let acting = actor.clone();
        let user = self.school.read(move |tx| Box::pin(async move { changeable(tx, &acting, id).await })).await?;
        let hash = self.school.inner.passwords.hash(&user.username, password).await?;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let user = changeable(tx, actor, id).await?;
                    sql::user::set_password(tx, user.institution_id, id, &hash).await?;
                    let now = tx.now().await?;
                    sql::token::revoke_user(tx, user.institution_id, id, now).await?;
                    announce(tx, actor, NewEvent::new("user.updated", user.institution_id, id)).await?;
                    record(tx, actor, user.institution_id, "user.set_password", &format!("user:{id}")).await
                })
            })
            .await
    }

    /// What a user may do, for display; it authorises nothing.
    ///
    /// # Errors
    /// Not found when the caller may not see the full profile.
    pub async fn permissions(&self, actor: &Actor, id: UserId) -> Result<(Vec<Grant>, Vec<Permission>)> {
        let acting = actor.clone();
        let (user, grants, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let (user, allowed) = known(tx, &acting, id).await?;
                    if allowed.cap == Some(Cap::NameAndEnrollment) {
                        return Err(
                            Error::new(ErrorKind::Forbidden, "your role shows names and enrolments only").into()
                        );
                    }
                    let grants = sql::role::grants(tx, user.institution_id, id).await?;
                    Ok((user, grants, allowed.audited))
                })
            })
            .await?;
        self.note(actor, &user, audited).await?;
        let permissions = policy::permissions(&grants);
        Ok((grants, permissions))
    }

    /// The enrolments of a user that the caller may see.
    ///
    /// # Errors
    /// Not found when the caller may not see that user.
    pub async fn enrollments(
        &self,
        actor: &Actor,
        id: UserId,
        after: Option<EnrollmentId>,
        limit: i64,
    ) -> Result<Vec<Enrollment>> {
        let acting = actor.clone();
        let (user, found, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let (user, allowed) = known(tx, &acting, id).await?;
                    let filter = policy::visible(&acting, Action::UserRead, user.institution_id);
                    let wanted =
                        sql::enrollment::Wanted { user: Some(id), after, limit: page(limit), ..Default::default() };
                    let found = sql::enrollment::list(tx, user.institution_id, &filter, &wanted).await?;
                    Ok((user, found, allowed.audited))
                })
            })
            .await?;
        self.note(actor, &user, audited).await?;
        Ok(found)
    }

    async fn note(&self, actor: &Actor, user: &User, audited: bool) -> Result<()> {
        let subject = format!("user:{}", user.id);
        self.school.note_access(actor, audited, user.institution_id, Action::UserRead, subject).await
    }
}

fn profile(mut user: User, cap: Option<Cap>) -> Profile {
    let full = cap != Some(Cap::NameAndEnrollment);
    if !full {
        user.email = None;
    }
    Profile { user, full }
}

/// The row of a user, wherever it is.
pub(crate) async fn find(tx: &mut Tx, id: UserId) -> store::Result<Option<User>> {
    match sql::institution::of(tx, Owned::User(id)).await? {
        Some(institution) => sql::user::get(tx, institution, id).await,
        None => Ok(None),
    }
}

/// A person as the policy looks at one.
pub(crate) async fn subject(tx: &mut Tx, user: &User) -> store::Result<Subject> {
    let courses: Vec<CourseId> = sql::user::courses(tx, user.institution_id, user.id).await?;
    Ok(Subject::person(user.institution_id, user.id, courses))
}

/// The user, if the caller may read the profile.
pub(crate) async fn known(tx: &mut Tx, actor: &Actor, id: UserId) -> store::Result<(User, access::Allowed)> {
    let missing = || if actor.is_guest() { access::log_in() } else { Error::not_found("user", id) };
    let user = find(tx, id).await?.ok_or_else(missing)?;
    let target = subject(tx, &user).await?;
    let allowed = access::hidden(actor, Action::UserRead, &target, missing)?;
    Ok((user, allowed))
}

/// The user, if the caller may change that user: never somebody with a wider role than one's own.
async fn changeable(tx: &mut Tx, actor: &Actor, id: UserId) -> store::Result<User> {
    let missing = || if actor.is_guest() { access::log_in() } else { Error::not_found("user", id) };
    let user = find(tx, id).await?.ok_or_else(missing)?;
    let target = subject(tx, &user).await?;
    access::seen(actor, Action::UserCreate, &target, Action::UserRead, missing)?;
    let theirs = sql::role::grants(tx, user.institution_id, id).await?;
    let global = |grants: &[Grant]| grants.iter().any(|grant| grant.scope == Scope::Global);
    if global(&theirs) && !global(&actor.grants) {
        return Err(Error::new(ErrorKind::Forbidden, "this user has a wider role than yours").into());
    }
    Ok(user)
}

fn check_username(name: &str) -> Result<()> {
    let good = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-@+".contains(&b));
    if good {
        return Ok(());
    }
    let message = format!("\"{name}\" is no login name: use 1 to 64 of a-z, 0-9 and . _ - @ +");
    Err(Error::invalid("username", "INVALID_FORMAT", message))
}

fn check_email(email: Option<&str>) -> Result<()> {
    let good = |address: &str| {
        address.len() <= 254
            && !address.chars().any(|c| c.is_whitespace() || c.is_control())
            && address
                .split_once('@')
                .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
    };
    if email.is_none_or(good) {
        return Ok(());
    }
    Err(Error::invalid("email", "INVALID_FORMAT", "\"email\" is no address"))
}
