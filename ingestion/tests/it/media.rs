//! Recordings that ffmpeg makes here, probed and made ready for players by the confined programs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use domain::ingestion::failure;
use domain::media::{CaptionsOffer, Manifest, Way};
use ingestion::media::playlist::Playlist;
use ingestion::media::{Probe, Tools, Transcoded, probe, transcode};
use ingestion::sandbox::Allowance;

use crate::testkit::sandbox;

/// The programs; says so when they are not there.
pub(crate) fn tools() -> Option<Tools> {
    let found = Tools::find();
    if found.is_none() {
        println!("skipped: ffmpeg and ffprobe are not installed (apt-get install ffmpeg)");
    }
    found
}

/// Runs ffmpeg as a test's own tool.
pub(crate) fn make(tools: &Tools, arguments: &str, to: &Path) -> PathBuf {
    let done = Command::new(&tools.ffmpeg)
        .args(["-v", "error", "-y"])
        .args(arguments.split_whitespace())
        .arg(to)
        .status()
        .unwrap();
    assert!(done.success(), "{arguments}");
    to.to_owned()
}

pub(crate) const PICTURE: &str = "-f lavfi -i testsrc2=s=640x360:r=30:d=9 -f lavfi -i sine=440:d=9 -shortest";
pub(crate) const AS_MP4: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 60 -c:a aac -ac 1";
pub(crate) const AS_WEBM: &str = "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 500k -c:a libopus";

async fn done(tools: &Tools, recording: &Path, folder: &Path) -> (Probe, Transcoded, Vec<f64>) {
    let probed = probe(&sandbox(), tools, recording, "a").await.unwrap();
    let mut told = Vec::new();
    let out = folder.join("out");
    std::fs::create_dir(&out).unwrap();
    let made = transcode(&sandbox(), tools, recording, &probed, &out, &mut |seconds| told.push(seconds)).await.unwrap();
    (probed, made, told)
}

fn names(made: &Transcoded) -> Vec<&str> {
    made.files.iter().map(|file| file.name.as_str()).collect()
}

fn starts(made: &Transcoded, name: &str) -> Vec<i64> {
    let file = made.files.iter().find(|file| file.name == name).unwrap();
    let playlist = Playlist::read(&std::fs::read_to_string(&file.path).unwrap());
    let mut at = 0.0;
    playlist
        .segments
        .iter()
        .map(|(seconds, _)| {
            let start = at;
            at += seconds;
            (start * 1000.0_f64).round() as i64
        })
        .collect()
}

#[tokio::test]
async fn a_foreign_codec_becomes_a_ladder_with_aligned_segments() {
    let Some(tools) = tools() else { return };
    let folder = tempfile::tempdir().unwrap();
    let recording = make(&tools, &format!("{PICTURE} {AS_WEBM}"), &folder.path().join("a.webm"));
    let (probed, made, told) = done(&tools, &recording, folder.path()).await;
    assert_eq!(probed.video.as_ref().unwrap().codec, "vp8");
    assert!((probed.seconds - 9.0).abs() < 0.2, "{}", probed.seconds);
    assert_eq!(
        names(&made),
        [
            "video-240.m3u8",
            "video-240.m4s",
            "video-360.m3u8",
            "video-360.m4s",
            "audio.m3u8",
            "audio.m4s",
            "poster.jpg",
            "thumbnails-001.jpg",
            "thumbnails.vtt"
        ]
    );
    assert_eq!(made.manifest.way, Way::Encoded);
    assert_eq!(starts(&made, "video-240.m3u8"), [0, 4000, 8000]);
    assert_eq!(starts(&made, "video-240.m3u8"), starts(&made, "video-360.m3u8"));
    assert!(!told.is_empty() && told.iter().all(|seconds| (0.0..=9.2).contains(seconds)), "{told:?}");
    let [small, large] = made.manifest.videos.as_slice() else { panic!("two rungs") };
    assert_eq!((small.width, small.height, large.width, large.height), (426, 240, 640, 360));
    assert!(large.codec.starts_with("avc1.64"), "{}", large.codec);
    assert!(large.peak_bits >= large.mean_bits && large.mean_bits > small.mean_bits);
    // ffmpeg itself, as a player, reads what the master names.
    let manifest: &Manifest = &made.manifest;
    std::fs::write(folder.path().join("out/master.m3u8"), manifest.master(None)).unwrap();
    let played = Command::new(&tools.ffprobe)
        .args(["-v", "error", "-show_entries", "stream=codec_name,height", "-of", "csv=p=0"])
        .arg(folder.path().join("out/master.m3u8"))
        .output()
        .unwrap();
    let played = String::from_utf8_lossy(&played.stdout).into_owned();
    assert!(played.contains("h264,240") && played.contains("h264,360") && played.contains("aac"), "{played}");
    assert!(manifest.master(Some(CaptionsOffer { language: None, rough: true })).contains("TYPE=SUBTITLES"));
}

#[tokio::test]
async fn h264_is_taken_as_it_is() {
    let Some(tools) = tools() else { return };
    let folder = tempfile::tempdir().unwrap();
    let recording = make(&tools, &format!("{PICTURE} {AS_MP4}"), &folder.path().join("a.mp4"));
    let (_, made, _) = done(&tools, &recording, folder.path()).await;
    assert_eq!(made.manifest.way, Way::Remuxed);
    assert_eq!(
        names(&made),
        ["video.m3u8", "video.m4s", "audio.m3u8", "audio.m4s", "poster.jpg", "thumbnails-001.jpg", "thumbnails.vtt"]
    );
    assert_eq!(starts(&made, "video.m3u8"), [0, 4000, 8000]);
    assert!((made.manifest.seconds - 9.0).abs() < 0.2);
}

#[tokio::test]
async fn h264_with_rare_key_frames_is_encoded_so_that_it_can_be_sought_in() {
    let Some(tools) = tools() else { return };
    let folder = tempfile::tempdir().unwrap();
    let arguments = "-f lavfi -i testsrc2=s=320x180:r=10:d=20 -c:v libx264 -preset ultrafast -g 1000 -pix_fmt yuv420p";
    let recording = make(&tools, arguments, &folder.path().join("a.mp4"));
    let (_, made, _) = done(&tools, &recording, folder.path()).await;
    assert_eq!((made.manifest.way, made.manifest.audio.is_none()), (Way::Encoded, true));
    assert_eq!(names(&made).first(), Some(&"video-180.m3u8"));
    assert_eq!(starts(&made, "video-180.m3u8").len(), 5);
}

#[tokio::test]
async fn a_sound_recording_becomes_a_sound_stream() {
    let Some(tools) = tools() else { return };
    let folder = tempfile::tempdir().unwrap();
    let recording = make(&tools, "-f lavfi -i sine=440:d=3 -ac 2", &folder.path().join("a.mp3"));
    let (probed, made, _) = done(&tools, &recording, folder.path()).await;
    assert!(probed.video.is_none());
    assert_eq!(names(&made), ["audio.m3u8", "audio.m4s"]);
    assert!(made.manifest.videos.is_empty() && made.manifest.audio.is_some());
}

#[tokio::test]
async fn hostile_recordings_are_refused_by_type_in_little_time() {
    let Some(tools) = tools() else { return };
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "do not tell").unwrap();
    let hls = format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{}\n#EXT-X-ENDLIST\n", secret.display());
    let concat = format!("ffconcat version 1.0\nfile '{}'\n", secret.display());
    let mut broken = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".to_vec();
    broken.extend([0xff; 4096]);
    for (name, bytes, code) in [
        ("list.mp4", hls.into_bytes(), failure::UNSUPPORTED_FORMAT),
        ("concat.mp4", concat.into_bytes(), failure::UNSUPPORTED_FORMAT),
        ("avi.mp4", b"RIFF\x10\0\0\0AVI LIST".to_vec(), failure::UNSUPPORTED_FORMAT),
        ("broken.mp4", broken, failure::BAD_DOCUMENT),
        ("half.webm", b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f".to_vec(), failure::BAD_DOCUMENT),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let began = Instant::now();
        let failure = probe(&sandbox(), &tools, &path, name).await.unwrap_err();
        assert_eq!(failure.code, code, "{name}: {failure}");
        assert!(began.elapsed() < Duration::from_secs(2), "{name} took {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_confined_program_opens_no_other_file_and_no_address_and_is_stopped_at_its_limits() {
    let Some(tools) = tools() else { return };
    let folder = tempfile::tempdir().unwrap();
    let clip = make(&tools, "-f lavfi -i testsrc2=s=64x64:d=1 -c:v mpeg4", &folder.path().join("a.mp4"));
    let other = folder.path().join("other.mp4");
    std::fs::copy(&clip, &other).unwrap();
    let allowance = |reads: Vec<PathBuf>, cpu_seconds| Allowance {
        memory: 2 << 30,
        cpu_seconds,
        file: 1 << 20,
        reads,
        folder: None,
    };
    let level = sandbox().level().await.unwrap();
    let read = |path: &Path| {
        ["-v", "error", "-i"].map(str::to_owned).into_iter().chain([path.display().to_string()]).collect::<Vec<_>>()
    };
    let time = Duration::from_secs(20);
    let run = async |arguments: Vec<String>, reads| {
        sandbox().run(&tools.ffprobe, &arguments, &allowance(reads, 5), time, &mut |_| {}).await.unwrap()
    };
    assert!(run(read(&clip), vec![clip.clone()]).await.success);
    if level.reduced().is_none_or(|why| !why.contains("landlock")) {
        let ended = run(read(&other), vec![clip.clone()]).await;
        assert!(!ended.success && ended.messages.contains("Permission denied"), "{ended:?}");
    }
    // A listener on this machine hears nothing: the child has no network of ours.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("http://{}/a.mp4", listener.local_addr().unwrap());
    let ended = run(["-v", "error", "-i", &address].map(str::to_owned).to_vec(), vec![]).await;
    assert!(!ended.success, "{ended:?}");
    assert!(listener.accept().is_err(), "a confined program reached the network");
    // An endless source is stopped by processor time, and by the clock.
    let endless = ["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=1920x1080", "-f", "null", "-"].map(str::to_owned);
    let ended = sandbox().run(&tools.ffmpeg, &endless, &allowance(vec![], 1), time, &mut |_| {}).await.unwrap();
    assert!(!ended.success, "{ended:?}");
    let failure = sandbox()
        .run(&tools.ffmpeg, &endless, &allowance(vec![], 60), Duration::from_millis(700), &mut |_| {})
        .await
        .unwrap_err();
    assert_eq!(failure.code, failure::PARSER_KILLED);
}
