//! `lyceum eval`: suites over a course, a report, and an exit code that is a gate.

use std::collections::BTreeMap;

use domain::ingestion::{Outcome, SourceKind};
use domain::policy::Action;
use ingestion::IngestRequest;

use crate::args::EvalCommand;
use crate::command::Context;
use crate::exit::{FAILED, Failure, OK, Result};

impl From<eval::Error> for Failure {
    fn from(error: eval::Error) -> Self {
        let code = if matches!(error, eval::Error::NoSuite { .. }) { crate::exit::USAGE } else { FAILED };
        Self::new(code, error.to_string())
    }
}

pub(crate) async fn run(context: &Context<'_>, command: &EvalCommand) -> Result<u8> {
    let EvalCommand::Run { suite, course, source, dataset, data, report } = command;
    let node = context.node;
    let actor = context.actor().await?;
    if let Some(folder) = source {
        let request = IngestRequest {
            course: course.clone(),
            kind: SourceKind::Dir,
            origin: context.path(folder).display().to_string(),
            captions: None,
            local: true,
            rights: false,
            crawl: Default::default(),
        };
        let ingested = super::ingest::run_one(node, &actor, request, context.out).await?;
        if ingested.outcome == Outcome::Failed {
            let message =
                ingested.error.map_or_else(|| "the source could not be read".to_owned(), |error| error.message);
            return Err(Failure::new(FAILED, message));
        }
    }
    let suites = suite.iter().map(|name| eval::suite::named(name)).collect::<eval::Result<Vec<_>>>()?;
    let scope = if suites.iter().all(|suite| suite.course == "any") {
        store::Scope { institution: actor.institution, course: domain::CourseId(uuid::Uuid::nil()), hidden: false }
    } else {
        context.scope(&actor, course, Action::ReadPublished).await?
    };
    let mut about = BTreeMap::from([
        ("course".to_owned(), course.clone()),
        ("build".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    about.insert("embedding model".into(), node.gateway.embedding_model().unwrap_or_else(|| "none".into()));
    about.insert("runtime".into(), node.runtime.clone());
    about.insert("database".into(), if node.store.sqlite() { "SQLite".into() } else { "PostgreSQL".into() });
    let ports = eval::Ports {
        store: node.store.clone(),
        scan: node.scan.clone(),
        // What is measured is the answering.
        assistant: node.assistant.clone().without_cache(),
        scope,
        data: data.as_ref().map(|folder| context.path(folder)),
        about,
    };
    let out = context.out.clone();
    let progress =
        move |name: &str, done: usize, total: usize| out.progress(name, done as u64, total as u64, "questions");
    let found = match dataset {
        None => eval::run(&suites, &ports, &progress).await?,
        Some(file) => {
            let questions = eval::dataset::parse(&std::fs::read_to_string(context.path(file))?)?;
            let mut reports = Vec::new();
            for suite in &suites {
                reports.push(eval::run::run_on(suite, &questions, &ports, &progress).await?);
            }
            let passed = reports.iter().all(|report| report.checks.iter().all(|check| check.holds));
            eval::Report { passed, about: ports.about.clone(), suites: reports }
        }
    };
    let folder = context.path(report);
    eval::report::write(&found, &folder)?;
    let summary = serde_json::json!({
        "passed": found.passed,
        "report": folder.display().to_string(),
        "suites": found.suites.iter().map(|suite| serde_json::json!({
            "name": suite.name, "metrics": suite.metrics, "differences": suite.differences,
            "numbers": suite.numbers, "checks": suite.checks,
        })).collect::<Vec<_>>(),
    });
    context.out.result(&summary, |_| {
        let mut text = String::new();
        for suite in &found.suites {
            text.push_str(&format!("{}\n", suite.name));
            for check in &suite.checks {
                let mark = if check.holds { "ok    " } else { "BROKEN" };
                text.push_str(&format!(
                    "  {mark} {:<44} {:.3} (at least {:.3})\n",
                    check.rule, check.value, check.least
                ));
            }
        }
        text.push_str(&format!("report in {}\n", folder.display()));
        text
    });
    Ok(if found.passed { OK } else { FAILED })
}
