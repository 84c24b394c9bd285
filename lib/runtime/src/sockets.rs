//! The sockets of one loop.

use std::{collections::VecDeque, io};

use dunlin_sync::{Class, Classes};

use crate::{
    driver::{Driver, Endpoint},
    ids::{Key, LoopId, SocketId},
    place::Place,
    runloop::{Interest, Ready},
    stats::SocketStats,
    time::Time,
};

/// All sockets of a loop, and those with readiness to report.
#[derive(Debug)]
pub(crate) struct Sockets {
    /// Whose sockets these are.
    owner: LoopId,
    slots: Vec<Slot>,
    free: Vec<u32>,
    ready: [VecDeque<u32>; 4],
    waiting: Classes,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    socket: Option<Socket>,
    /// Stands in a ready queue.
    queued: bool,
}

#[derive(Debug)]
struct Socket {
    endpoint: Endpoint,
    /// The driver's name for the registration.
    registration: u64,
    interest: Interest,
    class: Class,
    ready: Ready,
    /// Readiness is reported once.
    once: bool,
    /// It has been reported: nothing more until armed again.
    spent: bool,
    /// Out of the poller, which would report it on and on.
    suspended: bool,
    /// Since when it is ready, if it is.
    since: Time,
    /// Where its interest was said.
    place: Place,
}

/// A socket whose readiness is to be told now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served {
    pub(crate) id: SocketId,
    pub(crate) ready: Ready,
    /// Since when it is ready.
    pub(crate) since: Time,
    /// Where its interest was said.
    pub(crate) place: Place,
}

/// What the driver is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    None,
    /// The interest of this registration.
    Modify(u64),
    /// Watch it again.
    Resume(u64),
}

/// What becomes of readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marked {
    /// Nobody wants to hear of it.
    Nothing,
    /// It is to be served in this class.
    Serve(Class),
    /// Nobody wants to hear of it until armed again: stop watching this registration.
    Suspend(u64),
}

impl Sockets {
    pub(crate) fn new(owner: LoopId) -> Self {
        let ready = core::array::from_fn(|_| VecDeque::new());
        Self { owner, slots: Vec::new(), free: Vec::new(), ready, waiting: Classes::NONE }
    }

    /// The name the next [`Sockets::insert`] will give.
    pub(crate) fn reserve(&self) -> SocketId {
        let owner = self.owner;
        let fresh = Key::new(owner, self.slots.len() as u32, 0);
        let key = self.free.last().and_then(|&index| {
            let generation = self.slots.get(index as usize)?.generation;
            Some(Key::new(owner, index, generation))
        });
        SocketId(key.unwrap_or(fresh))
    }

    pub(crate) fn insert(
        &mut self,
        id: SocketId,
        endpoint: Endpoint,
        registration: u64,
        interest: Interest,
        class: Class,
        place: Place,
    ) {
        let ready = Ready::default();
        let (once, spent, suspended, since) = (false, false, false, Time::ZERO);
        let socket = Some(Socket {
            endpoint,
            registration,
            interest,
            class,
            ready,
            once,
            spent,
            suspended,
            since,
            place,
        });
        match self.slots.get_mut(id.0.index() as usize) {
            Some(slot) => {
                self.free.pop();
                slot.socket = socket;
            }
            None => self.slots.push(Slot { generation: 0, socket, queued: false }),
        }
    }

    pub(crate) fn remove(&mut self, id: SocketId) -> io::Result<(Endpoint, u64)> {
        let slot = self.slot_mut(id)?;
        let socket = slot.socket.take().ok_or_else(unknown)?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.0.index());
        Ok((socket.endpoint, socket.registration))
    }

    pub(crate) fn endpoint(&self, id: SocketId) -> io::Result<&Endpoint> {
        Ok(&self.socket(id)?.endpoint)
    }

    /// Changes the interest.
    pub(crate) fn set_interest(
        &mut self,
        id: SocketId,
        interest: Interest,
        once: bool,
        place: Place,
    ) -> io::Result<Change> {
        let socket = self.socket_mut(id)?;
        socket.place = place;
        (socket.once, socket.spent) = (once, false);
        let is_same = core::mem::replace(&mut socket.interest, interest) == interest;
        Ok(match core::mem::take(&mut socket.suspended) {
            true => Change::Resume(socket.registration),
            false if is_same => Change::None,
            false => Change::Modify(socket.registration),
        })
    }

    pub(crate) fn set_class(&mut self, id: SocketId, class: Class) -> io::Result<()> {
        self.socket_mut(id)?.class = class;
        Ok(())
    }

    /// Notes readiness seen now.
    pub(crate) fn mark(&mut self, id: SocketId, ready: Ready, now: Time) -> Marked {
        let Ok(slot) = self.slot_mut(id) else { return Marked::Nothing };
        let Some(socket) = slot.socket.as_mut() else { return Marked::Nothing };
        if socket.spent {
            let was_suspended = core::mem::replace(&mut socket.suspended, true);
            let registration = socket.registration;
            return if was_suspended { Marked::Nothing } else { Marked::Suspend(registration) };
        }
        if socket.ready == Ready::default() {
            socket.since = now;
        }
        socket.ready.readable |= ready.readable;
        socket.ready.writable |= ready.writable;
        socket.ready.error |= ready.error;
        let class = socket.class;
        if !core::mem::replace(&mut slot.queued, true) {
            self.ready[class.index()].push_back(id.0.index());
            self.waiting = self.waiting.with(class);
        }
        Marked::Serve(class)
    }

    /// Takes the next socket of `class` with readiness its interest asks for.
    pub(crate) fn pop(&mut self, class: Class) -> Option<Served> {
        let queue = &mut self.ready[class.index()];
        let mut found = None;
        while found.is_none()
            && let Some(index) = queue.pop_front()
        {
            let Some(slot) = self.slots.get_mut(index as usize) else { continue };
            slot.queued = false;
            let Some(socket) = slot.socket.as_mut() else { continue };
            let mut ready = core::mem::take(&mut socket.ready);
            ready.readable &= socket.interest.read;
            ready.writable &= socket.interest.write;
            let key = Key::new(self.owner, index, slot.generation);
            let id = SocketId(key);
            if ready != Ready::default() {
                socket.spent = socket.once;
                let (since, place) = (socket.since, socket.place);
                found = Some(Served { id, ready, since, place });
            }
        }
        if queue.is_empty() {
            self.waiting = self.waiting.without(class);
        }
        found
    }

    /// Since when the first waits that is ready.
    pub(crate) fn oldest(&self) -> Option<Time> {
        let first = |queue: &VecDeque<u32>| {
            let mut slots = queue.iter().filter_map(|&index| self.slots.get(index as usize));
            slots.find_map(|slot| slot.socket.as_ref()).map(|socket| socket.since)
        };
        self.ready.iter().filter_map(first).filter(|&since| since != Time::ZERO).min()
    }

    /// Classes in which readiness may wait.
    #[inline]
    pub(crate) fn waiting(&self) -> Classes {
        self.waiting
    }

    /// How many sockets of `class` have readiness noted.
    #[inline]
    pub(crate) fn len(&self, class: Class) -> usize {
        self.ready[class.index()].len()
    }

    /// Every socket, to be watched anew or no more: its name, endpoint, registration and interest.
    pub(crate) fn each(
        &mut self,
    ) -> impl Iterator<Item = (SocketId, &Endpoint, &mut u64, Interest)> {
        let owner = self.owner;
        self.slots.iter_mut().enumerate().filter_map(move |(index, slot)| {
            let generation = slot.generation;
            let id = SocketId(Key::new(owner, index as u32, generation));
            let socket = slot.socket.as_mut()?;
            socket.suspended = false;
            Some((id, &socket.endpoint, &mut socket.registration, socket.interest))
        })
    }

    /// All that exist.
    pub(crate) fn describe(&self, driver: &dyn Driver) -> impl Iterator<Item = SocketStats> {
        (0u32..).zip(&self.slots).filter_map(|(number, slot)| {
            let socket = slot.socket.as_ref()?;
            let endpoint = &socket.endpoint;
            Some(SocketStats {
                number,
                class: socket.class,
                is_file: matches!(endpoint, Endpoint::File(_)),
                descriptor: endpoint.descriptor(),
                local: driver.local_addr(endpoint).ok(),
                peer: driver.peer_addr(endpoint).ok(),
                interest: socket.interest,
                ready: slot.queued,
                unread: driver.unread(endpoint).ok(),
            })
        })
    }

    /// Sockets that exist.
    pub(crate) fn count(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    fn socket(&self, id: SocketId) -> io::Result<&Socket> {
        let slot = self.slots.get(id.0.index() as usize).ok_or_else(unknown)?;
        if slot.generation != id.0.generation() || id.0.owner != self.owner {
            return Err(unknown());
        }
        slot.socket.as_ref().ok_or_else(unknown)
    }

    fn socket_mut(&mut self, id: SocketId) -> io::Result<&mut Socket> {
        let slot = self.slot_mut(id)?;
        slot.socket.as_mut().ok_or_else(unknown)
    }

    fn slot_mut(&mut self, id: SocketId) -> io::Result<&mut Slot> {
        let slot = self.slots.get_mut(id.0.index() as usize).ok_or_else(unknown)?;
        let known = slot.generation == id.0.generation() && id.0.owner == self.owner;
        if known { Ok(slot) } else { Err(unknown()) }
    }
}

fn unknown() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "no such socket in this loop")
}
