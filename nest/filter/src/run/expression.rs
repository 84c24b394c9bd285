//! Evaluates expressions.

use dunlin_net::as_path::{Mask, MaskItem};

use super::{
    Evaluated, Frame, Machine, Stop,
    tracer::{Tracer, What},
};
use crate::{
    code::{Code, Limits, List, MaskPart, Node, NodeId, SetPart, item_of},
    ops::{self, Fault},
    set::{Item, Set},
    types::{Element, Type},
    value::Value,
};

impl<'s, T: Tracer> Machine<'s, '_, T> {
    pub(super) fn evaluate(&mut self, frame: &mut Frame<'s>, id: NodeId) -> Evaluated<'s> {
        let code: &'s Code = frame.code;
        match code.node(id) {
            Node::Constant(constant) => {
                if let Some(cohort) = &mut self.cohort {
                    cohort.keep_equal(code, id, constant);
                }
                return Ok(constant.value());
            }
            Node::Variable(slot) => {
                let value = frame.slots.get(usize::from(*slot)).copied().unwrap_or(Value::Void);
                self.tracer.read(code, id, value);
                return Ok(value);
            }
            Node::Attribute(attribute) => {
                let value = self.read(attribute).map_err(|fault| self.stop(frame, id, fault));
                if T::VALUES
                    && let Ok(value) = value
                {
                    self.tracer.read(code, id, value);
                }
                return value;
            }
            _ => {}
        }
        self.enter(frame, id)?;
        let result = self.evaluate_deep(frame, id, code.node(id));
        self.leave();
        if T::VALUES
            && let Ok(value) = result
        {
            self.show_value(code, id, value);
        }
        result
    }

    /// Shows what became of the values that were read, where that says more than they do.
    fn show_value(&mut self, code: &Code, id: NodeId, value: Value<'s>) {
        if let Node::Method(..) | Node::RoaCheck(..) | Node::AspaCheck(..) = code.node(id) {
            self.tracer.read(code, id, value);
        }
    }

    fn evaluate_deep(
        &mut self,
        frame: &mut Frame<'s>,
        id: NodeId,
        node: &'s Node,
    ) -> Evaluated<'s> {
        let result = match node {
            Node::Binary(op, a, b) => {
                if !T::VALUES
                    && let Some(value) = self.quick_binary(frame, *op, *a, *b)
                {
                    return Ok(Value::Bool(value));
                }
                if self.differ(frame.code, *a, *b) {
                    return self.binary_of_all(frame, id, *op, [*a, *b]);
                }
                let a = self.evaluate(frame, *a)?;
                let b = self.evaluate(frame, *b)?;
                ops::binary(*op, a, b, self.bump)
            }
            Node::Unary(op, a) => {
                let a = self.evaluate(frame, *a)?;
                ops::unary(*op, a, self.bump)
            }
            Node::Logic(first, steps) => {
                return self.logic(frame, *first, steps).map(Value::Bool);
            }
            Node::Method(method, on, argument) => {
                let on = self.evaluate(frame, *on)?;
                let argument = match argument {
                    Some(argument) => self.evaluate(frame, *argument)?,
                    None => Value::Void,
                };
                ops::method(*method, on, argument, self.bump)
            }
            Node::Ec(kind, key, value) => {
                let key = self.evaluate(frame, *key)?;
                let value = self.evaluate(frame, *value)?;
                ops::ec(*kind, key, value)
            }
            Node::Lc(a, b, c) => {
                let a = self.evaluate(frame, *a)?;
                let b = self.evaluate(frame, *b)?;
                let c = self.evaluate(frame, *c)?;
                ops::lc(a, b, c)
            }
            Node::RoaCheck(table, net, asn) => {
                let net = self.evaluate(frame, *net)?;
                let asn = self.evaluate(frame, *asn)?;
                self.origin_validity(table, net, asn)
            }
            Node::AspaCheck(table, path, upstream) => {
                let path = self.evaluate(frame, *path)?;
                let upstream = self.evaluate(frame, *upstream)?;
                self.path_validity(table, path, upstream)
            }
            Node::Mask(parts) => return self.mask(frame, id, parts),
            Node::Set(element, parts) => return self.set_of(frame, id, *element, parts),
            Node::Call(..) | Node::Recurse(_) => {
                self.call(frame, id)?;
                return Ok(self.returned);
            }
            _ => Err(Fault::from("No expression")),
        };
        result.map_err(|fault| self.stop(frame, id, fault))
    }

    /// Calls the function of a node; what it returns is in the machine then.
    pub(super) fn call(&mut self, frame: &mut Frame<'s>, id: NodeId) -> Result<(), Stop> {
        let code: &'s Code = frame.code;
        let (callee, arguments): (&'s Code, List) = match code.node(id) {
            Node::Call(function, arguments) => match code.functions.get(*function as usize) {
                Some(function) if T::WRITTEN => (function.written(), *arguments),
                Some(function) => (&function.code, *arguments),
                None => return Err(self.stop(frame, id, Fault::from("No such function"))),
            },
            Node::Recurse(arguments) => (code, *arguments),
            _ => return Err(self.stop(frame, id, Fault::from("No call"))),
        };
        self.turn(frame, id)?;
        self.tracer.begin(What::Call, code, id);
        let slots = self.slots(callee);
        for ((slot, kind), argument) in
            slots.iter_mut().zip(&callee.kinds).zip(code.operands(arguments))
        {
            let value = self.evaluate(frame, *argument)?;
            *slot = Self::fitting(value, *kind, "CALL")
                .map_err(|fault| self.stop(frame, *argument, fault))?;
        }
        self.tracer.enter(callee);
        let mut inner = Frame { code: callee, slots };
        match self.execute_all(&mut inner) {
            Ok(()) => self.returned = Value::Void,
            Err(Stop::Return) => {}
            Err(stop) => return Err(stop),
        }
        self.tracer.end(Some(self.returned));
        Ok(())
    }

    /// The value as one of a type, if it can be that.
    pub(super) fn fitting(value: Value<'s>, wanted: Type, of: &str) -> Result<Value<'s>, Fault> {
        let kind = value.kind();
        if kind.fits(wanted) {
            return Ok(value);
        }
        match (value, wanted) {
            (Value::Ip(std::net::IpAddr::V4(ip)), Type::Quad) => Ok(Value::Quad(ip.to_bits())),
            (Value::Void, _) if of == "CALL" => Ok(value),
            _ => Err(ops::wrong_type(1, of, wanted, kind)),
        }
    }

    /// A mask with parts that are only known now.
    #[inline(never)]
    fn mask(&mut self, frame: &mut Frame<'s>, id: NodeId, parts: &'s [MaskPart]) -> Evaluated<'s> {
        let mut items = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                MaskPart::Fixed(item) => items.push(item.clone()),
                MaskPart::Dynamic(node) => match self.evaluate(frame, *node)? {
                    Value::Int(asn) => items.push(MaskItem::Asn(asn)),
                    Value::Path(path) => items.extend(path.iter().map(MaskItem::Asn)),
                    Value::Set(set) => items.push(MaskItem::Set(set.narrow().into())),
                    other => {
                        let message = format!("Can't use {} in path mask", other.kind());
                        return Err(self.stop(frame, id, Fault::from(message)));
                    }
                },
            }
        }
        match Mask::new(items) {
            Ok(mask) => match self.kept.masks.keep(mask) {
                Some(mask) => Ok(Value::Mask(mask)),
                None => Err(self.stop(frame, id, Fault::from("Too many path masks in one run"))),
            },
            Err(error) => {
                let message = format!("Invalid path mask: {error}");
                Err(self.stop(frame, id, Fault::from(message)))
            }
        }
    }

    /// A set with items that are only known now.
    #[inline(never)]
    fn set_of(
        &mut self,
        frame: &mut Frame<'s>,
        id: NodeId,
        element: Element,
        parts: &'s [SetPart],
    ) -> Evaluated<'s> {
        let mut items = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                SetPart::Fixed(item) => items.push(item.clone()),
                SetPart::Dynamic(limits) => {
                    let item = self.set_item(frame, element, limits)?;
                    items.push(item);
                }
            }
        }
        match self.kept.sets.keep(Set::new(element, items)) {
            Some(set) => Ok(Value::Set(set)),
            None => Err(self.stop(frame, id, Fault::from("Too many sets in one run"))),
        }
    }

    fn set_item(
        &mut self,
        frame: &mut Frame<'s>,
        element: Element,
        limits: &'s [Limits],
    ) -> Result<Item, Stop> {
        let mut bounds = [(0, 0); 3];
        for (place, limits) in bounds.iter_mut().zip(limits) {
            *place = match limits {
                Limits::Fixed(low, high) => (*low, *high),
                Limits::Dynamic(node) => {
                    let value = self.evaluate(frame, *node)?;
                    let number = ops::number(value, 1, "SET_ITEM")
                        .map_err(|fault| self.stop(frame, *node, fault))?;
                    (number, number)
                }
            };
        }
        Ok(item_of(element, bounds))
    }
}
