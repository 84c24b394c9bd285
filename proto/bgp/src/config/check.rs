//! What must fit together in a section.

use core::net::IpAddr;

use dunlin_conf::{Parsed, Span};
use dunlin_core::config::{ConfigParser, Globals};
use dunlin_core::interfaces::is_link_local;
use dunlin_core::protocol::{InstanceConfig, OtherChannel};

use super::channel::{ChannelDraft, MISMATCHED_IGP_TABLE};
use super::fit::validation_misfit;
use super::{BgpConfig, BgpSection, Gateway, Remote};
use crate::fsm::Neighbor;

impl BgpSection {
    /// The configuration with everything filled in, if nothing is wrong with it.
    pub(super) fn checked(
        &self,
        parser: &mut ConfigParser,
        globals: &Globals,
        instance: &mut InstanceConfig,
    ) -> Parsed<BgpConfig> {
        let span = instance.end;
        let mut bgp = self.config.clone();
        bgp.local_as = require(parser, span, self.local_as, "Local AS number must be set")?;
        bgp.remote = require(parser, span, self.remote.clone(), "Neighbor must be configured")?;
        bgp.neighbor =
            require(parser, span, self.neighbor, "Remote AS number (or peer type) must be set")?;
        self.complete(&mut bgp);
        let before = parser.diagnostics().error_count();
        let misfits = self.misfits(&bgp, instance);
        for problem in self.problems(&bgp).into_iter().chain(misfits) {
            parser.error(span, problem);
        }
        self.check_channels(parser, globals, &mut bgp, instance);
        self.check_others(parser, globals, &bgp, instance);
        self.warn(parser, &bgp, span, instance.end);
        if parser.diagnostics().error_count() > before {
            return Err(dunlin_conf::Failed);
        }
        Ok(bgp)
    }

    /// Fills in what depends on other options.
    fn complete(&self, bgp: &mut BgpConfig) {
        bgp.multihop = match self.hops {
            Some(0) => None,
            Some(hops) => Some(hops),
            None if bgp.is_internal() => Some(64),
            None => None,
        };
        bgp.check_link = self.check_link.unwrap_or(bgp.multihop.is_none());
    }

    fn problems(&self, bgp: &BgpConfig) -> Vec<&'static str> {
        let internal = bgp.is_internal();
        let multihop = bgp.multihop.is_some();
        let link_local = match &bgp.remote {
            Remote::Address(address) => is_link_local(*address),
            Remote::Range(_) => false,
        };
        let timers = &bgp.timers;
        let keepalive = timers.keepalive.unwrap_or(timers.hold / 3);
        let checks = [
            (
                self.kind == Some(Neighbor::Internal) && !internal,
                "Internal BGP cannot have remote AS different from local AS",
            ),
            (
                self.kind == Some(Neighbor::External) && internal,
                "External BGP cannot have remote AS same as local AS",
            ),
            (
                link_local && bgp.interface.is_none(),
                "Link-local neighbor address requires specified interface",
            ),
            (multihop && link_local, "Multihop BGP cannot be used with link-local addresses"),
            (multihop && bgp.interface.is_some(), "Multihop BGP cannot be bound to interface"),
            (multihop && self.check_link == Some(true), "Multihop BGP cannot depend on link state"),
            (multihop && bgp.onlink, "Multihop BGP cannot be used with onlink"),
            (bgp.rr_client && !internal, "Only internal neighbor can be RR client"),
            (bgp.rs_client && internal, "Only external neighbor can be RS client"),
            (bgp.role.is_some() && internal, "Local role cannot be set on IBGP sessions"),
            (
                bgp.required.role && bgp.role.is_none(),
                "Local role must be set if roles are required",
            ),
            (bgp.enforce_first_as && internal, "Enforce first AS check is requires EBGP sessions"),
            (
                timers.keepalive.is_some() && keepalive > timers.hold,
                "Keepalive time must be at most hold time",
            ),
            (
                timers.send_hold.is_some_and(|send| !send.is_zero() && send < timers.hold),
                "Send hold time must be at least hold time",
            ),
            (timers.min_hold > timers.hold, "Min hold time exceeds hold time"),
            (
                timers.min_keepalive > keepalive && !timers.hold.is_zero(),
                "Min keepalive time exceeds keepalive time",
            ),
            (
                self.md5 == Some(true) && bgp.password.is_none(),
                "Password must be set for MD5 authentication",
            ),
            (
                self.md5 == Some(false) && self.config.password.is_some(),
                "Password cannot be used without MD5 authentication",
            ),
            (
                bgp.strict_bind
                    && bgp.source.is_none()
                    && bgp.interface.is_none()
                    && !self.unbuilt.said.has("interface range"),
                "Strict bind requires specified interface or source address",
            ),
            (family_differs(bgp), "Local address and neighbor must be of the same family"),
        ];
        checks.iter().filter(|(wrong, _)| *wrong).map(|(_, text)| *text).collect()
    }

    fn check_channels(
        &self,
        parser: &mut ConfigParser,
        globals: &Globals,
        bgp: &mut BgpConfig,
        instance: &mut InstanceConfig,
    ) {
        if instance.unbuilt.is_none() {
            let drafts = self.channels.iter().map(|draft| &draft.unbuilt);
            let vital = [&self.unbuilt].into_iter().chain(drafts).find_map(|u| u.vital.clone());
            instance.unbuilt = vital;
        }
        for channel in &mut instance.channels {
            let draft = self.channels.iter().find(|draft| draft.kind == channel.kind);
            let fallback = ChannelDraft::new(channel.kind);
            let draft = draft.unwrap_or(&fallback);
            channel.keep_filtered |= draft.import_table;
            let explicit = channel.import_given && channel.export_given;
            if !bgp.is_internal() && !explicit {
                parser
                    .error(instance.end, "EBGP requires explicit import and export policy")
                    .hint(format!("the channel {} needs both import and export", channel.kind));
            }
            if let Some(place) = draft.other_igp_table.filter(|_| draft.has_idle_igp_table()) {
                parser
                    .error(place, MISMATCHED_IGP_TABLE)
                    .hint("only with `extended next hop` are next hops of the other family");
            }
            if draft.gateway == Some(Gateway::Direct) && bgp.multihop.is_some() {
                parser.error(instance.end, "Multihop BGP cannot use direct gateway mode");
            }
            for problem in self.channel_misfits(draft, bgp, channel, globals) {
                parser.error(instance.end, problem);
            }
            let options = draft.options(bgp, channel);
            bgp.channels.push(options);
        }
    }

    /// Channels that carry nothing yet.
    fn check_others(
        &self,
        parser: &mut ConfigParser,
        globals: &Globals,
        bgp: &BgpConfig,
        instance: &InstanceConfig,
    ) {
        let free = [OtherChannel::MPLS, OtherChannel::NEIGHBORS];
        for other in &instance.others {
            let explicit =
                other.import_given && other.export_given || free.contains(&other.channel);
            if !bgp.is_internal() && !explicit {
                parser
                    .error(instance.end, "EBGP requires explicit import and export policy")
                    .hint(format!("the channel {} needs both import and export", other.channel));
            }
        }
        for (channel, unbuilt) in &self.others {
            if let Some(text) = validation_misfit(&unbuilt.said, channel.net_type, globals) {
                parser.error(instance.end, text);
            }
        }
    }

    fn warn(&self, parser: &mut ConfigParser, bgp: &BgpConfig, span: Span, end: Span) {
        self.warn_of_roles(parser, bgp);
        let timers = &bgp.timers;
        if timers.keepalive.is_some_and(|keepalive| keepalive > timers.hold / 2)
            && !timers.hold.is_zero()
        {
            let span = self.keepalive_span.unwrap_or(span);
            parser.warning(span, "Keepalive time is more than half of hold time");
        }
        self.warn_of_requirements(parser, bgp, end);
        if bgp.password.is_some()
            && self.md5.is_none()
            && !self.unbuilt.said.has("authentication ao")
        {
            parser.warning(end, "Missing authentication option, assuming MD5");
        }
    }

    /// A neighbour is not to be without what it will not be told of.
    fn warn_of_requirements(&self, parser: &mut ConfigParser, bgp: &BgpConfig, end: Span) {
        let (announced, required) = (bgp.announced, bgp.required);
        let graceful = self.unbuilt.is_announced("graceful restart", true);
        let long_lived = self.unbuilt.is_announced("long lived graceful restart", graceful);
        let pairs = [
            (required.route_refresh, announced.route_refresh, "Route refresh"),
            (required.enhanced_refresh, self.enhanced_refresh, "Enhanced route refresh"),
            (required.as4, announced.as4, "AS4 support"),
            (required.extended_message, announced.extended_message, "Extended messages"),
            (required.hostname, announced.hostname, "Hostname"),
            (required.graceful_restart, graceful, "Graceful restart"),
            (required.long_lived, long_lived, "Long-lived graceful restart"),
        ];
        for (required, announced_itself, what) in pairs {
            if required && !(announced_itself && announced.any) {
                parser.warning(end, format!("{what} required but disabled"));
            }
        }
    }
}

fn require<T>(parser: &mut ConfigParser, span: Span, value: Option<T>, message: &str) -> Parsed<T> {
    value.ok_or_else(|| parser.error(span, message).into())
}

fn family_differs(bgp: &BgpConfig) -> bool {
    let is_ipv6 = |address: IpAddr| address.is_ipv6();
    bgp.source.is_some_and(|source| is_ipv6(source) != is_ipv6(bgp.remote_address()))
}
