//! Stage `publish`: the new version becomes the current one, with its tree, in one transaction.

use std::collections::HashMap;

use domain::document::Warning;
use domain::ingestion::{Failure, Stage, failure};
use serde_json::json;
use store::queue::Completion;
use store::sql;
use store::sql::version::{NewLesson, NewModule};

use super::run::{Outcomes, Run, enqueue};
use crate::source::Outline;

impl Run<'_> {
    pub(super) async fn publish(&self) -> Outcomes<Completion> {
        let (version, outline) = self.outline().await?;
        let documents = self.documents().await?;
        let modules = tree(&outline, &documents);
        if modules.is_empty() {
            return Err(Failure::new(failure::EMPTY, "the source has no lesson that could be read").into());
        }
        let run = &self.ingestion;
        let (institution, course, source, id, version) =
            (run.institution_id, run.course_id, run.source_id, run.id, version.id);
        let seconds = self.seconds();
        let brought = school::question::Brought {
            institution,
            course,
            source,
            ingestion: id,
            user: run.started_by,
            drafts: outline.questions,
        };
        Ok(Completion::with(move |tx| {
            Box::pin(async move {
                let superseded = sql::version::current(tx, institution, source)
                    .await?
                    .map(|current| current.id)
                    .filter(|id| *id != version);
                // Before the old version goes: equal passages keep their vectors, of whatever model.
                for (model, _) in sql::embedding::models(tx, institution).await? {
                    sql::embedding::copy_known(tx, institution, version, &model).await?;
                }
                sql::version::publish(tx, institution, course, source, version, &modules).await?;
                let new = school::question::adopt(tx, brought).await?;
                if new > 0 {
                    let message = format!("{new} questions came into the question bank as drafts; review them there");
                    let told = Warning { code: "QUESTIONS_IMPORTED".into(), message, place: None };
                    sql::ingestion::add_warnings(tx, institution, id, &[told]).await?;
                }
                sql::ingestion::stage_done(tx, institution, id, Stage::Publish, "succeeded", seconds).await?;
                sql::ingestion::progress(tx, institution, id, Stage::Embed, 0, 0).await?;
                enqueue(tx, institution, id, Stage::Embed, &json!({ "superseded": superseded })).await
            })
        }))
    }
}

/// The tree with the documents that were read; untitled lessons take the titles of their documents.
fn tree(outline: &Outline, documents: &[sql::document::Document]) -> Vec<NewModule> {
    let known: HashMap<&str, &sql::document::Document> = documents
        .iter()
        .filter(|document| document.state == "chunked")
        .map(|document| (document.path.as_str(), document))
        .collect();
    let mut modules = Vec::new();
    for module in &outline.modules {
        let lessons: Vec<NewLesson> = module
            .lessons
            .iter()
            .filter_map(|lesson| {
                let document = known.get(lesson.path.as_str())?;
                Some(NewLesson {
                    title: lesson.title.clone().unwrap_or_else(|| document.title.clone()),
                    kind: lesson.kind.clone(),
                    document_id: Some(document.id),
                    hidden: lesson.hidden,
                })
            })
            .collect();
        let first = lessons.first().map(|lesson| lesson.title.clone());
        let single = outline.modules.len() == 1 && lessons.len() == 1;
        let title = module.title.clone().or_else(|| first.filter(|_| single)).unwrap_or_else(|| outline.title.clone());
        if !lessons.is_empty() {
            modules.push(NewModule { title, lessons });
        }
    }
    modules
}
