//! Which lesson needs which: an instructor's word, links back, first definitions; never a circle.

use std::collections::{HashMap, HashSet};

use domain::LessonId;
use domain::recommendation::{Prerequisite, PrerequisiteOrigin};
use store::sql::learning::Edit;

/// A term must be used so often before the lesson that defines it counts as needed.
pub const USES: usize = 3;
/// Lessons that are needed for their terms: the strongest only, or everything would need everything.
const BY_TERMS: usize = 3;

/// A lesson as prerequisites are suggested from it; lessons come in the order of the course.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Indices of lessons that it links to, with the linked words.
    pub links: Vec<(usize, String)>,
    /// Terms that it is the first to stress.
    pub defines: Vec<String>,
    /// How often it uses terms that others define: defining lesson, term, count.
    pub uses: Vec<(usize, String, usize)>,
}

/// What each lesson needs, by suggestion alone; every edge points back in the order of the course.
#[must_use]
pub fn suggestions(lessons: &[LessonId], pages: &[Page]) -> Vec<Prerequisite> {
    let mut all = Vec::new();
    for (at, (lesson, page)) in lessons.iter().zip(pages).enumerate() {
        let mut found: Vec<(usize, PrerequisiteOrigin, Vec<String>)> = Vec::new();
        for (to, text) in page.links.iter().filter(|(to, _)| *to < at) {
            match found.iter_mut().find(|(known, _, _)| known == to) {
                Some((_, _, evidence)) if !evidence.contains(text) => evidence.push(text.clone()),
                Some(_) => {}
                None => found.push((*to, PrerequisiteOrigin::Link, vec![text.clone()])),
            }
        }
        let mut by_terms: HashMap<usize, (usize, Vec<String>)> = HashMap::new();
        for (to, term, count) in page.uses.iter().filter(|(to, _, count)| *to < at && *count >= USES) {
            let entry = by_terms.entry(*to).or_default();
            entry.0 += count;
            entry.1.push(term.clone());
        }
        let mut by_terms: Vec<(usize, (usize, Vec<String>))> =
            by_terms.into_iter().filter(|(to, _)| found.iter().all(|(known, _, _)| known != to)).collect();
        by_terms.sort_by_key(|(to, (count, _))| (std::cmp::Reverse(*count), *to));
        found.extend(by_terms.into_iter().take(BY_TERMS).map(|(to, (_, terms))| (to, PrerequisiteOrigin::Term, terms)));
        found.sort_by_key(|(to, _, _)| *to);
        all.extend(found.into_iter().filter_map(|(to, origin, evidence)| {
            let needs = *lessons.get(to)?;
            Some(Prerequisite { lesson: *lesson, needs, origin, evidence, required: true })
        }));
    }
    all
}

/// Suggestions and an instructor's edits together. The edits win: a suggestion that would close a circle with them
/// is left out, and one that they take away stays in the list, marked as not required.
#[must_use]
pub fn settled(lessons: &[LessonId], suggested: &[Prerequisite], edits: &[Edit]) -> Vec<Prerequisite> {
    let place: HashMap<LessonId, usize> = lessons.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let known = |edit: &&Edit| place.contains_key(&edit.lesson) && place.contains_key(&edit.needs);
    let mut settled: Vec<Prerequisite> = Vec::new();
    let mut needs: HashMap<LessonId, Vec<LessonId>> = HashMap::new();
    for edit in edits.iter().filter(known) {
        // Rows are checked when they are written; whatever came later by other ways must not close a circle either.
        let required = edit.required && !reaches(&needs, edit.needs, edit.lesson);
        if required {
            needs.entry(edit.lesson).or_default().push(edit.needs);
        }
        let same = |one: &&Prerequisite| one.lesson == edit.lesson && one.needs == edit.needs;
        let evidence = suggested.iter().find(same).map(|one| one.evidence.clone()).unwrap_or_default();
        let (lesson, origin) = (edit.lesson, PrerequisiteOrigin::Instructor);
        settled.push(Prerequisite { lesson, needs: edit.needs, origin, evidence, required });
    }
    let edited: HashSet<(LessonId, LessonId)> = edits.iter().map(|edit| (edit.lesson, edit.needs)).collect();
    for one in suggested.iter().filter(|one| !edited.contains(&(one.lesson, one.needs))) {
        if !reaches(&needs, one.needs, one.lesson) {
            needs.entry(one.lesson).or_default().push(one.needs);
            settled.push(one.clone());
        }
    }
    let at = |id: &LessonId| place.get(id).copied().unwrap_or(usize::MAX);
    settled.sort_by_key(|one| (at(&one.lesson), at(&one.needs)));
    settled
}

/// Whether `from` needs `to`, directly or by way of others.
#[must_use]
pub fn reaches(needs: &HashMap<LessonId, Vec<LessonId>>, from: LessonId, to: LessonId) -> bool {
    let (mut open, mut seen) = (vec![from], HashSet::new());
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            open.extend(needs.get(&at).into_iter().flatten());
        }
    }
    false
}

/// The required prerequisites of each lesson.
#[must_use]
pub fn required(settled: &[Prerequisite]) -> HashMap<LessonId, Vec<LessonId>> {
    let mut needs: HashMap<LessonId, Vec<LessonId>> = HashMap::new();
    for one in settled.iter().filter(|one| one.required) {
        needs.entry(one.lesson).or_default().push(one.needs);
    }
    needs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(count: u128) -> Vec<LessonId> {
        (1..=count).map(|number| LessonId(uuid::Uuid::from_u128(number))).collect()
    }

    fn link(to: usize) -> Page {
        Page { links: vec![(to, "there".into())], ..Page::default() }
    }

    #[test]
    fn a_link_back_and_a_term_used_often_are_prerequisites_and_a_link_ahead_is_none() {
        let lessons = ids(3);
        let pages =
            [link(2), Page { uses: vec![(0, "alias".into(), 3), (0, "tone".into(), 2)], ..Page::default() }, link(0)];
        let found = suggestions(&lessons, &pages);
        let edges: Vec<_> = found.iter().map(|one| (one.lesson, one.needs, one.origin)).collect();
        assert_eq!(
            edges,
            [(lessons[1], lessons[0], PrerequisiteOrigin::Term), (lessons[2], lessons[0], PrerequisiteOrigin::Link)]
        );
        assert_eq!(found[0].evidence, ["alias"]);
    }

    #[test]
    fn an_instructor_wins_over_suggestions() {
        let lessons = ids(2);
        let suggested = suggestions(&lessons, &[Page::default(), link(0)]);
        let away = Edit { lesson: lessons[1], needs: lessons[0], required: false };
        let settled_away = settled(&lessons, &suggested, &[away]);
        assert_eq!(settled_away.len(), 1);
        assert!(!settled_away[0].required && required(&settled_away).is_empty());
        let around = Edit { lesson: lessons[0], needs: lessons[1], required: true };
        let turned = required(&settled(&lessons, &suggested, &[around]));
        assert_eq!(turned, HashMap::from([(lessons[0], vec![lessons[1]])]));
    }

    proptest! {
        #[test]
        fn no_prerequisites_ever_form_a_circle(
            links in proptest::collection::vec((0_usize..8, 0_usize..8), 0..30),
            edits in proptest::collection::vec((0_usize..8, 0_usize..8, any::<bool>()), 0..20),
        ) {
            let lessons = ids(8);
            let mut pages = vec![Page::default(); 8];
            for (from, to) in links {
                pages[from].links.push((to, "x".into()));
            }
            let edits: Vec<Edit> = edits.into_iter().filter(|(a, b, _)| a != b)
                .map(|(a, b, required)| Edit { lesson: lessons[a], needs: lessons[b], required }).collect();
            let needs = required(&settled(&lessons, &suggestions(&lessons, &pages), &edits));
            for lesson in &lessons {
                for before in needs.get(lesson).into_iter().flatten() {
                    prop_assert!(!reaches(&needs, *before, *lesson), "a circle through {lesson}");
                }
            }
        }
    }
}
