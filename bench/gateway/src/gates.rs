//! What must hold before a figure counts: bytes as the upstream wrote them, deaths told, gone clients
//! passed on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use memchr::memmem;

use crate::client::{Connection, End, Reply};
use crate::message::{self, Prompt};
use crate::plan::{DIRECT, Target};
use crate::rounds;

/// The longest between a client's going and the upstream's knowing.
const CANCEL_LIMIT: Duration = Duration::from_millis(50);
const CANCEL_TRIES: usize = 5;
const HANG: Duration = Duration::from_millis(60);
/// The longest for a gateway to trust the upstream again after the deaths that the gates caused.
const RECOVERY: Duration = Duration::from_secs(90);

/// The findings on one target; `None` means held, else what was seen.
pub(crate) struct Verdict {
    findings: Vec<(String, Option<String>)>,
}

impl Verdict {
    /// Whether every gate held.
    pub(crate) fn correct(&self) -> bool {
        self.findings.iter().all(|(_, seen)| seen.is_none())
    }

    /// One line for people.
    pub(crate) fn line(&self, target: &Target) -> String {
        let held: Vec<&str> =
            self.findings.iter().filter(|(_, seen)| seen.is_none()).map(|(gate, _)| gate.as_str()).collect();
        let mut lines = format!("  {:<12} held: {}", target.name, held.join("; "));
        for (gate, seen) in &self.findings {
            if let Some(seen) = seen {
                lines.push_str(&format!("\n  {:<12} NOT HELD: {gate}: {seen}", ""));
            }
        }
        lines
    }
}

/// Tries every gate on one target.
pub(crate) async fn check(target: &Target, stub_port: u16) -> Result<Verdict> {
    let mut verdict = Verdict { findings: Vec::new() };
    let streams: String = message::pieces().concat();
    let plain = format!("{streams}data: [DONE]\n\n");
    let counted = format!("{streams}{}data: [DONE]\n\n", message::usage_piece());
    let stream = r#","stream":true"#;
    let usage = r#","stream":true,"stream_options":{"include_usage":true}"#;
    let cases = [
        ("body identical", "plain", "", message::completion()),
        ("stream identical", "plain", stream, plain.clone()),
        ("stream with usage identical", "plain", usage, counted),
        ("paused stream identical", "pause", stream, plain),
    ];
    for (gate, mark, extra, wanted) in cases {
        let seen = match ask(target, mark, extra).await {
            Ok(reply) => difference(&reply, wanted.as_bytes()),
            Err(error) => Some(error.to_string()),
        };
        verdict.findings.push((gate.to_owned(), seen));
    }
    for (gate, mark, extra) in [("gone client", "drip", stream), ("gone client before the first byte", "hang", "")] {
        let finding = match cancel(target, stub_port, mark, extra).await {
            Ok(slowest) if slowest <= CANCEL_LIMIT => {
                (format!("{gate} cancels in {:.1} ms", slowest.as_secs_f64() * 1e3), None)
            }
            Ok(slowest) => (gate.to_owned(), Some(format!("{:.0} ms", slowest.as_secs_f64() * 1e3))),
            Err(error) => (gate.to_owned(), Some(error.to_string())),
        };
        verdict.findings.push(finding);
    }
    if target.name != DIRECT {
        let died = ask(target, "die", stream).await;
        let seen = died.map_or_else(|error| Some(error.to_string()), silent_death);
        verdict.findings.push(("death in the stream told".to_owned(), seen));
        let dropped = ask(target, "drop", "").await;
        verdict.findings.push((
            "death before the first byte told".to_owned(),
            match dropped {
                Ok(reply) if reply.status >= 500 => None,
                Ok(reply) => Some(format!("status {}", reply.status)),
                Err(error) => Some(error.to_string()),
            },
        ));
        // Its breaker may have opened; the figures are those of a gateway that trusts its upstream.
        let again = rounds::wait(target, RECOVERY).await.err().map(|error| error.to_string());
        verdict.findings.push(("answers again after it".to_owned(), again));
    }
    Ok(verdict)
}

async fn ask(target: &Target, mark: &str, extra: &str) -> Result<Reply> {
    let mut prompt = Prompt::chat(target, mark, extra, rounds::fresh());
    Connection::new(target.port).exchange(prompt.next()).await
}

fn difference(reply: &Reply, wanted: &[u8]) -> Option<String> {
    if reply.status != 200 {
        return Some(format!("status {}", reply.status));
    }
    if reply.end == End::Cut {
        return Some("cut off".to_owned());
    }
    if reply.body == wanted {
        return None;
    }
    let at = reply.body.iter().zip(wanted).position(|(one, other)| one != other);
    Some(format!(
        "{} bytes instead of {}, apart from byte {}",
        reply.body.len(),
        wanted.len(),
        at.unwrap_or(reply.body.len().min(wanted.len()))
    ))
}

/// A stream whose upstream died must hold an event that says so, and must not say that it is done.
fn silent_death(reply: Reply) -> Option<String> {
    let holds = |text: &str| memmem::find(&reply.body, text.as_bytes()).is_some();
    let end = if reply.end == End::Cut { "cut off" } else { "clean end" };
    if reply.status >= 500 && reply.body.len() < 4_096 {
        return None;
    }
    let error = String::from_utf8_lossy(&reply.body).lines().any(|line| {
        line == "event: error" || line.strip_prefix("data:").is_some_and(|data| data.contains("\"error\""))
    });
    match (error, holds("[DONE]")) {
        (true, false) => None,
        (true, true) => Some("error event, then [DONE]".to_owned()),
        (false, true) => Some(format!("no error event, [DONE], {end}")),
        (false, false) => Some(format!("no error event, {end}")),
    }
}

/// The slowest of a few tries between the client's closing and the stub's seeing it.
async fn cancel(target: &Target, stub_port: u16, mark: &str, extra: &str) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    for _ in 0..CANCEL_TRIES {
        let name = rounds::fresh();
        let mut prompt = Prompt::chat(target, &format!("{mark}-{name}"), extra, name);
        let socket = Connection::new(target.port).abandon(prompt.next(), HANG).await?;
        // Within the stream rather than at its very beginning.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let closed = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
        drop(socket);
        let seen = closed_at(stub_port, name).await?;
        slowest = slowest.max(Duration::from_micros(u64::try_from(seen.saturating_sub(closed))?));
    }
    Ok(slowest)
}

async fn closed_at(stub_port: u16, name: u64) -> Result<u128> {
    let mut connection = Connection::new(stub_port);
    let request = format!("GET /control/closed/{name} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
    for _ in 0..200 {
        let reply = connection.exchange(request.as_bytes()).await?;
        if let Ok(at) = String::from_utf8_lossy(&reply.body).parse() {
            return Ok(at);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("not passed on within 2 s")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(body: &str, end: End) -> Reply {
        Reply { status: 200, first: None, end, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn only_an_error_event_without_done_tells_a_death() {
        let piece = "data: {\"choices\":[]}\n\n";
        let told = "data: {\"error\":{\"message\":\"the upstream closed\"}}\n\n";
        assert_eq!(silent_death(reply(&format!("{piece}{told}"), End::Whole)), None);
        assert_eq!(silent_death(reply(&format!("{piece}event: error\ndata: {{}}\n\n"), End::Whole)), None);
        assert!(silent_death(reply(&format!("{piece}{told}data: [DONE]\n\n"), End::Whole)).is_some());
        assert!(silent_death(reply(&format!("{piece}data: [DONE]\n\n"), End::Whole)).is_some());
        assert!(silent_death(reply(piece, End::Cut)).is_some());
        assert!(silent_death(reply(piece, End::Whole)).is_some());
    }

    #[test]
    fn one_other_byte_is_a_difference() {
        assert_eq!(difference(&reply("abc", End::Whole), b"abc"), None);
        assert!(difference(&reply("abd", End::Whole), b"abc").is_some());
        assert!(difference(&reply("ab", End::Whole), b"abc").is_some());
        assert!(difference(&reply("abc", End::Cut), b"abc").is_some());
    }
}
