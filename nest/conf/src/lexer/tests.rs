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
fn a_missing_include_or_folder_is_an_error_and_an_empty_glob_is_not() {
    let text = "include \"no\";\ninclude \"no/*\";\ninclude \"d/*.conf\";\nok";
    let files = MemoryFiles::default().with("m", text).with("d/other", "text");
    let lexed = lex_file(Path::new("m"), &files);
    assert_eq!(lexed.diagnostics.error_count(), 2);
    let message = |at: usize| lexed.diagnostics.all()[at].to_string();
    assert!(message(0).starts_with("m:1:1 Unable to open included file no: "), "{}", message(0));
    assert!(message(1).starts_with("m:2:1 Unable to match pattern no/*: "), "{}", message(1));
    assert_eq!(texts(&lexed), ["ok", ""]);
}

#[test]
fn includes_nest_eight_deep() {
    let chain = |files: MemoryFiles, level: usize| {
        files.with(&format!("m{level}"), format!("x\ninclude \"m{}\";", level + 1))
    };
    let files = (0..12).fold(MemoryFiles::default(), chain);
    let lexed = lex_file(Path::new("m0"), &files);
    assert_eq!(lexed.tokens.len(), 9 + 1);
    let all: Vec<String> = lexed.diagnostics.all().iter().map(ToString::to_string).collect();
    assert_eq!(all, ["m8:2:1 Max include depth (8) reached"]);
}

#[test]
fn a_file_that_includes_itself_is_named_and_read_once() {
    let files = MemoryFiles::default()
        .with("a", "x\ninclude \"b\";\ninclude \"b\";")
        .with("b", "y\ninclude \"*\";");
    let lexed = lex_file(Path::new("a"), &files);
    assert_eq!(texts(&lexed), ["x", "y", "y", ""]);
    let all = lexed.diagnostics.all();
    assert_eq!(all.len(), 4, "each of the two reads of b asks for both: {all:?}");
    assert_eq!(all[0].to_string(), "b:2:1 Max include depth (8) reached");
    assert_eq!(all[0].hint.as_deref(), Some("a includes itself"));
}

#[test]
fn few_files_cannot_ask_for_any_number() {
    let files = (0..8).fold(MemoryFiles::default(), |files, level| {
        let include = format!("include \"m{}\";\n", level + 1);
        files.with(&format!("m{level}"), include.repeat(30))
    });
    let lexed = lex_file(Path::new("m0"), &files.with("m8", "x"));
    let all: Vec<String> = lexed.diagnostics.all().iter().map(ToString::to_string).collect();
    assert!(matches!(&all[..], [one] if one.ends_with("Too many included files")), "{all:?}");
}

#[test]
fn strange_characters_in_a_row_are_one_error_with_advice() {
    for (text, place, advice) in [
        ("$$$$ @", "f:1:1", None),
        ("\u{feff}a", "f:1:1", Some("byte order mark")),
        ("x = \u{201c}a\u{201d}", "f:1:5", Some("straight quotes")),
        ("a\u{a0}= 1", "f:1:2", Some("looks like a blank")),
        ("a\0\0\0", "f:1:2", Some("is this a text file?")),
        ("z\u{fc}rich", "f:1:2", Some("plain letters only")),
        ("a \u{2013} b", "f:1:3", Some("a dash")),
    ] {
        let lexed = lex_text("f", text);
        let first = &lexed.diagnostics.all()[0];
        assert_eq!(first.to_string(), format!("{place} Unknown character"), "{text}");
        let hint = first.hint.as_deref().unwrap_or("");
        assert!(advice.map_or(hint.is_empty(), |advice| hint.contains(advice)), "{text}: {hint}");
    }
    assert_eq!(lex_text("f", "$$$$ @").diagnostics.error_count(), 2);
}

#[test]
fn long_literals_are_cut_in_messages() {
    let message = first_error(&"1:".repeat(100_000));
    assert!(message.len() < 150 && message.ends_with("..."), "{message}");
}
