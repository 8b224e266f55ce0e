//! `lyceum job`: queued work, and the jobs that gave up.

use crate::args::{DeadCommand, JobCommand};
use crate::command::Context;
use crate::exit::{OK, Result};

/// Dead jobs shown at most.
const SHOWN: i64 = 200;

pub(crate) async fn run(context: &Context<'_>, command: &JobCommand) -> Result<u8> {
    let actor = context.actor().await?;
    let home = actor.institution;
    let jobs = context.node.school.job();
    let out = context.out;
    match command {
        JobCommand::Stats => {
            jobs.dead(&actor, home, None, 1).await?;
            let stats = context.node.store.read(move |tx| Box::pin(store::queue::stats(tx, Some(home)))).await?;
            out.result(&serde_json::json!({"kinds": stats}), |_| {
                if stats.is_empty() {
                    return "no job was ever queued".to_owned();
                }
                serde_json::to_string_pretty(&stats).unwrap_or_default()
            });
        }
        JobCommand::Dead(DeadCommand::List) => {
            let dead = jobs.dead(&actor, home, None, SHOWN).await?;
            out.result(&serde_json::json!({"jobs": dead}), |_| {
                if dead.is_empty() {
                    return "no dead jobs".to_owned();
                }
                dead.iter()
                    .map(|job| format!("{}  {}  {}\n", job.id, job.kind, job.last_error.as_deref().unwrap_or_default()))
                    .collect()
            });
        }
        JobCommand::Dead(DeadCommand::Show { id }) => {
            let id: domain::JobId = id.parse()?;
            let dead = jobs.dead(&actor, home, None, SHOWN).await?;
            let job =
                dead.into_iter().find(|job| job.id == id).ok_or_else(|| domain::Error::not_found("dead job", id))?;
            out.result(&job, |job| serde_json::to_string_pretty(job).unwrap_or_default());
        }
        JobCommand::Dead(DeadCommand::Retry { id }) => {
            jobs.retry(&actor, home, id.parse()?).await?;
            out.result(&serde_json::json!({"retried": id}), |_| format!("job {id} is ready again"));
        }
        JobCommand::Dead(DeadCommand::Drop { id }) => {
            jobs.drop(&actor, home, id.parse()?).await?;
            out.result(&serde_json::json!({"dropped": id}), |_| format!("job {id} is gone"));
        }
    }
    Ok(OK)
}
