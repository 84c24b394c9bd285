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
use dunlin_rib::chunk::Chunk;
use dunlin_rib::counters::ExportCounters;
use dunlin_rib::egress::{EgressMessage, LogReader, LogSink, MemberSpec, Progress};
use dunlin_rib::encode::Encoder;
use dunlin_rib::export::{ExportLimit, ExportPolicy, SharingCounters};
use dunlin_rib::import::{CreditGate, ImportBuilder};
use dunlin_rib::limits::{Limit, LimitKind};
use dunlin_rib::registry::{GroupFound, JoinSpec, RegistryMessage};
use dunlin_rib::slice::SliceMessage;
use dunlin_rib::source::{ChannelEvents, SourceSpec};
use dunlin_rib::{MemberId, Peer, Source, SourceId, TableId};
use dunlin_runtime::{Address, Class, Context, Time};

use super::settings::{
    decode_rules, export_limit, family, import_limits, kind, order, our_next_hop, peer_kind,
    resolve,
};
use super::{Session, SessionMessage, Ticket};
use crate::config::ChannelOptions;
use crate::fsm::{Agreed, Side};
use crate::glue::encoder::{BgpEncoder, HopRules};
use crate::glue::policy::{BgpPolicy, Rules};
use crate::wire::decode::DecodeRules;
use crate::wire::encode::EncodeRules;
use crate::wire::nlri::Nlri;
use crate::wire::{Carried, FamilySet, MAX_LENGTH, MAX_LENGTH_EXTENDED};

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
    pub(super) gate: Arc<CreditGate>,
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

/// A channel of an established session.
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
    again: bool,
    pub(super) exports: Option<Arc<ExportCounters>>,
    pub(super) export_limit: Option<Arc<Limit>>,
    pub(super) fed: bool,
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

impl Channel {
    /// The membership whose log is written.
    pub(super) fn writing(&self) -> &Membership {
        self.old.as_ref().unwrap_or(&self.current)
    }

    pub(super) fn writing_mut(&mut self) -> &mut Membership {
        self.old.as_mut().unwrap_or(&mut self.current)
    }

    /// The membership that came of a join.
    pub(super) fn membership(&mut self, join: u32) -> Option<&mut Membership> {
        [Some(&mut self.current), self.old.as_mut()]
            .into_iter()
            .flatten()
            .find(|membership| membership.join == join)
    }

    /// Puts a new membership in place of the present one; `None` if that has to wait.
    fn replace(&mut self, next: Membership) -> Option<()> {
        if self.old.is_some() {
            self.again = true;
            return None;
        }
        let last = core::mem::replace(&mut self.current, next);
        // One that has no place yet has brought nothing that was written. It leaves when it hears
        // that it is in.
        self.old = last.place.is_some().then_some(last);
        Some(())
    }

    /// The new group is found: asks the old one to let us go.
    fn begin_move(&self) {
        let (Some(old), Some((reader, to))) = (&self.old, &self.current.place) else { return };
        let to = to.clone();
        let as_member = reader.member();
        old.tell(|member| EgressMessage::Move { member, to, as_member });
    }

    /// The session is over.
    fn leave(&self) {
        self.current.tell(EgressMessage::Leave);
        if let Some(old) = &self.old {
            old.tell(EgressMessage::Leave);
        }
    }
}

/// A channel's place in an export group.
pub(super) struct Membership {
    pub(super) join: u32,
    /// Keys of policy and encoder: what makes the group.
    keys: (u64, u64),
    progress: Arc<Progress>,
    /// Once the group has us.
    pub(super) place: Option<(LogReader, Address<EgressMessage>)>,
}

impl Membership {
    fn none() -> Self {
        Self { join: 0, keys: (0, 0), progress: Arc::default(), place: None }
    }

    pub(super) fn reader(&self) -> Option<&LogReader> {
        self.place.as_ref().map(|(reader, _)| reader)
    }

    pub(super) fn reader_mut(&mut self) -> Option<&mut LogReader> {
        self.place.as_mut().map(|(reader, _)| reader)
    }

    /// Tells the group something about us.
    pub(super) fn tell(&self, message: impl FnOnce(MemberId) -> EgressMessage) {
        if let Some((reader, egress)) = &self.place {
            // A group that is gone has no members.
            let _ = egress.send(Class::Routing, message(reader.member()));
        }
    }
}

impl Session {
    /// The state machine says that the session is established.
    pub(super) fn establish(&mut self, cx: &mut Context<'_>, side: Side, agreed: Agreed) {
        let configured: FamilySet =
            self.config.channels.iter().map(|channel| family(channel.kind)).collect();
        let families = agreed.families.and(configured);
        let wake = self.handles.map(|handles| cx.event_handle(handles.credit));
        let gate = CreditGate::new(CREDIT, wake);
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
            gate,
            cache: None,
            agreed,
        };
        for family in families.iter() {
            if let Some(channel) = self.open_channel(&up, family) {
                up.channels.push(channel);
            }
        }
        self.shared.set_route_refresh(up.agreed.route_refresh);
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
        let (slices, gate) = (self.environment.rib.slices.clone(), Some(Arc::clone(&up.gate)));
        let builder = match family {
            Carried::Ipv4 => Builder::V4(ImportBuilder::new(slices, Arc::clone(&source), gate)),
            Carried::Ipv6 => Builder::V6(ImportBuilder::new(slices, Arc::clone(&source), gate)),
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
            exports: None,
            export_limit: None,
            fed: false,
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
            rr_client: self.bgp.rr_client,
            rs_client: self.bgp.rs_client,
        });
        let linked = interface.filter(|_| is_link_local(neighbor));
        source.resolve = resolve(&self.environment, options, linked);
        source.order = order(&self.bgp);
        source.keep_filtered = config.keep_filtered;
        source.import = config.import.clone();
        source.preference = config.preference;
        source.limits = import_limits(config);
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

    pub(super) fn import_counters(
        &self,
        kind: ChannelKind,
    ) -> &Arc<dunlin_rib::counters::ImportCounters> {
        let [ipv4, ipv6] = &self.counters;
        match kind {
            ChannelKind::Ipv4 => ipv4,
            ChannelKind::Ipv6 => ipv6,
        }
    }

    /// Joins the export group that fits, unless the channel is in it.
    pub(super) fn join(&mut self, family: Carried) {
        let Some((policy, encoder, address)) = self.exporting(family) else { return };
        let keys = (policy.key(), encoder.key());
        self.joins += 1;
        let ticket = Ticket { family, join: self.joins };
        let limit = self.config.channel(kind(family)).and_then(export_limit);
        let own = self.own.clone();
        let Some(channel) = self.up.as_deref_mut().and_then(|up| up.channel_mut(family)) else {
            return;
        };
        if channel.current.keys == keys {
            return;
        }
        let progress: Arc<Progress> = Arc::default();
        let next =
            Membership { join: ticket.join, keys, progress: Arc::clone(&progress), place: None };
        let Some(()) = channel.replace(next) else { return };
        channel.fed = false;
        channel.exports = None;
        channel.export_limit.clone_from(&limit);
        let sink = Arc::new(ToSession { session: own, ticket });
        let spec = JoinSpec {
            table: channel.table,
            net_type: kind(family).net_type(),
            policy: Arc::new(policy),
            encoder: Arc::new(encoder),
            member: MemberSpec {
                sink: Arc::clone(&sink) as Arc<dyn LogSink>,
                progress,
                source: channel.source.id,
                address,
                resync: channel.old.is_some(),
            },
            limit: limit.map(|limit| ExportLimit {
                limit,
                source: channel.source.id,
                events: Arc::clone(&channel.source.events),
            }),
            found: sink,
        };
        // Without a registry the daemon is going down.
        let registry = &self.environment.rib.registry;
        let _ = registry.send(Class::Routing, RegistryMessage::Join(Box::new(spec)));
    }

    /// What a channel exports, how, and to whom.
    fn exporting(&self, family: Carried) -> Option<(BgpPolicy, BgpEncoder, IpAddr)> {
        let up = self.up.as_deref()?;
        let channel = up.channel(family)?;
        let config = self.config.channel(kind(family))?;
        let options = self.bgp.channel(config.kind)?;
        let apart = config.export_limit.map(|_| channel.source.id.0);
        let rules = Rules::new(&self.bgp, up.agreed.internal, apart);
        let log = self.environment.log.log().clone();
        let policy = BgpPolicy::new(rules, config.export.clone(), log);
        Some((policy, self.encoder(up, channel, options), self.neighbor()?))
    }

    fn encoder(&self, up: &Up, channel: &Channel, options: &ChannelOptions) -> BgpEncoder {
        let interface = self.interface();
        let link_local = interface
            .and_then(|index| self.environment.interfaces.by_index(index))
            .and_then(|interface| interface.link_local())
            .and_then(|entry| match entry.address {
                IpAddr::V6(address) => Some(address),
                IpAddr::V4(_) => None,
            });
        let ipv6 = channel.family == Carried::Ipv6;
        let long = up.agreed.extended_message;
        BgpEncoder {
            rules: EncodeRules {
                family: channel.family,
                peer: peer_kind(&self.bgp, &up.agreed),
                local_as: self.bgp.local_as,
                as4: up.agreed.as4,
                max_length: if long { MAX_LENGTH_EXTENDED } else { MAX_LENGTH },
                send_local_pref: self.bgp.allow_local_pref,
                default_local_pref: self.bgp.default_local_pref,
            },
            hops: HopRules {
                ours: channel.next_hop,
                link_local: link_local.filter(|_| ipv6),
                interface,
                to_self: options.next_hop_self,
                keep: options.next_hop_keep,
            },
            cluster: self.bgp.cluster_id.unwrap_or(self.environment.router_id),
            send_med: self.bgp.allow_med,
        }
    }

    pub(super) fn joined(
        &mut self,
        ticket: Ticket,
        member: MemberId,
        egress: Address<EgressMessage>,
    ) {
        let channel = self.up.as_deref_mut().and_then(|up| up.channel_mut(ticket.family));
        match channel {
            Some(channel) if channel.current.join == ticket.join => {
                let reader = LogReader::new(member, Arc::clone(&channel.current.progress));
                channel.current.place = Some((reader, egress));
                channel.begin_move();
            }
            _ => {
                // We have left before we were in.
                let _ = egress.send(Class::Routing, EgressMessage::Leave(member));
            }
        }
    }

    /// The channel whose present membership the ticket is of.
    fn by_ticket(&mut self, ticket: Ticket) -> Option<&mut Channel> {
        let channel = self.up.as_deref_mut()?.channel_mut(ticket.family)?;
        (channel.current.join == ticket.join).then_some(channel)
    }

    pub(super) fn found(&mut self, ticket: Ticket, counters: Arc<ExportCounters>) {
        if let Some(channel) = self.by_ticket(ticket) {
            channel.exports = Some(counters);
        }
    }

    pub(super) fn fed(&mut self, ticket: Ticket) {
        if let Some(channel) = self.by_ticket(ticket) {
            channel.fed = true;
        }
    }

    /// The old group has let us go.
    pub(super) fn left(&mut self, cx: &mut Context<'_>, ticket: Ticket) {
        let channel = self.up.as_deref_mut().and_then(|up| up.channel_mut(ticket.family));
        let Some(channel) = channel else { return };
        if channel.old.as_ref().is_some_and(|old| old.join == ticket.join) {
            channel.old = None;
            if core::mem::take(&mut channel.again) {
                self.join(ticket.family);
            }
            if let Some(handles) = self.handles {
                cx.schedule(handles.flush);
            }
        }
    }

    /// The session is no more: takes everything out of the tables.
    pub(super) fn tear_down(&mut self) {
        let Some(up) = self.up.take() else { return };
        self.shared.set_route_refresh(false);
        let slices = &self.environment.rib.slices;
        for channel in up.channels {
            channel.leave();
            channel.source.kill();
            self.flushing += 1;
            let session = self.own.clone();
            let done = Arc::new(Barrier::new(slices.count(), move || {
                // A session that has stopped doesn't wait any more.
                let _ = session.send(Class::Control, SessionMessage::Flushed);
            }));
            let source = channel.source.id;
            slices.send_all(Class::Routing, || SliceMessage::SourceDown {
                source,
                done: Some(Arc::clone(&done)),
            });
        }
    }
}

/// An export group's way to a session.
struct ToSession {
    session: Address<SessionMessage>,
    ticket: Ticket,
}

impl ToSession {
    fn tell(&self, message: SessionMessage) {
        // A session that has stopped leaves its groups; what is under way is dropped.
        let _ = self.session.send(Class::Routing, message);
    }
}

impl LogSink for ToSession {
    fn joined(&self, member: MemberId, egress: Address<EgressMessage>) {
        let message = SessionMessage::Joined(self.ticket, member, egress.clone());
        if self.session.send(Class::Routing, message).is_err() {
            // As above, but the group wouldn't learn of it.
            let _ = egress.send(Class::Routing, EgressMessage::Leave(member));
        }
    }

    fn append(&self, chunk: Arc<Chunk>) {
        self.tell(SessionMessage::Append(self.ticket, chunk));
    }

    fn detach(&self) {
        self.tell(SessionMessage::Detach(self.ticket));
    }

    fn fed(&self) {
        self.tell(SessionMessage::Fed(self.ticket));
    }

    fn left(&self) {
        self.tell(SessionMessage::Left(self.ticket));
    }
}

impl GroupFound for ToSession {
    fn found(&self, exports: Arc<ExportCounters>, _sharing: Arc<SharingCounters>) {
        self.tell(SessionMessage::Found(self.ticket, exports));
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

    fn filter_error(&self, _source: SourceId, message: &str) {
        self.log.write(LogClass::Error, format_args!("{message}"));
    }

    fn filter_print(&self, _source: SourceId, text: &str) {
        self.log.log().write(LogClass::Info, format_args!("{text}"));
    }
}
