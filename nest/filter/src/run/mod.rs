//! Runs programs.
//!
//! Evaluation walks the tree, or goes over its operations if it is flat. Values live in the arena of
//! the run or are borrowed from the route and the program; changes of attributes are collected beside
//! the route, so nothing that was read changes under the run, and applied only if the route is accepted.

mod attributes;
mod changes;
mod cohort;
mod counting;
mod explaining;
mod expression;
mod extra;
mod flat;
mod hops;
mod kept;
mod lists;
mod quick;
mod statement;
mod suite;
mod tracer;
mod validation;

use std::{cell::Cell, fmt::Write, sync::Arc};

use bumpalo::Bump;
use dunlin_attr::{Attrs, AttrsBuilder, Rts};
use dunlin_net::as_path::Mask;
use smallvec::SmallVec;

pub use self::cohort::Cohort;
pub(crate) use self::suite::run_suite;
pub use self::{
    counting::{Counted, CountedLine, Counters, Counts},
    explaining::explain,
    tracer::What,
};

use self::{
    kept::Kept,
    lists::Lists,
    tracer::{Tracer, Untraced},
};
use crate::{
    attribute::Attribute,
    code::{Code, List, NodeId},
    errors::{ErrorLog, Errors},
    input::{RouteInput, RunError, Seen, Sink, Validation, Verdict},
    ops::{self, Fault},
    program::{ChannelFilter, Program},
    set::Set,
    suite::Report,
    value::{Constant, Value},
};

/// The arena is replaced when it has grown beyond this.
const MAX_ARENA: usize = 256 << 10;

/// How deep evaluation may nest: expressions, blocks and calls together.
const MAX_DEPTH: u32 = 400;

/// How many calls and rounds of loops one run may make. A function that calls itself twice would go on
/// for ever at any depth.
const MAX_TURNS: u32 = 1 << 20;

/// How long a line that is being printed may get; the rest is on the next.
const MAX_LINE: usize = 64 << 10;

/// What runs make that owns memory.
#[derive(Debug, Default)]
struct Keep {
    masks: Kept<Mask>,
    sets: Kept<Set>,
}

/// What runs need and keep from one to the next. One for each loop.
#[derive(Debug)]
pub struct Scratch {
    bump: Bump,
    kept: Keep,
    builder: AttrsBuilder,
    /// The set that was made last: routes with equal attributes often come one after the other, and
    /// get the same.
    made: Option<Arc<Attrs>>,
    text: String,
    seen: Seen,
    /// Counts of runs, if they are wanted.
    counters: Option<Box<Counters>>,
    /// Calls and rounds of loops in the last evaluation of an expression.
    pub(crate) turns: u32,
    /// How many one may make.
    pub(crate) most_turns: u32,
    /// Errors of runs on their way to the log.
    errors: Errors,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            bump: Bump::new(),
            kept: Keep::default(),
            builder: AttrsBuilder::new(Rts::Static),
            made: None,
            text: String::new(),
            seen: Seen::default(),
            counters: None,
            turns: 0,
            most_turns: MAX_TURNS,
            errors: Errors::default(),
        }
    }
}

impl Scratch {
    /// Bytes that the scratch holds between runs.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.bump.allocated_bytes() + self.text.capacity()
    }

    /// What the last run looked at.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.seen
    }

    /// Forgets what the last run looked at: who may not run anything knows then what was looked at
    /// since.
    pub fn look_away(&mut self) {
        self.seen = Seen::default();
    }

    /// Has a run's error written to the log, unless there were too many in this second.
    pub fn report(&mut self, error: &RunError, log: &dyn ErrorLog) {
        self.errors.report(error, log);
    }

    /// It is now so many seconds after some moment. How many errors were left out in one that is over is
    /// written.
    pub fn at_second(&mut self, second: u64) {
        self.errors.at_second(second);
    }

    /// Whether errors were left out of which the log does not know yet.
    #[must_use]
    pub fn leaves_out_errors(&self) -> bool {
        self.errors.owes()
    }

    /// Writes how many errors were left out, if any were.
    pub fn settle_errors(&mut self) {
        self.errors.settle();
    }

    /// Begins to count what runs do, from nothing, or stops and forgets. Who counts goes on counting.
    pub fn count(&mut self, on: bool) {
        match on {
            true => _ = self.counters.get_or_insert_default(),
            false => self.counters = None,
        }
    }

    /// Counts nothing until [`count_again`](Self::count_again) is given what this gives.
    #[must_use]
    pub fn stop_counting(&mut self) -> Option<Box<Counters>> {
        self.counters.take()
    }

    /// Goes on counting, if anything was counted.
    pub fn count_again(&mut self, counters: Option<Box<Counters>>) {
        self.counters = counters;
    }

    /// What has been counted, if anything is.
    #[must_use]
    pub fn counters(&self) -> Option<&Counters> {
        self.counters.as_deref()
    }

    fn reset(&mut self) {
        self.kept = Keep::default();
        if self.bump.allocated_bytes() > MAX_ARENA {
            self.bump = Bump::new();
        } else {
            self.bump.reset();
        }
    }
}

/// Runs what a channel has for a route.
pub fn apply(
    filter: &ChannelFilter,
    scratch: &mut Scratch,
    input: &RouteInput<'_>,
    sink: &mut dyn Sink,
) -> Verdict {
    apply_for(filter, None, scratch, input, sink)
}

/// As [`apply`], for all of a cohort: which of the others come to the same is in it then. The filter has
/// to be the one that the cohort was told of.
pub fn apply_for(
    filter: &ChannelFilter,
    cohort: Option<&mut Cohort>,
    scratch: &mut Scratch,
    input: &RouteInput<'_>,
    sink: &mut dyn Sink,
) -> Verdict {
    scratch.look_away();
    match filter {
        ChannelFilter::Accept => Verdict::Accept(None),
        ChannelFilter::Reject => Verdict::Reject,
        ChannelFilter::Program(program) => run_for(program, cohort, scratch, input, sink),
    }
}

/// Runs a filter over a route. What it prints goes to the sink, line by line.
pub fn run(
    program: &Program,
    scratch: &mut Scratch,
    input: &RouteInput<'_>,
    sink: &mut dyn Sink,
) -> Verdict {
    run_for(program, None, scratch, input, sink)
}

fn run_for(
    program: &Program,
    cohort: Option<&mut Cohort>,
    scratch: &mut Scratch,
    input: &RouteInput<'_>,
    sink: &mut dyn Sink,
) -> Verdict {
    if scratch.counters.is_some() {
        return run_counted(program, cohort, scratch, input, sink);
    }
    let verdict = run_in(program, cohort, scratch, input, sink, &mut Untraced);
    scratch.reset();
    verdict
}

/// Each counts for itself, so the run of one stands for no others of its cohort.
#[cold]
fn run_counted(
    program: &Program,
    cohort: Option<&mut Cohort>,
    scratch: &mut Scratch,
    input: &RouteInput<'_>,
    sink: &mut dyn Sink,
) -> Verdict {
    if let Some(cohort) = cohort {
        cohort.part();
    }
    let mut counters = scratch.counters.take().unwrap_or_default();
    let verdict = run_in(program, None, scratch, input, sink, &mut *counters);
    counters.ran(program.written(), &verdict);
    scratch.counters = Some(counters);
    scratch.reset();
    verdict
}

fn run_in<'s, T: Tracer>(
    program: &'s Program,
    cohort: Option<&mut Cohort>,
    scratch: &'s mut Scratch,
    input: &'s RouteInput<'s>,
    sink: &mut dyn Sink,
    tracer: &mut T,
) -> Verdict {
    let Scratch { bump, kept, builder, made, text, seen, .. } = scratch;
    let mut machine = Machine::new(Some(input), bump, kept, text, sink, tracer);
    let code = if T::WRITTEN { program.written() } else { &program.code };
    machine.cohort = cohort.filter(|cohort| cohort.runs(code));
    let slots = machine.slots(code);
    let mut frame = Frame { code, slots };
    machine.tracer.enter(code);
    let stop = machine.execute_all(&mut frame);
    machine.flush(code, code.body);
    let verdict = match stop {
        Err(Stop::Accept) => machine.finish(builder, made),
        Err(Stop::Reject) => Verdict::Reject,
        Err(Stop::Fault) => Verdict::Error(machine.failure()),
        Ok(()) | Err(Stop::Return) => {
            let name = program.name().map_or("(unnamed)", |name| name);
            let message =
                format!("Filter {name} did not return accept nor reject. Make up your mind");
            Verdict::Error(RunError { line: 0, message })
        }
    };
    *seen = machine.seen.get();
    if matches!(verdict, Verdict::Error(_)) {
        *seen = seen.and(Seen::FAILED);
    }
    if seen.has(Seen::PRINTED.and(Seen::FAILED))
        && let Some(cohort) = machine.cohort
    {
        // What it says has to be said by each.
        cohort.part();
    }
    verdict
}

/// Evaluates an expression without a route.
pub(crate) fn evaluate_code(
    code: &Code,
    scratch: &mut Scratch,
    validation: Option<&dyn Validation>,
    sink: &mut dyn Sink,
) -> Result<Constant, RunError> {
    let result = {
        let Scratch { bump, kept, text, turns, most_turns, .. } = &mut *scratch;
        let bump: &Bump = bump;
        let mut untraced = Untraced;
        let mut machine = Machine::new(None, bump, kept, text, sink, &mut untraced);
        machine.validation = validation;
        machine.most_turns = *most_turns;
        let slots = machine.slots(code);
        let mut frame = Frame { code, slots };
        let value = machine.evaluate(&mut frame, code.body);
        machine.flush(code, code.body);
        *turns = machine.turns;
        match value {
            Ok(value) => Ok(value.to_constant()),
            Err(_) => Err(machine.failure()),
        }
    };
    scratch.reset();
    result
}

/// Why evaluation does not go on. What belongs to it is in the machine, so that the results of
/// every step stay small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Accept,
    Reject,
    Return,
    Fault,
}

type Evaluated<'s> = Result<Value<'s>, Stop>;
type Executed = Result<(), Stop>;

/// The code that runs and its variables.
struct Frame<'s> {
    code: &'s Code,
    slots: &'s mut [Value<'s>],
}

/// One run.
struct Machine<'s, 'io, T> {
    input: Option<&'s RouteInput<'s>>,
    /// What ROA and ASPA tables say, where there is no route.
    validation: Option<&'s dyn Validation>,
    bump: &'s Bump,
    kept: &'s Keep,
    /// Changes, one for each attribute; void for those that were removed.
    changes: SmallVec<[(&'s Attribute, Value<'s>); 8]>,
    /// [`Attribute::bit`] of all that were changed.
    touched: u64,
    /// The path and the lists of communities as they are now.
    lists: Lists<'s>,
    text: &'io mut String,
    sink: &'io mut dyn Sink,
    /// Is told what happens.
    tracer: &'io mut T,
    depth: u32,
    /// Calls and rounds of loops so far, and at most.
    turns: u32,
    most_turns: u32,
    seen: Cell<Seen>,
    /// What a function returned, while it is on its way to the caller.
    returned: Value<'s>,
    error: Option<RunError>,
    /// Others that differ from what runs only in constants.
    cohort: Option<&'io mut Cohort>,
    /// In a test: what its assertions found.
    checks: Option<Report>,
}

impl<'s, 'io, T: Tracer> Machine<'s, 'io, T> {
    fn new(
        input: Option<&'s RouteInput<'s>>,
        bump: &'s Bump,
        kept: &'s Keep,
        text: &'io mut String,
        sink: &'io mut dyn Sink,
        tracer: &'io mut T,
    ) -> Self {
        text.clear();
        Self {
            input,
            validation: None,
            bump,
            kept,
            changes: SmallVec::new(),
            touched: 0,
            lists: Lists::default(),
            text,
            sink,
            tracer,
            depth: 0,
            turns: 0,
            most_turns: MAX_TURNS,
            seen: Cell::new(Seen::default()),
            returned: Value::Void,
            error: None,
            cohort: None,
            checks: None,
        }
    }

    /// The variables of a function, all void.
    fn slots(&self, code: &Code) -> &'s mut [Value<'s>] {
        if code.slots == 0 {
            return &mut [];
        }
        self.bump.alloc_slice_fill_copy(usize::from(code.slots), Value::Void)
    }

    /// Counts one level of nesting; every `Ok` is followed by a `leave`.
    fn enter(&mut self, frame: &Frame<'s>, node: NodeId) -> Executed {
        if self.depth >= MAX_DEPTH {
            return Err(self.stop(frame, node, Fault::from("Filters execution stack overflow")));
        }
        self.depth += 1;
        Ok(())
    }

    /// Counts a call or a round of a loop.
    fn turn(&mut self, frame: &Frame<'s>, node: NodeId) -> Executed {
        self.turns += 1;
        if self.turns > self.most_turns {
            return Err(self.stop(frame, node, Fault::from("Too many calls and loops in one run")));
        }
        ops::room(self.bump).map_err(|fault| self.stop(frame, node, fault))
    }

    /// Notes that the run has looked at something.
    fn saw(&self, what: Seen) {
        self.seen.set(self.seen.get().and(what));
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Remembers what went wrong, and where.
    #[cold]
    fn stop(&mut self, frame: &Frame<'s>, node: NodeId, fault: Fault) -> Stop {
        let message = fault.0.into_owned();
        self.tracer.fault(frame.code, node, &message);
        self.error = Some(RunError { line: frame.code.line(node), message });
        Stop::Fault
    }

    /// What went wrong.
    fn failure(&mut self) -> RunError {
        let nothing = || RunError { line: 0, message: "No value".to_owned() };
        self.error.take().unwrap_or_else(nothing)
    }

    /// Prints values, without ending the line.
    fn print(&mut self, frame: &mut Frame<'s>, list: List) -> Executed {
        let code = frame.code;
        let wanted = list.len > 0 && (T::VALUES || self.sink.wants_lines());
        for node in code.operands(list) {
            // What fails here fails unseen, too.
            let value = self.evaluate(frame, *node)?;
            self.saw(Seen::PRINTED);
            if !wanted {
                continue;
            }
            // Writing to a string cannot fail.
            let _ = write!(self.text, "{value}");
            if self.text.len() > MAX_LINE {
                self.flush(code, *node);
            }
        }
        Ok(())
    }

    /// Ends the line, if one was begun.
    fn flush(&mut self, code: &Code, node: NodeId) {
        if !self.text.is_empty() {
            self.tracer.printed(code, node, self.text);
            self.sink.line(self.text);
            self.text.clear();
        }
    }
}

#[cfg(test)]
mod tests;
