//! The way to the tables, whatever the type of the networks.

use std::sync::Arc;

use dunlin_attr::Attrs;
use dunlin_net::{NetType, Prefix, Prefix4, Prefix6};
use dunlin_rib::Source;
use dunlin_rib::import::{ImportBuilder, ImportCredit, SESSION, Slices, TableKey};
use dunlin_runtime::Time;

/// Announcements under way to the slices before it is full, in bytes.
pub(crate) const CREDIT: usize = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(crate) enum Feed {
    V4(ImportBuilder<Prefix4>, Arc<ImportCredit>),
    V6(ImportBuilder<Prefix6>, Arc<ImportCredit>),
}

impl Feed {
    /// A feed of a source's routes; the credit's event is scheduled when it is no longer full.
    pub(crate) fn new(
        slices: Slices,
        source: Arc<Source>,
        net_type: NetType,
        credit: Arc<ImportCredit>,
    ) -> Self {
        let shared = Some(Arc::clone(&credit));
        match net_type {
            NetType::Ip6 => Self::V6(ImportBuilder::new(slices, source, shared), credit),
            _ => Self::V4(ImportBuilder::new(slices, source, shared), credit),
        }
    }

    /// Announces a route, or withdraws it if there are no attributes.
    pub(crate) fn put(&mut self, net: Prefix, path_id: u32, attrs: Option<&Arc<Attrs>>) {
        match (self, net) {
            (Self::V4(builder, _), Prefix::V4(key)) => put(builder, key, path_id, attrs),
            (Self::V6(builder, _), Prefix::V6(key)) => put(builder, key, path_id, attrs),
            // The section's check keeps other networks out.
            _ => {}
        }
    }

    /// Operations that wait for [`Feed::flush`].
    pub(crate) fn queued(&self) -> usize {
        match self {
            Self::V4(builder, _) => builder.queued(),
            Self::V6(builder, _) => builder.queued(),
        }
    }

    /// Sends what waits.
    pub(crate) fn flush(&mut self) {
        match self {
            Self::V4(builder, _) => builder.flush(),
            Self::V6(builder, _) => builder.flush(),
        }
    }

    /// Whether to wait; then the event follows.
    pub(crate) fn is_full(&self, now: Time) -> bool {
        let (Self::V4(_, credit) | Self::V6(_, credit)) = self;
        credit.wait_if_full(SESSION, now)
    }
}

fn put<K: TableKey>(
    builder: &mut ImportBuilder<K>,
    key: K,
    path_id: u32,
    attrs: Option<&Arc<Attrs>>,
) {
    match attrs {
        Some(attrs) => builder.announce(key, path_id, attrs),
        None => builder.withdraw(key, path_id),
    }
}
