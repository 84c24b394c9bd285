//! The command line.

use core::num::NonZero;
use std::ffi::OsString;
use std::path::PathBuf;

use dunlin_core::config::Globals;
use dunlin_trace::{CLASSES, Filter, LoopChoice};
use lexopt::prelude::*;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Usage: dunlin [OPTION]...
       dunlin trace [OPTION]... [FILE]

Without -c, Dunlin runs an example in the foreground: a route server for
neighbours on this machine.

  -c FILE        read the configuration from FILE
  -s SOCKET      control socket
  -f             stay in the foreground
  -d             debug: stay in the foreground and log to standard error
  -D FILE        debug: log to FILE too
  -p             only check the configuration; exit with 0 if it is good, else 1
  --json         with -p or --test: say it as one JSON document, for programs
  --test         only run the test suites of the configuration (bt_test_suite,
                 bt_test_same); exit with 1 if one fails
  -P FILE        write the process number to FILE
  -l             configuration (dunlin.conf or bird.conf) and control socket
                 (dunlin.ctl) in the current directory
  -u USER        run as this user once the control socket is open
  -g GROUP       run in this group
  --threads N    number of workers, over what the configuration says
  --lenient      run without what is configured and not built yet: it is warned
                 of, and a protocol that would do something else than written
                 stays down
  --recorder DIR the flight recorder's file goes into DIR; off: no recorder
  --keep N       keep the records and reports of the last N crashes (3)
  --version      print the version
  -h, --help     print this

dunlin trace shows what a flight recorder's file holds, of a daemon that runs
or of one that died. Without FILE, of the first daemon on this machine. If FILE
is the report of a crash, it shows that with the names of its functions.

  -n, --last N   only the last N of the records that are wanted
  --loop LOOP    only of a loop: its number, its name, or a pattern of names
  --class CLASS  only of a class: liveness, control, routing, bulk, idle
  --worker N     only of a worker, counted from 1
  --causes       for each loop what it did last, and who asked for it
  --json         an object for each record, a line each
  --chrome       one JSON file for Perfetto or Chrome's tracing page
  --perfetto     the same in Perfetto's own format
";

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) command: Command,
    pub(crate) config: Option<PathBuf>,
    pub(crate) socket: Option<PathBuf>,
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) debug_file: Option<PathBuf>,
    pub(crate) foreground: bool,
    pub(crate) debug: bool,
    /// `-p` and `--test` answer in JSON.
    pub(crate) json: bool,
    pub(crate) user: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) threads: Option<u32>,
    /// What is not built yet is left out instead of refused.
    pub(crate) lenient: bool,
    pub(crate) recording: Recording,
    pub(crate) keep: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            command: Command::default(),
            config: None,
            socket: None,
            pid_file: None,
            debug_file: None,
            foreground: false,
            debug: false,
            json: false,
            user: None,
            group: None,
            threads: None,
            lenient: false,
            recording: Recording::default(),
            keep: KEEP,
        }
    }
}

/// Crashes of which records and reports are kept, if nothing is said.
const KEEP: u32 = 3;

/// The most that can be kept: they take memory.
const MAX_KEEP: u32 = 100;

/// Where the flight recorder has its file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Recording {
    /// In memory, in the first place that can be used.
    #[default]
    Usual,
    /// In this directory.
    In(PathBuf),
    /// There is no recorder.
    Off,
}

/// What to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Command {
    #[default]
    Run,
    Check,
    /// `--test`
    Test,
    Help,
    Version,
    Trace(TraceOptions),
}

/// `dunlin trace`
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TraceOptions {
    pub(crate) file: Option<PathBuf>,
    pub(crate) filter: Filter,
    pub(crate) form: TraceForm,
}

/// How records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TraceForm {
    #[default]
    Text,
    Causes,
    Json,
    Chrome,
    Perfetto,
}

impl Options {
    /// Reads the arguments, the program's name not among them.
    pub(crate) fn parse(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, lexopt::Error> {
        let mut options = Self::default();
        let mut local = false;
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Short('c') => options.config = Some(parser.value()?.into()),
                Short('s') => options.socket = Some(parser.value()?.into()),
                Short('P') => options.pid_file = Some(parser.value()?.into()),
                Short('D') => options.debug_file = Some(parser.value()?.into()),
                Short('f') => options.foreground = true,
                Short('d') => options.debug = true,
                Short('p') => options.command = Command::Check,
                Short('l') => local = true,
                Short('u') => options.user = Some(parser.value()?.string()?),
                Short('g') => options.group = Some(parser.value()?.string()?),
                Short('h') | Long("help") => options.command = Command::Help,
                Long("test") => options.command = Command::Test,
                Long("json") => options.json = true,
                Long("version") => options.command = Command::Version,
                Long("threads") => options.threads = Some(threads(&mut parser)?),
                Long("lenient") => options.lenient = true,
                Long("recorder") => {
                    let place = parser.value()?;
                    let off = place == "off";
                    options.recording =
                        if off { Recording::Off } else { Recording::In(place.into()) };
                }
                Long("keep") => {
                    options.keep = match parser.value()?.parse()? {
                        count @ 0..=MAX_KEEP => count,
                        _ => {
                            let text = format!("--keep takes a number from 0 to {MAX_KEEP}");
                            return Err(text.into());
                        }
                    }
                }
                Short('R') => {
                    return Err("-R is refused: graceful restart is not supported yet".into());
                }
                Value(word) if word == "trace" => {
                    options.command = Command::Trace(trace(&mut parser)?);
                }
                other => return Err(other.unexpected()),
            }
            // Help and version answer at once, whatever else is there.
            if matches!(options.command, Command::Help | Command::Version) {
                break;
            }
        }
        if local {
            options.here();
        }
        if options.json && options.command == Command::Run {
            return Err("--json goes with -p or --test".into());
        }
        Ok(options)
    }

    /// `-l`: what is not given otherwise is in the current directory.
    fn here(&mut self) {
        let config = || {
            let own = PathBuf::from("dunlin.conf");
            if own.exists() { own } else { PathBuf::from("bird.conf") }
        };
        self.config.get_or_insert_with(config);
        self.socket.get_or_insert_with(|| PathBuf::from("dunlin.ctl"));
    }

    /// Whether to stay attached to the terminal: asked for, or running the example.
    pub(crate) fn stays(&self) -> bool {
        self.foreground || self.debug || self.config.is_none()
    }
}

/// The most workers there can be.
pub(crate) const MAX_THREADS: u32 = Globals::MAX_THREADS;

fn threads(parser: &mut lexopt::Parser) -> Result<u32, lexopt::Error> {
    match parser.value()?.parse()? {
        count @ 1..=MAX_THREADS => Ok(count),
        _ => Err(format!("--threads takes a number from 1 to {MAX_THREADS}").into()),
    }
}

fn trace(parser: &mut lexopt::Parser) -> Result<TraceOptions, lexopt::Error> {
    let mut options = TraceOptions::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('n') | Long("last") => options.filter.last = Some(parser.value()?.parse()?),
            Long("loop") => {
                options.filter.of = Some(LoopChoice::new(&parser.value()?.string()?));
            }
            Long("class") => {
                let name = parser.value()?.string()?;
                let class = CLASSES.iter().position(|class| *class == name);
                let number = class.and_then(|class| u8::try_from(class).ok());
                let unknown = || format!("--class takes one of {}", CLASSES.join(", "));
                options.filter.class = Some(number.ok_or_else(unknown)?);
            }
            Long("worker") => {
                let number: NonZero<u16> = parser.value()?.parse()?;
                options.filter.worker = Some(number.get() - 1);
            }
            Long("causes") => options.form = TraceForm::Causes,
            Long("json") => options.form = TraceForm::Json,
            Long("chrome") => options.form = TraceForm::Chrome,
            Long("perfetto") => options.form = TraceForm::Perfetto,
            Value(file) if options.file.is_none() => options.file = Some(file.into()),
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use dunlin_trace::{Filter, LoopChoice};

    use super::{Command, Options, Recording, TraceForm, TraceOptions};

    fn parse(line: &str) -> Result<Options, lexopt::Error> {
        Options::parse(line.split_whitespace().map(Into::into))
    }

    #[test]
    fn as_bird_has_them() {
        let options = parse("-c a.conf -s /run/ctl -f -P/run/pid -u dunlin -g daemon").unwrap();
        assert_eq!(options.config.as_deref(), Some("a.conf".as_ref()));
        assert_eq!(options.socket.as_deref(), Some("/run/ctl".as_ref()));
        assert_eq!(options.pid_file.as_deref(), Some("/run/pid".as_ref()));
        assert_eq!(options.user.as_deref(), Some("dunlin"));
        assert_eq!(options.group.as_deref(), Some("daemon"));
        assert!(options.foreground && options.stays());
        assert_eq!(options.command, Command::Run);
        assert!(!parse("-c a").unwrap().stays());
        assert!(!parse("-c a -D log").unwrap().stays());
        assert!(parse("-dc a").unwrap().stays());
        assert!(parse("").unwrap().stays());
        assert_eq!(parse("-p").unwrap().command, Command::Check);
        assert_eq!(parse("-x --version").unwrap_err().to_string(), "invalid option '-x'");
        assert_eq!(parse("--test -c a").unwrap().command, Command::Test);
        assert_eq!(parse("--version -x").unwrap().command, Command::Version);
    }

    #[test]
    fn what_is_refused_is_named() {
        assert!(parse("-R").unwrap_err().to_string().contains("graceful restart"));
        assert!(parse("stray").is_err());
        assert!(parse("--threads 0").is_err());
        assert!(parse("-c").is_err());
        assert!(parse("--json -f").unwrap_err().to_string().contains("-p or --test"));
        assert!(parse("--json -p -c a").unwrap().json && parse("--test --json").unwrap().json);
        assert_eq!(parse("--threads 4").unwrap().threads, Some(4));
        assert!(parse("--lenient -c a").unwrap().lenient && !parse("-c a").unwrap().lenient);
    }

    #[test]
    fn local_files_give_way_to_named_ones() {
        let options = parse("-l -s elsewhere").unwrap();
        assert_eq!(options.socket.as_deref(), Some("elsewhere".as_ref()));
        assert!(options.config.is_some());
    }

    #[test]
    fn the_recorder_goes_elsewhere_or_is_off() {
        let options = parse("-f").unwrap();
        assert_eq!((options.recording, options.keep), (Recording::Usual, 3));
        let options = parse("--recorder /dev/shm --keep 7").unwrap();
        assert_eq!((options.recording, options.keep), (Recording::In("/dev/shm".into()), 7));
        assert_eq!(parse("--recorder off").unwrap().recording, Recording::Off);
        assert!(parse("--keep 101").is_err());
    }

    #[test]
    fn traces_have_options_of_their_own() {
        let options = parse("trace -n 10 some.trace").unwrap();
        let file = Some("some.trace".into());
        let filter = Filter { last: Some(10), ..Filter::default() };
        let expected = TraceOptions { file, filter, form: TraceForm::Text };
        assert_eq!(options.command, Command::Trace(expected));
        let options = parse("trace --causes --loop slice* --class control --worker 2").unwrap();
        let of = Some(LoopChoice::Name("slice*".into()));
        let filter = Filter { of, class: Some(1), worker: Some(1), last: None };
        let expected = TraceOptions { file: None, filter, form: TraceForm::Causes };
        assert_eq!(options.command, Command::Trace(expected));
        for (flag, form) in [
            ("--json", TraceForm::Json),
            ("--chrome", TraceForm::Chrome),
            ("--perfetto", TraceForm::Perfetto),
        ] {
            let expected = TraceOptions { form, ..TraceOptions::default() };
            let options = parse(&format!("trace {flag}")).unwrap();
            assert_eq!(options.command, Command::Trace(expected));
        }
        assert!(parse("trace --class urgent").unwrap_err().to_string().contains("liveness"));
        assert!(parse("trace -c x").is_err());
    }
}
