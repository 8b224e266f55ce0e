//! `yt-dlp` as an external program: found, its version checked, run with fixed arguments in a folder
//! of its own, without configuration, plugins or environment, and ended with its process group.

pub(super) mod cache;
pub(super) mod info;
pub(super) mod recording;
pub(super) mod said;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use domain::ingestion::{Failure, failure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use super::{Outside, cannot_open};

/// The oldest version that is run: the first that needs no downloaded code for its challenges, and
/// that has every option we pass.
pub(super) const FLOOR: (u32, u32, u32) = (2025, 11, 12);
/// Most bytes of an answer.
const MOST_OUTPUT: u64 = 64 << 20;
/// Most bytes of complaints that are looked at.
const MOST_SAID: u64 = 256 << 10;
/// Longest run that only asks for the version.
const VERSION: Duration = Duration::from_secs(20);
/// Largest folder of a run that fetches no recording.
pub(super) const SMALL_FOLDER: u64 = 256 << 20;

/// Arguments of every run.
pub(super) const COMMON: &[&str] = &[
    "--ignore-config",
    "--no-plugin-dirs",
    "--no-remote-components",
    "--no-cache-dir",
    "--no-exec",
    "--no-update",
    "--no-cookies",
    "--no-cookies-from-browser",
    "--no-mark-watched",
    "--no-wait-for-video",
    "--no-progress",
    "--color",
    "never",
    "--abort-on-error",
    "--socket-timeout",
    "15",
    "--retries",
    "2",
    "--fragment-retries",
    "2",
    "--extractor-retries",
    "1",
    "--file-access-retries",
    "1",
    "--sleep-requests",
    "0.5",
];

/// What a run gave.
pub(super) struct Ran {
    /// It ended with 0.
    pub(super) well: bool,
    /// Standard output.
    pub(super) output: Vec<u8>,
    /// Standard error.
    pub(super) said: String,
}

/// The program, found and new enough.
pub(super) struct Program<'o> {
    pub(super) outside: &'o Outside,
}

/// The group of a child; it goes with its value, grandchildren and all.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        // A group that has ended by itself is no longer there to be killed.
        let _ = self.0.take().map(|group| killpg(group, Signal::SIGKILL));
    }
}

impl<'o> Program<'o> {
    /// Finds the program and checks its version.
    pub(super) async fn ready(outside: &'o Outside, scratch: &Path) -> Result<Self, Failure> {
        let program = Self { outside };
        let ran = program.run(scratch, &["--ignore-config", "--version"], VERSION, SMALL_FOLDER).await?;
        let text = String::from_utf8_lossy(&ran.output).trim().to_owned();
        let numbers: Vec<u32> = text.split('.').map_while(|part| part.parse().ok()).collect();
        let (true, [year, month, day, ..]) = (ran.well, numbers.as_slice()) else {
            return Err(missing(outside, "does not say its version, so it is not yt-dlp"));
        };
        if (*year, *month, *day) < FLOOR {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(20).collect();
            let message = format!(
                "yt-dlp {shown} is too old: {}.{:02}.{:02} or newer is needed; update it with \"python3 -m pip install -U yt-dlp\" or \"yt-dlp -U\"",
                FLOOR.0, FLOOR.1, FLOOR.2
            );
            return Err(Failure::new(failure::PROGRAM_TOO_OLD, message));
        }
        Ok(program)
    }

    /// Runs it in `folder`, which may grow to `largest` bytes, for at most `time`.
    pub(super) async fn run(
        &self,
        folder: &Path,
        arguments: &[&str],
        time: Duration,
        largest: u64,
    ) -> Result<Ran, Failure> {
        let mut command = Command::new(&self.outside.ytdlp);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LC_ALL", "C.UTF-8")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONNOUSERSITE", "1")
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .process_group(0);
        for name in ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"] {
            command.env(name, folder);
        }
        let mut child = command.spawn().map_err(|error| {
            let why = match error.kind() {
                std::io::ErrorKind::NotFound => "is not installed".to_owned(),
                std::io::ErrorKind::PermissionDenied => "may not be run by this user".to_owned(),
                _ => format!("cannot be run ({error})"),
            };
            missing(self.outside, &why)
        })?;
        let _group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let finished = async { tokio::join!(child.wait(), whole(stdout), beginning(stderr)) };
        let (status, output, said) = tokio::select! {
            ended = tokio::time::timeout(time, finished) => ended.map_err(|_| too_slow(time))?,
            () = grown(folder, largest) => return Err(too_large(largest)),
        };
        let status = status.map_err(|error| missing(self.outside, &format!("cannot be run ({error})")))?;
        let Some(output) = output else { return Err(too_large(MOST_OUTPUT)) };
        let said = String::from_utf8_lossy(&said).into_owned();
        Ok(Ran { well: status.success(), output, said })
    }
}

/// All of a stream, or nothing when it is too long; the writer then finds it closed.
async fn whole(stream: Option<impl AsyncRead + Unpin>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    // A stream that breaks off ends here; the status of the program says whether that was its end.
    let _ = stream?.take(MOST_OUTPUT + 1).read_to_end(&mut bytes).await;
    (bytes.len() as u64 <= MOST_OUTPUT).then_some(bytes)
}

/// The beginning of a stream; the rest is read and dropped, so that the writer goes on.
async fn beginning(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // What the program says is a hint; losing it loses nothing else.
        let _ = (&mut stream).take(MOST_SAID).read_to_end(&mut bytes).await;
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
    bytes
}

/// Ends when the folder is larger than it may be.
async fn grown(folder: &Path, largest: u64) {
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let folder = folder.to_owned();
        let size = tokio::task::spawn_blocking(move || super::git::folder_size(&folder)).await.unwrap_or_default();
        if size > largest {
            return;
        }
    }
}

fn missing(outside: &Outside, why: &str) -> Failure {
    let message = format!(
        "the program \"{}\" {why}; install yt-dlp {}.{:02}.{:02} or newer (\"python3 -m pip install yt-dlp\" or the file of its release page), or name it in the configuration as \"ytdlp\"",
        outside.ytdlp.display(),
        FLOOR.0,
        FLOOR.1,
        FLOOR.2
    );
    Failure::new(failure::PROGRAM_MISSING, message)
}

fn too_slow(time: Duration) -> Failure {
    let message = format!(
        "the site did not answer within {} s and yt-dlp was ended; check the network and run the same command again",
        time.as_secs()
    );
    Failure::new(failure::TOO_SLOW, message)
}

fn too_large(largest: u64) -> Failure {
    let message = format!("yt-dlp gave more than {} MiB and was ended; take a part of it", largest >> 20);
    Failure::new(failure::TOO_LARGE, message)
}

/// A fresh folder of a run.
pub(super) fn folder(scratch: &Path) -> Result<tempfile::TempDir, Failure> {
    tempfile::Builder::new()
        .prefix("run-")
        .tempdir_in(scratch)
        .map_err(|error| cannot_open(&scratch.to_string_lossy(), &error))
}

/// Whether a program of that name is on `PATH`.
pub(super) fn on_path(name: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()))
}
