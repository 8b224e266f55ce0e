//! `lyceum transcript`.

use std::time::Duration;

use domain::policy::Actor;
use domain::transcript::{Line, Part};
use domain::{LessonId, caption};
use school::transcript::{Transcript, Transcripts};
use serde_json::{Value, json};

use crate::args::{OfLesson, TranscriptCommand};
use crate::command::Context;
use crate::exit::{FAILED, Failure, NOT_FOUND, OK, Result};

/// How long a command waits for the corrected text to be searchable.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

pub(crate) async fn run(context: &Context<'_>, command: &TranscriptCommand) -> Result<u8> {
    let actor = context.actor().await?;
    let transcripts = context.node.school.transcript(context.node.blobs.as_ref());
    match command {
        TranscriptCommand::Show(of) => {
            let found = transcripts.get(&actor, lesson(context, &actor, of).await?).await?;
            context.out.result(&as_json(&found), |_| table(&found));
        }
        TranscriptCommand::Export(of) => {
            let id = lesson(context, &actor, of).await?;
            let text = transcripts.captions(&actor, id).await?;
            context.out.result(&json!({ "lesson": id, "vtt": text }), |_| text.clone());
        }
        TranscriptCommand::Edit { of, file, find, replace } => {
            let id = lesson(context, &actor, of).await?;
            let found = transcripts.get(&actor, id).await?;
            let lines = match (file, find, replace) {
                (Some(file), ..) => {
                    let lines = caption::cues(&read(context, file)?).iter().map(Line::from).collect::<Vec<_>>();
                    if lines.is_empty() {
                        return Err(Failure::usage("the file has no line with a time; give WebVTT or SubRip"));
                    }
                    lines
                }
                (None, Some(find), Some(replace)) => replaced(&found, find, replace)?,
                _ => return Err(Failure::usage("name a caption file, or what to find and what to put in its place")),
            };
            save(context, &actor, &transcripts, id, (found, lines)).await?;
        }
        TranscriptCommand::Align { of, file, save: keep, least } => {
            let id = lesson(context, &actor, of).await?;
            let (version, aligned) = transcripts.align(&actor, id, read(context, file)?).await?;
            let told = json!({
                "lesson": id,
                "version": version,
                "confidence": aligned.confidence,
                "lines": seconds(&aligned.lines),
                "unaligned": parts(&aligned.unaligned),
                "leftOut": parts(&aligned.left_out),
            });
            if !keep || !context.out.json() {
                context.out.result(&told, |_| {
                    let mut text = format!(
                        "{} lines, {:.0} % of the words have their time from the transcript\n",
                        aligned.lines.len(),
                        aligned.confidence * 100.0
                    );
                    for (what, parts) in [("not heard", &aligned.unaligned), ("left out", &aligned.left_out)] {
                        for part in parts {
                            text.push_str(&format!("{what}, {}: {}\n", clock(part.start), part.text));
                        }
                    }
                    text
                });
            }
            if *keep {
                if aligned.confidence < *least {
                    let message = format!(
                        "only {:.0} % of the words fit, below {:.0} %: nothing was saved; check that the text is of this recording, or lower --least",
                        aligned.confidence * 100.0,
                        least * 100.0
                    );
                    return Err(Failure::new(FAILED, message));
                }
                let found = transcripts.get(&actor, id).await?;
                save(context, &actor, &transcripts, id, (found, aligned.lines)).await?;
            }
        }
    }
    Ok(OK)
}

/// Keeps lines, and waits until search knows them.
async fn save(
    context: &Context<'_>,
    actor: &Actor,
    transcripts: &Transcripts<'_>,
    id: LessonId,
    (found, lines): (Transcript, Vec<Line>),
) -> Result<()> {
    let before: Vec<Line> = found.cues.iter().map(Line::from).collect();
    let changed = domain::transcript::changes(&before, &lines).len();
    if changed == 0 || context.cli.dry_run {
        let told = json!({ "lesson": id, "version": found.version, "changes": changed, "saved": false });
        context.out.result(&told, |_| format!("{changed} places would change; nothing was saved"));
        return Ok(());
    }
    let version = transcripts.set(actor, id, found.version, lines).await?;
    let indexed = tokio::time::timeout(LONGEST_WAIT, async {
        loop {
            let now = transcripts.get(actor, id).await?;
            if now.indexed {
                return Ok::<_, Failure>(());
            }
            context.out.progress("reading the corrected transcript", 0, 1, "");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let indexed = indexed.await.map_or(Ok(false), |done| done.map(|()| true))?;
    let told = json!({ "lesson": id, "version": version, "changes": changed, "saved": true, "indexed": indexed });
    context.out.result(&told, |_| {
        let after = if indexed { "search knows them" } else { "search will know them later" };
        format!("{changed} places corrected, version {version}; {after}")
    });
    Ok(())
}

fn replaced(found: &Transcript, find: &str, replace: &str) -> Result<Vec<Line>> {
    if !found.cues.iter().any(|cue| cue.text.contains(find)) {
        return Err(Failure::new(NOT_FOUND, format!("no line has \"{find}\"")));
    }
    let changed = |cue: &caption::Cue| Line { text: cue.text.replace(find, replace), ..Line::from(cue) };
    Ok(found.cues.iter().map(changed).filter(|line| !line.text.trim().is_empty()).collect())
}

fn read(context: &Context<'_>, file: &std::path::Path) -> Result<String> {
    let path = context.path(file);
    std::fs::read_to_string(&path)
        .map_err(|error| Failure::new(NOT_FOUND, format!("cannot read \"{}\": {error}", path.display())))
}

/// A lesson by its id, or by its title in a course.
async fn lesson(context: &Context<'_>, actor: &Actor, of: &OfLesson) -> Result<LessonId> {
    let Some(slug) = &of.course else {
        return of.lesson.parse().map_err(|_| {
            Failure::usage(format!(
                "\"{}\" is no id of a lesson; for a title, name its course with --course",
                of.lesson
            ))
        });
    };
    let course = context.node.school.course().by_slug(actor, actor.institution, slug).await?;
    let outline = context.node.school.lesson().outline(actor, course.id).await?;
    let lessons = outline.modules.iter().flat_map(|(_, lessons)| lessons);
    let mut same = lessons.filter(|one| one.title.eq_ignore_ascii_case(&of.lesson) || one.id.to_string() == of.lesson);
    match (same.next(), same.next()) {
        (Some(one), None) => Ok(one.id),
        (Some(_), Some(_)) => {
            Err(Failure::usage(format!("several lessons are called \"{}\"; name one by its id", of.lesson)))
        }
        _ => Err(Failure::new(NOT_FOUND, format!("the course \"{slug}\" has no lesson \"{}\"", of.lesson))),
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a recording fit 53 bits")]
fn second(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

fn seconds(lines: &[Line]) -> Vec<Value> {
    let one = |line: &Line| json!({ "start": second(line.start), "end": second(line.end), "text": line.text });
    lines.iter().map(one).collect()
}

fn parts(parts: &[Part]) -> Vec<Value> {
    let one = |part: &Part| json!({ "start": second(part.start), "end": second(part.end), "text": part.text });
    parts.iter().map(one).collect()
}

fn as_json(found: &Transcript) -> Value {
    let lines: Vec<Line> = found.cues.iter().map(Line::from).collect();
    let lost: Vec<Value> =
        found.lost.iter().map(|one| json!({ "before": seconds(&one.before), "after": seconds(&one.after) })).collect();
    json!({
        "version": found.version,
        "edited": found.edited,
        "indexed": found.indexed,
        "writtenBy": found.extra.get("transcript"),
        "lines": seconds(&lines),
        "notCarried": lost,
    })
}

fn clock(ms: i64) -> String {
    format!("{:02}:{:02}", ms / 60_000, ms / 1000 % 60)
}

fn table(found: &Transcript) -> String {
    let mut text = String::new();
    for cue in &found.cues {
        text.push_str(&format!("{}  {}\n", clock(cue.start), cue.text));
    }
    for lost in &found.lost {
        let said = |lines: &[Line]| lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join(" ");
        text.push_str(&format!("not carried over: \"{}\" -> \"{}\"\n", said(&lost.before), said(&lost.after)));
    }
    text.push_str(&format!("version {}{}", found.version, if found.edited { ", corrected" } else { "" }));
    text
}
