//! Everything at once.

use dunlin_bgp::wire::Carried;
use dunlin_runtime::Class;
use dunlin_sim_tests::model::Policy;
use dunlin_sim_tests::nets;
use dunlin_sim_tests::seeds::each_seed;
use dunlin_sim_tests::speaker::{Pace, SpeakerMessage};
use dunlin_sim_tests::world::{SpeakerOptions, World};

use crate::{MS, S};

const COUNT: usize = 300;
/// Speakers of each daemon.
const SPEAKERS: usize = 4;

struct Chaos {
    world: World,
    speakers: Vec<usize>,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let mut world = World::new("chaos", seed);
        let lag = world.chance.within(2..=64) as u64 * 4096;
        let daemons = [0, 1].map(|at| {
            world.plan_daemon(|spec| {
                spec.slices = 1 << ((seed as usize + at) % 5);
                spec.max_lag = lag;
                spec.statics = nets::both(1000 + 10 * at..1010 + 10 * at);
            })
        });
        let mut speakers = Vec::new();
        for at in 0..2 * SPEAKERS {
            let options = SpeakerOptions {
                hold: *world.chance.one_of(&[3, 9, 30]),
                listens: world.chance.per_mille(300),
                transparent: false,
                policy: *world.chance.one_of(&[Policy::All, Policy::All, Policy::Long]),
                clocks: false,
                absent: world.chance.per_mille(200),
            };
            speakers.push(world.plan_speaker(daemons[at / SPEAKERS], options));
        }
        Self { world, speakers }
    }

    /// Something happens.
    fn step(&mut self) {
        let world = &mut self.world;
        let speaker = *world.chance.one_of(&self.speakers);
        let first = world.chance.within(0..=COUNT - 40);
        let nets = nets::both(first..first + world.chance.within(1..=40));
        match world.chance.within(0..=99) {
            0..=39 => {
                // Others of the same daemon have other numbers.
                let filling = 1 + 2 * (speaker % SPEAKERS + SPEAKERS * world.chance.within(0..=2));
                world.announce(speaker, &nets, filling);
            }
            40..=59 => world.withdraw(speaker, &nets),
            60..=64 => world.tell(speaker, SpeakerMessage::Drop),
            65..=69 => {
                let up = !world.model.speakers[speaker].up;
                world.set_up(speaker, up);
            }
            70..=76 => world.pace(speaker, Pace::Stopped),
            77..=82 => {
                let pace = Pace::Slow(world.chance.within(100..=3000), 10 * MS);
                world.pace(speaker, pace);
            }
            83..=90 => world.pace(speaker, Pace::Full),
            91..=93 => {
                let family = *world.chance.one_of(&Carried::ALL);
                world.tell(speaker, SpeakerMessage::Refresh(family));
            }
            94..=96 => self.break_network(speaker),
            _ => {
                let hogs = world.chance.within(1..=20);
                let class = *world.chance.one_of(&[Class::Routing, Class::Bulk]);
                world.plant_hogs(hogs, class, 10 * MS, S / 2);
            }
        }
    }

    fn break_network(&mut self, speaker: usize) {
        let world = &mut self.world;
        let daemon = world.model.speakers[speaker].daemon;
        let near = world.daemon_address(daemon);
        let far = if world.chance.per_mille(500) {
            world.address(speaker)
        } else {
            world.daemon_address(1 - daemon)
        };
        if world.chance.per_mille(500) {
            world.sim.net().reset(near, far);
        } else {
            world.sim.net().partition(near, far);
            let span = world.chance.millis(10..=12_000);
            world.run(span);
            world.sim.net().heal(near, far);
        }
    }

    fn run(mut self) -> u64 {
        self.world.start();
        for _ in 0..self.world.chance.within(50..=200) {
            self.step();
            let pause = self.world.chance.millis(1..=150);
            self.world.run(pause);
        }
        for speaker in &self.speakers {
            self.world.pace(*speaker, Pace::Full);
        }
        self.world.converge(180 * S)
    }
}

#[test]
fn all_is_well_after_chaos() {
    each_seed("chaos", 40, |seed| Chaos::new(seed).run());
}
