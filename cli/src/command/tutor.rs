//! `lyceum tutor`.

use domain::policy::Action;
use domain::tutor::{Answer, Mode, Outcome};

use crate::args::TutorCommand;
use crate::command::Context;
use crate::command::search::excerpt;
use crate::exit::{OK, Result};

pub(crate) async fn run(context: &Context<'_>, command: &TutorCommand) -> Result<u8> {
    let node = context.node;
    let actor = context.actor().await?;
    match command {
        TutorCommand::Ask { question, course, batch } => {
            let scope = context.scope(&actor, course, Action::TutorChat).await?;
            let questions = match (question, batch) {
                (_, Some(file)) => context.lines(file)?,
                (Some(question), None) => vec![question.clone()],
                (None, None) => Vec::new(),
            };
            for question in questions {
                let answer =
                    node.assistant.by(context.asking(&actor, scope.course, "tutor")).ask(&scope, &question).await?;
                let answer = node.school.tutor().hinted(&actor, answer).await?;
                if context.out.json() || batch.is_some() {
                    context.out.object(&answer);
                } else {
                    context.out.line(shown(&answer));
                }
            }
        }
        TutorCommand::Gate { course } => {
            let scope = context.scope(&actor, course, Action::ReadPublished).await?;
            let gate = node.assistant.calibrate(&scope).await?;
            context.out.result(&gate, |gate| serde_json::to_string_pretty(gate).unwrap_or_default());
        }
    }
    Ok(OK)
}

/// An answer as a person reads it in a terminal.
fn shown(answer: &Answer) -> String {
    let mut text = String::new();
    let label = match (answer.outcome, answer.mode) {
        (Outcome::Hint, _) => "A question of an open quiz: a hint instead of an answer",
        (Outcome::Declined, _) => "Not in this course",
        (Outcome::Closest, _) => "Closest material; it may not answer this",
        (Outcome::Answered, Mode::Extract) => "From your course",
        (Outcome::Answered, Mode::Generated) => "Generated, each sentence checked against your course",
    };
    text.push_str(&format!("{label}\n\n"));
    if answer.sentences.is_empty() {
        text.push_str(&answer.answer);
        text.push('\n');
    }
    for sentence in &answer.sentences {
        let marks: Vec<String> = sentence.citations.iter().map(|index| format!("[{}]", index + 1)).collect();
        text.push_str(&format!("  {} {}\n", sentence.text, marks.join("")));
    }
    if !answer.citations.is_empty() {
        text.push('\n');
    }
    for (index, citation) in answer.citations.iter().enumerate() {
        let commit = citation
            .commit
            .as_deref()
            .map(|commit| format!(" @ {}", commit.get(..12).unwrap_or(commit)))
            .unwrap_or_default();
        let address = citation.address.as_deref().map(|address| format!("    {address}\n")).unwrap_or_default();
        text.push_str(&format!(
            "[{}] {}, {}{commit}\n    {}\n{address}",
            index + 1,
            citation.source_path,
            citation.locator,
            citation.heading_path.join(" > ")
        ));
    }
    if !answer.nearest.is_empty() {
        text.push_str(if answer.outcome == Outcome::Answered { "\nAlso covered in\n" } else { "\nNearest passages\n" });
        for near in &answer.nearest {
            text.push_str(&format!("  {}, {}: {}\n", near.source_path, near.locator, excerpt(&near.quote, 120)));
        }
    }
    for notice in &answer.notices {
        text.push_str(&format!("\n{notice}\n"));
    }
    text
}
