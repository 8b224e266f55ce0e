//! Chat with GGUF models of random weights: what holds for any weights.

use std::sync::Arc;

use domain::wire::{ChatRequest, Failure, Finish, Message, Role, Usage};
use llm_worker::Backend as _;
use llm_worker::backend::BackendError;
use llm_worker::backend::candle_chat::header::Header;
use llm_worker::backend::candle_chat::{CandleChat, ChatSettings, TemplateChoice, open_chat};
use tokio::sync::mpsc;

use crate::tiny_gguf::{self, CONTEXT, Random, TEMPLATE};

pub(crate) const ARCHITECTURES: [&str; 3] = ["llama", "qwen2", "qwen3"];
/// Never ends by itself.
pub(crate) const ENDLESS: f32 = -9.0;

pub(crate) struct Tiny {
    pub(crate) chat: Arc<CandleChat>,
    folder: tempfile::TempDir,
    notices: Vec<String>,
}

pub(crate) fn open(architecture: &str, ending: f32, change: impl FnOnce(&mut ChatSettings)) -> Tiny {
    let folder = tempfile::tempdir().unwrap();
    let path = tiny_gguf::write(folder.path(), architecture, ending, Some(TEMPLATE));
    let mut settings = ChatSettings { path, threads: Some(1), ..ChatSettings::default() };
    change(&mut settings);
    let opened = open_chat(&settings).unwrap();
    Tiny { chat: opened.backend, folder, notices: opened.notices }
}

pub(crate) fn request(prompt: &str) -> ChatRequest {
    ChatRequest {
        messages: vec![Message { role: Role::User, content: prompt.to_owned() }],
        max_tokens: 40,
        seed: Some(1),
        ..ChatRequest::default()
    }
}

pub(crate) async fn pieces(
    chat: &CandleChat,
    request: ChatRequest,
) -> Result<(Vec<String>, Finish, Usage), BackendError> {
    let (sender, mut receiver) = mpsc::channel(8);
    let gather = async {
        let mut pieces = Vec::new();
        while let Some(piece) = receiver.recv().await {
            pieces.push(piece);
        }
        pieces
    };
    let (end, pieces) = tokio::join!(chat.chat(request, sender), gather);
    end.map(|end| (pieces, end.finish, end.usage.unwrap()))
}

pub(crate) async fn says(chat: &CandleChat, request: ChatRequest) -> (String, Finish, Usage) {
    let (pieces, finish, usage) = pieces(chat, request).await.unwrap();
    (pieces.concat(), finish, usage)
}

pub(crate) fn failure(error: BackendError) -> Failure {
    match error {
        BackendError::Failed(failure) => failure,
        BackendError::Crashed => panic!("crashed"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_architecture_streams_counts_and_repeats_itself_by_seed() {
    for architecture in ARCHITECTURES {
        let tiny = open(architecture, ENDLESS, |_| {});
        assert!(tiny.notices.is_empty(), "{:?}", tiny.notices);
        let models = tiny.chat.models();
        assert_eq!(
            (models[0].id.as_str(), models[0].max_tokens),
            (&*format!("{architecture}-tiny"), Some(CONTEXT as usize))
        );
        assert!(models[0].abilities.version.as_ref().unwrap().starts_with("sha256:"));
        let (first, finish, usage) = pieces(&tiny.chat, request("the sun warms the ocean")).await.unwrap();
        assert!(first.len() > 5, "{architecture}: it comes in pieces: {first:?}");
        assert_eq!((finish, usage.completion_tokens), (Finish::Length, 40));
        assert!(usage.prompt_tokens > 10 && usage.prompt_tokens < 60);
        eprintln!("{architecture}: {:?}", first.concat());
        // Other requests between do not matter.
        let (other, ..) = says(&tiny.chat, ChatRequest { seed: Some(2), ..request("the sun warms the ocean") }).await;
        let (again, ..) = says(&tiny.chat, request("the sun warms the ocean")).await;
        assert_eq!(again, first.concat(), "{architecture}");
        assert_ne!(other, again, "{architecture}");
        // At temperature 0 the seed does not matter.
        let cold = |seed| ChatRequest { seed: Some(seed), temperature: Some(0.0), ..request("keys in order") };
        assert_eq!(says(&tiny.chat, cold(1)).await, says(&tiny.chat, cold(2)).await);
    }
}

/// What is read in steps, and what is remembered from the last request, does not change the reply.
#[tokio::test(flavor = "multi_thread")]
async fn steps_and_memory_do_not_change_the_reply() {
    for architecture in ARCHITECTURES {
        let tiny = open(architecture, ENDLESS, |_| {});
        // Long enough for several steps, of uneven length.
        let long = "the teacher explained how a binary search tree keeps its keys. ".repeat(9);
        let mut turns = request(&long);
        (turns.temperature, turns.max_tokens) = (Some(0.0), 12);
        let (reply, ..) = says(&tiny.chat, ChatRequest { seed: None, ..turns.clone() }).await;
        turns.messages.push(Message { role: Role::Assistant, content: reply });
        turns.messages.push(Message { role: Role::User, content: "and the water?".to_owned() });
        let (remembered, ..) = says(&tiny.chat, ChatRequest { seed: None, ..turns.clone() }).await;
        let fresh = open(architecture, ENDLESS, |_| {});
        let (anew, ..) = says(&fresh.chat, turns).await;
        assert_eq!(remembered, anew, "{architecture}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_ends_its_reply_is_done() {
    let tiny = open("llama", 90.0, |_| {});
    let (text, finish, usage) = says(&tiny.chat, request("the sun")).await;
    assert_eq!((text.as_str(), finish, usage.completion_tokens), ("", Finish::Stop, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reply_ends_before_a_stop() {
    let tiny = open("qwen2", ENDLESS, |_| {});
    let (whole, ..) = says(&tiny.chat, request("the air")).await;
    let middle: String = whole.chars().skip(20).take(5).collect();
    let before = whole.split(&middle).next().unwrap();
    let stopped = ChatRequest { stop: vec!["never said".to_owned(), middle.clone()], ..request("the air") };
    let (text, finish, usage) = says(&tiny.chat, stopped).await;
    assert_eq!((text.as_str(), finish), (before, Finish::Stop));
    assert!(usage.completion_tokens < 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_is_too_long_is_refused_and_the_limit_is_the_context() {
    let tiny = open("qwen3", ENDLESS, |_| {});
    let error = pieces(&tiny.chat, request(&"order ".repeat(2_000))).await.unwrap_err();
    let Failure::Invalid { message } = failure(error) else { panic!() };
    assert!(message.contains("tokens") && message.contains("511"), "{message}");
    let endless = ChatRequest { max_tokens: 100_000, ..request("the air") };
    let (_, finish, usage) = says(&tiny.chat, endless).await;
    assert_eq!((finish, usage.prompt_tokens + usage.completion_tokens), (Finish::Length, CONTEXT));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_let_go_makes_room_for_the_next() {
    let tiny = open("llama", ENDLESS, |_| {});
    for _ in 0..20 {
        let (sender, mut receiver) = mpsc::channel(1);
        let endless = ChatRequest { max_tokens: 400, ..request("the air") };
        let chat = Arc::clone(&tiny.chat);
        let task = tokio::spawn(async move { chat.chat(endless, sender).await });
        receiver.recv().await.unwrap();
        drop(receiver);
        assert_eq!(task.await.unwrap().unwrap_err(), BackendError::Failed(Failure::Cancelled));
    }
    // Were the twenty still running, their 8,000 tokens would come before this one's.
    let (_, _, usage) = says(&tiny.chat, request("the air")).await;
    assert_eq!(usage.completion_tokens, 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_bounded_and_the_longest_time_is_kept() {
    let tiny = open("llama", ENDLESS, |settings| settings.queue = 1);
    let mut tasks = Vec::new();
    for _ in 0..12 {
        let (chat, endless) = (Arc::clone(&tiny.chat), ChatRequest { max_tokens: 200, ..request("the air") });
        tasks.push(tokio::spawn(async move { pieces(&chat, endless).await.map(|_| ()) }));
    }
    let mut refused = 0;
    for task in tasks {
        if let Err(error) = task.await.unwrap() {
            assert_eq!(
                failure(error),
                Failure::Backend { message: "the model has too many requests waiting".to_owned() }
            );
            refused += 1;
        }
    }
    assert!((1..12).contains(&refused), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_a_person_never_steer_the_model() {
    let tiny = open("llama", ENDLESS, |_| {});
    let count = async |prompt: &str| says(&tiny.chat, request(prompt)).await.2.prompt_tokens;
    let plain = count("x").await;
    // As a token it would be one; as words it is one for each byte.
    assert_eq!(count("x<|im_end|>").await, plain + 10);
    assert_eq!(count("x\u{E000}4\u{E001}").await, plain + 3 + 1 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_fails_is_replaced_and_said() {
    let endless = "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}";
    for broken in ["{% include 'secret' %}", "{% for", endless, "no message at all", "{{ raise_exception('no') }}"] {
        let folder = tempfile::tempdir().unwrap();
        let path = tiny_gguf::write(folder.path(), "llama", ENDLESS, Some(broken));
        let settings = ChatSettings { path, ..ChatSettings::default() };
        let opened = open_chat(&settings).unwrap();
        assert!(opened.notices[0].contains("chat template fails"), "{broken}: {:?}", opened.notices);
        let (_, _, usage) = says(&opened.backend, request("the sun")).await;
        let ours = open_chat(&ChatSettings { template: TemplateChoice::BuiltIn, ..settings }).unwrap();
        assert!(ours.notices.is_empty());
        assert_eq!(says(&ours.backend, request("the sun")).await.2, usage);
    }
    // This one knows no system message; it is put before the question.
    let picky = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ m.content.strip() }}{% endfor %}";
    let folder = tempfile::tempdir().unwrap();
    let path = tiny_gguf::write(folder.path(), "llama", ENDLESS, Some(picky));
    let opened = open_chat(&ChatSettings { path, ..ChatSettings::default() }).unwrap();
    assert!(opened.notices.is_empty(), "{:?}", opened.notices);
    let mut asked = request("b");
    asked.messages.insert(0, Message { role: Role::System, content: "a".to_owned() });
    assert_eq!(says(&opened.backend, asked).await.2.prompt_tokens, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_exchanged_or_broken_is_refused() {
    let tiny = open("qwen2", ENDLESS, |_| {});
    let path = tiny.folder.path().join("qwen2-tiny.gguf");
    let version = tiny.chat.models()[0].abilities.version.clone().unwrap();
    let settings = ChatSettings {
        path: path.clone(),
        sha256: version.strip_prefix("sha256:").map(str::to_uppercase),
        ..ChatSettings::default()
    };
    assert!(open_chat(&settings).is_ok());
    let good = std::fs::read(&path).unwrap();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &flipped).unwrap();
    assert!(matches!(open_chat(&settings), Err(llm_worker::Error::Tampered { .. })));
    let settings = ChatSettings { sha256: None, ..settings };
    std::fs::write(&path, &good[..good.len() / 2]).unwrap();
    assert!(open_chat(&settings).err().unwrap().to_string().contains("outside of the file"));
    std::fs::remove_file(&path).unwrap();
    assert!(open_chat(&settings).err().unwrap().to_string().contains("not there"));
}

#[test]
fn five_thousand_broken_headers_are_refused_without_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let good = std::fs::read(tiny_gguf::write(folder.path(), "llama", ENDLESS, Some(TEMPLATE))).unwrap();
    let read = |bytes: &[u8]| Header::read(&mut std::io::Cursor::new(bytes), bytes.len() as u64);
    let header = read(&good).unwrap();
    // Where the weights begin: nothing behind it is read by the header's reader.
    let weights: u64 = header.tensors.values().map(|tensor| tensor.size.next_multiple_of(32)).sum();
    let begin = good.len() - usize::try_from(weights).unwrap();
    let mut random = Random(11);
    let (mut refused, mut opened) = (0, 0);
    for round in 0..5_000 {
        let mut bytes = good.clone();
        // Most counts and lengths stand at the begin and behind the names of tensors.
        let reach = if round % 2 == 0 { begin } else { 2_000 };
        for _ in 0..=random.below(4) {
            match random.below(4) {
                0 => bytes[random.below(reach)] = random.below(256) as u8,
                1 => bytes[random.below(reach)] ^= 1 << random.below(8),
                2 => {
                    let at = random.below(reach);
                    let extreme = [u64::MAX, 1 << 63, 1 << 32, 0, 0x7FFF_FFFF][random.below(5)];
                    bytes[at..at + 8].copy_from_slice(&extreme.to_le_bytes());
                }
                _ if random.below(4) == 0 => bytes.truncate(reach.min(1 + random.below(bytes.len()))),
                _ => {
                    let (at, from) = (random.below(reach), random.below(reach));
                    let copied = bytes[from..from + 16].to_vec();
                    bytes[at..at + 16].copy_from_slice(&copied);
                }
            }
            if bytes.len() < begin + 16 {
                break;
            }
        }
        match read(&bytes) {
            Err(_) => refused += 1,
            Ok(_) if round % 10 == 0 => {
                // What the reader lets through, the whole way must take or refuse.
                let path = folder.path().join("fuzzed.gguf");
                std::fs::write(&path, &bytes).unwrap();
                if open_chat(&ChatSettings { path, threads: Some(1), ..ChatSettings::default() }).is_ok() {
                    opened += 1;
                }
            }
            Ok(_) => {}
        }
    }
    eprintln!("5000 headers: {refused} refused by the reader; of every tenth of the others {opened} opened");
    assert!(refused > 1_000);
}
