//! What one process for the whole ladder costs beside one process for each rung; `bench/media.sh` runs it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ingestion::media::plan::{Plan, Remux, plan};
use ingestion::media::playlist::Playlist;
use ingestion::media::{Tools, probe};
use nix::sys::resource::{UsageWho, getrusage};

use crate::media::{make, tools};
use crate::testkit::sandbox;

/// Each way, one after the other, so that a busy moment hits all of them.
fn rounds() -> usize {
    std::env::var("BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

fn processor_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// Processor seconds of these runs of ffmpeg in a fresh folder.
fn cost(tools: &Tools, runs: &[Vec<String>], folder: &Path) -> f64 {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir(folder).unwrap();
    let before = processor_seconds();
    for run in runs {
        let done =
            Command::new(&tools.ffmpeg).args(run).current_dir(folder).stdout(std::process::Stdio::null()).status();
        assert!(done.unwrap().success(), "{run:?}");
    }
    processor_seconds() - before
}

/// The same files by one process for each rung, one for the sound and one for the pictures.
fn apart(plan: &Plan, input: &[String]) -> Vec<Vec<String>> {
    let whole = &plan.runs[0];
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    // What follows each -map up to its file, with the map itself.
    let outputs: Vec<Vec<String>> = {
        let starts: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == "-map").collect();
        let ends = starts.iter().skip(1).copied().chain([whole.len()]);
        starts.iter().zip(ends).map(|(from, to)| whole[*from..to].to_vec()).collect()
    };
    let mut runs = Vec::new();
    for rung in &plan.rungs {
        let own = outputs.iter().find(|output| output[1] == format!("[{}]", rung.name)).unwrap();
        let mut run = input.to_vec();
        run.extend(words("-map 0:v:0 -vf"));
        run.push(format!("scale={}:{}:flags=bicubic,setsar=1,format=yuv420p", rung.width, rung.height));
        run.extend_from_slice(&own[2..]);
        runs.push(run);
    }
    let sound = outputs.iter().find(|output| output.last().unwrap() == "audio.m3u8").unwrap();
    runs.push([input, sound].concat());
    let thumbnails = plan.thumbnails.unwrap();
    let mut run = input.to_vec();
    run.extend(words(&format!(
        "-map 0:v:0 -vf fps=1/{}:round=up,scale={}:{},tile=10x10 -q:v 5 -f image2 thumbnails-%03d.jpg",
        thumbnails.every, thumbnails.width, thumbnails.height
    )));
    run.extend(words("-map 0:v:0 -vf select='gte(t,2)' -frames:v 1 -q:v 4 -f image2 -update 1 poster.jpg"));
    runs.push(run);
    runs
}

fn playlists(folder: &Path, names: &[String]) -> Vec<Playlist> {
    names.iter().map(|name| Playlist::read(&std::fs::read_to_string(folder.join(name)).unwrap())).collect()
}

#[tokio::test]
#[ignore = "a measurement: bench/media.sh runs it"]
async fn what_a_ladder_costs() {
    let Some(tools) = tools() else { return };
    let folder = tempfile::tempdir().unwrap();
    let clip = make(
        &tools,
        "-f lavfi -i testsrc2=s=1280x720:r=30:d=20 -f lavfi -i sine=440:d=20 -c:v libx264 -preset veryfast -crf 20 -g 60 \
         -pix_fmt yuv420p -c:a aac -ac 2",
        &folder.path().join("clip.mp4"),
    );
    let probed = probe(&sandbox(), &tools, &clip, "clip").await.unwrap();
    let path = format!("file:{}", clip.display());
    let (whole, copied) = (plan(&probed, &path, Remux::Refused), plan(&probed, &path, Remux::Allowed));
    let input = whole.runs[0].iter().position(|word| word == "-filter_complex").unwrap();
    let apart = apart(&whole, &whole.runs[0][..input]);
    let names: Vec<String> =
        whole.rungs.iter().map(|rung| format!("{}.m3u8", rung.name)).chain(["audio.m3u8".to_owned()]).collect();
    let mut correct = true;
    let (mut ladder, mut remux) = (Vec::new(), Vec::new());
    for round in 0..rounds() {
        let began = Instant::now();
        let one = cost(&tools, &whole.runs, &folder.path().join("one"));
        let wall = began.elapsed();
        let many = cost(&tools, &apart, &folder.path().join("many"));
        let copy = cost(&tools, &copied.runs, &folder.path().join("copy"));
        println!(
            "round {round}: one process {one:.2} s of processor time ({wall:.1?} wall), one for each of {} rungs {many:.2} s, remux {copy:.2} s",
            whole.rungs.len()
        );
        ladder.push(one / many);
        remux.push(copy / one);
        let (ours, theirs) =
            (playlists(&folder.path().join("one"), &names), playlists(&folder.path().join("many"), &names));
        let lengths = |playlist: &Playlist| playlist.segments.iter().map(|(seconds, _)| *seconds).collect::<Vec<_>>();
        for (our, their) in ours.iter().zip(&theirs) {
            correct &= our.ended && their.ended && (our.seconds() - 20.0).abs() < 0.3;
        }
        // Rungs change at the same moments.
        correct &= ours[..whole.rungs.len()].iter().all(|playlist| lengths(playlist) == lengths(&ours[0]));
        correct &= playlists(&folder.path().join("copy"), &["video.m3u8".to_owned()])[0].ended;
        for picture in ["poster.jpg", "thumbnails-001.jpg"] {
            correct &= ["one", "many", "copy"].iter().all(|way| folder.path().join(way).join(picture).is_file());
        }
    }
    // The best of the rounds: how soon it can be is the product's doing, how busy the machine is not.
    let mut first = Duration::MAX;
    for round in 0..rounds() {
        first = first.min(first_segment(&tools, &whole, &folder.path().join(format!("first-{round}"))).await);
    }
    println!("first segment of the smallest rung after {first:.1?}, the goal being 2 s");
    correct &= first <= Duration::from_secs(2);
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let (ladder, remux) = (middle(ladder), middle(remux));
    println!(
        "{{\"bench\":\"media\",\"correct\":{correct},\"ratios\":{{\"ladder_cpu\":{{\"value\":{ladder:.3},\"goal\":0.88,\"better\":\"lower\"}},\
         \"remux\":{{\"value\":{remux:.3},\"goal\":0.05,\"better\":\"lower\"}}}}}}"
    );
}

/// How long until a segment of the smallest rung is on disk.
async fn first_segment(tools: &Tools, plan: &Plan, folder: &Path) -> Duration {
    std::fs::create_dir(folder).unwrap();
    let began = Instant::now();
    let mut child = Command::new(&tools.ffmpeg)
        .args(&plan.runs[0])
        .current_dir(folder)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let file = folder.join(format!("{}.m4s", plan.rungs[0].name));
    // The head alone is about 800 bytes.
    while !file.metadata().is_ok_and(|state| state.len() > 4096) && child.try_wait().unwrap().is_none() {
        // Who looks without a pause takes a processor from what is measured.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let after = began.elapsed();
    child.kill().unwrap();
    child.wait().unwrap();
    after
}
