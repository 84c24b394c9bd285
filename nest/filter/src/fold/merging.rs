//! Tests that are made of several: `if A then if B then X` is `if A && B then X`, and
//! `if A then reject; if B then reject;` is `if A || B then reject;`.

use super::Folder;
use crate::code::{Logic, Node, NodeId, Spot};

impl Folder {
    /// A test whose only business is another.
    pub(super) fn test_in_test(
        &mut self,
        condition: NodeId,
        then: NodeId,
        otherwise: NodeId,
        spot: Spot,
    ) -> Option<NodeId> {
        let Node::If(inner, then, rest) = self.node(then) else { return None };
        let (inner, then, rest) = (*inner, *then, *rest);
        if !(self.is_nothing(otherwise) && self.is_nothing(rest)) {
            return None;
        }
        let both = self.both(condition, Logic::And, inner, spot)?;
        Some(self.push(Node::If(both, then, rest), spot))
    }

    /// A test behind another that ends in the same way.
    pub(super) fn test_behind(&mut self, before: NodeId, test: NodeId) -> Option<NodeId> {
        let (Node::If(one, then, rest), Node::If(other, end, last)) =
            (self.node(before), self.node(test))
        else {
            return None;
        };
        let (one, then, rest, other) = (*one, *then, *rest, *other);
        if !(self.is_nothing(rest) && self.is_nothing(*last) && self.end_alike(then, *end)) {
            return None;
        }
        let spot = self.spot(before);
        let either = self.both(one, Logic::Or, other, spot)?;
        Some(self.push(Node::If(either, then, rest), spot))
    }

    /// Whether two statements end the run of the code in the same way, and do nothing else.
    fn end_alike(&self, one: NodeId, other: NodeId) -> bool {
        match (self.node(one), self.node(other)) {
            (Node::Accept(one), Node::Accept(other)) | (Node::Reject(one), Node::Reject(other)) => {
                one.len == 0 && other.len == 0
            }
            (Node::Return(one), Node::Return(other)) => {
                self.truth(*one).is_some() && self.truth(*one) == self.truth(*other)
            }
            _ => false,
        }
    }

    /// Two conditions as one; none if that gets long, or one may be no bool.
    fn both(&mut self, one: NodeId, op: Logic, other: NodeId, spot: Spot) -> Option<NodeId> {
        let are_bool = self.is_bool(one) && self.is_bool(other);
        if !(are_bool && self.is_short(one) && self.is_short(other)) {
            return None;
        }
        self.changed = true;
        Some(self.chain(one, self.steps(op, other), spot))
    }

    /// What a chain goes on with to ask this too.
    pub(super) fn steps(&self, op: Logic, last: NodeId) -> Vec<(Logic, NodeId)> {
        match self.node(last) {
            // Alike all the way, so it does not matter where parentheses are.
            Node::Logic(first, steps) if steps.iter().all(|(other, _)| *other == op) => {
                core::iter::once((op, *first)).chain(steps.iter().copied()).collect()
            }
            _ => vec![(op, last)],
        }
    }

    fn is_nothing(&self, id: NodeId) -> bool {
        matches!(self.node(id), Node::Nothing)
    }
}
