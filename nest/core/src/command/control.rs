//! Commands that the manager answers with finished lines.

use dunlin_runtime::Context;

use super::output::{Line, Output};
use super::session::{Desk, Payload, Step, Task};
use crate::manager::Request;
use crate::protocol::Reply;

/// Asks once, shows the answer.
pub(super) struct Ask<F>(Option<F>);

impl<F: FnOnce(Reply<Vec<Line>>) -> Request + Send> Ask<F> {
    pub(super) fn new(request: F) -> Self {
        Self(Some(request))
    }
}

impl<F: FnOnce(Reply<Vec<Line>>) -> Request + Send> Task for Ask<F> {
    fn step(
        &mut self,
        _cx: &mut Context<'_>,
        desk: &mut Desk,
        output: &mut Output,
        answer: Option<Payload>,
    ) -> Step {
        if let Some(request) = self.0.take() {
            desk.ask(request(desk.reply(Payload::Lines)));
        }
        let Some(Payload::Lines(lines)) = answer else { return Step::Waiting };
        output.reply(&lines);
        Step::Done
    }
}
