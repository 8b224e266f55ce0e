//! Transcripts of recordings: read, corrected, aligned with a pasted text.

use axum::extract::State;
use axum::response::Response;
use domain::transcript::{Change, Line};
use domain::{Error, LessonId, transcript};
use school::transcript::Transcript;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::content::seconds;
use crate::App;
use crate::envelope::{Resource, one};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path};

/// A line of a transcript.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CueAttributes {
    /// Seconds at which it begins.
    start: f64,
    /// Seconds at which it ends.
    end: f64,
    /// What is said.
    text: String,
}

/// A correction without a place.
#[derive(Serialize, ToSchema)]
pub(crate) struct LostAttributes {
    /// What was corrected.
    before: Vec<CueAttributes>,
    /// What it was corrected to.
    after: Vec<CueAttributes>,
}

/// A transcript.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TranscriptAttributes {
    /// To be sent with a correction.
    version: String,
    /// The caller may correct it.
    editable: bool,
    /// People corrected it.
    edited: bool,
    /// Search and the tutor know it as it is; else they will in a moment.
    indexed: bool,
    /// BCP 47 tag, where it is known.
    language: Option<String>,
    /// The model that wrote it down, where one did.
    model: Option<String>,
    /// Good enough to search in, not to be read.
    rough: bool,
    /// Mean over its words, where the model tells it.
    confidence: Option<f64>,
    /// Its lines in order of time.
    cues: Vec<CueAttributes>,
    /// Corrections for which the captions of the newest version have no place.
    not_carried: Vec<LostAttributes>,
}

/// A transcript as it should be, as a whole.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TranscriptChange {
    /// The version that was read.
    version: String,
    /// All lines in order of time.
    cues: Vec<CueAttributes>,
}

/// A text to align.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PastedText {
    /// What was said, as somebody wrote it down.
    text: String,
}

/// A pasted text with times; nothing is kept of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AlignedAttributes {
    /// To be sent with these lines as a correction.
    version: String,
    /// Share of its words whose time is known from the transcript, 0 to 1.
    confidence: f64,
    /// Its lines.
    cues: Vec<CueAttributes>,
    /// Parts that are not heard, with the times between which they stand.
    unaligned: Vec<CueAttributes>,
    /// What is heard and not in the text.
    left_out: Vec<CueAttributes>,
}

fn cue(start: i64, end: i64, text: &str) -> CueAttributes {
    CueAttributes { start: seconds(start), end: seconds(end), text: text.to_owned() }
}

fn lines(lines: &[Line]) -> Vec<CueAttributes> {
    lines.iter().map(|line| cue(line.start, line.end, &line.text)).collect()
}

fn parts(parts: &[transcript::Part]) -> Vec<CueAttributes> {
    parts.iter().map(|part| cue(part.start, part.end, &part.text)).collect()
}

fn read(cues: Vec<CueAttributes>) -> Result<Vec<Line>, Error> {
    let ms = |number: usize, seconds: f64| {
        let bad = || Error::invalid(&format!("cues[{number}]"), "OUT_OF_RANGE", "times are 0 to 360000 seconds");
        #[expect(clippy::cast_possible_truncation, reason = "checked to be small")]
        let ms = (0.0..=360_000.0).contains(&seconds).then(|| (seconds * 1000.0).round() as i64);
        ms.ok_or_else(bad)
    };
    cues.into_iter()
        .enumerate()
        .map(|(number, cue)| Ok(Line { start: ms(number, cue.start)?, end: ms(number, cue.end)?, text: cue.text }))
        .collect()
}

fn answer(id: LessonId, found: Transcript) -> Response {
    let note = found.extra.get("transcript");
    let text = |value: Option<&serde_json::Value>, name: &str| {
        value.and_then(|value| value.get(name)?.as_str()).map(str::to_owned)
    };
    let attributes = TranscriptAttributes {
        version: found.version,
        editable: found.editable,
        edited: found.edited,
        indexed: found.indexed,
        language: text(Some(&found.extra), "language").or_else(|| text(found.extra.get("captions"), "language")),
        model: text(note, "model"),
        rough: note.and_then(|note| note.get("rough")?.as_bool()).unwrap_or_default(),
        confidence: note.and_then(|note| note.get("confidence")?.as_f64()),
        cues: found.cues.iter().map(|one| cue(one.start, one.end, &one.text)).collect(),
        not_carried: found
            .lost
            .iter()
            .map(|Change { before, after }| LostAttributes { before: lines(before), after: lines(after) })
            .collect(),
    };
    let link = format!("/api/v1/content/{id}/transcript");
    let resource = Resource::new("transcripts", id, attributes).related("content", "content", id);
    one(link, resource.related("course", "courses", found.course))
}

pub(super) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<LessonId>) -> ApiResult<Response> {
    Ok(answer(id, app.ports.school.transcript(app.ports.blobs.as_ref()).get(&caller.actor, id).await?))
}

pub(super) async fn set(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<LessonId>,
    Json(change): Json<TranscriptChange>,
) -> ApiResult<Response> {
    let transcripts = app.ports.school.transcript(app.ports.blobs.as_ref());
    transcripts.set(&caller.actor, id, change.version, read(change.cues)?).await?;
    Ok(answer(id, transcripts.get(&caller.actor, id).await?))
}

pub(super) async fn align(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<LessonId>,
    Json(pasted): Json<PastedText>,
) -> ApiResult<Response> {
    let transcripts = app.ports.school.transcript(app.ports.blobs.as_ref());
    let (version, aligned) = transcripts.align(&caller.actor, id, pasted.text).await?;
    let attributes = AlignedAttributes {
        version,
        confidence: aligned.confidence,
        cues: lines(&aligned.lines),
        unaligned: parts(&aligned.unaligned),
        left_out: parts(&aligned.left_out),
    };
    let resource = Resource::new("aligned-transcripts", id, attributes).related("content", "content", id);
    Ok(one(format!("/api/v1/content/{id}/transcript"), resource))
}
