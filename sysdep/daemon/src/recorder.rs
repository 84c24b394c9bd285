//! The flight recorder of this daemon, and the records of others.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use dunlin_core::log::{Log, LogClass};
use dunlin_os::crash;
use dunlin_trace::{
    Options, Recorder, Snapshot, install_crash_dump, write_chrome_json, write_heading,
    write_record, write_records,
};

use crate::options::{MAX_THREADS, TraceOptions};

/// The name of the file.
const NAME: &str = "dunlin";

/// Records of each worker in a crash report.
const IN_REPORT: u32 = 50;

/// So many daemons on one machine have files. Names are used again, so those that were killed do
/// not fill the memory with what they left behind.
const PLACES: u32 = 16;

/// Starts the recorder of this process, in the first place that no running daemon has; without any
/// it records in memory of its own.
///
/// # Errors
/// If there is no memory.
pub(crate) fn start(log: &Log) -> io::Result<Recorder> {
    let busy = |error: &io::Error| error.kind() == io::ErrorKind::ResourceBusy;
    let (mut number, mut left) = (1, place(1).exists());
    let mut recorder = record_to(place(1))?;
    while number < PLACES && recorder.problem().is_some_and(busy) {
        number += 1;
        left = place(number).exists();
        recorder = record_to(place(number))?;
    }
    if let Some(problem) = recorder.problem() {
        let text = format_args!("The flight recorder has no file: {problem}");
        log.write(LogClass::Warning, text);
    } else if left {
        let old = place(number).with_extension("trace.old");
        let report = place(number).with_extension("crash");
        let report = match report.exists() {
            true => format!(", and a report in {}", report.display()),
            false => String::new(),
        };
        let text = format_args!(
            "A daemon did not end in order; what it did last: dunlin trace {}{report}",
            old.display()
        );
        log.write(LogClass::Warning, text);
    }
    Ok(recorder)
}

fn place(number: u32) -> PathBuf {
    match number {
        1 => Options::path_for(NAME),
        _ => Options::path_for(&format!("{NAME}-{number}")),
    }
}

fn record_to(path: PathBuf) -> io::Result<Recorder> {
    let rings = u16::try_from(MAX_THREADS).unwrap_or(u16::MAX);
    Recorder::new(&Options { path: Some(path), rings, ..Options::default() })
}

/// From now on a panic is logged, and a panic or a fatal signal leaves a report: on standard error
/// or, in the background, in a file beside the recorder's.
pub(crate) fn report_crashes(recorder: &Recorder, background: bool, log: &Log) -> io::Result<()> {
    if background && let Some(path) = report_path(recorder) {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(&path);
        match file {
            Ok(file) => crash::set_output(file.into()),
            Err(error) => {
                let text = format_args!("No crash report in {}: {error}", path.display());
                log.write(LogClass::Warning, text);
            }
        }
    }
    install_crash_dump(recorder, IN_REPORT)?;
    let (log, earlier) = (log.clone(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        dunlin_runtime::keep_panic_place(info);
        log.write(LogClass::Bug, format_args!("{info}"));
        earlier(info);
    }));
    Ok(())
}

fn report_path(recorder: &Recorder) -> Option<PathBuf> {
    recorder.path().map(|path| path.with_extension("crash"))
}

/// The daemon ends in order: nobody needs the records, nor a report without a crash.
pub(crate) fn remove(recorder: &Recorder) {
    // Whoever removed it before us wanted the same.
    let _ = recorder.remove_file();
    if let Some(path) = report_path(recorder)
        && std::fs::metadata(&path).is_ok_and(|data| data.len() == 0)
    {
        let _ = std::fs::remove_file(path);
    }
}

/// The last records, a line each, oldest first.
pub(crate) fn lines(recorder: &Recorder, limit: usize) -> Vec<String> {
    let snapshot = recorder.snapshot();
    let mut lines = vec![line(|out| write_heading(out, &snapshot))];
    let records = snapshot.last(limit).iter();
    lines.extend(records.map(|record| line(|out| write_record(out, &snapshot, record))));
    lines
}

fn line(write: impl FnOnce(&mut String) -> core::fmt::Result) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text);
    text
}

/// `dunlin trace`
///
/// # Errors
/// If there is no such file, or it holds something else.
pub(crate) fn show(options: &TraceOptions) -> io::Result<ExitCode> {
    let path = options.file.clone().unwrap_or_else(|| Options::path_for(NAME));
    let snapshot = Snapshot::open(&path).map_err(|error| describe(&path, &error))?;
    let mut out = Text(io::BufWriter::new(io::stdout().lock()));
    let written = if options.json {
        write_chrome_json(&mut out, &snapshot)
    } else {
        write_records(&mut out, &snapshot, options.count.unwrap_or(usize::MAX))
    };
    // Whoever closed the pipe has seen enough.
    let _ = written.map(|()| out.0.flush());
    Ok(ExitCode::SUCCESS)
}

fn describe(path: &Path, error: &dunlin_trace::TraceError) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

/// Bytes where text is written.
struct Text<W>(W);

impl<W: io::Write> core::fmt::Write for Text<W> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.write_all(text.as_bytes()).map_err(|_| core::fmt::Error)
    }
}

/// Puts what is known into the log.
pub(crate) fn dump(recorder: &Recorder, log: &Log, limit: usize) {
    for text in lines(recorder, limit) {
        log.write(LogClass::Info, format_args!("{text}"));
    }
    let mut place = String::new();
    if let Some(path) = recorder.path() {
        let _ = write!(place, "All records: dunlin trace {}", path.display());
        log.write(LogClass::Info, format_args!("{place}"));
    }
}
