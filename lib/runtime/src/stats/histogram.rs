//! Spans of time, counted in buckets whose width grows with the span: an eighth of it at most.

use core::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::time::nanos;

/// How many spans of which length there were. What is asked of it is right to an eighth; the maximum
/// is kept elsewhere and is exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Bucket and count, ascending; no bucket is empty.
    counts: Vec<(u16, u64)>,
    /// All spans together, in nanoseconds.
    sum: u64,
}

impl Histogram {
    /// Of buckets and their counts, ascending and none empty, and the sum of all spans.
    pub(super) fn new(counts: Vec<(u16, u64)>, sum: u64) -> Self {
        Self { counts, sum }
    }

    /// Counts one span.
    pub fn add(&mut self, span: Duration) {
        let one = Self { counts: vec![(bucket(nanos(span)) as u16, 1)], sum: nanos(span) };
        self.merge(&one);
    }

    /// Counts all that `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        for &(at, count) in &other.counts {
            match self.counts.binary_search_by_key(&at, |entry| entry.0) {
                Ok(place) => self.counts[place].1 += count,
                Err(place) => self.counts.insert(place, (at, count)),
            }
        }
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// How many spans there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|entry| entry.1).sum()
    }

    /// All spans together.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum)
    }

    /// The mean; zero if there were none.
    pub fn mean(&self) -> Duration {
        Duration::from_nanos(self.sum.checked_div(self.count()).unwrap_or(0))
    }

    /// The span that so many of a thousand spans do not exceed, rounded up by an eighth at most:
    /// 500 is the median, 999 the p99.9. Zero if there were none.
    pub fn per_mille(&self, share: u32) -> Duration {
        let count = u128::from(self.count());
        let rank = (count * u128::from(share)).div_ceil(1000).max(1);
        let mut below = 0u128;
        for &(at, count) in &self.counts {
            below += u128::from(count);
            if below >= rank {
                return Duration::from_nanos(highest(at.into()));
            }
        }
        Duration::ZERO
    }
}

/// The histogram that a worker writes, and anyone may read. Relaxed: nothing hangs on it.
#[derive(Debug)]
pub(super) struct Buckets {
    counts: [AtomicU64; BUCKETS],
    sum: AtomicU64,
}

impl Buckets {
    pub(super) fn new() -> Self {
        Self { counts: [const { AtomicU64::new(0) }; BUCKETS], sum: AtomicU64::new(0) }
    }

    /// Counts one span. Only one thread does so at a time.
    #[inline]
    pub(super) fn add(&self, span: u64) {
        bump(&self.counts[bucket(span)], 1);
        bump(&self.sum, span);
    }

    /// Forgets all, if this thread is the one that counts.
    pub(super) fn clear(&self) {
        for count in &self.counts {
            count.store(0, Ordering::Relaxed);
        }
        self.sum.store(0, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Histogram {
        let counts = self.counts.iter().enumerate().filter_map(|(at, count)| {
            let count = count.load(Ordering::Relaxed);
            (count != 0).then_some((at as u16, count))
        });
        Histogram { counts: counts.collect(), sum: self.sum.load(Ordering::Relaxed) }
    }
}

#[inline]
fn bump(word: &AtomicU64, by: u64) {
    word.store(word.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

/// Buckets in a power of two.
pub(super) const STEPS: u32 = 8;
/// log2 of [`STEPS`].
const STEP_BITS: u32 = 3;
/// Below two to this, buckets are all of one width, 8 ns.
const FIRST_BITS: u32 = 6;
/// From two to this on (137 s) there is but one bucket.
const LAST_BITS: u32 = 37;
/// Two kilobytes of counts.
pub(super) const BUCKETS: usize = (STEPS + (LAST_BITS - FIRST_BITS) * STEPS) as usize;

/// The bucket of a span in nanoseconds.
#[inline]
pub(super) fn bucket(span: u64) -> usize {
    let span = span.min((1 << LAST_BITS) - 1);
    let bits = (span | (1 << (FIRST_BITS - 1))).ilog2().max(FIRST_BITS - 1);
    if bits < FIRST_BITS {
        return (span >> (FIRST_BITS - STEP_BITS)) as usize;
    }
    let step = (span >> (bits - STEP_BITS)) as u32 & (STEPS - 1);
    // Masked so that the compiler sees that it is a bucket; there are 256.
    ((STEPS + (bits - FIRST_BITS) * STEPS + step) as usize) & (BUCKETS - 1)
}

const _: () = assert!(BUCKETS.is_power_of_two());

/// The longest span of a bucket.
fn highest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let steps = u64::from(STEPS);
    if bucket < steps {
        return ((bucket + 1) << (FIRST_BITS - STEP_BITS)) - 1;
    }
    let bits = (bucket - steps) / steps + u64::from(FIRST_BITS);
    let width = 1 << (bits - u64::from(STEP_BITS));
    (steps + (bucket - steps) % steps + 1) * width - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_span_is_in_a_bucket_that_is_no_wider_than_an_eighth() {
        let mut last = 0;
        let around = |bits: u32| [(1u64 << bits) - 1, 1 << bits, (1 << bits) + (1 << bits) / 3];
        for span in (0..255).chain((8..40).flat_map(around)) {
            let at = bucket(span);
            assert!(at < BUCKETS && at >= last, "{span} in {at} after {last}");
            last = at;
            if span < 1 << LAST_BITS {
                let most = highest(at);
                assert!(most >= span, "{span} is above {most}");
                assert!(most - span <= 8.max(span / 8), "{span} is far below {most}");
                assert!(at == 0 || highest(at - 1) < span);
            }
        }
        assert_eq!(last, BUCKETS - 1);
    }

    #[test]
    fn quantiles_agree_with_a_sorted_list() {
        let mut spans: Vec<u64> = (0..10_000u64).map(|i| (i * i * 7919) % 50_000_000).collect();
        let buckets = Buckets::new();
        spans.iter().for_each(|&span| buckets.add(span));
        spans.sort_unstable();
        let read = buckets.read();
        assert_eq!(read.count(), 10_000);
        assert_eq!(read.sum().as_nanos() as u64, spans.iter().sum::<u64>());
        for share in [1, 500, 900, 990, 999, 1000] {
            let exact = spans[(10_000 * share as usize).div_ceil(1000) - 1];
            let told = read.per_mille(share).as_nanos() as u64;
            assert!(told >= exact && told <= exact + 8.max(exact / 8), "{share}: {exact} {told}");
        }
    }

    #[test]
    fn merged_is_as_counted_together() {
        let [mut one, mut other, mut both] =
            [const { Histogram { counts: Vec::new(), sum: 0 } }; 3];
        for i in 0..1000u64 {
            let span = Duration::from_nanos(i * 977);
            if i % 3 == 0 {
                one.add(span)
            } else {
                other.add(span)
            }
            both.add(span);
        }
        one.merge(&other);
        assert_eq!(one, both);
        assert_eq!(one.mean(), both.mean());
    }

    #[test]
    fn nothing_counted_is_nothing() {
        let buckets = Buckets::new();
        assert_eq!(buckets.read(), Histogram::default());
        assert_eq!(Histogram::default().per_mille(999), Duration::ZERO);
        buckets.add(5);
        buckets.clear();
        assert_eq!(buckets.read(), Histogram::default());
    }
}
