//! A slab does what a map from numbers does.

use std::collections::BTreeMap;

use dunlin_mem::{Handle, Slab};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Insert(u64),
    Remove(prop::sample::Index),
    Change(prop::sample::Index, u64),
    Look(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<u64>().prop_map(Step::Insert),
        3 => any::<prop::sample::Index>().prop_map(Step::Remove),
        1 => (any::<prop::sample::Index>(), any::<u64>()).prop_map(|(at, value)| Step::Change(at, value)),
        1 => (0..200_usize).prop_map(Step::Look),
    ]
}

fn some_key(model: &BTreeMap<usize, String>, at: &prop::sample::Index) -> Option<usize> {
    if model.is_empty() { None } else { model.keys().nth(at.index(model.len())).copied() }
}

proptest! {
    #[test]
    fn behaves_as_a_map(steps in prop::collection::vec(step(), 0..400)) {
        let mut slab = Slab::<String, 3>::new();
        let mut model = BTreeMap::new();
        let mut most = 0;
        for step in steps {
            match step {
                Step::Insert(value) => {
                    let expected = slab.next_handle();
                    let handle = slab.insert(value.to_string());
                    prop_assert_eq!(handle, expected);
                    prop_assert!(model.insert(handle.index(), value.to_string()).is_none());
                }
                Step::Remove(at) => if let Some(key) = some_key(&model, &at) {
                    prop_assert_eq!(slab.remove(Handle::new(key).unwrap()), model.remove(&key));
                },
                Step::Change(at, value) => if let Some(key) = some_key(&model, &at) {
                    slab[Handle::new(key).unwrap()] = value.to_string();
                    model.insert(key, value.to_string());
                },
                Step::Look(key) => {
                    prop_assert_eq!(slab.get(Handle::new(key).unwrap()), model.get(&key));
                }
            }
            most = most.max(model.len());
            prop_assert_eq!(slab.len(), model.len());
            prop_assert_eq!(slab.slots(), most, "no slot is used while another is vacant");
        }
        for (key, value) in &model {
            prop_assert_eq!(slab.get(Handle::new(*key).unwrap()), Some(value));
        }
    }
}
