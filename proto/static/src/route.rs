//! One route: its values, its grammar, its text.

use std::net::IpAddr;
use std::sync::Arc;

use dunlin_attr::Dest;
use dunlin_conf::{Parsed, TokenKind};
use dunlin_core::config::{ConfigParser, no_effect, no_effect_yet, parse_roa, unbuilt};
use dunlin_core::interfaces::is_link_local;
use dunlin_filter::{Program, parse_route_statements};
use dunlin_net::{Aspa, NetType, Network};

use crate::other;

/// A route of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticRoute {
    /// The network.
    pub net: Network,
    /// Where packets go.
    pub destination: Destination,
    /// What is done to it before it is announced.
    pub statements: Option<Arc<Program>>,
}

/// Where packets go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To these, shared by weight.
    Hops(Vec<Via>),
    /// Where the route to this address goes.
    Recursive(IpAddr),
    /// Nowhere.
    Sink(Dest),
    /// No packets are meant.
    None,
    /// No packets are meant: these are the providers of an AS.
    Providers(Arc<[u32]>),
}

/// One hop, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// The neighbour; none if the network is on the link itself.
    pub gateway: Option<IpAddr>,
    /// The interface; if none, the one on whose network the gateway is.
    pub interface: Option<Arc<str>>,
    /// The gateway is on the link though no address of the interface says so.
    pub onlink: bool,
    /// 1 to 256.
    pub weight: u16,
}

/// What stood behind `route`.
#[derive(Debug)]
pub(crate) enum Read {
    /// A route.
    Route(StaticRoute),
    /// A route of a type that goes nowhere yet.
    Other(NetType),
}

/// What a route asks for that is not built, and without which it must not be announced.
pub(crate) type Missing = Option<Arc<str>>;

impl StaticRoute {
    /// Reads what is behind `route`.
    ///
    /// # Errors
    /// If it is wrong; the diagnostic is recorded.
    pub(crate) fn parse(parser: &mut ConfigParser, missing: &mut Missing) -> Parsed<Read> {
        if parser.at_word("aspa") {
            return Self::aspa(parser).map(Read::Route);
        }
        let net = match other::network(parser)? {
            Some(other) => Err(other),
            None => {
                let prefix = parser.prefix()?;
                match parse_roa(parser, prefix)? {
                    Some(roa) => Ok(roa),
                    None => other::source(parser, prefix)?.map_or(Ok(prefix.into()), Err),
                }
            }
        };
        if parser.at_word("mpls") {
            read_labels(parser, missing)?;
        }
        let bare = parser.at(TokenKind::Semicolon) || parser.at(TokenKind::OpenBrace);
        let needs_none = match net {
            Ok(net) => net.plain().is_none(),
            Err(other) => other::needs_no_destination(other),
        };
        let destination = match bare && needs_none {
            true => Destination::None,
            false => Destination::parse(parser, missing)?,
        };
        let statements = statements(parser)?;
        Ok(match net {
            Ok(net) => Read::Route(Self { net, destination, statements }),
            Err(other) => Read::Other(other),
        })
    }

    /// `aspa ASN providers A, B` or `aspa ASN transit`
    fn aspa(parser: &mut ConfigParser) -> Parsed<Self> {
        parser.advance();
        let net = Network::Aspa(Aspa(parser.integer()?));
        // Who has no provider says so with the AS that nobody has.
        let mut providers = vec![0];
        if !parser.eat_word("transit") {
            if !parser.eat_word("providers") && !parser.eat_word("provider") {
                return Err(parser.unexpected(&["PROVIDERS", "TRANSIT"]));
            }
            providers = vec![parser.integer()?];
            while parser.eat(TokenKind::Comma) {
                providers.push(parser.integer()?);
            }
        }
        let destination = Destination::Providers(providers.into());
        Ok(Self { net, destination, statements: statements(parser)? })
    }

    /// The providers, if it is about them.
    pub(crate) fn providers(&self) -> Option<Arc<[u32]>> {
        match &self.destination {
            Destination::Providers(providers) => Some(Arc::clone(providers)),
            _ => None,
        }
    }

    /// The lines of `show static`; `usable` tells which hops are in use.
    pub fn show(&self, usable: impl Fn(&Via) -> bool, lines: &mut Vec<String>) {
        let net = self.net;
        match &self.destination {
            Destination::None => lines.push(format!("{net}\t")),
            Destination::Providers(providers) => {
                lines.push(format!("{net}\t{}", dunlin_attr::Value::Asns(Arc::clone(providers))));
            }
            Destination::Sink(dest) => lines.push(format!("{net}\t{dest}")),
            Destination::Recursive(address) => lines.push(format!("{net}\trecursive {address}")),
            Destination::Hops(hops) => {
                lines.push(net.to_string());
                for hop in hops {
                    let dormant = if usable(hop) { "" } else { " (dormant)" };
                    // As in `show route`: a hop that is alone shares nothing.
                    let weight = match hops.len() {
                        0 | 1 => String::new(),
                        _ => format!(" weight {}", hop.weight),
                    };
                    lines.push(format!("\t{}{weight}{dormant}", hop.text()));
                }
            }
        }
    }
}

impl Destination {
    fn parse(parser: &mut ConfigParser, missing: &mut Missing) -> Parsed<Self> {
        const SINKS: &[(&str, Dest)] = &[
            ("reject", Dest::Unreachable),
            ("unreachable", Dest::Unreachable),
            ("drop", Dest::Blackhole),
            ("blackhole", Dest::Blackhole),
            ("prohibit", Dest::Prohibit),
        ];
        if let Some(dest) = parser.eat_one_of(SINKS) {
            return Ok(Self::Sink(dest));
        }
        if parser.eat_word("recursive") {
            let address = parser.ip()?;
            if parser.at_word("mpls") {
                read_labels(parser, missing)?;
            }
            return Ok(Self::Recursive(address));
        }
        let mut hops = Vec::new();
        while parser.eat_word("via") {
            hops.push(Via::parse(parser, missing)?);
        }
        if hops.is_empty() {
            return Err(parser.error_here("Unexpected or missing nexthop/type").because(
                "say where packets go: via ADDRESS, via \"INTERFACE\", recursive ADDRESS, \
                 blackhole, unreachable or prohibit",
            ));
        }
        Ok(Self::Hops(hops))
    }
}

impl Via {
    /// Reads what is behind `via`.
    fn parse(parser: &mut ConfigParser, missing: &mut Missing) -> Parsed<Self> {
        let place = parser.token().span;
        let mut via = Self { gateway: None, interface: None, onlink: false, weight: 1 };
        if parser.at(TokenKind::String) {
            via.interface = Some(interface_name(parser)?);
        } else {
            via.gateway = Some(parser.ip()?);
            if parser.eat(TokenKind::Percent) {
                via.interface = Some(interface_name(parser)?);
            }
        }
        while via.option(parser, missing)? {}
        match via.gateway {
            Some(gateway) if via.interface.is_none() && is_link_local(gateway) => {
                parser.warning(place, "Link-local gateway without an interface").hint(format!(
                    "such an address is only known on its link: write {gateway}%INTERFACE"
                ));
            }
            Some(_) if via.interface.is_none() && via.onlink => {
                return Err(parser
                    .error(place, "Onlink gateway without an interface")
                    .because("write via ADDRESS%INTERFACE onlink"));
            }
            None if via.onlink => {
                via.onlink = false;
                no_effect(parser, place, "onlink", "the network is on the interface itself");
            }
            _ => {}
        }
        Ok(via)
    }

    /// Reads one option of a hop; false if there is none.
    fn option(&mut self, parser: &mut ConfigParser, missing: &mut Missing) -> Parsed<bool> {
        if parser.eat_word("dev") {
            let span = parser.token().span;
            let name = interface_name(parser)?;
            if self.interface.replace(name).is_some() {
                return Err(parser.error(span, "The interface is given twice").into());
            }
        } else if parser.eat_word("onlink") {
            self.onlink = hop_switch(parser)?;
        } else if parser.eat_word("weight") {
            let weight = parser.integer_in("Weight", 1..=256)?;
            self.weight = u16::try_from(weight).unwrap_or(1);
        } else if parser.at_word("bfd") {
            let span = parser.token().span;
            parser.advance();
            if hop_switch(parser)? {
                if self.onlink {
                    let text = "BFD cannot be used with an onlink next hop";
                    return Err(parser.error(span, text).into());
                }
                no_effect_yet(parser, span, "bfd");
            }
        } else if parser.at_word("mpls") {
            read_labels(parser, missing)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// As `show static` shows it.
    fn text(&self) -> String {
        let interface = self.interface.as_deref();
        let mut text = match (self.gateway, interface) {
            (Some(gateway), Some(name)) => format!("via {gateway}%{name}"),
            (Some(gateway), None) => format!("via {gateway}"),
            (None, name) => format!("dev {}", name.unwrap_or("?")),
        };
        if self.onlink {
            text.push_str(" onlink");
        }
        text
    }
}

/// Statements behind a route, if there are some.
fn statements(parser: &mut ConfigParser) -> Parsed<Option<Arc<Program>>> {
    match parser.at(TokenKind::OpenBrace) {
        true => parse_route_statements(parser).map(Some),
        false => Ok(None),
    }
}

/// The name of an interface, quoted or not.
fn interface_name(parser: &mut ConfigParser) -> Parsed<Arc<str>> {
    let token = parser.token();
    if !token.kind.is_name() && token.kind != TokenKind::String {
        return Err(parser.unexpected(&["TEXT", "CF_SYM_UNDEFINED"]));
    }
    let name: Arc<str> = Arc::from(parser.text(token.span));
    if dunlin_attr::IfaceName::new(&name).is_none() {
        return Err(parser
            .error(token.span, format!("Invalid interface name {name}"))
            .because("names of interfaces have 1 to 15 bytes"));
    }
    parser.advance();
    Ok(name)
}

/// A switch that other options may follow; alone it means on.
fn hop_switch(parser: &mut ConfigParser) -> Parsed<bool> {
    let follows = ["via", "dev", "onlink", "weight", "bfd", "mpls"];
    let last = parser.at(TokenKind::OpenBrace) || follows.iter().any(|word| parser.at_word(word));
    if last { Ok(true) } else { parser.switch() }
}

/// `mpls N[/N…]`: packets would go out without their labels.
fn read_labels(parser: &mut ConfigParser, missing: &mut Missing) -> Parsed<()> {
    let place = parser.advance().span;
    other::labels(parser)?;
    *missing = Some(unbuilt(parser, place, "MPLS on a static route"));
    Ok(())
}
