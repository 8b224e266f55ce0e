//! Keeps a reply to a JSON Schema: of the next tokens only those are allowed that lead on to a
//! valid reply, and a reply that nears its limit is led to its end.

use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, SimpleVob, TokEnv, TokRxInfo, TokTrie};
use llguidance::{JsonCompileOptions, Matcher, ParserFactory};
use serde_json::Value as Json;

use super::vocabulary::Vocabulary;

/// The largest schema that is compiled.
const MAX_SCHEMA: usize = 256 * 1024;
/// What ends things soonest where no text is open: ends, then the shortest values, then the rest.
const SHORTEST: &[u8] = b"}]\"0123456789ntf[{-,: ";

/// Makes constraints for one vocabulary.
pub(super) struct Grammar {
    factory: ParserFactory,
    /// The token of each single byte.
    single: Arc<[Option<u32>]>,
    words: Arc<Vec<Vec<u8>>>,
}

/// Follows one reply.
pub(super) struct Constraint {
    matcher: Matcher,
    place: Place,
    single: Arc<[Option<u32>]>,
    words: Arc<Vec<Vec<u8>>>,
}

/// Where in a JSON text something stands.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    in_text: bool,
    escaped: bool,
}

impl Place {
    fn after(mut self, bytes: &[u8]) -> Self {
        for byte in bytes {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                _ => {}
            }
        }
        self
    }
}

impl Grammar {
    pub(super) fn new(vocabulary: &Vocabulary) -> Result<Self, String> {
        let words = vocabulary.bytes().to_vec();
        let last = vocabulary.ends().last().copied().ok_or("no token ends a reply")?;
        let info = TokRxInfo::new(u32::try_from(words.len()).map_err(|error| error.to_string())?, last);
        let trie = TokTrie::from(&info, &words).with_eos_tokens(vocabulary.ends());
        let environment: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let mut factory = ParserFactory::new_simple(&environment).map_err(|error| error.to_string())?;
        factory.quiet();
        factory.limits_mut().verbose_errors = false;
        let mut single = vec![None; 256];
        for (id, word) in (0_u32..).zip(&words) {
            if let [byte] = word.as_slice()
                && let Some(slot) = single.get_mut(usize::from(*byte))
            {
                slot.get_or_insert(id);
            }
        }
        Ok(Self { factory, single: single.into(), words: Arc::new(words) })
    }

    /// Compiles a schema; what it cannot promise to keep is refused, never left out in silence.
    pub(super) fn constraint(&self, schema: &Json) -> Result<Constraint, String> {
        let size = serde_json::to_vec(schema).map_or(usize::MAX, |bytes| bytes.len());
        if size > MAX_SCHEMA {
            return Err(format!("the schema is larger than {} KiB", MAX_SCHEMA / 1024));
        }
        let mut schema = schema.clone();
        // Free white space is where a weak model wanders off.
        let options = JsonCompileOptions {
            item_separator: ", ".to_owned(),
            key_separator: ": ".to_owned(),
            whitespace_flexible: false,
            ..JsonCompileOptions::default()
        };
        if !schema.is_object() {
            return Err("the schema is no object".to_owned());
        }
        options.apply_to(&mut schema);
        let mut matcher = Matcher::new(self.factory.create_parser(TopLevelGrammar::from_json_schema(schema)));
        match matcher.get_error() {
            Some(error) => Err(format!("the schema cannot be kept: {}", short(&error))),
            None => match matcher.grammar_warnings().first() {
                Some(warning) => Err(format!("the schema cannot be kept: {}", short(warning))),
                None => Ok(Constraint {
                    matcher,
                    place: Place::default(),
                    single: Arc::clone(&self.single),
                    words: Arc::clone(&self.words),
                }),
            },
        }
    }
}

fn short(message: &str) -> String {
    message.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(300).collect()
}

impl Constraint {
    /// The tokens that may come next; nothing when the reply is whole.
    pub(super) fn allowed(&mut self) -> Result<Option<SimpleVob>, String> {
        if self.matcher.is_error() {
            return Err(short(&self.matcher.get_error().unwrap_or_default()));
        }
        if self.matcher.is_stopped() {
            return Ok(None);
        }
        self.matcher.compute_mask().map(Some).map_err(|error| short(&error.to_string()))
    }

    /// Whether the reply may end here.
    pub(super) fn whole(&mut self) -> bool {
        self.matcher.is_accepting().unwrap_or(false)
    }

    /// One that goes its own way; what it learns of the schema serves both.
    pub(super) fn copy(&self) -> Self {
        Self {
            matcher: self.matcher.clone(),
            place: self.place,
            single: Arc::clone(&self.single),
            words: Arc::clone(&self.words),
        }
    }

    /// Whether it stands within a text.
    pub(super) fn in_text(&self) -> bool {
        self.place.in_text
    }

    /// Goes on by a token.
    pub(super) fn take(&mut self, token: u32) -> Result<(), String> {
        self.matcher.consume_token(token).map_err(|error| short(&error.to_string()))?;
        self.place = self.place.after(self.words.get(token as usize).map_or(&[], Vec::as_slice));
        Ok(())
    }

    /// At most `most` tokens that make the reply whole from here; nothing when none were found.
    ///
    /// Where there is a choice it takes what ends soonest; that is short, not always the shortest.
    pub(super) fn end(&self, most: usize) -> Option<Vec<u32>> {
        let mut copy = self.copy();
        let environment = copy.matcher.tok_env().ok()?;
        let mut tokens = Vec::new();
        loop {
            if copy.matcher.is_stopped() || copy.whole() {
                return (!copy.matcher.is_error()).then_some(tokens);
            }
            let forced = copy.matcher.compute_ff_bytes();
            let next = if forced.is_empty() {
                let allowed = copy.allowed().ok()?;
                allowed.and_then(|allowed| copy.soonest(&allowed)).into_iter().collect()
            } else {
                environment.tokenize_bytes(&forced)
            };
            if next.is_empty() || tokens.len() + next.len() > most {
                return None;
            }
            for token in next {
                copy.take(token).ok()?;
                tokens.push(token);
            }
        }
    }

    fn soonest(&self, allowed: &SimpleVob) -> Option<u32> {
        let single = |byte: u8| {
            let token = self.single.get(usize::from(byte)).copied().flatten();
            token.filter(|token| allowed.is_allowed(*token))
        };
        let wanted: Vec<u8> = match self.place {
            Place { escaped: true, .. } => b"n\"".to_vec(),
            Place { in_text: true, .. } => std::iter::once(b'"').chain(b'a'..=b'z').chain(b'0'..=b'9').collect(),
            Place { .. } => SHORTEST.to_vec(),
        };
        wanted.into_iter().find_map(single).or_else(|| allowed.first_bit_set().and_then(|bit| u32::try_from(bit).ok()))
    }
}
