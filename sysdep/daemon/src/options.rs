//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::*;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Usage: dunlin [OPTION]...

       dunlin trace FILE     show what the flight recorder of a dead daemon has kept

Without -c, Dunlin runs an example: a route server for neighbours on this machine.

  -c FILE      read the configuration from FILE
  -s SOCKET    control socket
  -f           stay in the foreground
  -d           debug: stay in the foreground and log to standard error
  -p           only check the configuration; exit with 0 if it is good, else with 1
  -P FILE      write the process number to FILE
  -l           control socket in the current directory (dunlin.ctl)
  -u USER      run as this user once everything is open
  -g GROUP     run in this group
  --version    print the version
  -h, --help   print this
";

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) config: Option<PathBuf>,
    pub(crate) socket: Option<PathBuf>,
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) foreground: bool,
    pub(crate) debug: bool,
    pub(crate) check: bool,
    pub(crate) user: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) print: Option<Print>,
}

/// Something to print instead of running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Print {
    Help,
    Version,
}

impl Options {
    /// Reads the arguments, the program's name not among them.
    pub(crate) fn parse(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, lexopt::Error> {
        let mut options = Self::default();
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Short('c') => options.config = Some(parser.value()?.into()),
                Short('s') => options.socket = Some(parser.value()?.into()),
                Short('P') => options.pid_file = Some(parser.value()?.into()),
                Short('f') => options.foreground = true,
                Short('d') => options.debug = true,
                Short('p') => options.check = true,
                Short('l') => options.socket = Some("dunlin.ctl".into()),
                Short('u') => options.user = Some(parser.value()?.string()?),
                Short('g') => options.group = Some(parser.value()?.string()?),
                Short('h') | Long("help") => options.print = Some(Print::Help),
                Long("version") => options.print = Some(Print::Version),
                Short('D') => return Err("-D is not supported yet; use -d and redirect".into()),
                Short('R') => return Err("-R (graceful restart) is not supported yet".into()),
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }

    /// Whether to stay attached to the terminal: asked for, or running the example.
    pub(crate) fn stays(&self) -> bool {
        self.foreground || self.debug || self.config.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::{Options, Print};

    fn parse(line: &str) -> Result<Options, lexopt::Error> {
        Options::parse(line.split_whitespace().map(Into::into))
    }

    #[test]
    fn as_bird_has_them() {
        let options = parse("-c a.conf -s /run/ctl -f -P/run/pid").unwrap();
        assert_eq!(options.config.as_deref(), Some("a.conf".as_ref()));
        assert_eq!(options.socket.as_deref(), Some("/run/ctl".as_ref()));
        assert_eq!(options.pid_file.as_deref(), Some("/run/pid".as_ref()));
        assert!(options.foreground && options.stays() && !options.check);
        assert!(!parse("-c a").unwrap().stays());
        assert!(parse("").unwrap().stays());
        assert!(parse("-p").unwrap().check);
        assert_eq!(parse("--version").unwrap().print, Some(Print::Version));
        assert!(parse("-x").is_err());
        assert!(parse("-R").is_err());
    }
}
