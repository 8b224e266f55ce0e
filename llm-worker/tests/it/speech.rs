//! Recordings to text: by the real Pocketsphinx where the set-up promised it, and by a Whisper of
//! random weights, which says nonsense by the same code as a real one.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QTensor, gguf_file};
use candle_core::{Device, Tensor};
use domain::wire::{Blob, Failure, Task, TranscribeRequest, Transcript};
use llm_worker::Backend;
use llm_worker::backend::BackendError;
use llm_worker::backend::pocketsphinx::{Pocketsphinx, PocketsphinxSettings, open_pocketsphinx};
use llm_worker::backend::whisper::{Whisper, WhisperSettings, open_whisper};
use serde_json::json;

use crate::tiny_gguf::Random;

const SENTENCES: [&str; 8] = [
    "The teacher explained how the sun warms the ocean.",
    "The water rises into the air and makes the clouds.",
    "Then the rain falls on the hills and on the fields.",
    "The rivers take the water back to the sea.",
    "Please open the book and read the first page.",
    "The students write the answer on the paper.",
    "We will talk about the history of the city.",
    "The next lesson begins on Monday morning.",
];

/// Whether something is there; a broken promise fails the test.
fn there(missing: Option<String>) -> bool {
    if let Some(missing) = missing {
        let promised = std::env::var("LYCEUM_TEST_PROMISED").unwrap_or_default();
        assert!(!promised.contains("speech"), "speech was promised: {missing}");
        eprintln!("skipped: {missing}");
        return false;
    }
    true
}

fn program(name: &str) -> Option<String> {
    let found = Command::new(name).arg("-version").output().is_ok();
    (!found).then(|| format!("\"{name}\" is missing"))
}

fn sphinx() -> Option<Arc<Pocketsphinx>> {
    let opened = open_pocketsphinx(&PocketsphinxSettings::default());
    there(opened.as_ref().err().cloned()).then(|| opened.unwrap())
}

fn request(backend: &dyn Backend, audio: Vec<u8>) -> TranscribeRequest {
    TranscribeRequest {
        model: backend.models()[0].id.clone(),
        audio: Blob(audio.into()),
        file_name: "speech".to_owned(),
        language: None,
        prompt: None,
    }
}

fn spoken(text: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("speech.wav");
    let status = Command::new("flite").args(["-voice", "rms", "-t", text, "-o"]).arg(&path).status().unwrap();
    assert!(status.success());
    std::fs::read(path).unwrap()
}

/// Words that would have to change, for each word that was said.
fn word_errors(said: &str, heard: &str) -> f64 {
    let words = |text: &str| -> Vec<String> {
        let text = text.to_lowercase().replace(|c: char| !c.is_alphanumeric() && c != '\'', " ");
        text.split_whitespace().map(str::to_owned).collect()
    };
    let (said, heard) = (words(said), words(heard));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, word) in said.iter().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, other) in heard.iter().enumerate() {
            let change = before + usize::from(word != other);
            before = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[heard.len()] as f64 / said.len() as f64
}

fn times_are_in_order(transcript: &Transcript) {
    let mut last = 0.0;
    for segment in &transcript.segments {
        assert!(segment.start >= last && segment.end >= segment.start, "{segment:?} after {last}");
        assert!(segment.end <= transcript.duration + 0.05, "{segment:?} of {}", transcript.duration);
        assert!((0.0..=1.0).contains(&segment.confidence.unwrap()));
        let mut word_end = segment.start;
        for word in &segment.words {
            assert!(
                word.start >= word_end - 1e-9 && word.end > word.start && word.end <= segment.end + 1e-9,
                "{segment:?}"
            );
            assert!((0.0..=1.0).contains(&word.confidence.unwrap()));
            word_end = word.end;
        }
        last = segment.start;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pocketsphinx_writes_plain_speech_down() {
    let (Some(sphinx), true) = (sphinx(), there(program("flite"))) else { return };
    let model = &sphinx.models()[0];
    assert_eq!((model.id.as_str(), model.task), ("pocketsphinx (rough)", Task::Transcribe));
    let said = SENTENCES.join(" ");
    let began = std::time::Instant::now();
    let transcript = sphinx.transcribe(request(&*sphinx, spoken(&said))).await.unwrap();
    let rate = word_errors(&said, &transcript.text());
    let (seconds, took) = (transcript.duration, began.elapsed().as_secs_f64());
    eprintln!("flite: word error rate {rate:.3}, {seconds:.1} s heard in {took:.1} s: {}", transcript.text());
    assert!(rate < 0.3, "{rate}");
    times_are_in_order(&transcript);
    assert_eq!(transcript.language.as_deref(), Some("en"));
    let words: Vec<_> = transcript.segments.iter().flat_map(|segment| &segment.words).collect();
    assert!(words.len() > 50);
    assert!(
        words.iter().any(|word| word.confidence.unwrap() > 0.95)
            && words.iter().any(|word| word.confidence.unwrap() < 0.95)
    );
}

/// A real voice in a noisy hall; the recording is not part of the sources.
#[tokio::test(flavor = "multi_thread")]
async fn pocketsphinx_hears_a_real_recording() {
    let Some(sphinx) = sphinx() else { return };
    let Some(path) = std::env::var_os("LYCEUM_TEST_JFK") else {
        eprintln!("skipped: LYCEUM_TEST_JFK names no recording");
        return;
    };
    let said =
        "and so my fellow americans ask not what your country can do for you ask what you can do for your country";
    let transcript = sphinx.transcribe(request(&*sphinx, std::fs::read(path).unwrap())).await.unwrap();
    eprintln!("real voice: word error rate {:.3}: {}", word_errors(said, &transcript.text()), transcript.text());
    times_are_in_order(&transcript);
}

#[test]
fn what_is_missing_is_named_with_its_remedy() {
    let settings =
        PocketsphinxSettings { program: PathBuf::from("no-such-program"), ..PocketsphinxSettings::default() };
    let notice = open_pocketsphinx(&settings).err().unwrap();
    assert!(notice.contains("no-such-program") && notice.contains("apt-get install pocketsphinx"), "{notice}");
}

fn failure<T: std::fmt::Debug>(result: Result<T, BackendError>) -> Failure {
    match result.unwrap_err() {
        BackendError::Failed(failure) => failure,
        BackendError::Crashed => panic!("crashed"),
    }
}

/// Neither a playlist nor a broken file reaches a decoder that could read other files.
#[tokio::test(flavor = "multi_thread")]
async fn recordings_that_are_none_are_refused() {
    if !there(program("ffmpeg")) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let whisper = tiny_whisper(folder.path(), false);
    for hostile in [
        "#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n".as_bytes(),
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"RIFF\xFF\xFF\xFF\xFFWAVEfmt nothing",
        b"\0\0\0\x20ftypM4A #EXTM3U\nfile:///etc/passwd\n",
        b"fLaC",
        b"",
    ] {
        let refused = failure(whisper.transcribe(request(&*whisper, hostile.to_vec())).await);
        assert!(matches!(refused, Failure::Invalid { .. }), "{refused:?}");
    }
    let settings = WhisperSettings { max_minutes: 0, ..settings(folder.path()) };
    let short = open_whisper(&settings).unwrap();
    let refused = failure(short.transcribe(request(&*short, wave(2))).await);
    assert!(matches!(&refused, Failure::Invalid { message } if message.contains("longer than")), "{refused:?}");
}

/// The program and what it started hold a pipe open: its end is the end of both.
#[tokio::test(flavor = "multi_thread")]
async fn programs_are_killed_with_their_children_when_nobody_waits() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let script = folder.path().join("ffmpeg");
    std::fs::write(&script, format!("#!/bin/sh\nexec 3>'{}'\necho begun >&3\nsleep 1000 &\nwait\n", pipe.display()))
        .unwrap();
    let mut allowed = std::fs::metadata(&script).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut allowed, 0o755);
    std::fs::set_permissions(&script, allowed).unwrap();
    let opened = open_whisper(&WhisperSettings { ffmpeg: script, ..settings_of(folder.path(), false) }).unwrap();
    let task = tokio::spawn(async move { opened.transcribe(request(&*opened, wave(1))).await });
    let ended = tokio::task::spawn_blocking(move || {
        let mut pipe = std::fs::File::open(pipe).unwrap();
        let mut begun = [0; 6];
        pipe.read_exact(&mut begun).unwrap();
        task.abort();
        let mut rest = Vec::new();
        pipe.read_to_end(&mut rest).unwrap();
        rest
    });
    assert!(ended.await.unwrap().is_empty());
}

/// `seconds` of tones as a WAV file.
fn wave(seconds: usize) -> Vec<u8> {
    let samples: Vec<u8> = (0..16_000 * seconds)
        .flat_map(|at| {
            let tone = (at as f64 * 0.05).sin() * f64::from(u32::from(at / 8_000 % 2 == 0));
            ((tone * 9_000.0) as i16).to_le_bytes()
        })
        .collect();
    let mut file = Vec::new();
    let number = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
    for part in [&b"RIFF"[..], &number(36 + samples.len()), b"WAVEfmt ", &number(16), &[1, 0, 1, 0], &number(16_000)] {
        file.extend_from_slice(part);
    }
    for part in [&number(32_000)[..], &[2, 0, 16, 0], b"data", &number(samples.len()), &samples] {
        file.extend_from_slice(part);
    }
    file
}

const STATE: usize = 32;
const BANDS: usize = 80;
const TARGETS: usize = 64;

fn settings(folder: &Path) -> WhisperSettings {
    WhisperSettings { folder: folder.to_owned(), threads: Some(1), ..WhisperSettings::default() }
}

/// Writes the model and names it.
fn settings_of(folder: &Path, quantized: bool) -> WhisperSettings {
    let marks = [
        "<|endoftext|>",
        "<|startoftranscript|>",
        "<|en|>",
        "<|de|>",
        "<|translate|>",
        "<|transcribe|>",
        "<|startoflm|>",
        "<|startofprev|>",
        "<|nospeech|>",
        "<|notimestamps|>",
    ];
    let (letters, _) = crate::tiny_gguf::vocabulary();
    let letters = &letters[5..261];
    let vocab: serde_json::Map<String, serde_json::Value> =
        letters.iter().enumerate().map(|(id, letter)| (letter.clone(), json!(id))).collect();
    let added: Vec<serde_json::Value> = marks
        .iter()
        .enumerate()
        .map(|(at, mark)| {
            json!({"id": 256 + at, "content": mark, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true})
        })
        .collect();
    let level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let tokenizer = json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
        "pre_tokenizer": level, "post_processor": null, "decoder": level,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "",
                  "fuse_unk": false, "vocab": vocab, "merges": []}});
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let vocabulary = 256 + marks.len() + 1_501;
    let config = json!({"num_mel_bins": BANDS, "max_source_positions": 1_500, "d_model": STATE, "encoder_attention_heads": 2,
        "encoder_layers": 1, "vocab_size": vocabulary, "max_target_positions": TARGETS, "decoder_attention_heads": 2,
        "decoder_layers": 1, "suppress_tokens": null, "is_encoder_decoder": true});
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let mut random = Random(3);
    let mut tensors: HashMap<String, Tensor> = HashMap::new();
    let mut add = |name: String, shape: &[usize], ones: bool| {
        let count: usize = shape.iter().product();
        let data = if ones { vec![1.0; count] } else { random.matrix(1, count, 0.2) };
        tensors.insert(name, Tensor::from_vec(data, shape, &Device::Cpu).unwrap());
    };
    let norm = |name: &str| [(format!("{name}.weight"), true), (format!("{name}.bias"), false)];
    for part in ["encoder", "decoder"] {
        for (name, ones) in norm(&format!("model.{part}.layer_norm")) {
            add(name, &[STATE], ones);
        }
        let layer = format!("model.{part}.layers.0");
        let attentions: &[&str] = if part == "encoder" { &["self_attn"] } else { &["self_attn", "encoder_attn"] };
        for attention in attentions {
            for (name, ones) in norm(&format!("{layer}.{attention}_layer_norm")) {
                add(name, &[STATE], ones);
            }
            for projection in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                add(format!("{layer}.{attention}.{projection}.weight"), &[STATE, STATE], false);
                if projection != "k_proj" {
                    add(format!("{layer}.{attention}.{projection}.bias"), &[STATE], false);
                }
            }
        }
        for (name, ones) in norm(&format!("{layer}.final_layer_norm")) {
            add(name, &[STATE], ones);
        }
        for (name, rows, columns) in [("fc1", STATE * 4, STATE), ("fc2", STATE, STATE * 4)] {
            add(format!("{layer}.{name}.weight"), &[rows, columns], false);
            add(format!("{layer}.{name}.bias"), &[rows], false);
        }
    }
    for (name, inner) in [("conv1", BANDS), ("conv2", STATE)] {
        add(format!("model.encoder.{name}.weight"), &[STATE, inner, 3], false);
        add(format!("model.encoder.{name}.bias"), &[STATE], false);
    }
    add("model.decoder.embed_tokens.weight".to_owned(), &[vocabulary, STATE], false);
    add("model.decoder.embed_positions.weight".to_owned(), &[TARGETS, STATE], false);
    if quantized {
        let tensors: Vec<(String, QTensor)> = tensors
            .iter()
            .map(|(name, tensor)| (name.clone(), QTensor::quantize(tensor, GgmlDType::F32).unwrap()))
            .collect();
        let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        gguf_file::write(&mut std::fs::File::create(folder.join("model.gguf")).unwrap(), &[], &tensors).unwrap();
    } else {
        candle_core::safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
    }
    settings(folder)
}

fn tiny_whisper(folder: &Path, quantized: bool) -> Arc<Whisper> {
    open_whisper(&settings_of(folder, quantized)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whisper_of_random_weights_hears_to_the_end() {
    if !there(program("ffmpeg")) {
        return;
    }
    for quantized in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let whisper = tiny_whisper(folder.path(), quantized);
        assert_eq!(whisper.models()[0].task, Task::Transcribe);
        let began = std::time::Instant::now();
        let transcript = whisper.transcribe(request(&*whisper, wave(40))).await.unwrap();
        eprintln!("whisper: {} segments, {:.1} s", transcript.segments.len(), began.elapsed().as_secs_f64());
        assert!((transcript.duration - 40.0).abs() < 0.01);
        assert!(!transcript.segments.is_empty());
        assert!(["en", "de"].contains(&transcript.language.as_deref().unwrap()));
        times_are_in_order(&transcript);
        let again = whisper.transcribe(request(&*whisper, wave(40))).await.unwrap();
        assert_eq!(again, transcript);
        let mut asked = request(&*whisper, wave(1));
        asked.language = Some("de".to_owned());
        asked.prompt = Some("words ".repeat(500));
        assert_eq!(whisper.transcribe(asked.clone()).await.unwrap().language.as_deref(), Some("de"));
        asked.language = Some("xx".to_owned());
        assert!(matches!(failure(whisper.transcribe(asked).await), Failure::Invalid { .. }));
    }
}

#[test]
fn whisper_files_that_do_not_fit_are_refused() {
    if !there(program("ffmpeg")) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let settings = settings_of(folder.path(), false);
    let weights = folder.path().join("model.safetensors");
    let good = std::fs::read(&weights).unwrap();
    for length in [0, 7, 100, good.len() / 2] {
        std::fs::write(&weights, &good[..length]).unwrap();
        assert!(matches!(open_whisper(&settings), Err(llm_worker::Error::Load { .. })), "{length}");
    }
    std::fs::write(&weights, &good).unwrap();
    let exchanged = WhisperSettings { sha256: Some("00".repeat(32)), ..settings.clone() };
    assert!(matches!(open_whisper(&exchanged), Err(llm_worker::Error::Tampered { .. })));
    let config = std::fs::read_to_string(folder.path().join("config.json")).unwrap();
    for (from, to) in [
        ("\"d_model\":32", "\"d_model\":30"),
        ("\"d_model\":32", "\"d_model\":64"),
        ("_heads\":2", "_heads\":0"),
        ("_heads\":2", "_heads\":3"),
    ] {
        let broken = config.replace(from, to);
        assert_ne!(broken, config);
        std::fs::write(folder.path().join("config.json"), broken).unwrap();
        assert!(matches!(open_whisper(&settings), Err(llm_worker::Error::Load { .. })), "{to}");
    }
}
