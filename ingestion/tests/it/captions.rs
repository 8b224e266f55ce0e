use ingestion::chunk::chunks;
use ingestion::parse::captions::{cues, parse};

use crate::testkit::shown;

#[test]
fn cues_are_read_from_both_formats() {
    for (name, text, expected) in [
        ("vtt", "WEBVTT\n\n00:01.000 --> 00:04.500 align:start\nHello there.\n", vec![(1000, 4500, "Hello there.")]),
        (
            "vtt with hours and names",
            "WEBVTT - x\n\nNOTE comment\n\nid\n01:00:01.000 --> 01:00:02.000\n<v Anna><b>Hi</b> <00:00:01.500><c>you</c></v>\n",
            vec![(3_601_000, 3_602_000, "Hi you")],
        ),
        (
            "srt",
            "1\n00:00:01,250 --> 00:00:02,000\n<i>Hello</i>\nagain\n\n2\n00:00:02,000 --> 00:00:03,000\n{\\an8}Bye &amp; out\n",
            vec![(1250, 2000, "Hello again"), (2000, 3000, "Bye & out")],
        ),
        (
            "no blank line between",
            "1\n00:00:01,000 --> 00:00:02,000\nA\n2\n00:00:02,000 --> 00:00:03,000\nB",
            vec![(1000, 2000, "A 2"), (2000, 3000, "B")],
        ),
        (
            "bad times are skipped",
            "00:05.000 --> 00:04.000\nBackwards\n\nx --> y\nNot\n\n00:06.000 --> 00:07.000\nGood",
            vec![(6000, 7000, "Good")],
        ),
        (
            "rolling",
            "WEBVTT\n\n00:00.000 --> 00:02.000\nso the first thing\n\n00:02.000 --> 00:02.010\nso the first thing\n\n00:02.010 --> 00:04.000\nso the first thing we do is borrow\n\n00:04.000 --> 00:06.000\nwe do is borrow a book\n",
            vec![(0, 2010, "so the first thing"), (2010, 4000, "we do is borrow"), (4000, 6000, "a book")],
        ),
    ] {
        let got: Vec<(i64, i64, String)> = cues(text).into_iter().map(|cue| (cue.start, cue.end, cue.text)).collect();
        let got: Vec<(i64, i64, &str)> = got.iter().map(|(start, end, text)| (*start, *end, text.as_str())).collect();
        assert_eq!(got, expected, "{name}");
    }
}

#[test]
fn sentences_cross_cues_and_share_them_by_length() {
    let text = "WEBVTT\n\n00:00.000 --> 00:10.000\nOne is here. Two begins\n\n00:10.000 --> 00:12.000\nand ends.\n";
    let document = parse("talk.vtt", text).unwrap();
    assert_eq!(shown(&document), ["cue: One is here. @0-5217", "cue: Two begins and ends. @5652-12000"]);
}

#[test]
fn a_file_without_cues_says_what_was_expected() {
    let failure = parse("a.vtt", "WEBVTT\n\nnothing").unwrap_err();
    assert_eq!(failure.code, "BAD_DOCUMENT");
    assert!(failure.message.contains("-->"), "{failure}");
}

#[test]
fn windows_last_45_to_75_seconds_and_overlap_by_about_10() {
    let mut text = String::from("WEBVTT\n\n");
    for second in (0..600).step_by(5) {
        let clock = |s: i32| format!("{:02}:{:02}.000", s / 60, s % 60);
        text.push_str(&format!(
            "{} --> {}\nSentence number {second} is spoken here.\n\n",
            clock(second),
            clock(second + 5)
        ));
    }
    let chunks = chunks(&parse("talk.vtt", &text).unwrap(), &["Module".into()]);
    assert!(chunks.len() > 10);
    for pair in chunks.windows(2) {
        let (a, b) = (pair[0].locator, pair[1].locator);
        assert!((45_000..=75_000).contains(&(a.end - a.start)), "{a}");
        assert!((5_000..=10_000).contains(&(a.end - b.start)), "{a} {b}");
        assert!(pair[0].text.ends_with('.'));
    }
    assert_eq!(chunks[0].heading_path, ["Module", "Talk"]);
    assert_eq!(chunks.last().unwrap().locator.end, 600_000);
}
