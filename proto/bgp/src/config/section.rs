//! The section while it is read.

use core::net::IpAddr;
use std::sync::Arc;

use dunlin_conf::{Parsed, Span};
use dunlin_core::config::{ConfigParser, Globals};
use dunlin_core::protocol::{ChannelKind, InstanceConfig, OtherChannel, ProtocolConfig, Section};
use dunlin_net::Prefix;

use super::channel::ChannelDraft;
use super::unbuilt::Unbuilt;
use super::{Announced, BgpConfig, PORT, Remote, Requirements};
use crate::fsm::{CeaseMask, Neighbor, Timers};

/// What has been read so far: the configuration to be, and what may be missing from it.
#[derive(Clone, Debug)]
pub struct BgpSection {
    pub(super) config: BgpConfig,
    pub(super) local_as: Option<u32>,
    pub(super) remote: Option<Remote>,
    pub(super) neighbor: Option<Neighbor>,
    /// `internal` or `external` was said of a neighbour with a number.
    pub(super) kind: Option<Neighbor>,
    /// `direct` (0) or `multihop`.
    pub(super) hops: Option<u8>,
    pub(super) check_link: Option<bool>,
    pub(super) md5: Option<bool>,
    /// Enhanced route refresh was not switched off.
    pub(super) enhanced_refresh: bool,
    pub(super) keepalive_span: Option<Span>,
    pub(super) channels: Vec<ChannelDraft>,
    /// What does nothing yet.
    pub(super) unbuilt: Unbuilt,
    /// What was said of channels that carry nothing yet.
    pub(super) others: Vec<(OtherChannel, Unbuilt)>,
}

impl Default for BgpSection {
    fn default() -> Self {
        Self {
            config: defaults(),
            local_as: None,
            remote: None,
            neighbor: None,
            kind: None,
            hops: None,
            check_link: None,
            md5: None,
            enhanced_refresh: true,
            keepalive_span: None,
            channels: Vec::new(),
            unbuilt: Unbuilt::default(),
            others: Vec::new(),
        }
    }
}

/// What holds if nothing is said.
fn defaults() -> BgpConfig {
    BgpConfig {
        local_as: 0,
        source: None,
        port: PORT,
        remote: Remote::Address(IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED)),
        remote_port: PORT,
        neighbor: Neighbor::External,
        interface: None,
        multihop: None,
        onlink: false,
        passive: false,
        password: None,
        ttl_security: false,
        strict_bind: false,
        free_bind: false,
        check_link: false,
        dynamic_name: Arc::from("dynbgp"),
        dynamic_digits: 0,
        rr_client: false,
        cluster_id: None,
        rs_client: false,
        allow_local_as: 0,
        allow_local_pref: false,
        allow_med: false,
        allow_as_sets: false,
        enforce_first_as: false,
        role: None,
        interpret_communities: true,
        default_local_pref: 100,
        default_med: 0,
        path_metric: true,
        med_metric: false,
        igp_metric: true,
        prefer_older: false,
        announced: Announced {
            any: true,
            route_refresh: true,
            as4: true,
            extended_message: false,
            hostname: false,
        },
        required: Requirements::default(),
        timers: Timers::default(),
        disable_after_error: false,
        disable_after_cease: CeaseMask::default(),
        channels: Vec::new(),
    }
}

impl BgpSection {
    pub(super) fn channel_draft(&mut self, kind: ChannelKind) -> &mut ChannelDraft {
        let found = self.channels.iter().position(|draft| draft.kind == kind);
        let index = found.unwrap_or_else(|| {
            self.channels.push(ChannelDraft::new(kind));
            self.channels.len() - 1
        });
        &mut self.channels[index]
    }

    /// Whom the session is with can be said once, inherited or not.
    pub(super) fn set_remote(&mut self, parser: &mut ConfigParser, remote: Remote) {
        let span = parser.previous().span;
        match (&self.remote, &remote) {
            (None, _) => {}
            (Some(Remote::Range(_)), Remote::Address(_))
            | (Some(Remote::Address(_)), Remote::Range(_)) => {
                parser.error(span, "Both neighbor address and neighbor range specified");
            }
            (Some(_), _) => {
                parser
                    .error(span, "Only one neighbor per BGP instance is allowed")
                    .hint("leave the address out of what others inherit from");
            }
        }
        self.remote = Some(remote);
    }

    pub(super) fn set_range(&mut self, parser: &mut ConfigParser, prefix: Prefix) {
        self.set_remote(parser, Remote::Range(prefix));
    }
}

impl Section for BgpSection {
    fn inherit(&self) -> Box<dyn Section> {
        Box::new(self.clone())
    }

    fn statement(&mut self, parser: &mut ConfigParser, globals: &Globals) -> Parsed<bool> {
        self.read_statement(parser, globals)
    }

    fn channel_statement(
        &mut self,
        parser: &mut ConfigParser,
        globals: &Globals,
        channel: ChannelKind,
    ) -> Parsed<bool> {
        self.channel_draft(channel).read_statement(parser, globals)
    }

    fn other_channel_statement(
        &mut self,
        parser: &mut ConfigParser,
        globals: &Globals,
        channel: OtherChannel,
    ) -> Parsed<bool> {
        let known = self.others.iter().position(|(other, _)| *other == channel);
        let index = known.unwrap_or_else(|| {
            self.others.push((channel, Unbuilt::default()));
            self.others.len() - 1
        });
        ChannelDraft::read_other(parser, globals, channel, &mut self.others[index].1)
    }

    fn finish(
        &self,
        parser: &mut ConfigParser,
        globals: &Globals,
        config: &mut InstanceConfig,
    ) -> Parsed<Arc<dyn ProtocolConfig>> {
        let bgp = self.checked(parser, globals, config)?;
        Ok(Arc::new(bgp))
    }
}
