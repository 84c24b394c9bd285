//! A configuration is taken back: by command, or because nobody confirms it in time.

use core::time::Duration;

use dunlin_core::manager::ConfigureCommand;
use dunlin_runtime::Time;
use dunlin_sim_tests::nets;
use dunlin_sim_tests::seeds::each_seed;
use dunlin_sim_tests::world::{SpeakerOptions, World};

use crate::{MS, S};

/// The networks that the feeder has.
const COUNT: usize = 200;
/// The AS that the new filter puts in front of paths.
const MARK: u32 = 64_000;
/// What a change may take until everybody has heard of it.
const PATIENCE: Duration = Duration::from_secs(60);

const fn apply(timeout: Option<u32>) -> ConfigureCommand {
    ConfigureCommand::Apply { soft: false, file: None, timeout }
}

/// A daemon between two speakers, and one change that is in force.
fn changed(seed: u64, timeout: Option<u32>) -> (World, Time) {
    let mut world = World::new("undo", seed);
    // The clock is what this is about; a worker that is kept from it is another scenario's.
    world.noise.blocks = 0;
    let daemon = world.plan_daemon(|spec| spec.slices = 1 << (seed % 4));
    let feeder = world.plan_speaker(daemon, SpeakerOptions::default());
    world.plan_speaker(daemon, SpeakerOptions::default());
    world.start();
    world.until_up(PATIENCE);
    let nets: Vec<_> = (0..COUNT).map(nets::v4).collect();
    world.announce(feeder, &nets, 1);
    world.converge(PATIENCE);
    world.write_mark(Some(MARK));
    let asked = world.now();
    world.daemons[0].configure(apply(timeout));
    world.until("an answer", PATIENCE, |world| answers(world).len() == 1);
    (world, asked)
}

fn answers(world: &World) -> Vec<String> {
    world.daemons[0].answers.lock().unwrap().clone()
}

fn say(world: &mut World, command: ConfigureCommand, expected: &str) {
    let count = answers(world).len();
    world.daemons[0].configure(command);
    world.until("an answer", PATIENCE, |world| answers(world).len() > count);
    assert_eq!(answers(world).last().unwrap(), expected);
}

/// Everybody hears the paths with or without the mark.
fn settle(world: &mut World, mark: Option<u32>) {
    world.model.mark = mark;
    world.converge(PATIENCE);
}

fn expires(seed: u64) -> u64 {
    // Now and then as long as it is by default.
    let timeout = if seed % 7 == 3 { 300 } else { 70 + seed as u32 % 50 };
    let (mut world, asked) = changed(seed, Some(timeout));
    assert_eq!(answers(&world), ["22 3"]);
    settle(&mut world, Some(MARK));
    let end = asked + Duration::from_secs(u64::from(timeout));
    let left = end.since(world.now());
    world.run(left.saturating_sub(S));
    assert_eq!(answers(&world).len(), 1, "{:?} before the end", end.since(world.now()));
    settle_at_end(&mut world, end);
    assert_eq!(answers(&world)[1], "Config timeout expired, starting undo");
    settle(&mut world, None);
    // There is one level only.
    say(&mut world, ConfigureCommand::Undo, "21 19");
    say(&mut world, ConfigureCommand::Confirm, "19");
    world.check_never_lost(0..2);
    world.converge(PATIENCE)
}

/// Time passes until the notice has come, which has to be soon after the end.
fn settle_at_end(world: &mut World, end: Time) {
    world.until("the undo", 3 * S, |world| answers(world).len() > 1);
    assert!(world.now() >= end, "{:?} too early", end.since(world.now()));
    assert!(world.now().since(end) < S, "{:?} late", world.now().since(end));
}

fn confirmed(seed: u64) -> u64 {
    let (mut world, _) = changed(seed, Some(100));
    settle(&mut world, Some(MARK));
    let pause = world.chance.millis(1..=20_000);
    world.run(pause);
    say(&mut world, ConfigureCommand::Confirm, "18");
    say(&mut world, ConfigureCommand::Confirm, "19");
    world.run(120 * S);
    assert_eq!(answers(&world).len(), 3, "undone although it was confirmed");
    settle(&mut world, Some(MARK));
    // What was confirmed can still be taken back by hand.
    say(&mut world, ConfigureCommand::Undo, "21 3");
    settle(&mut world, None);
    world.check_never_lost(0..2);
    world.converge(PATIENCE)
}

/// Another change, without a timeout, is as good as a confirmation.
fn overtaken(seed: u64) -> u64 {
    let (mut world, _) = changed(seed, Some(90));
    let pause = world.chance.millis(1..=20_000);
    world.run(pause);
    world.write_mark(Some(MARK + 1));
    say(&mut world, apply(None), "3");
    world.run(100 * S + 100 * MS);
    assert_eq!(answers(&world).len(), 2, "the change of a change was undone");
    settle(&mut world, Some(MARK + 1));
    say(&mut world, ConfigureCommand::Undo, "21 3");
    settle(&mut world, Some(MARK));
    world.check_never_lost(0..2);
    world.converge(PATIENCE)
}

#[test]
fn what_nobody_confirms_is_undone_in_time() {
    each_seed("undo", 8, expires);
}

#[test]
fn what_is_confirmed_stays_until_it_is_undone_by_hand() {
    each_seed("undo", 8, confirmed);
}

#[test]
fn another_change_ends_the_wait_for_a_confirmation() {
    each_seed("undo", 8, overtaken);
}
