//! The simulation with all that is in it, and what goes wrong meanwhile.

mod check;
mod noise;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::sync::{Arc, Mutex};

use dunlin_net::Prefix;
use dunlin_runtime::sim::{SimOptions, SimRuntime};
use dunlin_runtime::{Class, LogLevel, LogRecord, Time};

pub use noise::Noise;

use crate::chance::Chance;
use crate::daemon::{Daemon, DaemonSpec, SessionSpec};
use crate::hog::Hog;
use crate::model::{Model, Neighbor, Path, Policy};
use crate::speaker::{self, Pace, Seen, Speaker, SpeakerLoop, SpeakerMessage, SpeakerSpec};

/// How a speaker and its session are.
#[derive(Clone, Copy, Debug)]
pub struct SpeakerOptions {
    /// Hold time in seconds.
    pub hold: u16,
    /// The daemon connects.
    pub listens: bool,
    /// It is a route server's client.
    pub transparent: bool,
    /// What is sent to it.
    pub policy: Policy,
    /// It notes when each route was first heard of.
    pub clocks: bool,
    /// It is not there until [`World::set_up`].
    pub absent: bool,
}

impl Default for SpeakerOptions {
    fn default() -> Self {
        let policy = Policy::All;
        let absent = false;
        Self { hold: 9, listens: false, transparent: false, policy, clocks: false, absent }
    }
}

/// See the module.
pub struct World {
    name: &'static str,
    seed: u64,
    /// The simulation.
    pub sim: SimRuntime,
    /// What the test leaves to chance.
    pub chance: Chance,
    /// What goes on while time passes.
    pub noise: Noise,
    /// What must be so in the end.
    pub model: Model,
    /// Those that run.
    pub daemons: Vec<Daemon>,
    /// Those that run.
    pub speakers: Vec<Speaker>,
    planned: Vec<DaemonSpec>,
    neighbors: Vec<SpeakerOptions>,
    /// What the runtime reports.
    reports: Arc<Mutex<Vec<String>>>,
    versions: u32,
}

impl World {
    /// A world where nothing is yet.
    pub fn new(name: &'static str, seed: u64) -> Self {
        Self::with_options(name, seed, |_| ())
    }

    /// As [`new`](Self::new), with a simulation that is not all left to chance.
    pub fn with_options(
        name: &'static str,
        seed: u64,
        change: impl FnOnce(&mut SimOptions),
    ) -> Self {
        let mut chance = crate::seeds::chance(seed);
        let reports: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = Arc::clone(&reports);
        let mut options = noise::options(seed, &mut chance);
        options.log = Some(Arc::new(move |record: &LogRecord| {
            if record.level >= LogLevel::Error {
                sink.lock().unwrap().push(format!("{:?}: {}", record.loop_name, record.text));
            }
        }));
        change(&mut options);
        let workers = options.workers;
        Self {
            name,
            seed,
            sim: SimRuntime::with_options(options),
            noise: Noise::new(&mut chance, workers),
            chance,
            model: Model::default(),
            daemons: Vec::new(),
            speakers: Vec::new(),
            planned: Vec::new(),
            neighbors: Vec::new(),
            reports,
            versions: 0,
        }
    }

    /// There will be a daemon.
    pub fn plan_daemon(&mut self, change: impl FnOnce(&mut DaemonSpec)) -> usize {
        let index = self.planned.len();
        let mut spec = DaemonSpec::new(index);
        change(&mut spec);
        self.model.daemons.push(spec.asn);
        for net in &spec.statics {
            self.model.static_route(index, *net);
        }
        self.planned.push(spec);
        index
    }

    /// There will be a speaker next to a daemon.
    pub fn plan_speaker(&mut self, daemon: usize, options: SpeakerOptions) -> usize {
        let SpeakerOptions { transparent, policy, absent, .. } = options;
        self.model.speakers.push(Neighbor { daemon, transparent, policy, up: !absent });
        self.neighbors.push(options);
        self.neighbors.len() - 1
    }

    /// Starts all that was planned. Any two daemons have a session with each other.
    pub fn start(&mut self) {
        let count = self.planned.len();
        self.model.links =
            (0..count).flat_map(|one| (one + 1..count).map(move |two| (one, two))).collect();
        for index in 0..self.planned.len() {
            let sessions = self.sessions(index);
            let spec = self.planned[index].clone();
            self.daemons.push(Daemon::start(&self.sim, spec, &sessions));
        }
        for index in 0..self.neighbors.len() {
            self.start_speaker(index);
        }
    }

    /// From now on the import filters of the only daemon put this AS in front of paths.
    pub fn set_mark(&mut self, mark: u32) {
        assert_eq!(self.daemons.len(), 1, "the model knows of one daemon's mark");
        self.model.mark = Some(mark);
        let sessions = self.sessions(0);
        self.daemons[0].set_mark(mark, &sessions);
    }

    /// The file of the only daemon has this mark now; it is for the test to say when it is in force.
    pub fn write_mark(&mut self, mark: Option<u32>) {
        let sessions = self.sessions(0);
        self.daemons[0].write(mark, &sessions);
    }

    fn sessions(&self, daemon: usize) -> Vec<SessionSpec> {
        let of = |index: &usize| self.model.speakers[*index].daemon == daemon;
        let session = |index: usize| {
            let options = self.neighbors[index];
            SessionSpec {
                name: format!("speaker{index}"),
                address: address(index),
                asn: asn(index),
                hold: options.hold,
                transparent: options.transparent,
                passive: !options.listens,
                export: options.policy.clause(),
            }
        };
        let link = |other: &DaemonSpec| SessionSpec {
            name: format!("link{}", other.index),
            address: other.address(),
            asn: other.asn,
            hold: 9,
            transparent: false,
            passive: false,
            export: "export all;",
        };
        let links = self.planned.iter().filter(|other| other.index != daemon).map(link);
        (0..self.neighbors.len()).filter(of).map(session).chain(links).collect()
    }

    /// Nothing gets from one daemon to the other, until it is healed. Their session ends when its
    /// hold time does.
    pub fn part(&mut self, one: usize, other: usize) {
        let (near, far) = (self.daemon_address(one), self.daemon_address(other));
        self.sim.net().partition(near, far);
        self.model.links.remove(&(one.min(other), one.max(other)));
    }

    /// Ends that.
    pub fn join(&mut self, one: usize, other: usize) {
        let (near, far) = (self.daemon_address(one), self.daemon_address(other));
        self.sim.net().heal(near, far);
        self.model.links.insert((one.min(other), one.max(other)));
    }

    fn start_speaker(&mut self, index: usize) {
        let options = self.neighbors[index];
        let spec = SpeakerSpec {
            asn: asn(index),
            local: address(index),
            local6: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0x1000, index as u16).into(),
            daemon: self.planned[self.model.speakers[index].daemon].address(),
            hold: options.hold,
            listens: options.listens,
            clocks: options.clocks,
            absent: options.absent,
        };
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let state = SpeakerLoop::new(spec.clone(), Arc::clone(&seen));
        // Its machine is another one: what hogs the daemons' workers must not keep it from reading.
        let address = self.sim.spawn(&format!("neighbor{index}"), Class::Liveness, state);
        self.speakers.push(Speaker { spec, address, seen });
    }

    /// What a speaker has written down.
    pub fn seen(&self, speaker: usize) -> std::sync::MutexGuard<'_, Seen> {
        self.speakers[speaker].seen.lock().unwrap()
    }

    /// Says something to a speaker.
    pub fn tell(&self, speaker: usize, message: SpeakerMessage) {
        self.speakers[speaker].address.send(Class::Liveness, message).unwrap();
    }

    /// A new path with so many made-up ASes in it, an odd number.
    fn path(&mut self, speaker: usize, filling: usize) -> Path {
        assert!(filling % 2 == 1, "paths by way of the other daemon are longer by one");
        self.versions += 1;
        let version = speaker::make_version(self.versions, speaker);
        let filling = (0..filling).map(|at| 64_512 + at as u32);
        core::iter::once(asn(speaker)).chain(filling).chain([version]).collect()
    }

    /// A speaker announces networks, all with one new path.
    pub fn announce(&mut self, speaker: usize, nets: &[Prefix], filling: usize) {
        self.announce_sets(speaker, &[nets.to_vec()], filling);
    }

    /// A speaker announces several sets of networks, each with a new path.
    pub fn announce_sets(&mut self, speaker: usize, sets: &[Vec<Prefix>], filling: usize) {
        let list: Vec<_> =
            sets.iter().map(|nets| (nets.clone(), self.path(speaker, filling))).collect();
        for (nets, path) in &list {
            for net in nets {
                self.model.announce(speaker, *net, path);
            }
        }
        self.tell(speaker, SpeakerMessage::Announce(list));
    }

    /// A speaker withdraws networks.
    pub fn withdraw(&mut self, speaker: usize, nets: &[Prefix]) {
        for net in nets {
            self.model.withdraw(speaker, *net);
        }
        self.tell(speaker, SpeakerMessage::Withdraw(nets.to_vec()));
    }

    /// A speaker goes away or comes back.
    pub fn set_up(&mut self, speaker: usize, up: bool) {
        self.model.speakers[speaker].up = up;
        self.tell(speaker, SpeakerMessage::Up(up));
    }

    /// A speaker reads as fast as that.
    pub fn pace(&self, speaker: usize, pace: Pace) {
        self.tell(speaker, SpeakerMessage::Pace(pace));
    }

    /// So many loops of a class that take `piece` for each handler, for `span`.
    pub fn plant_hogs(&mut self, count: usize, class: Class, piece: Duration, span: Duration) {
        let until = self.sim.now() + span;
        for at in 0..count {
            self.sim.spawn(&format!("hog{at}"), class, Hog::new(class, piece, until));
        }
    }

    /// The address of a speaker.
    pub fn address(&self, speaker: usize) -> IpAddr {
        address(speaker)
    }

    /// Where a daemon is.
    pub fn daemon_address(&self, daemon: usize) -> IpAddr {
        self.planned[daemon].address()
    }

    /// The virtual time.
    pub fn now(&self) -> Time {
        self.sim.now()
    }
}

fn address(speaker: usize) -> IpAddr {
    Ipv4Addr::new(10, 1, (speaker / 200) as u8, (speaker % 200 + 1) as u8).into()
}

fn asn(speaker: usize) -> u32 {
    100_001 + speaker as u32
}

impl core::fmt::Debug for World {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("World").field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl Drop for World {
    /// A run that fails says how to run it again.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "{}: DUNLIN_SIM_SEED={} failed at {:?}, trace {:#018x}, {} handlers",
                self.name,
                self.seed,
                self.sim.now(),
                self.sim.trace_hash(),
                self.sim.handlers()
            );
            self.print_last_words();
        }
    }
}
