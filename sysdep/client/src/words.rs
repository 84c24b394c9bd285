//! The commands there are: the daemon's, and those that the client answers itself.

use dunlin_commands::command;
pub(crate) use dunlin_commands::{Command, GROUPS};

/// What needs no daemon.
const LOCAL: &[Command] = &[
    command(&["help"], "[<command>]", "This help"),
    command(&["quit"], "", "End this session"),
    command(&["exit"], "", "End this session"),
];

/// All commands, in the order of help.
pub(crate) fn commands() -> impl Iterator<Item = &'static Command> {
    dunlin_commands::COMMANDS.iter().chain(LOCAL)
}
