//! Starting, changing and ending.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure is what a test is for")]

mod common;

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{Client, Daemon, Place, SMALL, free_port, wait_for};

/// A configuration with a BGP listener on a port of its own.
fn with_bgp(port: u16) -> String {
    format!(
        "{SMALL}protocol bgp b {{ local 127.0.0.1 port {port} as 65000; \
         neighbor range 127.0.0.0/8 external; multihop; ipv4 {{ import all; export all; }}; }}\n"
    )
}

#[test]
fn a_port_in_use_is_an_error_before_success_is_reported() {
    let place = Place::new("port");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = place.write("a.conf", &with_bgp(port));
    for foreground in [true, false] {
        let mut command = place.command();
        command.arg("-c").arg(&config).arg("-s").arg(place.path("ctl"));
        if foreground {
            command.arg("-f");
        }
        let out = command.output().unwrap();
        let error = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(1), "{error}");
        assert!(error.contains(&port.to_string()) && error.contains("in use"), "{error}");
        assert!(!place.path("ctl").exists(), "half started");
    }
}

#[test]
fn signals_end_it_in_order() {
    for signal in ["TERM", "INT"] {
        let place = Place::new(&format!("signal-{signal}"));
        let mut daemon = place.daemon(&with_bgp(free_port()), &["-P", "pid"]);
        assert!(wait_for(|| place.path("pid").exists()));
        daemon.signal(signal);
        assert_eq!(daemon.wait().code(), Some(0));
        assert!(!place.path("ctl").exists() && !place.path("pid").exists());
        let text = daemon.errors();
        assert!(text.contains(&format!("Shutdown requested by SIG{signal}")), "{text}");
        assert!(text.contains("Shutdown completed"), "{text}");
    }
}

#[test]
fn a_neighbour_that_says_nothing_does_not_hold_up_the_end() {
    let place = Place::new("silent");
    let port = free_port();
    let mut daemon = place.daemon(&with_bgp(port), &[]);
    let _silent = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    common::pause(200);
    daemon.signal("TERM");
    let mut waited = 0;
    let ended = wait_for(|| {
        waited += 20;
        !Path::new(&format!("/proc/{}/fd/0", daemon.pid())).exists()
    });
    assert!(ended && waited < 4000, "{waited}");
    daemon.wait();
}

/// Standard error is a pipe that is full.
#[test]
fn a_log_that_nobody_reads_does_not_hold_up_the_end() {
    let place = Place::new("full-log");
    let mut daemon = place.daemon(&format!("debug commands 2;\n{SMALL}"), &[]);
    // Each is a line of the log, and the pipe takes 64 kB.
    let mut client = Client::connect(&daemon.socket);
    client.greeting();
    for _ in 0..20 {
        client.send(&"show symbols nothing_of_this_name\n".repeat(100));
        (0..100).for_each(|_| drop(client.reply()));
    }
    daemon.signal("TERM");
    let begin = dunlin_os::clock::monotonic();
    assert_eq!(daemon.wait().code(), Some(0));
    let waited = Duration::from_nanos(dunlin_os::clock::monotonic() - begin);
    assert!(waited < Duration::from_secs(3), "{waited:?}");
    let text = daemon.errors();
    assert!(!text.contains("Shutdown completed"), "the pipe was not full: {} bytes", text.len());
}

#[test]
fn hangup_reads_the_configuration_again() {
    let place = Place::new("hangup");
    let mut daemon = place.daemon(SMALL, &[]);
    place.write("dunlin.conf", &SMALL.replace("192.0.2.0", "198.51.100.0"));
    daemon.signal("HUP");
    assert!(wait_for(|| daemon.ask("show route").contains("198.51.100.0/24")));
    place.write("dunlin.conf", "nonsense;\n");
    daemon.signal("HUP");
    common::pause(300);
    assert!(daemon.ask("show route").contains("198.51.100.0/24"));
    daemon.signal("TERM");
    daemon.wait();
    let text = daemon.errors();
    assert!(text.contains("dunlin.conf:1:1"), "{text}");
}

#[test]
fn user_signal_puts_the_recorder_into_the_log() {
    let place = Place::new("dump");
    let mut daemon = place.daemon(SMALL, &[]);
    daemon.signal("USR1");
    common::pause(500);
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
    let text = daemon.errors();
    assert!(text.contains("Dump: "), "{text}");
    assert!(text.contains("Flight recorder of process"), "{text}");
}

#[test]
fn workers_change_by_command_and_configuration() {
    let place = Place::new("threads");
    let daemon = place.daemon(&format!("threads 2;\n{SMALL}"), &["--threads", "3"]);
    let workers = || {
        let text = daemon.ask("show threads");
        text.lines().filter(|line| line.get(1..5).is_some_and(is_number)).count()
    };
    assert!(wait_for(|| workers() == 3), "{}", daemon.ask("show threads"));
    // The file has not changed what it says.
    daemon.ask("configure");
    assert!(wait_for(|| workers() == 3));
    place.write("dunlin.conf", &format!("threads 4;\n{SMALL}"));
    daemon.ask("configure");
    assert!(wait_for(|| workers() == 4), "{}", daemon.ask("show threads"));
    daemon.ask("threads 1");
    assert!(wait_for(|| workers() == 1), "{}", daemon.ask("show threads"));
    assert!(daemon.ask("show route").contains("192.0.2.0/24"));
}

/// A move in `show threads all`, and the same in JSON: from, to, why, the loop's number and name.
type Move = [String; 5];

fn moves(daemon: &Daemon) -> Vec<Move> {
    let text = daemon.ask("show threads all");
    let rows = text.lines().skip_while(|line| !line.contains("Moved          From   To     Why"));
    let words = rows.skip(1).map(|row| Vec::from_iter(row.split_whitespace()));
    let words = words.take_while(|words| words.get(1..3) == Some(&["s", "ago"]));
    words.map(|words| [3, 4, 5, 6, 7].map(|at| words[at].to_owned())).collect()
}

fn moves_in_json(daemon: &Daemon) -> Vec<Move> {
    let all = daemon.ask_json("show threads all json");
    let rows = all["moves"].as_array().unwrap().iter();
    rows.map(|row| {
        assert!(row["ago_ns"].is_u64(), "{row}");
        ["from", "to", "why", "loop", "name"].map(|key| match &row[key] {
            serde_json::Value::String(text) => text.clone(),
            number => number.to_string(),
        })
    })
    .collect()
}

/// Each is of a loop that is there, between workers that are, for a reason.
#[test]
fn moves_are_shown_with_their_reason() {
    let place = Place::new("moves");
    let daemon = place.daemon(&format!("threads 1;\n{SMALL}"), &[]);
    assert_eq!(moves(&daemon), Vec::<Move>::new());
    assert_eq!(moves_in_json(&daemon), Vec::<Move>::new());

    daemon.ask("threads 4");
    let why = |wanted: &str| {
        let mut rows = moves(&daemon);
        rows.retain(|[_, _, why, ..]| why == wanted);
        rows
    };
    assert!(wait_for(|| !why("grown").is_empty()), "{}", daemon.ask("show threads all"));
    let grown = why("grown");
    for [from, to, ..] in &grown {
        assert_eq!(from, "0001", "{grown:?}");
        assert!(["0002", "0003", "0004"].contains(&to.as_str()), "{grown:?}");
    }
    // A client's loop may be gone by now.
    let is_there = |[.., number, name]: &Move| {
        let rows = daemon.ask_json(&format!("show loops {number} json"));
        rows["loops"][0]["name"] == name.as_str()
    };
    assert!(grown.iter().any(is_there), "{grown:?}");

    // Loops with little to do may have left the other workers by themselves.
    let retired = || {
        daemon.ask("threads 4");
        daemon.ask("threads 1");
        !why("retired").is_empty()
    };
    assert!(wait_for(retired), "{}", daemon.ask("show threads all"));
    for [from, to, ..] in why("retired") {
        assert_ne!(from, "0001");
        assert_ne!(from, to);
    }

    // Both forms say the same, once nothing moves any more.
    let same = || {
        let before = moves(&daemon);
        moves_in_json(&daemon) == before && moves(&daemon) == before
    };
    assert!(wait_for(same), "{:?}, {:?}", moves(&daemon), moves_in_json(&daemon));
}

#[test]
fn thread_groups_change_by_configuration_and_the_protocols_in_them() {
    let place = Place::new("groups");
    let of = |group: &str| {
        SMALL.replace("protocol static s4 {", &format!("protocol static s4 {{ {group}"))
    };
    assert_ne!(of("thread group express;"), SMALL, "there is a static protocol");
    let groups =
        "thread group worker { threads 2; default yes; }\nthread group slow { threads 2; }";
    let daemon = place.daemon(&format!("{groups}\n{}", of("thread group slow;")), &[]);
    let shows = |line: &str| daemon.ask("show threads all").contains(line);
    assert!(
        wait_for(|| shows("Group slow: 2 workers of 2,")),
        "{}",
        daemon.ask("show threads all")
    );
    assert!(shows("Group worker (default): 2 workers of 2,"));
    assert!(shows("Group express: 0 workers of 1,"));
    // Another group for the protocol, other numbers, one group less; and nothing restarts.
    let since = daemon.ask("show protocols s4");
    place.write(
        "dunlin.conf",
        &format!(
            "thread group worker {{ threads 1; default yes; }}\n{}",
            of("thread group express;"),
        ),
    );
    assert!(daemon.ask("configure").contains("Reconfigured"));
    assert!(
        wait_for(|| shows("Group express: 1 workers of 1,")),
        "{}",
        daemon.ask("show threads all")
    );
    assert!(wait_for(|| shows("Group worker (default): 1 workers of 1,")));
    assert!(!shows("Group slow"));
    assert_eq!(daemon.ask("show protocols s4"), since);
    assert!(daemon.ask("show route").contains("192.0.2.0/24"));
    place.write("dunlin.conf", &format!("threads auto 2 3;\n{SMALL}"));
    daemon.ask("configure");
    assert!(wait_for(|| shows("workers of auto 2 3,")), "{}", daemon.ask("show threads all"));
    assert_eq!(daemon.ask("show protocols s4"), since);
}

/// What is in force of each group, by name: threads, and times in nanoseconds.
fn groups(daemon: &Daemon) -> Vec<(String, [u64; 6])> {
    let all = daemon.ask_json("show threads all json");
    let of = |group: &serde_json::Value| {
        let keys = ["least_workers", "most_workers", "max_latency_ns", "min_time_ns"];
        let keys = [&keys[..], &["max_time_ns", "wakeup_time_ns"]].concat();
        let figures = Vec::from_iter(keys.iter().map(|&key| group[key].as_u64().unwrap()));
        (group["group"].as_str().unwrap().to_owned(), figures.try_into().unwrap())
    };
    let mut groups = Vec::from_iter(all["groups"].as_array().unwrap().iter().map(of));
    groups.sort();
    groups
}

#[test]
fn every_option_of_a_thread_group_is_in_force_after_configure() {
    let place = Place::new("group-options");
    let daemon = place.daemon(&format!("threads 2;\n{SMALL}"), &[]);
    let expected = |rows: &[(&str, [u64; 6])]| {
        let named = |&(name, figures): &(&str, [u64; 6])| (name.to_owned(), figures);
        let mut rows = Vec::from_iter(rows.iter().map(named));
        rows.sort();
        assert!(wait_for(|| groups(&daemon) == rows), "{:?}, not {rows:?}", groups(&daemon));
    };
    let [micro, milli, second] = [1000, 1_000_000, 1_000_000_000];
    let express = ("express", [1, 1, 10 * milli, 50 * micro, 200 * micro, 60 * second]);
    let worker = ("worker", [2, 2, second, 100 * micro, milli, 31_415 * second]);
    expected(&[worker, express]);
    let configure = |text: &str| {
        place.write("dunlin.conf", &format!("{text}\n{SMALL}"));
        let answer = daemon.ask("configure");
        assert!(answer.contains("Reconfigured"), "{answer}");
    };
    configure(
        "thread group main { threads 3; default yes; max latency 60 ms; min time 5 ms; \
         max time 20 ms; wakeup time 7 s; }\n\
         thread group slow { threads auto 1 2; min time 300 us; }",
    );
    let main = ("main", [3, 3, 60 * milli, 5 * milli, 20 * milli, 7 * second]);
    let slow = ("slow", [1, 2, second, 300 * micro, milli, 31_415 * second]);
    expected(&[main, slow, express]);
    let shown = daemon.ask("show threads all");
    let line = "Group main (default): 3 workers of 3, max latency 60ms, min time 5ms, \
                max time 20ms, wakeup time 7s";
    assert!(shown.contains(line), "{shown}");
    // One option at a time, and what is not written is as usual again.
    configure("thread group main { threads 3; default yes; max latency 60 ms; max time 20 ms; }");
    expected(&[("main", [3, 3, 60 * milli, 100 * micro, 20 * milli, 31_415 * second]), express]);
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The file that a daemon's recorder is in: it has it mapped, under the name that it was made with.
fn recorder(daemon: &Daemon) -> PathBuf {
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", daemon.pid())).unwrap();
    let words = maps.lines().map(|line| Vec::from_iter(line.split_whitespace()));
    let made = |words: &Vec<&str>| words.get(5).is_some_and(|name| name.contains(".trace.new-"));
    let [ref mapped] = words.filter(made).collect::<Vec<_>>()[..] else { panic!("{maps}") };
    let path = PathBuf::from(mapped[5].split(".new-").next().unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().ino().to_string(), mapped[4], "{maps}");
    path
}

/// A killed daemon leaves a recorder's file that can be read, where nothing else was said as well. For root that is in
/// /run, with those of other tests, any of which may move it away; so it is held open and read from a copy.
#[test]
fn what_a_killed_daemon_did_can_be_read() {
    let place = Place::new("killed");
    let mut daemon = place.daemon(SMALL, &[]);
    assert!(daemon.ask("show trace").contains("Flight recorder"));
    let trace = |file: &Path| {
        let out = place.command().arg("trace").args(["-n", "5"]).arg(file).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    let path = recorder(&daemon);
    let mut file = File::open(&path).unwrap();
    assert!(trace(&path).contains(&format!("process {} (running)", daemon.pid())));
    daemon.signal("KILL");
    daemon.wait();
    let copy = place.path("copy.trace");
    std::io::copy(&mut file, &mut File::create(&copy).unwrap()).unwrap();
    let text = trace(&copy);
    assert!(text.contains(&format!("process {} (ended)", daemon.pid())), "{text}");
    assert_eq!(text.lines().count(), 7, "{text}");
}

#[test]
fn a_client_that_does_not_read_delays_nobody() {
    let place = Place::new("slow");
    let daemon = place.daemon(SMALL, &[]);
    let mut slow = Client::connect(&daemon.socket);
    slow.stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    // Far more answers than fit into sockets and queues.
    let many = "show protocols all\n".repeat(20_000);
    let sent = std::io::Write::write_all(&mut slow.stream, many.as_bytes());
    assert!(sent.is_err(), "everything was taken");
    for _ in 0..20 {
        assert!(daemon.ask("show status").contains("up and running"));
    }
    let text = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let rss = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: u64 = rss.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 100_000, "{kilobytes}");
}
