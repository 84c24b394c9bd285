//! Flat code: folded code as operations in a row, with jumps where it branches.
//!
//! Most of what filters are made of (tests of the network, the path and the lists of communities, deletions
//! and additions of known communities) is resolved when the code is made ([`compile`]), so that a run goes
//! over one list of small operations and looks neither for operands nor for attributes (`run::flat`).
//!
//! # Invariants
//!
//! * An operation that a run cannot do in the short way (an attribute has another type than usual, a number is
//!   not there, an error is to be told) is done in the general way: every operation has the node that it is
//!   made of. So flat code says, prints, looks at and fails as the tree does.
//! * Jumps go forward only.

mod compile;

use std::{net::IpAddr, sync::Arc};

use dunlin_attr::kind;
use dunlin_net::{
    as_path::{AsPath, Mask},
    community::{Communities, ExtCommunities, LargeCommunities, LargeCommunity},
};

use crate::{
    attribute::Attribute,
    code::{Binary, Logic, NodeId},
    prefix_set::PrefixSet,
    set::Set,
    types::Type,
    value::{Constant, Value},
};

pub(crate) use self::compile::compile;

/// The operations of a function or filter.
#[derive(Debug)]
pub(crate) struct Flat {
    pub(crate) operations: Box<[Operation]>,
}

impl Flat {
    /// Bytes in use, sets not counted.
    pub(crate) fn memory(&self) -> usize {
        size_of_val(&*self.operations)
    }
}

/// An operation. Behind the last one the code is over.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    /// Asks, and goes elsewhere or on.
    Test(Question),
    /// Goes on at another operation.
    Jump(u32),
    /// A statement, in the general way.
    Execute(NodeId),
    /// Calls the function of a node; its value is not wanted.
    Call(NodeId),
    /// A variable gets a constant that fits: which, and the node of that.
    Set(u16, NodeId),
    /// A variable gets a bool.
    SetBool(u16, bool),
    /// A list loses what is in a set; the statement.
    Delete(Place, Arc<Set>, NodeId),
    /// A list gets a community; the statement.
    Add(Place, Member, NodeId),
    /// Returns a bool.
    Return(bool),
    /// Ends the run, with nothing to print.
    Accept,
    /// Ends the run, with nothing to print.
    Reject,
}

/// A test and what follows from it.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) test: Test,
    /// The condition holds if the test does not.
    pub(crate) negated: bool,
    /// Goes elsewhere if the condition comes to this.
    pub(crate) leaves: bool,
    pub(crate) as_what: AsWhat,
    /// The condition as it is in the tree.
    pub(crate) node: NodeId,
    /// Where it goes then.
    pub(crate) to: u32,
}

/// What a condition is an operand of: for the message if it is no bool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AsWhat {
    Condition,
    Negated,
    First(Logic),
    Other(Logic),
}

/// What can be found out in a short way.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    /// Nothing.
    General,
    /// The variable is true.
    Variable(u16),
    /// `net.type = NET_X`
    NetType(u32),
    /// `net ~ [ ... ]`
    NetIn(Arc<PrefixSet>),
    /// `source = RTS_X`
    Source(u32),
    /// `bgp_origin = ORIGIN_X`
    Origin(u32),
    /// `bgp_next_hop = ADDRESS`
    NextHop(IpAddr),
    /// `COMMUNITY ~ LIST`
    Has(Place, Member),
    /// `LIST ~ [ ... ]`
    ListIn(Place, Arc<Set>),
    /// `bgp_path ~ [ ... ]`
    PathIn(Arc<Set>),
    /// `bgp_path ~ [= ... =]`
    PathLike(Arc<Mask>),
    /// `NUMBER ~ [ ... ]`
    NumberIn(Number, Arc<Set>),
    /// A comparison of numbers.
    Compare(Number, Binary, Number),
    /// `defined(NUMBER)`
    Defined(Number),
}

/// A number that is at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    Constant(u32),
    Variable(u16),
    NetLen,
    PathLen,
    PathFirst,
    PathLast,
    LocalPref,
    Med,
    Preference,
}

/// A community to look for or to add, as it is in lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Member {
    Pair([u8; 4]),
    Ec([u8; 8]),
    Lc([u8; 12]),
}

impl Member {
    /// A community of the sort that the list at a place has.
    pub(crate) fn of(constant: &Constant, place: Place) -> Option<Self> {
        Some(match (place, constant) {
            (Place::Communities, Constant::Pair(pair)) => Self::Pair(pair.to_be_bytes()),
            (Place::Ext, Constant::Ec(ec)) => Self::Ec(ec.0.to_be_bytes()),
            (Place::Large, Constant::Lc(LargeCommunity { asn, data1, data2 })) => {
                let mut wire = [0; 12];
                for (place, word) in wire.as_chunks_mut().0.iter_mut().zip([asn, data1, data2]) {
                    *place = word.to_be_bytes();
                }
                Self::Lc(wire)
            }
            _ => return None,
        })
    }

    /// Its bytes.
    pub(crate) fn wire(&self) -> &[u8] {
        match self {
            Self::Pair(wire) => wire,
            Self::Ec(wire) => wire,
            Self::Lc(wire) => wire,
        }
    }
}

/// The attributes that most tests look at: the path, and the lists of communities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Communities,
    Ext,
    Large,
}

/// How many places there are.
pub(crate) const PLACES: usize = 4;

static ATTRIBUTES: [Attribute; PLACES] = [
    Attribute::Bgp(kind::AS_PATH, Type::Path),
    Attribute::Bgp(kind::COMMUNITIES, Type::Clist),
    Attribute::Bgp(kind::EXT_COMMUNITIES, Type::Eclist),
    Attribute::Bgp(kind::LARGE_COMMUNITIES, Type::Lclist),
];

impl Place {
    /// The place of an attribute. One of another type than usual has none.
    #[inline]
    pub(crate) const fn of(attribute: &Attribute) -> Option<Self> {
        match attribute {
            Attribute::Bgp(number, wanted) => match (Self::of_number(*number), wanted) {
                (Some(Self::Path), Type::Path) => Some(Self::Path),
                (Some(Self::Communities), Type::Clist) => Some(Self::Communities),
                (Some(Self::Ext), Type::Eclist) => Some(Self::Ext),
                (Some(Self::Large), Type::Lclist) => Some(Self::Large),
                _ => None,
            },
            _ => None,
        }
    }

    /// The place of a path attribute by its type number.
    #[inline]
    pub(crate) const fn of_number(number: u8) -> Option<Self> {
        match number {
            kind::AS_PATH => Some(Self::Path),
            kind::COMMUNITIES => Some(Self::Communities),
            kind::EXT_COMMUNITIES => Some(Self::Ext),
            kind::LARGE_COMMUNITIES => Some(Self::Large),
            _ => None,
        }
    }

    /// What bytes are there.
    #[inline]
    pub(crate) const fn value(self, bytes: &[u8]) -> Value<'_> {
        match self {
            Self::Path => Value::Path(AsPath(bytes)),
            Self::Communities => Value::Clist(Communities::new(bytes)),
            Self::Ext => Value::Eclist(ExtCommunities::new(bytes)),
            Self::Large => Value::Lclist(LargeCommunities::new(bytes)),
        }
    }

    /// The attribute that is there.
    #[inline]
    pub(crate) fn attribute(self) -> &'static Attribute {
        &ATTRIBUTES[self as usize]
    }
}
