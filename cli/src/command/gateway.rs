//! `lyceum gateway`: limits and usage of models.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use domain::policy::Actor;
use domain::quota::{DEFAULT_ID, Limit, Limits, Quota, QuotaScope};
use domain::usage::{GroupBy, UsageLine, parse_day};
use domain::{Error, Micros};
use school::usage::UsageFilter;
use serde_json::json;

use crate::args::{Each, GatewayCommand, LimitsCommand, UsageArgs, Whose};
use crate::command::Context;
use crate::command::recommend::learner;
use crate::exit::{Failure, OK, Result};

pub(crate) async fn run(context: &Context<'_>, command: &GatewayCommand) -> Result<u8> {
    match command {
        GatewayCommand::Limits(command) => limits(context, command).await,
        GatewayCommand::Usage(arguments) => usage(context, arguments).await,
        GatewayCommand::Stats => super::worker::stats(context).await,
        GatewayCommand::Queue => super::worker::queue(context).await,
    }
}

async fn limits(context: &Context<'_>, command: &LimitsCommand) -> Result<u8> {
    let actor = context.actor().await?;
    let settings = context.node.school.quota();
    match command {
        LimitsCommand::List => {
            let all = settings.list(&actor, actor.institution).await?;
            context.out.result(&json!({ "limits": all }), |_| limits_table(&all));
        }
        LimitsCommand::Set { whose, requests_minute, requests_day, tokens_minute, tokens_day, concurrent, share } => {
            let limits = Limits {
                requests_minute: *requests_minute,
                requests_day: *requests_day,
                tokens_minute: *tokens_minute,
                tokens_day: *tokens_day,
                concurrent: *concurrent,
                share: *share,
            };
            if limits.is_empty() {
                return Err(Failure::usage("name at least one limit, or use: lyceum gateway limits clear"));
            }
            change(context, &actor, whose, limits).await?;
        }
        LimitsCommand::Clear { whose } => change(context, &actor, whose, Limits::default()).await?,
    }
    Ok(OK)
}

async fn change(context: &Context<'_>, actor: &Actor, whose: &Whose, limits: Limits) -> Result<()> {
    let (scope, id) = scope_of(context, actor, whose).await?;
    let said = json!({ "scope": scope, "scopeId": id, "limits": limits, "dryRun": context.cli.dry_run });
    if !context.cli.dry_run {
        context.node.school.quota().set(actor, actor.institution, scope, &id, limits).await?;
    }
    let would = if context.cli.dry_run { "would be " } else { "" };
    context.out.result(&said, |_| {
        let what = if limits.is_empty() { "taken away" } else { "set" };
        format!("limits of {} {id} {would}{what}", scope.as_str())
    });
    Ok(())
}

async fn scope_of(context: &Context<'_>, actor: &Actor, whose: &Whose) -> Result<(QuotaScope, String)> {
    if let Some(slug) = &whose.course {
        let course = context.node.school.course().by_slug(actor, actor.institution, slug).await?;
        return Ok((QuotaScope::Course, course.id.to_string()));
    }
    if whose.user.is_some() {
        let user = learner(context, actor, whose.user.as_deref()).await?;
        return Ok((QuotaScope::User, user.map(|id| id.to_string()).unwrap_or_default()));
    }
    Ok(match (&whose.key, whose.each) {
        (Some(key), _) => (QuotaScope::Key, key.clone()),
        (None, Some(Each::User)) => (QuotaScope::User, DEFAULT_ID.to_owned()),
        (None, Some(Each::Course)) => (QuotaScope::Course, DEFAULT_ID.to_owned()),
        (None, Some(Each::Key)) => (QuotaScope::Key, DEFAULT_ID.to_owned()),
        (None, None) => (QuotaScope::Institution, actor.institution.to_string()),
    })
}

fn limits_table(all: &[Quota]) -> String {
    if all.is_empty() {
        return "no limits are set".to_owned();
    }
    let mut table = Table::new();
    let names = Limit::ALL.map(|limit| limit.as_str().replace('_', " / "));
    table
        .load_preset(NOTHING)
        .set_header(["scope".to_owned(), "id".to_owned()].into_iter().chain(names).chain(["share %".to_owned()]));
    for one in all {
        let id = if one.scope_id == DEFAULT_ID { "each without its own".to_owned() } else { one.scope_id.clone() };
        let figures =
            Limit::ALL.map(|limit| one.limits.get(limit).map_or_else(|| "-".into(), |value| value.to_string()));
        let share = one.limits.share.map_or_else(|| "-".into(), |share| share.to_string());
        table.add_row([one.scope.as_str().to_owned(), id].into_iter().chain(figures).chain([share]));
    }
    table.to_string()
}

async fn usage(context: &Context<'_>, arguments: &UsageArgs) -> Result<u8> {
    let actor = context.actor().await?;
    let by = GroupBy::parse(&arguments.by).ok_or_else(|| Failure::usage("no such grouping"))?;
    let course = match &arguments.course {
        Some(slug) => Some(context.node.school.course().by_slug(&actor, actor.institution, slug).await?.id),
        None => None,
    };
    let (from, to) = (day("--from", arguments.from.as_deref())?, day("--to", arguments.to.as_deref())?);
    let filter = UsageFilter { by, from, to, course, limit: arguments.limit };
    let lines = context.node.school.usage().report(&actor, actor.institution, filter).await?;
    context.out.result(&json!({ "by": by, "usage": lines }), |_| usage_table(by, &lines));
    Ok(OK)
}

fn day(flag: &str, text: Option<&str>) -> Result<Option<Micros>> {
    let Some(text) = text else { return Ok(None) };
    let wrong = || Error::invalid(flag, "INVALID_FORMAT", format!("\"{text}\" is no day; write it as 2026-11-21"));
    Ok(Some(parse_day(text).ok_or_else(wrong)?))
}

fn usage_table(by: GroupBy, lines: &[UsageLine]) -> String {
    if lines.is_empty() {
        return "no model was used".to_owned();
    }
    let mut table = Table::new();
    let header = [by.as_str(), "requests", "failed", "read", "written", "waited s", "busy s", "cache hits"];
    table.load_preset(NOTHING).set_header(header);
    for line in lines {
        let name = line.name.as_ref().unwrap_or(&line.group);
        let name = if name.is_empty() { "(none)" } else { name };
        let sums = &line.sums;
        let seconds = |milliseconds: u64| format!("{}.{}", milliseconds / 1000, milliseconds % 1000 / 100);
        table.add_row([
            name.to_owned(),
            sums.requests.to_string(),
            sums.failed.to_string(),
            sums.prompt_tokens.to_string(),
            sums.completion_tokens.to_string(),
            seconds(sums.waited_ms),
            seconds(sums.busy_ms),
            sums.cache_hits.to_string(),
        ]);
    }
    table.to_string()
}
