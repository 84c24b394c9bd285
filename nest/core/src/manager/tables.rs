//! Which id a table has.

use std::sync::Arc;

use dunlin_net::NetType;
use dunlin_net::hash::Map;
use dunlin_rib::TableId;

use crate::config::TableConfig;
use crate::protocol::{TableEntry, Tables};

/// Gives tables ids and remembers them as long as they exist.
#[derive(Debug, Default)]
pub(super) struct TableIds {
    list: Vec<TableEntry>,
}

impl TableIds {
    /// Makes room for tables that are new in a configuration, and returns those. A table whose
    /// type has changed is new.
    pub(super) fn add(&mut self, wanted: &[TableConfig]) -> Vec<TableEntry> {
        let mut added = Vec::new();
        for config in wanted {
            if self.list.iter().any(|table| same(table, config)) {
                continue;
            }
            let Some(id) = self.free_id() else { continue };
            let entry = TableEntry { name: config.name.clone(), id, net_type: config.net_type };
            self.list.push(entry.clone());
            added.push(entry);
        }
        added
    }

    /// Forgets tables that are not in the configuration any more, and returns those.
    pub(super) fn remove(&mut self, wanted: &[TableConfig]) -> Vec<TableEntry> {
        let (keep, gone) = core::mem::take(&mut self.list)
            .into_iter()
            .partition(|table| wanted.iter().any(|config| same(table, config)));
        self.list = keep;
        gone
    }

    /// The tables of a configuration, in its order.
    pub(super) fn view(&self, wanted: &[TableConfig]) -> Arc<Tables> {
        let known: Map<(&str, NetType), &TableEntry> =
            self.list.iter().map(|table| ((&*table.name, table.net_type), table)).collect();
        let list = wanted.iter().filter_map(|config| {
            known.get(&(&*config.name, config.net_type)).map(|table| TableEntry::clone(table))
        });
        Arc::new(Tables::new(list.collect()))
    }

    fn free_id(&self) -> Option<TableId> {
        (0..u16::MAX).map(TableId).find(|id| self.list.iter().all(|table| table.id != *id))
    }
}

fn same(table: &TableEntry, config: &TableConfig) -> bool {
    table.name == config.name && table.net_type == config.net_type
}

#[cfg(test)]
mod tests {
    use super::TableIds;
    use crate::config::TableConfig;
    use dunlin_net::NetType;
    use dunlin_rib::TableId;
    use std::sync::Arc;

    fn table(name: &str, net_type: NetType) -> TableConfig {
        TableConfig::new(Arc::from(name), net_type)
    }

    #[test]
    fn ids_stay_and_are_reused() {
        let mut ids = TableIds::default();
        let first = [table("a", NetType::Ip4), table("b", NetType::Ip4)];
        assert_eq!(ids.add(&first).len(), 2);
        let second = [table("b", NetType::Ip4), table("c", NetType::Ip6)];
        assert_eq!(ids.add(&second).len(), 1);
        assert_eq!(ids.remove(&second).len(), 1);
        assert_eq!(ids.view(&second).id("b"), Some(TableId(1)));
        assert_eq!(ids.view(&second).id("c"), Some(TableId(2)));
        assert_eq!(ids.add(&[table("d", NetType::Ip4)])[0].id, TableId(0));
    }
}
