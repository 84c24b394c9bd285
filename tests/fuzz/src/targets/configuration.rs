//! Configuration files.

use std::sync::Arc;

use dunlin_conf::json;
use dunlin_conf::lexer::lex_text;
use dunlin_core::config::{Kinds, parse_text};
use dunlin_core::protocol::ProtocolKind;

use super::LANGUAGE;

/// A file with about everything in it.
pub const GOOD: &str = r#"
log stderr all; log "/tmp/x" { warning, error }; debug protocols { states, events };
router id 10.0.0.1; hostname "x"; timeformat route iso long ms; threads 2;
/* a comment */ # and another
define one = 1; define nets = [ 10.0.0.0/8+, 192.0.2.0/24{25,28} ]; define nets6 = [ 2001:db8::/32- ]; define path = [= * 65001 ? [65002..65003] +=];
attribute int mark; attribute bgppath seen;
ipv4 table second; ipv6 table master6x { };
function f(int a; prefix p) -> bool { if a > 1 && p ~ [ 10.0.0.0/8{16,24} ] then return true; return false; }
function sum(int set s) int x = 0; { for int i in +empty+ do x = x + i; return x; }
filter g { int b = 2; case b { 1, 2: bgp_med = 7; 3..5: bgp_med = 8; else: reject "no"; } bgp_community.add((65001, b));
  bgp_large_community.delete([(1,2..3,*)]); bgp_ext_community.add((rt, 65001, 1));
  if bgp_path ~ [= * 65002 ? =] then { print "x", net, " ", bgp_path.len; bgp_path.prepend(1); } else bgp_path.delete([1..5]);
  if net.type = NET_IP4 && net.ip.mask(8) = 10.0.0.0 then preference = 50; if defined(bgp_med) then unset(bgp_med); accept; }
template bgp t { local as 65001; hold time 9; ipv4 { import filter g; export where f(bgp_med, net); import limit 10 action block; preference 120; }; }
protocol device { scan time 10; interface "eth*" { preferred 10.0.0.1; }; }
protocol direct { ipv4; interface -"lo", "*"; }
protocol kernel { ipv4 { export none; }; }
protocol static static_routes { ipv4 { table second; import all; }; route 10.1.0.0/16 blackhole; route 10.2.0.0/16 via 192.0.2.1 { bgp_med = 1; };
  route 10.3.0.0/16 recursive 10.2.0.1; route 10.4.0.0/16 unreachable; }
protocol pipe between { table second; peer table master4; import none; export all; }
protocol bgp up1 from t { neighbor 192.0.2.1 port 1179 as 65002; password "x"; passive; multihop 3; rr cluster id 10.0.0.9;
  ipv6 { import all; export none; next hop self; add paths off; import keep filtered; receive limit 9 action restart; }; }
protocol bgp dyn { local 10.0.0.1 as 65001; neighbor range 10.1.0.0/16 external; dynamic name "d"; dynamic name digits 3; ipv4 { import none; export all; }; }
"#;

/// More of them: together they have every statement, protocol and option there is.
pub const CORPUS: &[&str] = &[
    GOOD,
    include_str!("../../corpus/bgp.conf"),
    include_str!("../../corpus/top.conf"),
    include_str!("../../../../proto/unbuilt/samples/aggregator.conf"),
    include_str!("../../../../proto/unbuilt/samples/babel.conf"),
    include_str!("../../../../proto/unbuilt/samples/bfd.conf"),
    include_str!("../../../../proto/unbuilt/samples/bmp.conf"),
    include_str!("../../../../proto/unbuilt/samples/bridge.conf"),
    include_str!("../../../../proto/unbuilt/samples/evpn.conf"),
    include_str!("../../../../proto/unbuilt/samples/l3vpn.conf"),
    include_str!("../../../../proto/unbuilt/samples/mrt.conf"),
    include_str!("../../../../proto/unbuilt/samples/ospf.conf"),
    include_str!("../../../../proto/unbuilt/samples/radv.conf"),
    include_str!("../../../../proto/unbuilt/samples/rip.conf"),
    include_str!("../../../../proto/unbuilt/samples/rpki.conf"),
];

/// Words of files that are not words of filters.
const WORDS: &[&str] = &[
    "...",
    "\"",
    "'",
    "#",
    "/*",
    "*/",
    "\n",
    "0x",
    "10.0.0.0/8",
    "2001:db8::/129",
    "10 s",
    "us",
    "ms",
    "yes",
    "off",
    "include \"x\"",
    "protocol",
    "template",
    "function",
    "define",
    "table",
    "bgp",
    "static",
    "pipe",
    "device",
    "ipv4",
    "ipv6",
    "import",
    "export",
    "none",
    "bgp_community",
    "limit",
    "local",
    "neighbor",
    "as",
    "range",
    "via",
    "recursive",
    "hold",
    "time",
    "vpn4",
    "flow4",
    "roa4",
    "mpls",
    "rd",
    "route",
    "g",
    "f",
    "t",
    "nets",
    "one",
    "second",
    "up1",
];

/// Words that files are made of.
pub fn words() -> Vec<&'static str> {
    [LANGUAGE, WORDS].concat()
}

/// All kinds of protocols, as the daemon has them.
pub fn kinds() -> Kinds {
    let list: [Arc<dyn ProtocolKind>; 6] = [
        Arc::new(dunlin_device::Device),
        Arc::new(dunlin_pipe::PipeProtocol),
        Arc::new(dunlin_static::Static),
        Arc::new(dunlin_bgp::Bgp),
        Arc::new(dunlin_direct::Direct),
        Arc::new(dunlin_kernel::Kernel),
    ];
    list.into_iter().chain(dunlin_unbuilt::kinds()).collect()
}

/// Any text: it is accepted, or refused with a reason; the same both times.
pub fn feed(text: &str, kinds: &Kinds) {
    let lexed = lex_text("fuzz.conf", text);
    assert!(!lexed.tokens.is_empty(), "there is an end");
    let answer = || match parse_text("fuzz.conf", text, kinds) {
        Ok(config) => vec![format!("{}", config.protocols.len())],
        Err(rejected) => {
            for (diagnostic, text) in rejected.diagnostics().iter().zip(rejected.render_each()) {
                assert!(
                    text.starts_with(&diagnostic.to_string()),
                    "the first line is BIRD's: {text}"
                );
                assert!(json::object(diagnostic).ends_with('}'));
                assert!(diagnostic.line > 0 && diagnostic.column > 0);
            }
            let lines: Vec<String> = rejected.lines().map(|line| line.to_string()).collect();
            assert!(!lines.is_empty(), "refused without a reason");
            lines
        }
    };
    assert_eq!(answer(), answer(), "another answer");
}
