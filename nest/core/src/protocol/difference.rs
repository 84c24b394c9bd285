//! What a new configuration asks of an instance that runs, option by option.

use dunlin_filter::ChannelFilter;

use super::{ChannelConfig, InstanceConfig};

/// What has to happen for a changed option to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// It holds at once, or for what comes from now on.
    Live,
    /// The channel's import filter runs over the routes that are there.
    Import,
    /// What the channel exports is looked at again.
    Export,
    /// The instance stops and starts.
    Restart,
}

/// One option that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The channel that it is an option of, if it is one of a channel.
    pub channel: Option<&'static str>,
    /// The option as the configuration writes it.
    pub option: &'static str,
    /// What has to happen.
    pub effect: Effect,
    /// How many there are of what has changed, in words, where that says more.
    pub detail: Option<String>,
}

impl Difference {
    /// An option of the instance.
    pub const fn new(option: &'static str, effect: Effect) -> Self {
        Self { channel: None, option, effect, detail: None }
    }

    /// An option of a channel.
    pub const fn of_channel(channel: &'static str, option: &'static str, effect: Effect) -> Self {
        Self { channel: Some(channel), option, effect, detail: None }
    }

    /// Whether routes of this channel go through a filter again, in the direction of the effect.
    pub fn reloads(&self, channel: &str, effect: Effect) -> bool {
        self.channel == Some(channel) && self.effect == effect
    }
}

/// Collects what differs.
#[derive(Debug, Default)]
pub struct Differences(Vec<Difference>);

impl From<Vec<Difference>> for Differences {
    fn from(list: Vec<Difference>) -> Self {
        Self(list)
    }
}

impl Differences {
    /// Notes an option of the instance if it differs.
    pub fn note(&mut self, differs: bool, option: &'static str, effect: Effect) {
        if differs {
            self.add(Difference::new(option, effect));
        }
    }

    /// Notes an option of a channel if it differs.
    pub fn note_in(
        &mut self,
        channel: &'static str,
        differs: bool,
        option: &'static str,
        effect: Effect,
    ) {
        if differs {
            self.add(Difference::of_channel(channel, option, effect));
        }
    }

    /// Notes a filter of a channel. One that does the same under another name only has to be shown
    /// otherwise.
    pub fn note_filter(
        &mut self,
        channel: &'static str,
        (old, new): (&ChannelFilter, &ChannelFilter),
        option: &'static str,
        effect: Effect,
    ) {
        let same = old.means_the_same(new);
        let effect = if same { Effect::Live } else { effect };
        self.note_in(channel, !(same && old.is_called_like(new)), option, effect);
    }

    /// Notes a difference. An option that has to do with routes of both ways is noted once for each;
    /// that it also only has to be taken over need not be said.
    pub fn add(&mut self, difference: Difference) {
        let same = |known: &&mut Difference| {
            (known.channel, known.option) == (difference.channel, difference.option)
        };
        match self.0.iter_mut().find(same) {
            Some(_) if difference.effect == Effect::Live => {}
            Some(known) if known.effect == Effect::Live => *known = difference,
            _ => self.0.push(difference),
        }
    }

    /// All of them.
    pub fn list(self) -> Vec<Difference> {
        self.0
    }
}

impl InstanceConfig {
    /// What differs in `new`, another configuration of the same instance. Without differences the one
    /// can stand for the other.
    pub fn differences(&self, new: &Self) -> Vec<Difference> {
        let mut found = Differences::default();
        if self.kind.keyword() != new.kind.keyword() {
            found.note(true, "protocol", Effect::Restart);
            return found.list();
        }
        let identity = if self.kind.uses_identity() { Effect::Restart } else { Effect::Live };
        found.note(self.disabled != new.disabled, "disabled", Effect::Live);
        found.note(self.description != new.description, "description", Effect::Live);
        found.note(self.debug != new.debug, "debug", Effect::Live);
        found.note(self.router_id != new.router_id, "router id", identity);
        found.note(self.hostname != new.hostname, "hostname", identity);
        found.note(self.restart_time != new.restart_time, "restart time", Effect::Live);
        found.note(self.thread_group != new.thread_group, "thread group", Effect::Live);
        found.note(self.unbuilt != new.unbuilt, "options that are not supported", Effect::Restart);
        let gone = self.channels.iter().filter(|channel| new.channel(channel.kind).is_none());
        for channel in gone {
            found.note_in(channel.kind.keyword(), true, "channel", Effect::Restart);
        }
        for channel in &new.channels {
            match self.channel(channel.kind) {
                Some(old) => old.differences(channel, &mut found),
                None => found.note_in(channel.kind.keyword(), true, "channel", Effect::Restart),
            }
        }
        found.note(self.others != new.others, "channels that are not supported", Effect::Live);
        self.specific.differences(self, new, &mut found);
        found.list()
    }
}

impl ChannelConfig {
    fn differences(&self, new: &Self, found: &mut Differences) {
        let channel = self.kind.keyword();
        let mut note = |differs, option, effect| found.note_in(channel, differs, option, effect);
        note(self.table != new.table, "table", Effect::Restart);
        let kept = self.keep_filtered != new.keep_filtered;
        note(kept, "import keep filtered", Effect::Restart);
        note(self.preference != new.preference, "preference", Effect::Import);
        note(self.receive_limit != new.receive_limit, "receive limit", Effect::Live);
        note(self.import_limit != new.import_limit, "import limit", Effect::Live);
        note(self.export_limit != new.export_limit, "export limit", Effect::Live);
        note(self.debug != new.debug, "debug", Effect::Live);
        let reloads = self.rpki_reload != new.rpki_reload;
        note(reloads, "rpki reload", Effect::Live);
        // It is part of the rules that are exported by.
        note(reloads && new.export.reads_snapshot(), "rpki reload", Effect::Export);
        found.note_filter(channel, (&self.import, &new.import), "import", Effect::Import);
        found.note_filter(channel, (&self.export, &new.export), "export", Effect::Export);
    }
}

#[cfg(test)]
mod tests {
    use super::{Difference, Differences, Effect};

    #[test]
    fn an_option_is_named_with_what_it_asks_for_most() {
        let mut found = Differences::default();
        found.note(false, "a", Effect::Restart);
        found.note(true, "b", Effect::Live);
        found.note_in("ipv4", true, "b", Effect::Live);
        found.note_in("ipv4", true, "b", Effect::Export);
        found.note_in("ipv4", true, "b", Effect::Live);
        found.note_in("ipv4", true, "c", Effect::Import);
        found.note_in("ipv4", true, "c", Effect::Export);
        let expected = [
            Difference::new("b", Effect::Live),
            Difference::of_channel("ipv4", "b", Effect::Export),
            Difference::of_channel("ipv4", "c", Effect::Import),
            Difference::of_channel("ipv4", "c", Effect::Export),
        ];
        assert_eq!(found.list(), expected);
    }
}
