//! A learner's place in a recording, a corrected transcript, a course that protects its recordings.

use domain::{CourseId, InstitutionId, SourceId, UserId};

pub(super) fn rows(institution: InstitutionId, course: CourseId, source: SourceId, user: UserId) -> Vec<String> {
    vec![
        format!(
            "INSERT INTO playback_positions (user_id, lesson_id, institution_id, seconds, updated_at)
             VALUES ('{user}', '{}', '{institution}', 12.5, 1)",
            domain::LessonId::fresh()
        ),
        format!(
            "INSERT INTO transcript_edits (source_id, path, institution_id, version, base_sha256, lines, changes, updated_at)
             VALUES ('{source}', 'talk.mp4', '{institution}', 1, 'abc', '[]', '[]', 1)"
        ),
        format!(
            "INSERT INTO course_media (course_id, institution_id, protected, changed_at)
             VALUES ('{course}', '{institution}', TRUE, 1)"
        ),
    ]
}
