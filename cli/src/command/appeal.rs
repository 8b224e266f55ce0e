//! `lyceum appeal`.

use domain::appeal::{Appeal, Outcome};
use serde_json::json;

use crate::args::AppealCommand;
use crate::command::Context;
use crate::exit::{OK, Result};

pub(crate) async fn run(context: &Context<'_>, command: &AppealCommand) -> Result<u8> {
    let school = &context.node.school;
    let actor = context.actor().await?;
    match command {
        AppealCommand::Open { id, criterion, text } => {
            let appeal = school.appeal().open(&actor, *id, criterion.clone(), text.clone()).await?;
            context.out.result(&appeal, line);
        }
        AppealCommand::List { course, outcome } => {
            let course = school.course().by_slug(&actor, actor.institution, course).await?;
            let outcome = outcome.as_deref().and_then(Outcome::parse);
            let all = school.appeal().list(&actor, course.id, outcome).await?;
            context.out.result(&json!({ "appeals": all }), |_| {
                if all.is_empty() { "no appeals".into() } else { all.iter().map(line).collect::<Vec<_>>().join("\n") }
            });
        }
        AppealCommand::Answer { id, text } => {
            let appeal = school.appeal().answer(&actor, *id, text.clone()).await?;
            context.out.result(&appeal, line);
        }
    }
    Ok(OK)
}

fn line(appeal: &Appeal) -> String {
    let against = appeal.criterion.as_deref().unwrap_or("the whole grade");
    let mut text = format!(
        "{}  {}  submission {}, {against}, due {}\n  \"{}\"",
        appeal.id,
        appeal.outcome.as_str(),
        appeal.submission_id,
        crate::command::day(appeal.due_at),
        appeal.text
    );
    if let Some(answer) = &appeal.answer {
        text.push_str(&format!("\n  answer: \"{answer}\""));
    }
    text
}
