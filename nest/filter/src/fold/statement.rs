//! Folds statements.

use super::{Folder, Scope, Slot};
use crate::{
    code::{List, Logic, Node, NodeId, Spot, Unary},
    types::Type,
    value::{Constant, Value},
};

impl Folder {
    /// Folds a statement of a scope.
    pub(super) fn statement(&mut self, scope: &mut Scope<'_>, id: NodeId) -> NodeId {
        let code = scope.code;
        let spot = code.spot(id);
        let new = match code.node(id) {
            Node::Block(list) => return self.block(scope, *list, spot),
            Node::If(..) => return self.condition(scope, id),
            Node::Case(value, switch, arms, otherwise) => {
                return self.case(scope, (*value, *switch, *arms, *otherwise), spot);
            }
            Node::For(list, slot, body) => {
                let list = self.expression(scope, *list);
                if self.value(list).is_some_and(is_empty_list) {
                    return self.nothing(spot);
                }
                let slot = self.slot(scope, *slot);
                let body = self.statement(scope, *body);
                Node::For(list, slot, body)
            }
            Node::SetVariable(slot, value) => return self.set_variable(scope, *slot, *value, spot),
            Node::SetAttribute(attribute, value) => {
                Node::SetAttribute(attribute.clone(), self.expression(scope, *value))
            }
            Node::Discard(value) => return self.discard(scope, *value, spot),
            Node::Return(value) => Node::Return(self.expression(scope, *value)),
            Node::Accept(list) => Node::Accept(self.expressions(scope, *list)),
            Node::Reject(list) => Node::Reject(self.expressions(scope, *list)),
            Node::Error(list) => Node::Error(self.expressions(scope, *list)),
            Node::Print(list, ends) => Node::Print(self.expressions(scope, *list), *ends),
            Node::Assert(condition, text, place) => {
                // The values that it shows are those of the operands as they are written.
                let before = std::mem::replace(&mut self.literal, true);
                let condition = self.expression(scope, *condition);
                self.literal = before;
                Node::Assert(condition, text.clone(), place.clone())
            }
            // What is no statement fails when it is run, and stays.
            other => other.clone(),
        };
        self.push(new, spot)
    }

    fn expressions(&mut self, scope: &mut Scope<'_>, list: List) -> List {
        let operands = scope.code.operands(list);
        let nodes: Vec<NodeId> =
            operands.iter().map(|node| self.expression(scope, *node)).collect();
        self.list(&nodes)
    }

    /// Nothing, where something was.
    pub(super) fn nothing(&mut self, spot: Spot) -> NodeId {
        self.changed = true;
        self.push(Node::Nothing, spot)
    }

    /// Statements up to the one that ends them, without blocks inside.
    fn block(&mut self, scope: &mut Scope<'_>, list: List, spot: Spot) -> NodeId {
        let mut nodes: Vec<NodeId> = Vec::new();
        let idle = scope.idle_stores(list);
        for (statement, idle) in scope.code.operands(list).iter().zip(idle) {
            if idle {
                self.changed = true;
                continue;
            }
            if nodes.last().is_some_and(|last| self.ends(*last)) {
                self.changed = true;
                break;
            }
            let statement = self.statement(scope, *statement);
            match self.node(statement) {
                Node::Nothing => self.changed = true,
                Node::Block(inner) => {
                    let inner = self.listed(*inner).to_vec();
                    inner.into_iter().for_each(|node| self.append(&mut nodes, node));
                    self.changed = true;
                }
                _ => self.append(&mut nodes, statement),
            }
        }
        self.join_deletions(&mut nodes);
        if let [only] = nodes[..] {
            return only;
        }
        if nodes.is_empty() {
            return self.push(Node::Nothing, spot);
        }
        let list = self.list(&nodes);
        self.push(Node::Block(list), spot)
    }

    /// Puts a statement behind others, or makes it part of the last.
    fn append(&mut self, nodes: &mut Vec<NodeId>, statement: NodeId) {
        let last = nodes.last().copied();
        match last.and_then(|last| self.test_behind(last, statement)) {
            Some(both) => {
                nodes.pop();
                nodes.push(both);
            }
            None => nodes.push(statement),
        }
    }

    /// Whether nothing behind the statement is reached.
    fn ends(&self, mut id: NodeId) -> bool {
        loop {
            id = match self.node(id) {
                Node::Accept(_) | Node::Reject(_) | Node::Error(_) | Node::Return(_) => {
                    return true;
                }
                Node::Block(list) => match self.listed(*list).last() {
                    Some(last) => *last,
                    None => return false,
                },
                Node::If(_, then, otherwise) if self.ends(*then) => *otherwise,
                _ => return false,
            };
        }
    }

    /// A chain of `else if`, which does not nest here either.
    fn condition(&mut self, scope: &mut Scope<'_>, mut id: NodeId) -> NodeId {
        let code = scope.code;
        let mut arms: Vec<(NodeId, NodeId, Spot)> = Vec::new();
        let mut rest = None;
        while let Node::If(condition, then, otherwise) = code.node(id) {
            let spot = code.spot(id);
            let condition = self.expression(scope, *condition);
            match self.truth(condition) {
                Some(true) => {
                    self.changed = true;
                    rest = Some(self.statement(scope, *then));
                    break;
                }
                Some(false) => self.changed = true,
                None => {
                    let then = self.statement(scope, *then);
                    arms.push((condition, then, spot));
                }
            }
            id = *otherwise;
        }
        let mut rest = match rest {
            Some(rest) => rest,
            None => self.statement(scope, id),
        };
        for (condition, then, spot) in arms.into_iter().rev() {
            let empty = |id| matches!(self.node(id), Node::Nothing);
            rest = if empty(then)
                && empty(rest)
                && self.is_bool(condition)
                && self.is_harmless(condition)
            {
                self.nothing(spot)
            } else {
                self.test_in_test(condition, then, rest, spot)
                    .unwrap_or_else(|| self.push(Node::If(condition, then, rest), spot))
            };
        }
        rest
    }

    fn case(
        &mut self,
        scope: &mut Scope<'_>,
        (value, switch, arms, otherwise): (NodeId, u32, List, NodeId),
        spot: Spot,
    ) -> NodeId {
        let code = scope.code;
        let value = self.expression(scope, value);
        let Some(switch) = code.switches.get(switch as usize) else {
            return self.statement(scope, otherwise);
        };
        let arms = code.operands(arms);
        self.arms += 1;
        let new = match self.value(value) {
            Some(value) => {
                let key = value.key().filter(|_| value.kind() == switch.element().of());
                let arm = key.and_then(|key| switch.arm(key));
                let arm = arm.and_then(|arm| arms.get(arm as usize)).copied();
                self.changed = true;
                self.statement(scope, arm.unwrap_or(otherwise))
            }
            None => {
                let arms: Vec<NodeId> =
                    arms.iter().map(|arm| self.statement(scope, *arm)).collect();
                let otherwise = self.statement(scope, otherwise);
                self.switches.push(switch.clone());
                let switch = u32::try_from(self.switches.len() - 1).unwrap_or(u32::MAX);
                let arms = self.list(&arms);
                self.push(Node::Case(value, switch, arms, otherwise), spot)
            }
        };
        self.arms -= 1;
        new
    }

    /// A variable that is set only here, to a constant, is that constant.
    fn set_variable(
        &mut self,
        scope: &mut Scope<'_>,
        slot: u16,
        value: NodeId,
        spot: Spot,
    ) -> NodeId {
        let value = self.expression(scope, value);
        let place = usize::from(slot);
        let kind = scope.code.kinds.get(place).copied().unwrap_or(Type::Unknown);
        let is_only = scope.sets.get(place) == Some(&1) && self.arms == 0;
        let is_new = matches!(scope.slots.get(place), Some(Slot::Unknown));
        if is_only
            && is_new
            && let Some(constant) = self.constant(value)
            // Nothing set is no value: where it is wanted the run fails.
            && *constant != Constant::Void
            && constant.kind().fits(kind)
        {
            let constant = constant.clone();
            if let Some(known) = scope.slots.get_mut(place) {
                *known = Slot::Constant(constant);
            }
            return self.nothing(spot);
        }
        let slot = self.slot(scope, slot);
        self.push(Node::SetVariable(slot, value), spot)
    }

    /// An expression of which only the effects are wanted.
    fn discard(&mut self, scope: &mut Scope<'_>, value: NodeId, spot: Spot) -> NodeId {
        if let Node::Call(function, arguments) = scope.code.node(value)
            && let Some(body) = self.statements_of_call(scope, *function, *arguments)
        {
            return body;
        }
        let value = self.expression(scope, value);
        if self.is_harmless(value) {
            return self.nothing(spot);
        }
        self.push(Node::Discard(value), spot)
    }

    /// A body that only finds out what is true, as one `return`:
    /// `if A then return true; return B;` is `return A || B;`.
    pub(super) fn as_predicate(&mut self, body: NodeId) -> NodeId {
        match self.node(body) {
            Node::If(..) => {
                let nothing = self.push(Node::Nothing, self.spot(body));
                self.before(body, nothing).unwrap_or(body)
            }
            Node::Block(list) => {
                let nodes = self.listed(*list).to_vec();
                self.block_as_predicate(body, nodes)
            }
            _ => body,
        }
    }

    /// A chain of tests and what comes behind it as one `return`.
    fn before(&mut self, test: NodeId, behind: NodeId) -> Option<NodeId> {
        let mut tests = Vec::new();
        let mut end = test;
        while let Node::If(condition, then, otherwise) = self.node(end) {
            tests.push((*condition, *then));
            end = *otherwise;
        }
        let mut rest = match self.node(end) {
            Node::Nothing => behind,
            Node::Return(_) => end,
            _ => return None,
        };
        for test in tests.into_iter().rev() {
            rest = self.merged(test, rest)?;
        }
        Some(rest)
    }

    fn block_as_predicate(&mut self, body: NodeId, mut nodes: Vec<NodeId>) -> NodeId {
        let before = nodes.len();
        while let [.., test, last] = nodes[..]
            && matches!(self.node(test), Node::If(..))
            && let Some(merged) = self.before(test, last)
        {
            nodes.truncate(nodes.len() - 2);
            nodes.push(merged);
        }
        match nodes[..] {
            [only] => only,
            _ if nodes.len() == before => body,
            _ => {
                let spot = self.spot(body);
                let list = self.list(&nodes);
                self.push(Node::Block(list), spot)
            }
        }
    }

    /// Whether a chain may get longer, and those in it nest deeper.
    pub(super) fn is_short(&self, mut id: NodeId) -> bool {
        for _ in 0..MAX_CHAINS {
            match self.node(id) {
                Node::Logic(_, steps) if steps.len() >= MAX_CHAIN => return false,
                Node::Logic(first, steps) => id = steps.last().map_or(*first, |(_, last)| *last),
                _ => return true,
            }
        }
        false
    }

    /// `if A then return true;` and `return B;` as one.
    fn merged(&mut self, (condition, then): (NodeId, NodeId), last: NodeId) -> Option<NodeId> {
        let (Node::Return(found), Node::Return(end)) = (self.node(then), self.node(last)) else {
            return None;
        };
        let (end, found) = (*end, self.truth(*found)?);
        if !(self.is_bool(condition) && self.is_bool(end) && self.is_short(end)) {
            return None;
        }
        self.changed = true;
        let spot = self.spot(then);
        let (start, op) = if found {
            (condition, Logic::Or)
        } else {
            (self.push(Node::Unary(Unary::Not, condition), spot), Logic::And)
        };
        let rest = match self.node(end) {
            Node::Constant(Constant::Bool(value)) if *value == (op == Logic::And) => Vec::new(),
            _ => self.steps(op, end),
        };
        let value = self.chain(start, rest, spot);
        Some(self.push(Node::Return(value), spot))
    }
}

/// The most tests that become one chain, and how deep chains nest in one another.
const MAX_CHAIN: usize = 64;
const MAX_CHAINS: usize = 8;

/// Whether a loop over it does nothing.
fn is_empty_list(value: Value<'_>) -> bool {
    match value {
        Value::Path(path) => path.is_empty(),
        Value::Clist(list) => list.is_empty(),
        Value::Eclist(list) => list.is_empty(),
        Value::Lclist(list) => list.is_empty(),
        _ => false,
    }
}
