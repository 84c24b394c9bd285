//! All that is measured.

mod cancel;
mod idle;
mod late;
mod listing;
mod local;
mod remote;
mod resize;
mod sockets;
mod timers;
mod urgent;
mod wake;

use crate::group::Group;

/// In the order of the table.
pub fn all() -> Vec<Group> {
    vec![
        local::EVENT,
        local::MESSAGE,
        local::NEIGHBOUR,
        remote::ONE_WAY,
        remote::BURST,
        remote::FLOOD,
        wake::WAKE,
        urgent::URGENT,
        timers::TIMERS,
        idle::IDLE,
        listing::LISTING,
        sockets::ONE_HOT,
        sockets::ALL_HOT,
        late::LATE,
        cancel::CANCEL,
        resize::RESIZE,
    ]
}
