//! The frame of both directions: length of the JSON, length of the body, JSON, body.

use std::io::{Error, ErrorKind, Read, Result, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt};

const HEAD: usize = 12;

pub(super) fn encode<T: Serialize>(value: &T, body: &[u8]) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(value)?;
    let length =
        u32::try_from(json.len()).map_err(|_| Error::new(ErrorKind::InvalidData, "the answer is too large"))?;
    let mut frame = Vec::with_capacity(HEAD + json.len() + body.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&(body.len() as u64).to_le_bytes());
    frame.extend_from_slice(&json);
    frame.extend_from_slice(body);
    Ok(frame)
}

pub(super) fn write<T: Serialize>(output: &mut impl Write, value: &T, body: &[u8]) -> Result<()> {
    output.write_all(&encode(value, body)?)?;
    output.flush()
}

/// The lengths of a frame, refused above `most`.
fn lengths(head: [u8; HEAD], most: usize) -> Result<(usize, usize)> {
    let (json, body) = head.split_at(4);
    let json = json.iter().rev().fold(0_usize, |value, byte| value << 8 | usize::from(*byte));
    let body = body.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let body = usize::try_from(body).unwrap_or(usize::MAX);
    if json.saturating_add(body) > most {
        return Err(Error::new(ErrorKind::InvalidData, "its answer is larger than allowed"));
    }
    Ok((json, body))
}

/// `None` at the end of the input.
pub(super) fn read<T: DeserializeOwned>(input: &mut impl Read, most: usize) -> Result<Option<(T, Vec<u8>)>> {
    let mut head = [0; HEAD];
    match input.read_exact(&mut head) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let (json, body) = lengths(head, most)?;
    let mut bytes = vec![0; json + body];
    input.read_exact(&mut bytes)?;
    let body = bytes.split_off(json);
    Ok(Some((serde_json::from_slice(&bytes)?, body)))
}

pub(super) async fn read_async<T: DeserializeOwned, R: AsyncRead + Unpin>(
    input: &mut R,
    most: usize,
) -> Result<(T, Vec<u8>)> {
    let mut head = [0; HEAD];
    input.read_exact(&mut head).await?;
    let (json, body) = lengths(head, most)?;
    // Grows with what arrives, not with what the head claims.
    let mut bytes = Vec::new();
    let length = u64::try_from(json + body).unwrap_or(u64::MAX);
    input.take(length).read_to_end(&mut bytes).await?;
    if bytes.len() < json + body {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let body = bytes.split_off(json);
    Ok((serde_json::from_slice(&bytes)?, body))
}
