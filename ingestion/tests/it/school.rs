//! A school with a running pipeline and a small embedding worker, for the suites.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::ingestion::{Report, SourceKind};
use domain::policy::Actor;
use domain::wire::{Down, Failure, Model, Reply, Request, Task, Up, Vectors};
use ingestion::{AfterIndex, IngestRequest, Pipeline};
use llm_gateway::{Gateway, WorkerLink};
use school::School;
use school::institution::NewInstitution;
use store::blob::LocalBlobs;
use store::queue::{Queue, QueueOptions};
use store::vector::ExactScan;
use store::{Scope, Store};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub(crate) const MODEL: &str = "test@fp32";

/// An embedding worker: a text's vector depends on the text alone.
#[derive(Clone, Default)]
pub(crate) struct Worker {
    pub(crate) failing: Arc<AtomicUsize>,
    pub(crate) embedded: Arc<AtomicUsize>,
    /// Pauses before each answer, so that a kill can hit the middle.
    pub(crate) pause: Duration,
    /// When given, each answer takes one of these and waits until there is one.
    pub(crate) answers: Option<Arc<Semaphore>>,
}

impl Worker {
    pub(crate) fn attach(&self, gateway: &Gateway) {
        let (link, task) = gateway.attach_in_process();
        tokio::spawn(task);
        tokio::spawn(self.clone().serve(link));
    }

    async fn serve(self, mut link: WorkerLink) {
        let model = Model { dimension: Some(8), max_tokens: Some(256), ..Model::new(MODEL, Task::Embed, "test") };
        let _ = link.outgoing.send(Up::Register { worker: "test".into(), models: vec![model] }).await;
        let _ = link.outgoing.send(Up::Credit { count: 4 }).await;
        while let Some(message) = link.incoming.recv().await {
            let Down::Assign { assignment } = message else { continue };
            let (id, Request::Embed(request)) = (assignment.id, assignment.request) else { continue };
            tokio::time::sleep(self.pause).await;
            if let Some(answers) = &self.answers {
                answers.acquire().await.unwrap().forget();
            }
            self.embedded.fetch_add(request.texts.len(), Ordering::SeqCst);
            let fails =
                self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            let answer = if fails {
                Up::Fail { id, failure: Failure::Backend { message: "told to fail".into() } }
            } else {
                let vectors = Vectors(request.texts.iter().map(|text| vector(text)).collect());
                Up::Done { id, reply: Reply::Embed { vectors } }
            };
            let _ = link.outgoing.send(answer).await;
            let _ = link.outgoing.send(Up::Credit { count: 1 }).await;
        }
    }
}

fn vector(text: &str) -> Vec<f32> {
    let mut numbers = [0.1_f32; 8];
    for (index, byte) in text.bytes().enumerate() {
        numbers[index % 8] += f32::from(byte);
    }
    let length = numbers.iter().map(|n| n * n).sum::<f32>().sqrt();
    numbers.iter().map(|n| n / length).collect()
}

/// Counts calibrations.
#[derive(Default)]
pub(crate) struct Counted(pub(crate) AtomicUsize);

#[async_trait::async_trait]
impl AfterIndex for Counted {
    async fn indexed(&self, _scope: Scope) -> Result<(), String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

pub(crate) struct Bench {
    pub(crate) school: School,
    pub(crate) gateway: Gateway,
    pub(crate) pipeline: Pipeline,
    pub(crate) actor: Actor,
    pub(crate) after: Arc<Counted>,
    pub(crate) stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
    pub(crate) folder: tempfile::TempDir,
}

impl Bench {
    /// A school on `store` whose queue runs, with `worker` when given.
    pub(crate) async fn new(store: &Store, worker: Option<&Worker>) -> Self {
        Self::with(store, worker, |pipeline| pipeline).await
    }

    /// The same with another pipeline.
    pub(crate) async fn with(
        store: &Store,
        worker: Option<&Worker>,
        change: impl FnOnce(Pipeline) -> Pipeline,
    ) -> Self {
        let school = School::new(store.clone()).unwrap();
        let anywhere = Actor::operator(domain::InstitutionId::fresh());
        let institution = match school.institution().resolve(Some("north")).await {
            Ok(found) => found,
            Err(_) => school
                .institution()
                .create(&anywhere, NewInstitution { slug: "north".into(), name: "North".into() })
                .await
                .unwrap(),
        };
        let gateway = Gateway::default();
        if let Some(worker) = worker {
            worker.attach(&gateway);
            while gateway.embedding_model().is_none() {
                tokio::task::yield_now().await;
            }
        }
        let blobs = Arc::new(LocalBlobs::new(&store.options().data_dir));
        let index = Arc::new(ExactScan::new(store.clone()));
        let after = Arc::new(Counted::default());
        let pipeline = Pipeline::new(school.clone(), store.clone(), blobs, gateway.clone(), index)
            .with_after_index(after.clone())
            .with_sandbox(crate::testkit::sandbox());
        let pipeline = change(pipeline);
        let mut options = QueueOptions::new(format!("test-{}", domain::JobId::fresh()));
        options.poll = Duration::from_millis(50);
        options.backoff_base = Duration::from_millis(10);
        options.lease = Duration::from_secs(2);
        options.heartbeat = Duration::from_millis(500);
        let mut queue = Queue::new(store.clone(), options);
        pipeline.register(&mut queue);
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let running = tokio::spawn(async move { queue.run(stopping).await });
        let folder = tempfile::tempdir().unwrap();
        Self { school, gateway, pipeline, actor: Actor::operator(institution.id), after, stop, running, folder }
    }

    pub(crate) async fn ingest(&self, kind: SourceKind, origin: &Path) -> Report {
        self.ingest_into("course", kind, origin, None).await
    }

    pub(crate) async fn ingest_into(
        &self,
        course: &str,
        kind: SourceKind,
        origin: &Path,
        captions: Option<PathBuf>,
    ) -> Report {
        let request = IngestRequest {
            course: course.into(),
            kind,
            origin: origin.display().to_string(),
            captions,
            local: true,
            rights: false,
            crawl: Default::default(),
        };
        let id = self.pipeline.start(&self.actor, request).await.unwrap();
        let waited = tokio::time::timeout(Duration::from_secs(60), self.pipeline.wait(&self.actor, id, |_| {})).await;
        waited.expect("an ingestion must end").unwrap()
    }

    /// Kills the queue in the middle of whatever it does, as a dying process would.
    pub(crate) async fn kill(self) -> tempfile::TempDir {
        self.running.abort();
        let _ = self.running.await;
        self.folder
    }

    /// Tells the queue to stop, as a server does that is shut down, and waits until it has.
    pub(crate) async fn shut_down(self) -> tempfile::TempDir {
        self.stop.cancel();
        self.running.await.unwrap();
        self.folder
    }

    /// Writes a file of the test's folder.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// `invariant subject message` of what is wrong in the store.
pub(crate) async fn findings(store: &Store) -> Vec<String> {
    let blobs = LocalBlobs::new(&store.options().data_dir);
    let found = store::verify::verify(store, &blobs, None).await.unwrap();
    found.iter().map(|finding| format!("{finding:?}")).collect()
}
