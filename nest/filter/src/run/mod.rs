//! Runs programs.
//!
//! Evaluation walks the tree. Values live in the arena of the run or are borrowed from the route
//! and the program; changes of attributes are collected beside the route, so nothing that was read
//! changes under the run, and applied only if the route is accepted.

mod attributes;
mod changes;
mod expression;
mod extra;
mod kept;
mod statement;

use std::fmt::Write;

use bumpalo::Bump;
use dunlin_attr::{AttrsBuilder, Rts};
use dunlin_net::as_path::Mask;
use smallvec::SmallVec;

use self::kept::Kept;
use crate::{
    attribute::Attribute,
    code::{Code, List, NodeId},
    input::{RouteInput, RunError, Sink, Verdict},
    ops::Fault,
    program::{ChannelFilter, Program},
    set::Set,
    value::{Constant, Value},
};

/// The arena is replaced when it has grown beyond this.
const MAX_ARENA: usize = 256 << 10;

/// How deep evaluation may nest: expressions, blocks and calls together.
const MAX_DEPTH: u32 = 400;

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
    text: String,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            bump: Bump::new(),
            kept: Keep::default(),
            builder: AttrsBuilder::new(Rts::Static),
            text: String::new(),
        }
    }
}

impl Scratch {
    /// Bytes that the scratch holds between runs.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.bump.allocated_bytes() + self.text.capacity()
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
    match filter {
        ChannelFilter::Accept => Verdict::Accept(None),
        ChannelFilter::Reject => Verdict::Reject,
        ChannelFilter::Program(program) => run(program, scratch, input, sink),
    }
}

/// Runs a filter over a route. What it prints goes to the sink, line by line.
pub fn run(
    program: &Program,
    scratch: &mut Scratch,
    input: &RouteInput<'_>,
    sink: &mut dyn Sink,
) -> Verdict {
    let verdict = run_in(program, scratch, input, sink);
    scratch.reset();
    verdict
}

fn run_in<'s>(
    program: &'s Program,
    scratch: &'s mut Scratch,
    input: &'s RouteInput<'s>,
    sink: &mut dyn Sink,
) -> Verdict {
    let Scratch { bump, kept, builder, text } = scratch;
    let mut machine = Machine::new(Some(input), bump, kept, text, sink);
    let code = &program.code;
    let slots = bump.alloc_slice_fill_copy(usize::from(code.slots), Value::Void);
    let mut frame = Frame { code, slots };
    let stop = machine.execute(&mut frame, code.body);
    machine.flush();
    match stop {
        Err(Stop::Accept) => machine.finish(builder),
        Err(Stop::Reject) => Verdict::Reject,
        Err(Stop::Fault(fault, line)) => {
            Verdict::Error(RunError { line, message: fault.0.into_owned() })
        }
        Ok(()) | Err(Stop::Return(_)) => {
            let name = program.name().map_or("(unnamed)", |name| name);
            let message =
                format!("Filter {name} did not return accept nor reject. Make up your mind");
            Verdict::Error(RunError { line: 0, message })
        }
    }
}

/// Evaluates an expression without a route.
pub(crate) fn evaluate_code(
    code: &Code,
    scratch: &mut Scratch,
    sink: &mut dyn Sink,
) -> Result<Constant, RunError> {
    let result = {
        let Scratch { bump, kept, text, .. } = &mut *scratch;
        let bump: &Bump = bump;
        let mut machine = Machine::new(None, bump, kept, text, sink);
        let slots = bump.alloc_slice_fill_copy(usize::from(code.slots), Value::Void);
        let mut frame = Frame { code, slots };
        let value = machine.evaluate(&mut frame, code.body);
        machine.flush();
        match value {
            Ok(value) => Ok(value.to_constant()),
            Err(Stop::Fault(fault, line)) => Err(RunError { line, message: fault.0.into_owned() }),
            Err(_) => Err(RunError { line: 0, message: "No value".to_owned() }),
        }
    };
    scratch.reset();
    result
}

/// Why evaluation does not go on.
#[derive(Debug)]
enum Stop<'s> {
    Accept,
    Reject,
    Return(Value<'s>),
    /// The fault, and the line that it is in.
    Fault(Fault, u32),
}

type Evaluated<'s> = Result<Value<'s>, Stop<'s>>;
type Executed<'s> = Result<(), Stop<'s>>;

/// The code that runs and its variables.
struct Frame<'s> {
    code: &'s Code,
    slots: &'s mut [Value<'s>],
}

/// One run.
struct Machine<'s, 'io> {
    input: Option<&'s RouteInput<'s>>,
    bump: &'s Bump,
    kept: &'s Keep,
    /// Changes, one for each attribute; void for those that were removed.
    changes: SmallVec<[(&'s Attribute, Value<'s>); 8]>,
    text: &'io mut String,
    sink: &'io mut dyn Sink,
    depth: u32,
}

impl<'s, 'io> Machine<'s, 'io> {
    fn new(
        input: Option<&'s RouteInput<'s>>,
        bump: &'s Bump,
        kept: &'s Keep,
        text: &'io mut String,
        sink: &'io mut dyn Sink,
    ) -> Self {
        text.clear();
        Self { input, bump, kept, changes: SmallVec::new(), text, sink, depth: 0 }
    }

    /// Counts one level of nesting; every `Ok` is followed by a `leave`.
    fn enter(&mut self, frame: &Frame<'s>, node: NodeId) -> Executed<'s> {
        if self.depth >= MAX_DEPTH {
            return Err(Self::stop(frame, node, Fault::from("Filters execution stack overflow")));
        }
        self.depth += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    #[cold]
    fn stop(frame: &Frame<'s>, node: NodeId, fault: Fault) -> Stop<'s> {
        Stop::Fault(fault, frame.code.line(node))
    }

    /// Prints values, without ending the line.
    fn print(&mut self, frame: &mut Frame<'s>, list: List) -> Executed<'s> {
        let code = frame.code;
        for node in code.operands(list) {
            let value = self.evaluate(frame, *node)?;
            // Writing to a string cannot fail.
            let _ = write!(self.text, "{value}");
        }
        Ok(())
    }

    /// Ends the line, if one was begun.
    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.sink.line(self.text);
            self.text.clear();
        }
    }
}

#[cfg(test)]
mod tests;
