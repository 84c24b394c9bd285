//! What a new configuration asks of a running session.

use dunlin_core::protocol::{ChannelConfig, ChannelKind, InstanceConfig};
use dunlin_rib::limits::LimitKind;

use super::{BgpConfig, ChannelOptions};

/// Whether the session has to begin anew.
pub(crate) fn needs_restart(old: &InstanceConfig, new: &InstanceConfig) -> bool {
    let (Some(before), Some(after)) = (old.specific::<BgpConfig>(), new.specific::<BgpConfig>())
    else {
        return true;
    };
    if old.router_id != new.router_id || old.hostname != new.hostname {
        return true;
    }
    // Everything but what can change under way.
    let mut like_after = before.clone();
    like_after.check_link = after.check_link;
    like_after.required = after.required;
    like_after.dynamic_digits = after.dynamic_digits;
    like_after.channels.clone_from(&after.channels);
    if like_after != *after || old.channels.len() != new.channels.len() {
        return true;
    }
    new.channels.iter().any(|channel| {
        let (Some(old_channel), Some(before), Some(after)) =
            (old.channel(channel.kind), before.channel(channel.kind), after.channel(channel.kind))
        else {
            return true;
        };
        channel_needs_restart((old_channel, before), (channel, after))
    })
}

fn channel_needs_restart(
    (old, before): (&ChannelConfig, &ChannelOptions),
    (new, after): (&ChannelConfig, &ChannelOptions),
) -> bool {
    old.table != new.table
        || old.keep_filtered != new.keep_filtered
        || before.next_hop_address != after.next_hop_address
        || before.igp_table != after.igp_table
        || before.gateway != after.gateway
        || (!before.mandatory && after.mandatory)
}

/// What has changed in a channel of a session that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChannelChange {
    pub(crate) kind: ChannelKind,
    /// Received routes are to be filtered again.
    pub(crate) import: bool,
    /// Sent routes are to be filtered or encoded again.
    pub(crate) export: bool,
    /// Limits that are others now.
    pub(crate) limits: [Option<LimitKind>; 3],
}

/// The changes of all channels.
pub(crate) fn channel_changes(old: &InstanceConfig, new: &InstanceConfig) -> Vec<ChannelChange> {
    let own = |config: &InstanceConfig, kind| {
        config.specific::<BgpConfig>().and_then(|bgp| bgp.channel(kind)).cloned()
    };
    new.channels
        .iter()
        .filter_map(|channel| {
            let before = old.channel(channel.kind)?;
            let (own_before, own_after) = (own(old, channel.kind)?, own(new, channel.kind)?);
            Some(ChannelChange {
                kind: channel.kind,
                import: !before.import.same(&channel.import)
                    || before.preference != channel.preference,
                limits: [
                    (before.receive_limit != channel.receive_limit).then_some(LimitKind::Receive),
                    (before.import_limit != channel.import_limit).then_some(LimitKind::Import),
                    (before.export_limit != channel.export_limit).then_some(LimitKind::Export),
                ],
                // Whoever has an export limit has an export group for itself.
                export: before.export_limit.is_some() != channel.export_limit.is_some()
                    || !before.export.same(&channel.export)
                    || own_before.next_hop_self != own_after.next_hop_self
                    || own_before.next_hop_keep != own_after.next_hop_keep,
            })
        })
        .collect()
}
