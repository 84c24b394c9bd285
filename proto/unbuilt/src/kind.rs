//! A protocol type that has a grammar only.

use std::sync::Arc;

use dunlin_conf::{Failed, Parsed};
use dunlin_core::config::grammar::{Statements, read};
use dunlin_core::config::{ConfigParser, Globals};
use dunlin_core::protocol::{
    ChannelRules, InstanceConfig, Phase, ProtocolConfig, ProtocolKind, Section, Service, Unbuilt,
};
use dunlin_filter::ChannelFilter;

use crate::grammar::{Check, Grammar};

/// The protocol type of a grammar.
#[derive(Clone, Copy, Debug)]
pub struct Declared(pub &'static Grammar);

impl Declared {
    const fn unbuilt(self) -> Unbuilt {
        Unbuilt { keyword: self.0.keyword }
    }
}

impl ProtocolKind for Declared {
    fn keyword(&self) -> &'static str {
        self.0.keyword
    }

    fn type_name(&self) -> &'static str {
        self.0.type_name
    }

    fn phase(&self) -> Phase {
        self.0.phase
    }

    fn channels(&self) -> ChannelRules {
        let channels = &self.0.channels;
        ChannelRules {
            kinds: channels.kinds,
            others: channels.others,
            needed: channels.needed,
            preference: channels.preference,
            import: ChannelFilter::Accept,
            export: if channels.export { ChannelFilter::Accept } else { ChannelFilter::Reject },
        }
    }

    fn is_built(&self) -> bool {
        false
    }

    fn has_templates(&self) -> bool {
        self.0.templates
    }

    fn labels_vrfs(&self) -> bool {
        self.0.keyword == "l3vpn"
    }

    fn section(&self) -> Box<dyn Section> {
        let (head, said) = (None, Statements::default());
        Box::new(Reading { kind: *self, head, said })
    }

    fn service(&self) -> Box<dyn Service> {
        Box::new(self.unbuilt())
    }
}

/// A section while it is read.
#[derive(Clone, Debug)]
struct Reading {
    kind: Declared,
    head: Option<&'static str>,
    said: Statements,
}

/// What a section says.
#[derive(Clone, Debug, PartialEq)]
struct DeclaredConfig {
    head: Option<&'static str>,
    said: Statements,
}

impl ProtocolConfig for DeclaredConfig {
    fn same(&self, other: &dyn ProtocolConfig) -> bool {
        other.downcast::<Self>() == Some(self)
    }
}

impl Section for Reading {
    fn inherit(&self) -> Box<dyn Section> {
        Box::new(self.clone())
    }

    fn head(&mut self, parser: &mut ConfigParser) -> Parsed<()> {
        let heads = self.kind.0.heads.iter();
        self.head = heads.copied().find(|head| parser.eat_word(head));
        Ok(())
    }

    fn statement(&mut self, parser: &mut ConfigParser, globals: &Globals) -> Parsed<bool> {
        let said = read(parser, globals, self.kind.0.rules)?;
        let found = said.is_some();
        self.said.0.extend(said);
        Ok(found)
    }

    fn finish(
        &self,
        parser: &mut ConfigParser,
        globals: &Globals,
        config: &mut InstanceConfig,
    ) -> Parsed<Arc<dyn ProtocolConfig>> {
        let before = parser.diagnostics().error_count();
        let Self { kind, head, said } = self;
        (kind.0.check)(&mut Check { parser, globals, config, said, head: *head });
        if parser.diagnostics().error_count() > before {
            return Err(Failed);
        }
        kind.unbuilt().warn(parser, config, kind.0.lacks);
        Ok(Arc::new(DeclaredConfig { head: *head, said: said.clone() }))
    }
}
