//! The binary: reads the command line, becomes the owner of the data directory or asks the owner.

mod args;
mod command;
mod config;
mod exit;
mod forward;
mod meter;
mod models;
mod node;
mod out;
mod stream_key;
mod telemetry;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::args::{Cli, Command};
use crate::exit::{Failure, Result};
use crate::out::Out;

fn main() -> std::process::ExitCode {
    // The parser's child limits itself while it is still single-threaded, before anything else runs.
    if std::env::args().nth(1).as_deref() == Some("__parse") {
        let code = ingestion::sandbox::child_main();
        return std::process::ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Failure::new(exit::FAILED, format!("cannot start: {error}")), false),
    };
    let arguments: Vec<String> = std::env::args().collect();
    let code = runtime.block_on(start(arguments));
    // Blocking threads of a parser or a model must not hold up the exit.
    runtime.shutdown_timeout(Duration::from_secs(2));
    code
}

fn fail(failure: &Failure, json: bool) -> std::process::ExitCode {
    let (out, mut frames) = Out::new(json);
    command::print_failure(&out, failure);
    drop(out);
    let mut terminal = out::Terminal::new();
    while let Ok(frame) = frames.try_recv() {
        terminal.show(frame);
    }
    std::process::ExitCode::from(failure.code)
}

async fn start(arguments: Vec<String>) -> std::process::ExitCode {
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { exit::OK };
            // Printing help to a closed pipe is no failure.
            let _ = error.print();
            return std::process::ExitCode::from(code);
        }
    };
    let json = cli.json;
    match dispatch(cli, arguments).await {
        Ok(code) => std::process::ExitCode::from(code),
        Err(failure) => fail(&failure, json),
    }
}

/// Log lines go to standard error as JSON, so that standard output stays the result.
fn log(filter: &str) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn"));
    // A second subscriber (in tests) is refused, and that is fine.
    let _ = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

async fn dispatch(cli: Cli, arguments: Vec<String>) -> Result<u8> {
    let data_dir = std::path::absolute(cli.data_dir.clone().unwrap_or_else(config::default_data_dir))?;
    let config = config::Config::load(&data_dir, cli.config.as_deref())?;
    log(&config.log);
    if !command::needs_school(&cli.command) {
        let (out, frames) = Out::new(cli.json);
        let printed = tokio::spawn(out::print(frames));
        let code = command::run_alone(&cli, &data_dir, &config, &out).await;
        out.exit(code);
        return Ok(printed.await.unwrap_or(exit::FAILED));
    }
    if let Command::Demo(demo) = &cli.command {
        let (out, frames) = Out::new(cli.json);
        let printed = tokio::spawn(out::print(frames));
        let code = command::finish(&out, command::demo::run(demo, &data_dir, config, &out).await);
        out.exit(code);
        return Ok(printed.await.unwrap_or(exit::FAILED));
    }
    own_or_ask(cli, arguments, data_dir, config).await
}

/// How long a command waits for an owner that is just closing.
const PATIENCE: Duration = Duration::from_secs(15);

async fn own_or_ask(cli: Cli, arguments: Vec<String>, data_dir: PathBuf, config: config::Config) -> Result<u8> {
    let began = Instant::now();
    loop {
        match store::owner::DataDirOwner::acquire(&data_dir) {
            Ok(owner) => return command::run_as_owner(cli, owner, &data_dir, config).await,
            Err(store::Error::Owned(_)) => {}
            Err(error) => return Err(error.into()),
        }
        if matches!(cli.command, Command::Serve(_)) {
            return Err(Failure::new(
                exit::TRY_LATER,
                format!(
                    "data directory \"{}\" is served by another process already; stop it first, or name another with --data-dir",
                    data_dir.display()
                ),
            ));
        }
        let socket = store::owner::socket_path(&data_dir);
        match forward::ask(&socket, arguments.get(1..).unwrap_or_default().to_vec(), command::input(&cli)?).await {
            Ok(code) => return Ok(code),
            Err(failure) if began.elapsed() > PATIENCE => return Err(failure),
            // The owner is starting or closing: its lock or its socket will be there in a moment.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
