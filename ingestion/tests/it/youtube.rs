//! `YouTube` and video pages without a network: a stand-in for yt-dlp that records its arguments and
//! replays outputs after the documented formats.

mod failures;
mod hostile;
mod pages;
mod stand_in;

use std::path::Path;

use domain::ingestion::{Outcome, SourceKind};
use domain::{Locator, LocatorKind};
use ingestion::source::{Bytes, FetchedDocument};
use serde_json::json;
use store::both_databases;

use crate::school::{Bench, Worker, findings};
use crate::testkit::shown;
use stand_in::{StandIn, automatic, human, list, metadata};

const ONE: &str = "https://www.youtube.com/watch?v=abcdefghij1";

fn text(document: &FetchedDocument) -> String {
    let Bytes::Memory(bytes) = &document.bytes else { panic!("captions are in memory") };
    String::from_utf8(bytes.clone()).unwrap()
}

fn parsed(document: &FetchedDocument) -> Vec<String> {
    shown(&ingestion::parse::captions::parse(&document.path, &text(document)).unwrap())
}

#[tokio::test]
async fn captions_by_people_come_first_with_chapters_as_sections() {
    let site = StandIn::new();
    let mut info = metadata("abcdefghij1", "Sorting <fast> & slow");
    info["chapters"] = json!([
        {"start_time": 0.0, "end_time": 10.0, "title": "Start"},
        {"start_time": 10.0, "end_time": 60.0, "title": "The --> middle"},
        {"start_time": 60.0, "end_time": 90.0, "title": "<Untitled Chapter 3>"},
    ]);
    info["subtitles"]["en"] = human("en");
    info["subtitles"]["live_chat"] = json!([{"ext": "json", "url": "https://www.youtube.com/live_chat_replay"}]);
    info["automatic_captions"] = json!({"en-orig": human("en"), "de": human("de")});
    site.video("abcdefghij1", &info);
    site.captions(&json!({"wireMagic": "pb3", "events": [
        {"tStartMs": 0, "dDurationMs": 4000, "segs": [{"utf8": "A list is sorted\nby swapping."}]},
        {"tStartMs": 5000, "dDurationMs": 1000, "segs": [{"utf8": "[Applause]"}]},
        {"tStartMs": 10000, "dDurationMs": 2500, "segs": [{"utf8": "If a < b, keep it."}]},
    ]}));
    let fetched = site.fetch(ONE).await.unwrap();
    let document = &fetched.documents[0];
    assert_eq!(
        parsed(document),
        [
            "h2: Start @0-4000",
            "cue: A list is sorted by swapping. @0-4000",
            "h2: The → middle @10000-12500",
            "cue: If a < b, keep it. @10000-12500",
        ]
    );
    assert!(text(document).contains("[Applause]"), "noises stay in the captions");
    let read = ingestion::parse::captions::parse(&document.path, &text(document)).unwrap();
    assert_eq!(read.title, "Sorting <fast> & slow");
    assert_eq!((fetched.outline.title.as_str(), document.media.is_none()), ("Sorting <fast> & slow", true));
    let lesson = &fetched.outline.modules[0].lessons[0];
    assert_eq!((lesson.kind.as_str(), lesson.path.as_str()), ("VIDEO", "abcdefghij1.vtt"));
    assert_eq!(
        document.extra,
        json!({
            "captionsName": "captions.en.vtt", "seconds": 90.0,
            "captions": {"language": "en", "kind": "human", "languages": ["en"]},
            "player": {
                "provider": "youtube", "id": "abcdefghij1", "url": ONE, "title": "Sorting <fast> & slow",
                "duration": 90.0, "channel": "A channel", "channelId": "UCabcdefghijklmnopqrstuv",
                "licence": "Creative Commons Attribution license (reuse allowed)", "uploadDate": "2024-02-29",
                "embeddable": true, "chapters": [
                    {"start": 0.0, "end": 10.0, "title": "Start"},
                    {"start": 10.0, "end": 60.0, "title": "The --> middle"},
                ],
            },
        })
    );
}

#[tokio::test]
async fn the_arguments_are_exactly_these_and_the_environment_is_empty() {
    let site = StandIn::new();
    let mut info = metadata("abcdefghij1", "One");
    info["subtitles"]["en"] = human("en");
    site.video("abcdefghij1", &info);
    site.captions(&automatic());
    site.fetch("https://youtu.be/abcdefghij1?si=tracking&--exec=x").await.unwrap();
    let common = "--ignore-config --no-plugin-dirs --no-remote-components --no-cache-dir --no-exec --no-update \
        --no-cookies --no-cookies-from-browser --no-mark-watched --no-wait-for-video --no-progress --color never \
        --abort-on-error --socket-timeout 15 --retries 2 --fragment-retries 2 --extractor-retries 1 \
        --file-access-retries 1 --sleep-requests 0.5 --use-extractors youtube --no-playlist";
    let expected = [
        "--ignore-config --version".to_owned(),
        format!("{common} --ignore-no-formats-error --skip-download --dump-single-json -- {ONE}"),
        format!(
            "{common} --ignore-no-formats-error --skip-download --write-subs --sub-langs wanted --sub-format \
             json3/vtt/srt --output captions.%(ext)s --load-info-json info.json"
        ),
    ];
    let squeezed: Vec<String> =
        expected.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(site.calls(), squeezed);
    let kept = [
        "PATH",
        "LC_ALL",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONNOUSERSITE",
        "HOME",
        "TMPDIR",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
    ];
    for name in site.environment() {
        assert!(kept.contains(&name.as_str()) || name.starts_with("XDG_"), "{name} reached the program");
    }
}

#[tokio::test]
async fn automatic_captions_do_not_roll_and_keep_the_times_of_their_words() {
    let site = StandIn::new();
    let mut info = metadata("abcdefghij1", "Heard");
    info["automatic_captions"] = json!({"en-orig": human("en"), "en": human("en"), "de": human("de")});
    site.video("abcdefghij1", &info);
    site.captions(&automatic());
    let fetched = site.fetch(ONE).await.unwrap();
    let document = &fetched.documents[0];
    assert_eq!(
        document.extra["captions"],
        json!({"language": "en", "kind": "automatic", "languages": []}),
        "the heard track, never one that was translated from it"
    );
    assert_eq!(
        text(document),
        "WEBVTT\n\nNOTE Title: Heard\n\n00:00:00.000 --> 00:00:01.000\n[Music]\n\n\
         00:00:01.000 --> 00:00:03.200\nso <00:00:01.500>today <00:00:02.000>we sort.\n\n\
         00:00:03.200 --> 00:00:06.000\nThen <00:00:04.000>we <00:00:04.500>rest.\n"
    );
    assert_eq!(parsed(document), ["cue: so today we sort. @1000-3200", "cue: Then we rest. @3200-6000"]);
}

#[tokio::test]
async fn the_wanted_language_wins_and_people_before_programs() {
    let cases = [
        (json!({"en": human("en"), "de-AT": human("de")}), json!({"fr-orig": human("fr")}), "de-AT", "human"),
        (json!({"fr": human("fr")}), json!({"de-orig": human("de"), "de": human("de")}), "de", "automatic"),
        (json!({"fr": human("fr"), "pl": human("pl")}), json!({}), "fr", "human"),
        (json!({}), json!({"it-orig": human("it"), "de": human("de"), "en": human("en")}), "it", "automatic"),
    ];
    for (subtitles, automatic_captions, language, kind) in cases {
        let site = StandIn::new().languages(&["de", "en"]);
        let mut info = metadata("abcdefghij1", "Two");
        info["subtitles"] = subtitles;
        info["automatic_captions"] = automatic_captions;
        site.video("abcdefghij1", &info);
        site.captions(&automatic());
        let fetched = site.fetch(ONE).await.unwrap();
        let captions = &fetched.documents[0].extra["captions"];
        assert_eq!((captions["language"].as_str(), captions["kind"].as_str()), (Some(language), Some(kind)));
        let asked = site.asked();
        let track = asked["subtitles"]["wanted"][0]["url"].as_str().unwrap();
        let code = language.split('-').next().unwrap();
        assert!(track.contains(&format!("lang={code}")), "{track}");
    }
}

#[tokio::test]
async fn a_playlist_keeps_what_can_be_read_and_a_second_run_asks_only_for_the_rest() {
    let site = StandIn::new();
    site.list(&list("PLabcdefghijkl-_1", "A course", &["good0000001", "gone0000002", "good0000003", "shut0000004"]));
    for id in ["good0000001", "good0000003"] {
        let mut info = metadata(id, &format!("Video {id}"));
        info["subtitles"]["en"] = human("en");
        site.video(id, &info);
    }
    site.fails(
        "gone0000002",
        "ERROR: [youtube] gone0000002: Video unavailable. This video has been removed by the uploader",
    );
    site.fails("shut0000004", "ERROR: [youtube] shut0000004: Private video. Sign in if you've been granted access to this video. Use --cookies-from-browser");
    site.captions(&automatic());
    let address = "https://www.youtube.com/playlist?list=PLabcdefghijkl-_1";
    let fetched = site.fetch(address).await.unwrap();
    let modules = &fetched.outline.modules;
    assert_eq!((modules.len(), modules[0].title.as_deref(), modules[0].chapter), (1, Some("A course"), true));
    let lessons: Vec<&str> = modules[0].lessons.iter().map(|lesson| lesson.path.as_str()).collect();
    assert_eq!(lessons, ["good0000001.vtt", "good0000003.vtt"]);
    let failed: Vec<(&str, &str)> =
        fetched.outline.failures.iter().map(|(path, why)| (path.as_str(), why.code.as_str())).collect();
    assert_eq!(failed, [("gone0000002.vtt", "VIDEO_REMOVED"), ("shut0000004.vtt", "VIDEO_PRIVATE")]);
    let first = site.calls().len();
    assert_eq!(first, 1 + 1 + 2 * 2 + 2);
    let mut mended = metadata("gone0000002", "Back again");
    mended["subtitles"]["en"] = human("en");
    site.video("gone0000002", &mended);
    let again = site.fetch(address).await.unwrap();
    assert_eq!((again.documents.len(), again.outline.failures.len()), (3, 1));
    // The version, the list, the video that is back (two runs), the one that is still private.
    assert_eq!(site.calls().len() - first, 1 + 1 + 2 + 1);
    let same = site.fetch(address).await.unwrap();
    assert_eq!(same.fingerprint(), again.fingerprint());
}

#[tokio::test]
async fn a_channel_is_listed_by_its_videos_and_cut_at_the_limit() {
    let site = StandIn::new().most(2);
    let mut listing =
        list("UCabcdefghijklmnopqrstuv", "A channel - Videos", &["good0000001", "-dash000002", "good0000003"]);
    listing["playlist_count"] = json!(3);
    listing["entries"][0]["title"] = json!("[Private video]");
    site.list(&listing);
    let mut info = metadata("-dash000002", "Begins with a dash");
    info["subtitles"]["en"] = human("en");
    site.video("-dash000002", &info);
    site.captions(&automatic());
    for address in ["https://www.youtube.com/@some.handle", "https://www.youtube.com/channel/UCabcdefghijklmnopqrstuv"]
    {
        let fetched = site.fetch(address).await.unwrap();
        assert_eq!(fetched.documents[0].path, "-dash000002.vtt");
        assert_eq!(fetched.outline.failures[0].1.code, "VIDEO_PRIVATE");
        assert_eq!(fetched.warnings[0].code, "LIST_CUT");
    }
    let listings: Vec<String> = site.calls().into_iter().filter(|call| call.contains("--flat-playlist")).collect();
    assert!(listings[0].ends_with(
        "--use-extractors youtube:tab --yes-playlist --flat-playlist --playlist-items 1:2 --skip-download --dump-single-json -- https://www.youtube.com/@some.handle/videos"
    ));
    assert!(listings[1].ends_with(" -- https://www.youtube.com/channel/UCabcdefghijklmnopqrstuv/videos"));
    assert!(
        !site.calls().iter().any(|call| call.contains("good0000001")),
        "what the list calls private is not asked for"
    );
}

#[tokio::test]
async fn the_recording_is_stored_only_when_the_right_is_asserted() {
    let site = StandIn::new();
    let mut info = metadata("abcdefghij1", "One");
    info["subtitles"]["en"] = human("en");
    site.video("abcdefghij1", &info);
    site.captions(&automatic());
    assert!(site.fetch(ONE).await.unwrap().documents[0].media.is_none());
    assert!(!site.calls().iter().any(|call| call.contains("--format")));
    site.recording(b"\0\0\0\x18ftypmp42 a recording");
    let kept = site.fetch_with(SourceKind::Youtube, ONE, true).await.unwrap();
    let media = kept.documents[0].media.as_ref().unwrap();
    assert_eq!(media.media_type, "video/mp4");
    assert_eq!(std::fs::read(&media.path).unwrap(), b"\0\0\0\x18ftypmp42 a recording");
    let call = site.calls().pop().unwrap();
    assert!(call.contains("height<=?1080") && call.contains("--max-filesize 8G"), "{call}");
    assert!(call.ends_with(&format!("--output recording.%(ext)s -- {ONE}")), "{call}");
    let other = StandIn::new();
    other.video("abcdefghij1", &info);
    other.captions(&automatic());
    other.recording(b"#EXTM3U a playlist");
    let without = other.fetch_with(SourceKind::Youtube, ONE, true).await.unwrap();
    assert!(without.documents[0].media.is_none());
    assert_eq!(without.warnings[0].code, "MEDIA_NOT_KEPT");
}

both_databases!(a_playlist_becomes_a_module_and_the_report_names_what_failed, |store| async move {
    let site = StandIn::new();
    site.list(&list("PLabcdefghijkl-_1", "A course", &["good0000001", "gone0000002"]));
    let mut info = metadata("good0000001", "How to sort");
    info["subtitles"]["en"] = human("en");
    info["chapters"] = json!([{"start_time": 0, "end_time": 90, "title": "Swapping"}]);
    site.video("good0000001", &info);
    site.fails("gone0000002", "ERROR: [youtube] gone0000002: Video unavailable");
    site.captions(&automatic());
    let worker = Worker::default();
    let bench = Bench::with(&store, Some(&worker), |pipeline| pipeline.with_outside(site.outside.clone())).await;
    let origin = Path::new("https://youtube.com/playlist?list=PLabcdefghijkl-_1&si=tracking");
    let report = bench.ingest(SourceKind::Youtube, origin).await;
    let why = report.error.clone().unwrap();
    assert_eq!((report.outcome, why.code.as_str()), (Outcome::Partial, "PARTLY_READ"), "{report:?}");
    assert!(why.message.contains("gone0000002.vtt (VIDEO_REMOVED"), "{why}");
    assert_eq!((report.modules, report.lessons, report.chunks), (1, 1, 1));
    let rows = store::testing::query(&store, "SELECT id, kind, title FROM lessons").await.unwrap();
    assert_eq!((rows[0]["kind"].as_str(), rows[0]["title"].as_str()), (Some("VIDEO"), Some("How to sort")));
    let id = rows[0]["id"].as_str().unwrap().parse().unwrap();
    let content = bench.school.lesson().get(&bench.actor, id).await.unwrap();
    assert_eq!(content.passages[0].heading_path, ["A course", "How to sort", "Swapping"]);
    assert_eq!(content.passages[0].text, "so today we sort. Then we rest.");
    assert_eq!(content.passages[0].locator, Locator::new(LocatorKind::Time, 1000, 6000));
    assert_eq!(content.shown.as_ref().unwrap().extra["player"]["id"], "good0000001");
    assert_eq!(content.media(), None, "the site's player shows it");
    let origins = store::testing::query(&store, "SELECT origin FROM sources").await.unwrap();
    assert_eq!(origins[0]["origin"], "https://www.youtube.com/playlist?list=PLabcdefghijkl-_1");
    let again = bench.ingest(SourceKind::Youtube, origin).await;
    assert_eq!((again.outcome, again.embedded, again.lessons), (Outcome::Partial, 0, 1));
    assert_eq!(findings(&store).await, Vec::<String>::new());
    bench.stop.cancel();
});
