//! One client of the control socket.

use core::fmt;
use std::sync::Arc;

use dunlin_filter::Counters;
use dunlin_rib::assess::AssessReply;
use dunlin_rib::registry::GroupFigures;
use dunlin_rib::slice::SliceStatistics;
use dunlin_rib::walk::WalkReply;
use dunlin_runtime::{Address, Class, Context, Stats, StatsReply, Survey};

use super::output::{Line, Output};
use super::query::Command;
use super::{
    configure, control, explain, export, filter_counters, impact, instances, interfaces, memory,
    parse, protocols, route, runtime, status, symbols, threads, trace,
};
use crate::log::LogClass;
use crate::manager::{ManagerMessage, Plan, Policies, Request, Row, Shared};
use crate::protocol::{Description, Reply};
use crate::timeformat::{TimeFormat, TimeFormats, WallTime};

/// More output than this, and the next piece of a long listing waits.
pub(super) const ENOUGH: usize = 64 << 10;

/// What somebody answered, and to which command.
#[derive(Debug)]
pub struct Answer {
    command: u64,
    payload: Payload,
}

/// What can be answered.
#[derive(Debug)]
pub(super) enum Payload {
    Lines(Vec<Line>),
    Rows(Vec<Row>),
    Described(Option<Description>),
    Policies(Option<Policies>),
    Text(usize, Vec<String>),
    Walk(WalkReply),
    Plan(Result<Plan, Vec<Line>>),
    Assessed(AssessReply),
    Slice(SliceStatistics),
    FilterCounters(Option<Counters>),
    Groups(Vec<GroupFigures>),
    Runtime(Box<Stats>),
    /// There is more to do, after others.
    Again,
    /// Who was asked has gone.
    Lost,
    /// Something that belongs to no command.
    Notice(String),
}

/// Brings answers to the loop that owns the session.
pub type Answers = Arc<dyn Fn(Answer) + Send + Sync>;

/// What a session is made of.
#[derive(Clone)]
pub struct SessionParts {
    /// What all sessions share.
    pub shared: Shared,
    /// The manager.
    pub manager: Address<ManagerMessage>,
    /// The way back.
    pub answers: Answers,
    /// Only commands that look.
    pub restricted: bool,
    /// Attribute names as in BIRD 2.
    pub v2_attributes: bool,
}

impl fmt::Debug for SessionParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionParts").finish_non_exhaustive()
    }
}

/// One client.
pub struct Session {
    desk: Desk,
    output: Output,
    task: Option<Box<dyn Task>>,
    /// Lines that wait for the end of the present answer.
    notices: Vec<String>,
}

/// A command that takes more than one step.
pub(super) trait Task: Send {
    /// Goes on: for the first time, with an answer that it asked for, or because the output has
    /// room again.
    fn step(
        &mut self,
        cx: &mut Context<'_>,
        desk: &mut Desk,
        output: &mut Output,
        answer: Option<Payload>,
    ) -> Step;
}

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It waits for an answer or for room.
    Waiting,
    /// It is done: its last line is in the output.
    Done,
}

/// What tasks work with.
pub(super) struct Desk {
    pub(super) parts: SessionParts,
    /// Counts commands, so that late answers to an old one are recognised.
    command: u64,
    /// Formats chosen by this client.
    formats: Option<TimeFormats>,
}

impl Desk {
    /// A reply that comes back to this session as an answer to the present command.
    pub(super) fn reply<T: 'static>(
        &self,
        wrap: impl FnOnce(T) -> Payload + Send + 'static,
    ) -> Reply<T> {
        let answers = Arc::clone(&self.parts.answers);
        let command = self.command;
        Reply::or_lost(move |value| {
            let payload = value.map_or(Payload::Lost, wrap);
            answers(Answer { command, payload });
        })
    }

    /// Asks the workers how they are; the answer is a [`Payload::Runtime`].
    pub(super) fn survey(&self, cx: &Context<'_>, survey: Survey) {
        let reply = self.reply(|stats| Payload::Runtime(Box::new(stats)));
        cx.runtime().survey(survey, StatsReply::new(move |stats| reply.send(stats)));
    }

    /// A reply that is shown between the answers to commands.
    fn notice(&self) -> Reply<String> {
        let answers = Arc::clone(&self.parts.answers);
        Reply::new(move |text| answers(Answer { command: 0, payload: Payload::Notice(text) }))
    }

    /// The way answers take, for those that need more than one reply.
    pub(super) fn port(&self) -> impl Fn(Payload) + Send + Sync + Clone + 'static {
        let answers = Arc::clone(&self.parts.answers);
        let command = self.command;
        move |payload| answers(Answer { command, payload })
    }

    /// Asks the manager.
    pub(super) fn ask(&self, request: Request) {
        // Without a manager the daemon is ending, and this session with it.
        let message = ManagerMessage::Request(Box::new(request));
        let _ = self.parts.manager.send(Class::Control, message);
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.parts.shared
    }

    fn formats(&self) -> TimeFormats {
        let configured = || self.shared().published().config.globals.time_formats.clone();
        self.formats.clone().unwrap_or_else(configured)
    }

    /// A format in force.
    pub(super) fn format(&self, choose: impl FnOnce(&TimeFormats) -> &TimeFormat) -> TimeFormat {
        choose(&self.formats()).clone()
    }

    /// Shows a time by a format chosen from the formats in force.
    pub(super) fn time(
        &self,
        time: WallTime,
        choose: impl FnOnce(&TimeFormats) -> &TimeFormat,
    ) -> String {
        let host = &self.shared().host;
        choose(&self.formats()).show(time, host.now(), host.zone(time))
    }
}

impl Session {
    /// A client that has just connected.
    pub fn new(parts: SessionParts) -> Self {
        let desk = Desk { parts, command: 0, formats: None };
        let mut output = Output::default();
        output.last(1, &format!("BIRD {} ready.", super::COMPATIBLE));
        Self { desk, output, task: None, notices: Vec::new() }
    }

    /// Whether a command is running: the next line has to wait.
    pub fn is_busy(&self) -> bool {
        self.task.is_some()
    }

    /// What waits to be written.
    pub fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    /// Takes the next command. Must not be called while [`Session::is_busy`].
    pub fn line(&mut self, cx: &mut Context<'_>, line: &str) {
        let published = self.desk.shared().published();
        if published.config.globals.debug.commands >= 2 {
            self.desk.shared().log.write(LogClass::Trace, format_args!("CLI: {line}"));
        }
        let validated = self.desk.shared().rib.validated.load_full();
        match parse::parse(line, &published.config, Some(&*validated)) {
            Err(error) => self.output.last(9001, &error),
            Ok(command) if self.desk.parts.restricted && command.changes() => {
                self.output.last(8007, "Access denied");
            }
            Ok(command) => self.run(cx, command),
        }
    }

    /// A line was too long to be taken.
    pub fn too_long(&mut self) {
        self.output.last(9000, "Command too long");
    }

    /// Takes an answer.
    pub fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) {
        if let Payload::Notice(text) = answer.payload {
            self.notices.push(text);
            return self.show_notices();
        }
        if answer.command != self.desk.command || self.task.is_none() {
            return;
        }
        if matches!(answer.payload, Payload::Lost) {
            self.task = None;
            self.output.last(8004, "Stopped due to reconfiguration");
            return self.show_notices();
        }
        self.step(cx, Some(answer.payload));
    }

    /// The output has room again.
    pub fn resume(&mut self, cx: &mut Context<'_>) {
        self.step(cx, None);
    }

    fn step(&mut self, cx: &mut Context<'_>, answer: Option<Payload>) {
        let Some(task) = &mut self.task else { return };
        if task.step(cx, &mut self.desk, &mut self.output, answer) == Step::Done {
            self.task = None;
            self.show_notices();
        }
    }

    /// Shows what belongs to no command, unless one is being answered.
    fn show_notices(&mut self) {
        if self.task.is_none() {
            self.notices.drain(..).for_each(|text| self.output.asynchronous(&text));
        }
    }

    fn start(&mut self, cx: &mut Context<'_>, task: impl Task + 'static) {
        self.desk.command += 1;
        self.task = Some(Box::new(task));
        self.step(cx, None);
    }

    fn run(&mut self, cx: &mut Context<'_>, command: Command) {
        let (desk, output) = (&self.desk, &mut self.output);
        match command {
            Command::ShowStatus => status::show(desk, output),
            Command::ShowInterfaces { summary } => interfaces::show(desk, output, summary),
            Command::NotRunning(name) => {
                output.last(9001, &format!("There is no {name} protocol running"));
            }
            Command::Eval(value) => output.last(23, &value),
            Command::Threads { group, threads } => {
                threads::resize(cx, output, group.as_deref(), threads);
            }
            Command::Restrict => {
                self.desk.parts.restricted = true;
                output.last(16, "Access restricted");
            }
            Command::TimeFormat(format) => {
                let mut formats = desk.formats();
                formats.set_shown(&format);
                self.desk.formats = Some(formats);
                output.last(0, "");
            }
            Command::ShowExport => self.start(cx, export::ShowExport::default()),
            Command::ShowMemory => self.start(cx, memory::ShowMemory::default()),
            Command::ShowProtocols { all, selection } => {
                self.start(cx, protocols::ShowProtocols::new(selection, all));
            }
            Command::ShowRoute(query) => self.start(cx, route::ShowRoute::new(*query)),
            Command::ExplainRoute(query, explain) => {
                self.start(cx, explain::ExplainRoute::new(*query, explain));
            }
            Command::CountFilters(on) => filter_counters::switch(desk, output, on),
            Command::ShowFilterCounters { query, json } => {
                self.start(cx, filter_counters::ShowCounters::new(query, json));
            }
            Command::ShowSymbols(query) => symbols::show(desk, output, &query),
            Command::ShowStatic(selection) => {
                self.start(cx, instances::ShowInstances::new("static", selection, "routes", 1009));
            }
            Command::ShowTrace(query) => self.start(cx, trace::ShowTrace::new(query)),
            Command::ShowThreads { all, json } => {
                self.start(cx, threads::ShowThreads::new(all, json));
            }
            Command::ShowLoops { listed, which, json } => {
                self.start(cx, runtime::ShowLoops::new(listed, which, json));
            }
            Command::ShowLoopTimings { which, json } => {
                self.start(cx, runtime::ShowLoopTimings::new(which, json));
            }
            Command::ShowEvents { all, json } => {
                self.start(cx, runtime::ShowEvents::new(all, json));
            }
            Command::ShowPlaces { json } => runtime::show_places(cx, output, json),
            Command::ClearStatistics { json } => runtime::clear(cx, json, output),
            Command::Configure(command) => {
                configure::announce(desk, output, &command);
                let notice = desk.notice();
                let request = move |reply| Request::Configure { command, reply, notice };
                self.start(cx, control::Ask::new(request));
            }
            Command::Impact { file, json } => self.start(cx, impact::CheckImpact::new(file, json)),
            Command::Control { action, selection, message } => {
                let request = move |reply| Request::Control { action, selection, message, reply };
                self.start(cx, control::Ask::new(request));
            }
            Command::Debug { flags, channel, selection } => {
                let action = crate::manager::Action::Debug(flags, channel);
                let request =
                    move |reply| Request::Control { action, selection, message: None, reply };
                self.start(cx, control::Ask::new(request));
            }
            Command::Down => {
                output.last(7, "Shutdown requested");
                desk.ask(Request::Shutdown);
            }
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("busy", &self.is_busy()).finish_non_exhaustive()
    }
}
