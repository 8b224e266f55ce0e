//! Scheduled turns: one node takes a turn and starts its run in the same transaction.

use domain::Micros;
use domain::ingestion::schedule::Schedule;
use domain::ingestion::{Stage, failure};
use serde_json::json;
use store::sql::event::{self, NewEvent};
use store::sql::source::Source;
use store::sql::source::keep;
use store::{Tx, sql};

use super::Sources;
use crate::Result;
use crate::ingestion::control;

/// Turns looked at in one pass.
const AT_ONCE: i64 = 20;
/// Doubled with each failure in a row.
const FIRST_WAIT: i64 = 3_600_000_000;
/// Failures that still double the wait: the longest is about five days.
const MOST_DOUBLINGS: i64 = 7;

/// What became of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Taken,
    Started,
}

impl Sources<'_> {
    /// Starts the runs of every source whose time has come; yields how many this process started.
    ///
    /// # Errors
    /// The database refuses; the turns that were not taken are taken in a later pass.
    pub async fn run_due(&self) -> Result<usize> {
        let due = self.school.read(|tx| Box::pin(async move { keep::due(tx, AT_ONCE).await })).await?;
        let mut started = 0;
        for (source, now) in due {
            let turn = self.school.store().write(move |tx| Box::pin(async move { turn(tx, &source, now).await }));
            if turn.await? == Turn::Started {
                started += 1;
            }
        }
        Ok(started)
    }
}

/// Takes one turn: a run, or the reason why there is none, and the time of the next.
async fn turn(tx: &mut Tx, source: &Source, now: Micros) -> store::Result<Turn> {
    let institution = source.institution_id;
    let last = sql::ingestion::latest(tx, institution, source.id).await?;
    let schedule = source.cron.as_deref().map(Schedule::parse);
    let (Some(Ok(schedule)), Some(last)) = (schedule, last) else {
        keep::take_turn(tx, source, None, 0, Some("the schedule cannot be kept: set it again")).await?;
        return Ok(Turn::Taken);
    };
    if last.state == "running" {
        let why = if last.held.is_some() { "is paused" } else { "has not ended" };
        let note = format!("a turn was left out because run \"{}\" {why}", last.id);
        if keep::take_turn(tx, source, schedule.next(now), source.failures, Some(&note)).await? {
            let event = NewEvent::new("content.source_skipped", institution, source.id)
                .course(source.course_id)
                .payload(json!({ "sourceId": source.id, "ingestionId": last.id, "reason": note }));
            event::append(tx, &event).await?;
        }
        return Ok(Turn::Taken);
    }
    let failed = last.error.as_ref().filter(|error| last.state == "failed" && error.code != failure::CANCELLED);
    let failures = failed.map_or(0, |_| source.failures + 1);
    let wait = if failures == 0 { 0 } else { FIRST_WAIT << (failures - 1).min(MOST_DOUBLINGS) };
    let note = failed.map(|error| {
        format!(
            "{failures} runs in a row failed, so that the pause grows; the last said {}: {}",
            error.code, error.message
        )
    });
    // Whoever moves the time first starts the run, in the same transaction.
    if !keep::take_turn(tx, source, schedule.next(now.saturating_add(wait)), failures, note.as_deref()).await? {
        return Ok(Turn::Taken);
    }
    control::start(tx, &last, Stage::Fetch, None).await?;
    Ok(Turn::Started)
}
