//! What waits for the lanes, and what is done next: classes in their order, requests in turn.
//!
//! A request waits first as texts and then as lists of token ids. Both are taken in small pieces,
//! and after each piece it is the next request's turn, so that a large request never stands before
//! a small one of its class.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use domain::wire::Class;

use super::run::Run;

/// Texts that are tokenized in one go.
const SLICE_TEXTS: usize = 64;
/// Bytes of them; a single text may be longer.
const SLICE_BYTES: usize = 64 * 1024;

/// Everything that waits.
pub(super) struct Queue {
    /// Tokens of one group; 0 makes groups of one text.
    budget: usize,
    /// Classes are ordered by urgency, and so is the map.
    classes: BTreeMap<Class, VecDeque<Line>>,
    /// Whether the lane for people who wait is at work.
    pub(super) query_busy: bool,
    pub(super) closed: bool,
}

/// What is left of one request.
struct Line {
    run: Arc<Run>,
    texts: VecDeque<(usize, String)>,
    /// Texts that a lane is tokenizing.
    away: usize,
    /// By count of tokens: places in the request, and the ids.
    ids: BTreeMap<usize, Vec<(usize, Vec<u32>)>>,
}

/// The next thing to do.
pub(super) enum Task {
    Tokenize(Slice),
    Encode(Group),
}

/// Texts of one request, to be tokenized and given to [`Queue::tokenized`].
pub(super) struct Slice {
    pub(super) class: Class,
    pub(super) run: Arc<Run>,
    pub(super) texts: Vec<(usize, String)>,
}

/// Texts of one length, perhaps of several requests.
#[derive(Default)]
pub(super) struct Group {
    pub(super) ids: Vec<Vec<u32>>,
    /// For each list of ids its request and its place there.
    pub(super) owners: Vec<(Arc<Run>, usize)>,
}

impl Queue {
    pub(super) fn new(budget: usize) -> Self {
        Self { budget, classes: BTreeMap::new(), query_busy: false, closed: false }
    }

    pub(super) fn push(&mut self, class: Class, run: Arc<Run>, texts: Vec<String>) {
        let texts = texts.into_iter().enumerate().collect();
        self.classes.entry(class).or_default().push_back(Line { run, texts, away: 0, ids: BTreeMap::new() });
    }

    /// The next piece of work for a lane that serves the classes that `serves` names.
    pub(super) fn next(&mut self, serves: impl Fn(Class) -> bool) -> Option<Task> {
        let budget = self.budget;
        self.classes
            .iter_mut()
            .filter(|(class, _)| serves(**class))
            .find_map(|(class, lines)| next_of(*class, lines, budget))
    }

    /// Gives a slice back as ids.
    pub(super) fn tokenized(&mut self, class: Class, run: &Arc<Run>, ids: Vec<(usize, Vec<u32>)>) {
        let lines = self.classes.entry(class).or_default();
        // Not there any more when it was abandoned meanwhile.
        let Some(line) = lines.iter_mut().find(|line| Arc::ptr_eq(&line.run, run)) else { return };
        line.away = line.away.saturating_sub(ids.len());
        for (place, ids) in ids {
            line.ids.entry(ids.len()).or_default().push((place, ids));
        }
    }

    /// Whether something of this class waits for a lane.
    pub(super) fn waits(&self, serves: impl Fn(Class) -> bool) -> bool {
        let ready = |line: &Line| !line.texts.is_empty() || !line.ids.is_empty();
        self.classes.iter().any(|(class, lines)| serves(*class) && lines.iter().any(ready))
    }
}

fn next_of(class: Class, lines: &mut VecDeque<Line>, budget: usize) -> Option<Task> {
    lines.retain(|line| !line.run.abandoned() && !line.done());
    let at = lines.iter().position(|line| !line.texts.is_empty() || !line.ids.is_empty())?;
    let mut line = lines.remove(at)?;
    let task = if line.texts.is_empty() {
        let length = line.ids.last_key_value().map(|(length, _)| *length)?;
        let most = (budget / length.max(1)).max(1);
        let mut group = Group::default();
        line.give(&mut group, length, most);
        // The others follow in the order in which their turn comes.
        for other in lines.iter_mut() {
            other.give(&mut group, length, most);
        }
        Task::Encode(group)
    } else {
        Task::Tokenize(Slice { class, run: Arc::clone(&line.run), texts: line.slice() })
    };
    lines.push_back(line);
    Some(task)
}

impl Line {
    fn done(&self) -> bool {
        self.texts.is_empty() && self.ids.is_empty() && self.away == 0
    }

    fn slice(&mut self) -> Vec<(usize, String)> {
        let mut bytes = 0;
        let mut slice = Vec::new();
        while let Some((place, text)) = self.texts.pop_front() {
            bytes += text.len();
            slice.push((place, text));
            let fits = self.texts.front().is_some_and(|(_, next)| bytes + next.len() <= SLICE_BYTES);
            if slice.len() == SLICE_TEXTS || !fits {
                break;
            }
        }
        self.away += slice.len();
        slice
    }

    /// Moves texts of this length into the group while it has room.
    fn give(&mut self, group: &mut Group, length: usize, most: usize) {
        let Some(texts) = self.ids.get_mut(&length) else { return };
        let room = most.saturating_sub(group.ids.len()).min(texts.len());
        for (place, ids) in texts.split_off(texts.len() - room) {
            group.ids.push(ids);
            group.owners.push((Arc::clone(&self.run), place));
        }
        if texts.is_empty() {
            self.ids.remove(&length);
        }
    }
}

impl Group {
    /// The same texts, one group for each request.
    pub(super) fn by_request(self) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for (ids, (run, place)) in self.ids.into_iter().zip(self.owners) {
            // Texts of one request stand together.
            let same = groups.last().and_then(|group| group.owners.first()).is_some_and(|(r, _)| Arc::ptr_eq(r, &run));
            if !same {
                groups.push(Self::default());
            }
            if let Some(group) = groups.last_mut() {
                group.ids.push(ids);
                group.owners.push((run, place));
            }
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Arc<Run> {
        Arc::new(Run::new(1, tokio::sync::oneshot::channel().0))
    }

    /// Tokenizes with one token a byte until only groups are left, and says what they hold.
    fn groups(queue: &mut Queue, runs: &[Arc<Run>]) -> Vec<Vec<(usize, usize)>> {
        let mut found = Vec::new();
        while let Some(task) = queue.next(|_| true) {
            match task {
                Task::Tokenize(Slice { class, run, texts }) => {
                    let ids = texts.into_iter().map(|(place, text)| (place, vec![1; text.len()])).collect();
                    queue.tokenized(class, &run, ids);
                }
                Task::Encode(group) => {
                    assert!(group.ids.iter().all(|ids| ids.len() == group.ids[0].len()), "one length a group");
                    let number = |run: &Arc<Run>| runs.iter().position(|known| Arc::ptr_eq(known, run)).unwrap();
                    let mut held: Vec<_> = group.owners.iter().map(|(run, place)| (number(run), *place)).collect();
                    held.sort_unstable();
                    found.push(held);
                }
            }
        }
        found
    }

    fn texts(lengths: &[usize]) -> Vec<String> {
        lengths.iter().map(|length| "x".repeat(*length)).collect()
    }

    fn alone(budget: usize) -> Vec<Vec<(usize, usize)>> {
        let (mut queue, runs) = (Queue::new(budget), [run()]);
        queue.push(Class::Embed, Arc::clone(&runs[0]), texts(&[3, 5, 3, 3, 5, 9]));
        groups(&mut queue, &runs)
    }

    #[test]
    fn groups_hold_one_length_and_keep_to_the_budget() {
        assert_eq!(alone(10), [vec![(0, 5)], vec![(0, 1), (0, 4)], vec![(0, 0), (0, 2), (0, 3)]]);
        assert_eq!(alone(6).iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1, 2, 1]);
        assert!(alone(0).iter().all(|group| group.len() == 1));
    }

    #[test]
    fn requests_take_turns_and_share_groups_of_one_length() {
        let (mut queue, runs) = (Queue::new(6), [run(), run()]);
        queue.push(Class::Embed, Arc::clone(&runs[0]), texts(&[3, 3, 3, 6, 6]));
        queue.push(Class::Embed, Arc::clone(&runs[1]), texts(&[3]));
        let found = groups(&mut queue, &runs);
        assert_eq!(found, [vec![(0, 4)], vec![(0, 2), (1, 0)], vec![(0, 3)], vec![(0, 0), (0, 1)]]);
    }

    #[test]
    fn urgent_class_goes_first_and_abandoned_requests_are_dropped() {
        let (mut queue, runs) = (Queue::new(0), [run(), run(), run()]);
        queue.push(Class::Embed, Arc::clone(&runs[0]), texts(&[1]));
        queue.push(Class::Embed, Arc::clone(&runs[1]), texts(&[1]));
        queue.push(Class::Chat, Arc::clone(&runs[2]), texts(&[1]));
        runs[0].abandon();
        assert_eq!(groups(&mut queue, &runs), [vec![(2, 0)], vec![(1, 0)]]);
        assert!(!queue.waits(|_| true));
    }
}
