//! The content of courses as readers see it: modules, lessons, passages.

use domain::course::{Course, Lesson, Module};
use domain::media::{CAPTIONS, CAPTIONS_PLAYLIST, CaptionsOffer, MASTER, Manifest, protect};
use domain::policy::{Action, Actor};
use domain::{CourseId, Error, ErrorKind, InstitutionId, LessonId};
use store::blob::BlobRef;
use store::sql::institution::Owned;
use store::sql::lesson::{Passage, Shown};
use store::sql::rendition::{self, Kind};
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
    /// What was made of its recording for players.
    pub streams: Option<Manifest>,
    /// Its recording is played encrypted.
    pub protected: bool,
}

/// A file of a lesson's streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamFile {
    /// Kept as it is.
    Blob(BlobRef),
    /// Written for this lesson: which captions it has is no matter of its recording.
    Playlist {
        /// The playlist.
        text: String,
        /// Equal playlists have an equal tag.
        tag: String,
    },
    /// The captions of the lesson, as [`crate::transcript::Transcripts::captions`] writes them.
    Captions,
    /// A part of a protected stream, made from what is kept.
    Protected {
        /// The playlist as it is kept.
        playlist: BlobRef,
        /// The stream as it is kept.
        data: BlobRef,
        /// The recording's key.
        key: [u8; 16],
    },
    /// The key of a protected recording.
    Key([u8; 16]),
}

/// The recording is protected: it is played as an encrypted stream and not given out as a file.
pub const PROTECTED: &str = "RECORDING_PROTECTED";

fn protected() -> Error {
    let message = "recordings of this course are protected; play it in the browser, it is not given out as a file";
    Error::new(ErrorKind::Forbidden, message).with_code(PROTECTED)
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
        self.read(actor, id, true).await
    }

    /// A lesson; its text only when asked for, as a player asks for many parts of one recording.
    async fn read(&self, actor: &Actor, id: LessonId, text: bool) -> Result<LessonContent> {
        let (course, content, audited) = self.look(actor, id, text).await?;
        self.note(actor, &course, audited).await?;
        Ok(content)
    }

    /// [`Self::read`] with its course, and whether reading it is still to be noted.
    pub(crate) async fn look(&self, actor: &Actor, id: LessonId, text: bool) -> Result<(Course, LessonContent, bool)> {
        let acting = actor.clone();
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    let (course, lesson, audited) = found(tx, &acting, id).await?;
                    let institution = course.institution_id;
                    let shown = sql::lesson::shown(tx, institution, id).await?;
                    let passages = if text { sql::lesson::passages(tx, institution, id).await? } else { Vec::new() };
                    let protected = sql::course_media::protected(tx, institution, course.id).await?;
                    let mut content = LessonContent { lesson, shown, passages, streams: None, protected };
                    if let Some((recording, _)) = content.media() {
                        let manifest = rendition::manifest(tx, institution, &recording, Kind::Hls).await?;
                        // One that an older or newer build wrote otherwise is as good as none: the recording is there.
                        content.streams = manifest.and_then(|manifest| serde_json::from_value(manifest).ok());
                    }
                    Ok((course, content, audited))
                })
            })
            .await
    }

    /// The bytes that a player shows for a lesson, and the institution that they belong to.
    ///
    /// # Errors
    /// As [`Self::get`]; forbidden with [`PROTECTED`] to those who may not edit a course that protects its recordings.
    pub async fn media(&self, actor: &Actor, id: LessonId) -> Result<(InstitutionId, Option<BlobRef>)> {
        let (course, content, audited) = self.look(actor, id, false).await?;
        self.note(actor, &course, audited).await?;
        self.recording(actor, &course, &content).await
    }

    /// The recording of a lesson that was found.
    pub(crate) async fn recording(
        &self,
        actor: &Actor,
        course: &Course,
        content: &LessonContent,
    ) -> Result<(InstitutionId, Option<BlobRef>)> {
        let institution = course.institution_id;
        if content.protected && !access::may(actor, Action::CourseEdit, &crate::course::subject(course)) {
            return Err(protected());
        }
        let Some((sha256, media_type)) = content.media() else { return Ok((institution, None)) };
        let found =
            self.school.read(move |tx| Box::pin(async move { sql::blob::get(tx, institution, &sha256).await })).await?;
        let typed = |blob: BlobRef| BlobRef { media_type: media_type.unwrap_or(blob.media_type), ..blob };
        Ok((institution, found.map(typed)))
    }

    /// A file of a lesson's streams, and the institution that it belongs to: playlists, segments, pictures, captions.
    ///
    /// # Errors
    /// As [`Self::get`]; forbidden with [`PROTECTED`] for a stream that is given out encrypted only.
    pub async fn stream(&self, actor: &Actor, id: LessonId, name: &str) -> Result<(InstitutionId, Option<StreamFile>)> {
        let (course, content, audited) = self.look(actor, id, false).await?;
        self.note(actor, &course, audited).await?;
        self.stream_of(&content, name).await
    }

    /// A file of the streams of a lesson that was found.
    pub(crate) async fn stream_of(
        &self,
        content: &LessonContent,
        name: &str,
    ) -> Result<(InstitutionId, Option<StreamFile>)> {
        let institution = content.lesson.institution_id;
        let captions = content.captions();
        let playlist = |text: String| {
            use sha2::Digest as _;
            let tag = hex::encode(sha2::Sha256::digest(&text));
            Ok((institution, Some(StreamFile::Playlist { text, tag })))
        };
        match (name, &content.streams) {
            (MASTER, Some(streams)) => {
                let text = |name: &str| content.extra(name).and_then(serde_json::Value::as_str);
                let rough = content
                    .extra("transcript")
                    .and_then(|note| note.get("rough"))
                    .and_then(serde_json::Value::as_bool)
                    .unwrap_or_default();
                let offer = captions.map(|_| CaptionsOffer { language: text("language"), rough });
                return playlist(streams.master(offer));
            }
            (CAPTIONS_PLAYLIST, Some(streams)) if captions.is_some() => return playlist(streams.captions_playlist()),
            (CAPTIONS, _) => return Ok((institution, captions.map(|_| StreamFile::Captions))),
            _ => {}
        }
        let Some((recording, _)) = content.media() else { return Ok((institution, None)) };
        let key = self.school.inner.stream_key.of_recording(institution, &recording);
        if content.protected && name == protect::KEY {
            return Ok((institution, content.streams.as_ref().map(|_| StreamFile::Key(key))));
        }
        let wanted = protect::Wanted::parse(name).filter(|_| content.protected);
        if content.protected && wanted.is_none() && name.ends_with(".m4s") {
            return Err(protected());
        }
        let stem = wanted.map(|wanted| wanted.stem().to_owned());
        let name = name.to_owned();
        let found = self.school.read(move |tx| {
            Box::pin(async move {
                let Some(stem) = stem else {
                    return Ok(rendition::file(tx, institution, &recording, Kind::Hls, &name)
                        .await?
                        .map(StreamFile::Blob));
                };
                let playlist = rendition::file(tx, institution, &recording, Kind::Hls, &format!("{stem}.m3u8")).await?;
                let data = rendition::file(tx, institution, &recording, Kind::Hls, &format!("{stem}.m4s")).await?;
                Ok(playlist.zip(data).map(|(playlist, data)| StreamFile::Protected { playlist, data, key }))
            })
        });
        Ok((institution, found.await?))
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

    pub(crate) async fn note(&self, actor: &Actor, course: &Course, audited: bool) -> Result<()> {
        let subject = format!("course:{}", course.id);
        self.school.note_access(actor, audited, course.institution_id, Action::ReadPublished, subject).await
    }
}

/// The lesson with its course, if the caller may read it; with the audit flag.
pub(crate) async fn found(tx: &mut store::Tx, actor: &Actor, id: LessonId) -> store::Result<(Course, Lesson, bool)> {
    let missing = || Error::not_found("content", id);
    let institution = sql::institution::of(tx, Owned::Lesson(id)).await?.ok_or_else(missing)?;
    let lesson = sql::lesson::get(tx, institution, id).await?.ok_or_else(missing)?;
    let course = sql::course::get(tx, institution, lesson.course_id).await?.ok_or_else(missing)?;
    let action = if lesson.hidden { Action::ReadUnpublished } else { crate::course::read(&course) };
    let allowed = access::hidden(actor, action, &crate::course::subject(&course), missing)?;
    Ok((course, lesson, allowed.audited))
}

impl LessonContent {
    /// What the source knows beside its document.
    #[must_use]
    pub fn extra(&self, name: &str) -> Option<&serde_json::Value> {
        self.shown.as_ref()?.extra.get(name)
    }

    /// SHA-256 of its captions, where it is a recording; they may be corrected.
    #[must_use]
    pub fn captions(&self) -> Option<&str> {
        let shown = self.shown.as_ref().filter(|shown| shown.kind == "video")?;
        Some(&shown.blob_sha256)
    }

    /// Length of its recording in seconds, where it is known.
    #[must_use]
    pub fn seconds(&self) -> Option<f64> {
        let told = self.extra("seconds").and_then(serde_json::Value::as_f64);
        told.or_else(|| self.streams.as_ref().map(|streams| streams.seconds))
    }

    /// The chapters of its recording.
    #[must_use]
    pub fn chapters(&self) -> Option<domain::chapter::Chapters> {
        serde_json::from_value(self.extra("chapters")?.clone()).ok()
    }

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
