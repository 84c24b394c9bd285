//! `dunlinc`: the command-line client of Dunlin. It speaks BIRD's control protocol, so it works with BIRD
//! too, as BIRD's client works with Dunlin.
//!
//! * [`words`]: the commands there are, out of the table that the daemon has too.
//! * [`expand`]: abbreviations and help.
//! * [`reply`], [`connection`]: the protocol. * [`session`], [`terminal`]: the conversation.
//!
//! Deliberately absent: any knowledge of what replies mean.

mod connection;
mod expand;
mod options;
mod reply;
mod session;
mod terminal;
mod words;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use options::{Action, Options, USAGE};
use session::{Ended, Session};

fn main() -> ExitCode {
    let result = match Action::parse(std::env::args_os().skip(1)) {
        Ok(Action::Help) => io::stdout().write_all(USAGE.as_bytes()).map(|()| true),
        Ok(Action::Version) => {
            writeln!(io::stdout(), "dunlinc {}", env!("CARGO_PKG_VERSION")).map(|()| true)
        }
        Ok(Action::Run(options)) => run(&options),
        Err(error) => {
            complain(&format!("dunlinc: {error}\n{USAGE}"));
            Ok(false)
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Whoever reads our output has had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            complain(&format!("dunlinc: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Writes to standard error; there is nobody to tell if that fails.
fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Runs the session; false if it ended in failure.
fn run(options: &Options) -> io::Result<bool> {
    let command = options.command.join(" ");
    let mut out = BufWriter::new(io::stdout().lock());
    if let Some(success) = session::local(&mut out, command.trim())? {
        return Ok(success);
    }
    let connection = match connection::open_first(&sockets(options), options.socket.is_some()) {
        Ok(connection) => connection,
        Err(unreachable) => {
            complain(&unreachable.explain());
            return Ok(false);
        }
    };
    let session = Session::begin(connection, out, options.verbose, options.restrict)?;
    let ended = match session {
        None => Ended::Closed,
        Some(mut session) if !options.command.is_empty() => session.once(&command)?,
        Some(mut session) if io::stdin().is_terminal() => session.interactive()?,
        Some(mut session) => session.script(io::stdin().lock())?,
    };
    match ended {
        Ended::Done(success) => Ok(success),
        Ended::Closed => {
            complain("Connection closed by server\n");
            Ok(false)
        }
    }
}

/// Where the daemon's socket may be.
fn sockets(options: &Options) -> Vec<PathBuf> {
    match &options.socket {
        Some(path) => vec![path.clone()],
        None if options.local => vec![PathBuf::from("dunlin.ctl"), PathBuf::from("bird.ctl")],
        None => dunlin_os::place::control_sockets("dunlin"),
    }
}
