//! From the command line to a running daemon.
//!
//! The order matters: what may fail because of another daemon (control socket, pid file) comes
//! first, then the change of user, then the configuration, read as the user who will read it again
//! later. Only then does the daemon go to the background, with one thread; what fails later still
//! reaches the terminal, because the parent waits until everything has started.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use dunlin_core::config::Config;
use dunlin_core::log::{Log, LogTarget};
use dunlin_os::place;
use dunlin_os::process::{self, Starting};
use dunlin_unix::control::Opened;
use dunlin_unix::log::{LogDefaults, Logger, StderrUse};
use dunlin_unix::pid_file::PidFile;
use dunlin_unix::supervisor::Supervisor;
use dunlin_unix::system::SystemParts;

use crate::options::Options;
use crate::reading::{self, EXAMPLE, Refused};
use crate::recorder;
use crate::watch::{Greeting, Watch};
use crate::wire::{self, Size};

/// Runs a daemon until it ends.
///
/// # Errors
/// If it cannot start. Errors of the configuration have been printed already.
pub(crate) fn run(options: Options) -> io::Result<ExitCode> {
    let prepared = prepare(&options)?;
    let kinds = reading::kinds();
    let config = match reading::read(&options, &kinds) {
        Ok(config) => config,
        Err(Refused) => return Ok(ExitCode::FAILURE),
    };
    let starting = if options.stays() { None } else { Some(process::daemonize()?) };
    // A daemon with fewer descriptors than the system allows still works.
    let _ = process::raise_descriptor_limit();
    Ok(launch(&options, prepared, config, kinds, starting)?.run())
}

/// What is opened as the user who starts the daemon.
struct Prepared {
    /// Where relative paths begin.
    directory: PathBuf,
    control: Opened,
    pid_file: Option<PidFile>,
}

fn prepare(options: &Options) -> io::Result<Prepared> {
    let directory = std::env::current_dir()?;
    let path = match &options.socket {
        Some(path) => std::path::absolute(path)?,
        None => default_socket()?,
    };
    let control = Opened::new(&path)?;
    let pid_file = options.pid_file.as_deref().map(PidFile::open).transpose()?;
    if let Some((user, group)) = identity(options)? {
        // Who may not give it away keeps it, as any user without powers does.
        let _ = std::os::unix::fs::chown(&path, Some(user), Some(group));
        process::switch_user(user, group).map_err(|error| {
            io::Error::new(error.kind(), format!("Cannot change user or group: {error}"))
        })?;
    }
    Ok(Prepared { directory, control, pid_file })
}

/// The control socket where none is given: a place that needs no root and that the client knows.
fn default_socket() -> io::Result<PathBuf> {
    let places = place::control_sockets("dunlin");
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    // A runtime directory that does not exist is not ours to make.
    let usable = |path: &&PathBuf| {
        path.parent() != runtime.as_deref() || path.parent().is_some_and(std::path::Path::is_dir)
    };
    let path = places.iter().find(usable).cloned();
    let path = path.ok_or_else(|| io::Error::other("no place for the control socket"))?;
    place::make_socket_dir(&path)?;
    Ok(path)
}

/// The user and group to become, if any.
fn identity(options: &Options) -> io::Result<Option<(u32, u32)>> {
    if options.user.is_none() && options.group.is_none() {
        return Ok(None);
    }
    let unknown = |what: &str, name: &str| {
        io::Error::new(io::ErrorKind::NotFound, format!("{what} {name} is unknown"))
    };
    let (mut user, mut group) = (process::user(), process::group());
    if let Some(name) = &options.user {
        (user, group) = process::find_user(name)?.ok_or_else(|| unknown("User", name))?;
    }
    if let Some(name) = &options.group {
        group = process::find_group(name)?.ok_or_else(|| unknown("Group", name))?;
    }
    Ok(Some((user, group)))
}

/// Starts all threads and loops; what is returned watches over them.
fn launch(
    options: &Options,
    prepared: Prepared,
    config: Config,
    kinds: dunlin_core::config::Kinds,
    starting: Option<Starting>,
) -> io::Result<Watch> {
    let Prepared { directory, control, pid_file } = prepared;
    let (supervisor, announcer) = Supervisor::new()?;
    let (logger, log_end) = Logger::start(log_defaults(options, &directory))?;
    // What is said from now on reaches the configured log. If that cannot be, the manager says so,
    // who does it again with the rest of the configuration.
    let _ = logger.configure(&config.globals.logs, &config.globals.time_formats.log);
    let log = Log::new(Arc::clone(&logger) as Arc<dyn LogTarget>);
    let recorder = recorder::start(options, &log)?;
    recorder::report_crashes(recorder.as_ref(), &log)?;
    let size = Size::new(options.threads, &config.globals);
    let groups = wire::groups(options.threads, &config.globals);
    let runtime = wire::runtime(groups, recorder.as_ref(), &log, &announcer)?;
    let handle = runtime.handle();
    let rib = wire::rib(&handle, size.slices);
    let control_path = control.path().to_owned();
    let greeting = options.config.is_none().then(|| Greeting::new(&config, &control_path, size));
    let system = |session| SystemParts {
        logger: Arc::clone(&logger),
        session,
        control,
        announcer,
        embedded: options.config.is_none().then_some(EXAMPLE),
        directory,
        default_threads: options.threads.unwrap_or_else(wire::cores),
        lenient: options.lenient,
    };
    let manager = wire::manager(&handle, config, kinds, rib, recorder.clone(), &log, system);
    Ok(Watch {
        supervisor,
        runtime,
        manager,
        recorder,
        logger,
        log_end,
        log,
        starting,
        pid_file,
        greeting,
        control: control_path,
    })
}

fn log_defaults(options: &Options, directory: &std::path::Path) -> LogDefaults {
    let stderr = match options {
        Options { debug: true, .. } => StderrUse::Always,
        Options { config: None, .. } => StderrUse::Fallback,
        _ => StderrUse::Starting,
    };
    let debug_file = options.debug_file.as_ref().map(|path| directory.join(path));
    LogDefaults { stderr, debug_file, directory: directory.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use dunlin_runtime::{Class, Context, Loop};

    use super::*;
    use crate::options::Recording;

    /// Set in the process that is to end: the directory of its files.
    const PLACE: &str = "DUNLIN_TEST_PLACE";

    /// A part of the daemon that nothing works without, and that fails.
    struct Heart;

    impl Loop for Heart {
        type Message = ();

        fn is_essential(&self) -> bool {
            true
        }

        fn message(&mut self, _: &mut Context<'_>, (): ()) {
            panic!("it broke");
        }
    }

    /// A whole daemon that loses an essential loop.
    fn die(place: &Path) {
        let config = place.join("dunlin.conf");
        let log = place.join("log");
        std::fs::write(&config, format!("log {log:?} all; router id 1; protocol device {{ }}\n"))
            .unwrap();
        let options = Options {
            config: Some(config),
            socket: Some(place.join("ctl")),
            pid_file: Some(place.join("pid")),
            foreground: true,
            recording: Recording::In(place.to_owned()),
            ..Options::default()
        };
        let prepared = prepare(&options).unwrap();
        let kinds = reading::kinds();
        let config = reading::read(&options, &kinds).unwrap();
        let watch = launch(&options, prepared, config, kinds, None).unwrap();
        let heart = watch.runtime.spawn("heart", Class::Routing, Heart);
        heart.send(Class::Routing, ()).unwrap();
        watch.run();
    }

    /// One file with both: the panic, with what every worker was doing then, and the end that came of it.
    fn check_report(report: &str) {
        let [panic, end, _] = &report.split("End of report\n").collect::<Vec<_>>()[..] else {
            panic!("{report}");
        };
        assert!(panic.contains("dunlin: panic in thread "), "{report}");
        assert!(panic.contains("Reason: panicked at sysdep/daemon/src/start.rs:"), "{report}");
        assert!(panic.contains("message heart ["), "what its worker was doing: {report}");
        let (_, thread) = panic.split_once("panic in thread ").unwrap();
        let thread = thread.lines().next().unwrap();
        let own = panic.lines().find(|line| line.contains("message heart [")).unwrap();
        assert!(own.contains(&format!("(thread {thread}): in #")), "{report}");
        assert!(panic.contains("\n  #0 0x") && panic.contains("\nLast records:\n"), "{report}");
        assert!(end.contains("dunlin: SIGABRT in thread "), "{report}");
        let reason = "Reason: heart: a message handler panicked, the loop is stopped: it broke";
        assert!(end.contains(reason), "{report}");
        for part in [panic, end] {
            let program = format!("Program: Dunlin {}, rustc ", env!("CARGO_PKG_VERSION"));
            assert!(part.contains(&program) && part.contains(", Linux "), "{report}");
            let configuration = part.split_once("\nConfiguration: ").unwrap().1;
            assert!(configuration.get(..16).unwrap().bytes().all(|b| b.is_ascii_hexdigit()));
        }
    }

    #[test]
    fn the_loss_of_an_essential_loop_ends_the_process_with_everything_in_the_log() {
        if let Some(place) = std::env::var_os(PLACE) {
            return die(Path::new(&place));
        }
        let place: PathBuf =
            std::env::temp_dir().join(format!("dunlin-heart-{}", std::process::id()));
        std::fs::create_dir_all(&place).unwrap();
        let name = "start::tests::\
            the_loss_of_an_essential_loop_ends_the_process_with_everything_in_the_log";
        let out = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(PLACE, &place)
            .env("XDG_RUNTIME_DIR", &place)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.signal(), Some(6), "{errors}");
        let log = std::fs::read_to_string(place.join("log")).unwrap();
        let said = "heart: a message handler panicked, the loop is stopped: it broke, at ";
        let (_, after) = log.split_once(said).expect(&log);
        assert!(after.starts_with("sysdep/daemon/src/start.rs:"), "{log}");
        assert!(after.contains("Flight recorder of process"), "{log}");
        assert!(after.contains("cannot go on"), "{log}");
        assert!(errors.contains("dunlin: SIGABRT in thread"), "{errors}");
        check_report(&std::fs::read_to_string(place.join("dunlin.crash")).unwrap());
        assert!(!place.join("ctl").exists() && !place.join("pid").exists());
        std::fs::remove_dir_all(&place).unwrap();
    }
}
