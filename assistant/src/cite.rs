//! Citations: made from rows alone and verified against rows before anybody sees them.
//!
//! No text of a model comes in here. A quote is one sentence of a stored passage, or several that
//! follow each other; its locator is what the store says about those sentences.

use domain::chunk::Sentence;
use domain::tutor::Citation;
use store::sql::chunk::StoredChunk;

/// The citation of sentence `index` of a passage.
#[must_use]
pub fn of_sentence(chunk: &StoredChunk, index: usize) -> Option<Citation> {
    let sentence = chunk.chunk.sentences.get(index)?;
    let quote = chunk.chunk.sentence_text(sentence);
    (!quote.trim().is_empty()).then(|| Citation {
        source_path: chunk.source_path.clone(),
        heading_path: chunk.chunk.heading_path.clone(),
        locator: sentence.locator,
        quote: quote.to_owned(),
        commit: chunk.commit.clone(),
        address: chunk.address(sentence.locator),
        chunk_id: chunk.id.to_string(),
        lesson_id: chunk.lesson_id.map(|id| id.to_string()),
    })
}

/// Citations of several sentences of a passage: those that follow each other are one quote.
#[must_use]
pub fn of_sentences(chunk: &StoredChunk, indices: &[usize]) -> Vec<Citation> {
    let mut citations: Vec<Citation> = Vec::new();
    let mut last: Option<(usize, usize)> = None;
    for index in indices {
        let (Some(next), Some(sentence)) = (of_sentence(chunk, *index), chunk.chunk.sentences.get(*index)) else {
            continue;
        };
        let joined = last.filter(|(before, _)| before + 1 == *index).and_then(|(_, start)| {
            let quote = chunk.chunk.text.get(start..sentence.end)?;
            let citation = citations.last_mut()?;
            quote.clone_into(&mut citation.quote);
            citation.locator = citation.locator.union(sentence.locator);
            citation.address = chunk.address(citation.locator);
            Some(start)
        });
        last = Some((*index, joined.unwrap_or(sentence.start)));
        if joined.is_none() {
            citations.push(next);
        }
    }
    citations
}

/// Why a citation does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The passage is another one, or gone.
    #[error("the cited passage is not this one")]
    Passage,
    /// Path, heading, commit or lesson differ from the row.
    #[error("the cited place is not the passage's")]
    Place,
    /// The words do not stand there.
    #[error("the quoted words do not stand in the passage")]
    Quote,
    /// The lines, page or seconds are not those of the quoted words.
    #[error("the locator is not that of the quoted words")]
    Locator,
}

/// Checks that the quote stands verbatim in the stored passage, at exactly that place.
///
/// # Errors
/// What does not hold.
pub fn verify(citation: &Citation, chunk: &StoredChunk) -> Result<(), Broken> {
    if citation.chunk_id != chunk.id.to_string() {
        return Err(Broken::Passage);
    }
    if citation.source_path != chunk.source_path
        || citation.heading_path != chunk.chunk.heading_path
        || citation.commit != chunk.commit
        || citation.address != chunk.address(citation.locator)
        || citation.lesson_id != chunk.lesson_id.map(|id| id.to_string())
    {
        return Err(Broken::Place);
    }
    if citation.quote.trim().is_empty() {
        return Err(Broken::Quote);
    }
    // The same words may stand twice in a passage; one occurrence with the right place is enough.
    let mut found = false;
    for (start, _) in chunk.chunk.text.match_indices(&citation.quote) {
        found = true;
        let end = start + citation.quote.len();
        let span = chunk
            .chunk
            .sentences
            .iter()
            .filter(|s| overlaps(s, start, end))
            .map(|s| s.locator)
            .reduce(domain::Locator::union);
        if span == Some(citation.locator) && chunk.chunk.locator.covers(citation.locator) {
            return Ok(());
        }
    }
    Err(if found { Broken::Locator } else { Broken::Quote })
}

fn overlaps(sentence: &Sentence, start: usize, end: usize) -> bool {
    sentence.start < end && start < sentence.end
}
