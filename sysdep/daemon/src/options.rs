//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use dunlin_core::config::Globals;
use lexopt::prelude::*;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Usage: dunlin [OPTION]...
       dunlin trace [--json] [-n COUNT] [FILE]

Without -c, Dunlin runs an example in the foreground: a route server for
neighbours on this machine.

  -c FILE        read the configuration from FILE
  -s SOCKET      control socket
  -f             stay in the foreground
  -d             debug: stay in the foreground and log to standard error
  -D FILE        debug: log to FILE too
  -p             only check the configuration; exit with 0 if it is good, else 1
  -P FILE        write the process number to FILE
  -l             configuration (dunlin.conf or bird.conf) and control socket
                 (dunlin.ctl) in the current directory
  -u USER        run as this user once the control socket is open
  -g GROUP       run in this group
  --threads N    number of workers, over what the configuration says
  --version      print the version
  -h, --help     print this

dunlin trace shows what a flight recorder's file holds, of a daemon that runs
or of one that died: the last COUNT records, or all of them as JSON for Perfetto.
";

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) command: Command,
    pub(crate) config: Option<PathBuf>,
    pub(crate) socket: Option<PathBuf>,
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) debug_file: Option<PathBuf>,
    pub(crate) foreground: bool,
    pub(crate) debug: bool,
    pub(crate) user: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) threads: Option<u32>,
}

/// What to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Command {
    #[default]
    Run,
    Check,
    Help,
    Version,
    Trace(TraceOptions),
}

/// `dunlin trace`
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TraceOptions {
    pub(crate) file: Option<PathBuf>,
    pub(crate) count: Option<usize>,
    pub(crate) json: bool,
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
                Long("version") => options.command = Command::Version,
                Long("threads") => options.threads = Some(threads(&mut parser)?),
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
            Long("json") => options.json = true,
            Short('n') => options.count = Some(parser.value()?.parse()?),
            Value(file) if options.file.is_none() => options.file = Some(file.into()),
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::{Command, Options, TraceOptions};

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
        assert_eq!(parse("--version -x").unwrap().command, Command::Version);
    }

    #[test]
    fn what_is_refused_is_named() {
        assert!(parse("-R").unwrap_err().to_string().contains("graceful restart"));
        assert!(parse("stray").is_err());
        assert!(parse("--threads 0").is_err());
        assert!(parse("-c").is_err());
        assert_eq!(parse("--threads 4").unwrap().threads, Some(4));
    }

    #[test]
    fn local_files_give_way_to_named_ones() {
        let options = parse("-l -s elsewhere").unwrap();
        assert_eq!(options.socket.as_deref(), Some("elsewhere".as_ref()));
        assert!(options.config.is_some());
    }

    #[test]
    fn traces_have_options_of_their_own() {
        let options = parse("trace -n 10 some.trace").unwrap();
        let file = Some("some.trace".into());
        let expected = TraceOptions { file, count: Some(10), json: false };
        assert_eq!(options.command, Command::Trace(expected));
        assert!(parse("trace -c x").is_err());
    }
}
