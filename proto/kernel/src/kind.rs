//! The protocol type. No instance of it can be started yet.

use dunlin_core::protocol::{
    ChannelKind, ChannelRules, InstanceConfig, Needed, OtherChannel, Phase, ProtocolKind, Section,
    Service, Unbuilt,
};
use dunlin_filter::ChannelFilter;

use crate::config::KernelConfig;

/// Stands in for it.
pub(crate) const UNBUILT: Unbuilt = Unbuilt { keyword: "kernel" };

/// The table that an instance gives to the kernel.
fn table_of(config: &InstanceConfig) -> Option<&str> {
    let own = config.channels.first().map(|channel| &channel.table);
    own.or_else(|| config.others.first().map(|other| &other.table)).map(|table| &**table)
}

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

    fn clash(&self, earlier: &InstanceConfig, later: &InstanceConfig) -> Option<String> {
        let table = table_of(later)?;
        let name = &earlier.name;
        (table_of(earlier)? == table)
            .then(|| format!("Kernel syncer ({name}) already attached to table {table}"))
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
