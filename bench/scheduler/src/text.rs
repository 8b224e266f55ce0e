//! Prompts and answers made of words that count the same as words and as bytes by four.

use std::hash::{DefaultHasher, Hash, Hasher};

use rand::Rng;
use rand::rngs::StdRng;

/// Who wrote a message, and what.
#[derive(Clone, Debug)]
pub struct Message {
    pub role: &'static str,
    pub text: String,
}

/// A text of random words of three letters.
pub fn words(rng: &mut StdRng, count: usize) -> String {
    let words: Vec<String> = (0..count).map(|_| word(rng.random())).collect();
    words.join(" ")
}

/// What a simulated server answers: the request's id, then words that follow from it.
pub fn reply(id: &str, tokens: usize) -> String {
    (0..tokens).map(|position| reply_token(id, position)).collect()
}

/// The token of an answer at a position, with the space before it.
pub fn reply_token(id: &str, position: usize) -> String {
    if position == 0 {
        return format!("#{id}");
    }
    let mut hasher = DefaultHasher::new();
    (id, position).hash(&mut hasher);
    format!(" {}", word(hasher.finish()))
}

/// The tokens of a conversation, as numbers: four bytes of a word and the space behind it are one.
pub fn tokens<'a>(messages: impl Iterator<Item = &'a str>) -> Vec<u64> {
    let of_word = |word: &'a str| (0..count(word)).map(move |part| token(word) ^ part as u64);
    messages.flat_map(str::split_whitespace).flat_map(of_word).collect()
}

/// Tokens of one word: of those in texts one, of an id more.
pub fn count(word: &str) -> usize {
    (word.len() + 1).div_ceil(4)
}

fn token(word: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    word.hash(&mut hasher);
    hasher.finish()
}

fn word(mut number: u64) -> String {
    let mut word = String::with_capacity(3);
    for _ in 0..3 {
        word.push(char::from(b'a' + u8::try_from(number % 26).unwrap_or_default()));
        number /= 26;
    }
    word
}
