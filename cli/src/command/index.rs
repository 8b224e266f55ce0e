//! `lyceum index`: the vector index against the rows.

use crate::args::IndexCommand;
use crate::command::Context;
use crate::exit::{OK, Result};

pub(crate) async fn run(context: &Context<'_>, command: &IndexCommand) -> Result<u8> {
    let institution = context.institution().await?;
    let node = context.node;
    let name = node.index.name();
    match command {
        IndexCommand::Reconcile => {
            let done = node.index.reconcile(&node.store, institution.id).await?;
            let report = serde_json::json!({"index": name, "added": done.added, "removed": done.removed});
            context.out.result(&report, |_| format!("{name}: {} added, {} removed", done.added, done.removed));
        }
        IndexCommand::Rebuild => {
            node.index.rebuild(&node.store, institution.id).await?;
            context.out.result(&serde_json::json!({"index": name, "rebuilt": true}), |_| {
                format!("{name}: rebuilt from the rows")
            });
        }
    }
    Ok(OK)
}
