//! The modules and lessons that a source gives its course: taken down and put up at each publication.

use std::collections::{HashMap, HashSet};

use domain::{CourseId, DocumentId, InstitutionId, LessonId, Micros, ModuleId, SourceId, VersionId};
use uuid::Uuid;

use super::super::bulk;
use crate::db::{Tx, args};
use crate::error::{Error, Result};

/// A module of a source's outline, about to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewModule {
    /// Name.
    pub title: String,
    /// Its lessons in order.
    pub lessons: Vec<NewLesson>,
}

/// A lesson of a source's outline, about to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLesson {
    /// Name.
    pub title: String,
    /// One of the kinds of [`domain::course::Lesson`].
    pub kind: String,
    /// The document that it shows.
    pub document_id: Option<DocumentId>,
    /// Not shown to learners.
    pub hidden: bool,
}

/// What the next tree keeps of the last one.
pub(super) struct Before {
    hidden: HashSet<LessonId>,
    /// Every lesson, and its module.
    lessons: Vec<Old>,
    /// First and last position of the source's modules in the course.
    places: Option<(i64, i64)>,
}

/// A lesson of the last tree.
struct Old {
    id: LessonId,
    module: ModuleId,
    module_title: String,
    title: String,
    kind: String,
    position: i64,
    gone_at: Option<Micros>,
    gone_reason: Option<String>,
}

/// Why a lesson is hidden whose document is no more.
const GONE: &str = "its document is no longer in the source; if it comes back, so does the lesson";

/// Removes the tree of a source. Lessons of other modules that show its documents are turned to the
/// same paths of the version that comes.
pub(super) async fn take_down(
    tx: &mut Tx,
    institution: InstitutionId,
    course: CourseId,
    source: SourceId,
    superseded: Option<VersionId>,
    version: VersionId,
) -> Result<Before> {
    let rows = tx
        .rows(
            "SELECT l.id, l.module_id, m.title AS module_title, l.title, l.kind, l.position, l.hidden, l.gone_at, l.gone_reason
             FROM lessons l JOIN modules m ON m.id = l.module_id
             WHERE m.institution_id = $1 AND m.course_id = $2 AND m.source_id = $3",
            args![institution, course, source],
        )
        .await?;
    let (mut hidden, mut lessons) = (HashSet::new(), Vec::with_capacity(rows.len()));
    for row in &rows {
        let old = Old {
            id: row.id("id")?,
            module: row.id("module_id")?,
            module_title: row.text("module_title")?,
            title: row.text("title")?,
            kind: row.text("kind")?,
            position: row.int("position")?,
            gone_at: row.int_opt("gone_at")?,
            gone_reason: row.text_opt("gone_reason")?,
        };
        // One that vanished and comes back is shown as it was.
        if row.flag("hidden")? && old.gone_at.is_none() {
            hidden.insert(old.id);
        }
        lessons.push(old);
    }
    let places = tx
        .row(
            "SELECT MIN(position) AS first, MAX(position) AS last FROM modules
             WHERE institution_id = $1 AND course_id = $2 AND source_id = $3
               AND (EXISTS (SELECT 1 FROM lessons l WHERE l.module_id = modules.id AND l.gone_at IS NULL)
                 OR NOT EXISTS (SELECT 1 FROM lessons l WHERE l.module_id = modules.id))",
            args![institution, course, source],
        )
        .await?
        .map(|row| -> Result<_> { Ok(row.int_opt("first")?.zip(row.int_opt("last")?)) })
        .transpose()?
        .flatten();
    tx.exec(
        "DELETE FROM lessons WHERE institution_id = $1
           AND module_id IN (SELECT id FROM modules WHERE institution_id = $1 AND course_id = $2 AND source_id = $3)",
        args![institution, course, source],
    )
    .await?;
    tx.exec(
        "DELETE FROM modules WHERE institution_id = $1 AND course_id = $2 AND source_id = $3",
        args![institution, course, source],
    )
    .await?;
    if let Some(superseded) = superseded {
        tx.exec(
            "UPDATE lessons SET document_id = (
               SELECT n.id FROM documents n JOIN documents o ON o.path = n.path
               WHERE n.version_id = $3 AND o.id = lessons.document_id)
             WHERE institution_id = $1
               AND document_id IN (SELECT id FROM documents WHERE institution_id = $1 AND version_id = $2)",
            args![institution, superseded, version],
        )
        .await?;
    }
    Ok(Before { hidden, lessons, places })
}

/// Writes the tree of a source where the last one stood, or at the end, and counts its lessons.
///
/// Ids are derived from the source and what a lesson shows, so that progress of learners and links
/// to lessons outlive a new version.
pub(super) async fn put_up(
    tx: &mut Tx,
    institution: InstitutionId,
    course: CourseId,
    source: SourceId,
    version: VersionId,
    modules: &[NewModule],
    before: &Before,
) -> Result<usize> {
    let mut paths: HashMap<DocumentId, String> = HashMap::new();
    for row in tx
        .rows(
            "SELECT id, path FROM documents WHERE institution_id = $1 AND version_id = $2",
            args![institution, version],
        )
        .await?
    {
        paths.insert(row.id("id")?, row.text("path")?);
    }
    let first = make_room(tx, institution, course, modules.len(), before).await?;
    let mut names = Names { source, taken: HashMap::new() };
    let (mut module_rows, mut lesson_rows) = (Vec::new(), Vec::new());
    for (position, module) in (first..).zip(modules) {
        let module_id = ModuleId(names.id(&format!("module/{}", module.title)));
        module_rows.push(args![module_id, institution, course, source, &module.title, position]);
        for (position, lesson) in (0_i64..).zip(&module.lessons) {
            let shows = match lesson.document_id {
                Some(id) => paths.get(&id).ok_or_else(|| {
                    Error::Conflict(format!(
                        "lesson \"{}\" shows a document that the version does not have",
                        lesson.title
                    ))
                })?,
                None => &lesson.title,
            };
            let id = LessonId(names.id(&format!("lesson/{shows}")));
            let hidden = lesson.hidden || before.hidden.contains(&id);
            lesson_rows.push(args![
                id,
                institution,
                course,
                module_id,
                lesson.document_id,
                &lesson.title,
                &lesson.kind,
                position,
                hidden
            ]);
        }
    }
    let lessons = lesson_rows.len();
    bulk::insert(
        tx,
        "INSERT INTO modules (id, institution_id, course_id, source_id, title, position)",
        6,
        module_rows,
        "",
    )
    .await?;
    bulk::insert(
        tx,
        "INSERT INTO lessons (id, institution_id, course_id, module_id, document_id, title, kind, position, hidden)",
        9,
        lesson_rows,
        "",
    )
    .await?;
    Ok(lessons)
}

/// Puts back, hidden and with the reason, lessons of the last tree that the new one does not have.
///
/// They keep id and title, so that the record of learners still names them; they show nothing.
pub(super) async fn mark_gone(
    tx: &mut Tx,
    institution: InstitutionId,
    course: CourseId,
    source: SourceId,
    before: &Before,
) -> Result<()> {
    let rows = tx
        .rows(
            "SELECT l.id, l.module_id FROM lessons l JOIN modules m ON m.id = l.module_id
             WHERE l.institution_id = $1 AND m.source_id = $2",
            args![institution, source],
        )
        .await?;
    let (mut there, mut modules) = (HashSet::new(), HashSet::new());
    for row in &rows {
        there.insert(row.id::<LessonId>("id")?);
        modules.insert(row.id::<ModuleId>("module_id")?);
    }
    let now = tx.now().await?;
    for old in before.lessons.iter().filter(|old| !there.contains(&old.id)) {
        if modules.insert(old.module) {
            tx.exec(
                "INSERT INTO modules (id, institution_id, course_id, source_id, title, position)
                 SELECT $1, $2, $3, $4, $5, COALESCE(MAX(position) + 1, 0) FROM modules
                 WHERE institution_id = $2 AND course_id = $3",
                args![old.module, institution, course, source, &old.module_title],
            )
            .await?;
        }
        tx.exec(
            "INSERT INTO lessons (id, institution_id, course_id, module_id, document_id, title, kind, position, hidden,
               gone_at, gone_reason)
             VALUES ($1, $2, $3, $4, NULL, $5, $6, $7, $8, $9, $10)",
            args![
                old.id,
                institution,
                course,
                old.module,
                &old.title,
                &old.kind,
                old.position,
                true,
                old.gone_at.unwrap_or(now),
                old.gone_reason.as_deref().unwrap_or(GONE)
            ],
        )
        .await?;
    }
    Ok(())
}

/// The position of the source's first module; modules behind it move when the tree has grown.
async fn make_room(
    tx: &mut Tx,
    institution: InstitutionId,
    course: CourseId,
    modules: usize,
    before: &Before,
) -> Result<i64> {
    let Some((first, last)) = before.places else {
        return tx
            .row(
                "SELECT COALESCE(MAX(position) + 1, 0) AS next FROM modules WHERE institution_id = $1 AND course_id = $2",
                args![institution, course],
            )
            .await?
            .map_or(Ok(0), |row| row.int("next"));
    };
    let grown = i64::try_from(modules).unwrap_or(i64::MAX).saturating_sub(last - first + 1);
    if grown > 0 {
        tx.exec(
            "UPDATE modules SET position = position + $3 WHERE institution_id = $1 AND course_id = $2 AND position > $4",
            args![institution, course, grown, last],
        )
        .await?;
    }
    Ok(first)
}

/// Derived ids; the same name twice in a tree is told apart by its number.
struct Names {
    source: SourceId,
    taken: HashMap<String, u32>,
}

impl Names {
    fn id(&mut self, name: &str) -> Uuid {
        let number = self.taken.entry(name.to_owned()).or_default();
        *number += 1;
        Uuid::new_v5(&self.source.0, format!("{name}#{number}").as_bytes())
    }
}
