//! Whether two questions ask the same thing, told by their words.
//!
//! Vectors put "with yeast" beside "without yeast" and 10 minutes beside 12. Therefore every word counts here, in
//! its order, and only what never changes a question is left out: articles, the helping verbs, courtesies. A question
//! that leans on something else (what was said before, who asks, the day) has no form and is never kept.

use domain::text::is_stop_word;

use super::word::{ASKS, WHETHER, Word, split};

/// Longest question that is compared, in characters.
const LONGEST: usize = 300;
/// Fewest words: what is shorter is a follow-up.
const FEWEST: usize = 3;

/// What is left out. What they tell of time and voice is kept in [`Form::is`] and [`Form::past`].
const DROPPED: &[&str] = &[
    "a", "an", "the", "of", "at", "is", "are", "be", "been", "being", "was", "were", "do", "does", "did", "i", "you",
    "we", "my", "your", "our", "please", "just", "exactly", "actually", "really",
];
const IS: &[&str] = &["is", "are", "am", "be", "been", "being", "was", "were"];
const PAST: &[&str] = &["was", "were", "did", "had"];
const DUTIES: &[&str] = &["should", "must", "shall"];
const NOT: &[&str] = &["not", "no", "never", "without", "neither", "nor", "none"];
/// Words that point to what was said before, to the day, or to the asker.
#[rustfmt::skip]
const LEANING: &[&str] = &[
    "it", "its", "this", "that", "these", "those", "they", "them", "he", "she", "him", "her", "his", "above",
    "previous", "previously", "earlier", "else", "today", "tomorrow", "yesterday", "now", "currently", "latest",
    "am", "mine", "myself",
];
const FOLLOWING: &[&str] =
    &["and", "but", "so", "then", "also", "or", "because", "more", "another", "next", "again", "continue", "ok", "yes"];
/// Of the asker when "my" stands with them.
#[rustfmt::skip]
const PERSONAL: &[&str] = &[
    "grade", "grades", "mark", "marks", "score", "scores", "submission", "attempt", "attempts", "result", "results",
    "progress", "name", "exam", "quiz", "assignment", "homework", "teacher", "class",
];
/// Words that name no subject by themselves.
#[rustfmt::skip]
const VAGUE: &[&str] = &[
    "give", "show", "tell", "explain", "example", "examples", "detail", "details", "summary", "summarise",
    "summarize", "elaborate", "simpler", "shorter", "longer", "help", "mean", "means", "know", "understand",
    "answer", "question", "another", "next", "continue",
];
/// Courtesies before a question, longest first.
const BEFORE: &[&[&str]] = &[
    &["i", "would", "like", "to", "know"],
    &["i", "want", "to", "know"],
    &["can", "you", "please", "tell", "me"],
    &["could", "you", "please", "tell", "me"],
    &["can", "you", "tell", "me"],
    &["could", "you", "tell", "me"],
    &["can", "you", "please"],
    &["could", "you", "please"],
    &["do", "you", "know"],
    &["please", "tell", "me"],
    &["tell", "me"],
    &["please"],
    &["hello"],
    &["hi"],
];
const AFTER: &[&[&str]] = &[&["thank", "you"], &["thanks"], &["please"]];
/// The same word by another name.
const SAME: &[(&str, &str)] = &[
    ("which", "what"),
    ("whom", "who"),
    ("begin", "start"),
    ("begins", "starts"),
    ("occur", "happen"),
    ("occurs", "happens"),
    ("required", "needed"),
    ("permitted", "allowed"),
];

/// What a question asks, as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    words: Vec<Word>,
    /// A form of "to be": "who is examined" and "who examined" differ by nothing else.
    is: bool,
    past: bool,
}

impl Form {
    /// The form of a question; none when its answer may not be shown for another.
    pub(super) fn of(question: &str) -> Option<Self> {
        if question.chars().count() > LONGEST
            || question.trim().contains('\n')
            || !question.chars().any(char::is_lowercase) && question.chars().any(char::is_uppercase)
            || domain::injection::instruction_like(question).is_some()
        {
            return None;
        }
        let mut words = split(question)?;
        if leans(&words) {
            return None;
        }
        without_courtesies(&mut words);
        if words.len() < FEWEST {
            return None;
        }
        let defined = defines(&mut words);
        let is = defined || words.iter().any(|word| word.among(IS));
        let past = words.iter().any(|word| word.among(PAST));
        without_duties(&mut words);
        let whether = words.first().is_some_and(|word| word.among(WHETHER));
        let mut kept: Vec<Word> = Vec::new();
        let mut after_is = false;
        for (at, mut word) in words.into_iter().enumerate() {
            let counts = after_is && word.is("there");
            after_is = word.among(&["is", "are"]);
            if (counts || word.among(DROPPED)) && !(at == 0 && whether) {
                continue;
            }
            if let Some((_, other)) = SAME.iter().find(|(one, _)| word.is(one)) {
                (*other).clone_into(&mut word.text);
            }
            kept.push(word);
        }
        let named = |word: &Word| !word.plain || !is_stop_word(&word.text) && !word.among(VAGUE);
        if !kept.iter().any(named) {
            return None;
        }
        Some(match difference(&kept) {
            Some(words) => Self { words, is: false, past },
            None => Self { words: kept, is, past },
        })
    }

    /// Whether both ask the same.
    pub(super) fn same(&self, other: &Self) -> bool {
        (self.is, self.past, self.words.len()) == (other.is, other.past, other.words.len())
            && self.words.iter().zip(&other.words).all(|(a, b)| a == b || a.plain && b.plain && inflected(a, b))
    }

    pub(super) fn bytes(&self) -> usize {
        self.words.iter().map(|word| word.text.len() + size_of::<Word>()).sum()
    }
}

fn leans(words: &[Word]) -> bool {
    let has = |some: &[&str]| words.iter().any(|word| word.among(some));
    has(LEANING)
        || words.first().is_some_and(|word| word.among(FOLLOWING))
        || has(&["my"]) && has(PERSONAL)
        || words.iter().any(|word| !word.plain && word.text.contains('@') && word.text.contains('.'))
}

fn begins(words: &[Word], with: &[&str]) -> bool {
    words.len() >= with.len() && words.iter().zip(with).all(|(word, one)| word.is(one))
}

fn without_courtesies(words: &mut Vec<Word>) {
    while let Some(before) = BEFORE.iter().find(|before| begins(words, before)) {
        words.drain(..before.len());
    }
    let ends = |words: &[Word], after: &[&str]| {
        let at = words.len().checked_sub(after.len()).filter(|at| *at > 0);
        at.and_then(|at| words.get(at..)).is_some_and(|end| begins(end, after))
    };
    while let Some(after) = AFTER.iter().find(|after| ends(words, after)) {
        words.truncate(words.len().saturating_sub(after.len()));
    }
    let explains = |word: &Word| word.among(&["explain", "describe", "define"]);
    if (begins(words, &["can", "you"]) || begins(words, &["could", "you"])) && words.get(2).is_some_and(explains) {
        words.drain(..2);
    }
    if words.first().is_some_and(explains) {
        words.remove(0);
        if !words.first().is_some_and(|word| word.among(ASKS)) {
            words.splice(0..0, [Word::plain("what"), Word::plain("is")]);
        }
    }
    for (said, plain) in [(&["for", "what", "reason"][..], "why"), (&["how", "come"], "why"), (&["for", "how"], "how")]
    {
        if begins(words, said) {
            words.splice(..said.len(), [Word::plain(plain)]);
        }
    }
}

/// "What does x mean" and "what is the meaning of x" ask what x is; says whether it was one of them.
fn defines(words: &mut Vec<Word>) -> bool {
    let does = words.get(1).is_some_and(|word| word.among(&["do", "does"]));
    let mean = words.iter().position(|word| word.is("mean")).filter(|at| *at > 2);
    if begins(words, &["what"])
        && does
        && let Some(mean) = mean
        && words.get(mean + 1).is_none_or(|word| word.is("in"))
    {
        words.remove(mean);
        words.remove(1);
        return true;
    }
    for said in [
        &["what", "is", "the", "meaning", "of"][..],
        &["what", "is", "the", "definition", "of"],
        &["what", "is", "meant", "by"],
    ] {
        if begins(words, said) && words.len() > said.len() {
            words.splice(..said.len(), [Word::plain("what")]);
            return true;
        }
    }
    false
}

/// "How do I", "how can I" and "how should I" ask the same, as do "when must I" and "when do I have to"; not so beside
/// a negation, and not where yes or no is asked.
fn without_duties(words: &mut Vec<Word>) {
    if !words.first().is_some_and(|word| word.among(ASKS)) || words.iter().any(|word| word.among(NOT)) {
        return;
    }
    let how = words.first().is_some_and(|word| word.is("how"));
    if how && words.get(1).is_some_and(|word| word.among(&["to", "can", "could"])) {
        words.remove(1);
    }
    let duty = |pair: &[Word]| {
        pair.first().is_some_and(|a| a.among(&["need", "needs", "have", "has"]))
            && pair.get(1).is_some_and(|b| b.is("to"))
    };
    // "What do plants need to grow" asks for something else than "what do plants grow".
    if words.first().is_some_and(|word| word.among(&["how", "when", "where"]))
        && let Some(at) = words.windows(2).position(duty)
    {
        words.drain(at..at + 2);
    }
    words.retain(|word| !word.among(DUTIES));
}

/// What differs from what, in whichever order and words it was asked.
fn difference(words: &[Word]) -> Option<Vec<Word>> {
    let at = |some: &[&str]| words.iter().position(|word| word.among(some));
    let once = |one: &str| words.iter().filter(|word| word.is(one)).count() == 1;
    let differ = &["differ", "differs", "different"];
    let (left, right) = if (begins(words, &["what", "difference"]) || begins(words, &["what", "differences"]))
        && words.get(2)?.is("between")
        && once("and")
    {
        let and = at(&["and"])?;
        (words.get(3..and)?, words.get(and + 1..)?)
    } else if begins(words, &["how"]) && words.last()?.among(differ) && once("and") {
        let and = at(&["and"])?;
        (words.get(1..and)?, words.get(and + 1..words.len() - 1)?)
    } else if begins(words, &["how"]) && once("from") && at(differ)? + 1 == at(&["from"])? {
        (words.get(1..at(differ)?)?, words.get(at(&["from"])? + 1..)?)
    } else {
        return None;
    };
    if left.is_empty() || right.is_empty() {
        return None;
    }
    let text = |side: &[Word]| side.iter().map(|word| word.text.clone()).collect::<Vec<_>>();
    let (left, right) = if text(left) <= text(right) { (left, right) } else { (right, left) };
    Some([&[Word::plain("differ")], left, &[Word::plain("/")], right].concat())
}

/// Whether two words are one word in number or tense. An active and a passive participle are not: "examining" and
/// "examined" ask for different people.
fn inflected(a: &Word, b: &Word) -> bool {
    let voice = |word: &Word| (word.text.ends_with("ing"), word.text.ends_with("ed"));
    let ((a_ing, a_ed), (b_ing, b_ed)) = (voice(a), voice(b));
    if a_ing && b_ed || a_ed && b_ing || a.text == "news" || b.text == "news" {
        return false;
    }
    let theirs = bases(&b.text);
    bases(&a.text).iter().any(|base| theirs.contains(base))
}

/// What a word may be an inflection of, itself included.
fn bases(word: &str) -> Vec<String> {
    let mut bases = vec![word.to_owned()];
    if word.len() < 4 || !word.is_ascii() {
        return bases;
    }
    let mut stripped = |stem: &str| {
        bases.extend([stem.to_owned(), format!("{stem}e")]);
        let mut letters = stem.chars().rev();
        if let (Some(last), Some(before)) = (letters.next(), letters.next())
            && last == before
        {
            bases.push(stem.get(..stem.len() - 1).unwrap_or_default().to_owned());
        }
    };
    if let Some(stem) = word.strip_suffix("ing").filter(|stem| stem.len() > 2) {
        stripped(stem);
    } else if let Some(stem) = word.strip_suffix("ied") {
        bases.push(format!("{stem}y"));
    } else if let Some(stem) = word.strip_suffix("ed").filter(|stem| stem.len() > 2) {
        stripped(stem);
    } else if let Some(stem) = word.strip_suffix("ies") {
        bases.push(format!("{stem}y"));
    } else if let Some(stem) = word.strip_suffix("ves") {
        bases.extend([format!("{stem}f"), format!("{stem}fe"), format!("{stem}ve")]);
    } else if !["ss", "us", "is"].iter().any(|end| word.ends_with(end))
        && let Some(stem) = word.strip_suffix('s')
    {
        bases.push(stem.to_owned());
        if let Some(stem) = word.strip_suffix("es").filter(|stem| stem.ends_with(['s', 'x', 'z', 'h', 'o'])) {
            bases.push(stem.to_owned());
        }
    }
    bases
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        Form::of(a).zip(Form::of(b)).is_some_and(|(a, b)| a.same(&b) && b.same(&a))
    }

    #[test]
    fn courtesies_articles_and_helping_verbs_change_nothing() {
        for (a, b) in [
            ("How do I knead dough?", "Hi, how should we knead the dough please?"),
            ("What is a closure?", "What does closure mean?"),
            ("Which loaf is bigger?", "What loaf is bigger"),
            ("When do I have to fold the dough?", "When must I fold the dough?"),
            ("What is the difference between rye and wheat?", "How does wheat differ from rye?"),
            ("How do starters rise?", "How does a starter rise?"),
        ] {
            assert!(same(a, b), "{a} / {b}");
        }
    }

    #[test]
    fn what_leans_on_something_else_has_no_form() {
        for question in [
            "and why?",
            "Why?",
            "Give me another example",
            "How long does it rest?",
            "What is my grade in chemistry?",
            "When is the exam today?",
            "Who is ann@example.org in this class?",
            "Can you explain more?",
            "WHAT IS US LAW?",
            "What does \"let mean?",
        ] {
            assert_eq!(Form::of(question), None, "{question}");
        }
        assert_eq!(Form::of(&"why ".repeat(100)), None);
    }
}
