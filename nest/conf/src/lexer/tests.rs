use std::path::Path;

use super::*;
use crate::files::MemoryFiles;

fn kinds(text: &str) -> Vec<TokenKind> {
    let lexed = lex_text("test", text);
    assert!(!lexed.diagnostics.has_errors(), "{text}: {:?}", lexed.diagnostics.all());
    lexed.tokens.iter().map(|token| token.kind).collect()
}

fn texts(lexed: &Lexed) -> Vec<&str> {
    lexed.tokens.iter().map(|token| lexed.sources.text(token.span)).collect()
}

fn first_error(text: &str) -> String {
    let lexed = lex_text("f", text);
    lexed.diagnostics.all().first().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn the_longest_token_wins() {
    use TokenKind as T;
    for (text, expected) in [
        ("65000:1", vec![T::Rd(0), T::End]),
        ("65000: 1", vec![T::Number(65000), T::Colon, T::Number(1), T::End]),
        ("[= 1 =]", vec![T::OpenMask, T::Number(1), T::CloseMask, T::End]),
        ("[ =", vec![T::OpenBracket, T::Equal, T::End]),
        ("fc::/8", vec![T::Ip6(0), T::Slash, T::Number(8), T::End]),
        ("::", vec![T::Ip6(0), T::End]),
        ("::1.2.3.4", vec![T::Ip6(0), T::End]),
        ("1.2.3.4:5", vec![T::Rd(0), T::End]),
        ("1..2", vec![T::Number(1), T::DotDot, T::Number(2), T::End]),
        ("aa:bb:cc:dd:ee:ff", vec![T::Mac(0), T::End]),
        ("aa:bb:cc:dd:ee:ff:00:11:22:33", vec![T::Bytes(0), T::End]),
        ("1:2:3:4:5:6:7:8", vec![T::Ip6(0), T::End]),
        ("2:65000:1", vec![T::Rd(0), T::End]),
        ("else: x", vec![T::ElseColon, T::Name, T::End]),
        ("else : x", vec![T::Name, T::Colon, T::Name, T::End]),
        ("5s", vec![T::Number(5), T::Name, T::End]),
        ("0x10", vec![T::Number(16), T::End]),
        ("hex:0102", vec![T::Bytes(0), T::End]),
        ("hex:", vec![T::Bytes(0), T::End]),
        ("deadbeef", vec![T::Name, T::End]),
        ("'a.b:c-d'", vec![T::QuotedName, T::End]),
        ("x !~ y", vec![T::Name, T::NotMatch, T::Name, T::End]),
        ("a # b\n/* c */ d", vec![T::Name, T::Name, T::End]),
    ] {
        assert_eq!(kinds(text), expected, "{text}");
    }
}

#[test]
fn route_distinguishers_print_as_written() {
    for text in ["65000:70000", "70000:5", "1.2.3.4:5", "2:100:5"] {
        let lexed = lex_text("f", text);
        assert_eq!(lexed.values.rd(0).to_string(), text);
    }
}

#[test]
fn bad_text_is_reported_where_it_is() {
    for (text, expected) in [
        ("\n  $", "f:2:3 Unknown character"),
        ("a \u{e4}", "f:1:3 Unknown character"),
        ("x = \"abc\n", "f:1:5 Unterminated string"),
        ("1.2.3.400", "f:1:1 Invalid IPv4 address 1.2.3.400"),
        ("4294967296", "f:1:1 Number out of range"),
        ("/* a", "f:1:1 Unterminated comment"),
        ("/* /* */", "f:1:4 Comment nesting not allowed"),
        ("1:2:3:4", "f:1:1 Invalid IPv6 address 1:2:3:4"),
        ("include \"x\";", "f:1:1 Include not allowed here"),
    ] {
        assert_eq!(first_error(text), expected, "{text}");
    }
}

#[test]
fn includes_expand_in_place_and_in_order() {
    let files = MemoryFiles::default()
        .with("/e/main", "a [\n include \"d/*.inc\";\n] include \"x\";")
        .with("/e/d/2.inc", "two")
        .with("/e/d/1.inc", "one\ninclude \"deep\";")
        .with("/e/d/deep", "deep");
    let lexed = lex_file(Path::new("/e/main"), &files);
    assert!(!lexed.diagnostics.has_errors());
    assert_eq!(texts(&lexed), ["a", "[", "one", "deep", "two", "]", "include", "\"x\"", ";", ""]);
    assert_eq!(&*lexed.sources.name(lexed.tokens[3].span), "/e/d/deep");
}

#[test]
fn a_missing_include_is_an_error_and_an_empty_glob_is_not() {
    let files = MemoryFiles::default().with("m", "include \"no\";\ninclude \"no/*\";\nok");
    let lexed = lex_file(Path::new("m"), &files);
    assert_eq!(lexed.diagnostics.error_count(), 1);
    let message = lexed.diagnostics.all()[0].to_string();
    assert!(message.starts_with("m:1:1 Unable to open included file no: "), "{message}");
    assert_eq!(texts(&lexed), ["ok", ""]);
}

#[test]
fn includes_nest_eight_deep() {
    let files = MemoryFiles::default().with("m", "x\ninclude \"m\";");
    let lexed = lex_file(Path::new("m"), &files);
    assert_eq!(lexed.tokens.len(), 9 + 1);
    assert_eq!(lexed.diagnostics.error_count(), 1);
}
