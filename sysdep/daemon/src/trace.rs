//! `dunlin trace`: the records of a daemon that runs, or of one that died; or the report of its crash, with names.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use dunlin_trace::{
    Listing, Snapshot, TraceError, write_chains, write_chrome_json, write_json, write_perfetto,
    write_records,
};

use crate::calls;
use crate::options::{TraceForm, TraceOptions};
use crate::recorder;

/// Writes the records to standard output.
///
/// # Errors
/// If there is no such file, or it holds something else.
pub(crate) fn show(options: &TraceOptions) -> io::Result<ExitCode> {
    let path = options.file.clone().unwrap_or_else(recorder::usual_path);
    let snapshot = match Snapshot::open(&path) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            let Some(report) = report(&path) else { return Err(describe(&path, &error)) };
            // Whoever closed the pipe has seen enough.
            let _ = io::stdout().lock().write_all(report.as_bytes());
            return Ok(ExitCode::SUCCESS);
        }
    };
    let mut listing = Listing::new(snapshot, options.filter.clone());
    let mut out = Text(io::BufWriter::new(io::stdout().lock()));
    let written = match options.form {
        TraceForm::Text => write_records(&mut out, &mut listing).is_ok(),
        TraceForm::Causes => write_chains(&mut out, &mut listing).is_ok(),
        TraceForm::Json => write_json(&mut out, &mut listing).is_ok(),
        TraceForm::Chrome => write_chrome_json(&mut out, &mut listing).is_ok(),
        TraceForm::Perfetto if io::stdout().is_terminal() => {
            return Err(io::Error::other("--perfetto is not text: send it to a file"));
        }
        TraceForm::Perfetto => write_perfetto(&mut out.0, &mut listing).is_ok(),
    };
    // Whoever closed the pipe has seen enough.
    let _ = written.then(|| out.0.flush());
    Ok(ExitCode::SUCCESS)
}

/// The report of a crash that this file holds, with names.
fn report(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    calls::is_report(&text).then(|| calls::named(&text))
}

fn describe(path: &Path, error: &TraceError) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

/// Bytes where text is written.
struct Text<W>(W);

impl<W: io::Write> core::fmt::Write for Text<W> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.write_all(text.as_bytes()).map_err(|_| core::fmt::Error)
    }
}
