//! Compiled filters and what channels hold.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use crate::code::{Code, Function, Node};

/// A compiled filter. Equality and hash are by structure after constants are folded, called
/// functions included; names and places in the text do not matter. Two channels with equal
/// programs always get equal verdicts for equal inputs.
#[derive(Debug)]
pub struct Program {
    pub(crate) name: Option<Arc<str>>,
    /// What runs.
    pub(crate) code: Code,
    /// As it was written, if folding made something else of it.
    pub(crate) written: Option<Box<Code>>,
    /// The ROA and ASPA tables that it asks.
    asked: Box<[Arc<str>]>,
}

impl Program {
    pub(crate) fn new(name: Option<Arc<str>>, written: Code) -> Self {
        let (code, written) = written.folded(0);
        Self::of(name, code, written)
    }

    /// Of code that is folded.
    pub(crate) fn of(name: Option<Arc<str>>, code: Code, written: Option<Box<Code>>) -> Self {
        Self { name, asked: asked(&code), code, written }
    }

    /// Its code as it was written: for those who ask about lines and not about verdicts.
    pub(crate) fn written(&self) -> &Code {
        self.written.as_deref().unwrap_or(&self.code)
    }

    /// The filter's name; none for one written in place.
    #[must_use]
    pub fn name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    /// The functions that it calls, by themselves or through others, each once.
    #[must_use]
    pub fn functions(&self) -> Vec<Arc<Function>> {
        let mut found: Vec<Arc<Function>> = Vec::new();
        let mut codes: Vec<&Code> = vec![self.written()];
        while let Some(code) = codes.pop() {
            for function in code.functions.iter().rev() {
                if !found.iter().any(|known| Arc::ptr_eq(known, function)) {
                    found.push(Arc::clone(function));
                    codes.push(function.written());
                }
            }
        }
        found
    }

    /// A hash of the structure that is the same in every run.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.code.fingerprint()
    }

    /// A number that programs share which are equal but for constants; what is called has to be equal.
    /// Others may have it by chance: [`Cohort`](crate::Cohort) finds out.
    #[must_use]
    pub fn shape(&self) -> u64 {
        self.code.shape()
    }

    /// Whether the verdict may depend on the prefix. If not, one run serves all prefixes with one
    /// attribute set.
    #[must_use]
    pub fn reads_prefix(&self) -> bool {
        self.code.reads.prefix
    }

    /// Whether the verdict may depend on where the route came from (`proto`, `from`).
    #[must_use]
    pub fn reads_source(&self) -> bool {
        self.code.reads.source
    }

    /// Whether the verdict may depend on how the next hop was resolved (`gw`, `ifname`, `dest` ...).
    #[must_use]
    pub fn reads_next_hop(&self) -> bool {
        self.code.reads.hop
    }

    /// Whether the verdict may depend on a published snapshot (ROA, ASPA).
    #[must_use]
    pub fn reads_snapshot(&self) -> bool {
        self.code.reads.snapshot
    }

    /// Whether the verdict may depend on this ROA or ASPA table.
    #[must_use]
    pub fn asks(&self, table: &str) -> bool {
        self.asked.iter().any(|asked| **asked == *table)
    }

    /// Whether a run may print: then one run cannot stand for several without losing messages.
    #[must_use]
    pub fn prints(&self) -> bool {
        self.code.reads.prints
    }

    /// Whether it accepts every route as it is.
    #[must_use]
    pub fn is_accept_all(&self) -> bool {
        matches!(self.first_statement(), Node::Accept(list) if list.len == 0)
    }

    /// Whether it rejects every route.
    #[must_use]
    pub fn is_reject_all(&self) -> bool {
        matches!(self.first_statement(), Node::Reject(list) if list.len == 0)
    }

    fn first_statement(&self) -> &Node {
        let mut node = self.code.node(self.code.body);
        while let Node::Block(list) = node
            && let Some(first) = self.code.operands(*list).first()
        {
            node = self.code.node(*first);
        }
        node
    }

    /// Bytes that the program takes, without functions and sets that it shares with others.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.code.memory() + self.written.as_ref().map_or(0, |code| code.memory())
    }
}

/// The ROA and ASPA tables that code, or what it calls, asks: each once.
fn asked(code: &Code) -> Box<[Arc<str>]> {
    let mut found: Vec<Arc<str>> = Vec::new();
    let (mut codes, mut seen) = (vec![code], Vec::new());
    while let Some(code) = codes.pop() {
        // Which says so of what it calls, too.
        if !code.reads.snapshot {
            continue;
        }
        for table in code.asked() {
            if !found.contains(table) {
                found.push(Arc::clone(table));
            }
        }
        for function in &code.functions {
            if !seen.contains(&Arc::as_ptr(function)) {
                seen.push(Arc::as_ptr(function));
                codes.push(&function.code);
            }
        }
    }
    found.into()
}

impl PartialEq for Program {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.code == other.code
    }
}

impl Eq for Program {}

impl Hash for Program {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.code.hash(state);
    }
}

/// What a channel does with routes in one direction.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum ChannelFilter {
    /// `all`
    Accept,
    /// `none`
    #[default]
    Reject,
    /// A filter, or `where`.
    Program(Arc<Program>),
}

impl ChannelFilter {
    /// The program, if one is run.
    #[must_use]
    pub fn program(&self) -> Option<&Arc<Program>> {
        match self {
            Self::Program(program) => Some(program),
            Self::Accept | Self::Reject => None,
        }
    }

    /// A number that equal filters share in every run.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        match self {
            Self::Accept => 1,
            Self::Reject => 2,
            Self::Program(program) => program.fingerprint(),
        }
    }

    /// Whether every route is accepted as it is.
    #[must_use]
    pub fn is_accept_all(&self) -> bool {
        match self {
            Self::Accept => true,
            Self::Reject => false,
            Self::Program(program) => program.is_accept_all(),
        }
    }

    /// Whether every route is rejected.
    #[must_use]
    pub fn is_reject_all(&self) -> bool {
        match self {
            Self::Accept => false,
            Self::Reject => true,
            Self::Program(program) => program.is_reject_all(),
        }
    }

    /// Whether the other filter does the same under the same name, so that nothing shows a change.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.is_called_like(other) && self == other
    }

    /// Whether the other filter is this very one, its place in the text included.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Program(one), Self::Program(two)) => Arc::ptr_eq(one, two),
            (one, two) => one == two,
        }
    }

    /// Whether the other filter has the same name.
    #[must_use]
    pub fn is_called_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Program(one), Self::Program(two)) => one.name == two.name,
            (Self::Accept, Self::Accept) | (Self::Reject, Self::Reject) => true,
            _ => false,
        }
    }

    /// Whether the other filter does the same whatever it is called and however it is written, so that
    /// no route needs to be looked at again.
    #[must_use]
    pub fn means_the_same(&self, other: &Self) -> bool {
        self == other
            || self.is_accept_all() && other.is_accept_all()
            || self.is_reject_all() && other.is_reject_all()
    }

    /// See [`Program::reads_prefix`].
    #[must_use]
    pub fn reads_prefix(&self) -> bool {
        matches!(self, Self::Program(program) if program.reads_prefix())
    }

    /// See [`Program::asks`].
    #[must_use]
    pub fn asks(&self, table: &str) -> bool {
        matches!(self, Self::Program(program) if program.asks(table))
    }

    /// See [`Program::reads_source`].
    #[must_use]
    pub fn reads_source(&self) -> bool {
        matches!(self, Self::Program(program) if program.reads_source())
    }

    /// See [`Program::reads_next_hop`].
    #[must_use]
    pub fn reads_next_hop(&self) -> bool {
        matches!(self, Self::Program(program) if program.reads_next_hop())
    }

    /// See [`Program::reads_snapshot`].
    #[must_use]
    pub fn reads_snapshot(&self) -> bool {
        matches!(self, Self::Program(program) if program.reads_snapshot())
    }
}

/// As `show protocols all` names it.
impl fmt::Display for ChannelFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("ACCEPT"),
            Self::Reject => f.write_str("REJECT"),
            Self::Program(program) => match program.name() {
                Some(name) => f.write_str(name),
                None => f.write_str("(unnamed)"),
            },
        }
    }
}
