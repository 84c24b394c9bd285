//! Configurations that no person wrote: none makes the daemon panic, hang or take all memory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure is what a test is for")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use common::{DUNLIN, Place};

/// Far more seconds than any of them needs, on a machine that does other things too.
const PATIENCE: &str = "120";

/// The exit code of `-p`, and the first line of what it says.
fn check(file: &Path) -> (i32, String) {
    let mut command = Command::new("timeout");
    let done = command.args([PATIENCE, DUNLIN, "-p", "-c"]).arg(file).output().unwrap();
    let text = String::from_utf8_lossy(&done.stderr).into_owned();
    let code = done.status.code().unwrap_or(-1);
    assert_ne!(code, 124, "{} hangs", file.display());
    (code, text.lines().next().unwrap_or("").to_owned())
}

/// Checks a text, which has to be refused with a message that has this in it, or accepted if it is empty.
fn expect(place: &Place, what: &str, text: impl AsRef<[u8]>, wanted: &str) {
    let file = place.path("hostile.conf");
    fs::write(&file, text).unwrap();
    let (code, first) = check(&file);
    assert_eq!(code, i32::from(!wanted.is_empty()), "{what}: {first}");
    assert!(first.contains(wanted), "{what}: {first}");
}

const DEVICE: &str = "protocol device { }\n";
const MANY: usize = 100_000;

#[test]
fn however_deep_it_nests() {
    let place = Place::new("deep");
    let deep = "Nesting deeper than 200 levels";
    let filter = |open: &str, end: &str| {
        format!("{DEVICE}filter f {{ {} accept; {} }}\n", open.repeat(MANY), end.repeat(MANY))
    };
    for (what, text, wanted) in [
        ("parentheses", format!("eval {}1{};", "(".repeat(MANY), ")".repeat(MANY)), deep),
        ("open parentheses", format!("eval {}", "(".repeat(MANY)), deep),
        ("negations", format!("eval {}true;", "!".repeat(MANY)), deep),
        ("calls", format!("eval {}1{};", "defined(".repeat(MANY), ")".repeat(MANY)), deep),
        ("pairs", format!("eval {}1;", "(1,".repeat(MANY)), deep),
        ("sets", format!("define x = {};", "[".repeat(MANY)), "unexpected '['"),
        ("blocks", filter("{", "}"), deep),
        ("conditions", filter("if true then ", ""), deep),
        ("cases", filter("case 1 { 1: ", "}"), deep),
        ("loops", filter("for int i in bgp_path do ", ""), deep),
        ("channels", format!("protocol static {{ {}", "ipv4 {".repeat(MANY)), "unexpected IPV4"),
        ("areas", format!("protocol ospf {{ {}", "area 0 {".repeat(MANY)), "unexpected AREA"),
        ("else ifs", filter("if net.len = 1 then accept; else ", ""), ""),
        (
            "methods",
            format!(
                "{DEVICE}filter f {{ if bgp_path{}.len > 1 then accept; }}",
                ".prepend(1)".repeat(MANY)
            ),
            "",
        ),
        (
            "sums",
            format!("{DEVICE}filter f {{ if net.len{} > 1 then accept; }}", " + 1".repeat(MANY)),
            "",
        ),
        (
            "conjunctions",
            format!(
                "{DEVICE}filter f {{ if true{} then accept; }}",
                " && net.len > 1".repeat(MANY)
            ),
            "",
        ),
    ] {
        expect(&place, what, text, wanted);
    }
}

#[test]
fn however_deep_functions_call_each_other() {
    let place = Place::new("calls");
    let chain = |first: &str, body: &dyn Fn(usize) -> String, count: usize| {
        let rest: String = (1..count)
            .map(|n| format!("function f{n}() -> int {{ return {}; }}\n", body(n - 1)))
            .collect();
        format!("{DEVICE}function f0() -> int {{ return {first}; }}\n{rest}")
    };
    let deep = "Function calls nest deeper than 2000 levels in 'f2000'";
    expect(&place, "a chain", chain("net.len", &|n| format!("f{n}()"), MANY), deep);
    expect(&place, "a short chain", chain("net.len", &|n| format!("f{n}()"), 1990), "");
    let doubling: String = (1..100)
        .map(|n| {
            format!("function f{n}(bgppath p) -> int {{ return f{0}(p) + f{0}(p); }}\n", n - 1)
        })
        .collect();
    let first = "function f0(bgppath p) -> int { for int a in p do return a; return 0; }\n";
    let doubling = format!("{DEVICE}{first}{doubling}");
    let text = format!("{doubling}define x = f99(prepend(+empty+, 1));");
    expect(&place, "2^99 calls", text, "Runtime error");
    let text = format!("{doubling}filter g {{ if f99(bgp_path) > 1 then accept; reject; }}");
    expect(&place, "a filter of them", text, "");
    let endless = "function f(int a) -> int { return f(a + 1) + f(a + 2); }\ndefine x = f(1);";
    expect(&place, "recursion", format!("{DEVICE}{endless}"), "Runtime error");
    let path = format!("{}+empty+{}", "prepend(".repeat(120), ",1)".repeat(120));
    let loops = "for int a in p do for int b in p do for int c in p do for int d in p do";
    let text = format!(
        "{DEVICE}function f(bgppath p) -> int {{ int n = 0; {loops} n = n + 1; return n; }}\n"
    );
    expect(&place, "loops", format!("{text}define x = f({path});"), "Runtime error");
    let again: String = (0..2000).map(|n| format!("define x{n} = f({path});\n")).collect();
    expect(&place, "loops again and again", format!("{text}{again}"), "Runtime error");
    let text = format!(
        "{DEVICE}function f(bgppath p) -> int {{ string t = \"x\"; for int a in p do t = t ++ t; return 1; }}\n"
    );
    expect(
        &place,
        "a string that doubles",
        format!("{text}define x = f({path});"),
        "Runtime error",
    );
    let twice: String =
        (1..60).map(|n| format!("define s{n} = s{} ++ s{};\n", n - 1, n - 1)).collect();
    expect(
        &place,
        "constants that double",
        format!("{DEVICE}define s0 = \"text\";\n{twice}"),
        "Too much memory",
    );
}

#[test]
fn however_long_it_is() {
    let place = Place::new("long");
    let huge = 1_000_000;
    let numbers =
        |from: usize| (from..from + 200_000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    for (what, text, wanted) in [
        ("a number", format!("eval {};", "9".repeat(19)), "Number out of range"),
        ("digits, which are bytes", format!("{DEVICE}eval {};", "9".repeat(huge)), ""),
        ("a string", format!("define x = \"{}\";", "a".repeat(huge)), "String too long"),
        ("a name", format!("define {} = 1;", "z".repeat(huge)), "Symbol too long"),
        ("an address", format!("eval {};", ":".repeat(huge)), "Invalid IPv6 address"),
        ("an address of numbers", format!("eval {};", "1:".repeat(huge)), "Invalid IPv6 address"),
        ("bytes", format!("{DEVICE}define x = hex:{};", "ab".repeat(huge)), ""),
        ("a set", format!("{DEVICE}define x = [ {} ];", numbers(0)), ""),
        (
            "a wrong set",
            format!("define x = [ {}, wrong ];", numbers(0)),
            "unexpected CF_SYM_UNDEFINED",
        ),
        (
            "labels",
            format!("{DEVICE}filter f {{ case net.len {{ {}: accept; }} }}", numbers(0)),
            "",
        ),
        ("a mask", format!("{DEVICE}eval +empty+ ~ [= {} =];", "* ".repeat(10_000)), ""),
        ("semicolons", format!("{}{DEVICE}", ";".repeat(huge)), ""),
        ("quotes", "\"".repeat(huge), "unexpected TEXT"),
        ("comments", "/*".repeat(huge), "unexpected '*'"),
        ("braces", "}".repeat(huge), "unexpected '}'"),
        ("dollars", "$ ".repeat(huge), "Unknown character"),
        (
            "unknown names",
            (0..20_000).map(|n| format!("define x{n} = y{n};\n")).collect(),
            "unexpected CF_SYM_UNDEFINED",
        ),
        (
            "templates",
            (1..5000)
                .map(|n| {
                    format!(
                        "template bgp t{n} {} {{ }}\n",
                        if n > 1 { format!("from t{}", n - 1) } else { String::new() }
                    )
                })
                .collect::<String>()
                + DEVICE,
            "",
        ),
    ] {
        expect(&place, what, text, wanted);
    }
}

#[test]
fn whatever_bytes_are_in_it() {
    let place = Place::new("bytes");
    let noise: Vec<u8> =
        (0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let program = fs::read("/proc/self/exe").unwrap();
    for (what, text, wanted) in [
        ("nothing", &b""[..], ":1:1 No protocol is specified"),
        ("noise", &noise, ".conf:"),
        ("a program", &program[..program.len().min(1_000_000)], ":1:1 Unknown character"),
        ("zeros", &[0; 100_000], ":1:1 Unknown character"),
        ("a zero between", b"protocol\0device { }", ":1:9 Unknown character"),
        ("a zero in a string", b"protocol device { description \"a\0b\"; }", ""),
        ("a byte order mark", b"\xef\xbb\xbfprotocol device { }", ":1:1 Unknown character"),
        ("Latin 1", b"protocol device { description \"Z\xfcrich\"; }", ""),
        ("Latin 1 outside", b"protocol device { }\n eval \xfc;", ":2:7 syntax error"),
        ("UTF-8", "protocol device { description \"Zürich → Genève\"; }".as_bytes(), ""),
        ("ends of lines as elsewhere", b"protocol device { }\r\neval 1;\r\n# end\r\n", ""),
        ("an error behind such", b"protocol device { }\r\neval x;\r\n", ":2:6 syntax error"),
        ("no end of the last line", b"protocol device { }", ""),
        ("a comment without one", b"protocol device { } # end", ""),
        ("a string without end", b"protocol device { } log \"", ":1:25 Unterminated string"),
        ("a comment without end", b"protocol device { } /* x", ":1:21 Unterminated comment"),
        ("half of a comment's end", b"protocol device { } /*/", ":1:21 Unterminated comment"),
    ] {
        expect(&place, what, text, wanted);
    }
}

#[test]
fn whatever_it_includes() {
    let place = Place::new("includes");
    let folder = place.path("");
    let file = |name: &str| folder.join(name);
    let line = |name: &str| format!("{DEVICE}include \"{name}\";\n");
    expect(
        &place,
        "itself",
        format!("{DEVICE}{}", "include \"hostile.conf\";\n".repeat(1000)),
        "Max include depth",
    );
    expect(&place, "itself by a pattern", line("host*.conf"), "Max include depth");
    fs::write(file("ping.inc"), "include \"pong.inc\";\n".repeat(100)).unwrap();
    fs::write(file("pong.inc"), "include \"ping.inc\";\n".repeat(100)).unwrap();
    expect(&place, "two in turn", line("ping.inc"), "Max include depth");
    for level in 0..8 {
        let next = format!("include \"level{}.inc\";\n", level + 1);
        fs::write(file(&format!("level{level}.inc")), next.repeat(50)).unwrap();
    }
    fs::write(file("level8.inc"), "# end\n").unwrap();
    expect(&place, "50^7 files", line("level1.inc"), "Too many included files");
    fs::create_dir(file("folder")).unwrap();
    expect(&place, "a directory", line("folder"), "Unable to open included file");
    expect(&place, "a pattern that fits directories", line("fol*"), "");
    expect(&place, "a device without end", line("/dev/zero"), "not a regular file");
    expect(&place, "what is missing", line("missing"), "No such file");
    let status = Command::new("mkfifo").arg(file("pipe")).status().unwrap();
    assert!(status.success());
    expect(&place, "a pipe that nobody writes to", line("pipe"), "not a regular file");
    expect(&place, "such a pipe by a pattern", line("pip*"), "not a regular file");
    let (code, first) = check(&file("pipe"));
    assert!(code == 1 && first.contains("not a regular file"), "{first}");
    let (code, first) = check(&file("folder"));
    assert!(code == 1 && first.contains("Unable to open configuration file"), "{first}");
    // Who may read everything, reads it.
    fs::write(file("closed.inc"), "# nothing\n").unwrap();
    fs::set_permissions(file("closed.inc"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(file("closed.inc")).is_err() {
        expect(&place, "what may not be read", line("closed.inc"), "Permission denied");
    }
}

#[test]
fn a_pipe_that_the_shell_opened_is_read() {
    let script = format!(
        "{DUNLIN} -p -c <(echo 'protocol device {{ }}') && echo 'protocol device {{ }}' | {DUNLIN} -p -c /dev/stdin"
    );
    let done = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
