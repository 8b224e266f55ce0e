//! The content of courses as readers see it: modules, lessons, passages.

use domain::course::{Course, Lesson, Module};
use domain::policy::{Action, Actor};
use domain::{CourseId, Error, InstitutionId, LessonId};
use store::blob::BlobRef;
use store::sql::institution::Owned;
use store::sql::lesson::{Passage, Shown};
use store::sql::{self};

use crate::{Result, School, access};

/// Use cases of lessons.
pub struct Lessons<'a> {
    pub(crate) school: &'a School,
}

/// The modules and lessons of a course, in order.
#[derive(Debug, Clone)]
pub struct Outline {
    /// Its card.
    pub course: Course,
    /// Modules with their lessons.
    pub modules: Vec<(Module, Vec<Lesson>)>,
}

/// One lesson with what it shows.
#[derive(Debug, Clone)]
pub struct LessonContent {
    /// The lesson.
    pub lesson: Lesson,
    /// The document behind it.
    pub shown: Option<Shown>,
    /// Its text in reading order.
    pub passages: Vec<Passage>,
}

impl Lessons<'_> {
    /// The outline of a course; hidden lessons only for those who may read them.
    ///
    /// # Errors
    /// Not found when the caller may not know of the course, forbidden when the content needs more.
    pub async fn outline(&self, actor: &Actor, id: CourseId) -> Result<Outline> {
        let acting = actor.clone();
        let (outline, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let (course, hidden, audited) = crate::course::readable(tx, &acting, id).await?;
                    let modules = sql::lesson::modules(tx, course.institution_id, id).await?;
                    let lessons = sql::lesson::in_course(tx, course.institution_id, id, hidden).await?;
                    let mut tree: Vec<(Module, Vec<Lesson>)> = modules.into_iter().map(|m| (m, Vec::new())).collect();
                    for lesson in lessons {
                        if let Some((_, list)) = tree.iter_mut().find(|(module, _)| module.id == lesson.module_id) {
                            list.push(lesson);
                        }
                    }
                    // The title of a module with nothing to show would tell of what is hidden in it.
                    if !hidden {
                        tree.retain(|(_, lessons)| !lessons.is_empty());
                    }
                    Ok((Outline { course, modules: tree }, audited))
                })
            })
            .await?;
        self.note(actor, &outline.course, audited).await?;
        Ok(outline)
    }

    /// A lesson with its document and text.
    ///
    /// # Errors
    /// Not found when the caller may not read it.
    pub async fn get(&self, actor: &Actor, id: LessonId) -> Result<LessonContent> {
        let acting = actor.clone();
        let (course, content, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let missing = || Error::not_found("content", id);
                    let institution = sql::institution::of(tx, Owned::Lesson(id)).await?.ok_or_else(missing)?;
                    let lesson = sql::lesson::get(tx, institution, id).await?.ok_or_else(missing)?;
                    let course = sql::course::get(tx, institution, lesson.course_id).await?.ok_or_else(missing)?;
                    let action = if lesson.hidden { Action::ReadUnpublished } else { crate::course::read(&course) };
                    let allowed = access::hidden(&acting, action, &crate::course::subject(&course), missing)?;
                    let shown = sql::lesson::shown(tx, institution, id).await?;
                    let passages = sql::lesson::passages(tx, institution, id).await?;
                    Ok((course, LessonContent { lesson, shown, passages }, allowed.audited))
                })
            })
            .await?;
        self.note(actor, &course, audited).await?;
        Ok(content)
    }

    /// The bytes that a player shows for a lesson, and the institution that they belong to.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn media(&self, actor: &Actor, id: LessonId) -> Result<(InstitutionId, Option<BlobRef>)> {
        let content = self.get(actor, id).await?;
        let institution = content.lesson.institution_id;
        let Some((sha256, media_type)) = content.media() else { return Ok((institution, None)) };
        let found =
            self.school.read(move |tx| Box::pin(async move { sql::blob::get(tx, institution, &sha256).await })).await?;
        let typed = |blob: BlobRef| BlobRef { media_type: media_type.unwrap_or(blob.media_type), ..blob };
        Ok((institution, found.map(typed)))
    }

    /// The document behind a lesson as it was fetched, and the institution that it belongs to.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn source(&self, actor: &Actor, id: LessonId) -> Result<(InstitutionId, Option<BlobRef>)> {
        let content = self.get(actor, id).await?;
        let institution = content.lesson.institution_id;
        let Some(sha256) = content.shown.map(|shown| shown.blob_sha256) else { return Ok((institution, None)) };
        let found =
            self.school.read(move |tx| Box::pin(async move { sql::blob::get(tx, institution, &sha256).await })).await?;
        Ok((institution, found))
    }

    async fn note(&self, actor: &Actor, course: &Course, audited: bool) -> Result<()> {
        let subject = format!("course:{}", course.id);
        self.school.note_access(actor, audited, course.institution_id, Action::ReadPublished, subject).await
    }
}

impl LessonContent {
    /// SHA-256 and MIME type of the bytes that a player shows: the recording, else the document; none
    /// where the recording stays with the site that shows it.
    #[must_use]
    pub fn media(&self) -> Option<(String, Option<String>)> {
        let shown = self.shown.as_ref()?;
        let text = |name: &str| shown.extra.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
        let kept = text("media").or_else(|| text("mediaSha256"));
        if kept.is_none() && shown.extra.get("player").is_some_and(serde_json::Value::is_object) {
            return None;
        }
        let sha256 = kept.unwrap_or_else(|| shown.blob_sha256.clone());
        (!sha256.is_empty()).then(|| (sha256, text("mediaType")))
    }
}
