//! Which hops can be used now.

use std::net::IpAddr;

use dunlin_attr::{Dest, Hop, NextHop};
use dunlin_core::interfaces::{Interface, Interfaces};

use crate::route::{Destination, Via};

/// What a route's destination comes to with these interfaces; none if the route is dormant.
pub fn resolve(
    destination: &Destination,
    interfaces: &Interfaces,
    check_link: bool,
) -> Option<(Dest, NextHop)> {
    match destination {
        Destination::None | Destination::Providers(_) => Some((Dest::Unicast, NextHop::None)),
        Destination::Sink(dest) => Some((*dest, NextHop::None)),
        Destination::Recursive(address) => Some((Dest::Unicast, NextHop::Recursive(*address))),
        Destination::Hops(hops) => {
            let usable = hops.iter().filter_map(|via| hop(via, interfaces, check_link));
            let usable: Box<[Hop]> = usable.collect();
            (!usable.is_empty()).then_some((Dest::Unicast, NextHop::Hops(usable)))
        }
    }
}

/// The hop, if it can be used.
pub fn hop(via: &Via, interfaces: &Interfaces, check_link: bool) -> Option<Hop> {
    let interface = match (&via.interface, via.gateway) {
        (Some(name), gateway) => {
            let interface = interfaces.by_name(name).filter(|i| usable(i, check_link))?;
            let known = match gateway {
                Some(gateway) => via.onlink || neighbour(interface, gateway).is_some(),
                None => true,
            };
            known.then_some(interface)?
        }
        (None, Some(gateway)) => {
            let candidates = interfaces.iter().filter(|i| usable(i, check_link));
            let near = candidates.filter_map(|i| Some((neighbour(i, gateway)?, i)));
            // The longest network, and of equal ones the first interface.
            near.max_by_key(|(length, i)| (*length, core::cmp::Reverse(i.index)))?.1
        }
        (None, None) => return None,
    };
    let ours = |gateway| interfaces.is_local(gateway) || is_loopback(gateway);
    if via.gateway.is_some_and(ours) {
        return None;
    }
    let iface = interface.iface();
    Some(Hop { gateway: via.gateway, iface, weight: via.weight, onlink: via.onlink })
}

fn usable(interface: &Interface, check_link: bool) -> bool {
    interface.flags.admin_up && (interface.flags.link_up || !check_link)
}

/// The length of the interface's longest network that the gateway is on.
fn neighbour(interface: &Interface, gateway: IpAddr) -> Option<u8> {
    let networks = interface.addresses.iter().filter(|entry| match entry.opposite {
        Some(opposite) => opposite == gateway,
        None => entry.prefix.contains_addr(gateway),
    });
    networks.map(|entry| entry.prefix.len()).max()
}

/// All of 127.0.0.0/8 is this machine.
fn is_loopback(address: IpAddr) -> bool {
    address.is_loopback()
}

#[cfg(test)]
mod tests {
    use super::{hop, resolve};
    use crate::route::{Destination, Via};
    use dunlin_attr::Dest;
    use dunlin_core::interfaces::{Interface, InterfaceAddress, InterfaceFlags, Interfaces};
    use dunlin_net::Prefix;

    fn interface(index: u32, name: &str, link_up: bool, addresses: &[&str]) -> Interface {
        let addresses = addresses.iter().map(|text| {
            let (address, rest) = text.split_once('/').unwrap();
            let (length, peer) = rest.split_once(' ').unwrap_or((rest, ""));
            let opposite = peer.parse().ok();
            let address = address.parse().unwrap();
            let network = opposite.unwrap_or(address);
            let prefix = Prefix::new(network, length.parse().unwrap()).unwrap();
            InterfaceAddress { address, prefix, opposite, secondary: false }
        });
        Interface {
            index,
            name: name.into(),
            flags: InterfaceFlags { admin_up: true, link_up, ..InterfaceFlags::default() },
            mtu: 1500,
            master: 0,
            addresses: addresses.collect(),
        }
    }

    fn machine() -> Interfaces {
        let mut down = interface(9, "down0", true, &["10.9.0.1/24"]);
        down.flags.admin_up = false;
        Interfaces::new(vec![
            interface(1, "lo", true, &["127.0.0.1/8", "::1/128"]),
            interface(2, "eth0", true, &["10.0.0.1/16", "fe80::1/64"]),
            interface(3, "eth1", false, &["10.0.1.1/24", "fe80::2/64"]),
            interface(4, "ppp0", true, &["10.1.0.1/32 10.1.0.2"]),
            down,
        ])
    }

    fn via(text: &str) -> Via {
        let (gateway, interface) = text.split_once('%').unwrap_or((text, ""));
        Via {
            gateway: gateway.parse().ok(),
            interface: (!interface.is_empty()).then(|| interface.into()),
            onlink: false,
            weight: 1,
        }
    }

    fn through(text: &str, check_link: bool) -> Option<String> {
        let hop = hop(&via(text), &machine(), check_link)?;
        Some(hop.shown(false).to_string())
    }

    #[test]
    fn neighbours_of_the_longest_network() {
        assert_eq!(through("10.0.0.2", false).unwrap(), "via 10.0.0.2 on eth0");
        assert_eq!(through("10.0.1.2", false).unwrap(), "via 10.0.1.2 on eth1");
        assert_eq!(through("10.0.1.2", true).unwrap(), "via 10.0.1.2 on eth0", "eth1 has no link");
        assert_eq!(through("10.1.0.2", false).unwrap(), "via 10.1.0.2 on ppp0");
    }

    #[test]
    fn no_neighbours() {
        for gateway in ["192.0.2.1", "10.9.0.2", "10.1.0.3"] {
            assert_eq!(through(gateway, false), None, "{gateway}");
        }
        for own in ["10.0.0.1", "127.0.0.2", "::1"] {
            assert_eq!(through(own, false), None, "{own} is this machine");
        }
    }

    #[test]
    fn named_interfaces() {
        assert_eq!(through("%eth1", false).unwrap(), "dev eth1");
        assert_eq!(through("%eth1", true), None);
        assert_eq!(through("%down0", false), None);
        assert_eq!(through("%nope", false), None);
        assert_eq!(through("fe80::9%eth1", false).unwrap(), "via fe80::9 on eth1");
        assert_eq!(through("192.0.2.1%eth0", false), None);
        let onlink = Via { onlink: true, ..via("192.0.2.1%eth0") };
        assert!(hop(&onlink, &machine(), false).is_some());
    }

    #[test]
    fn what_is_left_of_several() {
        let hops = ["10.0.0.2", "192.0.2.1", "10.1.0.2"].map(via).to_vec();
        let (dest, next_hop) = resolve(&Destination::Hops(hops), &machine(), false).unwrap();
        assert_eq!((dest, next_hop.hops().len()), (Dest::Unicast, 2));
        let none = Destination::Hops(vec![via("192.0.2.1")]);
        assert_eq!(resolve(&none, &machine(), false), None);
        let sink = Destination::Sink(Dest::Blackhole);
        assert_eq!(resolve(&sink, &Interfaces::default(), true).unwrap().0, Dest::Blackhole);
    }
}
