//! Sources of a course: what they brought, fetching them again, schedules, removal, and what may be stored.

use domain::ingestion::Stage;
use domain::ingestion::schedule::Schedule;
use domain::policy::{Action, Actor};
use domain::question::State;
use domain::{CourseId, Error, ErrorKind, IngestionId, InstitutionId, Micros, SourceId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::sql::event::NewEvent;
use store::sql::ingestion::Ingestion;
use store::sql::institution::{IngestLimits, Owned};
use store::sql::source::Source;
use store::sql::source::keep::{self, Counts, Gone};
use store::{Tx, sql};

use crate::ingestion::control;
use crate::unit::{announce, record};
use crate::{Result, School, access};

mod due;

/// Use cases of sources.
pub struct Sources<'a> {
    pub(crate) school: &'a School,
}

/// A source with what it has in its course.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// The source.
    pub source: Source,
    /// What of it is published.
    pub counts: Counts,
    /// Its newest run.
    pub last: Option<Ingestion>,
    /// Where it comes from and under which terms, as far as it says so.
    pub provenance: Value,
    /// Lessons whose documents vanished; only of one source, not in a list.
    pub gone: Vec<Gone>,
    /// Documents that could not be read; only of one source, not in a list.
    pub failed: Vec<(String, domain::ingestion::Failure)>,
}

/// What a removal took away, and what it left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    /// The source.
    pub source: SourceId,
    /// Modules that are gone.
    pub modules: i64,
    /// Lessons that are gone.
    pub lessons: i64,
    /// Passages that are gone.
    pub passages: i64,
    /// Questions of the bank that rest on its text, by state; they stay.
    pub questions: Vec<(String, usize)>,
    /// What a person should know.
    pub message: String,
}

/// A schedule that was set or ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scheduled {
    /// The source.
    pub source: SourceId,
    /// Five fields, UTC; `None` when it was ended.
    pub cron: Option<String>,
    /// The next run, in microseconds.
    pub next_at: Option<Micros>,
}

impl Sources<'_> {
    /// The sources of a course.
    ///
    /// # Errors
    /// Refused by policy.
    pub async fn list(&self, actor: &Actor, course: CourseId) -> Result<Vec<Card>> {
        let acting = actor.clone();
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    let course = crate::course::editable(tx, &acting, Action::Ingest, course).await?;
                    let mut cards = Vec::new();
                    for source in sql::source::list(tx, course.institution_id, course.id).await? {
                        cards.push(card(tx, source).await?);
                    }
                    Ok(cards)
                })
            })
            .await
    }

    /// A source with what vanished from it and what could not be read.
    ///
    /// # Errors
    /// Not found when the caller may not ingest into its course.
    pub async fn get(&self, actor: &Actor, id: SourceId) -> Result<Card> {
        let acting = actor.clone();
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    let source = found(tx, &acting, id).await?;
                    let institution = source.institution_id;
                    let gone = keep::gone(tx, institution, id).await?;
                    let failed = match source.current_version_id {
                        Some(version) => sql::document::list(tx, institution, version).await?,
                        None => Vec::new(),
                    };
                    let failed =
                        failed.into_iter().filter_map(|document| Some((document.path, document.error?))).collect();
                    Ok(Card { gone, failed, ..card(tx, source).await? })
                })
            })
            .await
    }

    /// Fetches a source again as it was fetched last; attaches to its unfinished run.
    ///
    /// # Errors
    /// Conflict `UPLOADED`, `PACKED`, `PAUSED` or `NEVER_FETCHED`.
    pub async fn refresh(&self, actor: &Actor, id: SourceId) -> Result<IngestionId> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let source = found(tx, actor, id).await?;
                    let institution = source.institution_id;
                    let last = fetchable(tx, &source).await?;
                    if last.state == "running" && last.held.is_some() {
                        let message = format!("run \"{}\" of it is paused: resume or cancel it first", last.id);
                        return Err(conflict("PAUSED", message).into());
                    }
                    if last.state == "running" {
                        return Ok(last.id);
                    }
                    let run = control::start(tx, &last, Stage::Fetch, actor.user_id).await?;
                    record(tx, actor, institution, "source.refresh", &format!("source:{id}")).await?;
                    Ok(run)
                })
            })
            .await
    }

    /// Sets the times at which a source is fetched again, five fields in UTC, or ends them.
    ///
    /// # Errors
    /// A schedule that cannot be read, or conflict `UPLOADED`, `PACKED` or `NEVER_FETCHED`.
    pub async fn schedule(&self, actor: &Actor, id: SourceId, cron: Option<String>) -> Result<Scheduled> {
        let parsed = cron.as_deref().map(Schedule::parse).transpose();
        let parsed = parsed.map_err(|why| Error::invalid("cron", "INVALID_FORMAT", why))?;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let source = found(tx, actor, id).await?;
                    if parsed.is_some() {
                        fetchable(tx, &source).await?;
                    }
                    let now = tx.now().await?;
                    let next_at = parsed.as_ref().and_then(|schedule| schedule.next(now));
                    let pair = cron.as_deref().zip(next_at);
                    keep::set_schedule(tx, source.institution_id, id, pair).await?;
                    let payload = json!({ "sourceId": id, "cron": cron, "nextAt": next_at });
                    let event = NewEvent::new("content.source_scheduled", source.institution_id, id)
                        .course(source.course_id)
                        .payload(payload);
                    announce(tx, actor, event).await?;
                    record(tx, actor, source.institution_id, "source.schedule", &format!("source:{id}")).await?;
                    Ok(Scheduled { source: id, cron, next_at })
                })
            })
            .await
    }

    /// What a removal would take away.
    ///
    /// # Errors
    /// Not found when the caller may not ingest into its course.
    pub async fn removal(&self, actor: &Actor, id: SourceId) -> Result<Removed> {
        let acting = actor.clone();
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    let source = found(tx, &acting, id).await?;
                    removal(tx, &source).await
                })
            })
            .await
    }

    /// Removes a source: its lessons and passages go in this transaction, a run of it is called off.
    ///
    /// # Errors
    /// Not found when the caller may not ingest into its course.
    pub async fn remove(&self, actor: &Actor, id: SourceId) -> Result<Removed> {
        let (removed, course) = self
            .school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let source = found(tx, actor, id).await?;
                    let institution = source.institution_id;
                    for run in sql::ingestion::running(tx, institution, id).await? {
                        control::call_off(tx, &run, &actor.username).await?;
                    }
                    let removed = removal(tx, &source).await?;
                    keep::remove(tx, institution, id).await?;
                    let payload = json!({ "sourceId": id, "lessons": removed.lessons, "passages": removed.passages });
                    let event = NewEvent::new("content.source_removed", institution, id)
                        .course(source.course_id)
                        .payload(payload);
                    announce(tx, actor, event).await?;
                    record(tx, actor, institution, "source.remove", &format!("source:{id}")).await?;
                    Ok((removed, (institution, source.course_id, source.current_version_id)))
                })
            })
            .await?;
        if let (Some(starter), (institution, course, Some(version))) = (self.school.inner.starter.get(), course) {
            starter.removed(institution, course, version).await;
        }
        Ok(removed)
    }

    /// What an institution may store and run at once, and the bytes that it stores.
    ///
    /// # Errors
    /// Refused by policy.
    pub async fn limits(&self, actor: &Actor, institution: InstitutionId) -> Result<(IngestLimits, i64)> {
        crate::course::allow_in(actor, Action::QuotaSet, institution)?;
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    let limits = sql::institution::ingest_limits(tx, institution).await?;
                    Ok((limits, sql::blob::stored(tx, institution).await?))
                })
            })
            .await
    }

    /// Sets the limits of an institution as a whole; `None` takes one away.
    ///
    /// # Errors
    /// Refused by policy, or a limit below zero.
    pub async fn set_limits(
        &self,
        actor: &Actor,
        institution: InstitutionId,
        limits: IngestLimits,
    ) -> Result<IngestLimits> {
        for (field, value, least) in [("storedBytes", limits.stored_bytes, 0), ("runs", limits.runs, 1)] {
            if value.is_some_and(|value| value < least) {
                return Err(Error::invalid(field, "TOO_SMALL", format!("\"{field}\" is at least {least}")));
            }
        }
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    crate::course::allow_in(actor, Action::QuotaSet, institution)?;
                    sql::institution::set_ingest_limits(tx, institution, &limits).await?;
                    let event =
                        NewEvent::new("content.limits_changed", institution, institution).payload(json!(limits));
                    announce(tx, actor, event).await?;
                    record(tx, actor, institution, "ingestion.limits", &format!("institution:{institution}")).await?;
                    Ok(limits)
                })
            })
            .await
    }
}

fn conflict(code: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Conflict, message).with_code(code)
}

/// The source, if the caller may ingest into its course and it was not removed.
async fn found(tx: &mut Tx, actor: &Actor, id: SourceId) -> store::Result<Source> {
    let missing = || if actor.is_guest() { access::log_in() } else { Error::not_found("source", id) };
    let institution = sql::institution::of(tx, Owned::Source(id)).await?.ok_or_else(missing)?;
    let found = sql::source::get(tx, institution, id).await?.ok_or_else(missing)?;
    let course = sql::course::get(tx, institution, found.course_id).await?.ok_or_else(missing)?;
    access::hidden(actor, Action::Ingest, &crate::course::subject(&course), missing)?;
    if found.removed_at.is_some() { Err(missing().into()) } else { Ok(found) }
}

/// The newest run of a source that can be fetched again.
async fn fetchable(tx: &mut Tx, source: &Source) -> store::Result<Ingestion> {
    let Some(last) = sql::ingestion::latest(tx, source.institution_id, source.id).await? else {
        return Err(conflict("NEVER_FETCHED", "the source was never fetched: ingest it first").into());
    };
    if control::uploaded(&last.request) {
        let message = "the source was uploaded, so that there is nothing to fetch it from: upload the new file";
        return Err(conflict("UPLOADED", message).into());
    }
    if control::packed(&last.request) {
        let message = "the source was loaded from a pack, so that there is nothing to fetch it from: load a newer pack";
        return Err(conflict("PACKED", message).into());
    }
    Ok(last)
}

async fn card(tx: &mut Tx, source: Source) -> store::Result<Card> {
    let institution = source.institution_id;
    let counts = keep::counts(tx, institution, source.id).await?;
    let last = sql::ingestion::latest(tx, institution, source.id).await?;
    let provenance = provenance(tx, &source).await?;
    Ok(Card { source, counts, last, provenance, gone: Vec::new(), failed: Vec::new() })
}

/// Licences, authors and the commit, as the source's own documents say them.
async fn provenance(tx: &mut Tx, source: &Source) -> store::Result<Value> {
    let Some(version) = sql::version::current(tx, source.institution_id, source.id).await? else {
        return Ok(json!({ "origin": source.origin }));
    };
    let (mut licences, mut authors) = (Vec::new(), Vec::new());
    for document in sql::document::list(tx, source.institution_id, version.id).await? {
        for (names, all) in [
            (["/licence", "/license", "/recording/licence", "/player/licence"], &mut licences),
            (["/channel", "/author", "/recording/channel", "/player/channel"], &mut authors),
        ] {
            for said in names.into_iter().filter_map(|name| document.extra.pointer(name)?.as_str().map(str::to_owned)) {
                if !all.contains(&said) {
                    all.push(said);
                }
            }
        }
    }
    let about = version.outline.get("about").cloned().unwrap_or_default();
    licences.extend(about.get("licence").and_then(Value::as_str).map(str::to_owned));
    Ok(json!({
        "origin": source.origin,
        "about": about,
        "commit": version.commit,
        "fingerprint": version.fingerprint,
        "publishedAt": version.published_at,
        "licences": licences,
        "authors": authors,
    }))
}

/// What a removal takes away and leaves.
async fn removal(tx: &mut Tx, source: &Source) -> store::Result<Removed> {
    let institution = source.institution_id;
    let counts = keep::counts(tx, institution, source.id).await?;
    let gone = keep::gone(tx, institution, source.id).await?.len();
    let mut questions: Vec<(String, usize)> = Vec::new();
    for state in keep::questions(tx, institution, source).await? {
        match questions.iter_mut().find(|(known, _)| *known == state) {
            Some((_, count)) => *count += 1,
            None => questions.push((state, 1)),
        }
    }
    let mut message = String::from(
        "lessons, passages and vectors are gone; what learners did stays in their record; files that nothing else needs are collected within a day",
    );
    if !questions.is_empty() {
        let shown: Vec<String> = questions.iter().map(|(state, count)| format!("{count} {state}")).collect();
        message.push_str(&format!(
            "; questions that rest on its text stay in the bank ({}), and their passages can no longer be opened: review or retire them",
            shown.join(", ")
        ));
        if questions.iter().any(|(state, _)| *state == State::Live.as_str()) {
            message.push_str("; live ones go on being asked in published quizzes");
        }
    }
    Ok(Removed {
        source: source.id,
        modules: counts.modules,
        lessons: counts.lessons + i64::try_from(gone).unwrap_or(0),
        passages: counts.chunks,
        questions,
        message,
    })
}
