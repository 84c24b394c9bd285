//! `protocol` and `template`: what every section has, and inheritance.

use core::time::Duration;
use std::sync::Arc;

use dunlin_conf::{Failed, Parsed, Span, TokenKind};

use super::channel::{AnyChannel, ChannelDraft};
use super::groups::parse_group;
use super::parse::{Loader, parse_router_id};
use super::unsupported::{no_effect_yet, unbuilt};
use super::{ConfigParser, DebugFlags, Globals, advice, names};
use crate::protocol::{
    ChannelRules, InstanceConfig, Needed, NoConfig, OtherChannel, OtherChannelConfig, ProtocolKind,
    Section,
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
    /// See [`InstanceConfig::unbuilt`].
    unbuilt: Option<Arc<str>>,
}

/// `restart time` if nothing is said.
const RESTART_TIME: Duration = Duration::from_secs(5);

impl Draft {
    fn new(kind: Arc<dyn ProtocolKind>, section: Box<dyn Section>, globals: &Globals) -> Self {
        Self {
            rules: kind.channels(),
            section,
            kind,
            channels: Vec::new(),
            disabled: false,
            description: None,
            debug: globals.debug.protocols,
            router_id: None,
            hostname: None,
            restart_time: RESTART_TIME,
            thread_group: None,
            unbuilt: None,
        }
    }

    fn inherit(&self) -> Self {
        Self {
            kind: self.kind.clone(),
            rules: self.rules.clone(),
            section: self.section.inherit(),
            channels: self.channels.iter().map(ChannelDraft::heir).collect(),
            disabled: self.disabled,
            description: self.description.clone(),
            debug: self.debug,
            router_id: self.router_id,
            hostname: self.hostname.clone(),
            restart_time: self.restart_time,
            thread_group: self.thread_group.clone(),
            unbuilt: self.unbuilt.clone(),
        }
    }

    fn statement(&mut self, parser: &mut ConfigParser, globals: &Globals) -> Parsed<()> {
        if self.section.statement(parser, globals)? {
            return Ok(());
        }
        if let Some(channel) = AnyChannel::find(parser, self.rules.others) {
            return self.channel(parser, globals, channel);
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
            // As BIRD's guide has it.
            parser.eat_word("limit");
            self.restart_time = parser.time()?;
        } else if parser.eat_words(&["thread", "group"]) {
            self.thread_group = Some(parse_group(parser, globals)?);
        } else if parser.eat_word("mrtdump") {
            DebugFlags::parse_dump(parser)?;
        } else if parser.eat_word("vrf") {
            self.vrf(parser)?;
        } else {
            return Err(parser.unexpected_because(&[], advice::section(parser, &self.rules)));
        }
        Ok(())
    }

    /// `"NAME"` or `default` behind `vrf`.
    fn vrf(&mut self, parser: &mut ConfigParser) -> Parsed<()> {
        let place = parser.previous().span;
        if parser.eat_word("default") {
            no_effect_yet(parser, place, "vrf default");
            self.unbuilt = None;
        } else {
            parser.string()?;
            self.unbuilt = Some(unbuilt(parser, place, "The option `vrf`"));
        }
        Ok(())
    }

    fn channel(
        &mut self,
        parser: &mut ConfigParser,
        globals: &Globals,
        channel: AnyChannel,
    ) -> Parsed<()> {
        let span = parser.token().span;
        for _ in channel.words().split_whitespace() {
            parser.advance();
        }
        if !channel.is_allowed(&self.rules) {
            let name = self.kind.keyword();
            let text = format!("Protocol {name} has no {} channel", channel.words());
            return Err(parser.error(span, text).into());
        }
        let index = self.channels.iter().position(|draft| draft.channel == channel);
        let index = match index {
            Some(index) if self.channels[index].own => {
                return Err(parser.error(span, "Multiple channels of the same type").into());
            }
            Some(index) => index,
            None => {
                self.channels.push(ChannelDraft::new(channel, &self.rules, globals.debug));
                self.channels.len() - 1
            }
        };
        if let AnyChannel::Other(other) = channel
            && self.kind.is_built()
        {
            no_effect_yet(parser, span, &format!("channel {other}"));
        }
        self.channels[index].own = true;
        self.channels[index].block(parser, globals, &mut *self.section)?;
        if let Some(place) = self.channels[index].labels_vrfs.filter(|_| !self.kind.labels_vrfs()) {
            parser.error(place, "Label policy vrf is limited to L3VPN");
        }
        Ok(())
    }

    /// Makes the configuration of a protocol.
    fn finish(
        &self,
        parser: &mut ConfigParser,
        globals: &Globals,
        name: Arc<str>,
        (span, end): (Span, Span),
    ) -> Parsed<InstanceConfig> {
        let mut config = InstanceConfig {
            kind: self.kind.clone(),
            name,
            span,
            end,
            unbuilt: None,
            disabled: self.disabled,
            description: self.description.clone(),
            debug: self.debug,
            router_id: self.router_id,
            hostname: self.hostname.clone(),
            restart_time: self.restart_time,
            thread_group: self.thread_group.clone(),
            channels: Vec::new(),
            others: Vec::new(),
            specific: Arc::new(NoConfig),
            parent: None,
        };
        let drafts = self.channels.iter();
        let others: Parsed<Vec<_>> =
            drafts.clone().filter_map(|draft| draft.other(parser, globals, end)).collect();
        config.others = others?;
        let built: Parsed<Vec<_>> =
            drafts.filter_map(|draft| draft.built(parser, globals, end)).collect();
        config.channels = built?;
        config.unbuilt = self.unbuilt();
        config.specific = self.section.finish(parser, globals, &mut config)?;
        self.check_channels(parser, &config)?;
        Ok(config)
    }

    /// What keeps an instance from being started.
    fn unbuilt(&self) -> Option<Arc<str>> {
        let missing = self.channels.iter().find_map(|draft| draft.unbuilt.clone());
        let missing = self.unbuilt.clone().or(missing);
        if missing.is_some() || !self.kind.is_built() {
            return missing;
        }
        let first = self.channels.first()?;
        // Beside channels that work, one that does not is only warned of.
        let idle = self.channels.iter().all(|draft| matches!(draft.channel, AnyChannel::Other(_)));
        idle.then(|| {
            let (kind, words) = (self.kind.keyword(), first.channel.words());
            Arc::from(format!("A protocol {kind} with a channel of type {words}"))
        })
    }

    fn check_channels(&self, parser: &mut ConfigParser, config: &InstanceConfig) -> Parsed<()> {
        let labels = |other: &&OtherChannelConfig| other.channel != OtherChannel::MPLS;
        let all = config.channels.len() + config.others.len();
        let counted = config.channels.len() + config.others.iter().filter(labels).count();
        match (self.rules.needed, all) {
            (Needed::One | Needed::Some, 0) => Err(parser
                .error(config.end, "Channel not specified")
                .because(format!("protocol {} needs a channel", self.kind.keyword()))),
            (Needed::One, _) if counted > 1 => {
                Err(parser.error(config.end, "More than one channel specified").into())
            }
            _ => Ok(()),
        }
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
        let kind_at = self.parser.token().span;
        let kind = self.protocol_kind()?;
        if template && !kind.has_templates() {
            let text = format!("There are no templates of protocol {}", kind.keyword());
            return Err(self.parser.error(kind_at, text).into());
        }
        let mut section = kind.section();
        section.head(&mut self.parser)?;
        let named = match self.parser.at(TokenKind::OpenBrace) || self.parser.at_word("from") {
            true => None,
            false => Some(self.parser.name()?),
        };
        let (name, span) = match named {
            Some((name, span)) => (name, span),
            None => (self.free_name(kind.keyword()), span),
        };
        let begins = self.parser.at(TokenKind::OpenBrace) || self.parser.at_word("from");
        if !begins {
            return Err(self.parser.unexpected(&["FROM", "'{'"]));
        }
        let mut draft = self.ancestor(&kind, section)?;
        let meaning = if template { names::template() } else { names::protocol() };
        let defined = self.parser.define(&name, span, meaning);
        let globals = &self.globals;
        let before = self.parser.diagnostics().error_count();
        self.parser.block(|parser| draft.statement(parser, globals))?;
        let end = self.parser.previous().span;
        let clean = self.parser.diagnostics().error_count() == before;
        // What the section as a whole lacks is only worth saying if each of its lines is right.
        if !template && clean {
            let config = draft.finish(&mut self.parser, &self.globals, name.clone(), (span, end));
            if let Ok(config) = config {
                self.check_others(&config);
                self.protocols.push(Arc::new(config));
            }
        }
        self.drafts.insert(name, Arc::new(draft));
        // The section has been read to its end, so an error in its name must not skip more.
        let _ = defined;
        Ok(())
    }

    /// A second instance of a type that has only one is an error, and so is one that takes from an
    /// earlier one what only one can have.
    pub(super) fn check_others(&mut self, config: &InstanceConfig) {
        let (kind, keyword) = (&config.kind, config.kind.keyword());
        let mut others = self.protocols.iter().filter(|other| other.kind.keyword() == keyword);
        let clash = if kind.is_single() {
            let text = || format!("Kernel {keyword} protocol already defined");
            others.next().map(|other| (other.span, config.span, text()))
        } else {
            others.find_map(|other| Some((other.span, config.end, kind.clash(other, config)?)))
        };
        if let Some((earlier, place, text)) = clash {
            self.parser.error(place, text).related(earlier, "here");
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
        Err(self.parser.unexpected(&[]))
    }

    fn ancestor(
        &mut self,
        kind: &Arc<dyn ProtocolKind>,
        section: Box<dyn Section>,
    ) -> Parsed<Draft> {
        if !kind.has_templates() && self.parser.at_word("from") {
            return Err(self.parser.unexpected(&["'{'"]));
        }
        if !self.parser.eat_word("from") {
            return Ok(Draft::new(kind.clone(), section, &self.globals));
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
        self.notes.numbered += 1;
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
