//! How many planted instructions are flagged, and how much of an honest book is.

use std::collections::BTreeMap;

use domain::injection::instruction_like;
use ingestion::chunk::chunks;
use ingestion::parse::markdown::{NoFiles, parse};

use crate::testkit::outside;

#[test]
fn the_outside_corpus_is_planted_and_counted() {
    let (Some(corpus), Some(book)) = (outside("injection"), outside("rust-book")) else { return };
    let mut rates: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for file in ["text_attack_train.json", "code_attack_train.json"] {
        let attacks: BTreeMap<String, Vec<String>> =
            serde_json::from_slice(&std::fs::read(corpus.join(file)).unwrap()).unwrap();
        for (category, texts) in attacks {
            for text in texts {
                // Planted in the middle of a page, as its own paragraph.
                let page = format!("# Lesson\n\nOwnership is a set of rules.\n\n{text}\n\nThe rules follow.\n");
                let flagged = chunks(&parse("a.md", &page, &NoFiles).unwrap(), &[]).iter().any(|chunk| chunk.flagged);
                let rate = rates.entry(format!("{}/{category}", &file[..4])).or_default();
                rate.0 += usize::from(flagged);
                rate.1 += 1;
                if !flagged {
                    println!("not flagged [{category}]: {}", text.lines().next().unwrap_or_default());
                }
            }
        }
    }
    let (mut found, mut all) = (0, 0);
    for (category, (flagged, count)) in &rates {
        println!("{category}: {flagged}/{count}");
        (found, all) = (found + flagged, all + count);
    }
    println!("flagged {found} of {all} planted texts ({:.1} %)", 100.0 * found as f64 / all as f64);

    let (mut false_chunks, mut chunk_count, mut false_sentences, mut sentence_count) = (0_u32, 0_u32, 0, 0);
    for entry in std::fs::read_dir(book).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for chunk in chunks(&parse("a.md", &text, &NoFiles).unwrap(), &[]) {
            chunk_count += 1;
            false_chunks += u32::from(chunk.flagged);
            for sentence in &chunk.sentences {
                sentence_count += 1;
                if let Some(reason) = instruction_like(chunk.sentence_text(sentence)) {
                    false_sentences += 1;
                    println!("false flag ({reason}): {}", chunk.sentence_text(sentence));
                }
            }
        }
    }
    println!(
        "false flags: {false_sentences} of {sentence_count} sentences, {false_chunks} of {chunk_count} chunks ({:.2} %)",
        100.0 * f64::from(false_chunks) / f64::from(chunk_count)
    );
    assert!(f64::from(false_chunks) / f64::from(chunk_count) < 0.005);
    assert!(found * 2 > all);
}
