//! `show protocols [all]`

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use dunlin_runtime::Context;

use super::output::Output;
use super::session::{Desk, ENOUGH, Payload, Step, Task};
use crate::manager::{Request, Row, Selection};
use crate::protocol::{
    ChannelConfig, ChannelDescription, ChannelState, ChannelStatistics, Description, Reply,
    limit_lines, statistics_line,
};

/// `show protocols`, until it is done.
pub(super) struct ShowProtocols {
    selection: Selection,
    begun: bool,
    all: bool,
    /// What is left to show.
    rows: VecDeque<Row>,
    /// The row whose instance has been asked.
    asked: Option<Row>,
}

impl ShowProtocols {
    pub(super) fn new(selection: Selection, all: bool) -> Self {
        Self { selection, begun: false, all, rows: VecDeque::new(), asked: None }
    }

    /// Shows rows as long as that needs nobody's answer and there is room.
    fn go_on(&mut self, desk: &Desk, output: &mut Output) -> Step {
        while self.asked.is_none() && output.len() < ENOUGH {
            let Some(row) = self.rows.pop_front() else {
                output.last(0, "");
                return Step::Done;
            };
            output.row(1002, &line(desk, &row));
            if !self.all {
                continue;
            }
            match row.running {
                Some(id) => {
                    desk.ask(Request::Describe(id, describe(desk)));
                    self.asked = Some(row);
                }
                None => details(desk, output, &row, None),
            }
        }
        Step::Waiting
    }
}

impl Task for ShowProtocols {
    fn step(
        &mut self,
        _cx: &mut Context<'_>,
        desk: &mut Desk,
        output: &mut Output,
        answer: Option<Payload>,
    ) -> Step {
        if !core::mem::replace(&mut self.begun, true) {
            desk.ask(Request::Rows(self.selection.clone(), desk.reply(Payload::Rows)));
            return Step::Waiting;
        }
        match answer {
            Some(Payload::Rows(rows)) if rows.is_empty() => {
                output.reply(&[self.selection.nobody()]);
                return Step::Done;
            }
            Some(Payload::Rows(rows)) => {
                let head = ["Name", "Proto", "Table", "State", "Since", "Info"];
                output.row(2002, &columns(head));
                self.rows = rows.into();
            }
            Some(Payload::Described(description)) => {
                if let Some(row) = self.asked.take() {
                    details(desk, output, &row, description);
                }
            }
            _ if self.rows.is_empty() && self.asked.is_none() => return Step::Waiting,
            _ => {}
        }
        self.go_on(desk, output)
    }
}

/// An instance that ends instead of answering is shown as one that has ended.
pub(super) fn describe(desk: &Desk) -> Reply<Option<Description>> {
    let reply = desk.reply(Payload::Described);
    Reply::or_lost(move |found| reply.send(Option::flatten(found)))
}

fn columns([name, kind, table, state, since, info]: [&str; 6]) -> String {
    format!("{name:<10} {kind:<10} {table:<10} {state:<6} {since:<12}  {info}")
}

fn line(desk: &Desk, row: &Row) -> String {
    let config = &row.config;
    let table = match &*config.channels {
        [only] if config.kind.has_main_channel() => &*only.table,
        _ => "---",
    };
    let since = desk.time(row.since, |formats| &formats.protocol);
    let state = row.state.to_string();
    columns([&config.name, config.kind.type_name(), table, &state, &since, &row.info])
}

/// All that is known, and an empty line.
fn details(desk: &Desk, output: &mut Output, row: &Row, description: Option<Description>) {
    let config = &row.config;
    let mut put = |name: &str, value: &str| output.row(1006, &format!("  {name:<19} {value}"));
    if let Some(description) = &config.description {
        put("Description:", description);
    }
    if let Some(message) = &row.message {
        put("Message:", message);
    }
    put("Created:", &desk.time(row.created, |formats| &formats.protocol));
    if let Some(restarted) = row.restarted {
        put("Last autorestart:", &desk.time(restarted, |formats| &formats.protocol));
    }
    if let Some(id) = config.router_id {
        put("Router ID:", &Ipv4Addr::from(id).to_string());
    }
    let description = description.unwrap_or_else(|| config.kind.describe_down(config));
    description.lines.iter().for_each(|line| output.row(1006, line));
    if config.kind.has_channel_blocks() {
        for channel in &config.channels {
            let state = description.channels.iter().find(|state| state.kind == channel.kind);
            channel_lines(output, channel, state);
        }
    }
    output.row(1006, "");
}

fn channel_lines(output: &mut Output, config: &ChannelConfig, state: Option<&ChannelDescription>) {
    let down = ChannelDescription::down(config.kind);
    let state = state.unwrap_or(&down);
    let figures = state.statistics.unwrap_or_default();
    output.row(1006, &format!("  Channel {}", config.kind));
    let mut put = |name: &str, value: &str| output.row(1006, &format!("    {name:<15} {value}"));
    put("State:", &state.state.to_string());
    put("Import state:", &state.import.to_string());
    put("Export state:", &state.export.to_string());
    put("Table:", &config.table);
    put("Preference:", &config.preference.to_string());
    put("Input filter:", &config.import.to_string());
    put("Output filter:", &config.export.to_string());
    for (name, limit, hit) in [
        ("Receive limit:", config.receive_limit, figures.receive_hit),
        ("Import limit:", config.import_limit, figures.import_hit),
        ("Export limit:", config.export_limit, figures.export_hit),
    ] {
        limit_lines(&mut put, name, limit, hit);
    }
    state.above.iter().for_each(|line| output.row(1006, line));
    if state.state != ChannelState::Down {
        statistics(output, config, &figures);
    }
    state.below.iter().for_each(|line| output.row(1006, line));
}

fn statistics(output: &mut Output, config: &ChannelConfig, figures: &ChannelStatistics) {
    let mut routes = format!("    {:<15} {} imported, ", "Routes:", figures.imported);
    if config.keep_filtered {
        routes.push_str(&format!("{} filtered, ", figures.filtered));
    }
    routes.push_str(&format!("{} exported, {} preferred", figures.exported, figures.preferred));
    output.row(1006, &routes);
    let head = ["received", "rejected", "filtered", "ignored", "RX limit", "limit", "accepted"];
    output.row(1006, &statistics_line(4, "Route change stats:", head.map(str::to_owned)));
    let none = || "---".to_owned();
    let (import, export) = (&figures.import, &figures.export);
    let rows = [
        (
            "Import updates:",
            [
                import.updates_received.to_string(),
                import.updates_rejected.to_string(),
                import.updates_filtered.to_string(),
                import.updates_ignored.to_string(),
                import.updates_receive_limited.to_string(),
                import.updates_limited.to_string(),
                import.updates_accepted.to_string(),
            ],
        ),
        (
            "Import withdraws:",
            [
                import.withdraws_received.to_string(),
                import.withdraws_rejected.to_string(),
                none(),
                import.withdraws_ignored.to_string(),
                none(),
                none(),
                import.withdraws_accepted.to_string(),
            ],
        ),
        (
            "Export updates:",
            [
                export.updates_received.to_string(),
                export.updates_rejected.to_string(),
                export.updates_filtered.to_string(),
                "0".to_owned(),
                none(),
                export.updates_limited.to_string(),
                export.updates_accepted.to_string(),
            ],
        ),
        (
            "Export withdraws:",
            [
                export.withdraws_received.to_string(),
                none(),
                none(),
                "0".to_owned(),
                none(),
                none(),
                export.withdraws_accepted.to_string(),
            ],
        ),
    ];
    for (name, cells) in rows {
        output.row(1006, &statistics_line(4, &format!("  {name}"), cells));
    }
}
