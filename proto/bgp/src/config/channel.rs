//! BGP's own statements in channel blocks.

use core::net::IpAddr;
use std::sync::Arc;

use dunlin_conf::{Parsed, Span, TokenKind};
use dunlin_core::config::{
    ConfigParser, Globals, TableConfig, no_effect, no_effect_yet, parse_any_table,
};
use dunlin_core::protocol::{ChannelConfig, ChannelKind, OtherChannel};
use dunlin_net::NetType;

use super::unbuilt::Unbuilt;
use super::{BgpConfig, ChannelOptions, Gateway, Scope};

/// A table that next hops of the channel's routes cannot be resolved in.
pub(super) const MISMATCHED_IGP_TABLE: &str = "Mismatched IGP table type";

/// A channel while its block is read.
#[derive(Clone, Debug)]
pub(super) struct ChannelDraft {
    pub(super) kind: ChannelKind,
    next_hop_self: Scope,
    next_hop_keep: Option<Scope>,
    next_hop_address: Option<IpAddr>,
    pub(super) gateway: Option<Gateway>,
    igp_table: Option<Arc<str>>,
    /// Where a table for next hops of the other family is named.
    pub(super) other_igp_table: Option<Span>,
    mandatory: bool,
    /// Routes are kept as they were received, rejected ones too.
    pub(super) import_table: bool,
    /// What does nothing yet.
    pub(super) unbuilt: Unbuilt,
}

impl ChannelDraft {
    pub(super) fn new(kind: ChannelKind) -> Self {
        Self {
            kind,
            next_hop_self: Scope::Off,
            next_hop_keep: None,
            next_hop_address: None,
            gateway: None,
            igp_table: None,
            other_igp_table: None,
            mandatory: false,
            import_table: false,
            unbuilt: Unbuilt::default(),
        }
    }

    pub(super) fn read_statement(
        &mut self,
        parser: &mut ConfigParser,
        globals: &Globals,
    ) -> Parsed<bool> {
        if parser.eat_words(&["next", "hop", "self"]) {
            self.next_hop_self = scope(parser)?;
        } else if parser.eat_words(&["next", "hop", "keep"]) {
            self.next_hop_keep = Some(scope(parser)?);
        } else if parser.eat_words(&["next", "hop", "address"]) {
            self.next_hop_address = Some(parser.ip()?);
        } else if parser.eat_word("gateway") {
            let ways = [("direct", Gateway::Direct), ("recursive", Gateway::Recursive)];
            self.gateway = Some(parser.expect_one_of(&ways)?);
        } else if parser.eat_words(&["igp", "table"]) {
            self.read_igp_table(parser, globals)?;
        } else if parser.eat_word("mandatory") {
            self.mandatory = parser.switch()?;
        } else if parser.eat_words(&["import", "table"]) {
            // What is received is always kept as it came, so there is nothing to switch but what
            // is shown.
            self.import_table = parser.switch()?;
        } else if parser.eat_words(&["export", "table"]) {
            let span = parser.previous().span;
            if parser.switch()? {
                no_effect_yet(parser, span, "export table");
            }
        } else if parser.at_words(&["export", "settle", "time"]) {
            let place = parser.token().span;
            parser.eat_words(&["export", "settle", "time"]);
            parser.time()?;
            parser.time()?;
            let reason = "changes leave when the neighbour reads, none waits to settle";
            no_effect(parser, place, "export settle time", reason);
        } else if parser.at_words(&["missing", "lladdr"]) {
            let place = parser.token().span;
            parser.eat_words(&["missing", "lladdr"]);
            parser.expect_one_of(&[("self", ()), ("drop", ()), ("ignore", ())])?;
            let reason = "routes without a link-local next hop need no special treatment";
            no_effect(parser, place, "missing lladdr", reason);
        } else {
            return self.unbuilt.channel(parser, globals);
        }
        Ok(true)
    }

    /// A table for each family that next hops may be of.
    fn read_igp_table(&mut self, parser: &mut ConfigParser, globals: &Globals) -> Parsed<()> {
        let place = parser.token().span;
        let table = parse_igp_table(parser, globals)?;
        if table.net_type == self.kind.net_type() {
            self.igp_table = Some(table.name);
        } else {
            no_effect_yet(parser, place, "igp table of the other family");
            self.other_igp_table = Some(place);
        }
        Ok(())
    }

    /// Whether it names a table for next hops that its routes cannot have.
    pub(super) fn has_idle_igp_table(&self) -> bool {
        self.other_igp_table.is_some() && !self.unbuilt.said.is_on("extended next hop", false)
    }

    /// Reads a statement of a channel that carries nothing yet, which has been said of the channel.
    pub(super) fn read_other(
        parser: &mut ConfigParser,
        globals: &Globals,
        channel: OtherChannel,
        unbuilt: &mut Unbuilt,
    ) -> Parsed<bool> {
        if parser.eat_words(&["igp", "table"]) {
            if matches!(channel.net_type, NetType::Flow4 | NetType::Flow6) {
                let place = parser.previous().span;
                return Err(parser.error(place, "IGP table not allowed here").into());
            }
            parse_igp_table(parser, globals)?;
            return Ok(true);
        }
        let mut scratch = Self::new(ChannelKind::Ipv4);
        core::mem::swap(&mut scratch.unbuilt, unbuilt);
        let read = scratch.read_statement(parser, globals);
        core::mem::swap(&mut scratch.unbuilt, unbuilt);
        read
    }

    /// The options with their defaults, which depend on the session.
    pub(super) fn options(&self, bgp: &BgpConfig, channel: &ChannelConfig) -> ChannelOptions {
        let keep = if bgp.rs_client {
            Scope::All
        } else if bgp.rr_client {
            Scope::Internal
        } else {
            Scope::Off
        };
        let gateway = if bgp.multihop.is_some() { Gateway::Recursive } else { Gateway::Direct };
        ChannelOptions {
            kind: self.kind,
            next_hop_self: self.next_hop_self,
            next_hop_keep: self.next_hop_keep.unwrap_or(keep),
            next_hop_address: self.next_hop_address,
            gateway: self.gateway.unwrap_or(gateway),
            igp_table: self.igp_table.clone().unwrap_or_else(|| channel.table.clone()),
            mandatory: self.mandatory,
        }
    }
}

/// The name of a table that next hops can be resolved in.
fn parse_igp_table(parser: &mut ConfigParser, globals: &Globals) -> Parsed<TableConfig> {
    let table = parse_any_table(parser, globals)?;
    if !matches!(table.net_type, NetType::Ip4 | NetType::Ip6) {
        let (place, why) = (parser.previous().span, format!("`{}` has no such routes", table.name));
        return Err(parser.error(place, MISMATCHED_IGP_TABLE).because(why));
    }
    Ok(table)
}

fn scope(parser: &mut ConfigParser) -> Parsed<Scope> {
    let words = [("ibgp", Scope::Internal), ("ebgp", Scope::External)];
    if let Some(scope) = parser.eat_one_of(&words) {
        return Ok(scope);
    }
    if parser.at(TokenKind::Semicolon) {
        return Ok(Scope::All);
    }
    Ok(if parser.switch()? { Scope::All } else { Scope::Off })
}
