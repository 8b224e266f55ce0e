//! Vectors of a course in memory, one after the other, and the scan over them.

use std::collections::HashMap;

use domain::ChunkId;

use crate::error::{Error, Result};
use crate::sql::course_vector::Packed;
use crate::sql::embedding::unpack;
use crate::vector::VectorHit;

/// The passages of a course with unit vectors of each and of each of its sentences, by path and place.
#[derive(Debug, Clone, Default)]
pub struct CourseVectors {
    dimension: usize,
    ids: Vec<ChunkId>,
    vectors: Vec<f32>,
    sentences: Vec<f32>,
    /// Number of the first sentence of each passage, and of the one after the last.
    firsts: Vec<usize>,
}

impl CourseVectors {
    pub(super) fn with_capacity(passages: usize) -> Self {
        Self { ids: Vec::with_capacity(passages), firsts: vec![0], ..Self::default() }
    }

    /// The same with more rows.
    pub(super) fn extended(mut self, rows: Vec<Packed>) -> Result<Self> {
        for row in rows {
            if self.ids.is_empty() {
                self.dimension = row.dimension;
            }
            let (vectors, sentences) = (self.vectors.len(), self.sentences.len());
            unpack(&row.vector, &mut self.vectors)?;
            unpack(&row.sentences, &mut self.sentences)?;
            let whole = self.dimension > 0
                && self.vectors.len() - vectors == self.dimension
                && (self.sentences.len() - sentences).is_multiple_of(self.dimension);
            if !whole {
                let reason = format!("vectors of chunk \"{}\" are not of dimension {}", row.chunk_id, self.dimension);
                return Err(Error::Damaged { column: "vector".into(), reason });
            }
            if let Some(fresh) = self.vectors.get_mut(vectors..) {
                to_unit(fresh);
            }
            if let Some(fresh) = self.sentences.get_mut(sentences..) {
                fresh.chunks_exact_mut(self.dimension).for_each(to_unit);
            }
            self.ids.push(row.chunk_id);
            self.firsts.push(self.sentences.len() / self.dimension);
        }
        Ok(self)
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        size_of::<f32>() * (self.vectors.len() + self.sentences.len()) + 24 * self.ids.len()
    }

    /// How many passages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no vector of this model.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Numbers of a vector; 0 when there is none.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The passages, by path and place.
    #[must_use]
    pub fn ids(&self) -> &[ChunkId] {
        &self.ids
    }

    /// The unit vector of passage number `index`; empty when there is none.
    #[must_use]
    pub fn vector(&self, index: usize) -> &[f32] {
        self.vectors.get(index * self.dimension..(index + 1) * self.dimension).unwrap_or_default()
    }

    /// The unit vectors of the sentences of passage number `index`, in order.
    pub fn sentences(&self, index: usize) -> impl Iterator<Item = &[f32]> {
        let first = self.firsts.get(index).copied().unwrap_or_default();
        let after = self.firsts.get(index + 1).copied().unwrap_or(first);
        let range = first * self.dimension..after * self.dimension;
        self.sentences.get(range).unwrap_or_default().chunks_exact(self.dimension.max(1))
    }

    /// Cosine of every passage with `query`, in the order of the passages.
    ///
    /// # Errors
    /// The query has another dimension.
    pub fn scores(&self, query: &[f32]) -> Result<Vec<f32>> {
        let query = self.unit(query)?;
        Ok(self.vectors.chunks_exact(self.dimension.max(1)).map(|vector| dot(vector, &query)).collect())
    }

    /// The passages nearest to `query`, best first; equal ones by path and place.
    ///
    /// # Errors
    /// The query has another dimension.
    pub fn nearest(&self, query: &[f32], limit: usize) -> Result<Vec<VectorHit>> {
        let mut hits: Vec<(f32, usize)> = self.scores(query)?.into_iter().zip(0..).collect();
        let order = |(a, left): &(f32, usize), (b, right): &(f32, usize)| b.total_cmp(a).then(left.cmp(right));
        if limit < hits.len() {
            hits.select_nth_unstable_by(limit, order);
            hits.truncate(limit);
        }
        hits.sort_unstable_by(order);
        Ok(hits
            .into_iter()
            .filter_map(|(score, index)| Some(VectorHit { chunk_id: *self.ids.get(index)?, score }))
            .collect())
    }

    /// Cosine of every sentence with `query`, by passage.
    ///
    /// # Errors
    /// The query has another dimension.
    pub fn sentence_scores(&self, query: &[f32]) -> Result<HashMap<ChunkId, Vec<f32>>> {
        let query = self.unit(query)?;
        let score = |index| self.sentences(index).map(|vector| dot(vector, &query)).collect();
        Ok(self.ids.iter().zip(0..).map(|(id, index)| (*id, score(index))).collect())
    }

    fn unit(&self, query: &[f32]) -> Result<Vec<f32>> {
        if !self.is_empty() && query.len() != self.dimension {
            let message = format!("a query of {} numbers for vectors of {}", query.len(), self.dimension);
            return Err(domain::Error::new(domain::ErrorKind::Internal, message).into());
        }
        let mut query = query.to_vec();
        to_unit(&mut query);
        Ok(query)
    }
}

/// Scales to length 1; a zero vector stays and is like nothing.
fn to_unit(vector: &mut [f32]) {
    let length = dot(vector, vector).sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
}

/// Sixteen sums side by side, which the compiler turns into vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0_f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(vectors: &[&[f32]]) -> CourseVectors {
        let pack = crate::sql::embedding::pack;
        let rows = vectors
            .iter()
            .map(|vector| Packed {
                chunk_id: ChunkId::fresh(),
                dimension: vector.len(),
                vector: pack(vector),
                sentences: [pack(vector), pack(vector)].concat(),
            })
            .collect();
        CourseVectors::with_capacity(vectors.len()).extended(rows).unwrap()
    }

    #[test]
    fn nearest_is_by_cosine_and_ties_keep_the_order_of_the_course() {
        let course = course(&[&[0.0, 2.0], &[3.0, 0.0], &[1.0, 0.0], &[-1.0, 0.0]]);
        let hits = course.nearest(&[5.0, 0.0], 3).unwrap();
        let ids: Vec<ChunkId> = hits.iter().map(|hit| hit.chunk_id).collect();
        assert_eq!(ids, [course.ids()[1], course.ids()[2], course.ids()[0]]);
        assert!((hits[0].score - 1.0).abs() < 1e-6 && hits[2].score.abs() < 1e-6);
    }

    #[test]
    fn dot_of_any_length_is_the_plain_sum() {
        for length in [0_u16, 1, 15, 16, 17, 384, 389] {
            let a: Vec<f32> = (0..length).map(|i| f32::from(i % 7) - 3.0).collect();
            let b: Vec<f32> = (0..length).map(|i| f32::from(i % 5) - 2.0).collect();
            let plain: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            assert!((dot(&a, &b) - plain).abs() < 1e-3);
        }
    }

    #[test]
    fn a_query_of_another_dimension_is_refused() {
        assert!(course(&[&[1.0, 0.0]]).nearest(&[1.0, 0.0, 0.0], 1).is_err());
    }

    #[test]
    fn a_damaged_length_is_refused() {
        let row = Packed { chunk_id: ChunkId::fresh(), dimension: 2, vector: vec![0; 7], sentences: Vec::new() };
        assert!(CourseVectors::with_capacity(1).extended(vec![row]).is_err());
    }
}
