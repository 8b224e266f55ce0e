//! Whether one institution ever sees another's words: canaries in twin courses, hundreds of questions.

use domain::ChunkId;
use serde::Serialize;
use store::Scope;
use store::sql::{chunk, search};
use store::vector::VectorIndex;

use crate::Result;
use crate::run::Ports;

/// What a tenancy run found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenancy {
    /// Questions put to the tutor.
    pub questions: usize,
    /// Calls straight to the text and the vector port, with mixed scopes.
    pub port_calls: usize,
    /// Passages that were returned in all.
    pub passages: usize,
    /// Every canary of the other institution that came through, with the call.
    pub foreign: Vec<String>,
}

/// Asks as `ours` for words of `theirs`: the questions through the tutor, and as often straight at
/// the ports, also with the course of one and the institution of the other.
///
/// # Errors
/// The rows cannot be read.
pub async fn tenancy(
    ports: &Ports,
    index: &dyn VectorIndex,
    ours: Scope,
    theirs: Scope,
    canaries: &[String],
    questions: &[String],
) -> Result<Tenancy> {
    let mut found = Tenancy::default();
    for question in questions {
        found.questions += 1;
        let answer = ports.assistant.ask(&ours, question).await?;
        found.passages += answer.citations.len() + answer.nearest.len();
        look(&mut found.foreign, canaries, question, &format!("{answer:?}"));
    }
    let mixed = [
        ours,
        Scope { institution: ours.institution, course: theirs.course, hidden: true },
        Scope { institution: theirs.institution, course: ours.course, hidden: true },
    ];
    let their_chunks: Vec<ChunkId> = ports
        .store
        .read(|tx| Box::pin(async move { chunk::in_course(tx, &theirs).await }))
        .await?
        .into_iter()
        .map(|c| c.id)
        .collect();
    for (question, scope) in questions.iter().zip(mixed.into_iter().cycle()) {
        found.port_calls += 1;
        let text = question.clone();
        let mut ids: Vec<ChunkId> = ports
            .store
            .read(|tx| Box::pin(async move { search::keyword(tx, &scope, &text, 50).await }))
            .await?
            .hits
            .into_iter()
            .map(|hit| hit.chunk_id)
            .collect();
        if let Some((model, query)) = ports.assistant.retrieve(&theirs, question, 1).await?.query() {
            ids.extend(index.search(&scope, model, query, 50).await?.into_iter().map(|hit| hit.chunk_id));
        }
        for id in ids.iter().filter(|id| their_chunks.contains(id)) {
            found.foreign.push(format!("\u{201c}{question}\u{201d}: passage {id}"));
        }
        // Naming the passages outright does not open them either.
        let asked = their_chunks.clone();
        let rows = ports.store.read(|tx| Box::pin(async move { chunk::by_ids(tx, &scope, &asked).await })).await?;
        found.passages += ids.len() + rows.len();
        for row in rows {
            found.foreign.push(format!("\u{201c}{question}\u{201d}: passage {} by its id", row.id));
        }
    }
    Ok(found)
}

fn look(foreign: &mut Vec<String>, canaries: &[String], question: &str, text: &str) {
    for canary in canaries.iter().filter(|canary| text.contains(canary.as_str())) {
        foreign.push(format!("\u{201c}{question}\u{201d}: {canary}"));
    }
}
