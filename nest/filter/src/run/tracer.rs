//! What a run tells those who watch it.
//!
//! The evaluator is compiled once for each watcher: for [`Untraced`], whose methods are empty, all of
//! this is nothing.

use crate::{
    code::{Code, NodeId},
    value::Value,
};

/// What a step of a run is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// The condition of an `if`, a `where` or an assertion.
    Condition,
    /// An operand of a chain of `&&` and `||`.
    Operand,
    /// The value of a `case`, before its arm.
    Case,
    /// The arm of a `case` that fits.
    Arm,
    /// The next item of a `for`.
    Loop,
    /// A variable or an attribute is set.
    Set,
    /// An attribute is removed.
    Unset,
    /// A function is called.
    Call,
    /// A function returns.
    Return,
    /// A line is printed.
    Print,
    /// `accept`
    Accept,
    /// `reject`
    Reject,
    /// The run fails.
    Fault,
    /// The filter is over without a verdict.
    End,
}

impl What {
    /// A word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Condition => "condition",
            Self::Operand => "operand",
            Self::Case => "case",
            Self::Arm => "arm",
            Self::Loop => "loop",
            Self::Set => "set",
            Self::Unset => "unset",
            Self::Call => "call",
            Self::Return => "return",
            Self::Print => "print",
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Fault => "fault",
            Self::End => "end",
        }
    }
}

/// Is told what happens in a run. Every method may do nothing.
pub(super) trait Tracer {
    /// Whether values are wanted: then no condition takes a short way that makes none.
    const VALUES: bool;

    /// Whether code runs as it was written, and not as it was folded: for those who look at lines.
    const WRITTEN: bool;

    /// Whether folded code may run in its flat form, which tells nothing.
    const FLAT: bool;

    /// A statement is executed, a block or what does nothing too.
    fn statement(&mut self, code: &Code, node: NodeId);

    /// A step begins; what is read from now on belongs to it, until it has its value.
    fn begin(&mut self, what: What, code: &Code, node: NodeId);

    /// The step that began last has come to a value; none if it has none to show.
    fn end(&mut self, value: Option<Value<'_>>);

    /// A step that has nothing inside.
    fn step(&mut self, what: What, code: &Code, node: NodeId, value: Option<Value<'_>>) {
        self.begin(what, code, node);
        self.end(value);
    }

    /// A variable, an attribute or what a method made of it.
    fn read(&mut self, code: &Code, node: NodeId, value: Value<'_>);

    /// A filter begins, or a function: the arguments of the call that began last have been evaluated.
    fn enter(&mut self, callee: &Code);

    /// A line was printed by a statement, or ends with the whole.
    fn printed(&mut self, code: &Code, node: NodeId, line: &str);

    /// The run fails at a node.
    fn fault(&mut self, code: &Code, node: NodeId, message: &str);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Untraced;

impl Tracer for Untraced {
    const VALUES: bool = false;
    const WRITTEN: bool = false;
    const FLAT: bool = true;

    #[inline(always)]
    fn statement(&mut self, _: &Code, _: NodeId) {}

    #[inline(always)]
    fn begin(&mut self, _: What, _: &Code, _: NodeId) {}

    #[inline(always)]
    fn end(&mut self, _: Option<Value<'_>>) {}

    #[inline(always)]
    fn step(&mut self, _: What, _: &Code, _: NodeId, _: Option<Value<'_>>) {}

    #[inline(always)]
    fn read(&mut self, _: &Code, _: NodeId, _: Value<'_>) {}

    #[inline(always)]
    fn enter(&mut self, _: &Code) {}

    #[inline(always)]
    fn printed(&mut self, _: &Code, _: NodeId, _: &str) {}

    #[inline(always)]
    fn fault(&mut self, _: &Code, _: NodeId, _: &str) {}
}
