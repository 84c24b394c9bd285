//! The report of a crash allocates nothing: the thread that has the signal ends this process if it allocates after it.
#![expect(unsafe_code, reason = "an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use dunlin_os::{clock, map};
use dunlin_trace::{CrashReport, Entry, Options, RecordId, Recorder, Site, install_crash_report};

const CHILD: &str = "DUNLIN_FRUGAL_CHILD";

thread_local! {
    /// Whether this thread, which has the signal, may not allocate any more. The others may: the harness's own keeps
    /// count of running tests whenever it gets a processor. Constant and without a destructor: reading it allocates
    /// nothing.
    static FORBIDDEN: Cell<bool> = const { Cell::new(false) };
}

struct Watched;

// SAFETY: all is left to the system's allocator; the check before it touches no memory of its callers.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        refuse();
        // SAFETY: as our caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        refuse();
        // SAFETY: as our caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

fn refuse() {
    if FORBIDDEN.get() {
        // SAFETY: ends the process at once, without anything that could allocate.
        unsafe { libc::_exit(99) };
    }
}

#[test]
fn a_report_allocates_nothing() {
    if std::env::var_os(CHILD).is_some() {
        return die();
    }
    let test = "a_report_allocates_nothing";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(6), "{:?} {text}", output.status);
    assert!(text.contains("Running now") && text.contains("End of report"), "{text}");
}

#[expect(clippy::unwrap_used, reason = "outside a test function, but of the tests")]
fn die() {
    let path = map::directory().join(format!("dunlin-frugal-{}", std::process::id()));
    let options = Options { path: Some(path), facts: "Dunlin".to_owned(), ..Options::default() };
    let recorder = Recorder::new(&options).unwrap();
    recorder.name_loop(7, "bgp upstream");
    recorder.name_site(Site::FIRST_FREE, "decode");
    recorder.name_place(1, core::panic::Location::caller());
    recorder.set_configuration(1);
    let mut ring = recorder.ring(0).unwrap();
    let mut cause = RecordId::NONE;
    for at in 0..100 {
        let (at, site) = (clock::ticks() + at, Site::FIRST_FREE);
        let entry =
            Entry { at, since: at, site, class: 1, loop_id: 7, cause, argument: 3, place: 1 };
        cause = ring.begin(&entry);
    }
    let report = CrashReport { recorder: recorder.clone(), path: None, last: 50 };
    install_crash_report(report).unwrap();
    recorder.remove_file().unwrap();
    FORBIDDEN.set(true);
    std::process::abort();
}
