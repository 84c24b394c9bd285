//! `show status`

use std::net::Ipv4Addr;

use super::output::Output;
use super::session::Desk;
use crate::manager::DaemonStatus;

pub(super) fn show(desk: &Desk, output: &mut Output) {
    let shared = desk.shared();
    let published = shared.published();
    let time = |time| desk.time(time, |formats| &formats.base);
    output.row(1000, &format!("BIRD {}", super::COMPATIBLE));
    let router_id = Ipv4Addr::from(published.router_id);
    output.row(1011, &format!("Router ID is {router_id}"));
    output.row(1011, &format!("Hostname is {}", published.hostname));
    output.row(1011, &format!("Current server time is {}", time(shared.host.now())));
    output.row(1011, &format!("Last reboot on {}", time(published.started)));
    output.row(1011, &format!("Last reconfiguration on {}", time(published.configured)));
    let own = env!("CARGO_PKG_VERSION");
    let slices = shared.rib.slices.count();
    let word = if slices == 1 { "slice" } else { "slices" };
    output.row(1011, &format!("Dunlin {own}, {slices} {word}"));
    output.last(
        13,
        match published.status {
            DaemonStatus::Running => "Daemon is up and running",
            DaemonStatus::Reconfiguring => "Reconfiguration in progress",
            DaemonStatus::ShuttingDown => "Shutdown in progress",
        },
    );
}
