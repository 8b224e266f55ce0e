//! Whether closeness in content finds the pages that an author linked, and how simulated learners fare.
//!
//! Every link between two pages is held back: the ranking sees no link, and the linked words are taken out of the
//! page that links before words are compared. (The vectors were made of the whole text; a link is a few of its words.)

use std::collections::{BTreeMap, HashMap};

use domain::DocumentId;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use recommender::map::{CourseMap, Rows};

use crate::run::{Ports, SuiteReport};
use crate::simulated;
use crate::stats::{self, ndcg};
use crate::{Error, Result};

/// The rankings that are compared, ours first.
const METHODS: [&str; 6] = ["ours", "vectors", "words", "popularity", "neighbours", "random"];
const SEED: u64 = 20_260_702;

/// Measures both and writes the figures into the report.
pub(crate) async fn measure(ports: &Ports, report: &mut SuiteReport) -> Result<()> {
    let rows = Rows::read(&ports.store, ports.scope).await?;
    let vectors = match &rows.model {
        Some(model) => Some(ports.scan.course_vectors(&ports.scope, model).await?),
        None => None,
    };
    let whole = rows.map(vectors.as_deref());
    links(report, &without_linked_words(rows).map(vectors.as_deref()))?;
    simulated::measure(report, &whole);
    Ok(())
}

/// Ranks the target of each link among all other pages.
fn links(report: &mut SuiteReport, map: &CourseMap) -> Result<()> {
    let links = map.links();
    let pages = map.places().len();
    if links.is_empty() {
        return Err(Error::Damaged { what: "course".into(), reason: "its pages do not link to each other".into() });
    }
    report.numbers.insert("links held back".into(), links.len() as f64);
    report.numbers.insert("pages".into(), pages as f64);
    let mut cited: HashMap<usize, f64> = HashMap::new();
    links.iter().for_each(|(_, to)| *cited.entry(*to).or_default() += 1.0);
    let mut rng = StdRng::seed_from_u64(SEED);
    let mut ranks: BTreeMap<&str, Vec<(usize, bool)>> = BTreeMap::new();
    for (from, to) in &links {
        let drawn: Vec<f64> = (0..pages).map(|_| rng.random_range(0.0..1.0)).collect();
        for method in METHODS {
            let score = |page: usize| match method {
                "ours" => map.similarity(*from, page),
                "vectors" => map.cosine(*from, page).unwrap_or_default(),
                "words" => map.shared_words(*from, page),
                // The link that is asked for does not count for its own target.
                "popularity" => cited.get(&page).copied().unwrap_or_default() - f64::from(u8::from(page == *to)),
                "neighbours" => -(from.abs_diff(page) as f64),
                _ => drawn.get(page).copied().unwrap_or_default(),
            };
            let own = score(*to);
            // Of equal scores the target comes last: a ranking gets nothing for not telling pages apart.
            let before = (0..pages).filter(|page| page != from && page != to && score(*page) >= own).count();
            ranks.entry(method).or_default().push((before + 1, to < from));
        }
    }
    for (method, ranks) in &ranks {
        let of = |value: &dyn Fn(usize) -> f64| ranks.iter().map(|(rank, _)| value(*rank)).collect::<Vec<_>>();
        let within = |most: usize| of(&|rank| f64::from(u8::from(rank <= most)));
        report.metrics.insert(format!("{method}.hr@10"), stats::mean(&within(10)));
        report.metrics.insert(format!("{method}.hr@3"), stats::mean(&within(3)));
        report.metrics.insert(format!("{method}.ndcg@10"), stats::mean(&of(&|rank| ndcg(&[rank], 1))));
        let back: Vec<f64> =
            ranks.iter().filter(|(_, back)| *back).map(|(rank, _)| f64::from(u8::from(*rank <= 10))).collect();
        report.metrics.insert(format!("{method}.hr@10 of links back"), stats::mean(&back));
    }
    Ok(())
}

/// The rows without the words that carry links, where they stand first.
fn without_linked_words(mut rows: Rows) -> Rows {
    let mut linked: HashMap<DocumentId, Vec<Vec<String>>> = HashMap::new();
    for page in &rows.pages {
        let texts =
            page.notes.links.iter().map(|link| domain::text::terms(&link.text)).filter(|terms| !terms.is_empty());
        linked.insert(page.document, texts.collect());
    }
    for passage in &mut rows.terms {
        let Some(texts) = linked.get_mut(&passage.document) else { continue };
        let mut words: Vec<String> = passage.terms.split(' ').map(str::to_owned).collect();
        texts.retain(|text| {
            let found = words.windows(text.len()).position(|window| window == text.as_slice());
            if let Some(at) = found {
                words.drain(at..at + text.len());
            }
            found.is_none()
        });
        passage.terms = words.join(" ");
    }
    rows
}
