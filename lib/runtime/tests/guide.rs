//! The examples of the guide, on real sockets and in the simulator.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;
#[allow(dead_code, reason = "an example has a main function")]
#[path = "../examples/distance_vector.rs"]
mod distance_vector;
#[allow(dead_code, reason = "an example has a main function")]
#[path = "../examples/echo.rs"]
mod echo;

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    sync::mpsc::{Sender, channel},
};

use common::{eventually, runtime};
use distance_vector::{Node, Routes};
use dunlin_runtime::{
    Address, Class, Duration,
    sim::{SimOptions, SimRuntime},
};

/// An address of this machine that no other test uses.
fn here(host: u8) -> SocketAddr {
    let [high, low] = (std::process::id() as u16).to_be_bytes();
    SocketAddr::from(([127, high, low, host], 7520))
}

#[test]
fn the_echo_server_echoes_on_many_connections_at_once() {
    let runtime = runtime(2);
    runtime.spawn("listener", Class::Control, echo::Listener(here(9)));
    let connected = || TcpStream::connect(here(9)).ok();
    eventually("listening", || connected().is_some());
    let mut clients: Vec<_> = (0..20).map(|_| connected().unwrap()).collect();
    for (number, client) in (0u8..).zip(&mut clients) {
        client.write_all(&vec![number; 100_000]).unwrap();
    }
    for (number, client) in (0u8..).zip(&mut clients) {
        let mut back = vec![0; 100_000];
        client.read_exact(&mut back).unwrap();
        assert!(back.iter().all(|&byte| byte == number));
    }
}

/// Distance to each node.
type Distances = BTreeMap<u8, u8>;

/// How far a node is from each, once it has been given time to answer.
fn ask(node: &Address<Sender<Routes>>, mut wait: impl FnMut()) -> Distances {
    let (asker, answer) = channel();
    node.send(Class::Control, asker).unwrap();
    wait();
    let routes = answer.recv_timeout(Duration::from_secs(10)).unwrap();
    routes.into_iter().map(|(node, (distance, _))| (node, distance)).collect()
}

fn distances<const COUNT: usize>(pairs: [(u8, u8); COUNT]) -> Distances {
    Distances::from(pairs)
}

/// What the guide promises: the whole file, with what it says first, the imports, the blank lines and `main`.
#[test]
fn the_distance_vector_protocol_has_at_most_150_lines() {
    let count = include_str!("../examples/distance_vector.rs").lines().count();
    assert!((100..=150).contains(&count), "{count}");
}

#[test]
fn routers_on_real_sockets_find_another_way_when_one_goes() {
    let runtime = runtime(2);
    // A ring of four: each connects to the next.
    let nodes = [1, 2, 3, 4].map(|number| {
        let next = here(number % 4 + 1);
        runtime.spawn("node", Class::Control, Node::new(number, here(number), vec![next]))
    });
    let first = || ask(&nodes[0], || ());
    eventually("the ring", || first() == distances([(1, 0), (2, 1), (3, 2), (4, 1)]));
    nodes[1].stop();
    eventually("the loss", || first() == distances([(1, 0), (3, 2), (4, 1)]));
    runtime.shutdown();
}

/// A ring of four in a simulation.
fn ring(sim: &SimRuntime) -> [Address<Sender<Routes>>; 4] {
    let at = |number| SocketAddr::new(host(number), 7520);
    [1, 2, 3, 4].map(|number| {
        let node = Node::new(number, at(number), vec![at(number % 4 + 1)]);
        sim.spawn("node", Class::Control, node)
    })
}

fn host(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, number])
}

#[test]
fn a_partition_is_survived_and_healed_whatever_the_seed() {
    for seed in 0..20 {
        let mut sim = SimRuntime::with_options(SimOptions::new(seed));
        let nodes = ring(&sim);
        let whole = distances([(1, 0), (2, 1), (3, 2), (4, 1)]);
        let first = |sim: &mut SimRuntime, seconds| {
            sim.run_for(Duration::from_secs(seconds));
            ask(&nodes[0], || sim.run_for(Duration::from_millis(100)))
        };
        assert_eq!(first(&mut sim, 5), whole, "seed {seed}");
        sim.net().partition(host(1), host(2));
        let around = distances([(1, 0), (2, 3), (3, 2), (4, 1)]);
        assert_eq!(first(&mut sim, 10), around, "seed {seed}: the long way");
        sim.net().partition(host(1), host(4));
        assert_eq!(first(&mut sim, 60), distances([(1, 0)]), "seed {seed}: alone");
        sim.net().heal(host(1), host(2));
        sim.net().heal(host(1), host(4));
        assert_eq!(first(&mut sim, 10), whole, "seed {seed}: healed");
    }
}

#[test]
fn a_hold_timer_survives_workers_that_hog_and_go() {
    let mut sim = SimRuntime::new(3);
    let nodes = ring(&sim);
    sim.run_for(Duration::from_secs(5));
    for workers in [1, 4, 2, 8, 1] {
        sim.resize(workers);
        // Below the hold time of three seconds.
        sim.block_worker(0, Duration::from_millis(1500));
        sim.run_for(Duration::from_secs(4));
    }
    let found = ask(&nodes[0], || sim.run_for(Duration::from_millis(100)));
    assert_eq!(found, distances([(1, 0), (2, 1), (3, 2), (4, 1)]));
    assert_eq!(sim.net().connections(), 4, "no connection was lost");
}
