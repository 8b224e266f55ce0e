//! Both databases have the same tables and columns, and every row has its institution.

use std::collections::{BTreeMap, BTreeSet};

use store::Store;
use store::testing::query;

/// Columns by table, without what only one database needs to find or order rows.
async fn tables(store: &Store) -> BTreeMap<String, BTreeSet<String>> {
    let sql = if store.sqlite() {
        "SELECT m.name AS tab, c.name AS col FROM sqlite_master m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '_sqlx%' AND m.name NOT LIKE 'chunk_terms%'"
    } else {
        "SELECT CAST(table_name AS TEXT) AS tab, CAST(column_name AS TEXT) AS col FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name NOT LIKE '\\_sqlx%' AND column_name <> 'xid'"
    };
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in query(store, sql).await.unwrap() {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        tables.entry(text("tab")).or_default().insert(text("col"));
    }
    tables
}

/// Names of our indexes: those that a constraint makes are named by each database in its own way.
async fn indexes(store: &Store) -> BTreeSet<String> {
    let sql = if store.sqlite() {
        "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    } else {
        "SELECT CAST(i.relname AS TEXT) AS name FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
         JOIN pg_namespace n ON n.oid = i.relnamespace
         WHERE n.nspname = current_schema() AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = x.indexrelid)"
    };
    let names = query(store, sql).await.unwrap();
    names.iter().map(|row| row["name"].as_str().unwrap().to_owned()).filter(|name| name != "chunk_terms").collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_have_the_same_tables_columns_and_indexes() {
    let sqlite = store::testing::sqlite().await;
    let embedded = (tables(&sqlite.store).await, indexes(&sqlite.store).await);
    sqlite.close().await;
    assert!(embedded.0.len() >= 20, "the tables were not read");
    if let Some(postgres) = store::testing::postgres().await {
        assert_eq!(embedded, (tables(&postgres.store).await, indexes(&postgres.store).await));
        postgres.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_carries_its_institution() {
    let sqlite = store::testing::sqlite().await;
    // An institution is itself; `meta` is about the installation; a reader's place is the whole log's.
    let exempt = ["institutions", "meta", "consumer_offsets"];
    for (table, columns) in tables(&sqlite.store).await {
        assert!(exempt.contains(&table.as_str()) || columns.contains("institution_id"), "{table} has no institution");
    }
    sqlite.close().await;
}
