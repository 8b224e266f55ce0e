//! Types of elements: which values each takes. RTE 4.1.1 of SCORM 2004, 3.4.2 of SCORM 1.2.
//!
//! The standards' "smallest permitted maximum" says what a system must at least take. This one takes
//! [`LONGEST`] characters of any string: progress of real courses is lost where a system cuts at 4,096.

use super::code::Fault;
use super::time;

/// Most characters of any one value; the largest smallest permitted maximum, that of `cmi.suspend_data`.
pub const LONGEST: usize = 64_000;

/// The type of an element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// Any characters.
    Text,
    /// Characters, before them perhaps `{lang=..}`.
    Localized,
    /// A language tag or nothing.
    Language,
    /// An identifier that is a URI.
    LongIdentifier,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A real number of at least and at most.
    Real(f64, f64),
    /// As `Real`, and each further word.
    RealOr(&'static [&'static str]),
    /// An ISO 8601 duration.
    Interval,
    /// A point in time.
    Timestamp,
    /// A request to navigate.
    Navigation,
    /// A response or pattern of an interaction; its form depends on the interaction's type.
    Response,
    /// As `Response`, as a correct one.
    Pattern,
    /// 1.2: an identifier without spaces.
    Identifier12,
    /// 1.2: a number of 0 to 100, or nothing.
    Score12,
    /// 1.2: a number.
    Decimal12,
    /// 1.2: a whole number of at least and at most.
    Integer12(i32, i32),
    /// 1.2: `HHHH:MM:SS.SS`.
    Timespan12,
    /// 1.2: `HH:MM:SS`.
    Time12,
    /// 1.2: a decimal or one of these words.
    DecimalOr12(&'static [&'static str]),
}

/// Whether a value is of the type. Responses and patterns are judged elsewhere: they need their interaction.
pub(super) fn check(kind: Kind, value: &str) -> Result<(), Fault> {
    // U+0000 is no character of XML, and PostgreSQL stores none.
    if value.contains('\0') || value.chars().nth(LONGEST).is_some() {
        return Err(Fault::Mismatch);
    }
    let fits = match kind {
        Kind::Text | Kind::Response | Kind::Pattern => true,
        Kind::Localized => localized(value).is_some(),
        Kind::Language => value.is_empty() || is_language(value),
        Kind::LongIdentifier => is_long_identifier(value),
        Kind::Word(words) => words.contains(&value),
        Kind::Real(least, most) => return within(real(value).ok_or(Fault::Mismatch)?, least, most),
        Kind::RealOr(words) => words.contains(&value) || real(value).is_some(),
        Kind::Interval => time::interval(value).is_some(),
        Kind::Timestamp => time::is_timestamp(value),
        Kind::Navigation => is_navigation(value),
        Kind::Identifier12 => !value.is_empty() && !value.chars().any(char::is_whitespace),
        Kind::Score12 => value.is_empty() || real(value).is_some_and(|number| (0.0..=100.0).contains(&number)),
        Kind::Decimal12 => value.is_empty() || real(value).is_some(),
        Kind::Integer12(least, most) => {
            value.parse::<i32>().is_ok_and(|number| !value.starts_with('+') && (least..=most).contains(&number))
        }
        Kind::Timespan12 => time::timespan(value).is_some(),
        Kind::Time12 => time::is_time_of_day(value),
        Kind::DecimalOr12(words) => words.contains(&value) || real(value).is_some(),
    };
    if fits { Ok(()) } else { Err(Fault::Mismatch) }
}

fn within(number: f64, least: f64, most: f64) -> Result<(), Fault> {
    if (least..=most).contains(&number) { Ok(()) } else { Err(Fault::Range) }
}

/// A `real (10,7)`: digits with at most one point, no exponent. Scripts print more than seven places,
/// and the standard asks for at least that precision, so more are taken.
pub(super) fn real(text: &str) -> Option<f64> {
    let body = text.strip_prefix('-').unwrap_or(text);
    let digits = body.bytes().filter(u8::is_ascii_digit).count();
    let points = body.bytes().filter(|byte| *byte == b'.').count();
    if digits == 0 || points > 1 || digits + points != body.len() || text.len() > 40 || body.ends_with('.') {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// A language tag of RFC 1766: a primary part and more parts of letters and digits.
pub(super) fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let primary = parts.next().unwrap_or_default();
    let letters = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphabetic());
    let known = letters(primary) && (matches!(primary.len(), 2 | 3) || matches!(primary, "i" | "x"));
    let mut rest = parts.peekable();
    let alone_allowed = primary.len() > 1 || rest.peek().is_some();
    known
        && alone_allowed
        && rest.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The text after a `{lang=..}`; nothing when its tag is none.
pub(super) fn localized(value: &str) -> Option<&str> {
    let Some(rest) = value.strip_prefix("{lang=") else { return Some(value) };
    let (tag, text) = rest.split_once('}')?;
    is_language(tag).then_some(text)
}

/// A URI as packages write it. Spaces within are taken, as authoring tools write them; a URN must have
/// its namespace.
fn is_long_identifier(value: &str) -> bool {
    if value.trim() != value || value.is_empty() || value.chars().any(char::is_control) {
        return false;
    }
    let Some(urn) = value.get(..4).filter(|start| start.eq_ignore_ascii_case("urn:")).and_then(|_| value.get(4..))
    else {
        return true;
    };
    let Some((namespace, name)) = urn.split_once(':') else { return false };
    (2..=32).contains(&namespace.len())
        && namespace.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !name.is_empty()
        && !name.contains(char::is_whitespace)
}

/// An identifier within a response: no spaces, none of the characters that delimit.
pub(super) fn is_short_identifier(value: &str) -> bool {
    !value.is_empty() && !value.chars().any(|c| c.is_whitespace() || c.is_control() || "[]{}".contains(c))
}

const REQUESTS: &[&str] = &["continue", "previous", "exit", "exitAll", "abandon", "abandonAll", "suspendAll", "_none_"];

fn is_navigation(value: &str) -> bool {
    REQUESTS.contains(&value)
        || value
            .strip_prefix("{target=")
            .and_then(|rest| rest.split_once('}'))
            .is_some_and(|(target, request)| is_short_identifier(target) && matches!(request, "choice" | "jump"))
}
