//! The words of a question as the guard compares them: plain ones in small letters without contractions, all others
//! as they were written.

pub(super) const ASKS: &[&str] = &["what", "which", "who", "whom", "whose", "when", "where", "why", "how"];
/// Words that begin a question which is answered by yes or no: they stay, for "can" and "must" are not alike.
pub(super) const WHETHER: &[&str] = &[
    "is", "are", "was", "were", "do", "does", "did", "can", "could", "should", "must", "may", "might", "will", "would",
    "have", "has", "had", "shall",
];

/// One word; what is code, a name in capitals, a number or a quotation stands as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) plain: bool,
}

impl Word {
    pub(super) fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), plain: true }
    }

    pub(super) fn is(&self, one: &str) -> bool {
        self.plain && self.text == one
    }

    pub(super) fn among(&self, some: &[&str]) -> bool {
        self.plain && some.contains(&self.text.as_str())
    }
}

/// The words of a question; none when a quotation has no end.
pub(super) fn split(question: &str) -> Option<Vec<Word>> {
    let question = question.trim().replace(['\u{2019}', '\u{2018}'], "'");
    let question = question.trim_end_matches(['?', '!', '.', ' ']);
    let mut words: Vec<Word> = Vec::new();
    let parts: Vec<&str> = question.split(['"', '\u{201c}', '\u{201d}', '\u{ab}', '\u{bb}', '`']).collect();
    if parts.len().is_multiple_of(2) {
        return None;
    }
    for (number, part) in parts.into_iter().enumerate() {
        if !number.is_multiple_of(2) {
            words.push(Word { text: part.to_owned(), plain: false });
            continue;
        }
        let tokens: Vec<&str> = part.split_whitespace().collect();
        for (at, token) in tokens.iter().enumerate() {
            push(&mut words, token, tokens.get(at + 1).copied().unwrap_or_default());
        }
    }
    Some(words)
}

fn push(words: &mut Vec<Word>, token: &str, next: &str) {
    let mut bare = token.trim_end_matches([',', ';', ':', '.']);
    if !bare.contains('(') {
        bare = bare.trim_end_matches(')');
    } else if !bare.contains(')') {
        bare = bare.trim_start_matches('(');
    }
    if bare.is_empty() {
        if !matches!(token, "," | ";" | ":" | ".") {
            words.push(Word { text: token.to_owned(), plain: false });
        }
        return;
    }
    let lower = bare.to_lowercase();
    let first = words.is_empty();
    let after_number = words.last().is_some_and(|word| word.text.ends_with(|c: char| c.is_numeric()));
    let capital = bare.starts_with(char::is_uppercase);
    if bare == "I" {
        // "World War I" has none of these beside it.
        let beside = |word: &str| WHETHER.contains(&word) || ASKS.contains(&word);
        let asker = first || words.last().is_some_and(|word| beside(&word.text)) || beside(&next.to_lowercase());
        words.push(Word { text: if asker { lower } else { bare.to_owned() }, plain: asker });
    } else if let Some((word, rest)) = contracted(&lower) {
        words.push(Word::plain(word));
        words.push(Word::plain(rest));
    } else if lower == "cannot" {
        words.extend([Word::plain("can"), Word::plain("not")]);
    } else {
        let coded = bare.chars().any(|c| !(c.is_alphabetic() || matches!(c, '-' | '\'')))
            || bare.starts_with(['-', '\''])
            || bare.chars().skip(1).any(char::is_uppercase)
            || capital && !first && (after_number || bare.chars().count() <= 2);
        words.push(if coded {
            Word { text: bare.to_owned(), plain: false }
        } else {
            Word { text: lower, plain: true }
        });
    }
}

fn contracted(lower: &str) -> Option<(&str, &'static str)> {
    if let Some(word) = lower.strip_suffix("n't") {
        return Some((
            match word {
                "ca" => "can",
                "wo" => "will",
                "sha" => "shall",
                other => other,
            },
            "not",
        ));
    }
    let (word, rest) = lower.split_once('\'')?;
    let rest = match rest {
        "s" if ASKS.contains(&word) || matches!(word, "it" | "that" | "there") => "is",
        "re" => "are",
        "ll" => "will",
        "ve" => "have",
        "m" => "am",
        "d" if ASKS.contains(&word) || matches!(word, "i" | "you" | "we" | "they") => "would",
        _ => return None,
    };
    Some((word, rest))
}
