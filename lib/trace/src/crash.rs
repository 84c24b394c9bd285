//! The report of a crash, from a signal handler, where nothing may be allocated, locked or formatted; and of a
//! panic, where it is the same.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use dunlin_os::clock;
use dunlin_os::crash::{self, Crash, Writer};

use crate::recorder::Recorder;
use crate::text::date;

/// How many panics are worth a report: a panic that is caught may come again and again.
const PANICS: u32 = 4;

/// What a report is made of, and where it goes.
#[derive(Debug, Clone)]
pub struct CrashReport {
    /// The recorder whose records it shows.
    pub recorder: Recorder,
    /// Its file, which is made at once and may stay empty; `None`: standard error.
    pub path: Option<PathBuf>,
    /// Records of each worker in it.
    pub last: u32,
}

/// What is reported; set once, before the handlers that read it are installed.
static REPORT: OnceLock<CrashReport> = OnceLock::new();

/// Why the process is going to end itself.
static REASON: OnceLock<String> = OnceLock::new();

/// Panics so far. Relaxed: it publishes nothing.
static PANICKED: AtomicU32 = AtomicU32::new(0);

/// From now on a fatal signal, and each of the first few panics, writes a report: what happened when, to which
/// program, what each worker is doing, the calls that led there, and the last records. All of them go into one file,
/// and a line about each to standard error. Once per process.
pub fn install_crash_report(report: CrashReport) -> io::Result<()> {
    let file = report
        .path
        .as_ref()
        .map(|path| OpenOptions::new().create(true).append(true).mode(0o600).open(path));
    if REPORT.set(report).is_err() {
        let message = "a crash report is installed";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    crash::install(report_signal)?;
    crash::on_panic(|info, out| {
        if PANICKED.fetch_add(1, Ordering::Relaxed) < PANICS {
            let what = format!("{info}");
            report_all(
                out,
                |out| {
                    out.text("panic in thread ").decimal(dunlin_os::thread::id().into());
                },
                Some(&what),
            );
        }
    });
    file.map_or(Ok(()), |file| {
        crash::set_output(file?.into());
        Ok(())
    })
}

/// Why the process is going to end itself: a line in the report that comes of it. The first one counts.
pub fn set_crash_reason(reason: String) {
    let _ = REASON.set(reason);
}

fn report_signal(crash: &Crash, out: &mut Writer) {
    let what = |out: &mut Writer| {
        out.text(crash.name()).text(" in thread ").decimal(crash.thread.into());
        if crash.signal != SIGABRT {
            out.text(", address ").hex(crash.address as u64);
        }
        out.text(", instruction ");
        crash::write_address(out, crash.instruction);
    };
    report_all(out, what, REASON.get().map(String::as_str));
}

const SIGABRT: i32 = 6;

/// The whole report, and a line about it where somebody may be looking.
fn report_all(out: &mut Writer, what: impl Fn(&mut Writer), why: Option<&str>) {
    let Some(CrashReport { recorder, path, last }) = REPORT.get() else { return };
    if crash::has_output()
        && let Some(path) = path
    {
        let mut terminal = Writer::stderr();
        terminal.text("dunlin: ");
        what(&mut terminal);
        terminal.text(", report in ").bytes(path.as_os_str().as_encoded_bytes()).text("\n");
    }
    out.text("\ndunlin: ");
    what(out);
    out.text("\n");
    if let Some(why) = why {
        out.text("Reason: ").text(why).text("\n");
    }
    out.text("Time: ");
    write_utc(out, clock::wall().as_secs());
    out.text(" UTC, after ").decimal(recorder.age() / SECOND).text(" s\n");
    recorder.dump_program(out);
    out.text("Running now:\n");
    recorder.dump_running(out);
    out.text(
        "Calls, innermost first (dunlin trace names them, or addr2line -Cfpie FILE +NUMBER):\n",
    );
    // So far nothing can have gone wrong.
    out.flush();
    crash::write_backtrace(out);
    out.text("Builds:\n");
    crash::write_builds(out);
    out.text("Last records:\n");
    recorder.dump(out, *last);
    out.text("End of report\n");
    out.flush();
}

const SECOND: u64 = 1_000_000_000;

/// A time in seconds since 1970 as `2026-11-22 15:45:11`.
fn write_utc(out: &mut Writer, seconds: u64) {
    let (year, month, day) = date(seconds / 86_400);
    let second = seconds % 86_400;
    out.decimal(year).text("-").padded(month, 2).text("-").padded(day, 2).text(" ");
    out.padded(second / 3600, 2)
        .text(":")
        .padded(second / 60 % 60, 2)
        .text(":")
        .padded(second % 60, 2);
}
