//! Runs the built binary in a temporary school.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// A data directory that goes with the test.
pub(crate) struct School {
    pub(crate) data: tempfile::TempDir,
}

/// What one command did.
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// The last line of standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        let line = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|error| {
            panic!("no JSON at the end ({error}), exit {}\nstdout: {}\nstderr: {}", self.code, self.stdout, self.stderr)
        })
    }
}

impl School {
    pub(crate) fn new() -> Self {
        Self { data: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lyceum"));
        command.arg("--data-dir").arg(self.data.path()).args(arguments).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        let output = self.command(arguments).output().unwrap();
        Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs and expects exit 0 and JSON at the end.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, 0, "{arguments:?}\nstdout: {}\nstderr: {}", outcome.stdout, outcome.stderr);
        outcome.json()
    }

    /// Runs and kills (signal 9) after `moment`; false when the command ended by itself before.
    pub(crate) fn kill_at(&self, arguments: &[&str], moment: Duration) -> bool {
        let mut child = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let (ended, end) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stdout.read_to_end(&mut text);
            let _ = ended.send(());
        });
        let running = end.recv_timeout(moment).is_err();
        child.kill().unwrap();
        child.wait().unwrap();
        running
    }
}

/// The bundled demo content.
pub(crate) fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("demo")
}
