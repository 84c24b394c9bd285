//! Labels of MPLS: domains, ranges and what channels say of them. They are read; nothing uses them yet.

use dunlin_conf::{Parsed, Span, TokenKind};

use super::parse::Loader;
use super::unsupported::no_effect_yet;
use super::{ConfigParser, names};

impl Loader {
    /// `mpls domain NAME [{ label range NAME { start N; length N; }; }]`
    pub(super) fn mpls_domain(&mut self) -> Parsed<()> {
        let place = self.parser.advance().span;
        self.parser.advance();
        let (name, span) = self.parser.name()?;
        self.parser.define(&name, span, names::mpls_domain())?;
        no_effect_yet(&mut self.parser, place, "mpls domain");
        if !self.parser.at(TokenKind::OpenBrace) {
            return Ok(());
        }
        self.parser.block(|parser| {
            parser.expect_word("label")?;
            parser.expect_word("range")?;
            label_range(parser)
        })
    }
}

/// `label range NAME|static|dynamic` and `label policy P`, of channels of MPLS labels. Gives the place of a
/// policy that only some protocols have.
pub(super) fn labels(parser: &mut ConfigParser) -> Parsed<Option<Span>> {
    parser.advance();
    if parser.eat_word("range") {
        if parser.eat_one_of(&[("static", ()), ("dynamic", ())]).is_some() {
            return Ok(None);
        }
        return parser.known("MPLS label range", names::as_mpls_range).map(|()| None);
    }
    if !parser.eat_word("policy") {
        return Err(parser.unexpected(&["RANGE", "POLICY"]));
    }
    let place = parser.token().span;
    let policies = [("static", false), ("prefix", false), ("aggregate", false), ("vrf", true)];
    let is_vrf = parser.expect_one_of(&policies)?;
    Ok(is_vrf.then_some(place))
}

/// `NAME|static|dynamic { start N; length N; }` behind `label range`.
fn label_range(parser: &mut ConfigParser) -> Parsed<()> {
    /// Labels have 20 bits.
    const LABELS: u32 = 1 << 20;
    if parser.eat_one_of(&[("static", ()), ("dynamic", ())]).is_none() {
        let (name, span) = parser.name()?;
        parser.define(&name, span, names::mpls_range())?;
    }
    let (mut start, mut length) = (0, 0);
    parser.block(|parser| {
        if parser.eat_word("start") {
            start = parser.integer_in("Label range start", 0..=LABELS - 1)?;
        } else if parser.eat_word("length") {
            length = parser.integer_in("Label range length", 1..=LABELS)?;
        } else {
            return Err(parser.unexpected(&["START", "LENGTH"]));
        }
        Ok(())
    })?;
    if start.saturating_add(length) > LABELS {
        let place = parser.previous().span;
        return Err(parser.error(place, "MPLS label range exceeds 20 bits").into());
    }
    Ok(())
}
