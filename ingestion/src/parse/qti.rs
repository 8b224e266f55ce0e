//! QTI packages, folders and single items: their questions for the bank of the course.
//!
//! What a question is, the exchange format says (`domain::question::exchange`); here its files are
//! found, and what was lost is gathered. The lesson that records the import says nothing of the
//! questions' words: they stay closed to the tutor.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use domain::document::DocumentKind;
use domain::ingestion::{Failure, SourceKind, failure};
use domain::question::Draft;
use domain::question::exchange::{self, Format as Exchange};
use domain::xml::Element;

use super::package::{Bundle, Files, address, escaped, module, page_of, title_in};
use super::title_of_path;

/// Most questions of one package.
const MOST: usize = 5_000;
/// Losses that the lesson names one by one.
const SHOWN: usize = 200;

/// What the question files of a package gave.
#[derive(Default)]
pub(super) struct Bank {
    pub(super) drafts: Vec<Draft>,
    /// Title of each test or bank, and how many questions it gave.
    pub(super) tests: Vec<(String, usize)>,
    seen: HashSet<String>,
}

/// Reads a package.
///
/// # Errors
/// `UNSUPPORTED_FORMAT` when no file of it is QTI 1.2, 2.1 or 2.2, `EMPTY` when no question can be imported.
pub fn parse(files: &Files) -> Result<Bundle, Failure> {
    let manifest = match files.xml("imsmanifest.xml") {
        Some(read) => Some(read.map_err(|why| {
            let message = format!("imsmanifest.xml cannot be used: {why}; export the package again");
            Failure::new(failure::BAD_MANIFEST, message)
        })?),
        None => None,
    };
    let mut bundle = Bundle { files: files.all.len(), ..Bundle::default() };
    let paths = question_files(files, &mut bundle);
    if let (true, Some(lost)) = (paths.is_empty(), bundle.lost.first()) {
        let text = |name: &str| lost.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
        let message = format!("\"{}\" cannot be read: {}; export it again", text("item"), text("why"));
        return Err(Failure::new(failure::BAD_DOCUMENT, message));
    }
    if paths.is_empty() {
        if manifest.is_none()
            && let Some(other) = files.other_kind(SourceKind::Qti)
        {
            return Err(other);
        }
        let said = manifest
            .as_ref()
            .and_then(|root| root.first("general"))
            .and_then(|general| title_in(general.child("title")));
        let said = said.map(|title| format!(" (it calls itself \"{title}\")")).unwrap_or_default();
        let message = format!(
            "\"{}\"{said} names no file with questions in QTI 1.2, 2.1 or 2.2; export it in one of these versions",
            files.name
        );
        return Err(Failure::new(failure::UNSUPPORTED_FORMAT, message));
    }
    let title = manifest
        .as_ref()
        .and_then(|root| root.first("general"))
        .and_then(|general| title_in(general.child("title")))
        .unwrap_or_else(|| title_of_path(&files.name));
    let version = if paths.iter().any(|(_, root)| root.name == "assessmentItem") { "QTI 2" } else { "QTI 1.2" };
    bundle.title = title;
    bundle.version = version.into();
    let bank = questions(&paths, files, &mut bundle);
    if bank.drafts.is_empty() {
        let why =
            bundle.lost.iter().filter_map(|lost| lost.get("why")?.as_str()).take(3).collect::<Vec<_>>().join("; ");
        let message = format!("\"{}\" has no question that can be imported: {why}", files.name);
        return Err(Failure::new(failure::EMPTY, message));
    }
    record(&mut bundle, bank);
    Ok(bundle)
}

/// The files that hold questions, in the order of the tests that name them.
pub(super) fn question_files(files: &Files, bundle: &mut Bundle) -> Vec<(String, Element)> {
    let mut found: BTreeMap<String, Element> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    for path in files.read.keys() {
        let lower = path.to_ascii_lowercase();
        if !(lower.ends_with(".xml") || lower.ends_with(".qti")) {
            continue;
        }
        let root = match files.xml(path) {
            Some(Ok(root)) => root,
            Some(Err(why)) => {
                let text = files.read.get(path).map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default();
                if text.contains("<questestinterop") || text.contains("<assessmentItem") {
                    bundle.lose(path, why);
                }
                continue;
            }
            None => continue,
        };
        match root.name.as_str() {
            "assessmentTest" | "assessmentSection" => {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                order.extend(
                    root.below("assessmentItemRef")
                        .into_iter()
                        .filter_map(|item| Some(address(folder, item.attribute("href")?))),
                );
            }
            "questestinterop" | "assessmentItem" => {
                found.insert(path.clone(), root);
            }
            _ => {}
        }
    }
    // Canvas writes a quiz twice; the copy that is not for cartridges says more.
    let full: Vec<String> = found
        .keys()
        .filter_map(|path| path.strip_prefix("non_cc_assessments/")?.strip_suffix(".xml.qti").map(str::to_owned))
        .collect();
    found.retain(|path, _| !full.iter().any(|id| path.starts_with(&format!("{id}/"))));
    let mut sorted = Vec::new();
    for path in order {
        if let Some(root) = found.remove(&path) {
            sorted.push((path, root));
        }
    }
    sorted.extend(found);
    sorted
}

/// The questions of these files; what is lost of them goes into the bundle.
pub(super) fn questions(paths: &[(String, Element)], files: &Files, bundle: &mut Bundle) -> Bank {
    let mut bank = Bank::default();
    let here = paths.iter().filter_map(|(_, root)| root.child("objectbank")?.attribute("ident"));
    let here: BTreeSet<String> = here.map(str::to_owned).collect();
    for (path, root) in paths {
        for missing in banks(root).difference(&here) {
            bundle.lose(
                path,
                format!("the test takes questions from the bank \"{missing}\", which is not in the package"),
            );
        }
        let test = root.child("assessment").or_else(|| root.child("objectbank"));
        let named = test
            .and_then(|test| test.attribute("title"))
            .or_else(|| root.attribute("title"))
            .unwrap_or_default()
            .trim();
        let label = test.and_then(|test| {
            test.below("qtimetadatafield")
                .into_iter()
                .find(|field| field.child("fieldlabel").is_some_and(|label| label.words() == "bank_title"))
        });
        let label = label.and_then(|field| title_in(field.child("fieldentry")));
        let title = match (named.is_empty(), label) {
            (false, _) => named.to_owned(),
            (true, Some(label)) => label,
            (true, None) => title_of_path(path),
        };
        let text = match files.text(path) {
            Some(Ok(text)) => text,
            Some(Err(failure)) => {
                bundle.lose(path, failure.message);
                continue;
            }
            None => continue,
        };
        match exchange::read(Exchange::Qti, &text) {
            Ok(read) => {
                let mut count = 0;
                for loss in read.losses {
                    let place = format!("{path}, {}", loss.place);
                    if loss.what.contains("is left out") {
                        bundle.lose(&place, loss.what);
                    } else {
                        bundle.change(&place, loss.what);
                    }
                }
                for draft in read.drafts {
                    let same = serde_json::to_string(&(&draft.stem, &draft.body)).unwrap_or_default();
                    if bank.drafts.len() >= MOST {
                        bundle.lose(path, format!("the package has more than {MOST} questions; the rest is left out"));
                        break;
                    }
                    if bank.seen.insert(same) {
                        bank.drafts.push(draft);
                        count += 1;
                    } else {
                        bundle.change(path, format!("\"{:.60}\" stands twice and is imported once", draft.stem));
                    }
                }
                bank.tests.push((title, count));
            }
            Err(error) => bundle.lose(path, error.message),
        }
    }
    bank
}

/// The banks that a test takes questions from: single ones, and as many as chance draws.
fn banks(root: &Element) -> BTreeSet<String> {
    let single = root.below("bankentry_item").into_iter();
    let single = single.filter_map(|item| item.attribute("sourcebank_ref").map(str::to_owned));
    single.chain(root.below("sourcebank_ref").into_iter().map(Element::words)).collect()
}

/// Takes the questions over, with a hidden lesson that says how many and what was lost.
pub(super) fn record(bundle: &mut Bundle, bank: Bank) {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for draft in &bank.drafts {
        *kinds.entry(draft.body.type_name()).or_default() += 1;
    }
    let list = |items: Vec<String>| items.iter().map(|item| format!("<li>{}</li>", escaped(item))).collect::<String>();
    let tests = list(bank.tests.iter().map(|(title, count)| format!("{title}: {count} questions")).collect());
    let types = list(kinds.iter().map(|(kind, count)| format!("{}: {count}", kind.replace('_', " "))).collect());
    let reasons: Vec<String> = bundle
        .lost
        .iter()
        .filter_map(|lost| Some(format!("{}: {}", lost.get("item")?.as_str()?, reason(lost.get("why")?.as_str()?))))
        .take(SHOWN)
        .collect();
    let lost = if reasons.is_empty() { String::new() } else { format!("<h2>Left out</h2><ul>{}</ul>", list(reasons)) };
    let count = bank.drafts.len();
    let inner = format!(
        "<p>{count} questions came into the question bank of this course as drafts. Review them there; nothing is asked before a person approves it.</p><h2>Tests and banks</h2><ul>{tests}</ul><h2>Types</h2><ul>{types}</ul>{lost}"
    );
    for (title, count) in &bank.tests {
        bundle.keep(title, &format!("{count} questions as drafts in the question bank"));
    }
    let title = "Imported questions";
    let mut only = module(title, false);
    bundle.page(&mut only, Some(title.into()), "imported-questions.html", DocumentKind::Html, page_of(title, &inner));
    for lesson in &mut only.lessons {
        lesson.hidden = true;
    }
    bundle.close(&mut only);
    bundle.questions = bank.drafts;
}

/// Why something is left out, without the words of the question.
fn reason(what: &str) -> &str {
    what.split_once("\" is left out: ").map_or(what, |(_, why)| why)
}
