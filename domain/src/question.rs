//! Questions: what is asked, what counts as right, and what a learner may see of it.
//!
//! Each type is one file below `question/` with its body, its flaws and its score. A [`Question`]
//! holds the key; [`Asked`] is what a learner gets and has no field that could hold one.

pub mod about;
pub mod asked;
pub mod cloze;
pub mod essay;
pub mod exchange;
pub mod lint;
pub mod matching;
pub mod multiple_answer;
pub mod multiple_choice;
pub mod numeric;
pub mod ordering;
pub mod short_answer;
pub mod true_false;

use serde::{Deserialize, Serialize};

use crate::{CourseId, Error, LessonId, QuestionId};

pub use about::{Bloom, Origin, OriginKind, Source, State};
pub use asked::Asked;
pub use cloze::Cloze;
pub use essay::Essay;
pub use matching::Matching;
pub use multiple_answer::MultipleAnswer;
pub use multiple_choice::MultipleChoice;
pub use numeric::Numeric;
pub use ordering::Ordering;
pub use short_answer::ShortAnswer;
pub use true_false::TrueFalse;

/// Longest stem, option or accepted answer, in characters.
pub const LONGEST: usize = 4_000;

/// An option, item or half of a pair. Its id is unique within its question and means nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Choice {
    /// Name within the question.
    pub id: String,
    /// What is shown.
    pub text: String,
    /// Why it is right or wrong; shown with the released feedback only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rationale: Option<String>,
}

impl Choice {
    /// An option without a rationale.
    #[must_use]
    pub fn new(id: impl Into<String>, text: impl Into<String>) -> Self {
        Self { id: id.into(), text: text.into(), rationale: None }
    }
}

/// A fault of a question that a computer can see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Flaw {
    /// A name such as `DUPLICATE_OPTION`.
    pub code: String,
    /// What is wrong, for people.
    pub message: String,
    /// Whether the question must not be used as it is.
    pub hard: bool,
}

impl Flaw {
    /// A flaw that forbids use.
    #[must_use]
    pub fn hard(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), hard: true }
    }

    /// A flaw to look at.
    #[must_use]
    pub fn soft(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), hard: false }
    }
}

/// What a response is worth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Score {
    /// A share of the points, 0 to 1.
    Marked {
        /// The share.
        fraction: f64,
    },
    /// Rules cannot tell: a person decides.
    NeedsPerson,
}

impl Score {
    /// All or nothing.
    #[must_use]
    pub fn all(right: bool) -> Self {
        Self::Marked { fraction: if right { 1.0 } else { 0.0 } }
    }

    /// `right` of `of` parts; `of` is at least 1 for a valid question.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "parts of a question are few")]
    pub fn part(right: usize, of: usize) -> Self {
        Self::Marked { fraction: if of == 0 { 0.0 } else { right.min(of) as f64 / of as f64 } }
    }

    /// The share, when rules could tell.
    #[must_use]
    pub fn fraction(self) -> Option<f64> {
        match self {
            Self::Marked { fraction } => Some(fraction),
            Self::NeedsPerson => None,
        }
    }
}

/// What a learner answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Response {
    /// One option of a multiple choice.
    Choice {
        /// Its id.
        option: String,
    },
    /// Options of a multiple answer.
    Choices {
        /// Their ids.
        options: Vec<String>,
    },
    /// True or false.
    Truth {
        /// The verdict.
        value: bool,
    },
    /// The blanks of a cloze, in order.
    Blanks {
        /// What was filled in.
        texts: Vec<String>,
    },
    /// Words: a short answer or an essay.
    Text {
        /// What was written.
        text: String,
    },
    /// Pairs of a matching.
    Pairs {
        /// Left id and right id.
        pairs: Vec<(String, String)>,
    },
    /// The order of an ordering.
    Order {
        /// Item ids, first to last.
        items: Vec<String>,
    },
    /// A number with its unit.
    Number {
        /// The number.
        value: f64,
        /// The unit, as written.
        #[serde(default)]
        unit: String,
    },
}

/// What each type of question brings.
pub trait Kind {
    /// Faults of the body itself; a body with a hard one is not stored.
    fn flaws(&self, stem: &str) -> Vec<Flaw>;
    /// What the response is worth; `None` when it answers another type of question.
    fn score(&self, response: &Response) -> Option<Score>;
    /// What a learner sees, shuffled by `seed`; never anything that tells the key.
    fn shown(&self, seed: u64) -> asked::Shown;
    /// The right answer in words, for feedback and review.
    fn key(&self) -> Vec<String>;
}

macro_rules! bodies {
    ($($name:ident = $text:literal),* $(,)?) => {
        /// A question's type with what it asks for and its key.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "type", rename_all = "snake_case")]
        pub enum Body {
            $(#[doc = concat!("`", $text, "`.")] $name($name),)*
        }

        impl Body {
            /// Spellings of all types.
            pub const TYPES: &'static [&'static str] = &[$($text),*];

            /// The spelling of the type.
            #[must_use]
            pub fn type_name(&self) -> &'static str {
                match self { $(Self::$name(_) => $text,)* }
            }

            fn kind(&self) -> &dyn Kind {
                match self { $(Self::$name(body) => body,)* }
            }
        }
    };
}

bodies! {
    MultipleChoice = "multiple_choice",
    MultipleAnswer = "multiple_answer",
    TrueFalse = "true_false",
    Cloze = "cloze",
    ShortAnswer = "short_answer",
    Matching = "matching",
    Ordering = "ordering",
    Numeric = "numeric",
    Essay = "essay",
}

impl Body {
    /// Faults of stem and body.
    #[must_use]
    pub fn flaws(&self, stem: &str) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if stem.trim().is_empty() {
            flaws.push(Flaw::hard("EMPTY_STEM", "the question asks nothing"));
        }
        if stem.chars().count() > LONGEST {
            flaws.push(Flaw::hard("TOO_LONG", format!("the question is longer than {LONGEST} characters")));
        }
        flaws.extend(self.kind().flaws(stem));
        flaws
    }

    /// What a response is worth.
    ///
    /// # Errors
    /// The response belongs to another type of question.
    pub fn score(&self, response: &Response) -> Result<Score, Error> {
        self.kind().score(response).ok_or_else(|| {
            let message = format!("this answer does not fit a question of type {}", self.type_name());
            Error::invalid("response", "WRONG_TYPE", message)
        })
    }

    /// The right answer in words.
    #[must_use]
    pub fn key(&self) -> Vec<String> {
        self.kind().key()
    }

    /// Options that say why they are right or wrong, by id.
    #[must_use]
    pub fn rationales(&self) -> Vec<(String, String)> {
        let of = |choices: &[Choice]| -> Vec<(String, String)> {
            choices.iter().filter_map(|choice| Some((choice.id.clone(), choice.rationale.clone()?))).collect()
        };
        match self {
            Self::MultipleChoice(body) => of(&body.options),
            Self::MultipleAnswer(body) => of(&body.options),
            Self::TrueFalse(body) => body.rationale.iter().map(|why| (body.right.to_string(), why.clone())).collect(),
            Self::Matching(body) => of(&body.left),
            Self::Ordering(body) => of(&body.items),
            Self::Cloze(_) | Self::ShortAnswer(_) | Self::Numeric(_) | Self::Essay(_) => Vec::new(),
        }
    }
}

/// What a question consists of, without its identity and state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    /// The lesson that it belongs to.
    #[serde(default)]
    pub lesson: Option<LessonId>,
    /// What is asked.
    pub stem: String,
    /// Type and key.
    pub body: Body,
    /// The passage that it rests on.
    #[serde(default)]
    pub source: Option<Source>,
    /// What a learner does with it.
    #[serde(default)]
    pub bloom: Option<Bloom>,
    /// Predicted share of learners who fail, 0 to 1.
    #[serde(default)]
    pub difficulty: Option<f64>,
    /// How it came to be.
    pub origin: Origin,
    /// What the lint said.
    #[serde(default)]
    pub lint: Vec<Flaw>,
    /// Hints from weak to strong; the ladder unlocks them. The last rung, the answer, is not among them.
    #[serde(default)]
    pub hints: Vec<String>,
}

/// A question of a course's bank, with its key: never sent to a learner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// Identity.
    pub id: QuestionId,
    /// Course.
    pub course: CourseId,
    /// Raised by each change; scores name the version that they judged.
    pub version: i64,
    /// Where it stands.
    pub state: State,
    /// What it consists of.
    #[serde(flatten)]
    pub draft: Draft,
}

/// Options, items or halves that cannot be told apart, are empty, or share an id.
pub(crate) fn choice_flaws(choices: &[Choice]) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let mut ids = std::collections::HashSet::new();
    let mut texts = std::collections::HashSet::new();
    for choice in choices {
        if choice.text.trim().is_empty() {
            flaws.push(Flaw::hard("EMPTY_OPTION", "an option says nothing"));
        } else if !texts.insert(plain(&choice.text)) {
            flaws.push(Flaw::hard("DUPLICATE_OPTION", format!("\"{}\" stands twice", choice.text)));
        }
        if choice.id.is_empty() || !ids.insert(choice.id.as_str()) {
            flaws.push(Flaw::hard("DUPLICATE_ID", format!("the id \"{}\" is empty or not unique", choice.id)));
        }
        if choice.text.chars().count() > LONGEST {
            flaws.push(Flaw::hard("TOO_LONG", format!("an option is longer than {LONGEST} characters")));
        }
    }
    flaws
}

/// A text as answers are compared: lower case, without accents, white space and punctuation at the ends.
#[must_use]
pub fn plain(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    let folded: String = text
        .nfkd()
        .filter(|c| !unicode_normalization::char::is_combining_mark(*c) && !crate::text::invisible(*c))
        .flat_map(char::to_lowercase)
        .collect();
    let trimmed =
        folded.trim_matches(|c: char| c.is_whitespace() || matches!(c, '.' | ',' | ';' | '!' | '`' | '"' | '\''));
    trimmed.split_whitespace().collect::<Vec<_>>().join(" ")
}
