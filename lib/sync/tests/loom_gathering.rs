//! The gathering under the model checker: the receiver gets what there is, once, and all of it if nobody was impatient.
#![cfg(loom)]

use dunlin_sync::prim::{Arc, thread};
use dunlin_sync::{Gathered, Gathering};

type Shared = Arc<Gathering<u32, ()>>;

fn parts(gathered: Option<Gathered<u32, ()>>) -> Option<Vec<u32>> {
    gathered.map(|gathered| {
        let mut parts: Vec<_> = gathered.split().1.collect();
        parts.sort_unstable();
        parts
    })
}

#[test]
fn the_last_worker_to_answer_has_all_parts() {
    loom::model(|| {
        let gathering = Shared::new(Gathering::new(3, ()));
        let others = [1, 2].map(|part| {
            let gathering = gathering.clone();
            thread::spawn(move || parts(gathering.answer(part)))
        });
        let here = parts(gathering.skip());
        let mut got: Vec<_> = others.into_iter().filter_map(|one| one.join().unwrap()).collect();
        got.extend(here);
        assert_eq!(got, [[1, 2]]);
        assert!(gathering.is_over());
    });
}

#[test]
fn the_watcher_that_closes_it_and_the_last_worker_hand_it_over_once() {
    loom::model(|| {
        let gathering = Shared::new(Gathering::new(2, ()));
        assert!(gathering.answer(1).is_none());
        let other = gathering.clone();
        let worker = thread::spawn(move || parts(other.answer(2)));
        let closed = parts(gathering.close());
        let answered = worker.join().unwrap();
        assert!(closed.is_some() != answered.is_some());
        if let Some(parts) = answered {
            assert_eq!(parts, [1, 2], "who is last has all");
        }
        if let Some(parts) = closed {
            assert_eq!(parts[0], 1, "what was there before is not lost");
        }
        assert!(gathering.close().is_none());
    });
}
