//! The limit under the model checker: slices count against it while it is replaced.
#![cfg(loom)]

use dunlin_sync::prim::{Arc, AtomicU64, Ordering, thread};
use dunlin_sync::{Admission, LimitWord};

struct Counted {
    limit: LimitWord,
    gauge: AtomicU64,
}

impl Counted {
    fn new(max: u64, there: u64) -> Arc<Self> {
        Arc::new(Self { limit: LimitWord::new(max, 1), gauge: AtomicU64::new(there) })
    }

    /// Counts one more; whether it was admitted, and whether it was the first that was not.
    fn admit(&self) -> (u32, u32) {
        match self.limit.count(&self.gauge) {
            Admission::Within => (1, 0),
            Admission::Beyond { first, .. } => {
                self.gauge.fetch_sub(1, Ordering::Relaxed);
                (0, u32::from(first))
            }
        }
    }
}

#[test]
fn no_more_than_it_says_and_it_is_struck_once() {
    loom::model(|| {
        let counted = Counted::new(1, 0);
        let slices = [(); 2].map(|()| {
            let counted = counted.clone();
            thread::spawn(move || counted.admit())
        });
        let mut sums = counted.admit();
        for slice in slices {
            let (admitted, first) = slice.join().unwrap();
            sums = (sums.0 + admitted, sums.1 + first);
        }
        assert_eq!(sums, (1, 1));
        assert_eq!(counted.gauge.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_limit_that_has_been_raised_is_not_struck_for_the_one_before() {
    loom::model(|| {
        let counted = Counted::new(1, 1);
        let slice = {
            let counted = counted.clone();
            thread::spawn(move || counted.admit())
        };
        counted.limit.renew(2, 1);
        let (admitted, first) = slice.join().unwrap();
        assert_eq!(counted.limit.get(), (2, 1), "it is in force");
        assert!(!counted.limit.is_struck(), "one was there, one came, two may be");
        assert_eq!(admitted + first, 1);
        // It will be told of when it is exceeded.
        counted.gauge.store(2, Ordering::Relaxed);
        assert_eq!(counted.admit(), (0, 1));
    });
}

#[test]
fn one_that_is_lowered_is_struck_by_the_slice_or_by_whoever_lowers_it() {
    loom::model(|| {
        let counted = Counted::new(9, 2);
        let slice = {
            let counted = counted.clone();
            thread::spawn(move || counted.admit())
        };
        counted.limit.renew(1, 1);
        let there = counted.gauge.load(Ordering::Relaxed);
        let struck = u32::from(counted.limit.strike_above(there));
        let (_, first) = slice.join().unwrap();
        assert_eq!(struck + first, 1);
        assert!(counted.limit.is_struck());
    });
}
