//! The way into the tables: batches of announcements, one per slice and read burst.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use dunlin_attr::Attrs;
use dunlin_net::{Aspa, NetKey, NetType, Network, Prefix4, Prefix6, Roa4, Roa6};
use dunlin_runtime::{
    Address, Class,
    kit::credit::{Credit, Held, Stage},
};

use crate::Source;
use crate::counters::ImportDelta;
use crate::encode::Nets;
use crate::export::{Delta, Deltas};
use crate::slice::SliceMessage;

/// Index that stands for "withdraw" in [`Op::attrs`] and for "no route" in deltas.
pub const NONE: u32 = u32::MAX;

/// One announcement or withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op<K> {
    /// The network.
    pub key: K,
    /// The path identifier (RFC 7911), zero without.
    pub path_id: u32,
    /// Index into the batch's attribute sets, or [`NONE`] to withdraw.
    pub attrs: u32,
}

/// The operations of a batch, all of one net type.
#[derive(Debug, Clone)]
pub enum Ops {
    /// IPv4.
    V4(Vec<Op<Prefix4>>),
    /// IPv6.
    V6(Vec<Op<Prefix6>>),
    /// Origins of IPv4 prefixes.
    Roa4(Vec<Op<Roa4>>),
    /// Origins of IPv6 prefixes.
    Roa6(Vec<Op<Roa6>>),
    /// Providers of ASes.
    Aspa(Vec<Op<Aspa>>),
}

/// Runs the same code on operations of any type.
macro_rules! with_ops {
    ($any:expr, $ops:ident => $body:expr) => {
        match $any {
            Ops::V4($ops) => $body,
            Ops::V6($ops) => $body,
            Ops::Roa4($ops) => $body,
            Ops::Roa6($ops) => $body,
            Ops::Aspa($ops) => $body,
        }
    };
}

impl Ops {
    /// How many.
    pub(crate) fn len(&self) -> usize {
        with_ops!(self, ops => ops.len())
    }

    /// What is counted if none of it is taken.
    pub(crate) fn rejected(&self) -> ImportDelta {
        let all = self.len();
        let withdrawals = with_ops!(self, ops => ops.iter().filter(|op| op.attrs == NONE).count());
        let (updates, withdraws) = ((all - withdrawals) as u64, withdrawals as u64);
        ImportDelta {
            updates_received: updates,
            updates_rejected: updates,
            withdraws_received: withdraws,
            withdraws_rejected: withdraws,
            ..ImportDelta::default()
        }
    }
}

/// Net keys that tables, batches and deltas can hold: ties the generic code to the enums.
pub trait TableKey: NetKey + Default {
    /// Wraps operations.
    fn ops(ops: Vec<Op<Self>>) -> Ops;
    /// The operations, if they are of this type.
    fn own_ops(ops: &Ops) -> Option<&[Op<Self>]>;
    /// Wraps deltas.
    fn deltas(deltas: Vec<Delta<Self>>) -> Deltas;
    /// The deltas, if they are of this type.
    fn own_deltas(deltas: &Deltas) -> Option<&[Delta<Self>]>;
}

macro_rules! table_keys {
    ($($kind:ident $key:ty;)*) => {$(
        impl TableKey for $key {
            fn ops(ops: Vec<Op<Self>>) -> Ops {
                Ops::$kind(ops)
            }
            fn own_ops(ops: &Ops) -> Option<&[Op<Self>]> {
                if let Ops::$kind(ops) = ops { Some(ops) } else { None }
            }
            fn deltas(deltas: Vec<Delta<Self>>) -> Deltas {
                Deltas::$kind(deltas)
            }
            fn own_deltas(deltas: &Deltas) -> Option<&[Delta<Self>]> {
                if let Deltas::$kind(deltas) = deltas { Some(deltas) } else { None }
            }
        }
    )*};
}

table_keys! {
    V4 Prefix4;
    V6 Prefix6;
    Roa4 Roa4;
    Roa6 Roa6;
    Aspa Aspa;
}

/// Keys that neighbours are told of in messages.
pub trait EncodedKey: TableKey {
    /// Wraps networks for an encoder.
    fn nets(nets: &[Self]) -> Nets<'_>;
}

impl EncodedKey for Prefix4 {
    fn nets(nets: &[Self]) -> Nets<'_> {
        Nets::V4(nets)
    }
}

impl EncodedKey for Prefix6 {
    fn nets(nets: &[Self]) -> Nets<'_> {
        Nets::V6(nets)
    }
}

/// A read burst that was cut into several batches. Egress waits for all parts so that prefixes of
/// one attribute set, scattered over the slices, leave in one UPDATE again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Burst {
    /// Unique over the daemon.
    pub id: u64,
    /// Slices that got a part.
    pub parts: u16,
}

/// Source of burst ids: one counter for the daemon, touched once per burst (`Relaxed`: only
/// uniqueness matters).
static BURSTS: AtomicU64 = AtomicU64::new(1);

/// What a session sends to one slice.
#[derive(Debug)]
pub struct ImportBatch {
    /// Who sends.
    pub source: Arc<Source>,
    /// The attribute sets that the operations name.
    pub attrs: Vec<Arc<Attrs>>,
    /// What to do, in order.
    pub ops: Ops,
    /// Set if other slices got parts of the same burst.
    pub burst: Option<Burst>,
    /// Given back when the batch has been processed.
    pub credit: ImportHeld,
}

/// The stage of those who bring routes: sessions, static routes. Slices come next; see
/// [`dunlin_runtime::kit::credit`] for what that means.
pub const SESSION: Stage<1> = Stage;

/// Bytes of batches under way from one session. Full means: stop reading the socket.
pub type ImportCredit = Credit<2>;

/// Credit held by a batch; dropping it gives it back.
pub type ImportHeld = Held<2>;

/// The slices of the daemon: where batches go.
#[derive(Clone, Debug)]
pub struct Slices {
    addresses: Arc<[Address<SliceMessage>]>,
}

impl Slices {
    /// The slices in order; their number is a power of two.
    pub fn new(addresses: Vec<Address<SliceMessage>>) -> Self {
        assert!(addresses.len().is_power_of_two(), "slices are cut by a mask");
        Self { addresses: addresses.into() }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.addresses.len()
    }

    /// The mask for [`NetKey::slice`].
    pub fn mask(&self) -> u32 {
        // Set by `new`: at least one slice, far fewer than 2^32.
        u32::try_from(self.addresses.len() - 1).unwrap_or(0)
    }

    /// Every slice.
    pub fn iter(&self) -> impl Iterator<Item = &Address<SliceMessage>> {
        self.addresses.iter()
    }

    /// Slice `index`, modulo their number.
    pub fn at(&self, index: u32) -> &Address<SliceMessage> {
        &self.addresses[(index & self.mask()) as usize]
    }

    /// The slice that owns a network.
    pub fn of(&self, network: impl Into<Network>) -> &Address<SliceMessage> {
        self.at(network.into().slice(self.mask()))
    }

    /// Sends a message made by `make` to each slice. A slice that has stopped (shutdown) is passed
    /// over.
    pub fn send_all(&self, class: Class, mut make: impl FnMut() -> SliceMessage) {
        for address in self.addresses.iter() {
            let _ = address.send(class, make());
        }
    }
}

struct Part<K> {
    attrs: Vec<Arc<Attrs>>,
    ops: Vec<Op<K>>,
}

/// Collects announcements and withdrawals of one source and sends them cut by slice.
pub struct ImportBuilder<K: TableKey> {
    slices: Slices,
    source: Arc<Source>,
    credit: Option<Arc<ImportCredit>>,
    parts: Vec<Part<K>>,
    mask: u32,
    queued: usize,
}

impl<K: TableKey> ImportBuilder<K> {
    /// A builder for one source.
    pub fn new(slices: Slices, source: Arc<Source>, credit: Option<Arc<ImportCredit>>) -> Self {
        let parts = (0..slices.count()).map(|_| Part { attrs: Vec::new(), ops: Vec::new() });
        let mask = slices.mask();
        Self { parts: parts.collect(), slices, source, credit, mask, queued: 0 }
    }

    /// The source that is fed.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Operations that wait for [`flush`](Self::flush).
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Announces a route.
    #[inline]
    pub fn announce(&mut self, key: K, path_id: u32, attrs: &Arc<Attrs>) {
        let part = &mut self.parts[key.slice(self.mask) as usize];
        if part.attrs.last().is_none_or(|last| !Arc::ptr_eq(last, attrs)) {
            part.attrs.push(Arc::clone(attrs));
        }
        let index = part.attrs.len() as u32 - 1;
        part.ops.push(Op { key, path_id, attrs: index });
        self.queued += 1;
    }

    /// Withdraws a route.
    #[inline]
    pub fn withdraw(&mut self, key: K, path_id: u32) {
        let part = &mut self.parts[key.slice(self.mask) as usize];
        part.ops.push(Op { key, path_id, attrs: NONE });
        self.queued += 1;
    }

    /// Sends one batch to each slice that got something.
    pub fn flush(&mut self) {
        if self.queued == 0 {
            return;
        }
        self.queued = 0;
        let touched = self.parts.iter().filter(|part| !part.ops.is_empty()).count();
        let burst = (touched > 1).then(|| Burst {
            id: BURSTS.fetch_add(1, Ordering::Relaxed),
            parts: u16::try_from(touched).unwrap_or(u16::MAX),
        });
        for (part, address) in self.parts.iter_mut().zip(self.slices.iter()) {
            if part.ops.is_empty() {
                continue;
            }
            let ops = core::mem::take(&mut part.ops);
            let attrs = core::mem::take(&mut part.attrs);
            let bytes = ops.len() * size_of::<Op<K>>() + attrs.len() * 64;
            let held = self.credit.as_ref().map_or(ImportHeld::none(), |credit| credit.take(bytes));
            let batch = ImportBatch {
                source: Arc::clone(&self.source),
                attrs,
                ops: K::ops(ops),
                burst,
                credit: held,
            };
            // A stopped slice means that the daemon is going down.
            let _ = address.send(Class::Routing, SliceMessage::Import(Box::new(batch)));
        }
    }
}

impl<K: TableKey> fmt::Debug for ImportBuilder<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportBuilder").field("queued", &self.queued).finish_non_exhaustive()
    }
}

/// The net type whose table a key belongs to.
pub fn net_type_of<K: TableKey>() -> NetType {
    K::NET_TYPE
}
