//! Passwords: the same in Babel, BFD, OSPF and RIP.

use std::sync::Arc;

use dunlin_conf::{Parsed, TokenKind};

use super::{Given, Part, Rule, Said, rule};
use crate::config::ConfigParser;

/// Ways to sign a packet.
const ALGORITHMS: &[&str] = &[
    "keyed md5",
    "keyed sha1",
    "keyed sha256",
    "keyed sha384",
    "keyed sha512",
    "hmac md5",
    "hmac sha1",
    "hmac sha224",
    "hmac sha256",
    "hmac sha384",
    "hmac sha512",
    "blake2s128",
    "blake2s256",
    "blake2b256",
    "blake2b512",
];

const OPTIONS: &[Rule] = &[
    rule("id", &[Part::Number(0, 255)]),
    rule("generate from", &[Part::Date]),
    rule("generate to", &[Part::Date]),
    rule("accept from", &[Part::Date]),
    rule("accept to", &[Part::Date]),
    rule("from", &[Part::Date]),
    rule("to", &[Part::Date]),
    rule("algorithm", &[Part::OneOf(ALGORITHMS)]),
];

const PASSWORD: &[Part] = &[Part::Secret, Part::Maybe(&[Part::Block(OPTIONS)])];

/// `password`, `key` and `passwords`.
pub const PASSWORDS: [Rule; 3] = [
    rule("password", PASSWORD),
    rule("key", PASSWORD),
    rule("passwords", &[Part::Block(&[rule("password", PASSWORD), rule("key", PASSWORD)])]),
];

/// The longest keys of algorithms that do not take longer ones, and their names.
const LONGEST: [(&str, usize, &str); 4] = [
    ("blake2s128", 32, "Blake2s-128"),
    ("blake2s256", 32, "Blake2s-256"),
    ("blake2b256", 64, "Blake2b-256"),
    ("blake2b512", 64, "Blake2b-512"),
];

/// What is wrong with the length of a password, if this is one.
pub(super) fn wrong_length(said: &Said) -> Option<String> {
    let length = match said.values.first()? {
        Given::Text(text) => text.len(),
        Given::Bytes(bytes) => bytes.len(),
        _ => return None,
    };
    let algorithm = said.block().last("algorithm")?;
    let (_, most, name) = LONGEST.iter().find(|(word, ..)| algorithm.has_word(word))?;
    (length > *most)
        .then(|| format!("Key length ({length} B) exceeds maximum length of {most} B for {name}"))
}

/// A date in a string.
pub(super) fn date(parser: &mut ConfigParser) -> Parsed<Arc<str>> {
    let place = parser.token().span;
    if !parser.at(TokenKind::String) && parser.symbol().is_none() {
        return Err(parser.unexpected(&["TEXT"]));
    }
    let text = parser.string()?;
    if is_date(&text) {
        return Ok(text);
    }
    Err(parser.error(place, "Invalid date").because("write YYYY-MM-DD or YYYY-MM-DD hh:mm:ss"))
}

fn is_date(text: &str) -> bool {
    let (day, time) = text.split_once(' ').unwrap_or((text, "00:00:00"));
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let numbers = |text: &str, mark: char, bounds: [(u32, u32); 3]| {
        let parts: Vec<&str> = text.split(mark).collect();
        parts.len() == 3
            && parts.iter().zip(bounds).all(|(part, (low, high))| {
                part.parse().is_ok_and(|number: u32| (low..=high).contains(&number))
            })
    };
    numbers(day, '-', [(1970, 9999), (1, 12), (1, 31)])
        && numbers(time, ':', [(0, 23), (0, 59), (0, 60)])
        && (1..=6).contains(&fraction.len())
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::is_date;

    #[test]
    fn dates() {
        for good in ["2026-11-23", "2026-11-23 03:04:05", "2026-11-23 03:04:05.123456"] {
            assert!(is_date(good), "{good}");
        }
        for bad in
            ["", "2026-13-01", "2026-11", "23.11.2026", "2026-11-23 3", "2026-11-23 03:04:05."]
        {
            assert!(!is_date(bad), "{bad}");
        }
    }
}
