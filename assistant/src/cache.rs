//! Answers of a language model, kept for those who ask the same of the same course.
//!
//! An answer is kept in its partition alone: institution, course, what the asker may see, models, prompt, and the
//! state of what is published and of what is closed. There is no look-up without one. What is kept are checked drafts;
//! where a course says more and how sure the gate is comes from the retrieval of each question. Lives in memory: a
//! restart forgets it. Learners of a course see the same material; a scope by group would be a part of the partition.

mod guard;
mod word;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::{CourseId, InstitutionId};
use futures::future::{BoxFuture, FutureExt as _, Shared, WeakShared};

use crate::generate::{Fallback, Generated};
use crate::retrieve::{dot, unit};

/// Cosine from which two questions may be one. Chosen on `tests/it/questions.jsonl`: paraphrases that the guards let
/// through lie above it; the guards do the rest.
const ALIKE: f32 = 0.92;

/// Bounds of what is kept.
#[derive(Debug, Clone, Copy)]
pub struct CacheLimits {
    /// Answers of one partition; the oldest goes.
    pub entries: usize,
    /// Bytes in all, about; the partition that was used last the longest ago goes.
    pub bytes: usize,
    /// Longest life of an answer.
    pub life: Duration,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { entries: 200, bytes: 32 * 1024 * 1024, life: Duration::from_secs(24 * 3600) }
    }
}

/// What became of look-ups since the start, and what is kept now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCounters {
    /// Answers that were shown from the cache.
    pub hits: u64,
    /// Look-ups that found nothing, or nothing that still held.
    pub misses: u64,
    /// Answers that were waited for together with another asker.
    pub shared: u64,
    /// Kept answers whose citations did not hold any more.
    pub broken: u64,
    /// Answers that are kept.
    pub entries: usize,
    /// Bytes that they take, about.
    pub bytes: usize,
}

/// A question as it is compared with others.
#[derive(Debug, Clone)]
pub struct Asked {
    form: guard::Form,
    vector: Vec<f32>,
    /// As it was typed, for those who ask at the same moment.
    text: String,
}

impl Asked {
    /// The question with its vector; none when its answer is for the asker alone: follow-ups, what speaks of the
    /// asker or the day, orders to a model, long texts.
    #[must_use]
    pub fn new(question: &str, vector: &[f32]) -> Option<Self> {
        let form = guard::Form::of(question)?;
        Some(Self { form, vector: unit(vector), text: question.split_whitespace().collect::<Vec<_>>().join(" ") })
    }

    /// Whether an answer to one is an answer to the other: near by meaning, and alike word by word.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.likeness(other) >= ALIKE && self.form.same(&other.form)
    }

    fn likeness(&self, other: &Self) -> f32 {
        if self.vector.len() == other.vector.len() { dot(&self.vector, &other.vector) } else { 0.0 }
    }
}

/// Whose questions may share answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Partition {
    pub(crate) institution: InstitutionId,
    pub(crate) course: CourseId,
    /// Sees hidden lessons.
    pub(crate) hidden: bool,
    pub(crate) chat_model: String,
    pub(crate) embedding_model: String,
    pub(crate) prompt: &'static str,
    /// Changes with what is published, its vectors and what is hidden.
    pub(crate) snapshot: String,
    /// Changes with the questions that are closed to the tutor.
    pub(crate) closed: String,
}

impl Partition {
    /// The same askers; perhaps of another time.
    fn same_place(&self, other: &Self) -> bool {
        (self.institution, self.course, self.hidden) == (other.institution, other.course, other.hidden)
    }
}

pub(crate) type Making = BoxFuture<'static, Result<Arc<Generated>, Fallback>>;

struct Kept {
    asked: Asked,
    draft: Arc<Generated>,
    bytes: usize,
    made: Instant,
}

struct Room {
    kept: VecDeque<Kept>,
    used: Instant,
}

#[derive(Default)]
struct Rooms {
    rooms: HashMap<Partition, Room>,
    bytes: usize,
    purges: u64,
}

impl Rooms {
    fn drop_old(&mut self, life: Duration) {
        let old: Vec<Partition> = self.rooms.keys().cloned().collect();
        for partition in old {
            self.drop_kept(&partition, |one| one.made.elapsed() >= life);
        }
        self.rooms.retain(|_, room| !room.kept.is_empty());
    }

    fn drop_where(&mut self, gone: impl Fn(&Partition) -> bool) {
        let bytes = &mut self.bytes;
        self.rooms.retain(|partition, room| {
            let goes = gone(partition);
            if goes {
                *bytes -= room.kept.iter().map(|one| one.bytes).sum::<usize>();
            }
            !goes
        });
    }

    fn drop_kept(&mut self, partition: &Partition, gone: impl Fn(&Kept) -> bool) {
        let Some(room) = self.rooms.get_mut(partition) else { return };
        let bytes = &mut self.bytes;
        room.kept.retain(|one| {
            let goes = gone(one);
            if goes {
                *bytes -= one.bytes;
            }
            !goes
        });
    }
}

/// Kept answers, and those that are being made.
#[derive(Default)]
pub(crate) struct Answers {
    limits: CacheLimits,
    rooms: Mutex<Rooms>,
    making: Mutex<HashMap<(Partition, String), WeakShared<Making>>>,
    hits: AtomicU64,
    misses: AtomicU64,
    shared: AtomicU64,
    broken: AtomicU64,
}

impl Answers {
    pub(crate) fn new(limits: CacheLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Empty, with the same bounds.
    pub(crate) fn anew(&self) -> Self {
        Self::new(self.limits)
    }

    /// The nearest kept answer to the same question in this partition.
    pub(crate) fn find(&self, partition: &Partition, asked: &Asked) -> Option<Arc<Generated>> {
        let mut rooms = lock(&self.rooms);
        rooms.drop_kept(partition, |one| one.made.elapsed() >= self.limits.life);
        let room = rooms.rooms.get_mut(partition)?;
        room.used = Instant::now();
        let same = room.kept.iter().filter(|one| one.asked.same(asked));
        same.max_by(|a, b| a.asked.likeness(asked).total_cmp(&b.asked.likeness(asked)))
            .map(|one| Arc::clone(&one.draft))
    }

    /// Keeps an answer; what was kept of an earlier state of the course goes. One that was begun before the last purge
    /// (see [`Answers::purges`]) is not kept.
    pub(crate) fn keep(&self, purges: u64, partition: Partition, asked: Asked, draft: Arc<Generated>) {
        let bytes = size(&asked, &draft);
        if bytes > self.limits.bytes || self.limits.entries == 0 {
            return;
        }
        let mut rooms = lock(&self.rooms);
        if rooms.purges != purges {
            return;
        }
        rooms.drop_old(self.limits.life);
        rooms.drop_where(|other| other.same_place(&partition) && *other != partition);
        rooms.drop_kept(&partition, |one| one.asked.text == asked.text);
        while rooms.bytes + bytes > self.limits.bytes {
            let oldest = rooms.rooms.iter().min_by_key(|(_, room)| room.used).map(|(partition, _)| partition.clone());
            let Some(oldest) = oldest else { break };
            rooms.drop_where(|other| *other == oldest);
        }
        let room = rooms.rooms.entry(partition).or_insert_with(|| Room { kept: VecDeque::new(), used: Instant::now() });
        room.kept.push_back(Kept { asked, draft, bytes, made: Instant::now() });
        let over = if room.kept.len() > self.limits.entries { room.kept.pop_front() } else { None };
        rooms.bytes = rooms.bytes + bytes - over.map_or(0, |one| one.bytes);
    }

    /// Forgets an answer whose citations do not hold.
    pub(crate) fn forget(&self, partition: &Partition, draft: &Arc<Generated>) {
        self.broken.fetch_add(1, Ordering::Relaxed);
        lock(&self.rooms).drop_kept(partition, |one| Arc::ptr_eq(&one.draft, draft));
    }

    /// The answer that another asker of the partition waits for in the same words, or `make`; says whether it is
    /// another's. It is made as long as one of them waits. None when an answer was kept since the caller last looked.
    pub(crate) fn join(
        &self,
        partition: &Partition,
        asked: &Asked,
        make: impl FnOnce() -> Making,
    ) -> Option<(Shared<Making>, bool)> {
        let mut making = lock(&self.making);
        making.retain(|_, one| one.upgrade().is_some());
        let key = (partition.clone(), asked.text.clone());
        if let Some(shared) = making.get(&key).and_then(WeakShared::upgrade) {
            return Some((shared, true));
        }
        // Whoever keeps an answer lets others join until it is kept: one of the two is seen.
        if self.find(partition, asked).is_some() {
            return None;
        }
        let shared = make().shared();
        if let Some(weak) = shared.downgrade() {
            making.insert(key, weak);
        }
        Some((shared, false))
    }

    pub(crate) fn purge(&self, institution: InstitutionId, course: Option<CourseId>) {
        let gone = |one: &Partition| one.institution == institution && course.is_none_or(|course| one.course == course);
        let mut rooms = lock(&self.rooms);
        rooms.purges += 1;
        rooms.drop_where(gone);
        drop(rooms);
        // Who waits gets an answer; nobody joins them any more.
        lock(&self.making).retain(|(partition, _), _| !gone(partition));
    }

    /// How often something was purged.
    pub(crate) fn purges(&self) -> u64 {
        lock(&self.rooms).purges
    }

    pub(crate) fn hit(&self, shared: bool) {
        let counter = if shared { &self.shared } else { &self.hits };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn miss(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counters(&self) -> CacheCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let rooms = lock(&self.rooms);
        CacheCounters {
            hits: read(&self.hits),
            misses: read(&self.misses),
            shared: read(&self.shared),
            broken: read(&self.broken),
            entries: rooms.rooms.values().map(|room| room.kept.len()).sum(),
            bytes: rooms.bytes,
        }
    }
}

/// About what an entry takes.
fn size(asked: &Asked, draft: &Generated) -> usize {
    let quotes: usize = draft.citations.iter().map(|one| one.quote.len() + one.source_path.len() + 400).sum();
    let sentences: usize = draft.sentences.iter().map(|one| one.text.len() + 64).sum();
    size_of::<Kept>()
        + asked.vector.len() * 4
        + asked.form.bytes()
        + asked.text.len()
        + draft.text.len()
        + quotes
        + sentences
}

/// Nothing under these locks can stop halfway and leave something wrong.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
