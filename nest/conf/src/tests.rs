//! The parser core with a small language of its own: blocks of options, and constants.

use std::{net::IpAddr, time::Duration};

use crate::{
    Argument, Failed, InterfacePattern, Outcome, Parsed, Parser, Payload, Severity, Symbols,
    TokenKind, lexer, render,
};

/// Names are constants or something else.
#[derive(Debug, Clone)]
enum Meaning {
    Constant(Argument),
    Other,
}

impl Payload for Meaning {
    fn constant(&self) -> Option<Argument> {
        if let Self::Constant(value) = self { Some(value.clone()) } else { None }
    }

    fn parse_expression(parser: &mut Parser<Self>) -> Parsed<Argument> {
        let mut sum = parser.integer()?;
        while parser.eat(TokenKind::Plus) {
            sum = sum.wrapping_add(parser.integer()?);
        }
        Ok(Argument::Int(sum))
    }

    fn number(name: &str) -> Option<u32> {
        (name == "dozen").then_some(12)
    }

    fn kind(&self) -> &'static str {
        if matches!(self, Self::Constant(_)) { "constant" } else { "protocol" }
    }
}

fn parser(text: &str) -> Parser<Meaning> {
    let mut parser = Parser::new(lexer::lex_text("f", text), Symbols::default());
    let span = crate::Span::default();
    let constants = [
        ("SEVEN", Argument::Int(7)),
        ("YES", Argument::Bool(true)),
        ("HOME", Argument::Ip(IpAddr::from([127, 0, 0, 1]))),
        ("TEXT", Argument::String("text".into())),
        ("NET", Argument::Prefix("10.0.0.0/8".parse().unwrap())),
    ];
    for (name, value) in constants {
        parser.define(name, span, Meaning::Constant(value)).unwrap();
    }
    parser.define("upstream1", span, Meaning::Other).unwrap();
    parser
}

/// What one argument parser says of a text: the value or the first message.
fn one<T: std::fmt::Debug>(
    text: &str,
    argument: impl FnOnce(&mut Parser<Meaning>) -> Parsed<T>,
) -> String {
    let mut parser = parser(text);
    match argument(&mut parser) {
        Ok(value) => format!("{value:?}"),
        Err(Failed) => parser.finish().diagnostics.all()[0].to_string(),
    }
}

#[test]
fn arguments_are_literals_constants_or_expressions() {
    assert_eq!(one("5;", Parser::integer), "5");
    assert_eq!(one("SEVEN;", Parser::integer), "7");
    assert_eq!(one("(SEVEN + 1);", Parser::integer), "8");
    assert_eq!(one("((1) + (2 + 3));", Parser::integer), "6");
    assert_eq!(one("YES;", Parser::integer), "f:1:1 Number expected");
    assert_eq!(one("upstream1;", Parser::integer), "f:1:1 Number constant expected");
    assert_eq!(
        one("nobody;", Parser::integer),
        "f:1:1 syntax error, unexpected CF_SYM_UNDEFINED, expecting NUM or CF_SYM_KNOWN or '('"
    );
    assert_eq!(one("(5;", Parser::integer), "f:1:3 syntax error, unexpected ';', expecting ')'");
    assert_eq!(one("dozen;", Parser::integer), "12");
    assert_eq!(one("(dozen + 1);", Parser::integer), "13");
    assert_eq!(one("dozen;", Parser::id), "12");
    let range = |parser: &mut Parser<Meaning>| parser.integer_in("Limit", 1..=6);
    assert_eq!(one("SEVEN;", range), "f:1:1 Limit must be in range 1-6");
    assert_eq!(one("HOME;", Parser::ip), "127.0.0.1");
    assert_eq!(one("::1;", Parser::ip), "::1");
    assert_eq!(one("1.2.3.4;", Parser::id), "16909060");
    assert_eq!(one("HOME;", Parser::id), "2130706433");
    assert_eq!(one("TEXT;", Parser::string), "\"text\"");
    assert_eq!(one("\"a b\";", Parser::string), "\"a b\"");
    assert_eq!(one("hex:0102;", Parser::bytes), "[1, 2]");
}

#[test]
fn prefixes_have_no_host_bits() {
    let show = |text| one(text, |parser| parser.prefix().map(|prefix| prefix.to_string()));
    assert_eq!(show("10.0.0.0/8;"), "\"10.0.0.0/8\"");
    assert_eq!(
        show("10.0.0.1/8;"),
        "f:1:10 Invalid IPv4 prefix 10.0.0.1/8, maybe you wanted 10.0.0.0/8"
    );
    assert_eq!(show("fc::/8;"), "f:1:6 Invalid IPv6 prefix fc::/8, maybe you wanted ::/8");
    assert_eq!(show("10.0.0.0/33;"), "f:1:10 Invalid prefix length 33");
    assert_eq!(show("10.0.0.0;"), "f:1:9 syntax error, unexpected ';', expecting '/'");
}

#[test]
fn switches_may_be_empty_and_times_need_units() {
    for (text, expected) in [
        ("on;", "true"),
        (";", "true"),
        ("}", "true"),
        ("no;", "false"),
        ("YES;", "true"),
        ("0;", "false"),
        (
            "maybe;",
            "f:1:1 syntax error, unexpected CF_SYM_UNDEFINED, expecting NUM or CF_SYM_KNOWN or '('",
        ),
    ] {
        assert_eq!(one(text, Parser::switch), expected, "{text}");
    }
    let mut deprecated = parser("1;");
    assert_eq!(deprecated.switch(), Ok(true));
    let outcome = deprecated.finish();
    let warning = outcome.diagnostics.warnings().next().unwrap();
    assert_eq!(warning.to_string(), "f:1:1: Number argument for switch option deprecated");
    assert_eq!(parser("300 ms;").time(), Ok(Duration::from_millis(300)));
    assert_eq!(parser("5s;").time(), Ok(Duration::from_secs(5)));
    assert_eq!(
        one("5;", Parser::time),
        "f:1:2 syntax error, unexpected ';', expecting S or MS or US"
    );
}

#[test]
fn interface_patterns_take_the_first_clause_that_fits() {
    let mut parser = parser("-\"eth0\", \"eth*\", \"wg*\" 10.0.0.0/8, 192.0.2.1;");
    let pattern: InterfacePattern = parser.interface_pattern().unwrap();
    let home = [IpAddr::from([10, 1, 1, 1])];
    let other = [IpAddr::from([192, 0, 2, 1])];
    for (name, addresses, expected) in [
        ("eth0", &home, false),
        ("eth1", &home, true),
        ("wg0", &home, true),
        ("lo", &home, false),
        ("lo", &other, true),
    ] {
        assert_eq!(pattern.matches(name, addresses), expected, "{name}");
    }
}

#[test]
fn interfaces_are_named_by_constants() {
    let clauses = |text| {
        let pattern = parser(text).interface_pattern().unwrap();
        let shown = |prefix: dunlin_net::Prefix| prefix.to_string();
        let parts =
            pattern.clauses.into_iter().map(|clause| (clause.name, clause.prefix.map(shown)));
        parts.collect::<Vec<_>>()
    };
    let (net, home) = (Some("10.0.0.0/8".to_owned()), Some("127.0.0.1/32".to_owned()));
    let text = || Some("text".into());
    assert_eq!(
        clauses("NET, -HOME, TEXT, TEXT NET, \"text\" HOME;"),
        [(None, net.clone()), (None, home.clone()), (text(), None), (text(), net), (text(), home)]
    );
    let wrong = |text| one(text, Parser::interface_pattern);
    assert_eq!(wrong("SEVEN;"), "f:1:1 String expected");
    assert_eq!(wrong("TEXT TEXT;"), "f:1:6 IP address or network constant expected");
    assert_eq!(one("NET;", Parser::interface_names), "f:1:1 String expected");
}

/// Options `a NUMBER`, `b { ... }`, `name NAME`.
fn option(parser: &mut Parser<Meaning>) -> Parsed<()> {
    if parser.eat_word("a") {
        return parser.integer().map(|_| ());
    }
    if parser.eat_word("b") {
        return parser.block(option);
    }
    if parser.eat_word("name") {
        let (name, span) = parser.name()?;
        return parser.define(&name, span, Meaning::Other).map(|_| ());
    }
    Err(parser.unexpected(&[]))
}

/// Statements `protocol { ... }` and `log;`.
fn top_level(text: &str) -> Outcome<Meaning> {
    let mut parser = parser(text);
    while !parser.at_end() {
        let start = parser.place();
        let result = if parser.eat(TokenKind::Semicolon) {
            Ok(())
        } else if parser.eat_word("protocol") {
            parser.block(option)
        } else if parser.eat_word("log") {
            parser.semicolon()
        } else {
            Err(parser.unexpected(&[]))
        };
        if result.is_err() {
            parser.recover_top_level(start);
        }
    }
    parser.finish()
}

fn errors(text: &str) -> Vec<String> {
    top_level(text).diagnostics.errors().map(ToString::to_string).collect()
}

#[test]
fn every_error_is_reported_once() {
    assert_eq!(errors("protocol { a 1; b { a 2; }; };\nlog;"), [""; 0]);
    assert_eq!(
        errors("protocol {\n a x;\n b { c 1; a 1; };\n a 1\n}\nlog 5;\nlog;\nfoo { a; }\nlog"),
        [
            "f:2:4 syntax error, unexpected CF_SYM_UNDEFINED, expecting NUM or CF_SYM_KNOWN or '('",
            "f:3:6 syntax error, unexpected CF_SYM_UNDEFINED",
            "f:5:1 syntax error, unexpected '}', expecting ';'",
            "f:6:5 syntax error, unexpected NUM, expecting ';'",
            "f:8:1 syntax error, unexpected CF_SYM_UNDEFINED",
            "f:9:4 syntax error, unexpected END, expecting ';'",
        ]
    );
}

#[test]
fn a_block_that_never_ends_does_not_swallow_what_follows() {
    assert_eq!(
        errors("protocol {\n b { a 1;\nprotocol { c; }\nlog;"),
        [
            "f:3:1 syntax error, unexpected PROTOCOL",
            "f:3:12 syntax error, unexpected CF_SYM_UNDEFINED",
        ]
    );
}

#[test]
fn a_block_with_an_error_ends_where_it_ends() {
    let errors = |text: &str| -> Vec<String> {
        let mut parser = parser(text);
        let failing = parser.block(|parser| {
            let inner = parser.block(option);
            inner.and(Err(parser.error_here("no good").into()))
        });
        assert_eq!(failing, Ok(()));
        parser.finish().diagnostics.errors().map(ToString::to_string).collect()
    };
    let said = errors("{ { a 1; } { a 2; } else { a 3; } { a y; } }");
    let wrong =
        "f:1:39 syntax error, unexpected CF_SYM_UNDEFINED, expecting NUM or CF_SYM_KNOWN or '('";
    assert_eq!(said, ["f:1:12 no good", "f:1:21 no good", wrong, "f:1:44 no good"]);
}

#[test]
fn names_hide_keywords_with_a_warning_and_are_taken_once() {
    let outcome = top_level("protocol { name log; name x; name x; }\nlog;");
    let all: Vec<String> = outcome.diagnostics.all().iter().map(ToString::to_string).collect();
    assert_eq!(
        all,
        [
            "f:1:17: Symbol 'log' overrides existing keyword",
            "f:1:35 Symbol 'x' already defined",
            "f:2:1 syntax error, unexpected CF_SYM_KNOWN",
        ]
    );
}

#[test]
fn undefined_names_get_a_suggestion() {
    let mut parser = parser("SEVN;");
    assert_eq!(parser.integer(), Err(Failed));
    let outcome = parser.finish();
    let hint = outcome.diagnostics.all()[0].hint.clone().unwrap();
    assert_eq!(hint, "`SEVN` is not defined; did you mean `SEVEN`?");
}

#[test]
fn a_name_that_is_defined_further_down_is_found() {
    let outcome = top_level("protocol { a later; }\nprotocol { name later; }");
    let first = &outcome.diagnostics.all()[0];
    let hint = first.hint.as_deref();
    assert_eq!(hint, Some("`later` is defined later; names are defined before they are used"));
    let (place, why) = first.related.clone().unwrap();
    assert_eq!((outcome.sources.position(place).line, why.as_str()), (2, "defined here"));
}

#[test]
fn keywords_are_suggested_too() {
    let outcome = top_level("protocl { a 1; }\nprotocol { neighbour 1; }");
    let hints: Vec<_> =
        outcome.diagnostics.all().iter().map(|one| one.hint.clone().unwrap()).collect();
    assert_eq!(
        hints,
        [
            "`protocl` is not defined; did you mean `protocol`?",
            "`neighbour` is not defined; did you mean `neighbor`?",
        ]
    );
}

#[test]
fn the_block_that_is_not_closed_is_shown() {
    for text in ["protocol {\n a 1;\nprotocol { a 1; }", "protocol {\n a 1;\n"] {
        let outcome = top_level(text);
        let (place, why) = outcome.diagnostics.all()[0].related.clone().unwrap();
        assert_eq!(outcome.sources.position(place), crate::Position { line: 1, column: 10 });
        assert_eq!(why, "this block is still open");
    }
}

#[test]
fn a_line_without_its_end_is_suspected() {
    for (text, advice) in [
        ("protocol { a 1\n name x; }", "is a `;` missing at the end of line 1?"),
        ("protocol { a 1 s; }", "this number has no unit: it is in seconds"),
        ("protocol { a 1 }", "the last statement of a block ends with `;` too"),
    ] {
        let outcome = top_level(text);
        assert_eq!(outcome.diagnostics.all()[0].hint.as_deref(), Some(advice), "{text}");
    }
}

#[test]
fn the_first_words_of_an_option_are_enough_to_say_what_misses() {
    let mut parser = parser("hold tme 5;");
    assert!(!parser.eat_words(&["hold", "time"]) && !parser.eat_words(&["hold", "up", "x"]));
    assert_eq!(parser.unexpected(&[]), Failed);
    let outcome = parser.finish();
    assert_eq!(
        outcome.diagnostics.all()[0].to_string(),
        "f:1:6 syntax error, unexpected CF_SYM_UNDEFINED, expecting TIME or UP"
    );
}

#[test]
fn a_name_whose_definition_failed_is_no_second_error() {
    let mut parser = parser("broken;");
    parser.forgive("broken");
    assert_eq!(parser.integer(), Err(Failed));
    assert!(parser.finish().diagnostics.all().is_empty());
}

#[test]
fn of_a_long_line_the_piece_around_the_mark_is_shown() {
    let text = format!("protocol {{ {} a wrong; {} }}", "a 1; ".repeat(500), "a 2; ".repeat(500));
    let outcome = top_level(&text);
    let said = render(&outcome.diagnostics.all()[0], &outcome.sources);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.iter().all(|line| line.len() < 250), "{said}");
    let (text, mark) = (lines[4], lines[5]);
    let at = mark.find("^^^^^").unwrap();
    assert_eq!(&text[at..at + 5], "wrong", "{said}");
    assert!(text.contains("| ...") && text.ends_with("..."), "{said}");
}

#[test]
fn messages_are_objects_for_programs() {
    let outcome = top_level("protocol { a \"\u{1}\\\"; }");
    let object = crate::json::object(&outcome.diagnostics.all()[0]);
    assert_eq!(
        object,
        r#"{"file": "f", "line": 1, "column": 14, "length": 4, "text": "syntax error, unexpected TEXT, expecting NUM or CF_SYM_KNOWN or '('", "hint": null}"#
    );
    assert_eq!(crate::json::string("a\"\\\n\u{1}\u{e4}"), "\"a\\\"\\\\\\n\\u0001\u{e4}\"");
}

#[test]
fn rendering_shows_the_line_and_where_a_name_was_first_defined() {
    let outcome = top_level("protocol { name x; \n\tname x; }");
    let diagnostic = &outcome.diagnostics.all()[0];
    let text = render(diagnostic, &outcome.sources);
    assert!(text.starts_with("f:2:7 Symbol 'x' already defined\n"), "{text}");
    assert!(text.contains("name x; }") && text.contains("first defined here"), "{text}");
    assert_eq!(diagnostic.severity, Severity::Error);
}

mod soup {
    use proptest::prelude::*;

    use super::{lexer, render, top_level};

    proptest! {
        #[test]
        fn of_bytes_lexes_and_parses_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let lexed = lexer::lex_text("f", &text);
            for token in &lexed.tokens {
                prop_assert!(token.span.start <= token.span.end && token.span.end as usize <= text.len());
            }
            let outcome = top_level(&text);
            for diagnostic in outcome.diagnostics.all() {
                prop_assert!(render(diagnostic, &outcome.sources).starts_with("f:"));
            }
        }

        #[test]
        fn of_literals_lexes_without_panic(text in "[0-9a-fx:. /\n\"';{}-]{0,60}") {
            let _ = top_level(&text);
        }

        #[test]
        fn lexing_loses_nothing_but_blanks_and_comments(words in proptest::collection::vec("[a-z]{1,8}|[0-9]{1,5}|[;{}(),]|\"[a-z ]{0,8}\"", 0..40)) {
            let text = words.join(" ");
            let lexed = lexer::lex_text("f", &text);
            let found: Vec<&str> = lexed.tokens.iter().map(|t| lexed.sources.text(t.span)).collect();
            let found = found.join(" ");
            prop_assert_eq!(found.trim_end(), text.trim_end());
        }
    }
}
