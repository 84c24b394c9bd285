//! Runs a filter and tells how it came to its verdict.

use std::fmt::{self, Write};

use super::{
    Scratch, run_in,
    tracer::{Tracer, What},
};
use crate::{
    code::{Code, Node, NodeId},
    enums,
    explanation::{Explanation, Read, Step},
    input::{RouteInput, Silent, Verdict},
    program::ChannelFilter,
    value::{Constant, Value},
};

/// Steps that are kept of one run.
const MAX_STEPS: usize = 500;

/// How no value is shown.
const VOID: &str = "(void)";

/// Bytes of a value that are kept.
const MAX_VALUE: usize = 200;

/// Runs what a channel has for a route, and tells how it came to its verdict. What it prints becomes part
/// of that and goes nowhere else.
pub fn explain(
    filter: &ChannelFilter,
    scratch: &mut Scratch,
    input: &RouteInput<'_>,
) -> Explanation {
    let program = match filter {
        ChannelFilter::Accept => return without_steps(Verdict::Accept(None)),
        ChannelFilter::Reject => return without_steps(Verdict::Reject),
        ChannelFilter::Program(program) => program,
    };
    let mut tracer = Explaining::default();
    let verdict = run_in(program, None, scratch, input, &mut Silent, &mut tracer);
    scratch.reset();
    tracer.finish(verdict)
}

fn without_steps(verdict: Verdict) -> Explanation {
    Explanation { verdict, decided: None, steps: Vec::new(), left_off: 0 }
}

/// Writes down what it is told.
#[derive(Debug, Default)]
struct Explaining {
    steps: Vec<Step>,
    /// Steps that have begun and not ended, the innermost last.
    open: Vec<Open>,
    left_off: usize,
    decided: Option<Step>,
}

#[derive(Debug)]
struct Open {
    /// Its index; none if it was left off.
    step: Option<usize>,
    /// What its value is of: reading that says nothing more.
    subject: NodeId,
    /// What is read belongs to it: it is no function that runs.
    reads: bool,
}

impl Explaining {
    fn finish(mut self, verdict: Verdict) -> Explanation {
        let place = self.decided.as_ref().map(|step| step.place);
        match self.decided {
            Some(step) if self.left_off > 0 => {
                self.left_off -= 1;
                self.steps.push(step);
            }
            Some(_) => {}
            None => self.steps.extend(self.end_of_program(&verdict)),
        }
        Explanation { verdict, decided: place, steps: self.steps, left_off: self.left_off }
    }

    fn end_of_program(&self, verdict: &Verdict) -> Option<Step> {
        let Verdict::Error(error) = verdict else { return None };
        let last = self.steps.last();
        let place = last.map(|step| step.place).unwrap_or_default();
        let value = Some(error.message.clone());
        Some(Step { what: What::End, depth: 0, place, text: place, value, read: Vec::new() })
    }

    fn push(&mut self, step: Step) -> Option<usize> {
        if matches!(step.what, What::Accept | What::Reject | What::Fault) {
            self.decided = Some(step.clone());
        }
        if self.steps.len() >= MAX_STEPS {
            self.left_off += 1;
            return None;
        }
        self.steps.push(step);
        Some(self.steps.len() - 1)
    }

    fn make(&self, what: What, code: &Code, node: NodeId) -> Step {
        Step {
            what,
            depth: self.open.len(),
            place: code.span(node),
            text: code.span(subject(code, node)),
            value: None,
            read: Vec::new(),
        }
    }

    /// The innermost step that has begun, if it is kept.
    fn innermost(&mut self) -> Option<&mut Step> {
        let step = self.open.last()?.step?;
        self.steps.get_mut(step)
    }
}

impl Tracer for Explaining {
    const VALUES: bool = true;
    const WRITTEN: bool = true;
    const FLAT: bool = false;

    fn statement(&mut self, _: &Code, _: NodeId) {}

    fn begin(&mut self, what: What, code: &Code, node: NodeId) {
        let step = if is_initial(code, node) {
            None
        } else {
            let step = self.make(what, code, node);
            self.push(step)
        };
        self.open.push(Open { step, subject: value_node(code, node), reads: true });
    }

    fn end(&mut self, value: Option<Value<'_>>) {
        if let Some(step) = self.innermost() {
            // A function that returns nothing has no value.
            let value = value.map(shown);
            step.value = value.filter(|value| step.what != What::Call || value != VOID);
        }
        self.open.pop();
    }

    fn read(&mut self, code: &Code, node: NodeId, value: Value<'_>) {
        if self.open.last().is_none_or(|open| open.subject == node || !open.reads) {
            return;
        }
        let text = code.span(node);
        if let Some(step) = self.innermost() {
            let read = Read { text, value: shown(value) };
            // Whoever says the same twice in one expression reads it twice.
            if !step.read.contains(&read) {
                step.read.push(read);
            }
        }
    }

    fn enter(&mut self, _: &Code) {
        if let Some(open) = self.open.last_mut() {
            open.reads = false;
        }
    }

    fn printed(&mut self, code: &Code, node: NodeId, line: &str) {
        let step = self.make(What::Print, code, node);
        self.push(Step { value: Some(cut(line)), ..step });
    }

    fn fault(&mut self, code: &Code, node: NodeId, message: &str) {
        let step = self.make(What::Fault, code, node);
        self.push(Step { value: Some(cut(message)), ..step });
    }
}

/// Whether a variable is declared, and nothing is said of its value.
fn is_initial(code: &Code, node: NodeId) -> bool {
    match code.node(node) {
        Node::SetVariable(_, value) => matches!(code.node(*value), Node::Constant(Constant::Void)),
        _ => false,
    }
}

/// The node whose text says what a step is about.
fn subject(code: &Code, node: NodeId) -> NodeId {
    match code.node(node) {
        Node::Return(value) | Node::Case(value, ..) => *value,
        _ => node,
    }
}

/// The node that has the value of a step.
fn value_node(code: &Code, node: NodeId) -> NodeId {
    match code.node(node) {
        Node::Return(value)
        | Node::Case(value, ..)
        | Node::SetVariable(_, value)
        | Node::SetAttribute(_, value) => *value,
        _ => node,
    }
}

fn shown(value: Value<'_>) -> String {
    let mut text = Bounded(String::new());
    // It fails when it is full.
    let _ = match value {
        Value::String(value) => write!(text, "\"{value}\""),
        Value::Enum(kind, number) => match enums::name(kind, number) {
            Some(name) => text.write_str(&name),
            None => write!(text, "{value}"),
        },
        value => write!(text, "{value}"),
    };
    text.0
}

fn cut(text: &str) -> String {
    let mut bounded = Bounded(String::new());
    let _ = bounded.write_str(text);
    bounded.0
}

/// A text that stops growing.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_VALUE - self.0.len().min(MAX_VALUE);
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        let end = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        self.0.push_str(text.get(..end).unwrap_or_default());
        self.0.push_str("...");
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests;
