//! One worker's stream: its messages go to the gateway's state until it closes or falls silent.

use std::sync::Arc;
use std::time::Duration;

use domain::wire::{Down, Up};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::forward::Direct;
use crate::gateway::Shared;

/// Messages that may wait in either direction; a worker that lets more pile up gets no new work.
pub(crate) const LINK_DEPTH: usize = 256;

/// The worker's end of a stream: hand both halves to `llm_worker::Worker::serve`.
#[derive(Debug)]
pub struct WorkerLink {
    /// What the gateway says.
    pub incoming: mpsc::Receiver<Down>,
    /// What the worker says.
    pub outgoing: mpsc::Sender<Up>,
}

/// The gateway's end of a stream.
pub(crate) struct GatewayLink {
    pub(crate) incoming: mpsc::Receiver<Up>,
    pub(crate) outgoing: mpsc::Sender<Down>,
}

/// Two connected ends.
pub(crate) fn pair() -> (GatewayLink, WorkerLink) {
    let (down_sender, down) = mpsc::channel(LINK_DEPTH);
    let (up_sender, up) = mpsc::channel(LINK_DEPTH);
    (GatewayLink { incoming: up, outgoing: down_sender }, WorkerLink { incoming: down, outgoing: up_sender })
}

/// Serves one worker until it closes, or is silent for `silence`; then releases its work.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    mut link: GatewayLink,
    silence: Option<Duration>,
    mut direct: Option<Arc<dyn Direct>>,
    resident: Option<usize>,
) {
    let mut worker = None;
    let mut last_heard = Instant::now();
    let mut beat = tokio::time::interval(silence.map_or(Duration::from_secs(3600), |silence| silence / 3));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = link.incoming.recv() => {
                let Some(message) = message else { break };
                last_heard = Instant::now();
                match (worker, message) {
                    (None, Up::Register { worker: name, models }) => {
                        worker = Some(shared.register(name, models, link.outgoing.clone(), direct.take(), resident));
                    }
                    (Some(id), message) => shared.hear(id, message),
                    (None, _) => {
                        tracing::warn!("a worker spoke before it registered; closing its stream");
                        break;
                    }
                }
            }
            _ = beat.tick() => {
                if silence.is_some_and(|silence| last_heard.elapsed() > silence) {
                    tracing::warn!(worker.id = worker, "a worker fell silent; releasing its work");
                    break;
                }
                if silence.is_some() && link.outgoing.try_send(Down::Heartbeat).is_err() && link.outgoing.is_closed() {
                    break;
                }
            }
            () = link.outgoing.closed() => break,
        }
    }
    // What arrived before the close still counts: a reply must not be lost to the order of a select.
    if let Some(id) = worker {
        while let Ok(message) = link.incoming.try_recv() {
            shared.hear(id, message);
        }
        shared.lose(id);
    }
}
