//! OPEN (RFC 4271 4.2) with its optional parameters (RFC 5492, RFC 9072).

use dunlin_net::wire::{Reader, Truncated};

use super::capability::Capabilities;
use super::frame::{Type, put_header};
use super::notification::{Notification, code};
use super::{AS_TRANS, HEADER_LENGTH};

/// An OPEN.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Open {
    /// The two-octet AS number field. [`Open::asn`] is the speaker's AS number.
    pub as2: u16,
    /// Hold time in seconds; 0, or 3 and more.
    pub hold_time: u16,
    /// BGP identifier.
    pub router_id: u32,
    /// What the speaker can do.
    pub capabilities: Capabilities,
}

const VERSION: u8 = 4;
const PARAMETER_CAPABILITIES: u8 = 2;
/// As a length and as the type of the first parameter: RFC 9072.
const EXTENDED: u8 = 255;

impl Open {
    /// The OPEN of a speaker with this AS number.
    pub fn new(asn: u32, hold_time: u16, router_id: u32, capabilities: Capabilities) -> Self {
        let as2 = u16::try_from(asn).unwrap_or(AS_TRANS);
        Self { as2, hold_time, router_id, capabilities }
    }

    /// The AS number of the speaker.
    pub fn asn(&self) -> u32 {
        self.capabilities.as4.unwrap_or(u32::from(self.as2))
    }

    /// Reads the body. What depends on the configuration (the peer's AS, required capabilities)
    /// is left to the state machine.
    pub fn decode(body: &[u8]) -> Result<Self, Notification> {
        let mut reader = Reader::new(body);
        Self::decode_fields(&mut reader).map_err(|_| malformed())?
    }

    fn decode_fields(reader: &mut Reader<'_>) -> Result<Result<Self, Notification>, Truncated> {
        if reader.u8()? != VERSION {
            let supported = u16::from(VERSION).to_be_bytes();
            return Ok(Err(Notification::with_data(code::OPEN, 1, &supported)));
        }
        let (as2, hold_time, router_id) = (reader.u16()?, reader.u16()?, reader.u32()?);
        let mut open = Self { as2, hold_time, router_id, capabilities: Capabilities::default() };
        let parameters = Parameters::decode(reader)?;
        Ok(parameters.read(&mut open.capabilities).and_then(|()| open.checked()))
    }

    /// What is wrong in any OPEN, whoever sent it.
    fn checked(self) -> Result<Self, Notification> {
        if self.router_id == 0 {
            return Err(Notification::new(code::OPEN, 3));
        }
        if matches!(self.hold_time, 1 | 2) {
            return Err(Notification::with_data(code::OPEN, 6, &self.hold_time.to_be_bytes()));
        }
        if self.asn() == 0 {
            return Err(bad_peer_as(0));
        }
        Ok(self)
    }

    /// Appends the whole message.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut capabilities = Vec::new();
        self.capabilities.encode(&mut capabilities);
        let mut parameters = Vec::new();
        put_parameters(&mut parameters, &capabilities);
        put_header(out, HEADER_LENGTH + 9 + parameters.len(), Type::Open);
        out.push(VERSION);
        out.extend_from_slice(&self.as2.to_be_bytes());
        out.extend_from_slice(&self.hold_time.to_be_bytes());
        out.extend_from_slice(&self.router_id.to_be_bytes());
        out.extend_from_slice(&parameters);
    }
}

/// The NOTIFICATION for an AS that isn't the peer's.
pub fn bad_peer_as(asn: u32) -> Notification {
    Notification::with_data(code::OPEN, 2, &asn.to_be_bytes())
}

fn malformed() -> Notification {
    Notification::new(code::OPEN, 0)
}

/// The optional parameters of one OPEN.
struct Parameters<'a> {
    bytes: &'a [u8],
    /// Lengths have two octets.
    extended: bool,
}

impl<'a> Parameters<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Truncated> {
        let length = reader.u8()?;
        // A length of 255 may be an ordinary one; the type that follows tells (RFC 9072).
        let extended = length != 0 && reader.peek() == Some(EXTENDED);
        let bytes = if extended {
            reader.skip(1)?;
            let length = usize::from(reader.u16()?);
            reader.take(length)?
        } else {
            reader.take(usize::from(length))?
        };
        if reader.is_empty() { Ok(Self { bytes, extended }) } else { Err(Truncated) }
    }

    fn read(&self, capabilities: &mut Capabilities) -> Result<(), Notification> {
        let mut reader = Reader::new(self.bytes);
        while !reader.is_empty() {
            let (kind, value) = self.next(&mut reader).map_err(|_| malformed())?;
            if kind != PARAMETER_CAPABILITIES {
                return Err(unsupported(kind, value));
            }
            capabilities.decode(value).map_err(|_| malformed())?;
        }
        Ok(())
    }

    fn next(&self, reader: &mut Reader<'a>) -> Result<(u8, &'a [u8]), Truncated> {
        let kind = reader.u8()?;
        let length = if self.extended { reader.u16()? } else { u16::from(reader.u8()?) };
        Ok((kind, reader.take(usize::from(length))?))
    }
}

fn unsupported(kind: u8, value: &[u8]) -> Notification {
    let mut data = vec![kind, u8::try_from(value.len()).unwrap_or(u8::MAX)];
    data.extend_from_slice(value);
    Notification::with_data(code::OPEN, 4, &data)
}

fn put_parameters(out: &mut Vec<u8>, capabilities: &[u8]) {
    match (u8::try_from(capabilities.len()), u16::try_from(capabilities.len())) {
        (Ok(0), _) => out.push(0),
        (Ok(length), _) if length <= 252 => {
            out.extend_from_slice(&[length + 2, PARAMETER_CAPABILITIES, length]);
            out.extend_from_slice(capabilities);
        }
        (_, Ok(length)) => {
            out.extend_from_slice(&[EXTENDED, EXTENDED]);
            out.extend_from_slice(&length.saturating_add(3).to_be_bytes());
            out.push(PARAMETER_CAPABILITIES);
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(capabilities);
        }
        // More than an OPEN can hold at all.
        (_, Err(_)) => out.push(0),
    }
}

#[cfg(test)]
mod tests;
