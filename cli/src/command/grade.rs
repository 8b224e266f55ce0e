//! `lyceum grade propose --items`: proposals for short answers of a file, without a school.

use assistant::grade::{Item, proposals};
use llm_gateway::Gateway;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::exit::{FAILED, Failure, NOT_FOUND, OK, Result};
use crate::out::Out;

pub(crate) async fn run(items: &std::path::Path, config: &Config, out: &Out) -> Result<u8> {
    let text = std::fs::read_to_string(items)
        .map_err(|error| Failure::new(NOT_FOUND, format!("cannot read \"{}\": {error}", items.display())))?;
    let refused = |line: usize, why: String| Failure::new(FAILED, format!("line {line}: {why}"));
    let (mut lines, mut items) = (Vec::new(), Vec::new());
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let item: Item = serde_json::from_str(text).map_err(|error| refused(line, error.to_string()))?;
        lines.push(line);
        items.push(item);
    }
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let gateway = Gateway::default();
    let attached = crate::models::attach(config, &gateway, &tasks, &shutdown).await;
    for notice in &attached.notices {
        out.note(format!("degraded: {notice}"));
    }
    let found = proposals(gateway, &items).await;
    shutdown.cancel();
    tasks.close();
    tasks.wait().await;
    let mut proposed = Vec::with_capacity(found.len());
    for (line, proposal) in lines.into_iter().zip(found) {
        proposed.push(proposal.map_err(|error| refused(line, error.to_string()))?);
    }
    for (item, proposal) in items.iter().zip(&proposed) {
        out.result(proposal, |proposal| {
            format!(
                "{}  {:.2} of {}  confidence {:.2}  {:?}",
                proposal.id, proposal.score, item.max, proposal.confidence, proposal.flags
            )
        });
    }
    Ok(OK)
}
