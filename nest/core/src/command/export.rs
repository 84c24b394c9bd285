//! `show export`

use std::sync::atomic::{AtomicU64, Ordering};

use dunlin_rib::registry::{GroupFigures, RegistryMessage};
use dunlin_runtime::{Class, Context};

use super::output::Output;
use super::session::{Desk, Payload, Step, Task};

/// Asks for all export groups, then shows how much each does for how many.
#[derive(Default)]
pub(super) struct ShowExport {
    asked: bool,
}

impl Task for ShowExport {
    fn step(
        &mut self,
        _cx: &mut Context<'_>,
        desk: &mut Desk,
        output: &mut Output,
        answer: Option<Payload>,
    ) -> Step {
        if !core::mem::replace(&mut self.asked, true) {
            let reply = desk.reply(Payload::Groups);
            let list = RegistryMessage::List(Box::new(move |groups| reply.send(groups)));
            // Without a registry the daemon is going down.
            let _ = desk.shared().rib.registry.send(Class::Bulk, list);
        }
        let Some(Payload::Groups(groups)) = answer else { return Step::Waiting };
        lines(desk, &groups, output);
        Step::Done
    }
}

/// The columns behind the name of the table.
const HEAD: [&str; 9] =
    ["Members", "Runs", "Reused", "Feeds", "UPDATEs", "Encoded", "Delivered", "Off log", "Back"];

fn lines(desk: &Desk, groups: &[GroupFigures], output: &mut Output) {
    output.row(1099, &row("Group", "Table", HEAD.map(str::to_owned)));
    let view = desk.shared().published();
    let mut total = [0; HEAD.len()];
    for group in groups {
        let table = view.tables.iter().find(|table| table.id == group.table);
        let figures = figures(group);
        for (sum, figure) in total.iter_mut().zip(figures) {
            *sum += figure;
        }
        let name = format!("{}", group.exporter.0);
        let table = table.map_or("---", |table| &table.name);
        output.row(1099, &row(&name, table, figures.map(|figure| figure.to_string())));
    }
    output.row(1099, &row("Total", "", total.map(|figure| figure.to_string())));
    output.last(0, "");
}

/// In the order of [`HEAD`].
fn figures(group: &GroupFigures) -> [u64; HEAD.len()] {
    let sharing = &group.sharing;
    [
        &sharing.members,
        &sharing.evaluations,
        &sharing.remembered,
        &sharing.feeds,
        &sharing.updates_encoded,
        &sharing.bytes_encoded,
        &sharing.bytes_delivered,
        &sharing.members_left_log,
        &sharing.members_back,
    ]
    .map(|count: &AtomicU64| count.load(Ordering::Relaxed))
}

fn row(group: &str, table: &str, cells: [String; HEAD.len()]) -> String {
    let [members, runs, reused, feeds, updates, encoded, delivered, off, back] = cells;
    format!(
        "{group:<6} {table:<10} {members:>7} {runs:>9} {reused:>11} {feeds:>6} {updates:>9} \
         {encoded:>12} {delivered:>14} {off:>7} {back:>7}"
    )
}
