//! Points in time and durations as the data models write them. Nothing here asks a clock.

/// Hundredths of a second of an ISO 8601 duration, `timeinterval (second,10,2)`.
///
/// A year counts 365 days and a month 30: the standard adds durations and does not say how long a
/// month is.
#[must_use]
pub fn interval(text: &str) -> Option<i64> {
    let body = text.strip_prefix('P')?;
    let (date, time) = match body.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (body, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let date = parts(date, &[('Y', 365 * 86_400), ('M', 30 * 86_400), ('D', 86_400)])?;
    date.checked_add(parts(time, &[('H', 3600), ('M', 60), ('S', 1)])?)
}

/// Sums numbers with their designators, each at most once and in order; only seconds have a fraction.
fn parts(mut text: &str, designators: &[(char, i64)]) -> Option<i64> {
    let mut total = 0_i64;
    let mut left = designators.iter();
    while !text.is_empty() {
        let end = text.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, rest) = text.split_at_checked(end)?;
        let designator = rest.chars().next()?;
        let (_, seconds) = left.find(|(name, _)| *name == designator)?;
        let (whole, fraction) = match number.split_once('.') {
            Some(_) if designator != 'S' => return None,
            Some((whole, fraction)) => (whole, hundredths(fraction)?),
            None => (number, 0),
        };
        let whole = digits(whole, 1, 10)?;
        total = total.checked_add(whole.checked_mul(*seconds)?.checked_mul(100)?)?.checked_add(fraction)?;
        text = rest.get(1..)?;
    }
    Some(total)
}

fn hundredths(fraction: &str) -> Option<i64> {
    let value = digits(fraction, 1, 2)?;
    Some(if fraction.len() == 1 { value * 10 } else { value })
}

fn digits(text: &str, least: usize, most: usize) -> Option<i64> {
    let fits = (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

/// The duration in the form that this system writes: days, hours, minutes, seconds, without empty parts.
#[must_use]
pub fn interval_text(hundredths: i64) -> String {
    let (seconds, fraction) = (hundredths / 100, hundredths % 100);
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    let mut text = String::from("P");
    if days > 0 {
        text.push_str(&format!("{days}D"));
    }
    let mut time = String::new();
    for (value, designator) in [(hours, 'H'), (minutes, 'M')] {
        if value > 0 {
            time.push_str(&format!("{value}{designator}"));
        }
    }
    if fraction > 0 {
        let padded = format!("{seconds}.{fraction:02}");
        time.push_str(padded.trim_end_matches('0'));
        time.push('S');
    } else if seconds > 0 {
        time.push_str(&format!("{seconds}S"));
    }
    match (days, time.is_empty()) {
        (0, true) => "PT0H0M0S".to_owned(),
        (_, true) => text,
        (_, false) => format!("{text}T{time}"),
    }
}

/// Hundredths of a second of a `CMITimespan` of SCORM 1.2: `HHHH:MM:SS.SS`, two to four digits of hours.
#[must_use]
pub fn timespan(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (seconds, fraction) = match seconds.split_once('.') {
        Some((seconds, fraction)) => (seconds, hundredths(fraction)?),
        None => (seconds, 0),
    };
    // The standard's own example has minutes and seconds of two digits, not below sixty.
    let whole = digits(hours, 2, 4)? * 3600 + digits(minutes, 2, 2)? * 60 + digits(seconds, 2, 2)?;
    Some(whole * 100 + fraction)
}

/// The duration as a `CMITimespan`.
#[must_use]
pub fn timespan_text(hundredths: i64) -> String {
    // Four digits are the most that the form has.
    let hundredths = hundredths.min((9999 * 3600 + 59 * 60 + 59) * 100 + 99);
    let seconds = hundredths / 100;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:04}:{minutes:02}:{:02}.{:02}", seconds % 60, hundredths % 100)
}

/// Whether this is a `CMITime` of SCORM 1.2: `HH:MM:SS.SS` of a day.
pub(super) fn is_time_of_day(text: &str) -> bool {
    let hours = text.split(':').next().unwrap_or_default();
    let sixty = |part: Option<&str>| part.and_then(|part| part.get(..2)).is_some_and(|part| part < "60");
    let mut parts = text.split(':').skip(1);
    hours.len() == 2 && hours < "24" && timespan(text).is_some() && sixty(parts.next()) && sixty(parts.next())
}

/// Whether this is a `time (second,10,0)`: a date of 1970 to 2038 and as much of a time as is known.
pub(super) fn is_timestamp(text: &str) -> bool {
    timestamp(text).is_some()
}

fn timestamp(text: &str) -> Option<()> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut fields = date.split('-');
    let year = digits(fields.next()?, 4, 4).filter(|year| (1970..=2038).contains(year))?;
    let month = match fields.next() {
        Some(month) => Some(digits(month, 2, 2).filter(|month| (1..=12).contains(month))?),
        None => None,
    };
    let day = match (fields.next(), month) {
        (Some(day), Some(month)) => Some(digits(day, 2, 2).filter(|day| (1..=days_of(year, month)).contains(day))?),
        _ => None,
    };
    if fields.next().is_some() {
        return None;
    }
    let Some(time) = time else { return Some(()) };
    day?;
    let split = time.find(['Z', '+', '-']);
    let (clock, zone) = split.map_or((time, ""), |at| time.split_at(at));
    clock_fields(clock)?;
    match zone {
        "" | "Z" => Some(()),
        offset => {
            let mut fields = offset.get(1..)?.split(':');
            digits(fields.next()?, 2, 2).filter(|hours| *hours < 24)?;
            if let Some(minutes) = fields.next() {
                digits(minutes, 2, 2).filter(|minutes| *minutes < 60)?;
            }
            fields.next().is_none().then_some(())
        }
    }
}

fn clock_fields(clock: &str) -> Option<()> {
    let mut fields = clock.split(':');
    digits(fields.next()?, 2, 2).filter(|hours| *hours < 24)?;
    if let Some(minutes) = fields.next() {
        digits(minutes, 2, 2).filter(|minutes| *minutes < 60)?;
    }
    if let Some(seconds) = fields.next() {
        let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
        digits(whole, 2, 2).filter(|seconds| *seconds < 60)?;
        hundredths(fraction)?;
    }
    fields.next().is_none().then_some(())
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
