//! Statements that are read and checked, and that do nothing yet.

use dunlin_conf::Parsed;
use dunlin_core::config::grammar::{
    Given, PASSWORDS, Part, Rule, Said, Statements, read, rule, switch,
};
use dunlin_core::config::{ConfigParser, Globals, no_effect_yet, unbuilt};
use std::sync::Arc;

/// Switch, `aware`, or nothing.
const AWARE: &[Part] = &[Part::Either(&[&[Part::Word("aware")], &[Part::Switch]])];

/// `on`, `off`, `rx` or `tx`.
const WAYS: &[Part] = &[Part::Either(&[&[Part::OneOf(&["rx", "tx"])], &[Part::Switch]])];

/// Options of a BFD session, which `protocol bfd` has too.
const BFD: &[Rule] = &[
    rule("interval", &[Part::TIME]),
    rule("min rx interval", &[Part::TIME]),
    rule("min tx interval", &[Part::TIME]),
    rule("idle tx interval", &[Part::TIME]),
    rule("multiplier", &[Part::Number(1, 255)]),
    switch("passive"),
    switch("graceful"),
    rule("authentication", &[Part::OneOf(BFD_AUTHENTICATION)]),
    PASSWORDS[0],
    PASSWORDS[1],
    PASSWORDS[2],
];

const BFD_AUTHENTICATION: &[&str] =
    &["none", "simple", "keyed md5", "keyed sha1", "meticulous keyed md5", "meticulous keyed sha1"];

/// Ways to sign a segment (RFC 5926).
const ALGORITHMS: &[&str] = &[
    "cmac aes128",
    "hmac md5",
    "hmac sha1",
    "hmac sha224",
    "hmac sha256",
    "hmac sha384",
    "hmac sha512",
];

const KEY: &[Rule] = &[
    rule("id", &[Part::Number(0, 255)]),
    rule("send id", &[Part::Number(0, 255)]),
    rule("recv id", &[Part::Number(0, 255)]),
    rule("secret", &[Part::Secret]),
    rule("algorithm", &[Part::OneOf(ALGORITHMS)]),
    switch("preferred"),
    switch("deprecated"),
];

/// Of the session.
const SESSION: &[Rule] = &[
    rule("interface range", &[Part::Names]),
    rule(
        "bfd",
        &[Part::Either(&[&[Part::Word("graceful")], &[Part::Block(BFD)], &[Part::Switch]])],
    ),
    rule("authentication ao", &[]),
    rule("keys", &[Part::Block(&[rule("key", &[Part::Block(KEY)])])]),
    rule("confederation", &[Part::Number(1, u32::MAX)]),
    switch("confederation member"),
    switch("deterministic med"),
    switch("disable rx"),
    rule("graceful restart", AWARE),
    rule("graceful restart time", &[Part::Number(0, 4095)]),
    rule("min graceful restart time", &[Part::Number(0, 4095)]),
    rule("max graceful restart time", &[Part::Number(0, 4095)]),
    rule("long lived graceful restart", AWARE),
    rule("long lived stale time", &[STALE]),
    rule("min long lived stale time", &[STALE]),
    rule("max long lived stale time", &[STALE]),
];

const STALE: Part = Part::Number(0, (1 << 24) - 1);

/// Of a channel.
const CHANNEL: &[Rule] = &[
    rule("next hop prefer", &[Part::OneOf(&["global", "local"])]),
    rule("link local next hop format", &[Part::OneOf(&["native", "single", "double"])]),
    switch("secondary"),
    rule("add paths", WAYS),
    switch("extended next hop"),
    switch("require add paths"),
    switch("require extended next hop"),
    switch("validate"),
    rule("base table", &[Part::Table]),
    rule("aigp", &[Part::Either(&[&[Part::Word("originate")], &[Part::Switch]])]),
    rule("cost", &[Part::Number(1, u32::MAX)]),
    switch("graceful restart"),
    switch("long lived graceful restart"),
    rule("long lived stale time", &[STALE]),
    rule("min long lived stale time", &[STALE]),
    rule("max long lived stale time", &[STALE]),
];

/// What the session would not be without these, so that it must not start: with other peers, in another AS,
/// without authentication, with less than is required.
const VITAL: &[&str] = &[
    "interface range",
    "authentication ao",
    "confederation",
    "confederation member",
    "require add paths",
    "require extended next hop",
];

/// What was said of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Unbuilt {
    pub(super) said: Statements,
    /// Why the session must not start.
    pub(super) vital: Option<Arc<str>>,
}

impl Unbuilt {
    /// Reads a statement of a session.
    pub(super) fn session(&mut self, parser: &mut ConfigParser, globals: &Globals) -> Parsed<bool> {
        self.read(parser, globals, SESSION)
    }

    /// Whether a capability is announced as far as is said; `usual` if nothing is.
    pub(super) fn is_announced(&self, words: &str, usual: bool) -> bool {
        self.said.last(words).map_or(usual, |said| !said.is_off())
    }

    /// Reads a statement of a channel.
    pub(super) fn channel(&mut self, parser: &mut ConfigParser, globals: &Globals) -> Parsed<bool> {
        self.read(parser, globals, CHANNEL)
    }

    fn read(
        &mut self,
        parser: &mut ConfigParser,
        globals: &Globals,
        rules: &[Rule],
    ) -> Parsed<bool> {
        let Some(said) = read(parser, globals, rules)? else { return Ok(false) };
        if !is_default(&said) {
            let option = format!("The option `{}`", said.words);
            if VITAL.contains(&said.words) {
                self.vital = Some(unbuilt(parser, said.place, &option));
            } else {
                no_effect_yet(parser, said.place, said.words);
            }
        } else if self
            .vital
            .as_ref()
            .is_some_and(|vital| vital.contains(&format!("`{}`", said.words)))
        {
            self.vital = None;
        }
        self.said.0.push(said);
        Ok(true)
    }
}

/// Whether a statement says what is so anyway.
fn is_default(said: &Said) -> bool {
    match said.words {
        // Next hops are sent as they are; global ones are taken.
        "next hop prefer" => said.values == [Given::Word("global")],
        _ => said.is_off(),
    }
}
