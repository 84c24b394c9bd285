//! The protocol type and its instances.

use std::sync::Arc;

use dunlin_core::protocol::{
    Change, ChannelRules, Description, Direction, Environment, Instance, InstanceConfig, Needed,
    Phase, ProtocolKind, ProtocolState, Reply, Reporter, Section, Service, StartError, StopReason,
};
use dunlin_filter::ChannelFilter;
use dunlin_runtime::{Address, Class, Context, GroupId};

use crate::config::DeviceConfig;
use crate::watcher::{Watcher, WatcherMessage};

/// The device protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Device;

impl ProtocolKind for Device {
    fn keyword(&self) -> &'static str {
        "device"
    }

    fn type_name(&self) -> &'static str {
        "Device"
    }

    fn phase(&self) -> Phase {
        Phase::Device
    }

    fn is_single(&self) -> bool {
        true
    }

    fn channels(&self) -> ChannelRules {
        ChannelRules {
            kinds: &[],
            others: &[],
            needed: Needed::None,
            preference: 0,
            import: ChannelFilter::Accept,
            export: ChannelFilter::Reject,
        }
    }

    fn section(&self) -> Box<dyn Section> {
        Box::new(DeviceConfig::default())
    }

    fn service(&self) -> Box<dyn Service> {
        Box::new(DeviceService)
    }
}

struct DeviceService;

impl Service for DeviceService {
    fn start(
        &mut self,
        cx: &mut Context<'_>,
        environment: Environment,
        config: Arc<InstanceConfig>,
    ) -> Result<Box<dyn Instance>, StartError> {
        let reporter = environment.reporter.clone();
        let watcher = cx.spawn_with(&config.name, Class::Control, |own| {
            Watcher::new(own, environment, &config)
        });
        Ok(Box::new(DeviceInstance { watcher, reporter }))
    }
}

struct DeviceInstance {
    watcher: Address<WatcherMessage>,
    reporter: Reporter,
}

impl DeviceInstance {
    fn tell(&self, message: WatcherMessage) {
        // A watcher that has stopped has reported its end.
        let _ = self.watcher.send(Class::Control, message);
    }
}

impl Instance for DeviceInstance {
    fn reconfigure(&mut self, _cx: &mut Context<'_>, change: &Change<'_>) {
        self.tell(WatcherMessage::Config(Arc::clone(change.new)));
    }

    fn set_thread_group(&self, group: GroupId) {
        self.watcher.set_group(group);
    }

    fn reload(&mut self, _cx: &mut Context<'_>, _direction: Direction) -> bool {
        // No routes, so nothing to be done.
        true
    }

    fn describe(&self, reply: Reply<Description>) {
        reply.send(Description::default());
    }

    fn stop(&mut self, _cx: &mut Context<'_>, _reason: &StopReason) {
        if self.watcher.send(Class::Control, WatcherMessage::Stop).is_err() {
            self.reporter.state(ProtocolState::Down);
        }
    }
}
