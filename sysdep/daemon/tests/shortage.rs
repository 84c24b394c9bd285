//! What the daemon does when descriptors run out, and when a client goes without a word.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure is what a test is for")]

mod common;

use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use common::{Client, Daemon, Place, SMALL, free_port, wait_for};

/// Hundredths of a second that a process has used.
fn used(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, after) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = after.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Hundredths of a second that a daemon uses in two seconds.
fn load(daemon: &Daemon) -> u64 {
    let before = used(daemon.pid());
    common::pause(2000);
    used(daemon.pid()) - before
}

#[test]
fn without_descriptors_listeners_rest_and_say_so_once() {
    let place = Place::new("descriptors");
    let port = free_port();
    let config = format!(
        "{SMALL}protocol bgp b {{ local 127.0.0.1 port {port} as 65000; \
         neighbor range 127.0.0.0/8 external; multihop; ipv4 {{ import all; export all; }}; }}\n"
    );
    let config = place.write("dunlin.conf", &config);
    let socket = place.path("ctl");
    let mut command = place.command_by("ulimit -n 60; exec \"$0\" \"$@\"");
    command.arg("-f").arg("-c").arg(config).arg("-s").arg(&socket).args(["--threads", "1"]);
    let mut daemon = Daemon::start(command, socket);
    // More clients than there are descriptors; those beyond wait in the socket, and so do neighbours.
    let clients: Vec<UnixStream> =
        (0..70).map(|_| UnixStream::connect(&daemon.socket).unwrap()).collect();
    common::pause(300);
    let neighbours: Vec<TcpStream> =
        (0..3).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    common::pause(300);
    let spent = load(&daemon);
    assert!(spent < 60, "it used {spent} hundredths of 2 s");
    drop((clients, neighbours));
    assert!(wait_for(|| daemon.ask("show status").contains("up and running")));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
    let text = daemon.errors();
    for who in ["ctl: cannot accept, tries every 1s: ", "BGP: cannot accept, tries every 1s: "] {
        let said = text.lines().filter(|line| line.contains(who)).count();
        assert!((1..=2).contains(&said), "{who}: {said} times\n{text}");
    }
}

#[test]
fn a_client_that_fills_its_input_and_goes_costs_nothing() {
    let place = Place::new("hangup-client");
    // More than a socket takes.
    let mut config = format!("{SMALL}protocol static large {{ ipv4;\n");
    for n in 0..20_000 {
        config += &format!("route 10.{}.{}.0/24 blackhole;\n", n / 256, n % 256);
    }
    let daemon = place.daemon(&(config + "}\n"), &[]);
    let counted = || daemon.ask("show route count").contains("20001 of 20001 routes");
    assert!(wait_for(counted), "{}", daemon.ask("show route count"));
    let mut client = Client::connect(&daemon.socket);
    client.greeting();
    // Nobody reads the answer, so the command goes on until the client has gone.
    client.send("show route\n");
    client.stream.set_nonblocking(true).unwrap();
    let more = "eval 1\n".repeat(1000);
    for _ in 0..5 {
        // As much as the system takes, and again when the daemon has taken some of it.
        while let Ok(count) = client.stream.write(more.as_bytes()) {
            assert!(count > 0);
        }
        common::pause(50);
    }
    drop(client);
    common::pause(100);
    let spent = load(&daemon);
    assert!(spent < 60, "it used {spent} hundredths of 2 s");
    // Only the client that asks is left.
    let clients = || {
        let text = daemon.ask("show loops client");
        text.lines().filter(|line| line.contains(" client ")).count()
    };
    assert!(wait_for(|| clients() == 1), "{}", daemon.ask("show loops"));
}
