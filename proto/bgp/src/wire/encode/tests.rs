use core::net::IpAddr;

use proptest::prelude::*;

use super::super::MAX_LENGTH;
use super::super::attribute::{self, number};
use super::super::decode::{DecodeRules, Decoder, Verdict};
use super::super::family::FamilySet;
use super::*;

pub(crate) fn encode_rules(family: Carried, peer: PeerKind) -> EncodeRules {
    EncodeRules {
        family,
        peer,
        local_as: 65000,
        as4: true,
        max_length: MAX_LENGTH,
        send_local_pref: false,
        customers_only: false,
        default_local_pref: 100,
    }
}

fn decode_rules(internal: bool, as4: bool) -> DecodeRules {
    DecodeRules {
        internal,
        as4,
        families: FamilySet::from_iter(Carried::ALL),
        extended_next_hop: true,
        loopback: false,
        local_as: 1,
        allow_local_as: 0,
        router_id: 1,
        cluster_id: None,
        allow_as_sets: true,
        allow_local_pref: false,
        first_as: None,
        role: None,
        neighbor_as: 65001,
        aigp: true,
        default_local_pref: 100,
    }
}

fn route(next_hop: &str) -> Route {
    let next_hop = NextHop::new(next_hop.parse::<IpAddr>().unwrap());
    Route { next_hop, reflection: None, keep_med: true }
}

/// ORIGIN, a path of two, LOCAL_PREF, one community.
const PLAIN: &[u8] = &[
    0x40, 1, 1, 0, 0x40, 2, 10, 2, 2, 0, 0, 0xfd, 0xe9, 0, 1, 0, 0, 0x40, 5, 4, 0, 0, 0, 100, 0xc0,
    8, 4, 0xfd, 0xe9, 0, 1,
];

fn block(canonical: &[u8], rules: &EncodeRules, route: &Route) -> Vec<u8> {
    let mut block = Vec::new();
    encode_block(canonical, rules, route, &mut block).unwrap();
    block
}

#[test]
fn golden_external_ipv4() {
    let rules = encode_rules(Carried::Ipv4, PeerKind::External);
    let block = block(PLAIN, &rules, &route("192.0.2.1"));
    let mut out = Vec::new();
    let prefix = "10.0.0.0/8".parse::<Prefix4>().unwrap();
    assert_eq!(announce(&block, [prefix], MAX_LENGTH, &mut out), 1);
    let expected = [
        &[0xff; 16][..],
        &[0, 60, 2, 0, 0, 0, 35],
        &[0x40, 1, 1, 0],
        &[0x40, 2, 14, 2, 3, 0, 0, 0xfd, 0xe8, 0, 0, 0xfd, 0xe9, 0, 1, 0, 0],
        &[0x40, 3, 4, 192, 0, 2, 1],
        &[0xc0, 8, 4, 0xfd, 0xe9, 0, 1],
        &[8, 10],
    ]
    .concat();
    assert_eq!(out, expected);
}

#[test]
fn communities_that_are_not_transitive_stay_in_the_as() {
    const ROUTE_TARGET: [u8; 8] = [0, 2, 0, 1, 0, 0, 0, 2];
    const VALIDITY: [u8; 8] = [0x43, 0, 0, 0, 0, 0, 0, 1];
    let with = |lists: &[[u8; 8]]| {
        let length = u8::try_from(8 * lists.len()).unwrap();
        [&[0xc0, 16, length][..], &lists.concat()].concat()
    };
    for (sent, outside) in [
        (&[ROUTE_TARGET, VALIDITY][..], with(&[ROUTE_TARGET])),
        (&[VALIDITY, ROUTE_TARGET, VALIDITY][..], with(&[ROUTE_TARGET])),
        (&[ROUTE_TARGET][..], with(&[ROUTE_TARGET])),
        (&[VALIDITY][..], Vec::new()),
    ] {
        let canonical = [PLAIN, &with(sent)].concat();
        let sends = |peer| {
            let rules = encode_rules(Carried::Ipv4, peer);
            let plain = block(PLAIN, &rules, &route("192.0.2.1")).len();
            let all = block(&canonical, &rules, &route("192.0.2.1"));
            let (_, tail) = all.split_at(plain);
            tail.to_vec()
        };
        assert_eq!(sends(PeerKind::External), outside);
        assert_eq!(sends(PeerKind::RouteServerClient), outside);
        assert_eq!(sends(PeerKind::Internal), with(sent));
    }
}

#[test]
fn golden_internal_ipv6_and_withdrawals() {
    let rules = encode_rules(Carried::Ipv6, PeerKind::Internal);
    let block = block(&[], &rules, &route("2001:db8::1"));
    let mut out = Vec::new();
    let prefix = "2001:db8::/32".parse::<Prefix6>().unwrap();
    assert_eq!(announce(&block, [prefix], MAX_LENGTH, &mut out), 1);
    let next_hop = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let expected = [
        &[2, 0, 0, 0, 44][..],
        &[0x90, 14, 0, 26, 0, 2, 1, 16],
        &next_hop,
        &[0, 32, 0x20, 1, 0x0d, 0xb8],
        &[0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 5, 4, 0, 0, 0, 100],
    ]
    .concat();
    assert_eq!(out[18..], expected);

    out.clear();
    assert_eq!(withdraw([prefix], MAX_LENGTH, &mut out), 1);
    let expected = [2, 0, 0, 0, 12, 0x90, 15, 0, 8, 0, 2, 1, 32, 0x20, 1, 0x0d, 0xb8];
    assert_eq!(out[18..], expected);

    out.clear();
    assert_eq!(withdraw(["10.0.0.0/8".parse::<Prefix4>().unwrap()], MAX_LENGTH, &mut out), 1);
    assert_eq!(out[16..], [0, 25, 2, 0, 2, 8, 10, 0, 0]);
}

#[test]
fn golden_end_of_rib() {
    let mut out = Vec::new();
    end_of_rib(Carried::Ipv4, &mut out);
    end_of_rib(Carried::Ipv6, &mut out);
    assert_eq!(out[16..23], [0, 23, 2, 0, 0, 0, 0]);
    assert_eq!(out[39..], [0, 29, 2, 0, 0, 0, 6, 0x80, 15, 3, 0, 2, 1]);
    let mut decoder = Decoder::default();
    let rules = decode_rules(false, true);
    assert_eq!(decoder.decode(&out[19..23], &rules).unwrap().end_of_rib, Some(Family::IPV4));
    assert_eq!(decoder.decode(&out[42..], &rules).unwrap().end_of_rib, Some(Family::IPV6));
}

#[test]
fn a_reflector_leaves_its_marks() {
    let rules = encode_rules(Carried::Ipv4, PeerKind::Internal);
    let reflection = Some(Reflection { originator: 7, clusters: [None, Some(9)] });
    let first = Route { reflection, ..route("192.0.2.1") };
    let once = block(PLAIN, &rules, &first);
    assert!(once.windows(14).any(|w| w == [0x80, 9, 4, 0, 0, 0, 7, 0x80, 10, 4, 0, 0, 0, 9]));

    let mut marked = PLAIN.to_vec();
    attribute::put(&mut marked, 0x80, 9, &[0, 0, 0, 7]);
    attribute::put(&mut marked, 0x80, 10, &[0, 0, 0, 9]);
    let reflection = Some(Reflection { originator: 1, clusters: [Some(2), Some(3)] });
    let second = Route { reflection, ..route("192.0.2.1") };
    let twice = block(&marked, &rules, &second);
    assert!(
        twice
            .ends_with(&[0x80, 9, 4, 0, 0, 0, 7, 0x80, 10, 12, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 9])
    );

    let outside = encode_rules(Carried::Ipv4, PeerKind::External);
    let sent = block(&marked, &outside, &route("192.0.2.1"));
    assert!(sent.ends_with(&[0xc0, 8, 4, 0xfd, 0xe9, 0, 1]), "nothing of it leaves the AS");
}

#[test]
fn med_goes_where_it_is_meant_to() {
    let med = [0x80, 4, 4, 0, 0, 0, 5];
    let rules = encode_rules(Carried::Ipv4, PeerKind::External);
    let has = |keep_med| {
        let route = Route { keep_med, ..route("192.0.2.1") };
        block(&med, &rules, &route).windows(7).any(|window| window == med)
    };
    assert!(has(true) && !has(false));
}

#[test]
fn an_old_speaker_is_told_in_two_attributes() {
    let mut canonical = vec![0x40, 1, 1, 0];
    attribute::put(&mut canonical, 0x40, 2, &[2, 1, 0, 1, 0x11, 0x70]);
    attribute::put(&mut canonical, 0xc0, 7, &[0, 1, 0x11, 0x70, 192, 0, 2, 9]);
    attribute::put(&mut canonical, 0x40, 5, &[0; 4]);
    canonical.extend_from_slice(&[0xc0, 32, 12, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]);
    let rules = EncodeRules { as4: false, ..encode_rules(Carried::Ipv4, PeerKind::External) };
    let block = block(&canonical, &rules, &route("192.0.2.1"));
    let path = [0x40, 2, 6, 2, 2, 0xfd, 0xe8, 0x5b, 0xa0];
    assert!(block.windows(9).any(|window| window == path));

    let mut out = Vec::new();
    announce(&block, ["10.0.0.0/8".parse::<Prefix4>().unwrap()], MAX_LENGTH, &mut out);
    let mut decoder = Decoder::default();
    let update = decoder.decode(&out[19..], &decode_rules(false, false)).unwrap();
    assert_eq!(update.verdict, Verdict::Ok);
    let path: Vec<_> = attribute::attributes(update.attributes)
        .filter(|attribute| matches!(attribute.number, 2 | 7))
        .map(|attribute| attribute.value.to_vec())
        .collect();
    assert_eq!(path[0], [2, 2, 0, 0, 0xfd, 0xe8, 0, 1, 0x11, 0x70]);
    assert_eq!(path[1], [0, 1, 0x11, 0x70, 192, 0, 2, 9]);
}

#[test]
fn messages_are_filled_to_the_brim() {
    let rules = encode_rules(Carried::Ipv4, PeerKind::External);
    let block = block(PLAIN, &rules, &route("192.0.2.1"));
    let prefixes: Vec<_> = (0..5000u32).map(|i| Prefix4::new(i << 8, 24).unwrap()).collect();
    let mut out = Vec::new();
    let messages = announce(&block, prefixes.iter().copied(), MAX_LENGTH, &mut out);
    let each = (MAX_LENGTH - Block::read(&block).overhead()) / 4;
    assert_eq!(messages as usize, prefixes.len().div_ceil(each));
    let mut found = Vec::new();
    prefixes_of(&out, &mut |prefix| found.push(prefix));
    assert!(found.iter().copied().eq(prefixes.iter().copied().map(Prefix::V4)));
}

#[test]
fn attributes_that_leave_no_room_are_refused() {
    let mut canonical = PLAIN[..17].to_vec();
    attribute::put(&mut canonical, 0xc0, 8, &[1; 4040]);
    let mut rules = encode_rules(Carried::Ipv4, PeerKind::External);
    let mut block = Vec::new();
    assert_eq!(encode_block(&canonical, &rules, &route("192.0.2.1"), &mut block), Err(TooLong));
    rules.max_length = MAX_LENGTH_EXTENDED;
    assert_eq!(encode_block(&canonical, &rules, &route("192.0.2.1"), &mut block), Ok(()));
}

/// ORIGIN and the longest path there can be: one AS more and no header can say its length.
fn with_longest_path(asn: u32) -> Vec<u8> {
    let segment = |count: u8| {
        let members = core::iter::repeat_n(asn.to_be_bytes(), usize::from(count));
        [2, count].into_iter().chain(members.flatten())
    };
    let path: Vec<u8> = (0..64).flat_map(|_| segment(255)).chain(segment(31)).collect();
    let mut canonical = PLAIN[..4].to_vec();
    attribute::put(&mut canonical, 0x40, number::AS_PATH, &path);
    canonical
}

/// Nobody is told of a route without the path that our own AS has made too long.
#[test]
fn a_path_that_gets_too_long_is_refused() {
    let encode = |peer, as4, asn| {
        let rules = encode_rules(Carried::Ipv4, peer);
        let rules = EncodeRules { as4, max_length: MAX_LENGTH_EXTENDED, ..rules };
        let mut block = Vec::new();
        encode_block(&with_longest_path(asn), &rules, &route("192.0.2.1"), &mut block)?;
        let has = |wanted| {
            attribute::attributes(Block::read(&block).attributes)
                .any(|found| found.number == wanted)
        };
        Ok((has(number::AS_PATH), has(number::AS4_PATH)))
    };
    assert_eq!(encode(PeerKind::External, true, 65001), Err(TooLong));
    assert_eq!(encode(PeerKind::Internal, true, 65001), Err(TooLong));
    assert_eq!(encode(PeerKind::External, false, 65001), Ok((true, false)), "half as long");
    assert_eq!(encode(PeerKind::External, false, 70001), Err(TooLong), "AS4_PATH");
}

fn a_path() -> impl Strategy<Value = Vec<u8>> {
    let asn = prop_oneof![1u32..64000, 70000u32..4_000_000_000];
    let segment = (1u8..=2, proptest::collection::vec(asn, 1..6));
    proptest::collection::vec(segment, 0..4).prop_map(|segments| {
        let mut out = Vec::new();
        for (kind, members) in segments {
            out.extend_from_slice(&[kind, members.len() as u8]);
            members.iter().for_each(|asn| out.extend_from_slice(&asn.to_be_bytes()));
        }
        out
    })
}

/// Canonical attributes as a decoder makes them, for an internal session.
fn a_canonical_block() -> impl Strategy<Value = Vec<u8>> {
    let bytes = |element: usize| {
        proptest::option::of(
            proptest::collection::vec(any::<u8>(), 1..40)
                .prop_map(move |list| list.iter().flat_map(|byte| vec![*byte; element]).collect()),
        )
    };
    let fixed = |length: usize| {
        proptest::option::of(proptest::collection::vec(any::<u8>(), length..=length))
    };
    let lists = (bytes(4), bytes(8), bytes(12));
    let unknown = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..400));
    (0u8..3, a_path(), fixed(4), fixed(4), lists, unknown).prop_map(
        |(origin, path, med, preference, (communities, ext, large), unknown)| {
            let mut out = vec![0x40, 1, 1, origin];
            attribute::put(&mut out, 0x40, 2, &path);
            let preference = preference.unwrap_or(vec![0, 0, 0, 100]);
            let optional: [(u8, u8, Option<Vec<u8>>); 6] = [
                (0x80, 4, med),
                (0x40, 5, Some(preference)),
                (0xc0, 8, communities),
                (0xc0, 16, ext),
                (0xc0, 32, large),
                (0xe0, 99, unknown),
            ];
            for (flags, number, value) in optional {
                if let Some(value) = value {
                    attribute::put(&mut out, flags, number, &value);
                }
            }
            out
        },
    )
}

proptest! {
    #[test]
    fn what_is_sent_inside_is_what_is_received(
        canonical in a_canonical_block(), as4: bool, nets: Vec<(u128, u8)>, six: bool
    ) {
        let family = if six { Carried::Ipv6 } else { Carried::Ipv4 };
        let rules = EncodeRules { as4, ..encode_rules(family, PeerKind::Internal) };
        let route = route(if six { "2001:db8::1" } else { "192.0.2.1" });
        let block = block(&canonical, &rules, &route);
        let v4: Vec<_> = nets.iter().map(|(bits, len)| Prefix4::new(*bits as u32, len % 33).unwrap()).collect();
        let v6: Vec<_> = nets.iter().map(|(bits, len)| Prefix6::new(*bits, len % 129).unwrap()).collect();
        let mut out = Vec::new();
        if six {
            announce(&block, v6.iter().copied(), MAX_LENGTH, &mut out);
        } else {
            announce(&block, v4.iter().copied(), MAX_LENGTH, &mut out);
        }
        let mut decoder = Decoder::default();
        let (mut got4, mut got6) = (Vec::new(), Vec::new());
        let mut rest = &out[..];
        while let Framed::Message(frame) = next(rest, false) {
            rest = &rest[frame.length()..];
            let update = decoder.decode(frame.body, &decode_rules(true, as4)).unwrap();
            prop_assert_eq!(update.verdict, Verdict::Ok);
            prop_assert_eq!(update.attributes, &canonical[..]);
            for part in update.announced {
                if !part.nlri.is_empty() {
                    prop_assert_eq!(part.next_hop, Some(route.next_hop));
                }
                got4.extend(part.nlri.ipv4());
                got6.extend(part.nlri.ipv6());
            }
        }
        prop_assert!(rest.is_empty());
        if six { prop_assert_eq!(got6, v6) } else { prop_assert_eq!(got4, v4) }
    }
}

#[test]
fn only_to_customer_is_added_in_its_place() {
    let plain = encode_rules(Carried::Ipv4, PeerKind::External);
    let rules = EncodeRules { customers_only: true, ..plain.clone() };
    let otc = [0xc0, 35, 4, 0, 0, 0xfd, 0xe8];
    let sent = |more: &[u8]| block(&[PLAIN, more].concat(), &rules, &route("192.0.2.1"));
    let before = block(PLAIN, &plain, &route("192.0.2.1"));
    assert_eq!(sent(&[]), [&before[..], &otc].concat());
    let later = [0xc0, 40, 1, 9];
    assert_eq!(sent(&later), [&before[..], &otc, &later].concat());
    let theirs = [0xc0, 35, 4, 0, 0, 0, 7];
    assert_eq!(sent(&theirs), [&before[..], &theirs].concat(), "one that is there stays");
}
