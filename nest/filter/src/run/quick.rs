//! Short ways for what most conditions are made of.
//!
//! They only look: a node that they know is evaluated without side effects and without building a
//! [`Value`]; for anything else they say nothing and the general way is taken.

use std::cmp::Ordering;

use dunlin_attr::kind;
use dunlin_net::{as_path::AsPath, community::Community};

use super::{
    Frame, Machine, Stop,
    tracer::{Tracer, What},
};
use crate::{
    attribute::Attribute,
    code::{Binary, Logic, Node, NodeId, Unary},
    flat::Place,
    input::Seen,
    method::Method,
    net::plain_type,
    ops,
    types::{Element, EnumType, Type},
    value::{Constant, Value},
};

impl<'s, T: Tracer> Machine<'s, '_, T> {
    /// Evaluates what has to be a bool; `number` and `of` are for the message if it is none.
    pub(super) fn condition(
        &mut self,
        frame: &mut Frame<'s>,
        id: NodeId,
        number: u8,
        of: &'static str,
    ) -> Result<bool, Stop> {
        let code = frame.code;
        match code.node(id) {
            Node::Constant(Constant::Bool(value)) if self.cohort.is_none() => return Ok(*value),
            Node::Variable(slot) if !T::VALUES => {
                if let Some(Value::Bool(value)) = frame.slots.get(usize::from(*slot)) {
                    return Ok(*value);
                }
            }
            Node::Logic(first, steps) => return self.logic(frame, *first, steps),
            Node::Binary(op, a, b) => {
                if !T::VALUES
                    && let Some(value) = self.quick_binary(frame, *op, *a, *b)
                {
                    return Ok(value);
                }
            }
            Node::Unary(Unary::Not, operand) => {
                self.enter(frame, id)?;
                let value = self.condition(frame, *operand, 1, Unary::Not.name());
                self.leave();
                return value.map(|value| !value);
            }
            Node::Call(..) | Node::Recurse(_) => {
                self.enter(frame, id)?;
                let called = self.call(frame, id);
                self.leave();
                called?;
                return match self.returned {
                    Value::Bool(value) => Ok(value),
                    other => Err(self.no_bool(frame, id, number, of, other.kind())),
                };
            }
            _ => {}
        }
        match self.evaluate(frame, id)? {
            Value::Bool(value) => Ok(value),
            other => Err(self.no_bool(frame, id, number, of, other.kind())),
        }
    }

    /// As [`Self::condition`], as a step that the tracer is told of. Calls are steps by themselves.
    #[inline]
    pub(super) fn shown(
        &mut self,
        frame: &mut Frame<'s>,
        what: What,
        id: NodeId,
        (number, of): (u8, &'static str),
    ) -> Result<bool, Stop> {
        let code = frame.code;
        if !T::VALUES || matches!(code.node(id), Node::Call(..) | Node::Recurse(_)) {
            return self.condition(frame, id, number, of);
        }
        self.tracer.begin(what, code, id);
        let value = self.condition(frame, id, number, of)?;
        self.tracer.end(Some(Value::Bool(value)));
        Ok(value)
    }

    #[cold]
    fn no_bool(
        &mut self,
        frame: &Frame<'s>,
        id: NodeId,
        number: u8,
        of: &'static str,
        found: Type,
    ) -> Stop {
        self.stop(frame, id, ops::wrong_type(number, of, Type::Bool, found))
    }

    /// A chain of `&&` and `||`.
    pub(super) fn logic(
        &mut self,
        frame: &mut Frame<'s>,
        first: NodeId,
        steps: &'s [(Logic, NodeId)],
    ) -> Result<bool, Stop> {
        let name = |op: Logic| if op == Logic::And { "AND" } else { "OR" };
        let first_op = steps.first().map_or(Logic::And, |(op, _)| *op);
        self.enter(frame, first)?;
        let mut value = self.shown(frame, What::Operand, first, (1, name(first_op)))?;
        for (op, operand) in steps {
            if value == (*op == Logic::And) {
                value = self.shown(frame, What::Operand, *operand, (2, name(*op)))?;
            }
        }
        self.leave();
        Ok(value)
    }

    /// A comparison or match of values that are at hand.
    pub(super) fn quick_binary(
        &self,
        frame: &Frame<'s>,
        op: Binary,
        a: NodeId,
        b: NodeId,
    ) -> Option<bool> {
        if self.differ(frame.code, a, b) {
            return None;
        }
        match op {
            Binary::Match => self.quick_match(frame, a, b),
            Binary::NotMatch => self.quick_match(frame, a, b).map(|found| !found),
            Binary::Equal => match self.quick_order(frame, a, b) {
                Some(order) => Some(order.is_eq()),
                None => self.quick_enum(frame, a, b),
            },
            Binary::NotEqual => self.quick_order(frame, a, b).map(Ordering::is_ne),
            Binary::Less => self.quick_order(frame, a, b).map(Ordering::is_lt),
            Binary::LessEqual => self.quick_order(frame, a, b).map(Ordering::is_le),
            Binary::Greater => self.quick_order(frame, a, b).map(Ordering::is_gt),
            Binary::GreaterEqual => self.quick_order(frame, a, b).map(Ordering::is_ge),
            _ => None,
        }
    }

    /// `source = RTS_X`, `bgp_origin = ORIGIN_X` and `net.type = NET_X`.
    fn quick_enum(&self, frame: &Frame<'s>, a: NodeId, b: NodeId) -> Option<bool> {
        let Node::Constant(Constant::Enum(of, wanted)) = frame.code.node(b) else { return None };
        let found = match (frame.code.node(a), of) {
            (Node::Attribute(source @ Attribute::Source), EnumType::Rts)
                if self.is_untouched(source) =>
            {
                self.input?.attrs.source() as u32
            }
            (Node::Attribute(origin @ Attribute::Bgp(kind::ORIGIN, _)), EnumType::Origin)
                if self.is_untouched(origin) =>
            {
                self.input?.attrs.origin()? as u32
            }
            (Node::Method(Method::NetType, on, None), EnumType::Net)
                if matches!(frame.code.node(*on), Node::Attribute(Attribute::Net)) =>
            {
                self.saw(Seen::NET);
                plain_type(self.input?.net.plain()?)
            }
            _ => return None,
        };
        Some(found == *wanted)
    }

    fn quick_order(&self, frame: &Frame<'s>, a: NodeId, b: NodeId) -> Option<Ordering> {
        // In the order in which the general way looks at them.
        let one = self.quick_int(frame, a)?;
        self.quick_int(frame, b).map(|other| one.cmp(&other))
    }

    fn quick_match(&self, frame: &Frame<'s>, a: NodeId, b: NodeId) -> Option<bool> {
        let right = match (frame.code.node(a), frame.code.node(b)) {
            (_, Node::Constant(right)) => right,
            (Node::Constant(one), Node::Attribute(list)) => return self.quick_member(one, list),
            _ => return None,
        };
        match right {
            Constant::PrefixSet(set) => match frame.code.node(a) {
                Node::Attribute(Attribute::Net) => {
                    self.saw(Seen::NET);
                    Some(set.contains(self.input?.net.plain()?))
                }
                _ => None,
            },
            Constant::Set(set) if set.element() == Element::Int => {
                if let Some(number) = self.quick_int(frame, a) {
                    return Some(set.contains_u32(number));
                }
                let path = self.quick_path(frame, a)?;
                Some(path.any(|asn| set.contains_u32(asn)))
            }
            Constant::Mask(mask) => Some(mask.matches(self.quick_path(frame, a)?)),
            _ => None,
        }
    }

    /// Whether a community is in one of the route's lists.
    fn quick_member(&self, one: &Constant, list: &'s Attribute) -> Option<bool> {
        match (one, self.read(list).ok()?) {
            (Constant::Pair(pair), Value::Clist(list)) => Some(list.contains(Community(*pair))),
            (Constant::Ec(ec), Value::Eclist(list)) => Some(list.contains(*ec)),
            (Constant::Lc(lc), Value::Lclist(list)) => Some(list.contains(*lc)),
            _ => None,
        }
    }

    /// A number that is at hand.
    fn quick_int(&self, frame: &Frame<'s>, id: NodeId) -> Option<u32> {
        match frame.code.node(id) {
            Node::Constant(Constant::Int(number)) => Some(*number),
            Node::Variable(slot) => match frame.slots.get(usize::from(*slot)) {
                Some(Value::Int(number)) => Some(*number),
                _ => None,
            },
            Node::Attribute(attribute) if self.is_untouched(attribute) => {
                let attrs = self.input?.attrs;
                match attribute {
                    Attribute::Bgp(kind::LOCAL_PREF, _) => attrs.local_pref(),
                    Attribute::Bgp(kind::MULTI_EXIT_DISC, _) => attrs.med(),
                    Attribute::Preference => Some(attrs.preference()),
                    _ => None,
                }
            }
            Node::Method(Method::Len, on, None)
                if matches!(frame.code.node(*on), Node::Attribute(Attribute::Net)) =>
            {
                self.saw(Seen::NET);
                Some(u32::from(self.input?.net.plain()?.len()))
            }
            Node::Method(method, on, None) => {
                let path = self.quick_path(frame, *on)?;
                match method {
                    Method::Len => u32::try_from(path.hops()).ok(),
                    Method::First => Some(path.first().unwrap_or(0)),
                    Method::Last => Some(path.last().unwrap_or(0)),
                    Method::LastNonaggregated => Some(path.last_nonaggregated().unwrap_or(0)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The path of the route as it is now, or of a variable.
    fn quick_path(&self, frame: &Frame<'s>, id: NodeId) -> Option<AsPath<'s>> {
        match frame.code.node(id) {
            Node::Attribute(path) if Place::of(path) == Some(Place::Path) => {
                self.input?;
                Some(AsPath(self.bytes(Place::Path)))
            }
            Node::Variable(slot) => match frame.slots.get(usize::from(*slot)) {
                Some(Value::Path(path)) => Some(*path),
                _ => None,
            },
            _ => None,
        }
    }
}
