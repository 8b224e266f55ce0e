//! Video pages: only listed hosts; with the real yt-dlp where it is installed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;

use domain::ingestion::SourceKind;
use serde_json::json;

use super::stand_in::{StandIn, metadata};
use super::{parsed, text};

const PAGE: &str = "https://video.example.org/talk?id=7";
const VTT: &str = "WEBVTT\n\n00:01.000 --> 00:03.000\nBread is baked.\n";

#[tokio::test]
async fn a_page_of_a_listed_host_becomes_a_lesson() {
    let site = StandIn::new().hosts(&["Video.Example.org"]);
    let mut info = metadata("talk", "A talk");
    info["subtitles"] = json!({"en": [{"ext": "vtt", "url": "https://video.example.org/talk.vtt"}]});
    site.page(PAGE, &json!({"_type": "playlist", "entries": [info]}));
    site.write("captions", VTT);
    site.write("ext", "vtt");
    let fetched = site.fetch_with(SourceKind::VideoPage, &format!("{PAGE}#here"), false).await.unwrap();
    let document = &fetched.documents[0];
    assert_eq!(parsed(document), ["cue: Bread is baked. @1000-3000"]);
    assert_eq!(document.extra["player"]["provider"], "page");
    assert_eq!(document.extra["player"]["url"], PAGE);
    let call = site.calls().into_iter().nth(1).unwrap();
    assert!(
        call.contains("--use-extractors generic,html5 --no-playlist") && call.ends_with(&format!("-- {PAGE}")),
        "{call}"
    );
}

#[tokio::test]
async fn other_hosts_and_strange_addresses_run_nothing() {
    let site = StandIn::new().hosts(&["video.example.org", "127.0.0.1:8080"]);
    for (address, code) in [
        ("https://other.example.org/talk", "HOST_NOT_ALLOWED"),
        ("https://video.example.org.evil.example/", "HOST_NOT_ALLOWED"),
        ("https://video.example.org:8443/", "HOST_NOT_ALLOWED"),
        ("http://video.example.org/talk", "HOST_NOT_ALLOWED"),
        ("http://127.0.0.1/", "HOST_NOT_ALLOWED"),
        ("http://169.254.169.254/latest/meta-data", "HOST_NOT_ALLOWED"),
        ("https://[::1]/", "HOST_NOT_ALLOWED"),
        ("https://user:x@video.example.org/", "BAD_ADDRESS"),
        ("https://video.example.org@evil.example/", "BAD_ADDRESS"),
        ("https://video.example.org/a b", "BAD_ADDRESS"),
        ("https://video.example.org/\n--exec=x", "BAD_ADDRESS"),
        ("--exec=touch", "BAD_ADDRESS"),
        ("file:///etc/passwd", "BAD_ADDRESS"),
        ("video.example.org/talk", "BAD_ADDRESS"),
        ("ytsearch:cats", "BAD_ADDRESS"),
    ] {
        let why = site.fetch_with(SourceKind::VideoPage, address, false).await.unwrap_err();
        assert_eq!(why.code, code, "{address}: {why}");
    }
    assert!(site.calls().is_empty());
    // Captions of a listed page that lie on another host are not fetched.
    let mut info = metadata("talk", "A talk");
    info["subtitles"] = json!({"en": [{"ext": "vtt", "url": "https://other.example.org/talk.vtt"}]});
    site.page(PAGE, &info);
    let why = site.fetch_with(SourceKind::VideoPage, PAGE, false).await.unwrap_err();
    assert_eq!(why.code, "NO_CAPTIONS");
}

/// A page with a recording and captions, served from this machine until the test ends.
fn serve() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(&stream);
                let mut head = String::new();
                let _ = reader.read_line(&mut head);
                let mut line = String::from("x");
                while !line.trim().is_empty() {
                    line.clear();
                    if reader.read_line(&mut line).unwrap_or(0) == 0 {
                        break;
                    }
                }
                let path = head.split(' ').nth(1).unwrap_or_default();
                let (kind, body): (&str, &[u8]) = match path {
                    "/talk.html" => ("text/html", b"<html><head><title>A talk on bread</title></head><body><video controls><source src=\"/talk.mp4\" type=\"video/mp4\"><track kind=\"subtitles\" srclang=\"en\" src=\"/talk.vtt\"></video></body></html>"),
                    "/talk.vtt" => ("text/vtt", VTT.as_bytes()),
                    "/talk.mp4" => ("video/mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"),
                    _ => ("text/html", b"<html><title>Nothing</title><p>No recording.</p></html>"),
                };
                let body = if head.starts_with("HEAD") { &[][..] } else { body };
                let mut out = &stream;
                let _ = write!(
                    out,
                    "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = out.write_all(body);
            });
        }
    });
    port
}

/// The program of `LYCEUM_TEST_YTDLP`, or one on `PATH`; says so when there is none.
fn real() -> Option<PathBuf> {
    let named = std::env::var_os("LYCEUM_TEST_YTDLP").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        named.or_else(|| std::env::split_paths(&path).map(|folder| folder.join("yt-dlp")).find(|file| file.is_file()));
    if found.is_none() {
        println!("skipped: no yt-dlp is installed (set LYCEUM_TEST_YTDLP)");
    }
    found
}

#[tokio::test]
async fn the_real_program_reads_a_page_of_this_machine() {
    let Some(program) = real() else { return };
    let host = format!("127.0.0.1:{}", serve());
    let mut site = StandIn::new().hosts(&[&host]);
    site.outside.ytdlp = program;
    let page = format!("http://{host}/talk.html");
    let fetched = site.fetch_with(SourceKind::VideoPage, &page, true).await.unwrap();
    let document = &fetched.documents[0];
    assert_eq!(parsed(document), ["cue: Bread is baked. @1000-3000"], "{}", text(document));
    assert_eq!(document.extra["player"]["title"], "A talk on bread");
    assert_eq!(document.extra["captions"]["kind"], "human");
    assert!(document.media.is_some(), "{:?}", fetched.warnings);
    let gone = site.fetch_with(SourceKind::VideoPage, &format!("http://{host}/empty"), false).await.unwrap_err();
    assert_eq!(gone.code, "UNSUPPORTED_FORMAT", "{gone}");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut away = StandIn::new().hosts(&[&closed.to_string()]);
    away.outside.ytdlp = site.outside.ytdlp.clone();
    let why = away.fetch_with(SourceKind::VideoPage, &format!("http://{closed}/x"), false).await.unwrap_err();
    assert_eq!(why.code, "OFFLINE", "{why}");
}
