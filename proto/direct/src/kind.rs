//! The protocol type. No instance of it can be started yet.

use std::sync::Arc;

use dunlin_core::protocol::{
    ChannelKind, ChannelRules, Environment, Instance, InstanceConfig, Needed, Phase, ProtocolKind,
    Section, Service, StartError,
};
use dunlin_filter::ChannelFilter;
use dunlin_runtime::Context;

use crate::config::DirectConfig;

/// The direct protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

impl ProtocolKind for Direct {
    fn keyword(&self) -> &'static str {
        "direct"
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
            needed: Needed::Any,
            preference: 240,
            import: ChannelFilter::Accept,
            export: ChannelFilter::Reject,
        }
    }

    fn section(&self) -> Box<dyn Section> {
        Box::new(DirectConfig::default())
    }

    fn service(&self) -> Box<dyn Service> {
        Box::new(DirectService)
    }
}

struct DirectService;

impl Service for DirectService {
    fn start(
        &mut self,
        _cx: &mut Context<'_>,
        _environment: Environment,
        _config: Arc<InstanceConfig>,
    ) -> Result<Box<dyn Instance>, StartError> {
        Err(StartError::Failed("protocol direct is not supported yet".to_owned()))
    }
}
