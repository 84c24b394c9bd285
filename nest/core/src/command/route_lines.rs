//! The lines of `show route`.

use std::fmt::Write as _;
use std::net::IpAddr;

use dunlin_attr::display::{Style, lines, type_line};
use dunlin_attr::{Attrs, Dest, Hop, NextHop, Rts};
use dunlin_net::Network;
use dunlin_rib::nexthop::NextHopState;
use dunlin_rib::walk::RouteRow;
use dunlin_rib::{Resolve, Source};

use super::output::Output;

/// How routes are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Attributes too.
    pub(super) details: bool,
    /// Attribute names.
    pub(super) style: Style,
}

/// Shows one route. The network is named with the first of its routes; `time` is ready to show.
pub(super) fn route(
    output: &mut Output,
    look: Look,
    (net, is_first): (Network, bool),
    row: &RouteRow,
    attrs: &Attrs,
    time: &str,
) {
    let (mut kind, hops) = destination(attrs, &row.next_hop);
    if net.plain().is_none() {
        // No packets go anywhere by it.
        kind.clear();
    }
    let net = if is_first { net.to_string() } else { String::new() };
    let mut line = format!("{net:<20} {kind} [{} {time}", row.source.protocol);
    if let Some(from) = from(row, attrs, hops) {
        // Writing to a string cannot fail.
        let _ = write!(line, " from {from}");
    }
    line.push(']');
    line.push_str(if row.best { " *" } else { "" });
    line.push_str(&info(row, attrs));
    output.row(1007, &line);
    for hop in hops {
        output.row(1007, &format!("\t{}", hop.shown(hops.len() > 1)));
    }
    if look.details {
        details(output, look, row, attrs);
    }
}

fn details(output: &mut Output, look: Look, row: &RouteRow, attrs: &Attrs) {
    if look.style == Style::V2 {
        output.row(1008, &type_line(attrs));
    }
    let from = row.source.peer.as_ref().map(|peer| peer.address);
    for line in lines(attrs, look.style, from) {
        output.row(1012, &line);
    }
}

/// The word for what happens to packets, and the hops they take.
fn destination<'a>(attrs: &'a Attrs, state: &'a NextHopState) -> (String, &'a [Hop]) {
    let resolved = match attrs.next_hop() {
        NextHop::Bgp | NextHop::Recursive(_) if attrs.dest() == Dest::Unicast => match state {
            NextHopState::Reachable(hop) => Some(hop),
            NextHopState::Pending | NextHopState::Unreachable => {
                return (Dest::Unreachable.to_string(), &[]);
            }
        },
        NextHop::Hops(_) => match state {
            // The interface of a stated gateway is found out by the resolver.
            NextHopState::Reachable(hop) if !hop.hops.is_empty() => Some(hop),
            _ => None,
        },
        _ => None,
    };
    match resolved {
        Some(hop) => (hop.dest.to_string(), &hop.hops),
        None => (attrs.dest().to_string(), attrs.next_hop().hops()),
    }
}

/// The neighbour that sent the route, if its packets do not go there anyway.
fn from(row: &RouteRow, attrs: &Attrs, hops: &[Hop]) -> Option<IpAddr> {
    use dunlin_attr::{AttrId, Value};
    let stated = match attrs.extra_value(&AttrId::From) {
        Some(Value::Ip(address)) => Some(*address),
        _ => None,
    };
    let from = stated.or_else(|| row.source.peer.as_ref().map(|peer| peer.address))?;
    let gateway = hops.first().and_then(|hop| hop.gateway);
    (gateway != Some(from)).then_some(from)
}

fn info(row: &RouteRow, attrs: &Attrs) -> String {
    let mut text = format!(" ({}", attrs.preference());
    // A route of another protocol may carry BGP attributes too.
    let Some(bgp) = attrs.bgp().filter(|_| row.source.kind == Rts::Bgp) else {
        text.push(')');
        return text;
    };
    if is_recursive(&row.source) {
        // Writing to a string cannot fail.
        let _ = match &row.next_hop {
            NextHopState::Reachable(hop) if hop.igp_metric == u32::MAX => write!(text, "/?"),
            NextHopState::Reachable(hop) => write!(text, "/{}", hop.igp_metric),
            NextHopState::Pending | NextHopState::Unreachable => write!(text, "/-"),
        };
    }
    text.push_str(") [");
    if let Some(last) = bgp.as_path().last() {
        let _ = write!(text, "AS{last}");
    }
    if let Some(origin) = bgp.origin() {
        text.push(origin.letter());
    }
    text.push(']');
    text
}

fn is_recursive(source: &Source) -> bool {
    matches!(source.resolve, Resolve::Recursive { .. })
}
