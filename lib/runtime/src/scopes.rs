//! Owners within a loop: what is made in a scope goes when that is closed.

use crate::ids::{Key, LoopId, Thing};

/// The scopes of one loop. A scope lists what was made in it. What has been given up by itself stays
/// listed for a while: its name is stale, hence harmless, and is swept out as the list grows.
#[derive(Debug)]
pub(crate) struct Scopes {
    owner: LoopId,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Where new things go; none if they belong to the loop.
    current: Option<Key>,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    /// None if the slot is free.
    scope: Option<Scope>,
}

#[derive(Debug, Default)]
struct Scope {
    things: Vec<Thing>,
    /// With so many listed it is time to sweep.
    sweep_at: usize,
}

/// What becomes of a new thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// It is listed, or belongs to the loop itself.
    Fine,
    /// It is listed; the list has grown so much that it should be swept.
    SweepDue(Key),
    /// The scope has been closed: the thing must go.
    Closed,
}

impl Scopes {
    pub(crate) fn new(owner: LoopId) -> Self {
        Self { owner, slots: Vec::new(), free: Vec::new(), current: None }
    }

    pub(crate) fn create(&mut self) -> Key {
        let scope = Some(Scope { things: Vec::new(), sweep_at: SMALL });
        if let Some(index) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(index as usize)
        {
            slot.scope = scope;
            return Key::new(self.owner, index, slot.generation);
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot { generation: 0, scope });
        Key::new(self.owner, index, 0)
    }

    pub(crate) fn exists(&self, key: Key) -> bool {
        self.scope(key).is_some()
    }

    /// Whether the scope new things go to has been closed.
    #[inline]
    pub(crate) fn is_current_closed(&self) -> bool {
        self.current.is_some_and(|current| !self.exists(current))
    }

    /// Has new things go to another scope; where they went before.
    pub(crate) fn enter(&mut self, scope: Option<Key>) -> Option<Key> {
        core::mem::replace(&mut self.current, scope)
    }

    /// Lists a new thing in the current scope.
    #[inline]
    pub(crate) fn list(&mut self, thing: Thing) -> Listed {
        let Some(current) = self.current else { return Listed::Fine };
        let Some(scope) = self.scope_mut(current) else { return Listed::Closed };
        scope.things.push(thing);
        if scope.things.len() < scope.sweep_at { Listed::Fine } else { Listed::SweepDue(current) }
    }

    /// Takes a scope's list, to be put back swept.
    pub(crate) fn take_list(&mut self, key: Key) -> Vec<Thing> {
        self.scope_mut(key).map(|scope| core::mem::take(&mut scope.things)).unwrap_or_default()
    }

    /// Puts a swept list back.
    pub(crate) fn put_list(&mut self, key: Key, things: Vec<Thing>) {
        if let Some(scope) = self.scope_mut(key) {
            // Half of what is listed then at least has been listed since: sweeping is paid for.
            scope.sweep_at = SMALL.max(2 * things.len());
            scope.things = things;
        }
    }

    /// Closes a scope; what is listed in it, other scopes too.
    pub(crate) fn close(&mut self, key: Key) -> Option<Vec<Thing>> {
        self.scope(key)?;
        let slot = self.slots.get_mut(key.index() as usize)?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.index());
        slot.scope.take().map(|scope| scope.things)
    }

    fn scope(&self, key: Key) -> Option<&Scope> {
        let slot = self.slots.get(key.index() as usize)?;
        let known = slot.generation == key.generation() && key.owner == self.owner;
        slot.scope.as_ref().filter(|_| known)
    }

    fn scope_mut(&mut self, key: Key) -> Option<&mut Scope> {
        let slot = self.slots.get_mut(key.index() as usize)?;
        let known = slot.generation == key.generation() && key.owner == self.owner;
        slot.scope.as_mut().filter(|_| known)
    }
}

/// No list shorter than this is swept.
const SMALL: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_as_long_as_what_it_lists_allows() {
        let mut scopes = Scopes::new(LoopId(1));
        let scope = scopes.create();
        scopes.enter(Some(scope));
        let thing = |index| Thing::Timer(Key::new(LoopId(1), index, 0));
        let (mut longest, mut swept) = (0, 0);
        for index in 0..10_000 {
            if let Listed::SweepDue(due) = scopes.list(thing(index)) {
                assert_eq!(due, scope);
                let mut list = scopes.take_list(due);
                (longest, swept) = (longest.max(list.len()), swept + list.len());
                // The last ten are still there.
                list.retain(|one| matches!(one, Thing::Timer(key) if key.index() + 10 > index));
                scopes.put_list(due, list);
            }
        }
        assert!(longest <= 20, "{longest}");
        assert!(swept <= 20_000, "{swept} looked at for 10000 made");
        assert_eq!(scopes.close(scope).map(|list| list.len() <= 20), Some(true));
        assert_eq!(scopes.list(thing(0)), Listed::Closed);
    }
}
