//! `show route ... explain`

use dunlin_conf::Parsed;

use super::Commands;
use crate::command::query::{Command, Explain, RouteQuery, Stats, Way};
use crate::protocol::Direction;

impl Commands<'_> {
    /// `[import NAME | export NAME] [json]`
    pub(super) fn explain(&mut self) -> Parsed<Explain> {
        const WAYS: &[(&str, Direction)] = &[("import", Direction::In), ("export", Direction::Out)];
        let mut way = None;
        if let Some(direction) = self.parser.eat_one_of(WAYS) {
            let protocol = self.protocol_name()?;
            way = Some(Way { direction, protocol, channel: self.channel()? });
        }
        Ok(Explain { way, json: self.parser.eat_word("json") })
    }

    /// The command, if nothing else is asked that does not go with it.
    pub(super) fn explained(
        &mut self,
        query: Box<RouteQuery>,
        explain: Explain,
    ) -> Parsed<Command> {
        let chooses = query.filter.is_some()
            || query.filtered
            || query.primary
            || query.export.is_some()
            || query.protocol.is_some()
            || query.stats != Stats::Off;
        if chooses {
            let text = "explain goes with networks and tables only";
            return Err(self.parser.error_here(text).into());
        }
        Ok(Command::ExplainRoute(query, explain))
    }
}
