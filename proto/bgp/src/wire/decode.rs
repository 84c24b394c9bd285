//! UPDATE: from bytes to routes (RFC 4271 4.3 and 6.3, RFC 4760, RFC 6793, RFC 7606).

use super::attribute::{self, flag, number};
use super::capability::Role;
use super::family::{Carried, Family, FamilySet};
use super::next_hop::{NextHop, NextHopError};
use super::nlri::Nlri;
use super::notification::{Notification, code};
use super::problem::Problem;

mod block;
mod check;

/// What reading an UPDATE depends on: who the peer is and what was agreed upon with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DecodeRules {
    /// The peer is in our AS.
    pub internal: bool,
    /// AS numbers on this session have four octets.
    pub as4: bool,
    /// Families that routes are taken of; others are passed over.
    pub families: FamilySet,
    /// IPv4 routes may have an IPv6 next hop.
    pub extended_next_hop: bool,
    /// The neighbour is on the loopback network, so its next hops may be.
    pub loopback: bool,
    /// Our AS: not wanted in a path,
    pub local_as: u32,
    /// but tolerated so often.
    pub allow_local_as: u32,
    /// Our router id: not wanted as the originator.
    pub router_id: u32,
    /// Our cluster: not wanted in a cluster list, whoever sends it (RFC 4456 section 8).
    pub cluster_id: Option<u32>,
    /// Paths with sets are taken (RFC 9774 wants them withdrawn).
    pub allow_as_sets: bool,
    /// LOCAL_PREF is believed from outside too.
    pub allow_local_pref: bool,
    /// The AS that a path must begin with.
    pub first_as: Option<u32>,
    /// Our role, for OTC (RFC 9234).
    pub role: Option<Role>,
    /// The AS of the neighbour.
    pub neighbor_as: u32,
    /// AIGP is taken.
    pub aigp: bool,
    /// LOCAL_PREF of routes that have none.
    pub default_local_pref: u32,
}

/// What RFC 7606 makes of an UPDATE that doesn't end the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// All is well.
    Ok,
    /// An attribute was left out; the first one is named. The routes are good.
    AttributeDiscard(Problem),
    /// The announced prefixes are to be treated as withdrawn.
    TreatAsWithdraw(Problem),
}

/// Prefixes that share a next hop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announced<'a> {
    /// The prefixes.
    pub nlri: Nlri<'a>,
    /// Their next hop; `None` only where the verdict is to treat them as withdrawn.
    pub next_hop: Option<NextHop>,
}

/// A received UPDATE. Withdrawn prefixes come before announced ones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Update<'a> {
    /// Withdrawn prefixes: those of the classic field, then those of MP_UNREACH.
    pub withdrawn: [Nlri<'a>; 2],
    /// Announced prefixes: those of MP_REACH, then those of the classic field.
    pub announced: [Announced<'a>; 2],
    /// The canonical attributes (see [`attribute`]), for all announced prefixes. Empty if there
    /// are none, or if they are treated as withdrawn.
    pub attributes: &'a [u8],
    /// What became of the announced prefixes.
    pub verdict: Verdict,
    /// The family whose initial routes are all sent, if the UPDATE says that and nothing else.
    pub end_of_rib: Option<Family>,
}

/// Reads UPDATEs. Keeps its scratch space from one to the next.
#[derive(Debug, Default)]
pub struct Decoder {
    index: block::Index,
    canonical: Vec<u8>,
    scratch: check::Scratch,
}

/// The three parts of an UPDATE's body.
struct Parts<'a> {
    withdrawn: &'a [u8],
    attributes: &'a [u8],
    announced: &'a [u8],
}

impl Decoder {
    /// Reads the body of an UPDATE. An error ends the session.
    pub fn decode<'a>(
        &'a mut self,
        body: &'a [u8],
        rules: &DecodeRules,
    ) -> Result<Update<'a>, Notification> {
        let parts = Parts::split(body).ok_or(Notification::new(code::UPDATE, 1))?;
        let withdrawn = classic(parts.withdrawn)?;
        let announced = classic(parts.announced)?;
        let mut problems = Problems::default();
        self.index.build(parts.attributes, &mut problems)?;
        let unreach = Unreach::decode(self.index.value(parts.attributes, number::MP_UNREACH))?;
        let reach = Reach::decode(self.index.value(parts.attributes, number::MP_REACH), rules)?;
        problems.note_next_hop(&reach);

        let any_announced = !announced.is_empty() || reach.as_ref().is_some_and(Reach::has_nlri);
        let classic_next_hop = self.judge(&parts, rules, any_announced, &announced, &mut problems);
        if let (false, Some(problem)) = (any_announced, problems.withdraw)
            && !problem.is_policy()
        {
            // Without a prefix that could be withdrawn, we can't know that all were read
            // (RFC 7606 5.2).
            return Err(Notification::new(code::UPDATE, problem.subcode()));
        }
        let verdict = problems.verdict();
        let end_of_rib = end_of_rib(&parts, unreach.as_ref(), &self.index);
        let withdraws = matches!(verdict, Verdict::TreatAsWithdraw(_));
        Ok(Update {
            withdrawn: [withdrawn, Unreach::nlri(unreach.as_ref(), rules)],
            announced: [
                Reach::announced(reach.as_ref()),
                Announced { nlri: announced, next_hop: classic_next_hop },
            ],
            attributes: if any_announced && !withdraws { &self.canonical } else { &[] },
            verdict,
            end_of_rib,
        })
    }

    /// Checks all attributes and writes the canonical block. Returns the classic next hop.
    fn judge(
        &mut self,
        parts: &Parts<'_>,
        rules: &DecodeRules,
        any_announced: bool,
        announced: &Nlri<'_>,
        problems: &mut Problems,
    ) -> Option<NextHop> {
        self.canonical.clear();
        let mut check = check::Check {
            rules,
            index: &self.index,
            bytes: parts.attributes,
            out: &mut self.canonical,
            scratch: &mut self.scratch,
            problems,
            next_hop: None,
        };
        check.run(any_announced);
        let next_hop = check.next_hop;
        if any_announced {
            self.index.require(number::ORIGIN, problems);
            self.index.require(number::AS_PATH, problems);
        }
        if !announced.is_empty() {
            self.index.require(number::NEXT_HOP, problems);
        }
        next_hop
    }
}

impl<'a> Parts<'a> {
    fn split(body: &'a [u8]) -> Option<Self> {
        let (length, rest) = body.split_first_chunk::<2>()?;
        let (withdrawn, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (attributes, announced) =
            rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        Some(Self { withdrawn, attributes, announced })
    }
}

fn classic(bytes: &[u8]) -> Result<Nlri<'_>, Notification> {
    Nlri::new(bytes, Carried::Ipv4).ok_or(Notification::new(code::UPDATE, 10))
}

/// The problems of one UPDATE: the first of each severity.
#[derive(Debug, Default)]
struct Problems {
    withdraw: Option<Problem>,
    discard: Option<Problem>,
}

impl Problems {
    fn withdraw(&mut self, problem: Problem) {
        self.withdraw.get_or_insert(problem);
    }

    fn discard(&mut self, problem: Problem) {
        self.discard.get_or_insert(problem);
    }

    fn note_next_hop(&mut self, reach: &Option<Reach<'_>>) {
        if let Some(Reach::Routes(Announced { next_hop: None, .. })) = reach {
            self.withdraw(Problem::NextHop);
        }
    }

    fn verdict(&self) -> Verdict {
        match (self.withdraw, self.discard) {
            (Some(problem), _) => Verdict::TreatAsWithdraw(problem),
            (None, Some(problem)) => Verdict::AttributeDiscard(problem),
            (None, None) => Verdict::Ok,
        }
    }
}

fn optional_attribute_error() -> Notification {
    Notification::new(code::UPDATE, 9)
}

/// MP_REACH_NLRI.
enum Reach<'a> {
    /// Routes of a family that is carried here.
    Routes(Announced<'a>),
    /// Routes of another family, which nobody asked for.
    Other { any: bool },
}

impl<'a> Reach<'a> {
    fn decode(value: Option<&'a [u8]>, rules: &DecodeRules) -> Result<Option<Self>, Notification> {
        let Some(value) = value else { return Ok(None) };
        let (&[high, low, safi, length], rest) =
            value.split_first_chunk::<4>().ok_or_else(optional_attribute_error)?;
        // The next hop, one reserved octet, and the rest is NLRI.
        let (next_hop, rest) =
            rest.split_at_checked(usize::from(length)).ok_or_else(optional_attribute_error)?;
        let (_, nlri) = rest.split_first().ok_or_else(optional_attribute_error)?;
        let family = Family::new(u16::from_be_bytes([high, low]), safi).carried();
        let Some(family) = family.filter(|family| rules.families.contains(*family)) else {
            return Ok(Some(Self::Other { any: !nlri.is_empty() }));
        };
        let next_hop = match NextHop::decode(next_hop, family, rules.extended_next_hop) {
            Ok(next_hop) => Some(next_hop).filter(|hop| hop.is_usable(rules.loopback)),
            Err(NextHopError::Unusable) => None,
            Err(NextHopError::Length) => return Err(optional_attribute_error()),
        };
        let nlri = Nlri::new(nlri, family).ok_or_else(optional_attribute_error)?;
        Ok(Some(Self::Routes(Announced { nlri, next_hop })))
    }

    fn has_nlri(&self) -> bool {
        match self {
            Self::Routes(announced) => !announced.nlri.is_empty(),
            Self::Other { any } => *any,
        }
    }

    fn announced(reach: Option<&Self>) -> Announced<'a> {
        match reach {
            Some(Self::Routes(announced)) => *announced,
            Some(Self::Other { .. }) | None => {
                Announced { nlri: Nlri::none(Carried::Ipv6), next_hop: None }
            }
        }
    }
}

/// MP_UNREACH_NLRI.
struct Unreach<'a> {
    family: Family,
    nlri: &'a [u8],
    /// The prefixes, if the family is one that can be carried at all.
    carried: Option<Nlri<'a>>,
}

impl<'a> Unreach<'a> {
    fn decode(value: Option<&'a [u8]>) -> Result<Option<Self>, Notification> {
        let Some(value) = value else { return Ok(None) };
        let (&[high, low, safi], nlri) =
            value.split_first_chunk::<3>().ok_or_else(optional_attribute_error)?;
        let family = Family::new(u16::from_be_bytes([high, low]), safi);
        let carried = match family.carried() {
            Some(carried) => Some(Nlri::new(nlri, carried).ok_or_else(optional_attribute_error)?),
            None => None,
        };
        Ok(Some(Self { family, nlri, carried }))
    }

    fn nlri(unreach: Option<&Self>, rules: &DecodeRules) -> Nlri<'a> {
        unreach
            .and_then(|unreach| unreach.carried)
            .filter(|nlri| rules.families.contains(nlri.family()))
            .unwrap_or(Nlri::none(Carried::Ipv6))
    }
}

/// An UPDATE with nothing in it, or with nothing but an empty MP_UNREACH (RFC 4724 section 2).
fn end_of_rib(
    parts: &Parts<'_>,
    unreach: Option<&Unreach<'_>>,
    index: &block::Index,
) -> Option<Family> {
    if !parts.withdrawn.is_empty() || !parts.announced.is_empty() {
        return None;
    }
    match unreach {
        None if parts.attributes.is_empty() => Some(Family::IPV4),
        Some(unreach) if unreach.nlri.is_empty() && index.len() == 1 => Some(unreach.family),
        Some(_) | None => None,
    }
}

/// The Optional and Transitive bits.
const KIND_BITS: u8 = flag::OPTIONAL | flag::TRANSITIVE;

/// The flags of an attribute in a canonical block.
fn canonical_flags(flags: u8) -> u8 {
    let kind = flags & KIND_BITS;
    // Partial means something only for optional transitive attributes (RFC 4271 4.3).
    if kind == attribute::OPTIONAL_TRANSITIVE { kind | (flags & flag::PARTIAL) } else { kind }
}

#[cfg(test)]
mod tests;
