//! What is asked of the workers, and how one of them answers.

use core::fmt;
use std::{
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
};

use dunlin_sync::Class;

use super::{GroupStats, HandlerStats, LoopStats, Stats, WorkerStats, WorkerTimings};
use crate::{
    driver::Driver,
    ids::LoopId,
    loop_cell::{Runnable, notify_dyn},
    moves::{MoveLog, MoveRecord},
    panic::contain,
    place::PlaceId,
    time::Time,
};

/// What a picture of the runtime is to show, besides the workers.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Which loops.
    pub loops: Loops,
    /// Whether handlers are wanted, with their histograms: by kind, and by worker.
    pub handlers: bool,
}

/// Which loops a picture shows.
#[derive(Clone, Default)]
pub enum Loops {
    /// None.
    None,
    /// All, without details.
    #[default]
    All,
    /// Some of them, in the order of their numbers: for listings that must not keep a worker busy for
    /// long. A loop that moves to another worker at this very moment may be left out.
    Page {
        /// Only loops with a greater number.
        after: Option<LoopId>,
        /// Not more than this many.
        most: usize,
        /// Only those; all if none is given. Called on the workers, for some thousand loops at most: a
        /// page of few or none may have a next one.
        wanted: Option<Wanted>,
        /// Whether timers, events, jobs and sockets are wanted, too, and how long handlers took.
        details: bool,
    },
}

/// Tells by its name and number whether a loop is wanted.
pub type Wanted = Arc<dyn Fn(&str, LoopId) -> bool + Send + Sync>;

impl fmt::Debug for Loops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::All => f.write_str("All"),
            Self::Page { after, most, details, .. } => {
                let mut page = f.debug_struct("Page");
                page.field("after", after).field("most", most).field("details", details);
                page.finish_non_exhaustive()
            }
        }
    }
}

/// The loops of one worker, or of all, that a survey asks for.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) loops: Vec<LoopStats>,
    /// Those with greater numbers than this have not been looked at, and there are some.
    pub(crate) until: Option<LoopId>,
}

/// Loops that a worker asks whether they are wanted, in one go: names lie far apart in memory, and no
/// turn is to be longer than a millisecond for it.
const LOOK: usize = 1024;

impl Loops {
    /// Picks from the loops of a worker. It compares the number of each, and describes those picked.
    pub(crate) fn pick<'c>(
        &self,
        cells: impl Iterator<Item = (LoopId, &'c Arc<dyn Runnable>)>,
        driver: &dyn Driver,
    ) -> Page {
        match self {
            Self::None => Page::default(),
            Self::All => {
                Page { loops: cells.map(|(_, cell)| describe(cell, None)).collect(), until: None }
            }
            Self::Page { after, most, wanted, details } => {
                let behind = cells.filter(|(id, _)| after.is_none_or(|after| *id > after));
                let look = if wanted.is_some() { LOOK.max(*most) } else { *most };
                let (first, mut more) = lowest(behind, look);
                let details = details.then_some(driver);
                let (mut loops, mut until) = (Vec::new(), None);
                for ByNumber(id, cell) in first {
                    if loops.len() == *most {
                        more = true;
                        break;
                    }
                    until = Some(id);
                    if is_wanted(wanted.as_ref(), cell, id) {
                        loops.push(describe(cell, details));
                    }
                }
                Page { loops, until: until.filter(|_| more) }
            }
        }
    }

    /// Puts together what the workers have picked. What a worker left out may come before what
    /// another picked; only what is before that is shown.
    pub(crate) fn merge(&self, pages: Vec<Page>) -> (Vec<LoopStats>, Option<LoopId>) {
        let limit = pages.iter().filter_map(|page| page.until).min();
        let mut loops: Vec<_> = pages.into_iter().flat_map(|page| page.loops).collect();
        loops.sort_by_key(|one| one.id);
        loops.dedup_by_key(|one| one.id);
        if let Some(limit) = limit {
            loops.retain(|one| one.id <= limit);
        }
        match self {
            Self::Page { most, .. } if loops.len() > *most => {
                loops.truncate(*most);
                let last = loops.last().map(|one| one.id);
                (loops, last)
            }
            _ => (loops, limit),
        }
    }
}

/// Whether a loop is wanted. Whoever asks may panic: what they do not want then is their affair.
fn is_wanted(wanted: Option<&Wanted>, cell: &Arc<dyn Runnable>, id: LoopId) -> bool {
    wanted.is_none_or(|wanted| contain("", || wanted(cell.header().name(), id)) == Ok(true))
}

/// What is known of a loop. Some of it the loop's own code tells ([`crate::kit::flow::Flow`]): if that panics the loop is
/// stopped as by any panic of its.
fn describe(cell: &Arc<dyn Runnable>, details: Option<&dyn Driver>) -> LoopStats {
    contain("flow", || cell.stats(details)).unwrap_or_else(|panic| {
        cell.panicked(cell, &panic, "what it shows of its flows");
        cell.header().ask_to_stop();
        notify_dyn(cell, Class::Control);
        LoopStats::new(cell.header())
    })
}

/// The `most` loops with the lowest numbers, in order, and whether there are more.
fn lowest<'c>(
    cells: impl Iterator<Item = (LoopId, &'c Arc<dyn Runnable>)>,
    most: usize,
) -> (Vec<ByNumber<'c>>, bool) {
    let mut heap = BinaryHeap::with_capacity(most + 1);
    let mut more = false;
    for (id, cell) in cells {
        if heap.len() < most {
            heap.push(ByNumber(id, cell));
            continue;
        }
        more = true;
        if let Some(mut greatest) = heap.peek_mut()
            && id < greatest.0
        {
            *greatest = ByNumber(id, cell);
        }
    }
    (heap.into_sorted_vec(), more)
}

struct ByNumber<'c>(LoopId, &'c Arc<dyn Runnable>);

impl PartialEq for ByNumber<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for ByNumber<'_> {}

impl PartialOrd for ByNumber<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByNumber<'_> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

/// What one worker answers.
pub(crate) struct Part {
    pub(crate) worker: WorkerStats,
    pub(crate) page: Page,
    pub(crate) handlers: Vec<HandlerStats>,
    pub(crate) moves: Vec<MoveRecord>,
    pub(crate) now: Time,
}

/// Puts together what workers have answered.
pub(crate) fn picture(
    survey: &Survey,
    parts: Vec<Part>,
    groups: Vec<GroupStats>,
    complete: bool,
) -> Stats {
    let mut stats = Stats { complete, groups, ..Stats::default() };
    let mut pages = Vec::new();
    for part in parts {
        if survey.handlers {
            stats.timings.push(WorkerTimings::new(part.worker.index, &part.handlers));
        }
        stats.workers.push(part.worker);
        pages.push(part.page);
        stats.sites.extend(part.handlers);
        stats.moves.extend(part.moves);
        stats.now = stats.now.max(part.now);
    }
    stats.workers.sort_by_key(|worker| worker.index);
    stats.timings.sort_by_key(|worker| worker.index);
    stats.moves = MoveLog::merged(stats.moves);
    stats.handlers = together(&stats.sites);
    stats
        .sites
        .sort_by_key(|one| (one.kind, one.class.index(), one.handler, one.worker, one.place.0));
    (stats.loops, stats.next) = survey.loops.merge(pages);
    stats
}

/// The same handlers of all places and workers as one, ordered by kind, class and handler.
fn together(sites: &[HandlerStats]) -> Vec<HandlerStats> {
    let mut sums: BTreeMap<_, HandlerStats> = BTreeMap::new();
    for one in sites {
        let key = (one.kind, one.class.index(), one.handler);
        match sums.get_mut(&key) {
            Some(sum) => sum.merge(one),
            None => {
                let (worker, place) = (None, PlaceId::UNKNOWN);
                sums.insert(key, HandlerStats { worker, place, ..one.clone() });
            }
        }
    }
    sums.into_values().collect()
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{Class, Context, Loop, sim::SimRuntime};

    struct Nothing;

    impl Loop for Nothing {
        type Message = ();

        fn message(&mut self, _: &mut Context<'_>, (): ()) {}
    }

    fn page(after: Option<LoopId>, most: usize, wanted: Option<Wanted>) -> Loops {
        Loops::Page { after, most, wanted, details: false }
    }

    #[test]
    fn pages_show_every_loop_once_and_in_order() {
        let mut sim = SimRuntime::new(3);
        for number in 0..50 {
            sim.spawn(&format!("loop{number}"), Class::Bulk, Nothing);
        }
        sim.run_for(core::time::Duration::from_secs(1));
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let survey = Survey { loops: page(after, 7, None), handlers: false };
            let stats = sim.survey(&survey);
            assert!(stats.loops.len() <= 7);
            seen.extend(stats.loops.iter().map(|one| one.id.number()));
            after = stats.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, (1..=50).collect::<Vec<_>>());
    }

    #[test]
    fn only_those_wanted() {
        let mut sim = SimRuntime::new(3);
        for number in 0..20 {
            sim.spawn(&format!("loop{}", number % 4), Class::Bulk, Nothing);
        }
        sim.run_for(core::time::Duration::from_secs(1));
        let wanted: Wanted = Arc::new(|name, id| name == "loop1" && id.number() > 2);
        let survey = Survey { loops: page(None, 100, Some(wanted)), handlers: false };
        let stats = sim.survey(&survey);
        let names: Vec<_> = stats.loops.iter().map(|one| one.id.number()).collect();
        assert_eq!(names, [6, 10, 14, 18]);
        assert_eq!(stats.next, None);
        let none = sim.survey(&Survey { loops: Loops::None, handlers: true });
        assert!(none.loops.is_empty() && !none.handlers.is_empty());
    }

    #[test]
    fn a_worker_asks_of_so_many_at_a_time_and_all_are_asked_in_the_end() {
        let mut sim = SimRuntime::new(3);
        for number in 0..5000 {
            sim.spawn(if number % 1500 == 0 { "rare" } else { "often" }, Class::Bulk, Nothing);
        }
        sim.run_for(core::time::Duration::from_secs(1));
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let wanted: Wanted = Arc::new(move |name, _| {
            count.fetch_add(1, Ordering::Relaxed);
            name == "rare"
        });
        let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let before = asked.load(Ordering::Relaxed);
            let loops = page(after, 64, Some(Arc::clone(&wanted)));
            let stats = sim.survey(&Survey { loops, handlers: false });
            let workers = stats.workers.len();
            assert!(asked.load(Ordering::Relaxed) - before <= LOOK * workers);
            seen.extend(stats.loops.iter().map(|one| one.id.number()));
            pages += 1;
            after = stats.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, [1, 1501, 3001, 4501]);
        assert!(pages >= 3, "{pages}");
    }
}
