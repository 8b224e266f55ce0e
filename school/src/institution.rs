//! Institutions: making and finding the tenants.

use domain::institution::{Institution, check_slug};
use domain::policy::{Action, Actor, Subject};
use domain::{Error, ErrorKind, InstitutionId};
use store::sql::event::NewEvent;
use store::sql::{self};

use crate::unit::{announce, record};
use crate::{Result, School, access};

/// Use cases of institutions.
pub struct Institutions<'a> {
    pub(crate) school: &'a School,
}

/// What an institution is made from.
#[derive(Debug, Clone)]
pub struct NewInstitution {
    /// Name in addresses.
    pub slug: String,
    /// Name for people.
    pub name: String,
}

impl Institutions<'_> {
    /// Makes an institution.
    ///
    /// # Errors
    /// Refused by policy, a bad slug, or one that is taken.
    pub async fn create(&self, actor: &Actor, new: NewInstitution) -> Result<Institution> {
        check_slug("slug", &new.slug)?;
        crate::course::check_text("name", &new.name, 1, 200)?;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let id = InstitutionId::fresh();
                    access::known(actor, Action::InstitutionCreate, &Subject::institution(id))?;
                    if sql::institution::by_slug(tx, &new.slug).await?.is_some() {
                        return Err(taken(&new.slug).into());
                    }
                    let created_at = tx.now().await?;
                    let institution =
                        Institution { id, slug: new.slug, name: new.name, status: "active".into(), created_at };
                    sql::institution::insert(tx, &institution).await?;
                    announce(tx, actor, NewEvent::new("institution.created", id, id)).await?;
                    record(tx, actor, id, Action::InstitutionCreate.as_str(), &format!("institution:{id}")).await?;
                    Ok(institution)
                })
            })
            .await
    }

    /// The settings of an institution.
    ///
    /// # Errors
    /// Not found when it is another's.
    pub async fn get(&self, actor: &Actor, id: InstitutionId) -> Result<Institution> {
        let missing = || Error::not_found("institution", id);
        let found = self.school.read(move |tx| Box::pin(sql::institution::get(tx, id))).await?;
        let subject = Subject::institution(id);
        if id == actor.institution {
            access::known(actor, Action::InstitutionSettings, &subject)?;
        } else {
            access::hidden(actor, Action::InstitutionSettings, &subject, || guest_or(actor, missing()))?;
        }
        found.ok_or_else(missing)
    }

    /// The institutions whose settings the caller may read.
    ///
    /// # Errors
    /// Refused by policy.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<Institution>> {
        let filter = access::listed(actor, Action::InstitutionSettings, actor.institution)?;
        let everywhere = actor.operator || filter.all && elsewhere(actor);
        let all = self.school.read(|tx| Box::pin(sql::institution::list(tx))).await?;
        Ok(all.into_iter().filter(|one| everywhere || one.id == actor.institution).collect())
    }

    /// The institution of that slug, or the only one there is. No policy: this finds the door, it does not open it.
    ///
    /// # Errors
    /// Not found, or a validation error when there are several and none is named.
    pub async fn resolve(&self, slug: Option<&str>) -> Result<Institution> {
        if let Some(slug) = slug {
            let wanted = slug.to_owned();
            let found = self
                .school
                .read(move |tx| Box::pin(async move { sql::institution::by_slug(tx, &wanted).await }))
                .await?;
            return found.ok_or_else(|| Error::not_found("institution", slug));
        }
        let mut all = self.school.read(|tx| Box::pin(sql::institution::list(tx))).await?;
        match (all.pop(), all.is_empty()) {
            (Some(only), true) => Ok(only),
            (None, _) => Err(Error::new(ErrorKind::NotFound, "there is no institution yet")),
            (Some(_), false) => {
                Err(Error::invalid("institution", "REQUIRED", "there are several institutions; name one"))
            }
        }
    }
}

fn taken(slug: &str) -> Error {
    Error::new(ErrorKind::Conflict, format!("there is an institution \"{slug}\" already"))
}

fn guest_or(actor: &Actor, other: Error) -> Error {
    if actor.is_guest() { access::log_in() } else { other }
}

/// Whether the caller reaches beyond the own institution: asked with one that nobody has.
fn elsewhere(actor: &Actor) -> bool {
    let nobody = Subject::institution(InstitutionId(uuid::Uuid::nil()));
    access::may(actor, Action::InstitutionSettings, &nobody)
}
