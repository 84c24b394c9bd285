//! How processes end: each test starts itself again as the process that dies.
#![expect(unsafe_code, reason = "a test must be able to crash")]

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

use dunlin_os::{crash, process};

const CHILD: &str = "DUNLIN_OS_DEATH";

#[expect(clippy::unwrap_used, reason = "outside a test function, but of the tests")]
/// Runs `test` of this file again in a child in which [`is_child`] is true.
fn child(test: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, process::id().to_string())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

fn report(crash: &crash::Crash, out: &mut crash::Writer) {
    out.text("REPORT ").text(crash.name()).text(" at ").hex(crash.address as u64).text("\n");
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_fault_is_reported_and_kills_with_its_signal() {
    if is_child() {
        crash::install(report).unwrap();
        assert!(crash::install(report).is_err());
        // SAFETY: none: the fault is wanted.
        unsafe { std::ptr::without_provenance::<u8>(0x10).read_volatile() };
        unreachable!();
    }
    let output = child("a_fault_is_reported_and_kills_with_its_signal");
    assert_eq!(output.status.signal(), Some(11), "{output:?}");
    assert!(stderr(&output).contains("REPORT SIGSEGV at 0x10\n"), "{output:?}");
}

#[inline(never)]
fn overflow(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    if frame[0] == u64::MAX { 0 } else { overflow(depth + 1) + frame[63] }
}

#[test]
fn a_stack_overflow_in_a_spawned_thread_is_reported() {
    if is_child() {
        crash::install(report).unwrap();
        let thread = dunlin_os::thread::spawn("deep", Some(256 << 10), || overflow(0)).unwrap();
        let _ = thread.join();
        unreachable!();
    }
    let output = child("a_stack_overflow_in_a_spawned_thread_is_reported");
    assert_eq!(output.status.signal(), Some(11), "{output:?}");
    assert!(stderr(&output).contains("REPORT SIGSEGV"), "{output:?}");
}

#[test]
fn an_abort_is_reported() {
    if is_child() {
        crash::install(report).unwrap();
        std::process::abort();
    }
    let output = child("an_abort_is_reported");
    assert_eq!(output.status.signal(), Some(6), "{output:?}");
    assert!(stderr(&output).contains("REPORT SIGABRT"), "{output:?}");
}

#[test]
fn a_hook_that_crashes_itself_does_not_hang() {
    if is_child() {
        crash::install(|crash, out| {
            report(crash, out);
            out.flush();
            std::process::abort();
        })
        .unwrap();
        // SAFETY: none: the fault is wanted.
        unsafe { std::ptr::without_provenance::<u8>(0x10).read_volatile() };
        unreachable!();
    }
    let output = child("a_hook_that_crashes_itself_does_not_hang");
    assert!(output.status.signal().is_some(), "{output:?}");
    assert_eq!(stderr(&output).matches("REPORT").count(), 1);
}

#[test]
fn the_report_goes_where_it_is_sent() {
    let parent = std::env::var(CHILD).unwrap_or_else(|_| process::id().to_string());
    let path = std::env::temp_dir().join(format!("dunlin-os-report-{parent}"));
    if is_child() {
        crash::set_output(std::fs::File::create(&path).unwrap().into());
        crash::install(report).unwrap();
        std::process::abort();
    }
    let output = child("the_report_goes_where_it_is_sent");
    assert!(!stderr(&output).contains("REPORT"), "{output:?}");
    assert!(std::fs::read_to_string(&path).unwrap().contains("REPORT SIGABRT"));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn panics_are_reported_after_the_usual_message() {
    if is_child() {
        crash::on_panic(|_, out| _ = out.text("REPORT panic\n"));
        panic!("as planned");
    }
    let output = child("panics_are_reported_after_the_usual_message");
    let text = stderr(&output);
    let (message, report) = (text.find("as planned").unwrap(), text.find("REPORT panic").unwrap());
    assert!(message < report);
}

#[test]
fn a_daemon_needs_a_single_thread() {
    // The test runner has several.
    let error = process::daemonize().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
}
