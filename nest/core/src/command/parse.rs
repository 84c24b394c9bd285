//! From a line to a [`Command`], with the lexer and the names of the running configuration.

mod explain;
mod filter;

use std::path::PathBuf;
use std::sync::Arc;

use dunlin_conf::lexer::lex_text;
use dunlin_conf::{Parsed, Symbols, TokenKind};
use dunlin_filter::{Constant, PrefixSet, Type, Validation};
use dunlin_net::{Aspa, Network, Prefix};
use dunlin_trace::LoopChoice;

use super::query::{
    Command, Export, ExportKind, RouteQuery, Stats, SymbolQuery, TraceQuery, Wanted,
};
use super::runtime::{Listed, Which};
use crate::config::{
    Config, ConfigParser, DebugFlags, Globals, Meaning, parse_any_table, parse_roa, parse_threads,
};
use crate::manager::{Action, ConfigureCommand, Selection};
use crate::protocol::{ChannelKind, Direction};

/// Parses a line. The error is the text behind the code 9001.
pub(super) fn parse(
    line: &str,
    config: &Config,
    validation: Option<&dyn Validation>,
) -> Result<Command, String> {
    let symbols: Symbols<Meaning> = Symbols::over(Arc::clone(&config.symbols));
    let line = line.trim();
    if let Some(rest) = line.strip_prefix("eval").filter(|rest| rest.starts_with([' ', '\t', '(']))
    {
        let symbols = Arc::clone(&config.symbols);
        return dunlin_filter::evaluate(rest, symbols, validation).map(Command::Eval);
    }
    let mut commands = Commands { parser: ConfigParser::new(lex_text("", line), symbols), config };
    let command = commands.command();
    let outcome = commands.parser.finish();
    // The first error is what the client gets; the parser goes on after none of them.
    if let Some(error) = outcome.diagnostics.errors().next() {
        return Err(error.message.clone());
    }
    command.map_err(|_| "syntax error".to_owned())
}

/// What `configure timeout` without a number means, in seconds.
const DEFAULT_TIMEOUT: u32 = 300;

struct Commands<'c> {
    parser: ConfigParser,
    config: &'c Config,
}

impl Commands<'_> {
    fn command(&mut self) -> Parsed<Command> {
        let Some(word) = self.parser.word().map(str::to_owned) else {
            return Err(self.parser.unexpected(&[]));
        };
        self.parser.advance();
        let command = match word.as_str() {
            "show" => self.show(),
            "configure" => self.configure(),
            "enable" => self.control(Action::Enable),
            "disable" => self.control(Action::Disable),
            "restart" => self.control(Action::Restart),
            "reload" => self.reload(),
            "debug" => self.debug(),
            "down" => Ok(Command::Down),
            "restrict" => Ok(Command::Restrict),
            "timeformat" => {
                crate::config::parse_time_format(&mut self.parser).map(Command::TimeFormat)
            }
            "threads" => self.threads(),
            "filter" => self.filter(),
            "clear" => {
                self.parser.expect_one_of(&[("statistics", ())])?;
                Ok(Command::ClearStatistics { json: self.parser.eat_word("json") })
            }
            _ => {
                let text = format!("syntax error, unexpected {}", word.to_uppercase());
                let span = self.parser.previous().span;
                Err(self.parser.error(span, text).into())
            }
        }?;
        if !self.parser.at_end() {
            return Err(self.parser.unexpected(&["END"]));
        }
        Ok(command)
    }

    fn show(&mut self) -> Parsed<Command> {
        Ok(match self.parser.expect_one_of(SHOWN)? {
            Show::Status => Command::ShowStatus,
            Show::Memory => Command::ShowMemory,
            Show::Export => Command::ShowExport,
            Show::Protocols => {
                let all = self.parser.eat_word("all");
                Command::ShowProtocols { all, selection: self.optional_selection()? }
            }
            Show::Route => self.route()?,
            Show::Symbols => Command::ShowSymbols(self.symbols()),
            Show::Interfaces => {
                Command::ShowInterfaces { summary: self.parser.eat_word("summary") }
            }
            Show::Static => Command::ShowStatic(self.optional_selection()?),
            Show::Threads => {
                let all = self.parser.eat_word("all");
                Command::ShowThreads { all, json: self.parser.eat_word("json") }
            }
            Show::Events => {
                let all = self.parser.eat_word("all");
                Command::ShowEvents { all, json: self.parser.eat_word("json") }
            }
            Show::Listed(Listed::Loops) if self.parser.eat_word("all") => {
                let which = self.which()?;
                Command::ShowLoopTimings { which, json: self.parser.eat_word("json") }
            }
            Show::Listed(listed) => {
                let which = self.which()?;
                Command::ShowLoops { listed, which, json: self.parser.eat_word("json") }
            }
            Show::Filter => self.filter_counters()?,
            Show::Places => Command::ShowPlaces { json: self.parser.eat_word("json") },
            Show::Trace => Command::ShowTrace(self.trace()?),
            Show::Other(name) => {
                // Whatever follows: there is no such protocol.
                while !self.parser.at_end() {
                    self.parser.advance();
                }
                Command::NotRunning(name)
            }
        })
    }

    /// Loops by number, name or pattern; all if nothing is said. A loop of the name `json` has to be
    /// put in quotes, and one of the name `all` for `show loops`.
    fn which(&mut self) -> Parsed<Which> {
        let token = self.parser.token();
        if self.parser.at(TokenKind::String) {
            return Ok(Which::Pattern(self.parser.string()?));
        }
        if let TokenKind::Number(number) = token.kind {
            self.parser.advance();
            return Ok(Which::Number(number));
        }
        if self.parser.at_end() || self.parser.at_word("json") {
            return Ok(Which::All);
        }
        if !token.kind.is_name() {
            return Err(self.parser.unexpected(&["END", "TEXT", "NUM"]));
        }
        self.parser.advance();
        Ok(Which::Name(Arc::from(self.parser.text(token.span))))
    }

    fn symbols(&mut self) -> SymbolQuery {
        const KINDS: &[(&str, &str)] = &[
            ("table", "routing table"),
            ("filter", "filter"),
            ("function", "function"),
            ("protocol", "protocol"),
            ("template", "template"),
        ];
        if let Some(kind) = self.parser.eat_one_of(KINDS) {
            return SymbolQuery::Kind(kind);
        }
        let token = self.parser.token();
        if !token.kind.is_name() {
            return SymbolQuery::All;
        }
        self.parser.advance();
        SymbolQuery::Name(Arc::from(self.parser.text(token.span)))
    }

    /// `[[last] N | all] [loop (NAME | "glob" | N)] [class C] [worker N] [json]`, in any order.
    fn trace(&mut self) -> Parsed<TraceQuery> {
        let mut query = TraceQuery::default();
        while !self.parser.at_end() {
            let number = matches!(self.parser.token().kind, TokenKind::Number(_));
            if number || self.parser.eat_word("last") {
                query.filter.last = Some(self.parser.integer()? as usize);
            } else if self.parser.eat_word("all") {
                query.filter.last = None;
            } else if self.parser.eat_word("loop") {
                query.filter.of = Some(self.loop_choice()?);
            } else if self.parser.eat_word("class") {
                query.filter.class = Some(self.parser.expect_one_of(TRACE_CLASSES)?);
            } else if self.parser.eat_word("worker") {
                let workers = 1..=Globals::MAX_THREADS;
                let number = self.parser.integer_in("Number of the worker", workers)?;
                query.filter.worker = u16::try_from(number - 1).ok();
            } else if self.parser.eat_word("json") {
                query.json = true;
            } else {
                return Err(self.parser.unexpected(&["END"]));
            }
        }
        Ok(query)
    }

    fn loop_choice(&mut self) -> Parsed<LoopChoice> {
        let token = self.parser.token();
        match token.kind {
            TokenKind::Number(_) => self.parser.integer().map(LoopChoice::Number),
            TokenKind::String => Ok(LoopChoice::Name(self.parser.string()?.to_string())),
            kind if kind.is_name() => {
                self.parser.advance();
                Ok(LoopChoice::Name(self.parser.text(token.span).to_owned()))
            }
            _ => Err(self.parser.unexpected(&["NUM", "TEXT"])),
        }
    }

    fn threads(&mut self) -> Parsed<Command> {
        let mut group = None;
        if self.parser.token().kind.is_name() && !self.parser.at_word("auto") {
            let (name, span) = self.parser.name()?;
            if !self.config.globals.thread_groups.has(&name) {
                let text = format!("Thread group {name} not found");
                return Err(self.parser.error(span, text).into());
            }
            group = Some(name);
        }
        let threads = parse_threads(&mut self.parser)?;
        Ok(Command::Threads { group, threads })
    }

    // --- Protocols

    fn optional_selection(&mut self) -> Parsed<Selection> {
        if self.parser.at_end() { Ok(Selection::All) } else { self.selection() }
    }

    /// `P`, `"glob"` or `all`.
    fn selection(&mut self) -> Parsed<Selection> {
        if self.parser.at(TokenKind::String) {
            return Ok(Selection::Pattern(self.parser.string()?));
        }
        if self.parser.eat_word("all") {
            return Ok(Selection::All);
        }
        self.protocol_name().map(Selection::Name)
    }

    /// A name; whether it is a protocol's is for the manager to say, who also knows those that
    /// came to be while the daemon runs.
    fn protocol_name(&mut self) -> Parsed<Arc<str>> {
        let token = self.parser.token();
        if !token.kind.is_name() {
            return Err(self.parser.unexpected(&["CF_SYM_KNOWN", "TEXT", "ALL"]));
        }
        self.parser.advance();
        Ok(Arc::from(self.parser.text(token.span)))
    }

    fn message(&mut self) -> Parsed<Option<Arc<str>>> {
        if self.parser.at(TokenKind::String) { self.parser.string().map(Some) } else { Ok(None) }
    }

    fn control(&mut self, action: Action) -> Parsed<Command> {
        let selection = self.selection()?;
        Ok(Command::Control { action, selection, message: self.message()? })
    }

    fn direction(&mut self) -> Option<Direction> {
        self.parser.eat_one_of(&[("in", Direction::In), ("out", Direction::Out)])
    }

    /// A prefix set, or one prefix.
    fn networks(&mut self) -> Parsed<Arc<PrefixSet>> {
        let place = self.parser.token().span;
        let set = match dunlin_filter::parse_eval(&mut self.parser)?.promoted(Type::PrefixSet) {
            Constant::PrefixSet(set) => set,
            Constant::Prefix(prefix) => Arc::new(PrefixSet::exactly(prefix)),
            _ => return Err(self.parser.error(place, "Partial spec must be prefix set").into()),
        };
        Ok(set)
    }

    /// `reload filters [in|out] PATT [partial SET]`, `reload bgp [in|out] PATT`, and BIRD 2's `reload [in|out]
    /// PATT`.
    fn reload(&mut self) -> Parsed<Command> {
        let bgp = self.parser.eat_word("bgp");
        if !bgp {
            self.parser.eat_word("filters");
        }
        let direction = self.direction();
        let selection = self.selection()?;
        let action = match bgp {
            true => Action::Refresh(direction),
            false if self.parser.eat_word("partial") => {
                Action::ReloadPart(direction, self.networks()?)
            }
            false => Action::Reload(direction),
        };
        Ok(Command::Control { action, selection, message: None })
    }

    fn debug(&mut self) -> Parsed<Command> {
        let selection = self.selection()?;
        let is_one = matches!(selection, Selection::Name(_));
        let channel = if is_one { self.channel()? } else { None };
        let flags = DebugFlags::parse(&mut self.parser)?;
        Ok(Command::Debug { flags, channel, selection })
    }

    // --- Configuration

    fn configure(&mut self) -> Parsed<Command> {
        if self.parser.eat_word("check") {
            if self.parser.eat_word("impact") {
                let file = self.file()?;
                return Ok(Command::Impact { file, json: self.parser.eat_word("json") });
            }
            let file = self.file()?;
            return Ok(Command::Configure(ConfigureCommand::Check { file }));
        }
        self.configure_now().map(Command::Configure)
    }

    fn configure_now(&mut self) -> Parsed<ConfigureCommand> {
        if self.parser.eat_word("confirm") {
            return Ok(ConfigureCommand::Confirm);
        }
        if self.parser.eat_word("undo") {
            return Ok(ConfigureCommand::Undo);
        }
        if self.parser.eat_word("status") {
            return Ok(ConfigureCommand::Status);
        }
        let soft = self.parser.eat_word("soft");
        let file = self.file()?;
        let timeout = match self.parser.eat_word("timeout") {
            true if self.parser.at_end() => Some(DEFAULT_TIMEOUT),
            // BIRD takes zero for no timeout at all.
            true => Some(self.parser.integer()?).filter(|seconds| *seconds > 0),
            false => None,
        };
        Ok(ConfigureCommand::Apply { soft, file, timeout })
    }

    fn file(&mut self) -> Parsed<Option<PathBuf>> {
        Ok(self.message()?.map(|text| PathBuf::from(&*text)))
    }

    // --- Routes

    fn route(&mut self) -> Parsed<Command> {
        let mut query = Box::<RouteQuery>::default();
        while !self.parser.at_end() {
            self.route_option(&mut query)?;
        }
        match query.explain.take() {
            Some(explain) => self.explained(query, explain),
            None => Ok(Command::ShowRoute(query)),
        }
    }

    fn route_option(&mut self, query: &mut RouteQuery) -> Parsed<()> {
        const EXPORTS: &[(&str, ExportKind)] = &[
            ("export", ExportKind::Export),
            ("noexport", ExportKind::NoExport),
            ("preexport", ExportKind::PreExport),
            ("exported", ExportKind::Exported),
        ];
        if self.parser.eat_word("all") {
            query.details = true;
        } else if self.parser.eat_word("primary") {
            query.primary = true;
        } else if self.parser.eat_word("filtered") {
            query.filtered = true;
        } else if self.parser.eat_word("stats") {
            query.stats = Stats::Also;
        } else if self.parser.eat_word("count") {
            query.stats = Stats::Only;
        } else if self.parser.eat_word("explain") {
            query.explain = Some(self.explain()?);
        } else if self.parser.eat_word("table") {
            self.table(query)?;
        } else if self.parser.at_words(&["import", "table"])
            || self.parser.at_words(&["export", "table"])
        {
            return Err(crate::config::refuse(&mut self.parser, "An import or export table"));
        } else if let Some(kind) = self.parser.eat_one_of(EXPORTS) {
            query.export = Some(self.export(kind)?);
        } else if self.parser.eat_word("protocol") {
            query.protocol = Some(self.protocol_name()?);
        } else if self.parser.at_word("filter") || self.parser.at_word("where") {
            query.filter = Some(dunlin_filter::parse_channel_filter(&mut self.parser)?);
        } else if self.parser.eat_word("for") {
            query.what = self.address_or_net()?;
        } else if self.parser.eat_word("in") {
            query.what = Wanted::In(self.parser.prefix()?);
        } else if query.what == Wanted::All {
            query.what = Wanted::Exact(self.network()?);
        } else {
            return Err(self.parser.unexpected(&["END"]));
        }
        Ok(())
    }

    /// `PREFIX`, `PREFIX max N as ASN` or `aspa ASN`.
    fn network(&mut self) -> Parsed<Network> {
        if self.parser.eat_word("aspa") {
            return Ok(Network::Aspa(Aspa(self.parser.integer()?)));
        }
        let prefix = self.parser.prefix()?;
        Ok(parse_roa(&mut self.parser, prefix)?.unwrap_or(prefix.into()))
    }

    fn table(&mut self, query: &mut RouteQuery) -> Parsed<()> {
        if self.parser.eat_word("all") {
            query.all_tables = true;
            return Ok(());
        }
        query.tables.push(parse_any_table(&mut self.parser, &self.config.globals)?.name);
        Ok(())
    }

    fn export(&mut self, kind: ExportKind) -> Parsed<Export> {
        let protocol = self.protocol_name()?;
        Ok(Export { kind, protocol, channel: self.channel()? })
    }

    /// `.ipv4` and the like behind a protocol, if it is there.
    fn channel(&mut self) -> Parsed<Option<ChannelKind>> {
        let channels = ChannelKind::ALL.map(|kind| (kind.keyword(), kind));
        if !self.parser.eat(TokenKind::Dot) {
            return Ok(None);
        }
        self.parser.expect_one_of(&channels).map(Some)
    }

    fn address_or_net(&mut self) -> Parsed<Wanted> {
        let is_address = matches!(self.parser.token().kind, TokenKind::Ip4(_) | TokenKind::Ip6(_));
        if is_address && self.parser.ahead(1).kind != TokenKind::Slash {
            return Ok(Wanted::For(self.parser.ip()?));
        }
        let net: Prefix = self.parser.prefix()?;
        Ok(Wanted::ForNet(net))
    }
}

#[derive(Clone, Copy)]
enum Show {
    Status,
    Memory,
    Export,
    Protocols,
    Route,
    Symbols,
    Filter,
    Interfaces,
    Static,
    Threads,
    Events,
    Listed(Listed),
    Places,
    Trace,
    Other(&'static str),
}

/// What can be shown; see `dunlin_commands` for the words of all commands.
const SHOWN: &[(&str, Show)] = &[
    ("status", Show::Status),
    ("memory", Show::Memory),
    ("export", Show::Export),
    ("protocols", Show::Protocols),
    ("route", Show::Route),
    ("symbols", Show::Symbols),
    ("filter", Show::Filter),
    ("interfaces", Show::Interfaces),
    ("static", Show::Static),
    ("threads", Show::Threads),
    ("loops", Show::Listed(Listed::Loops)),
    ("events", Show::Events),
    ("timers", Show::Listed(Listed::Timers)),
    ("queues", Show::Listed(Listed::Queues)),
    ("jobs", Show::Listed(Listed::Jobs)),
    ("sockets", Show::Listed(Listed::Sockets)),
    ("flow", Show::Listed(Listed::Flow)),
    ("clients", Show::Listed(Listed::Clients)),
    ("places", Show::Places),
    ("trace", Show::Trace),
    ("bfd", Show::Other("BFD")),
    ("ospf", Show::Other("OSPF")),
    ("rip", Show::Other("RIP")),
    ("babel", Show::Other("Babel")),
];

/// Priority classes by the numbers that records have.
const TRACE_CLASSES: &[(&str, u8)] =
    &[("liveness", 0), ("control", 1), ("routing", 2), ("bulk", 3), ("idle", 4)];

#[cfg(test)]
mod tests {
    #[test]
    fn classes_have_the_numbers_of_the_recorder() {
        for (name, number) in super::TRACE_CLASSES {
            assert_eq!(dunlin_trace::class_name(*number), *name);
        }
        assert_eq!(super::TRACE_CLASSES.len(), dunlin_trace::CLASSES.len());
    }

    #[test]
    fn whatever_can_be_shown_is_in_the_table_of_commands() {
        for (word, _) in super::SHOWN {
            let is =
                |command: &dunlin_commands::Command| command.words.starts_with(&["show", word]);
            assert!(dunlin_commands::COMMANDS.iter().any(is), "{word}");
        }
    }
}
