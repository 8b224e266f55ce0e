//! An attempt at an item of a package, with a commit.

use domain::scorm::attempt::{Attempt, Batch, Commit};
use domain::scorm::{Api, Edition, Launch, Set};
use domain::{CourseId, InstitutionId, LessonId, ScormAttemptId, SourceId, UserId};
use store::Store;
use store::sql::event::{self, NewEvent};
use store::sql::scorm;

pub(super) async fn attempt(
    store: &Store,
    institution: InstitutionId,
    course: CourseId,
    source: SourceId,
    user: UserId,
) {
    let nonce = "0123456789abcdef";
    let mut attempt = Attempt {
        id: ScormAttemptId::fresh(),
        institution_id: institution,
        course_id: course,
        source_id: source,
        item: "item_1".into(),
        lesson_id: LessonId::fresh(),
        user_id: user,
        number: 1,
        preview: false,
        edition: Edition::V12,
        api: Api::open(Edition::V12, &Launch::default()),
        launch: Launch::default(),
        revision: 1,
        sequence: 0,
        nonce_hash: domain::scorm::attempt::nonce_hash(nonce),
        commits: 0,
        created_at: 1,
        updated_at: 1,
        ended_at: None,
    };
    let batch = Batch {
        key: "k".into(),
        nonce: nonce.into(),
        revision: 1,
        sequence: 1,
        values: vec![Set { element: "cmi.core.score.raw".into(), value: "80".into() }],
        terminate: false,
    };
    store
        .write(move |tx| {
            Box::pin(async move {
                assert!(scorm::insert(tx, &attempt).await?);
                event::append(tx, &NewEvent::new("scorm.started", institution, attempt.id)).await?;
                let outcome = attempt.take(&batch, 2)?;
                assert!(scorm::update(tx, &attempt, 1, 0).await?);
                assert!(!scorm::update(tx, &attempt, 1, 0).await?, "the same batch twice");
                let commit = Commit {
                    position: 1,
                    revision: 1,
                    sequence: 1,
                    key: batch.key.clone(),
                    request_hash: batch.hash(),
                    terminated: false,
                    values: batch.values.clone(),
                    outcome,
                    at: 2,
                };
                scorm::record(tx, &attempt, &commit).await
            })
        })
        .await
        .unwrap();
}
