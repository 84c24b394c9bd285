//! What the runtime costs, each figure beside a reference measured in the same run.
//!
//!     loopbench [--rounds N] [--only GROUP[,GROUP...]] [--out FILE]
//!     loopbench list
//!
//! Every measurement is a process of its own; contenders take turns (A B C A B C), N rounds of them. The
//! table gives the median and the least of the rounds, and says which bar is missed.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "measures from outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed measurement is none")]

mod group;
mod groups;
mod load;
mod report;
mod run;
mod system;

use std::process::ExitCode;

/// The daemon's allocator, for all contenders.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["one", group, who] => run::one(group, who),
        ["list"] => {
            groups::all().iter().for_each(|group| println!("{:<10} {}", group.name, group.about))
        }
        options => match run::Plan::read(options) {
            Some(plan) => return run::all(&plan),
            None => {
                eprintln!("loopbench [--rounds N] [--only GROUP[,GROUP...]] [--out FILE] | list");
                return ExitCode::from(2);
            }
        },
    }
    ExitCode::SUCCESS
}
