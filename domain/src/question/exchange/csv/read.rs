//! Rows to questions.

use std::collections::HashMap;

use super::{FIRST, LAST, MOST_OPTIONS, entries, marks, unblanked, unguarded, unpair};
use crate::question::exchange::{
    Format, Losses, MOST_QUESTIONS, Read, excerpt, fault, foreign, labelled, matched, too_many,
};
use crate::question::{
    Bloom, Body, Choice, Cloze, Draft, Essay, Matching, MultipleAnswer, MultipleChoice, Numeric, Ordering, Origin,
    OriginKind, ShortAnswer, Source, TrueFalse,
};
use crate::{Error, Locator, LocatorKind};

/// Words for true and for false: spreadsheets write them in their user's language.
const TRUE: &[&str] = &["true", "t", "yes", "1", "wahr", "vrai", "verdadero", "vero"];
const FALSE: &[&str] = &["false", "f", "no", "0", "falsch", "faux", "falso"];

/// The questions of a table.
pub(in crate::question::exchange) fn read(text: &str) -> Result<Read, Error> {
    let mut reader = ::csv::ReaderBuilder::new().flexible(true).delimiter(delimiter(text)).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|why| foreign(Format::Csv, 1, &why.to_string()))?;
    if header.len() > MOST_OPTIONS * 2 {
        return Err(foreign(Format::Csv, 1, "the table has too many columns"));
    }
    let header: Vec<String> = header.iter().map(|name| unguarded(name).trim().to_lowercase()).collect();
    if !["type", "stem"].iter().all(|needed| header.iter().any(|name| name == needed)) {
        return Err(foreign(Format::Csv, 1, "the first line must name the columns, \"type\" and \"stem\" among them"));
    }
    let (mut drafts, mut losses, mut count) = (Vec::new(), Losses::default(), 0);
    for name in header.iter().filter(|name| !known(name) && !name.is_empty()) {
        losses.name("line 1", format!("the column \"{}\" is not read", excerpt(name)));
    }
    for record in reader.records() {
        let record = record.map_err(|why| foreign(Format::Csv, 1, &why.to_string()))?;
        let line = record.position().map_or(1, ::csv::Position::line);
        let place = format!("line {line}");
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        count += 1;
        if count > MOST_QUESTIONS {
            return Err(too_many(usize::try_from(line).unwrap_or(usize::MAX)));
        }
        if record.iter().skip(header.len()).any(|cell| !cell.trim().is_empty()) {
            losses.name(&place, "cells to the right of the last column");
        }
        let cells = header.iter().map(String::as_str).zip(&record).filter(|(name, _)| known(name));
        let mut row = Row { cells: cells.map(|(name, cell)| (name, unguarded(cell))).collect(), losses: Vec::new() };
        match row.draft() {
            Ok(draft) => {
                row.losses.extend(row.left());
                for what in row.losses {
                    losses.name(&place, what);
                }
                match fault(&draft) {
                    Some(fault) => losses.name(place, format!("\"{}\" is left out: {fault}", excerpt(&draft.stem))),
                    None => drafts.push(draft),
                }
            }
            Err(why) => losses.name(place, format!("left out: {why}")),
        }
    }
    Ok(Read { drafts, losses: losses.list() })
}

/// What divides the cells: spreadsheets write what is usual in their user's country.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or_default();
    let count = |sign: u8| header.bytes().filter(|byte| *byte == sign).count();
    [b'\t', b';', b','].into_iter().max_by_key(|sign| count(*sign)).unwrap_or(b',')
}

fn known(name: &str) -> bool {
    FIRST.contains(&name) || LAST.contains(&name) || option_number(name).is_some()
}

fn option_number(name: &str) -> Option<usize> {
    name.strip_prefix("option_")?.parse().ok().filter(|number| (1..=MOST_OPTIONS).contains(number))
}

/// The spelling of a level.
pub(super) fn spelled(bloom: Bloom) -> Option<String> {
    serde_json::to_value(bloom).ok()?.as_str().map(str::to_owned)
}

/// A row: what a question takes out of it is gone, so that what is left can be named.
struct Row<'a> {
    cells: HashMap<&'a str, &'a str>,
    losses: Vec<String>,
}

impl Row<'_> {
    fn take(&mut self, column: &str) -> String {
        self.cells.remove(column).unwrap_or_default().to_owned()
    }

    fn word(&mut self, column: &str) -> String {
        self.take(column).trim().to_owned()
    }

    fn maybe(&mut self, column: &str) -> Option<String> {
        Some(self.take(column)).filter(|cell| !cell.trim().is_empty())
    }

    fn list(&mut self, column: &str) -> Vec<String> {
        entries(&marks(&self.take(column)))
    }

    /// A number, with a comma or a point before its fraction.
    fn number(&mut self, column: &str) -> Result<Option<f64>, String> {
        let cell = self.word(column);
        if cell.is_empty() {
            return Ok(None);
        }
        let number = cell.parse().or_else(|_| cell.replacen(',', ".", 1).parse());
        let number: Option<f64> = number.ok().filter(|number: &f64| number.is_finite());
        number.map(Some).ok_or_else(|| format!("\"{}\" in \"{column}\" is no number", excerpt(&cell)))
    }

    /// The options that are filled in, by their numbers.
    fn options(&mut self) -> Vec<(usize, String)> {
        let mut found: Vec<(usize, String)> = self
            .cells
            .iter()
            .filter_map(|(name, cell)| Some((option_number(name)?, (*cell).to_owned())))
            .filter(|(_, cell)| !cell.trim().is_empty())
            .collect();
        found.sort();
        self.cells.retain(|name, _| option_number(name).is_none());
        found
    }

    /// The options with why they are right or wrong, and the number of each.
    fn choices(&mut self) -> (Vec<usize>, Vec<Choice>) {
        let mut reasons = self.reasons();
        let options = self.options();
        let numbers = options.iter().map(|(number, _)| *number).collect();
        (numbers, labelled(options.into_iter().map(|(number, text)| (text, reasons.remove(&number))).collect()))
    }

    /// Reasons by the number of what they are about.
    fn reasons(&mut self) -> HashMap<usize, String> {
        (1..).zip(self.list("feedback")).filter(|(_, reason)| !reason.is_empty()).collect()
    }

    fn draft(&mut self) -> Result<Draft, String> {
        let kind = self.word("type").to_lowercase();
        let stem = self.take("stem");
        let body = self.body(&kind)?;
        let source = self.source();
        let bloom = self.word("bloom").to_lowercase();
        let level = serde_json::from_value(bloom.clone().into()).ok();
        if level.is_none() && !bloom.is_empty() {
            self.losses.push(format!("\"{}\" is no Bloom level", excerpt(&bloom)));
        }
        let difficulty = self.number("difficulty")?;
        let hints = self.list("hints");
        let origin = Origin::of(OriginKind::Imported);
        Ok(Draft { lesson: None, stem, body, source, bloom: level, difficulty, origin, lint: Vec::new(), hints })
    }

    fn body(&mut self, kind: &str) -> Result<Body, String> {
        Ok(match kind {
            "multiple_choice" => {
                let (options, right) = self.chosen()?;
                let [right] = right.as_slice() else { return Err("one option must be right".into()) };
                Body::MultipleChoice(MultipleChoice { options, right: right.clone() })
            }
            "multiple_answer" => {
                let (options, right) = self.chosen()?;
                Body::MultipleAnswer(MultipleAnswer { options, right })
            }
            "true_false" => {
                let word = self.word("right").to_lowercase();
                let right = TRUE.contains(&word.as_str());
                if !right && !FALSE.contains(&word.as_str()) {
                    return Err(format!("\"{}\" in \"right\" is neither true nor false", excerpt(&word)));
                }
                Body::TrueFalse(TrueFalse { right, rationale: self.maybe("feedback") })
            }
            "cloze" => {
                let (parts, blanks) = unblanked(&self.take("text"));
                let options = self.options().into_iter().map(|(_, text)| text).collect();
                Body::Cloze(Cloze { parts, blanks, options })
            }
            "short_answer" => {
                Body::ShortAnswer(ShortAnswer { accepted: self.list("accepted"), reference: self.maybe("reference") })
            }
            "matching" => Body::Matching(self.matching()?),
            "ordering" => Body::Ordering(Ordering { items: self.choices().1 }),
            "numeric" => Body::Numeric(Numeric {
                value: self.number("right")?.ok_or("no number is right")?,
                tolerance: self.number("tolerance")?.unwrap_or(0.0),
                unit: self.take("unit"),
            }),
            "essay" => {
                let words = self.word("least_words");
                let least_words = if words.is_empty() { None } else { words.parse().ok() };
                if least_words.is_none() && !words.is_empty() {
                    self.losses.push(format!("\"{}\" is no count of words", excerpt(&words)));
                }
                Body::Essay(Essay { least_words, reference: self.maybe("reference") })
            }
            other => {
                let types = Body::TYPES.join(", ");
                return Err(format!("\"{}\" is no type of question; the types are {types}", excerpt(other)));
            }
        })
    }

    /// Options and the ids of the right ones, which the cell names by number or by their words.
    fn chosen(&mut self) -> Result<(Vec<Choice>, Vec<String>), String> {
        let (numbers, options) = self.choices();
        let mut right = std::collections::HashSet::new();
        for named in self.list("right") {
            let number = named.parse::<usize>().ok();
            let at = number
                .and_then(|number| numbers.iter().position(|one| *one == number))
                .or_else(|| options.iter().position(|option| option.text.trim() == named));
            right.insert(at.ok_or_else(|| format!("\"{}\" in \"right\" is no option", excerpt(&named)))?);
        }
        let ids = options.iter().enumerate().filter(|(at, _)| right.contains(at)).map(|(_, one)| one.id.clone());
        let ids = ids.collect();
        Ok((options, ids))
    }

    fn matching(&mut self) -> Result<Matching, String> {
        let mut reasons = self.reasons();
        let (mut pairs, mut numbers) = (Vec::new(), Vec::new());
        for (number, cell) in self.options() {
            let (left, right) =
                unpair(&cell).ok_or_else(|| format!("\"{}\" is no pair \"left -> right\"", excerpt(&cell)))?;
            if !left.is_empty() {
                numbers.push(number);
            }
            pairs.push((left, right));
        }
        let mut matching = matched(&pairs);
        for (left, number) in matching.left.iter_mut().zip(numbers) {
            left.rationale = reasons.remove(&number);
        }
        Ok(matching)
    }

    fn source(&mut self) -> Option<Source> {
        let (quote, source_path) = (self.take("source_quote"), self.take("source_path"));
        let (heading_path, place) = (self.list("source_headings"), self.word("source_place"));
        let locator = || {
            let (kind, span) = place.split_once(' ')?;
            let (start, end) = span.split_once(" to ")?;
            Some(Locator::new(LocatorKind::parse(kind)?, start.trim().parse().ok()?, end.trim().parse().ok()?))
        };
        match locator() {
            Some(locator) => Some(Source { source_path, heading_path, locator, quote }),
            None => {
                if !(quote.is_empty() && source_path.is_empty() && heading_path.is_empty() && place.is_empty()) {
                    self.losses.push("the source: \"source_place\" says \"lines 3 to 5\" or the like".into());
                }
                None
            }
        }
    }

    /// Filled cells that this type of question has no use for.
    fn left(&self) -> Option<String> {
        let mut names: Vec<&str> =
            self.cells.iter().filter(|(_, cell)| !cell.trim().is_empty()).map(|(name, _)| *name).collect();
        names.sort_unstable();
        (!names.is_empty()).then(|| format!("this type of question has no use for {}", names.join(", ")))
    }
}
