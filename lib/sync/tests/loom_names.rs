//! The table of names under the model checker: names are set, ended and looked up at once.
#![cfg(loom)]

use dunlin_sync::names::{Name, NameTable};
use dunlin_sync::prim::{Arc, AtomicU64, thread};
use dunlin_sync::words::Words;

/// One entry: everybody wants the same.
const TABLE: NameTable = NameTable::new(0, 1);

type Memory = Arc<Vec<AtomicU64>>;

fn memory() -> Memory {
    Memory::new((0..TABLE.end()).map(|_| AtomicU64::new(0)).collect())
}

/// A name over both words, that says whose it is; one length for all, so that only the version tells them apart.
fn name(of: char) -> String {
    [of; 12].iter().collect()
}

fn find(words: &(impl Words + ?Sized), number: u32) -> Option<String> {
    TABLE.find(words, number).map(|name: Name| String::from_utf8(name.bytes().to_vec()).unwrap())
}

#[test]
fn a_name_that_is_replaced_is_read_whole() {
    loom::model(|| {
        let memory = memory();
        TABLE.set(&memory, 1, &name('a'));
        let reader = {
            let memory = memory.clone();
            thread::spawn(move || find(memory.as_slice(), 1))
        };
        TABLE.set(&memory, 1, &name('b'));
        let found = reader.join().unwrap();
        assert!(found.is_none_or(|found| [name('a'), name('b')].contains(&found)));
        assert_eq!(find(memory.as_slice(), 1), Some(name('b')));
    });
}

#[test]
fn a_copy_has_no_mixture_of_names() {
    loom::model(|| {
        let memory = memory();
        TABLE.set(&memory, 1, &name('a'));
        let reader = {
            let memory = memory.clone();
            thread::spawn(move || {
                let mut copy = vec![0; TABLE.end()];
                assert!(memory.as_slice().read(0, &mut copy));
                TABLE.recheck(memory.as_slice(), &mut copy, 0..TABLE.end());
                find(copy.as_slice(), 1)
            })
        };
        TABLE.set(&memory, 1, &name('b'));
        let found = reader.join().unwrap();
        assert!(found.is_none_or(|found| [name('a'), name('b')].contains(&found)));
    });
}

#[test]
fn a_new_name_is_there_once_its_entry_says_so() {
    loom::model(|| {
        let memory = memory();
        let reader = {
            let memory = memory.clone();
            thread::spawn(move || find(memory.as_slice(), 1))
        };
        TABLE.set(&memory, 1, &name('a'));
        assert!(reader.join().unwrap().is_none_or(|found| found == name('a')));
    });
}

#[test]
fn an_entry_that_two_threads_want_has_the_name_of_one() {
    loom::model(|| {
        let memory = memory();
        let other = {
            let memory = memory.clone();
            thread::spawn(move || TABLE.set(&memory, 1, &name('a')))
        };
        TABLE.set(&memory, 2, &name('b'));
        other.join().unwrap();
        let found = [find(memory.as_slice(), 1), find(memory.as_slice(), 2)];
        let one = [Some(name('a')), None];
        assert!(found == one || found == [None, Some(name('b'))], "{found:?}");
    });
}

#[test]
fn who_ends_a_name_does_not_end_the_one_that_took_its_place() {
    loom::model(|| {
        let memory = memory();
        TABLE.set(&memory, 1, &name('a'));
        let other = {
            let memory = memory.clone();
            thread::spawn(move || TABLE.end_of(&memory, 1))
        };
        TABLE.set(&memory, 2, &name('b'));
        other.join().unwrap();
        assert_eq!(find(memory.as_slice(), 1), None);
        assert_eq!(find(memory.as_slice(), 2), Some(name('b')));
    });
}
