//! What the recommender knows of a course, the same for every learner: order, lengths, contents, suggestions.

use std::collections::{BTreeSet, HashMap};

use domain::course::Lesson;
use domain::recommendation::Prerequisite;
use domain::{ChunkId, DocumentId, LessonId, SourceId, text};
use store::sql::learning::{self, Page, Terms};
use store::vector::CourseVectors;
use store::{Scope, Store, sql};

use crate::graph;

/// The rows that a map is made from.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// Lessons in the order of the course.
    pub lessons: Vec<Lesson>,
    /// The documents behind them.
    pub pages: Vec<Page>,
    /// The terms of their passages.
    pub terms: Vec<Terms>,
    /// The model that made the vectors; `None` when there are none.
    pub model: Option<String>,
}

impl Rows {
    /// Reads what the scope sees.
    ///
    /// # Errors
    /// The database refuses, or a row is damaged.
    pub async fn read(store: &Store, scope: Scope) -> store::Result<Self> {
        store
            .read(move |tx| {
                Box::pin(async move {
                    Ok(Self {
                        lessons: sql::lesson::in_course(tx, scope.institution, scope.course, scope.hidden).await?,
                        pages: learning::pages(tx, &scope).await?,
                        terms: learning::terms(tx, &scope).await?,
                        model: learning::model(tx, scope.institution, scope.course).await?,
                    })
                })
            })
            .await
    }

    /// The map of these rows.
    #[must_use]
    pub fn map(&self, vectors: Option<&CourseVectors>) -> CourseMap {
        CourseMap::new(&self.lessons, &self.pages, &self.terms, vectors)
    }
}

/// Share of an ordinary text that is index terms; the rest are stop words.
const TERMS_PER_WORD: f64 = 0.55;
/// Words that a learner reads in a minute, slowly.
const WORDS_PER_MINUTE: f64 = 180.0;
/// Weight of the vectors in similarity, where there are any; the rest is shared words.
const DENSE: f64 = 0.5;

/// One lesson in the order of the course.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Which.
    pub id: LessonId,
    /// Its name.
    pub title: String,
    /// Minutes that reading it takes, at least one.
    pub minutes: f64,
    /// Terms that it is the first to stress.
    pub terms: Vec<String>,
}

/// A course as recommendations see it.
#[derive(Debug, Clone, Default)]
pub struct CourseMap {
    places: Vec<Place>,
    index: HashMap<LessonId, usize>,
    dense: Vec<Vec<f32>>,
    sparse: Vec<HashMap<String, f32>>,
    pages: Vec<graph::Page>,
}

impl CourseMap {
    /// Puts a course together from its rows; without vectors similarity is by words alone.
    #[must_use]
    pub fn new(lessons: &[Lesson], pages: &[Page], terms: &[Terms], vectors: Option<&CourseVectors>) -> Self {
        let document: HashMap<LessonId, &Page> = pages.iter().map(|page| (page.lesson, page)).collect();
        let mut words: HashMap<DocumentId, Vec<&str>> = HashMap::new();
        for passage in terms {
            words.entry(passage.document).or_default().extend(passage.terms.split(' ').filter(|term| !term.is_empty()));
        }
        let none = Vec::new();
        let tokens: Vec<&Vec<&str>> = lessons
            .iter()
            .map(|lesson| document.get(&lesson.id).and_then(|page| words.get(&page.document)).unwrap_or(&none))
            .collect();
        let graph_pages = graph_pages(lessons, &document, &tokens);
        let places = lessons
            .iter()
            .zip(&tokens)
            .zip(&graph_pages)
            .map(|((lesson, tokens), page)| Place {
                id: lesson.id,
                title: lesson.title.clone(),
                minutes: (tokens.len() as f64 / TERMS_PER_WORD / WORDS_PER_MINUTE).ceil().max(1.0),
                terms: page.defines.clone(),
            })
            .collect();
        Self {
            places,
            index: lessons.iter().enumerate().map(|(at, lesson)| (lesson.id, at)).collect(),
            dense: vectors.map_or_else(Vec::new, |vectors| pooled(lessons, &document, terms, vectors)),
            sparse: weighted(&tokens),
            pages: graph_pages,
        }
    }

    /// The lessons in order.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The number of a lesson in the order of the course, from 0.
    #[must_use]
    pub fn at(&self, lesson: LessonId) -> Option<usize> {
        self.index.get(&lesson).copied()
    }

    /// Links between lessons, in both directions of the order: from, to.
    #[must_use]
    pub fn links(&self) -> BTreeSet<(usize, usize)> {
        let from = self.pages.iter().enumerate();
        from.flat_map(|(from, page)| page.links.iter().map(move |(to, _)| (from, *to))).collect()
    }

    /// What each lesson needs, as far as links and terms tell.
    #[must_use]
    pub fn suggestions(&self) -> Vec<Prerequisite> {
        let ids: Vec<LessonId> = self.places.iter().map(|place| place.id).collect();
        graph::suggestions(&ids, &self.pages)
    }

    /// Closeness in content of two lessons, 0 to 1.
    #[must_use]
    pub fn similarity(&self, a: usize, b: usize) -> f64 {
        let shared = self.shared_words(a, b);
        self.cosine(a, b).map_or(shared, |cosine| DENSE * cosine + (1.0 - DENSE) * shared)
    }

    /// Closeness of two lessons by their weighted words alone, 0 to 1.
    #[must_use]
    pub fn shared_words(&self, a: usize, b: usize) -> f64 {
        let (Some(left), Some(right)) = (self.sparse.get(a), self.sparse.get(b)) else { return 0.0 };
        let (small, large) = if left.len() <= right.len() { (left, right) } else { (right, left) };
        let shared: f32 = small.iter().map(|(term, weight)| weight * large.get(term).copied().unwrap_or(0.0)).sum();
        f64::from(shared)
    }

    /// Cosine of the mean vectors of two lessons; `None` when one has none.
    #[must_use]
    pub fn cosine(&self, a: usize, b: usize) -> Option<f64> {
        let (left, right) = (self.dense.get(a)?, self.dense.get(b)?);
        let both = !left.is_empty() && left.len() == right.len();
        both.then(|| f64::from(left.iter().zip(right).map(|(x, y)| x * y).sum::<f32>()).clamp(0.0, 1.0))
    }
}

/// Links and terms of each lesson, by the numbers of the lessons that they concern.
fn graph_pages(lessons: &[Lesson], document: &HashMap<LessonId, &Page>, tokens: &[&Vec<&str>]) -> Vec<graph::Page> {
    let mut by_path: HashMap<(SourceId, &str), usize> = HashMap::new();
    for (at, lesson) in lessons.iter().enumerate() {
        if let Some(page) = document.get(&lesson.id) {
            by_path.entry((page.source, page.path.as_str())).or_insert(at);
        }
    }
    let mut pages = vec![graph::Page::default(); lessons.len()];
    // The stems of a term, by its first stem, with the lesson that stresses it first.
    let mut definers: HashMap<String, Vec<(Vec<String>, usize, String)>> = HashMap::new();
    for (at, lesson) in lessons.iter().enumerate() {
        let Some(page) = document.get(&lesson.id) else { continue };
        for link in &page.notes.links {
            let found =
                spellings(&link.to).into_iter().find_map(|path| by_path.get(&(page.source, path.as_str())).copied());
            if let (Some(to), Some(own)) = (found.filter(|to| *to != at), pages.get_mut(at)) {
                own.links.push((to, link.text.clone()));
            }
        }
        for term in &page.notes.terms {
            let stems = text::terms(term);
            let Some(first) = stems.first().cloned() else { continue };
            let known = definers.entry(first).or_default();
            if known.iter().all(|(other, _, _)| *other != stems) {
                known.push((stems, at, term.clone()));
                if let Some(own) = pages.get_mut(at) {
                    own.defines.push(term.clone());
                }
            }
        }
    }
    for (at, (words, page)) in tokens.iter().zip(&mut pages).enumerate() {
        let mut counts: HashMap<(usize, &String), usize> = HashMap::new();
        for (start, word) in words.iter().enumerate() {
            for (stems, definer, term) in definers.get(*word).into_iter().flatten().filter(|(_, by, _)| *by < at) {
                let here = words.get(start..start + stems.len());
                if here.is_some_and(|here| here.iter().zip(stems).all(|(word, stem)| word == stem)) {
                    *counts.entry((*definer, term)).or_default() += 1;
                }
            }
        }
        page.uses = counts.into_iter().map(|((definer, term), count)| (definer, term.clone(), count)).collect();
        page.uses.sort();
    }
    pages
}

/// The paths that a link may mean: built sites name pages `.html` or by their folder.
fn spellings(path: &str) -> Vec<String> {
    let stem = path.trim_end_matches('/');
    let mut all = vec![path.to_owned()];
    if let Some(page) = stem.strip_suffix(".html") {
        all.push(format!("{page}.md"));
        if let Some(folder) = page.strip_suffix("index") {
            all.push(format!("{folder}README.md"));
        }
    }
    all.extend(["README.md", "index.md"].map(|name| format!("{stem}/{name}")));
    all.push(format!("{stem}.md"));
    all
}

/// The mean vector of each lesson's passages, at unit length; empty where there is none.
fn pooled(
    lessons: &[Lesson],
    document: &HashMap<LessonId, &Page>,
    terms: &[Terms],
    vectors: &CourseVectors,
) -> Vec<Vec<f32>> {
    let owner: HashMap<ChunkId, DocumentId> = terms.iter().map(|one| (one.chunk, one.document)).collect();
    let mut sums: HashMap<DocumentId, Vec<f32>> = HashMap::new();
    for (at, chunk) in vectors.ids().iter().enumerate() {
        let Some(document) = owner.get(chunk) else { continue };
        let sum = sums.entry(*document).or_insert_with(|| vec![0.0; vectors.dimension()]);
        sum.iter_mut().zip(vectors.vector(at)).for_each(|(sum, value)| *sum += value);
    }
    for sum in sums.values_mut() {
        let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt();
        sum.iter_mut().filter(|_| length > 0.0).for_each(|value| *value /= length);
    }
    let of = |lesson: &Lesson| document.get(&lesson.id).and_then(|page| sums.get(&page.document)).cloned();
    lessons.iter().map(|lesson| of(lesson).unwrap_or_default()).collect()
}

/// Each lesson's terms by how telling they are (logarithmic count, inverse share of lessons), at unit length.
fn weighted(tokens: &[&Vec<&str>]) -> Vec<HashMap<String, f32>> {
    let counts: Vec<HashMap<&str, usize>> = tokens
        .iter()
        .map(|words| {
            let mut counts = HashMap::new();
            words.iter().for_each(|word| *counts.entry(*word).or_default() += 1);
            counts
        })
        .collect();
    let mut spread: HashMap<&str, usize> = HashMap::new();
    counts.iter().flat_map(HashMap::keys).for_each(|word| *spread.entry(word).or_default() += 1);
    let total = tokens.len() as f32;
    counts
        .into_iter()
        .map(|counts| {
            let mut weights: HashMap<String, f32> = counts
                .into_iter()
                .map(|(word, count)| {
                    let rare = ((total + 1.0) / (spread.get(word).copied().unwrap_or(1) as f32 + 0.5)).ln().max(0.0);
                    (word.to_owned(), (1.0 + (count as f32).ln()) * rare)
                })
                .collect();
            let length = weights.values().map(|weight| weight * weight).sum::<f32>().sqrt();
            weights.values_mut().filter(|_| length > 0.0).for_each(|weight| *weight /= length);
            weights
        })
        .collect()
}
