//! What a new configuration asks of a running session.

use dunlin_core::protocol::{ChannelConfig, ChannelKind, Differences, Effect, InstanceConfig};
use dunlin_rib::limits::LimitKind;

use super::{Announced, BgpConfig, ChannelOptions};
use crate::fsm::Timers;

/// Every option of a session, none left out: whoever adds one finds that this does not compile any
/// more, and decides below what a change of it means to a session that runs.
const _: fn(&BgpConfig) = |config| {
    let BgpConfig {
        local_as: _,
        source: _,
        port: _,
        remote: _,
        remote_port: _,
        neighbor: _,
        interface: _,
        multihop: _,
        onlink: _,
        passive: _,
        password: _,
        ttl_security: _,
        strict_bind: _,
        free_bind: _,
        check_link: _,
        dynamic_name: _,
        dynamic_digits: _,
        rr_client: _,
        cluster_id: _,
        rs_client: _,
        allow_local_as: _,
        allow_local_pref: _,
        allow_med: _,
        allow_as_sets: _,
        enforce_first_as: _,
        role: _,
        interpret_communities: _,
        default_local_pref: _,
        default_med: _,
        path_metric: _,
        med_metric: _,
        igp_metric: _,
        prefer_older: _,
        announced: Announced { any: _, route_refresh: _, as4: _, extended_message: _, hostname: _ },
        required: _,
        timers:
            Timers {
                hold: _,
                min_hold: _,
                startup_hold: _,
                keepalive: _,
                min_keepalive: _,
                send_hold: _,
                connect_delay: _,
                connect_retry: _,
                error_wait: _,
                error_forget: _,
            },
        disable_after_error: _,
        disable_after_cease: _,
        channels: _,
    } = config;
};

/// Notes what differs between two configurations of a session.
pub(super) fn differences(before: &BgpConfig, after: &BgpConfig, found: &mut Differences) {
    identity(before, after, found);
    rules(before, after, found);
    negotiation(before, after, found);
}

/// Who speaks with whom, and over what.
fn identity(before: &BgpConfig, after: &BgpConfig, found: &mut Differences) {
    let mut note = |differs, option| found.note(differs, option, Effect::Restart);
    note(before.local_as != after.local_as || before.source != after.source, "local");
    note(before.port != after.port, "local port");
    note(before.remote != after.remote || before.neighbor != after.neighbor, "neighbor");
    note(before.remote_port != after.remote_port, "neighbor port");
    note(before.interface != after.interface, "interface");
    note(before.multihop != after.multihop, "multihop");
    note(before.onlink != after.onlink, "onlink");
    note(before.passive != after.passive, "passive");
    note(before.password != after.password, "password");
    note(before.ttl_security != after.ttl_security, "ttl security");
    note(before.strict_bind != after.strict_bind, "strict bind");
    note(before.free_bind != after.free_bind, "free bind");
    note(before.dynamic_name != after.dynamic_name, "dynamic name");
    found.note(before.check_link != after.check_link, "check link", Effect::Live);
    let digits = before.dynamic_digits != after.dynamic_digits;
    found.note(digits, "dynamic name digits", Effect::Live);
}

/// What is done with routes.
fn rules(before: &BgpConfig, after: &BgpConfig, found: &mut Differences) {
    let mut note = |differs, option| found.note(differs, option, Effect::Restart);
    note(before.rr_client != after.rr_client, "rr client");
    note(before.cluster_id != after.cluster_id, "rr cluster id");
    note(before.rs_client != after.rs_client, "rs client");
    note(before.allow_local_as != after.allow_local_as, "allow local as");
    note(before.allow_local_pref != after.allow_local_pref, "allow bgp_local_pref");
    note(before.allow_med != after.allow_med, "allow bgp_med");
    note(before.allow_as_sets != after.allow_as_sets, "allow as sets");
    note(before.enforce_first_as != after.enforce_first_as, "enforce first as");
    note(before.role != after.role, "local role");
    let communities = before.interpret_communities != after.interpret_communities;
    note(communities, "interpret communities");
    note(before.default_local_pref != after.default_local_pref, "default bgp_local_pref");
    note(before.default_med != after.default_med, "default bgp_med");
    note(before.path_metric != after.path_metric, "path metric");
    note(before.med_metric != after.med_metric, "med metric");
    note(before.igp_metric != after.igp_metric, "igp metric");
    note(before.prefer_older != after.prefer_older, "prefer older");
}

/// What is announced and agreed upon, and when.
fn negotiation(before: &BgpConfig, after: &BgpConfig, found: &mut Differences) {
    let mut note = |differs, option| found.note(differs, option, Effect::Restart);
    let (old, new) = (&before.announced, &after.announced);
    note(old.any != new.any, "capabilities");
    note(old.route_refresh != new.route_refresh, "enable route refresh");
    note(old.as4 != new.as4, "enable as4");
    note(old.extended_message != new.extended_message, "enable extended messages");
    note(old.hostname != new.hostname, "advertise hostname");
    let (old, new) = (&before.timers, &after.timers);
    note(old.hold != new.hold, "hold time");
    note(old.min_hold != new.min_hold, "min hold time");
    note(old.startup_hold != new.startup_hold, "startup hold time");
    note(old.keepalive != new.keepalive, "keepalive time");
    note(old.min_keepalive != new.min_keepalive, "min keepalive time");
    note(old.send_hold != new.send_hold, "send hold time");
    note(old.connect_delay != new.connect_delay, "connect delay time");
    note(old.connect_retry != new.connect_retry, "connect retry time");
    note(old.error_wait != new.error_wait, "error wait time");
    note(old.error_forget != new.error_forget, "error forget time");
    note(before.disable_after_error != after.disable_after_error, "disable after error");
    note(before.disable_after_cease != after.disable_after_cease, "disable after cease");
    // The session as it runs may not have what is required: its handle knows.
    found.note(before.required != after.required, "require", Effect::Live);
}

/// Notes what of BGP's own differs in the channels that both configurations have.
pub(super) fn channel_differences(
    (old, before): (&InstanceConfig, &BgpConfig),
    (new, after): (&InstanceConfig, &BgpConfig),
    found: &mut Differences,
) {
    for channel in &new.channels {
        let options = before.channel(channel.kind).zip(after.channel(channel.kind));
        let (Some(options), Some(was)) = (options, old.channel(channel.kind)) else { continue };
        in_channel(options, (was, channel), found);
    }
}

fn in_channel(
    (before, after): (&ChannelOptions, &ChannelOptions),
    (old, new): (&ChannelConfig, &ChannelConfig),
    found: &mut Differences,
) {
    let ChannelOptions {
        kind,
        next_hop_self,
        next_hop_keep,
        next_hop_address,
        gateway,
        igp_table,
        mandatory,
    } = after;
    let mut note = |differs, option, effect| {
        found.note_in(kind.keyword(), differs, option, effect);
    };
    note(before.next_hop_self != *next_hop_self, "next hop self", Effect::Export);
    note(before.next_hop_keep != *next_hop_keep, "next hop keep", Effect::Export);
    note(before.next_hop_address != *next_hop_address, "next hop address", Effect::Restart);
    note(before.gateway != *gateway, "gateway", Effect::Restart);
    note(before.igp_table != *igp_table, "igp table", Effect::Restart);
    // As with what is required: whether the neighbour carries the family is known to the handle.
    note(before.mandatory != *mandatory, "mandatory", Effect::Live);
    // Whoever has an export limit has an export group for itself.
    let alone = old.export_limit.is_some() != new.export_limit.is_some();
    note(alone, "export limit", Effect::Export);
}

/// Limits of a channel that are others in a new configuration.
pub(crate) fn changed_limits(
    old: &InstanceConfig,
    new: &InstanceConfig,
    kind: ChannelKind,
) -> Vec<LimitKind> {
    let (Some(old), Some(new)) = (old.channel(kind), new.channel(kind)) else { return Vec::new() };
    let kinds = [LimitKind::Receive, LimitKind::Import, LimitKind::Export];
    kinds.into_iter().filter(|kind| old.limit(*kind) != new.limit(*kind)).collect()
}
