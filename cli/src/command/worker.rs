//! `lyceum worker` and the live half of `lyceum gateway`: who works, what waits.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use domain::policy::{Action, Actor, Subject};
use llm_gateway::{ClassCounters, QueueStatus, WorkerStatus};
use serde_json::{Value, json};

use crate::args::WorkerCommand;
use crate::command::Context;
use crate::exit::{Failure, NOT_FOUND, OK, Result};

pub(crate) async fn run(context: &Context<'_>, command: &WorkerCommand) -> Result<u8> {
    check(&context.actor().await?)?;
    let gateway = &context.node.gateway;
    match command {
        WorkerCommand::List => {
            let workers = gateway.workers();
            context.out.result(&json!({ "workers": workers }), |_| table(&workers));
        }
        WorkerCommand::Drain { id } => {
            if context.cli.dry_run {
                context.out.result(&json!({ "dryRun": true }), |_| "would be asked to leave".into());
                return Ok(OK);
            }
            if !gateway.drain_worker(*id) {
                return Err(Failure::new(NOT_FOUND, format!("no worker {id}; see: lyceum worker list")));
            }
            context.out.result(&json!({ "draining": id }), |_| {
                format!("worker {id} finishes what it has and takes nothing more")
            });
        }
    }
    Ok(OK)
}

/// `lyceum gateway stats`
pub(crate) async fn stats(context: &Context<'_>) -> Result<u8> {
    check(&context.actor().await?)?;
    let counters = context.node.gateway.counters();
    let value = |(class, one): &(llm_gateway::Class, ClassCounters)| -> Value {
        json!({
            "class": class, "accepted": one.accepted, "completed": one.completed, "failed": one.failed,
            "deadline": one.deadline, "cancelled": one.cancelled, "workerLost": one.lost, "retried": one.retried,
            "overloaded": one.overloaded, "noModel": one.no_model, "waiting": one.queued, "running": one.running,
            "meanWaitMs": mean(one.waited, one.completed), "meanBusyMs": mean(one.busy, one.completed),
        })
    };
    let values: Vec<Value> = counters.iter().map(value).collect();
    context.out.result(&json!({ "classes": values }), |_| {
        let mut table = Table::new();
        table.load_preset(NOTHING).set_header([
            "CLASS",
            "WAITING",
            "RUNNING",
            "DONE",
            "FAILED",
            "LATE",
            "REFUSED",
            "RETRIED",
            "MEAN WAIT",
            "MEAN TIME",
        ]);
        for (class, one) in &counters {
            table.add_row([
                class.name().to_owned(),
                one.queued.to_string(),
                one.running.to_string(),
                one.completed.to_string(),
                (one.failed + one.lost).to_string(),
                one.deadline.to_string(),
                (one.overloaded + one.no_model).to_string(),
                one.retried.to_string(),
                format!("{} ms", mean(one.waited, one.completed)),
                format!("{} ms", mean(one.busy, one.completed)),
            ]);
        }
        table.to_string()
    });
    Ok(OK)
}

/// `lyceum gateway queue`
pub(crate) async fn queue(context: &Context<'_>) -> Result<u8> {
    check(&context.actor().await?)?;
    let waiting = context.node.gateway.queue();
    context.out.result(&json!({ "waiting": waiting }), |_| {
        if waiting.is_empty() {
            return "nothing waits for a model".to_owned();
        }
        let mut table = Table::new();
        table.load_preset(NOTHING).set_header(["NUMBER", "CLASS", "MODEL", "FOR", "USER", "WAITED", "LEFT", "TOKENS"]);
        for one in &waiting {
            table.add_row(row(one));
        }
        table.to_string()
    });
    Ok(OK)
}

fn row(one: &QueueStatus) -> [String; 8] {
    [
        one.id.to_string(),
        one.class.name().to_owned(),
        one.model.clone(),
        one.feature.to_owned(),
        one.user.map_or_else(|| "-".to_owned(), |user| user.to_string()),
        format!("{} ms", one.waited_ms),
        format!("{} ms", one.left_ms),
        one.tokens.to_string(),
    ]
}

fn mean(sum: std::time::Duration, count: u64) -> u64 {
    u64::try_from(sum.as_millis()).unwrap_or(u64::MAX).checked_div(count).unwrap_or_default()
}

/// The machines are the installation's, not an institution's.
fn check(actor: &Actor) -> Result<()> {
    school::access::known(actor, Action::PlatformConfig, &Subject::institution(actor.institution))?;
    Ok(())
}

fn table(workers: &[WorkerStatus]) -> String {
    if workers.is_empty() {
        return "no worker is here; models run where there is one: lyceum serve --role worker".to_owned();
    }
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header([
        "NUMBER",
        "NAME",
        "HEALTH",
        "BUSY",
        "TOKENS/S",
        "DONE",
        "FAILED",
        "LOADS",
        "MODELS (LOADED *)",
    ]);
    for one in workers {
        let model = |model: &String| if one.loaded.contains(model) { format!("{model}*") } else { model.clone() };
        table.add_row([
            one.id.to_string(),
            one.name.clone(),
            one.health.clone(),
            format!("{}/{}", one.running, one.slots),
            one.tokens_per_second.map_or_else(|| "-".to_owned(), |speed| speed.to_string()),
            one.completed.to_string(),
            one.failed.to_string(),
            one.loads.to_string(),
            one.models.iter().map(model).collect::<Vec<_>>().join(", "),
        ]);
    }
    table.to_string()
}
