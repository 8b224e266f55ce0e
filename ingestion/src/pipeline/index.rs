//! Stage `index`: the vector index equals the rows, the scope gate is fitted, the run ends.

use domain::VersionId;
use domain::document::Warning;
use domain::ingestion::{Outcome, Stage};
use store::queue::{Completion, JobError};
use store::{Scope, sql};

use super::run::{Outcomes, Run, partly_read};

impl Run<'_> {
    pub(super) async fn index(&self) -> Outcomes<Completion> {
        let run = &self.ingestion;
        let (institution, course, id, version) = (run.institution_id, run.course_id, run.id, self.version()?);
        let model = self.job.payload.get("model").and_then(serde_json::Value::as_str).map(str::to_owned);
        let mut warnings = Vec::new();
        let superseded: Option<VersionId> =
            self.job.payload.get("superseded").and_then(serde_json::Value::as_str).and_then(|id| id.parse().ok());
        if let Err(error) = self.mirror_all(superseded, model.is_some()).await {
            // The rows are the truth and answer; a networked index is tried again, then left to reconciliation.
            if self.job.attempts < self.job.max_attempts {
                return Err(JobError::retryable(format!("the vector index failed: {error}")).into());
            }
            let message = format!(
                "the vector index \"{}\" is behind: {error}; it is reconciled when it is back",
                self.parts.index.name()
            );
            warnings.push(Warning { code: "INDEX_BEHIND".into(), message, place: None });
        }
        let (_, outline) = self.outline().await?;
        let documents = self.documents().await?;
        let ready_model = model.clone();
        self.lease
            .checkpoint(move |tx| {
                Box::pin(async move {
                    sql::version::ready(tx, institution, version, ready_model.as_deref()).await?;
                    sql::ingestion::progress(tx, institution, id, Stage::Index, 0, 1).await
                })
            })
            .await?;
        self.name_chapters(&documents).await?;
        if let Some(after) = &self.parts.after
            && let Err(error) = after.indexed(Scope { institution, course, hidden: true }).await
        {
            tracing::warn!(%error, course.id = %course, "the scope gate was not fitted");
            let message = format!("the scope gate was not fitted to this course: {error}; defaults are used");
            warnings.push(Warning { code: "CALIBRATION_FAILED".into(), message, place: None });
        }
        let failure = partly_read(&outline, &documents);
        let outcome = if failure.is_some() { Outcome::Partial } else { Outcome::Succeeded };
        self.after_index(outcome, failure, warnings, &documents).await
    }

    async fn mirror_all(&self, superseded: Option<VersionId>, vectors: bool) -> store::Result<()> {
        let institution = self.ingestion.institution_id;
        if let Some(superseded) = superseded {
            self.parts.index.delete_version(institution, superseded).await?;
        }
        if vectors {
            self.parts.index.reconcile(&self.parts.store, institution).await?;
        }
        Ok(())
    }
}
