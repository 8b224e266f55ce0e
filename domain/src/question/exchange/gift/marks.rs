//! Characters of a GIFT text, each either a sign of the format or a letter that was escaped.

/// Characters that mean something unless a backslash stands before them.
const SIGNS: &str = "~=#{}:";

/// A character and whether it is only itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) c: char,
    pub(super) escaped: bool,
}

impl Mark {
    /// Whether it is this sign.
    pub(super) fn is(self, sign: char) -> bool {
        self.c == sign && !self.escaped
    }
}

/// The text with its escapes resolved; a backslash before anything else is a backslash.
pub(super) fn marks(text: &str) -> Vec<Mark> {
    let mut found = Vec::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let escaped = match rest.peek() {
            Some('n') if c == '\\' => Some('\n'),
            Some(next) if c == '\\' && (*next == '\\' || SIGNS.contains(*next)) => Some(*next),
            _ => None,
        };
        if escaped.is_some() {
            rest.next();
        }
        found.push(Mark { c: escaped.unwrap_or(c), escaped: escaped.is_some() || c == '\\' });
    }
    found
}

/// The text in which nothing is a sign, on one line.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\\' => out.push_str("\\\\"),
            '\t' => out.push(' '),
            c if c.is_control() => {}
            c => {
                if SIGNS.contains(c) {
                    out.push('\\');
                }
                out.push(c);
            }
        }
    }
    out
}

/// The characters, with white space at the ends.
pub(super) fn raw(marks: &[Mark]) -> String {
    marks.iter().map(|mark| mark.c).collect()
}

/// The characters, without white space at the ends.
pub(super) fn plain(marks: &[Mark]) -> String {
    raw(marks).trim().to_owned()
}

/// Without white space at the ends, where it was not escaped.
pub(super) fn trim(marks: &[Mark]) -> &[Mark] {
    let space = |mark: &&Mark| mark.c.is_whitespace() && !mark.escaped;
    let start = marks.iter().take_while(space).count();
    let marks = from(marks, start);
    let end = marks.iter().rev().take_while(space).count();
    until(marks, marks.len() - end)
}

/// What stands before a place.
pub(super) fn until(marks: &[Mark], end: usize) -> &[Mark] {
    marks.get(..end).unwrap_or(marks)
}

/// What stands from a place on.
pub(super) fn from(marks: &[Mark], start: usize) -> &[Mark] {
    marks.get(start..).unwrap_or_default()
}

/// Where a sign of one or more characters begins.
pub(super) fn find(marks: &[Mark], sign: &str) -> Option<usize> {
    (0..marks.len()).find(|at| starts(from(marks, *at), sign))
}

/// Where a sign begins for the last time.
pub(super) fn find_last(marks: &[Mark], sign: &str) -> Option<usize> {
    (0..marks.len()).rev().find(|at| starts(from(marks, *at), sign))
}

/// Whether the sign stands at the beginning.
pub(super) fn starts(marks: &[Mark], sign: &str) -> bool {
    let mut rest = marks.iter();
    sign.chars().all(|c| rest.next().is_some_and(|mark| mark.is(c)))
}

/// What stands before and after the first sign.
pub(super) fn halves<'a>(marks: &'a [Mark], sign: &str) -> Option<(&'a [Mark], &'a [Mark])> {
    let at = find(marks, sign)?;
    Some((until(marks, at), from(marks, at + sign.chars().count())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_escaped_is_read_as_it_was() {
        for text in ["a=b", "{x}", "\\n", "one\ntwo", "c:\\dir\\", "~#:%->", "\\\\=", ""] {
            let escaped = escape(text);
            let read = marks(&escaped);
            assert_eq!(raw(&read), text, "{escaped}");
            assert!(!read.iter().any(|mark| SIGNS.contains(mark.c) && !mark.escaped), "{escaped}");
            assert!(!escaped.contains('\n'));
        }
        assert_eq!(raw(&marks("\\(x\\) \\")), "\\(x\\) \\");
    }
}
