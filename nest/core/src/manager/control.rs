//! Requests of the command line.

use std::sync::Arc;

use dunlin_filter::PrefixSet;
use dunlin_rib::slice::SliceMessage;
use dunlin_runtime::{Class, Context};

use super::configure::Purpose;
use super::entry::Wanted;
use super::phases::Stage;
use super::{Action, Manager, Policies, Request, Row, Selection};
use crate::command::Line;
use crate::log::LogClass;
use crate::protocol::{Direction, ProtocolState, Reply, StopCause};

impl Manager {
    pub(super) fn request(&mut self, cx: &mut Context<'_>, request: Request) {
        match request {
            Request::Rows(selection, reply) => reply.send(self.rows(&selection)),
            Request::Policies(name, reply) => reply.send(self.policies(&name)),
            Request::Describe(id, reply) => {
                let entry = self.entries.iter_mut().find(|entry| entry.is(id));
                match entry.and_then(|entry| entry.any_instance()) {
                    Some(instance) => {
                        instance.describe(Reply::new(move |text| reply.send(Some(text))));
                    }
                    None => reply.send(None),
                }
            }
            Request::Show { kind, selection, what, reply, each } => {
                self.show(kind, &selection, what, reply, &*each);
            }
            Request::Control { action, selection, message, reply } => {
                let lines = self.control(cx, &action, &selection, message.as_ref());
                self.advance(cx);
                reply.send(lines);
            }
            Request::Configure { command, reply, notice } => {
                self.configure(cx, command, reply, notice);
            }
            Request::Impact { file, reply } => self.read(file, Purpose::Impact(reply)),
            Request::Shutdown => {
                self.log.write(LogClass::Info, format_args!("Shutdown requested by command"));
                self.shut_down(cx);
            }
        }
    }

    fn policies(&mut self, name: &str) -> Option<Policies> {
        let entry = self.entries.iter_mut().find(|entry| &**entry.name() == name)?;
        let (config, running) = (Arc::clone(&entry.config), entry.row().running);
        let (mut channels, mut inward) = (Vec::new(), Vec::new());
        if let Some(instance) = entry.any_instance() {
            for channel in &config.channels {
                if let Some(policy) = instance.export_policy(channel.kind) {
                    channels.push((channel.kind, policy));
                }
                inward.extend(instance.import_policy(channel.kind));
            }
        }
        Some(Policies { config, running, channels, inward })
    }

    fn rows(&self, selection: &Selection) -> Vec<Row> {
        let chosen = self.entries.iter().filter(|entry| selection.includes(entry.name()));
        chosen.map(super::entry::Entry::row).collect()
    }

    fn show(
        &mut self,
        kind: &str,
        selection: &Selection,
        what: &str,
        reply: Reply<Vec<Row>>,
        each: &dyn Fn(usize) -> Reply<Vec<String>>,
    ) {
        let mut rows = Vec::new();
        let mut answers = Vec::new();
        for entry in &mut self.entries {
            let chosen = entry.config.kind.keyword() == kind && selection.includes(entry.name());
            if !chosen || entry.state() == ProtocolState::Down {
                continue;
            }
            let answer = each(rows.len());
            rows.push(entry.row());
            if let Some(instance) = entry.any_instance() {
                instance.show(what, answer);
            } else {
                answers.push(answer);
            }
        }
        reply.send(rows);
        for answer in answers {
            answer.send(Vec::new());
        }
    }

    fn control(
        &mut self,
        cx: &mut Context<'_>,
        action: &Action,
        selection: &Selection,
        message: Option<&Arc<str>>,
    ) -> Vec<Line> {
        if matches!(self.stage, Stage::ShuttingDown | Stage::Ended) {
            return vec![Line::new(6, "Shutdown in progress")];
        }
        let chosen: Vec<usize> = (0..self.entries.len())
            .filter(|index| selection.includes(self.entries[*index].name()))
            .collect();
        if chosen.is_empty() {
            return vec![selection.nobody()];
        }
        let mut lines = Vec::new();
        for index in chosen {
            match action {
                Action::Enable => lines.push(self.enable(index, message)),
                Action::Disable => lines.push(self.disable(cx, index, message)),
                Action::Restart => lines.push(self.restart(cx, index, message)),
                Action::Reload(direction) => lines.push(self.reload(cx, index, *direction)),
                Action::ReloadPart(direction, nets) => {
                    lines.push(self.reload_part(index, *direction, nets));
                }
                Action::Refresh(direction) => self.refresh(cx, index, *direction, &mut lines),
                Action::Debug(flags, channel) => {
                    lines.extend(self.entries[index].trace(*flags, *channel));
                }
            }
        }
        let is_silent = lines.is_empty() && matches!(action, Action::Debug(..));
        if !matches!(selection, Selection::Name(_)) || is_silent {
            lines.push(Line::new(0, ""));
        }
        lines
    }

    fn enable(&mut self, index: usize, message: Option<&Arc<str>>) -> Line {
        let entry = &mut self.entries[index];
        let name = entry.name().clone();
        if !entry.is_disabled() {
            return Line::new(10, format!("{name}: already enabled"));
        }
        entry.wanted = Wanted::Up;
        entry.failed = false;
        entry.message = message.cloned();
        self.log.write(LogClass::Info, format_args!("Enabling protocol {name}"));
        Line::new(11, format!("{name}: enabled"))
    }

    fn disable(&mut self, cx: &mut Context<'_>, index: usize, message: Option<&Arc<str>>) -> Line {
        let entry = &mut self.entries[index];
        let name = entry.name().clone();
        if entry.wanted != Wanted::Up {
            return Line::new(8, format!("{name}: already disabled"));
        }
        entry.wanted = if entry.config.parent.is_some() { Wanted::Gone } else { Wanted::Down };
        entry.message = message.cloned();
        entry.stop(cx, StopCause::CommandDisable, message.cloned());
        self.log.write(LogClass::Info, format_args!("Disabling protocol {name}"));
        Line::new(9, format!("{name}: disabled"))
    }

    fn restart(&mut self, cx: &mut Context<'_>, index: usize, message: Option<&Arc<str>>) -> Line {
        let entry = &mut self.entries[index];
        let name = entry.name().clone();
        if entry.wanted != Wanted::Up {
            return Line::new(8, format!("{name}: already disabled"));
        }
        entry.message = message.cloned();
        // One that could not start, or ended by itself, tries again.
        entry.failed = false;
        entry.stop(cx, StopCause::CommandRestart, message.cloned());
        self.log.write(LogClass::Info, format_args!("Restarting protocol {name}"));
        Line::new(12, format!("{name}: restarted"))
    }

    fn reload(&mut self, cx: &mut Context<'_>, index: usize, direction: Option<Direction>) -> Line {
        let entry = &mut self.entries[index];
        let name = entry.name().clone();
        let up = entry.state() == ProtocolState::Up;
        let Some(instance) = entry.instance().filter(|_| up) else {
            return Line::new(8, format!("{name}: is not UP"));
        };
        let directions = direction.map_or(vec![Direction::In, Direction::Out], |one| vec![one]);
        if directions.into_iter().all(|direction| instance.reload(cx, direction)) {
            self.log.write(LogClass::Info, format_args!("Reloading protocol {name}"));
            Line::new(15, format!("{name}: reloading"))
        } else {
            Line::new(8006, format!("{name}: reload failed"))
        }
    }

    fn reload_part(
        &mut self,
        index: usize,
        direction: Option<Direction>,
        nets: &Arc<PrefixSet>,
    ) -> Line {
        let entry = &mut self.entries[index];
        let name = entry.name().clone();
        let up = entry.state() == ProtocolState::Up;
        let Some(instance) = entry.instance().filter(|_| up) else {
            return Line::new(8, format!("{name}: is not UP"));
        };
        let directions = direction.map_or(vec![Direction::In, Direction::Out], |one| vec![one]);
        if !directions.iter().all(|direction| instance.reloads_in_part(*direction)) {
            let refused = "partial reload refused, please run full reload instead";
            return Line::new(8006, format!("{name}: {refused}"));
        }
        if directions.contains(&Direction::In) {
            self.rib.slices.send_all(Class::Routing, || SliceMessage::Partial {
                protocol: Arc::clone(&name),
                nets: Arc::clone(nets),
            });
        }
        self.log.write(LogClass::Info, format_args!("Reloading protocol {name} in part"));
        Line::new(15, format!("{name}: reloading"))
    }

    fn refresh(
        &mut self,
        cx: &mut Context<'_>,
        index: usize,
        direction: Option<Direction>,
        lines: &mut Vec<Line>,
    ) {
        let entry = &mut self.entries[index];
        let name = entry.name().clone();
        let up = entry.state() == ProtocolState::Up;
        let Some(instance) = entry.instance().filter(|_| up) else {
            lines.push(Line::new(8006, format!("{name}: not reloading, not up")));
            return;
        };
        let directions = direction.map_or(vec![Direction::In, Direction::Out], |one| vec![one]);
        for direction in directions {
            lines.push(match instance.refresh(cx, direction) {
                Ok(text) => Line::new(15, format!("{name}{text}")),
                Err(text) => Line::new(8006, format!("{name}: {text}")),
            });
        }
    }
}
