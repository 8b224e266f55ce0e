//! Things that must stand in the source letter by letter: markup, links, quotes, numbers, names.

use std::collections::HashSet;

use super::Refused;

/// Markup, links and invisible characters only where the source has the very same token.
pub(super) fn markup(claim: &str, source: &str) -> Result<(), Refused> {
    if claim.chars().any(|c| c.is_control() || domain::text::invisible(c)) {
        return Err(Refused::Markup);
    }
    for token in claim.split_whitespace() {
        let lower = token.to_lowercase();
        let tag = token.match_indices('<').any(|(at, _)| {
            token
                .get(at + 1..)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_alphabetic() || matches!(c, '/' | '!' | '?')))
        });
        let suspect = tag
            || lower.contains("://")
            || lower.contains("www.")
            || token.contains("](")
            || token.contains("![")
            || ["javascript:", "data:", "mailto:", "vbscript:"].iter().any(|scheme| lower.contains(scheme))
            || token.contains("&#")
            || (token.contains('&') && token.ends_with(';'));
        let bare =
            token.trim_end_matches(['.', ',', ';', ':', '!', '?', ')']).trim_start_matches('(').trim_matches('`');
        if suspect && !source.contains(bare) {
            return Err(Refused::Markup);
        }
    }
    Ok(())
}

/// Words between quotation marks stand in the source as they are.
pub(super) fn quotes(claim: &str, source: &str) -> Result<(), Refused> {
    let flat =
        |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace(['\u{2019}', '\u{2018}'], "'");
    let source = flat(source);
    for (open, close) in [('"', '"'), ('\u{201c}', '\u{201d}'), ('\u{ab}', '\u{bb}'), ('\u{2018}', '\u{2019}')] {
        let mut rest = claim;
        while let Some((_, from)) = rest.split_once(open) {
            let Some((quoted, after)) = from.split_once(close) else { break };
            let bare = flat(quoted);
            let bare = bare.trim_end_matches(['.', ',', ';', '!', '?']);
            if !bare.is_empty() && !source.contains(bare) {
                return Err(Refused::Quote);
            }
            rest = after;
        }
    }
    Ok(())
}

/// Every number of the claim, in digits or words, is a number of the source.
pub(super) fn numbers(claim: &str, source: &str) -> Result<(), Refused> {
    let known: HashSet<String> = numbers_of(source).into_iter().collect();
    if numbers_of(claim).iter().all(|number| known.contains(number)) { Ok(()) } else { Err(Refused::Number) }
}

const NUMBER_WORDS: &[(&str, &str)] = &[
    ("zero", "0"),
    ("one", "1"),
    ("once", "1"),
    ("two", "2"),
    ("twice", "2"),
    ("both", "2"),
    ("three", "3"),
    ("thrice", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
    ("eleven", "11"),
    ("twelve", "12"),
    ("thirteen", "13"),
    ("fourteen", "14"),
    ("fifteen", "15"),
    ("sixteen", "16"),
    ("seventeen", "17"),
    ("eighteen", "18"),
    ("nineteen", "19"),
    ("twenty", "20"),
    ("thirty", "30"),
    ("forty", "40"),
    ("fifty", "50"),
    ("sixty", "60"),
    ("seventy", "70"),
    ("eighty", "80"),
    ("ninety", "90"),
    ("hundred", "100"),
    ("thousand", "1000"),
    ("million", "1000000"),
    ("billion", "1000000000"),
    ("half", "1/2"),
    ("third", "3rd"),
    ("second", "2nd"),
    ("first", "1st"),
    ("fourth", "4th"),
    ("fifth", "5th"),
    ("dozen", "12"),
    ("single", "1"),
    ("double", "2x"),
    ("triple", "3x"),
    ("quarter", "1/4"),
];

/// Numbers as canonical text: digits with their inner `.`, `:` and `/`, without `,` and leading zeros.
fn numbers_of(text: &str) -> Vec<String> {
    let mut numbers = Vec::new();
    let mut chars = text.chars().peekable();
    let mut before = ' ';
    let mut current = String::new();
    let mut finish = |current: &mut String| {
        let number = current.trim_end_matches(['.', ':', '/', '-']).trim_start_matches('0').to_owned();
        if current.chars().any(|c| c.is_ascii_digit()) {
            numbers.push(if number.is_empty() || number.starts_with('.') { format!("0{number}") } else { number });
        }
        current.clear();
    };
    while let Some(c) = chars.next() {
        let joins =
            !current.is_empty() && matches!(c, '.' | ',' | ':' | '/') && chars.peek().is_some_and(char::is_ascii_digit);
        if c.is_numeric() && (!current.is_empty() || !(before.is_alphanumeric() || before == '_')) {
            current.push(c);
        } else if joins {
            if c != ',' {
                current.push(c);
            }
        } else {
            finish(&mut current);
        }
        before = c;
    }
    finish(&mut current);
    for word in domain::text::words(text) {
        if let Some((_, number)) = NUMBER_WORDS.iter().find(|(name, _)| *name == word) {
            numbers.push((*number).to_owned());
        }
    }
    numbers
}

/// Identifiers stand in the source as they are; names in capitals in the source or the question.
pub(super) fn names(claim: &str, source: &str, question: &str) -> Result<(), Refused> {
    let known: HashSet<String> = domain::text::words(source).into_iter().chain(domain::text::words(question)).collect();
    for (position, token) in claim.split_whitespace().enumerate() {
        let bare = token.trim_matches(|c: char| {
            matches!(
                c,
                '`' | '"'
                    | '\''
                    | ','
                    | ';'
                    | ':'
                    | '!'
                    | '?'
                    | '.'
                    | '\u{201c}'
                    | '\u{201d}'
                    | '\u{2018}'
                    | '\u{2019}'
            )
        });
        let bare = if bare.starts_with('(') { bare.trim_matches(|c| matches!(c, '(' | ')')) } else { bare };
        // A closing bracket without its opening one belongs to the prose.
        let bare = if bare.ends_with(')') && !bare.contains('(') { bare.trim_end_matches(')') } else { bare };
        if bare.is_empty() {
            continue;
        }
        if identifier(bare) && !source.contains(bare) && !source.contains(bare.trim_end_matches("()")) {
            return Err(Refused::Name);
        }
        let capital = position > 0 && bare.starts_with(char::is_uppercase);
        if capital
            && bare.len() > 1
            && domain::text::words(bare).iter().any(|word| word.len() > 1 && !known.contains(word))
        {
            return Err(Refused::Name);
        }
    }
    for (i, code) in claim.split('`').enumerate() {
        if i % 2 == 1 && !code.trim().is_empty() && !source.contains(code.trim()) {
            return Err(Refused::Name);
        }
    }
    Ok(())
}

/// Whether a token reads like code or an address rather than like a word.
fn identifier(token: &str) -> bool {
    let letters = token.chars().any(char::is_alphabetic);
    let inner = |c: char| token.trim_matches(c).contains(c);
    letters
        && (token.contains('_')
            || token.contains("::")
            || token.contains("()")
            || token.contains(['<', '>', '=', '{', '}', '\\', '$', '@', '#', '&', '*', '~', '|'])
            || inner('.')
            || token.starts_with("--")
            || token.starts_with('/')
            || token.chars().any(|c| c.is_ascii_digit())
            || token.chars().skip(1).zip(token.chars()).any(|(next, c)| next.is_uppercase() && c.is_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_one_spelling() {
        assert_eq!(numbers_of("1,000 and 12:54, u32, 007, 3.5. Two"), ["1000", "12:54", "7", "3.5", "2"]);
    }
}
