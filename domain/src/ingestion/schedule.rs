//! When a source is fetched again: the five fields of cron, in UTC, so that no clock change skips or doubles a run.

use crate::Micros;

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;
/// Shortest time between two runs, in seconds.
const SHORTEST: i64 = 15 * MINUTE;
/// Days that are looked through for the next run: a leap day, and a century without one.
const HORIZON: i64 = 366 * 9;

/// A schedule: minute, hour, day of the month, month, weekday.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Day of the month and weekday are both named: either will do, as in cron.
    either_day: bool,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Schedule {
    /// Reads `minute hour day month weekday`, each `*`, a number, a range, a step or a list of them.
    ///
    /// # Errors
    /// A sentence that names the field, or says that it would run too often or never.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(format!(
                "\"{text}\" is no schedule: give five fields, minute hour day month weekday, as \"0 3 * * *\" for 3:00 UTC each day"
            ));
        };
        let mut weekdays = field("weekday", weekday, 0, 7, &WEEKDAYS, 0)?;
        // Sunday is 0 and 7.
        weekdays = (weekdays | (weekdays >> 7)) & 0x7f;
        let schedule = Self {
            minutes: field("minute", minute, 0, 59, &[], 0)?,
            hours: field("hour", hour, 0, 23, &[], 0)?,
            days: field("day", day, 1, 31, &[], 0)?,
            months: field("month", month, 1, 12, &MONTHS, 1)?,
            weekdays,
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
        };
        let mut at = 0;
        for _ in 0..8 {
            let Some(next) = schedule.next(at) else {
                return Err(format!("\"{text}\" names a day that never comes"));
            };
            if at > 0 && (next - at) / 1_000_000 < SHORTEST {
                return Err(format!("\"{text}\" runs more often than every {} minutes", SHORTEST / MINUTE));
            }
            at = next;
        }
        Ok(schedule)
    }

    /// The first moment after `after`, both in microseconds since 1970, UTC.
    #[must_use]
    pub fn next(&self, after: Micros) -> Option<Micros> {
        let first = after.div_euclid(1_000_000).div_euclid(MINUTE) * MINUTE + MINUTE;
        let today = first.div_euclid(DAY);
        for day in today..today + HORIZON {
            if !self.on(day) {
                continue;
            }
            let from = if day == today { first.rem_euclid(DAY) / MINUTE } else { 0 };
            let minute = (from..DAY / MINUTE)
                .find(|minute| self.hours >> (minute / 60) & 1 == 1 && self.minutes >> (minute % 60) & 1 == 1);
            if let Some(minute) = minute {
                return Some((day * DAY + minute * MINUTE) * 1_000_000);
            }
        }
        None
    }

    fn on(&self, day: i64) -> bool {
        let (month, day_of_month) = date(day);
        // 1970-01-01 was a Thursday.
        let weekday = (day + 4).rem_euclid(7);
        let by_month = self.days >> day_of_month & 1 == 1;
        let by_week = self.weekdays >> weekday & 1 == 1;
        let named = if self.either_day { by_month || by_week } else { by_month && by_week };
        named && self.months >> month & 1 == 1
    }
}

/// Month and day of the month of a day since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn date(day: i64) -> (i64, i64) {
    let shifted = day + 719_468;
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * shifted_month + 2) / 5 + 1;
    (if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 }, day_of_month)
}

/// The set of a field, a bit for each value.
fn field(name: &str, text: &str, least: u32, most: u32, names: &[&str], first: u32) -> Result<u64, String> {
    let wrong =
        || format!("\"{text}\" is no {name}: a number from {least} to {most}, a range, a step or a list of them");
    let value = |text: &str| -> Result<u32, String> {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let number = match named {
            Some(place) => u32::try_from(place).map_err(|_| wrong())? + first,
            None => text.parse().map_err(|_| wrong())?,
        };
        if (least..=most).contains(&number) { Ok(number) } else { Err(wrong()) }
    };
    let mut set = 0_u64;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<u32>().ok().filter(|step| *step > 0).ok_or_else(wrong)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (least, most),
            Some((from, to)) => (value(from)?, value(to)?),
            None if part.contains('/') => (value(range)?, most),
            None => (value(range)?, value(range)?),
        };
        if from > to {
            return Err(wrong());
        }
        let mut at = from;
        while at <= to {
            set |= 1 << at;
            at = at.saturating_add(step);
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    /// 2026-11-21 21:36:02, a Saturday.
    const NOW: i64 = 1_795_296_962 * SECOND;

    #[test]
    fn the_next_run_is_found() {
        for (text, seconds) in [
            ("0 3 * * *", 1_795_316_400),
            ("30 21 * * *", 1_795_383_000),
            ("40 21 * * *", 1_795_297_200),
            ("*/30 * * * *", 1_795_298_400),
            ("0 0 1 jan *", 1_798_761_600),
            ("0 0 29 2 *", 1_835_395_200),
            ("0 12 * * mon-fri", 1_795_435_200),
            ("0 12 * * 7", 1_795_348_800),
            ("0 12 25 * 1", 1_795_435_200),
            ("15,45 6-8/2 * * *", 1_795_328_100),
        ] {
            let next = Schedule::parse(text).unwrap().next(NOW).unwrap();
            assert_eq!(next / SECOND, seconds, "{text}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_named() {
        for (text, part) in [
            ("", "five fields"),
            ("0 3 * *", "five fields"),
            ("60 3 * * *", "minute"),
            ("0 24 * * *", "hour"),
            ("0 0 0 * *", "day"),
            ("0 0 * 13 *", "month"),
            ("0 0 * * 8", "weekday"),
            ("0 5-3 * * *", "hour"),
            ("0 */0 * * *", "hour"),
            ("0 x * * *", "hour"),
            ("* * * * *", "more often"),
            ("*/5 * * * *", "more often"),
            ("0 0 30 2 *", "never comes"),
        ] {
            let why = Schedule::parse(text).unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
    }
}
