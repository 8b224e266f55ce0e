//! Runs a program on bytes: fixed arguments, bounded output, a time limit, and nothing left
//! behind when it fails or nobody waits any longer.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use domain::wire::Failure;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::BackendError;

/// What a program may take.
pub(super) struct Limits {
    pub(super) time: Duration,
    pub(super) stdout: usize,
}

/// What a program said that was kept.
pub(super) struct Output {
    pub(super) stdout: Vec<u8>,
    /// The begin of it.
    pub(super) stderr: Vec<u8>,
    pub(super) success: bool,
}

/// Messages of a program that are kept.
const MAX_STDERR: usize = 4 * 1024 * 1024;

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

/// Where a program is found: a path as it stands, a name in the folders of `PATH`.
pub(super) fn found(program: &Path) -> bool {
    if program.components().count() > 1 {
        return program.is_file();
    }
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// Runs it with nothing of our environment but the search path.
pub(super) async fn run<S: AsRef<OsStr>>(
    program: &Path,
    arguments: impl IntoIterator<Item = S>,
    input: Bytes,
    limits: &Limits,
) -> Result<Output, BackendError> {
    let name = program.display();
    let failed = |error: std::io::Error| BackendError::backend(format!("cannot run \"{name}\": {error}"));
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let mut group = Group(child.id());
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async move {
        if let Some(mut stdin) = stdin {
            // A program that has read enough closes its input; what it made of it tells.
            drop(stdin.write_all(&input).await);
        }
    };
    let read = async {
        let mut bytes = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(limits.stdout as u64 + 1).read_to_end(&mut bytes).await?;
        }
        // Dropping the pipe ends a program that goes on writing.
        Ok::<_, std::io::Error>(bytes)
    };
    let messages = async {
        let (mut kept, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
        if let Some(mut stderr) = stderr {
            loop {
                let count = stderr.read(&mut buffer).await?;
                if count == 0 {
                    break;
                }
                if kept.len() < MAX_STDERR {
                    kept.extend_from_slice(buffer.get(..count).unwrap_or_default());
                }
            }
        }
        Ok::<_, std::io::Error>(kept)
    };
    let work = async {
        let ((), stdout, stderr) = tokio::join!(write, read, messages);
        let status = child.wait().await.map_err(failed)?;
        Ok((stdout.map_err(failed)?, stderr.map_err(failed)?, status))
    };
    let (stdout, stderr, status) = tokio::time::timeout(limits.time, work)
        .await
        .map_err(|_| BackendError::backend(format!("\"{name}\" took longer than {} s", limits.time.as_secs())))??;
    // Its number may belong to another by now.
    group.0 = None;
    if stdout.len() > limits.stdout {
        return Err(BackendError::Failed(Failure::Invalid { message: format!("\"{name}\" made too much of it") }));
    }
    Ok(Output { stdout, stderr, success: status.success() })
}
