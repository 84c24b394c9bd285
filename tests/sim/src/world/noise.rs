//! What goes on while time passes: workers come and go, wake late, the network is slow or fast.

use core::time::Duration;

use dunlin_runtime::sim::SimOptions;

use super::World;
use crate::chance::Chance;

/// How the simulation is, as far as it is left to chance.
pub(super) fn options(seed: u64, chance: &mut Chance) -> SimOptions {
    let micros = Duration::from_micros;
    let mut options = SimOptions::new(seed);
    options.workers = chance.within(1..=4);
    options.handler_cost = Duration::from_nanos(200)..=micros(chance.within(2..=100) as u64);
    options.moves = chance.within(0..=20) as u32;
    options.latency = latency(chance);
    options.buffer = 1024 << chance.within(3..=8);
    options.partial_writes = chance.within(0..=300) as u32;
    options.partial_reads = chance.within(0..=300) as u32;
    options.late_wakes = chance.within(0..=50) as u32;
    // A network that loses nothing is as likely as one that loses some.
    options.loss = chance.within(0..=10).saturating_sub(5) as u32;
    // Now and then somebody finds no descriptor, in half of the runs.
    options.shortage = chance.within(0..=100).saturating_sub(50) as u32;
    options
}

fn latency(chance: &mut Chance) -> core::ops::RangeInclusive<Duration> {
    let least = chance.within(10..=2_000) as u64;
    let most = least + chance.within(0..=20_000) as u64;
    Duration::from_micros(least)..=Duration::from_micros(most)
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Noise {
    chance: Chance,
    /// Workers are added or removed so often, in 1000 steps.
    pub resizes: usize,
    /// The most there are.
    pub workers: usize,
    /// Latency changes so often, in 1000 steps.
    pub latency: usize,
    /// A worker is kept from everything so often, in 1000 steps, for half a second at most.
    pub blocks: usize,
    /// Workers there are now.
    now: usize,
    /// Times that there were more of them than before.
    added: usize,
    /// Times that there were fewer.
    removed: usize,
}

impl Noise {
    /// In a simulation that begins with so many workers.
    pub(super) fn new(chance: &mut Chance, now: usize) -> Self {
        let chance = crate::seeds::chance(chance.next_u64());
        let (added, removed) = (0, 0);
        Self { chance, resizes: 100, workers: 6, latency: 20, blocks: 5, now, added, removed }
    }

    fn resize(&mut self, workers: usize) {
        self.added += usize::from(workers > self.now);
        self.removed += usize::from(workers < self.now);
        self.now = workers;
    }

    /// A number of workers for a change that has not been: more if there were never more than before, or fewer.
    pub(super) fn missing(&self) -> Option<usize> {
        match (self.added, self.removed) {
            _ if self.resizes == 0 => None,
            (1.., 1..) => None,
            (0, _) if self.now < self.workers => Some(self.now + 1),
            _ => Some(if self.now > 1 { self.now - 1 } else { 2 }),
        }
    }
}

impl World {
    /// Lets time pass, with noise.
    pub fn run(&mut self, span: Duration) {
        let until = self.sim.now() + span;
        while self.sim.now() < until {
            let step = self.noise.chance.millis(1..=60).min(until.since(self.sim.now()));
            self.sim.run_for(step);
            self.make_noise();
        }
    }

    fn make_noise(&mut self) {
        let noise = &mut self.noise;
        if noise.chance.per_mille(noise.resizes) {
            let workers = noise.chance.within(1..=noise.workers);
            self.resize(workers);
        }
        let noise = &mut self.noise;
        if noise.chance.per_mille(noise.latency) {
            let latency = latency(&mut noise.chance);
            self.sim.net().set_latency(latency);
        }
        if noise.chance.per_mille(noise.blocks) {
            let worker = noise.chance.within(0..=noise.workers - 1);
            let span = noise.chance.millis(1..=500);
            self.sim.block_worker(worker, span);
        }
    }

    pub(super) fn resize(&mut self, workers: usize) {
        self.noise.resize(workers);
        self.sim.resize(workers);
    }

    /// Lets time pass until something is so.
    ///
    /// # Panics
    /// If it is not so within `span`.
    pub fn until(&mut self, what: &str, span: Duration, mut so: impl FnMut(&mut Self) -> bool) {
        let limit = self.sim.now() + span;
        while !so(self) {
            assert!(self.sim.now() < limit, "{what}: not within {span:?}");
            self.run(Duration::from_millis(50));
        }
    }

    /// Lets time pass until every speaker's session is established.
    pub fn until_up(&mut self, span: Duration) {
        self.until("all sessions up", span, |world| {
            let wanted = |at: &usize| world.model.speakers[*at].up;
            (0..world.speakers.len()).filter(wanted).all(|at| world.seen(at).up)
        });
    }

    /// Lets time pass until every speaker has had End-of-RIB.
    pub fn until_fed(&mut self, span: Duration) {
        self.until("all fed", span, |world| {
            let wanted = |at: &usize| world.model.speakers[*at].up;
            (0..world.speakers.len()).filter(wanted).all(|at| world.seen(at).is_fed())
        });
    }
}
