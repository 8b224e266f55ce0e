//! `lyceum serve`: the API, and what the administrator should know at the start.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::args::ServeArgs;
use crate::command::Context;
use crate::config::Config;
use crate::exit::{BAD_CONFIG, FAILED, Failure, OK, Result};
use crate::node::Node;
use crate::out::Out;

pub(crate) async fn run(context: &Context<'_>, arguments: &ServeArgs) -> Result<u8> {
    context.institution_or_first().await?;
    if let Some(address) = &arguments.worker_listen {
        let token = worker_token(context.node, arguments.token.as_deref())?;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| Failure::new(BAD_CONFIG, format!("cannot listen for workers at {address}: {error}")))?;
        context.out.note(format!("workers may dial {} with the token in {}", listener.local_addr()?, TOKEN_FILE));
        let (gateway, shutdown) = (context.node.gateway.clone(), context.node.shutdown.clone());
        context.node.tasks.spawn(async move {
            if let Err(error) = gateway.listen(listener, llm_gateway::ListenOptions::with_token(token), shutdown).await
            {
                tracing::error!(%error, "the door for workers is closed");
            }
        });
    }
    serve(context.node, arguments.listen.as_deref(), context.out).await?;
    Ok(OK)
}

/// Runs models for the gateway of another process until a signal comes.
pub(crate) async fn work(config: &Config, arguments: &ServeArgs, out: &Out) -> Result<u8> {
    let (Some(gateway), Some(token)) = (&arguments.gateway, &arguments.token) else {
        return Err(Failure::usage("a worker needs --gateway ADDR:PORT and --token (or LYCEUM_WORKER_TOKEN)"));
    };
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let (worker, attached) = crate::models::worker(config, format!("{} {}", name.trim(), std::process::id())).await;
    for notice in &attached.notices {
        out.note(format!("degraded: {notice}"));
    }
    let worker = crate::models::with_servers(config, worker)
        .map_err(|error| Failure::new(BAD_CONFIG, format!("bad configuration: {error}")))?;
    let models = worker.models();
    // A server may tell its models later.
    if models.is_empty() && config.upstream.is_empty() {
        return Err(Failure::new(FAILED, "there is no model to run here; fetch one with: lyceum model pull"));
    }
    let names: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
    out.line(format!("running {} for the gateway at {gateway}; press Ctrl-C to stop", names.join(", ")));
    let shutdown = CancellationToken::new();
    let signalled = shutdown.clone();
    tokio::spawn(async move {
        signal().await;
        signalled.cancel();
    });
    worker.dial(gateway, token, shutdown).await.map_err(|error| Failure::new(FAILED, error.to_string()))?;
    out.note("stopped");
    Ok(OK)
}

const TOKEN_FILE: &str = "worker-token";

/// Signs the addresses of packages.
const CONTENT_KEY_FILE: &str = "content-key";

/// The token that workers show: the given one, or one generated on first start.
fn worker_token(node: &Node, given: Option<&str>) -> Result<String> {
    given.map_or_else(|| kept_secret(node, TOKEN_FILE, crate::command::user::password), |token| Ok(token.to_owned()))
}

/// A secret of the data directory: generated on first start, mode 0600.
fn kept_secret(node: &Node, file: &str, fresh: fn() -> String) -> Result<String> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = node.data_dir.join(file);
    match std::fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Ok(_) => std::fs::remove_file(&path)?,
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        Err(_) => {}
    }
    let token = fresh();
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(token.as_bytes())?;
    file.sync_all()?;
    Ok(token)
}

/// Serves the API until a signal comes, then drains.
pub(crate) async fn serve(node: &Arc<Node>, listen: Option<&str>, out: &Out) -> Result<()> {
    let wanted = listen.unwrap_or(&node.config.listen);
    let wanted: SocketAddr = wanted.parse().map_err(|_| {
        Failure::new(BAD_CONFIG, format!("\"{wanted}\" is not an address and a port, such as 127.0.0.1:8080"))
    })?;
    let listener = bind(wanted).await?;
    let address = listener.local_addr()?;
    if address.port() != wanted.port() && wanted.port() != 0 {
        out.note(format!("port {} is taken; using {}", wanted.port(), address.port()));
    }
    out.line(format!("serving http://{address}  (API under /api/v1, its documentation under /docs)"));
    out.line("press Ctrl-C to stop; other lyceum commands on this data directory work meanwhile");
    for notice in &node.notices {
        out.note(format!("degraded: {notice}"));
    }
    node.collect();
    node.keep_schedules();
    let state = api::ApiState {
        school: node.school.clone(),
        recommender: node.recommender.clone(),
        assistant: node.assistant.clone(),
        gateway: node.gateway.clone(),
        blobs: node.blobs.clone(),
        index: node.index.clone(),
        upload_dir: node.data_dir.join("uploads"),
    };
    let stop = node.shutdown.child_token();
    let signalled = stop.clone();
    node.tasks.spawn(async move {
        signal().await;
        signalled.cancel();
    });
    let options = api::ApiOptions {
        content_origin: node.config.content_origin.clone(),
        h5p_player: Some(&node.config.h5p_player).filter(|folder| !folder.is_empty()).map(Into::into),
        content_key: Some(kept_secret(node, CONTENT_KEY_FILE, school::scorm::fresh_key)?),
        ..api::ApiOptions::default()
    };
    api::serve_with(state, options, listener, stop)
        .await
        .map_err(|error| Failure::new(crate::exit::FAILED, error.to_string()))?;
    out.note("stopped");
    Ok(())
}

/// The wanted port, or the next free one of the twenty after it.
async fn bind(wanted: SocketAddr) -> Result<TcpListener> {
    let mut address = wanted;
    for _ in 0..20 {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                address.set_port(address.port().saturating_add(1));
            }
            Err(error) => return Err(Failure::new(BAD_CONFIG, format!("cannot listen at {address}: {error}"))),
        }
    }
    Err(Failure::new(BAD_CONFIG, format!("no free port from {} to {}", wanted.port(), address.port())))
}

/// Waits for Ctrl-C or SIGTERM.
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else {
        // Without a handler the system ends the process at SIGTERM, which is as good.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        done = tokio::signal::ctrl_c() => if done.is_err() {
            tokio::time::sleep(Duration::MAX).await;
        },
    }
}
