//! What runs without `-c`. It has fixed ports, so each test has a network of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure is what a test is for")]

mod common;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use common::{Daemon, Place, wait_for};

/// Set in the process that has a network of its own.
const ALONE: &str = "DUNLIN_TEST_ALONE";

/// Runs a test of this file again in a network of its own, with nothing but its loopback, after these commands; true
/// if that was done. False if this is that process, or if the system lets us have no such network: then the
/// machine's is used, and its port must be free.
fn elsewhere(test: &str, commands: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return false;
    }
    let alone = |script: &str| {
        let mut command = Command::new("unshare");
        command
            .args(["--map-root-user", "--net", "sh", "-c"])
            .arg(script)
            .arg(std::env::current_exe().unwrap());
        command
    };
    let prepare = format!("set -e\nip link set lo up\n{commands}\n");
    if !alone(&prepare).output().is_ok_and(|out| out.status.success()) {
        for address in ["127.0.0.1:1790", "[::1]:1790"] {
            if let Err(error) = TcpListener::bind(address) {
                panic!(
                    "no network of its own for the built-in example, and here {address}: {error}"
                );
            }
        }
        return false;
    }
    let again = format!("{prepare}exec \"$0\" --exact {test} --nocapture");
    let out = alone(&again).env(ALONE, "1").output().unwrap();
    let text = [out.stdout, out.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(out.status.success(), "{}", text.concat());
    assert!(text[0].contains("1 passed"), "{}", text[0]);
    true
}

/// Where a process listens: what the system has in its lists, of the network that the process is in.
fn listening(pid: u32) -> Vec<SocketAddr> {
    const LISTEN: &str = "0A";
    let list = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap();
    let inodes: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|file| std::fs::read_link(file.unwrap().path()).ok())
        .filter_map(|target| {
            Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let own = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let ours = columns[3] == LISTEN && inodes.iter().any(|inode| inode == columns[9]);
        ours.then(|| address(columns[1]))
    };
    let (four, six) = (list("tcp"), list("tcp6"));
    let mut found: Vec<_> =
        four.lines().skip(1).chain(six.lines().skip(1)).filter_map(own).collect();
    found.sort();
    found
}

/// An address as /proc/net has it: words of four bytes as the machine orders them, and a port.
fn address(text: &str) -> SocketAddr {
    let (address, port) = text.split_once(':').unwrap();
    let port = u16::from_str_radix(port, 16).unwrap();
    let bytes: Vec<u8> = (0..address.len())
        .step_by(8)
        .flat_map(|at| u32::from_str_radix(&address[at..at + 8], 16).unwrap().to_ne_bytes())
        .collect();
    match <[u8; 4]>::try_from(&bytes[..]) {
        Ok(four) => (Ipv4Addr::from(four), port).into(),
        Err(_) => (Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[..]).unwrap()), port).into(),
    }
}

/// What the example says it listens on, and nothing else.
fn only_loopback() -> Vec<SocketAddr> {
    vec!["127.0.0.1:1790".parse().unwrap(), "[::1]:1790".parse().unwrap()]
}

#[test]
fn the_example_runs_and_says_what_to_do() {
    if elsewhere("the_example_runs_and_says_what_to_do", "") {
        return;
    }
    let place = Place::new("example");
    let socket = place.path("dunlin.ctl");
    let mut daemon = Daemon::start(place.command(), socket.clone());
    assert!(wait_for(|| daemon.ask("show route").contains("192.0.2.0/24")));
    assert!(wait_for(|| daemon.ask("show route table master6").contains("2001:db8:")));
    assert_eq!(listening(daemon.pid()), only_loopback());
    for address in only_loopback() {
        assert!(TcpStream::connect(address).is_ok(), "{address}");
    }
    let third = place.command().output().unwrap();
    let error = String::from_utf8(third.stderr).unwrap();
    assert_eq!(third.status.code(), Some(1), "{error}");
    assert!(error.contains("dunlin.ctl is in use"), "{error}");
    assert!(daemon.ask("configure").contains("Reconfigured"));
    assert_eq!(listening(daemon.pid()), only_loopback());
    daemon.signal("INT");
    assert_eq!(daemon.wait().code(), Some(0));
    let text = daemon.output();
    for expected in ["127.0.0.1 port 1790", "::1 port 1790", "cargo run --release -p dunlinc"] {
        assert!(text.contains(expected), "{text}");
    }
    assert!(text.contains(socket.to_str().unwrap()), "{text}");
}

#[test]
fn a_port_of_the_example_in_use_is_named_with_its_address() {
    if elsewhere("a_port_of_the_example_in_use_is_named_with_its_address", "") {
        return;
    }
    for (address, protocol) in [("127.0.0.1:1790", "server4"), ("[::1]:1790", "server6")] {
        let place = Place::new("example-port");
        let _other = TcpListener::bind(address).unwrap();
        let out = place.command().output().unwrap();
        let error = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(1), "{error}");
        assert!(error.contains(&format!("cannot listen on {address}: ")), "{error}");
        assert!(error.contains("in use") && error.contains(protocol), "{error}");
        assert!(!place.path("dunlin.ctl").exists(), "half started");
    }
}

#[test]
fn the_example_starts_where_there_is_no_ipv6_address() {
    let commands = "ip addr del ::1/128 dev lo";
    if elsewhere("the_example_starts_where_there_is_no_ipv6_address", commands) {
        return;
    }
    let place = Place::new("example-4");
    let daemon = Daemon::start(place.command(), place.path("dunlin.ctl"));
    assert!(wait_for(|| daemon.ask("show route").contains("192.0.2.0/24")));
    assert_eq!(listening(daemon.pid()), only_loopback());
}
