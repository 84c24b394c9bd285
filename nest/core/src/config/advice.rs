//! Advice on what stands where nothing of it can be: spellings of older releases, options in the wrong place.

use dunlin_conf::TokenKind;

use super::ConfigParser;
use crate::protocol::ChannelRules;

/// Advice on a word that begins no statement.
pub(super) fn top_level(parser: &ConfigParser) -> Option<&'static str> {
    if parser.at(TokenKind::CloseBrace) {
        return Some("no block is open here: is there one `}` too many?");
    }
    let token = parser.token();
    if !token.kind.is_name() {
        return None;
    }
    Some(match parser.text(token.span) {
        "table" => "BIRD 1 wrote this; a table has a type now: ipv4 table NAME;",
        "roa" if parser.word_ahead(1) == Some("table") => {
            "BIRD 1 wrote this; the type of the table is roa4 or roa6 now: roa4 table NAME;"
        }
        "listen" if parser.word_ahead(1) == Some("bgp") => {
            "BIRD 1 wrote this; each protocol says where it listens: local ADDRESS port N; strict bind;"
        }
        "include" => "`include` stands first in its line, followed by a name in \" \" and `;`",
        _ => return None,
    })
}

/// Options of channels that BIRD 1 had in the protocol.
const OF_CHANNELS: &[&str] = &[
    "import",
    "export",
    "table",
    "preference",
    "receive",
    "next",
    "gateway",
    "igp",
    "add",
    "secondary",
    "rpki",
];

/// Advice on a word that begins no option of a protocol.
pub(super) fn section(parser: &ConfigParser, rules: &ChannelRules) -> Option<&'static str> {
    let token = parser.token();
    if !token.kind.is_name() {
        return None;
    }
    let word = parser.text(token.span);
    let channels = rules.kinds.len() + rules.others.len() > 0;
    if word == "route" && parser.word_ahead(1) == Some("limit") {
        return Some(
            "BIRD 1 wrote this; it is an option of a channel now: ipv4 { receive limit N; };",
        );
    }
    if word == "include" {
        return Some("`include` stands first in its line, followed by a name in \" \" and `;`");
    }
    (channels && OF_CHANNELS.contains(&word))
        .then_some("this is an option of a channel, and stands in its block: ipv4 { ... };")
}
