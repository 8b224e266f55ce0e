//! Configuration: embedded defaults, then `lyceum.toml`, then `LYCEUM_*` variables.
//!
//! This is the only place that reads the environment for settings.

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

use crate::exit::{BAD_CONFIG, Failure, Result};

/// Every setting, with its default.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Address and port of the API.
    pub(crate) listen: String,
    /// Where packages are shown, as `https://*.content.example.org`: a host that nobody logs in at, the star stands
    /// for the attempt; empty is `http://*.localhost` at the port of the API, for browsers on this machine.
    pub(crate) content_origin: String,
    /// The folder `dist` of h5p-standalone, which plays H5P packages; empty where they are read only.
    pub(crate) h5p_player: String,
    /// `postgres://...`; empty is SQLite in the data directory.
    pub(crate) database_url: String,
    /// `http://host:6334`; empty is the exact scan over the rows.
    pub(crate) qdrant_url: String,
    /// Folder of models; empty is the user's cache folder.
    pub(crate) model_dir: String,
    /// Embedding model: an id of the catalogue, `auto`, or `none` for keyword search only.
    pub(crate) embedding_model: String,
    /// What runs it: `auto` (ONNX Runtime when it is there), `onnx` or `candle`.
    pub(crate) embedding_runtime: String,
    /// Rules file of the scripted chat backend; empty is no chat model. For trials and tests.
    pub(crate) scripted_chat: String,
    /// Model servers that this process uses: `[[upstream]]` sections.
    #[serde(default)]
    pub(crate) upstream: Vec<llm_worker::Upstream>,
    /// Language models that this process runs itself, from GGUF files: `[[gguf]]` sections.
    #[serde(default)]
    pub(crate) gguf: Vec<llm_worker::backend::candle_chat::ChatSettings>,
    /// Whisper models that this process runs itself: `[[whisper]]` sections.
    #[serde(default)]
    pub(crate) whisper: Vec<llm_worker::backend::whisper::WhisperSettings>,
    /// Rough transcripts by pocketsphinx: an empty `[pocketsphinx]` section switches them on.
    #[serde(default)]
    pub(crate) pocketsphinx: Option<llm_worker::backend::pocketsphinx::PocketsphinxSettings>,
    /// How requests to models are queued and named.
    #[serde(default)]
    pub(crate) gateway: GatewayConfig,
    /// Seconds that a job's lease lasts without a heartbeat.
    pub(crate) lease_seconds: u64,
    /// Jobs run at a time.
    pub(crate) job_concurrency: usize,
    /// Hosts that may be ingested from by address.
    pub(crate) ingest_allow_hosts: Vec<String>,
    /// Keys whose packs may be loaded (`lyceum ingest load`), as `lyceum ingest pack` prints them.
    pub(crate) pack_trust: Vec<String>,
    /// The program yt-dlp, which reads videos of other sites: an absolute path, or a name to find on PATH.
    pub(crate) ytdlp: String,
    /// A token of GitHub with "Metadata: read": then a repository's description, licence and topics are kept with it.
    pub(crate) github_token: String,
    /// Languages of captions to take from other sites, the most wanted first.
    pub(crate) caption_languages: Vec<String>,
    /// MiB of the disk that no ingestion takes: a run that would is held until there is room.
    pub(crate) disk_reserve_mib: u64,
    /// Log filter, as `info` or `lyceum=debug`.
    pub(crate) log: String,
}

/// The `[gateway]` section.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GatewayConfig {
    /// Requests of one class that may wait.
    pub(crate) queue_per_class: usize,
    /// Requests of one user that may wait.
    pub(crate) queue_per_user: usize,
    /// Requests of one institution that may wait.
    pub(crate) queue_per_institution: usize,
    /// Days that a request which nobody waited for is kept with its answer after it ended.
    pub(crate) kept_days: u32,
    /// Multiplies every time of the scheduler; for simulations.
    pub(crate) time_scale: f64,
    /// Names that stand for models, each with the models to try in order.
    pub(crate) aliases: std::collections::BTreeMap<String, Vec<String>>,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            queue_per_class: 256,
            queue_per_user: 64,
            queue_per_institution: 512,
            kept_days: 30,
            time_scale: 1.0,
            aliases: std::collections::BTreeMap::new(),
        }
    }
}

impl GatewayConfig {
    /// `known` are the aliases of the catalogue; those of the file come before them.
    pub(crate) fn options(&self, known: &std::collections::BTreeMap<String, Vec<String>>) -> llm_gateway::Options {
        let mut aliases = known.clone();
        aliases.extend(self.aliases.clone());
        let options = llm_gateway::Options {
            depths: [self.queue_per_class; 5],
            queue_per_user: self.queue_per_user,
            queue_per_institution: self.queue_per_institution,
            aliases,
            ..llm_gateway::Options::default()
        };
        options.scaled(self.time_scale)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            content_origin: String::new(),
            h5p_player: String::new(),
            database_url: String::new(),
            qdrant_url: String::new(),
            model_dir: String::new(),
            embedding_model: "auto".into(),
            embedding_runtime: "auto".into(),
            scripted_chat: String::new(),
            upstream: Vec::new(),
            gguf: Vec::new(),
            whisper: Vec::new(),
            pocketsphinx: None,
            gateway: GatewayConfig::default(),
            lease_seconds: 60,
            job_concurrency: 2,
            ingest_allow_hosts: vec!["github.com".into()],
            pack_trust: Vec::new(),
            ytdlp: "yt-dlp".into(),
            github_token: String::new(),
            caption_languages: vec!["en".into()],
            disk_reserve_mib: 256,
            log: "warn".into(),
        }
    }
}

const VARIABLES: &[&str] = &[
    "listen",
    "content_origin",
    "h5p_player",
    "database_url",
    "qdrant_url",
    "model_dir",
    "embedding_model",
    "embedding_runtime",
    "scripted_chat",
    "lease_seconds",
    "job_concurrency",
    "ingest_allow_hosts",
    "pack_trust",
    "ytdlp",
    "github_token",
    "caption_languages",
    "disk_reserve_mib",
    "log",
];

impl Config {
    /// Reads the settings for a data directory.
    pub(crate) fn load(data_dir: &Path, file: Option<&Path>) -> Result<Self> {
        let path = file.map_or_else(|| data_dir.join("lyceum.toml"), Path::to_path_buf);
        if file.is_some() && !path.exists() {
            return Err(Failure::new(BAD_CONFIG, format!("no configuration file \"{}\"", path.display())));
        }
        let config: Self = Figment::from(Serialized::defaults(Self::default()))
            .merge(Toml::file(&path))
            .merge(Env::prefixed("LYCEUM_").only(VARIABLES))
            .extract()
            .map_err(|error| Failure::new(BAD_CONFIG, format!("bad configuration: {error}")))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        let bad =
            |field: &str, why: &str| Err(Failure::new(BAD_CONFIG, format!("bad configuration: \"{field}\" {why}")));
        if self.listen.parse::<std::net::SocketAddr>().is_err() {
            return bad("listen", "must be an address and a port, such as 127.0.0.1:8080");
        }
        if !self.content_origin.is_empty()
            && let Err(why) = api::check_content_origin(&self.content_origin)
        {
            return bad("content_origin", &why);
        }
        if !self.h5p_player.is_empty()
            && let Err(why) = api::check_h5p_player(std::path::Path::new(&self.h5p_player))
        {
            return bad("h5p_player", &why);
        }
        if !self.database_url.is_empty() && !self.database_url.starts_with("postgres") {
            return bad("database_url", "must begin with postgres:// or be empty for SQLite");
        }
        if !self.qdrant_url.is_empty() && !self.qdrant_url.starts_with("http") {
            return bad("qdrant_url", "must be http://host:port of Qdrant's gRPC door, or empty");
        }
        if !["auto", "onnx", "candle"].contains(&self.embedding_runtime.as_str()) {
            return bad("embedding_runtime", "must be auto, onnx or candle");
        }
        if self.lease_seconds == 0 || self.lease_seconds > 3600 {
            return bad("lease_seconds", "must be 1 to 3600");
        }
        if !(0.001..=1_000.0).contains(&self.gateway.time_scale) {
            return bad("gateway.time_scale", "must be 0.001 to 1000");
        }
        if self.ytdlp.is_empty() {
            return bad("ytdlp", "must be a path or a name, such as yt-dlp");
        }
        if self.job_concurrency == 0 || self.job_concurrency > 64 {
            return bad("job_concurrency", "must be 1 to 64");
        }
        Ok(())
    }

    /// The folder of models, when one is set.
    pub(crate) fn model_dir(&self) -> Option<PathBuf> {
        (!self.model_dir.is_empty()).then(|| PathBuf::from(&self.model_dir))
    }

    /// The same with secrets masked, for people.
    pub(crate) fn masked(&self) -> Self {
        let mut shown = self.clone();
        if let Some((head, rest)) = shown.database_url.split_once("://")
            && let Some((user, host)) = rest.split_once('@')
        {
            let user = user.split(':').next().unwrap_or_default();
            shown.database_url = format!("{head}://{user}:***@{host}");
        }
        if !shown.github_token.is_empty() {
            shown.github_token = "***".into();
        }
        shown
    }
}

/// The data directory when none is named: under the user's data folder.
pub(crate) fn default_data_dir() -> PathBuf {
    let base = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share")));
    base.unwrap_or_else(|| PathBuf::from(".")).join("lyceum")
}
