//! Speech by `/v1/audio/transcriptions`.

use bytes::Bytes;
use domain::wire::{Failure, Segment, TranscribeRequest, Transcript, Word};
use serde::Deserialize;

use crate::backend::BackendError;
use crate::backend::http::Http;

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    text: String,
    language: Option<String>,
    duration: Option<f64>,
    #[serde(default)]
    segments: Vec<SegmentSaid>,
    #[serde(default)]
    words: Vec<WordSaid>,
}

#[derive(Deserialize)]
struct SegmentSaid {
    start: f64,
    end: f64,
    text: String,
    avg_logprob: Option<f64>,
    #[serde(default)]
    words: Vec<WordSaid>,
}

#[derive(Deserialize)]
struct WordSaid {
    start: f64,
    end: f64,
    #[serde(alias = "text")]
    word: String,
    probability: Option<f64>,
}

/// Asks with times first; a server that does not tell them is asked for the text alone.
pub(super) async fn transcribe(http: &Http, request: &TranscribeRequest) -> Result<Transcript, BackendError> {
    match ask(http, request, true).await {
        Err(BackendError::Failed(Failure::Invalid { .. })) => ask(http, request, false).await,
        outcome => outcome,
    }
}

async fn ask(http: &Http, request: &TranscribeRequest, timed: bool) -> Result<Transcript, BackendError> {
    let (boundary, body) = form(request, timed);
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let answer = http.post_as("/v1/audio/transcriptions", &content_type, body, http.timing().answer).await?;
    let reply: Reply = answer.successful(&request.model).await?.json().await?;
    Ok(transcript(reply))
}

fn form(request: &TranscribeRequest, timed: bool) -> (String, Bytes) {
    let audio = &request.audio.0;
    let mut boundary = "lyceum-7d1f0b6c94e2".to_owned();
    // The audio is from outside and may hold anything, also the boundary.
    while memchr::memmem::find(audio, boundary.as_bytes()).is_some() {
        boundary.push('x');
    }
    let mut fields = vec![("model", request.model.as_str())];
    if timed {
        fields.push(("response_format", "verbose_json"));
        fields.push(("timestamp_granularities[]", "segment"));
        fields.push(("timestamp_granularities[]", "word"));
    } else {
        fields.push(("response_format", "json"));
    }
    fields.extend(request.language.as_deref().map(|language| ("language", language)));
    fields.extend(request.prompt.as_deref().map(|prompt| ("prompt", prompt)));
    let mut body = Vec::with_capacity(audio.len() + 2_048);
    for (name, value) in fields {
        // A line that begins like a boundary would end the field.
        let value = value.replace(&boundary, "");
        body.extend_from_slice(
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").as_bytes(),
        );
    }
    let file_name: String = request
        .file_name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' })
        .collect();
    body.extend_from_slice(
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file_name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        )
        .as_bytes(),
    );
    body.extend_from_slice(audio);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (boundary, body.into())
}

fn transcript(reply: Reply) -> Transcript {
    let mut segments: Vec<Segment> = reply
        .segments
        .into_iter()
        .map(|said| {
            let (start, end) = times(said.start, said.end);
            Segment {
                start,
                end,
                text: said.text.trim().to_owned(),
                confidence: said.avg_logprob.map(f64::exp).filter(|p| p.is_finite()).map(|p| p.clamp(0.0, 1.0)),
                words: said.words.into_iter().map(word).collect(),
            }
        })
        .collect();
    let words: Vec<Word> = reply.words.into_iter().map(word).collect();
    let last = words.last().map(|word| word.end).or_else(|| segments.last().map(|segment| segment.end));
    let duration = reply.duration.or(last).filter(|seconds| seconds.is_finite()).unwrap_or(0.0).max(0.0);
    let text = reply.text.trim();
    if segments.is_empty() && !text.is_empty() {
        segments.push(Segment { end: duration, text: text.to_owned(), ..Segment::default() });
    }
    for word in words {
        // Each word belongs to the last segment that has begun by its middle.
        let middle = f64::midpoint(word.start, word.end);
        let at = segments.partition_point(|segment| segment.start <= middle).saturating_sub(1);
        if let Some(segment) = segments.get_mut(at) {
            segment.words.push(word);
        }
    }
    Transcript { language: reply.language.as_deref().and_then(language), duration, segments }
}

fn word(said: WordSaid) -> Word {
    let (start, end) = times(said.start, said.end);
    let confidence = said.probability.filter(|p| p.is_finite()).map(|p| p.clamp(0.0, 1.0));
    Word { start, end, text: said.word.trim().to_owned(), confidence }
}

/// Times as they should be, whatever was said: finite, not negative, the end not before the start.
fn times(start: f64, end: f64) -> (f64, f64) {
    let start = if start.is_finite() { start.max(0.0) } else { 0.0 };
    (start, if end.is_finite() { end.max(start) } else { start })
}

/// The ISO 639-1 code of a language that may be said by its English name.
fn language(said: &str) -> Option<String> {
    const NAMES: [(&str, &str); 24] = [
        ("arabic", "ar"),
        ("bengali", "bn"),
        ("chinese", "zh"),
        ("czech", "cs"),
        ("danish", "da"),
        ("dutch", "nl"),
        ("english", "en"),
        ("finnish", "fi"),
        ("french", "fr"),
        ("german", "de"),
        ("greek", "el"),
        ("hebrew", "he"),
        ("hindi", "hi"),
        ("italian", "it"),
        ("japanese", "ja"),
        ("korean", "ko"),
        ("norwegian", "no"),
        ("polish", "pl"),
        ("portuguese", "pt"),
        ("russian", "ru"),
        ("spanish", "es"),
        ("swedish", "sv"),
        ("turkish", "tr"),
        ("ukrainian", "uk"),
    ];
    let said = said.trim().to_lowercase();
    if said.len() == 2 && said.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Some(said);
    }
    NAMES.iter().find(|(name, _)| *name == said).map(|(_, code)| (*code).to_owned())
}
