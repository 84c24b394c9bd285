//! Capabilities (RFC 5492).

use dunlin_net::wire::{Reader, Truncated};
use smallvec::SmallVec;

use super::family::Family;

mod number {
    pub(super) const MULTIPROTOCOL: u8 = 1;
    pub(super) const ROUTE_REFRESH: u8 = 2;
    pub(super) const EXTENDED_NEXT_HOP: u8 = 5;
    pub(super) const EXTENDED_MESSAGE: u8 = 6;
    pub(super) const ROLE: u8 = 9;
    pub(super) const GRACEFUL_RESTART: u8 = 64;
    pub(super) const AS4: u8 = 65;
    pub(super) const ADD_PATH: u8 = 69;
    pub(super) const ENHANCED_REFRESH: u8 = 70;
    pub(super) const LONG_LIVED: u8 = 71;
    pub(super) const HOSTNAME: u8 = 73;
}

/// A role in the sense of RFC 9234.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Role {
    /// Provider.
    Provider = 0,
    /// Route server.
    RouteServer = 1,
    /// Client of a route server.
    RouteServerClient = 2,
    /// Customer.
    Customer = 3,
    /// Peer.
    Peer = 4,
}

impl Role {
    fn from_wire(value: u8) -> Option<Self> {
        Some(match value {
            0 => Self::Provider,
            1 => Self::RouteServer,
            2 => Self::RouteServerClient,
            3 => Self::Customer,
            4 => Self::Peer,
            _ => return None,
        })
    }

    /// The word for it in the configuration and in `show protocols all`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::RouteServer => "rs_server",
            Self::RouteServerClient => "rs_client",
            Self::Customer => "customer",
            Self::Peer => "peer",
        }
    }

    /// Whether we are below the neighbour or beside it: its routes are for our customers only.
    pub const fn takes_for_customers(self) -> bool {
        matches!(self, Self::Customer | Self::Peer | Self::RouteServerClient)
    }

    /// Whether the neighbour is below us or beside us: our routes are for its customers only.
    pub const fn gives_for_customers(self) -> bool {
        matches!(self, Self::Provider | Self::Peer | Self::RouteServer)
    }

    /// Whether a session between these two roles makes sense (RFC 9234 4.2).
    pub const fn fits(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Provider, Self::Customer)
                | (Self::Customer, Self::Provider)
                | (Self::RouteServer, Self::RouteServerClient)
                | (Self::RouteServerClient, Self::RouteServer)
                | (Self::Peer, Self::Peer)
        )
    }
}

/// One family of an ADD-PATH capability (RFC 7911).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AddPath {
    /// The family.
    pub family: Family,
    /// The sender of the capability can receive several paths.
    pub receive: bool,
    /// The sender of the capability can send several paths.
    pub send: bool,
}

/// Graceful restart (RFC 4724).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct GracefulRestart {
    /// The sender is restarting.
    pub restarting: bool,
    /// The N bit of RFC 8538.
    pub notification: bool,
    /// Seconds that the restart may take.
    pub time: u16,
    /// Families, each with whether its forwarding state was kept.
    pub families: SmallVec<[(Family, bool); 2]>,
}

/// Families of long-lived graceful restart (RFC 9494), each with whether its forwarding state was
/// kept and for how many seconds its routes may be stale.
pub type LongLived = SmallVec<[(Family, bool, u32); 2]>;

/// What one speaker says that it can do.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Capabilities {
    /// The OPEN has a capabilities parameter at all, even an empty one.
    pub present: bool,
    /// Multiprotocol families (RFC 4760).
    pub families: SmallVec<[Family; 4]>,
    /// Route refresh (RFC 2918).
    pub route_refresh: bool,
    /// Families of IPv4 routes that may have an IPv6 next hop (RFC 8950).
    pub extended_next_hop: SmallVec<[(Family, u16); 2]>,
    /// Extended messages (RFC 8654).
    pub extended_message: bool,
    /// Role (RFC 9234).
    pub role: Option<Role>,
    /// Several capabilities with different roles, or a role that nobody knows.
    pub role_conflict: bool,
    /// Graceful restart (RFC 4724).
    pub graceful_restart: Option<GracefulRestart>,
    /// Four-octet AS number (RFC 6793).
    pub as4: Option<u32>,
    /// Several paths for one prefix (RFC 7911).
    pub add_path: SmallVec<[AddPath; 2]>,
    /// Enhanced route refresh (RFC 7313).
    pub enhanced_refresh: bool,
    /// Long-lived graceful restart (RFC 9494).
    pub long_lived: Option<LongLived>,
    /// Host name.
    pub hostname: Option<Box<[u8]>>,
    /// Capabilities that Dunlin doesn't know, as they came.
    pub unknown: Vec<(u8, Box<[u8]>)>,
}

impl Capabilities {
    /// Adds the capabilities in the value of one optional parameter. An error means that a
    /// length is wrong, so that the rest can't be read.
    pub(super) fn decode(&mut self, value: &[u8]) -> Result<(), Truncated> {
        self.present = true;
        let mut reader = Reader::new(value);
        while !reader.is_empty() {
            let number = reader.u8()?;
            let length = usize::from(reader.u8()?);
            self.decode_one(number, reader.take(length)?)?;
        }
        Ok(())
    }

    fn decode_one(&mut self, number: u8, value: &[u8]) -> Result<(), Truncated> {
        let mut reader = Reader::new(value);
        match number {
            number::MULTIPROTOCOL => {
                let family = Family::new(reader.u16()?, (reader.u8()?, reader.u8()?).1);
                if !self.families.contains(&family) {
                    self.families.push(family);
                }
            }
            number::ROUTE_REFRESH => self.route_refresh = true,
            number::EXTENDED_NEXT_HOP => self.decode_extended_next_hop(&mut reader)?,
            number::EXTENDED_MESSAGE => self.extended_message = true,
            number::ROLE => self.decode_role(reader.u8()?),
            number::GRACEFUL_RESTART => {
                self.graceful_restart = Some(decode_graceful_restart(&mut reader)?);
            }
            number::AS4 => self.as4 = Some(reader.u32()?),
            number::ADD_PATH => self.decode_add_path(&mut reader)?,
            number::ENHANCED_REFRESH => self.enhanced_refresh = true,
            number::LONG_LIVED => self.long_lived = Some(decode_long_lived(&mut reader)?),
            number::HOSTNAME => {
                let length = usize::from(reader.u8()?);
                self.hostname = Some(reader.take(length)?.into());
                // A domain name follows, which nobody shows.
                reader.rest();
            }
            _ => {
                self.unknown.push((number, value.into()));
                reader.rest();
            }
        }
        if reader.is_empty() { Ok(()) } else { Err(Truncated) }
    }

    fn decode_role(&mut self, value: u8) {
        let role = Role::from_wire(value);
        self.role_conflict |= role.is_none() || (self.role.is_some() && self.role != role);
        self.role = self.role.or(role);
    }

    fn decode_extended_next_hop(&mut self, reader: &mut Reader<'_>) -> Result<(), Truncated> {
        while !reader.is_empty() {
            let (afi, safi, next_hop) = (reader.u16()?, reader.u16()?, reader.u16()?);
            if let Ok(safi) = u8::try_from(safi) {
                self.extended_next_hop.push((Family::new(afi, safi), next_hop));
            }
        }
        Ok(())
    }

    fn decode_add_path(&mut self, reader: &mut Reader<'_>) -> Result<(), Truncated> {
        while !reader.is_empty() {
            let family = Family::new(reader.u16()?, reader.u8()?);
            let bits = reader.u8()?;
            // RFC 7911 section 4: other values make the entry be ignored.
            if (1..=3).contains(&bits) {
                let (receive, send) = (bits & 1 != 0, bits & 2 != 0);
                self.add_path.push(AddPath { family, receive, send });
            }
        }
        Ok(())
    }

    /// Appends the capabilities, each with its number and length.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for family in &self.families {
            let [high, low] = family.afi.to_be_bytes();
            put(out, number::MULTIPROTOCOL, &[high, low, 0, family.safi]);
        }
        if self.route_refresh {
            put(out, number::ROUTE_REFRESH, &[]);
        }
        if !self.extended_next_hop.is_empty() {
            put(out, number::EXTENDED_NEXT_HOP, &extended_next_hop_bytes(self));
        }
        if self.extended_message {
            put(out, number::EXTENDED_MESSAGE, &[]);
        }
        if let Some(role) = self.role {
            put(out, number::ROLE, &[role as u8]);
        }
        if let Some(restart) = &self.graceful_restart {
            put(out, number::GRACEFUL_RESTART, &graceful_restart_bytes(restart));
        }
        if let Some(asn) = self.as4 {
            put(out, number::AS4, &asn.to_be_bytes());
        }
        if !self.add_path.is_empty() {
            put(out, number::ADD_PATH, &add_path_bytes(self));
        }
        if self.enhanced_refresh {
            put(out, number::ENHANCED_REFRESH, &[]);
        }
        if let Some(families) = &self.long_lived {
            put(out, number::LONG_LIVED, &long_lived_bytes(families));
        }
        if let Some(name) = &self.hostname {
            put(out, number::HOSTNAME, &hostname_bytes(name));
        }
        for (number, value) in &self.unknown {
            put(out, *number, value);
        }
    }
}

fn put(out: &mut Vec<u8>, number: u8, value: &[u8]) {
    let value = value.get(..255).unwrap_or(value);
    out.push(number);
    out.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(value);
}

fn decode_graceful_restart(reader: &mut Reader<'_>) -> Result<GracefulRestart, Truncated> {
    let head = reader.u16()?;
    let mut restart = GracefulRestart {
        restarting: head & 0x8000 != 0,
        notification: head & 0x4000 != 0,
        time: head & 0x0fff,
        families: SmallVec::new(),
    };
    while !reader.is_empty() {
        let family = Family::new(reader.u16()?, reader.u8()?);
        restart.families.push((family, reader.u8()? & 0x80 != 0));
    }
    Ok(restart)
}

fn decode_long_lived(reader: &mut Reader<'_>) -> Result<LongLived, Truncated> {
    let mut families = SmallVec::new();
    while !reader.is_empty() {
        let family = Family::new(reader.u16()?, reader.u8()?);
        let kept = reader.u8()? & 0x80 != 0;
        let [high, middle, low] = reader.array()?;
        families.push((family, kept, u32::from_be_bytes([0, high, middle, low])));
    }
    Ok(families)
}

fn family_bytes(out: &mut Vec<u8>, family: Family) {
    out.extend_from_slice(&family.afi.to_be_bytes());
    out.push(family.safi);
}

fn extended_next_hop_bytes(capabilities: &Capabilities) -> Vec<u8> {
    let mut out = Vec::new();
    for (family, next_hop) in &capabilities.extended_next_hop {
        out.extend_from_slice(&family.afi.to_be_bytes());
        out.extend_from_slice(&u16::from(family.safi).to_be_bytes());
        out.extend_from_slice(&next_hop.to_be_bytes());
    }
    out
}

fn graceful_restart_bytes(restart: &GracefulRestart) -> Vec<u8> {
    let bits = u16::from(restart.restarting) << 15 | u16::from(restart.notification) << 14;
    let mut out = (bits | (restart.time & 0x0fff)).to_be_bytes().to_vec();
    for (family, kept) in &restart.families {
        family_bytes(&mut out, *family);
        out.push(u8::from(*kept) << 7);
    }
    out
}

fn add_path_bytes(capabilities: &Capabilities) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in &capabilities.add_path {
        family_bytes(&mut out, entry.family);
        out.push(u8::from(entry.receive) | u8::from(entry.send) << 1);
    }
    out
}

fn long_lived_bytes(families: &[(Family, bool, u32)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (family, kept, time) in families {
        family_bytes(&mut out, *family);
        out.push(u8::from(*kept) << 7);
        let [_, time @ ..] = time.to_be_bytes();
        out.extend_from_slice(&time);
    }
    out
}

fn hostname_bytes(name: &[u8]) -> Vec<u8> {
    // Room is left for the domain's length, so the name has less than 254 bytes.
    let name = name.get(..253).unwrap_or(name);
    let mut out = vec![u8::try_from(name.len()).unwrap_or(u8::MAX)];
    out.extend_from_slice(name);
    out.push(0);
    out
}
