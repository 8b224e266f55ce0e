//! Programs from outside (ffmpeg) as confined children: our own binary limits itself and then becomes the program.
//!
//! It may read its program, the system's libraries and what it was granted, write into one folder,
//! reach no network, and take so much memory, processor time and disk. Arguments are ours alone.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use domain::ingestion::{Failure, failure};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use super::running::how_it_ended;
use super::{ARGUMENT, Sandbox, confine, own_program};

/// The mode argument of the child.
pub(super) const MODE: &str = "run";
/// Messages of a program that are kept.
const MAX_MESSAGES: u64 = 64 * 1024;
/// Output of a program that is read.
const MAX_OUTPUT: u64 = 16 << 20;

/// What a program may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Bytes of address space.
    pub memory: u64,
    /// Seconds of processor time, over all threads.
    pub cpu_seconds: u64,
    /// Bytes of one written file.
    pub file: u64,
    /// Files that it may read besides the system's.
    pub reads: Vec<PathBuf>,
    /// The folder that it works in and may write to; none for a program that writes nothing.
    pub folder: Option<PathBuf>,
}

/// How a program ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// It said that all went well.
    pub success: bool,
    /// How it ended otherwise.
    pub how: String,
    /// The begin of its messages.
    pub messages: String,
}

/// A process group, killed when this goes.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0.and_then(|id| i32::try_from(id).ok()) {
            // Already gone is what we want.
            let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGKILL);
        }
    }
}

impl Sandbox {
    /// Runs `program` confined; `on_line` sees each line of its output. It dies with the future.
    ///
    /// # Errors
    /// `PARSER_KILLED` when it cannot be started or takes longer than `time`.
    pub async fn run(
        &self,
        program: &Path,
        arguments: &[String],
        allowance: &Allowance,
        time: Duration,
        on_line: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Ended, Failure> {
        let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
        let cannot = |error: std::io::Error| {
            Failure::new(failure::PARSER_KILLED, format!("\"{name}\" cannot be run: {error}; check its installation"))
        };
        let own = match &self.options.program {
            Some(own) => own.clone(),
            None => own_program().map_err(cannot)?,
        };
        let granted =
            serde_json::to_string(allowance).map_err(|error| Failure::new(failure::INTERNAL, error.to_string()))?;
        let mut child = Command::new(own)
            .arg(ARGUMENT)
            .arg(MODE)
            .arg(granted)
            .arg(program)
            .args(arguments)
            .env_clear()
            .current_dir(allowance.folder.as_deref().unwrap_or_else(|| Path::new("/")))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(cannot)?;
        let mut group = Group(child.id());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let output = async {
            let Some(stdout) = stdout else { return Ok(()) };
            let mut lines = BufReader::new(stdout.take(MAX_OUTPUT)).lines();
            while let Some(line) = lines.next_line().await? {
                on_line(&line);
            }
            Ok::<_, std::io::Error>(())
        };
        let messages = async {
            let mut kept = Vec::new();
            if let Some(mut stderr) = stderr {
                (&mut stderr).take(MAX_MESSAGES).read_to_end(&mut kept).await?;
                // Read on, so that a program with much to say does not wait for ever.
                tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await?;
            }
            Ok::<_, std::io::Error>(String::from_utf8_lossy(&kept).into_owned())
        };
        let work = async {
            let (output, messages) = tokio::join!(output, messages);
            let status = child.wait().await?;
            // Output that is no text ends the reading; how the program ended says more.
            if let Err(error) = output {
                tracing::debug!(%error, "the output of a program was not read to its end");
            }
            Ok::<_, std::io::Error>((messages?, status))
        };
        let (messages, status) = tokio::time::timeout(time, work)
            .await
            .map_err(|_| {
                let message =
                    format!("\"{name}\" took longer than {} s and was stopped; try a shorter file", time.as_secs());
                Failure::new(failure::PARSER_KILLED, message)
            })?
            .map_err(cannot)?;
        // Its number may belong to another by now.
        group.0 = None;
        Ok(Ended { success: status.success(), how: how_it_ended(status), messages })
    }
}

/// The child's side: confines itself and becomes the program; comes back only when that fails.
pub(super) fn become_program() -> i32 {
    use std::io::Write as _;
    use std::os::unix::process::CommandExt as _;

    let mut arguments = std::env::args_os().skip(3);
    let allowance = arguments.next().and_then(|text| serde_json::from_slice(text.as_encoded_bytes()).ok());
    let (Some(allowance), Some(program)) = (allowance, arguments.next()) else { return 2 };
    confine::program(&allowance, Path::new(&program));
    let error = std::process::Command::new(&program).args(arguments).exec();
    // The parent reads it as the program's own message; a closed pipe is its concern.
    let _ = writeln!(std::io::stderr(), "cannot start: {error}");
    127
}
