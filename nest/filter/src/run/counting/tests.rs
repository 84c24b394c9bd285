use std::sync::Arc;

use dunlin_attr::{AttrsBuilder, Rts};

use super::*;
use crate::{
    input::{RouteInput, Silent},
    parse::tests::parse,
    program::ChannelFilter,
    run::{Scratch, apply},
};

const TEXT: &str = "function is_small(prefix p) -> bool
{
  if p.len > 24 then return true;
  return false;
}
filter f {
  int n;
  if is_small(net) then reject;
  if net.len = 10 then n = 10 / (net.len - 10);
  for int i in +empty+ do bgp_med = i;
  if net.len = 20 then
    accept;
  bgp_med = 7; if net.len > 20 then accept;
}
import filter f;";

fn program(text: &str) -> Arc<Program> {
    let (_, mut filters) = parse(text);
    match filters.pop() {
        Some(ChannelFilter::Program(program)) => program,
        other => panic!("{other:?}"),
    }
}

/// Runs a filter over networks of these lengths.
fn run_over(program: &Arc<Program>, scratch: &mut Scratch, lengths: &[u8]) {
    let attrs = AttrsBuilder::new(Rts::Static).finish();
    let filter = ChannelFilter::Program(Arc::clone(program));
    for length in lengths {
        let input = RouteInput::new(format!("0.0.0.0/{length}").parse().unwrap(), &attrs, "peer1");
        apply(&filter, scratch, &input, &mut Silent);
    }
}

/// Line, runs, accepted, rejected, failed.
fn lines(counted: &Counted) -> Vec<[u64; 5]> {
    let row = |line: &CountedLine| {
        let Counts { runs, accepted, rejected, failed } = line.counts;
        [u64::from(line.line), runs, accepted, rejected, failed]
    };
    counted.lines.iter().map(row).collect()
}

#[test]
fn lines_have_their_runs_and_ends() {
    let program = program(TEXT);
    let mut scratch = Scratch::default();
    scratch.count(true);
    run_over(&program, &mut scratch, &[10, 15, 20, 20, 24, 25, 32]);
    let counters = scratch.counters().unwrap();
    let counted = counters.of_program(&program);
    assert_eq!(counted.total, Counts { runs: 7, accepted: 3, rejected: 2, failed: 2 });
    assert_eq!(
        lines(&counted),
        [
            [8, 7, 0, 2, 0],
            [9, 5, 0, 0, 1],
            [10, 4, 0, 0, 0],
            [11, 4, 0, 0, 0],
            [12, 2, 2, 0, 0],
            [13, 2, 1, 0, 0],
        ]
    );
    let function = &program.written().functions[0];
    let counted = counters.of_function(function);
    assert_eq!(counted.total, Counts { runs: 7, ..Counts::default() });
    assert_eq!(lines(&counted), [[3, 7, 0, 0, 0], [4, 5, 0, 0, 0]]);
}

#[test]
fn counters_of_loops_add_up_and_those_of_equal_filters_are_one() {
    let (one, other) =
        (program(TEXT), program(&format!("\n\n{TEXT}").replace("filter f", "filter g")));
    let (mut first, mut second) = (Scratch::default(), Scratch::default());
    first.count(true);
    second.count(true);
    run_over(&one, &mut first, &[20, 30]);
    run_over(&other, &mut second, &[20, 24]);
    let mut sum = Counters::default();
    sum.add(first.counters().unwrap());
    sum.add(second.counters().unwrap());
    let (of_one, of_other) = (sum.of_program(&one), sum.of_program(&other));
    assert_eq!(of_one.total, Counts { runs: 4, accepted: 3, rejected: 1, failed: 0 });
    assert_eq!(of_one.total, of_other.total);
    // The same lines, where each has them.
    assert_eq!(lines(&of_one)[0], [8, 4, 0, 1, 0]);
    assert_eq!(lines(&of_other)[0], [10, 4, 0, 1, 0]);
}

#[test]
fn filters_that_run_otherwise_than_they_are_written_are_counted_apart() {
    const SETUP: &str =
        "define LIMIT = 8; function is_odd() -> bool { return net.len = LIMIT + 1; }";
    let one = program(&format!(
        "{SETUP} filter f {{ if is_odd() then reject; if LIMIT > 7 then accept; reject; }} import filter f;"
    ));
    let other = program(&format!(
        "{SETUP} filter g {{ int n = 2 * LIMIT; if net.len > n then accept; reject; }} import filter g;"
    ));
    assert!(one.written.is_some() && other.written.is_some());
    let mut scratch = Scratch::default();
    scratch.count(true);
    run_over(&one, &mut scratch, &[9, 10, 20]);
    run_over(&other, &mut scratch, &[9, 20]);
    let counters = scratch.counters().unwrap();
    let total = |program: &Program| counters.of_program(program).total;
    assert_eq!(total(&one), Counts { runs: 3, accepted: 2, rejected: 1, failed: 0 });
    assert_eq!(total(&other), Counts { runs: 2, accepted: 1, rejected: 1, failed: 0 });
}

#[test]
fn nothing_is_counted_unless_asked_for() {
    let program = program(TEXT);
    let mut scratch = Scratch::default();
    run_over(&program, &mut scratch, &[20]);
    assert!(scratch.counters().is_none());
    scratch.count(true);
    run_over(&program, &mut scratch, &[20]);
    // A second time changes nothing.
    scratch.count(true);
    assert_eq!(scratch.counters().unwrap().of_program(&program).total.runs, 1);
    scratch.count(false);
    assert!(scratch.counters().is_none());
    scratch.count(true);
    let counted = scratch.counters().unwrap().of_program(&program);
    assert_eq!(counted.total, Counts::default());
    // Lines that never ran are there, with nothing.
    assert_eq!(lines(&counted).len(), 6);
}
