//! Makes broken input of good.

use core::ops::Range;

use crate::chance::Chance;

/// Bytes where codecs have their limits.
const INTERESTING: &[u8] =
    &[0, 1, 2, 3, 4, 0x10, 0x20, 0x21, 0x40, 0x7f, 0x80, 0x81, 0xc0, 0xfe, 0xff];

/// Bytes changed, cut out, put in, doubled.
pub fn bytes(chance: &mut Chance, good: &[u8]) -> Vec<u8> {
    let mut data = good.to_vec();
    for _ in 0..*chance.one_of(&[1, 1, 2, 3, 8]) {
        let at = chance.within(0..=data.len());
        let most = data.len() - at;
        match chance.within(0..=6) {
            0 if most > 0 => data[at] = *chance.one_of(INTERESTING),
            1 if most > 0 => data[at] = chance.next_u64() as u8,
            2 if most > 0 => data[at] = data[at].wrapping_add(*chance.one_of(&[1, 255])),
            3 => drop(data.drain(at..at + chance.within(0..=most.min(4)))),
            4 => {
                let some = chance.next_u64().to_be_bytes();
                data.splice(at..at, some.into_iter().take(1 + chance.within(0..=3)));
            }
            5 => {
                let piece = data[at..at + chance.within(0..=most.min(24))].to_vec();
                let to = chance.within(0..=data.len());
                data.splice(to..to, piece);
            }
            _ if chance.per_mille(200) => data.truncate(at),
            _ => {}
        }
    }
    data
}

/// As [`bytes`], of one of these.
pub fn one_of_bytes(chance: &mut Chance, good: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let one = chance.one_of(good).as_ref();
    bytes(chance, one)
}

/// Text with words changed, cut out, put in, doubled, swapped; now and then with bytes changed.
pub fn text(chance: &mut Chance, good: &'static str, words: &[&'static str]) -> String {
    if chance.per_mille(250) {
        return String::from_utf8_lossy(&bytes(chance, good.as_bytes())).into_owned();
    }
    let mut list: Vec<&str> = split(good);
    for _ in 0..*chance.one_of(&[1, 1, 2, 4, 8]) {
        let at = chance.within(0..=list.len());
        let most = list.len() - at;
        match chance.within(0..=5) {
            0 if most > 0 => list[at] = *chance.one_of(words),
            1 => drop(list.drain(at..at + chance.within(0..=most.min(5)))),
            2 => list.insert(at, *chance.one_of(words)),
            3 if most > 0 => {
                let other = chance.within(0..=list.len() - 1);
                list.swap(at, other);
            }
            4 if most > 0 => {
                let piece = list[at..at + chance.within(0..=most.min(40))].to_vec();
                let to = chance.within(0..=list.len());
                for _ in 0..*chance.one_of(&[1, 1, 1, 2, 60]) {
                    list.splice(to..to, piece.iter().copied());
                }
            }
            _ if most > 0 && list[at].parse::<u64>().is_ok() => {
                list[at] = *chance.one_of(&[
                    "0",
                    "1",
                    "255",
                    "256",
                    "65535",
                    "65536",
                    "4294967295",
                    "4294967296",
                    "18446744073709551616",
                ]);
            }
            _ => {}
        }
    }
    list.concat()
}

/// As [`text`], of one of these.
pub fn one_of_texts(chance: &mut Chance, good: &[&'static str], words: &[&'static str]) -> String {
    let one = *chance.one_of(good);
    text(chance, one, words)
}

/// Text whose statements and blocks are moved, doubled, cut out, exchanged with those of other texts: most of
/// what comes of it is well-formed, so it gets further into the parser than words at random do.
pub fn structure(chance: &mut Chance, good: &[&'static str], words: &[&'static str]) -> String {
    let one: &'static str = chance.one_of::<&'static str>(good);
    let mut list = split(one);
    for _ in 0..*chance.one_of(&[1, 1, 2, 4, 8]) {
        let own = statements(&list);
        let Some(place) = (!own.is_empty()).then(|| chance.one_of(&own).clone()) else { break };
        match chance.within(0..=6) {
            0 => drop(list.drain(place)),
            1 | 2 => {
                let other: &'static str = chance.one_of::<&'static str>(good);
                let other = split(other);
                let theirs = statements(&other);
                if !theirs.is_empty() {
                    let piece = other[chance.one_of(&theirs).clone()].to_vec();
                    let end = if chance.per_mille(500) { place.start } else { place.end };
                    list.splice(place.start..end, piece);
                }
            }
            3 => {
                let piece = list[place.clone()].to_vec();
                let to = chance.one_of(&own).start;
                for _ in 0..*chance.one_of(&[1, 1, 2, 30]) {
                    list.splice(to..to, piece.iter().copied());
                }
            }
            4 => {
                // One word for another that the text has.
                let at = chance.within(place.start..=place.end - 1);
                list[at] = *chance.one_of(&list);
            }
            5 => {
                let at = chance.within(place.start..=place.end - 1);
                list[at] = *chance.one_of(words);
            }
            _ => {
                // A block around it.
                list.splice(place.end..place.end, ["}", ";"]);
                list.splice(place.start..place.start, ["{", " "]);
            }
        }
        list.truncate(20_000);
    }
    list.concat()
}

/// Where the statements of a text are, those in blocks too, each with its `;` or block.
fn statements(list: &[&str]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut start = 0;
    for (at, word) in list.iter().enumerate() {
        match *word {
            "{" => {
                open.push(start);
                start = at + 1;
            }
            "}" => {
                start = open.pop().unwrap_or(at);
                found.push(start..at + 1);
                if list.get(at + 1) != Some(&";") {
                    start = at + 1;
                }
            }
            ";" => {
                found.push(start..at + 1);
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// Words, numbers, white space and signs, each for itself.
fn split(text: &str) -> Vec<&str> {
    let kind = |sign: char| match sign {
        _ if sign.is_whitespace() => 1,
        _ if sign.is_alphanumeric() || sign == '_' => 2,
        _ => 3,
    };
    let mut list = Vec::new();
    let (mut begin, mut before) = (0, 0);
    for (at, sign) in text.char_indices() {
        if at > begin && (kind(sign) != before || before == 3) {
            list.push(&text[begin..at]);
            begin = at;
        }
        before = kind(sign);
    }
    list.push(&text[begin..]);
    list
}
