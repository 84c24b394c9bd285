//! BGP's lines of `show protocols all`.

use core::fmt::Write;
use std::net::IpAddr;

use dunlin_core::protocol::{
    ChannelConfig, ChannelDescription, ChannelKind, ChannelState, ChannelStatistics, Description,
    ExportState, ImportState,
};
use dunlin_rib::Source;
use dunlin_rib::counters::ExportDelta;
use dunlin_rib::limits::Limit;
use dunlin_runtime::Time;

use crate::config::{BgpConfig, PORT, Remote};
use crate::fsm::{Agreed, Fsm, Neighbor, Waiting};
use crate::wire::Open;
use crate::wire::capability::{Capabilities, GracefulRestart};
use crate::wire::family::Family;

/// A session as it is now.
pub(crate) struct SessionView<'a> {
    pub(crate) now: Time,
    pub(crate) fsm: &'a Fsm,
    pub(crate) bgp: &'a BgpConfig,
    /// Our address on the connection.
    pub(crate) local: Option<IpAddr>,
    /// Bytes that wait to be sent.
    pub(crate) pending: usize,
    /// It stands for a range and has no connection of its own.
    pub(crate) range: bool,
    pub(crate) channels: Vec<ChannelView<'a>>,
}

/// A channel, running or not.
pub(crate) struct ChannelView<'a> {
    pub(crate) config: &'a ChannelConfig,
    pub(crate) channel: Option<LiveChannel<'a>>,
}

/// A running channel.
pub(crate) struct LiveChannel<'a> {
    pub(crate) source: &'a Source,
    pub(crate) next_hop: Option<IpAddr>,
    pub(crate) export: ExportDelta,
    pub(crate) export_limit: Option<&'a Limit>,
    pub(crate) fed: bool,
}

/// Describes a session.
pub(crate) fn describe(view: &SessionView<'_>) -> Description {
    let mut lines = Vec::new();
    head(view, &mut lines);
    match view.fsm.established().and_then(|side| view.fsm.agreed(side)) {
        Some((agreed, open)) => established(view, agreed, open, &mut lines),
        None => waiting(view, &mut lines),
    }
    if let Some(error) = view.fsm.last_error() {
        lines.push(format!("    Last error:       {error}"));
    }
    let channels = view.channels.iter().map(|channel| describe_channel(view, channel)).collect();
    Description { lines, channels }
}

fn head(view: &SessionView<'_>, lines: &mut Vec<String>) {
    let passive = view.range || view.fsm.is_passive_wait();
    let state = if passive { "Passive" } else { view.fsm.state().name() };
    lines.push(format!("  BGP state:          {state}"));
    let interface = view.bgp.interface.as_ref().map(|name| format!("%{name}")).unwrap_or_default();
    let onlink = if view.bgp.onlink { " onlink" } else { "" };
    lines.push(match &view.bgp.remote {
        Remote::Address(address) => {
            format!("    Neighbor address: {address}{interface}{onlink}")
        }
        Remote::Range(prefix) => format!("    Neighbor range:   {prefix}"),
    });
    if view.bgp.remote_port != PORT {
        lines.push(format!("    Neighbor port:    {}", view.bgp.remote_port));
    }
    if let Some(asn) = neighbor_as(view) {
        lines.push(format!("    Neighbor AS:      {asn}"));
    }
    lines.push(format!("    Local AS:         {}", view.bgp.local_as));
}

/// The neighbour's AS, if it is known yet.
fn neighbor_as(view: &SessionView<'_>) -> Option<u32> {
    match view.bgp.neighbor {
        Neighbor::As(asn) => Some(asn),
        Neighbor::Internal => Some(view.bgp.local_as),
        Neighbor::External => {
            let side = view.fsm.established()?;
            view.fsm.agreed(side).map(|(agreed, _)| agreed.neighbor_as)
        }
    }
}

fn waiting(view: &SessionView<'_>, lines: &mut Vec<String>) {
    match view.fsm.waiting(view.now) {
        Some(Waiting::Error(left, whole)) => lines.push(format!(
            "    Error wait:       {:.3}/{}",
            left.as_secs_f64(),
            whole.as_secs()
        )),
        Some(Waiting::Connect(left, whole)) => lines.push(format!(
            "    Connect delay:    {:.3}/{:.0}",
            left.as_secs_f64(),
            whole.as_secs_f64().ceil()
        )),
        None => {}
    }
}

fn established(view: &SessionView<'_>, agreed: &Agreed, open: &Open, lines: &mut Vec<String>) {
    lines.push(format!("    Neighbor ID:      {}", std::net::Ipv4Addr::from(open.router_id)));
    lines.push("    Local capabilities".to_owned());
    capabilities(&view.fsm.our_open().capabilities, lines);
    lines.push("    Neighbor capabilities".to_owned());
    capabilities(&open.capabilities, lines);
    lines.push(format!("    Session:          {}", session_kind(view.bgp, agreed)));
    if let Some(local) = view.local {
        lines.push(format!("    Source address:   {local}"));
    }
    let [hold, keepalive, send_hold] = view.fsm.time_left(view.now).unwrap_or_default();
    let timer = |name: &str, left: core::time::Duration, whole: core::time::Duration| {
        format!("    {name:<18}{:.3}/{}", left.as_secs_f64(), whole.as_secs())
    };
    lines.push(timer("Hold timer:", hold, agreed.hold));
    lines.push(timer("Keepalive timer:", keepalive, agreed.keepalive));
    lines.push(format!("    TX pending:       {} bytes", view.pending));
    lines.push(timer("Send hold timer:", send_hold, agreed.send_hold));
}

fn session_kind(bgp: &BgpConfig, agreed: &Agreed) -> String {
    let mut text = if agreed.internal { "internal" } else { "external" }.to_owned();
    let words = [
        (bgp.multihop.is_some(), " multihop"),
        (bgp.rr_client, " route-reflector"),
        (bgp.rs_client, " route-server"),
        (agreed.as4, " AS4"),
    ];
    for (_, word) in words.iter().filter(|(holds, _)| *holds) {
        text.push_str(word);
    }
    text
}

fn capabilities(capabilities: &Capabilities, lines: &mut Vec<String>) {
    let mut line = |depth: usize, text: &str| {
        lines.push(format!("{:width$}{text}", "", width = 6 + 2 * depth));
    };
    if !capabilities.families.is_empty() {
        line(0, "Multiprotocol");
        line(1, &format!("AF announced:{}", families(capabilities.families.iter())));
    }
    if capabilities.route_refresh {
        line(0, "Route refresh");
    }
    if !capabilities.extended_next_hop.is_empty() {
        line(0, "Extended next hop");
        let list = capabilities.extended_next_hop.iter().map(|(family, _)| family);
        line(1, &format!("IPv6 nexthop:{}", families(list)));
    }
    if capabilities.extended_message {
        line(0, "Extended message");
    }
    if let Some(restart) = &capabilities.graceful_restart {
        line(0, "Graceful restart");
        graceful_restart(restart, &mut line);
    }
    if capabilities.as4.is_some() {
        line(0, "4-octet AS numbers");
    }
    if !capabilities.add_path.is_empty() {
        line(0, "ADD-PATH");
        let rx = capabilities.add_path.iter().filter(|entry| entry.receive);
        line(1, &format!("RX:{}", families(rx.map(|entry| &entry.family))));
        let tx = capabilities.add_path.iter().filter(|entry| entry.send);
        line(1, &format!("TX:{}", families(tx.map(|entry| &entry.family))));
    }
    if capabilities.enhanced_refresh {
        line(0, "Enhanced refresh");
    }
    if capabilities.long_lived.is_some() {
        line(0, "Long-lived graceful restart");
    }
    if let Some(name) = &capabilities.hostname {
        line(0, &format!("Hostname: {}", printable(name)));
    }
    if let Some(role) = capabilities.role {
        line(0, &format!("Role: {}", role.name()));
    }
}

fn graceful_restart(restart: &GracefulRestart, line: &mut impl FnMut(usize, &str)) {
    if restart.families.is_empty() {
        return;
    }
    line(1, &format!("Restart time: {}", restart.time));
    if restart.restarting {
        line(1, "Restart recovery");
    }
    line(1, &format!("AF supported:{}", families(restart.families.iter().map(|(f, _)| f))));
    let kept = restart.families.iter().filter(|(_, kept)| *kept).map(|(family, _)| family);
    line(1, &format!("AF preserved:{}", families(kept)));
}

fn families<'a>(list: impl Iterator<Item = &'a Family>) -> String {
    list.fold(String::new(), |mut text, family| {
        // A String takes everything.
        let _ = write!(text, " {family}");
        text
    })
}

/// A neighbour's text, with what would disturb a terminal replaced.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn describe_channel(view: &SessionView<'_>, channel: &ChannelView<'_>) -> ChannelDescription {
    let kind = channel.config.kind;
    let mut below = Vec::new();
    if let Some(next_hop) = channel.channel.as_ref().and_then(|live| live.next_hop) {
        below.push(format!("    BGP Next hop:   {next_hop}"));
    }
    if let Some(options) = view.bgp.channel(kind).filter(|_| view.bgp.multihop.is_some()) {
        let family = if kind == ChannelKind::Ipv6 { "IPv6" } else { "IPv4" };
        below.push(format!("    IGP {family} table: {}", options.igp_table));
    }
    let Some(live) = &channel.channel else {
        return ChannelDescription {
            kind,
            state: ChannelState::Down,
            import: ImportState::Down,
            export: ExportState::Down,
            statistics: None,
            above: Vec::new(),
            below,
        };
    };
    ChannelDescription {
        kind,
        state: ChannelState::Up,
        import: ImportState::Up,
        export: if live.fed { ExportState::Ready } else { ExportState::Feeding },
        statistics: Some(statistics(live)),
        above: Vec::new(),
        below,
    }
}

fn statistics(live: &LiveChannel<'_>) -> ChannelStatistics {
    ChannelStatistics {
        export: live.export,
        exported: live.export.exported,
        export_hit: live.export_limit.is_some_and(Limit::is_hit),
        ..ChannelStatistics::of_source(live.source)
    }
}
