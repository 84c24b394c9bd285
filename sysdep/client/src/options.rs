//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::*;

/// What the user asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `-s`: the control socket.
    pub(crate) socket: Option<PathBuf>,
    /// `-v`: show reply codes.
    pub(crate) verbose: bool,
    /// `-r`: only commands that look.
    pub(crate) restrict: bool,
    /// `-l`: a socket in the current directory.
    pub(crate) local: bool,
    /// The words behind the flags: one command.
    pub(crate) command: Vec<String>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Talk to the daemon.
    Run(Options),
    /// `--help`
    Help,
    /// `--version`
    Version,
}

pub(crate) const USAGE: &str = "\
Usage: dunlinc [-s SOCKET] [-v] [-r] [-l] [COMMAND...]

Talks to a running Dunlin (or BIRD). Without a command it prompts for them.

  -s SOCKET      the daemon's control socket
  -v             show the code of each reply line
  -r             restrict the session to commands that only look
  -l             use a socket in the current directory
      --help     this text
      --version  the version

`dunlinc help` lists the commands. The exit code is 1 if the last one failed.
";

impl Action {
    /// Reads the command line. Flags end where the command begins, so that a command may hold words
    /// that look like flags.
    pub(crate) fn parse(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, lexopt::Error> {
        let mut options = Options::default();
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Short('s') => options.socket = Some(parser.value()?.into()),
                Short('v') => options.verbose = true,
                Short('r') => options.restrict = true,
                Short('l') => options.local = true,
                Long("help") => return Ok(Self::Help),
                Long("version") => return Ok(Self::Version),
                Value(first) => {
                    options.command.push(first.string()?);
                    for word in parser.raw_args()? {
                        options.command.push(word.string()?);
                    }
                }
                other => return Err(other.unexpected()),
            }
        }
        Ok(Self::Run(options))
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Options};
    use std::path::PathBuf;

    fn parse(line: &str) -> Result<Action, String> {
        Action::parse(line.split_whitespace().map(Into::into)).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_come_before_the_command() {
        let options = Options {
            socket: Some(PathBuf::from("a.ctl")),
            verbose: true,
            restrict: true,
            command: vec!["show".to_owned(), "-v".to_owned(), "--help".to_owned()],
            ..Options::default()
        };
        assert_eq!(parse("-vr -s a.ctl show -v --help"), Ok(Action::Run(options)));
        assert_eq!(parse("--help show"), Ok(Action::Help));
        assert!(parse("-x").is_err());
        assert!(parse("-s").is_err());
    }
}
