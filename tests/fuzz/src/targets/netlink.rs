//! Datagrams of the kernel.

use dunlin_linux::netlink::{Event, Messages};
use dunlin_net::Prefix;

/// What Linux 6 sent of a link, an IPv4 address and an IPv6 address with a peer, and the end of it.
const GOOD: &[&str] = &[
    "3800000010000200090000005a11000000000100030000000310000000000000070003007630000005001000020000000800040078050000",
    "5400000014000200090000005a1100000218800003000000080001000a000001080002000a000001080004000a0000ff070003007630000008000\
     8008000000014000600ffffffffffffffffac980600ac980600",
    "5c00000014000200090000005a1100000a80820003000000140002 0020010db800010000000000000000000114000100 20010db80001000000000\
     0000000000214000600ffffffffffffffffae980600ae9806000800080082000000",
    "1400000003000200090000005a11000000000000",
];

/// Good datagrams.
pub fn good() -> Vec<Vec<u8>> {
    let bytes = |hex: &&str| {
        let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits.chunks_exact(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
    };
    let mut all: Vec<Vec<u8>> = GOOD.iter().map(bytes).collect();
    all.push(all.concat());
    all
}

/// Any datagram: it comes to an end, and addresses are in their networks' families.
pub fn feed(datagram: &[u8]) {
    let mut count = 0;
    for message in Messages::new(datagram) {
        count += 1;
        if let Event::Address(record) | Event::AddressGone(record) = message.event {
            let address = record.address;
            assert_eq!(address.prefix.is_v4(), address.address.is_ipv4(), "{address:?}");
            let again = address.prefix.to_string().parse::<Prefix>();
            assert_eq!(again, Ok(address.prefix), "a network without host bits");
        }
    }
    assert!(count <= datagram.len() / 16, "a message has a header");
}
