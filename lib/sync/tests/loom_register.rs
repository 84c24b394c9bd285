//! Every interleaving of threads that enter things.
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "a failure is what a test is for")]

use dunlin_sync::prim::{Arc, thread};
use dunlin_sync::{Register, Registered};

type Things = Register<u64, 4>;

static THINGS: [u64; 64] = [7; 64];

fn enter(register: &Things, thing: &'static u64) -> (u16, bool) {
    let (number, is_new) = match register.enter(thing) {
        Registered::New(number) => (number, true),
        Registered::Known(number) => (number, false),
        Registered::Full => panic!("there is room"),
    };
    assert_eq!(register.find(number).copied(), Some(7));
    (number, is_new)
}

/// Two threads enter the same thing: it gets one number, and one of them is told that it is new.
#[test]
fn the_same_thing_gets_one_number() {
    loom::model(|| {
        let register = Arc::new(Things::new());
        let other = Arc::clone(&register);
        let thread = thread::spawn(move || enter(&other, &THINGS[0]));
        let (number, is_new) = enter(&register, &THINGS[0]);
        let (number2, is_new2) = thread.join().unwrap();
        assert_eq!(number, number2);
        assert!(is_new != is_new2);
        assert_eq!(enter(&register, &THINGS[0]), (number, false));
    });
}

/// Two threads enter different things, which want the same place: neither loses its number.
#[test]
fn different_things_get_different_numbers() {
    loom::model(|| {
        let first = |thing| enter(&Things::new(), thing).0;
        let one = &THINGS[0];
        let two = THINGS[1..].iter().find(|thing| first(thing) == first(one)).unwrap();
        let register = Arc::new(Things::new());
        let other = Arc::clone(&register);
        let thread = thread::spawn(move || enter(&other, two));
        let (number, is_new) = enter(&register, one);
        let (number2, is_new2) = thread.join().unwrap();
        assert_ne!(number, number2);
        assert!(is_new && is_new2);
        assert_eq!(enter(&register, one), (number, false));
        assert_eq!(enter(&register, two), (number2, false));
    });
}
