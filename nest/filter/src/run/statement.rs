//! Executes statements.

use dunlin_net::community::{Communities, ExtCommunities, LargeCommunities};

use super::{
    Executed, Frame, Machine, Stop,
    tracer::{Tracer, What},
};
use crate::{
    code::{Code, List, Node, NodeId},
    ops::Fault,
    value::{Constant, Value},
};

impl<'s, T: Tracer> Machine<'s, '_, T> {
    pub(super) fn execute(&mut self, frame: &mut Frame<'s>, id: NodeId) -> Executed {
        self.enter(frame, id)?;
        let result = self.execute_deep(frame, id);
        self.leave();
        result
    }

    fn execute_deep(&mut self, frame: &mut Frame<'s>, mut id: NodeId) -> Executed {
        let code: &'s Code = frame.code;
        // Chains of `else if` are walked here, so they do not nest.
        while let Node::If(condition, then, otherwise) = code.node(id) {
            self.tracer.statement(code, id);
            let holds = self.shown(frame, What::Condition, *condition, (1, "CONDITION"))?;
            id = if holds { *then } else { *otherwise };
        }
        self.tracer.statement(code, id);
        match code.node(id) {
            Node::Nothing | Node::If(..) => Ok(()),
            Node::Block(list) => {
                for statement in code.operands(*list) {
                    self.execute(frame, *statement)?;
                }
                Ok(())
            }
            Node::Case(value, switch, arms, otherwise) => {
                self.tracer.begin(What::Case, code, id);
                let arm = self.arm(frame, *value, *switch, *arms)?;
                if let Some(arm) = arm {
                    self.tracer.step(What::Arm, code, arm, None);
                }
                self.execute(frame, arm.unwrap_or(*otherwise))
            }
            Node::For(list, slot, body) => self.for_loop(frame, id, *list, *slot, *body),
            Node::SetVariable(slot, value) => self.set_variable(frame, id, *slot, *value),
            Node::SetAttribute(attribute, value) => {
                self.tracer.begin(What::Set, code, id);
                let value = self.evaluate(frame, *value)?;
                self.set(attribute, value).map_err(|fault| self.stop(frame, id, fault))?;
                self.tracer.end(Some(value));
                Ok(())
            }
            Node::Unset(attribute) => {
                self.tracer.step(What::Unset, code, id, None);
                self.change(attribute, Value::Void);
                Ok(())
            }
            Node::Discard(value) => self.evaluate(frame, *value).map(|_| ()),
            Node::Return(value) => {
                self.tracer.begin(What::Return, code, id);
                self.returned = self.evaluate(frame, *value)?;
                self.tracer.end(Some(self.returned));
                Err(Stop::Return)
            }
            Node::Accept(list) => self.verdict(frame, id, *list, Stop::Accept),
            Node::Reject(list) => self.verdict(frame, id, *list, Stop::Reject),
            Node::Error(list) => {
                self.print(frame, *list)?;
                self.flush(code, id);
                Err(self.stop(frame, id, Fault::from("Filter asked for an error")))
            }
            Node::Assert(condition, text, place) => {
                self.assert(frame, id, *condition, text, &place.0)
            }
            Node::Print(list, ends_line) => {
                self.print(frame, *list)?;
                if *ends_line {
                    self.flush(code, id);
                }
                Ok(())
            }
            _ => Err(self.stop(frame, id, Fault::from("No statement"))),
        }
    }

    fn verdict(&mut self, frame: &mut Frame<'s>, id: NodeId, list: List, stop: Stop) -> Executed {
        self.print(frame, list)?;
        if list.len > 0 {
            self.flush(frame.code, id);
        }
        let what = if stop == Stop::Accept { What::Accept } else { What::Reject };
        self.tracer.step(what, frame.code, id, None);
        Err(stop)
    }

    fn set_variable(
        &mut self,
        frame: &mut Frame<'s>,
        id: NodeId,
        slot: u16,
        value: NodeId,
    ) -> Executed {
        let code: &'s Code = frame.code;
        self.tracer.begin(What::Set, code, id);
        let value = match code.node(value) {
            // Before a first value.
            Node::Constant(Constant::Void) => Value::Void,
            _ => {
                let value = self.evaluate(frame, value)?;
                let kind = code.kinds.get(usize::from(slot)).copied();
                let kind = kind.unwrap_or(crate::Type::Unknown);
                Self::fitting(value, kind, "VAR_SET")
                    .map_err(|fault| self.stop(frame, id, fault))?
            }
        };
        if let Some(slot) = frame.slots.get_mut(usize::from(slot)) {
            *slot = value;
        }
        self.tracer.end(Some(value));
        Ok(())
    }

    /// The arm of a `case` that fits.
    fn arm(
        &mut self,
        frame: &mut Frame<'s>,
        value: NodeId,
        switch: u32,
        arms: List,
    ) -> Result<Option<NodeId>, Stop> {
        let code: &'s Code = frame.code;
        let value = self.evaluate(frame, value)?;
        self.tracer.end(Some(value));
        let Some(switch) = code.switches.get(switch as usize) else { return Ok(None) };
        if value.kind() != switch.element().of() {
            return Ok(None);
        }
        let arm = value.key().and_then(|key| switch.arm(key));
        Ok(arm.and_then(|arm| code.operands(arms).get(arm as usize)).copied())
    }

    fn for_loop(
        &mut self,
        frame: &mut Frame<'s>,
        id: NodeId,
        list: NodeId,
        slot: u16,
        body: NodeId,
    ) -> Executed {
        let each = |machine: &mut Self, frame: &mut Frame<'s>, item: Value<'s>| {
            machine.tracer.step(What::Loop, frame.code, id, Some(item));
            if let Some(slot) = frame.slots.get_mut(usize::from(slot)) {
                *slot = item;
            }
            machine.turn(frame, body)?;
            machine.execute(frame, body)
        };
        match self.evaluate(frame, list)? {
            Value::Path(path) => path.iter().try_for_each(|asn| each(self, frame, Value::Int(asn))),
            Value::Clist(list) => {
                let list: Communities<'s> = list;
                list.iter().try_for_each(|pair| each(self, frame, Value::Pair(pair.0)))
            }
            Value::Eclist(list) => {
                let list: ExtCommunities<'s> = list;
                list.iter().try_for_each(|ec| each(self, frame, Value::Ec(ec)))
            }
            Value::Lclist(list) => {
                let list: LargeCommunities<'s> = list;
                list.iter().try_for_each(|lc| each(self, frame, Value::Lc(lc)))
            }
            other => {
                let message = format!("Can't iterate over {}", other.kind());
                Err(self.stop(frame, list, Fault::from(message)))
            }
        }
    }
}
