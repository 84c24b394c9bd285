//! The protocol type. No instance of it can be started yet.

use dunlin_core::protocol::{
    ChannelKind, ChannelRules, Needed, OtherChannel, Phase, ProtocolKind, Section, Service, Unbuilt,
};
use dunlin_filter::ChannelFilter;

use crate::config::KernelConfig;

/// Stands in for it.
pub(crate) const UNBUILT: Unbuilt = Unbuilt { keyword: "kernel" };

/// The kernel protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kernel;

impl ProtocolKind for Kernel {
    fn keyword(&self) -> &'static str {
        UNBUILT.keyword
    }

    fn type_name(&self) -> &'static str {
        "Kernel"
    }

    fn phase(&self) -> Phase {
        Phase::Plumbing
    }

    fn channels(&self) -> ChannelRules {
        ChannelRules {
            kinds: &[ChannelKind::Ipv4, ChannelKind::Ipv6],
            others: &[OtherChannel::IPV6_SADR, OtherChannel::MPLS],
            needed: Needed::One,
            preference: 10,
            import: ChannelFilter::Accept,
            export: ChannelFilter::Reject,
        }
    }

    fn is_built(&self) -> bool {
        false
    }

    fn section(&self) -> Box<dyn Section> {
        Box::new(KernelConfig::default())
    }

    fn service(&self) -> Box<dyn Service> {
        Box::new(UNBUILT)
    }
}
