//! Rows of `enrollments` and `lesson_progress`.

use domain::enrollment::Enrollment;
use domain::policy::Visible;
use domain::{CourseId, EnrollmentId, InstitutionId, LessonId, Micros, UserId};

use crate::db::{Row, Tx, args};
use crate::error::Result;
use crate::sql::filter::{Filter, any_of};

const COLUMNS: &str = "id, institution_id, user_id, course_id, status, progress, created_at, updated_at";

fn read(row: &Row) -> Result<Enrollment> {
    Ok(Enrollment {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        user_id: row.id("user_id")?,
        course_id: row.id("course_id")?,
        status: row.text("status")?,
        progress: row.real("progress")?,
        created_at: row.int("created_at")?,
        updated_at: row.int("updated_at")?,
    })
}

/// Adds an enrolment; false when this user has one in this course already.
///
/// # Errors
/// The database refuses.
pub async fn insert(tx: &mut Tx, enrollment: &Enrollment) -> Result<bool> {
    let sql = format!(
        "INSERT INTO enrollments ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (user_id, course_id) DO NOTHING"
    );
    let added = tx
        .exec(
            &sql,
            args![
                enrollment.id,
                enrollment.institution_id,
                enrollment.user_id,
                enrollment.course_id,
                &enrollment.status,
                enrollment.progress,
                enrollment.created_at,
                enrollment.updated_at,
            ],
        )
        .await?;
    Ok(added > 0)
}

/// The enrolment of that id.
///
/// # Errors
/// The database refuses.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: EnrollmentId) -> Result<Option<Enrollment>> {
    let sql = format!("SELECT {COLUMNS} FROM enrollments WHERE institution_id = $1 AND id = $2");
    tx.row(&sql, args![institution, id]).await?.as_ref().map(read).transpose()
}

/// The enrolment of a user in a course.
///
/// # Errors
/// The database refuses.
pub async fn of(tx: &mut Tx, institution: InstitutionId, user: UserId, course: CourseId) -> Result<Option<Enrollment>> {
    let sql =
        format!("SELECT {COLUMNS} FROM enrollments WHERE institution_id = $1 AND user_id = $2 AND course_id = $3");
    tx.row(&sql, args![institution, user, course]).await?.as_ref().map(read).transpose()
}

/// Which enrolments to list.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of this user.
    pub user: Option<UserId>,
    /// In this course.
    pub course: Option<CourseId>,
    /// After this id.
    pub after: Option<EnrollmentId>,
    /// At most so many.
    pub limit: i64,
}

/// Enrolments that the caller may see, by id.
///
/// # Errors
/// The database refuses.
pub async fn list(tx: &mut Tx, institution: InstitutionId, seen: &Visible, wanted: &Wanted) -> Result<Vec<Enrollment>> {
    let mut filter = Filter::new(args![institution]);
    let condition = if seen.all {
        "1 = 1".to_owned()
    } else {
        let mut any = Vec::new();
        if let Some(user) = seen.user {
            any.push(format!("user_id = {}", filter.bind(user)));
        }
        if !seen.courses.is_empty() {
            let list = filter.list(&seen.courses);
            any.push(format!("course_id IN ({list})"));
        }
        any_of(&any)
    };
    let mut sql = format!("SELECT {COLUMNS} FROM enrollments WHERE institution_id = $1 AND ({condition})");
    if let Some(user) = wanted.user {
        sql.push_str(&format!(" AND user_id = {}", filter.bind(user)));
    }
    if let Some(course) = wanted.course {
        sql.push_str(&format!(" AND course_id = {}", filter.bind(course)));
    }
    if let Some(after) = wanted.after {
        sql.push_str(&format!(" AND id > {}", filter.bind(after)));
    }
    sql.push_str(&format!(" ORDER BY id LIMIT {}", filter.bind(wanted.limit)));
    tx.rows(&sql, filter.args).await?.iter().map(read).collect()
}

/// Writes state and progress; progress never falls, whatever is asked.
///
/// # Errors
/// The database refuses.
pub async fn update(tx: &mut Tx, enrollment: &Enrollment) -> Result<()> {
    tx.exec(
        "UPDATE enrollments SET status = $3, progress = CASE WHEN progress > $4 THEN progress ELSE $4 END, \
         updated_at = $5 WHERE institution_id = $1 AND id = $2",
        args![enrollment.institution_id, enrollment.id, &enrollment.status, enrollment.progress, enrollment.updated_at],
    )
    .await?;
    Ok(())
}

/// What a learner saw of one lesson.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Which lesson.
    pub lesson_id: LessonId,
    /// How far, 0 to 1.
    pub position: f64,
    /// Seen to its end.
    pub completed: bool,
}

/// What a learner has seen so far.
///
/// # Errors
/// The database refuses.
pub async fn seen(tx: &mut Tx, institution: InstitutionId, id: EnrollmentId) -> Result<Vec<Seen>> {
    let sql = "SELECT lesson_id, position, completed FROM lesson_progress \
               WHERE institution_id = $1 AND enrollment_id = $2 ORDER BY lesson_id";
    let rows = tx.rows(sql, args![institution, id]).await?;
    rows.iter()
        .map(|row| {
            Ok(Seen {
                lesson_id: row.id("lesson_id")?,
                position: row.real("position")?,
                completed: row.flag("completed")?,
            })
        })
        .collect()
}

/// Records what a learner saw of a lesson.
///
/// # Errors
/// The database refuses.
pub async fn record_seen(
    tx: &mut Tx,
    institution: InstitutionId,
    id: EnrollmentId,
    seen: &Seen,
    now: Micros,
) -> Result<()> {
    tx.exec(
        "INSERT INTO lesson_progress (enrollment_id, lesson_id, institution_id, position, completed, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (enrollment_id, lesson_id) DO UPDATE SET \
         position = excluded.position, completed = excluded.completed, updated_at = excluded.updated_at",
        args![id, seen.lesson_id, institution, seen.position, seen.completed, now],
    )
    .await?;
    Ok(())
}
