//! For tests: fresh stores on both databases, and raw statements to break or inspect them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::db::{Row, Store, StoreOptions, args};
use crate::error::Result;

/// Runs a test body on `SQLite` and on PostgreSQL, each with a fresh store whose data directory is temporary.
///
/// `both_databases!(name, |store| async move { ... });` makes the tests `name::sqlite` and
/// `name::postgres`. Without `LYCEUM_TEST_POSTGRES_URL` the second prints that it was skipped, and
/// fails when `LYCEUM_TEST_PROMISED` names `postgres`.
#[macro_export]
macro_rules! both_databases {
    ($(#[$attribute:meta])* $name:ident, |$store:ident| $body:expr) => {
        $(#[$attribute])*
        mod $name {
            #[allow(unused_imports, reason = "a body may need nothing from around it")]
            use super::*;

            async fn body($store: $crate::Store) {
                let _ = $body.await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let fresh = $crate::testing::sqlite().await;
                Box::pin(body(fresh.store.clone())).await;
                fresh.close().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(fresh) = $crate::testing::postgres().await {
                    Box::pin(body(fresh.store.clone())).await;
                    fresh.close().await;
                }
            }
        }
    };
}

/// A store of its own and the folder that goes with it.
pub struct Fresh {
    /// The opened store.
    pub store: Store,
    folder: tempfile::TempDir,
    schema: Option<(String, String)>,
}

impl Fresh {
    /// The temporary data directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Closes the store and removes everything that it left.
    pub async fn close(self) {
        self.store.close().await;
        if let Some((url, schema)) = self.schema {
            let _ = crate::db::damage(&bare(&url), &[&format!("DROP SCHEMA {schema} CASCADE")]).await;
        }
    }
}

/// A fresh `SQLite` store in a temporary folder.
///
/// # Panics
/// When it cannot be opened.
#[allow(clippy::expect_used, reason = "a test without its store has failed")]
pub async fn sqlite() -> Fresh {
    let folder = tempfile::tempdir().expect("temporary folder");
    let store = Store::open(StoreOptions::embedded(folder.path())).await.expect("open SQLite");
    Fresh { store, folder, schema: None }
}

/// A fresh PostgreSQL store in a schema of its own; `None` (said on standard error) when there is no server.
///
/// # Panics
/// When a server was promised and is missing, or cannot be used.
#[allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test without its promised store has failed"
)]
pub async fn postgres() -> Option<Fresh> {
    let Ok(url) = std::env::var("LYCEUM_TEST_POSTGRES_URL") else {
        let promised = std::env::var("LYCEUM_TEST_PROMISED").unwrap_or_default();
        assert!(!promised.contains("postgres"), "PostgreSQL was promised and LYCEUM_TEST_POSTGRES_URL is not set");
        eprintln!("skipped: LYCEUM_TEST_POSTGRES_URL is not set");
        return None;
    };
    let folder = tempfile::tempdir().expect("temporary folder");
    let schema = format!("test_{}", uuid::Uuid::now_v7().simple());
    crate::db::damage(&bare(&url), &[&format!("CREATE SCHEMA {schema}")]).await.expect("create a schema");
    let separator = if url.contains('?') { '&' } else { '?' };
    let database_url = Some(format!("{url}{separator}options=-csearch_path%3D{schema}"));
    let options = StoreOptions { data_dir: folder.path().to_owned(), database_url, connections: 5 };
    let store = Store::open(options).await.expect("open PostgreSQL");
    Some(Fresh { store, folder, schema: Some((url, schema)) })
}

/// Runs a raw statement: to plant a row or to damage one. Yields the number of changed rows.
///
/// # Errors
/// The database refuses.
pub async fn execute(store: &Store, sql: &str) -> Result<u64> {
    let sql = sql.to_owned();
    store.write(move |tx| Box::pin(async move { tx.exec(&sql, args![]).await })).await
}

/// Runs statements past foreign keys and checks, each by itself: what a defect or a broken disk leaves behind.
///
/// # Errors
/// The database refuses even so.
pub async fn damage(store: &Store, statements: &[&str]) -> Result<()> {
    crate::db::damage(store.options(), statements).await
}

/// Runs a raw query and yields its rows as JSON objects; bytes are written in hexadecimal.
///
/// # Errors
/// The database refuses.
pub async fn query(store: &Store, sql: &str) -> Result<Vec<serde_json::Value>> {
    let sql = sql.to_owned();
    store.read(|tx| Box::pin(async move { Ok(tx.rows(&sql, args![]).await?.iter().map(json).collect()) })).await
}

/// A mark that is another one after every change of a row; it may be another one without a change too.
///
/// # Errors
/// The database refuses.
pub async fn mark(store: &Store) -> Result<i64> {
    // SQLite counts by connection, and all changes go through the one that writes.
    let found = if store.sqlite() {
        store.write(|tx| Box::pin(async { tx.row("SELECT total_changes() AS mark", args![]).await })).await?
    } else {
        let sql = "SELECT CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT) AS BIGINT) AS mark";
        store.read(|tx| Box::pin(tx.row(sql, args![]))).await?
    };
    found.map_or(Ok(0), |row| row.int("mark"))
}

/// Every row of every table, by table name: to search for what must not be there, and to compare before and after.
///
/// # Errors
/// The database refuses.
pub async fn dump(store: &Store) -> Result<BTreeMap<String, Vec<serde_json::Value>>> {
    let tables = if store.sqlite() {
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_sqlx%'
           AND name NOT LIKE 'chunk_terms%' ORDER BY name"
    } else {
        "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables
         WHERE table_schema = current_schema() AND table_name NOT LIKE '\\_sqlx%' ORDER BY table_name"
    };
    let mut dump = BTreeMap::new();
    for table in query(store, tables).await? {
        let Some(name) = table.get("name").and_then(|name| name.as_str()) else {
            continue;
        };
        // The writing transaction's number is PostgreSQL's alone.
        let sql = if name == "events" {
            "SELECT seq, event_id, event_type, topic, partition_no, aggregate_id, institution_id, user_id, course_id, session_id,
               correlation_id, source_service, payload, created_at FROM events ORDER BY seq"
                .to_owned()
        } else {
            format!("SELECT * FROM {name}")
        };
        dump.insert(name.to_owned(), query(store, &sql).await?);
    }
    Ok(dump)
}

fn json(row: &Row) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    for column in row.columns() {
        let value = if let Ok(value) = row.text_opt(&column) {
            value.map(serde_json::Value::from)
        } else if let Ok(value) = row.int_opt(&column) {
            value.map(serde_json::Value::from)
        } else if let Ok(value) = row.flag_opt(&column) {
            value.map(serde_json::Value::from)
        } else if let Ok(value) = row.real_opt(&column) {
            value.map(serde_json::Value::from)
        } else {
            row.blob_opt(&column).ok().flatten().map(|bytes| serde_json::Value::from(hex::encode(bytes)))
        };
        object.insert(column, value.unwrap_or(serde_json::Value::Null));
    }
    serde_json::Value::Object(object)
}

fn bare(url: &str) -> StoreOptions {
    StoreOptions { data_dir: std::path::PathBuf::new(), database_url: Some(url.to_owned()), connections: 1 }
}
