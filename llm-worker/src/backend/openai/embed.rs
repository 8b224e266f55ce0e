//! Vectors by `/v1/embeddings`.

use serde::{Deserialize, Serialize};

use crate::backend::BackendError;
use crate::backend::http::Http;

/// Texts of one request: a server that is slow still answers each within the time for a first byte.
const BATCH: usize = 64;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    input: &'a [String],
    encoding_format: &'static str,
}

#[derive(Deserialize)]
struct Reply {
    data: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    index: usize,
    embedding: Vec<f32>,
}

/// One vector of unit length a text, in order.
pub(super) async fn embed(http: &Http, model: &str, texts: &[String]) -> Result<Vec<Vec<f32>>, BackendError> {
    let mut vectors = Vec::with_capacity(texts.len());
    for batch in texts.chunks(BATCH) {
        let body = serde_json::to_vec(&Body { model, input: batch, encoding_format: "float" })
            .map_err(BackendError::backend)?;
        let answer = http.post("/v1/embeddings", body.into(), http.timing().first_byte).await?;
        let mut rows = answer.successful(model).await?.json::<Reply>().await?.data;
        rows.sort_by_key(|row| row.index);
        if rows.iter().enumerate().any(|(at, row)| row.index != at) {
            return Err(BackendError::backend("the model server's vectors do not belong to the texts one by one"));
        }
        vectors.extend(checked(rows.into_iter().map(|row| row.embedding).collect(), batch.len())?);
    }
    same_length(&vectors)?;
    Ok(vectors)
}

/// As many vectors as texts, each finite and brought to unit length.
pub(crate) fn checked(mut vectors: Vec<Vec<f32>>, count: usize) -> Result<Vec<Vec<f32>>, BackendError> {
    if vectors.len() != count {
        let found = vectors.len();
        return Err(BackendError::backend(format!("the model server made {found} vectors of {count} texts")));
    }
    for vector in &mut vectors {
        let square = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>();
        if !square.is_finite() || square <= 0.0 {
            return Err(BackendError::backend("the model server made a vector without a direction"));
        }
        // Only what is clearly not of unit length is touched, so that no bit changes without need.
        if (square - 1.0).abs() > 1e-5 {
            let norm = square.sqrt();
            for x in vector.iter_mut() {
                #[expect(clippy::cast_possible_truncation, reason = "a quotient of at most one")]
                let scaled = (f64::from(*x) / norm) as f32;
                *x = scaled;
            }
        }
    }
    Ok(vectors)
}

/// Vectors of one model have one length.
pub(crate) fn same_length(vectors: &[Vec<f32>]) -> Result<(), BackendError> {
    let length = vectors.first().map(Vec::len);
    if vectors.iter().any(|vector| Some(vector.len()) != length) {
        return Err(BackendError::backend("the model server made vectors of different lengths"));
    }
    Ok(())
}
