//! Brings a reply that is kept to a schema to its end before its limit.

use super::constrain::Constraint;

/// Tokens of an end that are looked for at most.
const FARTHEST: usize = 1_024;
/// Farther than this from the limit, and than four times what the end took last, nothing is looked for.
const IN_SIGHT: usize = 384;
/// Within a text or a number an end grows by a few tokens at most.
const SLACK: usize = 8;

/// Knows how the reply can end from where it stands.
#[derive(Default)]
pub(super) struct Landing {
    /// An end from where the reply stands, where it was looked for there.
    end: Option<Vec<u32>>,
    /// Tokens that the last end took.
    length: usize,
    /// Whether the reply has opened or closed something since.
    stale: bool,
    /// Set once no end was found: then the reply just goes on.
    lost: bool,
}

impl Landing {
    /// Looks whether a whole reply fits at all; the tokens that it takes, when it does not.
    pub(super) fn planned(constraint: &Constraint, limit: usize) -> Result<Self, usize> {
        match constraint.end(limit.max(FARTHEST)) {
            Some(end) if end.len() > limit => Err(end.len()),
            Some(end) => Ok(Self { length: end.len(), end: Some(end), ..Self::default() }),
            // Some schemas have no end that is found without thought; most replies to them end.
            None => Ok(Self { lost: true, ..Self::default() }),
        }
    }

    /// Goes on by `token`, with `left` tokens from before it, unless the reply has to end here and
    /// now: then it yields its end.
    pub(super) fn due(
        &mut self,
        constraint: &mut Constraint,
        token: u32,
        word: &[u8],
        left: usize,
    ) -> Result<Option<Vec<u32>>, String> {
        // Only what opens or closes something changes by much what an end takes.
        let turns = !constraint.in_text() || word.contains(&b'"');
        let in_sight = left <= IN_SIGHT.max(4 * self.length);
        self.stale |= turns;
        let before = self.end.take();
        if self.lost || !(left <= self.length + SLACK || in_sight && self.stale) {
            constraint.take(token)?;
            return Ok(None);
        }
        let earlier = constraint.copy();
        constraint.take(token)?;
        if let Some(end) = constraint.end(left - 1) {
            (self.length, self.stale, self.end) = (end.len(), false, Some(end));
            return Ok(None);
        }
        // One token further there is no end in time: it ends as it could before.
        let end = before.or_else(|| earlier.end(left));
        self.lost = end.is_none();
        Ok(end)
    }
}
