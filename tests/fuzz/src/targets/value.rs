//! AS paths, communities and prefixes, as bytes and as text.

use core::fmt::{Debug, Display};
use core::str::FromStr;

use crate::chance::Chance;
use dunlin_net::Prefix;
use dunlin_net::as_path::{AsPath, AsPathBuf};
use dunlin_net::community::{
    ClusterListBuf, CommunitiesBuf, Community, Element, ExtCommunitiesBuf, ExtCommunity,
    LargeCommunitiesBuf, LargeCommunity, List, ListBuf, Quad,
};

use crate::mutate;

const TEXTS: &[&str] = &[
    "65001 65002 {65003 65004} (65005 65006) (65007 {65008})",
    "4294967295 0 23456",
    "(65001,1) (65001,65535) (0,0)",
    "(rt, 65001, 1) (ro, 4200000000, 2) (generic, 0x43000000, 0x1) (rt, 10.0.0.1, 9) (unknown 0x1234, 1, 2)",
    "(65001, 1, 2) (4294967295, 4294967295, 0)",
    "10.0.0.1 10.0.0.2",
    "10.0.0.0/8",
    "2001:db8::/32",
    "::ffff:192.0.2.0/120",
];

const WORDS: &[&str] = &[
    "(",
    ")",
    "{",
    "}",
    ",",
    " ",
    "rt",
    "ro",
    "generic",
    "0x",
    "/",
    ":",
    ".",
    "-",
    "128",
    "33",
    "4294967296",
];

/// Broken text.
pub fn text(chance: &mut Chance) -> String {
    mutate::one_of_texts(chance, TEXTS, WORDS)
}

/// Broken bytes of a path or a list.
pub fn bytes(chance: &mut Chance) -> Vec<u8> {
    const GOOD: &[&[u8]] = &[
        &[
            2, 2, 0, 0, 0xfd, 0xe9, 0, 0, 0xfd, 0xea, 1, 2, 0, 0, 0, 7, 0, 0, 0, 8, 3, 1, 0, 0, 0,
            9, 4, 1, 0, 0, 0, 1,
        ],
        &[0xfd, 0xe9, 0, 1, 0xfd, 0xe9, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        &[0, 2, 0xfd, 0xe9, 0, 0, 0, 1, 0x43, 0, 1, 2, 3, 4, 5, 6],
        &[0, 0, 0xfd, 0xe9, 0, 0, 0, 1, 0, 0, 0, 2],
    ];
    mutate::one_of_bytes(chance, GOOD)
}

/// Text that is read is written as text that reads as the same.
pub fn feed_text(text: &str) {
    survives::<AsPathBuf>(text);
    survives::<CommunitiesBuf>(text);
    survives::<ExtCommunitiesBuf>(text);
    survives::<LargeCommunitiesBuf>(text);
    survives::<ClusterListBuf>(text);
    survives::<Prefix>(text);
}

fn survives<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let again = value.to_string().parse::<T>();
        assert!(again.is_ok_and(|again| again == value), "{value} of {text:?}");
    }
}

/// Bytes whatsoever: a good path is the same after being taken apart and written as text.
pub fn feed_bytes(bytes: &[u8]) {
    let path = AsPath(bytes);
    let _ = (
        path.hops(),
        path.first(),
        path.neighbour(),
        path.last(),
        path.has_set(),
        path.to_string(),
    );
    let shorter = path.delete(|asn| asn % 2 == 0);
    if path.validate().is_ok() {
        assert!(shorter.view().validate().is_ok(), "{path} without some is good");
        let longer = path.prepend(65000);
        assert!(longer.view().validate().is_ok(), "{path} prepended is good");
        assert_eq!(longer.view().first(), Some(65000));
        assert_eq!(
            longer.to_string().parse::<AsPathBuf>().map(|path| path.to_string()),
            Ok(longer.to_string())
        );
    }
    list::<Community>(bytes);
    list::<ExtCommunity>(bytes);
    list::<LargeCommunity>(bytes);
    list::<Quad>(bytes);
}

/// A list, and what it is as text and back. Several kinds of extended communities have the same text.
fn list<E: Element>(bytes: &[u8]) {
    let list = List::<'_, E>::new(bytes);
    let _ = (list.min(), list.max());
    let again: Result<ListBuf<E>, _> = list.to_string().parse();
    let same = |again: ListBuf<E>| again.to_string() == list.to_string();
    assert!(again.is_ok_and(same), "{list} of {bytes:?}");
}
