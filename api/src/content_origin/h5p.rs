//! The page that plays an H5P package, and the files of the player that the school supplies.
//!
//! The core of every H5P player is under the GPL, so that none is part of this program. The page here loads the
//! school's and hears what it reports; to everything else it is a SCORM 1.2 package (`web/src/player/h5p.ts`).

use std::path::Path;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use domain::{Error, ErrorKind};
use tokio::io::AsyncReadExt as _;

use super::media_type;

/// No player is set, or its files are not there.
pub(crate) const NO_PLAYER: &str = "H5P_PLAYER_UNSET";
/// Files that a player must have.
const NEEDED: [&str; 3] = ["main.bundle.js", "frame.bundle.js", "styles/h5p.css"];
/// Largest file of a player.
const LARGEST: u64 = 16 << 20;

const PAGE: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>H5P</title>\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
    <link rel=\"stylesheet\" href=\"core/styles/h5p.css\"><script src=\"core/main.bundle.js\"></script>\
    <script type=\"module\" src=\"../player/h5p.js\"></script></head><body><main id=\"content\"></main></body></html>";

/// Whether a folder holds a player.
///
/// # Errors
/// What is missing, and where to get it.
pub(crate) fn check(player: Option<&Path>) -> Result<&Path, Error> {
    let unset = |why: String| {
        let message = format!(
            "{why}: H5P packages are played by h5p-standalone, which whoever runs this server installs and names in \
             \"h5p_player\" (docs/scorm.md)"
        );
        Error::new(ErrorKind::Conflict, message).with_code(NO_PLAYER)
    };
    let player = player.ok_or_else(|| unset("no player is set".to_owned()))?;
    match NEEDED.iter().find(|name| !player.join(name).is_file()) {
        Some(missing) => Err(unset(format!("\"{missing}\" is not in \"{}\"", player.display()))),
        None => Ok(player),
    }
}

/// The page without a name, else a file of the player; nothing for a file that it does not have.
pub(super) async fn answer(player: Option<&Path>, name: Option<&str>) -> Result<Option<Response>, Error> {
    let player = check(player)?;
    let Some(name) = name else { return Ok(Some(Html(PAGE).into_response())) };
    let Some(path) = name.strip_prefix("core/") else { return Ok(None) };
    let Ok(file) = tokio::fs::File::open(player.join(path)).await else { return Ok(None) };
    let unreadable = |error: std::io::Error| {
        Error::new(ErrorKind::Unavailable, format!("a file of the H5P player cannot be read: {error}"))
    };
    if !file.metadata().await.map_err(unreadable)?.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).await.map_err(unreadable)?;
    let mut response = Response::new(Body::from(bytes));
    let kind = HeaderValue::from_static(media_type::of(path));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
    Ok(Some(response))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_player_is_served_from_its_folder_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(answer(None, None).await.unwrap_err().code, NO_PLAYER);
        let refused = answer(Some(folder.path()), None).await.unwrap_err();
        assert!(refused.code == NO_PLAYER && refused.message.contains("main.bundle.js"), "{refused}");
        std::fs::create_dir(folder.path().join("styles")).unwrap();
        for name in NEEDED {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let player = Some(folder.path());
        assert!(answer(player, None).await.unwrap().is_some());
        let script = answer(player, Some("core/main.bundle.js")).await.unwrap().unwrap();
        assert_eq!(script.headers()[header::CONTENT_TYPE], "text/javascript");
        for none in ["main.bundle.js", "core/", "core/styles", "core/none.js"] {
            assert!(answer(player, Some(none)).await.unwrap().is_none(), "{none}");
        }
    }
}
