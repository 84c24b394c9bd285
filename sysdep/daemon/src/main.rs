//! Dunlin, a routing daemon.

mod daemon;
mod memory;
mod options;
mod paths;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use self::options::{HELP, Options, Print};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = paths::program_name(arguments.next());
    let arguments: Vec<_> = arguments.collect();
    if let [command, file] = &arguments[..]
        && command == "trace"
    {
        return trace(&program, file.as_ref());
    }
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{program}: {error}\n\n{HELP}");
            return ExitCode::FAILURE;
        }
    };
    match options.print {
        Some(Print::Help) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Some(Print::Version) => {
            let compatible = dunlin_core::command::COMPATIBLE;
            println!("Dunlin {} (BIRD {compatible} compatible)", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        None => match daemon::run(&program, options) {
            Ok(code) => code,
            Err(error) => {
                eprintln!("{program}: {error}");
                ExitCode::FAILURE
            }
        },
    }
}

/// `dunlin trace FILE`: what a daemon did last, from the file of its flight recorder.
fn trace(program: &str, file: &Path) -> ExitCode {
    let snapshot = match dunlin_trace::Snapshot::open(file) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            eprintln!("{program}: {}: {error}", file.display());
            return ExitCode::FAILURE;
        }
    };
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = dunlin_trace::write_records(&mut text, &snapshot, usize::MAX);
    // Whoever reads may have had enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
