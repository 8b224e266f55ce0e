//! Rows of `model_usage`: sums of a day, added to in batches and grouped for reports.

use domain::quota::Payer;
use domain::usage::{GroupBy, Sums};
use domain::{CourseId, InstitutionId, Micros};

use crate::db::{Row, Tx, Value, args};
use crate::error::Result;
use crate::sql::filter::Filter;

/// One row: what it is about and what to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Beginning of the day.
    pub day: Micros,
    /// Whose use.
    pub payer: Payer,
    /// Part of the product.
    pub feature: String,
    /// Model.
    pub model: String,
    /// What to add.
    pub sums: Sums,
}

fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn or_none<T: std::fmt::Display>(id: Option<T>) -> Value {
    Value::from(id.map(|id| id.to_string()).unwrap_or_default())
}

/// Adds to the sums of a day.
///
/// # Errors
/// The database refuses.
pub async fn add(tx: &mut Tx, added: &[Added]) -> Result<()> {
    for one in added {
        let Added { day, payer, feature, model, sums } = one;
        let mut values = args![payer.institution, *day];
        values.extend([or_none(payer.course), or_none(payer.user), or_none(payer.key)]);
        values.extend(args![
            feature,
            model,
            count(sums.requests),
            count(sums.failed),
            count(sums.prompt_tokens),
            count(sums.completion_tokens),
            count(sums.waited_ms),
            count(sums.busy_ms),
            count(sums.cache_hits),
        ]);
        tx.exec(
            "INSERT INTO model_usage (institution_id, day, course_id, user_id, key_id, feature, model, requests, failed,
               prompt_tokens, completion_tokens, waited_ms, busy_ms, cache_hits)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
             ON CONFLICT (institution_id, day, course_id, user_id, key_id, feature, model) DO UPDATE SET
               requests = model_usage.requests + EXCLUDED.requests, failed = model_usage.failed + EXCLUDED.failed,
               prompt_tokens = model_usage.prompt_tokens + EXCLUDED.prompt_tokens,
               completion_tokens = model_usage.completion_tokens + EXCLUDED.completion_tokens,
               waited_ms = model_usage.waited_ms + EXCLUDED.waited_ms,
               busy_ms = model_usage.busy_ms + EXCLUDED.busy_ms,
               cache_hits = model_usage.cache_hits + EXCLUDED.cache_hits",
            values,
        )
        .await?;
    }
    Ok(())
}

/// Which use to report.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Grouped so.
    pub by: GroupBy,
    /// From this day on.
    pub from: Option<Micros>,
    /// Up to this day, itself included.
    pub to: Option<Micros>,
    /// Of these courses alone; `None` is everything.
    pub courses: Option<Vec<CourseId>>,
    /// At most so many lines.
    pub limit: i64,
}

/// Sums by group, the busiest first (days in their order): the group, its name for people, the sums.
///
/// # Errors
/// The database refuses.
pub async fn report(
    tx: &mut Tx,
    institution: InstitutionId,
    wanted: &Wanted,
) -> Result<Vec<(String, Option<String>, Sums)>> {
    let mut filter = Filter::new(args![institution]);
    let mut limits = String::new();
    if let Some(from) = wanted.from {
        limits.push_str(&format!(" AND m.day >= {}", filter.bind(from)));
    }
    if let Some(to) = wanted.to {
        limits.push_str(&format!(" AND m.day <= {}", filter.bind(to)));
    }
    match wanted.courses.as_deref() {
        Some([]) => limits.push_str(" AND 1 = 0"),
        Some(courses) => limits.push_str(&format!(" AND m.course_id IN ({})", filter.list(courses))),
        None => {}
    }
    let (group, name) = match wanted.by {
        GroupBy::Institution => ("m.institution_id", "(SELECT i.slug FROM institutions i WHERE i.id = g.grp)"),
        GroupBy::Course => ("m.course_id", "(SELECT c.slug FROM courses c WHERE c.id = g.grp)"),
        GroupBy::User => ("m.user_id", "(SELECT u.username FROM users u WHERE u.id = g.grp)"),
        GroupBy::Feature => ("m.feature", "CAST(NULL AS TEXT)"),
        GroupBy::Model => ("m.model", "CAST(NULL AS TEXT)"),
        GroupBy::Day => ("CAST(m.day AS TEXT)", "CAST(NULL AS TEXT)"),
    };
    let sum = |column: &str| format!("CAST(SUM(m.{column}) AS BIGINT) AS {column}");
    let sums = ["requests", "failed", "prompt_tokens", "completion_tokens", "waited_ms", "busy_ms", "cache_hits"];
    // Days of one length sort as text until the year 2286.
    let order = if wanted.by == GroupBy::Day { "g.grp" } else { "g.busy_ms DESC, g.requests DESC, g.grp" };
    let sql = format!(
        "SELECT g.*, {name} AS name FROM (SELECT {group} AS grp, {} FROM model_usage m
           WHERE m.institution_id = $1{limits} GROUP BY {group}) g ORDER BY {order} LIMIT {}",
        sums.map(sum).join(", "),
        filter.bind(wanted.limit)
    );
    let rows = tx.rows(&sql, filter.args).await?;
    rows.iter().map(|row| Ok((row.text("grp")?, row.text_opt("name")?, read(row)?))).collect()
}

fn read(row: &Row) -> Result<Sums> {
    let figure = |column: &str| -> Result<u64> { Ok(u64::try_from(row.int(column)?).unwrap_or(0)) };
    Ok(Sums {
        requests: figure("requests")?,
        failed: figure("failed")?,
        prompt_tokens: figure("prompt_tokens")?,
        completion_tokens: figure("completion_tokens")?,
        waited_ms: figure("waited_ms")?,
        busy_ms: figure("busy_ms")?,
        cache_hits: figure("cache_hits")?,
    })
}
