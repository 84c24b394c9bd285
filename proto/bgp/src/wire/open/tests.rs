use smallvec::smallvec;

use super::super::capability::{AddPath, GracefulRestart, Role};
use super::super::family::Family;
use super::*;

fn everything() -> Capabilities {
    Capabilities {
        present: true,
        families: smallvec![Family::IPV4, Family::IPV6],
        route_refresh: true,
        extended_next_hop: smallvec![(Family::IPV4, 2)],
        extended_message: true,
        role: Some(Role::Customer),
        role_conflict: false,
        graceful_restart: Some(GracefulRestart {
            restarting: true,
            notification: false,
            time: 120,
            families: smallvec![(Family::IPV4, true)],
        }),
        as4: Some(4_200_000_000),
        add_path: smallvec![AddPath { family: Family::IPV6, receive: true, send: false }],
        enhanced_refresh: true,
        long_lived: Some(smallvec![(Family::IPV4, false, 3600)]),
        hostname: Some((*b"router").into()),
        unknown: vec![(200, (*b"abc").into())],
    }
}

fn round_trip(open: &Open) {
    let mut bytes = Vec::new();
    open.encode(&mut bytes);
    assert_eq!(usize::from(u16::from_be_bytes([bytes[16], bytes[17]])), bytes.len());
    assert_eq!(Open::decode(&bytes[19..]).as_ref(), Ok(open));
}

#[test]
fn an_open_is_read_back() {
    let open = Open::new(4_200_000_000, 90, 0x0a00_0001, everything());
    assert_eq!(open.as2, AS_TRANS);
    assert_eq!(open.asn(), 4_200_000_000);
    round_trip(&open);
    round_trip(&Open::new(65001, 0, 1, Capabilities::default()));
}

#[test]
fn many_capabilities_use_the_extended_length() {
    for unknown in [100, 120, 130, 200, 255] {
        let mut capabilities = everything();
        capabilities.unknown = vec![(201, vec![7; unknown].into()), (202, vec![8; 120].into())];
        round_trip(&Open::new(65001, 9, 1, capabilities));
    }
}

#[test]
fn golden_bytes() {
    let capabilities = Capabilities {
        present: true,
        families: smallvec![Family::IPV4],
        route_refresh: true,
        as4: Some(65001),
        ..Capabilities::default()
    };
    let mut bytes = Vec::new();
    Open::new(65001, 240, 0x0102_0304, capabilities).encode(&mut bytes);
    let expected = [
        4, 0xfd, 0xe9, 0, 240, 1, 2, 3, 4, 16, 2, 14, 1, 4, 0, 1, 0, 1, 2, 0, 65, 4, 0, 0, 0xfd,
        0xe9,
    ];
    assert_eq!(&bytes[19..], &expected);
}

fn open_with(version: u8, asn: u16, hold: u16, id: u32, parameters: &[u8]) -> Vec<u8> {
    let mut body = vec![version];
    body.extend_from_slice(&asn.to_be_bytes());
    body.extend_from_slice(&hold.to_be_bytes());
    body.extend_from_slice(&id.to_be_bytes());
    body.extend_from_slice(parameters);
    body
}

#[test]
fn each_error_has_its_code() {
    let cases: [(&[u8], u8, &[u8], &str); 10] = [
        (&open_with(3, 1, 90, 1, &[0]), 1, &[0, 4], "version"),
        (&open_with(4, 1, 90, 0, &[0]), 3, &[], "identifier"),
        (&open_with(4, 0, 90, 1, &[0]), 2, &[0, 0, 0, 0], "no AS"),
        (&open_with(4, 1, 2, 1, &[0]), 6, &[0, 2], "hold time"),
        (&open_with(4, 1, 90, 1, &[4, 1, 2, 9, 9]), 4, &[1, 2, 9, 9], "parameter"),
        (&open_with(4, 1, 90, 1, &[4, 2, 3, 9, 9]), 0, &[], "parameter too long"),
        (&open_with(4, 1, 90, 1, &[4, 2, 2, 65, 4]), 0, &[], "capability too long"),
        (&open_with(4, 1, 90, 1, &[5, 2, 3, 65, 1, 1]), 0, &[], "capability too short"),
        (&open_with(4, 1, 90, 1, &[1]), 0, &[], "no parameters"),
        (&open_with(4, 1, 90, 1, &[0, 0]), 0, &[], "too much"),
    ];
    for (body, subcode, data, what) in cases {
        let error = Open::decode(body).unwrap_err();
        assert_eq!((error.code, error.subcode, &*error.data), (2, subcode, data), "{what}");
    }
}

#[test]
fn an_as_number_of_zero_in_the_capability_is_refused() {
    let body = open_with(4, 1, 90, 1, &[8, 2, 6, 65, 4, 0, 0, 0, 0]);
    assert_eq!(Open::decode(&body).unwrap_err().subcode, 2);
}

#[test]
fn two_roles_are_a_conflict() {
    let body = open_with(4, 1, 90, 1, &[8, 2, 6, 9, 1, 0, 9, 1, 3]);
    assert!(Open::decode(&body).unwrap().capabilities.role_conflict);
}
