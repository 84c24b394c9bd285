//! Progress under the model checker: a session writes while its group asks how far it is.
#![cfg(loom)]

use dunlin_sync::prim::{Arc, thread};
use dunlin_sync::{Asked, ProgressWord};

type Shared = Arc<ProgressWord>;

/// Makes progress in steps; how often it was told that somebody waits.
fn advance(progress: &Shared, steps: &'static [u64]) -> thread::JoinHandle<u32> {
    let progress = progress.clone();
    thread::spawn(move || steps.iter().map(|step| u32::from(progress.advance(*step))).sum())
}

#[test]
fn what_is_asked_for_is_told_by_exactly_one() {
    loom::model(|| {
        let progress = Shared::default();
        let session = advance(&progress, &[1, 1, 1]);
        let asked = progress.ask(2);
        let told = session.join().unwrap();
        assert_eq!(told, u32::from(asked != Asked::Done));
        assert!(!progress.is_wanted() && progress.done() == 3);
    });
}

#[test]
fn a_later_question_takes_the_earlier_one_back() {
    loom::model(|| {
        let progress = Shared::default();
        let session = advance(&progress, &[1, 1]);
        let first = progress.ask(1);
        // A loop that has room goes on, and asks again when it has filled that.
        let second = progress.ask(2);
        let told = session.join().unwrap();
        assert!(!progress.is_wanted(), "nobody waits for ever");
        match (first, second) {
            (Asked::Done, Asked::Done) => assert_eq!(told, 0),
            (Asked::Waits { .. }, Asked::Done) => assert!(told <= 1),
            (_, Asked::Done) | (Asked::Done, _) => assert_eq!(told, 1),
            (Asked::Told, _) => assert_eq!(told, 2),
            (Asked::Waits { .. }, _) => assert!((1..=2).contains(&told)),
        }
    });
}

#[test]
fn what_is_read_only_grows() {
    loom::model(|| {
        let progress = Shared::default();
        let session = advance(&progress, &[2, 3]);
        let seen = [progress.done(), progress.done()];
        assert!(seen[0] <= seen[1] && seen.iter().all(|seen| [0, 2, 5].contains(seen)));
        session.join().unwrap();
        assert_eq!(progress.done(), 5);
    });
}
