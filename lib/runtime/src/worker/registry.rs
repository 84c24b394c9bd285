//! Which socket of which loop a poller key stands for.

use std::io;

use crate::ids::SocketId;

/// Registrations of a worker. A key carries the generation of its slot, so readiness reported for
/// a socket that has gone reaches nobody.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    /// The loop's slot with the worker, and the socket's name in the loop.
    target: Option<(u32, SocketId)>,
}

impl Registry {
    pub(crate) fn add(&mut self, slot: u32, socket: SocketId) -> io::Result<u64> {
        let target = Some((slot, socket));
        if let Some(index) = self.free.pop()
            && let Some(old) = self.slots.get_mut(index as usize)
        {
            old.target = target;
            return Ok(key(index, old.generation));
        }
        let index = u32::try_from(self.slots.len())
            .ok()
            .filter(|&index| index < u32::MAX)
            .ok_or_else(|| io::Error::other("too many sockets on one worker"))?;
        self.slots.push(Slot { generation: 0, target });
        Ok(key(index, 0))
    }

    pub(crate) fn remove(&mut self, key: u64) {
        let (index, generation) = (key as u32, (key >> 32) as u32);
        if let Some(slot) = self.slots.get_mut(index as usize)
            && slot.generation == generation
            && slot.target.take().is_some()
        {
            // 31 bits: the key of the worker's own waker has the highest bit set.
            slot.generation = (generation + 1) & 0x7fff_ffff;
            self.free.push(index);
        }
    }

    pub(crate) fn find(&self, key: u64) -> Option<(u32, SocketId)> {
        let slot = self.slots.get(key as u32 as usize)?;
        if slot.generation == (key >> 32) as u32 { slot.target } else { None }
    }
}

const fn key(index: u32, generation: u32) -> u64 {
    (generation as u64) << 32 | index as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_key_finds_nobody() {
        let mut registry = Registry::default();
        let old = registry.add(1, SocketId::NONE).unwrap();
        registry.remove(old);
        let new = registry.add(2, SocketId::NONE).unwrap();
        assert_eq!(registry.find(old), None);
        registry.remove(old);
        assert_eq!(registry.find(new), Some((2, SocketId::NONE)));
    }
}
