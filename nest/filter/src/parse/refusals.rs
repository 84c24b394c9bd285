//! What is refused, and in which words.

use dunlin_conf::Severity;

use super::tests::{eval, messages};

#[test]
fn wrong_expressions_have_these_messages() {
    for (text, expected) in [
        ("!1", "Argument 1 of NOT must be of type bool, got type int"),
        ("1+true", "Argument 2 of ADD must be of type int, got type bool"),
        ("\"a\"+1", "Argument 1 of ADD must be of type int, got type string"),
        ("1 < true", "Arguments 1 and 2 of LT must be of the same type"),
        ("1 ~ 2", "filter preevaluation, line 1: ~ applied on unknown type pair"),
        ("1.2.3.4 ~ [1.2.0.0/16+]", "filter preevaluation, line 1: ~ applied on unknown type pair"),
        ("true && 1", "Argument 2 of AND must be of type bool, got type int"),
        ("1 && true", "Argument 1 of AND must be of type bool, got type int"),
        ("!1 ~ [1]", "Argument 1 of NOT must be of type bool, got type int"),
        ("prepend(1,2)", "Argument 1 of PATH_PREPEND must be of type bgppath, got type int"),
        ("add(1,2)", "Can't add to non-[e|l]clist"),
        ("1/0", "filter preevaluation, line 1: Mother told me not to divide by 0"),
        (
            "(65536,1)",
            "filter preevaluation, line 1: Can't operate with value out of bounds in pair constructor",
        ),
        (
            "(rt,65536,65536)",
            "filter preevaluation, line 1: 4-byte value 65536 can't be used with 4-byte ASN in extended community",
        ),
        ("(true,2)", "Argument 1 of PAIR_CONSTRUCT must be of type int, got type bool"),
        ("(1,2,true)", "Argument 3 of LC_CONSTRUCT must be of type int, got type bool"),
        ("foo", "syntax error, unexpected CF_SYM_UNDEFINED"),
        ("1 = 1 = 1", "syntax error, unexpected '='"),
        ("10.0.0.1/8", "Invalid IPv4 prefix 10.0.0.1/8, maybe you wanted 10.0.0.0/8"),
        ("10.0.0.0/33", "Invalid prefix length 33"),
        ("[10.0.0.0/8{25,20}]", "Invalid prefix pattern range: {25, 20}"),
        ("[10.0.0.0/8, ::/0]", "Mixed IPv4/IPv6 prefixes in prefix set"),
        ("[10.0.0.0/8, 1]", "syntax error, unexpected NUM, expecting IP4 or IP6"),
        ("[(1,5)..(3,4)]", "From value cannot be higher that To value in pair sets"),
        ("[1, (1,2)]", "Can't mix int and pair in a set"),
        ("[1+1]", "syntax error, unexpected '+', expecting DDOT or ',' or ']'"),
        ("10.0.0.0/8 .maxlen", "filter preevaluation, line 1: ROA expected"),
        ("65000:1 10.0.0.0/8 .maxlen", "filter preevaluation, line 1: ROA expected"),
        ("(10.0.0.0/8 max 24 as 5).rd", "filter preevaluation, line 1: VPN address expected"),
        ("10.0.0.0/8 max 4 as 5", "Invalid max prefix length 4"),
        ("10.0.0.0/8 max 24", "syntax error, unexpected END, expecting AS"),
        ("::/0 from 10.0.0.0/8", "syntax error, unexpected IP4, expecting IP6"),
        ("10.0.0.0/8 from 11.0.0.0/8", "syntax error, unexpected FROM"),
        ("flow4 { }", "Networks of type flow4 are not supported yet"),
        ("bgp_path", "No route to access"),
        ("net", "No route to access"),
        ("(1", "syntax error, unexpected END, expecting ',' or ')'"),
        ("1 1", "syntax error, unexpected NUM"),
        ("gw_mpls", "No route to access"),
        ("", "syntax error, unexpected END"),
    ] {
        assert_eq!(eval(text), format!("error: {expected}"), "{text}");
    }
}

#[test]
fn sets_and_masks_that_cannot_be() {
    for (text, expected) in [
        ("[1..1.2.3.4]", "Range from int to ip"),
        ("[(\"a\")]", "Can't use string as set element"),
        ("[(1, true)]", "Number expected, got bool"),
        ("[(1, 2..true)]", "Number expected, got bool"),
        ("[(65536, *)]", "Can't operate with value out of bounds in pair pattern"),
        ("[(1, *, 3)]", "Invalid large community pattern"),
        ("[(rt, true, 1)]", "Number or IPv4 address expected"),
        ("[(unknown 65536, 1, 1)]", "Extended community type out of range"),
        ("[= [1.2.3.4] =]", "Number expected in path mask set"),
        ("[= (\"a\") =]", "Can't use string in path mask"),
        ("evpn imet 1:1 0 10.0.0.1", "Networks of type evpn are not supported yet"),
    ] {
        assert_eq!(eval(text), format!("error: {expected}"), "{text}");
    }
}

#[test]
fn methods_on_what_does_not_have_them() {
    for (text, expected) in [
        ("delete(1, 2)", "Can't delete in non-[e|l]clist"),
        ("filter(1, [2])", "Can't filter non-[e|l]clist"),
        ("add(-empty-, true)", "Can't add bool to or from clist"),
        ("delete(+empty+, true)", "Can't delete bool to or from bgppath"),
        ("true.len", "syntax error, unexpected LEN"),
        ("10.0.0.0/8 .asn", "filter preevaluation, line 1: ROA or ASPA expected"),
        ("10.0.0.0/8 .src", "filter preevaluation, line 1: Flow or SADR expected"),
        ("10.0.0.0/8 .mac", "filter preevaluation, line 1: EVPN or ETH expected"),
        ("10.0.0.0/8 .vlan_id", "filter preevaluation, line 1: ETH expected"),
        ("10.0.0.0/8 .evpn_type", "filter preevaluation, line 1: EVPN expected"),
        ("from_hex(\"0\")", "filter preevaluation, line 1: Invalid hex string"),
        (
            "(rt, \"a\", 1)",
            "filter preevaluation, line 1: Argument 1 of EC constructor must be integer or IPv4 address, got string",
        ),
    ] {
        assert_eq!(eval(text), format!("error: {expected}"), "{text}");
    }
}

#[test]
fn statements_that_cannot_be() {
    let variables: String = (0..256).map(|n| format!("int v{n}; ")).collect();
    for (text, expected) in [
        ("filter f { for int i in 5 do accept; }", "f:1:27 Can't iterate over int"),
        ("filter f { case 1 { else: accept; else: reject; } }", "f:1:47 Second else: in case"),
        (
            "filter f { case (1,1) { (net.len, 1): accept; } }",
            "f:1:25 Constant expression expected",
        ),
        ("filter f { bgp_aggregator = 1; accept; }", "f:1:30 This attribute cannot be set"),
        ("function f(route r) { }", "f:1:12 Type route is not supported yet"),
        ("function f(bool set s) { }", "f:1:17 There are no sets of type bool"),
        ("attribute bgp 256 bytestring a;", "f:1:15 BGP attribute number must be in range 1-255"),
        (
            "bt_test_same(f, f, 1);",
            "f:1:14 syntax error, unexpected CF_SYM_UNDEFINED, expecting CF_SYM_KNOWN",
        ),
        (&format!("filter f {{ {variables} }}"), "Too many variables in one function"),
    ] {
        let found = messages(text, Severity::Error);
        let first = found.first().map_or("", String::as_str);
        assert!(first == expected || first.ends_with(&format!(" {expected}")), "{text}: {found:?}");
    }
}
