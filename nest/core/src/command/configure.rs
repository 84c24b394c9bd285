//! `configure`: the line that comes at once.

use std::path::Path;

use super::output::Output;
use super::session::Desk;
use crate::manager::ConfigureCommand;

/// Says which file is read, before it is.
pub(super) fn announce(desk: &Desk, output: &mut Output, command: &ConfigureCommand) {
    let (ConfigureCommand::Apply { file, .. } | ConfigureCommand::Check { file }) = command else {
        return;
    };
    reading(desk, output, file.as_deref());
}

/// Says that this file is read, or the one that the daemon was started with.
pub(super) fn reading(desk: &Desk, output: &mut Output, file: Option<&Path>) {
    let published = desk.shared().published();
    let path = file.unwrap_or(&published.file);
    output.row(2, &format!("Reading configuration from {}", path.display()));
}
