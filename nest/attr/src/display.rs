//! The attribute lines of `show route all`, without reply codes and line ends.

use core::fmt::{self, Write};
use core::net::IpAddr;

use dunlin_net::community::{Communities, Element, ExtCommunities, LargeCommunities, List, Quad};

use crate::attrs::Attrs;
use crate::bgp::{BgpView, Tlv, flag, kind};
use crate::extra::{AttrId, Hex, Value};

/// Which names attributes have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `bgp_origin: IGP`
    V3,
    /// `BGP.origin: IGP`, without preference and from: a socket with `v2 attributes`.
    V2,
}

/// A line is cut at, a list is continued before, this many bytes.
const LINE_MAX: usize = 500;

/// The lines of a set. `from` is the router that the route was learned from; an attribute `from` in
/// the set goes before it.
pub fn lines(attrs: &Attrs, style: Style, from: Option<IpAddr>) -> Vec<String> {
    let mut lines = Lines { style, lines: Vec::with_capacity(12) };
    if style == Style::V3 {
        lines.plain("preference", attrs.preference());
        match (attrs.extra_value(&AttrId::From), from) {
            (Some(value), _) => lines.plain("from", value),
            (None, Some(from)) => lines.plain("from", from),
            (None, None) => {}
        }
        lines.plain("source", attrs.source());
    }
    for (id, value) in attrs.extra().iter().filter(|(id, _)| is_before_bgp(id)) {
        lines.extra(id, value);
    }
    if let Some(bgp) = attrs.bgp() {
        lines.bgp(bgp);
    }
    for (id, value) in attrs.extra().iter().filter(|(id, _)| !is_before_bgp(id)) {
        lines.extra(id, value);
    }
    lines.lines
}

/// The line of code 1008 that `v2 attributes` has before the others.
pub fn type_line(attrs: &Attrs) -> String {
    format!("\tType: {} univ", attrs.source())
}

const fn is_before_bgp(id: &AttrId) -> bool {
    matches!(id, AttrId::From | AttrId::IgpMetric | AttrId::LocalMetric)
}

struct Lines {
    style: Style,
    lines: Vec<String>,
}

impl Lines {
    fn plain(&mut self, name: &str, value: impl fmt::Display) {
        let mut line = format!("\t{name}: {value}");
        if line.len() > LINE_MAX {
            let end = (0..=LINE_MAX).rev().find(|end| line.is_char_boundary(*end));
            line.truncate(end.unwrap_or(0));
        }
        self.lines.push(line);
    }

    fn extra(&mut self, id: &AttrId, value: &Value) {
        let name = match self.style {
            Style::V3 => id.name(),
            Style::V2 => id.v2_name(),
        };
        match (id, value) {
            (AttrId::From, _) => {}
            (AttrId::LocalMetric, _) if self.style == Style::V2 => {}
            (AttrId::OspfTag, Value::Int(tag)) => self.plain(name, format_args!("0x{tag:08x}")),
            (AttrId::RipTag, Value::Int(tag)) => self.plain(name, format_args!("{tag:04x}")),
            (_, Value::Communities(list)) => self.list(name, Communities::new(list)),
            (_, Value::ExtCommunities(list)) => self.list(name, ExtCommunities::new(list)),
            (_, Value::LargeCommunities(list)) => self.list(name, LargeCommunities::new(list)),
            _ => self.plain(name, value),
        }
    }

    /// Known attributes first, LOCAL_PREF before MED; then the unknown ones by type.
    fn bgp(&mut self, bgp: BgpView<'_>) {
        for kind in [kind::ORIGIN, kind::AS_PATH] {
            self.known(bgp, kind);
        }
        if let Some(next_hop) = bgp.next_hop() {
            let name = known_name(kind::NEXT_HOP, self.style).unwrap_or_default();
            match next_hop.link_local {
                Some(link_local) => {
                    self.plain(name, format_args!("{} {link_local}", next_hop.global));
                }
                None => self.plain(name, next_hop.global),
            }
        }
        for kind in [kind::LOCAL_PREF, kind::MULTI_EXIT_DISC] {
            self.known(bgp, kind);
        }
        for tlv in bgp.tlvs().filter(|tlv| tlv.kind > kind::LOCAL_PREF) {
            self.known(bgp, tlv.kind);
        }
        for tlv in bgp.tlvs() {
            self.unknown(tlv);
        }
    }

    fn known(&mut self, bgp: BgpView<'_>, kind: u8) {
        let Some((_, value)) = bgp.raw(kind) else { return };
        let Some(name) = known_name(kind, self.style) else { return };
        match kind {
            kind::ORIGIN => self.option(name, bgp.origin()),
            kind::AS_PATH => self.plain(name, bgp.as_path()),
            kind::MULTI_EXIT_DISC => self.option(name, bgp.med()),
            kind::LOCAL_PREF => self.option(name, bgp.local_pref()),
            kind::ATOMIC_AGGREGATE => self.plain(name, ""),
            kind::AGGREGATOR => {
                let shown = bgp.aggregator().map(|by| format!("{} AS{}", by.router, by.asn));
                self.option(name, shown);
            }
            kind::COMMUNITIES => self.list(name, bgp.communities()),
            kind::ORIGINATOR_ID => {
                self.option(name, bgp.originator_id().map(Quad));
            }
            kind::CLUSTER_LIST => self.list(name, bgp.cluster_list()),
            kind::EXT_COMMUNITIES => self.list(name, bgp.ext_communities()),
            kind::PMSI_TUNNEL => self.plain(name, pmsi(value)),
            kind::AIGP => self.option(name, bgp.aigp()),
            kind::LARGE_COMMUNITIES => self.list(name, bgp.large_communities()),
            kind::ONLY_TO_CUSTOMER => self.option(name, bgp.only_to_customer()),
            _ => {}
        }
    }

    fn unknown(&mut self, tlv: Tlv<'_>) {
        if known_name(tlv.kind, self.style).is_some() {
            return;
        }
        let transitive = tlv.flags & flag::TRANSITIVE != 0;
        let shown = |between| Hex { bytes: tlv.value, between };
        match self.style {
            Style::V3 => {
                let space = if tlv.value.is_empty() || !transitive { "" } else { " " };
                let flags = if transitive { "(transitive)" } else { "" };
                self.plain(
                    &format!("bgp_unknown_0x{:02x}", tlv.kind),
                    format_args!("{}{space}{flags}", shown(":")),
                );
            }
            Style::V2 => {
                let flags = if transitive { " [t]" } else { "" };
                self.plain(&format!("BGP.{:02x}{flags}", tlv.kind), shown(" "));
            }
        }
    }

    /// A value that does not decode is shown as a question mark.
    fn option(&mut self, name: &str, value: Option<impl fmt::Display>) {
        match value {
            Some(value) => self.plain(name, value),
            None => self.plain(name, "?"),
        }
    }

    /// A list that is too long for one line goes on in others, after two tabs.
    fn list<E: Element>(&mut self, name: &str, list: List<'_, E>) {
        let mut line = format!("\t{name}:");
        if list.is_empty() {
            line.push(' ');
        }
        let mut text = String::new();
        let mut is_first = true;
        for element in list.iter() {
            text.clear();
            // Writing to a string can't fail.
            let _ = write!(text, "{element}");
            if line.len() + 1 + text.len() > LINE_MAX && !is_first {
                self.lines.push(core::mem::replace(&mut line, "\t\t".into()));
                line.push_str(&text);
                continue;
            }
            is_first = false;
            line.push(' ');
            line.push_str(&text);
        }
        self.lines.push(line);
    }
}

/// The full name of an attribute of a known type.
const fn known_name(kind: u8, style: Style) -> Option<&'static str> {
    let (v3, v2) = match kind {
        kind::ORIGIN => ("bgp_origin", "BGP.origin"),
        kind::AS_PATH => ("bgp_path", "BGP.as_path"),
        kind::NEXT_HOP => ("bgp_next_hop", "BGP.next_hop"),
        kind::MULTI_EXIT_DISC => ("bgp_med", "BGP.med"),
        kind::LOCAL_PREF => ("bgp_local_pref", "BGP.local_pref"),
        kind::ATOMIC_AGGREGATE => ("bgp_atomic_aggr", "BGP.atomic_aggr"),
        kind::AGGREGATOR => ("bgp_aggregator", "BGP.aggregator"),
        kind::COMMUNITIES => ("bgp_community", "BGP.community"),
        kind::ORIGINATOR_ID => ("bgp_originator_id", "BGP.originator_id"),
        kind::CLUSTER_LIST => ("bgp_cluster_list", "BGP.cluster_list"),
        kind::EXT_COMMUNITIES => ("bgp_ext_community", "BGP.ext_community"),
        kind::PMSI_TUNNEL => ("bgp_pmsi_tunnel", "BGP.pmsi_tunnel"),
        kind::AIGP => ("bgp_aigp", "BGP.aigp"),
        kind::LARGE_COMMUNITIES => ("bgp_large_community", "BGP.large_community"),
        kind::ONLY_TO_CUSTOMER => ("bgp_otc", "BGP.otc"),
        _ => return None,
    };
    Some(match style {
        Style::V3 => v3,
        Style::V2 => v2,
    })
}

/// `type 6 0a:00:00:02`: the tunnel's type and identifier (RFC 6514 section 5).
fn pmsi(value: &[u8]) -> String {
    match value {
        [_flags, kind, _, _, _label, identifier @ ..] => {
            format!("type {kind} {}", Hex { bytes: identifier, between: ":" })
        }
        _ => "?".into(),
    }
}

#[cfg(test)]
mod tests {
    use dunlin_net::as_path::AsPathBuf;
    use dunlin_net::community::{
        ClusterListBuf, CommunitiesBuf, Community, ExtCommunitiesBuf, LargeCommunitiesBuf,
    };

    use super::*;
    use crate::bgp::{Aggregator, BgpNextHop};
    use crate::builder::AttrsBuilder;
    use crate::kinds::{Origin, Rts};
    use crate::next_hop::NextHop;

    fn typical() -> AttrsBuilder {
        let mut builder = AttrsBuilder::new(Rts::Bgp);
        builder.set_preference(100);
        builder.set_next_hop(NextHop::Bgp);
        builder.set_bgp_next_hop(Some(BgpNextHop::new("10.9.0.2".parse().unwrap())));
        builder.set_origin(Origin::Igp);
        builder.set_as_path("65002 64998 64999".parse::<AsPathBuf>().unwrap().view()).unwrap();
        builder.set_local_pref(Some(100));
        builder.set_med(Some(55));
        let list: CommunitiesBuf = "(65002,1) (65002,2)".parse().unwrap();
        builder.set_communities(list.view()).unwrap();
        let list: ExtCommunitiesBuf = "(rt, 65001, 9)".parse().unwrap();
        builder.set_ext_communities(list.view()).unwrap();
        let list: LargeCommunitiesBuf = "(65002, 1, 1)".parse().unwrap();
        builder.set_large_communities(list.view()).unwrap();
        builder
    }

    #[test]
    fn a_bgp_route() {
        let shown = lines(&typical().finish(), Style::V3, Some("10.9.0.2".parse().unwrap()));
        let expected = [
            "\tpreference: 100",
            "\tfrom: 10.9.0.2",
            "\tsource: BGP",
            "\tbgp_origin: IGP",
            "\tbgp_path: 65002 64998 64999",
            "\tbgp_next_hop: 10.9.0.2",
            "\tbgp_local_pref: 100",
            "\tbgp_med: 55",
            "\tbgp_community: (65002,1) (65002,2)",
            "\tbgp_ext_community: (rt, 65001, 9)",
            "\tbgp_large_community: (65002, 1, 1)",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_bgp_route_with_v2_names() {
        let attrs = typical().finish();
        let shown = lines(&attrs, Style::V2, Some("10.9.0.2".parse().unwrap()));
        let expected = [
            "\tBGP.origin: IGP",
            "\tBGP.as_path: 65002 64998 64999",
            "\tBGP.next_hop: 10.9.0.2",
            "\tBGP.local_pref: 100",
            "\tBGP.med: 55",
            "\tBGP.community: (65002,1) (65002,2)",
            "\tBGP.ext_community: (rt, 65001, 9)",
            "\tBGP.large_community: (65002, 1, 1)",
        ];
        assert_eq!(shown, expected);
        assert_eq!(type_line(&attrs), "\tType: BGP univ");
    }

    #[test]
    fn rare_attributes() {
        let mut builder = AttrsBuilder::new(Rts::Bgp);
        let link_local = Some("fe80::cafe".parse().unwrap());
        builder.set_bgp_next_hop(Some(BgpNextHop { global: "::".parse().unwrap(), link_local }));
        builder.set_as_path(AsPathBuf::new().view()).unwrap();
        builder.set_atomic_aggregate(true);
        let router = "10.0.0.2".parse().unwrap();
        builder.set_aggregator(Some(Aggregator { asn: 0, router }));
        builder.set_originator_id(Some(0x0a00_0001));
        let clusters: ClusterListBuf = "10.0.0.1 10.0.0.2".parse().unwrap();
        builder.set_cluster_list(clusters.view()).unwrap();
        builder.set_raw(kind::PMSI_TUNNEL, None, &[0, 8, 0, 0, 0, 10, 0, 0, 2]).unwrap();
        builder.set_raw(kind::AIGP, None, &[1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 9]).unwrap();
        builder.set_only_to_customer(Some(0));
        builder.set_raw(0x63, None, &[0xde, 0xad]).unwrap();
        builder.set_raw(0xfe, Some(0x80), &[1]).unwrap();
        let shown = lines(&builder.finish(), Style::V3, None);
        let expected = [
            "\tpreference: 0",
            "\tsource: BGP",
            "\tbgp_path: ",
            "\tbgp_next_hop: :: fe80::cafe",
            "\tbgp_atomic_aggr: ",
            "\tbgp_aggregator: 10.0.0.2 AS0",
            "\tbgp_originator_id: 10.0.0.1",
            "\tbgp_cluster_list: 10.0.0.1 10.0.0.2",
            "\tbgp_pmsi_tunnel: type 8 0a:00:00:02",
            "\tbgp_aigp: 9",
            "\tbgp_otc: 0",
            "\tbgp_unknown_0x63: de:ad (transitive)",
            "\tbgp_unknown_0xfe: 01",
        ];
        assert_eq!(shown, expected);
        builder.set_raw(kind::AIGP, None, &[9]).unwrap();
        let shown = lines(&builder.finish(), Style::V2, None);
        assert!(shown.contains(&"\tBGP.aigp: ?".to_owned()), "{shown:?}");
        assert!(shown.contains(&"\tBGP.63 [t]: de ad".to_owned()), "{shown:?}");
    }

    #[test]
    fn other_protocols() {
        let mut builder = AttrsBuilder::new(Rts::OspfExt2);
        builder.set_preference(150);
        builder.set_extra(AttrId::OspfTag, Value::Int(0));
        builder.set_extra(AttrId::OspfMetric2, Value::Int(10000));
        builder.set_extra(AttrId::OspfMetric1, Value::Int(10));
        builder.set_extra(AttrId::OspfRouterId, Value::Quad(0x0a62_0002));
        builder.set_extra(AttrId::Custom("mine".into()), Value::Bool(true));
        let shown = lines(&builder.finish(), Style::V3, None);
        let expected = [
            "\tpreference: 150",
            "\tsource: OSPF-E2",
            "\tospf_metric1: 10",
            "\tospf_metric2: 10000",
            "\tospf_tag: 0x00000000",
            "\tospf_router_id: 10.98.0.2",
            "\tmine: TRUE",
        ];
        assert_eq!(shown, expected);
        let shown = lines(&builder.finish(), Style::V2, None);
        assert_eq!(shown.first().map(String::as_str), Some("\tOSPF.metric1: 10"));
    }

    #[test]
    fn long_lists_go_on_after_two_tabs_and_lose_nothing() {
        let list: CommunitiesBuf =
            (0..200).map(|data| Community::new(65000, 10000 + data)).collect();
        let mut builder = AttrsBuilder::new(Rts::Bgp);
        builder.set_communities(list.view()).unwrap();
        let shown = lines(&builder.finish(), Style::V3, None).split_off(2);
        assert!(shown.len() > 4);
        assert!(shown[0].starts_with("\tbgp_community: (65000,10000) "));
        assert!(shown[1..].iter().all(|line| line.starts_with("\t\t(")));
        assert!(shown.iter().all(|line| line.len() <= LINE_MAX && line.ends_with(')')));
        let text = shown.concat().replace("\tbgp_community:", "").replace("\t\t", " ");
        assert_eq!(text.trim(), list.to_string());
    }

    #[test]
    fn long_paths_are_cut() {
        let path = AsPathBuf::from_sequence(&[4_200_000_000; 100]);
        let mut builder = AttrsBuilder::new(Rts::Bgp);
        builder.set_as_path(path.view()).unwrap();
        let shown = lines(&builder.finish(), Style::V3, None);
        assert!(shown.iter().any(|line| line.len() == LINE_MAX));
    }
}
