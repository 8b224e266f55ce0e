//! Ours: the real gateway process, with a data directory of its own for every run.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::client::Client;
use crate::clock;
use crate::stand_in::StandIn;
use crate::trace;

const START: Duration = Duration::from_secs(60);
const COMMAND: Duration = Duration::from_secs(60);
const READY: Duration = Duration::from_secs(30);

/// Where a running gateway listens, and the keys of its users.
#[derive(Clone)]
pub struct Door {
    pub url: String,
    keys: Arc<Vec<String>>,
}

impl Door {
    /// The key of a user.
    pub fn key(&self, user: usize) -> Option<&str> {
        self.keys.get(user).map(String::as_str)
    }
}

/// How ours is started.
pub enum Ours {
    /// A school with its users and keys, copied for every run.
    Gateway { binary: PathBuf, template: TempDir, keys: Arc<Vec<String>>, keep: bool },
    /// The harness checked without ours: requests passed on to the server with the fewest of them.
    StandIn,
}

/// A gateway that runs until it is dropped.
pub struct Running {
    pub door: Door,
    _process: Process,
}

enum Process {
    Gateway { _child: Child, _data: Option<TempDir> },
    StandIn { _proxy: StandIn },
}

impl Ours {
    /// Makes the school that runs are copied from: users who may call models, a key for each.
    pub async fn prepare(binary: PathBuf, keep: bool) -> Result<Self> {
        let template = tempfile::tempdir()?;
        let data = template.path();
        std::fs::write(data.join("lyceum.toml"), configuration(&[]))?;
        command(&binary, data, &["institution", "create", "bench"]).await?;
        // Commands are passed on to a running process, which spares opening the store each time.
        let (mut child, _) = serve(&binary, data).await?;
        let mut keys = Vec::with_capacity(trace::USERS);
        for user in 0..trace::USERS {
            let name = format!("user{user}");
            command(&binary, data, &["user", "create", &name]).await?;
            command(&binary, data, &["user", "grant", &name, "creator"]).await?;
            let output = command(&binary, data, &["key", "create", "--user", &name, "--json"]).await?;
            let key = output.lines().find_map(|line| {
                let value: Value = serde_json::from_str(line).ok()?;
                Some(value.get("key")?.as_str()?.to_owned())
            });
            keys.push(key.with_context(|| format!("no key in: {output}"))?);
        }
        stop(&mut child).await?;
        Ok(Self::Gateway { binary, template, keys: Arc::new(keys), keep })
    }

    /// Starts a gateway in front of servers and waits until it answers.
    pub async fn start(&self, servers: &[String]) -> Result<Running> {
        match self {
            Self::StandIn => {
                let proxy = StandIn::start(servers).await?;
                let door = Door { url: proxy.url.clone(), keys: Arc::default() };
                Ok(Running { door, _process: Process::StandIn { _proxy: proxy } })
            }
            Self::Gateway { binary, template, keys, keep } => {
                let data = tempfile::tempdir()?;
                copy(template.path(), data.path())?;
                std::fs::write(data.path().join("lyceum.toml"), configuration(servers))?;
                let (child, url) = serve(binary, data.path()).await?;
                let door = Door { url, keys: Arc::clone(keys) };
                ready(&door).await?;
                let kept = if *keep {
                    eprintln!("kept: {}", data.keep().display());
                    None
                } else {
                    Some(data)
                };
                Ok(Running { door, _process: Process::Gateway { _child: child, _data: kept } })
            }
        }
    }
}

/// The configuration of a run: one upstream a server, no embedding model, queues that hold a whole trace.
fn configuration(servers: &[String]) -> String {
    let scale = 1.0 / f64::from(clock::SCALE);
    let mut text = "embedding_model = \"none\"\n".to_owned();
    if !servers.is_empty() {
        text.push_str(&format!("\n[gateway]\nqueue_per_user = 1000\nqueue_per_class = 2000\nqueue_per_institution = 2000\ntime_scale = {scale}\n"));
    }
    for (number, url) in servers.iter().enumerate() {
        let models = trace::MODELS.map(|model| format!("\"{model}\"")).join(", ");
        text.push_str(&format!(
            "\n[[upstream]]\nname = \"w{number}\"\nkind = \"openai\"\nurl = \"{url}\"\nslots = 1\nresident = 1\nmodels = [{models}]\n"
        ));
    }
    text
}

async fn command(binary: &Path, data: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(binary);
    command.arg("--data-dir").arg(data).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(COMMAND, command.output()).await.context("a command does not end")??;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "lyceum {}: {}", arguments.join(" "), error.trim());
    Ok(String::from_utf8(output.stdout)?)
}

/// Starts `serve` on a free port; gives the address that it printed.
async fn serve(binary: &Path, data: &Path) -> Result<(Child, String)> {
    let log = std::fs::File::create(data.join("serve.log"))?;
    let mut child = Command::new(binary)
        .arg("--data-dir")
        .arg(data)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()?;
    let output = child.stdout.take().context("no output of serve")?;
    let mut lines = BufReader::new(output).lines();
    let address = timeout(START, async {
        while let Some(line) = lines.next_line().await? {
            if let Some((_, rest)) = line.split_once("serving http://") {
                return Ok(rest.split_whitespace().next().unwrap_or_default().to_owned());
            }
        }
        bail!("serve ended: {}", std::fs::read_to_string(data.join("serve.log")).unwrap_or_default());
    })
    .await
    .context("serve does not start")??;
    // What it prints later is read, so that it never waits for a reader.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((child, format!("http://{address}")))
}

/// Waits until a key is accepted and the models can be seen.
async fn ready(door: &Door) -> Result<()> {
    let client = Client::new()?;
    let (url, key) = (format!("{}/v1/models", door.url), door.key(0).unwrap_or_default());
    let begun = Instant::now();
    loop {
        let status = client.status(&url, key).await;
        match status {
            Ok(200) => return Ok(()),
            other if begun.elapsed() > READY => bail!("the gateway is not ready: {other:?}"),
            _ => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Ends a process so that it closes its files in order.
async fn stop(child: &mut Child) -> Result<()> {
    let id = child.id().context("serve has ended by itself")?;
    let ended = Command::new("kill").arg("-TERM").arg(id.to_string()).status().await?;
    ensure!(ended.success(), "serve could not be stopped");
    timeout(COMMAND, child.wait()).await.context("serve does not stop")??;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            std::fs::create_dir_all(&target)?;
            copy(&entry.path(), &target)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
