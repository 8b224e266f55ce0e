//! A stand-in for a Qdrant server: the calls that the adapter makes, by brute force, over real gRPC.
//!
//! It is strict where a server is lenient: a filter on a field without an index, another dimension,
//! a write that does not wait, or a condition that the adapter has no reason to send is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use ::qdrant_client::qdrant::collections_server::{Collections, CollectionsServer};
use ::qdrant_client::qdrant::points_server::{Points, PointsServer};
use ::qdrant_client::qdrant::qdrant_server::{Qdrant, QdrantServer};
use ::qdrant_client::qdrant::{
    condition::ConditionOneOf, point_id::PointIdOptions, points_selector::PointsSelectorOneOf, *,
};
use tonic::{Request, Response, Status};

#[derive(Default)]
struct Collection {
    size: usize,
    indexes: BTreeSet<String>,
    points: BTreeMap<String, PointStruct>,
}

/// The server; clones share what they hold.
#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<BTreeMap<String, Collection>>>);

impl Fake {
    /// Serves on a free port until the test ends, and yields the address.
    pub(crate) async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = tonic::transport::Server::builder()
            .add_service(CollectionsServer::new(self.clone()))
            .add_service(PointsServer::new(self.clone()))
            .add_service(QdrantServer::new(self.clone()));
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        tokio::spawn(async move { router.serve_with_incoming(incoming).await.unwrap() });
        address
    }

    /// How many points all collections hold.
    pub(crate) fn points(&self) -> usize {
        self.all().values().map(|collection| collection.points.len()).sum()
    }

    /// Loses everything, as a server with a new disk.
    pub(crate) fn lose_everything(&self) {
        self.all().clear();
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Collection>> {
        self.0.lock().unwrap()
    }

    fn on<T>(
        &self,
        name: &str,
        work: impl FnOnce(&mut Collection) -> Result<T, Status>,
    ) -> Result<Response<T>, Status> {
        let mut all = self.all();
        let collection = all.get_mut(name).ok_or_else(|| Status::not_found(format!("no collection {name}")))?;
        work(collection).map(Response::new)
    }
}

fn id(point: &PointId) -> Result<String, Status> {
    match &point.point_id_options {
        Some(PointIdOptions::Uuid(text)) => Ok(text.clone()),
        _ => Err(Status::invalid_argument("only uuids here")),
    }
}

fn text(point: &PointStruct, field: &str) -> Option<String> {
    point.payload.get(field)?.as_str().cloned()
}

fn dense(point: &PointStruct) -> Option<Vec<f32>> {
    match point.vectors.as_ref()?.vectors_options.as_ref()? {
        vectors::VectorsOptions::Vector(Vector { vector: Some(vector::Vector::Dense(dense)), .. }) => {
            Some(dense.data.clone())
        }
        _ => None,
    }
}

impl Collection {
    /// The points that a filter lets through; without the institution there is no filter.
    fn matching(&self, filter: Option<&Filter>) -> Result<Vec<PointStruct>, Status> {
        let filter = filter.ok_or_else(|| Status::invalid_argument("no filter"))?;
        let bare = filter.should.is_empty() && filter.must_not.is_empty() && filter.min_should.is_none();
        let mut institution = false;
        let mut points: Vec<PointStruct> = self.points.values().cloned().collect();
        for condition in &filter.must {
            match &condition.condition_one_of {
                Some(ConditionOneOf::HasId(wanted)) => {
                    let wanted = wanted.has_id.iter().map(id).collect::<Result<BTreeSet<_>, _>>()?;
                    points.retain(|point| point.id.as_ref().is_some_and(|point| wanted.contains(&id(point).unwrap())));
                }
                Some(ConditionOneOf::Field(field)) if self.indexes.contains(&field.key) => {
                    let wanted = match field.r#match.as_ref().and_then(|wanted| wanted.match_value.clone()) {
                        Some(r#match::MatchValue::Keyword(word)) => vec![word],
                        Some(r#match::MatchValue::Keywords(words)) => words.strings,
                        other => return Err(Status::invalid_argument(format!("{other:?}"))),
                    };
                    institution |= field.key == "institution";
                    points.retain(|point| text(point, &field.key).is_some_and(|text| wanted.contains(&text)));
                }
                other => return Err(Status::invalid_argument(format!("{other:?} has no index"))),
            }
        }
        if institution && bare { Ok(points) } else { Err(Status::permission_denied("a filter without an institution")) }
    }
}

fn done() -> PointsOperationResponse {
    PointsOperationResponse::default()
}

/// The calls that the adapter makes, and those that it does not, which are refused.
macro_rules! service {
    ($trait:ident { $($used:item)* } $($name:ident: $request:ident -> $response:ident,)*) => {
        #[tonic::async_trait]
        impl $trait for Fake {
            $($used)*
            $(async fn $name(&self, _: Request<$request>) -> Result<Response<$response>, Status> {
                Err(Status::unimplemented(stringify!($name)))
            })*
        }
    };
}

service! { Qdrant {
    async fn health_check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckReply>, Status> {
        Ok(Response::new(HealthCheckReply::default()))
    }
} }

service! { Collections {
    async fn list(&self, _: Request<ListCollectionsRequest>) -> Result<Response<ListCollectionsResponse>, Status> {
        let collections = self.all().keys().map(|name| CollectionDescription { name: name.clone() }).collect();
        Ok(Response::new(ListCollectionsResponse { collections, time: 0.0 }))
    }

    async fn create(&self, request: Request<CreateCollection>) -> Result<Response<CollectionOperationResponse>, Status> {
        let request = request.into_inner();
        let Some(vectors_config::Config::Params(params)) = request.vectors_config.and_then(|vectors| vectors.config) else {
            return Err(Status::invalid_argument("no vector parameters"));
        };
        if params.distance != i32::from(Distance::Cosine) {
            return Err(Status::invalid_argument("not cosine"));
        }
        let size = usize::try_from(params.size).unwrap();
        if self.all().insert(request.collection_name, Collection { size, ..Collection::default() }).is_some() {
            return Err(Status::already_exists("collection"));
        }
        Ok(Response::new(CollectionOperationResponse { result: true, time: 0.0 }))
    }

    async fn delete(&self, request: Request<DeleteCollection>) -> Result<Response<CollectionOperationResponse>, Status> {
        let result = self.all().remove(&request.into_inner().collection_name).is_some();
        Ok(Response::new(CollectionOperationResponse { result, time: 0.0 }))
    }

    async fn collection_exists(
        &self,
        request: Request<CollectionExistsRequest>,
    ) -> Result<Response<CollectionExistsResponse>, Status> {
        let exists = self.all().contains_key(&request.into_inner().collection_name);
        Ok(Response::new(CollectionExistsResponse { result: Some(CollectionExists { exists }), time: 0.0 }))
    }
}
    get: GetCollectionInfoRequest -> GetCollectionInfoResponse,
    update: UpdateCollection -> CollectionOperationResponse,
    update_aliases: ChangeAliases -> CollectionOperationResponse,
    list_collection_aliases: ListCollectionAliasesRequest -> ListAliasesResponse,
    list_aliases: ListAliasesRequest -> ListAliasesResponse,
    collection_cluster_info: CollectionClusterInfoRequest -> CollectionClusterInfoResponse,
    update_collection_cluster_setup: UpdateCollectionClusterSetupRequest -> UpdateCollectionClusterSetupResponse,
    create_shard_key: CreateShardKeyRequest -> CreateShardKeyResponse,
    delete_shard_key: DeleteShardKeyRequest -> DeleteShardKeyResponse,
    list_shard_keys: ListShardKeysRequest -> ListShardKeysResponse,
}

service! { Points {
    async fn upsert(&self, request: Request<UpsertPoints>) -> Result<Response<PointsOperationResponse>, Status> {
        let request = request.into_inner();
        self.on(&request.collection_name, |collection| {
            if request.wait != Some(true) {
                return Err(Status::invalid_argument("the adapter must wait for its writes"));
            }
            for point in request.points {
                if dense(&point).is_none_or(|vector| vector.len() != collection.size) {
                    return Err(Status::invalid_argument("wrong dimension"));
                }
                let key = id(point.id.as_ref().unwrap())?;
                collection.points.insert(key, point);
            }
            Ok(done())
        })
    }

    async fn delete(&self, request: Request<DeletePoints>) -> Result<Response<PointsOperationResponse>, Status> {
        let request = request.into_inner();
        self.on(&request.collection_name, |collection| {
            let filter = match request.points.and_then(|points| points.points_selector_one_of) {
                Some(PointsSelectorOneOf::Filter(filter)) if request.wait == Some(true) => filter,
                _ => return Err(Status::invalid_argument("delete by filter, and wait")),
            };
            for point in collection.matching(Some(&filter))? {
                collection.points.remove(&id(point.id.as_ref().unwrap())?);
            }
            Ok(done())
        })
    }

    async fn create_field_index(
        &self,
        request: Request<CreateFieldIndexCollection>,
    ) -> Result<Response<PointsOperationResponse>, Status> {
        let request = request.into_inner();
        self.on(&request.collection_name, |collection| {
            collection.indexes.insert(request.field_name);
            Ok(done())
        })
    }

    /// Pages of at most three points, so that every scroll has several.
    async fn scroll(&self, request: Request<ScrollPoints>) -> Result<Response<ScrollResponse>, Status> {
        let request = request.into_inner();
        let from = request.offset.as_ref().map(id).transpose()?.unwrap_or_default();
        self.on(&request.collection_name, |collection| {
            let mut points = collection.matching(request.filter.as_ref())?;
            points.retain(|point| id(point.id.as_ref().unwrap()).unwrap() >= from);
            let next_page_offset = points.get(3).and_then(|point| point.id.clone());
            points.truncate(3);
            let result = points
                .into_iter()
                .map(|point| RetrievedPoint { id: point.id, payload: point.payload, ..RetrievedPoint::default() })
                .collect();
            Ok(ScrollResponse { next_page_offset, result, ..ScrollResponse::default() })
        })
    }

    async fn count(&self, request: Request<CountPoints>) -> Result<Response<CountResponse>, Status> {
        let request = request.into_inner();
        self.on(&request.collection_name, |collection| {
            let count = collection.matching(request.filter.as_ref())?.len() as u64;
            Ok(CountResponse { result: Some(CountResult { count }), ..CountResponse::default() })
        })
    }

    async fn query(&self, request: Request<QueryPoints>) -> Result<Response<QueryResponse>, Status> {
        let request = request.into_inner();
        let Some(query::Variant::Nearest(VectorInput { variant: Some(vector_input::Variant::Dense(query)) })) =
            request.query.and_then(|query| query.variant)
        else {
            return Err(Status::invalid_argument("nearest to a dense vector"));
        };
        self.on(&request.collection_name, |collection| {
            let fields: BTreeSet<String> = ["institution", "course", "model", "version"].map(str::to_owned).into();
            let named = request.filter.iter().flat_map(|filter| &filter.must);
            let named: BTreeSet<String> = named
                .filter_map(|condition| match &condition.condition_one_of {
                    Some(ConditionOneOf::Field(field)) => Some(field.key.clone()),
                    _ => None,
                })
                .collect();
            if named != fields || query.data.len() != collection.size {
                return Err(Status::permission_denied(format!("a search by {named:?}")));
            }
            let cosine = |point: &PointStruct| {
                let vector = dense(point).unwrap();
                let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
                dot(&vector, &query.data) / (dot(&vector, &vector) * dot(&query.data, &query.data)).sqrt()
            };
            let mut result: Vec<ScoredPoint> = collection
                .matching(request.filter.as_ref())?
                .into_iter()
                .map(|point| ScoredPoint { score: cosine(&point), id: point.id, payload: point.payload, ..ScoredPoint::default() })
                .collect();
            result.sort_by(|a, b| b.score.total_cmp(&a.score));
            result.truncate(usize::try_from(request.limit.unwrap_or(10)).unwrap());
            Ok(QueryResponse { result, ..QueryResponse::default() })
        })
    }
}
    get: GetPoints -> GetResponse,
    update_vectors: UpdatePointVectors -> PointsOperationResponse,
    delete_vectors: DeletePointVectors -> PointsOperationResponse,
    set_payload: SetPayloadPoints -> PointsOperationResponse,
    overwrite_payload: SetPayloadPoints -> PointsOperationResponse,
    delete_payload: DeletePayloadPoints -> PointsOperationResponse,
    clear_payload: ClearPayloadPoints -> PointsOperationResponse,
    delete_field_index: DeleteFieldIndexCollection -> PointsOperationResponse,
    create_vector_name: CreateVectorNameRequest -> PointsOperationResponse,
    delete_vector_name: DeleteVectorNameRequest -> PointsOperationResponse,
    search: SearchPoints -> SearchResponse,
    search_batch: SearchBatchPoints -> SearchBatchResponse,
    search_groups: SearchPointGroups -> SearchGroupsResponse,
    recommend: RecommendPoints -> RecommendResponse,
    recommend_batch: RecommendBatchPoints -> RecommendBatchResponse,
    recommend_groups: RecommendPointGroups -> RecommendGroupsResponse,
    discover: DiscoverPoints -> DiscoverResponse,
    discover_batch: DiscoverBatchPoints -> DiscoverBatchResponse,
    update_batch: UpdateBatchPoints -> UpdateBatchResponse,
    query_batch: QueryBatchPoints -> QueryBatchResponse,
    query_groups: QueryPointGroups -> QueryGroupsResponse,
    facet: FacetCounts -> FacetResponse,
    search_matrix_pairs: SearchMatrixPoints -> SearchMatrixPairsResponse,
    search_matrix_offsets: SearchMatrixPoints -> SearchMatrixOffsetsResponse,
}
