//! `lyceum grade`: proposals for short answers.

use assistant::grade::{Item, propose};

use crate::exit::{FAILED, Failure, NOT_FOUND, OK, Result};
use crate::out::Out;

pub(crate) fn run(items: &std::path::Path, out: &Out) -> Result<u8> {
    let text = std::fs::read_to_string(items)
        .map_err(|error| Failure::new(NOT_FOUND, format!("cannot read \"{}\": {error}", items.display())))?;
    let mut proposals = Vec::new();
    for (line, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let refused = |why: String| Failure::new(FAILED, format!("line {}: {why}", line + 1));
        let item: Item = serde_json::from_str(text).map_err(|error| refused(error.to_string()))?;
        proposals.push((item.max, propose(&item).map_err(|error| refused(error.to_string()))?));
    }
    for (max, proposal) in &proposals {
        out.result(proposal, |proposal| {
            format!(
                "{}  {:.2} of {max}  confidence {:.2}  {:?}",
                proposal.id, proposal.score, proposal.confidence, proposal.flags
            )
        });
    }
    Ok(OK)
}
