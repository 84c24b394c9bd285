//! Reading one table of all slices, piece by piece.

use std::sync::Arc;

use dunlin_net::Prefix;
use dunlin_rib::TableId;
use dunlin_rib::slice::SliceMessage;
use dunlin_rib::walk::{NetRows, Shown, Walk, WalkCounts, WalkReply, WalkRequest};
use dunlin_runtime::Class;

use super::query::Wanted;
use super::session::{Desk, Payload};

/// Networks in one piece of a listing: a fraction of a millisecond's work for the client's loop.
const PIECE: u32 = 128;

/// A walk over one table.
pub(super) struct Walker {
    table: TableId,
    wanted: Wanted,
    shown: Shown,
    /// Networks in one piece.
    piece: u32,
    /// They are only counted, and those of a protocol on their own.
    counts: Option<Option<Arc<str>>>,
    counted: WalkCounts,
    /// The slice that is read now, or how many have answered if all are asked at once.
    slice: usize,
    cursor: u32,
    asked: bool,
    done: bool,
    /// The longest match so far.
    longest: Option<NetRows>,
}

impl Walker {
    pub(super) fn new(table: TableId, wanted: Wanted, shown: Shown) -> Self {
        Self {
            table,
            wanted,
            shown,
            piece: PIECE,
            counts: None,
            counted: WalkCounts::default(),
            slice: 0,
            cursor: 0,
            asked: false,
            done: false,
            longest: None,
        }
    }

    /// With so many networks in a piece.
    pub(super) fn in_pieces_of(self, piece: u32) -> Self {
        Self { piece, ..self }
    }

    /// Counts, and the routes of a protocol on their own, instead of listing.
    pub(super) fn counting(self, protocol: Option<Arc<str>>) -> Self {
        Self { counts: Some(protocol), ..self }
    }

    /// What has been counted, if that is done instead of listing.
    pub(super) fn counted(&self) -> Option<WalkCounts> {
        self.counts.as_ref().map(|_| self.counted)
    }

    /// Asks for the next piece, unless one is under way. False if there is none left.
    pub(super) fn ask(&mut self, desk: &Desk) -> bool {
        if self.done {
            return false;
        }
        if self.asked {
            return true;
        }
        self.asked = true;
        let slices = &desk.shared().rib.slices;
        let all = 0..slices.count();
        if let Some(protocol) = &self.counts {
            let inside = self.wanted.inside();
            let walk = || Walk::Count { inside, protocol: protocol.clone() };
            all.for_each(|index| self.send(desk, index, walk()));
            return true;
        }
        match self.wanted {
            Wanted::All => self.send(desk, self.slice, Walk::All { cursor: self.cursor }),
            Wanted::In(prefix) => {
                self.send(desk, self.slice, Walk::In { prefix, cursor: self.cursor });
            }
            Wanted::Exact(net) => {
                let index = net.slice(slices.mask()) as usize;
                self.send(desk, index, Walk::Exact(net));
            }
            Wanted::For(address) => {
                all.for_each(|index| self.send(desk, index, Walk::For(address)));
            }
            Wanted::ForNet(net) => {
                all.for_each(|index| self.send(desk, index, Walk::ForNet(net)));
            }
        }
        true
    }

    fn send(&self, desk: &Desk, index: usize, walk: Walk) {
        let reply = desk.reply(Payload::Walk);
        let request = WalkRequest {
            table: self.table,
            walk,
            max_nets: self.piece,
            shown: self.shown,
            reply: Box::new(move |answer| reply.send(answer)),
        };
        let slices = &desk.shared().rib.slices;
        let address = slices.at(u32::try_from(index).unwrap_or(0));
        // A stopped slice means that the daemon is ending, and this session with it.
        let _ = address.send(Class::Control, SliceMessage::Walk(Box::new(request)));
    }

    /// Takes a piece; what of it is to be shown.
    pub(super) fn take(&mut self, slices: usize, reply: WalkReply) -> Vec<NetRows> {
        if self.counts.is_some() {
            self.counted = self.counted.plus(&reply.counts);
            self.slice += 1;
            self.done = self.slice >= slices;
            return Vec::new();
        }
        match self.wanted {
            Wanted::All | Wanted::In(_) => {
                self.asked = false;
                match reply.next {
                    Some(cursor) => self.cursor = cursor,
                    None => {
                        self.cursor = 0;
                        self.slice += 1;
                        self.done = self.slice >= slices;
                    }
                }
                reply.nets
            }
            Wanted::Exact(_) => {
                self.done = true;
                reply.nets
            }
            Wanted::For(_) | Wanted::ForNet(_) => {
                for net in reply.nets {
                    let length = |rows: &NetRows| rows.net.prefix().map(Prefix::len);
                    if self.longest.as_ref().is_none_or(|old| length(&net) > length(old)) {
                        self.longest = Some(net);
                    }
                }
                self.slice += 1;
                self.done = self.slice >= slices;
                if self.done { self.longest.take().into_iter().collect() } else { Vec::new() }
            }
        }
    }
}
