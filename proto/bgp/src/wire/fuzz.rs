//! What must hold for any bytes whatsoever. Plain functions: a fuzzer calls them with what it
//! makes up, the tests here with what proptest does. They panic if something doesn't hold.

use super::attribute::attributes;
use super::decode::{DecodeRules, Decoder, Verdict};
use super::family::{Carried, FamilySet};
use super::frame::{Framed, next};
use super::{Notification, Open, RouteRefresh};

/// A stream of messages: framing comes to an end, and every body is read.
pub fn stream(bytes: &[u8], extended: bool) {
    let mut rest = bytes;
    while let Framed::Message(frame) = next(rest, extended) {
        assert!(frame.length() >= super::HEADER_LENGTH, "a message takes its header");
        rest = rest.get(frame.length()..).unwrap_or(&[]);
        open(frame.body);
        update(frame.body, extended, true);
        let _ = RouteRefresh::decode(frame.body);
        let _ = Notification::decode(frame.body).map(|it| (it.to_string(), it.shutdown_text()));
    }
}

/// The body of an OPEN: what is read is written and read again as the same.
pub fn open(body: &[u8]) {
    let Ok(open) = Open::decode(body) else { return };
    let mut bytes = Vec::new();
    open.encode(&mut bytes);
    // More capabilities than fit come only from extended parameters near their limit.
    if bytes.len() <= super::MAX_LENGTH {
        let again = Open::decode(bytes.get(super::HEADER_LENGTH..).unwrap_or(&[]));
        assert_eq!(again.map(|open| open.asn()), Ok(open.asn()), "an OPEN survives");
    }
}

/// The body of an UPDATE: its attributes come out whole and sorted, and good routes have a next
/// hop.
pub fn update(body: &[u8], internal: bool, as4: bool) {
    let mut decoder = Decoder::default();
    let Ok(update) = decoder.decode(body, &rules(internal, as4)) else { return };
    let (mut last, mut total) = (None, 0);
    for attribute in attributes(update.attributes) {
        assert!(Some(attribute.number) > last, "attributes ascend");
        last = Some(attribute.number);
        total += attribute.whole.len();
    }
    assert_eq!(total, update.attributes.len(), "attributes are whole");
    let withdraws = matches!(update.verdict, Verdict::TreatAsWithdraw(_));
    for part in update.announced {
        let read = part.nlri.ipv4().count() + part.nlri.ipv6().count();
        assert_eq!(read, usize::try_from(part.nlri.len()).unwrap_or(0), "prefixes are counted");
        let good = read == 0 || withdraws || part.next_hop.is_some();
        assert!(good, "good routes have a next hop");
    }
}

fn rules(internal: bool, as4: bool) -> DecodeRules {
    DecodeRules {
        internal,
        as4,
        families: Carried::ALL.into_iter().collect::<FamilySet>(),
        extended_next_hop: internal,
        loopback: false,
        local_as: 65000,
        allow_local_as: 0,
        router_id: 1,
        cluster_id: Some(1),
        allow_as_sets: false,
        allow_local_pref: false,
        first_as: None,
        role: None,
        neighbor_as: 65001,
        aigp: internal,
        default_local_pref: 100,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::encode::{self, EncodeRules, PeerKind, Route, encode_block};
    use super::super::frame::{Type, put_header};
    use super::super::next_hop::NextHop;
    use super::*;

    /// Good messages, for mutation.
    fn seeds() -> Vec<u8> {
        let mut out = Vec::new();
        let canonical = [
            0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9, 0x80, 4, 4, 0, 0, 0, 9, 0xc0, 8, 4,
            0xfd, 0xe9, 0, 1, 0xe0, 99, 2, 1, 2,
        ];
        for (family, hop) in [(Carried::Ipv4, "192.0.2.1"), (Carried::Ipv6, "2001:db8::1")] {
            let rules = EncodeRules {
                family,
                peer: PeerKind::Internal,
                local_as: 65000,
                as4: true,
                max_length: 4096,
                send_local_pref: false,
                customers_only: false,
                default_local_pref: 100,
            };
            let next_hop = NextHop::new(hop.parse().unwrap());
            let route = Route { next_hop, reflection: None, keep_med: true };
            let mut block = Vec::new();
            encode_block(&canonical, &rules, &route, &mut block).unwrap();
            let nets4 = (0..9u32).map(|i| dunlin_net::Prefix4::new(i << 24, 8 + i as u8).unwrap());
            let nets6 =
                (0..9u8).map(|i| dunlin_net::Prefix6::new(u128::from(i) << 96, 32 + i).unwrap());
            match family {
                Carried::Ipv4 => drop(encode::announce(&block, nets4, 4096, &mut out)),
                Carried::Ipv6 => drop(encode::announce(&block, nets6, 4096, &mut out)),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn any_stream(bytes in proptest::collection::vec(any::<u8>(), 0..300), extended: bool) {
            stream(&bytes, extended);
            open(&bytes);
            update(&bytes, extended, !extended);
        }

        #[test]
        fn good_messages_with_some_bytes_changed(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..9),
            extended: bool,
        ) {
            let mut bytes = seeds();
            for (place, value) in changes {
                let at = place.index(bytes.len());
                bytes[at] = value;
            }
            stream(&bytes, extended);
        }

        #[test]
        fn any_body_in_a_good_frame(body in proptest::collection::vec(any::<u8>(), 4..300)) {
            let mut bytes = Vec::new();
            put_header(&mut bytes, 19 + body.len(), Type::Update);
            bytes.extend_from_slice(&body);
            stream(&bytes, false);
        }
    }
}
