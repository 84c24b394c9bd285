//! Routing netlink: bytes to values and back. No socket, no clock, no state.
//!
//! Everything is in the machine's byte order and aligned to four bytes. Nothing here panics, whatever the
//! bytes: a message that does not fit its own lengths ends the datagram.

mod address;
mod link;

pub use address::{AddressRecord, request_addresses};
pub use link::{LinkRecord, request_links};

/// Bytes of a message's header.
const HEADER: usize = 16;

/// Kinds of messages.
mod kind {
    pub(super) const ERROR: u16 = 2;
    pub(super) const DONE: u16 = 3;
    pub(super) const OVERRUN: u16 = 4;
    pub(super) const NEW_LINK: u16 = 16;
    pub(super) const DEL_LINK: u16 = 17;
    pub(super) const GET_LINK: u16 = 18;
    pub(super) const NEW_ADDRESS: u16 = 20;
    pub(super) const DEL_ADDRESS: u16 = 21;
    pub(super) const GET_ADDRESS: u16 = 22;
}

/// Flags of messages.
mod flag {
    pub(super) const REQUEST: u16 = 0x1;
    pub(super) const DUMP_INTERRUPTED: u16 = 0x10;
    pub(super) const DUMP: u16 = 0x300;
}

/// One message, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The number of the request that it answers; 0 for notifications.
    pub sequence: u32,
    /// The answer is no consistent picture: ask again.
    pub interrupted: bool,
    /// What it says.
    pub event: Event,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An interface is there, or has changed.
    Link(LinkRecord),
    /// An interface has gone.
    LinkGone(u32),
    /// An address is there, or has changed.
    Address(AddressRecord),
    /// An address has gone.
    AddressGone(AddressRecord),
    /// The answer is complete.
    Done,
    /// The request failed with this `errno`; 0 if it succeeded.
    Error(i32),
    /// The kernel lost messages.
    Overrun,
    /// Something else, or something that could not be read.
    Other,
}

/// The messages of a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// Reads a datagram.
    pub fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }
}

impl Iterator for Messages<'_> {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let rest = self.rest;
        let length = usize::try_from(u32_at(rest, 0)?).ok()?;
        let kind = u16_at(rest, 4)?;
        let flags = u16_at(rest, 6)?;
        let sequence = u32_at(rest, 8)?;
        let Some(body) = rest.get(HEADER..length) else {
            // Cut off, or nonsense: nothing behind it can be found.
            self.rest = &[];
            return None;
        };
        self.rest = rest.get(align(length)..).unwrap_or_default();
        let interrupted = flags & flag::DUMP_INTERRUPTED != 0;
        Some(Message { sequence, interrupted, event: event(kind, body) })
    }
}

fn event(kind: u16, body: &[u8]) -> Event {
    let event = match kind {
        kind::NEW_LINK => LinkRecord::read(body).map(Event::Link),
        kind::DEL_LINK => LinkRecord::read(body).map(|link| Event::LinkGone(link.index)),
        kind::NEW_ADDRESS => AddressRecord::read(body).map(Event::Address),
        kind::DEL_ADDRESS => AddressRecord::read(body).map(Event::AddressGone),
        kind::DONE => Some(Event::Done),
        kind::ERROR => u32_at(body, 0).map(|code| Event::Error(code.cast_signed().wrapping_neg())),
        kind::OVERRUN => Some(Event::Overrun),
        _ => None,
    };
    event.unwrap_or(Event::Other)
}

/// The attributes behind a message's fixed part.
struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        /// Bits that say how the value is to be read; the kernel sets them on some.
        const TYPE: u16 = 0x3fff;
        let length = usize::from(u16_at(self.rest, 0)?);
        let kind = u16_at(self.rest, 2)? & TYPE;
        let value = self.rest.get(4..length);
        self.rest = match value {
            Some(_) => self.rest.get(align(length)..).unwrap_or_default(),
            None => &[],
        };
        value.map(|value| (kind, value))
    }
}

/// A request for everything of a kind, with a fixed part of zeros.
fn dump_request(kind: u16, sequence: u32, fixed: usize) -> Vec<u8> {
    let length = HEADER + fixed;
    let mut request = Vec::with_capacity(length);
    request.extend(u32::try_from(length).unwrap_or(0).to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend((flag::REQUEST | flag::DUMP).to_ne_bytes());
    request.extend(sequence.to_ne_bytes());
    request.resize(length, 0);
    request
}

const fn align(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
