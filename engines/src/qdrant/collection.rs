//! Our collections: their names, and making them with the indexes that every filter needs.

use qdrant_client::qdrant::{
    CreateCollectionBuilder, CreateFieldIndexCollectionBuilder, Distance, FieldType, KeywordIndexParamsBuilder,
    VectorParamsBuilder,
};
use store::Result;
use uuid::Uuid;

use super::{QdrantIndex, point, unavailable};

impl QdrantIndex {
    /// The collection of a model in a dimension. Two models never share one: the end of the name is
    /// made from the model's exact spelling.
    pub(super) fn name_of(&self, model: &str, dimension: usize) -> String {
        let spelling = Uuid::new_v5(&Uuid::NAMESPACE_OID, model.as_bytes()).simple().to_string();
        let short: String = safe(model).chars().take(80).collect();
        format!("{}_{short}_{dimension}_{}", self.prefix, spelling.get(..12).unwrap_or(&spelling))
    }

    /// The names of our collections on the server.
    pub(super) async fn collections(&self) -> Result<Vec<String>> {
        let ours = format!("{}_", self.prefix);
        let all = self.client.list_collections().await.map_err(unavailable)?;
        Ok(all.collections.into_iter().map(|found| found.name).filter(|name| name.starts_with(&ours)).collect())
    }

    /// Makes the collection of a model with its indexes when it is not there, and yields its name.
    pub(super) async fn ensure(&self, model: &str, dimension: usize) -> Result<String> {
        let name = self.name_of(model, dimension);
        let mut made = self.made.lock().await;
        if made.contains(&name) {
            return Ok(name);
        }
        if !self.client.collection_exists(&name).await.map_err(unavailable)? {
            let vectors = VectorParamsBuilder::new(dimension as u64, Distance::Cosine);
            let made = self.client.create_collection(CreateCollectionBuilder::new(&name).vectors_config(vectors)).await;
            if let Err(error) = made {
                // Another instance may have made it in between.
                if !self.client.collection_exists(&name).await.map_err(unavailable)? {
                    return Err(unavailable(error));
                }
            }
        }
        // Again the same index is no change, so that an interrupted start is completed here.
        for field in point::FIELDS {
            let tenant = field == point::INSTITUTION;
            let index = CreateFieldIndexCollectionBuilder::new(&name, field, FieldType::Keyword)
                .field_index_params(KeywordIndexParamsBuilder::default().is_tenant(tenant))
                .wait(true);
            self.client.create_field_index(index).await.map_err(unavailable)?;
        }
        made.insert(name.clone());
        Ok(name)
    }
}

/// Letters, digits, `-` and `.` stay; all else, `_` too, becomes `-`, so that `_` only separates.
pub(super) fn safe(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '-' }).collect()
}
