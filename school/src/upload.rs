//! Files that come in pieces, until they are ingested. The bytes are the API's; these are the rows.

use domain::policy::{Action, Actor};
use domain::{CourseId, Error, ErrorKind, Micros, UploadId};
use serde_json::json;
use store::Tx;
use store::sql::event::NewEvent;
use store::sql::institution::Owned;
use store::sql::{self};

use crate::course::check_text;
use crate::unit::{announce, record};
use crate::{Result, School, access};

pub use store::sql::upload::Upload;

/// An upload that nobody ingests is given up after this time.
pub const KEPT: Micros = 7 * 86_400 * 1_000_000;
/// Most uploads of an institution at a time.
pub const MOST: i64 = 1_000;
/// Too many uploads at a time.
pub const TOO_MANY_UPLOADS: &str = "TOO_MANY_UPLOADS";
/// Bytes of the file are still missing.
pub const UPLOAD_INCOMPLETE: &str = "UPLOAD_INCOMPLETE";

/// Use cases of uploads.
pub struct Uploads<'a> {
    pub(crate) school: &'a School,
}

/// An upload that was begun, and those that were given up for it.
#[derive(Debug, Clone)]
pub struct Begun {
    /// The new one.
    pub upload: Upload,
    /// What nobody ingested in time; their bytes can go.
    pub expired: Vec<UploadId>,
}

impl Uploads<'_> {
    /// Begins an upload of `length` bytes into a course; uploads that nobody ingested in time are given up.
    ///
    /// # Errors
    /// Refused by policy, too many uploads at a time, or no room for the file.
    pub async fn begin(&self, actor: &Actor, course: CourseId, name: String, length: i64) -> Result<Begun> {
        check_text("filename", &name, 1, 200)?;
        self.room(actor, course, length).await?;
        let fresh = UploadId::fresh();
        let (id, expired) = self
            .school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let course = crate::course::editable(tx, actor, Action::Ingest, course).await?;
                    let institution = course.institution_id;
                    let now = tx.now().await?;
                    let expired = sql::upload::expired(tx, institution, now).await?;
                    for upload in &expired {
                        remove(tx, actor, upload, "expired").await?;
                    }
                    if sql::upload::count(tx, institution).await? >= MOST {
                        let message = format!("{MOST} files are being uploaded already; ingest or delete some first");
                        return Err(Error::new(ErrorKind::Conflict, message).with_code(TOO_MANY_UPLOADS).into());
                    }
                    let upload = Upload {
                        id: fresh,
                        institution_id: institution,
                        course_id: course.id,
                        user_id: actor.user_id.ok_or_else(access::log_in)?,
                        name,
                        length,
                        created_at: now,
                        expires_at: now + KEPT,
                    };
                    sql::upload::insert(tx, &upload).await?;
                    announce(tx, actor, event(&upload, "file.upload_begun")).await?;
                    let subject = format!("course:{}", course.id);
                    record(tx, actor, institution, Action::Ingest.as_str(), &subject).await?;
                    Ok((upload.id, expired.iter().map(|upload| upload.id).collect::<Vec<_>>()))
                })
            })
            .await?;
        Ok(Begun { upload: self.get(actor, id).await?, expired })
    }

    /// Refuses a file that nobody could ingest, before its first byte comes.
    async fn room(&self, actor: &Actor, course: CourseId, length: i64) -> Result<()> {
        let Some(starter) = self.school.inner.starter.get() else { return Ok(()) };
        if self.school.replayed::<(UploadId, Vec<UploadId>)>(actor).await?.is_some() {
            return Ok(());
        }
        let acting = actor.clone();
        let course = self.school.read(move |tx| {
            Box::pin(async move { crate::course::editable(tx, &acting, Action::Ingest, course).await })
        });
        starter.room(course.await?.institution_id, u64::try_from(length).unwrap_or(0)).await
    }

    /// An upload.
    ///
    /// # Errors
    /// Not found when the caller may not ingest into its course.
    pub async fn get(&self, actor: &Actor, id: UploadId) -> Result<Upload> {
        let acting = actor.clone();
        self.school.read(move |tx| Box::pin(async move { find(tx, &acting, id).await })).await
    }

    /// Gives an upload up; its bytes can go.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn end(&self, actor: &Actor, id: UploadId) -> Result<()> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let upload = find(tx, actor, id).await?;
                    remove(tx, actor, &upload, "deleted").await
                })
            })
            .await
    }
}

async fn find(tx: &mut Tx, actor: &Actor, id: UploadId) -> store::Result<Upload> {
    let missing = || {
        if actor.is_guest() { access::log_in() } else { Error::not_found("upload", id) }
    };
    let institution = sql::institution::of(tx, Owned::Upload(id)).await?.ok_or_else(missing)?;
    let upload = sql::upload::get(tx, institution, id).await?.ok_or_else(missing)?;
    let course = sql::course::get(tx, institution, upload.course_id).await?.ok_or_else(missing)?;
    access::hidden(actor, Action::Ingest, &crate::course::subject(&course), missing)?;
    Ok(upload)
}

/// Deletes the row of an upload that an ingestion takes over. It is no longer resumed then.
pub(crate) async fn taken(tx: &mut Tx, actor: &Actor, id: UploadId) -> store::Result<()> {
    let upload = find(tx, actor, id).await?;
    sql::upload::delete(tx, upload.institution_id, id).await?;
    announce(tx, actor, event(&upload, "file.uploaded")).await
}

async fn remove(tx: &mut Tx, actor: &Actor, upload: &Upload, why: &str) -> store::Result<()> {
    sql::upload::delete(tx, upload.institution_id, upload.id).await?;
    let ended = event(upload, "file.upload_ended");
    announce(tx, actor, ended.payload(json!({ "why": why }))).await
}

fn event(upload: &Upload, name: &'static str) -> NewEvent {
    let event = NewEvent::new(name, upload.institution_id, upload.id).course(upload.course_id);
    event.payload(json!({ "length": upload.length }))
}
