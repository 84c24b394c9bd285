//! What of the options that do nothing yet must fit together.

use dunlin_core::config::grammar::{Given, Said, Statements};
use dunlin_core::config::{ConfigParser, Globals};
use dunlin_core::protocol::{ChannelConfig, ChannelKind, InstanceConfig, OtherChannel};
use dunlin_net::NetType;

use super::channel::ChannelDraft;
use super::{BgpConfig, BgpSection, Gateway, Remote};

const ONLY_FLOWS_ARE_VALIDATED: &str = "Validate option limited to flowspec channels";
const ONLY_FLOWS_HAVE_A_BASE: &str = "Base table option limited to flowspec channels";

/// A mistake, if the condition holds.
type Rule = (bool, &'static str);

impl BgpSection {
    /// Mistakes of the session, each as its text.
    pub(super) fn misfits(&self, bgp: &BgpConfig, instance: &InstanceConfig) -> Vec<&'static str> {
        let said = &self.unbuilt.said;
        let range = said.has("interface range");
        let is_range = matches!(bgp.remote, Remote::Range(_));
        let ao = said.has("authentication ao") && self.md5.is_none();
        let bfd = said.last("bfd").is_some_and(|said| !said.is_off());
        let graceful = said.last("graceful restart");
        let no_graceful = graceful.is_some_and(Said::is_off);
        let lived = said.last("long lived graceful restart").is_some_and(|said| !said.is_off());
        let neighbors =
            instance.others.iter().any(|other| other.channel == OtherChannel::NEIGHBORS);
        let member = said.is_on("confederation member", false);
        let rules: [Rule; 13] = [
            (
                range && bgp.interface.is_some(),
                "Interface and interface range cannot be configured together",
            ),
            (range && !bgp.strict_bind, "Interface range requires strict bind"),
            (
                bfd && bgp.multihop.is_some() && bgp.source.is_none(),
                "Multihop BGP with BFD requires specified local address",
            ),
            (
                member && !said.has("confederation"),
                "Confederation ID must be set for member sessions",
            ),
            (lived && no_graceful, "Long-lived graceful restart requires basic graceful restart"),
            (ao && keys_of(said).next().is_none(), "Authentication keys must be set for TCP-AO"),
            (ao && is_range, "TCP-AO cannot be used with dynamic BGP"),
            (said.has("keys") && !ao, "Authentication keys require TCP-AO authentication"),
            (ao && bgp.password.is_some(), "Password cannot be used with TCP-AO authentication"),
            (
                exceeds(said, "min graceful restart time", "max graceful restart time"),
                "Min graceful restart time exceeds max graceful restart time",
            ),
            (
                exceeds(said, "min long lived stale time", "max long lived stale time"),
                "Min long lived stale time exceeds max long lived stale time",
            ),
            (neighbors && !is_range && !range, "Channel neighbors requires dynamic BGP"),
            (neighbors && !range, "Channel neighbors requires interface range"),
        ];
        let found = rules.iter().filter(|(wrong, _)| *wrong).map(|(_, text)| *text);
        found.chain(keys(said)).collect()
    }

    /// Mistakes of a channel, each as its text.
    pub(super) fn channel_misfits(
        &self,
        draft: &ChannelDraft,
        bgp: &BgpConfig,
        channel: &ChannelConfig,
        globals: &Globals,
    ) -> Vec<&'static str> {
        let said = &draft.unbuilt.said;
        let sorted = globals.table(&channel.table).is_some_and(|table| table.sorted);
        let usual = if bgp.multihop.is_some() { Gateway::Recursive } else { Gateway::Direct };
        let recursive = draft.gateway.unwrap_or(usual) == Gateway::Recursive;
        let med = self.unbuilt.said.is_on("deterministic med", false);
        let secondary = said.is_on("secondary", false);
        let rules: [Rule; 6] = [
            (said.has("validate"), ONLY_FLOWS_ARE_VALIDATED),
            (said.has("base table"), ONLY_FLOWS_HAVE_A_BASE),
            (secondary && !sorted, "BGP with secondary option requires sorted table"),
            (recursive && sorted, "BGP in recursive mode prohibits sorted table"),
            (med && sorted, "BGP with deterministic MED prohibits sorted table"),
            (
                exceeds(said, "min long lived stale time", "max long lived stale time"),
                "Min long lived stale time exceeds max long lived stale time",
            ),
        ];
        rules.iter().filter(|(wrong, _)| *wrong).map(|(_, text)| *text).collect()
    }

    /// Roles and confederations do not go together.
    pub(super) fn warn_of_roles(&self, parser: &mut ConfigParser, bgp: &BgpConfig) {
        if let Some(said) = self.unbuilt.said.last("confederation")
            && bgp.role.is_some()
        {
            parser.warning(
                said.place,
                "BGP roles are not recommended to be used within AS confederations",
            );
        }
    }
}

/// Only flow specifications are validated: by a base table with a trie, of their family.
pub(super) fn validation_misfit(
    said: &Statements,
    net_type: NetType,
    globals: &Globals,
) -> Option<String> {
    let [ipv4, ipv6] = ChannelKind::DEFAULT_TABLES;
    let (family, default_table) = match net_type {
        NetType::Flow4 => ipv4,
        NetType::Flow6 => ipv6,
        _ if said.has("validate") => return Some(ONLY_FLOWS_ARE_VALIDATED.into()),
        _ if said.has("base table") => return Some(ONLY_FLOWS_HAVE_A_BASE.into()),
        _ => return None,
    };
    let name = match said.last("base table").and_then(|said| said.values.first()) {
        Some(Given::Table(name)) => &**name,
        _ if said.is_on("validate", false) => default_table,
        _ => return None,
    };
    let table = globals.table(name)?;
    if table.net_type != family.net_type() {
        return Some("Mismatched base table type".into());
    }
    (!table.trie).then(|| format!("Flowspec validation requires base table ({name}) with trie"))
}

fn exceeds(said: &Statements, least: &str, most: &str) -> bool {
    matches!((said.number(least), said.number(most)), (Some(least), Some(most)) if least > most)
}

/// The keys of the session.
fn keys_of(said: &Statements) -> impl Iterator<Item = &Statements> {
    said.all("keys").flat_map(|keys| &keys.block().0).map(Said::block)
}

/// Every key has a secret, and an id of its own in each direction.
fn keys(said: &Statements) -> Option<&'static str> {
    let keys: Vec<&Statements> = keys_of(said).collect();
    for (n, key) in keys.iter().enumerate() {
        if !key.has("secret") {
            return Some("Missing secret key");
        }
        for way in ["send id", "recv id"] {
            let id = |key: &Statements| key.number(way).or(key.number("id"));
            let Some(own) = id(key) else { return Some("Missing key ID") };
            if keys[..n].iter().any(|other| id(other) == Some(own)) {
                return Some("Duplicate key ID");
            }
        }
    }
    None
}
