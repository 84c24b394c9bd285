//! `filter counters` and `show filter`

use dunlin_conf::Parsed;

use super::Commands;
use crate::command::query::{Command, FilterQuery, Way};
use crate::protocol::Direction;

impl Commands<'_> {
    /// `counters (on | off)`
    pub(super) fn filter(&mut self) -> Parsed<Command> {
        self.parser.expect_word("counters")?;
        Ok(Command::CountFilters(self.parser.expect_one_of(&[("on", true), ("off", false)])?))
    }

    /// `[NAME | NAME[.CHANNEL] (import | export)] counters [json]`
    pub(super) fn filter_counters(&mut self) -> Parsed<Command> {
        const WAYS: &[(&str, Direction)] = &[("import", Direction::In), ("export", Direction::Out)];
        let query = if self.parser.eat_word("counters") {
            FilterQuery::All
        } else {
            let name = self.protocol_name()?;
            let channel = self.channel()?;
            let query = match self.parser.eat_one_of(WAYS) {
                Some(direction) => FilterQuery::Of(Way { direction, protocol: name, channel }),
                None if channel.is_some() => {
                    return Err(self.parser.unexpected(&["IMPORT", "EXPORT"]));
                }
                None => FilterQuery::Named(name),
            };
            self.parser.expect_word("counters")?;
            query
        };
        Ok(Command::ShowFilterCounters { query, json: self.parser.eat_word("json") })
    }
}
