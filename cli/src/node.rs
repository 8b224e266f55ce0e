//! The composition root: opens every adapter of one school, starts its jobs, drains on close.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use assistant::Assistant;
use ingestion::Pipeline;
use llm_gateway::Gateway;
use recommender::Recommender;
use school::School;
use school::quota::Quotas;
use school::usage::Usage;
use store::blob::{Blobs, LocalBlobs};
use store::owner::Owner;
use store::queue::{Queue, QueueOptions};
use store::vector::{ExactScan, VectorIndex};
use store::{Store, StoreOptions};
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::exit::{Failure, Result};
use crate::meter::SchoolMeter;
use crate::telemetry::Telemetry;

/// How long running work may go on after the close began.
const DRAIN: Duration = Duration::from_secs(30);

/// How often schedules are looked at.
const SCHEDULES: Duration = Duration::from_secs(10);

/// An opened school.
pub(crate) struct Node {
    pub(crate) config: Config,
    pub(crate) data_dir: PathBuf,
    pub(crate) store: Store,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) school: School,
    pub(crate) gateway: Gateway,
    pub(crate) scan: ExactScan,
    pub(crate) index: Arc<dyn VectorIndex>,
    pub(crate) assistant: Assistant,
    pub(crate) recommender: Recommender,
    pub(crate) pipeline: Arc<Pipeline>,
    /// What runs the embedding model, for people.
    pub(crate) runtime: String,
    /// What is not as good as it could be, for people.
    pub(crate) notices: Vec<String>,
    pub(crate) tasks: TaskTracker,
    /// Ends the queue and the socket; forwarded commands end by themselves.
    pub(crate) shutdown: CancellationToken,
    /// Quotas and the ledger, written until the last request is settled.
    books: TaskTracker,
    books_stop: CancellationToken,
    telemetry: Option<Telemetry>,
    socket: PathBuf,
    /// The lock of the data directory, until the close.
    owner: std::sync::Mutex<Option<Owner>>,
}

impl Node {
    /// Opens the school of a data directory and starts its jobs.
    pub(crate) async fn open(owner: Owner, data_dir: &Path, config: Config) -> Result<Arc<Self>> {
        let database_url = (!config.database_url.is_empty()).then(|| config.database_url.clone());
        let store = Store::open(StoreOptions { data_dir: data_dir.to_owned(), database_url, connections: 8 }).await?;
        let released = owner.release_dead(&store).await?;
        if released > 0 {
            tracing::info!(released, "released what a killed process had leased");
        }
        let blobs: Arc<dyn Blobs> = Arc::new(LocalBlobs::new(data_dir));
        let tasks = TaskTracker::new();
        let shutdown = CancellationToken::new();
        let options = school::SchoolOptions {
            ingest_hosts: config.ingest_allow_hosts.clone(),
            stream_key: crate::stream_key::open(data_dir)?,
            ..Default::default()
        };
        let school = School::with(store.clone(), options)?;
        let (quotas, usage) = (Quotas::open(store.clone()), Usage::new(store.clone()));
        let (telemetry, unsent) = match Telemetry::open() {
            Ok(telemetry) => (telemetry, None),
            Err(notice) => (None, Some(notice)),
        };
        let meter = SchoolMeter::new(school.clone(), quotas.clone(), usage.clone(), telemetry.clone());
        let aliases = llm_worker::Catalog::built_in()
            .map_err(|error| Failure::new(crate::exit::FAILED, format!("the catalogue of models is damaged: {error}")))?
            .aliases;
        let gateway = Gateway::with_meter(config.gateway.options(&aliases), Some(meter));
        let models_stop = CancellationToken::new();
        crate::models::servers(&config, &gateway, &tasks, &models_stop)
            .map_err(|error| Failure::new(crate::exit::BAD_CONFIG, format!("bad configuration: {error}")))?;
        let models = crate::models::attach(&config, &gateway, &tasks, &models_stop).await;
        let scan = ExactScan::new(store.clone());
        let index: Arc<dyn VectorIndex> = if config.qdrant_url.is_empty() {
            Arc::new(scan.clone())
        } else {
            let remote = engines::qdrant::QdrantIndex::new(
                store.clone(),
                &engines::qdrant::QdrantOptions::new(&config.qdrant_url),
            );
            Arc::new(remote.map_err(Failure::from)?)
        };
        let assistant = Assistant::new(store.clone(), scan.clone(), gateway.clone()).with_index(index.clone());
        let recommender = Recommender::new(school.clone(), scan.clone());
        let pipeline = Arc::new(
            Pipeline::new(school.clone(), store.clone(), blobs.clone(), gateway.clone(), index.clone())
                .with_outside(ingestion::source::Outside {
                    ytdlp: config.ytdlp.clone().into(),
                    hosts: config.ingest_allow_hosts.clone(),
                    github: (!config.github_token.is_empty())
                        .then(|| ingestion::source::GitHub::new(config.github_token.clone())),
                    languages: config.caption_languages.clone(),
                    ..Default::default()
                })
                .with_disk_reserve(config.disk_reserve_mib << 20)
                .with_after_index(Arc::new(Calibrates(assistant.clone()))),
        );
        school.set_starter(pipeline.clone());

        let mut queue_options = QueueOptions::new(owner.instance());
        queue_options.lease = Duration::from_secs(config.lease_seconds);
        queue_options.heartbeat = queue_options.lease / 3;
        queue_options.concurrency = config.job_concurrency;
        let mut queue = Queue::new(store.clone(), queue_options);
        pipeline.register(&mut queue);
        school.model_request().register(&mut queue, Arc::new(api::ModelRunner::new(gateway.clone())));
        let stop = shutdown.clone();
        tasks.spawn(async move { queue.run(stop).await });
        // The books stay open until the last request is settled.
        let (books, books_stop) = (TaskTracker::new(), CancellationToken::new());
        let stop = books_stop.clone();
        books.spawn(async move { tokio::join!(quotas.run(stop.clone()), usage.run(stop)) });

        let socket = owner.socket_path();
        let node = Arc::new(Self {
            config,
            data_dir: data_dir.to_owned(),
            store,
            blobs,
            school,
            gateway,
            scan,
            index,
            assistant,
            recommender,
            pipeline,
            runtime: models.runtime,
            notices: models.notices.into_iter().chain(unsent).collect(),
            tasks,
            shutdown,
            books,
            books_stop,
            telemetry,
            socket,
            owner: std::sync::Mutex::new(Some(owner)),
        });
        node.listen()?;
        Ok(node)
    }

    /// Removes, now and every hour, blobs that nothing has referenced for a day, and durable requests that are over
    /// long enough.
    pub(crate) fn collect(self: &Arc<Self>) {
        let node = self.clone();
        self.tasks.spawn(async move {
            let mut hours = tokio::time::interval(Duration::from_secs(3600));
            loop {
                tokio::select! {
                    _ = hours.tick() => {}
                    () = node.shutdown.cancelled() => return,
                }
                if let Err(error) = node.collect_once().await {
                    tracing::warn!(%error, "unreferenced blobs were not collected; the next hour tries again");
                }
                let kept = Duration::from_secs(u64::from(node.config.gateway.kept_days) * 24 * 3600);
                match node.school.model_request().forget(kept).await {
                    Ok(0) => {}
                    Ok(forgotten) => tracing::info!(forgotten, "old durable requests were deleted with their answers"),
                    Err(error) => tracing::warn!(%error, "old durable requests stay; the next hour tries again"),
                }
            }
        });
    }

    /// Fetches sources again when their time has come. Any number of nodes may do so: a turn is taken once.
    pub(crate) fn keep_schedules(self: &Arc<Self>) {
        let node = self.clone();
        self.tasks.spawn(async move {
            let mut looks = tokio::time::interval(SCHEDULES);
            looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = looks.tick() => {}
                    () = node.shutdown.cancelled() => return,
                }
                match node.school.source().run_due().await {
                    Ok(0) => {}
                    Ok(started) => tracing::info!(started, "scheduled sources are fetched again"),
                    Err(error) => tracing::warn!(%error, "schedules could not be looked at; the next look tries again"),
                }
            }
        });
    }

    async fn collect_once(&self) -> store::Result<()> {
        let institutions =
            self.store.read(|tx| Box::pin(async move { store::sql::institution::list(tx).await })).await?;
        for institution in institutions {
            let day = Duration::from_secs(24 * 3600);
            let collected = store::blob::collect(&self.store, &*self.blobs, institution.id, day).await?;
            if collected.rows + collected.files > 0 {
                tracing::info!(rows = collected.rows, files = collected.files, "collected unreferenced blobs");
            }
        }
        Ok(())
    }

    /// Answers commands of other processes on the same data directory.
    fn listen(self: &Arc<Self>) -> Result<()> {
        // The lock is ours, so a socket that is there was left by a dead owner.
        match std::fs::remove_file(&self.socket) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let listener = UnixListener::bind(&self.socket)?;
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&self.socket, std::fs::Permissions::from_mode(0o600))?;
        self.tasks.spawn(crate::forward::answer(listener, self.clone(), self.shutdown.clone()));
        Ok(())
    }

    /// Stops taking work, waits for what runs, gives the data directory back.
    pub(crate) async fn close(&self) {
        // The file of the lock's owner goes first: nobody connects to one who is leaving.
        if let Err(error) = std::fs::remove_file(&self.socket) {
            tracing::debug!(%error, "the socket was gone already");
        }
        self.shutdown.cancel();
        self.gateway.drain();
        self.tasks.close();
        if tokio::time::timeout(DRAIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("work was still running after {} s; its leases end by themselves", DRAIN.as_secs());
        }
        self.books_stop.cancel();
        self.books.close();
        if tokio::time::timeout(DRAIN, self.books.wait()).await.is_err() {
            tracing::warn!("the use of the last minute was not written within {} s", DRAIN.as_secs());
        }
        if let Some(telemetry) = self.telemetry.clone() {
            // It waits for the collector.
            let _ = tokio::task::spawn_blocking(move || telemetry.close()).await;
        }
        self.store.close().await;
        // Given back here and not with the last reference: the same process may open the school again.
        if let Ok(mut owner) = self.owner.lock() {
            owner.take();
        }
    }
}

/// Fits the scope gate of a course once its vectors are there.
struct Calibrates(Assistant);

#[async_trait::async_trait]
impl ingestion::AfterIndex for Calibrates {
    async fn indexed(&self, scope: store::Scope) -> std::result::Result<(), String> {
        self.0.calibrate(&scope).await.map(|_| ()).map_err(|error| error.to_string())
    }
}
