//! Flaws of a question that can be seen without knowing its subject: rules, no I/O, no model.
//!
//! A hard flaw makes a question unusable and it is never offered; a soft one is shown to whoever reviews it.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::Flaw;
use crate::text;

/// What is wrong with a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The stem, an option or the key says nothing.
    Empty,
    /// A choice with fewer than two options.
    TooFewOptions,
    /// No option is marked as right, or the key is not among the options.
    KeyMissing,
    /// More than one option is right where one may be chosen.
    SeveralRight,
    /// Two options say the same.
    DuplicateOptions,
    /// The stem holds the key.
    KeyInStem,
    /// The quoted words do not stand in the passage.
    QuoteNotFound,
    /// "This" or "it" with nothing before it that it could stand for.
    Dangling,
    /// The stem speaks of a listing, a figure or a neighbour that the learner does not see.
    ContextBound,
    /// The right option is much longer than all others.
    LongestIsRight,
    /// The right options of a set stand at one place too often.
    PositionBias,
    /// The stem asks for what is not so.
    Negation,
    /// An option with "always", "never" and the like.
    Absolutes,
    /// "All of the above", "none of the above".
    AllOfTheAbove,
    /// A stem or an option that takes long to read.
    TooLong,
    /// "A" or "an" before the gap fits only some options.
    ArticleCue,
    /// Only the right option agrees in number with the stem.
    PluralCue,
}

impl Rule {
    /// The spelling on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooFewOptions => "too_few_options",
            Self::KeyMissing => "key_missing",
            Self::SeveralRight => "several_right",
            Self::DuplicateOptions => "duplicate_options",
            Self::KeyInStem => "key_in_stem",
            Self::QuoteNotFound => "quote_not_found",
            Self::Dangling => "dangling",
            Self::ContextBound => "context_bound",
            Self::LongestIsRight => "longest_is_right",
            Self::PositionBias => "position_bias",
            Self::Negation => "negation",
            Self::Absolutes => "absolutes",
            Self::AllOfTheAbove => "all_of_the_above",
            Self::TooLong => "too_long",
            Self::ArticleCue => "article_cue",
            Self::PluralCue => "plural_cue",
        }
    }

    /// What is wrong, for people.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Empty => "the stem, an option or the key says nothing",
            Self::TooFewOptions => "a choice needs at least two options",
            Self::KeyMissing => "the key is not among the options",
            Self::SeveralRight => "more than one option is right",
            Self::DuplicateOptions => "two options say the same",
            Self::KeyInStem => "the stem holds the key",
            Self::QuoteNotFound => "the quoted words do not stand in the passage",
            Self::Dangling => "a pronoun stands for nothing that is said",
            Self::ContextBound => "the stem speaks of something that the learner does not see",
            Self::LongestIsRight => "the right option is much longer than the others",
            Self::PositionBias => "the right options stand at one place too often",
            Self::Negation => "the stem asks for what is not so",
            Self::Absolutes => "a wrong option says always, never or the like",
            Self::AllOfTheAbove => "an option speaks of all or none of the others",
            Self::TooLong => "the stem or an option is long",
            Self::ArticleCue => "the article before the gap fits some options only",
            Self::PluralCue => "only the right option agrees in number with the stem",
        }
    }

    /// The flaw as a question keeps it.
    #[must_use]
    pub fn flaw(self) -> Flaw {
        let code = self.as_str().to_uppercase();
        if self.hard() { Flaw::hard(&code, self.message()) } else { Flaw::soft(&code, self.message()) }
    }

    /// Whether a question with this flaw may not be offered.
    #[must_use]
    pub fn hard(self) -> bool {
        self <= Self::ContextBound
    }
}

/// A question as the rules see it.
#[derive(Debug, Clone, Default)]
pub struct Seen<'a> {
    /// What is asked, gaps as `____`.
    pub stem: &'a str,
    /// Options of a choice with whether each is right; empty for other types.
    pub options: Vec<(&'a str, bool)>,
    /// Answers that are right where there are no options.
    pub key: Vec<&'a str>,
    /// Several options may be right.
    pub many: bool,
    /// The quoted words and the passage that they should stand in.
    pub quote: Option<(&'a str, &'a str)>,
}

/// Most words of a stem and of an option.
const LONG_STEM: usize = 50;
const LONG_OPTION: usize = 32;
/// How much longer than the next one a right option may be.
const LONGER: f64 = 1.5;

/// Every flaw of one question, each once, hard ones first.
#[must_use]
pub fn lint(seen: &Seen<'_>) -> Vec<Rule> {
    let mut found = Vec::new();
    found.extend(hard(seen));
    found.extend(soft(seen));
    found.sort_unstable();
    found.dedup();
    found
}

fn hard(seen: &Seen<'_>) -> Vec<Rule> {
    let mut found = Vec::new();
    let blank = |text: &str| !text.chars().any(char::is_alphanumeric) && text.trim().len() < 2;
    let gap = seen.stem.trim_matches(|c: char| c == '_' || c.is_whitespace() || c == '.');
    if blank(gap)
        || seen.options.iter().any(|(option, _)| option.trim().is_empty())
        || seen.key.iter().any(|key| key.trim().is_empty())
    {
        found.push(Rule::Empty);
    }
    if seen.options.is_empty() {
        if seen.key.is_empty() {
            found.push(Rule::KeyMissing);
        }
    } else {
        let right = seen.options.iter().filter(|(_, right)| *right).count();
        if seen.options.len() < 2 {
            found.push(Rule::TooFewOptions);
        }
        if right == 0 {
            found.push(Rule::KeyMissing);
        }
        if right > 1 && !seen.many {
            found.push(Rule::SeveralRight);
        }
        let mut texts = HashSet::new();
        if seen.options.iter().any(|(option, _)| !texts.insert(folded(option))) {
            found.push(Rule::DuplicateOptions);
        }
    }
    let right = seen.options.iter().filter(|(_, right)| *right).map(|(option, _)| *option);
    if right.chain(seen.key.iter().copied()).any(|key| stands_in(key, seen.stem)) {
        found.push(Rule::KeyInStem);
    }
    if seen.quote.is_some_and(|(quote, passage)| quote.trim().is_empty() || !passage.contains(quote)) {
        found.push(Rule::QuoteNotFound);
    }
    if dangling(seen.stem) {
        found.push(Rule::Dangling);
    }
    if context_bound(seen.stem) || seen.options.iter().any(|(option, _)| context_bound(option)) {
        found.push(Rule::ContextBound);
    }
    found
}

fn soft(seen: &Seen<'_>) -> Vec<Rule> {
    let mut found = Vec::new();
    let words = text::words(seen.stem);
    let has = |word: &str| words.iter().any(|w| w == word);
    if seen.stem.ends_with('?')
        && (has("not") || has("except") || has("never") || has("least"))
        && !seen.options.is_empty()
    {
        found.push(Rule::Negation);
    }
    if words.len() > LONG_STEM || seen.options.iter().any(|(option, _)| option.split_whitespace().count() > LONG_OPTION)
    {
        found.push(Rule::TooLong);
    }
    let lower: Vec<(String, bool)> =
        seen.options.iter().map(|(option, right)| (option.to_lowercase(), *right)).collect();
    if lower.iter().any(|(option, _)| {
        ["all of the above", "none of the above", "all of these", "none of these", "both a and"]
            .iter()
            .any(|all| option.contains(all))
    }) {
        found.push(Rule::AllOfTheAbove);
    }
    let absolute = |option: &str| {
        text::words(option).iter().any(|w| matches!(w.as_str(), "always" | "never" | "impossible" | "every" | "none"))
    };
    if lower.iter().any(|(option, right)| !right && absolute(option))
        && !lower.iter().any(|(option, right)| *right && absolute(option))
    {
        found.push(Rule::Absolutes);
    }
    let length =
        |right: bool| lower.iter().filter(|(_, is)| *is == right).map(|(option, _)| option.chars().count()).max();
    if let (Some(right), Some(wrong)) = (length(true), length(false))
        && right as f64 > LONGER * wrong as f64
        && right > wrong + 12
    {
        found.push(Rule::LongestIsRight);
    }
    found.extend(cues(&words, &lower));
    found
}

/// What the grammar of the stem gives away.
fn cues(stem: &[String], options: &[(String, bool)]) -> Vec<Rule> {
    let mut found = Vec::new();
    let vowel = |option: &str| option.starts_with(['a', 'e', 'i', 'o', 'u']);
    let mixed =
        |test: &dyn Fn(&str) -> bool| options.iter().any(|(o, _)| test(o)) && options.iter().any(|(o, _)| !test(o));
    if stem.last().is_some_and(|last| last == "a" || last == "an") && mixed(&vowel) {
        found.push(Rule::ArticleCue);
    }
    let plural = |option: &str| {
        option.split_whitespace().count() <= 4
            && option.ends_with('s')
            && !["ss", "us", "is"].iter().any(|end| option.ends_with(end))
    };
    let alone =
        |test: &dyn Fn(&str) -> bool| options.len() > 2 && options.iter().all(|(option, right)| test(option) == *right);
    let asks = |word: &str| stem.iter().take(5).any(|w| w == word);
    if asks("are") && alone(&plural) || asks("is") && alone(&|option: &str| !plural(option)) {
        found.push(Rule::PluralCue);
    }
    found
}

/// Whether the right options of a set stand at one place more often than chance explains.
#[must_use]
pub fn position_bias(right: &[(usize, usize)]) -> bool {
    let four: Vec<usize> = right.iter().filter(|(_, of)| *of >= 3).map(|(at, _)| *at).collect();
    let most = (0..4).map(|place| four.iter().filter(|at| **at == place).count()).max().unwrap_or_default();
    let (count, most) = (four.len() as f64, most as f64);
    // Three standard deviations above an even spread over four places.
    count >= 8.0 && most > count / 4.0 + 3.0 * (count * 0.25 * 0.75).sqrt()
}

/// A text as it is compared: lower case, one space between words, no marks around it.
fn folded(text: &str) -> String {
    let text = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    text.trim_matches(['.', ',', ';', '\u{201c}', '\u{201d}', '"', '`']).to_owned()
}

/// Whether the key stands in the stem: word for word, or all its stems one after the other.
fn stands_in(key: &str, stem: &str) -> bool {
    let (key, stem) = (text::terms(key), text::terms(stem));
    !key.is_empty() && stem.windows(key.len()).any(|window| window == key.as_slice())
}

/// Whether the words lean on a sentence that is not there.
fn dangling(stem: &str) -> bool {
    let said =
        stem.split_once(": ").filter(|(lead, _)| lead.split_whitespace().count() <= 12).map_or(stem, |(_, said)| said);
    let words: Vec<String> = text::words(said);
    let first = words.first().map(String::as_str).unwrap_or_default();
    let second = words.get(1).map(String::as_str).unwrap_or_default();
    let leads = matches!(
        first,
        "this" | "that" | "these" | "those" | "it" | "they" | "its" | "their" | "however" | "therefore" | "also"
    );
    // "What does it return?" has nothing before "it"; "Which method says how it ends?" has.
    let early = words.iter().take(4).skip(1).any(|word| matches!(word.as_str(), "it" | "they" | "them"))
        && matches!(first, "what" | "why" | "how" | "when" | "where" | "does" | "is" | "can");
    let pointing = words.windows(2).any(|pair| {
        pair.first().is_some_and(|w| w == "this" || w == "these")
            && pair.get(1).is_some_and(|w| {
                !matches!(w.as_str(), "course" | "order" | "steps" | "is" | "are" | "terms" | "words")
                    && pair.first().is_some_and(|w| w == "this")
            })
    });
    let of_these = first == "which" && second == "of";
    leads || early || pointing && !of_these
}

fn context_bound(text: &str) -> bool {
    const OUTSIDE: &[&str] = &[
        "as shown",
        "shown above",
        "shown below",
        "the passage",
        "the following code",
        "the code above",
        "the text above",
        "in the example",
        "this example",
        "the example above",
        "preceding",
        "previous section",
        "previous chapter",
        "the author",
        "this chapter",
        "this section",
        "this book",
        "as mentioned",
        "mentioned earlier",
        "earlier in",
        "we saw",
        "we discussed",
        "listing ",
        "figure ",
        "according to the text",
        "in the excerpt",
        "in this lesson",
    ];
    let lower = text.to_lowercase();
    let numbered = |lead: &str| {
        lower.match_indices(lead).any(|(at, _)| {
            lower.get(at + lead.len()..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
    };
    OUTSIDE.iter().any(|words| match *words {
        "listing " | "figure " => numbered(words),
        words => lower.contains(words),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice<'a>(stem: &'a str, options: &[(&'a str, bool)]) -> Seen<'a> {
        Seen { stem, options: options.to_vec(), ..Seen::default() }
    }

    #[test]
    fn a_sound_question_has_no_flaw() {
        let seen = Seen {
            quote: Some(("A tuple groups values.", "Text. A tuple groups values. More.")),
            ..choice(
                "Which of these groups values of several types?",
                &[("a tuple", true), ("an array", false), ("a slice", false)],
            )
        };
        assert_eq!(lint(&seen), []);
    }

    #[test]
    fn each_hard_flaw_is_named() {
        let wrong = [("x one", false), ("y two", false)];
        for (seen, rule) in [
            (choice("", &[("a", true), ("b", false)]), Rule::Empty),
            (choice("Which?", &[("a", true)]), Rule::TooFewOptions),
            (choice("Which is it not known of?", &wrong), Rule::KeyMissing),
            (choice("Which holds?", &[("alpha", true), ("beta", true), ("gamma", false)]), Rule::SeveralRight),
            (choice("Which holds?", &[("Alpha", true), ("alpha.", false)]), Rule::DuplicateOptions),
            (
                choice("Which crate is a library crate?", &[("library crates", true), ("binary crates", false)]),
                Rule::KeyInStem,
            ),
            (choice("This is what?", &[("alpha", true), ("beta", false)]), Rule::Dangling),
            (choice("What does it return?", &[("alpha", true), ("beta", false)]), Rule::Dangling),
            (choice("What does Listing 3-1 print?", &[("alpha", true), ("beta", false)]), Rule::ContextBound),
            (
                Seen {
                    quote: Some(("no such", "words")),
                    ..choice("Which holds?", &[("alpha", true), ("beta", false)])
                },
                Rule::QuoteNotFound,
            ),
            (Seen { stem: "Which term?", ..Seen::default() }, Rule::KeyMissing),
        ] {
            assert!(lint(&seen).contains(&rule) && rule.hard(), "{rule:?}: {:?}", lint(&seen));
        }
    }

    #[test]
    fn each_soft_flaw_is_named_and_none_is_hard() {
        let long = "word ".repeat(40);
        for (seen, rule) in [
            (
                choice(
                    "Which holds?",
                    &[("a long right option with all that is true of it", true), ("short", false), ("brief", false)],
                ),
                Rule::LongestIsRight,
            ),
            (choice("Which is not a loop?", &[("alpha", true), ("beta", false)]), Rule::Negation),
            (choice("Which holds?", &[("alpha", true), ("it always fails", false)]), Rule::Absolutes),
            (choice("Which holds?", &[("alpha", true), ("None of the above", false)]), Rule::AllOfTheAbove),
            (choice("Which holds?", &[(&long, true), (&long[1..], false)]), Rule::TooLong),
            (choice("The name of it is an", &[("integer", true), ("float", false)]), Rule::ArticleCue),
            (
                choice("Which of these are loops?", &[("fors", true), ("tuple", false), ("array", false)]),
                Rule::PluralCue,
            ),
        ] {
            let found = lint(&seen);
            assert!(found.contains(&rule) && !rule.hard(), "{rule:?}: {found:?}");
        }
    }

    #[test]
    fn a_set_with_the_key_always_first_is_biased() {
        assert!(position_bias(&[(0, 4); 12]));
        let spread: Vec<(usize, usize)> = (0..12).map(|i| (i % 4, 4)).collect();
        assert!(!position_bias(&spread));
    }
}
