//! `POST /v1/audio/transcriptions`: speech to text.

use axum::extract::multipart::Multipart;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use domain::wire::{Blob, Class, Segment, TranscribeRequest, Transcript};
use serde_json::{Value, json};

use super::carry::response;
use super::fault::{Fault, Style};
use super::{MOST_BYTES, Terms, key};
use crate::App;

/// Transcribes the uploaded file.
pub(crate) async fn transcriptions(app: State<App>, headers: HeaderMap, request: Request) -> Response {
    match transcribed(&app, &headers, request).await {
        Ok(response) => response,
        Err(fault) => fault.render(Style::OpenAi),
    }
}

async fn transcribed(app: &App, headers: &HeaderMap, mut request: Request) -> Result<Response, Fault> {
    let asker = key::asker(app, headers).await?;
    let terms = Terms::of(headers, Class::Transcribe).map_err(Fault::invalid)?;
    let unread = |error: &dyn std::fmt::Display| Fault::invalid(format!("the upload cannot be read: {error}"));
    DefaultBodyLimit::max(MOST_BYTES).apply(&mut request);
    let mut form = Multipart::from_request(request, app).await.map_err(|error| unread(&error))?;
    let mut asked = TranscribeRequest {
        model: String::new(),
        audio: Blob::default(),
        file_name: "audio".to_owned(),
        language: None,
        prompt: None,
    };
    let mut format = "json".to_owned();
    while let Some(field) = form.next_field().await.map_err(|error| unread(&error))? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" {
            asked.file_name = field.file_name().unwrap_or("audio").chars().take(200).collect();
            asked.audio = Blob(field.bytes().await.map_err(|error| unread(&error))?);
            continue;
        }
        let text = field.text().await.map_err(|error| unread(&error))?;
        match name.as_str() {
            "model" => asked.model = text,
            "language" => asked.language = Some(text).filter(|text| !text.is_empty()),
            "prompt" => asked.prompt = Some(text).filter(|text| !text.is_empty()),
            "response_format" => format = text,
            _ => {}
        }
    }
    if asked.model.is_empty() || asked.audio.0.is_empty() {
        return Err(Fault::invalid("an upload has the fields \"model\" and \"file\""));
    }
    if !["json", "text", "verbose_json", "srt", "vtt"].contains(&format.as_str()) {
        return Err(Fault::invalid(format!(
            "\"response_format\" is json, text, verbose_json, srt or vtt, not \"{format}\""
        )));
    }
    let gateway = app.ports.gateway.by(asker.caller);
    let transcript = gateway.transcribe(terms.class, asked, terms.deadline).await?;
    Ok(match format.as_str() {
        "text" => plain(transcript.text() + "\n"),
        "srt" => plain(captions(&transcript, ',', true)),
        "vtt" => plain(format!("WEBVTT\n\n{}", captions(&transcript, '.', false))),
        "verbose_json" => axum::Json(verbose(&transcript)).into_response(),
        _ => axum::Json(json!({ "text": transcript.text() })).into_response(),
    })
}

fn plain(text: String) -> Response {
    response(StatusCode::OK, Some(HeaderValue::from_static("text/plain; charset=utf-8")), text.into())
}

fn captions(transcript: &Transcript, point: char, numbered: bool) -> String {
    let mut text = String::new();
    for (number, segment) in transcript.segments.iter().enumerate() {
        if numbered {
            text.push_str(&format!("{}\n", number + 1));
        }
        let (start, end) = (clock(segment.start, point), clock(segment.end, point));
        text.push_str(&format!("{start} --> {end}\n{}\n\n", segment.text.trim()));
    }
    text
}

fn clock(seconds: f64, point: char) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a recording has few milliseconds")]
    let millis = (seconds.max(0.0) * 1_000.0).round() as u64;
    let (hours, minutes, rest) = (millis / 3_600_000, millis / 60_000 % 60, millis % 60_000);
    format!("{hours:02}:{minutes:02}:{:02}{point}{:03}", rest / 1_000, rest % 1_000)
}

fn verbose(transcript: &Transcript) -> Value {
    let segment = |(id, one): (usize, &Segment)| json!({ "id": id, "start": one.start, "end": one.end, "text": one.text, "confidence": one.confidence });
    let words: Vec<Value> = transcript
        .segments
        .iter()
        .flat_map(|segment| &segment.words)
        .map(|word| json!({ "word": word.text, "start": word.start, "end": word.end, "confidence": word.confidence }))
        .collect();
    json!({
        "task": "transcribe", "language": transcript.language, "duration": transcript.duration,
        "text": transcript.text(),
        "segments": transcript.segments.iter().enumerate().map(segment).collect::<Vec<_>>(),
        "words": words,
    })
}
