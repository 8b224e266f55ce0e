//! The files of a package as a player asks for them: with an address that stands for a session, and no login.

use domain::{Error, ErrorKind, InstitutionId, ScormAttemptId, UserId, VersionId};
use serde::{Deserialize, Serialize};
use store::Tx;
use store::blob::BlobRef;
use store::sql;

use super::Scorms;
use crate::Result;

/// A fresh key for the addresses of packages.
#[must_use]
pub fn fresh_key() -> String {
    let bits: [u8; 32] = rand::random();
    hex::encode(bits)
}

/// What the address of a package's files stands for; whoever made it signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Tenant.
    pub institution: InstitutionId,
    /// The published version whose files these are.
    pub version: VersionId,
    /// The attempt that was opened.
    pub attempt: ScormAttemptId,
    /// Its session.
    pub revision: i64,
    /// Who opened it.
    pub user: UserId,
    /// The login that opened it; the files go with it. Nothing at the command line.
    pub login: Option<String>,
}

impl Scorms<'_> {
    /// The file of a package, as long as the session is the attempt's last, its login lives and its user
    /// is not suspended. A path that differs in case alone is found too.
    ///
    /// # Errors
    /// Unauthorized when the session or the login is over; not found when the package has no such file.
    pub async fn file(&self, ticket: &Ticket, path: &str) -> Result<BlobRef> {
        let (ticket, path) = (ticket.clone(), path.to_owned());
        self.school.read(move |tx| Box::pin(async move { find(tx, &ticket, &path).await })).await
    }

    /// Whether the session of a ticket is still the one that counts.
    ///
    /// # Errors
    /// Unauthorized when it is not.
    pub async fn admit(&self, ticket: &Ticket) -> Result<()> {
        let ticket = ticket.clone();
        self.school.read(move |tx| Box::pin(async move { admit(tx, &ticket).await })).await
    }
}

fn over(why: &str) -> store::Error {
    Error::new(ErrorKind::Unauthorized, format!("{why}; go back to the course and open the package again")).into()
}

async fn admit(tx: &mut Tx, ticket: &Ticket) -> store::Result<()> {
    let institution = ticket.institution;
    let session = sql::scorm::session(tx, institution, ticket.attempt).await?;
    if session != Some((ticket.user, ticket.revision)) {
        return Err(over("the package was opened anew since"));
    }
    let user = sql::user::get(tx, institution, ticket.user).await?;
    if user.is_none_or(|user| user.status != "active") {
        return Err(over("the login has ended"));
    }
    if let Some(login) = &ticket.login {
        let now = tx.now().await?;
        if !sql::token::family_lives(tx, institution, login, now).await? {
            return Err(over("the login has ended"));
        }
    }
    Ok(())
}

async fn find(tx: &mut Tx, ticket: &Ticket, path: &str) -> store::Result<BlobRef> {
    admit(tx, ticket).await?;
    let found = sql::package_file::blob(tx, ticket.institution, ticket.version, path).await?;
    found.ok_or_else(|| Error::not_found("file", path).into())
}
