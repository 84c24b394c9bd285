//! Puts the daemon together and waits for its end.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use dunlin_conf::OsFiles;
use dunlin_core::command::SessionParts;
use dunlin_core::config::{Config, Kinds, Rejected, load, parse_text};
use dunlin_core::log::Log;
use dunlin_core::manager::{Manager, ManagerParts, Shared};
use dunlin_core::protocol::{ProtocolKind, Rib};
use dunlin_os::process;
use dunlin_rib::SliceId;
use dunlin_rib::import::Slices;
use dunlin_rib::registry::{Registry, RegistryMessage};
use dunlin_rib::resolver::{Resolver, ResolverMessage};
use dunlin_rib::slice::{Slice, SliceMessage};
use dunlin_runtime::{Address, Class, Runtime, RuntimeOptions};
use dunlin_trace::Recorder;
use dunlin_unix::control::Opened;
use dunlin_unix::host::{Milestone, UnixHost, UnixSystem};
use dunlin_unix::log::Logger;
use dunlin_unix::pid_file::PidFile;
use dunlin_unix::signals::SignalLoop;

use crate::options::Options;
use crate::{memory, paths};

/// The configuration that is used when none is given.
const EXAMPLE: &str = include_str!("default.conf");
/// The most workers there can be.
const MAX_THREADS: usize = 256;
/// Records of each worker that are dumped after a crash.
const CRASH_RECORDS: u32 = 32;
/// Its name in messages.
const EXAMPLE_NAME: &str = "(built-in example)";

/// Every protocol type there is.
fn kinds() -> Kinds {
    let kinds: [Arc<dyn ProtocolKind>; 6] = [
        Arc::new(dunlin_device::Device),
        Arc::new(dunlin_kernel::Kernel),
        Arc::new(dunlin_pipe::Pipe),
        Arc::new(dunlin_static::Static),
        Arc::new(dunlin_direct::Direct),
        Arc::new(dunlin_bgp::Bgp),
    ];
    Arc::new(kinds)
}

/// Runs the daemon until it ends.
pub(crate) fn run(program: &str, options: Options) -> io::Result<ExitCode> {
    let kinds = kinds();
    let (path, config) = match read_config(&options, &kinds) {
        Ok(read) => read,
        Err(rejected) => {
            eprint!("{}", on_terminal(program, &rejected));
            return Ok(ExitCode::FAILURE);
        }
    };
    if options.check {
        for warning in &config.warnings {
            eprintln!("{program}: {warning}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let socket = match &options.socket {
        Some(path) => std::path::absolute(path)?,
        None => paths::default_socket()?,
    };
    let opened = Opened::new(&socket).map_err(|error| {
        io::Error::new(error.kind(), format!("control socket {}: {error}", socket.display()))
    })?;
    let starting = if options.stays() { None } else { Some(process::daemonize()?) };
    // A daemon with fewer descriptors than the system allows still works.
    let _ = process::raise_descriptor_limit();
    let daemon = Daemon::start(program, &options, kinds, config, opened)?;
    let code = daemon.wait(&options, starting, &path, &socket);
    Ok(code)
}

/// Reads the configuration that was asked for. Its path is absolute, because a daemon changes its
/// directory.
fn read_config(options: &Options, kinds: &Kinds) -> Result<(PathBuf, Config), Rejected> {
    match &options.config {
        None => {
            let config = parse_text(EXAMPLE_NAME, EXAMPLE, kinds)?;
            Ok((PathBuf::from(EXAMPLE_NAME), config))
        }
        Some(path) => {
            let path = match options.stays() {
                true => path.clone(),
                false => std::path::absolute(path).unwrap_or_else(|_| path.clone()),
            };
            Ok((path.clone(), load(&path, &OsFiles, kinds)?))
        }
    }
}

/// Every error, the first line of each in BIRD's form.
fn on_terminal(program: &str, rejected: &Rejected) -> String {
    let wall = dunlin_core::timeformat::WallTime(dunlin_os::clock::wall());
    let zone = dunlin_os::clock::zone_offset(wall.0);
    let time = dunlin_core::timeformat::TimeFormat::iso_long(3).show(wall, wall, zone);
    rejected.render_each().map(|text| format!("{program}: {time} [0000] <FATAL> {text}")).collect()
}

/// A daemon that runs.
struct Daemon {
    runtime: Runtime,
    recorder: Option<Recorder>,
    milestones: Receiver<Milestone>,
    /// Dropped last: it writes the last words.
    logger: dunlin_unix::log::LoggerThread,
}

impl Daemon {
    fn start(
        program: &str,
        options: &Options,
        kinds: Kinds,
        config: Config,
        socket: Opened,
    ) -> io::Result<Self> {
        let (logger, thread) = Logger::start(program)?;
        let runtime_logger = Log::new(logger.clone());
        let recorder = flight_recorder(program);
        let runtime = Runtime::new(runtime_options(&config, runtime_logger, recorder.clone()))?;
        let rib = start_rib(&runtime, &config);
        let host = UnixHost { memory: memory::report, trace: trace_probe(recorder.clone()) };
        let host = Arc::new(host);
        let log = Log::new(logger.clone());
        let config = Arc::new(config);
        let shared = Shared::new(Arc::clone(&config), rib, host, log);
        let (sender, milestones) = mpsc::channel();
        let embedded = options.config.is_none().then(|| (PathBuf::from(EXAMPLE_NAME), EXAMPLE));
        let manager = runtime.spawn_with("manager", Class::Control, |own| {
            let session = SessionParts {
                shared: shared.clone(),
                manager: own.clone(),
                answers: Arc::new(|_| {}),
                restricted: false,
                v2_attributes: false,
            };
            let system = UnixSystem {
                kinds,
                logger,
                log_to_stderr: options.debug,
                session,
                main_socket: Some(socket),
                milestones: sender,
                embedded,
                sockets: Vec::new(),
            };
            let interface_source = Arc::new(dunlin_linux::Netlink);
            Manager::new(
                own,
                ManagerParts { config, system: Box::new(system), interface_source, shared },
            )
        });
        runtime.spawn("signals", Class::Control, SignalLoop::new(manager)?);
        Ok(Self { runtime, recorder, milestones, logger: thread })
    }

    /// Waits until the daemon has ended.
    fn wait(
        self,
        options: &Options,
        mut starting: Option<process::Starting>,
        config: &std::path::Path,
        socket: &std::path::Path,
    ) -> ExitCode {
        let mut pid_file = None;
        let code = loop {
            match self.milestones.recv() {
                Ok(Milestone::Started) => {
                    pid_file = options.pid_file.as_deref().map(PidFile::write);
                    if let Some(Err(error)) = &pid_file {
                        eprintln!("cannot write the pid file: {error}");
                    }
                    if let Err(error) = drop_privileges(options) {
                        eprintln!("cannot change user or group: {error}");
                        break 1;
                    }
                    match starting.take() {
                        // The parent reports success; if it cannot be told it has gone.
                        Some(starting) => drop(starting.ready()),
                        None if options.config.is_none() => greet(socket),
                        None => {}
                    }
                    let _ = config;
                }
                Ok(Milestone::Finished(code)) => break code,
                Err(_) => break 1,
            }
        };
        self.runtime.shutdown();
        if let Some(recorder) = self.recorder {
            // Of an orderly end there is nothing to find out.
            let _ = recorder.remove_file();
        }
        drop(pid_file);
        drop(self.logger);
        ExitCode::from(u8::try_from(code).unwrap_or(1))
    }
}

/// Says what runs and what to try.
fn greet(socket: &std::path::Path) {
    println!(
        "Dunlin {} runs its built-in example: a route server on 127.0.0.1 and ::1 port 1790\n\
         that takes any neighbour on this machine, with a few documentation prefixes.\n\
         Control socket: {}\n\
         \n\
         Try in another terminal:\n\
         \x20   cargo run --release -p dunlinc                    a prompt; type help\n\
         \x20   cargo run --release -p dunlinc show protocols     one command\n\
         \x20   birdc -s {} show route        BIRD's own client works too\n\
         Your own configuration: cargo run --release -- -f -c FILE. Stop with Ctrl-C.",
        env!("CARGO_PKG_VERSION"),
        socket.display(),
        socket.display(),
    );
}

fn drop_privileges(options: &Options) -> io::Result<()> {
    if options.user.is_none() && options.group.is_none() {
        return Ok(());
    }
    let unknown = |what: &str, name: &str| {
        io::Error::new(io::ErrorKind::NotFound, format!("{what} {name} is unknown"))
    };
    let (mut user, mut group) = (process::user(), process::group());
    if let Some(name) = &options.user {
        (user, group) = process::find_user(name)?.ok_or_else(|| unknown("user", name))?;
    }
    if let Some(name) = &options.group {
        group = process::find_group(name)?.ok_or_else(|| unknown("group", name))?;
    }
    process::switch_user(user, group)
}

fn runtime_options(config: &Config, log: Log, recorder: Option<Recorder>) -> RuntimeOptions {
    use dunlin_core::log::LogClass;
    use dunlin_runtime::{LogLevel, LogRecord};
    let sink = move |record: &LogRecord| {
        let class = match record.level {
            LogLevel::Info => LogClass::Info,
            LogLevel::Warning => LogClass::Warning,
            LogLevel::Error => LogClass::Bug,
        };
        match &record.loop_name {
            Some(name) => log.write(class, format_args!("{name}: {}", record.text)),
            None => log.write(class, format_args!("{}", record.text)),
        }
    };
    RuntimeOptions {
        threads: config.globals.threads.unwrap_or(1) as usize,
        max_threads: MAX_THREADS,
        recorder,
        log: Arc::new(sink),
        ..RuntimeOptions::default()
    }
}

/// Starts the loops that hold the tables.
fn start_rib(runtime: &Runtime, config: &Config) -> Rib {
    let cores = dunlin_os::thread::parallelism();
    let threads = config.globals.threads.unwrap_or(1) as usize;
    let wanted = cores.max(threads).next_power_of_two().clamp(1, 256);
    let count = config.globals.slices.map_or(wanted, |slices| slices as usize);
    let ids = 0..u16::try_from(count).unwrap_or(1);
    let addresses: Vec<Address<SliceMessage>> = ids
        .map(|id| {
            let name = format!("slice{id}");
            runtime.spawn(&name, Class::Routing, Slice::new(SliceId(id)))
        })
        .collect();
    let slices = Slices::new(addresses);
    let resolver = runtime.spawn("resolver", Class::Routing, Resolver::new());
    let registry = runtime.spawn("exports", Class::Control, Registry::default());
    slices.send_all(Class::Routing, || SliceMessage::Start {
        slices: slices.clone(),
        resolver: resolver.clone(),
    });
    // Loops that have just been started take messages.
    let _ = resolver.send(Class::Routing, ResolverMessage::Start(slices.clone()));
    let _ = registry.send(Class::Control, RegistryMessage::Start(slices.clone()));
    Rib::new(slices, registry, resolver)
}

/// The recorder of what workers do, in a file that outlives a crash. Without one the daemon works
/// all the same.
fn flight_recorder(program: &str) -> Option<Recorder> {
    let name = format!("{program}-{}", process::id());
    let path = Some(dunlin_trace::Options::path_for(&name));
    let rings = u16::try_from(MAX_THREADS).unwrap_or(u16::MAX);
    let options = dunlin_trace::Options { path, rings, ..dunlin_trace::Options::default() };
    let recorder = Recorder::new(&options).ok()?;
    // Without the dump there is still the file.
    let _ = dunlin_trace::install_crash_dump(&recorder, CRASH_RECORDS);
    Some(recorder)
}

/// Shows the flight recorder's last records.
fn trace_probe(recorder: Option<Recorder>) -> dunlin_unix::host::TraceProbe {
    Box::new(move |limit| match &recorder {
        None => vec!["There is no flight recorder".to_owned()],
        Some(recorder) => {
            let mut text = String::new();
            // Writing to a string cannot fail.
            let _ = dunlin_trace::write_records(&mut text, &recorder.snapshot(), limit);
            text.lines().map(str::to_owned).collect()
        }
    })
}
