//! Message framing (RFC 4271 4.1, RFC 8654).

use super::notification::{Notification, code};
use super::{HEADER_LENGTH, MAX_LENGTH, MAX_LENGTH_EXTENDED};

/// Message types.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Type {
    /// OPEN.
    Open = 1,
    /// UPDATE.
    Update = 2,
    /// NOTIFICATION.
    Notification = 3,
    /// KEEPALIVE.
    Keepalive = 4,
    /// ROUTE-REFRESH (RFC 2918).
    RouteRefresh = 5,
}

impl Type {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Update => "UPDATE",
            Self::Notification => "NOTIFICATION",
            Self::Keepalive => "KEEPALIVE",
            Self::RouteRefresh => "ROUTE-REFRESH",
        }
    }

    fn from_wire(value: u8) -> Option<Self> {
        Some(match value {
            1 => Self::Open,
            2 => Self::Update,
            3 => Self::Notification,
            4 => Self::Keepalive,
            5 => Self::RouteRefresh,
            _ => return None,
        })
    }

    /// The shortest message of this type.
    fn least(self) -> usize {
        match self {
            Self::Open => 29,
            Self::Update => 23,
            Self::Notification => 21,
            Self::Keepalive => 19,
            // Its length has an error code of its own (RFC 7313), which the reader of the body gives.
            Self::RouteRefresh => 19,
        }
    }

    /// The longest message of this type: OPEN and KEEPALIVE are never extended (RFC 8654).
    fn most(self, extended: bool) -> usize {
        match self {
            Self::Keepalive => 19,
            Self::Open => MAX_LENGTH,
            Self::Update | Self::Notification | Self::RouteRefresh => {
                if extended {
                    MAX_LENGTH_EXTENDED
                } else {
                    MAX_LENGTH
                }
            }
        }
    }
}

/// A whole message as it was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: Type,
    /// What follows the header.
    pub body: &'a [u8],
}

impl Frame<'_> {
    /// Bytes of the message with its header.
    pub fn length(&self) -> usize {
        HEADER_LENGTH + self.body.len()
    }
}

/// What begins at the start of the received bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Framed<'a> {
    /// A whole message; [`Frame::length`] bytes are used up.
    Message(Frame<'a>),
    /// The beginning of a message that has this many bytes in all (the least, if its length isn't
    /// there yet).
    Partial(usize),
    /// Something that ends the session.
    Error(Notification),
}

/// Looks at the start of `bytes`. `extended` says whether messages of up to 65535 bytes are
/// agreed upon (RFC 8654).
pub fn next(bytes: &[u8], extended: bool) -> Framed<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_LENGTH>() else {
        return early(bytes);
    };
    let [marker @ .., high, low, kind] = *header;
    if marker != [0xff; 16] {
        return Framed::Error(Notification::new(code::HEADER, 1));
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length < HEADER_LENGTH || (length > MAX_LENGTH && !extended) {
        return Framed::Error(Notification::with_data(code::HEADER, 2, &[high, low]));
    }
    let Some(kind) = Type::from_wire(kind) else {
        return Framed::Error(Notification::with_data(code::HEADER, 3, &[kind]));
    };
    if length < kind.least() || length > kind.most(extended) {
        return Framed::Error(Notification::with_data(code::HEADER, 2, &[high, low]));
    }
    match rest.get(..length - HEADER_LENGTH) {
        Some(body) => Framed::Message(Frame { kind, body }),
        None => Framed::Partial(length),
    }
}

/// A header that isn't whole yet is looked at as far as it goes, so that a speaker of another
/// protocol is told at once and not when its hold time is over.
fn early(bytes: &[u8]) -> Framed<'_> {
    if bytes.iter().take(16).any(|byte| *byte != 0xff) {
        return Framed::Error(Notification::new(code::HEADER, 1));
    }
    Framed::Partial(HEADER_LENGTH)
}

/// Appends a header; the caller appends `length - 19` bytes more.
pub fn put_header(out: &mut Vec<u8>, length: usize, kind: Type) {
    let length = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    out.extend_from_slice(&[0xff; 16]);
    out.extend_from_slice(&length);
    out.push(kind as u8);
}

/// A whole KEEPALIVE.
pub const KEEPALIVE: [u8; HEADER_LENGTH] = {
    let mut message = [0xff; HEADER_LENGTH];
    message[16] = 0;
    message[17] = 19;
    message[18] = 4;
    message
};

#[cfg(test)]
mod tests {
    use super::*;

    fn header(length: u16, kind: u8) -> Vec<u8> {
        let mut bytes = vec![0xff; 16];
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.push(kind);
        bytes
    }

    fn error(bytes: &[u8], extended: bool) -> Option<(u8, u8, Vec<u8>)> {
        match next(bytes, extended) {
            Framed::Error(error) => Some((error.code, error.subcode, error.data.to_vec())),
            _ => None,
        }
    }

    #[test]
    fn a_keepalive_is_nineteen_bytes() {
        assert_eq!(
            next(&KEEPALIVE, false),
            Framed::Message(Frame { kind: Type::Keepalive, body: &[] })
        );
        assert_eq!(error(&header(20, 4), true), Some((1, 2, vec![0, 20])));
    }

    #[test]
    fn a_message_waits_for_its_end() {
        let bytes = header(23, 2);
        assert_eq!(next(&bytes, false), Framed::Partial(23));
        assert_eq!(next(&bytes[..10], false), Framed::Partial(19));
        assert_eq!(next(&[], false), Framed::Partial(19));
    }

    #[test]
    fn a_wrong_marker_is_seen_at_once() {
        assert_eq!(error(b"GET / HTTP/1.0", false), Some((1, 1, vec![])));
    }

    #[test]
    fn lengths_have_bounds() {
        assert_eq!(error(&header(18, 4), false), Some((1, 2, vec![0, 18])));
        assert_eq!(error(&header(4097, 2), false), Some((1, 2, vec![16, 1])));
        assert_eq!(next(&header(4097, 2), true), Framed::Partial(4097));
        assert_eq!(error(&header(4097, 1), true), Some((1, 2, vec![16, 1])));
        assert_eq!(error(&header(22, 2), false), Some((1, 2, vec![0, 22])));
        assert_eq!(error(&header(19, 9), false), Some((1, 3, vec![9])));
    }
}
