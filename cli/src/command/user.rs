//! `lyceum user`.

use domain::user::{Role, Scope};

use crate::args::UserCommand;
use crate::command::Context;
use crate::exit::{Failure, OK, Result};

pub(crate) async fn run(context: &Context<'_>, command: &UserCommand) -> Result<u8> {
    let school = &context.node.school;
    let actor = context.actor().await?;
    let out = context.out;
    match command {
        UserCommand::List => {
            let all = school.user().all(&actor).await?;
            out.result(&serde_json::json!({"users": all}), |_| {
                all.iter().map(|user| format!("{}  {}  {}\n", user.username, user.display_name, user.status)).collect()
            });
        }
        UserCommand::Create { username, name, email, password_stdin } => {
            let generated = !password_stdin;
            let password = if generated { school::user::generated_password() } else { context.input.clone().unwrap_or_default() };
            let user = school
                .user()
                .create(
                    &actor,
                    school::user::NewUser {
                        username: username.clone(),
                        display_name: name.clone().unwrap_or_else(|| username.clone()),
                        email: email.clone(),
                        password: Some(password.clone()),
                    },
                )
                .await?;
            let shown = generated.then_some(password);
            out.result(&serde_json::json!({"user": user, "password": shown}), |_| {
                shown.as_ref().map_or_else(
                    || format!("user \"{username}\" made"),
                    |password| format!("user \"{username}\" made; password, shown once: {password}"),
                )
            });
        }
        UserCommand::Grant { username, role, course } | UserCommand::Revoke { username, role, course } => {
            let give = matches!(command, UserCommand::Grant { .. });
            let user = school.user().by_username(&actor, username).await?;
            let role = Role::parse(role).ok_or_else(|| {
                let names: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
                Failure::usage(format!("no role \"{role}\"; there are {}", names.join(", ")))
            })?;
            let scope = match course {
                Some(slug) => Scope::Course(school.course().by_slug(&actor, slug).await?.id),
                None if role == Role::GlobalAdmin => Scope::Global,
                None => Scope::Institution(actor.institution),
            };
            if give {
                school.user().grant(&actor, user.id, role, scope).await?;
            } else {
                school.user().revoke(&actor, user.id, role, scope).await?;
            }
            let verb = if give { "granted" } else { "revoked" };
            out.result(&serde_json::json!({"user": username, "role": role.as_str(), "done": verb}), |_| {
                format!("{} {verb}: {username}", role.as_str())
            });
        }
        UserCommand::Suspend { username } | UserCommand::Activate { username } => {
            let status = if matches!(command, UserCommand::Suspend { .. }) { "suspended" } else { "active" };
            let user = school.user().by_username(&actor, username).await?;
            school.user().set_status(&actor, user.id, status).await?;
            out.result(&serde_json::json!({"user": username, "status": status}), |_| format!("\"{username}\" is {status}"));
        }
    }
    Ok(OK)
}
