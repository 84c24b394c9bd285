//! Dunlin, a routing daemon.
//!
//! This crate puts it together: flags, the order of starting and ending, and which protocols there
//! are. What it puts together lives in other crates.
//!
//! * [`options`]: the command line.
//! * [`start`]: from the command line to a running daemon, and back to an exit code.
//! * [`wire`]: the loops of a daemon, in the order in which they must be made.
//! * [`reading`]: the configuration, from a file or embedded.
//! * [`policy`]: `--test`, the test suites of a configuration.
//! * [`recorder`]: the flight recorder, and the report of a crash.
//! * [`calls`]: names for what a report of a crash has addresses of.
//! * [`trace`]: `dunlin trace`.
//! * [`memory`]: the allocator.

mod calls;
mod memory;
mod options;
mod policy;
mod reading;
mod recorder;
mod start;
mod trace;
mod watch;
mod wire;

use std::process::ExitCode;

use self::options::{Command, HELP, Options};

/// What a build made for measuring does without.
const LEFT_OUT: &str =
    match (cfg!(feature = "without-recorder"), cfg!(feature = "without-statistics")) {
        (false, false) => "",
        (true, false) => ", without flight recorder",
        (false, true) => ", without statistics",
        (true, true) => ", without flight recorder, without statistics",
    };

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args_os().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("dunlin: {error}\nTry `dunlin --help`.");
            return ExitCode::FAILURE;
        }
    };
    let done = match &options.command {
        Command::Help => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        Command::Version => {
            let compatible = dunlin_core::command::COMPATIBLE;
            let version = env!("CARGO_PKG_VERSION");
            println!("Dunlin {version} (compatible with BIRD {compatible}){LEFT_OUT}");
            Ok(ExitCode::SUCCESS)
        }
        Command::Trace(options) => trace::show(options),
        Command::Check => reading::check(&options),
        Command::Test => policy::test(&options),
        Command::Run => start::run(options),
    };
    done.unwrap_or_else(|error| {
        eprintln!("dunlin: {error}");
        ExitCode::FAILURE
    })
}
