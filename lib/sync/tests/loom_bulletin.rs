//! The bulletin under the model checker: words of different showings are never read together.
#![cfg(loom)]

use dunlin_sync::Bulletin;
use dunlin_sync::prim::{Arc, thread};

/// Reads while `write` writes; what is read must have been shown like that.
fn read_while(write: impl FnOnce(&Bulletin<2>)) {
    let bulletin = Arc::new(Bulletin::new());
    let reader = {
        let bulletin = bulletin.clone();
        thread::spawn(move || bulletin.read())
    };
    write(&bulletin);
    if let Some(shown) = reader.join().unwrap() {
        assert_eq!(shown.words[0], shown.words[1]);
        assert_eq!(shown.version, (2 * shown.words[0]).wrapping_sub(1), "one version a showing");
    }
}

#[test]
fn words_are_read_whole() {
    loom::model(|| {
        read_while(|bulletin| {
            bulletin.show([1, 1]);
            bulletin.show([2, 2]);
            assert_eq!(bulletin.read().map(|shown| shown.words), Some([2, 2]));
        });
    });
}

#[test]
fn what_was_taken_down_is_not_read_with_what_comes_next() {
    loom::model(|| {
        read_while(|bulletin| {
            bulletin.show([1, 1]);
            bulletin.take_down();
            assert_eq!(bulletin.read(), None);
            bulletin.show([2, 2]);
        });
    });
}
