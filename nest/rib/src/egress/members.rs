//! The members of a group and how far each has read the log.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use std::net::IpAddr;
use std::sync::Arc;

use dunlin_runtime::Address;

use super::{EgressMessage, Moving, Off};
use crate::chunk::Chunk;
use crate::counters::ExportDelta;
use crate::limits::TooMany;
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

/// How much of what was appended a member has written or passed over, in bytes.
#[derive(Debug)]
pub struct Progress {
    /// Added to by the session, read by the egress loop (`AcqRel`, pairs with `poke_at`).
    consumed: AtomicU64,
    /// The session says [`EgressMessage::Drained`] when it has consumed this much. Set by the
    /// egress loop, cleared by the session; `u64::MAX` means nobody waits.
    poke_at: AtomicU64,
}

impl Default for Progress {
    fn default() -> Self {
        Self { consumed: AtomicU64::new(0), poke_at: AtomicU64::new(u64::MAX) }
    }
}

impl Progress {
    /// The session has consumed `bytes` more; returns whether the egress loop waits to hear.
    #[must_use = "send Drained if true"]
    pub fn advance(&self, bytes: u64) -> bool {
        let consumed = self.consumed.fetch_add(bytes, Ordering::AcqRel) + bytes;
        let wanted = self.poke_at.load(Ordering::Acquire);
        consumed >= wanted
            && self
                .poke_at
                .compare_exchange(wanted, u64::MAX, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }

    /// Bytes consumed.
    pub fn consumed(&self) -> u64 {
        self.consumed.load(Ordering::Acquire)
    }

    /// Asks to be told at `consumed`; returns whether that is so already (then nothing is asked).
    fn ask(&self, consumed: u64) -> bool {
        self.poke_at.swap(consumed, Ordering::AcqRel);
        // A read-modify-write of the word that the session changes first: either it sees the
        // session's bytes, or the session sees `poke_at`.
        if self.consumed.fetch_add(0, Ordering::AcqRel) < consumed {
            return false;
        }
        self.poke_at.swap(u64::MAX, Ordering::AcqRel) != u64::MAX
    }
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
    pub(crate) fn ask(&self, left: u64) -> bool {
        self.spec.progress.ask(self.appended.saturating_sub(left))
    }

    pub(crate) fn give(&mut self, chunk: &Arc<Chunk>) {
        self.appended += chunk.bytes.len() as u64;
        self.spec.sink.append(Arc::clone(chunk));
    }
}
