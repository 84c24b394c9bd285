//! The way to the tables, whatever the type of the networks.

use std::sync::Arc;

use dunlin_attr::Attrs;
use dunlin_core::protocol::ChannelKind;
use dunlin_net::{Aspa, Network, Prefix4, Prefix6, Roa4, Roa6};
use dunlin_rib::Source;
use dunlin_rib::import::{ImportBuilder, ImportCredit, SESSION, Slices, TableKey};
use dunlin_runtime::Time;

/// Announcements under way to the slices before it is full, in bytes.
pub(crate) const CREDIT: usize = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(crate) struct Feed {
    batches: Box<dyn Batches>,
    credit: Arc<ImportCredit>,
}

impl Feed {
    /// A feed of a source's routes; the credit's event is scheduled when it is no longer full.
    pub(crate) fn new(
        slices: Slices,
        source: Arc<Source>,
        kind: ChannelKind,
        credit: Arc<ImportCredit>,
    ) -> Self {
        fn of<K: TableKey>(
            slices: Slices,
            source: Arc<Source>,
            credit: &Arc<ImportCredit>,
        ) -> Box<dyn Batches> {
            Box::new(ImportBuilder::<K>::new(slices, source, Some(Arc::clone(credit))))
        }
        let batches = match kind {
            ChannelKind::Ipv4 => of::<Prefix4>(slices, source, &credit),
            ChannelKind::Ipv6 => of::<Prefix6>(slices, source, &credit),
            ChannelKind::Roa4 => of::<Roa4>(slices, source, &credit),
            ChannelKind::Roa6 => of::<Roa6>(slices, source, &credit),
            ChannelKind::Aspa => of::<Aspa>(slices, source, &credit),
        };
        Self { batches, credit }
    }

    /// Announces a route, or withdraws it if there are no attributes.
    pub(crate) fn put(&mut self, net: Network, path_id: u32, attrs: Option<&Arc<Attrs>>) {
        self.batches.put(net, path_id, attrs);
    }

    /// Operations that wait for [`Feed::flush`].
    pub(crate) fn queued(&self) -> usize {
        self.batches.queued()
    }

    /// Sends what waits.
    pub(crate) fn flush(&mut self) {
        self.batches.flush();
    }

    /// Whether to wait; then the event follows.
    pub(crate) fn is_full(&self, now: Time) -> bool {
        self.credit.wait_if_full(SESSION, now)
    }
}

/// Batches for tables of one type.
trait Batches: core::fmt::Debug + Send {
    fn put(&mut self, net: Network, path_id: u32, attrs: Option<&Arc<Attrs>>);
    fn queued(&self) -> usize;
    fn flush(&mut self);
}

impl<K: TableKey> Batches for ImportBuilder<K> {
    fn put(&mut self, net: Network, path_id: u32, attrs: Option<&Arc<Attrs>>) {
        match (K::from_network(net), attrs) {
            (Some(key), Some(attrs)) => self.announce(key, path_id, attrs),
            (Some(key), None) => self.withdraw(key, path_id),
            // The section's check keeps other networks out.
            (None, _) => {}
        }
    }

    fn queued(&self) -> usize {
        Self::queued(self)
    }

    fn flush(&mut self) {
        Self::flush(self);
    }
}
