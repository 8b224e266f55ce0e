//! Transcripts: read with their corrections, corrected by those who may edit the course, and aligned with
//! a text that somebody pasted. The pipeline reads the corrected one anew; only what changed is embedded.

use domain::caption::{self, Cue};
use domain::policy::{Action, Actor};
use domain::transcript::{self, Aligned, Change, Corrected, Edited, Line};
use domain::{CourseId, Error, ErrorKind, InstitutionId, LessonId, SourceId};
use serde_json::json;
use store::blob::Blobs;
use store::queue::NewJob;
use store::sql::event::NewEvent;
use store::sql::{self, transcript::Place};

use crate::unit::{announce, record};
use crate::{Result, School, access};

/// The job that has a corrected transcript read anew.
pub const JOB: &str = "index_transcript";
/// The lesson has no transcript.
pub const NO_TRANSCRIPT: &str = "NO_TRANSCRIPT";
/// Most characters of a pasted text.
pub const LONGEST_PASTE: usize = 2_000_000;

/// Use cases of transcripts.
pub struct Transcripts<'a> {
    pub(crate) school: &'a School,
    pub(crate) blobs: &'a dyn Blobs,
}

/// A transcript as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// Changes with each correction and with each version of its captions.
    pub version: String,
    /// Its course.
    pub course: CourseId,
    /// The caller may correct it.
    pub editable: bool,
    /// People corrected it.
    pub edited: bool,
    /// Search and tutor know it as it is.
    pub indexed: bool,
    /// Its lines.
    pub cues: Vec<Cue>,
    /// Corrections that have no place in the captions of the newest version.
    pub lost: Vec<Change>,
    /// What the source knows beside it: language, model, confidence.
    pub extra: serde_json::Value,
}

/// What lies behind a transcript.
struct Kept {
    institution: InstitutionId,
    course: CourseId,
    place: Place,
    edited: Option<Edited>,
    /// The caller may correct it.
    editable: bool,
    /// Reading it is to be noted.
    audited: bool,
}

impl Kept {
    fn version(&self) -> String {
        token(self.edited.as_ref(), &self.place.blob_sha256)
    }
}

fn token(edited: Option<&Edited>, sha256: &str) -> String {
    format!("{}-{}", edited.map_or(0, |edited| edited.version), sha256.get(..12).unwrap_or(sha256))
}

/// The version of the corrections that the text of a document was read with.
fn read_with(extra: &serde_json::Value) -> i64 {
    extra.get("transcriptVersion").and_then(serde_json::Value::as_i64).unwrap_or_default()
}

impl Transcripts<'_> {
    /// The transcript of a lesson.
    ///
    /// # Errors
    /// As reading the lesson; a validation error with [`NO_TRANSCRIPT`].
    pub async fn get(&self, actor: &Actor, id: LessonId) -> Result<Transcript> {
        let (kept, base) = self.kept(actor, id).await?;
        let version = kept.version();
        let number = kept.edited.as_ref().map_or(0, |edited| edited.version);
        let Corrected { cues, lost } = corrected(kept.edited.as_ref(), &kept.place.blob_sha256, base);
        Ok(Transcript {
            version,
            course: kept.course,
            editable: kept.editable,
            edited: number > 0,
            indexed: number <= read_with(&kept.place.extra),
            cues,
            lost,
            extra: kept.place.extra,
        })
    }

    /// The transcript as `WebVTT`.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn captions(&self, actor: &Actor, id: LessonId) -> Result<String> {
        Ok(caption::vtt(&self.get(actor, id).await?.cues, None))
    }

    /// Replaces the lines of a transcript that was read as `version`, and yields the next version.
    ///
    /// # Errors
    /// Refused by policy, conflict when it was changed since, a validation error for lines that cannot be.
    pub async fn set(&self, actor: &Actor, id: LessonId, version: String, lines: Vec<Line>) -> Result<String> {
        let lines = transcript::checked(lines)?;
        self.editable(actor, id).await?;
        let (kept, base) = self.kept(actor, id).await?;
        let sha256 = kept.place.blob_sha256;
        let base: Vec<Line> = base.iter().map(Line::from).collect();
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let course = editable(tx, actor, id).await?;
                    let kept = kept_of(tx, actor, id).await?.ok_or_else(|| none(id))?;
                    if kept.version() != version || kept.place.blob_sha256 != sha256 {
                        let message = format!(
                            "the transcript was changed since it was read; it is \"{}\" now: read it again and repeat the correction",
                            kept.version()
                        );
                        return Err(Error::new(ErrorKind::Conflict, message).into());
                    }
                    let number = kept.edited.map_or(0, |edited| edited.version) + 1;
                    let changes = transcript::changes(&base, &lines);
                    let changed = changes.len();
                    let new = Edited { version: number, base_sha256: sha256.clone(), lines, changes };
                    let (institution, source) = (kept.institution, kept.place.source);
                    sql::transcript::put(tx, institution, source, &kept.place.path, &new, actor.user_id).await?;
                    enqueue(tx, institution, source, &kept.place.path, number).await?;
                    let payload = json!({ "lessonId": id, "version": number, "changes": changed });
                    let event = NewEvent::new("transcript.edited", institution, id).course(course);
                    announce(tx, actor, event.payload(payload)).await?;
                    record(tx, actor, institution, Action::CourseEdit.as_str(), &format!("course:{course}")).await?;
                    Ok(token(Some(&new), &sha256))
                })
            })
            .await
    }

    /// A pasted text in the times of the transcript; nothing is kept.
    ///
    /// # Errors
    /// Refused by policy, a validation error for a text that is too long.
    pub async fn align(&self, actor: &Actor, id: LessonId, text: String) -> Result<(String, Aligned)> {
        if text.chars().count() > LONGEST_PASTE {
            let message = format!("a text has at most {LONGEST_PASTE} characters");
            return Err(Error::invalid("text", "TOO_LONG", message));
        }
        self.editable(actor, id).await?;
        let found = self.get(actor, id).await?;
        let aligned = tokio::task::spawn_blocking(move || transcript::align(&text, &found.cues));
        let aligned = aligned.await.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        Ok((found.version, aligned))
    }

    async fn editable(&self, actor: &Actor, id: LessonId) -> Result<()> {
        let acting = actor.clone();
        self.school.read(move |tx| Box::pin(async move { editable(tx, &acting, id).await.map(|_| ()) })).await
    }

    /// What lies behind the transcript of a lesson, and its captions as they were fetched.
    async fn kept(&self, actor: &Actor, id: LessonId) -> Result<(Kept, Vec<Cue>)> {
        let acting = actor.clone();
        let kept = self.school.read(move |tx| Box::pin(async move { kept_of(tx, &acting, id).await })).await?;
        let kept = kept.ok_or_else(|| none(id))?;
        let subject = format!("course:{}", kept.course);
        self.school.note_access(actor, kept.audited, kept.institution, Action::ReadPublished, subject).await?;
        let bytes =
            store::blob::fetch(self.school.store(), self.blobs, kept.institution, &kept.place.blob_sha256).await?;
        let cues = caption::cues(&String::from_utf8_lossy(&bytes));
        Ok((kept, cues))
    }
}

fn none(id: LessonId) -> Error {
    let message = format!("the lesson \"{id}\" has no transcript; it is no recording");
    Error::new(ErrorKind::ValidationError, message).with_code(NO_TRANSCRIPT)
}

/// Captions with their corrections.
#[must_use]
pub fn corrected(edited: Option<&Edited>, sha256: &str, cues: Vec<Cue>) -> Corrected {
    match edited {
        Some(edited) => edited.applied(sha256, cues),
        None => Corrected { cues, lost: Vec::new() },
    }
}

async fn kept_of(tx: &mut store::Tx, actor: &Actor, id: LessonId) -> store::Result<Option<Kept>> {
    let (course, lesson, audited) = crate::lesson::found(tx, actor, id).await?;
    let institution = course.institution_id;
    let Some(document) = lesson.document_id else { return Ok(None) };
    let Some(place) = sql::transcript::place(tx, institution, document).await? else { return Ok(None) };
    let edited = sql::transcript::get(tx, institution, place.source, &place.path).await?;
    let editable = access::may(actor, Action::CourseEdit, &crate::course::subject(&course));
    Ok(Some(Kept { institution, course: course.id, place, edited, editable, audited }))
}

/// The course of a lesson, if the caller may edit it; forbidden only to those who may read the lesson.
async fn editable(tx: &mut store::Tx, actor: &Actor, id: LessonId) -> store::Result<CourseId> {
    if actor.is_guest() {
        return Err(access::log_in().into());
    }
    let missing = || Error::not_found("content", id);
    let institution = sql::institution::of(tx, sql::institution::Owned::Lesson(id)).await?.ok_or_else(missing)?;
    let lesson = sql::lesson::get(tx, institution, id).await?.ok_or_else(missing)?;
    let course = sql::course::get(tx, institution, lesson.course_id).await?.ok_or_else(missing)?;
    let target = crate::course::card(actor, &course);
    access::seen(actor, Action::CourseEdit, &target, crate::course::see(&course), missing)?;
    Ok(course.id)
}

async fn enqueue(
    tx: &mut store::Tx,
    institution: InstitutionId,
    source: SourceId,
    path: &str,
    version: i64,
) -> store::Result<()> {
    let key = format!("{source}/{path}/{version}");
    store::queue::enqueue(tx, NewJob::new(institution, JOB, key, json!({ "sourceId": source }))).await?;
    Ok(())
}

/// Documents of a source whose text was read before their newest corrections.
///
/// # Errors
/// The database refuses.
pub async fn unread(
    tx: &mut store::Tx,
    institution: InstitutionId,
    source: SourceId,
    documents: &[sql::document::Document],
) -> store::Result<usize> {
    let edits = sql::transcript::of_source(tx, institution, source).await?;
    let behind = |path: &str, edited: &Edited| {
        documents.iter().any(|document| document.path == path && read_with(&document.extra) < edited.version)
    };
    Ok(edits.iter().filter(|(path, edited)| behind(path, edited)).count())
}
