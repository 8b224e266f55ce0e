//! Local blobs: durable, deduplicated within an institution, closed to others.

use std::time::Duration;

use domain::{ErrorKind, InstitutionId};
use store::blob::{self, Blobs, Content, LocalBlobs};
use store::both_databases;
use tokio::io::AsyncReadExt as _;

use crate::school::institution;

async fn read(blobs: &LocalBlobs, school: InstitutionId, key: &str, range: Option<std::ops::Range<u64>>) -> Vec<u8> {
    let mut opened = blobs.open_range(school, key, range).await.unwrap();
    let mut bytes = Vec::new();
    opened.reader.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes.len() as u64, opened.range.end - opened.range.start);
    bytes
}

both_databases!(the_same_bytes_are_one_blob_of_an_institution, |store| async move {
    let blobs = LocalBlobs::new(&store.options().data_dir);
    let (school, other) = (institution(&store).await, institution(&store).await);
    let first = blob::keep(&store, &blobs, school, b"waves".to_vec(), "text/plain").await.unwrap();
    let again = blob::keep(&store, &blobs, school, b"waves".to_vec(), "text/plain").await.unwrap();
    let theirs = blob::keep(&store, &blobs, other, b"waves".to_vec(), "text/plain").await.unwrap();
    assert_eq!(first, again);
    assert_ne!(first.key, theirs.key);
    assert_eq!(blobs.list(school).await.unwrap().len(), 1);
    assert_eq!(blob::fetch(&store, &blobs, school, &first.sha256).await.unwrap(), b"waves".as_slice());
    // A lost file is replaced by the next copy.
    blobs.delete(school, &first.key).await.unwrap();
    let healed = blob::keep(&store, &blobs, school, b"waves".to_vec(), "text/plain").await.unwrap();
    assert_ne!(healed.key, first.key);
    assert_eq!(blob::fetch(&store, &blobs, school, &first.sha256).await.unwrap(), b"waves".as_slice());
    let missing = blob::fetch(&store, &blobs, school, "00").await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
});

both_databases!(a_stray_file_is_collected_when_it_is_old, |store| async move {
    let blobs = LocalBlobs::new(&store.options().data_dir);
    let school = institution(&store).await;
    blobs.put(school, Content::from(b"stray".to_vec()), "x").await.unwrap();
    blob::keep(&store, &blobs, school, b"young".to_vec(), "x").await.unwrap();
    let none = blob::collect(&store, &blobs, school, Duration::from_secs(3600)).await.unwrap();
    assert_eq!((none.rows, none.files), (0, 0));
    let all = blob::collect(&store, &blobs, school, Duration::ZERO).await.unwrap();
    assert_eq!((all.rows, all.files), (1, 1));
    assert!(blobs.list(school).await.unwrap().is_empty());
});

#[tokio::test]
async fn content_is_hashed_and_read_in_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = LocalBlobs::new(folder.path());
    let school = InstitutionId::fresh();
    let large: Vec<u8> = (0..1_000_003_u32).map(|i| (i % 251) as u8).collect();
    let file = folder.path().join("upload");
    std::fs::write(&file, &large).unwrap();
    let from_file = blobs.put(school, Content::File(file), "video/mp4").await.unwrap();
    let from_memory = blobs.put(school, Content::from(large.clone()), "video/mp4").await.unwrap();
    assert_eq!((from_file.size, &from_file.sha256), (1_000_003, &from_memory.sha256));
    assert_eq!(blobs.get(school, &from_file.key).await.unwrap(), large);
    assert_eq!(read(&blobs, school, &from_file.key, Some(500_000..500_010)).await, &large[500_000..500_010]);
    assert_eq!(read(&blobs, school, &from_file.key, Some(1_000_000..9_000_000)).await, &large[1_000_000..]);
    assert!(read(&blobs, school, &from_file.key, Some(2_000_000..3_000_000)).await.is_empty());
    assert_eq!(read(&blobs, school, &from_file.key, None).await.len(), large.len());
}

#[tokio::test]
async fn keys_of_others_and_made_up_keys_are_missing() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = LocalBlobs::new(folder.path());
    let (school, other) = (InstitutionId::fresh(), InstitutionId::fresh());
    let blob = blobs.put(school, Content::from(b"x".to_vec()), "x").await.unwrap();
    let zeros = "0".repeat(32);
    let hostile = [
        blob.key.clone(),
        format!("{other}/../{}", blob.key),
        "../lyceum.sqlite".into(),
        "/etc/passwd".into(),
        format!("{other}/00/{zeros}.partial"),
        String::new(),
    ];
    for key in hostile {
        assert_eq!(blobs.get(other, &key).await.unwrap_err().kind(), ErrorKind::NotFound, "{key}");
        assert!(blobs.delete(other, &key).await.is_err());
    }
    assert!(blobs.exists(school, &blob.key).await.unwrap());
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_swept_and_never_listed() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = LocalBlobs::new(folder.path());
    let school = InstitutionId::fresh();
    let blob = blobs.put(school, Content::from(b"x".to_vec()), "x").await.unwrap();
    let half = folder.path().join("blobs").join(&blob.key).with_extension("partial");
    std::fs::write(&half, b"ha").unwrap();
    assert_eq!(blobs.list(school).await.unwrap().len(), 1);
    assert_eq!(blobs.sweep_partial().await.unwrap(), 1);
    assert!(!half.exists());
    assert!(blobs.exists(school, &blob.key).await.unwrap());
    // A source that cannot be read leaves nothing.
    assert!(blobs.put(school, Content::File(folder.path().join("none")), "x").await.is_err());
    assert_eq!(blobs.sweep_partial().await.unwrap(), 0);
}
