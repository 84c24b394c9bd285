//! How long handlers took, waited and were late, as a part of a row: `show threads all`, `show loops all`.

use dunlin_runtime::{Histogram, Timings, Worst};

use super::super::output::Output;
use super::json::Json;
use super::table::{Cell, Column, column, write_members};
use super::worst::View;

/// The columns, behind those that say whose they are.
pub(in super::super) const COLUMNS: [Column; 16] = [
    column("Count", "count", -9),
    column("Run", "run_ns", -9),
    column("p50", "run_p50_ns", -9),
    column("p99", "run_p99_ns", -9),
    column("p99.9", "run_p999_ns", -9),
    column("Max", "run_max_ns", -9),
    column("Waited", "wait_count", -9),
    column("p50", "wait_p50_ns", -9),
    column("p99", "wait_p99_ns", -9),
    column("p99.9", "wait_p999_ns", -9),
    column("Max", "wait_max_ns", -9),
    column("Timers", "late_count", -9),
    column("Late p50", "late_p50_ns", -9),
    column("p99", "late_p99_ns", -9),
    column("p99.9", "late_p999_ns", -9),
    column("Max", "late_max_ns", -9),
];

/// What stands in them.
pub(in super::super) fn cells(timings: &Timings) -> Vec<Cell> {
    let Timings { run, wait, late } = timings;
    let mut cells = vec![Cell::count(run.spans.count()), Cell::Span(run.spans.sum())];
    cells.extend(quantiles(&run.spans, run.worst));
    for profile in [wait, late] {
        cells.push(Cell::count(profile.spans.count()));
        cells.extend(quantiles(&profile.spans, profile.worst));
    }
    cells
}

/// Median, p99, p99.9 and the longest of spans; nothing if there are none.
pub(super) fn quantiles(spans: &Histogram, worst: Option<Worst>) -> [Cell; 4] {
    if spans.count() == 0 {
        return [const { Cell::None }; 4];
    }
    // The maximum is exact, and a bucket reaches beyond it.
    let most = worst.map_or_else(Default::default, |worst| worst.span);
    let share = |share| Cell::Span(spans.per_mille(share).min(most));
    [share(500), share(990), share(999), Cell::Span(most)]
}

/// The worst of each kind, and what it is called for people and for programs.
pub(in super::super) fn worst(
    timings: &Timings,
) -> [(&'static str, &'static str, Option<Worst>); 3] {
    let Timings { run, wait, late } = timings;
    [
        ("longest run", "longest_run", run.worst),
        ("longest wait", "longest_wait", wait.worst),
        ("latest timer", "latest", late.worst),
    ]
}

/// The worst of each kind, for people.
pub(in super::super) fn lines(view: &View<'_>, timings: &Timings, output: &mut Output) {
    for (what, _, worst) in worst(timings) {
        view.line(what, worst, output);
    }
}

/// All of it as members of the open object.
pub(in super::super) fn json(
    view: &View<'_>,
    timings: &Timings,
    json: &mut Json,
    output: &mut Output,
) {
    write_members(&COLUMNS, &cells(timings), json, output);
    for (_, key, worst) in worst(timings) {
        view.json(key, worst, json, output);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_for_each_column_and_no_key_twice() {
        assert_eq!(cells(&Timings::default()).len(), COLUMNS.len());
        let mut keys: Vec<_> = COLUMNS.iter().map(|column| column.key).collect();
        keys.extend(worst(&Timings::default()).map(|(_, key, _)| key));
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }
}
