//! The interfaces of the machine, as an immutable snapshot.

use core::fmt;
use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use dunlin_attr::{Iface, IfaceName};
use dunlin_conf::InterfacePattern;
use dunlin_net::Prefix;
use dunlin_rib::resolver::Connected;
use dunlin_runtime::Context;

use crate::protocol::Reply;

/// What is known of one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The system's number.
    pub index: u32,
    /// Its name.
    pub name: Arc<str>,
    /// Its flags.
    pub flags: InterfaceFlags,
    /// Largest packet.
    pub mtu: u32,
    /// The index of the VRF or bridge it belongs to; 0 if none.
    pub master: u32,
    /// Its addresses, in the system's order.
    pub addresses: Vec<InterfaceAddress>,
}

/// Flags of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct InterfaceFlags {
    /// Switched on.
    pub admin_up: bool,
    /// The link works.
    pub link_up: bool,
    /// It loops back.
    pub loopback: bool,
    /// It can broadcast.
    pub broadcast: bool,
    /// It can multicast.
    pub multicast: bool,
    /// It has exactly one neighbour.
    pub point_to_point: bool,
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The address.
    pub address: IpAddr,
    /// Its network; the peer's address if `opposite` is set.
    pub prefix: Prefix,
    /// The other end of a point-to-point link.
    pub opposite: Option<IpAddr>,
    /// A further address of a network that another address is the first of.
    pub secondary: bool,
}

impl Interface {
    /// Whether it is switched on. That is enough for its networks to count: a link that fails is the
    /// business of those who asked to `check link`.
    pub fn is_enabled(&self) -> bool {
        self.flags.admin_up
    }

    /// Whether it is switched on and its link works.
    pub fn is_up(&self) -> bool {
        self.flags.admin_up && self.flags.link_up
    }

    /// How routes refer to it; nothing if its name is longer than the kernel allows.
    pub fn iface(&self) -> Option<Iface> {
        Some(Iface { index: self.index, name: IfaceName::new(&self.name)? })
    }

    /// The preferred address of a family: the first that is not secondary and, for IPv6, not
    /// link-local.
    pub fn preferred(&self, ipv6: bool) -> Option<&InterfaceAddress> {
        self.addresses.iter().find(|entry| {
            entry.address.is_ipv6() == ipv6 && !entry.secondary && !is_link_local(entry.address)
        })
    }

    /// The first IPv6 link-local address.
    pub fn link_local(&self) -> Option<&InterfaceAddress> {
        self.addresses.iter().find(|entry| entry.address.is_ipv6() && is_link_local(entry.address))
    }
}

/// Whether an address is only valid on its link. IPv4 ones count only for IPv6's sake: 169.254/16
/// is used like any other address.
pub fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfe80)
}

/// All interfaces, by index.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Interfaces {
    list: Vec<Interface>,
}

impl Interfaces {
    /// These interfaces.
    pub fn new(mut list: Vec<Interface>) -> Self {
        list.sort_by_key(|interface| interface.index);
        Self { list }
    }

    /// All of them, by index.
    pub fn iter(&self) -> impl Iterator<Item = &Interface> {
        self.list.iter()
    }

    /// The interface of an index.
    pub fn by_index(&self, index: u32) -> Option<&Interface> {
        let at = self.list.binary_search_by_key(&index, |interface| interface.index).ok()?;
        self.list.get(at)
    }

    /// The interface of a name.
    pub fn by_name(&self, name: &str) -> Option<&Interface> {
        self.list.iter().find(|interface| &*interface.name == name)
    }

    /// The interface on whose networks a neighbour with this address is, and the address we have
    /// there: the longest network wins; only interfaces that are switched on count.
    pub fn towards(&self, neighbour: IpAddr) -> Option<(&Interface, &InterfaceAddress)> {
        let mut best: Option<(&Interface, &InterfaceAddress)> = None;
        for interface in self.list.iter().filter(|interface| interface.is_enabled()) {
            for entry in &interface.addresses {
                let fits = match entry.opposite {
                    Some(opposite) => opposite == neighbour,
                    None => entry.prefix.contains_addr(neighbour),
                };
                if fits && best.is_none_or(|(_, old)| entry.prefix.len() > old.prefix.len()) {
                    best = Some((interface, entry));
                }
            }
        }
        best
    }

    /// The networks of the interfaces that are switched on.
    pub fn connected(&self) -> impl Iterator<Item = Connected> {
        self.list.iter().filter(|interface| interface.is_enabled()).flat_map(|interface| {
            interface.addresses.iter().filter_map(|entry| {
                Some(Connected {
                    prefix: entry.opposite.map_or(entry.prefix, Prefix::host),
                    local: entry.address,
                    interface: interface.iface()?,
                })
            })
        })
    }

    /// Whether the address is one of this machine's.
    pub fn is_local(&self, address: IpAddr) -> bool {
        self.list
            .iter()
            .any(|interface| interface.addresses.iter().any(|entry| entry.address == address))
    }

    /// The lowest IPv4 address of the interfaces that match, each address looked at alone.
    pub fn lowest_ipv4_in(&self, pattern: &InterfacePattern) -> Option<Ipv4Addr> {
        self.list
            .iter()
            .filter(|interface| interface.flags.admin_up)
            .flat_map(|interface| {
                interface.addresses.iter().map(move |entry| (interface, entry.address))
            })
            .filter(|(interface, address)| pattern.matches(&interface.name, &[*address]))
            .filter_map(|(_, address)| match address {
                IpAddr::V4(v4) => Some(v4),
                IpAddr::V6(_) => None,
            })
            .min()
    }

    /// The lowest IPv4 address that is not a loopback's: the router id where none is configured.
    pub fn lowest_ipv4(&self) -> Option<Ipv4Addr> {
        self.list
            .iter()
            .filter(|interface| !interface.flags.loopback && interface.flags.admin_up)
            .flat_map(|interface| &interface.addresses)
            .filter_map(|entry| match entry.address {
                IpAddr::V4(v4) if !entry.secondary => Some(v4),
                _ => None,
            })
            .min()
    }
}

impl dunlin_filter::Interfaces for Interfaces {
    fn of_neighbour(&self, address: IpAddr) -> Option<Iface> {
        let can_be = match address {
            IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_multicast() && !v4.is_broadcast(),
            IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_multicast(),
        };
        // Which link a link-local address is on it does not say.
        if !can_be || is_link_local(address) || self.is_local(address) {
            return None;
        }
        let (interface, entry) = self.towards(address)?;
        if entry.opposite.is_none() && is_end(&entry.prefix, address) {
            return None;
        }
        interface.iface()
    }

    fn by_name(&self, name: &str) -> Option<Iface> {
        Self::by_name(self, name)?.iface()
    }
}

/// Whether an address is the first or last of its network, where those are nobody's: all and
/// nobody of IPv4, and any router of IPv6.
fn is_end(network: &Prefix, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let hosts = u32::MAX.checked_shr(network.len().into()).unwrap_or(0);
            let host = u32::from(v4) & hosts;
            hosts > 1 && (host == 0 || host == hosts)
        }
        IpAddr::V6(_) => network.len() < 127 && network.addr() == address,
    }
}

/// Finds out about interfaces: netlink on Linux, a script in simulations.
pub trait InterfaceSource: Send + Sync {
    /// Starts to watch. `changed` is called with the first snapshot, then after each change, from
    /// any worker. With a `scan` interval everything is looked at again that often.
    fn watch(
        &self,
        cx: &mut Context<'_>,
        scan: Option<Duration>,
        changed: Box<dyn Fn(Arc<Interfaces>) + Send>,
        failed: Reply<String>,
    ) -> Box<dyn InterfaceWatch>;
}

/// A running watch; dropping it ends it.
pub trait InterfaceWatch: Send {
    /// Changes the scan interval.
    fn scan(&mut self, interval: Option<Duration>);
}

impl fmt::Debug for dyn InterfaceSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InterfaceSource")
    }
}
