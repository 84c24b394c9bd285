use dunlin_conf::{Severity, files::MemoryFiles};

use dunlin_net::NetType;

use super::*;

/// Parses definitions and channel filters (behind `import`), as a configuration would.
pub(crate) fn parse(text: &str) -> (dunlin_conf::Outcome<Symbol>, Vec<ChannelFilter>) {
    let (outcome, filters, _) = parse_all(text);
    (outcome, filters)
}

/// The tests of a configuration, which has to be right.
pub(crate) fn parse_tests(text: &str) -> Vec<crate::PolicyTest> {
    let (outcome, _, tests) = parse_all(text);
    let errors: Vec<String> = outcome.diagnostics.errors().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{text}: {errors:?}");
    tests
}

type All = (dunlin_conf::Outcome<Symbol>, Vec<ChannelFilter>, Vec<crate::PolicyTest>);

fn parse_all(text: &str) -> All {
    parse_over(text, Symbols::default())
}

fn parse_over(text: &str, symbols: Symbols) -> All {
    let mut parser = Parser::new(lexer::lex_text("f", text), symbols);
    let tables = [("roas4", NetType::Roa4), ("roas6", NetType::Roa6), ("aspas", NetType::Aspa)];
    for (number, (name, kind)) in (0..).zip(tables.into_iter().chain([("plain", NetType::Ip4)])) {
        let span = dunlin_conf::Span::default();
        parser.define(name, span, Symbol::Table(kind, number)).unwrap();
    }
    let mut filters = Vec::new();
    let mut tests = Vec::new();
    while !parser.at_end() {
        let start = parser.place();
        if parser.eat(TokenKind::Semicolon) {
            continue;
        }
        let result = if parser.eat_word("define") {
            parse_define(&mut parser)
        } else if parser.eat_word("function") {
            parse_function_definition(&mut parser)
        } else if parser.eat_word("filter") {
            parse_filter_definition(&mut parser)
        } else if parser.eat_word("attribute") {
            parse_attribute_definition(&mut parser)
        } else if parser.eat_word("import") {
            parse_channel_filter(&mut parser).map(|filter| filters.push(filter))
        } else if parser.at_word("bt_test_suite") || parser.at_word("bt_test_same") {
            parse_policy_test(&mut parser).map(|test| tests.push(test))
        } else {
            Err(parser.unexpected(&[]))
        };
        if result.is_err() {
            parser.recover_top_level(start);
        }
    }
    (parser.finish(), filters, tests)
}

pub(super) fn messages(text: &str, severity: Severity) -> Vec<String> {
    let (outcome, _) = parse(text);
    let all = outcome.diagnostics.all().iter();
    all.filter(|d| d.severity == severity).map(ToString::to_string).collect()
}

pub(super) fn eval(text: &str) -> String {
    evaluate(text, Arc::default(), None).unwrap_or_else(|error| format!("error: {error}"))
}

#[test]
fn expressions_have_these_values() {
    for (text, expected) in [
        ("1+2*3", "7"),
        ("5-6", "4294967295"),
        ("0x10", "16"),
        ("7/2", "3"),
        ("6 & 3 | 8", "10"),
        ("1 = 1", "TRUE"),
        ("1 = true", "FALSE"),
        ("true || true && false", "FALSE"),
        ("false && true || true", "TRUE"),
        ("!(1 ~ [1])", "FALSE"),
        ("(1,2)", "(1,2)"),
        ("(1+1, 2)", "(2,2)"),
        ("((1,2))", "(1,2)"),
        ("(1,2).asn", "1"),
        ("(1,2).data", "2"),
        ("(1,2,3)", "(1, 2, 3)"),
        ("(1,2,3).data1", "2"),
        ("(rt,1,2)", "(rt, 1, 2)"),
        ("(ro, 1.2.3.4, 5)", "(ro, 1.2.3.4, 5)"),
        ("(unknown 0x5,1,2)", "(unknown 0x5, 1, 2)"),
        ("RTS_BGP", "(enum 30)11"),
        ("ROA_VALID < ROA_INVALID", "TRUE"),
        ("ipt_main", "254"),
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4.is_v4", "TRUE"),
        ("1.2.3.4.mask(16)", "1.2.0.0"),
        ("2001:db8::1.mask(32)", "2001:db8::"),
        ("1.2.3.4 ~ 1.2.0.0/16", "TRUE"),
        ("1.2.3.4 < 1.2.3.5", "TRUE"),
        ("1.2.3.4 ~ [1.2.3.0..1.2.3.9]", "TRUE"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.0/8 .len", "8"),
        ("10.0.0.0/8 .ip", "10.0.0.0"),
        ("10.0.0.0/8 .type = NET_IP4", "TRUE"),
        ("10.1.0.0/16 ~ 10.0.0.0/8", "TRUE"),
        ("10.0.0.0/16 ~ [10.0.0.0/8+]", "TRUE"),
        ("10.0.0.0/16 ~ [10.0.0.0/8{9,15}]", "FALSE"),
        ("0.0.0.0/0 ~ [10.0.0.0/8-]", "TRUE"),
        ("::/0 ~ [0.0.0.0/0]", "FALSE"),
        ("[10.0.0.0/8{16,24}]", "[10.0.0.0/8{0.1.255.0}]"),
        ("\"abc\"", "abc"),
        ("\"a\" ++ \"b\"", "ab"),
        ("\"abc\" ~ \"a*\"", "TRUE"),
        ("\"x\".append(\"y\")", "xy"),
        ("append(\"x\", \"y\")", "xy"),
        ("hex:0102", "01:02"),
        ("from_hex(\"aabb\") ++ hex:cc", "aa:bb:cc"),
        ("65000:1", "65000:1"),
        ("aa:bb:cc:dd:ee:ff", "aa:bb:cc:dd:ee:ff"),
        ("format((1,2))", "(1,2)"),
        ("defined(1)", "TRUE"),
        ("defined(+empty+)", "FALSE"),
        ("+empty+", "(path )"),
        ("prepend(prepend(+empty+,1),2)", "(path 2 1)"),
        ("+empty+ .prepend(1).prepend(2).first", "2"),
        ("+empty+ .first", "0"),
        ("delete(prepend(prepend(+empty+,1),2),[1])", "(path 2)"),
        ("filter(prepend(prepend(+empty+,1),2),[1])", "(path 1)"),
        ("prepend(+empty+,5).delete(5).len", "0"),
        ("5 ~ prepend(+empty+,5)", "TRUE"),
        ("prepend(prepend(+empty+,1),2) ~ [= 2 * =]", "TRUE"),
        ("[= 1 2 * [1,2] =]", "[= 1 2 * [1, 2] =]"),
        ("(-empty-)", "(clist )"),
        ("add((-empty-), 1.2.3.4)", "(clist (258,772))"),
        ("add(add(-empty-,(1,2)),(3,4)).len", "2"),
        ("add(add(-empty-,(1,2)),(1,2)).len", "1"),
        ("add(-empty-,(3,4)).add((1,2)).min", "(1,2)"),
        ("add(---empty---,(1,2,3))", "(lclist (1, 2, 3))"),
        ("(1,2) ~ add(-empty-,(1,2))", "TRUE"),
        ("add(-empty-,(1,2)) ~ [(1,*)]", "TRUE"),
        ("delete(add(-empty-,(1,2)), [(*,2)])", "(clist )"),
        ("(rt, 1, 2) ~ [(rt,1,*)]", "TRUE"),
        ("(1,5,9) ~ [(1, 5..6, *)]", "TRUE"),
        ("[1,2,5..9,7..12]", "[1, 2, 5..12]"),
        ("[(1,*),(2..4,5)]", "[(1,0)..(1,65535), (2,5), (3,5), (4,5)]"),
        ("[(1,2)..(3,4)]", "[(1,2)..(3,4)]"),
        ("[(rt,2,3..5)]", "[(rt, 2, 3)..(rt, 2, 5)]"),
        ("[((1+1),3), (1,(1+1))]", "[(1,2), (2,3)]"),
        ("[(1+1)]", "[2]"),
        ("[RTS_BGP, RTS_STATIC]", "[(enum 30)1, (enum 30)11]"),
        ("[]", "[]"),
        ("1 ~ []", "FALSE"),
        ("[1..2] = [1..2]", "TRUE"),
        ("[1] = [2]", "FALSE"),
    ] {
        assert_eq!(eval(text), expected, "{text}");
    }
}

#[test]
fn networks_have_these_values() {
    for (text, expected) in [
        ("10.0.0.0/8 max 24 as 5", "10.0.0.0/8-24 AS5"),
        ("(10.0.0.0/8 max 24 as 5).maxlen", "24"),
        ("(::/0 max 24 as 5).type = NET_ROA6", "TRUE"),
        ("(10.0.0.0/8 max 24 as 5).asn + 1", "6"),
        ("65000:1 10.0.0.0/8", "65000:1 10.0.0.0/8"),
        ("65000:1 10.0.0.0/8 .rd", "65000:1"),
        ("65000:1 10.0.0.0/8 .len", "8"),
        ("::/0 from 10::/16", "::/0 from 10::/16"),
        ("(::/0 from 10::/16).src", "10::/16"),
        ("(::/0 from 10::/16).dst = ::/0", "TRUE"),
        ("mpls 5", "5"),
        ("(mpls 5).type = NET_MPLS", "TRUE"),
        ("(aspa 65000).asn", "65000"),
        ("(eth aa:bb:cc:dd:ee:ff vlan 7).vlan_id", "7"),
        ("(eth aa:bb:cc:dd:ee:ff).mac", "aa:bb:cc:dd:ee:ff"),
        ("(neighbor 10.0.0.1 % 3).ip", "10.0.0.1"),
        ("65000:1 10.0.0.0/8 = 10.0.0.0/8", "FALSE"),
        ("65000:2 10.1.0.0/16 ~ 65000:1 10.0.0.0/8", "TRUE"),
        ("10.1.0.0/16 ~ 65000:1 10.0.0.0/8", "FALSE"),
        ("10.0.0.0/8 max 24 as 5 ~ [10.0.0.0/8]", "TRUE"),
        ("::/0 from 10::/16 ~ [::/0]", "FALSE"),
        ("1.2.3.4 ~ 1.0.0.0/8 max 24 as 5", "TRUE"),
        ("10.0.0.0/8 max 24 as 5 < 10.0.0.0/8 max 25 as 5", "TRUE"),
        ("10.0.0.0/8 < 10.0.0.0/8 max 24 as 5", "TRUE"),
        ("::/0 < 10.0.0.0/8 max 24 as 5", "TRUE"),
        ("65000:1 10.0.0.0/8 < 65000:2 9.0.0.0/8", "TRUE"),
    ] {
        assert_eq!(eval(text), expected, "{text}");
    }
}

#[test]
fn errors_are_where_bird_reports_them() {
    for (text, expected) in [
        (
            "function f() { int i; i = true; }",
            "f:1:31 Argument 1 of VAR_SET must be of type int, got type bool",
        ),
        (
            "function f() { int i = true; }",
            "f:1:28 Argument 1 of VAR_INIT must be of type int, got type bool",
        ),
        (
            "filter f { if 1 then accept; reject; }",
            "f:1:30 Argument 1 of CONDITION must be of type bool, got type int",
        ),
        (
            "filter f { if 1 then accept; else reject; }",
            "f:1:41 Argument 1 of CONDITION must be of type bool, got type int",
        ),
        ("filter f { case 1 { true: accept; } }", "f:1:21 syntax error, unexpected TRUE"),
        (
            "filter f { preference = true; }",
            "f:1:29 Argument 1 of RTA_SET must be of type int, got type bool",
        ),
        ("filter f { net = 10.0.0.0/8; }", "f:1:28 This static attribute is read-only."),
        (
            "filter f { bgp_path = 1; }",
            "f:1:24 Argument 1 of EA_SET must be of type bgppath, got type int",
        ),
        (
            "filter f { bgp_path.prepend(true); accept; }",
            "f:1:33 Argument 2 of PATH_PREPEND must be of type int, got type bool",
        ),
        ("filter f { foo = 1; }", "f:1:12 syntax error, unexpected CF_SYM_UNDEFINED"),
        ("function f() { return; }", "f:1:22 syntax error, unexpected ';'"),
        ("filter f { int i; int i; }", "f:1:23 Symbol 'i' already defined"),
        ("define a = 1; define a = 2;", "f:1:22 Symbol 'a' already defined"),
        ("define a = net;", "f:1:12 Runtime error"),
        (
            "define a = 1/0;",
            "f:1:15 filter preevaluation, line 1: Mother told me not to divide by 0",
        ),
        (
            "function f(int a) { return a; } filter g { if f(1,2) = 1 then accept; reject; }",
            "f:1:52 Function 'f' expects 1 arguments, got 2 arguments",
        ),
        (
            "function f(int a) { return a; } filter g { if f(true) = 1 then accept; reject; }",
            "f:1:53 Argument 1 of 'f' must be int, got bool",
        ),
        ("filter f { accept }", "f:1:19 syntax error, unexpected '}'"),
        ("filter f { if true accept; }", "f:1:20 syntax error, unexpected ACCEPT"),
        ("filter f { unset(net); accept; }", "f:1:18 syntax error, unexpected NET"),
        (
            "define X = 5; filter f { case 1 { X: accept; } }",
            "f:1:35 syntax error, unexpected CF_SYM_KNOWN",
        ),
        (
            "filter f { if net.foo then accept; }",
            "f:1:19 syntax error, unexpected CF_SYM_UNDEFINED",
        ),
        (
            "filter f { if roa_check(t, net, 1) = ROA_VALID then accept; }",
            "f:1:25 syntax error, unexpected CF_SYM_UNDEFINED, expecting CF_SYM_KNOWN",
        ),
        (
            "filter f { case 1 { 1: accept; 1: reject; } }",
            "f:1:43 Labels of different arms overlap in case",
        ),
        ("import where 1;", "f:1:15 Argument 1 of CONDITION must be of type bool, got type int"),
        (
            "import nothing;",
            "f:1:8 syntax error, unexpected CF_SYM_UNDEFINED, expecting ALL or NONE or FILTER or WHERE",
        ),
    ] {
        let found = messages(text, Severity::Error);
        assert_eq!(found.first().map(String::as_str), Some(expected), "{text}");
    }
}

#[test]
fn checks_and_suites_are_typed() {
    for (text, expected) in [
        (
            "import where roa_check(roas4, 1.2.3.4, 5) = ROA_VALID;",
            "f:1:41 Argument 1 of ROA_CHECK_EXPLICIT must be of type prefix, got type ip",
        ),
        (
            "import where roa_check(roas4, net, true) = ROA_VALID;",
            "f:1:40 Argument 2 of ROA_CHECK_EXPLICIT must be of type int, got type bool",
        ),
        (
            "import where aspa_check(aspas, bgp_path, 1) = ASPA_VALID;",
            "f:1:43 Argument 2 of ASPA_CHECK_EXPLICIT must be of type bool, got type int",
        ),
        (
            "import where roa_check(roas4, net) = ROA_VALID;",
            "f:1:34 syntax error, unexpected ')', expecting ','",
        ),
        (
            "import where roa_check(x);",
            "f:1:24 syntax error, unexpected CF_SYM_UNDEFINED, expecting CF_SYM_KNOWN",
        ),
        (
            "function f(int a) { return a; } bt_test_suite(f, \"t\");",
            "f:1:47 Function 'f' of a test suite takes arguments",
        ),
        ("filter f { accept; } bt_test_suite(f, \"t\");", "f:1:36 Function expected"),
        (
            "function f() { bt_assert(1); }",
            "f:1:30 Argument 1 of ASSERT must be of type bool, got type int",
        ),
        (
            "function f() { int a; bt_check_assign(a, true); }",
            "f:1:49 Argument 1 of VAR_SET must be of type int, got type bool",
        ),
    ] {
        let found = messages(text, Severity::Error);
        assert_eq!(found.first().map(String::as_str), Some(expected), "{text}");
    }
}

#[test]
fn all_errors_of_a_file_are_found() {
    let text = "define a = ;\nfilter f {\n  foo = 1;\n  if x then { bar; }\n  accept;\n}\n\
                filter g { accept }\ndefine b = c + a;\nimport filter f;";
    assert_eq!(
        messages(text, Severity::Error),
        [
            "f:1:12 syntax error, unexpected ';'",
            "f:3:3 syntax error, unexpected CF_SYM_UNDEFINED",
            "f:4:6 syntax error, unexpected CF_SYM_UNDEFINED",
            "f:7:19 syntax error, unexpected '}'",
            "f:8:12 syntax error, unexpected CF_SYM_UNDEFINED",
        ]
    );
}

#[test]
fn traps_get_warnings() {
    for (text, expected) in [
        (
            "function f() { return true; }",
            "f:1:27: Inferring function f return type from its return value: bool",
        ),
        ("filter f { int table; accept; }", "f:1:16: Symbol 'table' overrides existing keyword"),
        ("import where true || true && false;", "f:1:27: && after || without parentheses"),
        ("import where net ~ [1];", "f:1:14: ~ applied on prefix and int set"),
        ("define a = [5..1];", "f:1:16: The range is empty"),
        (
            "import where roa_check(plain) = ROA_VALID;",
            "f:1:24: The table is of type ipv4, not ROA",
        ),
        (
            "import where aspa_check_upstream(roas4) = ASPA_VALID;",
            "f:1:34: The table is of type roa4, not ASPA",
        ),
    ] {
        let (outcome, _) = parse(text);
        assert!(!outcome.diagnostics.has_errors(), "{text}: {:?}", outcome.diagnostics.all());
        assert_eq!(messages(text, Severity::Warning), [expected], "{text}");
    }
}

#[test]
fn advice_names_what_was_probably_meant() {
    for (text, expected) in [
        ("import where bgp_comunity.len = 1;", "did you mean `bgp_community`?"),
        ("import where source = RTS_STATIK;", "did you mean `RTS_STATIC`?"),
        ("import where dest = RTD_ROUTER;", "it is RTD_UNICAST now"),
        ("import where scope = 1;", "BIRD 3 has no attribute of this name"),
        ("import where bgp_path.lenn = 1;", "bgppath has no method `lenn`; did you mean `len`?"),
        ("import where net.frobnicate = 1;", "prefix has these methods: type, len, ip"),
        ("import where bgp_med == 1;", "values are compared with one `=`"),
        ("define BOGONS = [10.0.0.0/8]; import where net ~ BOGON;", "did you mean `BOGONS`?"),
        ("import where ! net ~ [10.0.0.0/8];", "write `!~`, `!=` or put"),
        ("import where defned(bgp_med);", "did you mean `defined`?"),
    ] {
        let (outcome, _) = parse(text);
        let error = outcome.diagnostics.errors().next().unwrap();
        let hint = error.hint.as_deref().unwrap_or("");
        assert!(hint.contains(expected), "{text}: {error}: {hint}");
    }
}

#[test]
fn these_are_accepted() {
    for text in [
        "filter f int i; { i = 1; accept; }",
        "import where roa_check(roas4, net, bgp_path.last) != ROA_INVALID;",
        "import where roa_check(roas6) = ROA_VALID && aspa_check(aspas, bgp_path, true) != ASPA_INVALID;",
        "filter f { case roa_check(roas4) { ROA_VALID: print 1; accept; ROA_UNKNOWN: accept; } reject; }",
        "import where aspa_check_downstream(aspas) = ASPA_VALID;",
        "function f(int a; bool b) int c; { c = a; return c; }",
        "function f(prefix set s; int set t) -> bool { return net ~ s; }",
        "filter f { bgp_community.empty; bgp_community = -empty-; bgp_path.empty; accept; }",
        "filter f { krt_prefsrc = 1.2.3.4; ospf_metric1 = 5; accept; }",
        "filter f { for int i in bgp_path do print i; accept; }",
        "filter f { case bgp_origin { ORIGIN_IGP: accept; else: reject; } }",
        "define X = 5; filter f { case 1 { (X): accept; (X+1)..(7): accept; } reject; }",
        "filter f { int x = 5; if bgp_path ~ [= * x (1+1) 3..5 =] then accept; reject; }",
        "function f(int v) { bgp_large_community.delete([(1, 1, v), (1, 2, *)]); return true; }",
        "function f(int a) -> int { if a = 0 then return 0; return f(a - 1); }",
        "attribute int mine; filter f { mine = 5; if defined(mine) then unset(mine); accept; }",
        "attribute bgp 200 bytestring raw; filter f { raw = hex:01; accept; }",
        "function f() { accept; } filter g { f(); }",
        "filter f { { int i; } { int i; } accept; }",
        "filter f { if (bgp_path.len > 5) then { reject \"long\", bgp_path; } accept; }",
        "import filter { accept; };",
        "filter 'a-b' { accept; } import filter 'a-b';",
        "filter f { bgp_originator_id = 1.2.3.4; case bgp_originator_id { 1.2.3.4: accept; } }",
        "function f() { if bgp_path.len > 1 then reject; } import where f();",
    ] {
        let found = messages(text, Severity::Error);
        assert!(found.is_empty(), "{text}: {found:?}");
    }
}

#[test]
fn equal_programs_are_equal_whatever_their_names_and_layout() {
    let same = [
        ("define N = 5; import where bgp_local_pref = N;", "import where bgp_local_pref = 2 + 3;"),
        ("filter a { accept; } import filter a;", "filter b {\n accept; }\nimport filter b;"),
        (
            "function f() -> bool { return net.len > 24; } import where f();",
            "function g() -> bool { return net.len > (12 * 2); } import where g();",
        ),
        (
            "import where net ~ [10.0.0.0/8+, 11.0.0.0/8];",
            "import where net ~ [11.0.0.0/8, 10.0.0.0/8+];",
        ),
        (
            "import filter { if net.len > 24 then reject; else accept; };",
            "import filter { { if net.len > 24 then { reject; } else { { accept; } } } };",
        ),
    ];
    for (one, other) in same {
        let (one, other) = (parse(one).1.remove(0), parse(other).1.remove(0));
        assert_eq!(one, other);
        assert_eq!(one.fingerprint(), other.fingerprint());
    }
    let different = [
        ("import where bgp_med = 1;", "import where bgp_med = 2;"),
        ("import where net ~ [10.0.0.0/8+];", "import where net ~ [10.0.0.0/8];"),
        ("import filter { accept; };", "import filter { reject; };"),
    ];
    for (one, other) in different {
        let (one, other) = (parse(one).1.remove(0), parse(other).1.remove(0));
        assert_ne!(one, other);
        assert_ne!(one.fingerprint(), other.fingerprint());
    }
}

#[test]
fn programs_know_what_they_read() {
    let filter = |text: &str| parse(text).1.remove(0);
    assert!(filter("import where net.len > 24;").reads_prefix());
    assert!(!filter("import where bgp_path.len > 24;").reads_prefix());
    assert!(filter("import where proto = \"x\";").reads_source());
    assert!(filter("import where gw = 1.2.3.4;").reads_next_hop());
    assert!(filter("function f() -> int { return net.len; } import where f() > 1;").reads_prefix());
    assert!(filter("import where roa_check(roas4) = ROA_VALID;").reads_prefix());
    assert!(filter("import where roa_check(roas4) = ROA_VALID;").reads_snapshot());
    assert!(!filter("import where net.len = 4;").reads_snapshot());
    let called =
        "function f() -> enum roa { return roa_check(roas4); } import where f() = ROA_VALID;";
    for text in ["import where roa_check(roas4) = ROA_VALID;", called] {
        assert!(filter(text).asks("roas4") && !filter(text).asks("roas6"));
    }
    assert!(filter("import where aspa_check_upstream(aspas) != ASPA_INVALID;").asks("aspas"));
    assert!(filter("import where true;").is_accept_all());
    assert!(!filter("import filter { if false then reject; accept; };").reads_prefix());
    assert!(filter("import filter { accept; };").is_accept_all());
    assert!(filter("import filter { reject; };").is_reject_all());
    assert!(!filter("import filter { print 1; accept; };").is_accept_all());
}

#[test]
fn eval_sees_the_configuration() {
    let (outcome, _) = parse("define A = 5; function f(int x) -> int { return x * A; }");
    let symbols = Arc::new(outcome.symbols);
    assert_eq!(evaluate("f(A) + 1", symbols.clone(), None), Ok("26".to_owned()));
    assert_eq!(
        evaluate("f(1, 2)", symbols, None).unwrap_err(),
        "Function 'f' expects 1 arguments, got 2 arguments"
    );
}

#[test]
fn options_take_constants_of_this_crate() {
    let text = "define N = 7; N (N + 1) 10.0.0.0/8";
    let files = MemoryFiles::default().with("m", text);
    let lexed = lexer::lex_file(std::path::Path::new("m"), &files);
    let mut parser = Parser::new(lexed, Symbols::default());
    parser.expect_word("define").unwrap();
    parse_define(&mut parser).unwrap();
    assert_eq!(parser.integer(), Ok(7));
    assert_eq!(parser.integer(), Ok(8));
    assert_eq!(parser.prefix().map(|p| p.to_string()), Ok("10.0.0.0/8".to_owned()));
}

#[test]
fn deep_nesting_is_an_error_and_long_chains_are_not() {
    let deep = format!("import where {}true{};", "(".repeat(5000), ")".repeat(5000));
    assert!(messages(&deep, Severity::Error)[0].contains("Nesting deeper"));
    let nots = format!("import where {}true;", "!".repeat(5000));
    assert!(messages(&nots, Severity::Error)[0].contains("Nesting deeper"));
    let blocks = format!("filter f {} accept; {}", "{".repeat(5000), "}".repeat(5000));
    assert!(messages(&blocks, Severity::Error)[0].contains("Nesting deeper"));
    let chain = format!("import where {}true;", "bgp_med = 1 || ".repeat(5000));
    assert_eq!(messages(&chain, Severity::Error), [""; 0]);
    let cases = "if bgp_med = 1 then accept; else ".repeat(5000);
    let chain = format!("filter f {{ {cases} reject; }}");
    assert_eq!(messages(&chain, Severity::Error), [""; 0]);
}

#[test]
fn what_is_as_before_is_known_to_be_and_what_is_not_is_not() {
    let text = |longest: u32| {
        format!(
            "define own = [ 10.0.0.0/8+, 192.0.2.0/24 ]; define limit = {longest};
             function is_own() -> bool {{ return net ~ own; }}
             function is_short() -> bool {{ return bgp_path.len < limit; }}
             filter owned {{ if is_own() then accept; reject; }}
             filter short {{ if is_short() then accept; reject; }}"
        )
    };
    let symbols = |text: &str, before| parse_over(text, before).0.symbols;
    let old = Arc::new(symbols(&text(5), Symbols::default()));
    // Lines differ, as they do behind any change.
    let same = symbols(&format!("\n{}", text(5)), Symbols::after(old.clone()));
    let changed = symbols(&text(6), Symbols::after(old.clone()));
    let filter = |symbols: &Symbols, name: &str| match &symbols.lookup(name).unwrap().value {
        Symbol::Filter(program) => program.clone(),
        other => panic!("{other:?}"),
    };
    let set = |symbols: &Symbols| match &symbols.lookup("own").unwrap().value {
        Symbol::Constant(Constant::PrefixSet(set)) => set.clone(),
        other => panic!("{other:?}"),
    };
    for new in [&same, &changed] {
        assert!(Arc::ptr_eq(&set(&old), &set(new)));
        assert!(filter(&old, "owned").code.is_identical(&filter(new, "owned").code));
        assert!(new.before("own").is_none(), "it does not hold what was before");
    }
    assert_eq!(filter(&old, "short"), filter(&same, "short"));
    assert!(filter(&old, "short").code.is_identical(&filter(&same, "short").code));
    assert_ne!(filter(&old, "short"), filter(&changed, "short"));
    let line = |program: &Program| program.code.line(program.code.body);
    assert_eq!(line(&filter(&same, "owned")), line(&filter(&old, "owned")) + 1);
}
