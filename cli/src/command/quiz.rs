//! `lyceum quiz`.

mod bank;
mod exchange;
mod taken;

use std::time::Duration;

use assistant::quiz::{Offered, Wanted};
use domain::LessonId;
use domain::assessment::Item;
use domain::question::{Body, Draft, State};
use school::assessment::NewAssessment;
use serde_json::{Value, json};

use crate::args::QuizCommand;
use crate::command::Context;
use crate::exit::{OK, PARTIAL, Result};

/// Longest that a chat model may take for a set; the course's own words fill the rest.
const MODEL_TIME: Duration = Duration::from_secs(30 * 60);

pub(crate) async fn run(context: &Context<'_>, command: &QuizCommand) -> Result<u8> {
    match command {
        QuizCommand::Generate { course, lesson, count, seed } => {
            generate(context, course, *lesson, *count, *seed).await
        }
        QuizCommand::List { course, state } => bank::list(context, course, state.as_deref()).await,
        QuizCommand::Show { ids } => bank::show(context, ids).await,
        QuizCommand::Approve { ids } => bank::set_state(context, ids, State::Reviewed).await,
        QuizCommand::Retire { ids } => bank::set_state(context, ids, State::Retired).await,
        QuizCommand::Create { course, title, questions, minutes, attempts, feedback, publish } => {
            let new = NewAssessment {
                title: title.clone(),
                time_limit_seconds: minutes.map(|minutes| minutes.saturating_mul(60)),
                attempts_allowed: *attempts,
                feedback: Some(feedback.clone()),
                items: questions.iter().map(|question| Item { question: *question, points: 1.0 }).collect(),
                ..NewAssessment::default()
            };
            taken::create(context, course, new, *publish).await
        }
        QuizCommand::Publish { id } => taken::publish(context, *id).await,
        QuizCommand::Close { id } => taken::close(context, *id).await,
        QuizCommand::Quizzes { course } => taken::list(context, course).await,
        QuizCommand::Take { id, answers } => taken::take(context, *id, answers.as_deref()).await,
        QuizCommand::Results { id } => taken::results(context, *id).await,
        QuizCommand::Review { course } => bank::review(context, course).await,
        QuizCommand::HandIn { id, question, file } => taken::hand_in(context, *id, *question, file).await,
        QuizCommand::Submissions { course } => taken::submissions(context, course).await,
        QuizCommand::Export { course, format, state, out } => {
            exchange::export(context, course, format, state.as_deref(), out.as_deref()).await
        }
        QuizCommand::Import { file, course, format } => {
            exchange::import(context, file, course, format.as_deref()).await
        }
    }
}

async fn generate(
    context: &Context<'_>,
    course: &str,
    lesson: Option<LessonId>,
    count: usize,
    seed: u64,
) -> Result<u8> {
    let node = context.node;
    let actor = context.actor().await?;
    let course = node.school.course().by_slug(&actor, actor.institution, course).await?;
    let (scope, known) = node.school.question().ground(&actor, course.id).await?;
    let wanted = Wanted { lesson, count, seed, known, model_time: MODEL_TIME };
    let Offered { items, rejected, notices } =
        node.assistant.by(context.asking(&actor, scope.course, "quiz")).questions(&scope, &wanted).await?;
    let made: Vec<(String, Draft)> = if context.cli.dry_run || items.is_empty() {
        items.into_iter().enumerate().map(|(place, draft)| (format!("dry-run-{}", place + 1), draft)).collect()
    } else {
        let saved = node.school.question().propose(&actor, scope.course, items).await?;
        saved.into_iter().map(|question| (question.id.to_string(), question.draft)).collect()
    };
    let shown: Vec<Value> = made.iter().map(|(id, draft)| item(id, draft)).collect();
    let short = made.len() < count;
    context.out.result(&json!({ "items": shown, "rejected": rejected }), |_| {
        let mut text = String::new();
        for (id, draft) in &made {
            let place = draft.source.as_ref().map(|s| format!("{}, {}", s.source_path, s.locator)).unwrap_or_default();
            text.push_str(&format!(
                "{id}  {}\n    {}\n    key: {}\n    {place}\n",
                draft.body.type_name(),
                draft.stem,
                draft.body.key().join("; ")
            ));
        }
        text.push_str(&format!("{} drafts, {} rejected\n", made.len(), rejected.len()));
        text
    });
    for notice in notices {
        context.out.note(notice);
    }
    Ok(if short { PARTIAL } else { OK })
}

/// What can be chosen, in an order that does not tell the key.
fn options(body: &Body) -> Vec<&str> {
    match body {
        Body::MultipleChoice(body) => body.options.iter().map(|option| option.text.as_str()).collect(),
        Body::MultipleAnswer(body) => body.options.iter().map(|option| option.text.as_str()).collect(),
        Body::Matching(body) => body.right.iter().map(|option| option.text.as_str()).collect(),
        Body::Ordering(body) => {
            let mut items: Vec<_> = body.items.iter().collect();
            items.sort_by(|a, b| a.id.cmp(&b.id));
            items.into_iter().map(|option| option.text.as_str()).collect()
        }
        Body::TrueFalse(_) => vec!["True", "False"],
        Body::Cloze(_) | Body::ShortAnswer(_) | Body::Numeric(_) | Body::Essay(_) => Vec::new(),
    }
}

/// One question as scripts read it.
fn item(id: &str, draft: &Draft) -> Value {
    let options = options(&draft.body);
    let stem = match &draft.body {
        Body::Cloze(body) => format!("{} {}", draft.stem, body.parts.join("____")),
        _ => draft.stem.clone(),
    };
    json!({
        "id": id, "type": draft.body.type_name(), "stem": stem, "options": options, "key": draft.body.key(),
        "source": draft.source, "lint": draft.lint, "state": "draft", "origin": draft.origin,
    })
}
