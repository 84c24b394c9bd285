//! Scopes of a loop.

use crate::{
    context::Context,
    ids::{JobId, ScopeId, SocketId, Thing, TimerId},
    scopes::Listed,
};

/// Scopes: what is made in one goes when it is closed.
impl Context<'_> {
    /// A new scope. Like anything else it belongs to the scope it is made in, if that is in one.
    pub fn scope(&mut self) -> ScopeId {
        let key = self.core.scopes.create();
        self.made(Thing::Scope(key));
        ScopeId(key)
    }

    /// Calls `make`; the timers, events, jobs, sockets and scopes made in it belong to `scope`. None,
    /// and nothing is called, if there is no such scope.
    ///
    /// If `make` closes the scope itself, what it makes after is given up at once: its names name
    /// nothing, and opening a socket fails.
    pub fn in_scope<R>(&mut self, scope: ScopeId, make: impl FnOnce(&mut Self) -> R) -> Option<R> {
        if !self.core.scopes.exists(scope.0) {
            return None;
        }
        let outer = self.core.scopes.enter(Some(scope.0));
        let made = make(self);
        self.core.scopes.enter(outer);
        Some(made)
    }

    /// Closes a scope and gives up all that belongs to it and to scopes in it: timers are disarmed,
    /// what is pending does not run, handles other loops hold are dead, sockets are closed. How many
    /// things that were; none if there is no such scope. Takes time in proportion to their number,
    /// whatever else the loop has.
    pub fn close_scope(&mut self, scope: ScopeId) -> Option<usize> {
        let mut things = self.core.scopes.close(scope.0)?;
        let mut count = 0;
        while let Some(thing) = things.pop() {
            if !self.core.exists(thing) {
                continue;
            }
            count += 1;
            match thing {
                Thing::Scope(key) => things.extend(self.core.scopes.close(key).unwrap_or_default()),
                other => self.give_up(other),
            }
        }
        Some(count)
    }

    /// Something has been made: it goes to the current scope.
    #[inline]
    pub(super) fn made(&mut self, thing: Thing) {
        match self.core.scopes.list(thing) {
            Listed::Fine => {}
            Listed::SweepDue(scope) => self.core.sweep_scope(scope),
            Listed::Closed => self.give_up(thing),
        }
    }

    #[cold]
    fn give_up(&mut self, thing: Thing) {
        match thing {
            Thing::Timer(key) => self.core.timers.remove(TimerId(key)),
            Thing::Event(key) => self.core.events.remove(key),
            Thing::Work(key) => self.core.works.remove(key),
            Thing::Job(key) => {
                self.remove_job(JobId(key));
            }
            Thing::Socket(key) => self.close(SocketId(key)),
            Thing::Scope(key) => drop(self.core.scopes.close(key)),
        }
    }
}
