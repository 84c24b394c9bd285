//! The loops of a daemon, in the order in which they must be made.
//!
//! Slices, resolver and registry know each other before anything can send them work; the manager,
//! which starts everything else, comes last. Control sockets are served by the manager's first
//! step, netlink is watched by the device protocol.

use std::sync::Arc;

use dunlin_core::command::SessionParts;
use dunlin_core::config::{Config, Globals, Kinds};
use dunlin_core::log::{Log, LogClass};
use dunlin_core::manager::{Manager, ManagerMessage, ManagerParts, Shared};
use dunlin_core::protocol::Rib;
use dunlin_rib::SliceId;
use dunlin_rib::import::Slices;
use dunlin_rib::registry::{Registry, RegistryMessage};
use dunlin_rib::resolver::{Resolver, ResolverMessage};
use dunlin_rib::slice::{Slice, SliceMessage};
use dunlin_rib::validation::validator::{Validator, ValidatorMessage};
use dunlin_rib::validation::{Validated, ValidatedNow};
use dunlin_runtime::{
    Address, Class, GroupOptions, LogLevel, LogRecord, Runtime, RuntimeHandle, RuntimeOptions,
    Threads,
};
use dunlin_trace::Recorder;
use dunlin_unix::supervisor::{Announcer, Milestone};
use dunlin_unix::system::{SystemParts, UnixHost, UnixSystem};

use crate::memory;
use crate::options::MAX_THREADS;

/// The most slices there can be.
const MAX_SLICES: u32 = 256;

/// How many workers and slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) threads: u32,
    pub(crate) slices: u32,
}

impl Size {
    /// What the command line says goes over what the configuration says; without either, as many
    /// workers as processors. Slices are half as many as workers or processors, whatever is more,
    /// because sessions and export have the other half to do and each cut costs; their number stays
    /// while that of the workers can change.
    pub(crate) fn new(flag: Option<u32>, globals: &Globals) -> Self {
        Self::on(cores(), flag, globals)
    }

    /// As [`Self::new`], on a machine with so many processors.
    pub(crate) fn on(cores: u32, flag: Option<u32>, globals: &Globals) -> Self {
        let written = globals.threads.or_else(|| globals.thread_groups.default_threads());
        let written = written.map(|threads| match threads {
            Threads::Fixed(count) | Threads::Auto { max: count, .. } => count as u32,
        });
        let threads = flag.or(written).unwrap_or(cores).clamp(1, MAX_THREADS);
        let wanted = threads.max(cores).div_ceil(2).next_power_of_two().min(MAX_SLICES);
        Self { threads, slices: globals.slices.unwrap_or(wanted) }
    }
}

/// The thread groups to begin with, the default one first.
pub(crate) fn groups(flag: Option<u32>, globals: &Globals) -> Vec<GroupOptions> {
    let flag = flag.map(|count| Threads::Fixed(count as usize));
    let threads = flag.or(globals.threads).unwrap_or(Threads::Fixed(cores() as usize));
    let (mut groups, default) = globals.thread_groups.all(threads);
    groups.sort_by_key(|group| group.name != default);
    if let (Some(first), Some(threads)) = (groups.first_mut(), flag) {
        first.threads = threads;
    }
    groups
}

/// How many processors there are for us.
pub(crate) fn cores() -> u32 {
    u32::try_from(dunlin_os::thread::parallelism()).unwrap_or(1)
}

/// Starts the workers. What they report goes into the log; that an essential loop is lost goes to the
/// main thread too, which ends the process.
///
/// # Errors
/// If the system has no threads or pollers for them.
pub(crate) fn runtime(
    groups: Vec<GroupOptions>,
    recorder: Option<&Recorder>,
    log: &Log,
    announcer: &Announcer,
) -> std::io::Result<Runtime> {
    let (log, announcer) = (log.clone(), announcer.clone());
    let say = move |record: &LogRecord| {
        let class = match record.level {
            LogLevel::Info => LogClass::Info,
            LogLevel::Warning => LogClass::Warning,
            LogLevel::Error => LogClass::Bug,
            LogLevel::Fatal => LogClass::Fatal,
        };
        match &record.loop_name {
            Some(name) => log.write(class, format_args!("{name}: {}", record.text)),
            None => log.write(class, format_args!("{}", record.text)),
        }
        if record.level == LogLevel::Fatal {
            let name = record.loop_name.as_deref().unwrap_or("runtime");
            dunlin_trace::set_crash_reason(format!("{name}: {}", record.text));
            announcer.announce(Milestone::Broken);
        }
    };
    Runtime::new(RuntimeOptions {
        groups,
        max_threads: MAX_THREADS as usize,
        recorder: recorder.cloned(),
        log: Arc::new(say),
        ..RuntimeOptions::default()
    })
}

/// Starts the loops that hold the tables.
pub(crate) fn rib(runtime: &RuntimeHandle, slices: u32) -> Rib {
    let resolver = runtime.spawn("resolver", Class::Routing, Resolver::new());
    let registry = runtime.spawn("exports", Class::Control, Registry::new());
    let slice = |number: u32| -> Address<SliceMessage> {
        let id = SliceId(u16::try_from(number).unwrap_or(u16::MAX));
        runtime.spawn(&format!("slice{number}"), Class::Routing, Slice::new(id))
    };
    let slices = Slices::new((0..slices).map(slice).collect());
    let validated = ValidatedNow::new(Validated::default());
    let validator = runtime.spawn("validator", Class::Routing, Validator::new(validated.clone()));
    slices.send_all(Class::Routing, || SliceMessage::Start {
        slices: slices.clone(),
        resolver: resolver.clone(),
        validated: validated.clone(),
    });
    // Loops that have just been started take messages.
    let _ = resolver.send(Class::Routing, ResolverMessage::Start(slices.clone()));
    let _ = registry.send(Class::Control, RegistryMessage::Start(slices.clone()));
    let start = ValidatorMessage::Start(slices.clone(), validator.clone());
    let _ = validator.send(Class::Routing, start);
    Rib::new(slices, registry, resolver, (validated, validator))
}

/// Starts the manager and with it everything that the configuration names. `system` is given the
/// parts of a command session and makes the rest.
pub(crate) fn manager(
    runtime: &RuntimeHandle,
    config: Config,
    kinds: Kinds,
    rib: Rib,
    recorder: Option<Recorder>,
    log: &Log,
    system: impl FnOnce(SessionParts) -> SystemParts,
) -> Address<ManagerMessage> {
    let host = Arc::new(UnixHost { memory: memory::report, recorder });
    let config = Arc::new(config);
    let shared = Shared::new(Arc::clone(&config), rib, host, log.clone());
    runtime.spawn_with("manager", Class::Control, |own| {
        let session = SessionParts {
            shared: shared.clone(),
            manager: own.clone(),
            // Each client puts the way to itself here.
            answers: Arc::new(|_| {}),
            restricted: false,
            v2_attributes: false,
        };
        let system = Box::new(UnixSystem::new(kinds, system(session)));
        let interface_source = Arc::new(dunlin_linux::NetlinkInterfaces);
        Manager::new(own, ManagerParts { config, system, interface_source, shared })
    })
}

#[cfg(test)]
mod tests {
    use dunlin_core::config::Globals;

    use dunlin_runtime::Threads;

    use super::{Size, cores};

    #[test]
    fn slices_are_a_power_of_two_and_enough() {
        let size = Size::new(None, &Globals::default());
        assert_eq!(size.threads, cores());
        assert!(size.slices.is_power_of_two() && size.slices >= cores() / 2);
        let globals = Globals { threads: Some(Threads::Fixed(5)), ..Globals::default() };
        assert_eq!(Size::new(None, &globals).threads, 5);
        assert!(Size::new(None, &globals).slices >= 4);
        assert_eq!(Size::new(Some(2), &globals).threads, 2);
        let globals = Globals { slices: Some(1), ..Globals::default() };
        assert_eq!(Size::new(None, &globals).slices, 1);
        assert_eq!(Size::new(Some(100), &Globals::default()).slices, 64);
    }

    #[test]
    fn slices_are_half_as_many_as_workers_or_processors() {
        for (cores, flag, expected) in [
            (1, None, (1, 1)),
            (2, None, (2, 1)),
            (6, None, (6, 4)),
            (2, Some(8), (8, 4)),
            (16, Some(1), (1, 8)),
        ] {
            let Size { threads, slices } = Size::on(cores, flag, &Globals::default());
            assert_eq!((threads, slices), expected, "{cores} processors");
        }
    }
}
