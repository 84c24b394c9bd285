//! Numbers what is left, in the order in which it is met.

use std::sync::Arc;

use smallvec::SmallVec;

use super::Folder;
use crate::{
    code::{Code, Function, Limits, List, MaskPart, Node, NodeId, Reads, SetPart, Spot},
    set::Switch,
    types::Type,
};

/// Code in its last form. Each node is met once, and taken.
struct Compactor {
    from: Folder,
    nodes: Vec<Node>,
    spots: Vec<Spot>,
    operands: Vec<NodeId>,
    switches: Vec<Switch>,
    functions: Vec<Arc<Function>>,
    kinds: Vec<Type>,
    /// The new number of each slot.
    slots: Vec<Option<u16>>,
    reads: Reads,
}

impl Folder {
    /// The code of a body, without what it does not use.
    pub(super) fn compact(self, body: NodeId, parameters: usize) -> Code {
        let mut slots = vec![None; self.kinds.len()];
        for (number, slot) in (0..).zip(slots.iter_mut().take(parameters)) {
            *slot = Some(number);
        }
        let nodes = self.nodes.len();
        let mut new = Compactor {
            nodes: Vec::with_capacity(nodes),
            spots: Vec::with_capacity(nodes),
            operands: Vec::with_capacity(self.operands.len()),
            switches: Vec::new(),
            functions: Vec::new(),
            kinds: self.kinds.iter().take(parameters).copied().collect(),
            from: self,
            slots,
            reads: Reads::default(),
        };
        let body = new.node(body);
        Code::new(
            new.nodes,
            new.spots,
            new.operands,
            new.switches,
            new.functions,
            body,
            new.kinds,
            new.reads,
        )
    }
}

impl Compactor {
    fn node(&mut self, id: NodeId) -> NodeId {
        if let Node::If(..) = self.from.node(id) {
            return self.condition(id);
        }
        let spot = self.from.spot(id);
        let mut node = self.take(id);
        self.note(&node);
        self.number(&mut node);
        self.push(node, spot)
    }

    fn take(&mut self, id: NodeId) -> Node {
        let node = self.from.nodes.get_mut(id as usize);
        node.map_or(Node::Nothing, |node| std::mem::replace(node, Node::Nothing))
    }

    /// Takes what a node is made of, and gives it the new numbers of that.
    fn number(&mut self, node: &mut Node) {
        match node {
            Node::Variable(slot) => *slot = self.slot(*slot),
            Node::Unary(_, a)
            | Node::SetAttribute(_, a)
            | Node::Discard(a)
            | Node::Return(a)
            | Node::Assert(a, ..) => *a = self.node(*a),
            Node::Binary(_, a, b)
            | Node::Ec(_, a, b)
            | Node::RoaCheck(_, a, b)
            | Node::AspaCheck(_, a, b) => (*a, *b) = (self.node(*a), self.node(*b)),
            Node::Lc(a, b, c) | Node::If(a, b, c) => {
                (*a, *b, *c) = (self.node(*a), self.node(*b), self.node(*c));
            }
            Node::Logic(first, steps) => {
                *first = self.node(*first);
                steps.iter_mut().for_each(|(_, step)| *step = self.node(*step));
            }
            Node::Method(_, on, by) => {
                *on = self.node(*on);
                *by = by.map(|by| self.node(by));
            }
            Node::Mask(parts) => self.mask(parts),
            Node::Set(_, parts) => self.set(parts),
            Node::Call(function, arguments) => {
                *arguments = self.list(*arguments);
                *function = self.function(*function);
            }
            Node::Recurse(list)
            | Node::Block(list)
            | Node::Accept(list)
            | Node::Reject(list)
            | Node::Error(list)
            | Node::Print(list, _) => *list = self.list(*list),
            Node::Case(value, switch, arms, otherwise) => {
                *value = self.node(*value);
                *arms = self.list(*arms);
                *otherwise = self.node(*otherwise);
                *switch = self.switch(*switch);
            }
            Node::For(list, slot, body) => {
                *list = self.node(*list);
                *slot = self.slot(*slot);
                *body = self.node(*body);
            }
            Node::SetVariable(slot, value) => {
                *value = self.node(*value);
                *slot = self.slot(*slot);
            }
            Node::Constant(_) | Node::Attribute(_) | Node::Nothing | Node::Unset(_) => {}
        }
    }

    /// A chain of `else if`, whatever its length.
    fn condition(&mut self, mut id: NodeId) -> NodeId {
        let mut arms = Vec::new();
        while let Node::If(condition, then, otherwise) = *self.from.node(id) {
            arms.push((self.node(condition), self.node(then), self.from.spot(id)));
            id = otherwise;
        }
        let rest = self.node(id);
        arms.into_iter().rev().fold(rest, |rest, (condition, then, spot)| {
            self.push(Node::If(condition, then, rest), spot)
        })
    }

    /// What a run depends on.
    fn note(&mut self, node: &Node) {
        match node {
            Node::Attribute(attribute) | Node::SetAttribute(attribute, _) => {
                self.reads.attribute(attribute);
            }
            Node::RoaCheck(..) | Node::AspaCheck(..) => self.reads.snapshot = true,
            Node::Print(..) => self.reads.prints = true,
            Node::Accept(list) | Node::Reject(list) | Node::Error(list) => {
                self.reads.prints |= list.len > 0;
            }
            Node::Call(function, _) => {
                if let Some(function) = self.from.functions.get(*function as usize) {
                    self.reads.join(function.code.reads);
                }
            }
            _ => {}
        }
    }

    fn push(&mut self, node: Node, spot: Spot) -> NodeId {
        let id = NodeId::try_from(self.nodes.len()).unwrap_or(NodeId::MAX);
        self.nodes.push(node);
        self.spots.push(spot);
        id
    }

    fn list(&mut self, list: List) -> List {
        if list.len == 0 {
            return List { start: 0, len: 0 };
        }
        let nodes: SmallVec<[NodeId; 16]> = self.from.listed(list).into();
        let nodes: SmallVec<[NodeId; 16]> = nodes.into_iter().map(|node| self.node(node)).collect();
        let start = u32::try_from(self.operands.len()).unwrap_or(u32::MAX);
        self.operands.extend_from_slice(&nodes);
        List { start, len: list.len }
    }

    fn slot(&mut self, slot: u16) -> u16 {
        let place = usize::from(slot);
        if let Some(Some(new)) = self.slots.get(place) {
            return *new;
        }
        let new = u16::try_from(self.kinds.len()).unwrap_or(u16::MAX);
        self.kinds.push(self.from.kinds.get(place).copied().unwrap_or(Type::Unknown));
        if let Some(known) = self.slots.get_mut(place) {
            *known = Some(new);
        }
        new
    }

    fn switch(&mut self, switch: u32) -> u32 {
        if let Some(switch) = self.from.switches.get(switch as usize) {
            self.switches.push(switch.clone());
        }
        u32::try_from(self.switches.len()).unwrap_or(u32::MAX).wrapping_sub(1)
    }

    fn function(&mut self, function: u32) -> u32 {
        let Some(function) = self.from.functions.get(function as usize) else { return u32::MAX };
        let known = self.functions.iter().position(|known| Arc::ptr_eq(known, function));
        let index = known.unwrap_or_else(|| {
            self.functions.push(Arc::clone(function));
            self.functions.len() - 1
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    fn mask(&mut self, parts: &mut [MaskPart]) {
        for part in parts {
            if let MaskPart::Dynamic(node) = part {
                *node = self.node(*node);
            }
        }
    }

    fn set(&mut self, parts: &mut [SetPart]) {
        for part in parts {
            let SetPart::Dynamic(limits) = part else { continue };
            for limits in limits {
                if let Limits::Dynamic(node) = limits {
                    *node = self.node(*node);
                }
            }
        }
    }
}
