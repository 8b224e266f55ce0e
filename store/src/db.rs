//! The two databases behind one door: pool, transaction, bound values and rows.
//!
//! SQL text is shared; binds are written `$1`. The few places where the dialects differ ask
//! [`Tx::sqlite`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::{Column as _, Executor as _, Row as _};
use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, Result};

/// A bound value; `None` is NULL of that type (PostgreSQL wants to know which).
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    Real(Option<f64>),
    Bool(Option<bool>),
    Blob(Option<Vec<u8>>),
}

macro_rules! value_from {
    ($($type:ty => $variant:ident, $convert:expr;)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                #[expect(clippy::redundant_closure_call, reason = "one macro for moves and conversions")]
                Self::$variant(Some(($convert)(value)))
            }
        }
        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                Self::$variant(value.map($convert))
            }
        }
    )*};
}
value_from! {
    String => Text, |v| v;
    &str => Text, |v: &str| v.to_owned();
    &String => Text, |v: &String| v.clone();
    i64 => Int, |v| v;
    f64 => Real, |v| v;
    bool => Bool, |v| v;
    Vec<u8> => Blob, |v| v;
    domain::InstitutionId => Text, |v: domain::InstitutionId| v.to_string();
    domain::UserId => Text, |v: domain::UserId| v.to_string();
    domain::CourseId => Text, |v: domain::CourseId| v.to_string();
    domain::ModuleId => Text, |v: domain::ModuleId| v.to_string();
    domain::LessonId => Text, |v: domain::LessonId| v.to_string();
    domain::EnrollmentId => Text, |v: domain::EnrollmentId| v.to_string();
    domain::SourceId => Text, |v: domain::SourceId| v.to_string();
    domain::VersionId => Text, |v: domain::VersionId| v.to_string();
    domain::DocumentId => Text, |v: domain::DocumentId| v.to_string();
    domain::ChunkId => Text, |v: domain::ChunkId| v.to_string();
    domain::JobId => Text, |v: domain::JobId| v.to_string();
    domain::EventId => Text, |v: domain::EventId| v.to_string();
    domain::TokenId => Text, |v: domain::TokenId| v.to_string();
    domain::IngestionId => Text, |v: domain::IngestionId| v.to_string();
    &serde_json::Value => Text, |v: &serde_json::Value| v.to_string();
}

/// Binds for a statement: `args![id, name]`.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::db::Value::from($value)),*] };
}
pub(crate) use args;

/// A row by column name.
pub(crate) enum Row {
    Sqlite(sqlx::sqlite::SqliteRow),
    Postgres(sqlx::postgres::PgRow),
}

macro_rules! getter {
    ($name:ident, $optional:ident, $type:ty) => {
        pub(crate) fn $optional(&self, column: &str) -> Result<Option<$type>> {
            Ok(match self {
                Self::Sqlite(row) => row.try_get::<Option<$type>, _>(column)?,
                Self::Postgres(row) => row.try_get::<Option<$type>, _>(column)?,
            })
        }
        pub(crate) fn $name(&self, column: &str) -> Result<$type> {
            self.$optional(column)?.ok_or_else(|| Error::Damaged { column: column.into(), reason: "is null".into() })
        }
    };
}

#[allow(dead_code, reason = "a complete set of getters reads better than the subset in use today")]
impl Row {
    getter!(text, text_opt, String);
    getter!(int, int_opt, i64);
    getter!(real, real_opt, f64);
    getter!(flag, flag_opt, bool);
    getter!(blob, blob_opt, Vec<u8>);

    /// A column that holds an id (or anything else that parses from text).
    pub(crate) fn id<T: std::str::FromStr<Err = domain::Error>>(&self, column: &str) -> Result<T> {
        self.text(column)?.parse().map_err(|error: domain::Error| Error::Damaged { column: column.into(), reason: error.message })
    }

    /// The same where NULL is allowed.
    pub(crate) fn id_opt<T: std::str::FromStr<Err = domain::Error>>(&self, column: &str) -> Result<Option<T>> {
        self.text_opt(column)?
            .map(|text| text.parse().map_err(|error: domain::Error| Error::Damaged { column: column.into(), reason: error.message }))
            .transpose()
    }

    /// A column that holds JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(&self.text(column)?)
            .map_err(|error| Error::Damaged { column: column.into(), reason: error.to_string() })
    }

    /// Names of the columns, for dumps and checks.
    pub(crate) fn columns(&self) -> Vec<String> {
        match self {
            Self::Sqlite(row) => row.columns().iter().map(|c| c.name().to_owned()).collect(),
            Self::Postgres(row) => row.columns().iter().map(|c| c.name().to_owned()).collect(),
        }
    }
}

/// JSON text for a column.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Damaged { column: "json".into(), reason: error.to_string() })
}

/// An open transaction on either database. It rolls back when dropped.
pub enum Tx {
    #[doc(hidden)]
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    #[doc(hidden)]
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
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
        matches!(self, Self::Sqlite(_))
    }

    /// Runs a statement and yields the number of rows that it changed.
    pub(crate) async fn exec(&mut self, sql: &str, args: Vec<Value>) -> Result<u64> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Self::Sqlite(tx) => bind_all!(sqlx::query(sql), args).execute(&mut **tx).await?.rows_affected(),
            Self::Postgres(tx) => bind_all!(sqlx::query(sql), args).execute(&mut **tx).await?.rows_affected(),
        })
    }

    /// All rows of a query.
    pub(crate) async fn rows(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<Row>> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Self::Sqlite(tx) => {
                bind_all!(sqlx::query(sql), args).fetch_all(&mut **tx).await?.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(tx) => {
                bind_all!(sqlx::query(sql), args).fetch_all(&mut **tx).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// The first row of a query, if any.
    pub(crate) async fn row(&mut self, sql: &str, args: Vec<Value>) -> Result<Option<Row>> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }

    /// The database's clock, in microseconds: leases, deadlines and event times use no other.
    pub async fn now(&mut self) -> Result<domain::Micros> {
        let sql = if self.sqlite() {
            "SELECT CAST(unixepoch('now', 'subsec') * 1000000 AS BIGINT) AS now"
        } else {
            "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS now"
        };
        self.row(sql, Vec::new()).await?.ok_or_else(|| Error::Database("no clock".into()))?.int("now")
    }

    async fn raw(&mut self, sql: &'static str) -> Result<()> {
        match self {
            Self::Sqlite(tx) => tx.execute(sql).await.map(|_| ())?,
            Self::Postgres(tx) => tx.execute(sql).await.map(|_| ())?,
        }
        Ok(())
    }

    async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

/// Where the rows live.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Folder of blobs and, without `database_url`, of the SQLite file.
    pub data_dir: PathBuf,
    /// `postgres://...`; `None` is SQLite in the data directory.
    pub database_url: Option<String>,
    /// Most connections held.
    pub connections: u32,
}

impl StoreOptions {
    /// Embedded defaults in `data_dir`.
    pub fn embedded(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), database_url: None, connections: 8 }
    }
}

#[derive(Clone)]
enum Pool {
    Sqlite(sqlx::SqlitePool),
    Postgres(sqlx::PgPool),
}

type Work = Box<dyn for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, bool> + Send>;
/// One queued write: the work, and what tells its caller whether the group was committed.
struct Write {
    work: Work,
    committed: oneshot::Sender<bool>,
}

/// The opened database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    writer: Option<mpsc::Sender<Write>>,
    options: Arc<StoreOptions>,
}

/// Most writes that share one commit.
const GROUP: usize = 64;

impl Store {
    /// Opens (and migrates) the database.
    ///
    /// # Errors
    /// Unavailable when it cannot be reached, a database error when a migration fails.
    pub async fn open(options: StoreOptions) -> Result<Self> {
        let pool = if let Some(url) = &options.database_url {
            let pool = sqlx::postgres::PgPoolOptions::new()
                .max_connections(options.connections)
                .acquire_timeout(Duration::from_secs(5))
                .connect(url)
                .await?;
            sqlx::migrate!("migrations/postgres").run(&pool).await.map_err(|e| Error::Database(e.to_string()))?;
            Pool::Postgres(pool)
        } else {
            std::fs::create_dir_all(&options.data_dir)
                .map_err(|source| Error::Blob { key: options.data_dir.display().to_string(), source })?;
            let connect = sqlx::sqlite::SqliteConnectOptions::new()
                .filename(options.data_dir.join("lyceum.sqlite"))
                .create_if_missing(true)
                .foreign_keys(true)
                .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
                .synchronous(sqlx::sqlite::SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(10))
                .pragma("cache_size", "-16000")
                .pragma("mmap_size", "268435456");
            let pool = sqlx::sqlite::SqlitePoolOptions::new()
                .max_connections(options.connections)
                .acquire_timeout(Duration::from_secs(10))
                .connect_with(connect)
                .await?;
            sqlx::migrate!("migrations/sqlite").run(&pool).await.map_err(|e| Error::Database(e.to_string()))?;
            Pool::Sqlite(pool)
        };
        let writer = matches!(pool, Pool::Sqlite(_)).then(|| {
            let (send, receive) = mpsc::channel(1024);
            tokio::spawn(write_in_groups(pool.clone(), receive));
            send
        });
        Ok(Self { pool, writer, options: Arc::new(options) })
    }

    /// The options it was opened with.
    #[must_use]
    pub fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// Whether rows live in SQLite.
    #[must_use]
    pub fn sqlite(&self) -> bool {
        matches!(self.pool, Pool::Sqlite(_))
    }

    /// Runs `work` in a read transaction: one snapshot of the database.
    ///
    /// # Errors
    /// What `work` returns, or that the database is gone.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send,
        T: Send,
    {
        let mut tx = begin(&self.pool, false).await?;
        work(&mut tx).await
    }

    /// Runs `work` in a write transaction and answers after the commit.
    ///
    /// On SQLite, writes that wait together share one commit, each in its own savepoint: a failed
    /// one is rolled back alone. On PostgreSQL each write is a transaction of its own.
    ///
    /// # Errors
    /// What `work` returns (nothing is written then), or that the commit failed.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        let Some(writer) = &self.writer else {
            let mut tx = begin(&self.pool, true).await?;
            let value = work(&mut tx).await?;
            tx.commit().await?;
            return Ok(value);
        };
        let (give, take) = oneshot::channel();
        let work: Work = Box::new(move |tx| {
            Box::pin(async move {
                let result = work(tx).await;
                let good = result.is_ok();
                // The receiver is gone only when the caller was cancelled; the write stands by itself.
                let _ = give.send(result);
                good
            })
        });
        let (committed, done) = oneshot::channel();
        let gone = || Error::Unavailable("the writer has stopped".into());
        writer.send(Write { work, committed }).await.map_err(|_| gone())?;
        let written = done.await.map_err(|_| gone())?;
        let value = take.await.map_err(|_| gone())??;
        if written { Ok(value) } else { Err(Error::Unavailable("commit failed; nothing was written".into())) }
    }

    /// Closes the pool after the connections in use come back.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

async fn begin(pool: &Pool, write: bool) -> Result<Tx> {
    Ok(match pool {
        Pool::Sqlite(pool) if write => Tx::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
        Pool::Sqlite(pool) => Tx::Sqlite(pool.begin().await?),
        Pool::Postgres(pool) if write => Tx::Postgres(pool.begin().await?),
        Pool::Postgres(pool) => {
            Tx::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
        }
    })
}

/// The single writer of SQLite: takes what waits, runs each in a savepoint, commits once, then answers.
async fn write_in_groups(pool: Pool, mut queue: mpsc::Receiver<Write>) {
    let mut batch = Vec::with_capacity(GROUP);
    while queue.recv_many(&mut batch, GROUP).await > 0 {
        let mut waiting = Vec::with_capacity(batch.len());
        let outcome: Result<()> = async {
            let mut tx = begin(&pool, true).await?;
            for write in batch.drain(..) {
                tx.raw("SAVEPOINT one").await?;
                let good = (write.work)(&mut tx).await;
                tx.raw(if good { "RELEASE one" } else { "ROLLBACK TO one" }).await?;
                if !good {
                    tx.raw("RELEASE one").await?;
                }
                waiting.push(write.committed);
            }
            tx.commit().await
        }
        .await;
        if let Err(error) = &outcome {
            tracing::error!(%error, "a group of writes was not committed");
        }
        batch.clear();
        for committed in waiting {
            // A caller that went away needs no answer.
            let _ = committed.send(outcome.is_ok());
        }
    }
}
