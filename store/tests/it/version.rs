//! Source versions: published at once or not at all, and gone without a trace when superseded or failed.

use domain::ingestion::SourceKind;
use domain::{InstitutionId, LessonId};
use serde_json::json;
use store::sql::version::{self, NewLesson, NewModule};
use store::sql::{chunk, document, embedding, source};
use store::testing::{execute, query};
use store::vector::ExactScan;
use store::vector::suite::{self, MODEL, Page, Planted};
use store::{Error, Scope, Store, both_databases};

async fn count(store: &Store, from: &str) -> i64 {
    query(store, &format!("SELECT COUNT(*) AS n FROM {from}")).await.unwrap()[0]["n"].as_i64().unwrap()
}

async fn lessons(store: &Store) -> Vec<(String, String, bool)> {
    let sql = "SELECT id, title, CAST(hidden AS BIGINT) AS hidden FROM lessons ORDER BY position, title";
    let sql = if store.sqlite() {
        sql.to_owned()
    } else {
        sql.replace("CAST(hidden AS BIGINT)", "CAST(CAST(hidden AS INT) AS BIGINT)")
    };
    let text = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
    query(store, &sql)
        .await
        .unwrap()
        .iter()
        .map(|row| (text(row, "id"), text(row, "title"), row["hidden"] == 1))
        .collect()
}

async fn outline(store: &Store, planted: &Planted, modules: Vec<NewModule>) -> store::Result<()> {
    let planted = planted.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                version::publish(tx, planted.institution, planted.course, planted.source, planted.version, &modules)
                    .await
            })
        })
        .await
}

fn two_pages() -> Vec<Page> {
    vec![Page::new("a.md", &["One.", "Two."]), Page::new("b.md", &["Three."])]
}

both_databases!(a_new_version_replaces_the_last_one_whole, |store| async move {
    let scan = ExactScan::new(store.clone());
    let (institution, course) = suite::course(&store).await;
    suite::plant(&store, &scan, institution, course, "other", &two_pages()).await;
    let first = suite::plant(&store, &scan, institution, course, "one", &two_pages()).await;
    let changed = vec![Page::new("a.md", &["One.", "Two."]), Page::new("c.md", &["Four.", "Five.", "Six."])];
    let second = suite::build(&store, institution, course, "one", &changed).await;
    // While it is being built, the first is what a learner has.
    let scope = first.scope();
    let seen = |scope: Scope| store.read(move |tx| Box::pin(async move { chunk::in_course(tx, &scope).await }));
    let paths = |chunks: Vec<chunk::StoredChunk>| chunks.into_iter().map(|c| c.source_path).collect::<Vec<_>>();
    assert_eq!(paths(seen(scope).await.unwrap()), ["a.md", "a.md", "a.md", "a.md", "b.md", "b.md"]);
    suite::publish(&store, &second, &changed).await;
    assert_eq!(paths(seen(scope).await.unwrap()), ["a.md", "a.md", "a.md", "a.md", "b.md", "c.md", "c.md", "c.md"]);
    for table in ["documents", "chunks", "embeddings"] {
        assert_eq!(
            count(&store, &format!("{table} WHERE version_id = '{}'", first.version)).await,
            0,
            "{table} was left"
        );
    }
    assert_eq!(count(&store, &format!("source_versions WHERE id = '{}'", first.version)).await, 0);
    if store.sqlite() {
        assert_eq!(count(&store, "chunk_terms").await, count(&store, "chunks").await);
    }
    // Publishing what is published changes nothing, and says nothing.
    let events = count(&store, "events WHERE event_type = 'content.text_published'").await;
    let before = store::testing::dump(&store).await.unwrap();
    suite::publish(&store, &second, &changed).await;
    assert_eq!(store::testing::dump(&store).await.unwrap(), before);
    assert_eq!(events, 3);
});

both_databases!(a_lesson_keeps_its_id_and_stays_hidden, |store| async move {
    let (institution, course) = suite::course(&store).await;
    let scan = ExactScan::new(store.clone());
    suite::plant(&store, &scan, institution, course, "one", &two_pages()).await;
    let before = lessons(&store).await;
    execute(&store, "UPDATE lessons SET hidden = (1 = 1) WHERE title = 'b.md'").await.unwrap();
    let grown = [Page::new("a.md", &["Changed."]), Page::new("b.md", &["Three."]), Page::new("new.md", &["New."])];
    let second = suite::plant(&store, &scan, institution, course, "one", &grown).await;
    let after = lessons(&store).await;
    assert_eq!(after.len(), 3);
    assert_eq!(after[..2].iter().map(|l| &l.0).collect::<Vec<_>>(), before.iter().map(|l| &l.0).collect::<Vec<_>>());
    assert_eq!(after.iter().map(|l| l.2).collect::<Vec<_>>(), [false, true, false], "what a person hid was shown");
    // Chunks name the lesson that shows them.
    let scope = Scope { hidden: true, ..second.scope() };
    let chunks = store.read(move |tx| Box::pin(async move { chunk::in_course(tx, &scope).await })).await.unwrap();
    let named: Vec<LessonId> = chunks.iter().map(|c| c.lesson_id.unwrap()).collect();
    assert_eq!(
        named.iter().map(ToString::to_string).collect::<Vec<_>>(),
        after.iter().map(|l| l.0.clone()).collect::<Vec<_>>()
    );
});

both_databases!(lessons_elsewhere_follow_the_document, |store| async move {
    let (institution, course) = suite::course(&store).await;
    let scan = ExactScan::new(store.clone());
    suite::plant(&store, &scan, institution, course, "one", &two_pages()).await;
    execute(
        &store,
        &format!(
            "INSERT INTO modules (id, institution_id, course_id, source_id, title, position)
             VALUES ('m1', '{institution}', '{course}', NULL, 'By hand', 9)"
        ),
    )
    .await
    .unwrap();
    for (id, path) in [("l1", "a.md"), ("l2", "b.md")] {
        let sql = format!(
            "INSERT INTO lessons (id, institution_id, course_id, module_id, document_id, title, kind, position, hidden)
             SELECT '{id}', '{institution}', '{course}', 'm1', id, 'By hand', 'DOCUMENT', 0, (1 = 0) FROM documents WHERE path = '{path}'"
        );
        assert_eq!(execute(&store, &sql).await.unwrap(), 1);
    }
    suite::plant(&store, &scan, institution, course, "one", &[Page::new("a.md", &["Changed."])]).await;
    let shown = |id: &str| {
        format!("lessons l JOIN documents d ON d.id = l.document_id WHERE l.id = '{id}' AND d.path = 'a.md'")
    };
    assert_eq!(count(&store, &shown("l1")).await, 1, "the same path of the new version");
    assert_eq!(count(&store, "lessons WHERE id = 'l2' AND document_id IS NULL").await, 1, "a page that is gone");
});

both_databases!(sources_keep_their_place_in_the_course, |store| async move {
    let (institution, course) = suite::course(&store).await;
    let module = |title: &str| NewModule { title: title.into(), lessons: Vec::new() };
    let publish = async |origin: &str, titles: &[&str]| {
        let planted = suite::build(&store, institution, course, origin, &[]).await;
        outline(&store, &planted, titles.iter().map(|title| module(title)).collect()).await.unwrap();
    };
    let order = async || -> Vec<String> {
        query(&store, "SELECT title FROM modules ORDER BY position")
            .await
            .unwrap()
            .iter()
            .map(|row| row["title"].as_str().unwrap().to_owned())
            .collect()
    };
    publish("one", &["a", "b"]).await;
    publish("two", &["x", "y"]).await;
    publish("one", &["a", "b", "c", "d"]).await;
    assert_eq!(order().await, ["a", "b", "c", "d", "x", "y"]);
    publish("one", &["a"]).await;
    publish("two", &["x", "x", "z"]).await;
    assert_eq!(order().await, ["a", "x", "x", "z"]);
});

both_databases!(a_failed_version_leaves_nothing, |store| async move {
    let (institution, course) = suite::course(&store).await;
    let planted = suite::plant(&store, &ExactScan::new(store.clone()), institution, course, "one", &two_pages()).await;
    let before = store::testing::dump(&store).await.unwrap();
    let next = suite::build(&store, institution, course, "one", &[Page::new("a.md", &["Half."])]).await;
    suite::embed(&store, &next, MODEL, 0).await;
    let (failing, live) = (next.version, planted.version);
    store
        .write(move |tx| {
            Box::pin(async move {
                version::fail(tx, institution, failing).await?;
                version::fail(tx, institution, live).await
            })
        })
        .await
        .unwrap();
    let mut after = store::testing::dump(&store).await.unwrap();
    after.get_mut("source_versions").unwrap().retain(|row| row["state"] != "failed");
    assert_eq!(after, before, "the published version was touched, or something is left");
    // The next try begins anew and removes the record of the failure.
    suite::build(&store, institution, course, "one", &[]).await;
    assert_eq!(count(&store, "source_versions WHERE state = 'failed'").await, 0);
});

both_databases!(a_publication_that_fails_midway_changes_nothing, |store| async move {
    let (institution, course) = suite::course(&store).await;
    suite::plant(&store, &ExactScan::new(store.clone()), institution, course, "one", &two_pages()).await;
    let next = suite::build(&store, institution, course, "one", &[Page::new("a.md", &["New."])]).await;
    let before = store::testing::dump(&store).await.unwrap();
    let lesson = |kind: &str| NewLesson { title: "L".into(), kind: kind.into(), document_id: None, hidden: false };
    let wrong = NewLesson { document_id: Some(domain::DocumentId::fresh()), ..lesson("DOCUMENT") };
    for last in [lesson("NO_SUCH_KIND"), wrong] {
        let modules = vec![NewModule { title: "M".into(), lessons: vec![lesson("DOCUMENT"), last] }];
        assert!(matches!(outline(&store, &next, modules).await, Err(Error::Conflict(_))));
        assert_eq!(store::testing::dump(&store).await.unwrap(), before);
    }
});

both_databases!(one_version_is_built_at_a_time, |store| async move {
    let (institution, course) = suite::course(&store).await;
    let built = suite::build(&store, institution, course, "one", &[]).await;
    let source = built.source;
    let second = store.write(move |tx| {
        Box::pin(async move { version::create(tx, institution, source, "f", None, &json!({})).await })
    });
    assert!(matches!(second.await, Err(Error::Conflict(_))));
    let building =
        store.read(move |tx| Box::pin(async move { version::building(tx, institution, source).await })).await.unwrap();
    assert_eq!(building.unwrap().id, built.version);
});

both_databases!(ready_means_a_vector_for_each_chunk, |store| async move {
    let (institution, course) = suite::course(&store).await;
    let planted = suite::build(&store, institution, course, "one", &two_pages()).await;
    let version = planted.version;
    let ready =
        || store.write(move |tx| Box::pin(async move { version::ready(tx, institution, version, Some(MODEL)).await }));
    assert!(matches!(ready().await, Err(Error::Conflict(_))), "it is not published");
    suite::publish(&store, &planted, &two_pages()).await;
    assert!(matches!(ready().await, Err(Error::Conflict(_))), "it has no vectors");
    suite::embed(&store, &planted, MODEL, 0).await;
    ready().await.unwrap();
    ready().await.unwrap();
    assert_eq!(count(&store, "events WHERE event_type = 'content.chunks_embedded'").await, 1);
    assert_eq!(count(&store, "source_versions WHERE state = 'ready'").await, 1);
});

both_databases!(equal_passages_share_their_vectors, |store| async move {
    let scan = ExactScan::new(store.clone());
    let (institution, course) = suite::course(&store).await;
    suite::plant(&store, &scan, institution, course, "one", &two_pages()).await;
    let (other, other_course) = suite::course(&store).await;
    let edited = vec![Page::new("a.md", &["One.", "Edited."]), Page::new("b.md", &["Three."])];
    let copied = async |institution: InstitutionId, version| {
        store
            .write(move |tx| Box::pin(async move { embedding::copy_known(tx, institution, version, MODEL).await }))
            .await
            .unwrap()
    };
    let here = suite::build(&store, institution, course, "one", &edited).await;
    assert_eq!(copied(institution, here.version).await, 2, "one of three passages is new");
    assert_eq!(copied(institution, here.version).await, 0);
    let (version, model) = (here.version, MODEL);
    let left = store
        .read(move |tx| Box::pin(async move { chunk::without_vector(tx, institution, version, model, 10).await }))
        .await
        .unwrap();
    assert_eq!(left.iter().map(|c| c.chunk.text.as_str()).collect::<Vec<_>>(), ["Edited."]);
    // Nothing is learnt from another institution, not even that it has the same text.
    let there = suite::build(&store, other, other_course, "one", &two_pages()).await;
    assert_eq!(copied(other, there.version).await, 0);
    assert_eq!(copied(institution, there.version).await, 0);
});

both_databases!(writing_a_step_twice_is_one_row, |store| async move {
    let (institution, course) = suite::course(&store).await;
    let planted = suite::build(&store, institution, course, "one", &two_pages()).await;
    let before = store::testing::dump(&store).await.unwrap();
    let again = planted.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                let documents = document::list(tx, institution, again.version).await?;
                let chunks = [suite::passage("a.md", "One.", 1), suite::passage("a.md", "Two.", 11)];
                let (source, version) = (again.source, again.version);
                chunk::insert_many(tx, institution, course, source, version, documents[0].id, 0, &chunks).await?;
                let same = source::find_or_create(tx, institution, course, SourceKind::Dir, "one", "one").await?;
                assert_eq!(same, source);
                Ok(())
            })
        })
        .await
        .unwrap();
    assert_eq!(store::testing::dump(&store).await.unwrap(), before);
});

both_databases!(nothing_is_written_across_institutions, |store| async move {
    let (institution, course) = suite::course(&store).await;
    let (other, other_course) = suite::course(&store).await;
    let planted = suite::build(&store, institution, course, "one", &two_pages()).await;
    let before = store::testing::dump(&store).await.unwrap();
    let Planted { source: of, version: id, chunks, .. } = planted.clone();
    let refused = store.write(move |tx| {
        Box::pin(async move {
            assert!(source::find_or_create(tx, other, course, SourceKind::Dir, "x", "x").await.is_err());
            assert!(source::get(tx, other, of).await?.is_none());
            assert!(source::list(tx, other, course).await?.is_empty());
            assert!(version::create(tx, other, of, "f", None, &json!({})).await.is_err());
            assert!(version::get(tx, other, id).await?.is_none());
            assert!(version::building(tx, other, of).await?.is_none());
            assert!(version::publish(tx, other, other_course, of, id, &[]).await.is_err());
            assert!(version::publish(tx, institution, other_course, of, id, &[]).await.is_err());
            assert!(version::ready(tx, other, id, None).await.is_err());
            assert!(version::set_outline(tx, other, id, &json!({})).await.is_err());
            version::fail(tx, other, id).await?;
            assert!(document::list(tx, other, id).await?.is_empty());
            let document = document::list(tx, institution, id).await?[0].id;
            assert!(document::get(tx, other, document).await?.is_none());
            assert!(document::set_chunked(tx, other, document, "t", &[]).await.is_err());
            let passages = [suite::passage("a.md", "Foreign.", 1)];
            assert!(chunk::insert_many(tx, other, other_course, of, id, document, 50, &passages).await.is_err());
            assert!(chunk::insert_many(tx, other, course, of, id, document, 50, &passages).await.is_err());
            assert_eq!(chunk::count(tx, other, id).await?, 0);
            assert!(chunk::without_vector(tx, other, id, MODEL, 9).await?.is_empty());
            let new = embedding::NewEmbedding {
                chunk_id: chunks[0],
                content_hash: "h".into(),
                vector: vec![1.0],
                sentences: vec![],
            };
            assert!(embedding::insert_many(tx, other, other_course, id, MODEL, &[new]).await.is_err());
            Ok(())
        })
    });
    refused.await.unwrap();
    assert_eq!(store::testing::dump(&store).await.unwrap(), before);
});
