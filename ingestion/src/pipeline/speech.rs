//! Captions for a recording that has none: its speech is written down by a model, once for the same bytes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::document::Warning;
use domain::ingestion::{Failure, SourceKind, failure};
use domain::media::{CAPTIONS, TranscriptNote};
use domain::wire::{Blob, Class, Segment, Task, TranscribeRequest, Transcript};
use llm_gateway::{Caller, Gateway, GatewayError};
use store::queue::JobError;
use store::sql::rendition::{self, File, Kind};
use store::{blob, sql};

use super::Parts;
use super::run::{Outcomes, Run};
use crate::media::{Container, Tools};
use crate::source::{self, Place};
use crate::speech::{self, Piece, Sound};

/// A piece of 30 s on a slow machine, behind other work.
const DEADLINE: Duration = Duration::from_secs(600);
/// Tries of one piece before the job is given back to the queue.
const TRIES: usize = 3;
/// Below this mean confidence a reader is told to check the captions.
const DOUBTFUL: f64 = 0.5;

/// Captions that a model wrote.
pub(super) struct Written {
    /// The file, in the run's scratch folder.
    pub(super) path: PathBuf,
    /// Where they come from.
    pub(super) note: TranscriptNote,
}

/// Whether a model says of itself that its transcripts are for searching only.
fn rough(model: &str) -> bool {
    model.to_lowercase().contains("rough")
}

/// The model that writes speech down: one that is not rough, where there is a choice.
fn transcriber(gateway: &Gateway) -> Option<String> {
    let models = gateway.models().into_iter().map(|status| status.model);
    let mut able: Vec<String> = models.filter(|model| model.task == Task::Transcribe).map(|model| model.id).collect();
    able.sort_by_key(|id| (rough(id), id.clone()));
    able.into_iter().next()
}

/// Stand-in captions for a plan, where a run would have them written down, and the warning that says so.
pub(super) fn foreseen(parts: &Parts, kind: SourceKind, place: &Place, scratch: &Path) -> Option<(PathBuf, Warning)> {
    if kind != SourceKind::Video || parts.tools.is_none() || !source::without_captions(place) {
        return None;
    }
    let model = transcriber(&parts.gateway)?;
    let path = scratch.join(CAPTIONS);
    // Without them the source says that there are no captions, as it would where nothing can be written either.
    std::fs::write(&path, "WEBVTT\n\n00:00.000 --> 00:01.000\nTo be written down.\n").ok()?;
    let message = format!("there are no captions; \"{model}\" will write them down");
    Some((path, Warning { code: "WILL_TRANSCRIBE".into(), message, place: Some(place.shown().to_owned()) }))
}

impl Written {
    /// What a reader of the report should know of these captions.
    pub(super) fn warning(&self, name: &str) -> Option<Warning> {
        let model = &self.note.model;
        let message = if self.note.rough {
            format!("the captions were written by \"{model}\": good enough to search in, not to be read")
        } else if self.note.confidence.is_some_and(|confidence| confidence < DOUBTFUL) {
            format!("\"{model}\" was unsure of many words of the captions; read them before learners do")
        } else {
            return None;
        };
        Some(Warning { code: "ROUGH_TRANSCRIPT".into(), message, place: Some(name.to_owned()) })
    }
}

impl Run<'_> {
    /// Captions for a recording that has none beside it; `None` when it has, or when the source has to say what is wrong.
    pub(super) async fn written(&self, kind: SourceKind, place: &Place, scratch: &Path) -> Outcomes<Option<Written>> {
        if kind != SourceKind::Video || !source::without_captions(place) {
            return Ok(None);
        }
        let (Ok(path), name) = (place.path(), place.shown()) else { return Ok(None) };
        let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
        if Container::of_file(path, name).is_err() {
            return Ok(None);
        }
        let (Some(tools), Some(model)) = (&self.parts.tools, transcriber(&self.parts.gateway)) else { return Ok(None) };
        let recording = path.to_owned();
        let sha256 = source::blocking(move || {
            source::file_sha256(&recording).map_err(|error| source::cannot_open("the recording", &error))
        })
        .await?;
        let to = scratch.join(CAPTIONS);
        if let Some(note) = self.known(&sha256, &model, &to).await? {
            return Ok(Some(Written { path: to, note }));
        }
        let (text, note) = self.write_down(tools, &model, path, name, scratch).await?;
        self.keep_transcript(&sha256, &text, &note).await?;
        tokio::fs::write(&to, text).await.map_err(|error| JobError::retryable(error.to_string()))?;
        Ok(Some(Written { path: to, note }))
    }

    /// What was written down before, unless it is rough and `model` is not.
    async fn known(&self, sha256: &str, model: &str, to: &Path) -> Outcomes<Option<TranscriptNote>> {
        let (institution, name) = (self.ingestion.institution_id, sha256.to_owned());
        let found = self.parts.store.read(|tx| {
            Box::pin(async move {
                let manifest = rendition::manifest(tx, institution, &name, Kind::Transcript).await?;
                Ok((manifest, rendition::file(tx, institution, &name, Kind::Transcript, CAPTIONS).await?))
            })
        });
        let (Some(manifest), Some(file)) = found.await? else { return Ok(None) };
        let Ok(note) = serde_json::from_value::<TranscriptNote>(manifest) else { return Ok(None) };
        if note.rough && !rough(model) {
            return Ok(None);
        }
        let bytes = self.parts.blobs.get(institution, &file.key).await?;
        tokio::fs::write(to, bytes).await.map_err(|error| JobError::retryable(error.to_string()))?;
        Ok(Some(note))
    }

    async fn write_down(
        &self,
        tools: &Tools,
        model: &str,
        recording: &Path,
        name: &str,
        scratch: &Path,
    ) -> Outcomes<(String, TranscriptNote)> {
        let sandbox = &self.parts.sandbox;
        let probe = crate::media::probe(sandbox, tools, recording, name).await?;
        let folder = scratch.join("sound");
        std::fs::create_dir_all(&folder).map_err(|error| JobError::retryable(error.to_string()))?;
        let decoded = speech::decode(sandbox, tools, recording, &probe, &folder, name).await?;
        let shown = name.to_owned();
        let (sound, pieces) = source::blocking(move || {
            let sound = Sound::open(&decoded).map_err(|error| source::cannot_open(&shown, &error))?;
            let pieces = speech::pieces(&sound.levels);
            Ok((sound, pieces))
        })
        .await?;
        let nobody = || {
            let message =
                format!("nobody is heard to speak in \"{name}\", so there is nothing to search; name a caption file");
            Failure::new(failure::NO_CAPTIONS, message)
        };
        if pieces.is_empty() {
            return Err(nobody().into());
        }
        let caller = Caller {
            institution: Some(self.ingestion.institution_id),
            course: Some(self.ingestion.course_id),
            feature: "transcribe",
            ..Caller::default()
        };
        let gateway = self.parts.gateway.by(caller);
        let told = probe.audio.as_ref().and_then(|audio| audio.language.as_deref()).and_then(speech::two_letters);
        let mut language = told.map(str::to_owned);
        let mut segments: Vec<Segment> = Vec::new();
        let total = i64::try_from(pieces.len()).unwrap_or(i64::MAX);
        for (done, piece) in (0_i64..).zip(pieces) {
            self.check_stopping()?;
            self.tell(done, total).await?;
            let heard = tokio::select! {
                heard = piece_heard(&gateway, model, &sound, piece, language.as_deref()) => heard?,
                () = self.lease.stopped() => return Err(JobError::given_back().into()),
            };
            // The first piece that tells a language tells it for the others.
            language = language.or(heard.language);
            segments.extend(heard.segments.into_iter().map(|segment| moved(segment, piece.start(), piece.end())));
        }
        let cues = speech::cues(&segments);
        if cues.is_empty() {
            return Err(nobody().into());
        }
        let note = TranscriptNote {
            model: model.to_owned(),
            language,
            confidence: confidence(&segments),
            rough: rough(model),
            seconds: probe.seconds,
        };
        Ok((speech::vtt(&cues, Some(&format!("written by {model}"))), note))
    }

    async fn keep_transcript(&self, sha256: &str, text: &str, note: &TranscriptNote) -> Outcomes<()> {
        let institution = self.ingestion.institution_id;
        let bytes = text.as_bytes().to_vec();
        let kept = blob::keep(&self.parts.store, self.parts.blobs.as_ref(), institution, bytes, "text/vtt").await?;
        let file = File { name: CAPTIONS.into(), blob_sha256: kept.sha256, media_type: "text/vtt".into() };
        let manifest = serde_json::to_value(note).map_err(|error| JobError::permanent(error.to_string()))?;
        let sha256 = sha256.to_owned();
        let written = self.lease.checkpoint(move |tx| {
            Box::pin(
                async move { rendition::put(tx, institution, &sha256, Kind::Transcript, &manifest, &[file]).await },
            )
        });
        Ok(written.await?)
    }

    /// What people watch; no checkpoint, for nothing is kept of a recording before its end.
    pub(super) async fn tell(&self, done: i64, total: i64) -> Outcomes<()> {
        let (institution, id, stage) = (self.ingestion.institution_id, self.ingestion.id, self.stage);
        let written = self.parts.store.write(move |tx| {
            Box::pin(async move { sql::ingestion::progress(tx, institution, id, stage, done, total).await })
        });
        Ok(written.await?)
    }
}

async fn piece_heard(
    gateway: &Gateway,
    model: &str,
    sound: &Sound,
    piece: Piece,
    language: Option<&str>,
) -> Outcomes<Transcript> {
    let own = sound.clone();
    let wav =
        source::blocking(move || own.wav(piece).map_err(|error| source::cannot_open("the decoded sound", &error)));
    let wav = bytes::Bytes::from(wav.await?);
    let mut tries = 0;
    loop {
        tries += 1;
        let request = TranscribeRequest {
            model: model.to_owned(),
            audio: Blob(wav.clone()),
            file_name: "piece.wav".into(),
            language: language.map(str::to_owned),
            prompt: None,
        };
        match gateway.transcribe(Class::Transcribe, request, DEADLINE).await {
            Ok(heard) => return Ok(heard),
            Err(GatewayError::Overloaded { retry_after } | GatewayError::Quota { retry_after, .. }) => {
                return Err(JobError::overload("transcribers are busy or a limit is reached", Some(retry_after)).into());
            }
            Err(error @ (GatewayError::Invalid(_) | GatewayError::SwitchedOff)) => {
                let message = format!("the speech cannot be written down: {error}; name a caption file");
                return Err(Failure::new(failure::TRANSCRIPTION_FAILED, message).into());
            }
            Err(error) if tries >= TRIES => return Err(JobError::retryable(error.to_string()).into()),
            Err(_) => {}
        }
    }
}

/// A segment of a piece at its place in the recording; what a model tells of a time outside of the piece is cut.
fn moved(mut segment: Segment, start: f64, end: f64) -> Segment {
    let place = |seconds: f64| (start + if seconds.is_finite() { seconds } else { 0.0 }).clamp(start, end);
    (segment.start, segment.end) = (place(segment.start), place(segment.end));
    for word in &mut segment.words {
        (word.start, word.end) = (place(word.start), place(word.end));
    }
    segment
}

/// The mean over words, or segments where words have none.
fn confidence(segments: &[Segment]) -> Option<f64> {
    let words: Vec<f64> =
        segments.iter().flat_map(|segment| &segment.words).filter_map(|word| word.confidence).collect();
    let all = if words.is_empty() { segments.iter().filter_map(|segment| segment.confidence).collect() } else { words };
    let count = u32::try_from(all.len()).ok().filter(|count| *count > 0)?;
    Some((all.iter().sum::<f64>() / f64::from(count)).clamp(0.0, 1.0))
}
