//! Calls Python: the ordinary client of the package index, with its own settings for proxies and
//! certificates.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::config;
use crate::error::Error;

/// Longest run of one call; large wheels on slow lines take minutes.
const LIMIT: Duration = Duration::from_secs(900);

/// Runs Python with `arguments` and, where given, packages from `packages` only.
pub(super) async fn python<I, S>(arguments: I, packages: Option<&Path>) -> Result<(), Error>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let python = config::python();
    let mut command = Command::new(&python);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    if let Some(packages) = packages {
        command.env("PYTHONPATH", packages).env("PYTHONNOUSERSITE", "1");
    }
    let output = tokio::time::timeout(LIMIT, command.output())
        .await
        .map_err(|_| Error::Program(format!("\"{}\" took longer than {} s", python.display(), LIMIT.as_secs())))?
        .map_err(|error| Error::Program(format!("cannot run \"{}\": {error}", python.display())))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    // The last lines carry the reason; what came before is a traceback or advice.
    let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let reason = said.iter().rev().take(2).rev().copied().collect::<Vec<_>>().join("; ");
    let reason: String = reason.chars().filter(|c| !c.is_control()).take(400).collect();
    Err(Error::Program(format!("\"{}\" failed: {reason}", python.display())))
}
