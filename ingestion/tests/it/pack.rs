//! Packing here and loading there: the same course as a direct ingestion, and nothing of a pack that is not whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::ingestion::{Outcome, SourceKind};
use ingestion::pack::Key;
use ingestion::{LoadReport, PackReport};
use serde_json::Value;
use store::sql::institution::IngestLimits;
use store::{Store, both_databases};

use crate::school::{Bench, Worker, findings};
use crate::source::example;
use crate::testkit::zipped;

/// What a course consists of, without the ids of this store.
async fn course(store: &Store) -> Vec<Value> {
    let mut all = Vec::new();
    for sql in [
        "SELECT position, locator_kind, locator_start, locator_end, heading_path, text, sentences, content_hash FROM chunks",
        "SELECT title FROM modules",
        "SELECT title, kind, position FROM lessons",
        "SELECT path, title, kind, blob_sha256, extra, state, position FROM documents",
        "SELECT fingerprint, commit_id FROM source_versions",
        "SELECT path, blob_sha256 FROM package_files",
    ] {
        all.extend(store::testing::query(store, sql).await.unwrap());
    }
    all.sort_by_cached_key(ToString::to_string);
    all
}

/// A folder with an include, a repository, a recording with captions, a package and a document.
fn sources(bench: &Bench) -> Vec<(SourceKind, String)> {
    bench.file("notes/01.md", "# Boats\n\nA boat floats.\n\n```\n{{#include code.rs}}\n```\n");
    bench.file("notes/02.md", "# Sails\n\nA sail catches wind.\n");
    bench.file("notes/code.rs", "fn float() {}\n");
    let folder = bench.folder.path();
    let path = |path: PathBuf| path.display().to_string();
    vec![
        (SourceKind::Dir, path(folder.join("notes"))),
        (SourceKind::Git, path(example(SourceKind::Git, folder))),
        (SourceKind::Video, path(example(SourceKind::Video, folder))),
        (SourceKind::Scorm, path(example(SourceKind::Scorm, folder))),
        (SourceKind::File, path(example(SourceKind::File, folder))),
    ]
}

fn key(bench: &Bench) -> Key {
    Key::open(&bench.folder.path().join("pack-key")).unwrap()
}

async fn pack(bench: &Bench, sources: &[(SourceKind, String)], to: Option<PathBuf>) -> PackReport {
    bench.pipeline.pack(&bench.actor, sources, false, to.map(|to| (to, key(bench))), |_| {}).await.unwrap()
}

async fn load(bench: &Bench, file: &Path, trusted: &[&str], dry: bool) -> Result<LoadReport, domain::Error> {
    let trusted = trusted.iter().map(|key| (*key).to_owned()).collect();
    let loaded = bench.pipeline.load(&bench.actor, "course", file, trusted, dry, |_| {}).await?;
    for id in &loaded.ingestions {
        let report = bench.pipeline.wait(&bench.actor, *id, |_| {}).await.unwrap();
        assert_ne!(report.outcome, Outcome::Failed, "{report:?}");
    }
    Ok(loaded)
}

both_databases!(a_loaded_course_is_the_one_that_a_direct_ingestion_makes, |store| async move {
    let fresh = store::testing::sqlite().await;
    let laptop = fresh.store.clone();
    let bench = Bench::with(&laptop, Some(&Worker::default()), |pipeline| pipeline.with_tools(None)).await;
    let sources = sources(&bench);
    let mut direct = Vec::new();
    for (kind, path) in &sources {
        let report = bench.ingest(*kind, Path::new(path)).await;
        assert_ne!(report.outcome, Outcome::Failed, "{report:?}");
        direct.push((report.outcome, report.error));
    }
    let expected = course(&laptop).await;
    let file = bench.folder.path().join("course.lyp");
    let packed = pack(&bench, &sources, Some(file.clone())).await;
    let signed = key(&bench).name();
    assert_eq!(packed.key.as_ref(), Some(&signed));
    assert_eq!(packed.sources.iter().filter(|source| source.error.is_some()).count(), 0, "{packed:?}");
    assert_eq!(std::fs::metadata(&file).unwrap().len(), packed.bytes);

    let server = Bench::with(&store, Some(&Worker::default()), |pipeline| pipeline.with_tools(None)).await;
    let checked = load(&server, &file, &[&signed], true).await.unwrap();
    assert_eq!((checked.ingestions.len(), checked.files), (0, packed.files));
    assert_eq!(course(&store).await, Vec::<Value>::new());
    let loaded = load(&server, &file, &[&signed], false).await.unwrap();
    assert_eq!((loaded.ingestions.len(), loaded.known), (5, 0));
    for (id, expected) in loaded.ingestions.iter().zip(direct) {
        let report = server.pipeline.wait(&server.actor, *id, |_| {}).await.unwrap();
        assert_eq!((report.outcome, report.error), expected);
    }
    assert_eq!(course(&store).await, expected);
    // What is here is not read again.
    let again = load(&server, &file, &[&signed], false).await.unwrap();
    assert_eq!(again.known, again.files);
    assert_eq!(course(&store).await, expected);
    assert_eq!(findings(&store).await, Vec::<String>::new());
    server.stop.cancel();
    bench.stop.cancel();
    fresh.close().await;
});

both_databases!(a_pack_is_refused_unless_it_is_whole_and_of_a_trusted_key, |store| async move {
    let bench = Bench::new(&store, None).await;
    bench.file("notes/01.md", "# Boats\n\nA boat floats.\n");
    bench.file("notes/02.md", "# Sails\n\nA sail catches wind.\n");
    let sources = [(SourceKind::Dir, bench.folder.path().join("notes").display().to_string())];
    let file = bench.folder.path().join("course.lyp");
    let packed = pack(&bench, &sources, Some(file.clone())).await;
    let signed = key(&bench).name();
    assert_eq!(packed.key.as_ref(), Some(&signed));
    let good = std::fs::read(&file).unwrap();

    // Written twice it is the same, byte by byte, and what is there is not overwritten.
    let twice = bench.folder.path().join("twice.lyp");
    pack(&bench, &sources, Some(twice.clone())).await;
    assert_eq!(std::fs::read(&twice).unwrap(), good);
    let again = Some((file.clone(), key(&bench)));
    let refused = bench.pipeline.pack(&bench.actor, &sources, false, again, |_| {}).await.unwrap_err();
    assert!(refused.message.contains("is there already"), "{refused}");
    assert_eq!(pack(&bench, &sources, None).await.file, None);

    let stranger = load(&bench, &file, &[], false).await.unwrap_err();
    assert_eq!(stranger.code, "PACK_UNTRUSTED");
    assert!(stranger.message.contains(&signed) && stranger.message.contains("--trust"), "{stranger}");

    let at = |text: &str| good.windows(text.len()).position(|some| some == text.as_bytes()).unwrap();
    let blob = at("A boat floats");
    let entry = {
        let digits = &good[..blob];
        let name = digits.windows(6).rposition(|some| some == b"blobs/").unwrap();
        String::from_utf8(good[name..name + 70].to_vec()).unwrap()
    };
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        bytes
    };
    let cases: [(&str, Vec<u8>, &str, &str); 12] = [
        ("a changed passage", changed(&|bytes| bytes[blob] ^= 1), "PACK_DAMAGED", &entry),
        ("a changed manifest", changed(&|bytes| bytes[600] ^= 1), "PACK_UNSIGNED", "signature"),
        (
            "a changed signature",
            changed(&|bytes| {
                let at = at("\"signature\":\"");
                bytes[at + 15] = b'g'
            }),
            "PACK_UNSIGNED",
            "signature",
        ),
        (
            "no signature",
            changed(&|bytes| {
                let at = at("signature.json");
                bytes[at] = b'S'
            }),
            "PACK_UNSIGNED",
            "signature",
        ),
        (
            "a renamed file",
            changed(&|bytes| {
                let at = at(&entry);
                bytes[at..at + 6].copy_from_slice(b"../../")
            }),
            "PACK_DAMAGED",
            &entry,
        ),
        (
            "a link",
            changed(&|bytes| {
                let at = at(&entry);
                bytes[at + 156] = b'2'
            }),
            "PACK_DAMAGED",
            &entry,
        ),
        (
            "another size",
            changed(&|bytes| {
                let at = at(&entry);
                bytes[at + 130] = b'7'
            }),
            "PACK_DAMAGED",
            &entry,
        ),
        ("cut off", changed(&|bytes| bytes.truncate(bytes.len() - 600)), "PACK_DAMAGED", "its end"),
        ("something behind it", changed(&|bytes| bytes.extend([0; 512])), "PACK_DAMAGED", "its end"),
        ("an empty file", Vec::new(), "PACK_DAMAGED", "manifest.json"),
        ("a zip", zipped(&[("manifest.json", b"{}")]), "PACK_DAMAGED", "manifest.json"),
        (
            "a manifest without end",
            changed(&|bytes| bytes[124..135].copy_from_slice(b"77777777777")),
            "PACK_DAMAGED",
            "manifest.json",
        ),
    ];
    for (what, bytes, code, named) in cases {
        let path = bench.file("hostile.lyp", bytes);
        for dry in [true, false] {
            let refused = load(&bench, &path, &[&signed], dry).await.unwrap_err();
            assert_eq!(refused.code, code, "{what}: {refused}");
            assert!(refused.message.contains(named), "{what}: {named} is not in: {refused}");
        }
    }
    assert_eq!(store::testing::query(&store, "SELECT id FROM documents").await.unwrap().len(), 0);
    assert_eq!(load(&bench, &file, &[&signed], false).await.unwrap().ingestions.len(), 1);
    bench.stop.cancel();
});

both_databases!(what_fails_is_named_and_the_rest_is_packed, |store| async move {
    let bench = Bench::new(&store, None).await;
    let good = bench.file("good.md", "# Boats\n\nA boat floats.\n");
    let sources = [
        (SourceKind::File, good.display().to_string()),
        (SourceKind::File, bench.folder.path().join("gone.pdf").display().to_string()),
    ];
    let steps = Arc::new(AtomicUsize::new(0));
    let counted = steps.clone();
    let file = bench.folder.path().join("half.lyp");
    let packed = bench
        .pipeline
        .pack(&bench.actor, &sources, false, Some((file.clone(), key(&bench))), move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
        })
        .await
        .unwrap();
    assert!(file.is_file() && steps.load(Ordering::SeqCst) >= 3);
    let codes: Vec<_> =
        packed.sources.iter().map(|source| source.error.as_ref().map(|error| error.code.as_str())).collect();
    assert_eq!(codes, [None, Some("NOT_FOUND")]);
    let nothing = bench.pipeline.pack(&bench.actor, &sources[1..], false, None, |_| {}).await.unwrap_err();
    assert_eq!(nothing.code, "NOT_FOUND");
    bench.stop.cancel();
});

both_databases!(a_pack_that_does_not_fit_is_refused_before_anything_is_kept, |store| async move {
    let bench = Bench::new(&store, None).await;
    let good = bench.file("good.md", "# Boats\n\nA boat floats.\n");
    let file = bench.folder.path().join("course.lyp");
    pack(&bench, &[(SourceKind::File, good.display().to_string())], Some(file.clone())).await;
    let signed = key(&bench).name();
    let limit = async |stored_bytes| {
        let limits = IngestLimits { stored_bytes, runs: None };
        bench.school.source().set_limits(&bench.actor, bench.actor.institution, limits).await.unwrap();
    };
    limit(Some(10)).await;
    let refused = load(&bench, &file, &[&signed], false).await.unwrap_err();
    assert_eq!(refused.code, "STORAGE_QUOTA");
    limit(None).await;
    let full = bench.pipeline.clone().with_disk_reserve(u64::MAX / 2);
    let refused = full.load(&bench.actor, "course", &file, vec![signed.clone()], false, |_| {}).await.unwrap_err();
    assert_eq!(refused.code, "DISK_FULL");
    assert!(refused.message.contains("load it again"), "{refused}");
    assert!(store::testing::query(&store, "SELECT sha256 FROM blobs").await.unwrap().is_empty());
    load(&bench, &file, &[&signed], false).await.unwrap();
    bench.stop.cancel();
});

both_databases!(a_source_that_came_with_a_pack_is_not_fetched_again, |store| async move {
    let bench = Bench::new(&store, None).await;
    let good = bench.file("good.md", "# Boats\n\nA boat floats.\n");
    let file = bench.folder.path().join("course.lyp");
    pack(&bench, &[(SourceKind::File, good.display().to_string())], Some(file.clone())).await;
    load(&bench, &file, &[&key(&bench).name()], false).await.unwrap();
    let course = bench.school.course().by_slug(&bench.actor, bench.actor.institution, "course").await.unwrap();
    let sources = bench.school.source();
    let loaded = sources.list(&bench.actor, course.id).await.unwrap().remove(0).source.id;
    assert_eq!(sources.refresh(&bench.actor, loaded).await.unwrap_err().code, "PACKED");
    let daily = Some("0 3 * * *".to_owned());
    assert_eq!(sources.schedule(&bench.actor, loaded, daily).await.unwrap_err().code, "PACKED");
    bench.stop.cancel();
});
