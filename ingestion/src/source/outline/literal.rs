//! The object that a script exports, when it is a plain literal: what a sidebar of Docusaurus mostly is.
//!
//! Strings, `true`, `false`, arrays and objects are read; anything else, such as a number, a call or a
//! name, is `null`. Nothing is run.

use serde_yaml_ng::{Mapping, Value};

/// Deepest nesting.
const DEEPEST: usize = 64;

/// The literal after `module.exports =` or `export default`, or the first that is assigned to a name.
pub(super) fn exported(script: &str) -> Option<Value> {
    let text = without_comments(script);
    let after = |mark: &str| text.find(mark).and_then(|at| text.get(at + mark.len()..)).map(str::trim_start);
    let direct = ["module.exports =", "module.exports=", "export default"].into_iter().find_map(after);
    let body = direct.filter(|body| body.starts_with(['{', '['])).or_else(|| {
        ["= {", "={", "= ["].into_iter().filter_map(|mark| text.find(mark)).min().and_then(|at| text.get(at + 1..))
    })?;
    Reader { rest: body.trim_start() }.value(0).filter(|value| value.is_mapping() || value.is_sequence())
}

/// The text with `//` and `/* */` outside of strings as spaces.
fn without_comments(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => {
                clean.push(c);
                clean.extend(chars.next());
                continue;
            }
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '/') if chars.peek() == Some(&'/') => {
                for skipped in chars.by_ref() {
                    if skipped == '\n' {
                        break;
                    }
                }
                clean.push('\n');
                continue;
            }
            (None, '/') if chars.peek() == Some(&'*') => {
                let mut before = ' ';
                for skipped in chars.by_ref().skip(1) {
                    if (before, skipped) == ('*', '/') {
                        break;
                    }
                    before = skipped;
                }
                clean.push(' ');
                continue;
            }
            _ => {}
        }
        clean.push(c);
    }
    clean
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = self.rest.get(c.len_utf8()..)?;
        Some(c)
    }

    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        match self.peek()? {
            '{' => self.object(depth),
            '[' => self.array(depth),
            '"' | '\'' | '`' => self.string().map(Value::String),
            _ => {
                // A name, a number or a call: up to what ends it on this level.
                let mut open = 0_usize;
                let end = self.rest.find(|c| match c {
                    '(' | '[' | '{' => {
                        open += 1;
                        false
                    }
                    ')' | ']' | '}' if open > 0 => {
                        open -= 1;
                        false
                    }
                    ',' | ';' => open == 0,
                    ')' | ']' | '}' => true,
                    _ => false,
                });
                let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
                self.rest = rest;
                Some(match word.trim() {
                    "true" => Value::Bool(true),
                    "false" => Value::Bool(false),
                    _ => Value::Null,
                })
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<Value> {
        self.next();
        let mut items = Vec::new();
        loop {
            match self.peek()? {
                ']' => {
                    self.next();
                    return Some(Value::Sequence(items));
                }
                ',' => {
                    self.next();
                }
                _ => {
                    let before = self.rest.len();
                    items.push(self.value(depth + 1)?);
                    if self.rest.len() == before {
                        return None;
                    }
                }
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        self.next();
        let mut fields = Mapping::new();
        loop {
            match self.peek()? {
                '}' => {
                    self.next();
                    return Some(Value::Mapping(fields));
                }
                ',' => {
                    self.next();
                }
                c => {
                    let name = if matches!(c, '"' | '\'' | '`') {
                        self.string()?
                    } else {
                        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$')))?;
                        let (name, rest) = self.rest.split_at(end);
                        self.rest = rest;
                        name.to_owned()
                    };
                    if self.peek()? != ':' || name.is_empty() {
                        return None;
                    }
                    self.next();
                    let value = self.value(depth + 1)?;
                    fields.insert(Value::String(name), value);
                }
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        let quote = self.next()?;
        let mut text = String::new();
        loop {
            match self.next()? {
                '\\' => match self.next()? {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    other => text.push(other),
                },
                c if c == quote => return Some(text),
                c => text.push(c),
            }
        }
    }
}
