//! `roa_check` and `aspa_check`.

use dunlin_attr::kind;
use dunlin_conf::{Parsed, Span, TokenKind};
use dunlin_net::NetType;

use super::expression::expression;
use crate::{
    Parser,
    attribute::Attribute,
    build::{Builder, Expr},
    code::Table,
    method::Method,
    symbol::Symbol,
    types::{EnumType, Type},
    value::Constant,
};

/// `roa_check(TABLE [, NET, ASN])`, `aspa_check(TABLE, PATH, UPSTREAM)`,
/// `aspa_check_upstream(TABLE)`, `aspa_check_downstream(TABLE)`.
pub(super) fn check(parser: &mut Parser, builder: &mut Builder, word: &str) -> Parsed<Expr> {
    let start = parser.advance().span;
    parser.expect(TokenKind::Open)?;
    let kind = if word == "roa_check" { EnumType::Roa } else { EnumType::Aspa };
    let table = table(parser, kind)?;
    let operands = match word {
        "aspa_check" => explicit(parser, builder, "ASPA_CHECK_EXPLICIT", [Type::Path, Type::Bool])?,
        "roa_check" if parser.at(TokenKind::Comma) => {
            explicit(parser, builder, "ROA_CHECK_EXPLICIT", [Type::Prefix, Type::Int])?
        }
        "roa_check" => {
            parser.expect(TokenKind::Close)?;
            let net = builder.read_attribute(parser, Attribute::Net, start);
            let path = path(parser, builder, start);
            let origin = builder.method(parser, Method::Last, path, None, Type::Int, start)?;
            (net, origin)
        }
        _ => {
            parser.expect(TokenKind::Close)?;
            let path = path(parser, builder, start);
            let upstream = Constant::Bool(word == "aspa_check_upstream");
            (path, builder.constant(parser, upstream, start))
        }
    };
    let span = start.to(parser.previous().span);
    Ok(builder.check_against(parser, kind, table, operands, span))
}

/// The table. One of another type is known to be wrong only when it is asked, as in BIRD.
fn table(parser: &mut Parser, kind: EnumType) -> Parsed<Table> {
    let span = parser.token().span;
    let name = parser.symbol().map(|symbol| symbol.name.clone());
    let net_type = parser.known("Table", |symbol| match symbol {
        Symbol::Table(net_type, _) => Some(*net_type),
        _ => None,
    })?;
    let fits = match net_type {
        NetType::Roa4 | NetType::Roa6 => kind == EnumType::Roa,
        NetType::Aspa => kind == EnumType::Aspa,
        _ => false,
    };
    if !fits {
        let wanted = if kind == EnumType::Roa { "ROA" } else { "ASPA" };
        let message = format!("The table is of type {}, not {wanted}", net_type.name());
        parser.warning(span, message).hint("a route that it is run for is rejected");
    }
    Ok(Table { name: name.unwrap_or_else(|| "".into()), net_type })
}

/// `, FIRST, SECOND)`
fn explicit(
    parser: &mut Parser,
    builder: &mut Builder,
    name: &str,
    wanted: [Type; 2],
) -> Parsed<(Expr, Expr)> {
    let [first, second] = wanted;
    parser.expect(TokenKind::Comma)?;
    let one = parser.nested(|parser| expression(parser, builder))?;
    parser.expect(TokenKind::Comma)?;
    let other = parser.nested(|parser| expression(parser, builder))?;
    parser.expect(TokenKind::Close)?;
    let at = parser.previous().span;
    let one = builder.check_at(parser, at, one, first, 1, name)?;
    let other = builder.check_at(parser, at, other, second, 2, name)?;
    Ok((one, other))
}

fn path(parser: &Parser, builder: &mut Builder, span: Span) -> Expr {
    builder.read_attribute(parser, Attribute::Bgp(kind::AS_PATH, Type::Path), span)
}
