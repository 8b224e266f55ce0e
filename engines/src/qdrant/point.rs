//! Points: a chunk's vector under a model, and the payload that filters read.

use std::collections::HashMap;

use domain::{ChunkId, CourseId, InstitutionId, VersionId};
use qdrant_client::Payload;
use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::value::Kind;
use qdrant_client::qdrant::{Condition, Filter, PointId, PointStruct, Value};
use store::Scope;
use store::sql::embedding::StoredVector;
use uuid::Uuid;

/// Payload field of the tenant.
pub(super) const INSTITUTION: &str = "institution";
const COURSE: &str = "course";
const MODEL: &str = "model";
const VERSION: &str = "version";
const CHUNK: &str = "chunk";
/// The fields that filters name; each has an index.
pub(super) const FIELDS: [&str; 4] = [INSTITUTION, COURSE, MODEL, VERSION];

/// What a point's payload says it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) chunk: ChunkId,
    pub(super) course: CourseId,
    pub(super) version: VersionId,
}

/// The point of a stored vector. Its id follows from chunk and model: writing it again is no change.
pub(super) fn of(institution: InstitutionId, model: &str, stored: &StoredVector) -> PointStruct {
    let mut payload = Payload::new();
    payload.insert(INSTITUTION, institution.to_string());
    payload.insert(COURSE, stored.course_id.to_string());
    payload.insert(MODEL, model);
    payload.insert(VERSION, stored.version_id.to_string());
    payload.insert(CHUNK, stored.chunk_id.to_string());
    PointStruct::new(stored.chunk_id.point(model).to_string(), stored.vector.clone(), payload)
}

/// What every search is bound to.
pub(super) fn filter(scope: &Scope, model: &str, versions: &[VersionId]) -> Filter {
    let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
    Filter::must([
        institution(scope.institution),
        Condition::matches(COURSE, scope.course.to_string()),
        // A list of one: a single text with a space in it would be taken for a full-text match.
        Condition::matches(MODEL, vec![model.to_owned()]),
        Condition::matches(VERSION, versions),
    ])
}

/// Points of one institution.
pub(super) fn institution(institution: InstitutionId) -> Condition {
    Condition::matches(INSTITUTION, institution.to_string())
}

/// Points of one source version.
pub(super) fn version(version: VersionId) -> Condition {
    Condition::matches(VERSION, version.to_string())
}

/// The id of a point of ours; `None` when somebody numbered it.
pub(super) fn id(id: &PointId) -> Option<Uuid> {
    match id.point_id_options.as_ref()? {
        PointIdOptions::Uuid(text) => Uuid::parse_str(text).ok(),
        PointIdOptions::Num(_) => None,
    }
}

/// What the payload says; `None` when it is not whole.
pub(super) fn mark(payload: &HashMap<String, Value>) -> Option<Mark> {
    let text = |field: &str| match payload.get(field)?.kind.as_ref()? {
        Kind::StringValue(text) => Some(text.as_str()),
        _ => None,
    };
    Some(Mark {
        chunk: text(CHUNK)?.parse().ok()?,
        course: text(COURSE)?.parse().ok()?,
        version: text(VERSION)?.parse().ok()?,
    })
}
