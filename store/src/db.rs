//! The two databases behind one door: pool, transaction, bound values and rows.
//!
//! SQL text is shared; binds are written `$1`. The few places where the dialects differ ask
//! [`Tx::sqlite`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sqlx::{Column as _, Executor as _, Row as _};
use tokio::sync::{mpsc, oneshot, watch};

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
    domain::QuestionId => Text, |v: domain::QuestionId| v.to_string();
    domain::AssessmentId => Text, |v: domain::AssessmentId| v.to_string();
    domain::AttemptId => Text, |v: domain::AttemptId| v.to_string();
    domain::ScormAttemptId => Text, |v: domain::ScormAttemptId| v.to_string();
    domain::SubmissionId => Text, |v: domain::SubmissionId| v.to_string();
    domain::ProposalId => Text, |v: domain::ProposalId| v.to_string();
    domain::GradeId => Text, |v: domain::GradeId| v.to_string();
    domain::AppealId => Text, |v: domain::AppealId| v.to_string();
    domain::ApiKeyId => Text, |v: domain::ApiKeyId| v.to_string();
    domain::ModelRequestId => Text, |v: domain::ModelRequestId| v.to_string();
    domain::UploadId => Text, |v: domain::UploadId| v.to_string();
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
        self.text(column)?
            .parse()
            .map_err(|error: domain::Error| Error::Damaged { column: column.into(), reason: error.message })
    }

    /// The same where NULL is allowed.
    pub(crate) fn id_opt<T: std::str::FromStr<Err = domain::Error>>(&self, column: &str) -> Result<Option<T>> {
        self.text_opt(column)?
            .map(|text| {
                text.parse()
                    .map_err(|error: domain::Error| Error::Damaged { column: column.into(), reason: error.message })
            })
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
struct Signals {
    jobs: watch::Sender<u64>,
    events: watch::Sender<u64>,
}

impl Signals {
    fn new() -> Self {
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

    async fn raw(&mut self, sql: &'static str) -> Result<()> {
        match &mut self.inner {
            Inner::Sqlite(tx) => tx.execute(sql).await.map(|_| ())?,
            Inner::Postgres(tx) => tx.execute(sql).await.map(|_| ())?,
        }
        Ok(())
    }

    async fn commit(self, signals: &Signals) -> Result<()> {
        match self.inner {
            Inner::Sqlite(tx) => tx.commit().await?,
            Inner::Postgres(tx) => tx.commit().await?,
        }
        signals.raise(self.wake);
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
/// One queued write: the work, and what tells its caller how the group ended.
struct Write {
    work: Work,
    committed: oneshot::Sender<Outcome>,
}

type Outcome = std::result::Result<(), Refused>;

/// Why a write is not there.
#[derive(Debug, Clone)]
enum Refused {
    /// Its group was not begun or not committed; trying again may help.
    Group(String),
    /// It panicked or hung; the others of its group are written.
    Alone(&'static str),
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Group(reason) => Self::Unavailable(format!("nothing was written: {reason}")),
            Refused::Alone(reason) => Self::Database(reason.into()),
        }
    }
}

/// The opened database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    writer: Option<mpsc::Sender<Write>>,
    signals: Arc<Signals>,
    options: Arc<StoreOptions>,
}

/// Most writes that share one commit.
const GROUP: usize = 64;
/// Longest time that one write may hold the single writer of SQLite.
const LONGEST_WRITE: Duration = Duration::from_secs(30);
const PANICKED: &str = "a write panicked and was rolled back";
const HUNG: &str = "a write took longer than 30 s and was rolled back";

impl Store {
    /// Opens (and migrates) the database.
    ///
    /// # Errors
    /// Unavailable when it cannot be reached, a database error when a migration fails.
    pub async fn open(options: StoreOptions) -> Result<Self> {
        let signals = Arc::new(Signals::new());
        let mut writer = None;
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
                .connect_with(connect.clone())
                .await?;
            sqlx::migrate!("migrations/sqlite").run(&pool).await.map_err(|e| Error::Database(e.to_string()))?;
            // The writer has a connection of its own: readers that fill the pool do not hold it up.
            let own = sqlx::sqlite::SqlitePoolOptions::new()
                .max_connections(1)
                .acquire_timeout(Duration::from_secs(10))
                .connect_with(connect)
                .await?;
            let (send, receive) = mpsc::channel(1024);
            tokio::spawn(write_in_groups(Pool::Sqlite(own), receive, signals.clone()));
            writer = Some(send);
            Pool::Sqlite(pool)
        };
        Ok(Self { pool, writer, signals, options: Arc::new(options) })
    }

    /// Changes whenever this process committed new jobs.
    pub(crate) fn jobs_enqueued(&self) -> watch::Receiver<u64> {
        self.signals.jobs.subscribe()
    }

    /// Changes whenever this process committed events: what a tail of the log waits for between polls.
    #[must_use]
    pub fn events_appended(&self) -> watch::Receiver<u64> {
        self.signals.events.subscribe()
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
    /// On SQLite, writes that wait together share one commit, each in its own savepoint: one that
    /// fails, panics or takes longer than 30 s is rolled back alone. On PostgreSQL each write is a
    /// transaction of its own. `work` holds the writer of SQLite: it computes and waits for nothing
    /// but the transaction, and never calls `write` itself.
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
            let run = std::panic::AssertUnwindSafe(async { work(&mut tx).await }).catch_unwind();
            let value = run.await.map_err(|_| Refused::Alone(PANICKED))??;
            tx.commit(&self.signals).await?;
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
        let stopped = || Error::Unavailable("the writer has stopped".into());
        writer.send(Write { work, committed }).await.map_err(|_| stopped())?;
        let outcome = done.await.map_err(|_| stopped())?;
        match take.await {
            Ok(Ok(value)) => outcome.map(|()| value).map_err(Error::from),
            Ok(Err(error)) => Err(error),
            // The work never answered: it panicked, hung, or its group ended before it.
            Err(_) => Err(outcome.err().map_or_else(stopped, Error::from)),
        }
    }

    /// Closes the pool after the writes that wait and the connections in use.
    pub async fn close(&self) {
        // A writer that has stopped has nothing left to wait for.
        let _ = self.write(|_| Box::pin(async { Ok(()) })).await;
        match &self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

async fn begin(pool: &Pool, write: bool) -> Result<Tx> {
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

/// The single writer of SQLite: takes what waits, runs each in a savepoint, commits once, then answers.
async fn write_in_groups(pool: Pool, mut queue: mpsc::Receiver<Write>, signals: Arc<Signals>) {
    let mut batch = Vec::with_capacity(GROUP);
    while queue.recv_many(&mut batch, GROUP).await > 0 {
        let mut waiting = Vec::with_capacity(batch.len());
        let outcome = write_group(&pool, &mut batch, &mut waiting, &signals).await;
        if let Err(error) = &outcome {
            tracing::error!(%error, "a group of writes was not committed");
        }
        // What is left in the batch was not begun: the group ended before it.
        waiting.extend(batch.drain(..).map(|write| (write.committed, None)));
        let outcome = outcome.map_err(|error| Refused::Group(error.to_string()));
        for (committed, refused) in waiting {
            // A caller that went away needs no answer.
            let _ = committed.send(refused.map_or_else(|| outcome.clone(), Err));
        }
    }
}

/// Who waits for the group, and why a write of it is refused whatever becomes of the group.
type Waiting = Vec<(oneshot::Sender<Outcome>, Option<Refused>)>;

async fn write_group(pool: &Pool, batch: &mut Vec<Write>, waiting: &mut Waiting, signals: &Signals) -> Result<()> {
    let mut tx = begin(pool, true).await?;
    // From the back, so that what is left stays in the batch; reversed first to keep the order of arrival.
    batch.reverse();
    while let Some(write) = batch.pop() {
        if write.committed.is_closed() {
            continue;
        }
        let Write { work, committed } = write;
        waiting.push((committed, None));
        tx.raw("SAVEPOINT one").await?;
        let run = std::panic::AssertUnwindSafe(async { work(&mut tx).await }).catch_unwind();
        let refused = match tokio::time::timeout(LONGEST_WRITE, run).await {
            Ok(Ok(true)) => {
                tx.raw("RELEASE one").await?;
                continue;
            }
            Ok(Ok(false)) => None,
            Ok(Err(_)) => Some(PANICKED),
            Err(_) => Some(HUNG),
        };
        if let Some(reason) = &refused {
            tracing::error!(%reason, "write refused");
        }
        tx.raw("ROLLBACK TO one").await?;
        tx.raw("RELEASE one").await?;
        if let Some(last) = waiting.last_mut() {
            last.1 = refused.map(Refused::Alone);
        }
    }
    tx.commit(signals).await
}

/// Runs statements on a connection of its own, outside every store and without foreign keys or checks:
/// what a defect or a broken disk may leave behind.
#[cfg(feature = "testing")]
pub(crate) async fn damage(options: &StoreOptions, statements: &[&str]) -> Result<()> {
    use sqlx::Connection as _;
    if let Some(url) = &options.database_url {
        let mut connection = sqlx::PgConnection::connect(url).await?;
        connection.execute("SET session_replication_role = replica").await?;
        for sql in statements {
            connection.execute(sqlx::AssertSqlSafe((*sql).to_owned())).await?;
        }
        connection.close().await?;
    } else {
        let file = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(options.data_dir.join("lyceum.sqlite"))
            .busy_timeout(Duration::from_secs(10))
            .foreign_keys(false)
            .pragma("ignore_check_constraints", "ON");
        let mut connection = sqlx::SqliteConnection::connect_with(&file).await?;
        for sql in statements {
            connection.execute(sqlx::AssertSqlSafe((*sql).to_owned())).await?;
        }
        connection.close().await?;
    }
    Ok(())
}
