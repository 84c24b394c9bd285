//! `protocol` and `template`: what every section has, and inheritance.

use core::time::Duration;
use std::sync::Arc;

use dunlin_conf::{Failed, Parsed, Span, TokenKind};

use super::channel::ChannelDraft;
use super::groups::parse_group;
use super::parse::{Loader, parse_router_id};
use super::unsupported::{is_net_type, is_protocol, refuse};
use super::{ConfigParser, DebugFlags, Globals, names};
use crate::protocol::{
    ChannelKind, ChannelRules, InstanceConfig, Needed, NoConfig, ProtocolKind, Section,
};

/// A section while it is read; kept for those that inherit from it.
pub(super) struct Draft {
    kind: Arc<dyn ProtocolKind>,
    rules: ChannelRules,
    section: Box<dyn Section>,
    channels: Vec<ChannelDraft>,
    disabled: bool,
    description: Option<Arc<str>>,
    debug: DebugFlags,
    router_id: Option<u32>,
    hostname: Option<Arc<str>>,
    restart_time: Duration,
    thread_group: Option<Arc<str>>,
}

/// `restart time` if nothing is said.
const RESTART_TIME: Duration = Duration::from_secs(5);

impl Draft {
    fn new(kind: Arc<dyn ProtocolKind>, globals: &Globals) -> Self {
        Self {
            rules: kind.channels(),
            section: kind.section(),
            kind,
            channels: Vec::new(),
            disabled: false,
            description: None,
            debug: globals.debug.protocols,
            router_id: None,
            hostname: None,
            restart_time: RESTART_TIME,
            thread_group: None,
        }
    }

    fn inherit(&self) -> Self {
        let heir = |draft: &ChannelDraft| ChannelDraft { own: false, ..draft.clone() };
        Self {
            kind: self.kind.clone(),
            rules: self.rules.clone(),
            section: self.section.inherit(),
            channels: self.channels.iter().map(heir).collect(),
            disabled: self.disabled,
            description: self.description.clone(),
            debug: self.debug,
            router_id: self.router_id,
            hostname: self.hostname.clone(),
            restart_time: self.restart_time,
            thread_group: self.thread_group.clone(),
        }
    }

    fn statement(&mut self, parser: &mut ConfigParser, globals: &Globals) -> Parsed<()> {
        if self.section.statement(parser, globals)? {
            return Ok(());
        }
        if let Some(kind) = channel_kind(parser) {
            return self.channel(parser, globals, kind);
        }
        if parser.eat_word("disabled") {
            self.disabled = parser.switch()?;
        } else if parser.eat_word("description") {
            self.description = Some(parser.string()?);
        } else if parser.eat_word("debug") {
            self.debug = DebugFlags::parse(parser)?;
        } else if parser.eat_words(&["router", "id"]) {
            self.router_id = parse_router_id(parser)?;
        } else if parser.eat_word("hostname") {
            self.hostname = Some(parser.string()?);
        } else if parser.eat_words(&["restart", "time"]) {
            self.restart_time = parser.time()?;
        } else if parser.eat_words(&["thread", "group"]) {
            self.thread_group = Some(parse_group(parser, globals)?);
        } else {
            return Err(self.unknown(parser));
        }
        Ok(())
    }

    fn unknown(&self, parser: &mut ConfigParser) -> Failed {
        let Some(word) = parser.word().map(str::to_owned) else {
            return parser.unexpected(&[]);
        };
        let kind = self.kind.keyword();
        match word.as_str() {
            "vrf" | "mrtdump" => refuse(parser, &format!("The option `{word}`")),
            _ if is_net_type(&word) => refuse(parser, &format!("A channel of type {word}")),
            _ if dunlin_conf::keywords::is_keyword(&word) => {
                refuse(parser, &format!("The option `{word}` of protocol {kind}"))
            }
            _ => parser.unexpected(&[]),
        }
    }

    fn channel(
        &mut self,
        parser: &mut ConfigParser,
        globals: &Globals,
        kind: ChannelKind,
    ) -> Parsed<()> {
        let span = parser.token().span;
        if parser.word_ahead(1) == Some("sadr") {
            return Err(refuse(parser, "A channel of type ipv6 sadr"));
        }
        if parser.ahead(1).kind.is_name() {
            return Err(refuse(parser, "A channel of this type"));
        }
        parser.advance();
        if !self.rules.kinds.contains(&kind) {
            let name = self.kind.keyword();
            let text = format!("Protocol {name} has no {kind} channel");
            return Err(parser.error(span, text).into());
        }
        let index = self.channels.iter().position(|draft| draft.config.kind == kind);
        let index = match index {
            Some(index) if self.channels[index].own => {
                return Err(parser.error(span, "Multiple channels of the same type").into());
            }
            Some(index) => index,
            None => {
                self.channels.push(ChannelDraft::new(kind, &self.rules, globals.debug));
                self.channels.len() - 1
            }
        };
        self.channels[index].own = true;
        self.channels[index].block(parser, globals, &mut *self.section)
    }

    /// Makes the configuration of a protocol.
    fn finish(
        &self,
        parser: &mut ConfigParser,
        globals: &Globals,
        name: Arc<str>,
        span: Span,
    ) -> Parsed<InstanceConfig> {
        let mut config = InstanceConfig {
            kind: self.kind.clone(),
            name,
            span,
            disabled: self.disabled,
            description: self.description.clone(),
            debug: self.debug,
            router_id: self.router_id,
            hostname: self.hostname.clone(),
            restart_time: self.restart_time,
            thread_group: self.thread_group.clone(),
            channels: self.channels.iter().map(|draft| draft.config.clone()).collect(),
            specific: Arc::new(NoConfig),
            parent: None,
        };
        config.specific = self.section.finish(parser, globals, &mut config)?;
        match (self.rules.needed, config.channels.len()) {
            (Needed::One, 0) => Err(parser
                .error(span, "Channel not specified")
                .because(format!("protocol {} needs a channel", self.kind.keyword()))),
            (Needed::One, 2..) => Err(parser.error(span, "More than one channel specified").into()),
            _ => Ok(config),
        }
    }
}

fn channel_kind(parser: &ConfigParser) -> Option<ChannelKind> {
    match parser.word()? {
        "ipv4" => Some(ChannelKind::Ipv4),
        "ipv6" => Some(ChannelKind::Ipv6),
        _ => None,
    }
}

impl Loader {
    /// `protocol TYPE [NAME] [from X] { … }`, and the same with `template`.
    pub(super) fn protocol(&mut self) -> Parsed<()> {
        let span = self.parser.token().span;
        let template = self.parser.eat_word("template");
        if !template {
            self.parser.advance();
        }
        let kind = self.protocol_kind()?;
        let named = match self.parser.at(TokenKind::OpenBrace) || self.parser.at_word("from") {
            true => None,
            false => Some(self.parser.name()?),
        };
        let (name, span) = match named {
            Some((name, span)) => (name, span),
            None => (self.free_name(kind.keyword()), span),
        };
        let mut draft = self.ancestor(&kind)?;
        let meaning = if template { names::template() } else { names::protocol() };
        let defined = self.parser.define(&name, span, meaning);
        let globals = &self.globals;
        let before = self.parser.diagnostics().error_count();
        self.parser.block(|parser| draft.statement(parser, globals))?;
        let clean = self.parser.diagnostics().error_count() == before;
        // What the section as a whole lacks is only worth saying if each of its lines is right.
        if !template && clean {
            let config = draft.finish(&mut self.parser, &self.globals, name.clone(), span);
            if let Ok(config) = config {
                self.check_single(&*kind, span);
                self.protocols.push(Arc::new(config));
            }
        }
        self.drafts.insert(name, Arc::new(draft));
        // The section has been read to its end, so an error in its name must not skip more.
        let _ = defined;
        Ok(())
    }

    /// A second instance of a type that has only one is an error.
    fn check_single(&mut self, kind: &dyn ProtocolKind, span: Span) {
        let keyword = kind.keyword();
        let other = self.protocols.iter().find(|other| other.kind.keyword() == keyword);
        if let Some(other) = other.filter(|_| kind.is_single()) {
            let (place, text) = (other.span, format!("Kernel {keyword} protocol already defined"));
            self.parser.error(span, text).related(place, "here");
        }
    }

    fn protocol_kind(&mut self) -> Parsed<Arc<dyn ProtocolKind>> {
        let Some(word) = self.parser.word().map(str::to_owned) else {
            return Err(self.parser.unexpected(&[]));
        };
        if let Some(kind) = self.kinds.iter().find(|kind| kind.keyword() == word) {
            self.parser.advance();
            return Ok(kind.clone());
        }
        if is_protocol(&word) {
            return Err(refuse(&mut self.parser, &format!("Protocol {word}")));
        }
        Err(self.parser.unexpected(&[]))
    }

    fn ancestor(&mut self, kind: &Arc<dyn ProtocolKind>) -> Parsed<Draft> {
        if !self.parser.eat_word("from") {
            return Ok(Draft::new(kind.clone(), &self.globals));
        }
        let span = self.parser.token().span;
        let name = self.parser.text(span).to_owned();
        self.parser.known("Template or protocol name", names::is_ancestor)?;
        match self.drafts.get(name.as_str()) {
            Some(draft) if draft.kind.keyword() == kind.keyword() => Ok(draft.inherit()),
            Some(draft) => {
                let other = draft.kind.keyword();
                Err(self
                    .parser
                    .error(span, "Template has a different protocol type")
                    .because(format!("`{name}` is of type {other}")))
            }
            None => Err(Failed),
        }
    }

    fn free_name(&mut self, keyword: &'static str) -> Arc<str> {
        let counter = self.counters.entry(keyword).or_insert(0);
        loop {
            *counter += 1;
            let name = format!("{keyword}{counter}");
            if !self.parser.symbols.is_defined(&name) {
                return Arc::from(name);
            }
        }
    }
}
