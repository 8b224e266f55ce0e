//! `lyceum enrol`.

use crate::args::EnrolCommand;
use crate::command::Context;
use crate::exit::{OK, Result};

pub(crate) async fn run(context: &Context<'_>, command: &EnrolCommand) -> Result<u8> {
    let school = &context.node.school;
    let actor = context.actor().await?;
    let out = context.out;
    match command {
        EnrolCommand::Add { username, course } => {
            let course = school.course().by_slug(&actor, course).await?;
            let user = school.user().by_username(&actor, username).await?;
            let made = school.enrollment().enrol(&actor, course.id, user.id).await?;
            out.result(&made, |_| format!("\"{username}\" takes \"{}\"", course.slug));
        }
        EnrolCommand::Remove { username, course } => {
            let course = school.course().by_slug(&actor, course).await?;
            let user = school.user().by_username(&actor, username).await?;
            let dropped = school.enrollment().drop_out(&actor, course.id, user.id).await?;
            out.result(&dropped, |_| format!("\"{username}\" has dropped \"{}\"", course.slug));
        }
        EnrolCommand::List { course } => {
            let course = school.course().by_slug(&actor, course).await?;
            let all = school.enrollment().of_course(&actor, course.id).await?;
            out.result(&serde_json::json!({"enrollments": all}), |_| {
                all.iter().map(|one| format!("{}  {}  {:.0} %\n", one.user_id, one.status, one.progress)).collect()
            });
        }
    }
    Ok(OK)
}
