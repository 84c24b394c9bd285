//! Folds code: what is known before any run takes the place of what would find it out.
//!
//! The builder folds operations on literals while it parses. This goes over finished code and does
//! the rest: values of variables that nobody reads ([`stores`]); variables that are set once, to a
//! constant; conditions and `case`s that are decided; what comes after the end of a block; predicates
//! made of `if ... then return`; tests that are one ([`merging`]); deletions from lists that come one
//! after the other ([`deletions`]); calls of small functions, which are put in place ([`inline`]). What
//! is left is numbered in one way ([`compact`]), so that programs that come to the same are the same.
//!
//! # Invariants
//!
//! * Folded code says, prints and fails as the code it was made of. Only the depth to which it nests is
//!   less, and the line of a fault in a predicate may be that of another part of it.
//! * What would fail at run time is left as it is: it may never run.

mod compact;
mod deletions;
mod expression;
mod inline;
mod merging;
mod statement;
mod stores;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use bumpalo::Bump;

use crate::{
    attribute::Attribute,
    code::{Binary, Code, Function, List, Node, NodeId, Spot, Unary},
    method::Method,
    set::Switch,
    types::Type,
    value::{Constant, Value},
};

/// Nodes that calls put in place may add to one program.
const MAX_GROWTH: usize = 4096;

/// Code that nests deeper is left as it is. It fails where it is run to the bottom.
const MAX_DEPTH: u32 = 300;

/// How deep functions are put in the place of calls in functions that were put in place.
const MAX_PLACED: u32 = 16;

/// Folds code whose first slots are parameters; whether there was anything to fold. None if it nests
/// too deep for that.
pub(crate) fn fold(code: &Code, parameters: usize) -> Option<(Code, bool)> {
    if depth(code) > MAX_DEPTH {
        return None;
    }
    let slots = vec![Slot::Unknown; code.kinds.len()];
    let parameters: Vec<Type> = code.kinds.iter().take(parameters).copied().collect();
    Some(fold_with(code, &parameters, slots, 0))
}

/// How deep the code nests; chains of `else if` do not.
pub(crate) fn depth(code: &Code) -> u32 {
    let mut depths: Vec<u32> = Vec::with_capacity(code.nodes.len());
    for node in code.nodes.iter() {
        // Operands come before what is made of them.
        let of = |id: NodeId| depths.get(id as usize).copied().unwrap_or(u32::MAX);
        let mut depth = 0;
        code.for_operands(node, |operand| depth = depth.max(of(operand).saturating_add(1)));
        if let Node::If(condition, then, otherwise) = node {
            depth = of(*otherwise).max(of(*condition).max(of(*then)).saturating_add(1));
        }
        depths.push(depth);
    }
    depths.into_iter().max().unwrap_or(0)
}

/// Folds code with what is known of its slots; the new code has these parameters.
fn fold_with(code: &Code, parameters: &[Type], slots: Vec<Slot>, placed: u32) -> (Code, bool) {
    let mut folder = Folder {
        nodes: Vec::with_capacity(code.nodes.len()),
        spots: Vec::with_capacity(code.nodes.len()),
        operands: Vec::new(),
        switches: Vec::new(),
        functions: Vec::new(),
        special: Vec::new(),
        kinds: parameters.to_vec(),
        growth: MAX_GROWTH,
        placed,
        changed: false,
        literal: false,
        arms: 0,
        bump: Bump::new(),
    };
    let mut scope = Scope::new(code, slots);
    let mut next = 0..;
    for slot in scope.slots.iter_mut().filter(|slot| matches!(slot, Slot::Unknown)) {
        let Some(new) = next.next().filter(|new| usize::from(*new) < parameters.len()) else {
            break;
        };
        *slot = Slot::At(new);
    }
    let body = folder.statement(&mut scope, code.body);
    let body = folder.as_predicate(body);
    let changed = folder.changed;
    (folder.compact(body, parameters.len()), changed)
}

/// What is known of a variable.
#[derive(Debug, Clone)]
enum Slot {
    /// Not met yet.
    Unknown,
    /// It has this number now.
    At(u16),
    /// It is this wherever it is read.
    Constant(Constant),
    /// It is another variable, by its new number.
    Variable(u16),
    /// It is an attribute.
    Attribute(Attribute),
}

/// The code that is gone over, and what is known of its variables.
#[derive(Debug)]
struct Scope<'a> {
    code: &'a Code,
    slots: Vec<Slot>,
    /// How often each variable is set.
    sets: Vec<u32>,
}

impl<'a> Scope<'a> {
    fn new(code: &'a Code, slots: Vec<Slot>) -> Self {
        let sets = times_set(code);
        Self { code, slots, sets }
    }
}

/// How often each slot of the code is set; loops set theirs more than once.
fn times_set(code: &Code) -> Vec<u32> {
    let mut sets = vec![0_u32; code.kinds.len()];
    for node in code.nodes.iter() {
        let (slot, times) = match node {
            Node::SetVariable(slot, _) => (slot, 1),
            Node::For(_, slot, _) => (slot, 2),
            _ => continue,
        };
        if let Some(count) = sets.get_mut(usize::from(*slot)) {
            *count += times;
        }
    }
    sets
}

/// New code under construction. Nodes that fell out of use stay until [`compact`].
struct Folder {
    nodes: Vec<Node>,
    spots: Vec<Spot>,
    operands: Vec<NodeId>,
    switches: Vec<Switch>,
    functions: Vec<Arc<Function>>,
    /// Functions with some arguments given, and what was made of them, if that was worth it.
    special: Vec<inline::Special>,
    kinds: Vec<Type>,
    /// Nodes that may still be added.
    growth: usize,
    /// How deep this is in functions that are put in place.
    placed: u32,
    changed: bool,
    /// Only numbers change: the values of operands are wanted.
    literal: bool,
    /// How many arms of `case`s this is in. What they declare is known behind them too, set or not.
    arms: u32,
    bump: Bump,
}

impl Folder {
    fn push(&mut self, node: Node, spot: Spot) -> NodeId {
        let id = NodeId::try_from(self.nodes.len()).unwrap_or(NodeId::MAX);
        self.nodes.push(node);
        self.spots.push(spot);
        id
    }

    fn list(&mut self, nodes: &[NodeId]) -> List {
        let start = u32::try_from(self.operands.len()).unwrap_or(u32::MAX);
        self.operands.extend_from_slice(nodes);
        List { start, len: u32::try_from(nodes.len()).unwrap_or(u32::MAX) }
    }

    fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id as usize).unwrap_or(&Node::Nothing)
    }

    fn spot(&self, id: NodeId) -> Spot {
        self.spots.get(id as usize).copied().unwrap_or_default()
    }

    fn listed(&self, list: List) -> &[NodeId] {
        self.operands.get(list.start as usize..(list.start + list.len) as usize).unwrap_or(&[])
    }

    fn constant(&self, id: NodeId) -> Option<&Constant> {
        if let Node::Constant(constant) = self.node(id) { Some(constant) } else { None }
    }

    fn value(&self, id: NodeId) -> Option<Value<'_>> {
        self.constant(id).map(Constant::value)
    }

    fn truth(&self, id: NodeId) -> Option<bool> {
        match self.constant(id) {
            Some(Constant::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    fn function(&mut self, function: &Arc<Function>) -> u32 {
        let known = self.functions.iter().position(|known| known == function);
        let index = known.unwrap_or_else(|| {
            self.functions.push(Arc::clone(function));
            self.functions.len() - 1
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    /// The number of a slot here.
    fn slot(&mut self, scope: &mut Scope<'_>, slot: u16) -> u16 {
        let place = usize::from(slot);
        if let Some(Slot::At(new)) = scope.slots.get(place) {
            return *new;
        }
        let new = u16::try_from(self.kinds.len()).unwrap_or(u16::MAX);
        self.kinds.push(scope.code.kinds.get(place).copied().unwrap_or(Type::Unknown));
        if let Some(known) = scope.slots.get_mut(place) {
            *known = Slot::At(new);
        }
        new
    }

    /// Whether the value is a bool whenever there is one.
    fn is_bool(&self, id: NodeId) -> bool {
        match self.node(id) {
            Node::Constant(constant) => matches!(constant, Constant::Bool(_)),
            Node::Unary(op, _) => matches!(op, Unary::Not | Unary::Defined),
            Node::Binary(op, ..) => matches!(
                op,
                Binary::Equal
                    | Binary::NotEqual
                    | Binary::Less
                    | Binary::LessEqual
                    | Binary::Greater
                    | Binary::GreaterEqual
                    | Binary::Match
                    | Binary::NotMatch
            ),
            Node::Logic(..) => true,
            Node::Method(method, ..) => *method == Method::IsV4,
            _ => false,
        }
    }

    /// Whether evaluating it cannot fail and has no effect.
    fn is_harmless(&self, id: NodeId) -> bool {
        match self.node(id) {
            Node::Constant(_) | Node::Variable(_) => true,
            Node::Unary(Unary::Defined, a) => self.is_harmless(*a),
            Node::Unary(Unary::Not, a) => self.is_bool(*a) && self.is_harmless(*a),
            Node::Binary(Binary::Equal | Binary::NotEqual, a, b) => {
                self.is_harmless(*a) && self.is_harmless(*b)
            }
            _ => false,
        }
    }
}
