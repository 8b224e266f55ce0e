//! Rows of `courses`.

use domain::course::Course;
use domain::policy::Visible;
use domain::{CourseId, InstitutionId};

use crate::db::{Row, Tx, args};
use crate::error::Result;
use crate::sql::filter::{Filter, any_of};

const COLUMNS: &str = "id, institution_id, slug, title, description, status, visibility, enrollment_type, \
                       duration_weeks, credit_hours, metadata, created_by, version, created_at, updated_at";

fn read(row: &Row) -> Result<Course> {
    Ok(Course {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        slug: row.text("slug")?,
        title: row.text("title")?,
        description: row.text("description")?,
        status: row.text("status")?,
        visibility: row.text("visibility")?,
        enrollment_type: row.text("enrollment_type")?,
        duration_weeks: row.int_opt("duration_weeks")?,
        credit_hours: row.int_opt("credit_hours")?,
        metadata: row.json("metadata")?,
        created_by: row.id_opt("created_by")?,
        version: row.int("version")?,
        created_at: row.int("created_at")?,
        updated_at: row.int("updated_at")?,
    })
}

/// Adds a course.
///
/// # Errors
/// Conflict when the slug is taken in this institution.
pub async fn insert(tx: &mut Tx, course: &Course) -> Result<()> {
    let sql = format!(
        "INSERT INTO courses ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    );
    tx.exec(
        &sql,
        args![
            course.id,
            course.institution_id,
            &course.slug,
            &course.title,
            &course.description,
            &course.status,
            &course.visibility,
            &course.enrollment_type,
            course.duration_weeks,
            course.credit_hours,
            &course.metadata,
            course.created_by,
            course.version,
            course.created_at,
            course.updated_at,
        ],
    )
    .await?;
    Ok(())
}

/// The course of that id.
///
/// # Errors
/// The database refuses.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: CourseId) -> Result<Option<Course>> {
    let sql = format!("SELECT {COLUMNS} FROM courses WHERE institution_id = $1 AND id = $2");
    tx.row(&sql, args![institution, id]).await?.as_ref().map(read).transpose()
}

/// The course of that slug.
///
/// # Errors
/// The database refuses.
pub async fn by_slug(tx: &mut Tx, institution: InstitutionId, slug: &str) -> Result<Option<Course>> {
    let sql = format!("SELECT {COLUMNS} FROM courses WHERE institution_id = $1 AND slug = $2");
    tx.row(&sql, args![institution, slug]).await?.as_ref().map(read).transpose()
}

/// Writes the changeable columns if the stored version is still `expected`; false when it is not.
///
/// # Errors
/// The database refuses.
pub async fn update(tx: &mut Tx, course: &Course, expected: i64) -> Result<bool> {
    let changed = tx
        .exec(
            "UPDATE courses SET title = $3, description = $4, status = $5, visibility = $6, enrollment_type = $7, \
             duration_weeks = $8, credit_hours = $9, metadata = $10, version = $11, updated_at = $12 \
             WHERE institution_id = $1 AND id = $2 AND version = $13",
            args![
                course.institution_id,
                course.id,
                &course.title,
                &course.description,
                &course.status,
                &course.visibility,
                &course.enrollment_type,
                course.duration_weeks,
                course.credit_hours,
                &course.metadata,
                course.version,
                course.updated_at,
                expected,
            ],
        )
        .await?;
    Ok(changed > 0)
}

/// Which courses to list.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// In this state.
    pub status: Option<String>,
    /// After this id.
    pub after: Option<CourseId>,
    /// At most so many.
    pub limit: i64,
}

/// What a caller may see of the courses of an institution.
#[derive(Debug, Clone, Default)]
pub struct Cards {
    /// Of published courses; `public` there is what anybody sees.
    pub published: Visible,
    /// Of the others.
    pub drafts: Visible,
    /// The caller belongs to the institution, so that its open courses are listed too.
    pub member: bool,
}

/// Courses of an institution that the caller may see, by id.
///
/// # Errors
/// The database refuses.
pub async fn list(tx: &mut Tx, institution: InstitutionId, cards: &Cards, wanted: &Wanted) -> Result<Vec<Course>> {
    let mut filter = Filter::new(args![institution]);
    let published = course_filter(&mut filter, &cards.published, cards.member);
    let drafts = course_filter(&mut filter, &Visible { public: false, ..cards.drafts.clone() }, false);
    let mut sql = format!(
        "SELECT {COLUMNS} FROM courses WHERE institution_id = $1 \
         AND ((status = 'published' AND ({published})) OR (status <> 'published' AND ({drafts})))"
    );
    if let Some(status) = &wanted.status {
        sql.push_str(&format!(" AND status = {}", filter.bind(status)));
    }
    if let Some(after) = wanted.after {
        sql.push_str(&format!(" AND id > {}", filter.bind(after)));
    }
    sql.push_str(&format!(" ORDER BY id LIMIT {}", filter.bind(wanted.limit)));
    tx.rows(&sql, filter.args).await?.iter().map(read).collect()
}

fn course_filter(filter: &mut Filter, seen: &Visible, member: bool) -> String {
    if seen.all {
        return "1 = 1".into();
    }
    let mut any = Vec::new();
    if let Some(owner) = seen.owner {
        any.push(format!("created_by = {}", filter.bind(owner)));
    }
    if !seen.courses.is_empty() {
        let list = filter.list(&seen.courses);
        any.push(format!("id IN ({list})"));
    }
    if seen.public {
        any.push("visibility = 'public'".into());
    }
    if member {
        any.push("visibility = 'institution'".into());
    }
    any_of(&any)
}

/// Lessons and searchable passages of a course.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Lessons.
    pub lessons: i64,
    /// Chunks of current versions.
    pub chunks: i64,
}

/// Counts of a course, over the current version of each source.
///
/// # Errors
/// The database refuses.
pub async fn counts(tx: &mut Tx, institution: InstitutionId, id: CourseId) -> Result<Counts> {
    let sql = "SELECT (SELECT COUNT(*) FROM lessons WHERE institution_id = $1 AND course_id = $2) AS lessons, \
               (SELECT COUNT(*) FROM chunks WHERE institution_id = $1 AND course_id = $2 AND version_id IN \
               (SELECT current_version_id FROM sources WHERE institution_id = $1 AND course_id = $2)) AS chunks";
    let row = tx.row(sql, args![institution, id]).await?;
    row.map_or_else(
        || Ok(Counts::default()),
        |row| Ok(Counts { lessons: row.int("lessons")?, chunks: row.int("chunks")? }),
    )
}
