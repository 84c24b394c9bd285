//! Sets of single values: sorted ranges, rectangles where pairs ask for them, and for numbers the form
//! in which they are found fastest.

use std::{
    fmt,
    hash::{Hash, Hasher},
    net::IpAddr,
    ops::RangeInclusive,
};

use dunlin_conf::lexer::Rd;
use dunlin_net::community::ExtCommunity;

use crate::{
    fingerprint::Fingerprint,
    lookup::{Form, Lookup, in_ranges},
    types::Element,
    value::{Value, key_ip, key_lc},
};

/// Pairs whose halves are each in a range.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rectangle {
    /// Range of the first half.
    pub first: (u16, u16),
    /// Range of the second half.
    pub second: (u16, u16),
}

impl Rectangle {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the pair")]
    fn contains(&self, pair: u32) -> bool {
        let (first, second) = ((pair >> 16) as u16, pair as u16);
        (self.first.0..=self.first.1).contains(&first)
            && (self.second.0..=self.second.1).contains(&second)
    }

    fn rows(&self) -> impl Iterator<Item = (u128, u128)> + '_ {
        (self.first.0..=self.first.1).map(|first| {
            let row = u128::from(first) << 16;
            (row | u128::from(self.second.0), row | u128::from(self.second.1))
        })
    }

    fn overlaps(&self, other: &Self) -> bool {
        let meet = |a: (u16, u16), b: (u16, u16)| a.0 <= b.1 && b.0 <= a.1;
        meet(self.first, other.first) && meet(self.second, other.second)
    }
}

/// One item of a set or one label of a `case`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Item {
    /// All keys from the first to the second.
    Range(u128, u128),
    /// Pairs.
    Rectangle(Rectangle),
}

impl Item {
    /// The pairs whose halves are in these ranges, in the simplest form.
    #[must_use]
    pub fn pairs(first: RangeInclusive<u16>, second: RangeInclusive<u16>) -> Self {
        let key = |first: &u16, second: &u16| u128::from(*first) << 16 | u128::from(*second);
        if first.start() == first.end() || (*second.start() == 0 && *second.end() == u16::MAX) {
            Self::Range(key(first.start(), second.start()), key(first.end(), second.end()))
        } else {
            Self::Rectangle(Rectangle {
                first: (*first.start(), *first.end()),
                second: (*second.start(), *second.end()),
            })
        }
    }
}

/// Rectangles of fewer rows become ranges.
const MAX_ROWS: u16 = 256;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Ranges {
    /// Keys of at most 32 bits.
    Narrow(Box<[(u32, u32)]>),
    /// Longer keys.
    Wide(Box<[(u128, u128)]>),
}

/// A finished set.
#[derive(Debug, Clone)]
pub struct Set {
    element: Element,
    hash: u64,
    ranges: Ranges,
    rectangles: Box<[Rectangle]>,
    /// How numbers are found.
    lookup: Lookup,
}

impl Set {
    /// Makes a set of items. Items may overlap.
    #[must_use]
    pub fn new(element: Element, items: impl IntoIterator<Item = Item>) -> Self {
        let mut wide = Vec::new();
        let mut rectangles = Vec::new();
        for item in items {
            match item {
                Item::Range(low, high) if low <= high => wide.push((low, high)),
                Item::Range(..) => {}
                Item::Rectangle(rectangle)
                    if rectangle.first.1.saturating_sub(rectangle.first.0) < MAX_ROWS =>
                {
                    wide.extend(rectangle.rows());
                }
                Item::Rectangle(rectangle) => rectangles.push(rectangle),
            }
        }
        wide.sort_unstable();
        // Ranges that overlap become one; those that only touch stay, as they were written.
        wide.dedup_by(|next, kept| {
            let joins = next.0 <= kept.1;
            if joins {
                kept.1 = kept.1.max(next.1);
            }
            joins
        });
        rectangles.sort_unstable();
        rectangles.dedup();
        let narrow: Option<Box<[(u32, u32)]>> = wide
            .iter()
            .map(|&(low, high)| Some((u32::try_from(low).ok()?, u32::try_from(high).ok()?)))
            .collect();
        let ranges = narrow.map_or_else(|| Ranges::Wide(wide.into()), Ranges::Narrow);
        let lookup = match &ranges {
            Ranges::Narrow(ranges) => Lookup::new(ranges),
            Ranges::Wide(_) => Lookup::Ranges,
        };
        let rectangles = rectangles.into_boxed_slice();
        let hash = Fingerprint::of(&(element, &ranges, &rectangles));
        Self { element, hash, ranges, rectangles, lookup }
    }

    /// The same set in another form, to compare what they cost.
    #[must_use]
    pub fn in_form(mut self, form: Form) -> Self {
        if let Ranges::Narrow(ranges) = &self.ranges {
            self.lookup = Lookup::in_form(ranges, form);
        }
        self
    }

    /// The form that it is in.
    #[must_use]
    pub fn form(&self) -> Form {
        self.lookup.form()
    }

    /// Bytes in use.
    #[must_use]
    pub fn memory(&self) -> usize {
        let ranges = match &self.ranges {
            Ranges::Narrow(ranges) => size_of_val(&**ranges),
            Ranges::Wide(ranges) => size_of_val(&**ranges),
        };
        ranges + size_of_val(&*self.rectangles) + self.lookup.memory()
    }

    /// What it is a set of.
    #[must_use]
    pub fn element(&self) -> Element {
        self.element
    }

    /// Whether the value of this key is in the set.
    #[inline]
    #[must_use]
    pub fn contains(&self, key: u128) -> bool {
        let in_ranges = match &self.ranges {
            Ranges::Narrow(ranges) => {
                u32::try_from(key).is_ok_and(|key| self.lookup.contains(ranges, key))
            }
            Ranges::Wide(ranges) => in_ranges(ranges, key),
        };
        in_ranges
            || (!self.rectangles.is_empty()
                && u32::try_from(key)
                    .is_ok_and(|pair| self.rectangles.iter().any(|r| r.contains(pair))))
    }

    /// As [`Set::contains`], for keys of 32 bits.
    #[inline]
    #[must_use]
    pub fn contains_u32(&self, key: u32) -> bool {
        match &self.ranges {
            Ranges::Narrow(ranges) if self.rectangles.is_empty() => {
                self.lookup.contains(ranges, key)
            }
            _ => self.contains(u128::from(key)),
        }
    }

    /// The ranges of a set of numbers.
    #[must_use]
    pub fn narrow(&self) -> Vec<(u32, u32)> {
        match &self.ranges {
            Ranges::Narrow(ranges) => ranges.to_vec(),
            Ranges::Wide(_) => Vec::new(),
        }
    }

    /// A set of IPv4 addresses as one of quads.
    pub(crate) fn as_quads(&self) -> Option<Self> {
        let quad = |key| match key_ip(key) {
            IpAddr::V4(ip) => Some(u128::from(ip.to_bits())),
            IpAddr::V6(_) => None,
        };
        let range = |(low, high)| Some(Item::Range(quad(low)?, quad(high)?));
        if self.element != Element::Ip {
            return None;
        }
        let items: Option<Vec<Item>> = self.wide().into_iter().map(range).collect();
        Some(Self::new(Element::Quad, items?))
    }

    /// Items that a set of the same values can be made of.
    pub(crate) fn items(&self) -> Vec<Item> {
        let ranges = self.wide().into_iter().map(|(low, high)| Item::Range(low, high));
        ranges.chain(self.rectangles.iter().cloned().map(Item::Rectangle)).collect()
    }

    fn wide(&self) -> Vec<(u128, u128)> {
        match &self.ranges {
            Ranges::Narrow(ranges) => {
                ranges.iter().map(|&(low, high)| (low.into(), high.into())).collect()
            }
            Ranges::Wide(ranges) => ranges.to_vec(),
        }
    }

    /// All of it as ranges of keys; rectangles are one range for each row.
    #[must_use]
    pub fn ranges(&self) -> Vec<(u128, u128)> {
        let mut ranges = self.wide();
        ranges.extend(self.rectangles.iter().flat_map(Rectangle::rows));
        ranges.sort_unstable();
        ranges
    }
}

impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.element == other.element
            && self.ranges == other.ranges
            && self.rectangles == other.rectangles
    }
}

impl Eq for Set {}

impl Hash for Set {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// The value of a key.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "keys of an element type fit its value")]
pub(crate) fn key_value(element: Element, key: u128) -> Value<'static> {
    match element {
        Element::Int => Value::Int(key as u32),
        Element::Pair => Value::Pair(key as u32),
        Element::Quad => Value::Quad(key as u32),
        Element::Ip => Value::Ip(key_ip(key)),
        Element::Rd => Value::Rd(Rd(key as u64)),
        Element::Mac => {
            let [.., a, b, c, d, e, f] = key.to_be_bytes();
            Value::Mac([a, b, c, d, e, f])
        }
        Element::Ec => Value::Ec(ExtCommunity(key as u64)),
        Element::Lc => Value::Lc(key_lc(key)),
        Element::Enum(kind) => Value::Enum(kind, key as u32),
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, (low, high)) in self.ranges().into_iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            key_value(self.element, low).fmt(f)?;
            if high != low {
                write!(f, "..{}", key_value(self.element, high))?;
            }
        }
        f.write_str("]")
    }
}

/// Which arm of a `case` a value belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Switch {
    element: Element,
    ranges: Box<[(u128, u128, u32)]>,
    rectangles: Box<[(Rectangle, u32)]>,
}

/// Two arms of a `case` have a label in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overlap;

impl Switch {
    /// Makes a switch of labels and the arms that they select.
    pub(crate) fn new(element: Element, labels: Vec<(Item, u32)>) -> Result<Self, Overlap> {
        let mut ranges = Vec::new();
        let mut rectangles: Vec<(Rectangle, u32)> = Vec::new();
        for (item, arm) in labels {
            match item {
                Item::Range(low, high) => ranges.push((low, high, arm)),
                Item::Rectangle(rectangle) => rectangles.push((rectangle, arm)),
            }
        }
        ranges.sort_unstable();
        let overlap = ranges.windows(2).any(|pair| match pair {
            [(_, high, one), (low, _, other)] => low <= high && one != other,
            _ => false,
        });
        let crossing = rectangles.iter().enumerate().any(|(index, (rectangle, arm))| {
            let later = rectangles.iter().skip(index + 1);
            later.clone().any(|(other, a)| a != arm && rectangle.overlaps(other))
                || ranges.iter().any(|&(low, high, a)| {
                    a != *arm && rectangle.rows().any(|(l, h)| l <= high && low <= h)
                })
        });
        if overlap || crossing {
            return Err(Overlap);
        }
        Ok(Self { element, ranges: ranges.into(), rectangles: rectangles.into() })
    }

    /// What the labels are.
    pub(crate) fn element(&self) -> Element {
        self.element
    }

    /// The arm of a key.
    #[inline]
    pub(crate) fn arm(&self, key: u128) -> Option<u32> {
        let after = self.ranges.partition_point(|(low, ..)| *low <= key);
        let range = after.checked_sub(1).and_then(|index| self.ranges.get(index));
        match range {
            Some(&(_, high, arm)) if key <= high => Some(arm),
            _ => {
                let pair = u32::try_from(key).ok()?;
                self.rectangles.iter().find(|(r, _)| r.contains(pair)).map(|(_, arm)| *arm)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_ranges_join_and_touching_ones_stay() {
        let items = [(5, 9), (1, 1), (7, 12), (2, 2), (30, 20)];
        let set = Set::new(Element::Int, items.map(|(low, high)| Item::Range(low, high)));
        assert_eq!(set.to_string(), "[1, 2, 5..12]");
        for (key, expected) in [(0, false), (1, true), (3, false), (12, true), (13, false)] {
            assert_eq!(set.contains(key), expected, "{key}");
            assert_eq!(set.contains_u32(u32::try_from(key).unwrap()), expected, "{key}");
        }
    }

    #[test]
    fn pairs_form_rectangles() {
        let set = Set::new(
            Element::Pair,
            [
                Item::pairs(1..=1, 0..=u16::MAX),
                Item::pairs(2..=3, 5..=6),
                Item::pairs(0..=u16::MAX, 9..=9),
            ],
        );
        assert!(
            set.contains(0x0001_1234) && set.contains(0x0003_0006) && set.contains(0x8000_0009)
        );
        assert!(!set.contains(0x0003_0007));
        let small = Set::new(Element::Pair, [Item::pairs(2..=3, 4..=5)]);
        assert_eq!(small.to_string(), "[(2,4)..(2,5), (3,4)..(3,5)]");
    }

    #[test]
    fn a_switch_refuses_labels_of_two_arms() {
        let label = |low, high, arm| (Item::Range(low, high), arm);
        assert!(Switch::new(Element::Int, vec![label(1, 5, 0), label(5, 6, 1)]).is_err());
        let switch = Switch::new(Element::Int, vec![label(1, 5, 0), label(6, 6, 1)]).unwrap();
        assert_eq!(switch.arm(6), Some(1));
        assert_eq!(switch.arm(7), None);
        let pair = (Item::pairs(0..=9, 5..=5), 0);
        assert!(
            Switch::new(Element::Pair, vec![pair, label(0x0003_0000, 0x0003_ffff, 1)]).is_err()
        );
    }
}
