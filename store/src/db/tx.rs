//! One transaction on either database, and what its commit wakes.

use sqlx::Executor as _;
use tokio::sync::watch;

use super::{Pool, Row, Value};
use crate::error::{Error, Result};

/// An open transaction on either database. It rolls back when dropped.
pub struct Tx {
    inner: Inner,
    /// What to wake after the commit.
    wake: Wake,
}

enum Inner {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

#[derive(Debug, Clone, Copy, Default)]
struct Wake {
    jobs: bool,
    events: bool,
}

/// Raised after a commit that enqueued jobs or appended events, so that this process need not poll for its own work.
#[derive(Debug)]
pub(super) struct Signals {
    pub(super) jobs: watch::Sender<u64>,
    pub(super) events: watch::Sender<u64>,
}

impl Signals {
    pub(super) fn new() -> Self {
        Self { jobs: watch::Sender::new(0), events: watch::Sender::new(0) }
    }

    fn raise(&self, wake: Wake) {
        if wake.jobs {
            self.jobs.send_modify(|count| *count = count.wrapping_add(1));
        }
        if wake.events {
            self.events.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

macro_rules! bind_all {
    ($query:expr, $args:expr) => {{
        let mut query = $query;
        for value in $args {
            query = match value {
                Value::Text(v) => query.bind(v),
                Value::Int(v) => query.bind(v),
                Value::Real(v) => query.bind(v),
                Value::Bool(v) => query.bind(v),
                Value::Blob(v) => query.bind(v),
            };
        }
        query
    }};
}

impl Tx {
    /// Whether this is SQLite.
    #[must_use]
    pub fn sqlite(&self) -> bool {
        matches!(self.inner, Inner::Sqlite(_))
    }

    /// Runs a statement and yields the number of rows that it changed.
    pub(crate) async fn exec(&mut self, sql: &str, args: Vec<Value>) -> Result<u64> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        Ok(match &mut self.inner {
            Inner::Sqlite(tx) => bind_all!(sqlx::query(sql), args).execute(&mut **tx).await?.rows_affected(),
            Inner::Postgres(tx) => bind_all!(sqlx::query(sql), args).execute(&mut **tx).await?.rows_affected(),
        })
    }

    /// All rows of a query.
    pub(crate) async fn rows(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<Row>> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        Ok(match &mut self.inner {
            Inner::Sqlite(tx) => {
                bind_all!(sqlx::query(sql), args).fetch_all(&mut **tx).await?.into_iter().map(Row::Sqlite).collect()
            }
            Inner::Postgres(tx) => {
                bind_all!(sqlx::query(sql), args).fetch_all(&mut **tx).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// The first row of a query, if any.
    pub(crate) async fn row(&mut self, sql: &str, args: Vec<Value>) -> Result<Option<Row>> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }

    /// The database's clock in microseconds as an SQL expression, for statements that set or compare times.
    pub(crate) fn clock(&self) -> &'static str {
        if self.sqlite() {
            "CAST(unixepoch('now', 'subsec') * 1000000 AS BIGINT)"
        } else {
            "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
        }
    }

    /// The database's clock, in microseconds: leases, deadlines and event times use no other.
    ///
    /// # Errors
    /// The database is gone.
    pub async fn now(&mut self) -> Result<domain::Micros> {
        let sql = format!("SELECT {} AS now", self.clock());
        self.row(&sql, Vec::new()).await?.ok_or_else(|| Error::Database("no clock".into()))?.int("now")
    }

    /// Wakes this process's queue workers once the transaction is committed.
    pub(crate) fn wake_workers(&mut self) {
        self.wake.jobs = true;
    }

    /// Wakes this process's event consumers once the transaction is committed.
    pub(crate) fn wake_consumers(&mut self) {
        self.wake.events = true;
    }

    pub(super) async fn raw(&mut self, sql: &'static str) -> Result<()> {
        match &mut self.inner {
            Inner::Sqlite(tx) => tx.execute(sql).await.map(|_| ())?,
            Inner::Postgres(tx) => tx.execute(sql).await.map(|_| ())?,
        }
        Ok(())
    }

    pub(super) async fn commit(self, signals: &Signals) -> Result<()> {
        match self.inner {
            Inner::Sqlite(tx) => tx.commit().await?,
            Inner::Postgres(tx) => tx.commit().await?,
        }
        signals.raise(self.wake);
        Ok(())
    }
}

pub(super) async fn begin(pool: &Pool, write: bool) -> Result<Tx> {
    let inner = match pool {
        Pool::Sqlite(pool) if write => Inner::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
        Pool::Sqlite(pool) => Inner::Sqlite(pool.begin().await?),
        Pool::Postgres(pool) if write => Inner::Postgres(pool.begin().await?),
        Pool::Postgres(pool) => {
            Inner::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
        }
    };
    Ok(Tx { inner, wake: Wake::default() })
}
