//! Rows of `audit`: who did what to what, and why.

use domain::policy::Visible;
use domain::{InstitutionId, Micros};
use uuid::Uuid;

use crate::db::{Row, Tx, args};
use crate::error::Result;
use crate::sql::filter::{Filter, any_of};

/// One entry of the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Identity, ordered by time.
    pub id: String,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// `user:ID`, `operator` or `guest`.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// `course:ID`, `user:ID` and so on.
    pub subject: String,
    /// The recorded reason, where one was needed.
    pub reason: Option<String>,
    /// When.
    pub created_at: Micros,
}

/// Adds an entry.
///
/// # Errors
/// The database refuses.
pub async fn append(
    tx: &mut Tx,
    institution: InstitutionId,
    actor: &str,
    action: &str,
    subject: &str,
    reason: Option<&str>,
) -> Result<()> {
    let now = tx.now().await?;
    tx.exec(
        "INSERT INTO audit (id, institution_id, actor, action, subject, reason, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![Uuid::now_v7().to_string(), institution, actor, action, subject, reason, now],
    )
    .await?;
    Ok(())
}

/// Entries that the caller may see, newest first, before the entry `before`.
///
/// # Errors
/// The database refuses.
pub async fn list(
    tx: &mut Tx,
    institution: InstitutionId,
    seen: &Visible,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<Entry>> {
    let mut filter = Filter::new(args![institution]);
    let condition = if seen.all {
        "1 = 1".to_owned()
    } else {
        let mut any = Vec::new();
        if let Some(user) = seen.user {
            let name = filter.bind(format!("user:{user}"));
            any.push(format!("actor = {name} OR subject = {name}"));
        }
        for course in &seen.courses {
            any.push(format!("subject = {}", filter.bind(format!("course:{course}"))));
        }
        any_of(&any)
    };
    let mut sql = format!(
        "SELECT id, institution_id, actor, action, subject, reason, created_at FROM audit \
         WHERE institution_id = $1 AND ({condition})"
    );
    if let Some(before) = before {
        sql.push_str(&format!(" AND id < {}", filter.bind(before)));
    }
    sql.push_str(&format!(" ORDER BY id DESC LIMIT {}", filter.bind(limit)));
    tx.rows(&sql, filter.args).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Entry> {
    Ok(Entry {
        id: row.text("id")?,
        institution_id: row.id("institution_id")?,
        actor: row.text("actor")?,
        action: row.text("action")?,
        subject: row.text("subject")?,
        reason: row.text_opt("reason")?,
        created_at: row.int("created_at")?,
    })
}
