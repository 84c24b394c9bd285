//! What `configure check impact` has found, as lines or as JSON.

use std::sync::Arc;

use dunlin_rib::assess::Changes;

use super::output::Output;
use super::runtime::Json;
use crate::manager::{Fate, ProtocolPlan};
use crate::protocol::{Difference, Direction, Effect};

/// The code of its rows.
const CODE: u16 = 1098;

/// What becomes of one protocol, and of its routes.
#[derive(Debug)]
pub(super) struct Finding {
    name: Arc<str>,
    fate: Fate,
    differences: Vec<Difference>,
    /// Routes that go through another filter.
    pub(super) found: Vec<Found>,
    /// Channels, with the routes that they have imported and exported, if those go.
    pub(super) loses: Vec<(&'static str, u64, u64)>,
}

/// What another filter does to the routes of a channel.
#[derive(Debug)]
pub(super) struct Found {
    channel: &'static str,
    direction: Direction,
    pub(super) changes: Changes,
}

impl Finding {
    pub(super) fn new(plan: ProtocolPlan) -> Self {
        let found = plan.channels.iter().map(|channel| Found {
            channel: channel.channel,
            direction: channel.direction,
            changes: Changes::default(),
        });
        Self {
            found: found.collect(),
            name: plan.name,
            fate: plan.fate,
            differences: plan.differences,
            loses: Vec::new(),
        }
    }

    /// What happens, in a word.
    fn effect(&self) -> &'static str {
        let reloads =
            |difference: &Difference| matches!(difference.effect, Effect::Import | Effect::Export);
        match self.fate {
            Fate::Added => "new",
            Fate::Removed => "removed",
            Fate::Same => "nothing",
            Fate::Changed if self.differences.iter().any(reloads) => "reload",
            Fate::Changed => "live",
            Fate::Restarted => "restart",
            Fate::Enabled => "enable",
            Fate::Disabled => "disable",
        }
    }

    /// The options that have changed, those first that ask for most.
    fn options(&self) -> Vec<String> {
        let mut options: Vec<(Effect, String)> = Vec::new();
        for difference in &self.differences {
            let text = named(difference);
            match options.iter_mut().find(|(_, known)| *known == text) {
                Some((effect, _)) => *effect = difference.effect.max(*effect),
                None => options.push((difference.effect, text)),
            }
        }
        options.sort_by_key(|(effect, _)| core::cmp::Reverse(*effect));
        options.into_iter().map(|(_, text)| text).collect()
    }
}

fn named(difference: &Difference) -> String {
    let channel = difference.channel.map_or(String::new(), |channel| format!("{channel} "));
    let detail = difference.detail.as_ref().map_or(String::new(), |text| format!(" ({text})"));
    format!("{channel}{}{detail}", difference.option)
}

const fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "import",
        Direction::Out => "export",
    }
}

/// The answer while it is made.
#[derive(Debug)]
pub(super) struct Listing {
    json: Option<Json>,
    begun: bool,
    /// Protocols to which nothing happens.
    untouched: usize,
    new_tables: Vec<Arc<str>>,
    old_tables: Vec<Arc<str>>,
}

impl Listing {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json: json.then(Json::default),
            begun: false,
            untouched: 0,
            new_tables: Vec::new(),
            old_tables: Vec::new(),
        }
    }

    pub(super) fn is_json(&self) -> bool {
        self.json.is_some()
    }

    /// Tables that come and go.
    pub(super) fn tables(&mut self, new: Vec<Arc<str>>, old: Vec<Arc<str>>) {
        (self.new_tables, self.old_tables) = (new, old);
    }

    /// Shows what becomes of one protocol, if anything does.
    pub(super) fn show(&mut self, output: &mut Output, finding: &Finding) {
        if finding.fate == Fate::Same {
            self.untouched += 1;
            return;
        }
        self.begin(output);
        match &mut self.json {
            Some(json) => object(json, output, finding),
            None => lines(output, finding),
        }
    }

    fn begin(&mut self, output: &mut Output) {
        if core::mem::replace(&mut self.begun, true) {
            return;
        }
        match &mut self.json {
            Some(json) => {
                json.object(output);
                json.key(output, "protocols");
                json.array(output);
            }
            None => output.row(CODE, &columns("Protocol", "Effect", "Because of")),
        }
    }

    /// Ends the answer.
    pub(super) fn end(&mut self, output: &mut Output) {
        if self.json.is_some() {
            self.begin(output);
        }
        let tables = [("new", &self.new_tables), ("removed", &self.old_tables)];
        let Some(json) = &mut self.json else {
            for (what, names) in tables.into_iter().filter(|(_, names)| !names.is_empty()) {
                output.row(CODE, &format!("Tables {what}: {}", names.join(", ")));
            }
            let count = match self.untouched {
                0 => "No protocol stays as it is".to_owned(),
                1 => "1 protocol stays as it is".to_owned(),
                count => format!("{count} protocols stay as they are"),
            };
            output.row(CODE, &count);
            return output.last(20, "Configuration OK");
        };
        json.end_array();
        json.key(output, "untouched");
        json.bare(output, self.untouched);
        json.key(output, "tables");
        json.object(output);
        for (what, names) in tables {
            json.key(output, what);
            json.array(output);
            names.iter().for_each(|name| json.string(output, name));
            json.end_array();
        }
        json.end_object();
        json.end_object();
        json.finish(output);
        output.last(0, "");
    }
}

fn columns(name: &str, effect: &str, why: &str) -> String {
    format!("{name:<20} {effect:<8} {why}").trim_end().to_owned()
}

fn lines(output: &mut Output, finding: &Finding) {
    let why = finding.options().join(", ");
    output.row(CODE, &columns(&finding.name, finding.effect(), &why));
    for (channel, imported, exported) in &finding.loses {
        let text = format!("  {channel}: loses {imported} imported and {exported} exported routes");
        output.row(CODE, &text);
    }
    for Found { channel, direction, changes } in &finding.found {
        let Changes { routes, gained, lost, altered } = changes;
        let (way, total) = (way(*direction), changes.total());
        let parts = if total == 0 {
            String::new()
        } else {
            format!(": {gained} more accepted, {lost} fewer, {altered} with other attributes")
        };
        let text = format!("  {channel} {way}: {total} of {routes} routes change{parts}");
        output.row(CODE, &text);
    }
}

fn object(json: &mut Json, output: &mut Output, finding: &Finding) {
    json.object(output);
    json.key(output, "name");
    json.string(output, &finding.name);
    json.key(output, "effect");
    json.string(output, finding.effect());
    json.key(output, "options");
    json.array(output);
    for difference in &finding.differences {
        option(json, output, difference);
    }
    json.end_array();
    json.key(output, "loses");
    json.array(output);
    for (channel, imported, exported) in &finding.loses {
        json.object(output);
        json.key(output, "channel");
        json.string(output, channel);
        figures(json, output, &[("imported", *imported), ("exported", *exported)]);
        json.end_object();
    }
    json.end_array();
    json.key(output, "routes");
    json.array(output);
    for Found { channel, direction, changes } in &finding.found {
        let Changes { routes, gained, lost, altered } = *changes;
        json.object(output);
        json.key(output, "channel");
        json.string(output, channel);
        json.key(output, "direction");
        json.string(output, way(*direction));
        let parts = [("routes", routes), ("gained", gained), ("lost", lost), ("altered", altered)];
        figures(json, output, &parts);
        json.end_object();
    }
    json.end_array();
    json.end_object();
}

fn option(json: &mut Json, output: &mut Output, difference: &Difference) {
    json.object(output);
    json.key(output, "channel");
    match difference.channel {
        Some(channel) => json.string(output, channel),
        None => json.bare(output, "null"),
    }
    json.key(output, "option");
    json.string(output, difference.option);
    json.key(output, "effect");
    json.string(
        output,
        match difference.effect {
            Effect::Live => "live",
            Effect::Import => "import",
            Effect::Export => "export",
            Effect::Restart => "restart",
        },
    );
    json.key(output, "detail");
    match &difference.detail {
        Some(detail) => json.string(output, detail),
        None => json.bare(output, "null"),
    }
    json.end_object();
}

fn figures(json: &mut Json, output: &mut Output, figures: &[(&str, u64)]) {
    for (name, value) in figures {
        json.key(output, name);
        json.bare(output, value);
    }
}
