//! Counts what runs do, line by line.

use dunlin_conf::Span;
use dunlin_net::hash::Map;

use super::tracer::{Tracer, What};
use crate::{
    code::{Code, Function, Node, NodeId},
    input::Verdict,
    program::Program,
    value::{Constant, Value},
};

/// How often the parts of filters and functions have run in one loop. What is written the same in the
/// configuration, whatever it is called and wherever it is, is counted together.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    /// By the hash of the code's structure.
    by_code: Map<u64, CodeCounts>,
}

#[derive(Debug, Clone, Default)]
struct CodeCounts {
    total: Counts,
    /// How often each node ran as a statement, and how often the run ended there.
    nodes: Box<[NodeCounts]>,
}

#[derive(Debug, Clone, Copy, Default)]
struct NodeCounts {
    runs: u64,
    /// With its verdict if it is one, else because it failed.
    ended: u64,
}

/// How often something ran and what came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often it ran.
    pub runs: u64,
    /// How often the run was over there, and the route accepted.
    pub accepted: u64,
    /// The same, and the route rejected.
    pub rejected: u64,
    /// The same, because of an error.
    pub failed: u64,
}

/// What is counted of a filter or function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// The whole. A function has only its runs.
    pub total: Counts,
    /// Each line that has a statement, in the order of the text.
    pub lines: Vec<CountedLine>,
}

/// What is counted of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedLine {
    /// Its first statement.
    pub place: Span,
    /// Its number.
    pub line: u32,
    /// Of its statements the one that ran most, and where runs were over.
    pub counts: Counts,
}

impl Counters {
    /// A filter was run to its end.
    pub(super) fn ran(&mut self, code: &Code, verdict: &Verdict) {
        let total = &mut self.of(code).total;
        match verdict {
            Verdict::Accept(_) => total.accepted += 1,
            Verdict::Reject => total.rejected += 1,
            Verdict::Error(_) => total.failed += 1,
        }
    }

    /// Adds what another loop has counted.
    pub fn add(&mut self, other: &Self) {
        for (hash, counts) in &other.by_code {
            let own = self.by_code.entry(*hash).or_default();
            own.total.runs += counts.total.runs;
            own.total.accepted += counts.total.accepted;
            own.total.rejected += counts.total.rejected;
            own.total.failed += counts.total.failed;
            if own.nodes.is_empty() {
                own.nodes = vec![NodeCounts::default(); counts.nodes.len()].into();
            }
            for (own, other) in own.nodes.iter_mut().zip(&counts.nodes) {
                own.runs += other.runs;
                own.ended += other.ended;
            }
        }
    }

    /// What is counted of a filter.
    #[must_use]
    pub fn of_program(&self, program: &Program) -> Counted {
        self.counted(program.written())
    }

    /// What is counted of a function, whoever called it.
    #[must_use]
    pub fn of_function(&self, function: &Function) -> Counted {
        self.counted(function.written())
    }

    fn of(&mut self, code: &Code) -> &mut CodeCounts {
        self.by_code.entry(code.fingerprint()).or_insert_with(|| CodeCounts {
            total: Counts::default(),
            nodes: vec![NodeCounts::default(); code.nodes.len()].into(),
        })
    }

    fn node(&mut self, code: &Code, node: NodeId) -> Option<&mut NodeCounts> {
        self.of(code).nodes.get_mut(node as usize)
    }

    fn counted(&self, code: &Code) -> Counted {
        let none = CodeCounts::default();
        let counts = self.by_code.get(&code.fingerprint()).unwrap_or(&none);
        let mut lines: Vec<CountedLine> = Vec::new();
        for id in (0..).take(code.nodes.len()) {
            let node = counts.nodes.get(id as usize).copied().unwrap_or_default();
            if !is_counted(code, id) && node.ended == 0 {
                continue;
            }
            let (place, line) = (code.span(id), code.line(id));
            let known = lines.iter().position(|known| known.is(place, line));
            let index = known.unwrap_or_else(|| {
                lines.push(CountedLine { place, line, counts: Counts::default() });
                lines.len() - 1
            });
            if let Some(counted) = lines.get_mut(index) {
                counted.count(code.node(id), place, node);
            }
        }
        lines.sort_by_key(|line| (line.place.file, line.line));
        Counted { total: counts.total, lines }
    }
}

impl CountedLine {
    fn is(&self, place: Span, line: u32) -> bool {
        (self.place.file, self.line) == (place.file, line)
    }

    fn count(&mut self, node: &Node, place: Span, counts: NodeCounts) {
        if place.start < self.place.start {
            self.place = place;
        }
        self.counts.runs = self.counts.runs.max(counts.runs);
        match node {
            Node::Accept(_) => self.counts.accepted += counts.ended,
            Node::Reject(_) => self.counts.rejected += counts.ended,
            _ => self.counts.failed += counts.ended,
        }
    }
}

/// Whether a node is a statement that people would call one.
fn is_counted(code: &Code, id: NodeId) -> bool {
    match code.node(id) {
        Node::SetVariable(_, value) => !matches!(code.node(*value), Node::Constant(Constant::Void)),
        Node::If(..)
        | Node::Case(..)
        | Node::For(..)
        | Node::SetAttribute(..)
        | Node::Unset(_)
        | Node::Discard(_)
        | Node::Return(_)
        | Node::Accept(_)
        | Node::Reject(_)
        | Node::Error(_)
        | Node::Print(..)
        | Node::Assert(..) => true,
        _ => false,
    }
}

impl Tracer for Counters {
    const VALUES: bool = false;
    const WRITTEN: bool = true;
    const FLAT: bool = false;

    fn enter(&mut self, callee: &Code) {
        self.of(callee).total.runs += 1;
    }

    fn statement(&mut self, code: &Code, node: NodeId) {
        if let Some(counts) = self.node(code, node) {
            counts.runs += 1;
        }
    }

    fn begin(&mut self, _: What, _: &Code, _: NodeId) {}

    fn end(&mut self, _: Option<Value<'_>>) {}

    fn step(&mut self, what: What, code: &Code, node: NodeId, _: Option<Value<'_>>) {
        if let (What::Accept | What::Reject, Some(counts)) = (what, self.node(code, node)) {
            counts.ended += 1;
        }
    }

    fn read(&mut self, _: &Code, _: NodeId, _: Value<'_>) {}

    fn printed(&mut self, _: &Code, _: NodeId, _: &str) {}

    fn fault(&mut self, code: &Code, node: NodeId, _: &str) {
        if let Some(counts) = self.node(code, node) {
            counts.ended += 1;
        }
    }
}

#[cfg(test)]
mod tests;
