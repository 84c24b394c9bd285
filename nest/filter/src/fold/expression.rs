//! Folds expressions.

use dunlin_net::as_path::{Mask, MaskItem};

use super::{Folder, Scope, Slot};
use crate::{
    code::{Limits, Logic, MaskPart, Node, NodeId, SetPart, Spot, item_of},
    ops::{self, Fault},
    set::Set,
    types::Element,
    value::{Constant, Value},
};

impl Folder {
    /// Folds an expression of a scope.
    pub(super) fn expression(&mut self, scope: &mut Scope<'_>, id: NodeId) -> NodeId {
        let code = scope.code;
        let spot = code.spot(id);
        let new = match code.node(id) {
            Node::Variable(slot) => return self.variable(scope, *slot, spot),
            Node::Unary(op, a) => {
                let a = self.expression(scope, *a);
                let known = self.computed([a, a], |[a, _], bump| ops::unary(*op, a, bump));
                known.unwrap_or(Node::Unary(*op, a))
            }
            Node::Binary(op, a, b) => {
                let (a, b) = (self.expression(scope, *a), self.expression(scope, *b));
                let known = self.computed([a, b], |[a, b], bump| ops::binary(*op, a, b, bump));
                known.unwrap_or(Node::Binary(*op, a, b))
            }
            Node::Logic(first, steps) => return self.logic(scope, *first, steps, spot),
            Node::Ec(kind, a, b) => {
                let (a, b) = (self.expression(scope, *a), self.expression(scope, *b));
                let known = self.computed([a, b], |[a, b], _| ops::ec(*kind, a, b));
                known.unwrap_or(Node::Ec(*kind, a, b))
            }
            Node::Lc(a, b, c) => {
                let [a, b, c] = [*a, *b, *c].map(|part| self.expression(scope, part));
                let known = self.computed([a, b, c], |[a, b, c], _| ops::lc(a, b, c));
                known.unwrap_or(Node::Lc(a, b, c))
            }
            Node::RoaCheck(table, a, b) => {
                let (a, b) = (self.expression(scope, *a), self.expression(scope, *b));
                Node::RoaCheck(table.clone(), a, b)
            }
            Node::AspaCheck(table, a, b) => {
                let (a, b) = (self.expression(scope, *a), self.expression(scope, *b));
                Node::AspaCheck(table.clone(), a, b)
            }
            Node::Method(method, on, None) => {
                let on = self.expression(scope, *on);
                let known =
                    self.computed([on], |[on], bump| ops::method(*method, on, Value::Void, bump));
                known.unwrap_or(Node::Method(*method, on, None))
            }
            Node::Method(method, on, Some(by)) => {
                let (on, by) = (self.expression(scope, *on), self.expression(scope, *by));
                let known =
                    self.computed([on, by], |[on, by], bump| ops::method(*method, on, by, bump));
                known.unwrap_or(Node::Method(*method, on, Some(by)))
            }
            Node::Mask(parts) => self.mask(scope, parts),
            Node::Set(element, parts) => self.set(scope, *element, parts),
            Node::Call(function, arguments) => {
                return self.call(scope, *function, *arguments, spot);
            }
            Node::Recurse(arguments) => {
                let arguments = code.operands(*arguments);
                let nodes: Vec<_> = arguments.iter().map(|a| self.expression(scope, *a)).collect();
                Node::Recurse(self.list(&nodes))
            }
            other => other.clone(),
        };
        self.push(new, spot)
    }

    /// The constant that an operation gives; none if an operand is no constant, it fails, or gives no
    /// value: whether that is an error depends on what is done with it.
    fn computed<const N: usize>(
        &mut self,
        operands: [NodeId; N],
        operation: impl for<'v> FnOnce([Value<'v>; N], &'v bumpalo::Bump) -> Result<Value<'v>, Fault>,
    ) -> Option<Node> {
        if self.literal {
            return None;
        }
        let mut values = [Value::Void; N];
        for (value, operand) in values.iter_mut().zip(operands) {
            *value = self.value(operand)?;
        }
        let constant = match operation(values, &self.bump) {
            Ok(Value::Void | Value::Opaque) | Err(_) => return None,
            Ok(value) => value.to_constant(),
        };
        self.changed = true;
        Some(Node::Constant(constant))
    }

    fn variable(&mut self, scope: &mut Scope<'_>, slot: u16, spot: Spot) -> NodeId {
        let node = match scope.slots.get(usize::from(slot)) {
            Some(Slot::Constant(constant)) => Node::Constant(constant.clone()),
            Some(Slot::Variable(other)) => Node::Variable(*other),
            Some(Slot::Attribute(attribute)) => Node::Attribute(attribute.clone()),
            _ => Node::Variable(self.slot(scope, slot)),
        };
        self.push(node, spot)
    }

    /// A chain of `&&` and `||`: what is known of its value so far decides what is asked next.
    fn logic(
        &mut self,
        scope: &mut Scope<'_>,
        first: NodeId,
        steps: &[(Logic, NodeId)],
        spot: Spot,
    ) -> NodeId {
        let mut start = self.expression(scope, first);
        let mut rest: Vec<(Logic, NodeId)> = Vec::with_capacity(steps.len());
        for (op, operand) in steps {
            let known = if rest.is_empty() && !self.literal { self.truth(start) } else { None };
            if let Some(value) = known {
                self.changed = true;
                if value == (*op == Logic::And) {
                    start = self.checked(scope, *operand);
                }
                continue;
            }
            let operand = self.expression(scope, *operand);
            let is_neutral = self.truth(operand) == Some(*op == Logic::And);
            if is_neutral && !self.literal {
                self.changed = true;
            } else {
                rest.push((*op, operand));
            }
        }
        self.chain(start, rest, spot)
    }

    /// An operand that is all that is left of a chain.
    fn checked(&mut self, scope: &mut Scope<'_>, operand: NodeId) -> NodeId {
        let spot = scope.code.spot(operand);
        let operand = self.expression(scope, operand);
        self.chain(operand, Vec::new(), spot)
    }

    /// A chain, as short as it can be. One operand alone still has to be a bool.
    pub(super) fn chain(
        &mut self,
        start: NodeId,
        rest: Vec<(Logic, NodeId)>,
        spot: Spot,
    ) -> NodeId {
        if rest.is_empty() && self.is_bool(start) {
            return start;
        }
        // A chain in front of a chain is one chain: they go from left to right.
        if !self.literal
            && let Node::Logic(first, steps) = self.node(start)
        {
            let (first, mut all) = (*first, steps.to_vec());
            all.extend(rest);
            return self.push(Node::Logic(first, all.into()), spot);
        }
        self.push(Node::Logic(start, rest.into()), spot)
    }

    fn mask(&mut self, scope: &mut Scope<'_>, parts: &[MaskPart]) -> Node {
        let mut items = Vec::with_capacity(parts.len());
        let mut new = Vec::with_capacity(parts.len());
        for part in parts {
            let part = match part {
                MaskPart::Fixed(item) => MaskPart::Fixed(item.clone()),
                MaskPart::Dynamic(node) => MaskPart::Dynamic(self.expression(scope, *node)),
            };
            match &part {
                MaskPart::Fixed(item) => items.push(item.clone()),
                MaskPart::Dynamic(node) => match self.value(*node) {
                    Some(Value::Int(asn)) => items.push(MaskItem::Asn(asn)),
                    Some(Value::Path(path)) => items.extend(path.iter().map(MaskItem::Asn)),
                    Some(Value::Set(set)) => items.push(MaskItem::Set(set.narrow().into())),
                    _ => items.clear(),
                },
            }
            new.push(part);
        }
        let is_known = |part: &MaskPart| match part {
            MaskPart::Fixed(_) => true,
            MaskPart::Dynamic(node) => {
                matches!(self.value(*node), Some(Value::Int(_) | Value::Path(_) | Value::Set(_)))
            }
        };
        if !self.literal
            && new.iter().all(is_known)
            && let Ok(mask) = Mask::new(items)
        {
            self.changed = true;
            return Node::Constant(Constant::Mask(mask.into()));
        }
        Node::Mask(new.into())
    }

    fn set(&mut self, scope: &mut Scope<'_>, element: Element, parts: &[SetPart]) -> Node {
        let parts: Vec<SetPart> =
            parts.iter().map(|part| self.set_part(scope, element, part)).collect();
        let fixed = |part: &SetPart| match part {
            SetPart::Fixed(item) => Some(item.clone()),
            SetPart::Dynamic(_) => None,
        };
        match parts.iter().map(fixed).collect::<Option<Vec<_>>>() {
            Some(items) if !self.literal => {
                self.changed = true;
                Node::Constant(Constant::Set(Set::new(element, items).into()))
            }
            _ => Node::Set(element, parts.into()),
        }
    }

    fn set_part(&mut self, scope: &mut Scope<'_>, element: Element, part: &SetPart) -> SetPart {
        let SetPart::Dynamic(limits) = part else { return part.clone() };
        let mut new = Vec::with_capacity(limits.len());
        for limits in limits {
            let Limits::Dynamic(node) = limits else {
                new.push(*limits);
                continue;
            };
            let node = self.expression(scope, *node);
            new.push(match self.value(node) {
                Some(Value::Int(number)) if !self.literal => Limits::Fixed(number, number),
                _ => Limits::Dynamic(node),
            });
        }
        let mut bounds = [(0, 0); 3];
        for (place, limits) in bounds.iter_mut().zip(&new) {
            match limits {
                Limits::Fixed(low, high) => *place = (*low, *high),
                Limits::Dynamic(_) => return SetPart::Dynamic(new.into()),
            }
        }
        self.changed = true;
        SetPart::Fixed(item_of(element, bounds))
    }
}
