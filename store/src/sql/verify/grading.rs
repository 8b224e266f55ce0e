//! I4 and I5: marks are the fold of what was answered and graded, nothing unreviewed or late counts, and a grade
//! reaches its learner through another person.

use super::Check;

pub(super) fn checks() -> Vec<Check> {
    let mut checks = marks();
    checks.extend(people());
    checks
}

fn marks() -> Vec<Check> {
    vec![
        Check::new(
            "I4",
            "SELECT g.institution_id, 'grade ' || g.id AS subject, 'an earlier grade of its submission is missing' AS message
             FROM grades g WHERE g.version > 1 AND NOT EXISTS (
               SELECT 1 FROM grades b WHERE b.submission_id = g.submission_id AND b.version = g.version - 1)",
        ),
        Check::new(
            "I4",
            "SELECT g.institution_id, 'grade ' || g.id AS subject, 'its points are not its share of the most' AS message
             FROM grades g WHERE ABS(g.points - g.share * g.most) > 0.011 OR g.points > g.most",
        ),
        Check::new(
            "I4",
            "SELECT s.institution_id, 'submission ' || s.id AS subject,
               'its answer does not carry the grade that was released last' AS message
             FROM submissions s JOIN grades g ON g.submission_id = s.id
             LEFT JOIN responses r ON r.attempt_id = s.attempt_id AND r.question_id = s.question_id
             WHERE g.version = (SELECT MAX(b.version) FROM grades b JOIN releases l ON l.grade_id = b.id
               WHERE b.submission_id = s.id)
             AND (r.fraction IS NULL OR ABS(r.fraction - g.share) > 0.001)",
        ),
        Check::new(
            "I4",
            "SELECT a.institution_id, 'attempt ' || a.id AS subject, 'its score is not the sum of its answers' AS message
             FROM attempts a WHERE a.state = 'submitted' AND ABS(COALESCE(a.score, -1) - (
               SELECT COALESCE(SUM(COALESCE(r.fraction, 0) * i.points), 0) FROM assessment_items i
               LEFT JOIN responses r ON r.attempt_id = a.id AND r.question_id = i.question_id
               WHERE i.assessment_id = a.assessment_id)) > 0.001",
        ),
        Check::new(
            "I4",
            "SELECT q.institution_id, 'question ' || q.id AS subject,
               'is asked by a published quiz and was not reviewed' AS message
             FROM questions q WHERE q.state IN ('draft', 'reviewed') AND EXISTS (
               SELECT 1 FROM assessment_items i JOIN assessments a ON a.id = i.assessment_id
               WHERE i.question_id = q.id AND a.state = 'published')",
        ),
        Check::new(
            "I4",
            "SELECT r.institution_id, 'response ' || r.attempt_id AS subject, 'was saved after its time was over' AS message
             FROM responses r JOIN attempts a ON a.id = r.attempt_id
             WHERE a.deadline IS NOT NULL AND r.saved_at > a.deadline",
        ),
    ]
}

fn people() -> Vec<Check> {
    vec![
        Check::new(
            "I5",
            "SELECT l.institution_id, 'release ' || l.grade_id AS subject, 'no person released it' AS message
             FROM releases l WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = l.released_by)",
        ),
        Check::new(
            "I5",
            "SELECT g.institution_id, 'grade ' || g.id AS subject, 'no person set it' AS message
             FROM grades g WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = g.graded_by)",
        ),
        Check::new(
            "I5",
            "SELECT l.institution_id, 'release ' || l.grade_id AS subject, 'the learner released it' AS message
             FROM releases l JOIN grades g ON g.id = l.grade_id JOIN submissions s ON s.id = g.submission_id
             WHERE s.user_id = l.released_by",
        ),
        Check::new(
            "I5",
            "SELECT l.institution_id, 'release ' || l.grade_id AS subject, 'it was released before it was set' AS message
             FROM releases l JOIN grades g ON g.id = l.grade_id WHERE l.released_at < g.graded_at",
        ),
    ]
}
