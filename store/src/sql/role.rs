//! Rows of `user_roles`: the only place where a right comes from.

use domain::user::{Grant, Role, Scope};
use domain::{CourseId, InstitutionId, UserId};
use uuid::Uuid;

use crate::db::{Row, Tx, args};
use crate::error::{Error, Result};

fn columns_of(scope: Scope) -> (&'static str, Option<String>) {
    match scope {
        Scope::Global => ("global", None),
        Scope::Institution(id) => ("institution", Some(id.to_string())),
        Scope::Course(id) => ("course", Some(id.to_string())),
    }
}

fn read(row: &Row) -> Result<Option<Grant>> {
    let damaged = |reason: String| Error::Damaged { column: "role".into(), reason };
    let text = row.text("role")?;
    let role = Role::parse(&text).ok_or_else(|| damaged(format!("\"{text}\" is not a role")))?;
    let scope = match row.text("scope_type")?.as_str() {
        "global" => Scope::Global,
        "institution" => Scope::Institution(row.id("scope_id")?),
        "course" => Scope::Course(row.id("scope_id")?),
        // A scope that this version does not know gives nothing.
        _ => return Ok(None),
    };
    Ok(Some(Grant { role, scope }))
}

/// What a user may be, everywhere.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn grants(tx: &mut Tx, institution: InstitutionId, user: UserId) -> Result<Vec<Grant>> {
    let sql =
        "SELECT role, scope_type, scope_id FROM user_roles WHERE institution_id = $1 AND user_id = $2 ORDER BY id";
    tx.rows(sql, args![institution, user]).await?.iter().filter_map(|row| read(row).transpose()).collect()
}

/// Gives a role; yields whether it is new.
///
/// # Errors
/// The database refuses.
pub async fn insert(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    grant: Grant,
    granted_by: Option<UserId>,
) -> Result<bool> {
    let (scope_type, scope_id) = columns_of(grant.scope);
    let now = tx.now().await?;
    let added = tx
        .exec(
            "INSERT INTO user_roles (id, institution_id, user_id, role, scope_type, scope_id, granted_by, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
            args![
                Uuid::now_v7().to_string(),
                institution,
                user,
                grant.role.as_str(),
                scope_type,
                scope_id,
                granted_by,
                now,
            ],
        )
        .await?;
    Ok(added > 0)
}

/// Takes a role; yields whether it was there.
///
/// # Errors
/// The database refuses.
pub async fn delete(tx: &mut Tx, institution: InstitutionId, user: UserId, grant: Grant) -> Result<bool> {
    let (scope_type, scope_id) = columns_of(grant.scope);
    let gone = tx
        .exec(
            "DELETE FROM user_roles WHERE institution_id = $1 AND user_id = $2 AND role = $3 AND scope_type = $4 \
             AND COALESCE(scope_id, '') = COALESCE($5, '')",
            args![institution, user, grant.role.as_str(), scope_type, scope_id],
        )
        .await?;
    Ok(gone > 0)
}

/// Who has a role in a course.
///
/// # Errors
/// The database refuses.
pub async fn in_course(tx: &mut Tx, institution: InstitutionId, course: CourseId) -> Result<Vec<(UserId, Role)>> {
    let sql = "SELECT user_id, role, scope_type, scope_id FROM user_roles \
               WHERE institution_id = $1 AND scope_type = 'course' AND scope_id = $2 ORDER BY id";
    let rows = tx.rows(sql, args![institution, course]).await?;
    let mut members = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(grant) = read(row)? {
            members.push((row.id("user_id")?, grant.role));
        }
    }
    Ok(members)
}
