//! A git repository: a local path, a bundle, an https address, or `OWNER/REPO` of GitHub; the last two may
//! name a branch or tag behind `@`. Cloned bare into a private folder; blobs are read by `cat-file` and never
//! checked out.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use domain::ingestion::{Failure, SourceKind, failure};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use super::dir::{LARGEST_PDF, Reader, collect};
use super::{Fetched, Outside, Place, Source, blocking, cannot_open};
use crate::parse::{Format, title_of_path};
use crate::sandbox::Sandbox;

/// Longest clone.
const CLONE: Duration = Duration::from_secs(600);
/// Longest other command.
const READ: Duration = Duration::from_secs(120);
/// Largest clone.
const LARGEST_CLONE: u64 = 2 << 30;
/// Most bytes read out of a repository.
const LARGEST_TEXT: u64 = 512 << 20;

/// The git source.
pub(super) struct Git;

#[async_trait::async_trait]
impl Source for Git {
    fn kind(&self) -> SourceKind {
        SourceKind::Git
    }

    async fn fetch_with(
        &self,
        place: &Place,
        sandbox: &Sandbox,
        scratch: &Path,
        outside: &Outside,
    ) -> Result<Fetched, Failure> {
        let mut fetched = self.fetch(place, sandbox, scratch).await?;
        describe(&mut fetched, &place.origin, outside).await;
        Ok(fetched)
    }

    async fn fetch(&self, place: &Place, _sandbox: &Sandbox, scratch: &Path) -> Result<Fetched, Failure> {
        let remote = Remote::parse(place)?;
        let clone = scratch.join("clone.git");
        let git = Runner { scratch };
        git.clone(&remote, &clone).await?;
        let commit = git.output(&clone, &["rev-parse", "--verify", "HEAD^{commit}"]).await.map_err(|_| {
            Failure::new(
                failure::EMPTY,
                format!("the repository \"{}\" has no commit; commit its content first", remote.shown),
            )
        })?;
        let commit = String::from_utf8_lossy(&commit).trim().to_owned();
        let listing = git.output(&clone, &["ls-tree", "-r", "-z", "-l", "--full-tree", &commit]).await?;
        let files = listed(&listing);
        let blobs = git.blobs(&clone, &files).await?;
        let (title, shown) = (title_of_path(&remote.name), remote.shown.clone());
        let sizes = files.into_iter().map(|file| (file.path, file.size)).collect();
        blocking(move || collect(&title, &shown, sizes, &Blobs(blobs), Some(commit))).await
    }
}

async fn describe(fetched: &mut Fetched, origin: &str, outside: &Outside) {
    let Some(github) = &outside.github else { return };
    match github.about(origin, &outside.hosts).await {
        Some(Ok(about)) => fetched.outline.about = Some(about),
        Some(Err(warning)) => fetched.warnings.push(warning),
        None => {}
    }
}

/// Where to clone from, taken apart and put together again.
struct Remote {
    address: String,
    name: String,
    shown: String,
    local: bool,
    bundle: bool,
    /// Branch or tag.
    reference: Option<String>,
}

/// What git allows in the name of a branch or tag, and less: nothing that could be an option or an expression.
fn good_reference(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let steps =
        || name.split('/').all(|step| !step.is_empty() && !step.starts_with(['-', '.']) && !step.ends_with(".lock"));
    name.len() <= 200 && name.chars().all(letter) && steps() && !name.contains("..") && !name.ends_with('.')
}

/// The address that `OWNER/REPO` or `OWNER/REPO@REF` stands for on GitHub.
pub(super) fn of_github(text: &str) -> Option<String> {
    let (project, reference) = text.split_once('@').map_or((text, None), |(project, name)| (project, Some(name)));
    let (owner, name) = project.split_once('/')?;
    let plain = |part: &str, more: &[char]| {
        let letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || more.contains(&c);
        (1..=100).contains(&part.len()) && !part.starts_with(['-', '.']) && part.chars().all(letter)
    };
    let good = plain(owner, &[]) && plain(name, &['_', '.']) && reference.is_none_or(good_reference);
    good.then(|| format!("https://github.com/{text}"))
}

impl Remote {
    fn parse(place: &Place) -> Result<Self, Failure> {
        let origin = place.origin.as_str();
        if origin.contains("://") || origin.contains("::") {
            return Self::https(origin);
        }
        let path = place.path()?;
        let shown = place.shown().to_owned();
        let state = std::fs::metadata(path).map_err(|error| cannot_open(&shown, &error))?;
        let path = path.canonicalize().map_err(|error| cannot_open(&shown, &error))?;
        let text = path.to_str().ok_or_else(|| {
            Failure::new(failure::UNREADABLE, format!("the path \"{shown}\" is not UTF-8; rename it"))
        })?;
        let bare = path.join("HEAD").is_file() && path.join("objects").is_dir();
        if state.is_dir() && !bare && !path.join(".git").exists() {
            let message = format!("\"{shown}\" is not a git repository; use \"ingest dir\" for a plain folder");
            return Err(Failure::new(failure::GIT_FAILED, message));
        }
        let name =
            path.file_name().map(|name| name.to_string_lossy().trim_end_matches(".git").to_owned()).unwrap_or_default();
        Ok(Self { address: text.to_owned(), name, shown, local: true, bundle: state.is_file(), reference: None })
    }

    /// `https://host/path`, with a branch or tag behind `@`, and nothing else; the address is rebuilt from its parts.
    fn https(origin: &str) -> Result<Self, Failure> {
        let refuse =
            |why: &str| Failure::new(failure::GIT_FAILED, format!("the address \"{origin}\" is refused: {why}"));
        // These the parser would take out or turn into others in silence.
        if origin.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(refuse("it has spaces, controls or backslashes"));
        }
        let url = url::Url::parse(origin).map_err(|error| refuse(&error.to_string()))?;
        if url.scheme() != "https" {
            return Err(refuse("only https addresses, local paths and bundles are read"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it must be host and path only"));
        }
        let Some(url::Host::Domain(host)) = url.host() else { return Err(refuse("it must name a host")) };
        let (path, reference) = match url.path().split_once('@') {
            Some((path, reference)) if good_reference(reference) => (path, Some(reference.to_owned())),
            Some(_) => return Err(refuse("it names no branch or tag behind the @")),
            None => (url.path(), None),
        };
        let path = path.trim_matches('/');
        let good = |part: &str| {
            !part.is_empty()
                && !part.starts_with(['-', '.'])
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~'))
        };
        if path.is_empty() || !path.split('/').all(good) {
            return Err(refuse("its path has unusual characters"));
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".git").to_owned();
        Ok(Self {
            address: format!("https://{host}{port}/{path}"),
            name,
            shown: origin.to_owned(),
            local: false,
            bundle: false,
            reference,
        })
    }
}

/// Ends what a command of git has started, when the command itself is given up.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let Some(id) = self.0.and_then(|id| i32::try_from(id).ok()) else { return };
        // A group that has ended by itself is no fault.
        let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGKILL);
    }
}

struct Runner<'s> {
    scratch: &'s Path,
}

impl Runner<'_> {
    /// A git command that reads no configuration but ours, asks nothing and runs nothing.
    fn command(&self) -> Command {
        let mut command = Command::new("git");
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.scratch)
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_GLOBAL", self.scratch.join("gitconfig"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "true")
            .env("GIT_LFS_SKIP_SMUDGE", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .current_dir(self.scratch)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .process_group(0);
        for setting in [
            "protocol.allow=never",
            "http.followRedirects=false",
            "core.hooksPath=/dev/null",
            "core.symlinks=false",
            "core.fsmonitor=false",
            "core.attributesFile=/dev/null",
            "credential.helper=",
            "transfer.fsckObjects=true",
            "gc.auto=0",
        ] {
            command.args(["-c", setting]);
        }
        command
    }

    async fn clone(&self, remote: &Remote, into: &Path) -> Result<(), Failure> {
        // A repository of another user is read when the operator names it: only that path is trusted.
        let trusted = if remote.local {
            let quoted = remote.address.replace('\\', "\\\\").replace('"', "\\\"");
            format!("[safe]\n\tdirectory = \"{quoted}\"\n\tdirectory = \"{quoted}/.git\"\n")
        } else {
            String::new()
        };
        let config = self.scratch.join("gitconfig");
        std::fs::write(&config, trusted).map_err(|error| cannot_open(&config.to_string_lossy(), &error))?;
        let mut command = self.command();
        command.args(["-c", if remote.local { "protocol.file.allow=always" } else { "protocol.https.allow=always" }]);
        command.args([
            "clone",
            "--quiet",
            "--bare",
            "--single-branch",
            "--no-tags",
            "--no-recurse-submodules",
            "--template=",
        ]);
        if !remote.bundle {
            command.args(["--depth", "1"]);
        }
        if remote.local {
            command.arg("--no-local");
        } else {
            command.arg("--filter=blob:limit=1m");
        }
        if let Some(reference) = &remote.reference {
            // Joined by =, so that no name is ever an option.
            command.arg(format!("--branch={reference}"));
        }
        command.arg("--").arg(&remote.address).arg(into);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let missing = |error: std::io::Error| {
            let message = if error.kind() == std::io::ErrorKind::NotFound {
                "git is not installed; install it with your package manager".to_owned()
            } else {
                format!("git cannot be run: {error}")
            };
            Failure::new(failure::GIT_FAILED, message)
        };
        let mut child = command.spawn().map_err(missing)?;
        let _group = Group(child.id());
        let mut stderr = child.stderr.take();
        let errors = async {
            let mut text = Vec::new();
            if let Some(stderr) = &mut stderr {
                // What git says is a hint; losing it loses nothing else.
                let _ = stderr.take(16 * 1024).read_to_end(&mut text).await;
            }
            String::from_utf8_lossy(&text).into_owned()
        };
        let watch = async {
            loop {
                tokio::time::sleep(Duration::from_millis(500)).await;
                let folder = into.to_owned();
                let size = tokio::task::spawn_blocking(move || folder_size(&folder)).await.unwrap_or_default();
                if size > LARGEST_CLONE {
                    return;
                }
            }
        };
        let finished = async { tokio::join!(child.wait(), errors) };
        let shown = &remote.shown;
        let (status, said) = tokio::select! {
            ended = tokio::time::timeout(CLONE, finished) => ended.map_err(|_| Failure::new(failure::GIT_FAILED, format!("cloning \"{shown}\" took longer than {} s; try again or ingest a local clone", CLONE.as_secs())))?,
            () = watch => return Err(Failure::new(failure::TOO_LARGE, format!("the repository \"{shown}\" is larger than 2 GiB; ingest a folder of it"))),
        };
        match status {
            Ok(status) if status.success() => Ok(()),
            _ => Err(clone_failure(remote, &said)),
        }
    }

    /// The output of a command on the clone, bounded.
    async fn output(&self, clone: &Path, arguments: &[&str]) -> Result<Vec<u8>, Failure> {
        let failed = |why: String| {
            Failure::new(
                failure::GIT_FAILED,
                format!("git {} failed: {why}", arguments.first().copied().unwrap_or_default()),
            )
        };
        let mut command = self.command();
        command.arg("--git-dir").arg(clone).args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let stdout = child.stdout.take().ok_or_else(|| failed("no output".into()))?;
        let read = async {
            let mut bytes = Vec::new();
            stdout.take(128 << 20).read_to_end(&mut bytes).await?;
            Ok::<_, std::io::Error>((bytes, child.wait().await?))
        };
        let (bytes, status) = tokio::time::timeout(READ, read)
            .await
            .map_err(|_| failed("it took too long".into()))?
            .map_err(|error| failed(error.to_string()))?;
        if status.success() { Ok(bytes) } else { Err(failed(status.to_string())) }
    }

    /// The blobs of the documents and of the files that they may include, by path.
    async fn blobs(&self, clone: &Path, files: &[File]) -> Result<HashMap<String, Vec<u8>>, Failure> {
        let failed = |why: &str| {
            Failure::new(failure::GIT_FAILED, format!("git cat-file failed: {why}; run git fsck on the repository"))
        };
        let mut command = self.command();
        command
            .arg("--git-dir")
            .arg(clone)
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| failed(&error.to_string()))?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("no pipes"));
        };
        let mut wanted: Vec<&File> = files.iter().filter(|file| file.wanted()).collect();
        // Documents first: what they may include is cut when the repository is huge.
        wanted.sort_by_key(|file| Format::of(&file.path).is_none());
        let mut total = 0_u64;
        wanted.retain(|file| {
            total += file.size;
            total <= LARGEST_TEXT
        });
        let ask: String = wanted.iter().map(|file| format!("{}\n", file.id)).collect();
        let write = async move {
            // A reader that stopped is noticed by the reading side.
            let _ = stdin.write_all(ask.as_bytes()).await;
        };
        let read = async {
            let mut output = BufReader::with_capacity(256 * 1024, stdout);
            let mut blobs = HashMap::new();
            for file in wanted {
                let mut head = String::new();
                output.read_line(&mut head).await?;
                let size: Option<u64> = head.trim().rsplit(' ').next().and_then(|size| size.parse().ok());
                let (Some(size), true) = (size.filter(|size| *size <= LARGEST_PDF), head.contains(" blob ")) else {
                    // A blob above the clone's filter is not here; its document is reported as unreadable.
                    continue;
                };
                let mut bytes = vec![0; usize::try_from(size).unwrap_or_default() + 1];
                output.read_exact(&mut bytes).await?;
                bytes.pop();
                blobs.insert(file.path.clone(), bytes);
            }
            Ok::<_, std::io::Error>(blobs)
        };
        let both = async { tokio::join!(write, read).1 };
        let blobs = tokio::time::timeout(READ, both)
            .await
            .map_err(|_| failed("it took too long"))?
            .map_err(|error| failed(&error.to_string()))?;
        Ok(blobs)
    }
}

pub(super) fn folder_size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(state) if state.is_dir() => folder_size(&entry.path()),
            Ok(state) => state.len(),
            Err(_) => 0,
        })
        .sum()
}

fn clone_failure(remote: &Remote, said: &str) -> Failure {
    let line = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    let line: String = line.chars().filter(|c| !c.is_control()).take(200).collect();
    let lower = said.to_lowercase();
    let advice = if lower.contains("could not resolve") || lower.contains("failed to connect") {
        "check the network, or ingest a local clone"
    } else if remote.reference.is_some() && lower.contains("remote branch") {
        "name a branch or tag that the repository has"
    } else if lower.contains("authentication")
        || lower.contains("could not read username")
        || lower.contains("not found")
    {
        "the repository must exist and be public; ingest a local clone of a private one"
    } else if remote.bundle {
        "make the bundle again with \"git bundle create FILE --all\""
    } else {
        "check it with \"git fsck\" and try again"
    };
    Failure::new(failure::GIT_FAILED, format!("git could not clone \"{}\": {line}; {advice}", remote.shown))
}

struct File {
    id: String,
    size: u64,
    path: String,
}

impl File {
    /// Documents, and small text that a document may include.
    fn wanted(&self) -> bool {
        Format::of(&self.path).map_or(self.size <= 256 * 1024, |format| self.size <= super::dir::largest(format))
    }
}

/// Regular files of `ls-tree -r -z -l`; links and submodules are left out, hidden folders too.
fn listed(listing: &[u8]) -> Vec<File> {
    listing
        .split(|byte| *byte == 0)
        .filter_map(|line| {
            let line = std::str::from_utf8(line).ok()?;
            let (head, path) = line.split_once('\t')?;
            let mut fields = head.split_whitespace();
            let (mode, kind, id, size) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
            let regular = kind == "blob" && matches!(mode, "100644" | "100755");
            let visible = !path.split('/').any(|part| part.starts_with('.'));
            (regular && visible).then(|| File {
                id: id.to_owned(),
                size: size.parse().unwrap_or(0),
                path: path.to_owned(),
            })
        })
        .collect()
}

struct Blobs(HashMap<String, Vec<u8>>);

impl Reader for Blobs {
    fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        self.0.get(path).cloned()
    }
}
