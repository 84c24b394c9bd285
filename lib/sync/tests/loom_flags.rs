//! Flags under the model checker: they are set while what they belong to joins a group, and while the group
//! takes back what nobody wants.
#![cfg(loom)]

use dunlin_sync::FlagWord;
use dunlin_sync::prim::{Arc, AtomicU32, Ordering, thread};

/// Something with flags, and two groups that it may be in.
struct Member {
    flags: FlagWord,
    /// The group that it is in. Relaxed, as nothing but the flags is to order it.
    group: AtomicU32,
    /// What is wanted of each group.
    wanted: [AtomicU32; 2],
}

impl Member {
    fn new(flags: u32, group: u32) -> Arc<Self> {
        let (flags, group) = (FlagWord::new(flags), AtomicU32::new(group));
        Arc::new(Self { flags, group, wanted: [AtomicU32::new(0), AtomicU32::new(0)] })
    }

    fn set(&self, flags: u32) {
        self.flags.set(flags);
        let group = self.group.load(Ordering::Relaxed) as usize;
        self.mark(group, flags);
    }

    fn join(&self, group: u32) {
        self.group.store(group, Ordering::Relaxed);
        self.mark(group as usize, self.flags.look());
    }

    fn take_back(&self, group: usize) {
        self.wanted[group].store(0, Ordering::Relaxed);
        self.mark(group, self.flags.look());
    }

    fn mark(&self, group: usize, flags: u32) {
        if flags != 0 {
            self.wanted[group].fetch_or(flags, Ordering::Relaxed);
        }
    }

    fn wanted(&self, group: usize) -> u32 {
        self.wanted[group].load(Ordering::Relaxed)
    }
}

/// What comes of flags that are set while something else happens to the member.
fn while_set(member: &Arc<Member>, flags: &'static [u32], other: impl FnOnce(&Member)) {
    let setter = {
        let member = member.clone();
        thread::spawn(move || flags.iter().for_each(|&flags| member.set(flags)))
    };
    other(member);
    setter.join().unwrap();
}

#[test]
fn flags_that_are_set_while_it_joins_are_known_to_the_group() {
    loom::model(|| {
        let member = Member::new(0, 0);
        while_set(&member, &[1], |member| member.join(1));
        assert_eq!(member.wanted(1), 1);
    });
}

#[test]
fn flags_that_are_set_while_the_group_forgets_are_not_forgotten() {
    loom::model(|| {
        let member = Member::new(0, 1);
        while_set(&member, &[1], |member| member.take_back(1));
        assert_eq!(member.wanted(1), 1);
    });
}

#[test]
fn what_is_set_last_is_known_whatever_happens_meanwhile() {
    loom::model(|| {
        let member = Member::new(1, 0);
        while_set(&member, &[0, 2], |member| {
            member.join(1);
            member.take_back(1);
        });
        assert_eq!(member.wanted(1) & 2, 2);
        // Nobody sets any more: what nobody wants is taken back.
        member.take_back(1);
        assert_eq!(member.wanted(1), 2);
    });
}
