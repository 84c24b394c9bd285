//! Runs flat code.

use std::cmp::Ordering;

use dunlin_attr::kind;
use dunlin_net::{
    as_path::AsPath,
    community::{Communities, ExtCommunities, LargeCommunities},
};

use super::{Executed, Frame, Machine, Stop, tracer::Tracer};
use crate::{
    attribute::Attribute,
    code::{Binary, Logic, Node, NodeId, Unary},
    flat::{AsWhat, Flat, Member, Number, Operation, Place, Question, Test},
    input::Seen,
    net::plain_type,
    ops,
    set::Set,
    types::{EnumType, Type},
    value::{Value, lc_key},
};

const SOURCE: &Attribute = &Attribute::Source;
const PREFERENCE: &Attribute = &Attribute::Preference;
const ORIGIN: &Attribute = &Attribute::Bgp(kind::ORIGIN, Type::Enum(EnumType::Origin));
const NEXT_HOP: &Attribute = &Attribute::Bgp(kind::NEXT_HOP, Type::Ip);
const MED: &Attribute = &Attribute::Bgp(kind::MULTI_EXIT_DISC, Type::Int);
const LOCAL_PREF: &Attribute = &Attribute::Bgp(kind::LOCAL_PREF, Type::Int);

impl<'s, T: Tracer> Machine<'s, '_, T> {
    /// Executes the body of a function or filter. What a cohort differs in is found out in the tree.
    pub(super) fn execute_all(&mut self, frame: &mut Frame<'s>) -> Executed {
        let code = frame.code;
        let Some(flat) = code.flat.as_ref().filter(|_| T::FLAT && self.input.is_some()) else {
            return self.execute(frame, code.body);
        };
        if self.cohort.as_ref().is_some_and(|cohort| cohort.runs(code)) {
            return self.execute(frame, code.body);
        }
        self.enter(frame, code.body)?;
        let result = self.follow(frame, flat);
        self.leave();
        result
    }

    fn follow(&mut self, frame: &mut Frame<'s>, flat: &'s Flat) -> Executed {
        let mut at = 0;
        while let Some(operation) = flat.operations.get(at) {
            at += 1;
            match operation {
                Operation::Test(question) => {
                    let holds = match self.quick_test(frame, &question.test) {
                        Some(found) => found != question.negated,
                        None => self.ask(frame, question)?,
                    };
                    if holds == question.leaves {
                        at = question.to as usize;
                    }
                }
                Operation::Jump(to) => at = *to as usize,
                Operation::Execute(node) => self.execute(frame, *node)?,
                Operation::Call(node) => self.call_of(frame, *node)?,
                Operation::Set(slot, node) => self.set_constant(frame, *slot, *node),
                Operation::SetBool(slot, value) => {
                    if let Some(slot) = frame.slots.get_mut(usize::from(*slot)) {
                        *slot = Value::Bool(*value);
                    }
                }
                Operation::Delete(place, set, node) => {
                    if !self.has_none_of(*place, set) {
                        self.execute(frame, *node)?;
                    }
                }
                Operation::Add(place, member, node) => {
                    if !self.add(*place, *member) {
                        self.execute(frame, *node)?;
                    }
                }
                Operation::Return(value) => {
                    self.returned = Value::Bool(*value);
                    return Err(Stop::Return);
                }
                Operation::Accept => return Err(Stop::Accept),
                Operation::Reject => return Err(Stop::Reject),
            }
        }
        Ok(())
    }

    /// A condition in the general way.
    #[inline(never)]
    fn ask(&mut self, frame: &mut Frame<'s>, question: &'s Question) -> Result<bool, Stop> {
        let name = |op: Logic| if op == Logic::And { "AND" } else { "OR" };
        let (number, of) = match question.as_what {
            AsWhat::Condition => (1, "CONDITION"),
            AsWhat::Negated => (1, Unary::Not.name()),
            AsWhat::First(op) => (1, name(op)),
            AsWhat::Other(op) => (2, name(op)),
        };
        self.condition(frame, question.node, number, of)
    }

    #[inline(never)]
    fn call_of(&mut self, frame: &mut Frame<'s>, node: NodeId) -> Executed {
        self.enter(frame, node)?;
        let called = self.call(frame, node);
        self.leave();
        called
    }

    fn set_constant(&self, frame: &mut Frame<'s>, slot: u16, node: NodeId) {
        if let (Node::Constant(constant), Some(slot)) =
            (frame.code.node(node), frame.slots.get_mut(usize::from(slot)))
        {
            *slot = constant.value();
        }
    }

    /// A test, if what it asks about is as usual.
    #[inline(always)]
    fn quick_test(&self, frame: &Frame<'s>, test: &'s Test) -> Option<bool> {
        match test {
            Test::General => None,
            Test::Variable(slot) => match frame.slots.get(usize::from(*slot)) {
                Some(Value::Bool(value)) => Some(*value),
                _ => None,
            },
            Test::NetType(wanted) => {
                self.saw(Seen::NET);
                Some(plain_type(self.input?.net.plain()?) == *wanted)
            }
            Test::NetIn(set) => {
                self.saw(Seen::NET);
                Some(set.contains(self.input?.net.plain()?))
            }
            Test::Source(wanted) => {
                let attrs = self.input?.attrs;
                self.is_untouched(SOURCE).then(|| attrs.source() as u32 == *wanted)
            }
            Test::Origin(wanted) if self.is_untouched(ORIGIN) => {
                Some(self.input?.attrs.origin()? as u32 == *wanted)
            }
            Test::NextHop(wanted) if self.is_untouched(NEXT_HOP) => {
                Some(self.input?.attrs.bgp_view().next_hop_global() == Some(*wanted))
            }
            Test::Origin(_) | Test::NextHop(_) => None,
            Test::Has(place, member) => Some(self.has(*place, *member)),
            Test::ListIn(place, set) => Some(self.has_any_of(*place, set)),
            Test::PathIn(set) => Some(self.path().any(|asn| set.contains_u32(asn))),
            Test::PathLike(mask) => Some(mask.matches(self.path())),
            Test::NumberIn(number, set) => Some(set.contains_u32(self.number(frame, *number)?)),
            Test::Compare(a, op, b) => {
                let (a, b) = (self.number(frame, *a)?, self.number(frame, *b)?);
                Some(is_ordered(a.cmp(&b), *op))
            }
            Test::Defined(number) => self.is_defined(*number),
        }
    }

    fn path(&self) -> AsPath<'s> {
        AsPath(self.bytes(Place::Path))
    }

    /// A number, if it is one and there is one.
    #[inline]
    fn number(&self, frame: &Frame<'s>, number: Number) -> Option<u32> {
        match number {
            Number::Constant(number) => Some(number),
            Number::Variable(slot) => match frame.slots.get(usize::from(slot)) {
                Some(Value::Int(number)) => Some(*number),
                _ => None,
            },
            Number::NetLen => {
                self.saw(Seen::NET);
                Some(u32::from(self.input?.net.plain()?.len()))
            }
            Number::PathLen => u32::try_from(self.path().hops()).ok(),
            Number::PathFirst => Some(self.path().first().unwrap_or(0)),
            Number::PathLast => Some(self.path().last().unwrap_or(0)),
            Number::LocalPref if self.is_untouched(LOCAL_PREF) => self.input?.attrs.local_pref(),
            Number::Med if self.is_untouched(MED) => self.input?.attrs.med(),
            Number::Preference if self.is_untouched(PREFERENCE) => {
                Some(self.input?.attrs.preference())
            }
            Number::LocalPref | Number::Med | Number::Preference => None,
        }
    }

    fn is_defined(&self, number: Number) -> Option<bool> {
        let attrs = self.input?.attrs;
        match number {
            Number::LocalPref if self.is_untouched(LOCAL_PREF) => {
                Some(attrs.local_pref().is_some())
            }
            Number::Med if self.is_untouched(MED) => Some(attrs.med().is_some()),
            _ => None,
        }
    }

    /// Whether a community is in a list.
    #[inline]
    fn has(&self, place: Place, member: Member) -> bool {
        let bytes = self.bytes(place);
        match member {
            Member::Pair(pair) => bytes.as_chunks().0.contains(&pair),
            Member::Ec(ec) => bytes.as_chunks().0.contains(&ec),
            Member::Lc(lc) => bytes.as_chunks().0.contains(&lc),
        }
    }

    fn has_any_of(&self, place: Place, set: &Set) -> bool {
        let bytes = self.bytes(place);
        match place {
            Place::Path => false,
            Place::Communities => Communities::new(bytes).any(|pair| set.contains_u32(pair.0)),
            Place::Ext => ExtCommunities::new(bytes).any(|ec| set.contains(u128::from(ec.0))),
            Place::Large => LargeCommunities::new(bytes).any(|lc| set.contains(lc_key(lc))),
        }
    }

    /// Whether a list has nothing of a set, so that to delete that changes nothing. A list that came without
    /// elements goes.
    #[inline]
    fn has_none_of(&self, place: Place, set: &Set) -> bool {
        if self.bytes(place).is_empty() {
            return self.lacks(place.attribute());
        }
        !self.has_any_of(place, set)
    }

    /// Adds a community to a list, unless there is no room for another list.
    #[inline(never)]
    fn add(&mut self, place: Place, member: Member) -> bool {
        if ops::room(self.bump).is_err() {
            return false;
        }
        if !self.has(place, member) {
            let bytes = self.bytes(place);
            let member = member.wire();
            // Without a torn element at the end.
            let whole = &bytes[..bytes.len() - bytes.len() % member.len()];
            let list = ops::join(whole, member, self.bump);
            self.change(place.attribute(), place.value(list));
        }
        true
    }
}

const fn is_ordered(order: Ordering, op: Binary) -> bool {
    match op {
        Binary::NotEqual => order.is_ne(),
        Binary::Less => order.is_lt(),
        Binary::LessEqual => order.is_le(),
        Binary::Greater => order.is_gt(),
        Binary::GreaterEqual => order.is_ge(),
        _ => order.is_eq(),
    }
}

#[cfg(test)]
mod tests;
