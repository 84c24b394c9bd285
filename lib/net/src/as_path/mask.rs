//! Path masks: `[= * 65001 64512..65534 [1, 5..9] ? + =]`.
//!
//! A set in the path stands for any sequence of its members, also the empty one. So the path is
//! itself a small pattern, and matching runs the mask over it as a nondeterministic automaton whose
//! states are positions in the path.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use core::fmt;

use smallvec::SmallVec;

use super::{AsPath, Segment};

/// One item of a mask.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MaskItem {
    /// This AS number.
    Asn(u32),
    /// An AS number from a range, both ends in it.
    Range(u32, u32),
    /// An AS number from any of these ranges: sorted, disjoint.
    Set(Box<[(u32, u32)]>),
    /// `*`: any AS numbers, also none.
    Any,
    /// `?`: any one AS number.
    One,
    /// `+`: what the item before it matches, once or more often.
    Repeat,
}

/// Why items are not a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskError {
    /// `+` with nothing before it to repeat.
    NothingToRepeat,
    /// A range whose low end is above its high end.
    EmptyRange,
}

impl fmt::Display for MaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NothingToRepeat => "'+' has nothing before it to repeat",
            Self::EmptyRange => "range is empty",
        })
    }
}

impl core::error::Error for MaskError {}

/// A compiled path mask.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mask {
    items: Vec<MaskItem>,
}

impl Mask {
    /// Checks the items and sorts the sets in them.
    pub fn new(mut items: Vec<MaskItem>) -> Result<Self, MaskError> {
        let mut repeatable = false;
        for item in &mut items {
            match item {
                MaskItem::Repeat if !repeatable => return Err(MaskError::NothingToRepeat),
                MaskItem::Range(low, high) if *low > *high => return Err(MaskError::EmptyRange),
                MaskItem::Set(ranges) => *ranges = normalized(ranges)?,
                _ => {}
            }
            repeatable = *item != MaskItem::Repeat;
        }
        Ok(Self { items })
    }

    /// The mask of exactly this path's AS numbers in order.
    pub fn from_path(path: AsPath<'_>) -> Self {
        Self { items: path.iter().map(MaskItem::Asn).collect() }
    }

    /// The items.
    pub fn items(&self) -> &[MaskItem] {
        &self.items
    }

    /// The whole path matches.
    pub fn matches(&self, path: AsPath<'_>) -> bool {
        let places = places(path);
        let mut states: States = SmallVec::from_elem(false, places.len().saturating_add(1));
        mark(&mut states, 0);
        skip_sets(&places, &mut states);
        let mut items = self.items.iter().peekable();
        while let Some(item) = items.next() {
            let repeat = items.next_if(|next| **next == MaskItem::Repeat).is_some();
            match item {
                MaskItem::Any => mark_all_after_first(&mut states),
                _ => step(item, repeat, &places, &mut states),
            }
            if !states.contains(&true) {
                return false;
            }
        }
        states.last().copied().unwrap_or(false)
    }
}

/// One state before each place, and one at the end.
type States = SmallVec<[bool; 48]>;

/// A place in the path: one AS number, or a set that stands for any sequence of its members.
#[derive(Clone, Copy)]
enum Place<'a> {
    Asn(u32),
    Set(Segment<'a>),
}

fn places(path: AsPath<'_>) -> SmallVec<[Place<'_>; 24]> {
    let mut places = SmallVec::new();
    for segment in path.segments() {
        if segment.kind.is_set() {
            places.push(Place::Set(segment));
        } else {
            places.extend(segment.iter().map(Place::Asn));
        }
    }
    places
}

/// Moves every state over one AS number that the item accepts (or one or more, if it repeats).
fn step(item: &MaskItem, repeat: bool, places: &[Place<'_>], states: &mut States) {
    let mut after: States = SmallVec::from_elem(false, states.len());
    for (index, place) in places.iter().enumerate() {
        let here = states.get(index).copied().unwrap_or(false)
            || (repeat && after.get(index).copied().unwrap_or(false));
        if here && item.accepts(*place) {
            // A set may give more AS numbers, so its own state stays reachable.
            if matches!(place, Place::Set(_)) {
                mark(&mut after, index);
            }
            mark(&mut after, index.saturating_add(1));
        }
        skip_set(*place, index, &mut after);
    }
    *states = after;
}

/// From before a set one is also after it: it may stand for nothing.
fn skip_sets(places: &[Place<'_>], states: &mut States) {
    for (index, place) in places.iter().enumerate() {
        skip_set(*place, index, states);
    }
}

fn skip_set(place: Place<'_>, index: usize, states: &mut States) {
    if matches!(place, Place::Set(_)) && states.get(index) == Some(&true) {
        mark(states, index.saturating_add(1));
    }
}

fn mark(states: &mut States, index: usize) {
    if let Some(state) = states.get_mut(index) {
        *state = true;
    }
}

fn mark_all_after_first(states: &mut States) {
    let mut reached = false;
    for state in states.iter_mut() {
        reached |= *state;
        *state = reached;
    }
}

impl MaskItem {
    fn accepts(&self, place: Place<'_>) -> bool {
        match place {
            Place::Asn(asn) => self.accepts_asn(asn),
            Place::Set(segment) => segment.iter().any(|asn| self.accepts_asn(asn)),
        }
    }

    fn accepts_asn(&self, asn: u32) -> bool {
        match self {
            Self::Asn(own) => *own == asn,
            Self::Range(low, high) => (*low..=*high).contains(&asn),
            Self::Set(ranges) => {
                let after = ranges.partition_point(|(low, _)| *low <= asn);
                after
                    .checked_sub(1)
                    .and_then(|index| ranges.get(index))
                    .is_some_and(|(_, high)| asn <= *high)
            }
            Self::Any | Self::One | Self::Repeat => true,
        }
    }
}

fn normalized(ranges: &[(u32, u32)]) -> Result<Box<[(u32, u32)]>, MaskError> {
    if ranges.iter().any(|(low, high)| low > high) {
        return Err(MaskError::EmptyRange);
    }
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    sorted.dedup_by(|next, kept| {
        // Ranges that only touch stay, as they were written.
        let joins = next.0 <= kept.1;
        if joins {
            kept.1 = kept.1.max(next.1);
        }
        joins
    });
    Ok(sorted.into_boxed_slice())
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[= ")?;
        for item in &self.items {
            write!(f, "{item} ")?;
        }
        f.write_str("=]")
    }
}

impl fmt::Display for MaskItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asn(asn) => write!(f, "{asn}"),
            Self::Range(low, high) => write!(f, "{low}..{high}"),
            Self::Set(ranges) => {
                f.write_str("[")?;
                for (index, (low, high)) in ranges.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { ", " })?;
                    if low == high { write!(f, "{low}")? } else { write!(f, "{low}..{high}")? }
                }
                f.write_str("]")
            }
            Self::Any => f.write_str("*"),
            Self::One => f.write_str("?"),
            Self::Repeat => f.write_str("+"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::AsPathBuf;
    use super::*;

    fn mask(text: &str) -> Mask {
        let items = text.split_whitespace().map(|word| match word {
            "*" => MaskItem::Any,
            "?" => MaskItem::One,
            "+" => MaskItem::Repeat,
            word => match word.strip_prefix('[') {
                Some(set) => MaskItem::Set(
                    set.trim_end_matches(']').split(',').map(range).collect::<Vec<_>>().into(),
                ),
                None => match range(word) {
                    (low, high) if low == high => MaskItem::Asn(low),
                    (low, high) => MaskItem::Range(low, high),
                },
            },
        });
        Mask::new(items.collect()).unwrap()
    }

    fn range(word: &str) -> (u32, u32) {
        let (low, high) = word.split_once("..").unwrap_or((word, word));
        (low.parse().unwrap(), high.parse().unwrap())
    }

    fn matches(mask_text: &str, path: &str) -> bool {
        mask(mask_text).matches(path.parse::<AsPathBuf>().unwrap().view())
    }

    #[test]
    fn plain_paths() {
        for (mask, path, expected) in [
            ("", "", true),
            ("", "1", false),
            ("*", "", true),
            ("*", "1 2 3", true),
            ("?", "", false),
            ("? ?", "1 2", true),
            ("1 2 3", "1 2 3", true),
            ("1 2 3", "1 2", false),
            ("1 2", "1 2 3", false),
            ("* 3", "1 2 3", true),
            ("* 2", "1 2 3", false),
            ("1 *", "1 2 3", true),
            ("* 2 *", "1 2 3", true),
            ("* 4 *", "1 2 3", false),
            ("1 2..9 3", "1 5 3", true),
            ("1 2..9 3", "1 10 3", false),
            ("[1,5..9] *", "7 2", true),
            ("[1,5..9] *", "2 7", false),
            ("1 + 2", "1 1 1 2", true),
            ("1 + 2", "2", false),
            ("1 + 1 2", "1 1 2", true),
            ("? + 3", "1 2 3", true),
            ("? +", "", false),
            ("* +", "", true),
            ("* 5 6 * 7", "1 5 6 5 7", true),
        ] {
            assert_eq!(matches(mask, path), expected, "[= {mask} =] against '{path}'");
        }
    }

    #[test]
    fn a_set_stands_for_any_sequence_of_its_members() {
        for (mask, path, expected) in [
            ("1 2 4", "1 {2 3} 4", true),
            ("1 3 4", "1 {2 3} 4", true),
            ("1 4", "1 {2 3} 4", true),
            ("1 2 3 2 4", "1 {2 3} 4", true),
            ("1 5 4", "1 {2 3} 4", false),
            ("1 ? 4", "1 {2 3} 4", true),
            ("1 2", "1 {2 3}", true),
            ("1", "1 {2 3}", true),
            ("", "{2 3}", true),
            ("2 7", "{2 3} {7}", true),
            ("7", "{2 3} {7}", true),
            ("7 2", "{2 3} {7}", false),
            ("2 +", "{2 3}", true),
        ] {
            assert_eq!(matches(mask, path), expected, "[= {mask} =] against '{path}'");
        }
    }

    #[test]
    fn bad_masks_are_named() {
        assert_eq!(Mask::new(vec![MaskItem::Repeat]), Err(MaskError::NothingToRepeat));
        assert_eq!(
            Mask::new(vec![MaskItem::One, MaskItem::Repeat, MaskItem::Repeat]),
            Err(MaskError::NothingToRepeat)
        );
        assert_eq!(Mask::new(vec![MaskItem::Range(2, 1)]), Err(MaskError::EmptyRange));
    }

    #[test]
    fn sets_are_normalized_and_shown() {
        assert_eq!(
            mask("* [5,1..2,3,9..20,10] ? + 7 1..2").to_string(),
            "[= * [1..2, 3, 5, 9..20] ? + 7 1..2 =]"
        );
        assert_eq!(mask("[4294967295,4294967294]").to_string(), "[= [4294967294, 4294967295] =]");
    }

    /// The same semantics by recursion: slow, obvious.
    fn model(items: &[MaskItem], path: &[Result<u32, Vec<u32>>], depth: u32) -> bool {
        // Sets skipped.
        if let Some((Err(_), rest)) = path.split_first()
            && model(items, rest, depth)
        {
            return true;
        }
        let Some((item, after)) = items.split_first() else { return path.is_empty() };
        let (repeat, after) = match after.split_first() {
            Some((MaskItem::Repeat, after)) => (true, after),
            _ => (false, after),
        };
        let consume = |items: &[MaskItem]| match path.split_first() {
            Some((Ok(asn), rest)) => item.accepts_asn(*asn) && model(items, rest, depth),
            Some((Err(set), _)) => {
                depth > 0
                    && set.iter().any(|asn| item.accepts_asn(*asn))
                    && model(items, path, depth.saturating_sub(1))
            }
            None => false,
        };
        if *item == MaskItem::Any {
            return model(after, path, depth) || consume(items);
        }
        consume(after) || (repeat && consume(items))
    }

    fn item() -> impl Strategy<Value = MaskItem> {
        prop_oneof![
            (0u32..4).prop_map(MaskItem::Asn),
            (0u32..2, 2u32..4).prop_map(|(low, high)| MaskItem::Range(low, high)),
            Just(MaskItem::Any),
            Just(MaskItem::One),
            Just(MaskItem::Repeat),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_the_model(
            items in proptest::collection::vec(item(), 0..6),
            path in proptest::collection::vec(
                prop_oneof![
                    4 => (0u32..4).prop_map(Ok),
                    1 => proptest::collection::vec(0u32..4, 1..3).prop_map(Err),
                ],
                0..6,
            ),
        ) {
            let Ok(mask) = Mask::new(items) else { return Ok(()) };
            let mut bytes = AsPathBuf::new();
            for place in &path {
                match place {
                    Ok(asn) => bytes.push_segment(super::super::SegmentKind::Sequence, core::iter::once(*asn)),
                    Err(set) => bytes.push_segment(super::super::SegmentKind::Set, set.iter().copied()),
                }
            }
            prop_assert_eq!(mask.matches(bytes.view()), model(&mask.items, &path, 8), "{} {}", mask, bytes);
        }
    }
}
