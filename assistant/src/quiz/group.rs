//! Lists and tables: matching their two sides, and the order of numbered steps.

use std::collections::HashSet;
use std::ops::Range;

use super::course::Course;
use super::lexicon::fold;
use super::words::{bare, lower_first, upper_first};
use super::{Choice, Kind, Made, Passage, mix};

/// Pairs of a matching question.
const PAIRS: usize = 4;
/// Fewest rows that make a group.
const FEWEST: usize = 4;

struct Group {
    /// Names of the two sides, where a table has them.
    sides: Option<(String, String)>,
    rows: Vec<(String, String, Range<usize>)>,
}

pub(super) fn make(course: &Course<'_>) -> Vec<Made> {
    let mut made = Vec::new();
    for (index, passage) in course.passages.iter().enumerate().filter(|(_, p)| !p.chunk.flagged) {
        for group in groups(passage) {
            made.extend(matching(course, index, passage, &group));
            made.extend(entry(course, index, passage, &group));
        }
        made.extend(ordering(index, passage));
    }
    made
}

fn lines(text: &str) -> Vec<(&str, Range<usize>)> {
    let mut at = 0;
    text.split('\n')
        .map(|line| {
            let range = at..at + line.len();
            at += line.len() + 1;
            (line, range)
        })
        .collect()
}

/// Runs of lines that each hold a name and what is said of it.
fn groups(passage: &Passage) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut run: Vec<(&str, Range<usize>)> = Vec::new();
    for (line, range) in lines(&passage.chunk.text).into_iter().chain([("", 0..0)]) {
        let table = line.contains(" | ");
        let listed = !table && pair(line).is_some();
        let fits = (table || listed) && run.first().is_none_or(|(first, _)| first.contains(" | ") == table);
        if !fits {
            groups.extend(if run.first().is_some_and(|(first, _)| first.contains(" | ")) {
                table_of(&run)
            } else {
                list_of(&run)
            });
            run.clear();
        }
        if table || listed {
            run.push((line, range));
        }
    }
    groups
}

/// "name: what is said of it".
fn pair(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start_matches(['-', '*', '\u{2022}', ' ']);
    let (name, said) = [": ", " \u{2014} ", " \u{2013} ", " - "].iter().find_map(|mark| line.split_once(mark))?;
    let label = ["Listing", "Figure", "Table", "Note", "Filename", "Example", "Warning", "Tip"];
    let words = name.split_whitespace().count();
    let plain = !name.is_empty()
        && words <= 4
        && !label.iter().any(|label| name.starts_with(label))
        && !name.contains(['=', '{', '"']);
    (plain && (2..=24).contains(&said.split_whitespace().count()) && !said.contains(['{', ';', '=']))
        .then_some((name, said))
}

fn list_of(run: &[(&str, Range<usize>)]) -> Option<Group> {
    let rows = run.iter().filter_map(|(line, range)| {
        let (name, said) = pair(line)?;
        Some((name.trim_matches(['.', ',']).to_owned(), said.trim_end_matches('.').to_owned(), range.clone()))
    });
    sound(Group { sides: None, rows: rows.collect() })
}

fn table_of(run: &[(&str, Range<usize>)]) -> Option<Group> {
    let cells = |line: &str| {
        line.split(" | ").map(|cell| cell.trim().trim_end_matches('|').trim().to_owned()).collect::<Vec<_>>()
    };
    let (header, _) = run.first()?;
    let header = cells(header);
    // A table that goes on from another passage begins with a row.
    let named = |cell: &String| {
        cell.starts_with(char::is_uppercase) && !cell.contains(['{', '<', '=', '&', '*', '!', ';', '"', '#', '\''])
    };
    let titled = header.iter().all(named);
    let rows: Vec<(Vec<String>, Range<usize>)> =
        run.iter().skip(usize::from(titled)).map(|(line, range)| (cells(line), range.clone())).collect();
    let column = |at: usize| {
        rows.iter().filter_map(|(cells, _)| cells.get(at)).filter(|cell| !cell.is_empty()).collect::<Vec<_>>()
    };
    let distinct = |at: usize| column(at).into_iter().collect::<HashSet<_>>().len() == rows.len();
    let width = header.len();
    let name = (0..width.saturating_sub(1)).find(|at| distinct(*at))?;
    let said = (name + 1..width).filter(|at| distinct(*at)).max_by_key(|at| {
        column(*at)
            .iter()
            .map(|cell| cell.split_whitespace().filter(|w| w.chars().all(char::is_alphabetic)).count())
            .sum::<usize>()
    })?;
    let rows = rows
        .iter()
        .filter_map(|(cells, range)| Some((cells.get(name)?.clone(), cells.get(said)?.clone(), range.clone())));
    sound(Group {
        sides: if titled { header.get(name).cloned().zip(header.get(said).cloned()) } else { None },
        rows: rows.collect(),
    })
}

/// The group without rows that say the same as another or name what they describe.
fn sound(mut group: Group) -> Option<Group> {
    let (mut names, mut said) = (HashSet::new(), HashSet::new());
    group.rows.retain(|(name, what, _)| {
        let own =
            !fold(name).is_empty() && fold(what).split(' ').any(|stem| fold(name).split(' ').any(|own| own == stem));
        let short = name.chars().count() <= 30 && !what.starts_with('(');
        short
            && !name.is_empty()
            && !what.is_empty()
            && !own
            && names.insert(name.to_lowercase())
            && said.insert(what.to_lowercase())
    });
    (group.rows.len() >= FEWEST).then_some(group)
}

fn heading(passage: &Passage) -> String {
    passage.chunk.heading_path.last().cloned().unwrap_or_default()
}

fn chosen<'g>(course: &Course<'_>, group: &'g Group) -> Vec<&'g (String, String, Range<usize>)> {
    let mut rows: Vec<_> = group.rows.iter().collect();
    rows.sort_by_key(|(name, said, _)| mix(course.seed, &format!("{name}{said}")));
    rows.truncate(PAIRS);
    rows.sort_by_key(|(_, _, range)| range.start);
    rows
}

fn matching(course: &Course<'_>, index: usize, passage: &Passage, group: &Group) -> Option<Made> {
    let rows = chosen(course, group);
    let span = rows.first()?.2.start..rows.last()?.2.end;
    let title = heading(passage);
    let stem = match &group.sides {
        Some((left, right)) => {
            format!("{title}: match the entries of \u{201c}{left}\u{201d} with those of \u{201c}{right}\u{201d}.")
        }
        None => format!("{title}: match each item with what it does or means."),
    };
    let pairs = rows.iter().map(|(name, said, _)| (name.clone(), said.clone())).collect();
    Some(Made {
        stem,
        kind: Kind::Matching(pairs),
        about: format!("match {title} {}", span.start),
        passage: index,
        span,
        worth: 2.0,
        bloom: None,
        generated: false,
    })
}

/// One row of a list as a question of its own.
fn entry(course: &Course<'_>, index: usize, passage: &Passage, group: &Group) -> Option<Made> {
    let taken: HashSet<&str> = chosen(course, group).iter().map(|(name, _, _)| name.as_str()).collect();
    let mut rows: Vec<_> = group.rows.iter().filter(|(_, said, _)| said.split_whitespace().count() >= 2).collect();
    rows.sort_by_key(|(name, said, _)| (taken.contains(name.as_str()), mix(course.seed ^ 1, &format!("{name}{said}"))));
    let (name, said, span) = rows.first()?;
    let mut options = vec![Choice { text: name.clone(), right: true, why: format!("\u{201c}{said}\u{201d}") }];
    for (other, what, _) in rows.iter().skip(1) {
        let close = fold(what).split(' ').filter(|stem| fold(said).split(' ').any(|own| own == *stem)).count() > 1;
        if options.len() < 4 && !close {
            options.push(Choice {
                text: other.clone(),
                right: false,
                why: format!("The course says of it: \u{201c}{what}\u{201d}"),
            });
        }
    }
    if options.len() < 3 {
        return None;
    }
    let title = heading(passage);
    options.sort_by_key(|option| mix(course.seed, &format!("{said}{}", option.text)));
    let stem = match &group.sides {
        Some((_, right)) => {
            format!(
                "{title}: for which of these does the course give \u{201c}{said}\u{201d} as {}?",
                lower_first(right)
            )
        }
        None => format!("{title}: which one is described as \u{201c}{}\u{201d}?", upper_first(said)),
    };
    Some(Made {
        stem,
        kind: Kind::One(options),
        about: format!("entry {title} {name}"),
        passage: index,
        span: span.clone(),
        worth: 1.5,
        bloom: None,
        generated: false,
    })
}

/// Numbered steps, where the words before them promise an order.
fn ordering(index: usize, passage: &Passage) -> Option<Made> {
    const PROMISES: &[&str] =
        &["step", "steps", "order", "plan", "process", "procedure", "sequence", "stages", "phases"];
    let mut steps: Vec<(String, Range<usize>)> = Vec::new();
    let mut intro = "";
    let mut before = "";
    for (line, range) in lines(&passage.chunk.text) {
        let number =
            line.split_once(['.', ')']).and_then(|(number, step)| Some((number.parse::<usize>().ok()?, step.trim())));
        match number {
            Some((number, step)) if number == steps.len() + 1 => {
                if number == 1 {
                    intro = before;
                }
                steps.push((step.trim_end_matches('.').to_owned(), range));
            }
            _ if steps.len() >= 3 => break,
            _ if !line.trim().is_empty() => {
                before = line;
                steps.clear();
            }
            _ => {}
        }
    }
    if steps.last().is_some_and(|(step, _)| step.starts_with("Repeat")) {
        steps.pop();
    }
    if steps.iter().any(|(step, _)| step.starts_with("If it")) {
        return None;
    }
    let promised = intro.ends_with(':')
        && intro.split_whitespace().rev().take(14).any(|word| PROMISES.contains(&bare(word).as_str()));
    let distinct: HashSet<String> = steps.iter().map(|(step, _)| step.to_lowercase()).collect();
    if !(3..=7).contains(&steps.len()) || !promised || distinct.len() != steps.len() {
        return None;
    }
    let span = steps.first()?.1.start..steps.last()?.1.end;
    let title = heading(passage);
    Some(Made {
        stem: format!("{title}: put the steps into the order that the course gives."),
        kind: Kind::Ordering(steps.into_iter().map(|(step, _)| step).collect()),
        about: format!("order {title}"),
        passage: index,
        span,
        worth: 1.9,
        bloom: None,
        generated: false,
    })
}
