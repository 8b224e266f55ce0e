//! Files that come in pieces: broken off, gone on with, refused where they do not fit, ingested once they are whole.

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode, header};
use domain::{UploadId, UserId};
use futures::stream;
use serde_json::{Value, json};
use store::sql;
use store::sql::upload::Upload;

use crate::world::{Answer, MOST_ROOM, Place, World, request};

const PIECE: &str = "application/offset+octet-stream";
/// "talk.md" in base64.
const NAMED: &str = "filename dGFsay5tZA==";

/// An upload of nothing, begun by somebody in the course of a place.
pub(crate) async fn begun(world: &World, place: &Place) -> UploadId {
    let upload = Upload {
        id: UploadId::fresh(),
        institution_id: place.institution,
        course_id: place.course,
        user_id: UserId::fresh(),
        name: "talk.md".into(),
        length: 4,
        created_at: 1,
        expires_at: i64::MAX,
    };
    let id = upload.id;
    world.store.write(move |tx| Box::pin(async move { sql::upload::insert(tx, &upload).await })).await.unwrap();
    let folder = world.folder.path().join("uploads").join(id.to_string());
    tokio::fs::create_dir_all(&folder).await.unwrap();
    tokio::fs::write(folder.join("content.md"), b"").await.unwrap();
    id
}

/// The request of a case of the matrix.
pub(crate) fn sent(token: Option<&str>, method: &Method, path: &str, reason: &[(&str, &str)]) -> Request<Body> {
    let own = [("upload-length", "4"), ("upload-offset", "0"), ("content-type", PIECE), ("upload-metadata", NAMED)];
    request(token, method.clone(), path, None, &[reason, own.as_slice()].concat())
}

async fn send(world: &World, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Answer {
    let mut sent = request(Some(world.tokens["IN"].as_str()), method, path, None, headers);
    *sent.body_mut() = body;
    world.send(sent).await
}

async fn piece(world: &World, path: &str, offset: &str, body: impl Into<Body>) -> Answer {
    let headers = [("tus-resumable", "1.0.0"), ("upload-offset", offset), ("content-type", PIECE)];
    send(world, Method::PATCH, path, &headers, body.into()).await
}

async fn begin(world: &World, length: &str) -> Answer {
    let path = format!("/api/v1/courses/{}/uploads", world.places["own"].course);
    let headers = [("tus-resumable", "1.0.0"), ("upload-length", length), ("upload-metadata", NAMED)];
    send(world, Method::POST, &path, &headers, Body::empty()).await
}

fn told(answer: &Answer, name: &str) -> String {
    answer.headers[name].to_str().unwrap().to_owned()
}

store::both_databases!(a_file_that_breaks_off_goes_on_and_is_ingested_once_it_is_whole, |store| async move {
    let world = World::new(store).await;
    let course = world.places["own"].course;
    let made = begin(&world, "11").await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let path = told(&made, "location");
    assert_eq!((told(&made, "tus-resumable").as_str(), told(&made, "upload-offset").as_str()), ("1.0.0", "0"));
    assert!(told(&made, "upload-expires").ends_with(" GMT"));

    // The line breaks after five bytes: they are kept.
    let broken = stream::iter([Ok(Bytes::from("# Dou")), Err(std::io::Error::other("the line broke"))]);
    let answer = piece(&world, &path, "0", Body::from_stream(broken)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text);
    let head = send(&world, Method::HEAD, &path, &[("tus-resumable", "1.0.0")], Body::empty()).await;
    assert_eq!((head.status, head.text.as_str(), told(&head, "upload-offset").as_str()), (StatusCode::OK, "", "5"));
    assert_eq!((told(&head, "upload-length").as_str(), told(&head, "upload-metadata").as_str()), ("11", NAMED));
    assert_eq!(told(&head, header::CACHE_CONTROL.as_str()), "no-store");

    let ingest = |body: Value| world.post("IN", "/api/v1/ingestions", body);
    let id = path.rsplit('/').next().unwrap();
    let asked = json!({ "courseId": course, "kind": "file", "upload": id });
    let early = ingest(asked.clone()).await;
    assert_eq!((early.status, early.code().as_str()), (StatusCode::CONFLICT, "UPLOAD_INCOMPLETE"), "{}", early.text);

    // Neither a piece again, nor one ahead, nor one that goes beyond, changes anything.
    for (offset, bytes, status, code) in [
        ("0", "# Dou", StatusCode::CONFLICT, "WRONG_OFFSET"),
        ("7", "gh", StatusCode::CONFLICT, "WRONG_OFFSET"),
        ("5", "more than eleven", StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE"),
    ] {
        let answer = piece(&world, &path, offset, bytes).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text);
    }
    let last = piece(&world, &path, "5", "gh\n\nx\n").await;
    assert_eq!((last.status, told(&last, "upload-offset").as_str()), (StatusCode::NO_CONTENT, "11"), "{}", last.text);
    let file = world.folder.path().join("uploads").join(id).join("content.md");
    assert_eq!(tokio::fs::read_to_string(&file).await.unwrap(), "# Dough\n\nx\n");

    let other = world.places["sibling"].course;
    let elsewhere = world.post("IA", "/api/v1/ingestions", json!({ "courseId": other, "kind": "file", "upload": id }));
    assert_eq!(elsewhere.await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let key = [("idempotency-key", "once")];
    let once =
        || request(Some(world.tokens["IN"].as_str()), Method::POST, "/api/v1/ingestions", Some(asked.clone()), &key);
    let started = world.send(once()).await;
    assert_eq!(started.status, StatusCode::CREATED, "{}", started.text);
    // The upload has become a source by now; the same request again is answered as before.
    let again = world.send(once()).await;
    assert_eq!((again.status, told(&again, "location")), (StatusCode::CREATED, told(&started, "location")));
    // The pipeline takes the file over; the upload is over.
    assert!(tokio::fs::try_exists(&file).await.unwrap());
    assert_eq!(world.get("IN", &path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ingest(asked.clone()).await.status, StatusCode::NOT_FOUND);
    let both = ingest(json!({ "courseId": course, "kind": "file", "upload": id, "url": "https://github.com/a/b" }));
    assert_eq!(both.await.status, StatusCode::UNPROCESSABLE_ENTITY);
});

store::both_databases!(an_upload_is_refused_given_up_and_forgotten, |store| async move {
    let world = World::new(store).await;
    let path = told(&begin(&world, "4").await, "location");
    let ahead = [("tus-resumable", "0.2.2"), ("upload-offset", "0"), ("content-type", PIECE)];
    let refused = send(&world, Method::PATCH, &path, &ahead, Body::from("a")).await;
    assert_eq!((refused.status, told(&refused, "tus-version").as_str()), (StatusCode::PRECONDITION_FAILED, "1.0.0"));
    let plain = [("upload-offset", "0"), ("content-type", "text/plain")];
    let refused = send(&world, Method::PATCH, &path, &plain, Body::from("a")).await;
    assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for length in ["-1", "many"] {
        assert_eq!(begin(&world, length).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(begin(&world, "99999999999999").await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let full = begin(&world, &(MOST_ROOM + 1).to_string()).await;
    assert_eq!((full.status, full.code().as_str()), (StatusCode::INSUFFICIENT_STORAGE, "DISK_FULL"), "{}", full.text);
    // Two pieces at once: one waits for its bytes, the other is told so.
    let (more, rest) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    more.send(Ok(Bytes::from("ab"))).await.unwrap();
    let body = Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(rest));
    let slow = piece(&world, &path, "0", body);
    let meanwhile = async {
        // Taken once the file has grown.
        let file = world.folder.path().join("uploads").join(path.rsplit('/').next().unwrap()).join("content.md");
        while tokio::fs::metadata(&file).await.unwrap().len() < 2 {
            tokio::task::yield_now().await;
        }
        let answer = piece(&world, &path, "2", "cd").await;
        drop(more);
        answer
    };
    let (slow, refused) = futures::join!(slow, meanwhile);
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::LOCKED, "LOCKED"), "{}", refused.text);
    assert_eq!((slow.status, told(&slow, "upload-offset").as_str()), (StatusCode::NO_CONTENT, "2"));

    let folder = world.folder.path().join("uploads").join(path.rsplit('/').next().unwrap());
    assert_eq!(send(&world, Method::DELETE, &path, &[], Body::empty()).await.status, StatusCode::NO_CONTENT);
    assert!(!tokio::fs::try_exists(&folder).await.unwrap());
    assert_eq!(piece(&world, &path, "2", "cd").await.status, StatusCode::NOT_FOUND);

    // What nobody ingested in time goes when the next one begins.
    let old = told(&begin(&world, "4").await, "location");
    let id: UploadId = old.rsplit('/').next().unwrap().parse().unwrap();
    let institution = world.places["own"].institution;
    let past = world.store.write(move |tx| {
        Box::pin(async move {
            let mut upload = sql::upload::get(tx, institution, id).await?.unwrap();
            sql::upload::delete(tx, institution, id).await?;
            upload.expires_at = 1;
            sql::upload::insert(tx, &upload).await
        })
    });
    past.await.unwrap();
    assert_eq!(begin(&world, "4").await.status, StatusCode::CREATED);
    assert_eq!(world.get("IN", &old).await.status, StatusCode::NOT_FOUND);
    assert!(!tokio::fs::try_exists(world.folder.path().join("uploads").join(id.to_string())).await.unwrap());
});
