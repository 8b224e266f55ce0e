//! The two databases behind one door: pool, transaction, bound values and rows.
//!
//! SQL text is shared; binds are written `$1`. The few places where the dialects differ ask
//! [`Tx::sqlite`].

mod group;
mod row;
mod tx;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
#[cfg(feature = "testing")]
use sqlx::Executor as _;
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::{Error, Result};
use group::{PANICKED, Refused, Work, Write, write_in_groups};
pub(crate) use row::{Row, Value, args, json};
pub use tx::Tx;
use tx::{Signals, begin};

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

/// The opened database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    writer: Option<mpsc::Sender<Write>>,
    signals: Arc<Signals>,
    options: Arc<StoreOptions>,
}

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
        // Boxed, here and in `write`: who waits for a model or a page carries a pointer, not a connection's states.
        Box::pin(async move {
            let mut tx = begin(&self.pool, false).await?;
            work(&mut tx).await
        })
        .await
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
            return Box::pin(async move {
                let mut tx = begin(&self.pool, true).await?;
                let run = std::panic::AssertUnwindSafe(async { work(&mut tx).await }).catch_unwind();
                let value = run.await.map_err(|_| Refused::Alone(PANICKED))??;
                tx.commit(&self.signals).await?;
                Ok(value)
            })
            .await;
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
