//! What other filters would make of the routes that are there.
//!
//! A piece at a time, as with a [`walk`](crate::walk): whoever asks sends the next request when it has
//! the answer to the last one, so nothing piles up, and who goes away leaves nothing behind. No table
//! changes, and nothing that a filter prints is shown.

use core::fmt;
use std::sync::Arc;

use dunlin_filter::ChannelFilter;

use crate::TableId;
use crate::export::ExportPolicy;

/// Filters asked about in one request at most: a piece that needs more of them is long.
pub const MOST_ASKS: usize = 64;

/// One filter, or pair of filters, to be asked about.
#[derive(Clone)]
pub enum Ask {
    /// Another import filter for the routes that a protocol has brought.
    Import {
        /// The protocol's name.
        protocol: Arc<str>,
        /// The filter.
        filter: ChannelFilter,
        /// The preference before the filter.
        preference: u32,
    },
    /// Another policy for what is exported of best routes.
    Best {
        /// The policy now.
        now: Arc<dyn ExportPolicy>,
        /// The other one.
        then: Arc<dyn ExportPolicy>,
        /// Whether routes that pass both are sent in another form all the same: those of external
        /// neighbours, those of internal ones.
        sent_anew: [bool; 2],
        /// Names of the protocols that this is exported to. None gets its own routes.
        to: Arc<[Arc<str>]>,
    },
    /// Another policy for what passes a pipe.
    Pipe {
        /// The policy now.
        now: Arc<dyn ExportPolicy>,
        /// The other one.
        then: Arc<dyn ExportPolicy>,
        /// The protocol instance: its own routes do not come back through it.
        instance: u32,
        /// Pipes that a route may pass.
        max_generation: u8,
    },
}

impl Ask {
    /// How many protocols the answer tells apart.
    pub(crate) fn receivers(&self) -> &[Arc<str>] {
        match self {
            Self::Best { to, .. } => to,
            Self::Import { .. } | Self::Pipe { .. } => &[],
        }
    }
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Import { .. } => "Import",
            Self::Best { .. } => "Best",
            Self::Pipe { .. } => "Pipe",
        })
    }
}

/// Asks a slice; answered by one reply.
pub struct AssessRequest {
    /// The table.
    pub table: TableId,
    /// Where to go on, as the last answer said; zero at first.
    pub cursor: u32,
    /// What is asked, [`MOST_ASKS`] at most.
    pub asks: Arc<[Ask]>,
    /// Gets the answer, on the slice's worker: send a message, return.
    pub reply: Box<dyn FnOnce(AssessReply) + Send>,
}

impl fmt::Debug for AssessRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssessRequest").field("table", &self.table).finish_non_exhaustive()
    }
}

/// What changes, in routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Routes that were put to both filters.
    pub routes: u64,
    /// Those that only the new one accepts.
    pub gained: u64,
    /// Those that only the old one accepts.
    pub lost: u64,
    /// Those that both accept, with different attributes.
    pub altered: u64,
}

impl Changes {
    /// Routes to which something happens.
    pub fn total(&self) -> u64 {
        self.gained + self.lost + self.altered
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            routes: self.routes + other.routes,
            gained: self.gained + other.gained,
            lost: self.lost + other.lost,
            altered: self.altered + other.altered,
        }
    }

    /// What is left without a part of it.
    #[must_use]
    pub fn minus(&self, part: &Self) -> Self {
        Self {
            routes: self.routes.saturating_sub(part.routes),
            gained: self.gained.saturating_sub(part.gained),
            lost: self.lost.saturating_sub(part.lost),
            altered: self.altered.saturating_sub(part.altered),
        }
    }
}

/// The answer to one [`Ask`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Of all routes.
    pub all: Changes,
    /// Of those that each of [`Ask::Best`]'s protocols has brought itself and therefore does not get.
    pub own: Vec<Changes>,
}

impl Answer {
    /// An answer to a question, of no routes.
    pub fn none(ask: &Ask) -> Self {
        Self { all: Changes::default(), own: vec![Changes::default(); ask.receivers().len()] }
    }

    /// Adds what another piece has found for the same question.
    pub fn add(&mut self, more: &Self) {
        self.all = self.all.plus(&more.all);
        for (own, more) in self.own.iter_mut().zip(&more.own) {
            *own = own.plus(more);
        }
    }
}

/// A piece of the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssessReply {
    /// In the order of what was asked.
    pub answers: Vec<Answer>,
    /// Where to go on; none at the end.
    pub next: Option<u32>,
}

impl AssessReply {
    /// A table without routes.
    pub(crate) fn none(asks: &[Ask]) -> Self {
        Self { answers: asks.iter().map(Answer::none).collect(), next: None }
    }
}
