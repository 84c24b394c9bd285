//! The worst of what has been measured: when it was, whose handler, and who was to blame.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use dunlin_runtime::{Culprit, LoopId, Loops, RuntimeHandle, Stats, Survey, Who, Worst};

use super::super::output::Output;
use super::super::session::Desk;
use super::json::Json;
use super::table::span;
use crate::timeformat::WallTime;

/// The names of the loops that come up. They are asked for after the figures, page by page.
#[derive(Debug, Default)]
pub(in super::super) struct Names {
    known: HashMap<LoopId, Arc<str>>,
    /// Loops whose names are wanted.
    wanted: Arc<BTreeSet<LoopId>>,
}

impl Names {
    /// Of the loops that these tell of.
    pub(in super::super) fn of(worst: impl Iterator<Item = Worst>) -> Self {
        let who = worst.flat_map(|worst| match worst.culprit {
            Some(Culprit::Handler(culprit, _)) => [Some(worst.who), Some(culprit)],
            _ => [Some(worst.who), None],
        });
        let wanted = who.flatten().map(|who| who.loop_id).collect();
        Self { known: HashMap::new(), wanted: Arc::new(wanted) }
    }

    /// What to ask the workers after this answer, which may be one to another question; nothing if enough is known.
    pub(in super::super) fn learn(&mut self, stats: &Stats, is_first: bool) -> Option<Survey> {
        let wanted = stats.loops.iter().filter(|one| self.wanted.contains(&one.id));
        self.known.extend(wanted.map(|one| (one.id, Arc::clone(&one.name))));
        let after = if is_first { None } else { stats.next };
        let is_over = !is_first && after.is_none() || self.known.len() == self.wanted.len();
        (!is_over).then(|| {
            let ids = Arc::clone(&self.wanted);
            let most = ids.len();
            let wanted = Some(Arc::new(move |_: &str, id: LoopId| ids.contains(&id)) as _);
            let loops = Loops::Page { after, most, wanted, details: false };
            Survey { loops, handlers: false }
        })
    }
}

/// What is needed to tell of the worst.
pub(in super::super) struct View<'v> {
    pub(in super::super) desk: &'v Desk,
    pub(in super::super) stats: &'v Stats,
    pub(in super::super) names: &'v Names,
    pub(in super::super) runtime: &'v RuntimeHandle,
}

impl View<'_> {
    /// For people; nothing if all were zero.
    pub(in super::super) fn line(&self, what: &str, worst: Option<Worst>, output: &mut Output) {
        if let Some(worst) = worst.filter(|worst| !worst.span.is_zero()) {
            output.row(1027, &self.worst(what, worst));
        }
    }

    fn worst(&self, what: &str, worst: Worst) -> String {
        let at = self.desk.time(self.wall(worst), |formats| &formats.base);
        let (who, took) = (self.name(worst.who), span(worst.span));
        let why = match worst.culprit {
            None => String::new(),
            Some(Culprit::Several) => "; many handlers were before it".to_owned(),
            Some(Culprit::System) => "; the system let the worker sleep for too long".to_owned(),
            Some(Culprit::Elsewhere(here)) => {
                format!("; until {} before it was on another worker", span(here))
            }
            Some(Culprit::Handler(culprit, held)) => {
                let culprit = self.name(culprit);
                format!("; {culprit} held the worker for {}", span(held))
            }
        };
        format!("\t{what}: {took} at {at}, {who}{why}")
    }

    /// When it was, on the wall clock of today.
    fn wall(&self, worst: Worst) -> WallTime {
        let now = self.desk.shared().host.now();
        WallTime(now.0.saturating_sub(self.stats.now.since(worst.at)))
    }

    fn name(&self, who: Who) -> String {
        let name = self.names.known.get(&who.loop_id).map(AsRef::as_ref);
        who.describe(name, self.runtime.place(who.place))
    }

    /// For programs: a member of the open object.
    pub(in super::super) fn json(
        &self,
        key: &str,
        worst: Option<Worst>,
        json: &mut Json,
        output: &mut Output,
    ) {
        json.key(output, key);
        let Some(worst) = worst else { return json.bare(output, "null") };
        let at = self.wall(worst).0;
        json.object(output);
        json.key(output, "span_ns");
        json.bare(output, worst.span.as_nanos());
        json.key(output, "at");
        json.bare(output, format_args!("{}.{:06}", at.as_secs(), at.subsec_micros()));
        self.json_who("", worst.who, json, output);
        let (kind, culprit) = match worst.culprit {
            None => (None, None),
            Some(Culprit::Several) => (Some("several"), None),
            Some(Culprit::System) => (Some("system"), None),
            Some(Culprit::Elsewhere(_)) => (Some("elsewhere"), None),
            Some(Culprit::Handler(who, held)) => (Some("handler"), Some((who, held))),
        };
        json.key(output, "culprit");
        match kind {
            Some(kind) => json.string(output, kind),
            None => json.bare(output, "null"),
        }
        if let Some((who, held)) = culprit {
            self.json_who("culprit_", who, json, output);
            json.key(output, "culprit_held_ns");
            json.bare(output, held.as_nanos());
        }
        json.end_object();
    }

    fn json_who(&self, prefix: &str, who: Who, json: &mut Json, output: &mut Output) {
        json.key(output, &format!("{prefix}loop"));
        json.bare(output, who.loop_id.number());
        json.key(output, &format!("{prefix}name"));
        match self.names.known.get(&who.loop_id) {
            Some(name) => json.string(output, name),
            None => json.bare(output, "null"),
        }
        json.key(output, &format!("{prefix}handler"));
        json.string(output, who.handler.name());
        json.key(output, &format!("{prefix}argument"));
        json.bare(output, who.argument);
        json.key(output, &format!("{prefix}asked_at"));
        match self.runtime.place(who.place) {
            Some(place) => json.string(output, &format!("{}:{}", place.file(), place.line())),
            None => json.bare(output, "null"),
        }
    }
}
