//! Each way to fail, each with its type, in bounded time.

use std::time::{Duration, Instant};

use serde_json::json;

use super::ONE;
use super::stand_in::{StandIn, automatic, human, list, metadata};

/// What yt-dlp says, after its sources and its issue threads, and the type of it.
const SAID: &[(&str, &str)] = &[
    (
        "VIDEO_PRIVATE",
        "ERROR: [youtube] abcdefghij1: Private video. Sign in if you've been granted access to this video. Use --cookies-from-browser or --cookies for the authentication",
    ),
    ("VIDEO_REMOVED", "ERROR: [youtube] abcdefghij1: Video unavailable"),
    ("VIDEO_REMOVED", "ERROR: [youtube] abcdefghij1: Video unavailable. This video has been removed by the uploader"),
    (
        "VIDEO_REMOVED",
        "ERROR: [youtube] abcdefghij1: Video unavailable. This video is no longer available because the YouTube account associated with this video has been terminated.",
    ),
    (
        "GEO_BLOCKED",
        "ERROR: [youtube] abcdefghij1: Video unavailable. The uploader has not made this video available in your country",
    ),
    (
        "GEO_BLOCKED",
        "ERROR: [youtube] abcdefghij1: Video unavailable. This video contains content from ZDF, who has blocked it in your country on copyright grounds",
    ),
    (
        "LOGIN_WANTED",
        "ERROR: [youtube] abcdefghij1: Sign in to confirm you’re not a bot. Use --cookies-from-browser or --cookies for the authentication.",
    ),
    (
        "LOGIN_WANTED",
        "ERROR: [youtube] abcdefghij1: Sign in to confirm your age. This video may be inappropriate for some users. Use --cookies",
    ),
    (
        "LOGIN_WANTED",
        "ERROR: [youtube] abcdefghij1: This video is available to this channel's members on level: One (or any higher level). Join this channel to get access to members-only content and other exclusive perks.",
    ),
    (
        "RATE_LIMITED",
        "ERROR: [youtube] abcdefghij1: Unable to download API page: HTTP Error 429: Too Many Requests (caused by <HTTPError 429: Too Many Requests>)",
    ),
    (
        "RATE_LIMITED",
        "ERROR: [youtube] abcdefghij1: Video unavailable. This content isn't available, try again later. The current session has been rate-limited by YouTube for up to an hour.",
    ),
    (
        "RATE_LIMITED",
        "ERROR: [youtube] abcdefghij1: All player responses are invalid. Your IP is likely being blocked by Youtube",
    ),
    (
        "EXTRACTOR_BROKEN",
        "ERROR: [youtube] abcdefghij1: Failed to extract any player response; please report this issue on  https://github.com/yt-dlp/yt-dlp/issues?q= , filling out the appropriate issue template. Confirm you are on the latest version using  yt-dlp -U",
    ),
    ("EXTRACTOR_BROKEN", "Traceback (most recent call last):\n  File \"yt_dlp/__main__.py\"\nKeyError: 'x'"),
    ("EXTRACTOR_BROKEN", ""),
    (
        "OFFLINE",
        "ERROR: [youtube] abcdefghij1: Unable to download API page: <urllib3.connection.HTTPSConnection object at 0x1>: Failed to resolve 'www.youtube.com' ([Errno -3] Temporary failure in name resolution)",
    ),
    (
        "OFFLINE",
        "ERROR: [youtube] abcdefghij1: Unable to download API page: [Errno 111] Connection refused (caused by TransportError('[Errno 111] Connection refused'))",
    ),
    (
        "OFFLINE",
        "ERROR: [youtube] abcdefghij1: Unable to download API page: (<HTTPSConnection(host='www.youtube.com', port=443) at 0x1>, 'Connection to www.youtube.com timed out.')",
    ),
    ("LIVE_NOT_ENDED", "ERROR: [youtube] abcdefghij1: This live event will begin in 3 hours."),
    ("LIVE_NOT_ENDED", "ERROR: [youtube] abcdefghij1: Premieres in 20 minutes"),
    ("INTERNAL", "ERROR: unable to open for writing: [Errno 28] No space left on device: 'captions'"),
];

#[tokio::test]
async fn each_complaint_has_its_type_and_says_what_to_do() {
    for (code, said) in SAID {
        let site = StandIn::new();
        site.fails("abcdefghij1", said);
        let began = Instant::now();
        let why = site.fetch(ONE).await.unwrap_err();
        assert_eq!(why.code, *code, "{said}: {why}");
        assert!(why.message.contains(';'), "{code} says what to do: {why}");
        assert!(!why.message.contains("--cookies"), "{why}");
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}

#[tokio::test]
async fn a_run_that_ends_well_with_nothing_is_typed_by_its_warnings() {
    for (code, said) in SAID.iter().filter(|(_, said)| said.starts_with("ERROR: [youtube]")) {
        let site = StandIn::new();
        let mut info = metadata("abcdefghij1", "Nothing");
        info["formats"] = json!([]);
        info["availability"] = json!(null);
        site.video("abcdefghij1", &info);
        site.says("abcdefghij1", &said.replace("ERROR:", "WARNING:"));
        assert_eq!(site.fetch(ONE).await.unwrap_err().code, *code, "{said}");
    }
    for (availability, code) in
        [("private", "VIDEO_PRIVATE"), ("subscriber_only", "LOGIN_WANTED"), ("public", "EXTRACTOR_BROKEN")]
    {
        let site = StandIn::new();
        let mut info = metadata("abcdefghij1", "Nothing");
        info["formats"] = json!([]);
        info["availability"] = json!(availability);
        site.video("abcdefghij1", &info);
        assert_eq!(site.fetch(ONE).await.unwrap_err().code, code, "{availability}");
    }
}

#[tokio::test]
async fn no_captions_live_streams_and_odd_answers_are_typed() {
    let site = StandIn::new();
    let mut info = metadata("abcdefghij1", "Silent");
    info["automatic_captions"] = json!({"de": human("de"), "fr": human("fr")});
    site.video("abcdefghij1", &info);
    assert_eq!(site.fetch(ONE).await.unwrap_err().code, "NO_CAPTIONS", "translations of nothing are no captions");
    // Captions anywhere but at the site's own door are not fetched.
    info["subtitles"] = json!({"en": [{"ext": "json3", "url": "http://169.254.169.254/api/timedtext"}]});
    site.video("abcdefghij1", &info);
    assert_eq!(site.fetch(ONE).await.unwrap_err().code, "NO_CAPTIONS");
    info["subtitles"] = json!({"en": human("en")});
    for status in ["is_live", "is_upcoming", "post_live"] {
        info["live_status"] = json!(status);
        site.video("abcdefghij1", &info);
        assert_eq!(site.fetch(ONE).await.unwrap_err().code, "LIVE_NOT_ENDED", "{status}");
    }
    info["live_status"] = json!("was_live");
    site.video("abcdefghij1", &info);
    assert_eq!(site.fetch(ONE).await.unwrap_err().code, "EXTRACTOR_BROKEN", "captions that were promised do not come");
    site.write("captions", "");
    assert_eq!(site.fetch(ONE).await.unwrap_err().code, "EXTRACTOR_BROKEN", "nor are empty ones captions");
    site.write("captions", "<html>");
    assert_eq!(site.fetch(ONE).await.unwrap_err().code, "BAD_DOCUMENT");
    site.write("captions", "{\"events\":[]}");
    assert_eq!(site.fetch(ONE).await.unwrap_err().code, "NO_CAPTIONS");
    site.write(
        "captions.err",
        "ERROR: Unable to download video subtitles for 'wanted': HTTP Error 429: Too Many Requests",
    );
    assert_eq!(site.fetch(ONE).await.unwrap_err().code, "RATE_LIMITED");
    for answer in ["", "null", "[]", "not json"] {
        let site = StandIn::new();
        site.write("https___www_youtube_com_watch_v_abcdefghij1", answer);
        assert_eq!(site.fetch(ONE).await.unwrap_err().code, "EXTRACTOR_BROKEN", "{answer}");
    }
}

#[tokio::test]
async fn a_missing_old_or_other_program_is_named_with_the_remedy() {
    let mut site = StandIn::new();
    for (version, code) in [
        ("2023.03.04\n", "PROGRAM_TOO_OLD"),
        ("2025.11.11.232845\n", "PROGRAM_TOO_OLD"),
        ("something else\n", "PROGRAM_MISSING"),
        ("", "PROGRAM_MISSING"),
        ("2025.11.12\n", "EXTRACTOR_BROKEN"),
        ("2026.02.01.001122\n", "EXTRACTOR_BROKEN"),
    ] {
        site.write("version", version);
        let why = site.fetch(ONE).await.unwrap_err();
        assert_eq!(why.code, code, "{version}: {why}");
        assert!(why.message.contains("pip install"), "{why}");
    }
    site.outside.ytdlp = site.path().join("nowhere");
    assert_eq!(site.fetch(ONE).await.unwrap_err().code, "PROGRAM_MISSING");
    site.outside.ytdlp = site.write("not-executable", "#!/bin/sh\n");
    assert_eq!(site.fetch(ONE).await.unwrap_err().code, "PROGRAM_MISSING");
}

#[tokio::test]
async fn a_program_that_hangs_ends_with_its_children_and_one_that_floods_at_the_limit() {
    let site = StandIn::new().impatient(Duration::from_secs(1));
    site.misbehaves("abcdefghij1", "hangs");
    let began = Instant::now();
    let why = site.fetch(ONE).await.unwrap_err();
    assert_eq!(why.code, "TOO_SLOW", "{why}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let folder = site.path().to_string_lossy().into_owned();
    let there = || {
        std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.to_string_lossy().starts_with(&folder))
        })
    };
    // A killed process takes a moment to be gone, not the ten minutes that it wanted to sleep.
    let killed = Instant::now();
    while there() {
        assert!(killed.elapsed() < Duration::from_secs(30), "a child of the program is still there");
        std::thread::yield_now();
    }
    let flood = StandIn::new();
    flood.misbehaves("abcdefghij1", "floods");
    let began = Instant::now();
    assert_eq!(flood.fetch(ONE).await.unwrap_err().code, "TOO_LARGE");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[tokio::test]
async fn three_failures_of_the_site_in_a_row_end_the_list_with_a_time_to_return() {
    for (code, said) in [
        ("RATE_LIMITED", "ERROR: [youtube] x: HTTP Error 429: Too Many Requests"),
        ("EXTRACTOR_BROKEN", "ERROR: [youtube] x: Unable to extract something; please report this issue"),
        ("OFFLINE", "ERROR: [youtube] x: Failed to resolve 'www.youtube.com'"),
    ] {
        let site = StandIn::new();
        let ids: Vec<String> = (0..40).map(|n| format!("video{n:06}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        site.list(&list("PLabcdefghijkl-_1", "Long", &ids));
        let mut info = metadata(ids[0], "The first");
        info["subtitles"]["en"] = human("en");
        site.video(ids[0], &info);
        site.captions(&automatic());
        // A failure of the video itself breaks the row.
        for id in &ids[1..] {
            site.fails(id, said);
        }
        site.fails(ids[2], "ERROR: [youtube] x: Video unavailable");
        let fetched = site.fetch("https://www.youtube.com/playlist?list=PLabcdefghijkl-_1").await.unwrap();
        let codes: Vec<&str> = fetched.outline.failures.iter().map(|(_, why)| why.code.as_str()).collect();
        assert_eq!(codes.len(), 39);
        assert_eq!((codes[0], codes[1]), (code, "VIDEO_REMOVED"));
        assert!(codes[2..].iter().all(|each| *each == code), "{codes:?}");
        // Version, list, two runs of the first, and five that failed.
        assert_eq!(site.calls().len(), 1 + 1 + 2 + 5, "{code}");
        let warning = &fetched.warnings[0];
        assert_eq!(warning.code, "RETRY_LATER");
        assert!(warning.message.contains("in 60 minutes, at "), "{}", warning.message);
        assert!(fetched.outline.failures[38].1.message.starts_with("not tried after 3"));
    }
}

#[tokio::test]
async fn a_list_that_is_not_there_or_empty_or_wholly_refused_is_typed() {
    let address = "https://www.youtube.com/playlist?list=PLabcdefghijkl-_1";
    let site = StandIn::new();
    site.list(&list("PLabcdefghijkl-_1", "Empty", &[]));
    assert_eq!(site.fetch(address).await.unwrap_err().code, "EMPTY");
    site.list(&list("PLabcdefghijkl-_1", "Shut", &["shut0000001", "shut0000002"]));
    for id in ["shut0000001", "shut0000002"] {
        site.fails(id, "ERROR: [youtube] x: Private video. Sign in");
    }
    assert_eq!(site.fetch(address).await.unwrap_err().code, "VIDEO_PRIVATE");
    site.write("list.err", "ERROR: [youtube:tab] PLabcdefghijkl-_1: YouTube said: The playlist does not exist.");
    site.write("list.rc", "1");
    assert_eq!(site.fetch(address).await.unwrap_err().code, "NOT_FOUND");
}
