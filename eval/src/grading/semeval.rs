//! SemEval-2013 task 7 from a folder: `sciEntsBank` and `beetle` with one XML file a question.
//!
//! Right or not, ten folds by question over both sets together: the product has one set of weights for all courses.

use std::collections::BTreeMap;
use std::path::Path;

use assistant::grade::features::{EMBEDDING, WORDS};
use assistant::grade::{Flag, Item, Measured, Vectors, measured, propose_with};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Judged, fit, shipped, shuffled, truth};
use crate::run::SuiteReport;
use crate::{Error, Result, stats};

const SETS: [&str; 2] = ["sciEntsBank", "beetle"];
const FOLDS: usize = 10;
/// Graded answers a question for the learning curve, and how often they are drawn.
const CURVE: [usize; 3] = [5, 10, 20];
const DRAWS: u64 = 3;
/// A question takes part in the curve when at least this many answers are left to judge.
const LEFT: usize = 10;

/// One question.
#[derive(Default)]
pub(super) struct Question {
    set: usize,
    text: String,
    references: Vec<String>,
    answers: Vec<(String, bool)>,
}

impl Question {
    pub(super) fn items(&self) -> impl Iterator<Item = Item> {
        self.answers.iter().map(|(answer, _)| Item {
            id: String::new(),
            question: self.text.clone(),
            reference: String::new(),
            references: self.references.clone(),
            answer: answer.clone(),
            max: 1.0,
            graded: Vec::new(),
        })
    }
}

/// Every question of both sets, by file name.
pub(super) fn read(folder: &Path) -> Result<Vec<Question>> {
    let damaged = |path: &Path, reason: String| Error::Damaged { what: path.display().to_string(), reason };
    let mut questions = Vec::new();
    for (set, name) in SETS.iter().enumerate() {
        let folder = folder.join(name);
        let entries = std::fs::read_dir(&folder).map_err(|error| damaged(&folder, error.to_string()))?;
        let mut files: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "xml"));
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(|error| damaged(&file, error.to_string()))?;
            questions.push(parse(&text, set).map_err(|reason| damaged(&file, reason))?);
        }
    }
    Ok(questions)
}

fn parse(xml: &str, set: usize) -> Result<Question, String> {
    let mut reader = Reader::from_str(xml);
    let (mut question, mut text, mut right) = (Question { set, ..Question::default() }, String::new(), false);
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => {
                text.clear();
                right = correct(&start)?;
            }
            Event::Text(piece) => text.push_str(&piece),
            Event::GeneralRef(entity) => match entity.resolve_char_ref() {
                Ok(Some(c)) => text.push(c),
                _ => text.push_str(quick_xml::escape::resolve_predefined_entity(&entity).unwrap_or_default()),
            },
            Event::End(end) => {
                let said = text.trim().to_owned();
                match end.name().as_ref() {
                    "questionText" => question.text = said,
                    "referenceAnswer" => question.references.push(said),
                    "studentAnswer" => question.answers.push((said, right)),
                    _ => {}
                }
                text.clear();
            }
            Event::Eof => return Ok(question),
            _ => {}
        }
    }
}

fn correct(start: &BytesStart) -> Result<bool, String> {
    let found = start.try_get_attribute("accuracy").map_err(|error| error.to_string())?;
    Ok(found.is_some_and(|attribute| attribute.value.as_ref() == "correct"))
}

/// Every figure that these answers give.
pub(super) fn measure(name: &str, questions: &[Question], vectors: Option<&Vectors>, report: &mut SuiteReport) {
    let answers: Vec<Judged> = questions
        .iter()
        .enumerate()
        .flat_map(|(number, question)| {
            question.items().zip(&question.answers).map(move |(item, (answer, right))| Judged {
                question: number,
                measured: measured(&item, answer, vectors),
                share: truth(*right),
            })
        })
        .collect();
    let set = |one: &Judged| questions.get(one.question).map_or(0, |question| question.set);
    let mut fold = vec![0; questions.len()];
    shuffled(questions.len(), 1).into_iter().zip((0..FOLDS).cycle()).for_each(|(question, number)| {
        if let Some(place) = fold.get_mut(question) {
            *place = number;
        }
    });
    let out = |number: usize, one: &Judged| fold.get(one.question) == Some(&number);
    let trained =
        |keep: &dyn Fn(&Judged) -> bool| fit::fit(&answers.iter().filter(|one| keep(one)).collect::<Vec<_>>());
    let weights: Vec<Vec<f64>> = (0..FOLDS).map(|number| trained(&|one| !out(number, one))).collect();
    let of =
        |one: &Judged| fold.get(one.question).and_then(|number| weights.get(*number)).map_or(&[][..], Vec::as_slice);
    for (index, label) in SETS.iter().enumerate() {
        let these: Vec<&Judged> = answers.iter().filter(|one| set(one) == index).collect();
        let figures = |how: &str, shares: Vec<f64>, report: &mut SuiteReport| {
            let pairs: Vec<(f64, bool)> = shares.into_iter().zip(these.iter().map(|one| one.share >= 0.5)).collect();
            judge(&format!("{name}{label}"), how, &pairs, report);
        };
        figures("", these.iter().map(|one| one.measured.cold(of(one))).collect(), report);
        let own: Vec<Vec<f64>> =
            (0..FOLDS).map(|number| trained(&|one| set(one) == index && !out(number, one))).collect();
        let own_of = |one: &Judged| fold.get(one.question).and_then(|n| own.get(*n)).map_or(&[][..], Vec::as_slice);
        figures(", fitted on it alone", these.iter().map(|one| one.measured.cold(own_of(one))).collect(), report);
        let other = trained(&|one| set(one) != index);
        figures(", fitted on the other", these.iter().map(|one| one.measured.cold(&other)).collect(), report);
        let ours = shipped(vectors.is_some());
        figures(", shipped (saw it)", these.iter().map(|one| one.measured.cold(ours)).collect(), report);
        curve(&format!("{name}{label}"), &these, &of, report);
    }
    let flags: Vec<(bool, bool)> = questions
        .iter()
        .flat_map(|question| question.items().zip(&question.answers))
        .filter_map(|(item, (_, right))| {
            let proposal = propose_with(&item, vectors).ok()?;
            Some((*right, proposal.flags.iter().any(|flag| *flag != Flag::NeedsLook)))
        })
        .collect();
    for (which, wanted) in [("right", true), ("wrong", false)] {
        let these: Vec<f64> =
            flags.iter().filter(|(right, _)| *right == wanted).map(|(_, flagged)| truth(*flagged)).collect();
        report
            .numbers
            .insert(format!("{name}both sets: {which} answers with a flag beyond needs_look"), stats::average(&these));
    }
    let all = trained(&|_| true);
    let names: &[&str] = if vectors.is_some() { &EMBEDDING } else { &WORDS };
    for ((place, weight), what) in (0..).zip(&all).zip(std::iter::once(&"bias").chain(names)) {
        report.numbers.insert(format!("{name}weight {place:02} ({what})"), *weight);
    }
}

/// Accuracy, F1, routing, calibration and what wrong answers are given.
fn judge(label: &str, how: &str, pairs: &[(f64, bool)], report: &mut SuiteReport) {
    let hit: Vec<f64> = pairs.iter().map(|(share, right)| truth((*share >= 0.5) == *right)).collect();
    if !how.is_empty() {
        report.numbers.insert(format!("{label}: accuracy{how}"), stats::average(&hit));
        return;
    }
    report.metrics.insert(format!("{label}.accuracy"), stats::mean(&hit));
    let f1 = |of: bool| {
        let count = |test: &dyn Fn(bool, bool) -> bool| {
            pairs.iter().filter(|(share, right)| test(*share >= 0.5, *right)).count()
        };
        let both = count(&|said, right| said == of && right == of) as f64;
        2.0 * both / (count(&|said, _| said == of) + count(&|_, right| right == of)).max(1) as f64
    };
    let mut number = |what: &str, value: f64| report.numbers.insert(format!("{label}: {what}"), value);
    number("answers", pairs.len() as f64);
    number("share of right answers", stats::average(&pairs.iter().map(|(_, right)| truth(*right)).collect::<Vec<_>>()));
    number("F1, mean of both classes", (f1(true) + f1(false)) / 2.0);
    let mut sure: Vec<(f64, f64)> =
        pairs.iter().zip(&hit).map(|((share, _), hit)| ((share - 0.5).abs(), *hit)).collect();
    sure.sort_by(|a, b| b.0.total_cmp(&a.0));
    for part in [30, 50, 70, 100] {
        let most: Vec<f64> = sure.iter().take(sure.len() * part / 100).map(|one| one.1).collect();
        number(&format!("accuracy of the surest {part:03} %"), stats::average(&most));
    }
    let wrong: Vec<f64> = pairs.iter().filter(|(_, right)| !right).map(|(share, _)| *share).collect();
    number("mean share proposed for wrong answers", stats::average(&wrong));
    let above = |least: f64| stats::average(&wrong.iter().map(|share| truth(*share >= least)).collect::<Vec<_>>());
    number("wrong answers proposed half the points or more", above(0.5));
    number("wrong answers proposed as met", above(0.75));
    let good: Vec<f64> = pairs.iter().filter(|(_, right)| *right).map(|(share, _)| *share).collect();
    number("mean share proposed for right answers", stats::average(&good));
    number("expected calibration error", calibration(pairs));
}

/// Mean distance of share and frequency over ten bands, by their answers.
fn calibration(pairs: &[(f64, bool)]) -> f64 {
    let mut bands: BTreeMap<u8, Vec<(f64, f64)>> = BTreeMap::new();
    for (share, right) in pairs {
        let band = (0..10).rev().find(|band| *share >= f64::from(*band) / 10.0).unwrap_or(0);
        bands.entry(band).or_default().push((*share, truth(*right)));
    }
    let gap = |band: &Vec<(f64, f64)>| band.iter().map(|(share, right)| share - right).sum::<f64>().abs();
    bands.values().map(gap).sum::<f64>() / pairs.len().max(1) as f64
}

/// What a few graded answers a question add, on the same answers left over.
fn curve<'a>(label: &str, these: &[&'a Judged], of: &dyn Fn(&Judged) -> &'a [f64], report: &mut SuiteReport) {
    let mut by_question: BTreeMap<usize, Vec<&Judged>> = BTreeMap::new();
    these.iter().for_each(|one| by_question.entry(one.question).or_default().push(one));
    for n in CURVE {
        let (mut cold, mut warm) = (Vec::new(), Vec::new());
        for (number, answers) in by_question.iter().filter(|(_, answers)| answers.len() >= n + LEFT) {
            for draw in 0..DRAWS {
                let order = shuffled(answers.len(), draw * 10_000 + *number as u64);
                let picked: Vec<&Judged> = order.iter().filter_map(|at| answers.get(*at).copied()).collect();
                let (graded, left) = picked.split_at(n.min(picked.len()));
                let graded: Vec<(&Measured, f64)> = graded.iter().map(|one| (&one.measured, one.share)).collect();
                for one in left {
                    let hit = |share: f64| truth((share >= 0.5) == (one.share >= 0.5));
                    cold.push(hit(one.measured.cold(of(one))));
                    warm.push(hit(one.measured.shifted(of(one), &graded)));
                }
            }
        }
        report.numbers.insert(format!("{label}: accuracy, {n:02} graded a question"), stats::average(&warm));
        report
            .numbers
            .insert(format!("{label}: accuracy, {n:02} graded a question, cold on the same"), stats::average(&cold));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_with_its_references_and_answers() {
        let xml = r#"<question id="q"><questionText>Why &amp; how?</questionText><referenceAnswers>
            <referenceAnswer id="a">So.</referenceAnswer><referenceAnswer category="BEST">Thus.</referenceAnswer>
            </referenceAnswers><studentAnswers><studentAnswer accuracy="correct"> It is so. </studentAnswer>
            <studentAnswer accuracy="contradictory">Not.</studentAnswer></studentAnswers></question>"#;
        let found = parse(xml, 1).unwrap_or_default();
        assert_eq!((found.text.as_str(), found.references.len()), ("Why & how?", 2));
        assert_eq!(found.answers, [("It is so.".to_owned(), true), ("Not.".to_owned(), false)]);
    }

    #[test]
    fn shares_that_come_true_are_calibrated() {
        let pairs: Vec<(f64, bool)> = (0..10).map(|i| (0.7, i < 7)).collect();
        assert!(calibration(&pairs) < 1e-9);
        assert!((calibration(&[(0.9, false)]) - 0.9).abs() < 1e-9);
    }
}
