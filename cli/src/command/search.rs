//! `lyceum search`.

use domain::policy::Action;

use crate::args::SearchArgs;
use crate::command::Context;
use crate::exit::{OK, Result};

pub(crate) async fn run(context: &Context<'_>, arguments: &SearchArgs) -> Result<u8> {
    let node = context.node;
    let actor = context.actor().await?;
    let scope = context.scope(&actor, &arguments.course, Action::ReadPublished).await?;
    let queries = match (&arguments.query, &arguments.batch) {
        (_, Some(file)) => context.lines(file)?,
        (Some(query), None) => vec![query.clone()],
        (None, None) => Vec::new(),
    };
    for query in queries {
        let results = node
            .assistant
            .by(context.asking(&actor, scope.course, "search"))
            .search(&scope, &query, arguments.limit)
            .await?;
        if context.out.json() || arguments.batch.is_some() {
            context.out.object(&serde_json::json!({"query": query, "results": results}));
            continue;
        }
        if results.is_empty() {
            context.out.line("nothing found");
        }
        for result in &results {
            context.out.line(format!(
                "{:>2}. {:.3}  {}  {}, {}\n    {}",
                result.rank,
                result.score,
                result.heading_path.join(" > "),
                result.source_path,
                result.locator,
                excerpt(&result.text, 240)
            ));
        }
    }
    Ok(OK)
}

/// The beginning of a passage on one line.
pub(crate) fn excerpt(text: &str, length: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(length) {
        Some((end, _)) => format!("{} ...", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
