//! The protocol type. No instance of it can be started yet.

use std::sync::Arc;

use dunlin_core::protocol::{
    ChannelKind, ChannelRules, Environment, Instance, InstanceConfig, Needed, Phase, ProtocolKind,
    Section, Service, StartError,
};
use dunlin_filter::ChannelFilter;
use dunlin_runtime::Context;

use crate::config::KernelConfig;

/// The kernel protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kernel;

impl ProtocolKind for Kernel {
    fn keyword(&self) -> &'static str {
        "kernel"
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
            needed: Needed::One,
            preference: 10,
            import: ChannelFilter::Accept,
            export: ChannelFilter::Reject,
        }
    }

    fn section(&self) -> Box<dyn Section> {
        Box::new(KernelConfig::default())
    }

    fn service(&self) -> Box<dyn Service> {
        Box::new(KernelService)
    }
}

struct KernelService;

impl Service for KernelService {
    fn start(
        &mut self,
        _cx: &mut Context<'_>,
        _environment: Environment,
        _config: Arc<InstanceConfig>,
    ) -> Result<Box<dyn Instance>, StartError> {
        Err(StartError::Failed("protocol kernel is not supported yet".to_owned()))
    }
}
