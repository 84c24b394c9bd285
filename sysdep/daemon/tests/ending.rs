//! The end of the daemon when it comes at a bad time: asked twice, while it starts, with all there is to do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure is what a test is for")]

mod common;

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dunlin_os::clock;
use dunlin_os::socket::{ConnectOptions, Socket};

use common::{Client, Daemon, Place, SMALL, free_port, wait_for};

/// Longer than the daemon gives itself, on a busy machine.
const LONGEST: Duration = Duration::from_secs(10);

/// A configuration with a BGP listener for anybody.
fn with_bgp(port: u16) -> String {
    format!(
        "{SMALL}protocol bgp b {{ local 127.0.0.1 port {port} as 65000; \
         neighbor range 127.0.0.0/8 external; multihop; ipv4 {{ import all; export all; }}; }}\n"
    )
}

/// With which code it ends, and what it has said. It is in time, and leaves no file behind.
fn ends(place: &Place, daemon: &mut Daemon) -> (Option<i32>, String) {
    let begun = clock::monotonic();
    let code = daemon.wait().code();
    let text = daemon.errors();
    let took = Duration::from_nanos(clock::monotonic() - begun);
    assert!(took < LONGEST, "{took:?}: {text}");
    assert!(!place.path("ctl").exists() && !place.path("pid").exists(), "{text}");
    (code, text)
}

#[test]
fn asked_twice_it_ends_at_once() {
    let again = (0..10).find(|round| {
        let place = Place::new(&format!("twice{round}"));
        let port = free_port();
        let mut daemon = place.daemon(&with_bgp(port), &["-P", "pid"]);
        let _silent = TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert!(wait_for(|| place.path("pid").exists()));
        // It finds both when it goes on; the second may come when all is done already.
        for signal in ["STOP", "TERM", "INT", "CONT"] {
            daemon.signal(signal);
        }
        let (code, text) = ends(&place, &mut daemon);
        let again = text.contains("Asked to end again");
        assert_eq!(code, Some(i32::from(again)), "{text}");
        again
    });
    assert!(again.is_some(), "a second wish has never been heard");
}

/// From the first moment to the last: a signal comes when the program has not begun to look after signals,
/// while the configuration is read, while protocols start, and when all runs.
#[test]
fn it_can_be_ended_at_every_moment_of_its_start() {
    let place = Place::new("starting");
    let routes: String =
        (0..5000).map(|n| format!("route 10.{}.{}.0/24 blackhole;\n", n / 256, n % 256)).collect();
    let config = place.write(
        "dunlin.conf",
        &format!("{}protocol static many {{ ipv4;\n{routes} }}\n", with_bgp(free_port())),
    );
    let begin = || {
        let mut command = place.command();
        command.arg("-f").arg("-c").arg(&config).arg("-s").arg(place.path("ctl"));
        command.args(["-P", "pid", "--recorder"]).arg(place.path(""));
        command
    };
    let (mut by_signal, mut in_order) = (0, 0);
    let mut pause = Duration::ZERO;
    while in_order < 8 {
        let mut daemon = Daemon::begin(begin(), place.path("ctl"));
        common::pause(u64::try_from(pause.as_millis()).unwrap());
        daemon.signal("TERM");
        let status = daemon.wait();
        let text = daemon.errors();
        match (status.code(), status.signal()) {
            // Nobody looked after signals yet.
            (None, Some(15)) => by_signal += 1,
            (Some(0), None) => {
                in_order += 1;
                assert!(text.contains("Shutdown completed"), "{text}");
                assert!(!place.path("ctl").exists() && !place.path("pid").exists(), "{text}");
            }
            other => panic!("{other:?} after {pause:?}: {text}"),
        }
        // The earlier moments are shorter.
        pause = pause * 6 / 5 + Duration::from_millis(2);
        assert!(pause < Duration::from_secs(10), "{by_signal} by the signal, {in_order} in order");
    }
    // Whatever an early end left behind is in nobody's way.
    let mut daemon = Daemon::start(begin(), place.path("ctl"));
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
}

/// A message of BGP.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(19 + body.len()).unwrap();
    [&[0xff; 16], &length.to_be_bytes()[..], &[kind], body].concat()
}

/// A session of the neighbour that has this number, and an address of its own. Who comes before the protocol has
/// started is sent away.
fn session(port: u16, number: u8) -> TcpStream {
    let mut found = None;
    assert!(wait_for(|| {
        found = connect(port, number).ok();
        found.is_some()
    }));
    found.unwrap()
}

fn connect(port: u16, number: u8) -> io::Result<TcpStream> {
    let local = Some(SocketAddr::from(([127, 0, 0, 10 + number], 0)));
    let options = ConnectOptions { local, ..ConnectOptions::default() };
    let socket = Socket::connect(SocketAddr::from(([127, 0, 0, 1], port)), &options)?;
    let mut stream = TcpStream::from(socket.as_fd().try_clone_to_owned()?);
    stream.set_nonblocking(false)?;
    let asn = (65000 + u16::from(number)).to_be_bytes();
    let open = [&[4][..], &asn, &240u16.to_be_bytes(), &[198, 51, 100, number], &[0]].concat();
    stream.write_all(&message(1, &open))?;
    stream.write_all(&message(4, &[]))?;
    let mut head = [0; 19];
    stream.read_exact(&mut head)?;
    assert_eq!(head[18], 1, "an OPEN");
    Ok(stream)
}

/// UPDATEs with 50,000 routes, different in each round.
fn routes(number: u8, round: u32) -> Vec<u8> {
    let updates = (0u8..50).map(|part| {
        let asn = (65000 + u16::from(number)).to_be_bytes();
        let attributes = [
            &[0x40, 1, 1, 0][..],
            &[0x40, 2, 4, 2, 1, asn[0], asn[1]],
            &[0x40, 3, 4, 192, 0, 2, 77],
            &[0x80, 4, 4],
            &round.to_be_bytes(),
        ]
        .concat();
        let nets = (0u16..1000).flat_map(|net| {
            let [high, low] = (u16::from(part) * 1000 + net).to_be_bytes();
            [24, 10 + number, high, low]
        });
        let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
        let nets: Vec<u8> = nets.collect();
        message(2, &[&[0, 0], &length[..], &attributes, &nets].concat())
    });
    updates.flatten().collect()
}

/// Neighbours that announce without a pause, some that do not read, clients that read late or never.
fn end_under_load(number: u32) -> (Option<i32>, String) {
    let place = Place::new(&format!("load{number}"));
    let port = free_port();
    let mut daemon = place.daemon(&with_bgp(port), &["-P", "pid"]);
    let taken = Arc::new(AtomicU32::new(0));
    let feeders: Vec<_> = (1..=3)
        .map(|number| {
            let (mut stream, taken) = (session(port, number), Arc::clone(&taken));
            // Until the daemon hangs up.
            std::thread::spawn(move || {
                while stream.write_all(&routes(number, taken.load(Ordering::Relaxed))).is_ok() {
                    taken.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let _deaf: Vec<TcpStream> = (4..=6).map(|number| session(port, number)).collect();
    // To ask how many routes there are would take as long as the daemon is flooded with others.
    assert!(wait_for(|| taken.load(Ordering::Relaxed) >= 30), "it takes what it is sent");
    let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(&daemon.socket)).collect();
    for client in &mut clients {
        client.send("show route all\n");
    }
    daemon.ask("configure");
    daemon.ask("reload in b");
    daemon.signal("TERM");
    let (code, text) = ends(&place, &mut daemon);
    feeders.into_iter().for_each(|feeder| feeder.join().unwrap());
    (code, text)
}

#[test]
fn it_ends_in_time_with_all_there_is_to_do() {
    let mut seen = Vec::new();
    for number in 0..3 {
        let (code, text) = end_under_load(number);
        assert!(text.contains("Shutdown requested by SIGTERM"), "{text}");
        if code == Some(0) {
            assert!(text.contains("Shutdown completed"), "{text}");
            return;
        }
        // On a machine that does something else it may run out of time, and says so.
        assert!(code == Some(1) && text.contains("Shutdown takes too long"), "{code:?}: {text}");
        seen.push(text);
    }
    panic!("{seen:?}");
}
