//! `lyceum enrol`.

use domain::Error;

use crate::args::EnrolCommand;
use crate::command::Context;
use crate::exit::{OK, Result};

/// Enrolments read at a time.
const PAGE: i64 = 100;

pub(crate) async fn run(context: &Context<'_>, command: &EnrolCommand) -> Result<u8> {
    let school = &context.node.school;
    let actor = context.actor().await?;
    let out = context.out;
    match command {
        EnrolCommand::Add { username, course } => {
            let course = school.course().by_slug(&actor, actor.institution, course).await?;
            let user = school.user().by_username(&actor, actor.institution, username).await?.user;
            let made = school.enrollment().enrol(&actor, course.id, Some(user.id)).await?;
            out.result(&made, |_| format!("\"{username}\" takes \"{}\"", course.slug));
        }
        EnrolCommand::Remove { username, course } => {
            let course = school.course().by_slug(&actor, actor.institution, course).await?;
            let user = school.user().by_username(&actor, actor.institution, username).await?.user;
            let mut after = None;
            let found = loop {
                let page = school.enrollment().in_course(&actor, course.id, after, PAGE).await?;
                if let Some(found) = page.iter().find(|one| one.user_id == user.id) {
                    break found.clone();
                }
                after = page.last().map(|one| one.id);
                if after.is_none() {
                    return Err(Error::not_found("enrolment", username).into());
                }
            };
            let dropped = school.enrollment().drop(&actor, found.id).await?;
            out.result(&dropped, |_| format!("\"{username}\" has dropped \"{}\"", course.slug));
        }
        EnrolCommand::List { course } => {
            let course = school.course().by_slug(&actor, actor.institution, course).await?;
            let mut all = Vec::new();
            let mut after = None;
            loop {
                let page = school.enrollment().in_course(&actor, course.id, after, PAGE).await?;
                after = page.last().map(|one| one.id);
                all.extend(page);
                if after.is_none() {
                    break;
                }
            }
            out.result(&serde_json::json!({"enrollments": all}), |_| {
                all.iter().map(|one| format!("{}  {}  {:.0} %\n", one.user_id, one.status, one.progress)).collect()
            });
        }
    }
    Ok(OK)
}
