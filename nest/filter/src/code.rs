//! Compiled code: a tree in an arena, variables as slots, constants folded.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use dunlin_net::{NetType, as_path::MaskItem, community::EcKind};

use crate::{
    attribute::Attribute,
    fingerprint::Fingerprint,
    method::Method,
    set::{Item, Switch},
    types::{Element, Type},
    value::Constant,
};

/// Index of a node.
pub(crate) type NodeId = u32;

/// Part of the list of operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct List {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

/// Operators with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    BitAnd,
    BitOr,
    Concat,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    /// Printed as `>`: BIRD swaps the operands of `<`, and so do messages.
    Greater,
    GreaterEqual,
    Match,
    NotMatch,
    Pair,
}

/// Operators with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Unary {
    Not,
    Defined,
    Format,
    FromHex,
}

/// Steps of a chain of `&&` and `||`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Logic {
    And,
    Or,
}

/// A node: an expression or a statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    Constant(Constant),
    Variable(u16),
    Attribute(Attribute),
    Unary(Unary, NodeId),
    Binary(Binary, NodeId, NodeId),
    /// The first operand, then one operand for each step.
    Logic(NodeId, Box<[(Logic, NodeId)]>),
    Ec(EcKind, NodeId, NodeId),
    Lc(NodeId, NodeId, NodeId),
    /// The table, the network, the AS number.
    RoaCheck(Table, NodeId, NodeId),
    /// The table, the path, whether it had to come upstream all the way.
    AspaCheck(Table, NodeId, NodeId),
    Method(Method, NodeId, Option<NodeId>),
    Mask(Box<[MaskPart]>),
    /// A set that is not constant.
    Set(Element, Box<[SetPart]>),
    Call(u32, List),
    /// A call of the function itself.
    Recurse(List),

    Nothing,
    Block(List),
    If(NodeId, NodeId, NodeId),
    /// The value, which switch, its arms, what to do if none fits.
    Case(NodeId, u32, List, NodeId),
    /// The list, the slot of the variable, the body.
    For(NodeId, u16, NodeId),
    SetVariable(u16, NodeId),
    SetAttribute(Attribute, NodeId),
    Unset(Attribute),
    Discard(NodeId),
    Return(NodeId),
    Accept(List),
    Reject(List),
    Error(List),
    /// What to print, and whether the line ends.
    Print(List, bool),
    /// A condition that has to hold, and its text.
    Assert(NodeId, Box<str>, Place),
}

/// Where something is, as `FILE:LINE:COL`; no part of the identity.
#[derive(Debug, Clone)]
pub(crate) struct Place(pub(crate) Arc<str>);

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

impl Hash for Place {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// A table that a check asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Table {
    pub(crate) name: Arc<str>,
    pub(crate) net_type: NetType,
    pub(crate) number: u32,
}

/// Part of a mask that is not constant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum MaskPart {
    Fixed(MaskItem),
    Dynamic(NodeId),
}

/// Part of a set.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum SetPart {
    Fixed(Item),
    /// A pair or large community by its components.
    Dynamic(Box<[Limits]>),
}

/// The first and the last number of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Limits {
    Fixed(u32, u32),
    Dynamic(NodeId),
}

/// What a run may depend on besides the attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reads {
    pub(crate) prefix: bool,
    pub(crate) source: bool,
    pub(crate) hop: bool,
    pub(crate) prints: bool,
    pub(crate) snapshot: bool,
}

impl Reads {
    pub(crate) fn join(&mut self, other: Self) {
        self.prefix |= other.prefix;
        self.source |= other.source;
        self.hop |= other.hop;
        self.prints |= other.prints;
        self.snapshot |= other.snapshot;
    }
}

/// The code of one function or filter.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) nodes: Box<[Node]>,
    /// The line of each node; no part of the identity.
    pub(crate) lines: Box<[u32]>,
    pub(crate) operands: Box<[NodeId]>,
    pub(crate) switches: Box<[Switch]>,
    pub(crate) functions: Box<[Arc<Function>]>,
    pub(crate) body: NodeId,
    /// Number of slots, parameters first.
    pub(crate) slots: u16,
    /// Types of the slots.
    pub(crate) kinds: Box<[Type]>,
    pub(crate) reads: Reads,
    hash: u64,
}

impl Code {
    #[expect(clippy::too_many_arguments, reason = "each is a field")]
    pub(crate) fn new(
        nodes: Vec<Node>,
        lines: Vec<u32>,
        operands: Vec<NodeId>,
        switches: Vec<Switch>,
        functions: Vec<Arc<Function>>,
        body: NodeId,
        kinds: Vec<Type>,
        reads: Reads,
    ) -> Self {
        let mut code = Self {
            nodes: nodes.into(),
            lines: lines.into(),
            operands: operands.into(),
            switches: switches.into(),
            functions: functions.into(),
            body,
            slots: u16::try_from(kinds.len()).unwrap_or(u16::MAX),
            kinds: kinds.into(),
            reads,
            hash: 0,
        };
        let hashes: Vec<u64> = code.functions.iter().map(|f| f.code.hash).collect();
        code.hash = Fingerprint::of(&(
            (&code.nodes, &code.operands, &code.switches),
            (hashes, code.body, &code.kinds),
        ));
        code
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        self.hash
    }

    pub(crate) fn operands(&self, list: List) -> &[NodeId] {
        self.operands.get(list.start as usize..(list.start + list.len) as usize).unwrap_or(&[])
    }

    pub(crate) fn line(&self, node: NodeId) -> u32 {
        self.lines.get(node as usize).copied().unwrap_or(0)
    }

    pub(crate) fn node(&self, node: NodeId) -> &Node {
        self.nodes.get(node as usize).unwrap_or(&Node::Nothing)
    }

    /// Bytes in use, sets not counted.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Node>() * self.nodes.len() + 4 * self.lines.len() + 4 * self.operands.len()
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.body == other.body
            && self.kinds == other.kinds
            && self.nodes == other.nodes
            && self.operands == other.operands
            && self.switches == other.switches
            && self.functions == other.functions
    }
}

impl Eq for Code {}

impl Hash for Code {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// A function.
#[derive(Debug)]
pub struct Function {
    pub(crate) name: Arc<str>,
    pub(crate) parameters: Box<[Type]>,
    pub(crate) result: Type,
    pub(crate) code: Code,
}

impl Function {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The types of its parameters.
    #[must_use]
    pub fn parameters(&self) -> &[Type] {
        &self.parameters
    }

    /// The type that it returns; `Void` if it returns nothing.
    #[must_use]
    pub fn result(&self) -> Type {
        self.result
    }
}

/// By structure: names do not matter.
impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
            || (self.parameters == other.parameters
                && self.result == other.result
                && self.code == other.code)
    }
}

impl Eq for Function {}
