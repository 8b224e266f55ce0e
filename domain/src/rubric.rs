//! Rubrics: what a submission is judged by. A change makes a new version; grades name theirs.

use serde::{Deserialize, Serialize};

use crate::question::{Body, Draft};
use crate::{Error, QuestionId};

/// Most criteria of a rubric.
pub const MOST_CRITERIA: usize = 30;
/// Most levels of a criterion.
pub const MOST_LEVELS: usize = 10;
/// Longest text of a criterion, characters.
const LONGEST: usize = 4_000;

/// A step of a criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Level {
    /// Name within the criterion.
    pub id: String,
    /// For people.
    pub title: String,
    /// Share of the criterion's points, 0 to 1.
    pub share: f64,
}

/// One thing that is looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Criterion {
    /// Name within the rubric.
    pub id: String,
    /// For people.
    pub title: String,
    /// What is looked at.
    #[serde(default)]
    pub description: String,
    /// What a full answer says; without it only a person or a language model can judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Its weight beside the other criteria, above 0.
    pub points: f64,
    /// From best to worst.
    pub levels: Vec<Level>,
}

impl Criterion {
    /// The level of that id.
    #[must_use]
    pub fn level(&self, id: &str) -> Option<&Level> {
        self.levels.iter().find(|level| level.id == id)
    }

    /// The highest level whose share is not above `share`: what was shown is never rounded up.
    #[must_use]
    pub fn level_for(&self, share: f64) -> Option<&Level> {
        let below = self.levels.iter().filter(|level| level.share <= share + 1e-9);
        below
            .max_by(|a, b| a.share.total_cmp(&b.share))
            .or_else(|| self.levels.iter().min_by(|a, b| a.share.total_cmp(&b.share)))
    }
}

/// A rubric of a question in one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rubric {
    /// Whose.
    pub question: QuestionId,
    /// 0 for what the question itself implies, 1 for the first that somebody wrote.
    pub version: i64,
    /// In order.
    pub criteria: Vec<Criterion>,
}

/// Full, in part, not.
#[must_use]
pub fn three_levels() -> Vec<Level> {
    let level = |id: &str, title: &str, share: f64| Level { id: id.into(), title: title.into(), share };
    vec![level("full", "Met", 1.0), level("half", "Met in part", 0.5), level("none", "Not met", 0.0)]
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Rubric {
    /// What a question implies as long as nobody wrote a rubric: one criterion, agreement with its reference.
    #[must_use]
    pub fn implied(question: QuestionId, draft: &Draft) -> Self {
        let reference = match &draft.body {
            Body::ShortAnswer(body) => {
                // A line is an answer that is accepted by itself.
                let all: Vec<String> = body.reference.iter().chain(&body.accepted).map(|text| one_line(text)).collect();
                Some(all.join("\n"))
            }
            Body::Essay(body) => body.reference.as_deref().map(one_line),
            _ => None,
        };
        let criterion = Criterion {
            id: "answer".into(),
            title: "Answers the question".into(),
            description: String::new(),
            reference: reference.filter(|text| !text.trim().is_empty()),
            points: 1.0,
            levels: three_levels(),
        };
        Self { question, version: 0, criteria: vec![criterion] }
    }

    /// The criterion of that id.
    #[must_use]
    pub fn criterion(&self, id: &str) -> Option<&Criterion> {
        self.criteria.iter().find(|criterion| criterion.id == id)
    }

    /// Share of all points for these shares by criterion, 0 to 1; nothing unless each criterion has exactly one.
    #[must_use]
    pub fn share(&self, shares: &[(String, f64)]) -> Option<f64> {
        let whole: f64 = self.criteria.iter().map(|criterion| criterion.points).sum();
        if shares.len() != self.criteria.len() || whole <= 0.0 {
            return None;
        }
        let mut sum = 0.0;
        for criterion in &self.criteria {
            let (_, share) = shares.iter().find(|(id, _)| *id == criterion.id)?;
            sum += share.clamp(0.0, 1.0) * criterion.points;
        }
        Some((sum / whole).clamp(0.0, 1.0))
    }

    /// Checks what somebody wrote.
    ///
    /// # Errors
    /// The field that is out of range, empty or not unique, with what it should be.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |field: String, message: String| Err(Error::invalid(&field, "INVALID_RUBRIC", message));
        if self.criteria.is_empty() || self.criteria.len() > MOST_CRITERIA {
            return wrong("criteria".into(), format!("a rubric has 1 to {MOST_CRITERIA} criteria"));
        }
        let mut ids = std::collections::HashSet::new();
        for (place, one) in self.criteria.iter().enumerate() {
            let field = |name: &str| format!("criteria[{place}].{name}");
            if one.id.trim().is_empty() || !ids.insert(one.id.as_str()) {
                return wrong(field("id"), format!("the id \"{}\" is empty or not unique", one.id));
            }
            if one.title.trim().is_empty() {
                return wrong(field("title"), "a criterion has a title".into());
            }
            if [&one.title, &one.description, one.reference.as_ref().unwrap_or(&String::new())]
                .iter()
                .any(|text| text.chars().count() > LONGEST)
            {
                return wrong(field("description"), format!("a criterion's texts have at most {LONGEST} characters"));
            }
            if !one.points.is_finite() || one.points <= 0.0 || one.points > 1_000.0 {
                return wrong(field("points"), "points are above 0 and at most 1000".into());
            }
            check_levels(one, &field("levels"))?;
        }
        Ok(())
    }
}

fn check_levels(criterion: &Criterion, field: &str) -> Result<(), Error> {
    let wrong = |message: String| Err(Error::invalid(field, "INVALID_RUBRIC", message));
    if criterion.levels.len() < 2 || criterion.levels.len() > MOST_LEVELS {
        return wrong(format!("a criterion has 2 to {MOST_LEVELS} levels"));
    }
    let mut ids = std::collections::HashSet::new();
    if !criterion.levels.iter().all(|level| !level.id.trim().is_empty() && ids.insert(level.id.as_str())) {
        return wrong("the ids of levels are not empty and unique".into());
    }
    if !criterion.levels.iter().all(|level| (0.0..=1.0).contains(&level.share)) {
        return wrong("a level's share is 0 to 1".into());
    }
    let holds = |share: f64| criterion.levels.iter().any(|level| (level.share - share).abs() < f64::EPSILON);
    if !holds(1.0) || !holds(0.0) {
        return wrong("one level has the share 1 and one the share 0".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rubric(points: &[f64]) -> Rubric {
        let criteria = points.iter().enumerate().map(|(place, points)| Criterion {
            id: format!("c{place}"),
            title: "Looks".into(),
            description: String::new(),
            reference: None,
            points: *points,
            levels: three_levels(),
        });
        Rubric { question: QuestionId::fresh(), version: 1, criteria: criteria.collect() }
    }

    #[test]
    fn the_share_is_weighted_and_never_above_the_cap() {
        let two = rubric(&[3.0, 1.0]);
        let share = |a: f64, b: f64| two.share(&[("c0".into(), a), ("c1".into(), b)]).unwrap();
        assert!((share(1.0, 0.0) - 0.75).abs() < 1e-9);
        assert!((share(9.0, 7.0) - 1.0).abs() < 1e-9, "shares above 1 are cut");
        assert!(share(-3.0, f64::MIN).abs() < 1e-9);
        assert_eq!(two.share(&[("c0".into(), 1.0)]), None, "a criterion is missing");
        assert_eq!(two.share(&[("c0".into(), 1.0), ("c0".into(), 1.0)]), None, "one twice, one missing");
    }

    #[test]
    fn a_rubric_that_cannot_be_used_is_refused_by_field() {
        assert!(rubric(&[1.0]).check().is_ok());
        for points in [0.0, -1.0, f64::NAN, f64::INFINITY, 1001.0] {
            assert!(rubric(&[1.0, points]).check().is_err(), "{points}");
        }
        assert!(rubric(&[]).check().is_err());
        let mut same = rubric(&[1.0, 1.0]);
        same.criteria[1].id = "c0".into();
        assert!(same.check().is_err());
        let mut no_zero = rubric(&[1.0]);
        no_zero.criteria[0].levels.pop();
        assert!(no_zero.check().is_err());
    }

    #[test]
    fn a_share_between_levels_is_never_rounded_up() {
        let one = rubric(&[1.0]).criteria.remove(0);
        for (share, level) in [(0.0, "none"), (0.49, "none"), (0.5, "half"), (0.99, "half"), (1.0, "full")] {
            assert_eq!(one.level_for(share).unwrap().id, level, "{share}");
        }
    }
}
