//! A transcript with the corrections of people, under its chapters.

use domain::caption::webvtt;
use domain::chapter::{ChapterOrigin, Chapters, by_topic};
use domain::document::{Document, Warning};
use domain::ingestion::{Failure, failure};
use domain::transcript::{Change, Edited, Line};
use serde_json::{Map, Value, json};
use store::sql::document::Document as Row;

use crate::parse::{self, captions};

/// Most corrections that are named one by one.
const MOST_NAMED: usize = 50;

/// The document of a caption file, and what reading it found.
pub(super) fn read(
    row: &Row,
    bytes: &[u8],
    edited: Option<&Edited>,
) -> Result<(Document, Map<String, Value>), Failure> {
    let text = parse::text(&row.path, bytes)?;
    let cues = captions::cues(&text);
    if cues.is_empty() {
        // The parser of files says what is wrong with it.
        return Err(captions::parse(&row.path, &text).err().unwrap_or_else(|| {
            Failure::new(failure::BAD_DOCUMENT, format!("\"{}\" has no caption with a time", row.path))
        }));
    }
    let corrected = school::transcript::corrected(edited, &row.blob_sha256, cues);
    let cues = corrected.cues;
    let notes = webvtt::notes(&text);
    let last = cues.iter().map(|cue| cue.end).max().unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, reason = "at most 100 hours")]
    let end = row.extra.get("seconds").and_then(Value::as_f64).map_or(last, |seconds| (seconds * 1000.0) as i64);
    let chapters = given(row, &notes, end);
    let sections: Vec<webvtt::Chapter> = chapters
        .iter()
        .flat_map(|chapters| &chapters.list)
        .map(|one| webvtt::Chapter { start: one.start, title: one.title.clone() })
        .collect();
    // Chapters by topic are no headings: a correction would move them, and with them every passage.
    let chapters = chapters.or_else(|| by_topic(&cues, end));
    let mut facts = Map::new();
    facts.insert("chapters".into(), json!(chapters));
    if let Some(edited) = edited {
        facts.insert("transcriptVersion".into(), json!(edited.version));
    }
    let mut document = captions::document(&row.path, notes.title, cues, &sections);
    document.warnings = lost(&row.path, &corrected.lost);
    Ok((document, facts))
}

/// The chapters that the recording came with.
fn given(row: &Row, notes: &webvtt::Notes, end: i64) -> Option<Chapters> {
    let kept = row.extra.get("chapters").and_then(|chapters| serde_json::from_value::<Chapters>(chapters.clone()).ok());
    if let Some(kept) = kept.filter(|kept| kept.origin != ChapterOrigin::Topics) {
        return Some(kept);
    }
    let site = row.extra.get("player").is_some_and(Value::is_object);
    let origin = if site { ChapterOrigin::Site } else { ChapterOrigin::File };
    let starts = notes.chapters.iter().map(|chapter| (chapter.start, chapter.title.clone())).collect();
    Chapters::new(origin, starts, end)
}

fn lost(path: &str, lost: &[Change]) -> Vec<Warning> {
    let said = |lines: &[Line]| lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join(" ");
    let mut warnings: Vec<Warning> = lost
        .iter()
        .take(MOST_NAMED)
        .map(|change| {
            let start = change.before.first().or_else(|| change.after.first()).map_or(0, |line| line.start) / 1000;
            let message = format!(
                "a correction has no place in the new captions: \"{}\" was corrected to \"{}\"; make it again where it belongs",
                said(&change.before),
                said(&change.after)
            );
            let place = Some(format!("{path}, {:02}:{:02}", start / 60, start % 60));
            Warning { code: "EDIT_NOT_CARRIED".into(), message, place }
        })
        .collect();
    if lost.len() > MOST_NAMED {
        let message = format!("{} more corrections have no place in the new captions", lost.len() - MOST_NAMED);
        warnings.push(Warning { code: "EDIT_NOT_CARRIED".into(), message, place: Some(path.to_owned()) });
    }
    warnings
}
