//! A child at work: what it is asked, what it answers, and its end.

use std::time::Duration;

use domain::ingestion::{Failure, failure};
use tokio::io::AsyncWriteExt;
use tokio::process::Child;
use tokio::time::Instant;

use super::reply::Reply;
use super::unpacking::Unpacking;
use super::{Level, Package, Request, frame};
use crate::parse::package::Bundle;

pub(super) struct Running {
    pub(super) child: Child,
    pub(super) stdin: Option<tokio::process::ChildStdin>,
    pub(super) stdout: tokio::io::BufReader<tokio::process::ChildStdout>,
    pub(super) subject: String,
    pub(super) time: Duration,
}

impl Running {
    pub(super) fn killed(&self, why: &str) -> Failure {
        let message = format!(
            "the parser stopped on \"{}\": {why}; the file is broken, hostile or too complex, so save it again from its program or split it",
            self.subject
        );
        Failure::new(failure::PARSER_KILLED, message)
    }

    pub(super) async fn ready(&mut self) -> Result<Level, Failure> {
        match self.reply(1 << 16).await? {
            (Reply::Ready(level), _) => Ok(level),
            _ => Err(self.killed("it answered out of turn")),
        }
    }

    pub(super) async fn ask(&mut self, request: &Request, body: &[u8], most: usize) -> Result<Reply, Failure> {
        self.ask_whole(request, body, most).await.map(|(reply, _)| reply)
    }

    async fn ask_whole(&mut self, request: &Request, body: &[u8], most: usize) -> Result<(Reply, Vec<u8>), Failure> {
        let bytes = frame::encode(request, body).map_err(|error| self.killed(&error.to_string()))?;
        let Some(mut stdin) = self.stdin.take() else { return Err(self.killed("it has no input")) };
        // Written beside the read: a child that answers early cannot block the parent.
        let write = async {
            // A child that died is noticed by the read.
            let _ = stdin.write_all(&bytes).await;
            let _ = stdin.flush().await;
            stdin
        };
        let (stdin, reply) = tokio::join!(write, self.reply(most));
        self.stdin = Some(stdin);
        reply
    }

    pub(super) async fn package(
        &mut self,
        answer: usize,
        most: usize,
        unpacking: &mut Unpacking<'_>,
    ) -> Result<Package, Failure> {
        self.ready().await?;
        let deadline = Instant::now() + self.time;
        let mut pages = Vec::new();
        let mut size = 0_usize;
        loop {
            let (reply, body) = self.reply_by(deadline, answer).await?;
            match reply {
                Reply::Page(mut page) => {
                    size += body.len();
                    if size > most {
                        let message = format!(
                            "the pages of \"{}\" are larger than {} MiB together; split the package",
                            self.subject,
                            most >> 20
                        );
                        return Err(Failure::new(failure::TOO_LARGE, message));
                    }
                    page.bytes = body;
                    pages.push(page);
                }
                Reply::Part { path } => unpacking.take(path, &body).await?,
                Reply::Package(outcome) => return outcome.map(|package| Package { pages, ..*package }),
                _ => return Err(self.killed("it answered out of turn")),
            }
        }
    }

    pub(super) async fn bundle(
        &mut self,
        asked: Option<(Request, Vec<u8>)>,
        most: usize,
        unpacking: &mut Unpacking<'_>,
    ) -> Result<Bundle, Failure> {
        self.ready().await?;
        let deadline = Instant::now() + self.time;
        let (mut reply, mut body) = match asked {
            Some((request, bytes)) => self.ask_whole(&request, &bytes, most).await?,
            None => self.reply(most).await?,
        };
        while let Reply::Part { path } = reply {
            unpacking.take(path, &body).await?;
            (reply, body) = self.reply_by(deadline, most).await?;
        }
        let Reply::Bundle(outcome) = reply else { return Err(self.killed("it answered out of turn")) };
        let mut bundle = *outcome?;
        let mut at = 0_usize;
        for page in &mut bundle.pages {
            let end = at.saturating_add(page.size);
            let Some(bytes) = body.get(at..end) else {
                return Err(self.killed("it answered with less than it said"));
            };
            page.bytes = bytes.to_vec();
            at = end;
        }
        Ok(bundle)
    }

    /// The next of several replies, which come by `deadline` together.
    async fn reply_by(&mut self, deadline: Instant, most: usize) -> Result<(Reply, Vec<u8>), Failure> {
        let reply = tokio::time::timeout_at(deadline, self.reply(most)).await;
        reply.map_err(|_| self.killed("it took too long"))?
    }

    pub(super) async fn reply(&mut self, most: usize) -> Result<(Reply, Vec<u8>), Failure> {
        let read = frame::read_async::<Reply, _>(&mut self.stdout, most);
        match tokio::time::timeout(self.time, read).await {
            Ok(Ok((reply, body))) => Ok((reply.bounded(), body)),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                let status = tokio::time::timeout(Duration::from_secs(2), self.child.wait()).await;
                let why = match status {
                    Ok(Ok(status)) => how_it_ended(status),
                    _ => "it closed its output".to_owned(),
                };
                Err(self.killed(&why))
            }
            Ok(Err(error)) => Err(self.killed(&error.to_string())),
            Err(_) => Err(self.killed(&format!("it took longer than {} s", self.time.as_secs()))),
        }
    }

    /// Ends the child and whatever it started.
    pub(super) async fn stop(mut self) {
        drop(self.stdin.take());
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            // Already gone is what we want.
            let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGKILL);
        }
        let _ = self.child.wait().await;
    }
}

pub(super) fn how_it_ended(status: std::process::ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.signal(), status.code()) {
        (Some(24), _) => "it used more processor time than a document may".into(),
        (Some(6), _) => "it ran out of memory or failed a check".into(),
        (Some(11 | 7), _) => "it ran out of stack".into(),
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "it ended".into(),
    }
}
