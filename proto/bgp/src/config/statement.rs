//! The statements of a section.

use core::net::IpAddr;
use core::time::Duration;

use dunlin_conf::{Parsed, TokenKind};
use dunlin_core::config::{ConfigParser, Globals, no_effect, no_effect_yet};

use super::{BgpConfig, BgpSection, Remote};
use crate::fsm::{CeaseMask, Neighbor};
use crate::wire::capability::Role;

/// An option that is on or off: its words and where it goes.
type Switch = (&'static [&'static str], fn(&mut BgpConfig) -> &mut bool);

const SWITCHES: &[Switch] = &[
    (&["onlink"], |c| &mut c.onlink),
    (&["passive"], |c| &mut c.passive),
    (&["ttl", "security"], |c| &mut c.ttl_security),
    (&["strict", "bind"], |c| &mut c.strict_bind),
    (&["free", "bind"], |c| &mut c.free_bind),
    (&["rr", "client"], |c| &mut c.rr_client),
    (&["rs", "client"], |c| &mut c.rs_client),
    (&["allow", "bgp_local_pref"], |c| &mut c.allow_local_pref),
    (&["allow", "bgp_med"], |c| &mut c.allow_med),
    (&["allow", "as", "sets"], |c| &mut c.allow_as_sets),
    (&["enforce", "first", "as"], |c| &mut c.enforce_first_as),
    (&["interpret", "communities"], |c| &mut c.interpret_communities),
    (&["path", "metric"], |c| &mut c.path_metric),
    (&["med", "metric"], |c| &mut c.med_metric),
    (&["igp", "metric"], |c| &mut c.igp_metric),
    (&["prefer", "older"], |c| &mut c.prefer_older),
    (&["enable", "route", "refresh"], |c| &mut c.announced.route_refresh),
    (&["enable", "as4"], |c| &mut c.announced.as4),
    (&["enable", "extended", "messages"], |c| &mut c.announced.extended_message),
    (&["advertise", "hostname"], |c| &mut c.announced.hostname),
    (&["capabilities"], |c| &mut c.announced.any),
    (&["require", "route", "refresh"], |c| &mut c.required.route_refresh),
    (&["require", "enhanced", "route", "refresh"], |c| &mut c.required.enhanced_refresh),
    (&["require", "as4"], |c| &mut c.required.as4),
    (&["require", "extended", "messages"], |c| &mut c.required.extended_message),
    (&["require", "hostname"], |c| &mut c.required.hostname),
    (&["require", "graceful", "restart"], |c| &mut c.required.graceful_restart),
    (&["require", "long", "lived", "graceful", "restart"], |c| &mut c.required.long_lived),
    (&["require", "roles"], |c| &mut c.required.role),
    (&["disable", "after", "error"], |c| &mut c.disable_after_error),
];

const ROLES: [(&str, Role); 5] = [
    ("provider", Role::Provider),
    ("rs_server", Role::RouteServer),
    ("rs_client", Role::RouteServerClient),
    ("customer", Role::Customer),
    ("peer", Role::Peer),
];

const CEASES: [(&[&str], u16); 9] = [
    (&["cease"], 1),
    (&["prefix", "limit", "hit"], 1 << 1),
    (&["administrative", "shutdown"], 1 << 2),
    (&["peer", "deconfigured"], 1 << 3),
    (&["administrative", "reset"], 1 << 4),
    (&["connection", "rejected"], 1 << 5),
    (&["configuration", "change"], 1 << 6),
    (&["connection", "collision"], 1 << 7),
    (&["out", "of", "resources"], 1 << 8),
];

impl BgpSection {
    pub(super) fn read_statement(
        &mut self,
        parser: &mut ConfigParser,
        globals: &Globals,
    ) -> Parsed<bool> {
        for (words, place) in SWITCHES {
            if parser.eat_words(words) {
                *place(&mut self.config) = parser.switch()?;
                return Ok(true);
            }
        }
        let known =
            self.read_peers(parser)? || self.read_policy(parser)? || self.read_timers(parser)?;
        Ok(known || self.unbuilt.session(parser, globals)?)
    }

    /// Who talks to whom, and over what.
    fn read_peers(&mut self, parser: &mut ConfigParser) -> Parsed<bool> {
        if parser.eat_words(&["local", "role"]) {
            self.config.role = Some(parser.expect_one_of(&ROLES)?);
        } else if parser.eat_word("local") {
            self.read_local(parser)?;
        } else if parser.eat_word("neighbor") {
            self.read_neighbor(parser)?;
        } else if parser.eat_words(&["source", "address"]) {
            self.config.source = Some(parser.ip()?);
        } else if parser.at_words(&["interface", "range"]) {
            return Ok(false);
        } else if parser.eat_word("interface") {
            self.config.interface = Some(parser.string()?);
        } else if parser.eat_word("direct") {
            self.hops = Some(0);
        } else if parser.eat_word("multihop") {
            self.hops = Some(read_hops(parser)?);
        } else if parser.eat_words(&["check", "link"]) {
            self.check_link = Some(parser.switch()?);
        } else if parser.eat_word("password") {
            self.config.password = Some(parser.string()?);
        } else if parser.eat_words(&["authentication", "none"]) {
            self.md5 = Some(false);
        } else if parser.eat_words(&["authentication", "md5"]) {
            self.md5 = Some(true);
        } else if parser.eat_word("setkey") {
            let place = parser.previous().span;
            parser.switch()?;
            let reason =
                "keys are set on the session's own socket, there are no keys of the system";
            no_effect(parser, place, "setkey", reason);
        } else if parser.eat_words(&["dynamic", "name", "digits"]) {
            let digits = parser.integer_in("Dynamic name digits", 0..=10)?;
            self.config.dynamic_digits = usize::try_from(digits).unwrap_or(0);
        } else if parser.eat_words(&["dynamic", "name"]) {
            self.config.dynamic_name = parser.string()?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// `local [IP] [port N] [as N]`
    fn read_local(&mut self, parser: &mut ConfigParser) -> Parsed<()> {
        loop {
            if parser.eat_word("port") {
                self.config.port = read_port(parser)?;
            } else if parser.eat_word("as") {
                self.local_as = Some(read_as(parser)?);
            } else if parser.at(TokenKind::Semicolon) {
                return Ok(());
            } else {
                self.config.source = Some(parser.ip()?);
            }
        }
    }

    /// `neighbor [IP[%if] | range PREFIX] [port N] [as N] [internal | external] [onlink]`
    fn read_neighbor(&mut self, parser: &mut ConfigParser) -> Parsed<()> {
        loop {
            if parser.eat_word("port") {
                self.config.remote_port = read_port(parser)?;
            } else if parser.eat_word("as") {
                self.neighbor = Some(Neighbor::As(read_as(parser)?));
            } else if parser.eat_word("internal") {
                self.set_kind(Neighbor::Internal);
            } else if parser.eat_word("external") {
                self.set_kind(Neighbor::External);
            } else if parser.eat_word("onlink") {
                self.config.onlink = true;
            } else if parser.eat_word("range") {
                let prefix = parser.prefix()?;
                self.set_range(parser, prefix);
            } else if parser.at(TokenKind::Semicolon) {
                return Ok(());
            } else {
                self.read_neighbor_address(parser)?;
            }
        }
    }

    fn read_neighbor_address(&mut self, parser: &mut ConfigParser) -> Parsed<()> {
        let address: IpAddr = parser.ip()?;
        self.set_remote(parser, Remote::Address(address));
        if parser.eat(TokenKind::Percent) {
            let interface =
                if parser.at(TokenKind::String) { parser.string()? } else { parser.name()?.0 };
            self.config.interface = Some(interface);
        }
        Ok(())
    }

    fn set_kind(&mut self, kind: Neighbor) {
        self.kind = Some(kind);
        self.neighbor.get_or_insert(kind);
    }

    fn read_policy(&mut self, parser: &mut ConfigParser) -> Parsed<bool> {
        let config = &mut self.config;
        if parser.eat_words(&["rr", "cluster", "id"]) {
            config.cluster_id = Some(parser.id()?);
        } else if parser.eat_words(&["allow", "local", "as"]) {
            let bare = parser.at(TokenKind::Semicolon);
            config.allow_local_as = if bare { u32::MAX } else { parser.integer()? };
        } else if parser.eat_words(&["default", "bgp_local_pref"]) {
            config.default_local_pref = parser.integer()?;
        } else if parser.eat_words(&["default", "bgp_med"]) {
            config.default_med = parser.integer()?;
        } else if parser.eat_words(&["disable", "after", "cease"]) {
            config.disable_after_cease = read_ceases(parser)?;
        } else if parser.eat_words(&["enable", "enhanced", "route", "refresh"]) {
            let span = parser.previous().span;
            self.enhanced_refresh = parser.switch()?;
            if self.enhanced_refresh {
                no_effect_yet(parser, span, "enable enhanced route refresh");
            }
        } else if parser.eat_words(&["tx", "size", "warning"]) {
            let span = parser.previous().span;
            parser.integer()?;
            no_effect_yet(parser, span, "tx size warning");
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn read_timers(&mut self, parser: &mut ConfigParser) -> Parsed<bool> {
        let timers = &mut self.config.timers;
        if parser.eat_words(&["hold", "time"]) {
            timers.hold = read_hold(parser, "Hold time")?;
        } else if parser.eat_words(&["min", "hold", "time"]) {
            timers.min_hold = parser.seconds()?;
        } else if parser.eat_words(&["startup", "hold", "time"]) {
            timers.startup_hold = read_hold(parser, "Startup hold time")?;
        } else if parser.eat_words(&["keepalive", "time"]) {
            self.keepalive_span = Some(parser.token().span);
            let seconds = parser.integer_in("Keepalive time", 1..=65535)?;
            timers.keepalive = Some(Duration::from_secs(u64::from(seconds)));
        } else if parser.eat_words(&["min", "keepalive", "time"]) {
            timers.min_keepalive = parser.seconds()?;
        } else if parser.eat_words(&["send", "hold", "time"]) {
            timers.send_hold = Some(parser.seconds()?);
        } else if parser.eat_words(&["connect", "delay", "time"])
            || parser.eat_words(&["start", "delay", "time"])
        {
            timers.connect_delay = parser.seconds()?;
        } else if parser.eat_words(&["connect", "retry", "time"]) {
            timers.connect_retry = parser.seconds()?;
        } else if parser.eat_words(&["error", "wait", "time"]) {
            let least = parser.seconds()?;
            parser.expect(TokenKind::Comma)?;
            timers.error_wait = (least, parser.seconds()?);
        } else if parser.eat_words(&["error", "forget", "time"]) {
            timers.error_forget = parser.seconds()?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }
}

fn read_port(parser: &mut ConfigParser) -> Parsed<u16> {
    let port = parser.integer_in("Port", 1..=65535)?;
    Ok(u16::try_from(port).unwrap_or(super::PORT))
}

fn read_as(parser: &mut ConfigParser) -> Parsed<u32> {
    parser.integer_in("AS number", 1..=u32::MAX)
}

fn read_hops(parser: &mut ConfigParser) -> Parsed<u8> {
    if parser.at(TokenKind::Semicolon) {
        return Ok(64);
    }
    let hops = parser.integer_in("Multihop", 1..=255)?;
    Ok(u8::try_from(hops).unwrap_or(64))
}

fn read_hold(parser: &mut ConfigParser, what: &str) -> Parsed<Duration> {
    let span = parser.token().span;
    let seconds = parser.integer_in(what, 0..=65535)?;
    if matches!(seconds, 1 | 2) {
        return Err(parser.error(span, format!("{what} must be in range 3-65535 or zero")).into());
    }
    Ok(Duration::from_secs(u64::from(seconds)))
}

/// A switch, or `{ cause, cause }`.
fn read_ceases(parser: &mut ConfigParser) -> Parsed<CeaseMask> {
    if !parser.eat(TokenKind::OpenBrace) {
        return Ok(if parser.switch()? { CeaseMask::SWITCH } else { CeaseMask::default() });
    }
    let mut mask = 0;
    loop {
        let Some((_, bit)) = CEASES.iter().find(|(words, _)| parser.eat_words(words)) else {
            return Err(parser.unexpected(&[]));
        };
        mask |= bit;
        if !parser.eat(TokenKind::Comma) {
            parser.expect(TokenKind::CloseBrace)?;
            return Ok(CeaseMask(mask));
        }
    }
}
