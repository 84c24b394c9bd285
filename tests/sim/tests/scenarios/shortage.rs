//! A daemon that has no descriptor left.

use dunlin_sim_tests::nets;
use dunlin_sim_tests::seeds::each_seed;
use dunlin_sim_tests::speaker::SpeakerMessage;
use dunlin_sim_tests::world::{SpeakerOptions, World};

use crate::S;

/// Half of them connect, half are connected to.
const OTHERS: usize = 8;

/// How often the daemon has said that it cannot accept.
fn words(world: &World, daemon: usize) -> usize {
    let logged = world.daemons[daemon].logged.lock().unwrap();
    logged.iter().filter(|(_, text)| text.contains("BGP: cannot accept")).count()
}

fn up(world: &World, speakers: &[usize]) -> usize {
    speakers.iter().filter(|at| world.seen(**at).up).count()
}

/// The others' sessions end while the daemon has no descriptor for new ones; nobody else notices, and
/// nobody tries without rest.
fn none_left(world: &mut World, daemon: usize, bystanders: [usize; 2], others: &[usize]) {
    let host = world.daemon_address(daemon);
    world.sim.net().set_shortage(0);
    // All come back once more: a failure that chance had in store is over once somebody is accepted.
    others.iter().for_each(|at| world.tell(*at, SpeakerMessage::Drop));
    world.run(S);
    world.converge(90 * S);
    world.sim.net().limit_descriptors(host, 0);
    let (since, failed) = (world.now(), world.sim.net().shortages());
    let said = words(world, daemon);
    for at in others {
        world.tell(*at, SpeakerMessage::Drop);
    }
    let fresh = nets::both(300..310);
    world.announce(bystanders[0], &fresh, 1);
    world.until("bystanders exchange routes", 20 * S, |world| {
        let seen = world.seen(bystanders[1]);
        fresh.iter().all(|net| seen.routes.contains_key(net))
    });
    let wait = world.chance.millis(5_000..=40_000);
    world.run(wait);
    assert_eq!(up(world, others), 0, "sessions without descriptors");
    // The listener tries once a second, and a session after its delay of one, less a quarter by chance.
    let seconds = world.now().since(since).as_secs() as usize + 1;
    let most = seconds + OTHERS / 2 * (seconds * 4 / 3 + 1);
    let failed = (world.sim.net().shortages() - failed) as usize;
    assert!((2..=most).contains(&failed), "{failed} attempts, at most {most}");
    assert_eq!(words(world, daemon) - said, 1, "a word for the first failure only");
}

fn shortage(seed: u64) -> u64 {
    let mut world = World::new("shortage", seed);
    let daemon = world.plan_daemon(|spec| spec.slices = 1 << (seed % 4));
    let bystanders = [0; 2].map(|_| world.plan_speaker(daemon, SpeakerOptions::default()));
    let others: Vec<usize> = (0..OTHERS)
        .map(|at| {
            let listens = at % 2 == 0;
            world.plan_speaker(daemon, SpeakerOptions { listens, ..SpeakerOptions::default() })
        })
        .collect();
    world.start();
    for at in 0..OTHERS + 2 {
        world.announce(at, &nets::both(10 * at..10 * at + 15), 1 + 2 * at);
    }
    world.converge(90 * S);
    none_left(&mut world, daemon, bystanders, &others);
    // There is room for three.
    let host = world.daemon_address(daemon);
    let used = world.sim.net().descriptors(host);
    world.sim.net().limit_descriptors(host, used + 3);
    world.until("three are back", 120 * S, |world| up(world, &others) == 3);
    world.run(10 * S);
    assert_eq!(up(&world, &others), 3);
    // There is room for all, but now and then somebody finds none.
    world.sim.net().unlimit_descriptors(host);
    world.sim.net().set_shortage(300);
    world.converge(180 * S);
    others.iter().for_each(|at| world.tell(*at, SpeakerMessage::Drop));
    world.run(S);
    let trace = world.converge(180 * S);
    world.check_never_lost(bystanders);
    trace
}

#[test]
fn sessions_survive_that_no_descriptor_is_left_and_come_back() {
    each_seed("shortage", 20, shortage);
}
