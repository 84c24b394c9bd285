//! The lexer, with includes: any bytes in any files.

use std::path::Path;

use dunlin_conf::lexer::{Lexed, lex_file, lex_text};
use dunlin_conf::{MemoryFiles, TokenKind, json, render};

use crate::chance::Chance;
use crate::mutate;

/// Pieces that the lexer has rules for.
const PIECES: &[&str] = &[
    "include \"b\";",
    "include \"*\";",
    "include \"a\";\n",
    "include \"d/../a\";",
    "include \"\";",
    "include \"",
    "\n",
    "\r\n",
    "\r",
    "\0",
    "\t",
    " ",
    "/*",
    "*/",
    "#",
    "//",
    "\"",
    "'",
    "\"a\"",
    "'a.b'",
    "\u{feff}",
    "\u{a0}",
    "ä",
    "\u{1f426}",
    "0",
    "0x",
    "0xff",
    "4294967296",
    "1.2.3.4",
    "1.2.3.400",
    "::",
    ":::",
    "1::2:3",
    "fe80::1%eth0",
    "::ffff:1.2.3.4",
    "65000:1",
    "1.2.3.4:5",
    "0:1:2",
    "2:70000:1",
    "aa:bb:cc:dd:ee:ff",
    "hex:",
    "hex:0a0b",
    "hex:0a:0b",
    "00:11:22:33:44:55:66:77:88:99",
    "00112233445566778899aabb",
    "else:",
    "else :",
    "[=",
    "=]",
    "[ =",
    "!~",
    "->",
    "..",
    "...",
    "&&",
    "||",
    "++",
    "<=",
    "a",
    "_",
    "a_very_long_name_that_goes_on_and_on_until_it_is_longer_than_sixty_four_letters",
    "$",
    "@",
    "\\",
    "`",
    "{",
    "}",
    "(",
    ")",
    ";",
];

/// Three files.
pub fn files(chance: &mut Chance) -> [Vec<u8>; 3] {
    core::array::from_fn(|_| {
        let pieces = chance.within(0..=40);
        let text: String = (0..pieces).map(|_| *chance.one_of(PIECES)).collect();
        if chance.per_mille(300) {
            mutate::bytes(chance, text.as_bytes())
        } else {
            text.into_bytes()
        }
    })
}

/// Any files: tokens lie one behind the other within their files, and what is wrong can be shown.
pub fn feed(files: &[Vec<u8>; 3]) {
    let [a, b, c] = files;
    let memory =
        MemoryFiles::default().with("a", a.clone()).with("b", b.clone()).with("d/c", c.clone());
    check(&lex_file(Path::new("a"), &memory));
    check(&lex_text("a", &String::from_utf8_lossy(a)));
}

fn check(lexed: &Lexed) {
    assert_eq!(lexed.tokens.last().map(|token| token.kind), Some(TokenKind::End));
    for token in &lexed.tokens {
        let file = lexed.sources.file(token.span.file).expect("its file is there");
        assert!(token.span.start <= token.span.end && token.span.end as usize <= file.text().len());
        let text = lexed.sources.text(token.span);
        assert_eq!(
            text.len(),
            (token.span.end - token.span.start) as usize,
            "a token is whole characters"
        );
    }
    for pair in lexed.tokens.windows(2) {
        let [one, two] = pair else { continue };
        let apart = one.span.file != two.span.file || two.kind == TokenKind::End;
        assert!(apart || one.span.end <= two.span.start, "tokens do not overlap");
    }
    for diagnostic in lexed.diagnostics.all() {
        assert!(diagnostic.line > 0 && diagnostic.column > 0);
        assert!(render(diagnostic, &lexed.sources).contains(&diagnostic.message));
        assert!(json::object(diagnostic).starts_with('{'));
    }
}
