//! Serving a blob with ranges (RFC 9110, section 14), so that players can seek.

use std::ops::Range;
use std::sync::Arc;

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt as _, KeyIvInit as _};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::media::protect::{self, Wanted};
use domain::{Error, ErrorKind, InstitutionId};
use store::blob::{BlobRef, Blobs};
use tokio_util::io::ReaderStream;

use crate::error::{ApiError, ApiResult, BAD_RANGE};

/// Kinds that a browser may show in place; everything else is a download.
const SHOWN: [&str; 4] = ["video/", "audio/", "image/", "application/pdf"];

/// Answers the blob, or the part of it that was asked for.
pub(crate) async fn serve(
    blobs: &Arc<dyn Blobs>,
    institution: InstitutionId,
    blob: &BlobRef,
    asked: &HeaderMap,
) -> ApiResult<Response> {
    let shown = SHOWN.iter().any(|kind| blob.media_type.starts_with(kind)) && !blob.media_type.contains("svg");
    serve_as(blobs, institution, blob, asked, shown).await
}

/// Answers a playlist; it is small and is sent whole.
pub(crate) fn playlist(text: String, tag: &str, asked: &HeaderMap) -> Response {
    let etag = format!("\"{tag}\"");
    if asked.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, "application/vnd.apple.mpegurl".to_owned()),
        (header::ETAG, etag),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
    ];
    (headers, text).into_response()
}

/// Answers a small text that was made for this request.
pub(crate) fn text(text: String, kind: &'static str, asked: &HeaderMap) -> Response {
    use sha2::Digest as _;
    let etag = format!("\"{}\"", hex::encode(sha2::Sha256::digest(&text)));
    if asked.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::ETAG, etag),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
    ];
    (headers, text).into_response()
}

/// Answers the key of a protected recording; nobody keeps it.
pub(crate) fn key(key: [u8; 16]) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    (headers, key.to_vec()).into_response()
}

/// Most bytes of a segment, which is encrypted in memory: 12 s at the highest rate that is made or taken over.
const MOST_SEGMENT: u64 = 64 << 20;

/// Answers a part of a protected stream, made from the playlist and the stream as they are kept.
pub(crate) async fn protected(
    blobs: &Arc<dyn Blobs>,
    institution: InstitutionId,
    wanted: Wanted<'_>,
    (playlist, data): (&BlobRef, &BlobRef),
    key: &[u8; 16],
    asked: &HeaderMap,
) -> ApiResult<Response> {
    let plain = blobs.get(institution, &playlist.key).await?;
    let plain = String::from_utf8_lossy(&plain);
    let missing = || Error::not_found("segment of stream", wanted.stem());
    let (range, number) = match wanted {
        Wanted::Playlist { stem } => {
            let kind = "application/vnd.apple.mpegurl";
            return Ok(text(protect::playlist(&plain, stem), kind, asked));
        }
        Wanted::Head { .. } => (protect::head(&plain).ok_or_else(missing)?, None),
        Wanted::Segment { number, .. } => (protect::segment(&plain, number).ok_or_else(missing)?, Some(number)),
    };
    if range.end > data.size || range.end - range.start > MOST_SEGMENT {
        return Err(missing().into());
    }
    let mut read = blobs.open_range(institution, &data.key, Some(range)).await?;
    let mut bytes = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut read.reader, &mut bytes)
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, format!("a segment cannot be read: {error}")))?;
    if let Some(number) = number {
        let key = *key;
        let sealed = tokio::task::spawn_blocking(move || {
            let length = bytes.len();
            // The padding is one to sixteen bytes.
            bytes.resize(length / 16 * 16 + 16, 0);
            cbc::Encryptor::<aes::Aes128>::new(&key.into(), &protect::vector(number).into())
                .encrypt_padded::<Pkcs7>(&mut bytes, length)
                .is_ok()
                .then_some(bytes)
        });
        let sealed = sealed.await.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        bytes = sealed.ok_or_else(|| Error::new(ErrorKind::Internal, "a segment cannot be encrypted"))?;
    }
    let headers = [
        (header::CONTENT_TYPE, if number.is_some() { "application/octet-stream" } else { "video/mp4" }),
        (header::CACHE_CONTROL, "private, no-cache"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    Ok((headers, bytes).into_response())
}

/// As [`serve`], for a blob that was made here: its type is ours and may be shown.
pub(crate) async fn serve_made(
    blobs: &Arc<dyn Blobs>,
    institution: InstitutionId,
    blob: &BlobRef,
    asked: &HeaderMap,
) -> ApiResult<Response> {
    serve_as(blobs, institution, blob, asked, true).await
}

async fn serve_as(
    blobs: &Arc<dyn Blobs>,
    institution: InstitutionId,
    blob: &BlobRef,
    asked: &HeaderMap,
    shown: bool,
) -> ApiResult<Response> {
    let etag = format!("\"{}\"", blob.sha256);
    let matches = |name| asked.get(name).is_some_and(|value: &HeaderValue| value.as_bytes() == etag.as_bytes());
    if matches(header::IF_NONE_MATCH) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let wanted = asked
        .get(header::RANGE)
        // A range of another state of the content is no range of this one.
        .filter(|_| !asked.contains_key(header::IF_RANGE) || matches(header::IF_RANGE))
        .and_then(|value| value.to_str().ok())
        .and_then(|text| parse(text, blob.size));
    let range = match wanted {
        Some(Ok(range)) => Some(range),
        Some(Err(())) => {
            let message = format!("the content has {} bytes", blob.size);
            return Err(ApiError::new(ErrorKind::ValidationError, BAD_RANGE, message));
        }
        None => None,
    };
    let reader = blobs.open_range(institution, &blob.key, range.clone()).await?;
    let length = reader.range.end.saturating_sub(reader.range.start);
    let mut response = Body::from_stream(ReaderStream::with_capacity(reader.reader, 64 * 1024)).into_response();
    let mut put = |name: header::HeaderName, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    };
    put(header::CONTENT_TYPE, if shown { blob.media_type.clone() } else { "application/octet-stream".into() });
    put(header::CONTENT_DISPOSITION, if shown { "inline".into() } else { "attachment".into() });
    put(header::CONTENT_LENGTH, length.to_string());
    put(header::ACCEPT_RANGES, "bytes".into());
    put(header::ETAG, etag);
    put(header::CACHE_CONTROL, "private, no-cache".into());
    put(header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".into());
    if range.is_some() {
        let end = reader.range.end.saturating_sub(1);
        put(header::CONTENT_RANGE, format!("bytes {}-{end}/{}", reader.range.start, reader.size));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// One range of bytes; several, or another unit, are answered with the whole (the standard allows it).
fn parse(text: &str, size: u64) -> Option<Result<Range<u64>, ()>> {
    let spec = text.strip_prefix("bytes=")?;
    let (first, last) = spec.split_once('-').filter(|_| !spec.contains(','))?;
    let range = match (first.trim(), last.trim()) {
        ("", suffix) => {
            let count: u64 = suffix.parse().ok()?;
            size.saturating_sub(count)..size
        }
        (first, "") => first.parse().ok()?..size,
        (first, last) => {
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            if last < first {
                return None;
            }
            first..last.saturating_add(1).min(size)
        }
    };
    Some(if range.start < range.end { Ok(range) } else { Err(()) })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_range_is_cut_at_the_end_and_refused_behind_it() {
        assert_eq!(parse("bytes=0-3", 10), Some(Ok(0..4)));
        assert_eq!(parse("bytes=8-99", 10), Some(Ok(8..10)));
        assert_eq!(parse("bytes=4-", 10), Some(Ok(4..10)));
        assert_eq!(parse("bytes=-3", 10), Some(Ok(7..10)));
        assert_eq!(parse("bytes=10-12", 10), Some(Err(())));
        assert_eq!(parse("bytes=-0", 10), Some(Err(())));
        assert_eq!(parse("bytes=5-2", 10), None);
        assert_eq!(parse("bytes=0-1,4-5", 10), None);
        assert_eq!(parse("lines=0-1", 10), None);
    }
}
