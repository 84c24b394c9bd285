//! The protocol type. No instance of it can be started yet.

use dunlin_core::protocol::{
    ChannelKind, ChannelRules, Needed, OtherChannel, Phase, ProtocolKind, Section, Service, Unbuilt,
};
use dunlin_filter::ChannelFilter;

use crate::config::DirectConfig;

/// Stands in for it.
pub(crate) const UNBUILT: Unbuilt = Unbuilt { keyword: "direct" };

/// The direct protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

impl ProtocolKind for Direct {
    fn keyword(&self) -> &'static str {
        UNBUILT.keyword
    }

    fn type_name(&self) -> &'static str {
        "Direct"
    }

    fn phase(&self) -> Phase {
        Phase::Local
    }

    fn channels(&self) -> ChannelRules {
        ChannelRules {
            kinds: &[ChannelKind::Ipv4, ChannelKind::Ipv6],
            others: &[OtherChannel::IPV6_SADR],
            needed: Needed::Any,
            preference: 240,
            import: ChannelFilter::Accept,
            export: ChannelFilter::Reject,
        }
    }

    fn is_built(&self) -> bool {
        false
    }

    fn section(&self) -> Box<dyn Section> {
        Box::new(DirectConfig::default())
    }

    fn service(&self) -> Box<dyn Service> {
        Box::new(UNBUILT)
    }
}
