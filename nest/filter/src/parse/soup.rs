//! Random words and bytes: whatever they are, parsing ends and does not panic.

use proptest::prelude::*;

use super::tests::{eval, parse};

const WORDS: &[&str] = &[
    "define",
    "filter",
    "function",
    "attribute",
    "import",
    "if",
    "then",
    "else",
    "else:",
    "case",
    "for",
    "in",
    "do",
    "return",
    "accept",
    "reject",
    "print",
    "unset",
    "where",
    "int",
    "prefix",
    "set",
    "bool",
    "pair",
    "f",
    "g",
    "x",
    "y",
    "net",
    "bgp_path",
    "bgp_community",
    "source",
    "preference",
    "RTS_BGP",
    "true",
    "false",
    "defined",
    "add",
    "delete",
    "len",
    "empty",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "[=",
    "=]",
    ",",
    ";",
    ":",
    ".",
    "..",
    "=",
    "!=",
    "<",
    "~",
    "!~",
    "&&",
    "||",
    "!",
    "+",
    "++",
    "-",
    "->",
    "*",
    "/",
    "?",
    "1",
    "65000",
    "1.2.3.4",
    "10.0.0.0/8",
    "::1",
    "2001:db8::/32",
    "\"s\"",
    "65000:1",
    "rt",
    "(1,2)",
    "[1,2]",
    "[10.0.0.0/8+]",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn of_tokens_never_panics(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..60)) {
        let _ = parse(&words.join(" "));
        let _ = parse(&format!("filter f {{ {} }}", words.join(" ")));
    }

    #[test]
    fn of_bytes_never_panics(text in "\\PC{0,80}") {
        let _ = parse(&text);
        let _ = eval(&text);
    }
}
