//! Limits of model use: their scopes, the windows that they count in, and which of them was hit.
//!
//! A window is aligned to UTC: a minute begins with the minute, a day at midnight. Nothing here counts;
//! the counting is `school::quota`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ApiKeyId, CourseId, Error, ErrorKind, InstitutionId, Micros, UserId};

/// The `scope_id` of a row that holds for whoever has none of their own.
pub const DEFAULT_ID: &str = "*";
/// Most of anything that can be set; far above any machine, and safe in arithmetic.
pub const MOST: u64 = 1_000_000_000_000_000;
/// Shares that can be set, in per cent of the usual one.
pub const SHARES: std::ops::RangeInclusive<u64> = 1..=10_000;

/// Whose use is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaScope {
    /// The institution as a whole.
    Institution,
    /// One course.
    Course,
    /// One user.
    User,
    /// One API key.
    Key,
}

impl QuotaScope {
    /// Every scope, the widest first: the order in which they are checked.
    pub const ALL: [Self; 4] = [Self::Institution, Self::Course, Self::User, Self::Key];

    /// The spelling used in rows and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Institution => "institution",
            Self::Course => "course",
            Self::User => "user",
            Self::Key => "key",
        }
    }

    /// The scope of that spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// The time that a limit counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// A minute of the clock.
    Minute,
    /// A day, UTC.
    Day,
}

impl Window {
    /// Both, the longer one first: what is named when both are used up.
    pub const ALL: [Self; 2] = [Self::Day, Self::Minute];

    /// The spelling used in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Day => "day",
        }
    }

    /// Its length in microseconds.
    #[must_use]
    pub fn length(self) -> Micros {
        match self {
            Self::Minute => 60_000_000,
            Self::Day => 86_400_000_000,
        }
    }

    /// When the window began that `now` lies in.
    #[must_use]
    pub fn start(self, now: Micros) -> Micros {
        now - now.rem_euclid(self.length())
    }

    /// How long until the window ends that `now` lies in; never nothing.
    #[must_use]
    pub fn left(self, now: Micros) -> Duration {
        let left = self.length() - now.rem_euclid(self.length());
        Duration::from_micros(u64::try_from(left).unwrap_or(1))
    }
}

/// One of the five limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Requests of a minute.
    RequestsMinute,
    /// Requests of a day.
    RequestsDay,
    /// Tokens of a minute.
    TokensMinute,
    /// Tokens of a day.
    TokensDay,
    /// Requests at the same time.
    Concurrent,
    /// None was hit: what is used cannot be known, because the database is gone.
    Unknown,
}

impl Limit {
    /// The limits that can be set.
    pub const ALL: [Self; 5] =
        [Self::RequestsMinute, Self::RequestsDay, Self::TokensMinute, Self::TokensDay, Self::Concurrent];

    /// The spelling used in answers and columns.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RequestsMinute => "requests_minute",
            Self::RequestsDay => "requests_day",
            Self::TokensMinute => "tokens_minute",
            Self::TokensDay => "tokens_day",
            Self::Concurrent => "concurrent",
            Self::Unknown => "unknown",
        }
    }
}

/// What one scope may use; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Requests of a minute.
    #[serde(default)]
    pub requests_minute: Option<u64>,
    /// Requests of a day.
    #[serde(default)]
    pub requests_day: Option<u64>,
    /// Tokens of a minute.
    #[serde(default)]
    pub tokens_minute: Option<u64>,
    /// Tokens of a day.
    #[serde(default)]
    pub tokens_day: Option<u64>,
    /// Requests at the same time, in one gateway.
    #[serde(default)]
    pub concurrent: Option<u64>,
    /// Share of the workers beside others, in per cent of the usual one; no limit, 100 when missing.
    #[serde(default)]
    pub share: Option<u64>,
}

impl Limits {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, limit: Limit) -> Option<u64> {
        match limit {
            Limit::RequestsMinute => self.requests_minute,
            Limit::RequestsDay => self.requests_day,
            Limit::TokensMinute => self.tokens_minute,
            Limit::TokensDay => self.tokens_day,
            Limit::Concurrent => self.concurrent,
            Limit::Unknown => None,
        }
    }

    /// Requests and tokens of a window.
    #[must_use]
    pub fn of(&self, window: Window) -> (Option<u64>, Option<u64>) {
        match window {
            Window::Minute => (self.requests_minute, self.tokens_minute),
            Window::Day => (self.requests_day, self.tokens_day),
        }
    }

    /// Checks that every figure can be counted with.
    ///
    /// # Errors
    /// A figure above [`MOST`].
    pub fn check(&self) -> Result<(), Error> {
        for limit in Limit::ALL {
            if self.get(limit).is_some_and(|value| value > MOST) {
                let message = format!("\"{}\" is at most {MOST}", limit.as_str());
                return Err(Error::invalid(limit.as_str(), "OUT_OF_RANGE", message));
            }
        }
        if self.share.is_some_and(|share| !SHARES.contains(&share)) {
            let message = format!("\"share\" is {} to {} per cent", SHARES.start(), SHARES.end());
            return Err(Error::invalid("share", "OUT_OF_RANGE", message));
        }
        Ok(())
    }
}

/// The limits of one scope, as they are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quota {
    /// Whose use.
    pub scope: QuotaScope,
    /// An id, or [`DEFAULT_ID`].
    pub scope_id: String,
    /// How much.
    pub limits: Limits,
    /// When they were set.
    pub changed_at: Micros,
}

/// Who pays for a request: every scope named here is counted, and limits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Payer {
    /// The tenant.
    pub institution: InstitutionId,
    /// The course that it is for.
    pub course: Option<CourseId>,
    /// Who asked.
    pub user: Option<UserId>,
    /// With which key.
    pub key: Option<ApiKeyId>,
}

/// A limit that stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub struct Exceeded {
    /// Whose limit.
    pub scope: QuotaScope,
    /// Which limit.
    pub limit: Limit,
    /// When asking again can help: the end of the window; a second for requests at the same time.
    pub retry_after: Duration,
    /// How much the limit allows.
    pub allowed: u64,
    /// How much the request needs of it; above `allowed` it never fits.
    pub needed: u64,
}

impl Exceeded {
    /// What is used cannot be known now.
    #[must_use]
    pub fn unknown() -> Self {
        let retry_after = Duration::from_secs(1);
        Self { scope: QuotaScope::Institution, limit: Limit::Unknown, retry_after, allowed: 0, needed: 0 }
    }

    /// Whether waiting can help at all.
    #[must_use]
    pub fn fits_later(&self) -> bool {
        self.limit == Limit::Unknown || self.needed <= self.allowed
    }

    fn message(&self) -> String {
        let (scope, limit) = (self.scope.as_str(), self.limit.as_str());
        let seconds = self.retry_after.as_micros().div_ceil(1_000_000);
        if self.limit == Limit::Unknown {
            "what is used of the limits cannot be read now; try again in a second".into()
        } else if self.fits_later() {
            format!("the limit \"{limit}\" of the {scope} ({}) is used up; try again in {seconds} s", self.allowed)
        } else {
            format!("the request needs {} of \"{limit}\" of the {scope}, which is {}", self.needed, self.allowed)
        }
    }
}

/// The narrower code of a limit that was hit.
pub const QUOTA_EXCEEDED: &str = "QUOTA_EXCEEDED";

impl From<Exceeded> for Error {
    fn from(exceeded: Exceeded) -> Self {
        match exceeded.limit {
            Limit::Unknown => Self::new(ErrorKind::Unavailable, exceeded.to_string()),
            _ => Self::new(ErrorKind::RateLimited, exceeded.to_string()).with_code(QUOTA_EXCEEDED),
        }
    }
}

/// How much of a window to take at once: a twentieth of the limit, less when little is left, never below the need.
///
/// The last quarter of what is left is shared out ever finer, so that several processes strand nothing.
#[must_use]
pub fn share(limit: u64, left: u64, need: u64) -> u64 {
    need.max((limit / 20).min(left / 4)).min(left.max(need))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_aligned_and_their_rest_is_never_nothing() {
        let noon = 1_700_049_600_000_000;
        for window in Window::ALL {
            for now in [0, 1, noon, noon + 59_999_999, noon + 60_000_000] {
                let start = window.start(now);
                assert!(start <= now && now < start + window.length());
                assert_eq!(start % window.length(), 0);
                let left = i64::try_from(window.left(now).as_micros()).unwrap();
                assert_eq!(now + left, start + window.length());
            }
        }
    }

    #[test]
    fn a_share_covers_the_need_and_never_more_than_is_left() {
        for limit in [1, 19, 20, 1000] {
            for left in 0..=limit.min(50) {
                for need in 0..=left {
                    let share = share(limit, left, need);
                    assert!(share >= need && share <= left, "{limit} {left} {need}: {share}");
                }
            }
        }
        assert_eq!(share(1000, 1000, 1), 50);
        assert_eq!(share(1000, 8, 1), 2);
    }

    #[test]
    fn the_limit_that_was_hit_is_named_with_its_wait() {
        let hit = Exceeded {
            scope: QuotaScope::User,
            limit: Limit::TokensMinute,
            retry_after: Duration::from_millis(1500),
            allowed: 10,
            needed: 3,
        };
        let error = Error::from(hit);
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::RateLimited, QUOTA_EXCEEDED));
        assert!(error.message.contains("tokens_minute") && error.message.contains("2 s"), "{}", error.message);
        let never = Exceeded { needed: 11, ..hit };
        assert!(!never.fits_later() && never.to_string().contains("needs 11"));
        assert_eq!(Error::from(Exceeded::unknown()).kind, ErrorKind::Unavailable);
    }
}
