//! Evaluates expressions.

use std::sync::Arc;

use dunlin_net::as_path::{Mask, MaskItem};

use super::{Evaluated, Frame, Machine, Stop};
use crate::{
    code::{Code, Function, List, Logic, MaskPart, Node, NodeId},
    ops::{self, Fault},
    types::Type,
    value::Value,
};

impl<'s> Machine<'s, '_> {
    pub(super) fn evaluate(&mut self, frame: &mut Frame<'s>, id: NodeId) -> Evaluated<'s> {
        let code: &'s Code = frame.code;
        match code.node(id) {
            Node::Constant(constant) => return Ok(constant.value()),
            Node::Variable(slot) => {
                return Ok(frame.slots.get(usize::from(*slot)).copied().unwrap_or(Value::Void));
            }
            Node::Attribute(attribute) => {
                return self.read(attribute).map_err(|fault| Self::stop(frame, id, fault));
            }
            _ => {}
        }
        self.enter(frame, id)?;
        let result = self.evaluate_deep(frame, id, code.node(id));
        self.leave();
        result
    }

    fn evaluate_deep(
        &mut self,
        frame: &mut Frame<'s>,
        id: NodeId,
        node: &'s Node,
    ) -> Evaluated<'s> {
        let result = match node {
            Node::Binary(op, a, b) => {
                let a = self.evaluate(frame, *a)?;
                let b = self.evaluate(frame, *b)?;
                ops::binary(*op, a, b, self.bump)
            }
            Node::Unary(op, a) => {
                let a = self.evaluate(frame, *a)?;
                ops::unary(*op, a, self.bump)
            }
            Node::Logic(first, steps) => return self.logic(frame, id, *first, steps),
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
            Node::Mask(parts) => return self.mask(frame, id, parts),
            Node::Call(function, arguments) => {
                let code: &'s Code = frame.code;
                let Some(function) = code.functions.get(*function as usize) else {
                    return Err(Self::stop(frame, id, Fault::from("No such function")));
                };
                let function: &'s Arc<Function> = function;
                return self.call(frame, &function.code, *arguments);
            }
            Node::Recurse(arguments) => {
                let code: &'s Code = frame.code;
                return self.call(frame, code, *arguments);
            }
            _ => Err(Fault::from("No expression")),
        };
        result.map_err(|fault| Self::stop(frame, id, fault))
    }

    fn logic(
        &mut self,
        frame: &mut Frame<'s>,
        id: NodeId,
        first: NodeId,
        steps: &'s [(Logic, NodeId)],
    ) -> Evaluated<'s> {
        let name = |op: Logic| if op == Logic::And { "AND" } else { "OR" };
        let first_op = steps.first().map_or(Logic::And, |(op, _)| *op);
        let value = self.evaluate(frame, first)?;
        let mut value =
            ops::truth(value, 1, name(first_op)).map_err(|fault| Self::stop(frame, id, fault))?;
        for (op, operand) in steps {
            if value == (*op == Logic::And) {
                let operand = self.evaluate(frame, *operand)?;
                value = ops::truth(operand, 2, name(*op))
                    .map_err(|fault| Self::stop(frame, id, fault))?;
            }
        }
        Ok(Value::Bool(value))
    }

    fn call(&mut self, frame: &mut Frame<'s>, callee: &'s Code, arguments: List) -> Evaluated<'s> {
        let slots = self.bump.alloc_slice_fill_copy(usize::from(callee.slots), Value::Void);
        let code: &'s Code = frame.code;
        for ((slot, kind), argument) in
            slots.iter_mut().zip(&callee.kinds).zip(code.operands(arguments))
        {
            let value = self.evaluate(frame, *argument)?;
            *slot = Self::fitting(value, *kind, "CALL")
                .map_err(|fault| Self::stop(frame, *argument, fault))?;
        }
        let mut inner = Frame { code: callee, slots };
        match self.execute(&mut inner, callee.body) {
            Ok(()) => Ok(Value::Void),
            Err(Stop::Return(value)) => Ok(value),
            Err(stop) => Err(stop),
        }
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
                        return Err(Self::stop(frame, id, Fault::from(message)));
                    }
                },
            }
        }
        match Mask::new(items) {
            Ok(mask) => match self.masks.keep(mask) {
                Some(mask) => Ok(Value::Mask(mask)),
                None => Err(Self::stop(frame, id, Fault::from("Too many path masks in one run"))),
            },
            Err(error) => {
                let message = format!("Invalid path mask: {error}");
                Err(Self::stop(frame, id, Fault::from(message)))
            }
        }
    }
}
