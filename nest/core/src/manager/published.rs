//! What commands may look at without asking the manager.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use dunlin_filter::{ChannelFilter, RouteInput, Scratch, explain, place};

use super::Host;
use crate::config::Config;
use crate::interfaces::Interfaces;
use crate::log::Log;
use crate::protocol::{Places, Rib, Tables};
use crate::timeformat::WallTime;

/// What the daemon is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DaemonStatus {
    /// Nothing special.
    Running,
    /// Instances are being stopped or started because of a new configuration.
    Reconfiguring,
    /// The daemon is ending.
    ShuttingDown,
}

/// A picture of the daemon, replaced as a whole.
#[derive(Clone, Debug)]
pub struct Published {
    /// The configuration in force.
    pub config: Arc<Config>,
    /// The file that the daemon was started with, and that is read again.
    pub file: Arc<Path>,
    /// The tables that exist.
    pub tables: Arc<Tables>,
    /// The interfaces.
    pub interfaces: Arc<Interfaces>,
    /// The router id in force.
    pub router_id: u32,
    /// The host name in force.
    pub hostname: Arc<str>,
    /// When the daemon started.
    pub started: WallTime,
    /// When a configuration was last applied.
    pub configured: WallTime,
    /// What the daemon is doing.
    pub status: DaemonStatus,
}

/// What every command session has. Cheap to clone.
#[derive(Clone)]
pub struct Shared {
    current: Arc<ArcSwap<Published>>,
    /// The way to the tables.
    pub rib: Rib,
    /// The operating system.
    pub host: Arc<dyn Host>,
    /// The log.
    pub log: Log,
}

impl Shared {
    /// A first picture, before the manager runs.
    pub fn new(config: Arc<Config>, rib: Rib, host: Arc<dyn Host>, log: Log) -> Self {
        let now = host.now();
        let hostname = config.globals.hostname.clone().unwrap_or_else(|| host.hostname());
        let published = Published {
            file: Arc::from(&*config.path),
            config,
            tables: Arc::default(),
            interfaces: Arc::default(),
            router_id: 0,
            hostname,
            started: now,
            configured: now,
            status: DaemonStatus::Running,
        };
        Self { current: Arc::new(ArcSwap::from_pointee(published)), rib, host, log }
    }

    /// The picture as it is now.
    pub fn published(&self) -> Arc<Published> {
        self.current.load_full()
    }

    /// Replaces the picture; only the manager does.
    pub(super) fn publish(&self, change: impl FnOnce(&mut Published)) {
        let mut next = Published::clone(&self.current.load());
        change(&mut next);
        self.current.store(Arc::new(next));
    }
}

impl Places for Shared {
    fn decided(
        &self,
        protocol: &str,
        filter: &ChannelFilter,
        scratch: &mut Scratch,
        route: &RouteInput<'_>,
    ) -> Option<String> {
        let config = Arc::clone(&self.current.load().config);
        // The one in use may be of an earlier configuration, and have its places in another text.
        let filter = config.same_filter(protocol, filter)?;
        let decided = explain(filter, scratch, route).decided?;
        Some(place(&config.sources, decided))
    }
}

impl core::fmt::Debug for Shared {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
