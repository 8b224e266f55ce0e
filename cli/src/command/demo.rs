//! `lyceum demo`: a school of two institutions from bundled content, each promise checked by the same
//! code that serves a real one; the last line is the scorecard.

mod content;
mod logins;
mod scorecard;
mod steps;

use std::path::Path;
use std::time::Instant;

use crate::args::DemoArgs;
use crate::config::Config;
use crate::exit::{FAILED, Failure, OK, Result};
use crate::node::Node;
use crate::out::Out;

use content::Content;
use scorecard::Scorecard;

/// File in the data directory that holds the scorecard of a finished demo.
const RECORD: &str = "demo-scorecard.json";

pub(crate) async fn run(arguments: &DemoArgs, data_dir: &Path, mut config: Config, out: &Out) -> Result<u8> {
    if arguments.without_model {
        config.embedding_model = "none".into();
    }
    if let Some(listen) = &arguments.listen {
        config.listen.clone_from(listen);
    }
    let record = data_dir.join(RECORD);
    if let Some(card) = finished(&record) {
        out.note(format!("the demo school in \"{}\" was made before; nothing is repeated", data_dir.display()));
        return conclude(arguments, data_dir, config, out, card).await;
    }
    let began = Instant::now();
    out.note(format!("making a demo school in \"{}\"", data_dir.display()));
    let mut card = Scorecard::default();
    let content = Content::lay_out(data_dir)?;
    steps::kill_in_the_middle(data_dir, &config, &content, &mut card, out).await?;
    let node = open(data_dir, config.clone()).await?;
    let result = steps::all(&node, &content, &mut card, out).await;
    node.close().await;
    result?;
    card.seconds = began.elapsed().as_secs_f64();
    card.peak_mib = scorecard::peak_mib();
    card.check("memory under 1 GiB", card.peak_mib < 1024, format!("peak of this process {} MiB", card.peak_mib));
    if !card.missed() {
        let text = serde_json::to_string_pretty(&card).map_err(|error| Failure::new(FAILED, error.to_string()))?;
        std::fs::write(&record, text)?;
    }
    conclude(arguments, data_dir, config, out, card).await
}

fn finished(record: &Path) -> Option<Scorecard> {
    serde_json::from_str(&std::fs::read_to_string(record).ok()?).ok()
}

async fn open(data_dir: &Path, config: Config) -> Result<std::sync::Arc<Node>> {
    let owner = store::owner::DataDirOwner::acquire(data_dir).map_err(|error| {
        let Failure { message, .. } = error.into();
        Failure::new(
            crate::exit::TRY_LATER,
            format!("{message}; stop the server there, or name another folder with --data-dir"),
        )
    })?;
    Node::open(owner, data_dir, config).await
}

/// Prints the card and the logins; goes on serving where that was asked for.
async fn conclude(arguments: &DemoArgs, data_dir: &Path, config: Config, out: &Out, card: Scorecard) -> Result<u8> {
    let code = if card.missed() { FAILED } else { OK };
    if out.json() {
        out.object(&card);
    } else {
        out.line(card.table());
        out.line(logins::table(data_dir)?);
    }
    if !arguments.serve {
        return Ok(code);
    }
    let node = open(data_dir, config).await?;
    let served = crate::command::serve::serve(&node, None, out).await;
    node.close().await;
    served.map(|()| code)
}
