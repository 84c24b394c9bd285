use proptest::prelude::*;

use super::super::attribute::put;
use super::*;

fn rules() -> DecodeRules {
    DecodeRules {
        internal: false,
        as4: true,
        families: FamilySet::from_iter(Carried::ALL),
        extended_next_hop: false,
        loopback: false,
        local_as: 65000,
        allow_local_as: 0,
        router_id: 0x0a00_0001,
        cluster_id: Some(0x0a00_0001),
        allow_as_sets: false,
        allow_local_pref: false,
        first_as: None,
        role: None,
        neighbor_as: 65001,
        aigp: false,
        default_local_pref: 100,
    }
}

fn internal() -> DecodeRules {
    DecodeRules { internal: true, aigp: true, ..rules() }
}

const ORIGIN: &[u8] = &[0x40, 1, 1, 0];
const PATH: &[u8] = &[0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9];
const NEXT_HOP: &[u8] = &[0x40, 3, 4, 192, 0, 2, 1];

/// The body of an UPDATE with these attributes and 10.0.0.0/8.
fn body(attributes: &[&[u8]], nlri: &[u8]) -> Vec<u8> {
    let attributes = attributes.concat();
    let mut body = vec![0, 0];
    body.extend_from_slice(&(attributes.len() as u16).to_be_bytes());
    body.extend_from_slice(&attributes);
    body.extend_from_slice(nlri);
    body
}

/// What becomes of a good route with `more` in its attributes.
fn verdict(rules: &DecodeRules, more: &[u8]) -> Verdict {
    let body = body(&[ORIGIN, PATH, NEXT_HOP, more], &[8, 10]);
    Decoder::default().decode(&body, rules).unwrap().verdict
}

fn canonical(rules: &DecodeRules, attributes: &[&[u8]]) -> Vec<u8> {
    let body = body(attributes, &[8, 10]);
    let mut decoder = Decoder::default();
    let update = decoder.decode(&body, rules).unwrap();
    assert!(!matches!(update.verdict, Verdict::TreatAsWithdraw(_)), "{:?}", update.verdict);
    update.attributes.to_vec()
}

#[test]
fn a_plain_update() {
    let body = body(&[ORIGIN, PATH, NEXT_HOP], &[8, 10, 16, 10, 1]);
    let mut decoder = Decoder::default();
    let update = decoder.decode(&body, &rules()).unwrap();
    assert_eq!(update.verdict, Verdict::Ok);
    assert_eq!(update.end_of_rib, None);
    let expected = [ORIGIN, PATH, &[0x40, 5, 4, 0, 0, 0, 100]].concat();
    assert_eq!(update.attributes, expected, "with the default LOCAL_PREF, without NEXT_HOP");
    let [mp, classic] = update.announced;
    assert!(mp.nlri.is_empty());
    assert_eq!(classic.nlri.len(), 2);
    assert_eq!(classic.next_hop.unwrap().global.to_string(), "192.0.2.1");
}

#[test]
fn a_path_that_grows_beyond_what_an_attribute_can_hold_is_treated_as_withdrawn() {
    // What an extended message brings from a two-octet neighbour takes up nearly twice the space.
    let path = |segments: usize| {
        let mut value = Vec::new();
        for _ in 0..segments {
            value.extend_from_slice(&[2, 255]);
            value.extend((0..255).flat_map(|_| [0xfd, 0xe9]));
        }
        let mut path = Vec::new();
        put(&mut path, 0x40, number::AS_PATH, &value);
        path
    };
    let old = DecodeRules { as4: false, ..rules() };
    let judge = |segments: usize, nlri: &[u8]| {
        let body = body(&[ORIGIN, &path(segments), NEXT_HOP], nlri);
        let mut decoder = Decoder::default();
        decoder.decode(&body, &old).map(|update| (update.verdict, update.attributes.len()))
    };
    let (verdict, length) = judge(64, &[8, 10]).unwrap();
    assert_eq!((verdict, length), (Verdict::Ok, 4 + 4 + 64 * 1022 + 7));
    let (verdict, length) = judge(65, &[8, 10]).unwrap();
    let too_long = Verdict::TreatAsWithdraw(Problem::TooLong(number::AS_PATH));
    assert_eq!((verdict, length), (too_long, 0));
    // Nothing is wrong with the message, so there is no reason to doubt that all of it was read.
    assert_eq!(judge(65, &[]).unwrap(), (too_long, 0));
}

#[test]
fn attributes_are_sorted_and_lengths_made_short() {
    let long = &[0xd0, 8, 0, 4, 0, 1, 0, 2];
    let sorted = canonical(&rules(), &[long, NEXT_HOP, PATH, ORIGIN]);
    let expected = [ORIGIN, PATH, &[0x40, 5, 4, 0, 0, 0, 100], &[0xc0, 8, 4, 0, 1, 0, 2]].concat();
    assert_eq!(sorted, expected);
}

#[test]
fn what_each_kind_of_error_leads_to() {
    use Problem::{Flags, Length, Misplaced, Unrecognized, Value};
    use Verdict::{AttributeDiscard as Discard, Ok, TreatAsWithdraw as Withdraw};
    let (e, i) = (&rules(), &internal());
    let cases: &[(&DecodeRules, &[u8], Verdict)] = &[
        (e, &[0xc0, 4, 4, 0, 0, 0, 1], Withdraw(Flags(4))),
        (e, &[0x80, 4, 3, 0, 0, 1], Withdraw(Length(4))),
        (e, &[0x80, 4, 4, 0, 0, 0, 1], Ok),
        (e, &[0x40, 5, 4, 0, 0, 0, 1], Discard(Misplaced(5))),
        (i, &[0x40, 5, 3, 0, 0, 1], Withdraw(Length(5))),
        (e, &[0x40, 6, 1, 0], Discard(Length(6))),
        (e, &[0xc0, 7, 6, 0, 1, 1, 1, 1, 1], Discard(Length(7))),
        (e, &[0xc0, 7, 8, 0, 0, 0, 0, 1, 1, 1, 1], Discard(Value(7))),
        (e, &[0xc0, 8, 0], Withdraw(Length(8))),
        (e, &[0xc0, 8, 5, 0, 0, 0, 0, 0], Withdraw(Length(8))),
        (e, &[0x80, 9, 3, 0, 0, 1], Discard(Misplaced(9))),
        (i, &[0x80, 9, 3, 0, 0, 1], Withdraw(Length(9))),
        (i, &[0x80, 9, 4, 10, 0, 0, 1], Withdraw(Problem::OriginatorLoop)),
        (e, &[0x80, 10, 0], Discard(Misplaced(10))),
        (i, &[0x80, 10, 5, 0, 0, 0, 0, 0], Withdraw(Length(10))),
        (i, &[0x80, 10, 8, 0, 0, 0, 7, 10, 0, 0, 1], Withdraw(Problem::ClusterLoop)),
        (e, &[0xc0, 16, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0], Withdraw(Length(16))),
        (e, &[0x80, 26, 11, 1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0], Discard(Misplaced(26))),
        (i, &[0x80, 26, 11, 1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0], Ok),
        (i, &[0x80, 26, 0], Discard(Value(26))),
        (e, &[0xc0, 26, 0], Discard(Flags(26))),
        (e, &[0xc0, 32, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Withdraw(Length(32))),
        (e, &[0xc0, 35, 4, 0, 0, 0, 0], Withdraw(Value(35))),
        (e, &[0x40, 99, 0], Withdraw(Unrecognized(99))),
        (e, &[0x80, 99, 1, 1], Ok),
        (e, &[0xc0, 99, 1, 1], Ok),
        (e, &[0xc0, 17, 6, 9, 1, 0, 0, 0, 1], Ok),
        (e, &[0x80, 17, 0], Withdraw(Flags(17))),
        (e, &[0x40, 1, 1, 2], Discard(Problem::Repeated(1))),
        (e, &[0xc0, 8, 200, 1], Withdraw(Problem::Truncated)),
        (e, &[0xc0, 8], Withdraw(Problem::Truncated)),
    ];
    for (rules, more, expected) in cases {
        assert_eq!(verdict(rules, more), *expected, "{more:02x?} internal: {}", rules.internal);
    }
}

#[test]
fn what_is_wrong_with_a_path() {
    use dunlin_net::as_path::AsPathError;
    let judge = |rules: &DecodeRules, path: &[u8]| {
        let mut attribute = Vec::new();
        put(&mut attribute, 0x40, 2, path);
        let body = body(&[ORIGIN, &attribute, NEXT_HOP], &[8, 10]);
        match Decoder::default().decode(&body, rules).unwrap().verdict {
            Verdict::TreatAsWithdraw(problem) => Some(problem),
            _ => None,
        }
    };
    let external = rules();
    let cases: &[(&[u8], Option<Problem>)] = &[
        (&[2, 1, 0, 0, 0, 1], None),
        (&[], None),
        (&[5, 1, 0, 0, 0, 1], Some(Problem::Path(AsPathError::SegmentKind(5)))),
        (&[2, 0], Some(Problem::Path(AsPathError::EmptySegment))),
        (&[2, 2, 0, 0, 0, 1], Some(Problem::Path(AsPathError::Truncated))),
        (&[2, 1, 0, 0, 0, 0], Some(Problem::PathZero)),
        (&[1, 1, 0, 0, 0, 1], Some(Problem::PathSet)),
        (&[3, 1, 0, 0, 0, 1], Some(Problem::PathConfed)),
        (&[2, 1, 0, 0, 0xfd, 0xe8], Some(Problem::AsLoop)),
    ];
    for (path, expected) in cases {
        assert_eq!(judge(&external, path), *expected, "{path:?}");
    }
    let lax = DecodeRules { allow_as_sets: true, allow_local_as: 1, ..rules() };
    assert_eq!(judge(&lax, &[1, 1, 0, 0, 0, 1]), None);
    assert_eq!(judge(&lax, &[2, 1, 0, 0, 0xfd, 0xe8]), None);
    let strict = DecodeRules { first_as: Some(7), ..rules() };
    assert_eq!(judge(&strict, &[2, 1, 0, 0, 0, 1]), Some(Problem::FirstAs));
}

#[test]
fn missing_attributes_withdraw_the_routes() {
    for (attributes, missing) in [
        ([PATH, NEXT_HOP], number::ORIGIN),
        ([ORIGIN, NEXT_HOP], number::AS_PATH),
        ([ORIGIN, PATH], number::NEXT_HOP),
    ] {
        let body = body(&attributes, &[8, 10]);
        let mut decoder = Decoder::default();
        let update = decoder.decode(&body, &rules()).unwrap();
        assert_eq!(update.verdict, Verdict::TreatAsWithdraw(Problem::Missing(missing)));
        assert!(update.attributes.is_empty());
        assert_eq!(update.announced[1].nlri.len(), 1, "what is to be withdrawn");
    }
}

#[test]
fn martian_next_hops_withdraw_the_routes() {
    for address in [[0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 5]] {
        let mut attribute = Vec::new();
        put(&mut attribute, 0x40, 3, &address);
        let body = body(&[ORIGIN, PATH, &attribute], &[8, 10]);
        let mut decoder = Decoder::default();
        let update = decoder.decode(&body, &rules()).unwrap();
        assert_eq!(update.verdict, Verdict::TreatAsWithdraw(Problem::NextHop));
    }
}

#[test]
fn an_unknown_transitive_attribute_is_kept_and_marked() {
    let block = canonical(&rules(), &[ORIGIN, PATH, NEXT_HOP, &[0xc0, 99, 2, 7, 7]]);
    assert!(block.ends_with(&[0xe0, 99, 2, 7, 7]));
    let block = canonical(&rules(), &[ORIGIN, PATH, NEXT_HOP, &[0x80, 99, 2, 7, 7]]);
    assert!(!block.windows(2).any(|window| window == [99, 2]));
}

fn mp_reach(family: Family, next_hop: &[u8], nlri: &[u8]) -> Vec<u8> {
    let mut value = family.afi.to_be_bytes().to_vec();
    value.extend_from_slice(&[family.safi, next_hop.len() as u8]);
    value.extend_from_slice(next_hop);
    value.push(0);
    value.extend_from_slice(nlri);
    let mut out = Vec::new();
    put(&mut out, 0x80, 14, &value);
    out
}

const GLOBAL: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

#[test]
fn ipv6_routes_come_in_mp_reach() {
    let reach = mp_reach(Family::IPV6, &GLOBAL, &[32, 0x20, 1, 0x0d, 0xb9]);
    let body = body(&[&reach, ORIGIN, PATH], &[]);
    let mut decoder = Decoder::default();
    let update = decoder.decode(&body, &rules()).unwrap();
    assert_eq!(update.verdict, Verdict::Ok, "without NEXT_HOP");
    let read: Vec<_> = update.announced[0].nlri.ipv6().map(|net| net.to_string()).collect();
    assert_eq!(read, ["2001:db9::/32"]);
}

#[test]
fn mp_errors_that_hide_prefixes_end_the_session() {
    let bogus = mp_reach(Family::IPV6, &GLOBAL[..9], &[]);
    let cut = mp_reach(Family::IPV6, &GLOBAL, &[64, 1]);
    let twice =
        [mp_reach(Family::IPV6, &GLOBAL, &[]), mp_reach(Family::IPV6, &GLOBAL, &[])].concat();
    let unreach = [0x80, 15, 5, 0, 2, 1, 64, 1];
    let short = [0x80, 14, 2, 0, 2];
    for (attribute, subcode) in
        [(&bogus[..], 9), (&cut, 9), (&twice, 1), (&unreach, 9), (&short, 9)]
    {
        let body = body(&[ORIGIN, PATH, NEXT_HOP, attribute], &[8, 10]);
        let error = Decoder::default().decode(&body, &rules()).unwrap_err();
        assert_eq!((error.code, error.subcode), (3, subcode), "{attribute:02x?}");
    }
}

#[test]
fn families_that_were_not_agreed_upon_are_passed_over() {
    let rules = DecodeRules { families: FamilySet::NONE.with(Carried::Ipv4), ..rules() };
    let six = mp_reach(Family::IPV6, &GLOBAL, &[200, 1]);
    let vpls = mp_reach(Family::new(25, 65), &[1, 2, 3], &[9; 30]);
    for reach in [six, vpls] {
        let body = body(&[&reach, ORIGIN, PATH], &[]);
        let mut decoder = Decoder::default();
        let update = decoder.decode(&body, &rules).unwrap();
        assert!(update.announced.iter().all(|part| part.nlri.is_empty()));
        assert_eq!(update.end_of_rib, None);
    }
}

#[test]
fn errors_without_a_prefix_to_withdraw_end_the_session() {
    let bad = body(&[&[0x40, 1, 1, 9]], &[]);
    assert_eq!(Decoder::default().decode(&bad, &rules()).unwrap_err().subcode, 6);
    let discarded = body(&[&[0x40, 6, 1, 9]], &[]);
    assert!(Decoder::default().decode(&discarded, &rules()).is_ok());
    for path in [&[2, 1, 0, 0, 0xfd, 0xe8][..], &[1, 1, 0, 0, 0xfd, 0xe9]] {
        // A loop and a set are well-formed, and withdrawals may come with attributes.
        let mut attributes = Vec::new();
        put(&mut attributes, 0x40, 2, path);
        let mut update = vec![0, 2, 8, 10];
        update.extend_from_slice(&body(&[ORIGIN, &attributes], &[])[2..]);
        let mut decoder = Decoder::default();
        let update = decoder.decode(&update, &rules()).unwrap();
        assert_eq!(update.withdrawn[0].len(), 1);
    }
}

#[test]
fn lengths_that_contradict_each_other_end_the_session() {
    for (body, subcode) in [
        (&[0, 9, 0, 0][..], 1),
        (&[0, 0, 0, 9], 1),
        (&[0, 0], 1),
        (&[0, 2, 33, 0, 0, 0], 10),
        (&[0, 0, 0, 0, 24, 1], 10),
    ] {
        let error = Decoder::default().decode(body, &rules()).unwrap_err();
        assert_eq!((error.code, error.subcode), (3, subcode), "{body:?}");
    }
}

#[test]
fn two_octet_paths_are_widened_and_completed() {
    let old = DecodeRules { as4: false, ..rules() };
    let path = [0x40, 2, 6, 2, 2, 0, 1, 0x5b, 0xa0];
    let as4 = [0xc0, 17, 6, 2, 1, 0, 1, 0x11, 0x70];
    let block = canonical(&old, &[ORIGIN, &path, NEXT_HOP, &as4]);
    let expected = [0x40, 2, 12, 2, 1, 0, 0, 0, 1, 2, 1, 0, 1, 0x11, 0x70];
    assert_eq!(block[4..19], expected);
    assert!(!block.windows(2).any(|window| window == [0xc0, 17]));
    // Set by somebody who knew nothing of AS4_PATH.
    let aggregator = [0xc0, 7, 6, 0, 5, 1, 1, 1, 1];
    let block = canonical(&old, &[ORIGIN, &path, NEXT_HOP, &aggregator, &as4]);
    assert_eq!(block[4..17], [0x40, 2, 10, 2, 2, 0, 0, 0, 1, 0, 0, 0x5b, 0xa0]);
    assert!(block.ends_with(&[0xc0, 7, 8, 0, 0, 0, 5, 1, 1, 1, 1]));
}

fn some_rules() -> impl Strategy<Value = DecodeRules> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(internal, as4, mixed)| DecodeRules {
        internal,
        as4,
        extended_next_hop: mixed,
        ..rules()
    })
}

/// Bytes that look like attributes, so that the checks behind the framing are reached.
fn almost_attributes() -> impl Strategy<Value = Vec<u8>> {
    let attribute = (any::<u8>(), 1u8..42, proptest::collection::vec(any::<u8>(), 0..30));
    proptest::collection::vec(attribute, 0..12).prop_map(|list| {
        let mut out = Vec::new();
        for (flags, number, value) in list {
            let flags = attribute::class(number).unwrap_or(flags);
            put(&mut out, flags, number, &value);
        }
        out
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200), rules in some_rules()
    ) {
        let _ = Decoder::default().decode(&bytes, &rules);
    }

    #[test]
    fn any_attributes_are_read_without_panic(
        block in almost_attributes(), nlri in proptest::collection::vec(0u8..33, 0..9),
        rules in some_rules()
    ) {
        let body = body(&[&block], &nlri);
        let mut decoder = Decoder::default();
        if let Ok(update) = decoder.decode(&body, &rules) {
            // A canonical block is sorted, and it is whole.
            let numbers: Vec<_> = attribute::attributes(update.attributes)
                .map(|attribute| (attribute.number, attribute.whole.len())).collect();
            prop_assert!(numbers.is_sorted());
            let total: usize = numbers.iter().map(|(_, length)| length).sum();
            prop_assert_eq!(total, update.attributes.len());
        }
    }
}

const OTC: &[u8] = &[0xc0, 35, 4, 0, 0, 0xfd, 0xe9];

#[test]
fn routes_that_are_for_customers_only() {
    let with = |role| DecodeRules { role: Some(role), ..rules() };
    for role in [Role::Customer, Role::Peer, Role::RouteServerClient] {
        let plain = canonical(&with(role), &[ORIGIN, PATH, NEXT_HOP]);
        assert!(plain.ends_with(OTC), "{role:?} marks what has no mark");
        let marked = canonical(&with(role), &[ORIGIN, PATH, NEXT_HOP, OTC]);
        assert_eq!(plain, marked, "{role:?}");
    }
    for role in [Role::Provider, Role::RouteServer] {
        assert!(!canonical(&with(role), &[ORIGIN, PATH, NEXT_HOP]).ends_with(OTC));
        assert_eq!(verdict(&with(role), OTC), Verdict::TreatAsWithdraw(Problem::Leak));
    }
    let foreign = &[0xc0, 35, 4, 0, 0, 0, 7];
    assert_eq!(verdict(&with(Role::Peer), foreign), Verdict::TreatAsWithdraw(Problem::Leak));
    assert_eq!(verdict(&with(Role::Customer), foreign), Verdict::Ok);
    assert_eq!(verdict(&rules(), foreign), Verdict::Ok);
}
