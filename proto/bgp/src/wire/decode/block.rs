//! Where each attribute of a received block is.

use super::super::attribute::number;
use super::super::attribute::{flag, take_first};
use super::super::notification::{Notification, code};
use super::super::problem::Problem;
use super::Problems;

/// Where an attribute's value is, and its flags.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u16,
    length: u16,
    flags: u8,
}

/// An index of the attributes of one block by number, so that they come out sorted whatever their
/// order was. Filled anew for each UPDATE; only the bitmap needs clearing.
#[derive(Debug)]
pub(super) struct Index {
    present: [u64; 4],
    spans: [Span; 256],
}

impl Default for Index {
    fn default() -> Self {
        Self { present: [0; 4], spans: [Span::default(); 256] }
    }
}

impl Index {
    /// Finds all attributes. An error is one that hides where the NLRI are (RFC 7606 3 g).
    pub(super) fn build(
        &mut self,
        block: &[u8],
        problems: &mut Problems,
    ) -> Result<(), Notification> {
        self.present = [0; 4];
        let mut rest = block;
        while let Some(attribute) = take_first(&mut rest) {
            let number = attribute.number;
            if self.has(number) {
                if matches!(number, number::MP_REACH | number::MP_UNREACH) {
                    return Err(Notification::new(code::UPDATE, 1));
                }
                problems.discard(Problem::Repeated(number));
                continue;
            }
            self.set(number);
            let end = block.len() - rest.len();
            let span = Span {
                // A block is shorter than 65536 bytes: its length has two octets.
                start: u16::try_from(end - attribute.value.len()).unwrap_or(u16::MAX),
                length: u16::try_from(attribute.value.len()).unwrap_or(u16::MAX),
                flags: attribute.flags & !flag::EXTENDED,
            };
            if let Some(place) = self.spans.get_mut(usize::from(number)) {
                *place = span;
            }
        }
        if !rest.is_empty() {
            problems.withdraw(Problem::Truncated);
        }
        Ok(())
    }

    /// Whether the attribute is there.
    pub(super) fn has(&self, number: u8) -> bool {
        self.word(number) & bit(number) != 0
    }

    /// The value of an attribute, if it is there.
    pub(super) fn value<'a>(&self, block: &'a [u8], number: u8) -> Option<&'a [u8]> {
        self.find(block, number).map(|(_, value)| value)
    }

    /// Flags and value of an attribute, if it is there.
    pub(super) fn find<'a>(&self, block: &'a [u8], number: u8) -> Option<(u8, &'a [u8])> {
        if !self.has(number) {
            return None;
        }
        let span = self.spans.get(usize::from(number))?;
        let value = block.get(usize::from(span.start)..)?.get(..usize::from(span.length))?;
        Some((span.flags, value))
    }

    /// Notes that an attribute is missing, if it is.
    pub(super) fn require(&self, number: u8, problems: &mut Problems) {
        if !self.has(number) {
            problems.withdraw(Problem::Missing(number));
        }
    }

    /// How many different attributes there are.
    pub(super) fn len(&self) -> u32 {
        self.present.iter().map(|word| word.count_ones()).sum()
    }

    /// The numbers of the attributes that are there, and of those in `more`, in ascending order.
    pub(super) fn numbers(&self, more: &[u8]) -> impl Iterator<Item = u8> + use<> {
        let mut words = self.present;
        for number in more {
            if let Some(word) = words.get_mut(usize::from(number / 64)) {
                *word |= bit(*number);
            }
        }
        let mut base = 0u8;
        let mut left = words.into_iter();
        let mut word = left.next().unwrap_or(0);
        core::iter::from_fn(move || {
            while word == 0 {
                word = left.next()?;
                base = base.wrapping_add(64);
            }
            let lowest = word.trailing_zeros();
            word &= word - 1;
            // Less than 64, by the width of the word.
            Some(base | (lowest & 63) as u8)
        })
    }

    fn set(&mut self, number: u8) {
        if let Some(word) = self.present.get_mut(usize::from(number / 64)) {
            *word |= bit(number);
        }
    }

    fn word(&self, number: u8) -> u64 {
        self.present.get(usize::from(number / 64)).copied().unwrap_or(0)
    }
}

const fn bit(number: u8) -> u64 {
    1 << (number % 64)
}
