//! A race planted on purpose: the simulation finds it within a bounded number of seeds, and the seed shows
//! it again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    process::Command,
    sync::mpsc::{Sender, channel},
};

use dunlin_runtime::{
    Address, Class, Context, Duration, Loop, TimerId,
    sim::{SimOptions, SimRuntime},
};

/// An account that is read and written by message.
struct Account {
    balance: u64,
    told: Sender<u64>,
}

enum ToAccount {
    Read(Address<Balance>),
    Write(u64),
    Add(u64),
}

struct Balance(u64);

impl Loop for Account {
    type Message = ToAccount;

    fn message(&mut self, _: &mut Context<'_>, message: ToAccount) {
        match message {
            ToAccount::Read(teller) => {
                teller.send(Class::Routing, Balance(self.balance)).unwrap();
                return;
            }
            ToAccount::Write(balance) => self.balance = balance,
            ToAccount::Add(amount) => self.balance += amount,
        }
        self.told.send(self.balance).unwrap();
    }
}

/// Adds one at some time within 20 ms: in one message, or by reading and writing.
struct Teller {
    account: Address<ToAccount>,
    reads: bool,
    timer: TimerId,
}

impl Loop for Teller {
    type Message = Balance;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Routing);
        let wait = Duration::from_micros(cx.random() % 20_000);
        cx.arm_after(self.timer, wait);
    }

    fn timer(&mut self, cx: &mut Context<'_>, _: TimerId) {
        let message = match self.reads {
            true => ToAccount::Read(cx.own().unwrap()),
            false => ToAccount::Add(1),
        };
        self.account.send(Class::Routing, message).unwrap();
    }

    fn message(&mut self, _: &mut Context<'_>, Balance(balance): Balance) {
        // Another teller may have written meanwhile.
        self.account.send(Class::Routing, ToAccount::Write(balance + 1)).unwrap();
    }
}

const TELLERS: u64 = 3;
/// Within so many seeds it must be found.
const BOUND: u64 = 500;

/// Lets the tellers add one each, and gives the balance to `judge` while the simulation still stands.
fn run<T>(seed: u64, reads: bool, judge: impl FnOnce(&SimRuntime, u64) -> T) -> T {
    let mut sim = SimRuntime::with_options(SimOptions { workers: 3, ..SimOptions::new(seed) });
    let (told, heard) = channel();
    let account = sim.spawn("account", Class::Routing, Account { balance: 0, told });
    for _ in 0..TELLERS {
        let account = account.clone();
        sim.spawn("teller", Class::Routing, Teller { account, reads, timer: TimerId::NONE });
    }
    sim.run_for(Duration::from_millis(50));
    let balance = heard.try_iter().last().unwrap();
    judge(&sim, balance)
}

fn outcome(seed: u64, reads: bool) -> (u64, u64) {
    run(seed, reads, |sim, balance| (balance, sim.trace_hash()))
}

#[test]
fn a_planted_race_is_found_within_five_hundred_seeds() {
    let lost: Vec<u64> = (0..BOUND).filter(|seed| outcome(*seed, true).0 != TELLERS).collect();
    println!("{} of {BOUND} seeds find it, {:?} first", lost.len(), lost.first());
    assert!(!lost.is_empty());
    assert!(lost.len() < 100, "so plain a fault proves nothing");
    for seed in lost {
        assert_eq!(outcome(seed, true), outcome(seed, true), "seed {seed} shows it again");
    }
    assert!((0..BOUND).all(|seed| outcome(seed, false).0 == TELLERS), "one message loses nothing");
}

#[test]
fn a_run_that_fails_prints_the_seed_that_replays_it() {
    let variable = "DUNLIN_PLANTED_RACE";
    if let Ok(seed) = std::env::var(variable) {
        let seeds = seed.parse().map_or(0..BOUND, |seed: u64| seed..seed + 1);
        for seed in seeds {
            run(seed, true, |_, balance| assert_eq!(balance, TELLERS, "an update was lost"));
        }
        return;
    }
    let fail = |seed: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([
            "--exact",
            "a_run_that_fails_prints_the_seed_that_replays_it",
            "--nocapture",
        ]);
        let output = command.env(variable, seed).output().unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        said.lines().find(|line| line.starts_with("simulation: seed ")).unwrap().to_owned()
    };
    let first = fail("any");
    let seed = first.split(' ').nth(2).unwrap();
    assert_eq!(fail(seed), first, "the same seed, time, trace and number of handlers");
}
