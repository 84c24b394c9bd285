//! Going to the background, and changing the user: needs a process with one thread, so no test harness.

use std::process::{Command, ExitCode, Output, Stdio};

use dunlin_os::process;

const MODE: &str = "DUNLIN_OS_DAEMON";

fn main() -> ExitCode {
    match std::env::var(MODE).as_deref() {
        Ok("works") => {
            let Ok(starting) = process::daemonize() else { return ExitCode::from(9) };
            eprintln!("starting in {}", std::env::current_dir().unwrap_or_default().display());
            let alone = starting.ready().is_ok();
            ExitCode::from(u8::from(!alone))
        }
        Ok("fails") => {
            let Ok(_starting) = process::daemonize() else { return ExitCode::from(9) };
            eprintln!("cannot read the configuration");
            ExitCode::FAILURE
        }
        Ok("user") => match process::switch_user(65_534, 65_534) {
            Ok(()) if process::user() != 65_534 || process::group() != 65_534 => ExitCode::from(8),
            Ok(()) if powers() & !NETWORK != 0 => ExitCode::from(7),
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        _ if std::env::args().any(|argument| argument == "--list") => {
            // A test runner asks what there is; none of it is ignored.
            if !std::env::args().any(|argument| argument == "--ignored") {
                println!("daemon: test");
            }
            ExitCode::SUCCESS
        }
        _ => {
            check();
            ExitCode::SUCCESS
        }
    }
}

fn check() {
    let output = child("works");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "starting in /\n");

    let output = child("fails");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "cannot read the configuration\n");

    let output = child("user");
    let expected = i32::from(![0, 65_534].contains(&process::user()));
    assert_eq!(output.status.code(), Some(expected), "{output:?}");
    println!("daemon: ok");
}

/// Low ports, network administration and raw sockets.
const NETWORK: u64 = 1 << 10 | 1 << 12 | 1 << 13;

/// The capabilities of this process.
fn powers() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(u64::MAX)
}

#[expect(clippy::expect_used, reason = "a test without a harness")]
fn child(mode: &str) -> Output {
    let program = std::env::current_exe().expect("the test's own path");
    let mut command = Command::new(program);
    command.env(MODE, mode).stdin(Stdio::null()).output().expect("a child process")
}
