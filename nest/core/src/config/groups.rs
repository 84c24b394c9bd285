//! `threads …` and `thread group NAME { … }`: who runs what, and how many of them.

use core::time::Duration;
use std::sync::Arc;

use dunlin_conf::{Parsed, Span, TokenKind};
use dunlin_runtime::{GroupOptions, Threads};

use super::parse::Loader;
use super::{ConfigParser, Globals};

/// The thread groups that a configuration names, or the built-in ones.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ThreadGroups {
    /// As written; none if none is.
    groups: Vec<GroupOptions>,
    /// The name of the default group, if one is written.
    default: Option<Arc<str>>,
}

impl ThreadGroups {
    /// Whether a group of this name is there.
    pub fn has(&self, name: &str) -> bool {
        let built_in =
            name == GroupOptions::EXPRESS || name == GroupOptions::WORKER && self.groups.is_empty();
        built_in || self.groups.iter().any(|group| &*group.name == name)
    }

    /// All groups, and the name of the default one. `threads`: workers of that where no group is
    /// written.
    pub fn all(&self, threads: Threads) -> (Vec<GroupOptions>, Arc<str>) {
        let mut groups = self.groups.clone();
        if groups.is_empty() {
            groups.push(GroupOptions { threads, ..GroupOptions::new(GroupOptions::WORKER) });
        }
        if !groups.iter().any(|group| &*group.name == GroupOptions::EXPRESS) {
            // Its worker is started when somebody needs it.
            groups.push(GroupOptions::new(GroupOptions::EXPRESS));
        }
        let default = self.default.clone().unwrap_or_else(|| groups[0].name.clone());
        (groups, default)
    }

    /// Workers of the default group, if a group is written.
    pub fn default_threads(&self) -> Option<Threads> {
        let default = self.default.as_ref()?;
        self.groups.iter().find(|group| group.name == *default).map(|group| group.threads)
    }
}

/// Reads `N`, `auto` or `auto MIN MAX`.
///
/// # Errors
/// If something else is there.
pub fn parse_threads(parser: &mut ConfigParser) -> Parsed<Threads> {
    const WHAT: &str = "Number of threads";
    let range = 1..=Globals::MAX_THREADS;
    if !parser.eat_word("auto") {
        return Ok(Threads::Fixed(parser.integer_in(WHAT, range)? as usize));
    }
    if !matches!(parser.token().kind, TokenKind::Number(_)) {
        return Ok(Threads::Auto { min: 1, max: dunlin_runtime::parallelism() });
    }
    let min = parser.integer_in(WHAT, range.clone())?;
    let max = parser.integer_in(WHAT, range)?;
    if max < min {
        let place = parser.previous().span;
        return Err(parser.error(place, "The most threads are fewer than the least").into());
    }
    Ok(Threads::Auto { min: min as usize, max: max as usize })
}

/// Reads `thread group NAME` behind those two words, the name of a group that is there.
///
/// # Errors
/// If there is no such group.
pub(super) fn parse_group(parser: &mut ConfigParser, globals: &Globals) -> Parsed<Arc<str>> {
    let (name, span) = parser.name()?;
    if !globals.thread_groups.has(&name) {
        let text = format!("Thread group {name} not found");
        let error = parser.error(span, text);
        error.hint("a thread group has to be written before what uses it");
        return Err(error.into());
    }
    Ok(name)
}

impl Loader {
    pub(super) fn threads(&mut self) -> Parsed<()> {
        let place = self.parser.token().span;
        self.parser.advance();
        let threads = parse_threads(&mut self.parser)?;
        if !self.globals.thread_groups.groups.is_empty() {
            return Err(self.both(place));
        }
        self.globals.threads = Some(threads);
        Ok(())
    }

    fn both(&mut self, place: Span) -> dunlin_conf::Failed {
        let text = "Either `threads` or thread groups can be written, not both";
        self.parser.error(place, text).into()
    }

    /// `thread group NAME { … }`
    pub(super) fn thread_group(&mut self) -> Parsed<()> {
        let place = self.parser.token().span;
        self.parser.advance();
        self.parser.expect_word("group")?;
        let (name, span) = self.parser.name()?;
        if self.globals.threads.is_some() {
            return Err(self.both(place));
        }
        if !self.protocols.is_empty() {
            let text = "Thread groups have to be written before protocols";
            return Err(self.parser.error(place, text).into());
        }
        if self.globals.thread_groups.groups.iter().any(|group| group.name == name) {
            let text = format!("Thread group {name} already defined");
            return Err(self.parser.error(span, text).into());
        }
        let mut draft = Draft { options: GroupOptions::new(&name), default: false };
        self.parser.block(|parser| draft.option(parser))?;
        draft.check(&mut self.parser, span)?;
        let groups = &mut self.globals.thread_groups;
        if draft.default && groups.default.is_some() {
            let text = "There can be only one default thread group";
            return Err(self.parser.error(span, text).into());
        }
        if draft.default {
            groups.default = Some(name);
        }
        groups.groups.push(draft.options);
        Ok(())
    }

    /// When all has been read: exactly one group has to be the default.
    pub(super) fn check_thread_groups(&mut self) {
        let groups = &self.globals.thread_groups;
        if !groups.groups.is_empty() && groups.default.is_none() {
            self.parser
                .error_here("No default thread group")
                .hint("write `default yes;` in one of the thread groups");
        }
    }
}

/// A group while it is read.
struct Draft {
    options: GroupOptions,
    default: bool,
}

impl Draft {
    fn option(&mut self, parser: &mut ConfigParser) -> Parsed<()> {
        let options = &mut self.options;
        if parser.eat_word("threads") {
            options.threads = parse_threads(parser)?;
        } else if parser.eat_word("default") {
            self.default = parser.switch()?;
        } else if parser.eat_words(&["max", "latency"]) {
            options.max_latency = parser.time()?;
        } else if parser.eat_words(&["min", "time"]) {
            options.min_time = parser.time()?;
        } else if parser.eat_words(&["max", "time"]) {
            options.max_time = parser.time()?;
        } else if parser.eat_words(&["wakeup", "time"]) {
            options.wakeup_time = parser.time()?;
        } else {
            let words = ["THREADS", "DEFAULT", "MAX", "MIN", "WAKEUP"];
            return Err(parser.unexpected(&words));
        }
        Ok(())
    }

    /// The bounds of BIRD, and that the times fit together. A time that is not written follows one
    /// that is.
    fn check(&mut self, parser: &mut ConfigParser, place: Span) -> Parsed<()> {
        let usual = GroupOptions::new(&self.options.name);
        let options = &mut self.options;
        if options.max_time == usual.max_time {
            options.max_time = options.max_time.max(options.min_time);
        }
        if options.min_time == usual.min_time {
            options.min_time = options.min_time.min(options.max_time);
        }
        if options.max_latency == usual.max_latency {
            options.max_latency = options.max_latency.max(options.max_time);
        }
        let wrong = if options.max_time > LONGEST_TURN {
            "Max time must be at most 60 s"
        } else if options.max_time.is_zero() {
            "Max time must not be zero"
        } else if options.min_time > options.max_time {
            "Min time must be at most max time"
        } else if options.max_latency < options.max_time {
            "Max latency must be at least max time"
        } else if options.wakeup_time < SHORTEST_SLEEP {
            "Wakeup time must be at least 1 s"
        } else {
            return Ok(());
        };
        Err(parser.error(place, wrong).into())
    }
}

const LONGEST_TURN: Duration = Duration::from_secs(60);
const SHORTEST_SLEEP: Duration = Duration::from_secs(1);
