//! The names of loops, kept by the watcher: a worker that is held up cannot be asked.

use std::{collections::HashMap, sync::Arc};

use crate::ids::LoopId;

#[derive(Debug, Default)]
pub(super) struct Names(HashMap<LoopId, Arc<str>>);

impl Names {
    pub(super) fn came(&mut self, loop_id: LoopId, name: Arc<str>) {
        self.0.insert(loop_id, name);
    }

    pub(super) fn went(&mut self, loop_id: LoopId) {
        self.0.remove(&loop_id);
        if self.0.len() * 4 < self.0.capacity() {
            self.0.shrink_to(self.0.len() * 2);
        }
    }

    pub(super) fn of(&self, loop_id: LoopId) -> Option<&str> {
        self.0.get(&loop_id).map(AsRef::as_ref)
    }
}
