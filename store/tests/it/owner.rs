//! One owner of a data directory.

use store::owner::{DataDirOwner, socket_path};
use store::{Error, both_databases};

#[test]
fn a_directory_has_one_owner_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let owner = DataDirOwner::acquire(&data_dir).unwrap();
    assert!(matches!(DataDirOwner::acquire(&data_dir), Err(Error::Owned(_))));
    let (node, instance) = (owner.node().to_owned(), owner.instance().to_owned());
    assert!(instance.starts_with(&format!("{node}/")));
    drop(owner);
    let next = DataDirOwner::acquire(&data_dir).unwrap();
    assert_eq!(next.node(), node);
    assert_ne!(next.instance(), instance);
    assert_eq!(next.socket_path(), data_dir.canonicalize().unwrap().join("lyceum.sock"));
}

#[test]
fn a_long_path_has_a_short_socket() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("d".repeat(120));
    std::fs::create_dir_all(&deep).unwrap();
    let socket = socket_path(&deep);
    assert!(socket.as_os_str().len() < 100, "{}", socket.display());
    assert_eq!(socket, socket_path(&deep));
    assert_ne!(socket, socket_path(&folder.path().join("e".repeat(120))));
}

both_databases!(a_new_owner_releases_what_the_last_one_held, |store| async move {
    let folder = tempfile::tempdir().unwrap();
    let school = crate::school::institution(&store).await;
    let dead = DataDirOwner::acquire(folder.path()).unwrap().instance().to_owned();
    store
        .write(move |tx| {
            Box::pin(async move {
                store::queue::enqueue(tx, store::queue::NewJob::new(school, "work", "1", serde_json::json!({})))
                    .await?;
                let lease = std::time::Duration::from_secs(60);
                let claim =
                    store::sql::job::Claim { instance: dead, kinds: vec!["work".into()], limit: 1, lease, after: None };
                store::sql::job::claim(tx, &claim).await
            })
        })
        .await
        .unwrap();
    let owner = DataDirOwner::acquire(folder.path()).unwrap();
    assert_eq!(owner.release_dead(&store).await.unwrap(), 1);
    assert_eq!(owner.release_dead(&store).await.unwrap(), 0);
});
