//! Questions to rows.

use std::collections::HashMap;

use super::{FIRST, LAST, MOST_OPTIONS, OPTIONS, blanked, guarded, list, pair, pairs, settled};
use crate::question::exchange::{Losses, Written, fault, number, place};
use crate::question::{Body, Choice, Draft, OriginKind, Source};

/// The questions as a table.
pub(in crate::question::exchange) fn write(drafts: &[Draft]) -> Written {
    let rows: Vec<Row> = drafts.iter().map(row).collect();
    let widest = rows.iter().map(|row| row.options.len()).max().unwrap_or(0).clamp(OPTIONS, MOST_OPTIONS);
    let mut losses = Losses::default();
    let text = match table(&rows, widest) {
        Ok(text) => text,
        Err(why) => {
            losses.name("all questions", format!("the table could not be written: {why}"));
            String::new()
        }
    };
    for (at, (draft, row)) in drafts.iter().zip(&rows).enumerate() {
        let place = place(at, draft);
        let hidden = hidden(draft);
        if !hidden.is_empty() {
            losses.name(&place, format!("the table has no column for {}", hidden.join(", ")));
        }
        match fault(draft) {
            Some(fault) => losses.name(&place, format!("Lyceum will not read it back: {fault}")),
            None if !returns(draft, row, widest) => {
                losses.name(&place, "it does not read back to the letter: white space at an end, or an empty entry");
            }
            None => {}
        }
    }
    Written { text, losses: losses.list() }
}

/// Whether the row reads back to the question, ids and what has no column aside.
fn returns(draft: &Draft, row: &Row, widest: usize) -> bool {
    let read = table(std::slice::from_ref(row), widest).ok().and_then(|text| super::read(&text).ok());
    read.is_some_and(|read| matches!(read.drafts.as_slice(), [back] if *back == settled(draft)))
}

fn table(rows: &[Row], widest: usize) -> Result<String, ::csv::Error> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let names = (1..=widest).map(|number| format!("option_{number}"));
    let header = FIRST.iter().map(|name| (*name).to_owned()).chain(names);
    writer.write_record(header.chain(LAST.iter().map(|name| (*name).to_owned())))?;
    for row in rows {
        let cell = |name: &&str| row.cells.get(*name).map(String::as_str).unwrap_or_default();
        let options = (0..widest).map(|at| row.options.get(at).map(String::as_str).unwrap_or_default());
        let cells = FIRST.iter().map(cell).chain(options).chain(LAST.iter().map(cell));
        writer.write_record(cells.map(guarded))?;
    }
    let bytes = writer.into_inner().map_err(|failed| ::csv::Error::from(failed.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[derive(Default)]
struct Row {
    cells: HashMap<&'static str, String>,
    options: Vec<String>,
}

impl Row {
    fn set(&mut self, column: &'static str, cell: impl Into<String>) {
        self.cells.insert(column, cell.into());
    }

    fn choices(&mut self, choices: &[Choice]) {
        self.options = choices.iter().map(|choice| choice.text.clone()).collect();
        self.reasons(choices);
    }

    fn reasons(&mut self, choices: &[Choice]) {
        if choices.iter().any(|choice| choice.rationale.is_some()) {
            let reasons: Vec<&str> =
                choices.iter().map(|choice| choice.rationale.as_deref().unwrap_or_default()).collect();
            self.set("feedback", list(&reasons));
        }
    }
}

/// What has no column, as far as the question has it.
fn hidden(draft: &Draft) -> Vec<&'static str> {
    let reasons = matches!(&draft.body, Body::Matching(body) if body.right.iter().any(|one| one.rationale.is_some()));
    let known = draft.origin.kind == OriginKind::Imported && draft.origin.model.is_none();
    let names = [
        (draft.lesson.is_some(), "its lesson"),
        (!known, "how it came to be"),
        (!draft.lint.is_empty(), "what the lint said"),
        (reasons, "why a partner is right"),
    ];
    names.into_iter().filter(|(there, _)| *there).map(|(_, name)| name).collect()
}

fn row(draft: &Draft) -> Row {
    let mut row = Row::default();
    row.set("type", draft.body.type_name());
    row.set("stem", draft.stem.as_str());
    match &draft.body {
        Body::MultipleChoice(body) => {
            row.choices(&body.options);
            row.set("right", numbers(&body.options, std::slice::from_ref(&body.right)));
        }
        Body::MultipleAnswer(body) => {
            row.choices(&body.options);
            row.set("right", numbers(&body.options, &body.right));
        }
        Body::TrueFalse(body) => {
            row.set("right", body.right.to_string());
            row.set("feedback", body.rationale.as_deref().unwrap_or_default());
        }
        Body::Cloze(body) => {
            row.set("text", blanked(&body.parts, &body.blanks));
            row.options.clone_from(&body.options);
        }
        Body::ShortAnswer(body) => {
            row.set("accepted", list(&body.accepted));
            row.set("reference", body.reference.as_deref().unwrap_or_default());
        }
        Body::Matching(body) => {
            row.options = pairs(body).iter().map(|(left, right)| pair(left, right)).collect();
            row.reasons(&body.left);
        }
        Body::Ordering(body) => row.choices(&body.items),
        Body::Numeric(body) => {
            row.set("right", number(body.value));
            row.set("tolerance", number(body.tolerance));
            row.set("unit", body.unit.as_str());
        }
        Body::Essay(body) => {
            row.set("least_words", body.least_words.map(|count| count.to_string()).unwrap_or_default());
            row.set("reference", body.reference.as_deref().unwrap_or_default());
        }
    }
    if let Some(Source { source_path, heading_path, locator, quote }) = &draft.source {
        row.set("source_quote", quote.as_str());
        row.set("source_path", source_path.as_str());
        row.set("source_headings", list(heading_path));
        row.set("source_place", format!("{} {} to {}", locator.kind.as_str(), locator.start, locator.end));
    }
    row.set("bloom", draft.bloom.and_then(super::read::spelled).unwrap_or_default());
    row.set("difficulty", draft.difficulty.map(number).unwrap_or_default());
    row.set("hints", list(&draft.hints));
    row
}

/// The numbers of the options with these ids, from 1.
fn numbers(options: &[Choice], right: &[String]) -> String {
    let numbers = (1..).zip(options).filter(|(_, option)| right.contains(&option.id));
    numbers.map(|(number, _): (usize, _)| number.to_string()).collect::<Vec<_>>().join(" | ")
}
