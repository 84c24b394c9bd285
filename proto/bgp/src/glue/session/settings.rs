//! From the configuration to what the state machine, the decoder and the tables need.

use std::net::IpAddr;

use dunlin_core::protocol::{ChannelKind, Environment, InstanceConfig};
use dunlin_rib::{Order, Resolve};

use crate::config::{BgpConfig, ChannelOptions, Gateway};
use crate::fsm::{Agreed, Required, Settings};
use crate::wire::capability::Capabilities;
use crate::wire::decode::DecodeRules;
use crate::wire::encode::PeerKind;
use crate::wire::{Carried, FamilySet};

/// The family of a channel, which is of one of the two kinds that BGP has.
pub(super) const fn family(kind: ChannelKind) -> Carried {
    if matches!(kind, ChannelKind::Ipv6) { Carried::Ipv6 } else { Carried::Ipv4 }
}

/// The channel of a family.
pub(crate) const fn kind(family: Carried) -> ChannelKind {
    match family {
        Carried::Ipv4 => ChannelKind::Ipv4,
        Carried::Ipv6 => ChannelKind::Ipv6,
    }
}

pub(super) fn settings(
    environment: &Environment,
    config: &InstanceConfig,
    bgp: &BgpConfig,
) -> Settings {
    Settings {
        local_as: bgp.local_as,
        neighbor: bgp.neighbor,
        router_id: environment.router_id,
        passive: bgp.passive || config.parent.is_some(),
        timers: bgp.timers.clone(),
        capabilities: capabilities(environment, config, bgp),
        capability_fallback: bgp.announced.any,
        required: required(bgp),
        role: bgp.role,
        disable_after_error: bgp.disable_after_error,
        disable_after_cease: bgp.disable_after_cease,
    }
}

fn capabilities(
    environment: &Environment,
    config: &InstanceConfig,
    bgp: &BgpConfig,
) -> Capabilities {
    let announced = bgp.announced;
    if !announced.any {
        return Capabilities::default();
    }
    Capabilities {
        present: true,
        families: config.channels.iter().map(|channel| family(channel.kind).family()).collect(),
        route_refresh: announced.route_refresh,
        extended_message: announced.extended_message,
        role: bgp.role,
        as4: announced.as4.then_some(bgp.local_as),
        hostname: announced.hostname.then(|| environment.hostname.as_bytes().into()),
        ..Capabilities::default()
    }
}

/// What the neighbour must have.
pub(crate) fn required(bgp: &BgpConfig) -> Required {
    let required = bgp.required;
    let mandatory = bgp.channels.iter().filter(|channel| channel.mandatory);
    Required {
        families: mandatory.map(|channel| family(channel.kind)).collect(),
        route_refresh: required.route_refresh,
        enhanced_refresh: required.enhanced_refresh,
        as4: required.as4,
        extended_message: required.extended_message,
        hostname: required.hostname,
        graceful_restart: required.graceful_restart,
        long_lived: required.long_lived,
        role: required.role,
    }
}

pub(super) fn decode_rules(
    bgp: &BgpConfig,
    agreed: &Agreed,
    families: FamilySet,
    router_id: u32,
    neighbor: IpAddr,
) -> DecodeRules {
    let cluster = bgp.cluster_id.unwrap_or(router_id);
    DecodeRules {
        internal: agreed.internal,
        as4: agreed.as4,
        families,
        extended_next_hop: false,
        loopback: neighbor.is_loopback(),
        local_as: bgp.local_as,
        allow_local_as: bgp.allow_local_as,
        router_id,
        cluster_id: agreed.internal.then_some(cluster),
        allow_as_sets: bgp.allow_as_sets,
        allow_local_pref: bgp.allow_local_pref,
        first_as: (bgp.enforce_first_as && !agreed.internal).then_some(agreed.neighbor_as),
        role: bgp.role,
        neighbor_as: agreed.neighbor_as,
        aigp: agreed.internal,
        default_local_pref: bgp.default_local_pref,
    }
}

pub(super) fn peer_kind(bgp: &BgpConfig, agreed: &Agreed) -> PeerKind {
    match (agreed.internal, bgp.rs_client) {
        (true, _) => PeerKind::Internal,
        (false, true) => PeerKind::RouteServerClient,
        (false, false) => PeerKind::External,
    }
}

pub(super) fn order(bgp: &BgpConfig) -> Order {
    Order {
        path_metric: bgp.path_metric,
        med_metric: bgp.med_metric,
        igp_metric: bgp.igp_metric,
        prefer_older: bgp.prefer_older,
        default_local_pref: bgp.default_local_pref,
        default_med: bgp.default_med,
        ..Order::default()
    }
}

/// How next hops of a channel are resolved. `interface`: where a link-local neighbour is.
pub(super) fn resolve(
    environment: &Environment,
    options: &ChannelOptions,
    interface: Option<u32>,
) -> Resolve {
    match (options.gateway, environment.tables.id(&options.igp_table)) {
        (Gateway::Recursive, Some(table)) => Resolve::Recursive { table },
        (Gateway::Direct, _) | (Gateway::Recursive, None) => Resolve::Direct { interface },
    }
}

/// What "ourselves" is as a next hop of this family: the configured address, the session's own,
/// or what the interface towards the neighbour has in that family.
pub(super) fn our_next_hop(
    environment: &Environment,
    options: &ChannelOptions,
    local: IpAddr,
    neighbor: IpAddr,
) -> Option<IpAddr> {
    let wants_ipv6 = options.kind == ChannelKind::Ipv6;
    if let Some(address) = options.next_hop_address {
        return Some(address);
    }
    if local.is_ipv6() == wants_ipv6 && !dunlin_core::interfaces::is_link_local(local) {
        return Some(local);
    }
    let (interface, _) = environment.interfaces.towards(neighbor)?;
    interface.preferred(wants_ipv6).map(|entry| entry.address)
}
