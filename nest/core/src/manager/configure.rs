//! `configure`: files are read one after the other, put into force, confirmed or undone.

use core::time::Duration;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dunlin_runtime::{Class, Context};

use super::phases::Stage;
use super::{ConfigureCommand, Manager, ManagerMessage, Plan};
use crate::command::Line;
use crate::config::{Config, Loaded, Rejected};
use crate::log::LogClass;
use crate::protocol::{ReloadMode, Reply};

/// Configurations before and after the one in force, and those that are being read.
#[derive(Default)]
pub(super) struct Changing {
    /// The one before, and how the change away from it was made.
    pub(super) previous: Option<Version>,
    /// One that waits until the present change is done.
    queued: Option<Queued>,
    /// Who asked for the change that is undone unless confirmed.
    notice: Option<Reply<String>>,
    /// What is to be read and put into force; the first is being read. So changes come in the order of
    /// the requests, however long their files are.
    readings: VecDeque<Reading>,
}

/// A configuration, and how a change with it is made.
pub(super) struct Version {
    pub(super) config: Arc<Config>,
    pub(super) mode: ReloadMode,
}

struct Queued {
    version: Version,
    /// It is the one before: there is nothing to undo afterwards.
    undoes: bool,
}

struct Reading {
    path: PathBuf,
    purpose: Purpose,
}

/// What a configuration is read for.
pub(super) enum Purpose {
    /// To put it into force.
    Apply {
        mode: ReloadMode,
        /// Seconds until it is undone, and who is told then.
        timeout: Option<(u32, Reply<String>)>,
        /// None: nobody waits for the answer.
        reply: Option<Reply<Vec<Line>>>,
    },
    /// To see whether something is wrong with it.
    Check(Reply<Vec<Line>>),
    /// To see what it would do.
    Impact(Reply<Result<Plan, Vec<Line>>>),
}

/// A configuration that was read, and what for; nothing of that if it is the next to be put into force.
pub struct LoadedFor {
    loaded: Option<Loaded>,
    purpose: Option<Purpose>,
}

impl core::fmt::Debug for LoadedFor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("LoadedFor").finish_non_exhaustive()
    }
}

impl Manager {
    // --- Commands

    pub(super) fn configure(
        &mut self,
        cx: &mut Context<'_>,
        command: ConfigureCommand,
        reply: Reply<Vec<Line>>,
        notice: Reply<String>,
    ) {
        match command {
            ConfigureCommand::Apply { soft, file, timeout } => {
                let mode = if soft { ReloadMode::Soft } else { ReloadMode::Hard };
                let timeout = timeout.map(|seconds| (seconds, notice));
                self.read(file, Purpose::Apply { mode, timeout, reply: Some(reply) });
            }
            ConfigureCommand::Check { file } => self.read(file, Purpose::Check(reply)),
            ConfigureCommand::Confirm => {
                self.changing.notice = None;
                let line = if cx.disarm(self.undo_timer).is_cancelled() {
                    Line::new(18, "Reconfiguration confirmed")
                } else {
                    Line::new(19, "Nothing to do")
                };
                reply.send(vec![line]);
            }
            ConfigureCommand::Undo => {
                let done = self.undo(cx);
                reply.send(vec![Line::new(21, "Undo requested"), done]);
            }
            ConfigureCommand::Status => reply.send(self.configure_status(cx)),
        }
    }

    pub(super) fn configure_from_signal(&mut self) {
        self.read(None, Purpose::Apply { mode: ReloadMode::Hard, timeout: None, reply: None });
    }

    fn configure_status(&self, cx: &Context<'_>) -> Vec<Line> {
        let state = match (self.stage, self.changing.queued.is_some()) {
            (Stage::ShuttingDown | Stage::Ended, _) => Line::new(6, "Shutdown in progress"),
            (Stage::Starting | Stage::Changing, true) => {
                Line::new(5, "Reconfiguration in progress, next one enqueued")
            }
            (Stage::Changing | Stage::Starting, _) => Line::new(4, "Reconfiguration in progress"),
            (Stage::Settled, _) => Line::new(3, "Daemon is up and running"),
        };
        let mut lines = vec![state];
        if let Some(expires) = cx.expires(self.undo_timer) {
            let left = expires.since(cx.now());
            let (seconds, thousandths) = (left.as_secs(), left.subsec_millis());
            let text = format!("Configuration unconfirmed, undo in {seconds}.{thousandths:03} s");
            lines.push(Line::new(22, text));
        }
        lines.push(Line::new(0, ""));
        lines
    }

    // --- Reading

    /// Reads a file, or the one that the daemon was started with. What is to be put into force waits
    /// until those before have been read; to look at one costs nobody anything.
    pub(super) fn read(&mut self, file: Option<PathBuf>, purpose: Purpose) {
        let path = file.unwrap_or_else(|| self.file.clone());
        if !matches!(purpose, Purpose::Apply { .. }) {
            return self.load(&path, Some(purpose));
        }
        self.changing.readings.push_back(Reading { path, purpose });
        if self.changing.readings.len() == 1 {
            self.read_next();
        }
    }

    fn read_next(&mut self) {
        if let Some(reading) = self.changing.readings.front() {
            let path = reading.path.clone();
            self.load(&path, None);
        }
    }

    /// Has a file read. Without a purpose it is for the first of those that wait.
    fn load(&mut self, path: &Path, purpose: Option<Purpose>) {
        let own = self.own.clone();
        let done = Reply::or_lost(move |loaded: Option<Loaded>| {
            let result = LoadedFor { loaded, purpose };
            // Without a manager there is no configuration to change.
            let _ = own.send(Class::Control, ManagerMessage::Loaded(Box::new(result)));
        });
        self.system.load(path, done);
    }

    /// A file has been read. Nothing has come of it if there was no thread for that; who asked hears
    /// of it when his reply is dropped.
    pub(super) fn loaded(&mut self, cx: &mut Context<'_>, result: LoadedFor) {
        let LoadedFor { loaded, purpose } = result;
        let is_next = purpose.is_none();
        let next = || self.changing.readings.pop_front().map(|reading| reading.purpose);
        let Some(purpose) = purpose.or_else(next) else { return };
        match loaded {
            None => {}
            Some(Err(rejected)) => self.rejected(&rejected, purpose),
            Some(Ok(config)) => self.accepted(cx, Arc::new(config), purpose),
        }
        if is_next {
            self.read_next();
        }
    }

    fn rejected(&self, rejected: &Rejected, purpose: Purpose) {
        for line in rejected.lines() {
            self.log.write(LogClass::Error, format_args!("{line}"));
        }
        let lines = rejected.lines().map(|line| Line::new(8002, line)).collect();
        match purpose {
            Purpose::Apply { reply: None, .. } => {}
            Purpose::Apply { reply: Some(reply), .. } | Purpose::Check(reply) => reply.send(lines),
            Purpose::Impact(reply) => reply.send(Err(lines)),
        }
    }

    fn accepted(&mut self, cx: &mut Context<'_>, config: Arc<Config>, purpose: Purpose) {
        for warning in &config.warnings {
            self.log.write(LogClass::Warning, format_args!("{warning}"));
        }
        match purpose {
            Purpose::Apply { mode, timeout, reply } => {
                let lines = self.take(cx, Version { config, mode }, timeout);
                if let Some(reply) = reply {
                    reply.send(lines);
                }
            }
            Purpose::Check(reply) => reply.send(vec![Line::new(20, "Configuration OK")]),
            Purpose::Impact(reply) => reply.send(Ok(self.plan(&config))),
        }
    }

    // --- Applying

    /// Puts a configuration into force, now or when the present change is done.
    fn take(
        &mut self,
        cx: &mut Context<'_>,
        version: Version,
        timeout: Option<(u32, Reply<String>)>,
    ) -> Vec<Line> {
        let mut lines = Vec::new();
        cx.disarm(self.undo_timer);
        self.changing.notice = None;
        let ending = matches!(self.stage, Stage::ShuttingDown | Stage::Ended);
        if let Some((seconds, notice)) = timeout.filter(|_| !ending) {
            self.changing.notice = Some(notice);
            cx.arm_after(self.undo_timer, Duration::from_secs(u64::from(seconds)));
            lines.push(Line::new(22, format!("Undo scheduled in {seconds} s")));
        }
        lines.push(self.put_in_force(cx, version, false));
        lines
    }

    fn put_in_force(&mut self, cx: &mut Context<'_>, version: Version, undoes: bool) -> Line {
        match self.stage {
            Stage::ShuttingDown | Stage::Ended => {
                Line::new(6, "Reconfiguration ignored, shutting down")
            }
            Stage::Starting | Stage::Changing => {
                self.changing.queued = Some(Queued { version, undoes });
                Line::new(5, "Reconfiguration already in progress, queueing new config")
            }
            Stage::Settled => {
                self.apply(cx, version, undoes);
                match self.stage {
                    Stage::Settled => Line::new(3, "Reconfigured"),
                    _ => Line::new(4, "Reconfiguration in progress"),
                }
            }
        }
    }

    /// Undoes the last change: one that waits is forgotten, else what was before comes back.
    fn undo(&mut self, cx: &mut Context<'_>) -> Line {
        let nothing = || Line::new(19, "Nothing to do");
        cx.disarm(self.undo_timer);
        self.changing.notice = None;
        match &self.changing.queued {
            Some(Queued { undoes: true, .. }) => return nothing(),
            Some(Queued { undoes: false, .. }) => {
                self.changing.queued = None;
                let text = "Reconfiguration already in progress, removing queued config";
                return Line::new(17, text);
            }
            None => {}
        }
        match self.changing.previous.take() {
            Some(version) => self.put_in_force(cx, version, true),
            None => nothing(),
        }
    }

    pub(super) fn undo_expired(&mut self, cx: &mut Context<'_>) {
        const TEXT: &str = "Config timeout expired, starting undo";
        self.log.write(LogClass::Info, format_args!("{TEXT}"));
        if let Some(notice) = self.changing.notice.take() {
            notice.send(TEXT.to_owned());
        }
        self.undo(cx);
    }

    /// A change is complete; the next one may begin.
    pub(super) fn reconfigured(&mut self, cx: &mut Context<'_>) {
        if let Some(Queued { version, undoes }) = self.changing.queued.take() {
            self.apply(cx, version, undoes);
        }
    }
}
