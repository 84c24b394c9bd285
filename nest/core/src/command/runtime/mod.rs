//! What the runtime knows of itself: `show loops [all]`, `events`, `timers`, `queues`, `jobs`, `sockets`,
//! `flow`, `clients`, `places`, `clear statistics`.
//!
//! A listing is a table of [`Column`]s and makes rows of [`Cell`]s from what workers tell of a loop; the
//! same rows are written for people or, with `json`, for programs. Loops are asked for page by page, and
//! a page only while there is room for it, so that a listing of ten thousand keeps no worker busy and
//! piles up nothing.

mod events;
mod json;
mod listing;
mod loop_timings;
mod loops;
mod places;
mod table;
pub(super) mod timings;
mod worst;

use std::sync::Arc;

use dunlin_conf::glob;
use dunlin_runtime::{Context, LoopId, Wanted};

pub(super) use events::ShowEvents;
pub(super) use json::Json;
pub(super) use listing::{ShowLoops, silence};
pub(super) use loop_timings::ShowLoopTimings;
pub(super) use loops::class;
pub(super) use places::show as show_places;
pub(super) use table::{Cell, Column, column, write_head, write_members, write_object, write_row};
pub(super) use worst::{Names, View};

use super::output::Output;

/// What is listed of each loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    Loops,
    Timers,
    Queues,
    Jobs,
    Sockets,
    Flow,
    Clients,
}

/// Which loops are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Which {
    #[default]
    All,
    /// Of this name.
    Name(Arc<str>),
    /// Whose name fits this pattern.
    Pattern(Arc<str>),
    /// Of this number.
    Number(u32),
}

impl Which {
    /// As workers are asked.
    fn wanted(&self) -> Option<Wanted> {
        match self.clone() {
            Self::All => None,
            Self::Name(wanted) => Some(Arc::new(move |name: &str, _: LoopId| *name == *wanted)),
            Self::Pattern(pattern) => {
                Some(Arc::new(move |name: &str, _: LoopId| glob::matches(&pattern, name)))
            }
            Self::Number(number) => {
                Some(Arc::new(move |_: &str, id: LoopId| id.number() == number))
            }
        }
    }
}

/// Has the runtime forget what it has measured.
pub(super) fn clear(cx: &mut Context<'_>, json: bool, output: &mut Output) {
    cx.runtime().clear_stats();
    if !json {
        return output.last(0, "");
    }
    let json = &mut Json::default();
    json.object(output);
    json.key(output, "cleared");
    json.array(output);
    FORGETFUL.iter().for_each(|command| json.string(output, command));
    json.end_array();
    json.end_object();
    json.finish(output);
    output.last(0, "");
}

/// The listings whose figures `clear statistics` clears.
const FORGETFUL: [&str; 3] = ["threads", "loops", "events"];
