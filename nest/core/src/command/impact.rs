//! `configure check impact`: what a configuration would do, and to how many routes.
//!
//! The manager says what becomes of each protocol. Routes whose filters change are put to the new ones
//! by the slices, a piece of one slice at a time: the next piece is asked for when the last one is
//! here, so a client that goes away leaves nothing behind.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use dunlin_net::hash::Map;
use dunlin_rib::TableId;
use dunlin_rib::assess::{Answer, Ask, AssessReply, AssessRequest, MOST_ASKS};
use dunlin_rib::slice::SliceMessage;
use dunlin_runtime::{Class, Context};

use super::impact_lines::{Finding, Listing};
use super::output::Output;
use super::session::{Desk, ENOUGH, Payload, Step, Task};
use super::{configure, protocols};
use crate::manager::{Plan, Request};
use crate::protocol::{Description, InstanceId};

/// `configure check impact`, until it is done.
pub(super) struct CheckImpact {
    file: Option<PathBuf>,
    listing: Listing,
    begun: bool,
    /// Somebody has been asked and has not answered.
    asked: bool,
    findings: VecDeque<Finding>,
    /// Protocols whose routes go, by their place among the findings.
    stakes: VecDeque<(usize, InstanceId)>,
    passes: VecDeque<Pass>,
}

/// Whose question one is: a protocol, and a channel of it, by their places among the findings.
type Asker = (usize, usize);

/// Some questions about one table, put to one slice after the other.
struct Pass {
    table: TableId,
    asks: Arc<[Ask]>,
    /// Who asks what; of an export in the order of those that it goes to.
    askers: Vec<Vec<Asker>>,
    answers: Vec<Answer>,
    slice: usize,
    cursor: u32,
}

impl CheckImpact {
    pub(super) fn new(file: Option<PathBuf>, json: bool) -> Self {
        Self {
            file,
            listing: Listing::new(json),
            begun: false,
            asked: false,
            findings: VecDeque::new(),
            stakes: VecDeque::new(),
            passes: VecDeque::new(),
        }
    }

    fn begin(&mut self, desk: &Desk, output: &mut Output) {
        if !self.listing.is_json() {
            configure::reading(desk, output, self.file.as_deref());
        }
        let file = self.file.take();
        self.asked = true;
        desk.ask(Request::Impact { file, reply: desk.reply(Payload::Plan) });
    }

    /// The manager has said what becomes of the protocols.
    fn planned(&mut self, plan: Plan) {
        self.passes = passes(&plan);
        let stakes = plan.protocols.iter().enumerate();
        self.stakes = stakes.filter_map(|(at, protocol)| Some((at, protocol.stake?))).collect();
        self.findings = plan.protocols.into_iter().map(Finding::new).collect();
        self.listing.tables(plan.new_tables, plan.old_tables);
    }

    fn described(&mut self, description: Option<Description>) {
        let Some((at, _)) = self.stakes.pop_front() else { return };
        let channels = description.map(|description| description.channels).unwrap_or_default();
        let figures = channels.iter().filter_map(|channel| {
            let figures = channel.statistics?;
            Some((channel.kind.keyword(), figures.imported, figures.exported))
        });
        if let Some(finding) = self.findings.get_mut(at) {
            finding.loses = figures.collect();
        }
    }

    fn assessed(&mut self, slices: usize, reply: &AssessReply) {
        let Some(pass) = self.passes.front_mut() else { return };
        for (answer, more) in pass.answers.iter_mut().zip(&reply.answers) {
            answer.add(more);
        }
        match reply.next {
            Some(cursor) => pass.cursor = cursor,
            None => {
                pass.cursor = 0;
                pass.slice += 1;
            }
        }
        if pass.slice < slices {
            return;
        }
        let Some(pass) = self.passes.pop_front() else { return };
        for (askers, answer) in pass.askers.iter().zip(&pass.answers) {
            for (place, (protocol, channel)) in askers.iter().enumerate() {
                let own = answer.own.get(place).copied().unwrap_or_default();
                let finding = self.findings.get_mut(*protocol);
                if let Some(found) = finding.and_then(|finding| finding.found.get_mut(*channel)) {
                    found.changes = answer.all.minus(&own);
                }
            }
        }
    }

    /// Asks for what is missing, or shows what is there.
    fn go_on(&mut self, desk: &Desk, output: &mut Output) -> Step {
        if self.asked {
            return Step::Waiting;
        }
        if let Some((_, id)) = self.stakes.front() {
            self.asked = true;
            desk.ask(Request::Describe(*id, protocols::describe(desk)));
            return Step::Waiting;
        }
        if let Some(pass) = self.passes.front() {
            self.asked = true;
            pass.ask(desk);
            return Step::Waiting;
        }
        while output.len() < ENOUGH {
            let Some(finding) = self.findings.pop_front() else {
                self.listing.end(output);
                return Step::Done;
            };
            self.listing.show(output, &finding);
        }
        Step::Waiting
    }
}

impl Pass {
    /// Puts the questions to the slice whose turn it is.
    fn ask(&self, desk: &Desk) {
        let reply = desk.reply(Payload::Assessed);
        let request = AssessRequest {
            table: self.table,
            cursor: self.cursor,
            asks: Arc::clone(&self.asks),
            reply: Box::new(move |answer| reply.send(answer)),
        };
        let slices = &desk.shared().rib.slices;
        let address = slices.at(u32::try_from(self.slice).unwrap_or(0));
        // A stopped slice means that the daemon is ending, and this session with it.
        let _ = address.send(Class::Control, SliceMessage::Assess(Box::new(request)));
    }
}

/// What makes two exports one question: the table, both policies, and what else changes.
type ExportKey = (TableId, u64, u64, [bool; 2]);

/// All questions of a plan, as few as can be.
fn passes(plan: &Plan) -> VecDeque<Pass> {
    let mut questions: Vec<(TableId, Ask, Vec<Asker>)> = Vec::new();
    let mut exports: Map<ExportKey, usize> = Map::default();
    for (at, protocol) in plan.protocols.iter().enumerate() {
        for (place, channel) in protocol.channels.iter().enumerate() {
            let asker = (at, place);
            let Ask::Best { now, then, sent_anew, .. } = &channel.ask else {
                questions.push((channel.table, channel.ask.clone(), vec![asker]));
                continue;
            };
            let key = (channel.table, now.key(), then.key(), *sent_anew);
            let index = *exports.entry(key).or_insert(questions.len());
            match questions.get_mut(index) {
                Some((_, _, askers)) => askers.push(asker),
                None => questions.push((channel.table, channel.ask.clone(), vec![asker])),
            }
        }
    }
    for (_, ask, askers) in &mut questions {
        if let Ask::Best { to, .. } = ask {
            let names = askers.iter().map(|(at, _)| Arc::clone(&plan.protocols[*at].name));
            *to = names.collect();
        }
    }
    questions.sort_by_key(|(table, _, _)| *table);
    let of_tables = questions.chunk_by(|(one, ..), (other, ..)| one == other);
    let of_passes = of_tables.flat_map(|of_table| of_table.chunks(MOST_ASKS));
    of_passes.filter_map(Pass::of).collect()
}

impl Pass {
    fn of(questions: &[(TableId, Ask, Vec<Asker>)]) -> Option<Self> {
        let (table, ..) = questions.first()?;
        let asks: Arc<[Ask]> = questions.iter().map(|(_, ask, _)| ask.clone()).collect();
        Some(Self {
            table: *table,
            answers: asks.iter().map(Answer::none).collect(),
            asks,
            askers: questions.iter().map(|(_, _, askers)| askers.clone()).collect(),
            slice: 0,
            cursor: 0,
        })
    }
}

impl Task for CheckImpact {
    fn step(
        &mut self,
        _cx: &mut Context<'_>,
        desk: &mut Desk,
        output: &mut Output,
        answer: Option<Payload>,
    ) -> Step {
        if !core::mem::replace(&mut self.begun, true) {
            self.begin(desk, output);
            return Step::Waiting;
        }
        self.asked &= answer.is_none();
        match answer {
            Some(Payload::Plan(Err(lines))) => {
                output.reply(&lines);
                return Step::Done;
            }
            Some(Payload::Plan(Ok(plan))) => self.planned(plan),
            Some(Payload::Described(description)) => self.described(description),
            Some(Payload::Assessed(reply)) => {
                self.assessed(desk.shared().rib.slices.count(), &reply);
            }
            _ => {}
        }
        self.go_on(desk, output)
    }
}
