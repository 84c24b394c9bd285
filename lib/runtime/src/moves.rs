//! Which loops moved lately, and why.

use core::fmt;
use std::{collections::VecDeque, sync::Arc};

use crate::{ids::LoopId, time::Time};

/// Why a loop went to another worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum MoveReason {
    /// There was little to do, so loops came together on one worker.
    Gathered = 1,
    /// It waited for a turn while another worker slept.
    Spread = 2,
    /// Its worker had more to do than another.
    Relief = 3,
    /// Its group got more workers.
    Grown = 4,
    /// Its worker ended.
    Retired = 5,
    /// It was put into another group, or its group changed.
    Group = 6,
    /// It was pinned to another worker.
    Pinned = 7,
    /// Chance, in a simulation.
    Chance = 8,
}

impl MoveReason {
    /// The argument of a flight record about a move from or to `worker`: reason and worker in the
    /// 20 bits that there are.
    pub(crate) fn argument(self, worker: u16) -> u32 {
        (self as u32) << 16 | u32::from(worker)
    }
}

impl fmt::Display for MoveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Gathered => "gathered",
            Self::Spread => "spread",
            Self::Relief => "relief",
            Self::Grown => "grown",
            Self::Retired => "retired",
            Self::Group => "group",
            Self::Pinned => "pinned",
            Self::Chance => "chance",
        })
    }
}

/// One loop's arrival from another worker.
#[derive(Clone, Debug)]
pub struct MoveRecord {
    /// When it arrived.
    pub at: Time,
    /// The loop.
    pub loop_id: LoopId,
    /// Its name.
    pub name: Arc<str>,
    /// The worker it came from.
    pub from: usize,
    /// The worker it came to.
    pub to: usize,
    /// Why.
    pub why: MoveReason,
}

/// The last moves, of one worker or of all.
#[derive(Clone, Debug, Default)]
pub(crate) struct MoveLog(VecDeque<MoveRecord>);

impl MoveLog {
    pub(crate) fn note(&mut self, record: MoveRecord) {
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(record);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &MoveRecord> {
        self.0.iter()
    }

    /// The last of all these, in the order of time.
    pub(crate) fn merged(mut moves: Vec<MoveRecord>) -> Vec<MoveRecord> {
        moves.sort_by_key(|record| record.at);
        moves.drain(..moves.len().saturating_sub(KEPT));
        moves
    }
}

/// Moves that are remembered.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn record(at: u64) -> MoveRecord {
        MoveRecord {
            at: Time::from_nanos(at),
            loop_id: LoopId(1),
            name: "some".into(),
            from: 0,
            to: 1,
            why: MoveReason::Spread,
        }
    }

    #[test]
    fn the_last_moves_are_kept() {
        let mut log = MoveLog::default();
        (0..1000).for_each(|at| log.note(record(at)));
        assert_eq!(log.iter().count(), KEPT);
        let merged =
            MoveLog::merged(log.iter().cloned().chain([record(5), record(2000)]).collect());
        assert_eq!(merged.len(), KEPT);
        assert_eq!(merged.last().map(|record| record.at), Some(Time::from_nanos(2000)));
        assert!(merged.iter().all(|record| record.at >= Time::from_nanos(937)));
    }

    #[test]
    fn a_move_fits_into_a_flight_record() {
        assert_eq!(MoveReason::Chance.argument(u16::MAX), 0x8ffff);
        for why in [
            MoveReason::Gathered,
            MoveReason::Spread,
            MoveReason::Relief,
            MoveReason::Grown,
            MoveReason::Retired,
            MoveReason::Group,
            MoveReason::Pinned,
            MoveReason::Chance,
        ] {
            let shown = dunlin_trace::move_of(why.argument(7));
            assert_eq!(shown, (7, Some(why.to_string().as_str())), "as the recorder shows it");
        }
    }
}
