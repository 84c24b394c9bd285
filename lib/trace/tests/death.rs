//! What is left when a process dies: each test starts itself again as the process that dies.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::panic::Location;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use dunlin_os::{clock, map, process};
use dunlin_trace::{
    CrashReport, Entry, Options, RecordId, Recorder, Ring, Site, Snapshot, install_crash_report,
    set_crash_reason,
};

const CHILD: &str = "DUNLIN_TRACE_FILE";

fn command(test: &str, path: &PathBuf) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap_or_default());
    command.args(["--exact", test, "--nocapture"]).env(CHILD, path).stdin(Stdio::null());
    command
}

fn child_path() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

fn path(name: &str) -> PathBuf {
    map::directory().join(format!("dunlin-trace-{name}-{}", process::id()))
}

#[expect(clippy::unwrap_used, reason = "outside a test function, but of the tests")]
fn recorder(path: PathBuf) -> (Recorder, Vec<Ring>) {
    let recorder = {
        let facts = String::from("Dunlin 1.2.3, rustc 4.5.6, Linux 7.8.9");
        Recorder::new(&Options { path: Some(path), facts, ..Options::default() }).unwrap()
    };
    recorder.set_configuration(0xabc);
    assert!(recorder.problem().is_none(), "{:?}", recorder.problem());
    recorder.name_loop(7, "bgp upstream");
    recorder.name_place(9, Location::caller());
    let rings = (0..2).map(|number| recorder.ring(number).unwrap()).collect();
    (recorder, rings)
}

fn entry(site: Site, cause: RecordId) -> Entry {
    let at = clock::ticks();
    Entry { at, since: at, site, class: 1, loop_id: 7, cause, argument: 5, place: 0 }
}

/// Two workers, the second in a handler that a message of the first caused.
fn work(rings: &mut [Ring]) {
    let sent = rings[0].begin(&entry(Site::TIMER, RecordId::NONE));
    rings[1].begin(&Entry { place: 9, ..entry(Site::MESSAGE, sent) });
    rings[0].end(sent, clock::ticks());
}

#[test]
fn the_file_of_a_killed_process_tells_what_ran() {
    if let Some(path) = child_path() {
        let (_recorder, mut rings) = recorder(path);
        for _ in 0..100_000 {
            rings[0].record(&entry(Site::EVENT, RecordId::NONE));
        }
        work(&mut rings);
        println!("\nworking");
        loop {
            std::thread::park();
        }
    }
    let path = path("killed");
    let mut child = command("the_file_of_a_killed_process_tells_what_ran", &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "working"));
    assert!(Snapshot::open(&path).unwrap().running);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    let snapshot = Snapshot::open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    assert!(!snapshot.running);
    assert_eq!(snapshot.process, child.id());
    assert_eq!(snapshot.rings().collect::<Vec<_>>(), [(0, 100_001), (1, 1)]);
    let records = snapshot.records();
    let [.., timer, message] = &records[..] else { panic!("two records") };
    assert_eq!((timer.site, timer.duration.is_some()), (Site::TIMER, true));
    assert_eq!((message.site, message.duration), (Site::MESSAGE, None));
    assert_eq!(message.cause, Some((timer.ring, timer.index)));
    let place = snapshot.place(message).unwrap();
    assert!(place.starts_with("lib/trace/tests/death.rs:"), "{place}");
    assert_eq!(snapshot.place(timer), None);
    assert_eq!(snapshot.loop_name(message.loop_id).as_deref(), Some("bgp upstream"));
    assert_eq!(snapshot.facts, "Dunlin 1.2.3, rustc 4.5.6, Linux 7.8.9");
    assert_eq!(snapshot.configuration, Some(0xabc));
}

#[test]
fn a_process_killed_while_it_records_leaves_whole_records() {
    if let Some(path) = child_path() {
        let (_recorder, mut rings) = recorder(path);
        for index in 0_u64.. {
            if index == 1 << 16 {
                // Every record of the ring is one of these by now.
                println!("\nworking");
            }
            let argument = index as u32 & 0xf_ffff;
            let at = index * 16;
            let cause = RecordId::from_bits(index & 0xffff_ffff);
            let id = rings[0].begin(&Entry {
                at,
                since: at,
                argument,
                place: argument as u16,
                cause,
                ..entry(Site::WORK, cause)
            });
            rings[0].end(id, at + 16);
        }
    }
    let path = path("busy");
    let mut child = command("a_process_killed_while_it_records_leaves_whole_records", &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "working"));
    child.kill().unwrap();
    child.wait().unwrap();
    let snapshot = Snapshot::open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    let records = snapshot.records();
    assert_eq!(records.len(), (1 << 15) - 1);
    for record in &records {
        assert_eq!(u64::from(record.argument), record.index & 0xf_ffff);
        assert_eq!(record.cause, Some((0, record.index)));
    }
}

/// Reports go to a file beside the recorder's, if `to_file`.
#[expect(clippy::unwrap_used, reason = "outside a test function, but of the tests")]
fn report(recorder: &Recorder, to_file: bool, last: u32) {
    let path = recorder.path().map(|path| path.with_extension("crash")).filter(|_| to_file);
    install_crash_report(CrashReport { recorder: recorder.clone(), path, last }).unwrap();
}

/// What a process that dies so leaves behind: standard error, and the report.
#[expect(clippy::unwrap_used, reason = "outside a test function, but of the tests")]
fn dying(test: &str, name: &str, signal: Option<i32>) -> (String, String) {
    let path = path(name);
    let output = command(test, &path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.signal(), signal, "{text}");
    let snapshot = Snapshot::open(&path).unwrap();
    let report = std::fs::read_to_string(path.with_extension("crash")).unwrap_or_default();
    let _ = std::fs::remove_file(path.with_extension("crash"));
    let shown = if report.is_empty() { &text } else { &report };
    assert!(shown.contains(&format!("\nFlight recorder: {}\n", path.display())), "{text}");
    std::fs::remove_file(path).unwrap();
    assert!(snapshot.len() >= 2 && !snapshot.running);
    (text, report)
}

fn check_report(text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    let of = |text: &str| lines.iter().position(|line| line.contains(text)).unwrap_or(usize::MAX);
    let last = "Last records:";
    let running = " in #0 message bgp upstream [7] control since ";
    let timer = " #0 timer bgp upstream [7] control waited 0 ns, took ";
    let message = " #0 message bgp upstream [7] control waited 0 ns, not ended, argument 5, \
        asked at lib/trace/tests/death.rs:";
    let order = [
        of("dunlin: "),
        of("Time: 20"),
        of("Process: "),
        of("Program: Dunlin 1.2.3, rustc 4.5.6, Linux 7.8.9"),
        of("Configuration: 0000000000000abc"),
        of("Running now:"),
        of(": between handlers, after #0"),
        of(running),
        of("Calls, innermost first"),
        of("  #0 0x"),
        of("Builds:"),
        of(last),
        of("worker 1: 1 records, the last 1:"),
        of(timer),
        of("worker 2: 1 records"),
        of(message),
        of("End of report"),
    ];
    assert!(order.is_sorted() && order[16] < lines.len(), "{order:?} {text}");
    for at in [7, 15] {
        let line = lines[order[at]];
        assert!(line.contains(", asked at lib/trace/tests/death.rs:"), "{text}");
        assert!(line.ends_with("after w1 #0 timer bgp upstream [7]"), "{text}");
    }
    if cfg!(target_env = "gnu") {
        // The calls are of this program, at places that addr2line takes.
        let calls = &lines[order[8]..order[10]];
        assert!(calls.iter().any(|line| line.contains("death-") && line.contains("+0x")), "{text}");
    }
}

#[test]
fn a_fatal_signal_leaves_a_report() {
    if let Some(path) = child_path() {
        let (recorder, mut rings) = recorder(path);
        report(&recorder, true, 16);
        let again = CrashReport { recorder, path: None, last: 16 };
        assert!(install_crash_report(again).is_err());
        work(&mut rings);
        Command::new("kill").args(["-SEGV", &process::id().to_string()]).status().unwrap();
        loop {
            std::thread::park();
        }
    }
    let (text, report) = dying("a_fatal_signal_leaves_a_report", "signal", Some(11));
    assert!(text.contains("dunlin: SIGSEGV in thread "), "{text}");
    assert!(text.contains(", report in ") && !text.contains("Last records"), "{text}");
    assert!(report.contains("dunlin: SIGSEGV in thread "), "{report}");
    check_report(&report);
}

#[test]
fn an_abort_leaves_a_report_with_its_reason() {
    if let Some(path) = child_path() {
        let (recorder, mut rings) = recorder(path);
        report(&recorder, true, 16);
        work(&mut rings);
        set_crash_reason("slice0: it broke".to_owned());
        std::process::abort();
    }
    let (text, report) = dying("an_abort_leaves_a_report_with_its_reason", "abort", Some(6));
    assert!(text.contains("dunlin: SIGABRT in thread "), "{text}");
    assert!(report.contains("\nReason: slice0: it broke\n"), "{report}");
    check_report(&report);
}

#[test]
fn a_panic_leaves_a_report_in_the_same_file_as_what_comes_of_it() {
    if let Some(path) = child_path() {
        let (recorder, mut rings) = recorder(path);
        report(&recorder, true, 16);
        work(&mut rings);
        let _ = std::panic::catch_unwind(|| panic!("as planned"));
        std::process::abort();
    }
    let test = "a_panic_leaves_a_report_in_the_same_file_as_what_comes_of_it";
    let (text, report) = dying(test, "panic", Some(6));
    assert!(text.contains("as planned"), "{text}");
    assert!(text.contains("dunlin: panic in thread "), "{text}");
    assert!(report.contains("\nReason: panicked at lib/trace/tests/death.rs:"), "{report}");
    assert_eq!(report.matches("End of report").count(), 2, "{report}");
    check_report(report.split_inclusive("End of report\n").next().unwrap_or_default());
}

#[test]
fn only_the_first_panics_are_reported() {
    if let Some(path) = child_path() {
        let (recorder, mut rings) = recorder(path);
        report(&recorder, true, 1);
        work(&mut rings);
        for _ in 0..10 {
            let _ = std::panic::catch_unwind(|| panic!("again"));
        }
        return;
    }
    let (_, report) = dying("only_the_first_panics_are_reported", "panics", None);
    assert_eq!(report.matches("End of report").count(), 4, "{report}");
}

#[test]
fn without_a_file_the_report_is_on_standard_error() {
    if let Some(path) = child_path() {
        let (recorder, mut rings) = recorder(path);
        report(&recorder, false, 16);
        work(&mut rings);
        std::process::abort();
    }
    let test = "without_a_file_the_report_is_on_standard_error";
    let (text, report) = dying(test, "terminal", Some(6));
    assert!(report.is_empty());
    check_report(&text);
}

#[test]
fn a_report_shows_only_the_last_records() {
    if let Some(path) = child_path() {
        let (recorder, mut rings) = recorder(path);
        report(&recorder, true, 3);
        (0..100_000).for_each(|_| _ = rings[0].record(&entry(Site::EVENT, RecordId::NONE)));
        std::process::abort();
    }
    let (_, text) = dying("a_report_shows_only_the_last_records", "last", Some(6));
    assert!(text.contains("worker 1: 100000 records, the last 3:\n"), "{text}");
    assert_eq!(text.matches(" event ").count(), 3, "{text}");
    assert!(text.contains(" #99997 event ") && text.contains(" #99999 event "), "{text}");
}

#[test]
fn a_handler_that_noted_much_is_still_the_one_that_runs() {
    if let Some(path) = child_path() {
        let (recorder, mut rings) = recorder(path);
        report(&recorder, true, 1);
        let own = rings[0].begin(&entry(Site::READY, RecordId::NONE));
        let call = rings[0].begin(&entry(Site::CALL, own));
        rings[0].end(call, clock::ticks());
        (0..100).for_each(|_| _ = rings[0].record(&entry(Site::SPAWN, own)));
        rings[1].begin(&entry(Site::WORK, own));
        rings[1].record(&entry(Site::PANIC, own));
        std::process::abort();
    }
    let test = "a_handler_that_noted_much_is_still_the_one_that_runs";
    let (_, text) = dying(test, "notes", Some(6));
    assert!(text.contains(": in #0 ready bgp upstream [7] control since "), "{text}");
    assert!(text.contains(": after a panic in #0 work bgp upstream [7]"), "{text}");
}
