//! The in-process bus: consumers that follow the event log, each event once, in order within a partition.
//!
//! A consumer's effects, its offset and its note in `processed_events` are one transaction. An event
//! that keeps failing goes to the dead list and the partition moves on. Copying the log to Kafka is
//! another consumer's business, not done here.

use std::sync::Arc;
use std::time::Duration;

use domain::event::Event;
use domain::{EventId, InstitutionId};
use futures::future::join_all;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::db::{Store, Tx};
use crate::error::{Error, Result};
use crate::sql::event;
use crate::sql::event::consumer::{self, Step};
pub use crate::sql::event::consumer::{DeadEvent, dead};

/// Reacts to events inside the transaction that notes them as processed.
#[async_trait::async_trait]
pub trait Consumer: Send + Sync {
    /// Applies one event. It computes and writes; it does not wait for anything but `tx`.
    async fn consume(&self, tx: &mut Tx, event: &Event) -> Result<()>;
}

/// Times of the bus.
#[derive(Debug, Clone)]
pub struct BusOptions {
    /// Name of this process, [`crate::owner::Owner::instance`].
    pub instance: String,
    /// How long a partition stays with a process that stopped answering.
    pub lease: Duration,
    /// How often to look for events of other processes.
    pub poll: Duration,
    /// Tries of an event before it goes to the dead list.
    pub tries: u32,
    /// Wait after the first failed try; doubled with each.
    pub backoff: Duration,
}

impl BusOptions {
    /// 30 s leases, a look every second, five tries within about 3 s.
    pub fn new(instance: impl Into<String>) -> Self {
        Self {
            instance: instance.into(),
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            tries: 5,
            backoff: Duration::from_millis(200),
        }
    }
}

/// Consumers by name and the loops that feed them.
pub struct Bus {
    store: Store,
    options: BusOptions,
    consumers: Vec<(String, Arc<dyn Consumer>)>,
}

/// The partitions that this process holds for one consumer, with their offsets.
#[derive(Default)]
struct Held {
    partitions: Vec<(i64, i64)>,
    taken: Option<Instant>,
}

/// Events read at once from a partition.
const PAGE: i64 = 200;

impl Bus {
    /// A bus without consumers.
    #[must_use]
    pub fn new(store: Store, options: BusOptions) -> Self {
        Self { store, options, consumers: Vec::new() }
    }

    /// Feeds `consumer` from the beginning of the log, or from where it was.
    pub fn subscribe(&mut self, name: impl Into<String>, consumer: Arc<dyn Consumer>) -> &mut Self {
        self.consumers.push((name.into(), consumer));
        self
    }

    /// Feeds the consumers until `shutdown`, then gives their partitions back.
    pub async fn run(&self, shutdown: CancellationToken) {
        join_all(self.consumers.iter().map(|(name, consumer)| self.follow(name, consumer, &shutdown))).await;
    }

    /// Feeds every consumer until nothing is left to feed; yields the number of events processed.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn drain(&self) -> Result<u64> {
        let mut total = 0;
        for (name, consumer) in &self.consumers {
            self.register(name).await?;
            let mut held = Held::default();
            loop {
                let processed = self.round(name, consumer, &mut held, &CancellationToken::new()).await?;
                total += processed;
                if processed == 0 {
                    break;
                }
            }
            self.release(name).await?;
        }
        Ok(total)
    }

    /// Applies a dead event again; false when it is not in the dead list.
    ///
    /// # Errors
    /// No such consumer, or it fails again: the event stays dead then.
    pub async fn retry(&self, institution: InstitutionId, name: &str, id: EventId) -> Result<bool> {
        let found = self.consumers.iter().find(|(consumer, _)| consumer == name);
        let Some((name, consumer)) = found.cloned() else {
            return Err(Error::Domain(domain::Error::not_found("consumer", name)));
        };
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    if !consumer::revive(tx, institution, &name, id).await? {
                        return Ok(false);
                    }
                    let event = event::get(tx, institution, id).await?;
                    let event = event.ok_or_else(|| Error::Domain(domain::Error::not_found("event", id)))?;
                    consumer.consume(tx, &event).await?;
                    Ok(true)
                })
            })
            .await
    }

    async fn follow(&self, name: &str, consumer: &Arc<dyn Consumer>, shutdown: &CancellationToken) {
        let mut appended = self.store.events_appended();
        let mut registered = false;
        let mut held = Held::default();
        while !shutdown.is_cancelled() {
            appended.mark_unchanged();
            let round = async {
                if !registered {
                    self.register(name).await?;
                    registered = true;
                }
                self.round(name, consumer, &mut held, shutdown).await
            };
            let wait_for_wake = match round.await {
                Ok(0) => true,
                Ok(_) => continue,
                Err(error) => {
                    tracing::warn!(consumer = name, %error, "events could not be read; trying again");
                    held = Held::default();
                    false
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                _ = appended.changed(), if wait_for_wake => {}
                () = tokio::time::sleep(self.options.poll) => {}
            }
        }
        if let Err(error) = self.release(name).await {
            tracing::info!(consumer = name, %error, "partitions are given back when their leases end");
        }
    }

    /// One look at every partition held; leases are renewed when a third of them is over.
    async fn round(
        &self,
        name: &str,
        consumer: &Arc<dyn Consumer>,
        held: &mut Held,
        shutdown: &CancellationToken,
    ) -> Result<u64> {
        if held.taken.is_none_or(|taken| taken.elapsed() > self.options.lease / 3) {
            let (consumer_name, owner, lease) = (name.to_owned(), self.options.instance.clone(), self.options.lease);
            let taken = Instant::now();
            held.partitions = self
                .store
                .write(move |tx| Box::pin(async move { consumer::take(tx, &consumer_name, &owner, lease).await }))
                .await?;
            held.taken = Some(taken);
        }
        let offsets = held.partitions.clone();
        let pages = self
            .store
            .read(|tx| {
                Box::pin(async move {
                    let mut pages = Vec::new();
                    for (partition, seq) in offsets {
                        let events = event::after(tx, None, Some(partition), seq, PAGE).await?;
                        if !events.is_empty() {
                            pages.push((partition, seq, events));
                        }
                    }
                    Ok(pages)
                })
            })
            .await?;
        let parts = pages.into_iter().map(|page| self.partition(name, consumer, page, shutdown));
        let mut processed = 0;
        for part in join_all(parts).await {
            match part {
                Ok((partition, seq, count)) => {
                    processed += count;
                    if let Some(place) = held.partitions.iter_mut().find(|(held, _)| *held == partition) {
                        place.1 = seq;
                    }
                }
                // Another process took the partition over: look again at what is ours.
                Err(Error::Fenced) => held.taken = None,
                Err(error) => return Err(error),
            }
        }
        Ok(processed)
    }

    /// Feeds a page; yields the partition, its new offset and the number of events.
    async fn partition(
        &self,
        name: &str,
        consumer: &Arc<dyn Consumer>,
        (partition, mut seq, events): (i64, i64, Vec<(i64, Event)>),
        shutdown: &CancellationToken,
    ) -> Result<(i64, i64, u64)> {
        let mut processed = 0;
        for (place, event) in events {
            if shutdown.is_cancelled() {
                break;
            }
            let step = Step {
                consumer: name.to_owned(),
                owner: self.options.instance.clone(),
                partition,
                from: seq,
                to: place,
            };
            self.process(consumer, step, event).await?;
            seq = place;
            processed += 1;
        }
        Ok((partition, seq, processed))
    }

    async fn process(&self, consumer: &Arc<dyn Consumer>, step: Step, event: Event) -> Result<()> {
        let mut tries = 0;
        let reason = loop {
            let (consumer, noted, given) = (consumer.clone(), step.clone(), event.clone());
            let work = self.store.write(move |tx| {
                Box::pin(async move {
                    if consumer::advance(tx, &noted, &given, None).await? {
                        consumer.consume(tx, &given).await?;
                    }
                    Ok(())
                })
            });
            match work.await {
                Ok(()) => return Ok(()),
                Err(error @ (Error::Fenced | Error::Unavailable(_) | Error::Full(_))) => return Err(error),
                Err(error) => {
                    tries += 1;
                    if tries >= self.options.tries {
                        break error.to_string();
                    }
                    tokio::time::sleep(self.options.backoff * 2_u32.saturating_pow(tries - 1)).await;
                }
            }
        };
        tracing::error!(consumer = %step.consumer, event.id = %event.event_id, %reason, "event moved to the dead list");
        self.store
            .write(move |tx| {
                Box::pin(async move { consumer::advance(tx, &step, &event, Some(&reason)).await.map(|_| ()) })
            })
            .await
    }

    async fn register(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.store.write(move |tx| Box::pin(async move { consumer::register(tx, &name).await })).await
    }

    async fn release(&self, name: &str) -> Result<()> {
        let (name, owner) = (name.to_owned(), self.options.instance.clone());
        self.store.write(move |tx| Box::pin(async move { consumer::release(tx, &name, &owner).await })).await
    }
}
