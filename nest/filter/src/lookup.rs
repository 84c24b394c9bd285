//! How sets of numbers find out whether they have one: in a form that fits what is in them.

/// A form of a set. All give the same answers; [`Lookup::new`] takes the one that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The ranges in order, searched by halves.
    Ranges,
    /// A bit for each number between the first and the last.
    Bitmap,
    /// The numbers one by one in a hash table.
    Hash,
}

/// Sets of fewer ranges are searched as they are, which costs no more (`tests/bench/sets`).
const MIN_RANGES: usize = 4;

/// A bitmap may take so many bits for each range, which takes 64 itself.
const MAX_BITS: u64 = 128;

/// Ranges are taken apart for a hash table if they hold so many numbers each, on average.
const MAX_NUMBERS: u64 = 2;

/// Spreads numbers that differ in their low bits over the high ones.
const SPREAD: u32 = 0x9e37_79b1;

/// A set in one of its forms.
#[derive(Debug, Clone)]
pub(crate) enum Lookup {
    /// The set's own ranges are searched.
    Ranges,
    Bitmap {
        first: u32,
        words: Box<[u64]>,
    },
    Hash {
        /// A power of two of them, with each number behind the place that it leads to.
        places: Box<[u32]>,
        /// In places that hold none: a number that is not in the set.
        none: u32,
        /// How far to shift the spread number for its place.
        shift: u32,
    },
}

impl Lookup {
    /// The form that fits ranges, which are in order and disjoint.
    pub(crate) fn new(ranges: &[(u32, u32)]) -> Self {
        Self::in_form(ranges, Form::fitting(ranges))
    }

    /// In a form that was asked for. A bitmap or table that would be huge is refused: ranges instead.
    pub(crate) fn in_form(ranges: &[(u32, u32)], form: Form) -> Self {
        match form {
            Form::Bitmap if bits(ranges) <= 1 << 32 => bitmap(ranges),
            Form::Hash if numbers(ranges) <= 1 << 24 => hash(ranges),
            _ => Self::Ranges,
        }
    }

    pub(crate) fn form(&self) -> Form {
        match self {
            Self::Ranges => Form::Ranges,
            Self::Bitmap { .. } => Form::Bitmap,
            Self::Hash { .. } => Form::Hash,
        }
    }

    /// Whether the set with these ranges has the number.
    #[inline]
    pub(crate) fn contains(&self, ranges: &[(u32, u32)], number: u32) -> bool {
        match self {
            Self::Ranges => in_ranges(ranges, number),
            Self::Bitmap { first, words } => {
                let bit = number.wrapping_sub(*first);
                words.get(bit as usize / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
            }
            Self::Hash { places, none, shift } => {
                let mut place = place_of(number, *shift);
                while let Some(found) = places.get(place) {
                    if found == none {
                        return false;
                    }
                    if *found == number {
                        return true;
                    }
                    place = (place + 1) & (places.len() - 1);
                }
                false
            }
        }
    }

    /// Bytes in use besides the ranges.
    pub(crate) fn memory(&self) -> usize {
        match self {
            Self::Ranges => 0,
            Self::Bitmap { words, .. } => size_of_val(&**words),
            Self::Hash { places, .. } => size_of_val(&**places),
        }
    }
}

impl Form {
    fn fitting(ranges: &[(u32, u32)]) -> Self {
        let count = ranges.len() as u64;
        if ranges.len() < MIN_RANGES {
            Self::Ranges
        } else if bits(ranges) <= count * MAX_BITS {
            Self::Bitmap
        } else if numbers(ranges) <= count * MAX_NUMBERS {
            Self::Hash
        } else {
            Self::Ranges
        }
    }
}

/// From the first number to the last.
fn bits(ranges: &[(u32, u32)]) -> u64 {
    match (ranges.first(), ranges.last()) {
        (Some((first, _)), Some((_, last))) => u64::from(*last) - u64::from(*first) + 1,
        _ => 0,
    }
}

fn numbers(ranges: &[(u32, u32)]) -> u64 {
    ranges.iter().map(|(low, high)| u64::from(*high) - u64::from(*low) + 1).sum()
}

fn bitmap(ranges: &[(u32, u32)]) -> Lookup {
    let first = ranges.first().map_or(0, |(low, _)| *low);
    let words = usize::try_from(bits(ranges).div_ceil(64)).unwrap_or(0);
    let mut words = vec![0_u64; words];
    for bit in ranges.iter().flat_map(|(low, high)| low - first..=high - first) {
        if let Some(word) = words.get_mut(bit as usize / 64) {
            *word |= 1 << (bit % 64);
        }
    }
    Lookup::Bitmap { first, words: words.into() }
}

fn hash(ranges: &[(u32, u32)]) -> Lookup {
    let all = || ranges.iter().flat_map(|(low, high)| *low..=*high);
    // Between half and three quarters full, so that most are found at once.
    let room = (numbers(ranges) * 4 / 3 + 1).next_power_of_two().max(2);
    let shift = 32 - room.ilog2();
    let none = absent(ranges);
    let mut places = vec![none; usize::try_from(room).unwrap_or(2)];
    for number in all() {
        let mut place = place_of(number, shift);
        while places[place] != none {
            place = (place + 1) & (places.len() - 1);
        }
        places[place] = number;
    }
    Lookup::Hash { places: places.into(), none, shift }
}

/// The least number that is in no range. A set that is taken apart never has all.
fn absent(ranges: &[(u32, u32)]) -> u32 {
    let mut least = 0;
    for (low, high) in ranges {
        if *low > least {
            break;
        }
        least = high.saturating_add(1);
    }
    least
}

#[inline]
fn place_of(number: u32, shift: u32) -> usize {
    (number.wrapping_mul(SPREAD) >> shift) as usize
}

/// Whether some range holds the key. They are in order and disjoint.
#[inline]
pub(crate) fn in_ranges<K: Ord + Copy>(ranges: &[(K, K)], key: K) -> bool {
    let after = ranges.partition_point(|(low, _)| *low <= key);
    after.checked_sub(1).and_then(|index| ranges.get(index)).is_some_and(|(_, high)| key <= *high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// In order, disjoint.
    fn ranges() -> impl Strategy<Value = Vec<(u32, u32)>> {
        let near = proptest::collection::vec((0_u32..5000, 0_u32..4), 0..200);
        let far = proptest::collection::vec((any::<u32>(), 0_u32..2), 0..60);
        let ends = Just(vec![(0, 3), (u32::MAX - 3, 3)]);
        let bases = prop_oneof![near, far, ends];
        bases.prop_map(|mut all| {
            all.sort_unstable();
            let mut ranges: Vec<(u32, u32)> = Vec::new();
            for (low, more) in all {
                if ranges.last().is_none_or(|(_, high)| *high < low) {
                    ranges.push((low, low.saturating_add(more)));
                }
            }
            ranges
        })
    }

    proptest! {
        #[test]
        fn all_forms_answer_alike(ranges in ranges(), asked in proptest::collection::vec(any::<u32>(), 0..20)) {
            let mut forms = vec![Lookup::new(&ranges), Lookup::in_form(&ranges, Form::Hash)];
            if bits(&ranges) < 1 << 20 {
                forms.push(Lookup::in_form(&ranges, Form::Bitmap));
            }
            let near = ranges.iter().flat_map(|(low, high)| {
                [low.wrapping_sub(1), *low, *high, high.wrapping_add(1), low ^ 0x8000_0000]
            });
            for number in near.chain(asked).chain([0, 1, u32::MAX]) {
                let expected = ranges.iter().any(|(low, high)| (*low..=*high).contains(&number));
                for form in &forms {
                    prop_assert_eq!(form.contains(&ranges, number), expected, "{} {:?}", number, form.form());
                }
            }
        }
    }

    #[test]
    fn the_form_fits_what_is_in_the_set() {
        let singles = |step: u32, count: u32| -> Vec<(u32, u32)> {
            (0..count).map(|n| (64_512 + n * step, 64_512 + n * step)).collect()
        };
        let form = |ranges: &[(u32, u32)]| Lookup::new(ranges).form();
        assert_eq!(form(&singles(7, 3)), Form::Ranges);
        assert_eq!(form(&singles(7, 500)), Form::Bitmap);
        assert_eq!(form(&singles(1009, 5000)), Form::Hash);
        let wide: Vec<_> =
            singles(100_003, 5000).into_iter().map(|(n, _)| (n, n + 40_000)).collect();
        assert_eq!(form(&wide), Form::Ranges);
        assert!(Lookup::new(&singles(1009, 5000)).memory() <= 32_768);
        assert!(Lookup::new(&singles(7, 500)).memory() <= 500 * 16);
    }
}
