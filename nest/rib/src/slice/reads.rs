//! What others want to read of the tables: walks and assessments, in pieces, each in turn with imports.
//!
//! A request comes in the control class, past whatever waits to be imported, and joins the end of a
//! queue. Pieces of it are done at two occasions:
//!
//! * A batch of imports earns its part of the time ([`SHARE`]); what has been earned is used as soon as the
//!   batch is done. So a flood of imports never makes a reader wait for more than one batch, and readers,
//!   however many there are, take no more than their part of what imports take.
//! * The queue is work of the routing class as well, one piece at a time: who reads while nothing is
//!   imported gets all there is, and a piece every round of the loop otherwise.

use core::fmt;
use std::collections::VecDeque;

use dunlin_runtime::{Class, Context, Progress, WorkId};

use super::Slice;
use super::tables::{AnyTable, find, with_table};
use crate::assess::{AssessReply, AssessRequest};
use crate::walk::{Walk, WalkCounts, WalkReply, WalkRequest};

/// So many operations of a batch earn a unit of reading, which is about what one of them costs: readers
/// take up to a fifth of a slice's time while imports never cease.
const SHARE: i64 = 4;
/// What may be saved, or be owed, in units.
const MOST: i64 = 512;

/// A request under way.
pub(super) enum Read {
    /// Answered by one piece.
    Walk(Box<WalkRequest>),
    /// Answered when all has been counted: up to this record, so much until now.
    Count(Box<WalkRequest>, u32, WalkCounts),
    /// Answered by one piece.
    Assess(Box<AssessRequest>),
}

impl fmt::Debug for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Walk(_) => "Walk",
            Self::Count(..) => "Count",
            Self::Assess(_) => "Assess",
        })
    }
}

/// The readers of a slice.
#[derive(Debug)]
pub(super) struct Reads {
    waiting: VecDeque<Read>,
    /// Units that may be used at once; less than none if more has been used than was earned.
    earned: i64,
    work: WorkId,
}

impl Default for Reads {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), earned: 0, work: WorkId::NONE }
    }
}

impl Reads {
    pub(super) fn new(cx: &mut Context<'_>) -> Self {
        Self { work: cx.work(Class::Routing), ..Self::default() }
    }

    pub(super) fn add_walk(&mut self, request: Box<WalkRequest>) {
        self.waiting.push_back(match request.walk {
            Walk::Count { .. } => Read::Count(request, 0, WalkCounts::default()),
            _ => Read::Walk(request),
        });
    }

    pub(super) fn add_assessment(&mut self, request: Box<AssessRequest>) {
        self.waiting.push_back(Read::Assess(request));
    }

    /// Whether a piece of work was one of these.
    pub(super) fn is_for(&self, work: WorkId) -> bool {
        self.work == work
    }

    /// Sees to it that what waits gets its turn.
    #[inline]
    pub(super) fn wake(&self, cx: &mut Context<'_>) {
        if !self.waiting.is_empty() {
            let _ = cx.queue(self.work);
        }
    }

    /// So many operations have been imported.
    #[inline]
    pub(super) fn earn(&mut self, operations: usize) {
        let units = i64::try_from(operations).unwrap_or(i64::MAX) / SHARE;
        // What nobody wants to use is not saved for later.
        let most = if self.waiting.is_empty() { MOST } else { i64::MAX };
        self.earned = self.earned.saturating_add(units.max(1)).min(most);
    }

    #[inline]
    fn has_earned(&self) -> bool {
        self.earned > 0 && !self.waiting.is_empty()
    }
}

impl Slice {
    /// Lets readers use what the imports of this turn have earned.
    #[inline]
    pub(super) fn read_earned(&mut self) {
        while self.reads.has_earned() {
            self.read_piece();
        }
    }

    /// Does one piece for who has waited longest.
    pub(super) fn read_piece(&mut self) -> Progress {
        if let Some(read) = self.reads.waiting.pop_front() {
            let (used, rest) = self.read(read);
            let reads = &mut self.reads;
            reads.earned = reads.earned.saturating_sub(i64::from(used)).clamp(-MOST, i64::MAX);
            reads.waiting.extend(rest);
        }
        if self.reads.waiting.is_empty() {
            self.reads.earned = self.reads.earned.min(MOST);
            return Progress::Done;
        }
        Progress::More
    }

    /// Does a piece: the units that it has used, and what is left to be done.
    fn read(&mut self, read: Read) -> (u32, Option<Read>) {
        match read {
            Read::Walk(request) => {
                let (reply, used) = self.walk(&request);
                (request.reply)(reply);
                (used, None)
            }
            Read::Count(request, at, mut counts) => {
                let (next, used) = self.count(&request, at, &mut counts);
                if let Some(next) = next {
                    return (used, Some(Read::Count(request, next, counts)));
                }
                (request.reply)(WalkReply { counts, ..WalkReply::default() });
                (used, None)
            }
            Read::Assess(request) => {
                let reply = self.assess(&request);
                (request.reply)(reply);
                (ASSESSMENT, None)
            }
        }
    }

    /// Answers a walk.
    fn walk(&mut self, request: &WalkRequest) -> (WalkReply, u32) {
        let (tables, env) = self.parts();
        find(tables, request.table).map_or_else(Default::default, |table| {
            with_table!(table, t => t.walk(&request.walk, request.max_nets, request.shown, &env))
        })
    }

    /// Counts on from a record; where to go on.
    fn count(
        &mut self,
        request: &WalkRequest,
        at: u32,
        counts: &mut WalkCounts,
    ) -> (Option<u32>, u32) {
        let (tables, env) = self.parts();
        find(tables, request.table).map_or_else(
            Default::default,
            |table| with_table!(table, t => t.count(request, at, counts, &env)),
        )
    }

    fn assess(&mut self, request: &AssessRequest) -> AssessReply {
        // What is only tried is not counted.
        let counters = self.scratch.stop_counting();
        let (tables, mut env) = self.parts();
        let reply = match find(tables, request.table) {
            Some(table) => with_table!(table, t => {
                t.assess(request.cursor, &request.asks, &mut env)
            }),
            None => AssessReply::none(&request.asks),
        };
        self.scratch.count_again(counters);
        reply
    }
}

/// Units that a piece of an assessment uses, which runs filters.
const ASSESSMENT: u32 = 512;
