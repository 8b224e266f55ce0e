//! Rows that most tests start from.

use domain::InstitutionId;
use store::Store;
use store::testing::execute;

/// A fresh institution.
pub(crate) async fn institution(store: &Store) -> InstitutionId {
    let id = InstitutionId::fresh();
    let slug = id.0.simple();
    execute(store, &format!("INSERT INTO institutions (id, slug, name, status, created_at) VALUES ('{id}', 's{slug}', 'School', 'active', 1)"))
        .await
        .unwrap();
    id
}

/// One number from a query `SELECT ... AS n`.
pub(crate) async fn number(store: &Store, sql: &str) -> i64 {
    store::testing::query(store, sql).await.unwrap()[0]["n"].as_i64().unwrap()
}

/// Waits until readers of the log see every event: on PostgreSQL a transaction of another test may hold them back.
pub(crate) async fn settled(store: &Store) {
    let all = usize::try_from(number(store, "SELECT COUNT(*) AS n FROM events").await).unwrap();
    while store.read(|tx| Box::pin(store::sql::event::after(tx, None, None, 0, 100_000))).await.unwrap().len() < all {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
