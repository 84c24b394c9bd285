//! What is left when a process dies: each test starts itself again as the process that dies.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use dunlin_os::{clock, map, process};
use dunlin_trace::{Entry, Options, RecordId, Recorder, Ring, Site, Snapshot, install_crash_dump};

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
    let recorder = Recorder::new(&Options { path: Some(path), ..Options::default() }).unwrap();
    assert!(recorder.problem().is_none(), "{:?}", recorder.problem());
    recorder.name_loop(7, "bgp upstream");
    let rings = (0..2).map(|number| recorder.ring(number).unwrap()).collect();
    (recorder, rings)
}

fn entry(site: Site, cause: RecordId) -> Entry {
    let at = clock::ticks();
    Entry { at, since: at, site, class: 1, loop_id: 7, cause, argument: 5 }
}

/// Two workers, the second in a handler that a message of the first caused.
fn work(rings: &mut [Ring]) {
    let sent = rings[0].begin(&entry(Site::TIMER, RecordId::NONE));
    rings[1].begin(&entry(Site::MESSAGE, sent));
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
    assert_eq!(snapshot.rings, [(0, 100_001), (1, 1)]);
    let [timer, message] = snapshot.last(2) else { panic!("two records") };
    assert_eq!((timer.site, timer.duration.is_some()), (Site::TIMER, true));
    assert_eq!((message.site, message.duration), (Site::MESSAGE, None));
    assert_eq!(message.cause, Some((timer.ring, timer.index)));
    assert_eq!(snapshot.loop_name(message.loop_id), Some("bgp upstream"));
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
    assert_eq!(snapshot.records.len(), (1 << 15) - 1);
    for record in &snapshot.records {
        assert_eq!(u64::from(record.argument), record.index & 0xf_ffff);
        assert_eq!(record.cause, Some((0, record.index)));
    }
}

#[expect(clippy::unwrap_used, reason = "outside a test function, but of the tests")]
fn dying(test: &str, name: &str, signal: Option<i32>) -> String {
    let path = path(name);
    let output = command(test, &path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.signal(), signal, "{text}");
    assert!(text.contains(&format!("dunlin: flight recorder in {}\n", path.display())), "{text}");
    let snapshot = Snapshot::open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    assert_eq!(snapshot.last(2).len(), 2);
    text
}

fn check_dump(text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    let of = |text: &str| lines.iter().position(|line| line.contains(text)).unwrap_or(usize::MAX);
    let timer = " #0 timer bgp upstream [7] control waited 0 ns, took ";
    let message =
        " #0 message bgp upstream [7] control waited 0 ns, not ended, argument 5, after w0 #0";
    let order = [of("worker 0: 1 records, the last 1:"), of(timer), of("worker 1: "), of(message)];
    assert!(order.is_sorted() && order[3] < lines.len(), "{text}");
}

#[test]
fn a_fatal_signal_dumps_the_last_records() {
    if let Some(path) = child_path() {
        let (recorder, mut rings) = recorder(path);
        install_crash_dump(&recorder, 16).unwrap();
        assert!(install_crash_dump(&recorder, 16).is_err());
        work(&mut rings);
        Command::new("kill").args(["-SEGV", &process::id().to_string()]).status().unwrap();
        loop {
            std::thread::park();
        }
    }
    let text = dying("a_fatal_signal_dumps_the_last_records", "signal", Some(11));
    assert!(text.contains("dunlin: SIGSEGV in thread "), "{text}");
    check_dump(&text);
}

#[test]
fn a_panic_dumps_the_last_records() {
    if let Some(path) = child_path() {
        let (recorder, mut rings) = recorder(path);
        install_crash_dump(&recorder, 16).unwrap();
        work(&mut rings);
        panic!("as planned");
    }
    let text = dying("a_panic_dumps_the_last_records", "panic", None);
    assert!(text.contains("as planned"), "{text}");
    assert!(text.contains("dunlin: panic in thread "), "{text}");
    check_dump(&text);
}

#[test]
fn a_dump_shows_only_the_last_records() {
    if let Some(path) = child_path() {
        let (recorder, mut rings) = recorder(path);
        install_crash_dump(&recorder, 3).unwrap();
        (0..100_000).for_each(|_| _ = rings[0].record(&entry(Site::EVENT, RecordId::NONE)));
        std::process::abort();
    }
    let text = dying("a_dump_shows_only_the_last_records", "last", Some(6));
    assert!(text.contains("worker 0: 100000 records, the last 3:\n"), "{text}");
    assert_eq!(text.matches(" event ").count(), 3, "{text}");
    assert!(text.contains(" #99997 event ") && text.contains(" #99999 event "), "{text}");
}
