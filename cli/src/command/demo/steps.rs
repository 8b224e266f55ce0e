//! What the demo does, step by step, each adding its lines to the scorecard.

mod ask;
mod teach;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use domain::ingestion::{Outcome, Report, SourceKind, failure};
use domain::institution::Institution;
use domain::policy::Actor;
use domain::user::{Grant, Role, Scope};
use ingestion::IngestRequest;
use ingestion::sandbox::{Level, Sandbox};
use school::institution::NewInstitution;
use school::user::NewUser;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::content::Content;
use super::logins::{self, Login};
use super::scorecard::{Scorecard, State};
use crate::command::ingest::run_one;
use crate::command::operator_anywhere;
use crate::config::Config;
use crate::exit::Result;
use crate::node::Node;
use crate::out::Out;

const FIRST: &str = "harbour";
const SECOND: &str = "bakery";
const COURSE: &str = "sound";
const BREAD: &str = "bread";

/// Starts the ingestion of the repository in a process of its own and kills it while it makes vectors.
pub(crate) async fn kill_in_the_middle(
    data_dir: &Path,
    config: &Config,
    content: &Content,
    card: &mut Scorecard,
    out: &Out,
) -> Result<()> {
    out.note("starting an ingestion, to kill it in the middle");
    let kind = if content.git { "git" } else { "dir" };
    let binary = std::env::current_exe()?;
    let base = |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(&binary);
        command.arg("--data-dir").arg(data_dir).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        command.env("LYCEUM_EMBEDDING_MODEL", &config.embedding_model);
        command.env("LYCEUM_EMBEDDING_RUNTIME", &config.embedding_runtime);
        command
    };
    for slug in [FIRST, SECOND] {
        let made = base(&["institution", "create", slug, "--json"]).output().await?;
        tracing::debug!(slug, success = made.status.success(), "institution");
    }
    let repository = content.path("course");
    let arguments = ["--institution", FIRST, "ingest", kind, &repository, "--course", COURSE, "--json"];
    let mut child = base(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let mut stage = "start".to_owned();
    if let Some(stderr) = child.stderr.take() {
        let mut lines = BufReader::new(stderr).lines();
        while let Some(line) = lines.next_line().await? {
            // Without a terminal a stage begins with a line that begins with its name.
            if let Some(name) = line.split_whitespace().next() {
                stage = name.to_owned();
            }
            if stage == "embed" || stage == "index" {
                break;
            }
        }
    }
    child.start_kill()?;
    let status = child.wait().await?;
    let killed = status.code().is_none();
    card.check(
        "killed in the middle",
        killed,
        if killed {
            format!("kill -9 during \"{stage}\"")
        } else {
            "the ingestion ended before it could be killed".into()
        },
    );
    Ok(())
}

/// One institution with the operator's rights in it.
pub(crate) struct Home {
    pub(crate) institution: Institution,
    pub(crate) operator: Actor,
}

/// Everything after the kill.
pub(crate) async fn all(node: &Arc<Node>, content: &Content, card: &mut Scorecard, out: &Out) -> Result<()> {
    let first = home(node, FIRST, "Harbour College").await?;
    let second = home(node, SECOND, "The Bakery School").await?;
    people(node, &first, &second).await?;
    machine(node, card).await;

    let kind = if content.git { SourceKind::Git } else { SourceKind::Dir };
    let resumed = ingest(node, &first, kind, content.path("course"), None, COURSE, out).await?;
    card.check(
        "restart goes on where it stood",
        resumed.outcome == Outcome::Succeeded,
        format!("{} passages, {} embedded after the restart", resumed.chunks, resumed.embedded),
    );
    line(card, "git repository", &resumed);
    card.check(
        "unresolved include is counted",
        resumed.warnings.iter().any(|warning| warning.code == "UNRESOLVED_INCLUDE"),
        "a warning, not a loss",
    );

    let mut lessons = resumed.lessons;
    let rest = [
        ("SCORM 1.2 package", SourceKind::Scorm, "scorm/scorm12.zip", None),
        ("SCORM 2004 package", SourceKind::Scorm, "scorm/scorm2004.zip", None),
        ("PDF", SourceKind::File, "handout.pdf", None),
        ("captioned video", SourceKind::Video, "lecture.mp4", Some("captions/lecture.vtt")),
    ];
    for (name, kind, path, captions) in rest {
        let captions = captions.map(|file| content.path(file));
        let report = ingest(node, &first, kind, content.path(path), captions, COURSE, out).await?;
        lessons += report.lessons;
        line(card, name, &report);
    }
    card.check("course of at least 12 lessons", lessons >= 12, format!("{lessons} lessons"));
    let bread = ingest(node, &second, SourceKind::Dir, content.path("second"), None, BREAD, out).await?;
    line(card, "second institution", &bread);

    for (name, kind, path, code) in [
        ("broken zip fails with a type", SourceKind::Scorm, "broken.zip", failure::BROKEN_ARCHIVE),
        ("video without captions likewise", SourceKind::Video, "lecture.mp4", failure::NO_CAPTIONS),
    ] {
        let began = Instant::now();
        let report = ingest(node, &second, kind, content.path(path), None, BREAD, out).await?;
        let typed = report.error.as_ref().is_some_and(|error| error.code == code);
        let message = report.error.map(|error| error.message).unwrap_or_default();
        card.check(
            name,
            typed && began.elapsed().as_secs() < 10,
            format!("{code} in {:.1} s: {message}", began.elapsed().as_secs_f64()),
        );
    }

    publish(node, &first, COURSE).await?;
    publish(node, &second, BREAD).await?;
    let again = ingest(node, &first, kind, content.path("course"), None, COURSE, out).await?;
    card.check(
        "unchanged source costs nothing",
        again.embedded == 0 && again.chunks == resumed.chunks,
        "0 passages embedded again",
    );

    ask::all(node, content, &first, &second, card, out).await?;
    teach::all(node, content, &first, card, out).await?;

    let findings = store::verify::verify(&node.store, node.blobs.as_ref(), None).await?;
    let detail = findings.first().map_or_else(
        || "every invariant holds".to_owned(),
        |finding| {
            format!("{} findings, first {} {}: {}", findings.len(), finding.invariant, finding.subject, finding.message)
        },
    );
    card.check("verify", findings.is_empty(), detail);
    Ok(())
}

fn line(card: &mut Scorecard, name: &str, report: &Report) {
    let seconds: f64 = report.stages.iter().map(|stage| stage.seconds).sum();
    let detail = report.error.as_ref().map_or_else(
        || format!("{} lessons, {} passages, {seconds:.1} s", report.lessons, report.chunks),
        |error| format!("{}: {}", error.code, error.message),
    );
    card.check(name, report.outcome == Outcome::Succeeded && report.chunks > 0, detail);
}

/// What this machine lacks, and what that costs.
async fn machine(node: &Node, card: &mut Scorecard) {
    match node.gateway.embedding_model() {
        Some(model) => card.add("embedding model", State::Ok, format!("{model} by {}", node.runtime)),
        None => card.add(
            "embedding model",
            State::Degraded,
            "none: keyword search and refusal by terms; get it with lyceum model pull",
        ),
    }
    card.add("language model", State::Ok, "none needed: answers are the course's own words");
    match Sandbox::default().level().await {
        Ok(Level::Full) => {
            card.add("parsers' sandbox", State::Ok, "memory, time, files, network and file system limited")
        }
        Ok(Level::Reduced(reasons)) => {
            card.add("parsers' sandbox", State::Degraded, format!("sandbox reduced: {}", reasons.join("; ")));
        }
        Err(failure) => card.add("parsers' sandbox", State::Missed, failure.message),
    }
}

async fn home(node: &Node, slug: &str, name: &str) -> Result<Home> {
    let institutions = node.school.institution();
    let institution = match institutions.resolve(Some(slug)).await {
        Ok(found) => found,
        Err(_) => {
            institutions.create(&operator_anywhere(), NewInstitution { slug: slug.into(), name: name.into() }).await?
        }
    };
    Ok(Home { operator: Actor::operator(institution.id), institution })
}

/// The demo's users, made once; their passwords stay in the data directory.
async fn people(node: &Node, first: &Home, second: &Home) -> Result<()> {
    let mut known: BTreeMap<String, Login> = logins::read(&node.data_dir);
    let wanted = [
        ("ada", first, Role::InstitutionAdmin),
        ("ines", first, Role::CourseCreator),
        ("leo", first, Role::Learner),
        ("mara", first, Role::Learner),
        ("otto", first, Role::Learner),
        ("paula", first, Role::Learner),
        ("nils", first, Role::Learner),
        ("bruno", second, Role::InstitutionAdmin),
        ("lena", second, Role::Learner),
    ];
    for (name, home, role) in wanted {
        if node.school.user().by_username(&home.operator, home.institution.id, name).await.is_ok() {
            continue;
        }
        let password = crate::command::user::password();
        let grants = match role {
            Role::Learner => Vec::new(),
            role => vec![Grant { role, scope: Scope::Institution(home.institution.id) }],
        };
        let new = NewUser { username: name.into(), password: Some(password.clone()), grants, ..NewUser::default() };
        let login = Login { institution: home.institution.slug.clone(), role: role.as_str().into(), password };
        known.insert(name.into(), login);
        logins::write(&node.data_dir, &known)?;
        node.school.user().create(&home.operator, home.institution.id, new).await?;
    }
    Ok(())
}

async fn ingest(
    node: &Node,
    home: &Home,
    kind: SourceKind,
    origin: String,
    captions: Option<String>,
    course: &str,
    out: &Out,
) -> Result<Report> {
    let request = IngestRequest {
        course: course.into(),
        kind,
        origin,
        captions: captions.map(Into::into),
        local: true,
        rights: false,
        crawl: Default::default(),
    };
    run_one(node, &home.operator, request, out).await
}

/// Publishes the course and enrols the institution's learner.
async fn publish(node: &Node, home: &Home, slug: &str) -> Result<()> {
    let course = node.school.course().by_slug(&home.operator, home.institution.id, slug).await?;
    let change = school::course::CourseChange { status: Some("published".into()), ..Default::default() };
    node.school.course().update(&home.operator, course.id, change, None).await?;
    let learner = if slug == COURSE { "leo" } else { "lena" };
    let user = node.school.user().by_username(&home.operator, home.institution.id, learner).await?.user;
    match node.school.enrollment().enrol(&home.operator, course.id, Some(user.id)).await {
        Err(error) if error.kind != domain::ErrorKind::Conflict => Err(error.into()),
        _ => Ok(()),
    }
}
