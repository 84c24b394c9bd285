//! Protocol types whose sections are read and checked, but which are not built.

use std::sync::Arc;

use dunlin_runtime::Context;

use super::{Environment, Instance, InstanceConfig, Service, StartError};
use crate::config::ConfigParser;

/// Refuses to start every instance, by the type's name.
#[derive(Clone, Copy, Debug)]
pub struct Unbuilt {
    /// The word in the configuration.
    pub keyword: &'static str,
}

impl Unbuilt {
    /// Warns that a section would be started but cannot be; `lacks` says what Dunlin does not do.
    pub fn warn(self, parser: &mut ConfigParser, config: &InstanceConfig, lacks: &str) {
        if config.disabled {
            return;
        }
        let text = format!("Protocol {} is not supported yet", self.keyword);
        let hint = format!("Dunlin cannot {lacks} so far: the daemon does not start with it");
        parser.no_effect(config.span, text.clone()).hint(hint).missing(text);
    }
}

impl Service for Unbuilt {
    fn start(
        &mut self,
        _cx: &mut Context<'_>,
        _environment: Environment,
        _config: Arc<InstanceConfig>,
    ) -> Result<Box<dyn Instance>, StartError> {
        Err(StartError::Unsupported(format!("protocol {}", self.keyword)))
    }
}
