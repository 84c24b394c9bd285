//! What a run is given and what it gives back.

use std::{fmt, net::IpAddr, sync::Arc};

use dunlin_attr::{Attrs, Iface};
use dunlin_net::{Network, Prefix, as_path::AsPath};

/// A route as a filter sees it.
#[derive(Debug, Clone, Copy)]
pub struct RouteInput<'a> {
    /// `net`
    pub net: Network,
    /// Its attributes.
    pub attrs: &'a Arc<Attrs>,
    /// `proto`: the name of the protocol that the route came from.
    pub protocol: &'a str,
    /// `from`: the neighbour that the route came from; an attribute of that name hides it.
    pub from: Option<IpAddr>,
    /// How the next hop was resolved, if it was.
    pub hop: ResolvedHop,
    /// What is known of interfaces; without it, nothing that is set is checked.
    pub interfaces: Option<&'a dyn Interfaces>,
    /// What ROA and ASPA tables say; without it, checks against them fail.
    pub validation: Option<&'a dyn Validation>,
}

impl<'a> RouteInput<'a> {
    /// A route of which nothing else is known: from no neighbour, its next hop not resolved, and no tables to ask.
    #[must_use]
    #[inline]
    pub fn new(net: Prefix, attrs: &'a Arc<Attrs>, protocol: &'a str) -> Self {
        Self {
            net: net.into(),
            attrs,
            protocol,
            from: None,
            hop: ResolvedHop::default(),
            interfaces: None,
            validation: None,
        }
    }
}

/// How a next hop was resolved.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResolvedHop {
    /// The neighbour that packets go to.
    pub gateway: Option<IpAddr>,
    /// The interface.
    pub interface: Option<Iface>,
    /// The metric of the route that the next hop was resolved by.
    pub igp_metric: Option<u32>,
    /// The next hop cannot be reached: `dest` reads as unreachable.
    pub unreachable: bool,
}

/// What filters that set next hops need to know of interfaces.
pub trait Interfaces: fmt::Debug + Send + Sync {
    /// The interface by which this neighbour is reached directly; none for what can be no neighbour, as
    /// an address of this machine.
    fn of_neighbour(&self, address: IpAddr) -> Option<Iface>;

    /// The interface of this name.
    fn by_name(&self, name: &str) -> Option<Iface>;
}

/// What filters are told besides their route: what `roa_check` and `aspa_check` ask, with tables by their
/// names, and what is known of interfaces.
pub trait Validation: fmt::Debug {
    /// The interfaces; none while they are not known.
    fn interfaces(&self) -> Option<&dyn Interfaces> {
        None
    }

    /// Whether a ROA of the table lets this AS announce this prefix; the table is of its family.
    fn origin(&self, table: &str, prefix: Prefix, asn: u32) -> Validity;

    /// Whether the ASPA table lets a route have this path: one that came from a customer or peer,
    /// which had to come upstream all the way, or one that may have come down from a provider.
    fn path(&self, table: &str, path: AsPath<'_>, upstream: bool) -> Validity;
}

/// What a check finds. The numbers are those of `ROA_UNKNOWN` and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// The table has nothing to say.
    Unknown = 0,
    /// It is as it should be.
    Valid = 1,
    /// It is not.
    Invalid = 2,
}

/// Takes what filters print.
pub trait Sink {
    /// One line, complete.
    fn line(&mut self, text: &str);

    /// Whether anybody would see a line; if not, what would be in it is evaluated and not formatted.
    fn wants_lines(&self) -> bool {
        true
    }
}

/// Takes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Sink for Silent {
    fn line(&mut self, _text: &str) {}

    fn wants_lines(&self) -> bool {
        false
    }
}

impl Sink for Vec<String> {
    fn line(&mut self, text: &str) {
        self.push(text.to_owned());
    }
}

/// What a run looked at besides the attributes of its route. A run that looked at less than its program
/// may look at has a verdict that holds for more routes than the program says. With it, what an accepted
/// route does not show: which attributes it was given, if only the value that it had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen(u8);

impl Seen {
    pub(crate) const NET: Self = Self(1);
    pub(crate) const SOURCE: Self = Self(2);
    pub(crate) const HOP: Self = Self(4);
    pub(crate) const SNAPSHOT: Self = Self(8);
    pub(crate) const PRINTED: Self = Self(16);
    pub(crate) const FAILED: Self = Self(32);
    pub(crate) const MED: Self = Self(64);
    pub(crate) const NEXT_HOP: Self = Self(128);

    /// Both.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether something was looked at, or done.
    pub(crate) const fn has(self, what: Self) -> bool {
        self.0 & what.0 != 0
    }

    /// The verdict holds for all networks whose routes have these attributes and this source, until
    /// the filter changes. Nobody would miss what another run says: it printed nothing, and did not fail.
    #[must_use]
    pub const fn is_lasting(self) -> bool {
        let is_of_attributes = Self::SOURCE.and(Self::MED).and(Self::NEXT_HOP);
        self.0 & !is_of_attributes.0 == 0
    }

    /// The run has accepted the route and set `bgp_med`, be it to the value that was there.
    #[must_use]
    pub const fn sets_med(self) -> bool {
        self.has(Self::MED)
    }

    /// The run has accepted the route and set `bgp_next_hop`, be it to the value that was there.
    #[must_use]
    pub const fn sets_next_hop(self) -> bool {
        self.has(Self::NEXT_HOP)
    }
}

/// What a filter says of a route.
#[derive(Debug)]
pub enum Verdict {
    /// Accepted; with other attributes if the filter changed them.
    Accept(Option<Arc<Attrs>>),
    /// Rejected.
    Reject,
    /// The filter failed, which means rejected; the reason goes to the log.
    Error(RunError),
}

/// Why a run failed. `Display` is the line for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunError {
    /// Line of the configuration; 0 if the failure has no place.
    pub line: u32,
    /// What went wrong.
    pub message: String,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            f.write_str(&self.message)
        } else {
            write!(f, "filters, line {}: {}", self.line, self.message)
        }
    }
}

impl std::error::Error for RunError {}
