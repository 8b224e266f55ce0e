//! Hostile addresses: nothing but a well-formed id is ever passed on.

use domain::youtube::Target;

use super::stand_in::{StandIn, automatic, human, metadata};

/// A small generator, the same on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.roll(from.len())]
    }
}

const HOSTS: &[&str] = &[
    "https://www.youtube.com",
    "https://youtu.be",
    "youtube.com",
    "https://www.youtube-nocookie.com",
    "https://evil.example",
    "https://www.youtube.com.evil.example",
    "https://user:x@www.youtube.com",
    "https://www.youtube.com:1",
    "//www.youtube.com",
    "file://",
    "",
];
const PATHS: &[&str] = &[
    "/watch?v=",
    "/watch?x=1&v=",
    "/shorts/",
    "/live/",
    "/embed/",
    "/",
    "/playlist?list=",
    "/channel/",
    "/@",
    "/../",
    "/c/",
    "?v=",
    "#",
];
const PARTS: &[&str] = &[
    "abcdefghij1",
    "-bcdefghij1",
    "PLabcdefghijkl-_1",
    "UCabcdefghijklmnopqrstuv",
    "some.handle",
    "--exec=touch mark",
    "--exec",
    "-o/etc/passwd",
    "$(touch mark)",
    "`touch mark`",
    ";touch mark",
    "\n--exec=x",
    "\0",
    "%0a--exec",
    "\u{2d}\u{2d}x",
    "../..",
    "a b",
    "'\"",
    "\u{202e}",
    "ytsearch:",
    "file:///etc/passwd",
    "%(id)s",
    "&--exec=x",
    "?--x",
    "#--x",
    "é",
    "",
];

fn address(dice: &mut Dice) -> String {
    let mut text = format!("{}{}", dice.pick(HOSTS), dice.pick(PATHS));
    for _ in 0..=dice.roll(3) {
        text.push_str(dice.pick(PARTS));
    }
    text
}

/// Two thousand through the parser, and those that it lets pass through the program as well.
#[tokio::test]
async fn no_argument_but_ours_begins_with_a_dash_and_only_ids_are_passed() {
    let mut dice = Dice(20_260_131);
    let site = StandIn::new();
    let mut info = metadata("abcdefghij1", "One");
    info["subtitles"]["en"] = human("en");
    site.captions(&automatic());
    let (mut passed, mut refused) = (std::collections::BTreeSet::new(), 0);
    for _ in 0..2_000 {
        let text = address(&mut dice);
        match Target::parse(&text) {
            Ok(target) => {
                passed.insert(target.url());
                let url = target.url();
                let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:?=@".contains(c);
                assert!(url.starts_with("https://www.youtube.com/") && url.chars().all(plain), "{text} {url}");
                assert_eq!(Target::parse(&url), Ok(target), "{text}");
            }
            Err(_) => {
                // One in fifty through the whole source, to see that no program is run for it.
                if refused % 50 == 0 {
                    assert_eq!(site.fetch(&text).await.unwrap_err().code, "BAD_ADDRESS", "{text}");
                }
                refused += 1;
            }
        }
    }
    assert!(refused > 1_000 && passed.len() > 5, "{refused} refused, {} passed", passed.len());
    assert!(site.calls().is_empty(), "a refused address runs nothing");
    for url in &passed {
        // Most are not shown here; how they are asked for is what counts.
        let _ = site.fetch(url).await;
    }
    let mut seen = 0;
    for arguments in site.arguments() {
        let Some(end) = arguments.iter().position(|argument| argument == "--") else {
            assert_eq!(arguments, ["--ignore-config", "--version"]);
            continue;
        };
        assert_eq!(arguments.len(), end + 2, "one address after the end of the options: {arguments:?}");
        assert!(passed.contains(&arguments[end + 1]), "{arguments:?}");
        for option in arguments[..end].iter().filter(|argument| argument.starts_with('-')) {
            assert!(ingestion_option(option), "{option} is not one of ours");
        }
        seen += 1;
    }
    println!("2000 addresses: {refused} refused, {} of them well-formed, {seen} runs", passed.len());
    assert_eq!(seen, passed.len());
    assert!(!site.path().join("mark").exists());
}

fn ingestion_option(option: &str) -> bool {
    const OURS: &[&str] = &[
        "--ignore-config",
        "--no-plugin-dirs",
        "--no-remote-components",
        "--no-cache-dir",
        "--no-exec",
        "--no-update",
        "--no-cookies",
        "--no-cookies-from-browser",
        "--no-mark-watched",
        "--no-wait-for-video",
        "--no-progress",
        "--color",
        "--abort-on-error",
        "--socket-timeout",
        "--retries",
        "--fragment-retries",
        "--extractor-retries",
        "--file-access-retries",
        "--sleep-requests",
        "--use-extractors",
        "--no-playlist",
        "--yes-playlist",
        "--flat-playlist",
        "--playlist-items",
        "--ignore-no-formats-error",
        "--skip-download",
        "--dump-single-json",
    ];
    OURS.contains(&option)
}
