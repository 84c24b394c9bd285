//! Runs test suites.

use std::sync::Arc;

use dunlin_attr::{AttrsBuilder, Rts};
use dunlin_net::Prefix;

use super::{
    Executed, Frame, Machine, Scratch, Stop,
    tracer::{Tracer, Untraced, What},
};
use crate::{
    code::{Code, Function, Node, NodeId},
    input::{RouteInput, Sink},
    ops::{self, Fault},
    suite::Report,
    value::Value,
};

/// Runs the function of a suite over a route without attributes: what its assertions found, and
/// why it ended, if it should not have.
pub(crate) fn run_suite(
    function: &Function,
    net: Prefix,
    scratch: &mut Scratch,
    sink: &mut dyn Sink,
) -> (Report, Option<String>) {
    let attrs = AttrsBuilder::new(Rts::Static).finish();
    let found = run_in(function, &route(net, &attrs), scratch, sink);
    scratch.reset();
    found
}

fn route<'a>(net: Prefix, attrs: &'a Arc<dunlin_attr::Attrs>) -> RouteInput<'a> {
    RouteInput::new(net, attrs, "test")
}

fn run_in<'s>(
    function: &'s Function,
    input: &'s RouteInput<'s>,
    scratch: &'s mut Scratch,
    sink: &mut dyn Sink,
) -> (Report, Option<String>) {
    let Scratch { bump, kept, text, .. } = scratch;
    let mut untraced = Untraced;
    let mut machine = Machine::new(Some(input), bump, kept, text, sink, &mut untraced);
    machine.checks = Some(Report::default());
    let code = &function.code;
    let slots = machine.slots(code);
    let mut frame = Frame { code, slots };
    let stop = machine.execute_all(&mut frame);
    machine.flush(code, code.body);
    let end = match stop {
        Ok(()) | Err(Stop::Return | Stop::Accept) => None,
        Err(Stop::Reject) => Some("the function rejects the route".to_owned()),
        Err(Stop::Fault) => Some(machine.failure().to_string()),
    };
    (machine.checks.take().unwrap_or_default(), end)
}

impl<'s, T: Tracer> Machine<'s, '_, T> {
    /// A condition that has to hold. In a test, one that does not is noted; elsewhere it fails.
    pub(super) fn assert(
        &mut self,
        frame: &mut Frame<'s>,
        id: NodeId,
        condition: NodeId,
        text: &str,
        place: &str,
    ) -> Executed {
        let code: &'s Code = frame.code;
        let (holds, operands) = match code.node(condition) {
            Node::Binary(op, a, b) => {
                self.tracer.begin(What::Condition, code, condition);
                let (a, b) = (self.evaluate(frame, *a)?, self.evaluate(frame, *b)?);
                let value = ops::binary(*op, a, b, self.bump);
                let value = value.map_err(|fault| self.stop(frame, id, fault))?;
                self.tracer.end(Some(value));
                (matches!(value, Value::Bool(true)), Some((a, b)))
            }
            _ => (self.shown(frame, What::Condition, condition, (1, "ASSERT"))?, None),
        };
        if let Some(checks) = &mut self.checks {
            checks.checks += 1;
        }
        if holds {
            return Ok(());
        }
        let mut message = text.to_owned();
        if let Some((a, b)) = operands {
            message = format!("{message}: it is {a} and {b}");
        }
        match &mut self.checks {
            Some(checks) => {
                checks.failures.push(format!("{place}: {message}"));
                Ok(())
            }
            None => Err(self.stop(frame, id, Fault::from(format!("Assertion failed: {message}")))),
        }
    }
}
