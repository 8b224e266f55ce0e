//! What a lesson of a package launches: from what its import kept.

use domain::course::{Course, Lesson};
use domain::scorm::{Edition, Facts, Navigation};
use domain::{Error, ErrorKind, LessonId, SourceId, VersionId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Tx;
use store::sql;
use store::sql::scorm::Page;

use super::NO_PACKAGE;

/// What a player shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Launching {
    /// Title of the package.
    pub title: String,
    /// Which standard.
    pub edition: Edition,
    /// The published version of the package.
    pub version_id: VersionId,
    /// Whether its files are kept; a package of an older import has to be imported again to be played.
    pub playable: bool,
    /// The item that is opened.
    pub item: String,
    /// Where it starts, as a path within the archive.
    pub path: String,
    /// What is added to the address, with its `?`, `&` or `#` where the manifest has one.
    pub parameters: Option<String>,
    /// What plays it, where that is not the package itself: `h5p`.
    #[serde(default)]
    pub runtime: Option<String>,
    /// SHA-256 of the archive.
    pub package_sha256: Option<String>,
    /// Whether any page of the package calls the interface; a learner marks the rest by hand.
    pub reports_completion: bool,
    /// Every item of the package that the caller may open, in order.
    pub items: Vec<Item>,
}

/// An item of a package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Its identifier in the manifest.
    pub item: String,
    /// Its name.
    pub title: String,
    /// The lessons that show its pages; any of them opens it.
    pub lessons: Vec<LessonId>,
}

/// What is needed to begin a session.
pub(super) struct Plan {
    pub(super) source_id: SourceId,
    pub(super) launching: Launching,
    pub(super) facts: Facts,
    pub(super) navigation: Navigation,
}

pub(super) fn text(extra: &Value, name: &str) -> Option<String> {
    extra.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The item that a page belongs to; a manifest without identifiers is told apart by what it launches.
pub(super) fn item_of(extra: &Value) -> String {
    text(extra, "item").or_else(|| text(extra, "launch")).unwrap_or_default()
}

pub(super) async fn plan(tx: &mut Tx, course: &Course, lesson: &Lesson, hidden: bool) -> store::Result<Plan> {
    let none = || {
        let message = format!("lesson \"{}\" shows no page of a SCORM package", lesson.title);
        Error::new(ErrorKind::Conflict, message).with_code(NO_PACKAGE)
    };
    let institution = course.institution_id;
    let launched = sql::scorm::launched(tx, institution, lesson.id).await?.ok_or_else(none)?;
    let path = text(&launched.extra, "launch").ok_or_else(none)?;
    let pages = sql::scorm::pages(tx, institution, launched.version_id).await?;
    let report = if launched.report.is_object() {
        launched.report
    } else {
        pages.iter().find_map(|page| page.extra.get("import").cloned()).unwrap_or_default()
    };
    let item = item_of(&launched.extra);
    let items = items(pages.iter().filter(|page| hidden || !page.hidden));
    let place = items.iter().position(|one| one.item == item);
    let navigation = Navigation {
        next: place.map(|place| place + 1 < items.len()),
        previous: place.map(|place| place > 0),
        targets: Some(items.iter().map(|one| one.item.clone()).collect()),
    };
    let facts = launched.extra.get("facts").cloned().unwrap_or_default();
    let version = text(&report, "schemaVersion").or_else(|| text(&report, "version")).unwrap_or_default();
    let launching = Launching {
        title: launched.title,
        edition: Edition::of_schema(&version),
        version_id: launched.version_id,
        playable: sql::package_file::count(tx, institution, launched.version_id).await? > 0,
        item,
        path,
        parameters: text(&launched.extra, "parameters"),
        runtime: text(&launched.extra, "runtime"),
        package_sha256: text(&report, "packageSha256"),
        reports_completion: report.get("reportsCompletion").and_then(Value::as_bool).unwrap_or(true),
        items,
    };
    Ok(Plan {
        source_id: launched.source_id,
        launching,
        // A package imported before facts were kept has none.
        facts: serde_json::from_value(facts).unwrap_or_default(),
        navigation,
    })
}

fn items<'p>(pages: impl Iterator<Item = &'p Page>) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut modules: Vec<&str> = Vec::new();
    for page in pages {
        let item = item_of(&page.extra);
        match items.iter().position(|one| one.item == item) {
            Some(place) => {
                if let (Some(one), Some(module)) = (items.get_mut(place), modules.get(place)) {
                    // Several pages are a module of their own, named after the item.
                    if one.lessons.len() == 1 && text(&page.extra, "title").is_none() {
                        one.title = (*module).to_owned();
                    }
                    one.lessons.push(page.lesson_id);
                }
            }
            None => {
                let title = text(&page.extra, "title").unwrap_or_else(|| page.title.clone());
                items.push(Item { item, title, lessons: vec![page.lesson_id] });
                modules.push(&page.module);
            }
        }
    }
    items
}
