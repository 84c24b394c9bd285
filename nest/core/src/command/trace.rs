//! `show trace`

use dunlin_runtime::Context;
use dunlin_trace::{Filter, Lines, Progress};

use super::output::Output;
use super::query::TraceQuery;
use super::session::{Desk, ENOUGH, Payload, Step, Task};

/// Shows what the flight recorder holds: a little in each step, and nothing while the client does not read.
pub(super) struct ShowTrace {
    query: TraceQuery,
    lines: Option<Lines>,
}

impl ShowTrace {
    pub(super) fn new(query: TraceQuery) -> Self {
        Self { query, lines: None }
    }
}

impl Task for ShowTrace {
    fn step(
        &mut self,
        _cx: &mut Context<'_>,
        desk: &mut Desk,
        output: &mut Output,
        _answer: Option<Payload>,
    ) -> Step {
        let lines = match &mut self.lines {
            Some(lines) => lines,
            None => {
                let Some(recorder) = desk.shared().host.recorder() else {
                    output.last(9001, "The flight recorder is off");
                    return Step::Done;
                };
                let filter = Filter::clone(&self.query.filter);
                self.lines.insert(Lines::new(&recorder, filter, self.query.json))
            }
        };
        if lines.step(|line| output.row(1027, line)) == Progress::Done {
            output.last(0, "");
            return Step::Done;
        }
        // With the output full, whoever writes it comes back here.
        if output.len() < ENOUGH {
            desk.port()(Payload::Again);
        }
        Step::Waiting
    }
}
