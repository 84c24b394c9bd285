//! The bulletin under the model checker: words of different showings are never read together.
#![cfg(loom)]

use dunlin_sync::Bulletin;
use dunlin_sync::prim::{Arc, thread};

#[test]
fn words_are_read_whole() {
    loom::model(|| {
        let bulletin = Arc::new(Bulletin::new());
        let writer = {
            let bulletin = bulletin.clone();
            thread::spawn(move || {
                bulletin.show([1, 1]);
                bulletin.show([2, 2]);
            })
        };
        if let Some(shown) = bulletin.read() {
            assert_eq!(shown.words[0], shown.words[1]);
            assert_eq!(shown.version, 2 * shown.words[0] - 1, "each showing has its own version");
        }
        writer.join().unwrap();
        assert_eq!(bulletin.read().map(|shown| shown.words), Some([2, 2]));
    });
}

#[test]
fn what_was_taken_down_is_not_read_with_what_comes_next() {
    loom::model(|| {
        let bulletin = Arc::new(Bulletin::new());
        bulletin.show([1, 1]);
        let writer = {
            let bulletin = bulletin.clone();
            thread::spawn(move || {
                bulletin.take_down();
                bulletin.show([2, 2]);
            })
        };
        if let Some(shown) = bulletin.read() {
            assert_eq!(shown.words[0], shown.words[1]);
            assert_eq!(shown.version, 2 * shown.words[0] - 1);
        }
        writer.join().unwrap();
    });
}
