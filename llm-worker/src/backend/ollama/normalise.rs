//! Text as the BERT tokeniser of its makers would cut it, for servers whose own does not.
//!
//! Versions of Ollama with a WordPiece of their own keep accents, do not split at symbols, and cut
//! punctuation of several bytes in the middle (tokenizer/wordpiece.go). Text that is normalised
//! before is cut alike by both: the steps are those of BERT's `BasicTokenizer`. Dashes, quotes and
//! the ellipsis become ASCII, because nothing else survives there; those alone are then other
//! tokens than the model was trained with.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The text with accents dropped and spaces around everything that is a token by itself.
#[must_use]
pub fn normalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for c in text.nfd() {
        match c {
            // What the tokeniser of BERT drops.
            '\0' | '\u{fffd}' => {}
            '\t' | '\n' | '\r' => out.push(' '),
            c if c.is_whitespace() => out.push(' '),
            c if c.is_control() || is_format(c) => {}
            c if is_accent(c) => {}
            '…' => out.push_str(" . . . "),
            c if let Some(ascii) = plain(c) => apart(&mut out, ascii),
            c if c.is_ascii_punctuation() || is_ideograph(c) => apart(&mut out, c),
            c => out.extend(c.to_lowercase()),
        }
    }
    out
}

/// Text taken apart into letters and without accents, as BERT's tokeniser does first. llama.cpp's WordPiece leaves
/// out part of it (Hangul, marks of Indic scripts); for a sound one this changes nothing.
#[must_use]
pub fn decomposed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfd().filter(|c| !is_accent(*c)).collect())
}

fn apart(out: &mut String, c: char) {
    out.push(' ');
    out.push(c);
    out.push(' ');
}

/// Marks that stand over or under a letter; those with a width of their own (Mc) stay.
fn is_accent(c: char) -> bool {
    // The crate has no general category. Of the combining marks, the spacing ones of Indic scripts
    // are vowels that BERT keeps.
    is_combining_mark(c) && !is_spacing(c)
}

/// Spacing combining marks (category Mc) of the scripts in the Basic Multilingual Plane that are in wide use.
fn is_spacing(c: char) -> bool {
    matches!(c,
        '\u{0903}' | '\u{093B}' | '\u{093E}'..='\u{0940}' | '\u{0949}'..='\u{094C}' | '\u{094E}'..='\u{094F}'
        | '\u{0982}'..='\u{0983}' | '\u{09BE}'..='\u{09C0}' | '\u{09C7}'..='\u{09C8}' | '\u{09CB}'..='\u{09CC}' | '\u{09D7}'
        | '\u{0A03}' | '\u{0A3E}'..='\u{0A40}' | '\u{0A83}' | '\u{0ABE}'..='\u{0AC0}' | '\u{0AC9}' | '\u{0ACB}'..='\u{0ACC}'
        | '\u{0B02}'..='\u{0B03}' | '\u{0B3E}' | '\u{0B40}' | '\u{0B47}'..='\u{0B48}' | '\u{0B4B}'..='\u{0B4C}' | '\u{0B57}'
        | '\u{0BBE}'..='\u{0BBF}' | '\u{0BC1}'..='\u{0BC2}' | '\u{0BC6}'..='\u{0BC8}' | '\u{0BCA}'..='\u{0BCC}' | '\u{0BD7}'
        | '\u{0C01}'..='\u{0C03}' | '\u{0C41}'..='\u{0C44}' | '\u{0C82}'..='\u{0C83}' | '\u{0CBE}' | '\u{0CC0}'..='\u{0CC4}'
        | '\u{0CC7}'..='\u{0CC8}' | '\u{0CCA}'..='\u{0CCB}' | '\u{0CD5}'..='\u{0CD6}' | '\u{0D02}'..='\u{0D03}'
        | '\u{0D3E}'..='\u{0D40}' | '\u{0D46}'..='\u{0D48}' | '\u{0D4A}'..='\u{0D4C}' | '\u{0D57}'
        | '\u{0D82}'..='\u{0D83}' | '\u{0DCF}'..='\u{0DD1}' | '\u{0DD8}'..='\u{0DDF}' | '\u{0DF2}'..='\u{0DF3}'
        | '\u{0F3E}'..='\u{0F3F}' | '\u{0F7F}' | '\u{102B}'..='\u{102C}' | '\u{1031}' | '\u{1038}' | '\u{103B}'..='\u{103C}'
        | '\u{17B6}' | '\u{17BE}'..='\u{17C5}' | '\u{17C7}'..='\u{17C8}' | '\u{302E}'..='\u{302F}')
}

/// Characters that have no shape: joiners, marks of direction, the byte order mark.
fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// The ASCII character that stands nearest to a punctuation mark of several bytes.
fn plain(c: char) -> Option<char> {
    Some(match c {
        '\u{2010}'..='\u{2015}' | '−' => '-',
        '‘' | '’' | '‚' | '‛' | '′' => '\'',
        '“' | '”' | '„' | '‟' | '″' | '«' | '»' => '"',
        '‹' => '<',
        '›' => '>',
        '·' | '•' => '.',
        '、' => ',',
        '。' => '.',
        '「' | '」' | '『' | '』' => '"',
        '《' | '》' => '"',
        '¿' => '?',
        '¡' => '!',
        // Full-width forms are their ASCII characters, moved.
        '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff5e}' => {
            char::from_u32(u32::from(c) - 0xfee0)?
        }
        _ => return None,
    })
}

/// The blocks whose characters BERT takes one by one.
fn is_ideograph(c: char) -> bool {
    matches!(u32::from(c),
        0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0x20000..=0x2A6DF | 0x2A700..=0x2B73F
        | 0x2B740..=0x2B81F | 0x2B820..=0x2CEAF | 0xF900..=0xFAFF | 0x2F800..=0x2FA1F)
}
