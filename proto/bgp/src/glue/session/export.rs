//! A session's places in export groups.
//!
//! A channel is in one group. When what it exports changes it joins another one and asks the old
//! one to let it go; until that has happened the old one's log is written, so the neighbour sees
//! one stream without gaps.

use core::net::IpAddr;
use std::sync::Arc;

use dunlin_rib::MemberId;
use dunlin_rib::chunk::Chunk;
use dunlin_rib::counters::ExportDelta;
use dunlin_rib::egress::{EgressMessage, LogReader, LogSink, MemberSpec, Progress};
use dunlin_rib::encode::Encoder;
use dunlin_rib::export::{ExportLimit, ExportPolicy};
use dunlin_rib::figures::Found;
use dunlin_rib::limits::TooMany;
use dunlin_rib::registry::{GroupFigures, GroupFound, JoinSpec, RegistryMessage};
use dunlin_runtime::{Address, Class, Context};

use super::channel::{Channel, Up};
use super::figures::About;
use super::limits::export_limit;
use super::settings::{kind, peer_kind};
use super::{Session, SessionMessage, Ticket};
use crate::config::ChannelOptions;
use crate::glue::encoder::{BgpEncoder, HopRules};
use crate::glue::policy::{BgpPolicy, Rules};
use crate::wire::capability::Role;
use crate::wire::encode::{EncodeRules, end_of_rib};
use crate::wire::{Carried, MAX_LENGTH, MAX_LENGTH_EXTENDED};

/// Word from a group that a channel is in. Dropping it leaves the group: so does a session that is gone
/// before it hears.
pub(crate) struct Entrance {
    member: MemberId,
    egress: Address<EgressMessage>,
    taken: bool,
}

impl Entrance {
    fn new(member: MemberId, egress: Address<EgressMessage>) -> Self {
        Self { member, egress, taken: false }
    }

    fn take(mut self) -> (MemberId, Address<EgressMessage>) {
        self.taken = true;
        (self.member, self.egress.clone())
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        if !self.taken {
            // A group that is gone has no members.
            let _ = self.egress.send(Class::Routing, EgressMessage::Leave(self.member));
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
    pub(super) fn none() -> Self {
        let progress = Arc::default();
        Self { join: 0, keys: (0, 0), progress, place: None }
    }

    /// A membership that is being asked for.
    fn wanted(join: u32, keys: (u64, u64), family: Carried) -> Self {
        let progress = Arc::new(Progress::new(&format!("{family} to the neighbour")));
        Self { join, keys, progress, place: None }
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

    /// What the registry is told of the present membership.
    fn join_spec(
        &self,
        policy: BgpPolicy,
        encoder: BgpEncoder,
        address: IpAddr,
        sink: Arc<ToSession>,
    ) -> JoinSpec {
        JoinSpec {
            table: self.table,
            net_type: kind(self.family).net_type(),
            policy: Arc::new(policy),
            encoder: Arc::new(encoder),
            member: MemberSpec {
                sink: Arc::clone(&sink) as Arc<dyn LogSink>,
                progress: Arc::clone(&self.current.progress),
                source: self.source.id,
                address,
                resync: self.old.is_some(),
                trace: self.source.trace.clone(),
            },
            limit: self.export_limit.clone().map(|limit| ExportLimit {
                limit,
                source: self.source.id,
                events: Arc::clone(&self.source.events),
            }),
            found: sink,
        }
    }

    /// Leaves all groups: the session is over.
    pub(super) fn leave(&self) {
        self.current.tell(EgressMessage::Leave);
        if let Some(old) = &self.old {
            old.tell(EgressMessage::Leave);
        }
    }
}

impl Session {
    /// Joins the export group that fits, unless the channel is in it.
    pub(super) fn join(&mut self, family: Carried) {
        let Some((policy, encoder, address)) = self.exporting(family) else { return };
        let keys = (policy.key(), encoder.key());
        let limit = self.config.channel(kind(family)).and_then(export_limit);
        self.joins += 1;
        let ticket = Ticket { family, join: self.joins };
        let Some(channel) = self.up.as_deref_mut().and_then(|up| up.channel_mut(family)) else {
            return;
        };
        if channel.current.keys == keys {
            return;
        }
        if policy.rejects_all() && channel.current.join == 0 && channel.old.is_none() {
            // There is nothing to share: no group, just the word that this is all.
            channel.current.keys = keys;
            channel.fed = true;
            return self.say_end_of_rib(family);
        }
        let wanted = Membership::wanted(ticket.join, keys, family);
        let Some(()) = channel.replace(wanted) else { return };
        channel.fed = false;
        let left = channel.figures.leave();
        channel.export_limit = limit;
        let sink = Arc::new(ToSession { session: self.own.clone(), ticket });
        let (source, spec) = (channel.source.id, channel.join_spec(policy, encoder, address, sink));
        if let Some(exporter) = left {
            // Before it is left, and perhaps gone.
            self.ask_slices(source, exporter, About::Left);
        }
        // Without a registry the daemon is going down.
        let registry = &self.environment.rib.registry;
        let _ = registry.send(Class::Routing, RegistryMessage::Join(Box::new(spec)));
    }

    /// Sends End-of-RIB for a channel that exports nothing.
    fn say_end_of_rib(&mut self, family: Carried) {
        let Some(side) = self.up.as_deref().map(|up| up.side) else { return };
        if let Some(link) = self.link_mut(side) {
            end_of_rib(family, &mut link.out);
        }
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
        let policy =
            BgpPolicy::new(rules, config.export.clone(), log).with_former(channel.former.clone());
        let policy = policy.with_rpki_reload(config.rpki_reload);
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
                customers_only: self.bgp.role.is_some_and(Role::gives_for_customers),
                default_local_pref: self.bgp.default_local_pref,
            },
            hops: HopRules {
                ours: channel.next_hop,
                link_local: link_local.filter(|_| ipv6),
                interface,
                to_self: options.next_hop_self,
                keep: options.next_hop_keep,
            },
            cluster: self.bgp.cluster(self.environment.router_id),
            send_med: self.bgp.allow_med,
        }
    }

    pub(super) fn joined(&mut self, cx: &mut Context<'_>, ticket: Ticket, entrance: Entrance) {
        let channel = self.up.as_deref_mut().and_then(|up| up.channel_mut(ticket.family));
        // If not, we have left before we were in.
        if let Some(channel) = channel.filter(|channel| channel.current.join == ticket.join) {
            let (member, egress) = entrance.take();
            cx.show_flow(&channel.current.progress);
            let reader = LogReader::new(member, Arc::clone(&channel.current.progress));
            channel.current.place = Some((reader, egress));
            channel.begin_move();
        }
    }

    /// The channel whose present membership the ticket is of.
    fn by_ticket(&mut self, ticket: Ticket) -> Option<&mut Channel> {
        let channel = self.up.as_deref_mut()?.channel_mut(ticket.family)?;
        (channel.current.join == ticket.join).then_some(channel)
    }

    pub(super) fn found(&mut self, ticket: Ticket, found: Found) {
        let exporter = found.exporter;
        if let Some(channel) = self.by_ticket(ticket) {
            channel.figures.found(found);
            let source = channel.source.id;
            self.ask_slices(source, exporter, About::Joined);
        }
    }

    pub(super) fn fed(&mut self, ticket: Ticket, figures: &ExportDelta) {
        if let Some(channel) = self.by_ticket(ticket) {
            channel.fed = true;
            channel.figures.fed(figures);
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
        self.tell(SessionMessage::Joined(self.ticket, Entrance::new(member, egress)));
    }

    fn refused(&self, why: TooMany) {
        self.tell(SessionMessage::NoPlace(self.ticket, why));
    }

    fn append(&self, chunk: Arc<Chunk>) {
        self.tell(SessionMessage::Append(self.ticket, chunk));
    }

    fn detach(&self) {
        self.tell(SessionMessage::Detach(self.ticket));
    }

    fn fed(&self, figures: &ExportDelta) {
        self.tell(SessionMessage::Fed(self.ticket, *figures));
    }

    fn left(&self) {
        self.tell(SessionMessage::Left(self.ticket));
    }
}

impl GroupFound for ToSession {
    fn found(&self, figures: &GroupFigures) {
        self.tell(SessionMessage::Found(self.ticket, Found::new(figures)));
    }
}
