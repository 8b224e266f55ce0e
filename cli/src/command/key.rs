//! `lyceum key`: API keys of the model API.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use domain::api_key::ApiKey;
use school::api_key::NewApiKey;
use serde_json::json;

use crate::args::KeyCommand;
use crate::command::recommend::learner;
use crate::command::{Context, day};
use crate::exit::{Failure, OK, Result};

const DAY: i64 = 86_400;
/// Keys read at a time.
const PAGE: i64 = 200;

pub(crate) async fn run(context: &Context<'_>, command: &KeyCommand) -> Result<u8> {
    let actor = context.actor().await?;
    let keys = context.node.school.api_key();
    let out = context.out;
    match command {
        KeyCommand::Create { user, course, name, expires_days } => {
            let user = learner(context, &actor, user.as_deref()).await?;
            if user.is_none() && actor.operator {
                return Err(Failure::usage("a key is a user's: name one with --user or --as"));
            }
            let course = match course {
                Some(slug) => Some(context.node.school.course().by_slug(&actor, actor.institution, slug).await?.id),
                None => None,
            };
            if context.cli.dry_run {
                out.result(&json!({ "dryRun": true }), |_| "would make an API key".into());
                return Ok(OK);
            }
            let expires_seconds = expires_days.map(|days| days.saturating_mul(DAY));
            let made = keys.create(&actor, NewApiKey { user, course, name: name.clone(), expires_seconds }).await?;
            out.result(&json!({ "id": made.key.id, "key": made.secret }), |_| {
                format!("key {} made; shown once: {}", made.key.id, made.secret)
            });
        }
        KeyCommand::List { user } => {
            let user = learner(context, &actor, user.as_deref()).await?.or(actor.user_id);
            let mut all = Vec::new();
            loop {
                let after = all.last().map(|key: &ApiKey| key.id);
                let page = keys.list(&actor, actor.institution, user, after, PAGE).await?;
                let last = i64::try_from(page.len()).unwrap_or_default() < PAGE;
                all.extend(page);
                if last {
                    break;
                }
            }
            out.result(&json!({ "keys": all }), |_| table(&all));
        }
        KeyCommand::Revoke { id } => {
            keys.revoke(&actor, id.parse()?).await?;
            out.result(&json!({ "revoked": id }), |_| format!("key {id} opens nothing any more"));
        }
    }
    Ok(OK)
}

fn table(keys: &[ApiKey]) -> String {
    if keys.is_empty() {
        return "no API keys".to_owned();
    }
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["id", "begins with", "name", "made", "ends", "last used", "state"]);
    for key in keys {
        let moment = |at: Option<domain::Micros>| at.map_or_else(|| "-".to_owned(), day);
        let state = if key.revoked_at.is_some() { "revoked" } else { "" };
        table.add_row([
            key.id.to_string(),
            key.prefix.clone(),
            key.name.clone(),
            day(key.created_at),
            moment(key.expires_at),
            moment(key.last_used_at),
            state.to_owned(),
        ]);
    }
    table.to_string()
}
