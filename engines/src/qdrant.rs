//! Qdrant as a vector index: filled from the rows, reconciled with them, rebuilt from them.
//!
//! A collection holds one model in one dimension; every call names the institution, every search also
//! the course and the published versions. What the rows do not show is never returned.

mod collection;
mod point;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use domain::{ChunkId, CourseId, InstitutionId, VersionId};
use qdrant_client::qdrant::{
    Condition, CountPointsBuilder, DeletePointsBuilder, Filter, QueryPointsBuilder, ScrollPointsBuilder,
    UpsertPointsBuilder,
};
use store::sql::embedding::{self, StoredVector};
use store::sql::{chunk, source};
use store::vector::{Reconciled, VectorHit, VectorIndex};
use store::{Error, Result, Scope, Store};
use tokio::sync::Mutex;
use uuid::Uuid;

/// Points of one upsert: 256 x 384 numbers are 400 kB, far below the 32 MB that a server takes.
const BATCH: usize = 256;
/// Points of one page of a scroll, and ids of one deletion.
const PAGE: u32 = 1_000;
/// Most hits that one search asks the server for.
const MOST_HITS: usize = 10_000;

/// Where the server is, and how long it may take.
#[derive(Debug, Clone)]
pub struct QdrantOptions {
    /// Address of its gRPC port, such as `http://127.0.0.1:6334`.
    pub url: String,
    /// Its key, if it asks for one.
    pub api_key: Option<String>,
    /// Begins the name of each of our collections; two installations on one server need two.
    pub prefix: String,
    /// Longest time that one call may take.
    pub timeout: Duration,
}

impl QdrantOptions {
    /// Defaults for the server at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), api_key: None, prefix: "lyceum".into(), timeout: Duration::from_secs(5) }
    }
}

/// The index on a Qdrant server.
pub struct QdrantIndex {
    client: qdrant_client::Qdrant,
    store: Store,
    prefix: String,
    /// Collections known to be there.
    made: Mutex<HashSet<String>>,
}

impl QdrantIndex {
    /// An index on the server of `options` for the rows of `store`. The connection is opened when it is first needed.
    ///
    /// # Errors
    /// The address is not one.
    pub fn new(store: Store, options: &QdrantOptions) -> Result<Self> {
        let client = qdrant_client::Qdrant::from_url(&options.url)
            .api_key(options.api_key.clone())
            .timeout(options.timeout)
            .connect_timeout(options.timeout)
            .keep_alive_while_idle()
            .skip_compatibility_check()
            .build()
            .map_err(unavailable)?;
        Ok(Self { client, store, prefix: collection::safe(&options.prefix), made: Mutex::default() })
    }

    /// Writes points of one model and dimension, in batches, and waits until they can be found.
    async fn put(&self, institution: InstitutionId, model: &str, vectors: &[StoredVector]) -> Result<()> {
        let Some(dimension) = vectors.first().map(|stored| stored.vector.len()) else { return Ok(()) };
        if vectors.iter().any(|stored| stored.vector.len() != dimension) {
            let message = format!("vectors of \"{model}\" differ in dimension");
            return Err(domain::Error::new(domain::ErrorKind::Internal, message).into());
        }
        let name = self.ensure(model, dimension).await?;
        for some in vectors.chunks(BATCH) {
            let points = some.iter().map(|stored| point::of(institution, model, stored)).collect::<Vec<_>>();
            let request = UpsertPointsBuilder::new(&name, points).wait(true).build();
            if let Err(error) = self.client.upsert_points(request.clone()).await {
                if !missing(&error) {
                    return Err(unavailable(error));
                }
                // Somebody dropped the collection since it was made.
                self.made.lock().await.remove(&name);
                self.ensure(model, dimension).await?;
                self.client.upsert_points(request).await.map_err(unavailable)?;
            }
        }
        Ok(())
    }

    async fn delete(&self, collection: &str, filter: Filter) -> Result<()> {
        let request = DeletePointsBuilder::new(collection).points(filter).wait(true);
        match self.client.delete_points(request).await {
            Err(error) if !missing(&error) => Err(unavailable(error)),
            _ => Ok(()),
        }
    }

    /// Every point of the institution in a collection, with what its payload says of it.
    async fn points(&self, collection: &str, institution: InstitutionId) -> Result<HashMap<Uuid, Option<point::Mark>>> {
        let mut points = HashMap::new();
        let mut offset = None;
        loop {
            let mut request = ScrollPointsBuilder::new(collection)
                .filter(Filter::must([point::institution(institution)]))
                .limit(PAGE)
                .with_payload(true)
                .with_vectors(false);
            if let Some(offset) = offset.take() {
                request = request.offset::<qdrant_client::qdrant::PointId>(offset);
            }
            let page = self.client.scroll(request).await.map_err(unavailable)?;
            for found in page.result {
                if let Some(id) = found.id.as_ref().and_then(point::id) {
                    points.insert(id, point::mark(&found.payload));
                }
            }
            match page.next_page_offset {
                Some(next) => offset = Some(next),
                None => return Ok(points),
            }
        }
    }

    /// Adds what rows of one model have and the collection lacks, and removes what no row stands for.
    async fn reconcile_model(
        &self,
        store: &Store,
        institution: InstitutionId,
        model: &str,
        dimension: usize,
    ) -> Result<Reconciled> {
        let name = self.ensure(model, dimension).await?;
        // Points first, rows after: rows are written before their points, so that a point whose row
        // is not found is an orphan, and not one whose row was just too new to be seen.
        let mut points = self.points(&name, institution).await?;
        let mut reconciled = Reconciled::default();
        let mut after = None;
        loop {
            let rows = page(store, institution, model, dimension, after).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.chunk_id);
            let lacking: Vec<StoredVector> = rows
                .into_iter()
                .filter(|row| {
                    let found = points.remove(&row.chunk_id.point(model));
                    found
                        != Some(Some(point::Mark {
                            chunk: row.chunk_id,
                            course: row.course_id,
                            version: row.version_id,
                        }))
                })
                .collect();
            self.put(institution, model, &lacking).await?;
            reconciled.added += lacking.len() as u64;
        }
        let orphans: Vec<Uuid> = points.into_keys().collect();
        for some in orphans.chunks(PAGE as usize) {
            let ids: Vec<String> = some.iter().map(ToString::to_string).collect();
            // The institution once more: an id alone must not reach another tenant's point.
            self.delete(&name, Filter::must([point::institution(institution), Condition::has_id(ids)])).await?;
        }
        reconciled.removed += orphans.len() as u64;
        Ok(reconciled)
    }

    /// Nearest points by score, of the given versions of the scope's course; `None` when there is no collection.
    async fn nearest(
        &self,
        scope: &Scope,
        model: &str,
        query: &[f32],
        versions: &[VersionId],
        limit: usize,
    ) -> Result<Option<Vec<VectorHit>>> {
        let request = QueryPointsBuilder::new(self.name_of(model, query.len()))
            .query(query.to_vec())
            .filter(point::filter(scope, model, versions))
            .limit(limit as u64)
            .with_payload(true);
        let found = match self.client.query(request).await {
            Ok(found) => found,
            Err(error) if missing(&error) => return Ok(None),
            Err(error) => return Err(unavailable(error)),
        };
        let hit = |found: qdrant_client::qdrant::ScoredPoint| {
            Some(VectorHit { chunk_id: point::mark(&found.payload)?.chunk, score: found.score })
        };
        Ok(Some(found.result.into_iter().filter_map(hit).collect()))
    }
}

#[async_trait]
impl VectorIndex for QdrantIndex {
    fn name(&self) -> &'static str {
        "qdrant"
    }

    async fn upsert(
        &self,
        institution: InstitutionId,
        course: CourseId,
        version: VersionId,
        model: &str,
        vectors: &[(ChunkId, Vec<f32>)],
    ) -> Result<()> {
        let stored: Vec<StoredVector> = vectors
            .iter()
            .map(|(chunk_id, vector)| StoredVector {
                chunk_id: *chunk_id,
                course_id: course,
                version_id: version,
                vector: vector.clone(),
            })
            .collect();
        self.put(institution, model, &stored).await
    }

    async fn search(&self, scope: &Scope, model: &str, query: &[f32], limit: usize) -> Result<Vec<VectorHit>> {
        let asked = *scope;
        let sources = self
            .store
            .read(move |tx| Box::pin(async move { source::list(tx, asked.institution, asked.course).await }))
            .await?;
        let versions: Vec<VersionId> = sources.into_iter().filter_map(|source| source.current_version_id).collect();
        if limit == 0 || versions.is_empty() {
            return Ok(Vec::new());
        }
        // Hidden passages are in the index and are taken out here by the rows: ask for more than needed,
        // and for more again when too few are left.
        let mut asking = (limit.saturating_mul(2) + 16).min(MOST_HITS);
        loop {
            let Some(hits) = self.nearest(scope, model, query, &versions, asking).await? else {
                return self.without_collection(scope, model).await;
            };
            let ids: Vec<ChunkId> = hits.iter().map(|hit| hit.chunk_id).collect();
            let all = hits.len() < asking || asking >= MOST_HITS;
            let places =
                self.store.read(move |tx| Box::pin(async move { chunk::visible(tx, &asked, &ids).await })).await?;
            let mut hits: Vec<VectorHit> = hits.into_iter().filter(|hit| places.contains_key(&hit.chunk_id)).collect();
            if hits.len() >= limit || all {
                let place = |hit: &VectorHit| places.get(&hit.chunk_id);
                hits.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| place(a).cmp(&place(b))));
                hits.truncate(limit);
                return Ok(hits);
            }
            asking = asking.saturating_mul(4).min(MOST_HITS);
        }
    }

    async fn delete_version(&self, institution: InstitutionId, version: VersionId) -> Result<()> {
        for name in self.collections().await? {
            self.delete(&name, Filter::must([point::institution(institution), point::version(version)])).await?;
        }
        Ok(())
    }

    async fn reconcile(&self, store: &Store, institution: InstitutionId) -> Result<Reconciled> {
        let models = models(store, institution).await?;
        let mut reconciled = Reconciled::default();
        let mut kept = HashSet::new();
        for (model, dimension) in &models {
            kept.insert(self.name_of(model, *dimension));
            let part = self.reconcile_model(store, institution, model, *dimension).await?;
            reconciled.added += part.added;
            reconciled.removed += part.removed;
        }
        for name in self.collections().await?.into_iter().filter(|name| !kept.contains(name)) {
            let ours = Filter::must([point::institution(institution)]);
            let request = CountPointsBuilder::new(&name).filter(ours.clone()).exact(true);
            let count = self.client.count(request).await.map_err(unavailable)?.result.map_or(0, |result| result.count);
            if count > 0 {
                self.delete(&name, ours).await?;
                reconciled.removed += count;
            }
        }
        tracing::debug!(institution.id = %institution, reconciled.added, reconciled.removed, "vector index reconciled");
        Ok(reconciled)
    }

    async fn rebuild(&self, store: &Store, institution: InstitutionId) -> Result<()> {
        for name in self.collections().await? {
            self.delete(&name, Filter::must([point::institution(institution)])).await?;
        }
        for (model, dimension) in models(store, institution).await? {
            let mut after = None;
            loop {
                let rows = page(store, institution, &model, dimension, after).await?;
                let Some(last) = rows.last() else { break };
                after = Some(last.chunk_id);
                self.put(institution, &model, &rows).await?;
            }
        }
        Ok(())
    }

    async fn healthy(&self) -> bool {
        tokio::time::timeout(Duration::from_secs(2), self.client.health_check())
            .await
            .is_ok_and(|answer| answer.is_ok())
    }
}

impl QdrantIndex {
    /// Removes all our collections from the server; the rows can fill them again.
    ///
    /// # Errors
    /// The server is gone.
    pub async fn drop_collections(&self) -> Result<()> {
        for name in self.collections().await? {
            self.client.delete_collection(&name).await.map_err(unavailable)?;
        }
        self.made.lock().await.clear();
        Ok(())
    }

    /// An index without the collection is empty only when the rows are.
    async fn without_collection(&self, scope: &Scope, model: &str) -> Result<Vec<VectorHit>> {
        let (scope, wanted) = (*scope, model.to_owned());
        let count = self
            .store
            .read(move |tx| Box::pin(async move { embedding::count_visible(tx, &scope, &wanted).await }))
            .await?;
        if count == 0 {
            return Ok(Vec::new());
        }
        Err(Error::Unavailable(format!(
            "qdrant has no collection of \"{model}\" and {count} vectors wait: rebuild the index"
        )))
    }
}

async fn models(store: &Store, institution: InstitutionId) -> Result<Vec<(String, usize)>> {
    store.read(move |tx| Box::pin(async move { embedding::models(tx, institution).await })).await
}

async fn page(
    store: &Store,
    institution: InstitutionId,
    model: &str,
    dimension: usize,
    after: Option<ChunkId>,
) -> Result<Vec<StoredVector>> {
    let model = model.to_owned();
    let limit = i64::from(PAGE);
    store
        .read(move |tx| {
            Box::pin(async move { embedding::page(tx, institution, &model, dimension, after, limit).await })
        })
        .await
}

fn unavailable(error: qdrant_client::QdrantError) -> Error {
    // The chain is not for people: the status says what the server or the connection said.
    match error {
        qdrant_client::QdrantError::ResponseError { status } => {
            Error::Unavailable(format!("qdrant: {} ({})", status.message(), status.code()))
        }
        other => Error::Unavailable(format!("qdrant: {other}")),
    }
}

/// Whether the server says that there is no such collection.
fn missing(error: &qdrant_client::QdrantError) -> bool {
    /// gRPC's code `NOT_FOUND`.
    const NOT_FOUND: i32 = 5;
    matches!(error, qdrant_client::QdrantError::ResponseError { status } if i32::from(status.code()) == NOT_FOUND)
}
