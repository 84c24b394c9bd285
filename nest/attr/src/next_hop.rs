//! Where matching packets go.

use core::fmt;
use core::net::IpAddr;

/// The next hop of a route.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub enum NextHop {
    /// There is none: the destination is not unicast, or it is not known yet.
    #[default]
    None,
    /// What the BGP next hop resolves to, in the gateway mode of the channel.
    Bgp,
    /// These hops, one or more; with more the traffic is shared by weight.
    Hops(Box<[Hop]>),
    /// What the route to this address goes to.
    Recursive(IpAddr),
}

impl NextHop {
    /// One hop.
    pub fn hop(hop: Hop) -> Self {
        Self::Hops(Box::new([hop]))
    }

    /// The hops, if they are stated directly.
    pub fn hops(&self) -> &[Hop] {
        match self {
            Self::Hops(hops) => hops,
            Self::None | Self::Bgp | Self::Recursive(_) => &[],
        }
    }
}

/// One of the hops that share a route's traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hop {
    /// The neighbour; `None` if the net is on the link itself.
    pub gateway: Option<IpAddr>,
    /// The interface; `None` if it follows from the gateway.
    pub iface: Option<Iface>,
    /// 1 to 256, as it is shown.
    pub weight: u16,
    /// The gateway is on the link though no interface address says so.
    pub onlink: bool,
}

impl Hop {
    /// By a neighbour, on the interface that leads to it.
    pub const fn via(gateway: IpAddr) -> Self {
        Self { gateway: Some(gateway), iface: None, weight: 1, onlink: false }
    }

    /// On the link of an interface.
    pub const fn dev(iface: Iface) -> Self {
        Self { gateway: None, iface: Some(iface), weight: 1, onlink: false }
    }

    /// The same by a known interface.
    #[must_use]
    pub const fn on(self, iface: Iface) -> Self {
        Self { iface: Some(iface), ..self }
    }

    /// The line of `show route` without its tab; the weight is shown with several hops only.
    pub const fn shown(self, with_weight: bool) -> impl fmt::Display {
        ShownHop { hop: self, with_weight }
    }
}

struct ShownHop {
    hop: Hop,
    with_weight: bool,
}

impl fmt::Display for ShownHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hop = self.hop;
        match (hop.gateway, hop.iface) {
            (Some(gateway), Some(iface)) => write!(f, "via {gateway} on {iface}")?,
            (Some(gateway), None) => write!(f, "via {gateway}")?,
            (None, Some(iface)) => write!(f, "dev {iface}")?,
            (None, None) => f.write_str("dev ?")?,
        }
        if hop.onlink {
            f.write_str(" onlink")?;
        }
        if self.with_weight { write!(f, " weight {}", hop.weight) } else { Ok(()) }
    }
}

/// An interface as a route refers to it: index 0 if it does not exist yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iface {
    /// The kernel's index.
    pub index: u32,
    /// The name.
    pub name: IfaceName,
}

impl fmt::Display for Iface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// An interface name, held inline: at most 15 bytes, as in the kernel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfaceName {
    len: u8,
    bytes: [u8; 15],
}

impl IfaceName {
    /// The name; `None` if it is empty or too long.
    pub fn new(name: &str) -> Option<Self> {
        let mut bytes = [0; 15];
        bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        if name.is_empty() { None } else { Some(Self { len: name.len() as u8, bytes }) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Display for IfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for IfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_or_are_refused() {
        assert_eq!(IfaceName::new("veth0").unwrap().as_str(), "veth0");
        assert_eq!(IfaceName::new("123456789012345").unwrap().as_str(), "123456789012345");
        assert_eq!(IfaceName::new("1234567890123456"), None);
        assert_eq!(IfaceName::new(""), None);
    }

    #[test]
    fn hops_as_shown() {
        let veth = Iface { index: 3, name: IfaceName::new("veth0").unwrap() };
        let mut hop = Hop::via("10.9.0.2".parse().unwrap()).on(veth);
        hop.weight = 2;
        assert_eq!(hop.shown(false).to_string(), "via 10.9.0.2 on veth0");
        hop.onlink = true;
        assert_eq!(hop.shown(true).to_string(), "via 10.9.0.2 on veth0 onlink weight 2");
        assert_eq!(Hop::dev(veth).shown(false).to_string(), "dev veth0");
    }
}
