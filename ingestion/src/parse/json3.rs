//! Captions as `YouTube` gives them in its `json3` form: events with segments, word times in the
//! automatic ones.

use domain::caption::{Cue, LAST_MS, Words, unroll};
use domain::ingestion::{Failure, failure};
use serde::Deserialize;

#[derive(Deserialize)]
struct Root {
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(default)]
    t_start_ms: f64,
    #[serde(default)]
    d_duration_ms: f64,
    #[serde(default)]
    a_append: Option<serde_json::Value>,
    #[serde(default)]
    segs: Vec<Segment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Segment {
    #[serde(default)]
    utf8: String,
    #[serde(default)]
    t_offset_ms: Option<f64>,
}

/// The cues in order of time, rolling repeats removed, with the times of their words where they are given.
///
/// # Errors
/// `BAD_DOCUMENT` when it is no json3.
pub fn cues(path: &str, text: &str) -> Result<Vec<Cue>, Failure> {
    let root: Root = serde_json::from_str(text).map_err(|error| {
        let message = format!("the captions \"{path}\" are no json3 ({error}); update yt-dlp and fetch them again");
        Failure::new(failure::BAD_DOCUMENT, message)
    })?;
    // Events of automatic captions last until they have scrolled away, two lines later.
    let rolls = root.events.iter().any(|event| event.a_append.is_some())
        || root.events.iter().flat_map(|event| &event.segs).any(|segment| segment.t_offset_ms.is_some());
    let mut cues: Vec<Cue> = root.events.iter().filter_map(cue).collect();
    cues.sort_by_key(|cue| (cue.start, cue.end));
    if rolls {
        let starts: Vec<i64> = cues.iter().map(|cue| cue.start).collect();
        for (index, cue) in cues.iter_mut().enumerate() {
            let next = starts.iter().skip(index + 1).find(|start| **start > cue.start);
            cue.end = next.map_or(cue.end, |next| cue.end.min(*next));
        }
    }
    Ok(unroll(cues))
}

fn cue(event: &Event) -> Option<Cue> {
    let start = ms(event.t_start_ms);
    let end = start.checked_add(ms(event.d_duration_ms))?;
    let timed = event.segs.iter().any(|segment| segment.t_offset_ms.is_some());
    let mut said = Words::default();
    for segment in &event.segs {
        // The first word of a line has no offset: it begins with the line.
        let time = timed.then(|| start.saturating_add(ms(segment.t_offset_ms.unwrap_or(0.0))));
        said.push(&segment.utf8, time);
    }
    let good = !said.text.is_empty() && end > start && start >= 0 && end <= LAST_MS;
    good.then_some(Cue { start, end, text: said.text, words: said.words })
}

#[expect(clippy::cast_possible_truncation, reason = "a cast from f64 saturates, and what is out of range is dropped")]
fn ms(value: f64) -> i64 {
    value.round() as i64
}
