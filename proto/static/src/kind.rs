//! The protocol type and its instances.

use std::sync::Arc;

use dunlin_core::interfaces::Interfaces;
use dunlin_core::protocol::{
    Change, ChannelKind, ChannelRules, Description, Direction, Environment, Instance,
    InstanceConfig, Needed, OtherChannel, Phase, ProtocolKind, ProtocolState, Reply, Reporter,
    Section, Service, StartError, StopReason,
};
use dunlin_filter::ChannelFilter;
use dunlin_runtime::{Address, Class, Context, GroupId};

use crate::announcer::{Announcer, AnnouncerMessage};
use crate::channel::{ChannelTables, source_of};
use crate::config::StaticSection;

/// Routes of these types are read, and go nowhere yet.
const OTHER_CHANNELS: &[OtherChannel] = &[
    OtherChannel::IPV6_SADR,
    OtherChannel::VPN4,
    OtherChannel::VPN6,
    OtherChannel::FLOW4,
    OtherChannel::FLOW6,
    OtherChannel::ETH,
    OtherChannel::EVPN,
    OtherChannel::MPLS,
    OtherChannel::NEIGHBORS,
];

/// The static protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Static;

impl ProtocolKind for Static {
    fn keyword(&self) -> &'static str {
        "static"
    }

    fn type_name(&self) -> &'static str {
        "Static"
    }

    fn phase(&self) -> Phase {
        Phase::Local
    }

    fn channels(&self) -> ChannelRules {
        ChannelRules {
            kinds: &ChannelKind::ALL,
            others: OTHER_CHANNELS,
            needed: Needed::One,
            preference: 200,
            import: ChannelFilter::Accept,
            export: ChannelFilter::Reject,
        }
    }

    fn section(&self) -> Box<dyn Section> {
        Box::new(StaticSection::default())
    }

    fn service(&self) -> Box<dyn Service> {
        Box::new(StaticService)
    }
}

struct StaticService;

impl Service for StaticService {
    fn start(
        &mut self,
        cx: &mut Context<'_>,
        environment: Environment,
        config: Arc<InstanceConfig>,
    ) -> Result<Box<dyn Instance>, StartError> {
        let (tables, channel) = ChannelTables::of(&environment, &config)
            .zip(config.channels.first())
            .ok_or_else(|| StartError::Failed("its table does not exist".to_owned()))?;
        let reporter = environment.reporter.clone();
        let announcer = cx.spawn_with(&config.name, Class::Routing, |own| {
            let source = source_of(own.clone(), &environment, &config.name, channel, tables);
            Announcer::new(own, environment, Arc::clone(&config), Arc::new(source))
        });
        Ok(Box::new(StaticInstance { announcer, reporter }))
    }
}

/// The manager's handle of an announcer.
struct StaticInstance {
    announcer: Address<AnnouncerMessage>,
    reporter: Reporter,
}

impl StaticInstance {
    fn tell(&self, message: AnnouncerMessage) {
        // An announcer that has stopped has reported its end.
        let _ = self.announcer.send(Class::Control, message);
    }
}

impl Instance for StaticInstance {
    fn reconfigure(&mut self, _cx: &mut Context<'_>, change: &Change<'_>) {
        self.tell(AnnouncerMessage::Config(Arc::clone(change.new), change.mode));
    }

    fn set_thread_group(&self, group: GroupId) {
        self.announcer.set_group(group);
    }

    fn reload(&mut self, _cx: &mut Context<'_>, direction: Direction) -> bool {
        if direction == Direction::In {
            self.tell(AnnouncerMessage::Refilter);
        }
        true
    }

    fn reloads_in_part(&self, _direction: Direction) -> bool {
        // It exports nothing.
        true
    }

    fn describe(&self, reply: Reply<Description>) {
        self.tell(AnnouncerMessage::Describe(reply));
    }

    fn show(&self, _what: &str, reply: Reply<Vec<String>>) {
        self.tell(AnnouncerMessage::Show(reply));
    }

    fn stop(&mut self, _cx: &mut Context<'_>, _reason: &StopReason) {
        if self.announcer.send(Class::Control, AnnouncerMessage::Stop).is_err() {
            self.reporter.state(ProtocolState::Down);
        }
    }

    fn interfaces_changed(&mut self, _cx: &mut Context<'_>, interfaces: &Arc<Interfaces>) {
        self.tell(AnnouncerMessage::Interfaces(Arc::clone(interfaces)));
    }
}
