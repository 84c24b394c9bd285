//! The loop between the source of interfaces and the manager.

use std::sync::Arc;

use dunlin_core::config::DebugFlags;
use dunlin_core::interfaces::{InterfaceWatch, Interfaces};
use dunlin_core::log::LogClass;
use dunlin_core::protocol::{Environment, InstanceConfig, InstanceEvent, ProtocolState, Reply};
use dunlin_runtime::{Address, Class, Context, Loop, Panic};

use crate::config::DeviceConfig;

/// What the loop is told.
#[derive(Debug)]
pub enum WatcherMessage {
    /// The interfaces as they are now.
    Found(Arc<Interfaces>),
    /// They cannot be learnt, and why.
    Failed(String),
    /// A new configuration.
    Config(Arc<InstanceConfig>),
    /// End.
    Stop,
}

/// See the module.
pub struct Watcher {
    own: Address<WatcherMessage>,
    environment: Environment,
    config: DeviceConfig,
    watch: Option<Box<dyn InterfaceWatch>>,
    /// The last picture, before preferences.
    found: Option<Arc<Interfaces>>,
}

impl core::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Watcher").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Watcher {
    /// A watcher that begins when its loop starts.
    pub fn new(
        own: Address<WatcherMessage>,
        environment: Environment,
        config: &InstanceConfig,
    ) -> Self {
        let config = config.specific::<DeviceConfig>().cloned().unwrap_or_default();
        Self { own, environment, config, watch: None, found: None }
    }

    fn found(&mut self, interfaces: Arc<Interfaces>) {
        let first = self.found.is_none();
        self.trace(&interfaces);
        self.found = Some(interfaces);
        self.publish();
        if first {
            self.environment.reporter.state(ProtocolState::Up);
        }
    }

    fn publish(&self) {
        if let Some(found) = &self.found {
            let interfaces = self.config.apply(found);
            self.environment.reporter.report(InstanceEvent::Interfaces(interfaces));
        }
    }

    fn trace(&self, new: &Interfaces) {
        let log = &self.environment.log;
        if !log.traces(DebugFlags::INTERFACES) {
            return;
        }
        let old = self.found.as_deref();
        for interface in new.iter() {
            if old.and_then(|old| old.by_index(interface.index)) != Some(interface) {
                let (name, up) = (&interface.name, interface.is_enabled());
                let state = if up { "up" } else { "down" };
                let addresses = interface.addresses.len();
                let text = format_args!("Interface {name} {state}, {addresses} addresses");
                log.trace(DebugFlags::INTERFACES, text);
            }
        }
        let old = old.iter().flat_map(|old| old.iter());
        for interface in old.filter(|interface| new.by_index(interface.index).is_none()) {
            let text = format_args!("Interface {} gone", interface.name);
            log.trace(DebugFlags::INTERFACES, text);
        }
    }

    /// Without interfaces the daemon can still serve routes whose next hops need none.
    fn failed(&mut self, why: &str) {
        self.environment.log.write(LogClass::Error, format_args!("{why}"));
        self.environment.reporter.info(format!("Error: {why}"));
        if self.found.is_none() {
            self.found(Arc::default());
        }
    }

    fn configure(&mut self, config: &InstanceConfig) {
        self.config = config.specific::<DeviceConfig>().cloned().unwrap_or_default();
        if let Some(watch) = &mut self.watch {
            watch.scan(self.config.scan);
        }
        self.publish();
    }
}

impl Loop for Watcher {
    type Message = WatcherMessage;

    fn start(&mut self, cx: &mut Context<'_>) {
        let tell = |own: &Address<WatcherMessage>, message| {
            // The loop has stopped: nobody cares any more.
            let _ = own.send(Class::Control, message);
        };
        let (found, failed) = (self.own.clone(), self.own.clone());
        self.watch = Some(self.environment.interface_source.watch(
            cx,
            self.config.scan,
            Box::new(move |interfaces| tell(&found, WatcherMessage::Found(interfaces))),
            Reply::new(move |why| tell(&failed, WatcherMessage::Failed(why))),
        ));
    }

    fn message(&mut self, cx: &mut Context<'_>, message: WatcherMessage) {
        match message {
            WatcherMessage::Found(interfaces) => self.found(interfaces),
            WatcherMessage::Failed(why) => self.failed(&why),
            WatcherMessage::Config(config) => self.configure(&config),
            WatcherMessage::Stop => {
                self.watch = None;
                self.environment.reporter.state(ProtocolState::Down);
                cx.stop_self();
            }
        }
    }

    fn panicked(&mut self, panic: &Panic) {
        self.environment.reporter.panicked(panic);
    }
}
