//! Compiled code: a tree in an arena, variables as slots, constants folded.

use std::{
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use dunlin_conf::Span;
use dunlin_net::{
    NetType,
    as_path::MaskItem,
    community::{EcKind, LargeCommunity},
};

use crate::{
    attribute::Attribute,
    fingerprint::Fingerprint,
    flat::{self, Flat},
    fold,
    method::Method,
    set::{Item, Switch},
    types::{Element, Type},
    value::{Constant, lc_key},
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

/// Where a node comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Spot {
    /// The line, for messages.
    pub(crate) line: u32,
    /// The text that it was made of, for those who explain runs.
    pub(crate) span: Span,
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

/// The item of a set whose components are in these ranges. What is no pair matches no pair.
pub(crate) fn item_of(element: Element, [a, b, c]: [(u32, u32); 3]) -> Item {
    if element == Element::Lc {
        let (low, high) = (LargeCommunity::new(a.0, b.0, c.0), LargeCommunity::new(a.1, b.1, c.1));
        return Item::Range(lc_key(low), lc_key(high));
    }
    let half = |(low, high): (u32, u32)| Some(u16::try_from(low).ok()?..=u16::try_from(high).ok()?);
    match (half(a), half(b)) {
        (Some(a), Some(b)) => Item::pairs(a, b),
        _ => Item::Range(1, 0),
    }
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
    /// A run reads or sets this attribute. Where packets go may be set relative to where they went.
    pub(crate) fn attribute(&mut self, attribute: &Attribute) {
        self.prefix |= *attribute == Attribute::Net;
        self.source |= attribute.is_of_source();
        self.hop |= attribute.is_of_hop();
    }

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
    pub(crate) nodes: Arc<[Node]>,
    /// Where each node comes from; no part of the identity.
    pub(crate) spots: Box<[Spot]>,
    pub(crate) operands: Box<[NodeId]>,
    pub(crate) switches: Box<[Switch]>,
    pub(crate) functions: Box<[Arc<Function>]>,
    pub(crate) body: NodeId,
    /// Number of slots, parameters first.
    pub(crate) slots: u16,
    /// Types of the slots.
    pub(crate) kinds: Box<[Type]>,
    pub(crate) reads: Reads,
    /// What runs in its place if nobody watches, for code that is folded.
    pub(crate) flat: Option<Arc<Flat>>,
    /// Zero as long as nobody asked.
    hash: AtomicU64,
    /// As `hash`, but all constants of a type are alike.
    shape: u64,
    identity: Identity,
}

/// Codes of the same identity are equal; of others nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity(u64);

impl Identity {
    /// One that nothing else has.
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Code {
    #[expect(clippy::too_many_arguments, reason = "each is a field")]
    pub(crate) fn new(
        nodes: Vec<Node>,
        spots: Vec<Spot>,
        operands: Vec<NodeId>,
        switches: Vec<Switch>,
        functions: Vec<Arc<Function>>,
        body: NodeId,
        kinds: Vec<Type>,
        reads: Reads,
    ) -> Self {
        Self {
            nodes: nodes.into(),
            spots: spots.into(),
            operands: operands.into(),
            switches: switches.into(),
            functions: functions.into(),
            body,
            slots: u16::try_from(kinds.len()).unwrap_or(u16::MAX),
            kinds: kinds.into(),
            reads,
            flat: None,
            hash: AtomicU64::new(0),
            shape: 0,
            identity: Identity::new(),
        }
    }

    /// The code with its numbers, and ready to run. What stays to be shown and counted gets one when it
    /// is counted.
    pub(crate) fn sealed(mut self) -> Self {
        self.fingerprint();
        let hashes = self.hashes();
        let shape: Vec<Blank<'_>> = self.nodes.iter().map(Blank).collect();
        self.shape = Fingerprint::of(&(
            (shape, &self.operands, &self.switches),
            (&hashes, self.body, &self.kinds),
        ));
        self.flat = flat::compile(&self);
        self
    }

    /// A number that code shares with code that differs from it only in constants.
    pub(crate) fn shape(&self) -> u64 {
        self.shape
    }

    /// Whether the code differs from this only in constants of the same types.
    pub(crate) fn has_shape_of(&self, other: &Self) -> bool {
        self.shape == other.shape
            && self.body == other.body
            && self.kinds == other.kinds
            && self.operands == other.operands
            && self.switches == other.switches
            && self.functions == other.functions
            && self.nodes.len() == other.nodes.len()
            && self.nodes.iter().zip(other.nodes.iter()).all(|(one, other)| match (one, other) {
                (Node::Constant(one), Node::Constant(other)) => one.kind() == other.kind(),
                _ => one == other,
            })
    }

    /// The code that runs in place of this, and this itself if that is not the same.
    pub(crate) fn folded(self, parameters: usize) -> (Self, Option<Box<Self>>) {
        #[cfg(test)]
        if fold::tests::is_off() {
            return (self.sealed(), None);
        }
        match fold::fold(&self, parameters) {
            Some((folded, changed)) => (folded.sealed(), changed.then(|| Box::new(self))),
            None => (self.sealed(), None),
        }
    }

    /// A number that equal code shares. Whoever asks first takes it; two at once find the same.
    pub(crate) fn fingerprint(&self) -> u64 {
        match self.hash.load(Ordering::Relaxed) {
            0 => {
                let hash = Fingerprint::of(&(
                    (&self.nodes, &self.operands, &self.switches),
                    (self.hashes(), self.body, &self.kinds),
                ));
                self.hash.store(hash, Ordering::Relaxed);
                hash
            }
            hash => hash,
        }
    }

    /// Those of the functions that it calls.
    fn hashes(&self) -> Vec<u64> {
        self.functions.iter().map(|function| function.code.fingerprint()).collect()
    }

    /// Compares with the code that this one is to replace, so that it is known from then on if they are
    /// equal. They stay two, as their lines may differ.
    pub(crate) fn compare_with(&mut self, before: &Self) {
        if self == before {
            self.identity = before.identity;
        }
    }

    /// The same code, which stands elsewhere in the text, or calls functions that do.
    pub(crate) fn at(&self, spots: Box<[Spot]>, functions: Box<[Arc<Function>]>) -> Self {
        Self {
            nodes: Arc::clone(&self.nodes),
            spots,
            operands: self.operands.clone(),
            switches: self.switches.clone(),
            functions,
            body: self.body,
            slots: self.slots,
            kinds: self.kinds.clone(),
            reads: self.reads,
            flat: self.flat.clone(),
            hash: AtomicU64::new(self.hash.load(Ordering::Relaxed)),
            shape: self.shape,
            identity: self.identity,
        }
    }

    /// Whether it was found to be equal when it was parsed.
    #[cfg(test)]
    pub(crate) fn is_identical(&self, other: &Self) -> bool {
        self.identity == other.identity
    }

    pub(crate) fn operands(&self, list: List) -> &[NodeId] {
        self.operands.get(list.start as usize..(list.start + list.len) as usize).unwrap_or(&[])
    }

    pub(crate) fn line(&self, node: NodeId) -> u32 {
        self.spot(node).line
    }

    /// The text that a node was made of.
    pub(crate) fn span(&self, node: NodeId) -> Span {
        self.spot(node).span
    }

    pub(crate) fn spot(&self, node: NodeId) -> Spot {
        self.spots.get(node as usize).copied().unwrap_or_default()
    }

    /// The ROA and ASPA tables that it asks, but for those that only what it calls asks.
    pub(crate) fn asked(&self) -> impl Iterator<Item = &Arc<str>> {
        self.nodes.iter().filter_map(|node| match node {
            Node::RoaCheck(table, ..) | Node::AspaCheck(table, ..) => Some(&table.name),
            _ => None,
        })
    }

    pub(crate) fn node(&self, node: NodeId) -> &Node {
        self.nodes.get(node as usize).unwrap_or(&Node::Nothing)
    }

    /// Calls `each` for the nodes that a node is made of.
    pub(crate) fn for_operands(&self, node: &Node, mut each: impl FnMut(NodeId)) {
        match node {
            Node::Constant(_)
            | Node::Variable(_)
            | Node::Attribute(_)
            | Node::Nothing
            | Node::Unset(_) => {}
            Node::Unary(_, a)
            | Node::SetVariable(_, a)
            | Node::SetAttribute(_, a)
            | Node::Discard(a)
            | Node::Return(a)
            | Node::Assert(a, ..) => each(*a),
            Node::Binary(_, a, b)
            | Node::Ec(_, a, b)
            | Node::RoaCheck(_, a, b)
            | Node::AspaCheck(_, a, b)
            | Node::For(a, _, b) => [*a, *b].into_iter().for_each(each),
            Node::Lc(a, b, c) | Node::If(a, b, c) => [*a, *b, *c].into_iter().for_each(each),
            Node::Method(_, on, by) => [Some(*on), *by].into_iter().flatten().for_each(each),
            Node::Logic(first, steps) => {
                each(*first);
                steps.iter().for_each(|(_, step)| each(*step));
            }
            Node::Mask(parts) => parts.iter().for_each(|part| {
                if let MaskPart::Dynamic(node) = part {
                    each(*node);
                }
            }),
            Node::Set(_, parts) => parts.iter().for_each(|part| {
                let SetPart::Dynamic(limits) = part else { return };
                for limits in limits {
                    if let Limits::Dynamic(node) = limits {
                        each(*node);
                    }
                }
            }),
            Node::Call(_, list)
            | Node::Recurse(list)
            | Node::Block(list)
            | Node::Accept(list)
            | Node::Reject(list)
            | Node::Error(list)
            | Node::Print(list, _) => self.operands(*list).iter().copied().for_each(each),
            Node::Case(value, _, arms, otherwise) => {
                each(*value);
                self.operands(*arms).iter().for_each(|arm| each(*arm));
                each(*otherwise);
            }
        }
    }

    /// Bytes in use, sets not counted.
    pub(crate) fn memory(&self) -> usize {
        let node = size_of::<Node>() + size_of::<Spot>();
        let flat = self.flat.as_ref().map_or(0, |flat| flat.memory());
        node * self.nodes.len() + size_of::<NodeId>() * self.operands.len() + flat
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.identity == other.identity
            || self.fingerprint() == other.fingerprint()
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
        state.write_u64(self.fingerprint());
    }
}

/// A node of which only the type counts, if it is a constant.
struct Blank<'a>(&'a Node);

impl Hash for Blank<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.0 {
            Node::Constant(constant) => constant.kind().hash(state),
            node => node.hash(state),
        }
    }
}

/// A function.
#[derive(Debug)]
pub struct Function {
    pub(crate) name: Arc<str>,
    pub(crate) parameters: Box<[Type]>,
    pub(crate) result: Type,
    /// How deep calls nest in it as it was written: 1 if it calls no other function.
    pub(crate) depth: u32,
    /// What runs.
    pub(crate) code: Code,
    /// As it was written, if folding made something else of it.
    pub(crate) written: Option<Box<Code>>,
}

impl Function {
    /// A function that was parsed.
    pub(crate) fn new(
        name: Arc<str>,
        parameters: Box<[Type]>,
        result: Type,
        written: Code,
    ) -> Self {
        let depth = 1 + written.functions.iter().map(|function| function.depth).max().unwrap_or(0);
        let (code, written) = written.folded(parameters.len());
        Self { name, parameters, result, depth, code, written }
    }

    /// Its code as it was written.
    pub(crate) fn written(&self) -> &Code {
        self.written.as_deref().unwrap_or(&self.code)
    }

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
