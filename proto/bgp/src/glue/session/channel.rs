//! What an established session has in the tables.

use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;

use dunlin_attr::{AttrCache, Attrs, Rts};
use dunlin_core::config::DebugFlags;
use dunlin_core::interfaces::is_link_local;
use dunlin_core::log::LogClass;
use dunlin_core::protocol::{ChannelConfig, ChannelKind, ProtocolLog};
use dunlin_net::{Prefix4, Prefix6};
use dunlin_rib::barrier::Barrier;
use dunlin_rib::counters::ImportCounters;
use dunlin_rib::figures::MemberFigures;
use dunlin_rib::import::{ImportBuilder, ImportCredit, Slices};
use dunlin_rib::limits::{Limit, LimitKind, TooMany};
use dunlin_rib::slice::SliceMessage;
use dunlin_rib::source::{ChannelEvents, SourceSpec};
use dunlin_rib::{Peer, Source, SourceId, TableId};
use dunlin_runtime::{Address, Class, Context, EventId, Time};

use super::export::Membership;
use super::settings::{decode_rules, family, kind, order, our_next_hop, resolve};
use super::{Session, SessionMessage};
use crate::config::ChannelOptions;
use crate::fsm::{Agreed, Required, Side};
use crate::glue::policy::Former;
use crate::wire::decode::DecodeRules;
use crate::wire::nlri::Nlri;
use crate::wire::{Carried, FamilySet};

/// Bytes of batches that may be under way to the slices before reading pauses.
const CREDIT: usize = 1 << 20;

/// An established session.
pub(super) struct Up {
    pub(super) side: Side,
    pub(super) agreed: Agreed,
    /// Our address on the connection.
    pub(super) local: Option<IpAddr>,
    pub(super) neighbor: Option<IpAddr>,
    pub(super) rules: DecodeRules,
    pub(super) channels: Vec<Channel>,
    pub(super) credit: Arc<ImportCredit>,
    /// Made with the first route.
    pub(super) cache: Option<AttrCache>,
    pub(super) complaints: Patience,
}

/// Lets a few messages through in each span of time.
#[derive(Debug, Default)]
pub(super) struct Patience {
    since: Time,
    count: u32,
}

impl Patience {
    /// How many, and in how long.
    const MOST: u32 = 5;
    const SPAN: Duration = Duration::from_secs(10);

    pub(super) fn allow(&mut self, now: Time) -> bool {
        if now.since(self.since) >= Self::SPAN {
            *self = Self { since: now, count: 0 };
        }
        self.count += 1;
        self.count <= Self::MOST
    }
}

impl Up {
    pub(super) fn channel(&self, family: Carried) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.family == family)
    }

    pub(super) fn channel_mut(&mut self, family: Carried) -> Option<&mut Channel> {
        self.channels.iter_mut().find(|channel| channel.family == family)
    }
}

/// A channel of an established session. Dropping it takes its routes out of the tables and leaves its
/// export groups, so that nothing stays behind of a session whose loop has panicked.
pub(super) struct Channel {
    pub(super) family: Carried,
    pub(super) preference: u32,
    pub(super) table: TableId,
    pub(super) source: Arc<Source>,
    pub(super) builder: Builder,
    pub(super) next_hop: Option<IpAddr>,
    pub(super) current: Membership,
    /// The group that is being left. Until it lets us go its log is written, not the new one's.
    pub(super) old: Option<Membership>,
    /// What is exported changed while a group was being left.
    pub(super) again: bool,
    pub(super) figures: MemberFigures,
    pub(super) export_limit: Option<Arc<Limit>>,
    pub(super) fed: bool,
    /// Export filters that still hold for older routes.
    pub(super) former: Vec<Former>,
    slices: Slices,
    /// All that has been done.
    closed: bool,
}

impl Channel {
    /// Ends it; `done` is arrived at by each slice that has removed its routes.
    fn close(&mut self, done: Option<&Arc<Barrier>>) {
        if core::mem::replace(&mut self.closed, true) {
            return;
        }
        self.leave();
        self.source.kill();
        let source = self.source.id;
        self.slices
            .send_all(Class::Routing, || SliceMessage::SourceDown { source, done: done.cloned() });
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.close(None);
    }
}

/// Collects routes of the channel's family.
pub(super) enum Builder {
    V4(ImportBuilder<Prefix4>),
    V6(ImportBuilder<Prefix6>),
}

impl Builder {
    pub(super) fn announce(&mut self, nlri: Nlri<'_>, attrs: &Arc<Attrs>) {
        match self {
            Self::V4(builder) => nlri.ipv4().for_each(|net| builder.announce(net, 0, attrs)),
            Self::V6(builder) => nlri.ipv6().for_each(|net| builder.announce(net, 0, attrs)),
        }
    }

    pub(super) fn withdraw(&mut self, nlri: Nlri<'_>) {
        match self {
            Self::V4(builder) => nlri.ipv4().for_each(|net| builder.withdraw(net, 0)),
            Self::V6(builder) => nlri.ipv6().for_each(|net| builder.withdraw(net, 0)),
        }
    }

    pub(super) fn flush(&mut self) {
        match self {
            Self::V4(builder) => builder.flush(),
            Self::V6(builder) => builder.flush(),
        }
    }
}

impl Session {
    /// The state machine says that the session is established.
    pub(super) fn establish(&mut self, cx: &mut Context<'_>, side: Side, agreed: Agreed) {
        let configured: FamilySet =
            self.config.channels.iter().map(|channel| family(channel.kind)).collect();
        let families = agreed.families.and(configured);
        let event = self.handles.map_or(EventId::NONE, |handles| handles.credit);
        let credit = cx.credit("routes to the tables", CREDIT, event);
        let local =
            self.link(side).and_then(|link| link.local).map(|addr| addr.ip().to_canonical());
        let router_id = self.environment.router_id;
        let neighbor = self.bgp.remote_address();
        let mut up = Up {
            side,
            local,
            neighbor: self.neighbor(),
            complaints: Patience::default(),
            rules: decode_rules(&self.bgp, &agreed, families, router_id, neighbor),
            channels: Vec::new(),
            credit,
            cache: None,
            agreed,
        };
        for family in families.iter() {
            if let Some(channel) = self.open_channel(&up, family) {
                up.channels.push(channel);
            }
        }
        self.shared.set_route_refresh(up.agreed.route_refresh);
        if let Some((_, open)) = self.fsm.agreed(side) {
            self.shared.set_met(&Required::met_by(&open.capabilities));
        }
        self.up = Some(Box::new(up));
        for family in families.iter() {
            self.join(family);
        }
        let text = format_args!("BGP session established");
        self.environment.log.trace(DebugFlags::EVENTS, text);
    }

    fn open_channel(&self, up: &Up, family: Carried) -> Option<Channel> {
        let config = self.config.channel(kind(family))?;
        let options = self.bgp.channel(config.kind)?;
        let Some(table) = self.environment.tables.id(&config.table) else {
            let text = format_args!("There is no table {}", config.table);
            self.environment.log.write(LogClass::Bug, text);
            return None;
        };
        let neighbor = self.neighbor()?;
        let source = Arc::new(self.source(up, config, options, table, neighbor));
        let (slices, credit) = (self.environment.rib.slices.clone(), Some(Arc::clone(&up.credit)));
        let builder = match family {
            Carried::Ipv4 => Builder::V4(ImportBuilder::new(slices, Arc::clone(&source), credit)),
            Carried::Ipv6 => Builder::V6(ImportBuilder::new(slices, Arc::clone(&source), credit)),
        };
        let next_hop =
            up.local.and_then(|local| our_next_hop(&self.environment, options, local, neighbor));
        Some(Channel {
            family,
            preference: config.preference,
            table,
            source,
            builder,
            next_hop,
            current: Membership::none(),
            old: None,
            again: false,
            figures: MemberFigures::default(),
            export_limit: None,
            fed: false,
            former: Vec::new(),
            slices: self.environment.rib.slices.clone(),
            closed: false,
        })
    }

    fn source(
        &self,
        up: &Up,
        config: &ChannelConfig,
        options: &ChannelOptions,
        table: TableId,
        neighbor: IpAddr,
    ) -> Source {
        let events: Arc<dyn ChannelEvents> =
            Arc::new(Events { session: self.own.clone(), log: self.environment.log.clone() });
        let interface = self.interface();
        let mut source = Source::new(SourceSpec {
            id: self.environment.rib.source_id(),
            table,
            protocol: Arc::clone(&self.config.name),
            kind: Rts::Bgp,
            events,
        });
        source.peer = Some(Peer {
            address: neighbor,
            interface,
            router_id: up.agreed.neighbor_id,
            asn: up.agreed.neighbor_as,
            local_asn: self.bgp.local_as,
            internal: up.agreed.internal,
            cluster: self.bgp.cluster(self.environment.router_id),
            rs_client: self.bgp.rs_client,
        });
        let linked = interface.filter(|_| is_link_local(neighbor));
        source.resolve = resolve(&self.environment, options, linked);
        source.order = order(&self.bgp);
        source.keep_filtered = config.keep_filtered;
        source.import = config.import.clone();
        source.preference = config.preference;
        source.limits = config.import_limits();
        source.trace = Some(self.environment.log.routes(config.kind));
        source.set_rpki_reload(config.rpki_reload);
        source.counters = Arc::clone(self.import_counters(config.kind));
        source
    }

    /// The interface that a neighbour on a connected network is on.
    pub(super) fn interface(&self) -> Option<u32> {
        if self.bgp.multihop.is_some() {
            return None;
        }
        let interfaces = &self.environment.interfaces;
        match &self.bgp.interface {
            Some(name) => interfaces.by_name(name).map(|interface| interface.index),
            None => interfaces.towards(self.neighbor()?).map(|(interface, _)| interface.index),
        }
    }

    pub(super) fn import_counters(&self, kind: ChannelKind) -> &Arc<ImportCounters> {
        let [ipv4, ipv6] = &self.counters;
        if kind == ChannelKind::Ipv6 { ipv6 } else { ipv4 }
    }

    /// The session is no more: takes everything out of the tables.
    pub(super) fn tear_down(&mut self) {
        let Some(up) = self.up.take() else { return };
        self.shared.set_route_refresh(false);
        self.shared.forget_met();
        let slices = self.environment.rib.slices.count();
        for mut channel in up.channels {
            self.flushing += 1;
            let session = self.own.clone();
            let done = Arc::new(Barrier::new(slices, move || {
                // A session that has stopped doesn't wait any more.
                let _ = session.send(Class::Control, SessionMessage::Flushed);
            }));
            channel.close(Some(&done));
        }
    }
}

/// The slices' way to a session.
struct Events {
    session: Address<SessionMessage>,
    log: ProtocolLog,
}

impl ChannelEvents for Events {
    fn limit_hit(&self, source: SourceId, kind: LimitKind) {
        // A session that has stopped needs no limits.
        let _ = self.session.send(Class::Control, SessionMessage::Limit(source, kind));
    }

    fn refused(&self, source: SourceId, why: TooMany) {
        // A session that has stopped needs no room.
        let _ = self.session.send(Class::Control, SessionMessage::NoRoom(source, why));
    }

    fn filter_error(&self, _source: SourceId, message: &str) {
        self.log.write(LogClass::Error, format_args!("{message}"));
    }

    fn filter_print(&self, _source: SourceId, text: &str) {
        self.log.log().write(LogClass::Info, format_args!("{text}"));
    }

    fn wants_prints(&self) -> bool {
        self.log.log().wants(LogClass::Info)
    }
}
