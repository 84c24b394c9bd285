//! Thread groups: which workers run which loops, how many there are, and how they share their time.

use core::{fmt, time::Duration};
use std::sync::Arc;

use dunlin_sync::Snapshot;

/// Names a thread group for as long as its runtime lives, whether the group exists just now or not:
/// loops of a group that does not exist run in the default group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub(crate) u16);

impl GroupId {
    /// The default group, whichever that is at the time.
    pub const DEFAULT: Self = Self(u16::MAX);

    /// The number shown to people.
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::DEFAULT => f.write_str("default group"),
            Self(number) => write!(f, "group {number}"),
        }
    }
}

/// How many workers a group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// So many.
    Fixed(usize),
    /// As many as its load needs, within bounds.
    Auto {
        /// No fewer than this.
        min: usize,
        /// No more than this.
        max: usize,
    },
}

impl Threads {
    /// How many there should be if there are `now`, and never more than `most`.
    pub(crate) fn clamp(self, now: usize, most: usize) -> usize {
        let count = match self {
            Self::Fixed(count) => count,
            Self::Auto { min, max } => now.max(min).min(max.max(min)),
        };
        count.clamp(1, most.max(1))
    }
}

impl fmt::Display for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(count) => count.fmt(f),
            Self::Auto { min, max } => write!(f, "auto {min} {max}"),
        }
    }
}

/// A thread group: how many workers it has and how they share their time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOptions {
    /// Its name, which is its identity.
    pub name: Arc<str>,
    /// Its workers. They are started when it gets its first loop.
    pub threads: Threads,
    /// How late a waiting loop should get its turn at most: with many waiting, turns become shorter.
    pub max_latency: Duration,
    /// A turn is not cut shorter than this because others wait.
    pub min_time: Duration,
    /// A turn is not longer than this. Sockets and higher classes are served in between.
    pub max_time: Duration,
    /// A worker sleeps no longer than this at a time.
    pub wakeup_time: Duration,
}

impl GroupOptions {
    /// A group with one worker and the times of the built-in group of that name; any other name has
    /// those of `worker`.
    pub fn new(name: &str) -> Self {
        let micros = Duration::from_micros;
        let express = name == Self::EXPRESS;
        Self {
            name: name.into(),
            threads: Threads::Fixed(1),
            max_latency: if express { micros(10_000) } else { micros(1_000_000) },
            min_time: if express { micros(50) } else { micros(100) },
            max_time: if express { micros(200) } else { micros(1000) },
            wakeup_time: Duration::from_secs(if express { 60 } else { 31_415 }),
        }
    }

    /// The built-in group that loops are in unless they say otherwise.
    pub const WORKER: &'static str = "worker";
    /// The built-in group of loops with little to do that must not wait for others.
    pub const EXPRESS: &'static str = "express";

    /// How long a turn may be, relative to the turn of a class's budget (a millisecond's worth),
    /// while `waiting` loops wait for theirs.
    pub(crate) fn turn(&self, waiting: usize) -> Duration {
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX).max(1);
        let fair = (self.max_latency / 2) / waiting;
        // An order of the bounds that makes no sense must not panic: the upper one holds.
        fair.max(self.min_time).min(self.max_time)
    }
}

/// Every name that a group ever had, by number.
#[derive(Debug)]
pub(crate) struct Names(Snapshot<Vec<Arc<str>>>);

impl Names {
    pub(crate) fn new<'a>(names: impl Iterator<Item = &'a Arc<str>>) -> Self {
        Self(Snapshot::new(names.cloned().collect()))
    }

    /// The name's number; one that is new gets the next. The default group if there are too many.
    pub(crate) fn id(&self, name: &str) -> GroupId {
        let find = || self.0.load().iter().position(|known| &**known == name);
        if find().is_none() {
            self.0.update(|names| {
                let known = names.len() >= MOST_NAMES || names.iter().any(|known| &**known == name);
                let new = (!known).then(|| Arc::from(name));
                names.iter().cloned().chain(new).collect()
            });
        }
        let id = find().and_then(|at| u16::try_from(at).ok());
        id.map_or(GroupId::DEFAULT, GroupId)
    }
}

/// Each name is kept for ever.
const MOST_NAMES: usize = 4096;

/// The groups at one time, and the workers that are active in each. Pure bookkeeping, for the real
/// pool and the simulated one.
#[derive(Clone, Debug)]
pub(crate) struct Groups {
    by_id: Vec<Option<Group>>,
    default: GroupId,
}

/// One group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) options: Arc<GroupOptions>,
    /// Indices of the workers that loops are placed on, in the order they came.
    pub(crate) active: Vec<u16>,
}

impl Groups {
    /// These groups, without workers; `default` must be among them, or the first is.
    pub(crate) fn new(groups: Vec<(GroupId, GroupOptions)>, default: GroupId) -> Self {
        let mut new = Self { by_id: Vec::new(), default };
        for (id, options) in groups {
            new.put(id, Group { options: Arc::new(options), active: Vec::new() });
        }
        if new.find(default).is_none() {
            let first = new.each().next().map(|(id, _)| id);
            new.default = first.unwrap_or(default);
        }
        new
    }

    fn put(&mut self, id: GroupId, group: Group) {
        let at = usize::from(id.0);
        if at >= self.by_id.len() {
            self.by_id.resize_with(at + 1, || None);
        }
        self.by_id[at] = Some(group);
    }

    /// The group that loops of `id` are run by.
    pub(crate) fn resolve(&self, id: GroupId) -> GroupId {
        if self.find(id).is_some() { id } else { self.default }
    }

    pub(crate) fn default(&self) -> GroupId {
        self.default
    }

    pub(crate) fn find(&self, id: GroupId) -> Option<&Group> {
        self.by_id.get(usize::from(id.0))?.as_ref()
    }

    pub(crate) fn find_mut(&mut self, id: GroupId) -> Option<&mut Group> {
        self.by_id.get_mut(usize::from(id.0))?.as_mut()
    }

    /// All groups that exist.
    pub(crate) fn each(&self) -> impl Iterator<Item = (GroupId, &Group)> {
        let groups = self.by_id.iter().enumerate();
        groups.filter_map(|(at, group)| Some((GroupId(at as u16), group.as_ref()?)))
    }

    /// The workers that loops of this group are placed on.
    pub(crate) fn active(&self, id: GroupId) -> &[u16] {
        self.find(id).map_or(&[], |group| &group.active)
    }

    /// The group in which a worker is active.
    pub(crate) fn of_worker(&self, worker: u16) -> Option<GroupId> {
        self.each().find(|(_, group)| group.active.contains(&worker)).map(|(id, _)| id)
    }

    /// Takes a worker out of wherever it is active.
    pub(crate) fn retire(&mut self, worker: u16) {
        for group in self.by_id.iter_mut().flatten() {
            group.active.retain(|&active| active != worker);
        }
    }

    /// Says how many workers a group is to have from now on; the change is up to the caller.
    pub(crate) fn set_threads(&mut self, id: GroupId, threads: Threads) {
        if let Some(group) = self.find_mut(id) {
            group.options = Arc::new(GroupOptions { threads, ..(*group.options).clone() });
        }
    }

    /// Puts `new` in the place of these groups. Workers stay with their group; those whose group is
    /// gone are given back, but for `keep`, which joins the default group.
    pub(crate) fn replace(&mut self, mut new: Self, keep: u16) -> Vec<u16> {
        let mut left = Vec::new();
        for (id, group) in self.each() {
            match new.find_mut(id) {
                Some(same) => same.active.clone_from(&group.active),
                None => left.extend(group.active.iter().filter(|&&worker| worker != keep)),
            }
        }
        if new.of_worker(keep).is_none()
            && let Some(group) = new.find_mut(new.default)
        {
            // The first is the last to go.
            group.active.insert(0, keep);
        }
        *self = new;
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(names: &[(u16, usize)], default: u16) -> Groups {
        let options = |&(id, threads): &(u16, usize)| {
            let threads = Threads::Fixed(threads);
            (GroupId(id), GroupOptions { threads, ..GroupOptions::new("some") })
        };
        Groups::new(names.iter().map(options).collect(), GroupId(default))
    }

    #[test]
    fn a_name_has_one_number() {
        let names = Names::new([Arc::from("worker")].iter());
        assert_eq!(names.id("worker"), GroupId(0));
        assert_eq!(names.id("express"), GroupId(1));
        assert_eq!(names.id("worker"), GroupId(0));
        assert_eq!(names.id("express"), GroupId(1));
    }

    #[test]
    fn a_group_that_does_not_exist_is_the_default_group() {
        let groups = groups(&[(0, 1), (3, 1)], 3);
        assert_eq!(groups.resolve(GroupId(0)), GroupId(0));
        assert_eq!(groups.resolve(GroupId(1)), GroupId(3));
        assert_eq!(groups.resolve(GroupId(9)), GroupId(3));
        assert_eq!(groups.resolve(GroupId::DEFAULT), GroupId(3));
    }

    #[test]
    fn workers_of_a_group_that_goes_are_given_back_but_for_the_first() {
        let mut old = groups(&[(0, 2), (1, 2)], 0);
        old.find_mut(GroupId(0)).unwrap().active = vec![0, 1];
        old.find_mut(GroupId(1)).unwrap().active = vec![2, 3];
        let mut both = old.clone();
        assert_eq!(both.replace(groups(&[(0, 2), (1, 2)], 1), 0), []);
        assert_eq!((both.active(GroupId(0)), both.active(GroupId(1))), (&[0, 1][..], &[2, 3][..]));
        let mut second = old.clone();
        assert_eq!(second.replace(groups(&[(1, 2)], 1), 0), [1]);
        assert_eq!(second.active(GroupId(1)), [0, 2, 3]);
        assert_eq!(old.replace(groups(&[(5, 1)], 5), 0), [1, 2, 3]);
        assert_eq!(old.active(GroupId(5)), [0]);
    }

    #[test]
    fn turns_at_the_extremes_stay_within_their_bounds() {
        let worker = GroupOptions::new(GroupOptions::WORKER);
        assert_eq!(worker.turn(0), worker.max_time);
        assert_eq!(worker.turn(1), worker.max_time);
        assert_eq!(worker.turn(10_000), worker.min_time);
        assert_eq!(worker.turn(usize::MAX), worker.min_time);
        assert_eq!(worker.turn(1000), Duration::from_micros(500), "half of the latency, shared");
        let none = GroupOptions { max_latency: Duration::ZERO, ..worker.clone() };
        assert_eq!(none.turn(7), worker.min_time, "later than wanted makes turns short, not long");
        let odd = GroupOptions { min_time: Duration::MAX, ..worker };
        assert_eq!(odd.turn(7), odd.max_time);
    }

    #[test]
    fn a_number_of_threads_is_kept_within_its_bounds() {
        assert_eq!(Threads::Fixed(0).clamp(3, 8), 1);
        assert_eq!(Threads::Fixed(9).clamp(3, 8), 8);
        assert_eq!(Threads::Auto { min: 2, max: 4 }.clamp(1, 8), 2);
        assert_eq!(Threads::Auto { min: 2, max: 4 }.clamp(3, 8), 3);
        assert_eq!(Threads::Auto { min: 4, max: 2 }.clamp(9, 8), 4);
    }
}
