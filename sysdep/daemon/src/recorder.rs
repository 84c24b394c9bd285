//! The flight recorder of this daemon, and the report of its crash.

use std::io;
use std::path::{Path, PathBuf};

use dunlin_core::log::{Log, LogClass};
use dunlin_os::{map, process, thread};
use dunlin_trace::{CrashReport, Filter, Lines, Options, Progress, Recorder, install_crash_report};

use crate::calls;
use crate::options::{self, MAX_THREADS, Recording};

/// The name of the file.
const NAME: &str = "dunlin";

/// Records of each worker in a crash report.
const IN_REPORT: u32 = 50;

/// So many daemons on one machine have files. Names are used again, so those that were killed do
/// not fill the memory with what they left behind.
const PLACES: u32 = 16;

/// Starts the recorder of this process, in the first place that no running daemon has; without any
/// it records in memory of its own. Says in the log what a daemon before it has left there.
///
/// # Errors
/// If there is no memory.
pub(crate) fn start(options: &options::Options, log: &Log) -> io::Result<Option<Recorder>> {
    if cfg!(feature = "without-recorder") {
        log.write(LogClass::Warning, format_args!("This program is built without flight recorder"));
        return Ok(None);
    }
    let directory = match &options.recording {
        Recording::Off => return Ok(None),
        Recording::Usual => map::directory(),
        Recording::In(directory) => directory.clone(),
    };
    let keep = options.keep;
    let busy = |error: &io::Error| error.kind() == io::ErrorKind::ResourceBusy;
    let mut number = 1;
    let recorder = loop {
        let path = place(&directory, number);
        let left = path.exists();
        let recorder = record_to(path.clone(), keep)?;
        if recorder.path().is_some() {
            rotate_report(&path, keep, log);
            if left {
                say_what_is_left(&path, keep, log);
            }
            break recorder;
        }
        if number == PLACES || !recorder.problem().is_some_and(busy) {
            break recorder;
        }
        number += 1;
    };
    if let Some(problem) = recorder.problem() {
        let text = format_args!("The flight recorder has no file: {problem}");
        log.write(LogClass::Warning, text);
    }
    Ok(Some(recorder))
}

/// The file of the first daemon of this user on the machine.
pub(crate) fn usual_path() -> PathBuf {
    place(&map::directory(), 1)
}

fn place(directory: &Path, number: u32) -> PathBuf {
    directory.join(match number {
        1 => format!("{NAME}.trace"),
        _ => format!("{NAME}-{number}.trace"),
    })
}

fn record_to(path: PathBuf, keep: u32) -> io::Result<Recorder> {
    let rings = u16::try_from(MAX_THREADS).unwrap_or(u16::MAX);
    let facts = format!(
        "Dunlin {}, {}, {}",
        env!("CARGO_PKG_VERSION"),
        env!("DUNLIN_RUSTC"),
        process::system()
    );
    Recorder::new(&Options { path: Some(path), rings, facts, keep, ..Options::default() })
}

/// Where the report of a crash is that left this file: of a running recorder, where it would be.
fn report_of(trace: &Path) -> PathBuf {
    trace.with_extension("crash")
}

/// Moves away the report of the daemon that had this place before, so that it keeps the number of its records.
fn rotate_report(trace: &Path, keep: u32, log: &Log) {
    let report = report_of(trace);
    // A daemon that was killed could not write into its own.
    if std::fs::metadata(&report).is_ok_and(|data| data.len() == 0) {
        let _ = std::fs::remove_file(&report);
    }
    if let Err(error) = map::rotate(&report, keep) {
        let text = format_args!("Cannot move {}: {error}", report.display());
        log.write(LogClass::Warning, text);
    }
}

fn say_what_is_left(trace: &Path, keep: u32, log: &Log) {
    let numbered = |path: &Path| {
        let mut path = path.as_os_str().to_owned();
        path.push(".1");
        PathBuf::from(path)
    };
    if keep == 0 {
        log.write(LogClass::Warning, format_args!("A daemon did not end in order"));
        return;
    }
    let (old, report) = (numbered(trace), numbered(&report_of(trace)));
    let report = if report.exists() {
        let text = format!(", and a report in {}", report.display());
        name_calls(report, log);
        text
    } else {
        String::new()
    };
    let old = old.display();
    let text =
        format_args!("A daemon did not end in order; what it did last: dunlin trace {old}{report}");
    log.write(LogClass::Warning, text);
}

/// Names the calls in a report while the program that died is still there. That takes a while, and a thread of its
/// own.
fn name_calls(report: PathBuf, log: &Log) {
    let log = log.clone();
    let name = move || {
        if let Err(error) = calls::name_file(&report) {
            let text = format_args!("No names for the calls in {}: {error}", report.display());
            log.write(LogClass::Warning, text);
        }
    };
    // Without a thread the report stays as it is: `dunlin trace` names them, too.
    let _ = thread::spawn("report", None, name);
}

/// From now on a panic is logged, and a panic or a fatal signal leaves a report in a file beside the
/// recorder's; on standard error, if there is none.
///
/// # Errors
/// If there can be no handlers for signals.
pub(crate) fn report_crashes(recorder: Option<&Recorder>, log: &Log) -> io::Result<()> {
    if let Some(recorder) = recorder {
        let path = recorder.path().map(report_of);
        let report = CrashReport { recorder: recorder.clone(), path, last: IN_REPORT };
        if let Err(error) = install_crash_report(report) {
            log.write(LogClass::Warning, format_args!("No file for a crash report: {error}"));
        }
    }
    let (log, earlier) = (log.clone(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        dunlin_runtime::keep_panic_place(info);
        log.write(LogClass::Bug, format_args!("{info}"));
        earlier(info);
    }));
    Ok(())
}

/// The daemon ends in order: nobody needs the records, nor a report without a crash.
pub(crate) fn remove(recorder: &Recorder) {
    // Whoever removed it before us wanted the same.
    let _ = recorder.remove_file();
    if let Some(report) = recorder.path().map(report_of)
        && std::fs::metadata(&report).is_ok_and(|data| data.len() == 0)
    {
        let _ = std::fs::remove_file(report);
    }
}

/// Puts what is known into the log.
pub(crate) fn dump(recorder: &Recorder, log: &Log, limit: usize) {
    let filter = Filter { last: Some(limit), ..Filter::default() };
    let mut lines = Lines::new(recorder, filter, false);
    let say = |line: &str| log.write(LogClass::Info, format_args!("{line}"));
    while lines.step(say) == Progress::More {}
    if let Some(path) = recorder.path() {
        let text = format_args!("All records: dunlin trace {}", path.display());
        log.write(LogClass::Info, text);
    }
}
