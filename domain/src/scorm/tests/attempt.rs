//! Batches of a player: order, sessions, ends, and what a trace leads to.

use super::super::attempt::{Attempt, Batch, Commit, ENDED, OTHER_SESSION, OUT_OF_ORDER, nonce_hash, replayed};
use super::super::{Api, Edition, Launch, Set, State};
use crate::{CourseId, InstitutionId, LessonId, ScormAttemptId, SourceId, UserId};

const NONCE: &str = "0123456789abcdef";

fn attempt(edition: Edition) -> Attempt {
    Attempt {
        id: ScormAttemptId::fresh(),
        institution_id: InstitutionId::fresh(),
        course_id: CourseId::fresh(),
        source_id: SourceId::fresh(),
        item: "item_1".into(),
        lesson_id: LessonId::fresh(),
        user_id: UserId::fresh(),
        number: 1,
        preview: false,
        edition,
        api: Api::open(edition, &Launch::default()),
        launch: Launch::default(),
        revision: 1,
        sequence: 0,
        nonce_hash: nonce_hash(NONCE),
        commits: 0,
        created_at: 1,
        updated_at: 1,
        ended_at: None,
    }
}

fn batch(revision: i64, sequence: i64, values: &[(&str, &str)], terminate: bool) -> Batch {
    let values = values.iter().map(|(element, value)| Set { element: (*element).into(), value: (*value).into() });
    Batch {
        key: format!("k{revision}-{sequence}"),
        nonce: NONCE.into(),
        revision,
        sequence,
        values: values.collect(),
        terminate,
    }
}

#[test]
fn batches_come_in_order_and_in_their_session() {
    let mut one = attempt(Edition::V2004Third);
    let code = |one: &mut Attempt, batch: &Batch| one.take(batch, 2).unwrap_err().code;
    assert_eq!(code(&mut one, &batch(1, 2, &[], false)), OUT_OF_ORDER);
    assert_eq!(code(&mut one, &batch(2, 1, &[], false)), OTHER_SESSION);
    let forged = Batch { nonce: "another-secret-of-16".into(), ..batch(1, 1, &[], false) };
    assert_eq!(code(&mut one, &forged), OTHER_SESSION);
    let done = one.take(&batch(1, 1, &[("cmi.location", "3"), ("cmi.mode", "x")], false), 2).unwrap();
    assert_eq!((done.kept, done.refused[0].code, done.state), (1, 404, State::Running));
    assert_eq!(code(&mut one, &batch(1, 1, &[], false)), OUT_OF_ORDER);
    one.next_session(Launch::default(), NONCE, one.lesson_id, 3);
    assert_eq!(code(&mut one, &batch(1, 2, &[], false)), OTHER_SESSION);
    let done = one.take(&batch(2, 1, &[("cmi.exit", "normal")], true), 4).unwrap();
    assert!(done.ended && one.ended_at == Some(4));
    assert_eq!(code(&mut one, &batch(2, 2, &[], false)), ENDED);
}

#[test]
fn who_leaves_without_an_end_comes_back_to_everything() {
    for (edition, place) in [(Edition::V12, "cmi.core.lesson_location"), (Edition::V2004Fourth, "cmi.location")] {
        let mut one = attempt(edition);
        one.take(&batch(1, 1, &[(place, "page 7")], false), 2).unwrap();
        let leaving = one.leaving(NONCE).unwrap();
        one.take(&leaving, 3).unwrap();
        assert!(one.leaving(NONCE).is_none());
        assert_eq!((one.api.state(), one.ended_at), (State::Terminated, None));
        one.next_session(Launch::default(), NONCE, one.lesson_id, 4);
        assert!(one.api.initialize(""));
        assert_eq!(one.api.get(place), "page 7");
        assert_eq!(one.api.values()[&one.api.prefixed("entry")], "resume");
    }
}

#[test]
fn a_trace_leads_to_what_is_stored() {
    let mut one = attempt(Edition::V12);
    let mut commits = Vec::new();
    let sessions: [&[(&str, &str)]; 3] = [
        &[("cmi.core.session_time", "00:01:00"), ("cmi.core.exit", "suspend"), ("cmi.core.score.raw", "50")],
        &[("cmi.core.session_time", "00:02:00"), ("cmi.comments", "good"), ("cmi.nothing", "x")],
        &[("cmi.core.lesson_status", "passed"), ("cmi.core.score.raw", "90"), ("cmi.comments", " bye")],
    ];
    for (revision, values) in (1..).zip(sessions) {
        if revision > 1 {
            one.next_session(Launch::default(), NONCE, one.lesson_id, revision);
        }
        // The second session is cut off.
        let sent = batch(revision, 1, values, revision != 2);
        let outcome = one.take(&sent, revision).unwrap();
        commits.push(Commit {
            position: one.commits,
            revision,
            sequence: 1,
            key: sent.key.clone(),
            request_hash: sent.hash(),
            terminated: sent.terminate,
            values: sent.values,
            outcome,
            at: revision,
        });
    }
    assert_eq!(replayed(one.edition, &one.launch, &commits), one.api);
    assert_eq!(one.api.standing().total_time, 3 * 60 * 100);
}

#[test]
fn a_batch_has_bounds_and_its_hash_tells_it_from_others() {
    let fine = batch(1, 1, &[("a", "bc")], false);
    assert!(fine.check().is_ok());
    assert_ne!(fine.hash(), batch(1, 1, &[("ab", "c")], false).hash());
    assert_ne!(fine.hash(), batch(1, 1, &[("a", "bc")], true).hash());
    assert!(Batch { key: String::new(), ..fine.clone() }.check().is_err());
    assert!(Batch { key: "a b".into(), ..fine.clone() }.check().is_err());
    let many = vec![Set { element: "a".into(), value: "b".into() }; 2_001];
    assert!(Batch { values: many, ..fine }.check().is_err());
}
