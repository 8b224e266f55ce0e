//! The peers: dispatchers in front of the same simulated servers, over the same HTTP.
//! First-come (what Ollama and llama-swap do), round robin, and the Virtual Token Counter
//! (Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024, algorithm 2).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use tokio::sync::oneshot;

use crate::client::{Client, Outcome};
use crate::trace::Request;

/// Weight of a prompt token in the service that a user got; VTC's w_p.
pub const PROMPT_WEIGHT: f64 = 1.0;
/// Weight of a written token; VTC's w_q.
pub const COMPLETION_WEIGHT: f64 = 2.0;

/// Who is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// One queue, first come first served, to the first free worker.
    FirstCome,
    /// Request by request to the next worker, which queues by itself.
    RoundRobin,
    /// One queue; next is the user with the least service.
    VirtualTokenCounter,
    /// The same without its lift, so that who was away has credit (the paper's LCF): whoever asks seldom is
    /// next, which is the best for them that is possible without breaking off what runs.
    LeastCounterFirst,
}

/// A dispatcher in front of simulated servers.
pub struct Peer {
    policy: Policy,
    servers: Vec<String>,
    client: Client,
    desk: Mutex<Desk>,
}

struct Desk {
    waiting: Vec<Ticket>,
    free: BTreeSet<usize>,
    /// Service of each user, by VTC's account.
    counters: Vec<f64>,
    /// The user whose request left the queue last.
    left_last: Option<usize>,
    /// Worker of the next request, in turn.
    turn: usize,
}

struct Ticket {
    user: usize,
    prompt_tokens: usize,
    seat: oneshot::Sender<Seat>,
}

/// A worker that is kept until the request ends, however it ends.
struct Seat {
    peer: Arc<Peer>,
    worker: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.peer.desk().free.insert(self.worker);
        Peer::assign(&self.peer);
    }
}

impl Peer {
    /// A dispatcher for users below a number.
    pub fn new(policy: Policy, servers: Vec<String>, users: usize) -> Result<Arc<Self>> {
        let desk = Desk {
            waiting: Vec::new(),
            free: (0..servers.len()).collect(),
            counters: vec![0.0; users],
            left_last: None,
            turn: 0,
        };
        Ok(Arc::new(Self { policy, servers, client: Client::new()?, desk: Mutex::new(desk) }))
    }

    /// Queues a request and sees it through. The client hangs up at its deadline, which frees the worker.
    pub async fn complete(self: &Arc<Self>, request: &Request) -> Outcome {
        let Some(deadline) = request.deadline else { return self.attend(request).await };
        tokio::time::timeout(deadline, self.attend(request)).await.unwrap_or(Outcome::Left)
    }

    async fn attend(self: &Arc<Self>, request: &Request) -> Outcome {
        if self.policy == Policy::RoundRobin {
            let worker = {
                let mut desk = self.desk();
                desk.turn += 1;
                desk.turn % self.servers.len().max(1)
            };
            return self.run(worker, request).await;
        }
        let (sender, receiver) = oneshot::channel();
        self.enqueue(Ticket { user: request.user, prompt_tokens: request.prompt_tokens, seat: sender });
        match receiver.await {
            Ok(seat) => self.run(seat.worker, request).await,
            Err(_) => Outcome::Failed("the dispatcher lost a request".to_owned()),
        }
    }

    async fn run(self: &Arc<Self>, worker: usize, request: &Request) -> Outcome {
        let Some(server) = self.servers.get(worker) else {
            return Outcome::Failed(format!("there is no worker {worker}"));
        };
        let mut charge = || {
            if let Some(counter) = self.desk().counters.get_mut(request.user) {
                *counter += COMPLETION_WEIGHT;
            }
        };
        self.client.complete(server, None, request, &mut charge).await
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(self: &Arc<Self>, ticket: Ticket) {
        {
            let mut desk = self.desk();
            if self.policy == Policy::VirtualTokenCounter {
                desk.lift(ticket.user);
            }
            desk.waiting.push(ticket);
        }
        Self::assign(self);
    }

    /// Gives free workers to those who are next.
    fn assign(peer: &Arc<Self>) {
        loop {
            let (seat, worker) = {
                let mut desk = peer.desk();
                desk.waiting.retain(|ticket| !ticket.seat.is_closed());
                let Some(worker) = desk.free.first().copied() else { return };
                let Some(ticket) = desk.next(peer.policy) else { return };
                desk.free.remove(&worker);
                (ticket.seat, worker)
            };
            // A client that left in this moment gives its seat back by dropping it.
            drop(seat.send(Seat { peer: Arc::clone(peer), worker }));
        }
    }
}

impl Desk {
    fn counter(&self, user: usize) -> f64 {
        self.counters.get(user).copied().unwrap_or_default()
    }

    /// Who was away gets no credit for it: lines 5 to 14 of the algorithm.
    fn lift(&mut self, user: usize) {
        if self.waiting.iter().any(|ticket| ticket.user == user) {
            return;
        }
        let least = self.waiting.iter().map(|ticket| self.counter(ticket.user)).reduce(f64::min);
        let floor = least.or_else(|| self.left_last.map(|last| self.counter(last))).unwrap_or_default();
        if let Some(counter) = self.counters.get_mut(user) {
            *counter = counter.max(floor);
        }
    }

    fn next(&mut self, policy: Policy) -> Option<Ticket> {
        if self.waiting.is_empty() {
            return None;
        }
        let chosen = match policy {
            Policy::FirstCome | Policy::RoundRobin => 0,
            Policy::VirtualTokenCounter | Policy::LeastCounterFirst => {
                let least = self
                    .waiting
                    .iter()
                    .enumerate()
                    .min_by(|(_, one), (_, other)| self.counter(one.user).total_cmp(&self.counter(other.user)));
                least.map_or(0, |(index, _)| index)
            }
        };
        let ticket = self.waiting.remove(chosen);
        self.left_last = Some(ticket.user);
        if let Some(counter) = self.counters.get_mut(ticket.user) {
            *counter += PROMPT_WEIGHT * ticket.prompt_tokens as f64;
        }
        Some(ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk(counters: &[f64], waiting: &[usize]) -> Desk {
        let waiting = waiting.iter().map(|user| ticket(*user)).collect();
        Desk { waiting, free: BTreeSet::new(), counters: counters.to_vec(), left_last: None, turn: 0 }
    }

    fn ticket(user: usize) -> Ticket {
        Ticket { user, prompt_tokens: 10, seat: oneshot::channel().0 }
    }

    #[test]
    fn the_user_with_the_least_service_is_next_and_pays_for_the_prompt() {
        let mut desk = desk(&[50.0, 5.0], &[0, 1, 1]);
        let first = desk.next(Policy::VirtualTokenCounter).unwrap();
        assert_eq!((first.user, desk.counters[1]), (1, 15.0));
    }

    #[test]
    fn who_was_away_is_lifted_to_the_least_of_those_who_wait() {
        let mut desk = desk(&[50.0, 70.0, 5.0], &[0, 1]);
        desk.lift(2);
        assert_eq!(desk.counters[2], 50.0);
        desk.lift(0);
        assert_eq!(desk.counters[0], 50.0, "already waiting");
    }

    #[test]
    fn an_empty_queue_lifts_to_who_left_last() {
        let mut desk = desk(&[50.0, 5.0], &[]);
        desk.left_last = Some(0);
        desk.lift(1);
        assert_eq!(desk.counters[1], 50.0);
    }
}
