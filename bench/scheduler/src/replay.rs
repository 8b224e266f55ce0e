//! Plays a trace against ours or a peer, and checks that every request ended once and rightly.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::client::{Client, Outcome};
use crate::gateway::{Door, Ours};
use crate::peer::{Peer, Policy};
use crate::simulated::{Run, Server};
use crate::trace::{self, Request, Trace};

/// What answers a trace.
#[derive(Clone, Copy)]
pub enum Target<'a> {
    Ours(&'a Ours),
    Peer(Policy),
}

/// One request of a run.
#[derive(Clone, Debug)]
pub struct Sample {
    pub id: String,
    pub user: usize,
    pub submitted: Instant,
    pub latency: Duration,
    pub outcome: Outcome,
    pub deadline: Option<Duration>,
}

/// A trace as it was played.
#[derive(Debug)]
pub struct Played {
    pub samples: Vec<Sample>,
    pub runs: Vec<Run>,
    /// What must not have happened, in words.
    pub faults: Vec<String>,
}

enum Sender {
    Ours(Client, Door),
    Peer(Arc<Peer>),
}

impl Sender {
    async fn send(&self, request: &Request) -> Outcome {
        match self {
            Self::Ours(client, door) => client.complete(&door.url, door.key(request.user), request, &mut || ()).await,
            Self::Peer(peer) => peer.complete(request).await,
        }
    }
}

/// Plays a trace against fresh servers.
pub async fn play(trace: &Trace, target: Target<'_>) -> Result<Played> {
    let mut servers = Vec::with_capacity(trace.workers);
    for _ in 0..trace.workers {
        servers.push(Server::start(&trace::MODELS).await?);
    }
    let urls: Vec<String> = servers.iter().map(|server| server.url.clone()).collect();
    let (sender, running) = match target {
        Target::Ours(ours) => {
            let running = ours.start(&urls).await?;
            (Sender::Ours(Client::new()?, running.door.clone()), Some(running))
        }
        Target::Peer(policy) => (Sender::Peer(Peer::new(policy, urls, trace::USERS)?), None),
    };
    let sender = Arc::new(sender);
    warm_up(&sender, trace.workers).await?;
    for server in &servers {
        server.reset().await;
    }
    let samples = send_all(trace, &sender).await?;
    let runs: Vec<Run> = servers.iter().flat_map(Server::runs).collect();
    let mut faults = faults(&samples, &runs);
    if samples.len() != trace.requests() {
        faults.push(format!("{} of {} requests ended", samples.len(), trace.requests()));
    }
    drop(running);
    Ok(Played { samples, runs, faults })
}

/// A few requests for the model that is loaded: connections are open and speeds known, as on any other day.
async fn warm_up(sender: &Sender, workers: usize) -> Result<()> {
    for round in 0..3 {
        let requests: Vec<Request> = (0..workers).map(|number| trace::first(round * workers + number)).collect();
        let outcomes = futures::future::join_all(requests.iter().map(|request| sender.send(request))).await;
        for outcome in outcomes {
            anyhow::ensure!(
                outcome == Outcome::Answered { right: true },
                "the first requests were not answered: {outcome:?}"
            );
        }
    }
    Ok(())
}

async fn send_all(trace: &Trace, sender: &Arc<Sender>) -> Result<Vec<Sample>> {
    let begin = Instant::now() + Duration::from_millis(50);
    let mut sessions = JoinSet::new();
    for session in trace.sessions.clone() {
        let sender = Arc::clone(sender);
        sessions.spawn(async move {
            let mut samples = Vec::with_capacity(session.len());
            let mut due = begin;
            for step in session {
                due += step.pause;
                sleep_until(due).await;
                let outcome = sender.send(&step.request).await;
                let ended = Instant::now();
                let Request { id, user, deadline, .. } = step.request;
                samples.push(Sample { id, user, submitted: due, latency: ended - due, outcome, deadline });
                due = ended;
            }
            samples
        });
    }
    let mut samples = Vec::with_capacity(trace.requests());
    while let Some(session) = sessions.join_next().await {
        samples.extend(session?);
    }
    Ok(samples)
}

fn faults(samples: &[Sample], runs: &[Run]) -> Vec<String> {
    let mut executions: HashMap<&str, (usize, usize)> = HashMap::new();
    for run in runs {
        let (begun, complete) = executions.entry(&run.id).or_default();
        *begun += 1;
        *complete += usize::from(run.complete);
    }
    let mut faults = Vec::new();
    for sample in samples {
        let (begun, complete) = executions.remove(sample.id.as_str()).unwrap_or_default();
        let fault = match &sample.outcome {
            Outcome::Answered { right: false } => Some("the answer is another one".to_owned()),
            Outcome::Answered { right: true } if complete != 1 => {
                Some(format!("answered once, begun {begun} times, finished {complete} times"))
            }
            Outcome::Refused { retry_after: false } => Some("429 without Retry-After".to_owned()),
            Outcome::Refused { .. } if sample.deadline.is_none() => Some("refused, though nothing was full".to_owned()),
            Outcome::Refused { .. } if begun > 0 => Some("refused, and yet run".to_owned()),
            Outcome::Expired | Outcome::Left if begun > 1 => Some(format!("begun {begun} times")),
            Outcome::Failed(reason) => Some(reason.clone()),
            _ => None,
        };
        faults.extend(fault.map(|fault| format!("{}: {fault}", sample.id)));
    }
    faults.extend(executions.into_keys().map(|id| format!("\"{id}\" was run, and nobody asked for it")));
    faults
}
