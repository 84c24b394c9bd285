//! What the manager and the commands see of the system.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dunlin_conf::OsFiles;
use dunlin_core::command::SessionParts;
use dunlin_core::config::{CliConfig, Config, Kinds, Loaded, load_again, parse_text};
use dunlin_core::log::{Log, LogClass, LogTarget};
use dunlin_core::manager::{Host, MemoryReport, System};
use dunlin_core::protocol::Reply;
use dunlin_core::timeformat::WallTime;
use dunlin_os::{clock, process};
use dunlin_runtime::{Context, GroupOptions, RuntimeHandle, Threads};
use dunlin_trace::Recorder;

use crate::control::{Opened, Served};
use crate::log::Logger;
use crate::supervisor::{Announcer, Milestone};

/// The system, as everybody may ask it.
pub struct UnixHost {
    /// Asks the allocator, which the daemon has chosen.
    pub memory: fn() -> MemoryReport,
    /// The flight recorder, unless it is off.
    pub recorder: Option<Recorder>,
}

impl core::fmt::Debug for UnixHost {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("UnixHost")
    }
}

impl Host for UnixHost {
    fn hostname(&self) -> Arc<str> {
        process::hostname().into()
    }

    fn now(&self) -> WallTime {
        WallTime(clock::wall())
    }

    fn zone(&self, time: WallTime) -> i32 {
        clock::zone_offset(time.0)
    }

    fn memory(&self) -> MemoryReport {
        let mut report = (self.memory)();
        // The system's own count: what the allocator does not know of is in it.
        if let Ok(residence) = process::residence() {
            report.resident = residence.total;
            report.files = residence.files;
        }
        report
    }

    fn recorder(&self) -> Option<Recorder> {
        self.recorder.clone()
    }
}

/// A configuration that is part of the program.
#[derive(Clone, Copy, Debug)]
pub struct Embedded {
    /// What it is called in messages, in place of a path.
    pub name: &'static str,
    /// The text.
    pub text: &'static str,
}

impl Embedded {
    /// Reads it.
    ///
    /// # Errors
    /// If it is wrong, as any configuration.
    pub fn load(self, kinds: &Kinds) -> Loaded {
        parse_text(self.name, self.text, kinds)
    }
}

/// What [`UnixSystem`] is made of.
#[derive(Debug)]
pub struct SystemParts {
    /// The log.
    pub logger: Arc<Logger>,
    /// What clients of control sockets get.
    pub session: SessionParts,
    /// The main control socket. Clients that connect early wait until everything has started, so
    /// whoever gets an answer sees a whole daemon.
    pub control: Opened,
    /// The way to the main thread.
    pub announcer: Announcer,
    /// Stands in for a file of its name.
    pub embedded: Option<Embedded>,
    /// Relative paths begin here: a daemon has left the directory it was started in.
    pub directory: PathBuf,
    /// Workers where the configuration says nothing.
    pub default_threads: u32,
    /// What a configuration has and is not built is left out instead of refused.
    pub lenient: bool,
}

/// The system, as the manager uses it.
pub struct UnixSystem {
    kinds: Kinds,
    log: Log,
    logger: Arc<Logger>,
    session: SessionParts,
    opened: Option<Opened>,
    main: Option<Served>,
    /// The sockets that the configuration names, as it names them.
    extra: Vec<(CliConfig, Served)>,
    announcer: Announcer,
    embedded: Option<Embedded>,
    directory: PathBuf,
    default_threads: u32,
    lenient: bool,
    /// The configuration in force: what of it has not changed is not read again.
    config: Option<Arc<Config>>,
    /// What the configuration in force says about workers and slices.
    in_force: Option<InForce>,
    /// Known from the first configuration on.
    runtime: Option<RuntimeHandle>,
}

/// What a configuration says about workers and slices.
#[derive(Clone)]
struct InForce {
    groups: Vec<GroupOptions>,
    default: Arc<str>,
    slices: Option<u32>,
}

impl InForce {
    /// Whether the groups are the same, perhaps with other numbers of workers.
    fn same_but_for_threads(&self, other: &Self) -> bool {
        let same = |(one, other): (&GroupOptions, &GroupOptions)| {
            *one == GroupOptions { threads: one.threads, ..other.clone() }
        };
        self.default == other.default
            && self.groups.len() == other.groups.len()
            && self.groups.iter().zip(&other.groups).all(same)
    }
}

impl core::fmt::Debug for UnixSystem {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("UnixSystem").field("main", &self.main).finish_non_exhaustive()
    }
}

impl UnixSystem {
    /// The system of a daemon with these protocol types.
    pub fn new(kinds: Kinds, parts: SystemParts) -> Self {
        Self {
            kinds,
            log: Log::new(Arc::clone(&parts.logger) as Arc<dyn LogTarget>),
            logger: parts.logger,
            session: parts.session,
            opened: Some(parts.control),
            main: None,
            extra: Vec::new(),
            announcer: parts.announcer,
            embedded: parts.embedded,
            directory: parts.directory,
            default_threads: parts.default_threads,
            lenient: parts.lenient,
            config: None,
            in_force: None,
            runtime: None,
        }
    }

    /// Workers are changed when the configuration changes what it says, so that neither the
    /// command line nor `threads N` is undone by an unrelated change.
    fn workers(&mut self, runtime: &RuntimeHandle, config: &Config) {
        let globals = &config.globals;
        let threads = globals.threads.unwrap_or(Threads::Fixed(self.default_threads as usize));
        let (groups, default) = globals.thread_groups.all(threads);
        let wanted = InForce { groups, default, slices: globals.slices };
        let Some(old) = self.in_force.replace(wanted.clone()) else { return };
        if old.same_but_for_threads(&wanted) {
            let pairs = old.groups.iter().zip(&wanted.groups);
            for (_, new) in pairs.filter(|(old, new)| old.threads != new.threads) {
                let (name, threads) = (&new.name, new.threads);
                let text = format_args!("Changing group {name} to {threads} threads");
                self.log.write(LogClass::Info, text);
                runtime.resize_group(runtime.group(name), threads);
            }
        } else {
            self.log.write(LogClass::Info, format_args!("Changing thread groups"));
            runtime.set_groups(wanted.groups, &wanted.default);
        }
        if old.slices != wanted.slices {
            let text = "The number of slices changes when the daemon is started again";
            self.log.write(LogClass::Warning, format_args!("{text}"));
        }
    }

    /// Serves exactly the control sockets that the configuration names.
    fn control_sockets(&mut self, runtime: &RuntimeHandle, wanted: &[CliConfig]) -> Vec<String> {
        self.extra.retain(|(old, _)| wanted.iter().any(|cli| cli.path == old.path));
        let mut problems = Vec::new();
        for cli in wanted {
            let mut parts = self.session.clone();
            parts.restricted = cli.restrict;
            parts.v2_attributes = cli.v2_attributes;
            match self.extra.iter_mut().find(|(old, _)| old.path == cli.path) {
                Some((old, _)) if old == cli => {}
                Some((old, served)) => {
                    old.clone_from(cli);
                    served.change(parts);
                }
                None => match Opened::new(&self.directory.join(&cli.path)) {
                    Ok(opened) => self.extra.push((cli.clone(), opened.serve(runtime, parts))),
                    Err(error) => problems.push(error.to_string()),
                },
            }
        }
        problems
    }
}

impl System for UnixSystem {
    fn load(&mut self, path: &Path, reply: Reply<Loaded>) {
        let (path, kinds) = (self.directory.join(path), self.kinds.clone());
        let embedded = self.embedded.filter(|embedded| path.ends_with(embedded.name));
        let (lenient, before) = (self.lenient, self.config.clone());
        // Reading a large configuration takes a while; no worker should wait for it.
        let read = move || {
            reply.send(match embedded {
                Some(embedded) => embedded.load(&kinds),
                None => load_again(&path, &OsFiles, &kinds, lenient, before.as_deref()),
            });
        };
        if let Err(error) = dunlin_os::thread::spawn("configure", None, read) {
            let text = format_args!("Cannot read the configuration: no thread: {error}");
            self.log.write(LogClass::Error, text);
        }
    }

    fn apply(&mut self, cx: &mut Context<'_>, config: &Arc<Config>) -> Result<(), String> {
        let (globals, runtime) = (&config.globals, cx.runtime());
        self.config = Some(Arc::clone(config));
        let mut problems = Vec::new();
        if let Err(problem) = self.logger.configure(&globals.logs, &globals.time_formats.log) {
            problems.push(problem);
        }
        if self.in_force.is_none() {
            // Later ones are logged by the manager.
            for warning in &config.warnings {
                self.log.write(LogClass::Warning, format_args!("{warning}"));
            }
        }
        if let Some(recorder) = self.session.shared.host.recorder() {
            recorder.set_configuration(config.digest);
        }
        runtime.watch(&globals.watchdog.watch());
        self.workers(&runtime, config);
        problems.extend(self.control_sockets(&runtime, &globals.cli));
        self.runtime = Some(runtime);
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }

    fn started(&mut self, _config: &Config) {
        if let (Some(opened), Some(runtime)) = (self.opened.take(), &self.runtime) {
            self.main = Some(opened.serve(runtime, self.session.clone()));
        }
        self.logger.started();
        self.announcer.announce(Milestone::Started);
    }

    fn finished(&mut self, code: i32) {
        self.announcer.announce(Milestone::Finished(code));
    }
}
