//! The section.

use std::sync::Arc;

use dunlin_conf::{Parsed, Span};
use dunlin_core::config::{ConfigParser, Globals, no_effect, parse_any_table};
use dunlin_core::protocol::{
    ChannelKind, Difference, Differences, Effect, InstanceConfig, OtherChannel, ProtocolConfig,
    Section,
};
use dunlin_net::hash::Map;
use dunlin_net::{NetType, Network};

use crate::route::{Missing, Read, StaticRoute};

/// What a `protocol static` says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct StaticConfig {
    /// The routes, in the order of the configuration.
    pub routes: Vec<StaticRoute>,
    /// Gateways count only while their link works.
    pub check_link: bool,
    /// The table through which recursive routes are resolved; the channel's if none.
    pub igp_table: Option<Arc<str>>,
}

impl ProtocolConfig for StaticConfig {
    fn same(&self, other: &dyn ProtocolConfig) -> bool {
        other.downcast::<Self>() == Some(self)
    }

    fn differences(&self, _old: &InstanceConfig, new: &InstanceConfig, found: &mut Differences) {
        let Some(new) = new.specific::<Self>() else { return };
        let Self { routes, check_link, igp_table } = self;
        // It belongs to the source of the routes, which is made once.
        found.note(*igp_table != new.igp_table, "igp table", Effect::Restart);
        found.note(*check_link != new.check_link, "check link", Effect::Live);
        if *routes != new.routes {
            let detail = Some(changed_routes(routes, &new.routes));
            found.add(Difference { detail, ..Difference::new("route", Effect::Live) });
        }
    }
}

/// How many routes come, go and change, in words. Several of one network are told apart by their place.
fn changed_routes(old: &[StaticRoute], new: &[StaticRoute]) -> String {
    let mut left: Map<Network, Vec<&StaticRoute>> = Map::default();
    for route in old {
        left.entry(route.net).or_default().push(route);
    }
    // First the same routes, then the same networks, as the announcer takes them over.
    let others: Vec<&StaticRoute> = new
        .iter()
        .filter(|route| {
            let candidates = left.get_mut(&route.net);
            let same = candidates.and_then(|candidates| {
                let place = candidates.iter().position(|old| *old == *route)?;
                Some(candidates.swap_remove(place))
            });
            same.is_none()
        })
        .collect();
    let replaced = others.iter().filter(|route| {
        left.get_mut(&route.net).is_some_and(|candidates| candidates.pop().is_some())
    });
    let changed = replaced.count();
    let gone: usize = left.values().map(Vec::len).sum();
    format!("{} new, {gone} gone, {changed} changed", others.len() - changed)
}

/// The protocol's own part of a configuration; sections of this protocol always have one.
pub(crate) fn section_of(config: &InstanceConfig) -> &StaticConfig {
    static EMPTY: StaticConfig =
        StaticConfig { routes: Vec::new(), check_link: false, igp_table: None };
    config.specific::<StaticConfig>().unwrap_or(&EMPTY)
}

/// The section while it is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct StaticSection {
    config: StaticConfig,
    /// Where the routes are, in the same order.
    places: Vec<Span>,
    /// Routes of types that go nowhere yet.
    others: Vec<(NetType, Span)>,
    /// What keeps the routes from being announced.
    missing: Missing,
}

impl Section for StaticSection {
    fn inherit(&self) -> Box<dyn Section> {
        Box::new(self.clone())
    }

    fn statement(&mut self, parser: &mut ConfigParser, globals: &Globals) -> Parsed<bool> {
        if parser.eat_word("route") {
            let place = parser.token().span;
            match StaticRoute::parse(parser, &mut self.missing)? {
                Read::Route(route) => {
                    self.config.routes.push(route);
                    self.places.push(place);
                }
                Read::Other(net_type) => self.others.push((net_type, place)),
            }
        } else if parser.eat_words(&["check", "link"]) {
            self.config.check_link = parser.switch()?;
        } else if parser.eat_words(&["igp", "table"]) {
            let table = parse_any_table(parser, globals)?;
            if !matches!(table.net_type, NetType::Ip4 | NetType::Ip6) {
                let span = parser.previous().span;
                return Err(parser.error(span, "Incompatible IGP table type").into());
            }
            self.config.igp_table = Some(table.name);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn channel_statement(
        &mut self,
        parser: &mut ConfigParser,
        _globals: &Globals,
        _channel: ChannelKind,
    ) -> Parsed<bool> {
        let said = if parser.at_words(&["export", "limit"]) {
            parser.word_ahead(2) != Some("off")
        } else {
            parser.at_word("export") && parser.word_ahead(1) != Some("none")
        };
        // The words themselves are core's to read.
        let words = if parser.at_words(&["export", "limit"]) { "export limit" } else { "export" };
        let refused = parser.at_words(&["export", "in"]) || parser.at_words(&["export", "table"]);
        if said && !refused {
            no_effect(parser, parser.token().span, words, "static takes no routes from its table");
        }
        Ok(false)
    }

    fn finish(
        &self,
        parser: &mut ConfigParser,
        _globals: &Globals,
        config: &mut InstanceConfig,
    ) -> Parsed<Arc<dyn ProtocolConfig>> {
        let mut config_is_right = Ok(());
        // Whether there is one channel is for core to check.
        if let [wanted] = &*Self::net_types(config) {
            let own = self.config.routes.iter().map(|route| route.net.net_type());
            let own = own.zip(self.places.iter().copied());
            for (net_type, place) in own.chain(self.others.iter().copied()) {
                if net_type != *wanted {
                    config_is_right = Err(parser
                        .error(place, "Incompatible network type")
                        .because(format!("this is {net_type}, the channel is {wanted}")));
                }
            }
        }
        config_is_right?;
        if config.unbuilt.is_none() {
            config.unbuilt.clone_from(&self.missing);
        }
        Ok(Arc::new(self.config.clone()))
    }
}

impl StaticSection {
    /// What the channels carry, but for labels that belong to routes of another one.
    fn net_types(config: &InstanceConfig) -> Vec<NetType> {
        let alone = config.channels.is_empty() && config.others.len() == 1;
        let counts = |channel: OtherChannel| alone || channel != OtherChannel::MPLS;
        let others = config.others.iter().map(|other| other.channel).filter(|c| counts(*c));
        let built = config.channels.iter().map(|channel| channel.kind.net_type());
        built.chain(others.map(|channel| channel.net_type)).collect()
    }
}

#[cfg(test)]
mod tests;
