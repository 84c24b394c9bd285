//! Messages of BGP.

use crate::chance::Chance;
use dunlin_attr::{Attrs, BgpNextHop, Canonical};
use dunlin_bgp::wire::attribute::attributes;
use dunlin_bgp::wire::capability::{AddPath, Capabilities, GracefulRestart, Role};
use dunlin_bgp::wire::decode::{DecodeRules, Decoder, Verdict};
use dunlin_bgp::wire::encode::{self, EncodeRules, PeerKind, Route, encode_block};
use dunlin_bgp::wire::frame::{Framed, Type, next, put_header};
use dunlin_bgp::wire::next_hop::NextHop;
use dunlin_bgp::wire::notification::Cease;
use dunlin_bgp::wire::refresh::Kind;
use dunlin_bgp::wire::{
    Carried, Family, FamilySet, HEADER_LENGTH, MAX_LENGTH, MAX_LENGTH_EXTENDED, Notification, Open,
    RouteRefresh, fuzz,
};
use dunlin_net::{Prefix4, Prefix6};

use crate::mutate;

/// Good messages of every type, with every capability and every attribute.
pub fn good() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = capabilities().map(open).collect();
    all.push(message(|out| Notification::cease(Cease::AdministrativeShutdown, "bye").encode(out)));
    all.push(message(|out| Notification::with_data(3, 5, &[0x40, 1, 1, 9]).encode(out)));
    for kind in [Kind::Request, Kind::Begin, Kind::End] {
        let refresh = RouteRefresh { family: Family::IPV6, kind };
        all.push(message(|out| refresh.encode(out)));
    }
    all.push(message(|out| out.extend_from_slice(&dunlin_bgp::wire::frame::KEEPALIVE)));
    for family in Carried::ALL {
        all.push(message(|out| encode::end_of_rib(family, out)));
        all.push(update(family));
    }
    all.push(foreign_update());
    all
}

fn message(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

fn open(capabilities: Capabilities) -> Vec<u8> {
    message(|out| Open::new(4_200_000_000, 90, 0x0a00_0001, capabilities).encode(out))
}

/// Each capability alone, then all together.
fn capabilities() -> impl Iterator<Item = Capabilities> {
    let both = || [Family::IPV4, Family::IPV6].into_iter();
    let restart = GracefulRestart {
        restarting: true,
        notification: true,
        time: 120,
        families: both().map(|family| (family, true)).collect(),
    };
    let all = Capabilities {
        present: true,
        families: both().collect(),
        route_refresh: true,
        extended_next_hop: [(Family::IPV4, 2)].into_iter().collect(),
        extended_message: true,
        role: Some(Role::Customer),
        role_conflict: false,
        graceful_restart: Some(restart),
        as4: Some(4_200_000_000),
        add_path: both().map(|family| AddPath { family, receive: true, send: false }).collect(),
        enhanced_refresh: true,
        long_lived: Some([(Family::IPV4, false, 3600)].into_iter().collect()),
        hostname: Some((*b"router").into()),
        unknown: vec![(200, (*b"abc").into())],
    };
    let one = |pick: fn(&mut Capabilities, &Capabilities)| {
        let mut one = Capabilities { present: true, ..Capabilities::default() };
        pick(&mut one, &all);
        one
    };
    let each = [
        one(|_, _| ()),
        one(|one, all| one.families = all.families.clone()),
        one(|one, _| one.route_refresh = true),
        one(|one, all| one.extended_next_hop = all.extended_next_hop.clone()),
        one(|one, _| one.extended_message = true),
        one(|one, all| one.role = all.role),
        one(|one, all| one.graceful_restart = all.graceful_restart.clone()),
        one(|one, all| one.as4 = all.as4),
        one(|one, all| one.add_path = all.add_path.clone()),
        one(|one, _| one.enhanced_refresh = true),
        one(|one, all| one.long_lived = all.long_lived.clone()),
        one(|one, all| one.hostname = all.hostname.clone()),
        one(|one, all| one.unknown = all.unknown.clone()),
    ];
    each.into_iter().chain([all])
}

/// An UPDATE as we send it.
fn update(family: Carried) -> Vec<u8> {
    let canonical = [
        0x40, 1, 1, 0, 0x40, 2, 10, 2, 2, 0, 0, 0xfd, 0xe9, 0, 0, 0xfd, 0xea, 0x80, 4, 4, 0, 0, 0,
        9, 0xc0, 8, 4, 0xfd, 0xe9, 0, 1, 0xc0, 16, 8, 0, 2, 0xfd, 0xe9, 0, 0, 0, 1, 0xc0, 32, 12,
        0, 0, 0xfd, 0xe9, 0, 0, 0, 1, 0, 0, 0, 2, 0xe0, 99, 2, 1, 2,
    ];
    let hop = match family {
        Carried::Ipv4 => "192.0.2.1",
        Carried::Ipv6 => "2001:db8::1",
    };
    let next_hop = NextHop::new(hop.parse().expect("an address"));
    let route = Route { next_hop, reflection: None, keep_med: true };
    let mut block = Vec::new();
    encode_block(&canonical, &encode_rules(family), &route, &mut block).expect("a short block");
    let (four, six) = (
        (0..9_u32).filter_map(|at| Prefix4::new(at << 24, 8 + at as u8)),
        (0..9_u8).filter_map(|at| Prefix6::new(u128::from(at) << 96, 32 + at)),
    );
    message(|out| match family {
        Carried::Ipv4 => {
            encode::announce(&block, four.clone(), MAX_LENGTH, out);
            encode::withdraw(four, MAX_LENGTH, out);
        }
        Carried::Ipv6 => {
            encode::announce(&block, six.clone(), MAX_LENGTH, out);
            encode::withdraw(six, MAX_LENGTH, out);
        }
    })
}

/// An UPDATE with what we read and don't write: sets, confederations, old aggregators, cluster lists,
/// AIGP, only-to-customer, both MP attributes and classic networks in one.
fn foreign_update() -> Vec<u8> {
    let attributes: &[&[u8]] = &[
        &[0x40, 1, 1, 2],
        &[0x50, 2, 0, 18, 2, 1, 0, 0, 0xfd, 0xe9, 1, 2, 0, 0, 0, 7, 0, 0, 0, 8, 3, 0, 4, 0],
        &[0x40, 3, 4, 192, 0, 2, 1],
        &[0x40, 5, 4, 0, 0, 0, 100],
        &[0x40, 6, 0],
        &[0xc0, 7, 8, 0, 0, 0xfd, 0xe9, 10, 0, 0, 1],
        &[0x80, 9, 4, 10, 0, 0, 9],
        &[0x80, 10, 8, 10, 0, 0, 9, 10, 0, 0, 8],
        &[
            0x80, 14, 30, 0, 2, 1, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
            32, 0x20, 1, 0xd, 0xb8, 32, 0x20, 1, 0xd, 0xb9,
        ],
        &[0x80, 15, 8, 0, 2, 1, 32, 0x20, 1, 0xd, 0xba],
        &[0x80, 26, 11, 1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 5],
        &[0xc0, 35, 4, 0, 0, 0xfd, 0xe9],
    ];
    let attributes = attributes.concat();
    let (withdrawn, announced): (&[u8], &[u8]) = (&[8, 10, 16, 10, 1], &[24, 192, 0, 2, 0]);
    let length = HEADER_LENGTH + 4 + withdrawn.len() + attributes.len() + announced.len();
    message(|out| {
        put_header(out, length, Type::Update);
        out.extend((withdrawn.len() as u16).to_be_bytes());
        out.extend(withdrawn);
        out.extend((attributes.len() as u16).to_be_bytes());
        out.extend(attributes);
        out.extend(announced);
    })
}

/// One message with a broken body in a good frame, or a broken stream.
pub fn broken(chance: &mut Chance, good: &[Vec<u8>]) -> Vec<u8> {
    let one = chance.one_of(good);
    if chance.per_mille(100) {
        let both = [one.clone(), chance.one_of(good).clone()].concat();
        return mutate::bytes(chance, &both);
    }
    let body = mutate::bytes(chance, &one[HEADER_LENGTH..]);
    let mut out = one[..HEADER_LENGTH].to_vec();
    out.extend(body);
    let length = u16::try_from(out.len()).expect("no long messages").to_be_bytes();
    out[16..18].copy_from_slice(&length);
    out
}

/// Any bytes whatsoever.
pub fn feed(bytes: &[u8]) {
    for extended in [false, true] {
        fuzz::stream(bytes, extended);
    }
    let mut rest = bytes;
    while let Framed::Message(frame) = next(rest, true) {
        rest = &rest[frame.length()..];
        match frame.kind {
            Type::Open => open_survives(frame.body),
            Type::Notification => notification_survives(frame.body),
            Type::RouteRefresh => refresh_survives(frame.body),
            Type::Update => update_survives(frame.body),
            Type::Keepalive => {}
        }
    }
}

/// What was read is written and read again as the same.
fn open_survives(body: &[u8]) {
    let Ok(mut open) = Open::decode(body) else { return };
    let bytes = message(|out| open.encode(out));
    // More capabilities than fit come only from extended parameters near their limit. Of two roles that
    // contradict each other none is written.
    if bytes.len() <= MAX_LENGTH && !open.capabilities.role_conflict {
        let again = Open::decode(&bytes[HEADER_LENGTH..]).expect("our OPEN is readable");
        // A parameter without capabilities is not written.
        open.capabilities.present = again.capabilities.present;
        assert_eq!(again, open);
    }
}

fn notification_survives(body: &[u8]) {
    let Some(one) = Notification::decode(body) else { return };
    let bytes = message(|out| one.encode(out));
    assert_eq!(Notification::decode(&bytes[HEADER_LENGTH..]), Some(one));
}

fn refresh_survives(body: &[u8]) {
    let Ok(Some(one)) = RouteRefresh::decode(body) else { return };
    let bytes = message(|out| one.encode(out));
    assert_eq!(RouteRefresh::decode(&bytes[HEADER_LENGTH..]), Ok(Some(one)));
}

/// A route that is good is passed on unchanged by a session that changes nothing.
fn update_survives(body: &[u8]) {
    let mut decoder = Decoder::default();
    let Ok(update) = decoder.decode(body, &decode_rules()) else { return };
    if update.verdict != Verdict::Ok {
        return;
    }
    for part in update.announced {
        let Some(next_hop) = part.next_hop.filter(|_| !part.nlri.is_empty()) else { continue };
        let family = part.nlri.family();
        let hop = BgpNextHop { global: next_hop.global, link_local: next_hop.link_local };
        let set = Canonical { wire: update.attributes, next_hop: hop, preference: 100 };
        assert!(Attrs::from_canonical(&set).is_ok(), "a good route has a set of attributes");
        let route = Route { next_hop, reflection: None, keep_med: true };
        let mut block = Vec::new();
        let rules = encode_rules(family);
        // A block may be too long for a message.
        let Ok(_) = encode_block(update.attributes, &rules, &route, &mut block) else { continue };
        let mut again = Vec::new();
        let out = &mut again;
        let _ = match family {
            Carried::Ipv4 => encode::announce(&block, part.nlri.ipv4(), MAX_LENGTH_EXTENDED, out),
            Carried::Ipv6 => encode::announce(&block, part.nlri.ipv6(), MAX_LENGTH_EXTENDED, out),
        };
        if again.is_empty() {
            continue;
        }
        let Framed::Message(frame) = next(&again, true) else { panic!("an unframeable UPDATE") };
        let mut decoder = Decoder::default();
        let second = decoder.decode(frame.body, &decode_rules()).expect("our UPDATE is readable");
        assert_eq!(second.verdict, Verdict::Ok, "our UPDATE is good");
        let of = |canonical: &[u8]| -> Vec<u8> {
            // A default local preference is made explicit, and only transitive attributes that are not
            // known are passed on.
            let kept =
                attributes(canonical).filter(|one| matches!(one.number, 1..=4 | 8 | 16 | 32));
            kept.flat_map(|one| one.whole.to_vec()).collect()
        };
        assert_eq!(of(update.attributes), of(second.attributes), "attributes survive");
        let count =
            |nlri: &dunlin_bgp::wire::nlri::Nlri<'_>| nlri.ipv4().count() + nlri.ipv6().count();
        let read: usize = second.announced.iter().map(|part| count(&part.nlri)).sum();
        // What does not fit into one message is in the next.
        let rest = again.len() > frame.length();
        assert!(rest || read == count(&part.nlri), "networks survive");
    }
}

fn encode_rules(family: Carried) -> EncodeRules {
    EncodeRules {
        family,
        peer: PeerKind::Internal,
        local_as: 65000,
        as4: true,
        max_length: MAX_LENGTH,
        send_local_pref: true,
        customers_only: false,
        default_local_pref: 100,
    }
}

fn decode_rules() -> DecodeRules {
    DecodeRules {
        internal: true,
        as4: true,
        families: Carried::ALL.into_iter().collect::<FamilySet>(),
        extended_next_hop: true,
        loopback: false,
        local_as: 65000,
        allow_local_as: 0,
        router_id: 1,
        cluster_id: Some(1),
        allow_as_sets: true,
        allow_local_pref: true,
        first_as: None,
        role: None,
        neighbor_as: 65000,
        aigp: true,
        default_local_pref: 100,
    }
}
