//! `lyceum grade` in a school.

use std::path::Path;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use domain::calibration::{Allows, Calibration};
use domain::grade::{Flag, Grade, Proposal, points};
use domain::policy::Actor;
use domain::question::OriginKind;
use domain::rubric::{Criterion, Rubric};
use domain::submission::State;
use domain::{QuestionId, SubmissionId};
use school::grade::{NewGrade, NewMark, Regraded};
use school::submission::{Bench, Queued};
use serde_json::json;

use crate::args::GradeCommand;
use crate::command::Context;
use crate::exit::{Failure, NOT_FOUND, OK, PARTIAL, Result};

pub(crate) async fn run(context: &Context<'_>, command: &GradeCommand) -> Result<u8> {
    let actor = context.actor().await?;
    let grades = context.node.school.grade();
    match command {
        GradeCommand::Propose { submissions, question, .. } => propose(context, &actor, submissions, *question).await,
        GradeCommand::Queue { course, state } => {
            let course = context.node.school.course().by_slug(&actor, actor.institution, course).await?;
            let state = state.as_deref().and_then(State::parse);
            let all = context.node.school.submission().queue(&actor, course.id, state).await?;
            context.out.result(&json!({ "queue": all }), |_| queue(&all));
            Ok(OK)
        }
        GradeCommand::Show { id } => {
            let bench = context.node.school.submission().bench(&actor, *id).await?;
            context.out.result(&bench, shown);
            Ok(OK)
        }
        GradeCommand::Set { id, levels, comment, reason } => {
            let marks = levels.iter().map(|text| mark(text)).collect::<Result<Vec<_>>>()?;
            let new = NewGrade { marks, comment: comment.clone(), reason: reason.clone() };
            context.out.result(&grades.set(&actor, *id, new).await?, graded);
            Ok(OK)
        }
        GradeCommand::Release { ids } => {
            for id in ids {
                context.out.result(&grades.release(&actor, *id).await?, graded);
            }
            Ok(OK)
        }
        GradeCommand::Regrade { question } => regrade(context, &actor, *question).await,
        GradeCommand::Calibrate { question } => {
            let found = grades.calibration(&actor, *question).await?;
            context.out.result(&json!({ "agreement": found, "allows": found.allows() }), |_| agreement(&found));
            Ok(OK)
        }
        GradeCommand::Rubric { question, set } => rubric(context, &actor, *question, set.as_deref()).await,
        GradeCommand::Export { course, out } => export(context, &actor, course, out.as_deref()).await,
    }
}

fn mark(text: &str) -> Result<NewMark> {
    let (criterion, level) = text
        .split_once('=')
        .ok_or_else(|| Failure::usage(format!("\"{text}\" is no CRITERION=LEVEL, such as answer=full")))?;
    Ok(NewMark { criterion: criterion.trim().into(), level: level.trim().into(), comment: None })
}

async fn propose(
    context: &Context<'_>,
    actor: &Actor,
    submissions: &[SubmissionId],
    question: Option<QuestionId>,
) -> Result<u8> {
    let school = &context.node.school;
    let wanted = match question {
        Some(question) => school.grade().batch(actor, question).await?,
        None => submissions.to_vec(),
    };
    if context.cli.dry_run {
        context.out.result(&json!({ "dryRun": true, "submissions": wanted }), |_| {
            format!("would propose for {} submissions", wanted.len())
        });
        return Ok(OK);
    }
    let mut open = false;
    for (done, id) in (0_u64..).zip(&wanted) {
        context.out.progress("propose", done, wanted.len() as u64, id.to_string());
        let work = school.grade().ground(actor, *id).await?;
        let made = context.node.assistant.proposal(&work).await?;
        open |= made.proposal.share.is_none();
        let proposal_id = school.grade().propose(actor, *id, made.proposal.clone(), made.inputs_hash).await?;
        let found = json!({ "submission": id, "proposalId": proposal_id, "proposal": made.proposal });
        context.out.result(&found, |_| format!("{id}\n{}", proposal(&work.rubric, &made.proposal)));
    }
    Ok(if open { PARTIAL } else { OK })
}

async fn regrade(context: &Context<'_>, actor: &Actor, question: QuestionId) -> Result<u8> {
    let all = context.node.school.grade().regrade(actor, question, context.cli.dry_run).await?;
    let open = all.iter().filter(|one| one.after.is_none()).count();
    context.out.result(&json!({ "dryRun": context.cli.dry_run, "regraded": all }), |_| {
        let mut table = Table::new();
        table.load_preset(NOTHING);
        table.set_header(["submission", "rubric", "before", "after", "to judge again"]);
        for Regraded { submission, from, before, after, most, open } in &all {
            let after = after.map_or_else(|| "open".into(), |after| format!("{after} of {most}"));
            table.add_row([
                &submission.to_string(),
                &from.to_string(),
                &format!("{before} of {most}"),
                &after,
                &open.join(", "),
            ]);
        }
        let what = if context.cli.dry_run { "would be counted anew" } else { "counted anew, to be released" };
        format!("{table}\n{} {what}, {open} wait for a person", all.len() - open)
    });
    Ok(if open > 0 { PARTIAL } else { OK })
}

async fn rubric(context: &Context<'_>, actor: &Actor, question: QuestionId, file: Option<&Path>) -> Result<u8> {
    let rubrics = context.node.school.rubric();
    let found = match file {
        None => rubrics.get(actor, question).await?,
        Some(file) => {
            let path = context.path(file);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| Failure::new(NOT_FOUND, format!("cannot read \"{}\": {error}", path.display())))?;
            let criteria: Vec<Criterion> = serde_json::from_str(&text)
                .map_err(|error| Failure::usage(format!("\"{}\" holds no rubric: {error}", path.display())))?;
            if context.cli.dry_run {
                let next = Rubric { question, version: rubrics.get(actor, question).await?.version + 1, criteria };
                next.check()?;
                next
            } else {
                rubrics.set(actor, question, criteria).await?
            }
        }
    };
    context.out.result(&found, |found| {
        let mut text = format!("rubric of {question}, version {}\n", found.version);
        for one in &found.criteria {
            text.push_str(&format!("  {} ({} points): {}\n", one.id, one.points, one.title));
            if let Some(reference) = &one.reference {
                text.push_str(&format!("      a full answer: {reference}\n"));
            }
            for level in &one.levels {
                text.push_str(&format!("      {:<8} {:>3.0} %  {}\n", level.id, level.share * 100.0, level.title));
            }
        }
        text
    });
    Ok(OK)
}

async fn export(context: &Context<'_>, actor: &Actor, course: &str, file: Option<&Path>) -> Result<u8> {
    let course = context.node.school.course().by_slug(actor, actor.institution, course).await?;
    let lines = context.node.school.grade().export(actor, course.id).await?;
    if context.out.json() && file.is_none() {
        context.out.object(&json!({ "grades": lines }));
        return Ok(OK);
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let wrong = |error: csv::Error| Failure::new(crate::exit::FAILED, error.to_string());
    writer
        .write_record(["submission", "learner", "question", "points", "most", "version", "released"])
        .map_err(wrong)?;
    for line in &lines {
        writer
            .write_record([
                line.submission.to_string(),
                cell(&line.username),
                cell(&line.stem),
                line.points.to_string(),
                line.most.to_string(),
                line.version.to_string(),
                crate::command::day(line.released_at),
            ])
            .map_err(wrong)?;
    }
    let bytes = writer.into_inner().map_err(|error| Failure::new(crate::exit::FAILED, error.to_string()))?;
    match file {
        Some(file) => {
            let path = context.path(file);
            std::fs::write(&path, bytes)?;
            context.out.note(format!("{} grades in \"{}\"", lines.len(), path.display()));
        }
        None => context.out.line(String::from_utf8_lossy(&bytes).trim_end()),
    }
    Ok(OK)
}

/// A cell that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

fn flags(flags: &[Flag]) -> String {
    let names = flags.iter().filter_map(|flag| serde_json::to_value(flag).ok());
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect::<Vec<_>>().join(", ")
}

fn queue(all: &[Queued]) -> String {
    if all.is_empty() {
        return "nothing waits".into();
    }
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header(["submission", "state", "proposed", "sure", "look", "grade", "text"]);
    for one in all {
        let found = one.proposal.as_ref().map(|found| &found.proposal);
        let most = one.submission.most;
        let proposed = found.and_then(|found| found.share).map(|share| format!("{} of {most}", points(share, most)));
        let mut look = found.map(|found| flags(&found.flags)).unwrap_or_default();
        if let Some(appeal) = &one.appeal {
            look = format!("appeal, due {}", crate::command::day(appeal.due_at));
        }
        let excerpt: String = one.submission.text.chars().take(40).collect();
        table.add_row([
            one.submission.id.to_string(),
            one.submission.state.as_str().to_owned(),
            proposed.unwrap_or_default(),
            found.map(|found| format!("{:.2}", found.confidence)).unwrap_or_default(),
            look,
            one.grade.as_ref().map(|grade| format!("{} of {most}", grade.points)).unwrap_or_default(),
            excerpt.replace('\n', " "),
        ]);
    }
    format!("{table}\n{} submissions", all.len())
}

fn proposal(rubric: &Rubric, found: &Proposal) -> String {
    let mut text = String::new();
    for judged in &found.criteria {
        let title = rubric.criterion(&judged.criterion).map_or(judged.criterion.as_str(), |one| one.title.as_str());
        let level = judged.level.as_deref().unwrap_or("not judged");
        let by = if judged.by == OriginKind::Generated { "model" } else { "words" };
        text.push_str(&format!("  {title}: {level}, by {by}, sure {:.2}", judged.confidence));
        if !judged.flags.is_empty() {
            text.push_str(&format!(" [{}]", flags(&judged.flags)));
        }
        text.push('\n');
        for evidence in &judged.evidence {
            text.push_str(&format!("      {}..{} \"{}\"\n", evidence.start, evidence.end, evidence.quote));
        }
        if let Some(why) = &judged.why_not {
            text.push_str(&format!("      {why}\n"));
        }
        if let Some(comment) = &judged.comment {
            text.push_str(&format!("      {comment}\n"));
        }
    }
    let share = found.share.map_or_else(|| "no points proposed".into(), |share| format!("{:.0} %", share * 100.0));
    let whole = if found.flags.is_empty() { String::new() } else { format!("; look: {}", flags(&found.flags)) };
    text.push_str(&format!("  proposed: {share}{whole}\n"));
    text
}

fn graded(grade: &Grade) -> String {
    let state = if grade.released.is_some() { "released" } else { "set, not released" };
    format!("{}  {} of {} points, version {}, {state}", grade.submission_id, grade.points, grade.most, grade.version)
}

fn shown(bench: &Bench) -> String {
    let mut text = format!(
        "{}  {}  {} points\n\n{}\n\n{}\n\n",
        bench.submission.id,
        bench.submission.state.as_str(),
        bench.submission.most,
        bench.stem,
        bench.submission.text
    );
    for line in &bench.key {
        text.push_str(&format!("a full answer: {line}\n"));
    }
    match &bench.proposal {
        Some(found) => text.push_str(&format!("proposal:\n{}", proposal(&bench.rubric, &found.proposal))),
        None => text.push_str("no proposal yet\n"),
    }
    for grade in &bench.history {
        text.push_str(&format!("{}\n", graded(grade)));
        if let Some(reason) = &grade.reason {
            text.push_str(&format!("  because: {reason}\n"));
        }
    }
    text
}

fn agreement(found: &Calibration) -> String {
    let figure = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.2}"));
    let interval = found.interval.map_or_else(String::new, |(low, high)| format!(" (95 %: {low:.2} to {high:.2})"));
    let allows = match found.allows() {
        Allows::Batch => "proposals for all that wait",
        Allows::OneByOne => "proposals one by one",
        Allows::Nothing => "no proposals: weak answers are rated too high",
    };
    format!(
        "rubric version {}\ngraded with a proposal before: {}\nkappa: {}\nmean error: {} of the scale\n\
         weak answers: {}, over-scored by {}{interval}\nallows: {allows}",
        found.rubric_version,
        found.graded,
        figure(found.kappa),
        figure(found.error),
        found.weak,
        figure(found.overscore),
    )
}
