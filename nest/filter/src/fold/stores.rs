//! Values that nobody reads: `int n; n = 5;` is `int n = 5;`.

use std::collections::BTreeMap;

use super::Scope;
use crate::{
    code::{Code, List, Node, NodeId},
    value::Constant,
};

/// What becomes of a variable next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// It gets another value.
    Overwritten,
    /// It is read, or set in some cases.
    Used,
}

impl Scope<'_> {
    /// Which of a block's statements set a variable that gets another value before it is read. They count
    /// as not there.
    pub(super) fn idle_stores(&mut self, list: List) -> Vec<bool> {
        let (code, statements) = (self.code, self.code.operands(list));
        let mut idle = vec![false; statements.len()];
        if !statements.iter().any(|id| matches!(code.node(*id), Node::SetVariable(..))) {
            return idle;
        }
        let mut next = BTreeMap::new();
        for (statement, idle) in statements.iter().zip(&mut idle).rev() {
            if let Node::SetVariable(slot, value) = code.node(*statement)
                && next.get(slot) == Some(&Next::Overwritten)
                && self.is_fitting(*slot, *value)
                && let Some(count) = self.sets.get_mut(usize::from(*slot))
            {
                *count = count.saturating_sub(1);
                *idle = true;
            } else {
                note(code, *statement, &mut next);
            }
        }
        idle
    }

    /// Whether a value is a constant that the variable can have: nothing, too.
    fn is_fitting(&self, slot: u16, value: NodeId) -> bool {
        let Node::Constant(constant) = self.code.node(value) else { return false };
        let kind = self.code.kinds.get(usize::from(slot));
        *constant == Constant::Void || kind.is_some_and(|kind| constant.kind().fits(*kind))
    }
}

/// Notes what a statement does to variables.
fn note(code: &Code, statement: NodeId, next: &mut BTreeMap<u16, Next>) {
    match code.node(statement) {
        Node::Block(list) => {
            code.operands(*list).iter().rev().for_each(|statement| note(code, *statement, next));
        }
        Node::SetVariable(slot, value) => {
            next.insert(*slot, Next::Overwritten);
            note_used(code, *value, next);
        }
        _ => note_used(code, statement, next),
    }
}

/// Notes the variables that are in something.
fn note_used(code: &Code, id: NodeId, next: &mut BTreeMap<u16, Next>) {
    let mut nodes = vec![id];
    while let Some(id) = nodes.pop() {
        let node = code.node(id);
        if let Node::Variable(slot) | Node::SetVariable(slot, _) | Node::For(_, slot, _) = node {
            next.insert(*slot, Next::Used);
        }
        code.for_operands(node, |operand| nodes.push(operand));
    }
}
