//! Literals of letters, digits, dots and colons: which one is the longest that fits.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

/// A route distinguisher, as its eight bytes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rd(pub u64);

impl Rd {
    fn two_octet_as(asn: u16, number: u32) -> Self {
        Self(u64::from(asn) << 32 | u64::from(number))
    }

    fn address(ip: Ipv4Addr, number: u16) -> Self {
        Self(1 << 48 | u64::from(u32::from(ip)) << 16 | u64::from(number))
    }

    fn four_octet_as(asn: u32, number: u16) -> Self {
        Self(2 << 48 | u64::from(asn) << 16 | u64::from(number))
    }
}

impl fmt::Display for Rd {
    #[expect(clippy::cast_possible_truncation, reason = "fields of the eight bytes")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, body) = (self.0 >> 48, self.0 & 0xffff_ffff_ffff);
        let (high, low) = ((body >> 16) as u32, body as u16);
        match kind {
            0 => write!(f, "{}:{}", body >> 32, body as u32),
            1 => write!(f, "{}:{low}", Ipv4Addr::from(high)),
            2 if high <= 0xffff => write!(f, "2:{high}:{low}"),
            2 => write!(f, "{high}:{low}"),
            _ => write!(f, "0x{:x}", self.0),
        }
    }
}

/// A literal. `None` inside: the form is right, the value is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    Number(Option<u32>),
    Ip4(Option<Ipv4Addr>),
    Ip6(Option<Ipv6Addr>),
    Rd(Option<Rd>),
    Mac([u8; 6]),
    Bytes(Arc<[u8]>),
}

/// The longest literal at the start of the text, and its length. Of equally long ones the
/// more special one is taken. What most of a text consists of is told apart by its first bytes.
pub(super) fn longest(rest: &[u8]) -> Option<(usize, Literal)> {
    match *rest.first()? {
        b'0'..=b'9' => {
            let (length, number) = plain_number(rest);
            match rest.get(length) {
                _ if length >= 2 * MIN_BYTES => longest_of_all(rest),
                Some(b'.') => after_dot(rest, length, number),
                Some(b':' | b'x' | b'a'..=b'f' | b'A'..=b'F') => grouped(rest),
                _ => Some((length, Literal::Number(number))),
            }
        }
        b'a'..=b'f' | b'A'..=b'F' => {
            let length = hex_digits(rest, 0);
            let plain = rest.get(length) != Some(&b':') && length < 2 * MIN_BYTES;
            if plain { None } else { grouped(rest) }
        }
        b'h' if rest.starts_with(b"hex:") => longest_of_all(rest),
        b':' => grouped(rest),
        _ => None,
    }
}

/// Something with colons: an IPv6 address, unless it begins as a MAC address or a byte string does.
fn grouped(rest: &[u8]) -> Option<(usize, Literal)> {
    let first = hex_digits(rest, 0);
    if first == 2 || first > 4 || rest.get(first) != Some(&b':') {
        return longest_of_all(rest);
    }
    let run = rest.iter().take_while(|b| b.is_ascii_hexdigit() || **b == b':').count();
    let body = rest.get(..run).unwrap_or(rest);
    let colons = body.iter().filter(|&&byte| byte == b':').count();
    let double = body.windows(2).any(|pair| pair == b"::");
    if rest.get(run) == Some(&b'.') || colons < 3 && !(colons == 2 && double) {
        return longest_of_all(rest);
    }
    Some((run, Literal::Ip6(parse_ip6(body))))
}

/// An IPv6 address without dots, all of the text.
fn parse_ip6(text: &[u8]) -> Option<Ipv6Addr> {
    let mut groups = [0_u16; 8];
    // How many there are, and how many stand in front of `::`.
    let (mut count, mut gap) = (0, None);
    let mut rest = text;
    if let [b':', b':', behind @ ..] = rest {
        (rest, gap) = (behind, Some(0));
    }
    while !rest.is_empty() {
        let length = hex_digits(rest, 0);
        let (digits, behind) =
            rest.split_at_checked(length).filter(|_| (1..=4).contains(&length))?;
        *groups.get_mut(count)? = digits.iter().fold(0, |value, &digit| {
            let digit = char::from(digit).to_digit(16).and_then(|digit| u16::try_from(digit).ok());
            value << 4 | digit.unwrap_or(0)
        });
        count += 1;
        rest = match behind {
            [] => behind,
            [b':', b':', behind @ ..] if gap.is_none() => {
                gap = Some(count);
                behind
            }
            [b':', behind @ ..] if !behind.is_empty() => behind,
            _ => return None,
        };
    }
    match gap {
        None if count == 8 => {}
        Some(gap) if count < 8 => groups.get_mut(gap..)?.rotate_right(8 - count),
        _ => return None,
    }
    Some(Ipv6Addr::from(groups))
}

/// The decimal number at the start, and its length.
fn plain_number(rest: &[u8]) -> (usize, Option<u32>) {
    let mut value = Some(0_u32);
    let mut length = 0;
    while let Some(digit) = rest.get(length).map(|byte| byte.wrapping_sub(b'0')).filter(|n| *n < 10)
    {
        value = value.and_then(|n| n.checked_mul(10)?.checked_add(u32::from(digit)));
        length += 1;
    }
    (length, value)
}

/// A number with a dot behind it: perhaps the first of an address.
fn after_dot(rest: &[u8], first: usize, number: Option<u32>) -> Option<(usize, Literal)> {
    let mut octets = [number.and_then(|n| u8::try_from(n).ok()), None, None, None];
    let mut end = first;
    for octet in octets.iter_mut().skip(1) {
        let (length, value) = match rest.get(end + 1..) {
            Some(part) if rest.get(end) == Some(&b'.') => plain_number(part),
            _ => (0, None),
        };
        if length == 0 {
            return Some((first, Literal::Number(number)));
        }
        *octet = value.and_then(|n| u8::try_from(n).ok());
        end += 1 + length;
    }
    if rest.get(end) == Some(&b':') {
        return longest_of_all(rest);
    }
    let ip = match octets {
        [Some(a), Some(b), Some(c), Some(d)] => Some(Ipv4Addr::new(a, b, c, d)),
        _ => None,
    };
    Some((end, Literal::Ip4(ip)))
}

/// As [`longest`], of any text.
fn longest_of_all(rest: &[u8]) -> Option<(usize, Literal)> {
    let candidates = [mac(rest), bytes(rest), rd(rest), ip4(rest), ip6(rest), number(rest)];
    let mut best: Option<(usize, Literal)> = None;
    for candidate in candidates.into_iter().flatten() {
        if best.as_ref().is_none_or(|(length, _)| candidate.0 > *length) {
            best = Some(candidate);
        }
    }
    best
}

fn digits(rest: &[u8], at: usize) -> usize {
    rest.iter().skip(at).take_while(|byte| byte.is_ascii_digit()).count()
}

fn hex_digits(rest: &[u8], at: usize) -> usize {
    rest.iter().skip(at).take_while(|byte| byte.is_ascii_hexdigit()).count()
}

fn text(rest: &[u8], from: usize, to: usize) -> &str {
    rest.get(from..to).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("")
}

fn number(rest: &[u8]) -> Option<(usize, Literal)> {
    if rest.starts_with(b"0x") {
        let length = hex_digits(rest, 2);
        if length > 0 {
            let value = u32::from_str_radix(text(rest, 2, 2 + length), 16).ok();
            return Some((2 + length, Literal::Number(value)));
        }
    }
    let length = digits(rest, 0);
    (length > 0).then(|| (length, Literal::Number(text(rest, 0, length).parse().ok())))
}

/// Length of four decimal numbers with dots between them at `at`.
fn dotted_quad(rest: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    for part in 0..4 {
        if part > 0 {
            if rest.get(end) != Some(&b'.') {
                return None;
            }
            end += 1;
        }
        let length = digits(rest, end);
        if length == 0 {
            return None;
        }
        end += length;
    }
    Some(end - at)
}

fn ip4(rest: &[u8]) -> Option<(usize, Literal)> {
    let length = dotted_quad(rest, 0)?;
    Some((length, Literal::Ip4(parse_ip4(text(rest, 0, length)))))
}

/// Leading zeros are decimal, unlike in the standard library, which refuses them.
fn parse_ip4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    for (octet, part) in octets.iter_mut().zip(text.split('.')) {
        *octet = part.parse().ok()?;
    }
    Some(Ipv4Addr::from(octets))
}

fn ip6(rest: &[u8]) -> Option<(usize, Literal)> {
    let run = rest.iter().take_while(|b| b.is_ascii_hexdigit() || **b == b':').count();
    let body = rest.get(..run)?;
    let colons = body.iter().filter(|&&byte| byte == b':').count();
    let double = body.windows(2).any(|pair| pair == b"::");
    if colons < 3 && !(colons == 2 && double) {
        return None;
    }
    let tail = body.iter().rposition(|&byte| byte == b':')? + 1;
    let length = dotted_quad(rest, tail).map_or(run, |quad| tail + quad);
    Some((length, Literal::Ip6(text(rest, 0, length).parse().ok())))
}

fn rd(rest: &[u8]) -> Option<(usize, Literal)> {
    if let Some(quad) = dotted_quad(rest, 0) {
        let number = second_part(rest, quad)?;
        let value = parse_ip4(text(rest, 0, quad))
            .and_then(|ip| Some(Rd::address(ip, text(rest, quad + 1, number).parse().ok()?)));
        return Some((number, Literal::Rd(value)));
    }
    let first = digits(rest, 0);
    let second = (first > 0).then(|| second_part(rest, first))??;
    let kind = text(rest, 0, first);
    if (kind == "0" || kind == "2")
        && let Some(third) = second_part(rest, second)
    {
        let (asn, number) = (text(rest, first + 1, second), text(rest, second + 1, third));
        let value = match kind {
            "0" => asn.parse().ok().zip(number.parse().ok()).map(|(a, n)| Rd::two_octet_as(a, n)),
            _ => asn.parse().ok().zip(number.parse().ok()).map(|(a, n)| Rd::four_octet_as(a, n)),
        };
        return Some((third, Literal::Rd(value)));
    }
    let number = text(rest, first + 1, second);
    let value = match kind.parse::<u16>() {
        Ok(asn) => number.parse().ok().map(|number| Rd::two_octet_as(asn, number)),
        Err(_) => kind.parse().ok().zip(number.parse().ok()).map(|(a, n)| Rd::four_octet_as(a, n)),
    };
    Some((second, Literal::Rd(value)))
}

/// The end of `:digits` at `at`.
fn second_part(rest: &[u8], at: usize) -> Option<usize> {
    let length = digits(rest, at + 1);
    (rest.get(at) == Some(&b':') && length > 0).then_some(at + 1 + length)
}

/// Length of hex pairs with a colon between each two.
fn colon_pairs(rest: &[u8]) -> (usize, usize) {
    let is_pair =
        |at: usize| rest.get(at..at + 2).is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit));
    if !is_pair(0) {
        return (0, 0);
    }
    let (mut pairs, mut length) = (1, 2);
    while rest.get(length) == Some(&b':') && is_pair(length + 1) {
        pairs += 1;
        length += 3;
    }
    (pairs, length)
}

fn mac(rest: &[u8]) -> Option<(usize, Literal)> {
    let (pairs, _) = colon_pairs(rest);
    if pairs < 6 {
        return None;
    }
    let mut mac = [0; 6];
    for (octet, pair) in mac.iter_mut().zip(text(rest, 0, 17).split(':')) {
        *octet = u8::from_str_radix(pair, 16).ok()?;
    }
    Some((17, Literal::Mac(mac)))
}

/// The fewest bytes that a byte string without `hex:` has.
const MIN_BYTES: usize = 10;

fn bytes(rest: &[u8]) -> Option<(usize, Literal)> {
    if rest.starts_with(b"hex:") {
        let (pairs, colon) = colon_pairs(rest.get(4..)?);
        let plain = hex_digits(rest, 4) & !1;
        let length = if pairs > 0 { colon.max(plain) } else { plain };
        return Some((4 + length, Literal::Bytes(decode(text(rest, 4, 4 + length)))));
    }
    let (pairs, colon) = colon_pairs(rest);
    let plain = hex_digits(rest, 0) & !1;
    let length = if pairs >= MIN_BYTES {
        colon
    } else if plain >= 2 * MIN_BYTES {
        plain
    } else {
        return None;
    };
    Some((length, Literal::Bytes(decode(text(rest, 0, length)))))
}

/// Bytes from hex digits; colons between them are passed over.
fn decode(text: &str) -> Arc<[u8]> {
    let digits: Vec<u8> = text
        .bytes()
        .filter_map(|byte| char::from(byte).to_digit(16))
        .map(|digit| u8::try_from(digit).unwrap_or(0))
        .collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn telling_by_the_first_bytes_agrees_with_trying_everything(
            text in "[0-9a-fA-Fhxg.:_]{1,24}",
            dotted in "[0-9]{1,4}(\\.[0-9]{0,4}){0,4}[:.a-fx0-9]{0,6}",
            digits in "[0-9]{8,24}[.:a-z]?",
            groups in "(:{0,2}[0-9a-f]{0,5}){1,10}:{0,2}[.]?",
        ) {
            for text in [text, dotted, digits, groups] {
                prop_assert_eq!(longest(text.as_bytes()), longest_of_all(text.as_bytes()), "{}", text);
            }
        }
    }
}
