//! `lyceum user`.

use domain::policy::Actor;
use domain::user::{Role, Scope};
use rand::Rng as _;
use school::user::{NewUser, UserChange, UserQuery};

use crate::args::UserCommand;
use crate::command::Context;
use crate::exit::{Failure, OK, Result};

/// Users read at a time.
const PAGE: i64 = 100;

pub(crate) async fn run(context: &Context<'_>, command: &UserCommand) -> Result<u8> {
    let school = &context.node.school;
    let actor = context.actor().await?;
    let home = actor.institution;
    let out = context.out;
    match command {
        UserCommand::List => {
            let mut all = Vec::new();
            let mut query = UserQuery { limit: PAGE, ..UserQuery::default() };
            loop {
                let page = school.user().list(&actor, home, query.clone()).await?;
                query.after = page.last().map(|profile| profile.user.id);
                let last = page.len() < usize::try_from(PAGE).unwrap_or_default();
                all.extend(page.into_iter().map(|profile| profile.user));
                if last {
                    break;
                }
            }
            out.result(&serde_json::json!({"users": all}), |_| {
                all.iter().map(|user| format!("{}  {}  {}\n", user.username, user.display_name, user.status)).collect()
            });
        }
        UserCommand::Create { username, name, email, password_stdin } => {
            let password = if *password_stdin { context.input.clone().unwrap_or_default() } else { password() };
            let new = NewUser {
                username: username.clone(),
                display_name: name.clone(),
                email: email.clone(),
                password: Some(password.clone()),
                grants: Vec::new(),
            };
            let user = school.user().create(&actor, home, new).await?;
            let shown = (!password_stdin).then_some(password);
            out.result(&serde_json::json!({"user": user, "password": shown}), |_| {
                shown.as_ref().map_or_else(
                    || format!("user \"{username}\" made"),
                    |password| format!("user \"{username}\" made; password, shown once: {password}"),
                )
            });
        }
        UserCommand::Grant { username, role, course } => {
            let (user, grant) = wanted(context, &actor, username, role, course.as_deref()).await?;
            school.role().grant(&actor, user, grant).await?;
            out.result(&serde_json::json!({"user": username, "granted": grant}), |_| {
                format!("\"{username}\" is {}", grant.role.as_str())
            });
        }
        UserCommand::Revoke { username, role, course } => {
            let (user, grant) = wanted(context, &actor, username, role, course.as_deref()).await?;
            school.role().revoke(&actor, user, grant).await?;
            out.result(&serde_json::json!({"user": username, "revoked": grant}), |_| {
                format!("\"{username}\" is no longer {}", grant.role.as_str())
            });
        }
        UserCommand::Suspend { username } => set_status(context, &actor, username, "suspended").await?,
        UserCommand::Activate { username } => set_status(context, &actor, username, "active").await?,
    }
    Ok(OK)
}

async fn set_status(context: &Context<'_>, actor: &Actor, username: &str, status: &str) -> Result<()> {
    let users = context.node.school.user();
    let user = users.by_username(actor, actor.institution, username).await?.user;
    users.update(actor, user.id, UserChange { status: Some(status.into()), ..UserChange::default() }).await?;
    context
        .out
        .result(&serde_json::json!({"user": username, "status": status}), |_| format!("\"{username}\" is {status}"));
    Ok(())
}

async fn wanted(
    context: &Context<'_>,
    actor: &Actor,
    username: &str,
    role: &str,
    course: Option<&str>,
) -> Result<(domain::UserId, domain::user::Grant)> {
    let school = &context.node.school;
    let user = school.user().by_username(actor, actor.institution, username).await?.user;
    let scope = match course {
        Some(slug) => Scope::Course(school.course().by_slug(actor, actor.institution, slug).await?.id),
        None if Role::parse(role) == Some(Role::GlobalAdmin) => Scope::Global,
        None => Scope::Institution(actor.institution),
    };
    let grant = school::role::parse(role, scope).map_err(|error| {
        let names: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        Failure::usage(format!("{}; roles are {}", error.message, names.join(", ")))
    })?;
    Ok((user.id, grant))
}

/// A password of 20 letters and digits: about 119 bits.
pub(crate) fn password() -> String {
    let mut random = rand::rng();
    (0..20).map(|_| char::from(random.sample(rand::distr::Alphanumeric))).collect()
}
