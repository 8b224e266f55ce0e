//! Many rows in few statements.

use crate::db::{Tx, Value};
use crate::error::{Error, Result};

/// Most rows of one statement. Widest table times this stays below SQLite's 32,766 binds.
const MOST: usize = 128;

/// Runs `head (row), (row), ... tail` over `rows` of `width` values and yields how many rows changed.
///
/// Statements hold a power of two of rows, so that few different texts are prepared.
pub(super) async fn insert(tx: &mut Tx, head: &str, width: usize, rows: Vec<Vec<Value>>, tail: &str) -> Result<u64> {
    if let Some(row) = rows.iter().find(|row| row.len() != width) {
        return Err(Error::Database(format!("a row of {} values where {width} are expected", row.len())));
    }
    let mut left = rows.len();
    let mut rows = rows.into_iter();
    let mut changed = 0;
    while left > 0 {
        let mut size = MOST;
        while size > left {
            size /= 2;
        }
        let places: Vec<String> = (0..size).map(|row| format!("({})", places(row * width + 1, width))).collect();
        let sql = format!("{head} VALUES {} {tail}", places.join(", "));
        changed += tx.exec(&sql, rows.by_ref().take(size).flatten().collect()).await?;
        left -= size;
    }
    Ok(changed)
}

/// `count` places from `$first`, separated by commas.
pub(super) fn places(first: usize, count: usize) -> String {
    (first..first + count).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
}
