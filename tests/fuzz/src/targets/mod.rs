//! What is fed. Each module has good input and a function that panics if something does not hold.

pub mod again;
pub mod bgp;
pub mod command;
pub mod configuration;
pub mod filter;
pub mod lexer;
pub mod netlink;
pub mod program;
pub mod trace;
pub mod value;

/// Signs and words of filters, which configurations are made of too.
const LANGUAGE: &[&str] = &[
    "{", "}", "(", ")", "[", "]", ";", ",", ":", "=", "~", "!~", "&&", "||", "..", "*", "?", "+",
    "-", "/", " ", "1", "0", "::1", "filter", "all", "where", "if", "then", "else", "case", "for",
    "in", "do", "return", "accept", "reject", "print", "bgp_path", "net", "from", "proto", "eval",
    "unset",
];
