//! Numbers what is left, in the order in which it is met.

use std::sync::Arc;

use super::Folder;
use crate::{
    code::{Code, Function, Limits, List, MaskPart, Node, NodeId, Reads, SetPart},
    set::Switch,
    types::Type,
};

/// Code in its last form.
struct Compactor<'a> {
    from: &'a Folder,
    nodes: Vec<Node>,
    lines: Vec<u32>,
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
    pub(super) fn compact(&self, body: NodeId, parameters: usize) -> Code {
        let mut slots = vec![None; self.kinds.len()];
        for (number, slot) in (0..).zip(slots.iter_mut().take(parameters)) {
            *slot = Some(number);
        }
        let mut new = Compactor {
            from: self,
            nodes: Vec::new(),
            lines: Vec::new(),
            operands: Vec::new(),
            switches: Vec::new(),
            functions: Vec::new(),
            kinds: self.kinds.iter().take(parameters).copied().collect(),
            slots,
            reads: Reads::default(),
        };
        let body = new.node(body);
        Code::new(
            new.nodes,
            new.lines,
            new.operands,
            new.switches,
            new.functions,
            body,
            new.kinds,
            new.reads,
        )
    }
}

impl Compactor<'_> {
    fn node(&mut self, id: NodeId) -> NodeId {
        let from = self.from;
        self.note(from.node(id));
        let new = match from.node(id) {
            Node::Variable(slot) => Node::Variable(self.slot(*slot)),
            Node::Unary(op, a) => Node::Unary(*op, self.node(*a)),
            Node::Binary(op, a, b) => Node::Binary(*op, self.node(*a), self.node(*b)),
            Node::Logic(first, steps) => {
                let first = self.node(*first);
                Node::Logic(first, steps.iter().map(|(op, step)| (*op, self.node(*step))).collect())
            }
            Node::Ec(kind, a, b) => Node::Ec(*kind, self.node(*a), self.node(*b)),
            Node::Lc(a, b, c) => Node::Lc(self.node(*a), self.node(*b), self.node(*c)),
            Node::RoaCheck(table, a, b) => {
                Node::RoaCheck(table.clone(), self.node(*a), self.node(*b))
            }
            Node::AspaCheck(table, a, b) => {
                Node::AspaCheck(table.clone(), self.node(*a), self.node(*b))
            }
            Node::Method(method, on, by) => {
                let on = self.node(*on);
                Node::Method(*method, on, by.map(|by| self.node(by)))
            }
            Node::Mask(parts) => {
                Node::Mask(parts.iter().map(|part| self.mask_part(part)).collect())
            }
            Node::Set(element, parts) => {
                Node::Set(*element, parts.iter().map(|part| self.set_part(part)).collect())
            }
            Node::Call(function, arguments) => {
                let arguments = self.list(*arguments);
                Node::Call(self.function(*function), arguments)
            }
            Node::Recurse(arguments) => Node::Recurse(self.list(*arguments)),
            Node::Block(list) => Node::Block(self.list(*list)),
            Node::If(..) => return self.condition(id),
            Node::Case(value, switch, arms, otherwise) => {
                let value = self.node(*value);
                let arms = self.list(*arms);
                let otherwise = self.node(*otherwise);
                Node::Case(value, self.switch(*switch), arms, otherwise)
            }
            Node::For(list, slot, body) => {
                let list = self.node(*list);
                let slot = self.slot(*slot);
                Node::For(list, slot, self.node(*body))
            }
            Node::SetVariable(slot, value) => {
                let value = self.node(*value);
                Node::SetVariable(self.slot(*slot), value)
            }
            Node::SetAttribute(attribute, value) => {
                Node::SetAttribute(attribute.clone(), self.node(*value))
            }
            Node::Discard(value) => Node::Discard(self.node(*value)),
            Node::Return(value) => Node::Return(self.node(*value)),
            Node::Accept(list) => Node::Accept(self.list(*list)),
            Node::Reject(list) => Node::Reject(self.list(*list)),
            Node::Error(list) => Node::Error(self.list(*list)),
            Node::Print(list, ends) => Node::Print(self.list(*list), *ends),
            Node::Assert(condition, text, place) => {
                Node::Assert(self.node(*condition), text.clone(), place.clone())
            }
            Node::Constant(_) | Node::Attribute(_) | Node::Nothing | Node::Unset(_) => {
                from.node(id).clone()
            }
        };
        self.push(new, from.line(id))
    }

    /// A chain of `else if`, whatever its length.
    fn condition(&mut self, mut id: NodeId) -> NodeId {
        let from = self.from;
        let mut arms = Vec::new();
        while let Node::If(condition, then, otherwise) = from.node(id) {
            arms.push((self.node(*condition), self.node(*then), from.line(id)));
            id = *otherwise;
        }
        let rest = self.node(id);
        arms.into_iter().rev().fold(rest, |rest, (condition, then, line)| {
            self.push(Node::If(condition, then, rest), line)
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

    fn push(&mut self, node: Node, line: u32) -> NodeId {
        let id = NodeId::try_from(self.nodes.len()).unwrap_or(NodeId::MAX);
        self.nodes.push(node);
        self.lines.push(line);
        id
    }

    fn list(&mut self, list: List) -> List {
        let from = self.from;
        let nodes: Vec<NodeId> = from.listed(list).iter().map(|node| self.node(*node)).collect();
        if nodes.is_empty() {
            return List { start: 0, len: 0 };
        }
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

    fn mask_part(&mut self, part: &MaskPart) -> MaskPart {
        match part {
            MaskPart::Fixed(item) => MaskPart::Fixed(item.clone()),
            MaskPart::Dynamic(node) => MaskPart::Dynamic(self.node(*node)),
        }
    }

    fn set_part(&mut self, part: &SetPart) -> SetPart {
        match part {
            SetPart::Fixed(item) => SetPart::Fixed(item.clone()),
            SetPart::Dynamic(limits) => {
                let limits = limits.iter().map(|limits| match limits {
                    Limits::Fixed(low, high) => Limits::Fixed(*low, *high),
                    Limits::Dynamic(node) => Limits::Dynamic(self.node(*node)),
                });
                SetPart::Dynamic(limits.collect())
            }
        }
    }
}
