//! What of I1, I2, I6 and I8 needs more than SQL: partitions, topics, hashes of payloads, stored answers.

use domain::{InstitutionId, event};
use sha2::{Digest as _, Sha256};

use super::Finding;
use crate::db::Tx;
use crate::error::Result;
use crate::sql::verify;

const PAGE: i64 = 1000;

pub(super) async fn check(tx: &mut Tx, institution: Option<InstitutionId>) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    events(tx, institution, &mut findings).await?;
    jobs(tx, institution, &mut findings).await?;
    for row in verify::answers(tx, institution).await? {
        if serde_json::from_str::<serde_json::Value>(&row.text("response")?).is_err() {
            let subject = format!("idempotency key {}", row.text("idem_key")?);
            findings.push(Finding::new("I2", subject, "its stored response is damaged"));
        }
    }
    Ok(findings)
}

async fn events(tx: &mut Tx, institution: Option<InstitutionId>, findings: &mut Vec<Finding>) -> Result<()> {
    let mut after = 0;
    loop {
        let rows = verify::events(tx, institution, after, PAGE).await?;
        for row in &rows {
            after = row.int("seq")?;
            let subject = format!("event {}", row.text("event_id")?);
            let (partition, expected) = (row.int("partition_no")?, event::partition(&row.text("aggregate_id")?));
            if partition != expected {
                let message =
                    format!("lies in partition {partition} instead of {expected}: the order of its aggregate is lost");
                findings.push(Finding::new("I6", subject.clone(), message));
            }
            let (event_type, topic) = (row.text("event_type")?, row.text("topic")?);
            if event::topic(&event_type) != Some(topic.as_str()) {
                findings.push(Finding::new(
                    "I6",
                    subject.clone(),
                    format!("{event_type} does not belong to topic \"{topic}\""),
                ));
            }
            if serde_json::from_str::<serde_json::Value>(&row.text("payload")?).is_err() {
                findings.push(Finding::new("I1", subject, "its payload is damaged"));
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
    }
}

async fn jobs(tx: &mut Tx, institution: Option<InstitutionId>, findings: &mut Vec<Finding>) -> Result<()> {
    let mut after = String::new();
    loop {
        let rows = verify::jobs(tx, institution, &after, PAGE).await?;
        for row in &rows {
            after = row.text("id")?;
            if hex::encode(Sha256::digest(row.text("payload")?.as_bytes())) != row.text("payload_hash")? {
                findings.push(Finding::new(
                    "I8",
                    format!("job {after}"),
                    "its payload is not the one that was enqueued",
                ));
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
    }
}
