//! The members of a group.

use core::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use dunlin_runtime::{Address, Time};

use super::{EgressMessage, Moving, Off, Progress};
use crate::chunk::Chunk;
use crate::counters::ExportDelta;
use crate::limits::TooMany;
use crate::trace::RouteTrace;
use crate::{MemberId, SourceId};

/// A session's end of the log. Calls come from the egress loop: send a message, return.
pub trait LogSink: Send + Sync {
    /// The member has joined the group.
    fn joined(&self, member: MemberId, egress: Address<EgressMessage>);
    /// The group has no room for the member; it has not joined.
    fn refused(&self, why: TooMany);
    /// More of the log.
    fn append(&self, chunk: Arc<Chunk>);
    /// The member is too slow: finish the message that is being written, drop the rest, and answer
    /// with [`EgressMessage::Detached`].
    fn detach(&self);
    /// Everything that was in the table at the join, or at the refresh, has been appended. What that
    /// was: routes gone through and what became of them.
    fn fed(&self, figures: &ExportDelta);
    /// The group that was asked to [`EgressMessage::Move`] the member has let it go: what the new
    /// group has appended may be written now.
    fn left(&self) {}
}

/// What joins a group.
#[derive(Clone)]
pub struct MemberSpec {
    /// Where the log goes.
    pub sink: Arc<dyn LogSink>,
    /// Shared with the session.
    pub progress: Arc<Progress>,
    /// The session's own import channel: its routes are not sent back.
    pub source: SourceId,
    /// The session's address: routes with this next hop are not sent to it.
    pub address: IpAddr,
    /// It may hold routes of another group: also say what is not exported.
    pub resync: bool,
    /// What is traced of its routes.
    pub trace: Option<Arc<RouteTrace>>,
}

impl fmt::Debug for MemberSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberSpec")
            .field("source", &self.source)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A member.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: MemberId,
    pub(crate) spec: MemberSpec,
    /// Bytes given to it.
    pub(crate) appended: u64,
    /// How much that was when it was given End-of-RIB.
    pub(super) end_of_rib: Option<u64>,
    /// It does not follow the log.
    pub(super) off: Option<Off>,
    /// To be fed when it follows the log again; whether End-of-RIB comes after.
    pub(super) refeed: Option<bool>,
    /// It leaves for another group.
    pub(super) moving: Option<Moving>,
    /// Networks of the present feed that it was not told of, since the routes are its own.
    pub(super) own_fed: u64,
    /// What it had consumed when it was seen to hold up a feed.
    pub(super) watched: u64,
}

impl Member {
    /// Bytes that it has not consumed.
    pub(crate) fn in_flight(&self) -> u64 {
        self.appended.saturating_sub(self.spec.progress.consumed())
    }

    /// Asks to be told when only `left` bytes are in flight; true if that is so already.
    pub(crate) fn ask(&self, left: u64, now: Time) -> bool {
        self.spec.progress.ask(self.appended.saturating_sub(left), now)
    }

    pub(crate) fn give(&mut self, chunk: &Arc<Chunk>) {
        self.appended += chunk.bytes.len() as u64;
        self.show();
        self.spec.sink.append(Arc::clone(chunk));
    }

    /// Shows how it is.
    pub(crate) fn show(&self) {
        let behind = self.off.as_ref().map(Off::behind);
        self.spec.progress.show(self.appended, behind);
    }
}
