//! Who calls a model: an API key tells.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use llm_gateway::Caller;
use school::api_key::Resolved;

use super::fault::Fault;
use crate::App;

/// Who asks, with the right to.
pub(crate) struct Asker {
    pub(crate) caller: Caller,
    pub(crate) resolved: Arc<Resolved>,
}

/// The one whose key is shown. The token of a login opens nothing here: a page has the tutor.
pub(crate) async fn asker(app: &App, headers: &HeaderMap) -> Result<Asker, Fault> {
    let secret =
        secret(headers).filter(|secret| secret.starts_with(domain::api_key::MARK)).ok_or_else(Fault::no_key)?;
    let resolved = app.ports.school.api_key().resolve(secret).await?;
    resolved.check_model_use()?;
    let actor = &resolved.actor;
    let caller = Caller {
        institution: Some(actor.institution),
        course: resolved.course,
        user: actor.user_id,
        key: Some(resolved.key.0),
        feature: "api",
    };
    Ok(Asker { caller, resolved })
}

fn secret(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|text| {
        let (scheme, secret) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
    });
    bearer.or_else(|| headers.get("x-api-key").and_then(|value| value.to_str().ok())).filter(|key| !key.is_empty())
}
