//! Tools of `make bench-gateway`: a stub upstream that costs next to nothing, and a measurement that
//! goes round the gateways in turn, gates before figures.
//!
//! ```text
//! gateway-bench stub                          serve the stub, print its port, until killed
//! gateway-bench port                          print a free port
//! gateway-bench floor PORT UPSTREAM_PORT      pass bytes on, until killed
//! gateway-bench wait TARGET.json SECONDS      until the target answers one completion
//! gateway-bench run STUB_PORT TARGET.json...  gates, rounds, table, one JSON object as the last line
//! ```

mod client;
mod floor;
mod gates;
mod message;
mod plan;
mod process;
mod report;
mod rounds;
mod stub;

use std::time::Duration;

use anyhow::{Context, Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match words.as_slice() {
        ["stub"] => runtime.block_on(stub::serve()),
        ["port"] => {
            println!("{}", std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
            Ok(())
        }
        ["floor", port, upstream] => {
            runtime.block_on(floor::serve(port.parse().context("PORT")?, upstream.parse().context("UPSTREAM_PORT")?))
        }
        ["wait", file, seconds] => {
            let target = plan::Target::read(file)?;
            let limit = Duration::from_secs(seconds.parse().context("SECONDS")?);
            runtime.block_on(rounds::wait(&target, limit))
        }
        ["run", port, files @ ..] if !files.is_empty() => {
            let targets = files.iter().map(|file| plan::Target::read(file)).collect::<Result<Vec<_>>>()?;
            runtime.block_on(run(port.parse().context("STUB_PORT")?, targets))
        }
        _ => bail!(
            "usage: gateway-bench stub | port | floor PORT UPSTREAM_PORT | wait TARGET.json SECONDS | run STUB_PORT TARGET.json..."
        ),
    }
}

async fn run(stub_port: u16, mut targets: Vec<plan::Target>) -> Result<()> {
    let settings = plan::Settings::from_environment()?;
    targets.insert(0, plan::Target::direct(stub_port));
    println!("gates");
    let mut verdicts = Vec::new();
    for target in &targets {
        let verdict = gates::check(target, stub_port).await?;
        println!("{}", verdict.line(target));
        verdicts.push(verdict);
    }
    let figures = rounds::measure(&settings, &targets, stub_port).await?;
    report::print(&targets, &verdicts, &figures);
    Ok(())
}
