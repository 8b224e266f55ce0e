//! `lyceum verify`: the invariants of everything stored.

use crate::command::Context;
use crate::exit::{FAILED, OK, Result};

pub(crate) async fn run(context: &Context<'_>) -> Result<u8> {
    let findings = store::verify::verify(&context.node.store, context.node.blobs.as_ref(), None).await?;
    let clean = findings.is_empty();
    context.out.result(&serde_json::json!({"clean": clean, "findings": findings}), |_| {
        if clean {
            return "clean: every invariant holds".to_owned();
        }
        findings
            .iter()
            .map(|finding| format!("{} {}: {}\n", finding.invariant, finding.subject, finding.message))
            .collect()
    });
    Ok(if clean { OK } else { FAILED })
}
