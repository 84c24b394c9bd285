//! `configure`: the line that comes at once.

use super::output::Output;
use super::session::Desk;
use crate::manager::ConfigureCommand;

/// Says which file is read, before it is.
pub(super) fn announce(desk: &Desk, output: &mut Output, command: &ConfigureCommand) {
    let (ConfigureCommand::Apply { file, .. } | ConfigureCommand::Check { file }) = command else {
        return;
    };
    let published = desk.shared().published();
    let path = file.as_ref().unwrap_or(&published.config.path);
    output.row(2, &format!("Reading configuration from {}", path.display()));
}
