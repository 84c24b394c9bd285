//! The networks that routes are for. Neighbouring numbers are in different slices.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dunlin_net::Prefix;

/// IPv4 network number `n`; every fifth is a /22, the others are /24.
pub fn v4(n: usize) -> Prefix {
    let [first, second] = [130 + n % 60, n / 60 % 256];
    let third = n / 15_360 % 64 * 4;
    let octets = [first, second, third, 0].map(|octet| octet as u8);
    let length = if n.is_multiple_of(5) { 22 } else { 24 };
    Prefix::new(IpAddr::V4(Ipv4Addr::from(octets)), length).expect("a prefix")
}

/// IPv6 network number `n`; every fifth is a /44, the others are /48.
pub fn v6(n: usize) -> Prefix {
    let [first, second] = [0x2a00 + n % 64, n / 64 % 0x1000 * 16];
    let address = Ipv6Addr::new(first as u16, second as u16, 0, 0, 0, 0, 0, 0);
    let length = if n.is_multiple_of(5) { 44 } else { 48 };
    Prefix::new(IpAddr::V6(address), length).expect("a prefix")
}

/// IPv4 and IPv6 networks of these numbers.
pub fn both(numbers: impl Iterator<Item = usize> + Clone) -> Vec<Prefix> {
    numbers.clone().map(v4).chain(numbers.map(v6)).collect()
}

/// Whether it is one of the short ones.
pub fn is_short(net: Prefix) -> bool {
    matches!(net.len(), 22 | 44)
}
