//! What two OPENs agree upon, and what is wrong with the neighbour's.

use core::time::Duration;

use super::settings::{Neighbor, Settings, Timers};
use crate::wire::capability::Capabilities;
use crate::wire::notification::code;
use crate::wire::open::bad_peer_as;
use crate::wire::{Carried, FamilySet, Notification, Open};

/// Capabilities that the neighbour must have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Required {
    /// Families (the channel option `mandatory`).
    pub families: FamilySet,
    /// Route refresh.
    pub route_refresh: bool,
    /// Enhanced route refresh.
    pub enhanced_refresh: bool,
    /// Four-octet AS numbers.
    pub as4: bool,
    /// Extended messages.
    pub extended_message: bool,
    /// Host name.
    pub hostname: bool,
    /// Graceful restart.
    pub graceful_restart: bool,
    /// Long-lived graceful restart.
    pub long_lived: bool,
    /// A role (RFC 9234).
    pub role: bool,
}

/// What holds on an established session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agreed {
    /// The neighbour's AS.
    pub neighbor_as: u32,
    /// The neighbour's BGP identifier.
    pub neighbor_id: u32,
    /// The neighbour is in our AS.
    pub internal: bool,
    /// Families of routes.
    pub families: FamilySet,
    /// AS numbers have four octets.
    pub as4: bool,
    /// The neighbour answers route refresh.
    pub route_refresh: bool,
    /// Refreshes are bracketed (RFC 7313).
    pub enhanced_refresh: bool,
    /// Messages of up to 65535 octets, both ways.
    pub extended_message: bool,
    /// Hold time; zero for none.
    pub hold: Duration,
    /// Time between KEEPALIVEs; zero for none.
    pub keepalive: Duration,
    /// Longest time without sending anything; zero for any.
    pub send_hold: Duration,
}

impl Settings {
    /// Judges the neighbour's OPEN. `ours`: the capabilities that we sent.
    pub(super) fn agree(&self, open: &Open, ours: &Capabilities) -> Result<Agreed, Notification> {
        let asn = open.asn();
        let internal = self.check_as(asn)?;
        if internal && open.router_id == self.router_id {
            return Err(Notification::new(code::OPEN, 3));
        }
        let theirs = &open.capabilities;
        let missing = self.required.missing(theirs);
        if !missing.is_empty() {
            return Err(Notification::with_data(code::OPEN, 7, &missing));
        }
        self.check_role(theirs)?;
        let times = self.timers.agree(open.hold_time)?;
        Ok(Agreed {
            neighbor_as: asn,
            neighbor_id: open.router_id,
            internal,
            families: families(ours).and(families(theirs)),
            as4: ours.as4.is_some() && theirs.as4.is_some(),
            route_refresh: ours.route_refresh && theirs.route_refresh,
            enhanced_refresh: ours.enhanced_refresh && theirs.enhanced_refresh,
            extended_message: ours.extended_message && theirs.extended_message,
            hold: times.0,
            keepalive: times.1,
            send_hold: self.timers.send_hold.unwrap_or(times.0 * 2),
        })
    }

    /// Whether the neighbour is internal, if it is who it should be.
    fn check_as(&self, asn: u32) -> Result<bool, Notification> {
        let internal = asn == self.local_as;
        let expected = match self.neighbor {
            Neighbor::As(expected) => asn == expected,
            Neighbor::Internal => internal,
            Neighbor::External => !internal,
        };
        if expected { Ok(internal) } else { Err(bad_peer_as(asn)) }
    }

    fn check_role(&self, theirs: &Capabilities) -> Result<(), Notification> {
        let Some(role) = self.role else { return Ok(()) };
        let fits = match theirs.role {
            _ if theirs.role_conflict => false,
            Some(other) => role.fits(other),
            None => !self.required.role,
        };
        if fits { Ok(()) } else { Err(Notification::new(code::OPEN, 11)) }
    }
}

impl Timers {
    /// Hold time and keepalive time with a neighbour that proposes this hold time.
    fn agree(&self, theirs: u16) -> Result<(Duration, Duration), Notification> {
        let unacceptable = || Notification::with_data(code::OPEN, 6, &theirs.to_be_bytes());
        let hold = self.hold.min(Duration::from_secs(u64::from(theirs)));
        if hold < self.min_hold {
            return Err(unacceptable());
        }
        if hold.is_zero() {
            return Ok((hold, Duration::ZERO));
        }
        let keepalive = match self.keepalive {
            // Made for our own hold time; a shorter one makes it shorter.
            Some(keepalive) if hold < self.hold => scaled(keepalive, hold, self.hold),
            Some(keepalive) => keepalive,
            None => hold / 3,
        };
        if keepalive < self.min_keepalive { Err(unacceptable()) } else { Ok((hold, keepalive)) }
    }
}

/// `span * part / whole`.
fn scaled(span: Duration, part: Duration, whole: Duration) -> Duration {
    let seconds = |span: Duration| u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
    span * seconds(part) / seconds(whole).max(1)
}

/// The families that a speaker can carry. One that says nothing carries IPv4 (RFC 4760).
fn families(capabilities: &Capabilities) -> FamilySet {
    if capabilities.families.is_empty() {
        return FamilySet::NONE.with(Carried::Ipv4);
    }
    capabilities.families.iter().filter_map(|family| family.carried()).collect()
}

impl Required {
    /// What is required, a bit for each thing.
    pub fn bits(&self) -> u32 {
        let plain = [
            self.families.contains(Carried::Ipv4),
            self.families.contains(Carried::Ipv6),
            self.route_refresh,
            self.enhanced_refresh,
            self.as4,
            self.extended_message,
            self.hostname,
            self.graceful_restart,
            self.long_lived,
            self.role,
        ];
        plain.iter().rev().fold(0, |bits, required| bits << 1 | u32::from(*required))
    }

    /// All that a neighbour meets: what may be required without refusing it.
    pub fn met_by(theirs: &Capabilities) -> Self {
        Self {
            families: families(theirs),
            route_refresh: theirs.route_refresh,
            enhanced_refresh: theirs.enhanced_refresh,
            as4: theirs.as4.is_some(),
            extended_message: theirs.extended_message,
            hostname: theirs.hostname.is_some(),
            graceful_restart: theirs.graceful_restart.is_some(),
            long_lived: theirs.long_lived.is_some(),
            role: theirs.role.is_some(),
        }
    }

    /// The missing capabilities, as a NOTIFICATION tells them (RFC 5492 section 5).
    fn missing(&self, theirs: &Capabilities) -> Vec<u8> {
        let mut out = Vec::new();
        let offered = families(theirs);
        for family in self.families.iter().filter(|family| !offered.contains(*family)) {
            let [high, low] = family.family().afi.to_be_bytes();
            out.extend_from_slice(&[1, 4, high, low, 0, family.family().safi]);
        }
        let plain = [
            (self.route_refresh && !theirs.route_refresh, 2u8),
            (self.extended_message && !theirs.extended_message, 6),
            (self.graceful_restart && theirs.graceful_restart.is_none(), 64),
            (self.as4 && theirs.as4.is_none(), 65),
            (self.enhanced_refresh && !theirs.enhanced_refresh, 70),
            (self.long_lived && theirs.long_lived.is_none(), 71),
            (self.hostname && theirs.hostname.is_none(), 73),
        ];
        for (_, number) in plain.iter().filter(|(missing, _)| *missing) {
            out.extend_from_slice(&[*number, 0]);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{Capabilities, Carried, FamilySet, Required};
    use crate::wire::Family;

    #[test]
    fn who_meets_what_is_required_is_not_refused_for_it() {
        let nothing = Required::default();
        let each = [
            Required { families: FamilySet::NONE.with(Carried::Ipv4), ..nothing },
            Required { families: FamilySet::NONE.with(Carried::Ipv6), ..nothing },
            Required { route_refresh: true, ..nothing },
            Required { enhanced_refresh: true, ..nothing },
            Required { as4: true, ..nothing },
            Required { extended_message: true, ..nothing },
            Required { hostname: true, ..nothing },
            Required { graceful_restart: true, ..nothing },
            Required { long_lived: true, ..nothing },
        ];
        let none = Capabilities::default();
        let ipv6: Vec<Family> = vec![Carried::Ipv6.family()];
        let some = Capabilities {
            families: ipv6.into_iter().collect(),
            as4: Some(1),
            route_refresh: true,
            ..Capabilities::default()
        };
        let more = Capabilities {
            extended_message: true,
            enhanced_refresh: true,
            hostname: Some(b"h"[..].into()),
            ..some.clone()
        };
        for theirs in [none, some, more] {
            let met = Required::met_by(&theirs).bits();
            for required in each {
                let lacks = required.bits() & !met != 0;
                assert_eq!(lacks, !required.missing(&theirs).is_empty(), "{required:?} {theirs:?}");
            }
        }
        let mut bits: Vec<u32> = each.iter().map(Required::bits).collect();
        bits.push(Required { role: true, ..nothing }.bits());
        bits.sort_unstable();
        bits.dedup();
        assert_eq!((bits.len(), bits[0].count_ones(), nothing.bits()), (10, 1, 0));
    }
}
