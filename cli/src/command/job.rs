//! `lyceum job`: queued work, and the jobs that gave up.

use crate::args::{DeadCommand, JobCommand};
use crate::command::Context;
use crate::exit::{OK, Result};

pub(crate) async fn run(context: &Context<'_>, command: &JobCommand) -> Result<u8> {
    let actor = context.actor().await?;
    let jobs = context.node.school.job();
    let out = context.out;
    match command {
        JobCommand::Stats => {
            let stats = jobs.stats(&actor).await?;
            out.result(&serde_json::json!({"kinds": stats}), |_| {
                if stats.is_empty() {
                    return "no job was ever queued".to_owned();
                }
                serde_json::to_string_pretty(&stats).unwrap_or_default()
            });
        }
        JobCommand::Dead(DeadCommand::List) => {
            let dead = jobs.dead(&actor).await?;
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
            let job = jobs.show(&actor, id.parse()?).await?;
            out.result(&job, |job| serde_json::to_string_pretty(job).unwrap_or_default());
        }
        JobCommand::Dead(DeadCommand::Retry { id }) => {
            jobs.retry(&actor, id.parse()?).await?;
            out.result(&serde_json::json!({"retried": id}), |_| format!("job {id} is ready again"));
        }
        JobCommand::Dead(DeadCommand::Drop { id }) => {
            jobs.drop_dead(&actor, id.parse()?).await?;
            out.result(&serde_json::json!({"dropped": id}), |_| format!("job {id} is gone"));
        }
    }
    Ok(OK)
}
