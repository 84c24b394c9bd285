//! The tables of a slice: found by id, of any net type; what ends every change of one.

use dunlin_net::{Aspa, NetType, Prefix4, Prefix6, Roa4, Roa6};

use super::Slice;
use super::exports::{Slot, Trailer};
use super::jobs::Task;
use super::message::{Pipe, SliceStatistics, TableStatistics};
use super::table::{Env, Table};
use crate::export::{Exporter, ExporterKind};
use crate::{ExporterId, PipeId, TableId};

/// A table of any net type.
#[derive(Debug)]
pub(super) enum AnyTable {
    V4(Table<Prefix4>),
    V6(Table<Prefix6>),
    Roa4(Table<Roa4>),
    Roa6(Table<Roa6>),
    Aspa(Table<Aspa>),
}

/// Runs the same code on whichever table it is.
macro_rules! with_table {
    ($any:expr, $table:ident => $body:expr) => {
        match $any {
            AnyTable::V4($table) => $body,
            AnyTable::V6($table) => $body,
            AnyTable::Roa4($table) => $body,
            AnyTable::Roa6($table) => $body,
            AnyTable::Aspa($table) => $body,
        }
    };
}
pub(super) use with_table;

/// Puts what has changed in a table into those that its pipes lead to, which are of its type.
macro_rules! pass_on {
    ($($kind:ident)*; $tables:ident, $id:ident, $waiting:ident, $env:ident) => {
        match find($tables, $id) {
            $(Some(AnyTable::$kind(table)) if !table.piped.is_empty() => {
                for op in table.run_pipes($env) {
                    let target = target_of($tables, op.pipe);
                    if let Some(AnyTable::$kind(other)) = target.and_then(|id| find($tables, id)) {
                        other.apply_from_pipe(&op, $env);
                        $waiting.extend(target.filter(|id| !$waiting.contains(id)));
                    }
                }
            })*
            _ => {}
        }
    };
}

pub(super) fn find(tables: &mut [Option<AnyTable>], id: TableId) -> Option<&mut AnyTable> {
    tables.get_mut(usize::from(id.0))?.as_mut()
}

/// Decides what a table's changes mean, sends deltas, and carries on through pipes.
pub(super) fn finish(
    tables: &mut [Option<AnyTable>],
    id: TableId,
    trailer: &Trailer,
    env: &mut Env<'_>,
) {
    let mut waiting = vec![id];
    let mut trailer = *trailer;
    while let Some(id) = waiting.pop() {
        let Some(table) = find(tables, id) else { continue };
        with_table!(table, t => {
            t.pipes.flush();
            t.decide_all(env);
            t.exports.send(env, &trailer, None);
        });
        trailer = Trailer { again: trailer.again, ..Trailer::default() };
        pass_on!(V4 V6 Roa4 Roa6 Aspa; tables, id, waiting, env);
    }
}

/// The table that a pipe puts into.
fn target_of(tables: &[Option<AnyTable>], pipe: PipeId) -> Option<TableId> {
    let has = |table: &&AnyTable| with_table!(table, t => t.pipes.inward_index(pipe).is_some());
    let table = tables.iter().flatten().find(has)?;
    Some(with_table!(table, t => t.id))
}

impl Slice {
    pub(super) fn add_table(&mut self, id: TableId, net_type: NetType) {
        let table = match net_type {
            NetType::Ip4 => AnyTable::V4(Table::new(id)),
            NetType::Ip6 => AnyTable::V6(Table::new(id)),
            NetType::Roa4 => AnyTable::Roa4(Table::new(id)),
            NetType::Roa6 => AnyTable::Roa6(Table::new(id)),
            NetType::Aspa => AnyTable::Aspa(Table::new(id)),
            _ => return,
        };
        let index = usize::from(id.0);
        if self.tables.len() <= index {
            self.tables.resize_with(index + 1, || None);
        }
        self.tables[index] = Some(table);
    }

    /// Drops a table. Its sources are dead or will be swept elsewhere; the resolver is told that
    /// nobody here needs its answers.
    pub(super) fn remove_table(&mut self, id: TableId) {
        let Some(table) = self.tables.get_mut(usize::from(id.0)).and_then(Option::take) else {
            return;
        };
        with_table!(&table, t => self.forgets.extend(t.hops.keys()));
    }

    pub(super) fn add_exporter(&mut self, exporter: Exporter) {
        let id = exporter.table;
        let Some(table) = find(&mut self.tables, id) else { return };
        match exporter.kind {
            ExporterKind::Group => with_table!(table, t => t.exports.add_group(exporter)),
            ExporterKind::Follow => {
                let follower = exporter.id;
                with_table!(table, t => t.exports.followers.push(Slot::new(exporter)));
                self.add_job(Task::Follow(id, follower), None);
            }
        }
    }

    pub(super) fn remove_exporter(&mut self, exporter: ExporterId) {
        let mut left = None;
        let (tables, mut env) = self.parts();
        for table in tables.iter_mut().flatten() {
            with_table!(table, t => {
                t.drop_cursors(exporter, &mut env);
                if t.exports.remove(exporter) {
                    left = Some(t.id);
                }
            });
        }
        if let Some(id) = left {
            self.add_job(Task::Forget(id), None);
        }
    }

    pub(super) fn add_pipe(&mut self, pipe: Pipe) {
        let (from, to) = (pipe.from, pipe.to);
        if let Some(table) = find(&mut self.tables, to) {
            with_table!(table, t => t.pipes.add_inward(pipe.clone()));
        }
        if let Some(table) = find(&mut self.tables, from) {
            with_table!(table, t => t.pipes.add_out(pipe));
            self.add_job(Task::Repipe(from), None);
        }
    }

    pub(super) fn remove_pipe(&mut self, id: PipeId) {
        let mut sweeps = Vec::new();
        for table in self.tables.iter_mut().flatten() {
            with_table!(table, t => {
                t.pipes.remove_out(id);
                sweeps.extend(t.pipes.close_inward(id).map(|via| Task::Unpipe(t.id, via)));
            });
        }
        for sweep in sweeps {
            self.add_job(sweep, None);
        }
    }

    pub(super) fn watch(&mut self, id: TableId, address: std::net::IpAddr) {
        let (tables, mut env) = self.parts();
        if let Some(table) = find(tables, id) {
            with_table!(table, t => {
                t.watches.insert(address);
                t.report(address, &mut env);
            });
        }
    }

    pub(super) fn statistics(&self) -> SliceStatistics {
        let mut statistics = SliceStatistics::default();
        for table in self.tables.iter().flatten() {
            with_table!(table, t => {
                let (own, attributes) = t.memory();
                statistics.table_bytes += own;
                statistics.attribute_bytes += attributes;
                statistics.tables.push(TableStatistics {
                    id: t.id.0,
                    networks: t.nets.len(),
                    routes: t.routes.len(),
                    attribute_sets: t.sets.len(),
                });
            });
        }
        statistics
    }
}
