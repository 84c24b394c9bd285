//! The destinations of the log. Used by the writer only, so they may wait.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use dunlin_core::config::{LogConfig, LogDestination};
use dunlin_core::log::{LogClass, LogClasses};
use dunlin_core::timeformat::WallTime;

use super::file::LogFiles;
use super::syslog::Syslog;
use super::{LogDefaults, StderrUse};

/// A line with what belongs to it.
pub(super) struct Line<'a> {
    pub(super) class: LogClass,
    pub(super) wall: WallTime,
    /// Time and thread, ready to be written.
    pub(super) head: &'a str,
    pub(super) text: &'a str,
}

/// All destinations.
#[derive(Debug, Default)]
pub(super) struct Sinks {
    sinks: Vec<Sink>,
    files: LogFiles,
    /// For standard error: one write for all that is waiting.
    pending: String,
}

/// A destination and what goes there.
#[derive(Debug)]
struct Sink {
    classes: LogClasses,
    destination: Destination,
}

#[derive(Debug)]
enum Destination {
    /// Standard error of a daemon that starts: for people, without times.
    Starting,
    Stderr,
    /// One of the files.
    File(usize),
    Syslog(Syslog),
}

impl Sinks {
    /// Before there is a configuration.
    pub(super) fn starting() -> Self {
        let mut sinks = Self::default();
        sinks.add(Destination::Starting, bad());
        sinks
    }

    /// What a configuration and the command line say, and which files could not be opened.
    pub(super) fn open(configs: &[LogConfig], defaults: &LogDefaults) -> (Self, Vec<String>) {
        let mut sinks = Self::default();
        let mut problems = Vec::new();
        for config in configs {
            let destination = match &config.destination {
                LogDestination::Stderr => Destination::Stderr,
                LogDestination::Syslog(name) => Destination::Syslog(Syslog::new(name.clone())),
                LogDestination::File(file) => {
                    let (index, opened) = sinks.files.open(file, &defaults.directory);
                    problems.extend(opened.err().map(|error| cannot_open(&file.path, &error)));
                    Destination::File(index)
                }
            };
            sinks.add(destination, config.classes);
        }
        if let Some(path) = &defaults.debug_file {
            let (index, opened) = sinks.files.open_plain(path);
            problems.extend(opened.err().map(|error| cannot_open(path, &error)));
            sinks.add(Destination::File(index), LogClasses::ALL);
        }
        sinks.add_stderr(defaults.stderr);
        if !sinks.has_open() {
            let syslog = Syslog::new("dunlin".into());
            sinks.add(Destination::Syslog(syslog), LogClasses::ALL);
        }
        if !sinks.has_stderr() {
            sinks.add(Destination::Starting, bad());
        }
        (sinks, problems)
    }

    fn add_stderr(&mut self, when: StderrUse) {
        let wanted = match when {
            StderrUse::Starting => false,
            StderrUse::Fallback => !self.has_open(),
            StderrUse::Always => {
                // What the configuration picks for it is among everything, and is not to come twice.
                self.sinks.retain(|sink| !matches!(sink.destination, Destination::Stderr));
                true
            }
        };
        if wanted {
            self.add(Destination::Stderr, LogClasses::ALL);
        }
    }

    fn add(&mut self, destination: Destination, classes: LogClasses) {
        self.sinks.push(Sink { classes, destination });
    }

    fn has_stderr(&self) -> bool {
        self.sinks.iter().any(|sink| matches!(sink.destination, Destination::Stderr))
    }

    /// Whether there is a destination besides files that cannot be opened.
    fn has_open(&self) -> bool {
        self.sinks.iter().any(|sink| match sink.destination {
            Destination::File(index) => self.files.is_open(index),
            _ => true,
        })
    }

    /// These replace others.
    pub(super) fn take_over(&mut self, mut old: Self) {
        old.flush();
        self.files.take_over(&mut old.files);
    }

    /// How many lines have been lost and not told.
    pub(super) fn take_lost(&mut self) -> u64 {
        self.files.take_lost()
    }

    /// The daemon runs.
    pub(super) fn end_of_start(&mut self) {
        self.flush();
        self.sinks.retain(|sink| !matches!(sink.destination, Destination::Starting));
    }

    /// Classes that some destination wants.
    pub(super) fn classes(&self) -> LogClasses {
        LogClasses(self.sinks.iter().fold(0, |all, sink| all | sink.classes.0))
    }

    /// Writes a line, or holds it for [`Sinks::flush`]. A destination that fails loses it.
    pub(super) fn write(&mut self, line: &Line<'_>) {
        let Line { class, head, text, .. } = *line;
        let mark = class.mark();
        for sink in self.sinks.iter_mut().filter(|sink| sink.classes.contains(class)) {
            // Writing to a string cannot fail.
            let _ = match &mut sink.destination {
                Destination::Starting => writeln!(self.pending, "dunlin: {text}"),
                Destination::Stderr => writeln!(self.pending, "{head} <{mark}> {text}"),
                Destination::File(index) => {
                    self.files.write(*index, format_args!("{head} <{mark}> {text}\n"));
                    Ok(())
                }
                Destination::Syslog(syslog) => {
                    syslog.write(line);
                    Ok(())
                }
            };
        }
        if self.pending.len() >= ENOUGH {
            self.flush();
        }
    }

    /// Writes what was held.
    pub(super) fn flush(&mut self) {
        if !self.pending.is_empty() {
            // Who closed it does not want to know.
            let _ = io::stderr().write_all(self.pending.as_bytes());
            self.pending.clear();
        }
        self.files.flush();
    }
}

/// Held text beyond this is written at once.
const ENOUGH: usize = 64 << 10;

/// What a starting daemon tells its terminal.
fn bad() -> LogClasses {
    [LogClass::Warning, LogClass::Error, LogClass::Auth, LogClass::Fatal, LogClass::Bug]
        .into_iter()
        .fold(LogClasses::NONE, LogClasses::with)
}

fn cannot_open(path: &std::path::Path, error: &io::Error) -> String {
    format!("Cannot open log file {}: {error}", path.display())
}
