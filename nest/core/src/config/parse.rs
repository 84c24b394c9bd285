//! The driver: reads a file statement by statement.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dunlin_conf::lexer::{Lexed, lex_file, lex_text};
use dunlin_conf::{Diagnostic, Diagnostics, Files, Parsed, SourceMap, Span, Symbols, TokenKind};
use dunlin_net::hash::Map;

use super::again;
use super::reading::Notes;
use super::section::Draft;
use super::table::is_net_type;
use super::unsupported::{no_effect, no_effect_yet};
use super::{
    CliConfig, Config, ConfigParser, DebugFlags, Globals, Kinds, LogConfig, Meaning, RouterId,
    TableConfig, advice, names,
};
use crate::protocol::{ChannelKind, InstanceConfig};
use crate::timeformat::{TimeFormat, TimeKind};

/// A configuration, or why there is none.
pub type Loaded = Result<Config, Rejected>;

/// Why a configuration cannot be used.
#[derive(Clone, Debug)]
pub struct Rejected {
    diagnostics: Diagnostics,
    sources: Arc<SourceMap>,
}

impl Rejected {
    /// Each error as `FILE:LINE:COL message`, in the order of the text.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.diagnostics.errors().map(ToString::to_string)
    }

    /// Everything that was found, warnings too.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        self.diagnostics.all()
    }

    /// How many errors and warnings were found beyond those that are kept.
    pub fn left_out(&self) -> (usize, usize) {
        self.diagnostics.left_out()
    }

    /// Everything that was found, with the lines of text, for people.
    pub fn render_each(&self) -> impl Iterator<Item = String> {
        let all = self.diagnostics.all().iter();
        all.map(|diagnostic| dunlin_conf::render(diagnostic, &self.sources))
    }
}

/// Reads a configuration file and all that it includes.
///
/// # Errors
/// If anything in it is wrong; every error is in [`Rejected`].
pub fn load(path: &Path, files: &dyn Files, kinds: &Kinds) -> Loaded {
    load_with_sources(path, files, kinds).0
}

/// As [`load`]; with the texts, which a daemon does not need any more.
pub fn load_with_sources(
    path: &Path,
    files: &dyn Files,
    kinds: &Kinds,
) -> (Loaded, Arc<SourceMap>) {
    parse(path.to_owned(), lex_file(path, files), kinds, Purpose::Look, None)
}

/// As [`load`], for a daemon that is to do all that the file says: what is not built yet is an error.
///
/// # Errors
/// If anything in it is wrong or missing; every error is in [`Rejected`].
pub fn load_to_run(path: &Path, files: &dyn Files, kinds: &Kinds) -> Loaded {
    parse(path.to_owned(), lex_file(path, files), kinds, Purpose::Run, None).0
}

/// As [`load_to_run`], or if `lenient` as [`load`], for a daemon that runs: `before` is the configuration in force.
/// What is equal is shared with it, or known to be equal; if it was read from the same file, only what has
/// changed is read again.
///
/// # Errors
/// If anything in it is wrong or missing; every error is in [`Rejected`].
pub fn load_again(
    path: &Path,
    files: &dyn Files,
    kinds: &Kinds,
    lenient: bool,
    before: Option<&Config>,
) -> Loaded {
    if let Some(config) =
        before.and_then(|before| load_changed(path, files, kinds, lenient, before))
    {
        return Ok(config);
    }
    let purpose = if lenient { Purpose::Look } else { Purpose::Run };
    let before = before.map(|before| Arc::clone(&before.symbols));
    parse(path.to_owned(), lex_file(path, files), kinds, purpose, before).0
}

/// As [`load_again`], but nothing unless it is enough to read what has changed.
pub fn load_changed(
    path: &Path,
    files: &dyn Files,
    kinds: &Kinds,
    lenient: bool,
    before: &Config,
) -> Option<Config> {
    let purpose = if lenient { Purpose::Look } else { Purpose::Run };
    again::load(path, files, kinds, purpose, before)
}

/// Reads a configuration that is not in a file; includes are not allowed.
///
/// # Errors
/// If anything in it is wrong; every error is in [`Rejected`].
pub fn parse_text(name: &str, text: &str, kinds: &Kinds) -> Loaded {
    parse_text_with_sources(name, text, kinds).0
}

/// As [`parse_text`]; with the text as it was read.
pub fn parse_text_with_sources(name: &str, text: &str, kinds: &Kinds) -> (Loaded, Arc<SourceMap>) {
    parse(PathBuf::from(name), lex_text(name, text), kinds, Purpose::Look, None)
}

/// What a configuration is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To see what is wrong, or to run it without what is not built.
    Look,
    /// To run all of it.
    Run,
}

/// What helps against a statement that is not built.
const LENIENT: &str = "dunlin -p lists all of these; a daemon with --lenient runs without them";

fn parse(
    path: PathBuf,
    mut lexed: Lexed,
    kinds: &Kinds,
    purpose: Purpose,
    before: Option<Arc<Symbols<Meaning>>>,
) -> (Loaded, Arc<SourceMap>) {
    let symbols = before.map_or_else(Symbols::default, Symbols::after);
    let notes = Notes::new(core::mem::take(&mut lexed.origins));
    let mut loader = Loader::new(ConfigParser::new(lexed, symbols), kinds.clone(), notes);
    let begin = loader.parser.token().span;
    loader.implicit_tables(begin);
    loader.statements();
    loader.finish(path, purpose)
}

/// What has been read so far.
pub(super) struct Loader {
    pub(super) parser: ConfigParser,
    pub(super) kinds: Kinds,
    pub(super) globals: Globals,
    pub(super) protocols: Vec<Arc<InstanceConfig>>,
    /// Templates and protocols, for `from`.
    pub(super) drafts: Map<Arc<str>, Arc<Draft>>,
    /// Numbers for protocols without a name.
    pub(super) counters: Map<&'static str, u32>,
    /// Tests of policy.
    tests: Vec<dunlin_filter::PolicyTest>,
    /// What there is to know of the statements when the file is read again.
    pub(super) notes: Notes,
}

impl Loader {
    pub(super) fn new(parser: ConfigParser, kinds: Kinds, notes: Notes) -> Self {
        Self {
            parser,
            kinds,
            globals: Globals::default(),
            protocols: Vec::new(),
            drafts: Map::default(),
            counters: Map::default(),
            tests: Vec::new(),
            notes,
        }
    }

    /// Defines the tables that are always there; `begin` is where the text begins.
    pub(super) fn implicit_tables(&mut self, begin: Span) {
        self.notes.begin = begin;
        for (kind, name) in ChannelKind::DEFAULT_TABLES {
            let table = TableConfig::new(name.into(), kind.net_type());
            // The namespace is empty, so the names are free.
            let index = self.globals.tables.len();
            let _ = self.parser.symbols.define(&table.name, begin, names::table(&table, index));
            self.globals.tables.push(table);
        }
    }

    fn statements(&mut self) {
        while !self.parser.at_end() {
            if self.parser.eat(TokenKind::Semicolon) {
                continue;
            }
            let start = self.parser.place();
            if self.noted_statement().is_err() {
                self.parser.recover_top_level(start);
            }
        }
    }

    pub(super) fn finish(mut self, path: PathBuf, purpose: Purpose) -> (Loaded, Arc<SourceMap>) {
        if self.protocols.is_empty() && !self.parser.diagnostics().has_errors() {
            self.parser.error_here("No protocol is specified in the config file");
        }
        self.check_thread_groups();
        let reading = self.notes.finish(&self.parser, &self.kinds, purpose);
        let mut outcome = self.parser.finish();
        if purpose == Purpose::Run {
            outcome.diagnostics.refuse_missing(LENIENT);
        }
        let sources = Arc::new(outcome.sources);
        if outcome.diagnostics.has_errors() {
            let rejected = Rejected { diagnostics: outcome.diagnostics, sources: sources.clone() };
            return (Err(rejected), sources);
        }
        let names = self.protocols.iter().map(|protocol| protocol.name.clone());
        let config = Config {
            path,
            digest: sources.digest(),
            places: names.enumerate().map(|(place, name)| (name, place)).collect(),
            globals: self.globals,
            protocols: self.protocols,
            symbols: Arc::new(outcome.symbols),
            tests: self.tests,
            warnings: outcome.diagnostics.warnings().cloned().collect(),
            sources: Arc::clone(&sources),
            reading,
        };
        (Ok(config), sources)
    }

    pub(super) fn statement(&mut self) -> Parsed<()> {
        let word = match self.parser.word() {
            Some(word) => word.to_owned(),
            None => String::new(),
        };
        match word.as_str() {
            "protocol" | "template" => self.protocol(),
            "filter" if self.parser.word_ahead(1) == Some("stacks") => self.filter_stacks(),
            "filter" => self.definition(dunlin_filter::parse_filter_definition),
            "function" => self.definition(dunlin_filter::parse_function_definition),
            "define" => self.definition(dunlin_filter::parse_define),
            "attribute" => self.definition(dunlin_filter::parse_attribute_definition),
            "bt_test_suite" | "bt_test_same" => {
                self.tests.push(dunlin_filter::parse_policy_test(&mut self.parser)?);
                Ok(())
            }
            "eval" => self.definition(|parser| dunlin_filter::parse_eval(parser).map(drop)),
            "mpls" if self.parser.word_ahead(1) == Some("domain") => self.mpls_domain(),
            word if is_net_type(word) => self.table(),
            "threads" => self.threads(),
            "thread" => self.thread_group(),
            "slices" => self.slices(),
            "debug" => self.debug(),
            "watchdog" => {
                self.parser.advance();
                self.globals.watchdog.parse(&mut self.parser)
            }
            _ => {
                self.simple_statement(&word)?;
                self.parser.semicolon()
            }
        }
    }

    /// Something of the filter language, behind its keyword.
    fn definition(&mut self, parse: impl FnOnce(&mut ConfigParser) -> Parsed<()>) -> Parsed<()> {
        self.parser.advance();
        parse(&mut self.parser)
    }

    /// Statements that need a semicolon.
    fn simple_statement(&mut self, word: &str) -> Parsed<()> {
        match word {
            "router" => self.router_id(),
            "hostname" => {
                self.parser.advance();
                self.globals.hostname = Some(self.parser.string()?);
                Ok(())
            }
            "log" => {
                self.parser.advance();
                let log = LogConfig::parse(&mut self.parser)?;
                self.globals.logs.extend(log);
                Ok(())
            }
            "timeformat" => self.time_format(),
            "cli" => self.cli(),
            "mrtdump" => self.mrtdump(),
            "graceful" => self.graceful_restart(),
            _ => Err(self.parser.unexpected_because(&[], advice::top_level(&self.parser))),
        }
    }

    fn router_id(&mut self) -> Parsed<()> {
        self.parser.advance();
        self.parser.expect_word("id")?;
        if self.parser.eat_word("from") {
            self.globals.router_id = Some(RouterId::From(self.parser.interface_pattern()?));
            return Ok(());
        }
        self.globals.router_id = parse_router_id(&mut self.parser)?.map(RouterId::Fixed);
        Ok(())
    }

    fn slices(&mut self) -> Parsed<()> {
        self.parser.advance();
        let span = self.parser.token().span;
        let slices = self.parser.integer_in("Number of slices", 1..=256)?;
        if !slices.is_power_of_two() {
            return Err(self.parser.error(span, "Number of slices must be a power of two").into());
        }
        self.globals.slices = Some(slices);
        Ok(())
    }

    fn filter_stacks(&mut self) -> Parsed<()> {
        let place = self.parser.token().span;
        self.parser.advance();
        self.parser.advance();
        self.parser.integer_in("Stack size", 16..=u32::MAX)?;
        self.parser.integer_in("Stack size", 16..=u32::MAX)?;
        let reason = "filters here have no stacks of a size of their own";
        no_effect(&mut self.parser, place, "filter stacks", reason);
        self.parser.semicolon()
    }

    fn debug(&mut self) -> Parsed<()> {
        self.parser.advance();
        let debug = &mut self.globals.debug;
        if self.parser.eat_word("protocols") {
            debug.protocols = DebugFlags::parse(&mut self.parser)?;
        } else if self.parser.eat_word("channels") {
            debug.channels = DebugFlags::parse(&mut self.parser)?;
        } else if self.parser.eat_word("tables") {
            debug.tables = DebugFlags::parse(&mut self.parser)?;
        } else if self.parser.eat_word("commands") {
            // More than 2 is no more than 2.
            debug.commands = self.parser.integer()?;
        } else if self.parser.eat_word("latency") {
            self.globals.watchdog.parse_latency(&mut self.parser)?;
        } else if self.parser.eat_words(&["show", "route"]) {
            let place = self.parser.previous().span;
            if DebugFlags::parse(&mut self.parser)? != DebugFlags::OFF {
                no_effect_yet(&mut self.parser, place, "debug show route");
            }
        } else {
            let words = ["PROTOCOLS", "CHANNELS", "TABLES", "COMMANDS", "LATENCY"];
            return Err(self.parser.unexpected(&words));
        }
        Ok(())
    }

    /// `mrtdump "FILE"` and `mrtdump protocols FLAGS`
    fn mrtdump(&mut self) -> Parsed<()> {
        let place = self.parser.advance().span;
        if self.parser.eat_word("protocols") {
            return DebugFlags::parse_dump(&mut self.parser);
        }
        self.parser.string()?;
        no_effect_yet(&mut self.parser, place, "mrtdump");
        Ok(())
    }

    /// `graceful restart wait N`
    fn graceful_restart(&mut self) -> Parsed<()> {
        let place = self.parser.advance().span;
        self.parser.expect_word("restart")?;
        self.parser.expect_word("wait")?;
        self.parser.integer()?;
        no_effect_yet(&mut self.parser, place, "graceful restart wait");
        Ok(())
    }

    fn time_format(&mut self) -> Parsed<()> {
        self.parser.advance();
        let kind = self.parser.expect_one_of(&[
            ("route", TimeKind::Route),
            ("protocol", TimeKind::Protocol),
            ("base", TimeKind::Base),
            ("log", TimeKind::Log),
        ])?;
        *self.globals.time_formats.get_mut(kind) = parse_time_format(&mut self.parser)?;
        Ok(())
    }

    fn cli(&mut self) -> Parsed<()> {
        self.parser.advance();
        let path = PathBuf::from(&*self.parser.string()?);
        let mut cli = CliConfig { path, restrict: false, v2_attributes: false };
        if self.parser.at(TokenKind::OpenBrace) {
            self.parser.block(|parser| {
                if parser.eat_word("restrict") {
                    cli.restrict = true;
                } else if parser.eat_words(&["v2", "attributes"]) {
                    cli.v2_attributes = true;
                } else {
                    return Err(parser.unexpected(&["RESTRICT", "V2"]));
                }
                Ok(())
            })?;
        }
        self.globals.cli.push(cli);
        Ok(())
    }
}

/// A router id; zero means that none is given.
pub(super) fn parse_router_id(parser: &mut ConfigParser) -> Parsed<Option<u32>> {
    let span = parser.token().span;
    let id = parser.id()?;
    if id == 0 {
        parser.warning(span, "Router ID is zero, which is none").hint("one is chosen");
    }
    Ok((id != 0).then_some(id))
}

/// `"format" [limit "format"]` or `iso short|long [ms|us]`.
pub(crate) fn parse_time_format(parser: &mut ConfigParser) -> Parsed<TimeFormat> {
    if parser.eat_word("iso") {
        let long = parser.expect_one_of(&[("short", false), ("long", true)])?;
        let digits = parser.eat_one_of(&[("ms", 3), ("us", 6)]).unwrap_or(0);
        return Ok(if long { TimeFormat::iso_long(digits) } else { TimeFormat::iso_short(digits) });
    }
    let recent = parser.string()?;
    let older = match parser.token().kind {
        TokenKind::Number(_) => Some((parser.integer()?, parser.string()?)),
        _ => None,
    };
    Ok(TimeFormat { recent, older })
}
