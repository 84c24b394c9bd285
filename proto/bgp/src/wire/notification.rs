//! NOTIFICATION (RFC 4271 4.5 and 6, RFC 4486, RFC 9003) and the names users know its codes by.

use core::fmt;

use smallvec::SmallVec;

/// Error codes.
pub mod code {
    /// Message header error.
    pub const HEADER: u8 = 1;
    /// OPEN message error.
    pub const OPEN: u8 = 2;
    /// UPDATE message error.
    pub const UPDATE: u8 = 3;
    /// Hold timer expired.
    pub const HOLD: u8 = 4;
    /// Finite state machine error.
    pub const FSM: u8 = 5;
    /// Cease.
    pub const CEASE: u8 = 6;
    /// ROUTE-REFRESH message error (RFC 7313).
    pub const REFRESH: u8 = 7;
    /// Send hold timer expired (RFC 9687).
    pub const SEND_HOLD: u8 = 8;
}

/// Why a session is ended in order (RFC 4486).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Cease {
    /// More routes than a limit allows.
    PrefixLimit = 1,
    /// The operator took the session down.
    AdministrativeShutdown = 2,
    /// The session is no longer configured.
    PeerDeconfigured = 3,
    /// The operator restarts the session.
    AdministrativeReset = 4,
    /// No connection is wanted now.
    ConnectionRejected = 5,
    /// A changed configuration restarts the session.
    ConfigurationChange = 6,
    /// The other of two connections is kept (RFC 4271 6.8).
    Collision = 7,
    /// Short of memory or the like.
    OutOfResources = 8,
    /// The link or its watch failed (RFC 9384).
    BfdDown = 10,
}

/// An error as it is told to the peer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Notification {
    /// Error code.
    pub code: u8,
    /// Error subcode.
    pub subcode: u8,
    /// What explains it.
    pub data: SmallVec<[u8; 16]>,
}

/// The longest shutdown text of RFC 9003.
pub const SHUTDOWN_TEXT_MAX: usize = 255;

impl Notification {
    /// An error without data.
    pub fn new(code: u8, subcode: u8) -> Self {
        Self { code, subcode, data: SmallVec::new() }
    }

    /// An error with data; what would not fit into a message is left out.
    pub fn with_data(code: u8, subcode: u8, data: &[u8]) -> Self {
        let fits = super::MAX_LENGTH - super::HEADER_LENGTH - 2;
        let data = data.get(..fits).unwrap_or(data);
        Self { code, subcode, data: SmallVec::from_slice(data) }
    }

    /// A Cease, with the operator's words where RFC 9003 has a place for them.
    pub fn cease(cause: Cease, text: &str) -> Self {
        let mut cease = Self::new(code::CEASE, cause as u8);
        let speaks = matches!(cause, Cease::AdministrativeShutdown | Cease::AdministrativeReset);
        if speaks && !text.is_empty() {
            let text = clip(text, SHUTDOWN_TEXT_MAX);
            cease.data.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            cease.data.extend_from_slice(text.as_bytes());
        }
        cease
    }

    /// Reads the body of a NOTIFICATION; `None` if it is too short to be one.
    pub fn decode(body: &[u8]) -> Option<Self> {
        let (&[code, subcode], data) = body.split_first_chunk::<2>()?;
        Some(Self::with_data(code, subcode, data))
    }

    /// Appends the whole message.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let length = super::HEADER_LENGTH + 2 + self.data.len();
        super::frame::put_header(out, length, super::frame::Type::Notification);
        out.push(self.code);
        out.push(self.subcode);
        out.extend_from_slice(&self.data);
    }

    /// Whether this is a Cease.
    pub fn is_cease(&self) -> bool {
        self.code == code::CEASE
    }

    /// The operator's words of RFC 9003, with what isn't text replaced.
    pub fn shutdown_text(&self) -> Option<String> {
        if !self.is_cease() || !matches!(self.subcode, 2 | 4) {
            return None;
        }
        let (&length, text) = self.data.split_first()?;
        let text = text.get(..usize::from(length))?;
        if text.is_empty() {
            return None;
        }
        let words = String::from_utf8_lossy(text);
        Some(words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
    }
}

fn clip(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("")
}

impl fmt::Display for Notification {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match name(self.code, self.subcode) {
            Some(name) => out.write_str(name),
            None => write!(out, "Unknown error {}.{}", self.code, self.subcode),
        }
    }
}

/// The usual name of an error, by which looking glasses know it.
fn name(code: u8, subcode: u8) -> Option<&'static str> {
    Some(match (code, subcode) {
        (1, 0) => "Invalid message header",
        (1, 1) => "Connection not synchronized",
        (1, 2) => "Bad message length",
        (1, 3) => "Bad message type",
        (2, 0) => "Invalid OPEN message",
        (2, 1) => "Unsupported version number",
        (2, 2) => "Bad peer AS",
        (2, 3) => "Bad BGP identifier",
        (2, 4) => "Unsupported optional parameter",
        (2, 5) => "Authentication failure",
        (2, 6) => "Unacceptable hold time",
        (2, 7) => "Required capability missing",
        (2, 11) => "Role mismatch",
        (3, 0) => "Invalid UPDATE message",
        (3, 1) => "Malformed attribute list",
        (3, 2) => "Unrecognized well-known attribute",
        (3, 3) => "Missing mandatory attribute",
        (3, 4) => "Invalid attribute flags",
        (3, 5) => "Invalid attribute length",
        (3, 6) => "Invalid ORIGIN attribute",
        (3, 7) => "AS routing loop",
        (3, 8) => "Invalid NEXT_HOP attribute",
        (3, 9) => "Optional attribute error",
        (3, 10) => "Invalid network field",
        (3, 11) => "Malformed AS_PATH",
        (4, _) => "Hold timer expired",
        (5, 0) => "Finite state machine error",
        (5, 1) => "Unexpected message in OpenSent state",
        (5, 2) => "Unexpected message in OpenConfirm state",
        (5, 3) => "Unexpected message in Established state",
        (6, 0) => "Cease",
        (6, 1) => "Maximum number of prefixes reached",
        (6, 2) => "Administrative shutdown",
        (6, 3) => "Peer de-configured",
        (6, 4) => "Administrative reset",
        (6, 5) => "Connection rejected",
        (6, 6) => "Other configuration change",
        (6, 7) => "Connection collision resolution",
        (6, 8) => "Out of Resources",
        (6, 9) => "Hard reset",
        (6, 10) => "BFD session down",
        (7, 0) => "Invalid ROUTE-REFRESH message",
        (7, 1) => "Invalid ROUTE-REFRESH message length",
        (8, _) => "Send hold timer expired",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shutdown_carries_the_operators_words() {
        let cease = Notification::cease(Cease::AdministrativeShutdown, "maintenance");
        let mut bytes = Vec::new();
        cease.encode(&mut bytes);
        assert_eq!(bytes.get(16..21), Some(&[0, 33, 3, 6, 2][..]));
        let read = Notification::decode(&bytes[19..]).unwrap();
        assert_eq!(read, cease);
        assert_eq!(read.shutdown_text().as_deref(), Some("maintenance"));
        assert_eq!(read.to_string(), "Administrative shutdown");
    }

    #[test]
    fn words_that_are_too_long_are_cut_at_a_character() {
        let cease = Notification::cease(Cease::AdministrativeReset, &"é".repeat(200));
        assert_eq!(cease.data.first(), Some(&254));
    }

    #[test]
    fn words_that_lie_about_their_length_are_not_shown() {
        let read = Notification::decode(&[6, 2, 9, b'x']).unwrap();
        assert_eq!(read.shutdown_text(), None);
        assert_eq!(Notification::decode(&[6]), None);
    }
}
