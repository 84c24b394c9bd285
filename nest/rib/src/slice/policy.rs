//! Running import filters.

use std::sync::Arc;

use crate::shim::{ChannelFilter, Scratch};
use dunlin_attr::Attrs;
use dunlin_net::Prefix;

use super::sources::Local;
use crate::nexthop::NextHopState;

/// What an import filter said.
#[derive(Debug)]
pub(crate) enum ImportVerdict {
    /// Rejected, or the filter failed.
    Reject,
    /// Accepted, with other attributes if it changed any.
    Accept(Option<Arc<Attrs>>),
}

/// Runs the import filter of `local`.
pub(crate) fn import_verdict(
    _local: &Local,
    _scratch: &mut Scratch,
    _net: Option<Prefix>,
    _attrs: &Arc<Attrs>,
    _hop: Option<&NextHopState>,
) -> ImportVerdict {
    ImportVerdict::Reject
}
