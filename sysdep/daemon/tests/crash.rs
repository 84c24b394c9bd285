//! What a daemon leaves behind when it dies, and what the next one says of that.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure is what a test is for")]

mod common;

use std::os::unix::process::ExitStatusExt as _;

use common::{Daemon, Place, SMALL, wait_for};

/// A daemon with its recorder in this place; `name` is that of its socket.
fn start(place: &Place, name: &str, flags: &[&str]) -> Daemon {
    let config = place.write("dunlin.conf", SMALL);
    let socket = place.path(name);
    let mut command = place.command();
    command.arg("-f").arg("-c").arg(config).arg("-s").arg(&socket);
    command.arg("--recorder").arg(place.path("")).args(flags);
    Daemon::start(command, socket)
}

/// What `dunlin trace` says.
fn trace(place: &Place, arguments: &[&str]) -> String {
    let out = place.command().arg("trace").args(arguments).current_dir(place.path("")).output();
    let out = out.unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn names(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.path("")).unwrap();
    let name = |entry: std::fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<_> = entries.map(|entry| name(entry.unwrap())).collect();
    names.retain(|name| name.starts_with("dunlin") && !name.ends_with(".conf"));
    names.sort();
    names
}

#[test]
fn after_a_kill_the_records_are_read_and_the_next_daemon_names_them() {
    let place = Place::new("killed");
    let mut daemon = start(&place, "ctl", &[]);
    let live = trace(&place, &["dunlin.trace"]);
    assert!(live.contains(&format!("process {} (running)", daemon.pid())), "{live}");
    daemon.signal("KILL");
    assert_eq!(daemon.wait().signal(), Some(9));
    let dead = trace(&place, &["dunlin.trace"]);
    assert!(dead.contains(&format!("process {} (ended)", daemon.pid())), "{dead}");
    assert!(dead.contains("Dunlin 0") && dead.contains(", rustc "), "{dead}");
    assert!(dead.contains(", configuration "), "{dead}");
    assert!(dead.lines().count() > 20 && dead.contains(" start manager ["), "{dead}");
    let causes = trace(&place, &["--causes", "--loop", "slice0", "dunlin.trace"]);
    assert!(causes.contains("\nLoop slice0 ["), "{causes}");
    let some = trace(&place, &["-n", "3", "--class", "control", "dunlin.trace"]);
    assert_eq!(some.lines().count(), 5, "{some}");
    assert!(some.lines().skip(2).all(|line| line.contains(" control ")), "{some}");
    let records = dead.lines().count() - 2;
    let json = trace(&place, &["--json", "dunlin.trace"]);
    let lines = json.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<serde_json::Value> = lines.collect();
    assert_eq!((lines.len(), &lines[0]["records"]), (records + 1, &records.into()));
    let chrome = trace(&place, &["--chrome", "dunlin.trace"]);
    let chrome: serde_json::Value = serde_json::from_str(&chrome).unwrap();
    let slices = chrome["traceEvents"].as_array().unwrap().iter();
    let slices = slices.filter(|event| ["X", "B", "i"].iter().any(|phase| event["ph"] == *phase));
    assert_eq!(slices.count(), records);

    let mut next = start(&place, "ctl", &[]);
    let dead_again = trace(&place, &["dunlin.trace.1"]);
    assert_eq!(dead, dead_again);
    next.signal("TERM");
    assert_eq!(next.wait().code(), Some(0));
    let text = next.errors();
    let old = place.path("dunlin.trace.1");
    let said = format!("did not end in order; what it did last: dunlin trace {}\n", old.display());
    assert!(text.contains(&said), "no report comes of SIGKILL: {text}");
    // It left nothing itself.
    assert_eq!(names(&place), ["dunlin.trace.1"]);
}

/// Has it die of a signal, with a report.
fn crash(daemon: &mut Daemon, signal: &str, number: i32) {
    daemon.signal(signal);
    assert_eq!(daemon.wait().signal(), Some(number));
}

#[test]
fn of_several_crashes_the_last_ones_are_kept_with_their_reports() {
    let place = Place::new("crashes");
    let mut processes = Vec::new();
    for (signal, number) in [("SEGV", 11), ("ABRT", 6), ("BUS", 7), ("SEGV", 11), ("ABRT", 6)] {
        let mut daemon = start(&place, "ctl", &["--keep", "2"]);
        crash(&mut daemon, signal, number);
        let text = daemon.errors();
        assert!(text.contains(&format!("dunlin: SIG{signal} in thread ")), "{text}");
        assert!(text.contains(", report in "), "{text}");
        if !processes.is_empty() {
            let said = format!(", and a report in {}", place.path("dunlin.crash.1").display());
            assert!(text.contains(&said), "{text}");
        }
        processes.push(daemon.pid());
    }
    let kept = ["dunlin.crash", "dunlin.crash.1", "dunlin.crash.2"];
    let records = ["dunlin.trace", "dunlin.trace.1", "dunlin.trace.2"];
    assert_eq!(names(&place), [kept, records].concat());
    // Reports and records of the same number are of the same process, the last one first.
    for (at, process) in processes.iter().rev().take(3).enumerate() {
        let report = std::fs::read_to_string(place.path(kept[at])).unwrap();
        assert!(report.contains(&format!("\nProcess: {process}\n")), "{report}");
        assert_eq!(report.matches("End of report").count(), 1, "{report}");
        assert!(report.contains("Running now:\n  worker 1"), "{report}");
        let text = trace(&place, &["-n", "1", records[at]]);
        assert!(text.contains(&format!("process {process} (ended)")), "{text}");
    }
}

/// Not only on standard error, which a daemon in the background does not have.
#[test]
fn the_configured_log_names_the_report_at_every_next_start() {
    let place = Place::new("logged");
    let file = place.path("log");
    let config = SMALL.replace("log stderr all;", &format!("log {file:?} all;"));
    assert_ne!(config, SMALL);
    let config = place.write("logged.conf", &config);
    let report = format!(", and a report in {}", place.path("dunlin.crash.1").display());
    for round in 0..8 {
        let socket = place.path("ctl");
        let mut command = place.command();
        command.arg("-f").arg("-c").arg(&config).arg("-s").arg(&socket);
        command.arg("--recorder").arg(place.path(""));
        let mut daemon = Daemon::start(command, socket);
        // The writer may be a moment behind the answer that the daemon runs.
        let said = || std::fs::read_to_string(&file).unwrap().matches(&report).count() == round;
        assert!(wait_for(said), "{round}: {}", std::fs::read_to_string(&file).unwrap());
        crash(&mut daemon, "ABRT", 6);
        let text = daemon.errors();
        assert!(text.contains(&report) == (round > 0), "and the terminal does, {round}: {text}");
    }
}

/// By `dunlin trace`, which leaves the file alone, and by the next daemon.
#[test]
fn a_report_names_functions_and_lines() {
    let place = Place::new("names");
    let report = || std::fs::read_to_string(place.path("dunlin.crash")).unwrap();
    let mut daemon = start(&place, "ctl", &[]);
    crash(&mut daemon, "ABRT", 6);
    let bare = report();
    let is_named = |text: &str| {
        text.lines().any(|line| {
            // Where the handler itself is, at least.
            line.starts_with("      ") && line.contains(" at lib/os/src/crash.rs:")
        })
    };
    assert!(!is_named(&bare), "{bare}");
    let shown = trace(&place, &["dunlin.crash"]);
    assert!(is_named(&shown), "{shown}");
    assert_eq!(report(), bare);
    let rest: Vec<&str> = shown.lines().filter(|line| !line.starts_with("      ")).collect();
    assert_eq!(rest, bare.lines().collect::<Vec<_>>());

    let mut next = start(&place, "ctl", &[]);
    let old = place.path("dunlin.crash.1");
    assert!(wait_for(|| is_named(&std::fs::read_to_string(&old).unwrap())));
    assert_eq!(std::fs::read_to_string(&old).unwrap(), shown);
    next.signal("TERM");
    assert_eq!(next.wait().code(), Some(0));
}

/// The versions of the program, and the hash of the configuration in force, as one who asks is told them.
fn facts(daemon: &Daemon) -> (String, String) {
    let answer = daemon.ask("show trace 1");
    let said = answer.lines().find_map(|line| line.trim().split_once(", configuration "));
    let (program, hash) = said.unwrap();
    (program.to_owned(), hash.to_owned())
}

#[test]
fn a_report_says_which_program_it_was_and_which_configuration_was_in_force() {
    let place = Place::new("facts");
    let mut daemon = start(&place, "ctl", &[]);
    let first = facts(&daemon);
    place.write("dunlin.conf", &SMALL.replace("192.0.2.0", "198.51.100.0"));
    daemon.ask("configure");
    assert!(wait_for(|| facts(&daemon).1 != first.1), "{first:?}");
    let (program, hash) = facts(&daemon);
    crash(&mut daemon, "SEGV", 11);
    let report = std::fs::read_to_string(place.path("dunlin.crash")).unwrap();
    let own = format!("Dunlin {}, rustc ", env!("CARGO_PKG_VERSION"));
    assert!(program.starts_with(&own) && program.contains(", Linux "), "{program}");
    assert!(report.contains(&format!("\nProgram: {program}\n")), "{program}: {report}");
    assert_eq!(hash.len(), 16, "{hash}");
    assert!(report.contains(&format!("\nConfiguration: {hash}\n")), "{hash}: {report}");
}

#[test]
fn two_daemons_do_not_disturb_each_other() {
    let place = Place::new("two");
    let mut first = start(&place, "ctl1", &[]);
    let mut second = start(&place, "ctl2", &[]);
    let both = ["dunlin-2.crash", "dunlin-2.trace", "dunlin.crash", "dunlin.trace"];
    assert_eq!(names(&place), both);
    crash(&mut first, "SEGV", 11);
    let of = |name: &str| std::fs::read_to_string(place.path(name)).unwrap();
    assert!(of("dunlin.crash").contains(&format!("\nProcess: {}\n", first.pid())));
    assert!(of("dunlin-2.crash").is_empty());
    let running = format!("process {} (running)", second.pid());
    assert!(trace(&place, &["dunlin-2.trace"]).contains(&running));
    // The place of the dead one is taken again, the living one's is not touched.
    let mut third = start(&place, "ctl1", &[]);
    assert!(trace(&place, &["dunlin-2.trace"]).contains(&running));
    for daemon in [&mut second, &mut third] {
        daemon.signal("TERM");
        assert_eq!(daemon.wait().code(), Some(0));
    }
    assert_eq!(names(&place), ["dunlin.crash.1", "dunlin.trace.1"]);
}

#[test]
fn with_keep_0_nothing_is_kept_and_with_the_recorder_off_nothing_is_made() {
    let place = Place::new("keep0");
    let mut daemon = start(&place, "ctl", &["--keep", "0"]);
    crash(&mut daemon, "SEGV", 11);
    let mut next = start(&place, "ctl", &["--keep", "0"]);
    assert_eq!(names(&place), ["dunlin.crash", "dunlin.trace"]);
    next.signal("TERM");
    next.wait();
    assert_eq!(names(&place), Vec::<String>::new());
    let daemon = run_without_recorder(&place);
    assert!(daemon.ask("show trace").starts_with("9001 The flight recorder is off"));
    assert!(daemon.ask("show route").contains("192.0.2.0/24"));
    assert_eq!(names(&place), Vec::<String>::new());
}

fn run_without_recorder(place: &Place) -> Daemon {
    let config = place.write("dunlin.conf", SMALL);
    let socket = place.path("ctl");
    let mut command = place.command();
    command.arg("-f").arg("-c").arg(config).arg("-s").arg(&socket).args(["--recorder", "off"]);
    Daemon::start(command, socket)
}

#[test]
fn show_trace_and_the_file_show_the_same_configuration() {
    let place = Place::new("hash");
    let daemon = start(&place, "ctl", &[]);
    let hash = |text: &str| -> String {
        let (_, after) = text.split_once(", configuration ").expect(text);
        after.get(..16).unwrap().to_owned()
    };
    let before = hash(&daemon.ask("show trace 1"));
    assert_eq!(before, hash(&trace(&place, &["-n", "1", "dunlin.trace"])));
    place.write("dunlin.conf", &SMALL.replace("192.0.2.0", "198.51.100.0"));
    daemon.ask("configure");
    assert!(wait_for(|| hash(&daemon.ask("show trace 1")) != before));
    place.write("dunlin.conf", SMALL);
    daemon.ask("configure");
    assert!(wait_for(|| hash(&daemon.ask("show trace 1")) == before));
}
