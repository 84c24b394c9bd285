use std::net::IpAddr;

use dunlin_core::interfaces::InterfaceFlags;
use proptest::prelude::*;

use super::{Event, Message, Messages, request_addresses, request_links};

/// What Linux 6 sent in a namespace made for it.
mod golden {
    pub(super) const VETH: &str = "3800000010000200090000005a110000000001000300000003100000000000000700030076300000050010000\
         20000000800040078050000";
    pub(super) const BRIDGED: &str = "4000000010000200090000005a1100000000010002000000021000000000000007000300763100000500100002\
         00000008000400dc05000008000a0004000000";
    pub(super) const LOOPBACK: &str = "3800000010000200090000005a11000000000403010000004900010000000000070003006c6f00000500100000\
         0000000800040000000100";
    pub(super) const ADDRESS: &str = "5400000014000200090000005a1100000218800003000000080001000a000001080002000a000001080004000a\
         0000ff0700030076300000080008008000000014000600ffffffffffffffffac980600ac980600";
    pub(super) const SECONDARY: &str = "4c00000014000200090000005a1100000218810003000000080001000a000002080002000a0000020700030076\
         300000080008008100000014000600ffffffffffffffffac980600ac980600";
    pub(super) const PEER: &str = "4c00000014000200090000005a1100000220800003000000080001000a010002080002000a0100010700030076\
         300000080008008000000014000600ffffffffffffffffac980600ac980600";
    pub(super) const PEER_NETWORK: &str = "4c00000014000200090000005a1100000218800003000000080001000a030000080002000a0200010700030076\
         300000080008008000000014000600ffffffffffffffffad980600ad980600";
    pub(super) const PEER6: &str = "5c00000014000200090000005a1100000a808200030000001400020020010db800010000000000000000000114\
         00010020010db800010000000000000000000214000600ffffffffffffffffae980600ae9806000800080082\
         000000";
    pub(super) const TENTATIVE: &str = "4800000014000200090000005a1100000a40c000030000001400010020010db800000000000000000000000114\
         000600ffffffffffffffffad980600ad98060008000800c0000000";
    pub(super) const DONE: &str = "1400000003000200090000005a11000000000000";
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let value = |digit: u8| char::from(digit).to_digit(16).unwrap() as u8;
    digits.chunks(2).map(|pair| value(pair[0]) << 4 | value(pair[1])).collect()
}

fn only(hex: &str) -> Message {
    let bytes = bytes(hex);
    let all: Vec<_> = Messages::new(&bytes).collect();
    assert_eq!(all.len(), 1);
    all.into_iter().next().unwrap()
}

fn link(hex: &str) -> super::LinkRecord {
    match only(hex).event {
        Event::Link(link) => link,
        other => panic!("{other:?}"),
    }
}

fn address(hex: &str) -> super::AddressRecord {
    match only(hex).event {
        Event::Address(address) => address,
        other => panic!("{other:?}"),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[cfg(target_endian = "little")]
#[test]
fn links() {
    let veth = link(golden::VETH);
    let down = InterfaceFlags { broadcast: true, multicast: true, ..InterfaceFlags::default() };
    assert_eq!((veth.index, veth.name.as_deref(), veth.mtu), (3, Some("v0"), Some(1400)));
    assert_eq!(veth.flags, InterfaceFlags { admin_up: true, ..down });
    let bridged = link(golden::BRIDGED);
    assert_eq!((bridged.master, bridged.flags), (Some(4), down));
    let lo = link(golden::LOOPBACK).flags;
    assert!(lo.loopback && lo.admin_up && lo.link_up && !lo.broadcast && !lo.point_to_point);
}

#[cfg(target_endian = "little")]
#[test]
fn addresses() {
    let first = address(golden::ADDRESS);
    assert_eq!((first.index, first.scope, first.broadcast), (3, 0, Some(ip("10.0.0.255"))));
    assert_eq!(first.address.address, ip("10.0.0.1"));
    assert_eq!(first.address.prefix.to_string(), "10.0.0.0/24");
    assert!(!first.address.secondary && first.address.opposite.is_none());
    assert!(address(golden::SECONDARY).address.secondary);
    let tentative = address(golden::TENTATIVE);
    assert!(tentative.tentative);
    assert_eq!(tentative.address.prefix.to_string(), "2001:db8::/64");
}

#[cfg(target_endian = "little")]
#[test]
fn peers() {
    let peer = address(golden::PEER).address;
    assert_eq!((peer.address, peer.opposite), (ip("10.1.0.1"), Some(ip("10.1.0.2"))));
    assert_eq!(peer.prefix.to_string(), "10.1.0.2/32");
    let network = address(golden::PEER_NETWORK).address;
    assert_eq!((network.address, network.opposite), (ip("10.2.0.1"), None));
    assert_eq!(network.prefix.to_string(), "10.3.0.0/24");
    let peer6 = address(golden::PEER6).address;
    assert_eq!((peer6.address, peer6.opposite), (ip("2001:db8:1::1"), Some(ip("2001:db8:1::2"))));
}

#[cfg(target_endian = "little")]
#[test]
fn datagrams_hold_several_messages() {
    let mut datagram = bytes(golden::VETH);
    datagram.extend(bytes(golden::DONE));
    let events: Vec<_> = Messages::new(&datagram).map(|message| message.event).collect();
    assert!(matches!(events.as_slice(), [Event::Link(_), Event::Done]));
    datagram.truncate(datagram.len() - 1);
    assert_eq!(Messages::new(&datagram).count(), 1, "a message cut off is none");
}

#[test]
fn errors_and_what_is_not_ours() {
    let message = |kind: u16, body: &[u8]| {
        let mut bytes = u32::try_from(16 + body.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0x10_u16.to_ne_bytes(), [0; 2]].concat());
        bytes.extend([0; 6]);
        bytes.extend(body);
        Messages::new(&bytes).next().unwrap()
    };
    assert_eq!(message(2, &(-16_i32).to_ne_bytes()).event, Event::Error(16));
    assert_eq!(message(2, &i32::MIN.to_ne_bytes()).event, Event::Error(i32::MIN));
    assert_eq!(message(4, &[]).event, Event::Overrun);
    assert!(message(3, &[0; 4]).interrupted);
    assert_eq!(message(999, &[1, 2]).event, Event::Other);
    // A bridge's view of an interface, and an interface with nothing said about it.
    assert_eq!(message(17, &[7; 16]).event, Event::Other);
    assert_eq!(message(17, &[0; 16]).event, Event::LinkGone(0));
    assert_eq!(message(17, &[0; 15]).event, Event::Other);
}

#[test]
fn requests() {
    assert_eq!(request_links(1).len(), 32);
    assert_eq!(request_addresses(1).len(), 24);
    // A request reads as a message that is no event.
    let request = request_links(0x0102_0304);
    let read = Messages::new(&request).next().unwrap();
    assert_eq!((read.sequence, read.event), (0x0102_0304, Event::Other));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        Messages::new(&bytes).for_each(drop);
    }

    #[test]
    fn no_damage_makes_it_panic(
        which in 0..4_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let all = [golden::VETH, golden::ADDRESS, golden::PEER6, golden::BRIDGED];
        let mut bytes = bytes(all[which]);
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        // Datagrams end: each step consumes at least a header.
        prop_assert!(Messages::new(&bytes).count() <= bytes.len() / super::HEADER);
    }
}
