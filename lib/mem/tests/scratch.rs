//! Arenas keep no more than they were told to, whatever is asked of them.

use dunlin_mem::Arena;
use proptest::prelude::*;

proptest! {
    #[test]
    fn an_arena_keeps_at_most_its_cap(
        cap in 0..20_000_usize,
        turns in prop::collection::vec(prop::collection::vec(0..8_000_usize, 0..8), 0..30),
    ) {
        let mut arena = Arena::new(cap);
        let (mut replaced, mut emptied) = (0, 0);
        for turn in &turns {
            let slices: Vec<&[u8]> =
                turn.iter().map(|&len| &*arena.alloc_slice_fill_copy(len, len as u8)).collect();
            for (slice, &len) in slices.iter().zip(turn) {
                prop_assert_eq!(slice.len(), len);
                prop_assert!(slice.iter().all(|&byte| byte == len as u8));
            }
            replaced += u64::from(arena.held() > cap);
            emptied += u64::from(arena.held() > 0);
            arena.reset();
            prop_assert!(arena.held() <= cap);
        }
        let statistics = arena.statistics();
        prop_assert_eq!(statistics.resets, emptied);
        prop_assert_eq!(statistics.replacements, replaced);
    }
}
