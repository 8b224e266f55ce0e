//! Files from a model hub: https with a size limit, timeouts, a few tries, and resume.

use std::path::Path;
use std::time::Duration;

use futures::StreamExt;
use reqwest::{Client, StatusCode, Url, header};
use tokio::io::AsyncWriteExt;

use super::{Progress, accept};
use crate::catalog::CatalogFile;
use crate::error::Error;

const TRIES: u32 = 3;
const CONNECT: Duration = Duration::from_secs(10);
/// A transfer may take long, but not stand still for this long.
const SILENCE: Duration = Duration::from_secs(30);

/// Fetches `files` from `base` into `dir`.
pub(super) async fn fetch(base: &str, dir: &Path, files: &[&CatalogFile], progress: Progress<'_>) -> Result<(), Error> {
    let base = Url::parse(base).map_err(|error| Error::Program(format!("the hub's address is wrong: {error}")))?;
    // Plain http only on this machine: a mirror, or a test.
    let loopback = matches!(base.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    let client = Client::builder()
        .https_only(!loopback)
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .user_agent(concat!("lyceum/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Error::Program(format!("cannot set up https: {error}")))?;
    for file in files {
        let url = format!("{}/{}", base.as_str().trim_end_matches('/'), file.name);
        let mut reasons = Vec::new();
        let part = dir.join(format!("{}.part", file.name));
        for attempt in 0..TRIES {
            match download(&client, &url, &part, file, progress).await {
                Ok(()) => {
                    reasons.clear();
                    break;
                }
                Err(Failed { reason, again }) => {
                    reasons.push(reason);
                    if !again {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(500) * 2_u32.pow(attempt)).await;
                }
            }
        }
        if let Some(reason) = reasons.pop() {
            return Err(Error::Fetch { name: url, reasons: vec![reason] });
        }
        accept(part, dir, file).await?;
    }
    Ok(())
}

struct Failed {
    reason: String,
    again: bool,
}

impl Failed {
    fn again(error: impl std::fmt::Display) -> Self {
        Self { reason: error.to_string(), again: true }
    }
}

impl From<reqwest::Error> for Failed {
    fn from(error: reqwest::Error) -> Self {
        // A host that cannot be reached will not be reached in a second; a broken transfer may.
        let again = !error.is_connect() && !error.is_builder();
        let mut reason = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            reason = format!("{reason}: {cause}");
            source = cause.source();
        }
        Self { reason, again }
    }
}

async fn download(
    client: &Client,
    url: &str,
    part: &Path,
    file: &CatalogFile,
    progress: Progress<'_>,
) -> Result<(), Failed> {
    let mut have = tokio::fs::metadata(part).await.map_or(0, |metadata| metadata.len());
    if have > file.size {
        tokio::fs::remove_file(part).await.map_err(Failed::again)?;
        have = 0;
    }
    if have == file.size {
        return Ok(());
    }
    let mut request = client.get(url);
    if have > 0 {
        request = request.header(header::RANGE, format!("bytes={have}-"));
    }
    let response = request.send().await?;
    let status = response.status();
    match status {
        StatusCode::PARTIAL_CONTENT => {}
        StatusCode::OK => have = 0,
        _ => {
            let again = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
            return Err(Failed { reason: format!("the hub answered {status}"), again });
        }
    }
    let mut options = tokio::fs::OpenOptions::new();
    options.create(true).write(true);
    if have > 0 {
        options.append(true)
    } else {
        options.truncate(true)
    };
    let mut output = options.open(part).await.map_err(Failed::again)?;
    let mut body = response.bytes_stream();
    while let Some(piece) = body.next().await {
        let piece = piece?;
        have += piece.len() as u64;
        if have > file.size {
            drop(output);
            tokio::fs::remove_file(part).await.map_err(Failed::again)?;
            return Err(Failed { reason: format!("the hub sent more than {} bytes", file.size), again: false });
        }
        output.write_all(&piece).await.map_err(Failed::again)?;
        progress(&file.name, have, file.size);
    }
    output.flush().await.map_err(Failed::again)?;
    if have < file.size {
        return Err(Failed::again(format!("the transfer ended after {have} of {} bytes", file.size)));
    }
    Ok(())
}
