//! Rows of `users`.

use domain::policy::Visible;
use domain::user::User;
use domain::{CourseId, InstitutionId, UserId};

use crate::db::{Row, Tx, args};
use crate::error::Result;
use crate::sql::filter::Filter;

const COLUMNS: &str = "id, institution_id, username, email, display_name, status, authz_epoch, created_at, updated_at";

fn read(row: &Row) -> Result<User> {
    Ok(User {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        username: row.text("username")?,
        email: row.text_opt("email")?,
        display_name: row.text("display_name")?,
        status: row.text("status")?,
        authz_epoch: row.int("authz_epoch")?,
        created_at: row.int("created_at")?,
    })
}

/// Adds a user; without a password hash nobody can log in as that user.
///
/// # Errors
/// Conflict when the name or the address is taken in this institution.
pub async fn insert(tx: &mut Tx, user: &User, password_hash: Option<&str>) -> Result<()> {
    tx.exec(
        "INSERT INTO users (id, institution_id, username, email, display_name, status, password_hash, authz_epoch, \
         created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        args![
            user.id,
            user.institution_id,
            &user.username,
            user.email.clone(),
            &user.display_name,
            &user.status,
            password_hash,
            user.authz_epoch,
            user.created_at,
        ],
    )
    .await?;
    Ok(())
}

/// The user of that id.
///
/// # Errors
/// The database refuses.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: UserId) -> Result<Option<User>> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE institution_id = $1 AND id = $2");
    tx.row(&sql, args![institution, id]).await?.as_ref().map(read).transpose()
}

/// The user of that login name.
///
/// # Errors
/// The database refuses.
pub async fn by_username(tx: &mut Tx, institution: InstitutionId, username: &str) -> Result<Option<User>> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE institution_id = $1 AND username = $2");
    tx.row(&sql, args![institution, username]).await?.as_ref().map(read).transpose()
}

/// The user of that login name and the hash of the password, where there is one.
///
/// # Errors
/// The database refuses.
pub async fn credentials(
    tx: &mut Tx,
    institution: InstitutionId,
    username: &str,
) -> Result<Option<(User, Option<String>)>> {
    let sql = format!("SELECT {COLUMNS}, password_hash FROM users WHERE institution_id = $1 AND username = $2");
    let row = tx.row(&sql, args![institution, username]).await?;
    row.map(|row| Ok((read(&row)?, row.text_opt("password_hash")?))).transpose()
}

/// Which users to list.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Holding this role, in any scope.
    pub role: Option<String>,
    /// In this state.
    pub status: Option<String>,
    /// After this id.
    pub after: Option<UserId>,
    /// At most so many.
    pub limit: i64,
}

/// Users of an institution that the caller may see, by id.
///
/// # Errors
/// The database refuses.
pub async fn list(tx: &mut Tx, institution: InstitutionId, seen: &Visible, wanted: &Wanted) -> Result<Vec<User>> {
    let mut filter = Filter::new(args![institution]);
    let mut sql = format!(
        "SELECT {COLUMNS} FROM users WHERE institution_id = $1 AND ({})",
        person_filter(&mut filter, seen, "id")
    );
    if let Some(status) = &wanted.status {
        sql.push_str(&format!(" AND status = {}", filter.bind(status)));
    }
    if let Some(role) = &wanted.role {
        sql.push_str(&format!(
            " AND id IN (SELECT user_id FROM user_roles WHERE institution_id = $1 AND role = {})",
            filter.bind(role)
        ));
    }
    if let Some(after) = wanted.after {
        sql.push_str(&format!(" AND id > {}", filter.bind(after)));
    }
    sql.push_str(&format!(" ORDER BY id LIMIT {}", filter.bind(wanted.limit)));
    tx.rows(&sql, filter.args).await?.iter().map(read).collect()
}

/// The condition under which the person in `column` is visible. `$1` is the institution.
pub(crate) fn person_filter(filter: &mut Filter, seen: &Visible, column: &str) -> String {
    if seen.all {
        return "1 = 1".into();
    }
    let mut any = Vec::new();
    if let Some(user) = seen.user {
        any.push(format!("{column} = {}", filter.bind(user)));
    }
    if !seen.courses.is_empty() {
        let list = filter.list(&seen.courses);
        any.push(format!(
            "{column} IN (SELECT user_id FROM user_roles WHERE institution_id = $1 AND scope_type = 'course' AND scope_id IN ({list}))"
        ));
    }
    crate::sql::filter::any_of(&any)
}

/// Changes what a user is called, the address and the state, and invalidates what was read of the rights.
///
/// # Errors
/// Conflict when the address is taken.
pub async fn update(tx: &mut Tx, user: &User) -> Result<()> {
    let now = tx.now().await?;
    tx.exec(
        "UPDATE users SET email = $3, display_name = $4, status = $5, authz_epoch = authz_epoch + 1, updated_at = $6 \
         WHERE institution_id = $1 AND id = $2",
        args![user.institution_id, user.id, user.email.clone(), &user.display_name, &user.status, now],
    )
    .await?;
    Ok(())
}

/// Sets the password's hash and invalidates what was read of the rights.
///
/// # Errors
/// The database refuses.
pub async fn set_password(tx: &mut Tx, institution: InstitutionId, id: UserId, hash: &str) -> Result<()> {
    let now = tx.now().await?;
    tx.exec(
        "UPDATE users SET password_hash = $3, authz_epoch = authz_epoch + 1, updated_at = $4 \
         WHERE institution_id = $1 AND id = $2",
        args![institution, id, hash, now],
    )
    .await?;
    Ok(())
}

/// Says that the rights of a user have changed.
///
/// # Errors
/// The database refuses.
pub async fn raise_epoch(tx: &mut Tx, institution: InstitutionId, id: UserId) -> Result<()> {
    tx.exec(
        "UPDATE users SET authz_epoch = authz_epoch + 1 WHERE institution_id = $1 AND id = $2",
        args![institution, id],
    )
    .await?;
    Ok(())
}

/// The courses in which a user has a role.
///
/// # Errors
/// The database refuses.
pub async fn courses(tx: &mut Tx, institution: InstitutionId, id: UserId) -> Result<Vec<CourseId>> {
    let sql = "SELECT DISTINCT scope_id FROM user_roles \
               WHERE institution_id = $1 AND user_id = $2 AND scope_type = 'course'";
    tx.rows(sql, args![institution, id]).await?.iter().map(|row| row.id("scope_id")).collect()
}
