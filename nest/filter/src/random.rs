//! Random programs, for tests that hold one way to run them against another.

use std::sync::Arc;

use dunlin_attr::{Attrs, AttrsBuilder, BgpNextHop, NextHop, Origin, Rts, kind};
use dunlin_net::as_path::AsPathBuf;

/// Makes text of bytes, each a choice.
pub(crate) struct Maker<'a> {
    bytes: std::slice::Iter<'a, u8>,
    /// Variables in scope.
    ints: Vec<String>,
    bools: Vec<String>,
    functions: usize,
    names: usize,
    /// In a function, which may return.
    returns: bool,
}

impl<'a> Maker<'a> {
    /// A configuration that these bytes choose: a function of each sort three times, and a filter.
    pub(crate) fn program(bytes: &'a [u8]) -> String {
        let mut maker = Self {
            bytes: bytes.iter(),
            ints: vec![],
            bools: vec![],
            functions: 0,
            names: 0,
            returns: false,
        };
        maker.text()
    }

    fn choose(&mut self, most: u8) -> u8 {
        self.bytes.next().map_or(0, |byte| byte % most)
    }

    fn int(&mut self, depth: u8) -> String {
        let choice = if depth == 0 { self.choose(4) } else { self.choose(11) };
        let deeper = depth.saturating_sub(1);
        match choice {
            0 => self.choose(6).to_string(),
            1 if !self.ints.is_empty() => {
                let at = self.choose(u8::try_from(self.ints.len()).unwrap());
                self.ints[usize::from(at)].clone()
            }
            1 | 2 => "bgp_path.len".to_owned(),
            3 => ["bgp_med", "bgp_local_pref", "net.len", "preference"]
                [usize::from(self.choose(4))]
            .to_owned(),
            4 => format!("({} + {})", self.int(deeper), self.int(deeper)),
            5 => format!("({} * {})", self.int(deeper), self.int(deeper)),
            6 => format!("({} / bgp_path.len)", self.int(deeper)),
            7 => format!("({} - {})", self.int(deeper), self.int(deeper)),
            8 => "bgp_path.first".to_owned(),
            _ if self.functions > 0 => {
                let f = self.choose(u8::try_from(self.functions).unwrap());
                format!("i{f}({}, {})", self.int(deeper), self.bool(deeper))
            }
            _ => "2".to_owned(),
        }
    }

    fn bool(&mut self, depth: u8) -> String {
        let choice = if depth == 0 { self.choose(5) } else { self.choose(14) };
        let deeper = depth.saturating_sub(1);
        match choice {
            0 => "true".to_owned(),
            1 => "false".to_owned(),
            2 if !self.bools.is_empty() => {
                let at = self.choose(u8::try_from(self.bools.len()).unwrap());
                self.bools[usize::from(at)].clone()
            }
            2 | 3 => format!("{} = {}", self.int(0), self.int(0)),
            4 | 13 => self.route_test(),
            5 => {
                format!("({} && {} || {})", self.bool(deeper), self.bool(deeper), self.bool(deeper))
            }
            6 => format!("({} || {})", self.bool(deeper), self.bool(deeper)),
            7 => format!("!({})", self.bool(deeper)),
            8 => format!("{} ~ [1, 3..5]", self.int(deeper)),
            9 => format!("bgp_community ~ [({}, *)]", self.int(0)),
            10 => {
                let relation = ["<", "<=", ">", ">=", "!="][usize::from(self.choose(5))];
                format!("{} {relation} {}", self.int(deeper), self.int(deeper))
            }
            11 if self.functions > 0 => {
                let f = self.choose(u8::try_from(self.functions).unwrap());
                format!("b{f}({}, {})", self.int(deeper), self.bool(deeper))
            }
            _ => format!("bgp_path ~ [= {} * =]", self.choose(4)),
        }
    }

    /// A test of the route, as filters have them.
    fn route_test(&mut self) -> String {
        let n = self.choose(4);
        let not = ["", "!"][usize::from(self.choose(2))];
        match self.choose(20) {
            0 if n > 1 => format!("net {not}~ [10.0.0.0/1{n}+, 172.16.0.0/12]"),
            0 => format!("net {not}~ [2001:db8::/4{n}+]"),
            1 => format!("net.type {not}= NET_IP{}", if n < 2 { 4 } else { 6 }),
            2 => format!("source {not}= RTS_BGP"),
            3 => format!("bgp_origin {not}= ORIGIN_IGP"),
            4 => format!("bgp_next_hop {not}= 192.0.2.{n}"),
            5 => format!("bgp_next_hop {not}= 2001:db8::{n}"),
            6 => format!("bgp_path {not}~ [{n}, 4..5]"),
            7 => format!("bgp_path {not}~ [= * {n} =]"),
            8 => format!("bgp_path.last {not}~ [{n}, 2]"),
            9 => format!("bgp_path.last {not}= {n}"),
            10 => format!("bgp_community {not}~ [({n}, *), (5, 1..2)]"),
            11 => format!("bgp_large_community {not}~ [({n}, 1, *)]"),
            12 => format!("bgp_ext_community {not}~ [(rt, {n}, *)]"),
            13 => format!("({n}, {n}) {not}~ bgp_community"),
            14 => format!("({n}, 1, {n}) {not}~ bgp_large_community"),
            15 => format!("(rt, {n}, 1) {not}~ bgp_ext_community"),
            16 => "defined(bgp_med)".to_owned(),
            17 => ["defined(bgp_community)", "defined(bgp_local_pref)", "defined(bgp_path)"]
                [usize::from(n % 3)]
            .to_owned(),
            18 => format!("({}, 1) ~ bgp_community", self.int(0)),
            _ => format!("net.len {not}= 16"),
        }
    }

    /// Something else that a route gets.
    fn change(&mut self) -> String {
        let n = self.choose(4);
        match self.choose(13) {
            0 => format!("source = {}; ", ["RTS_BGP", "RTS_STATIC"][usize::from(n % 2)]),
            1 => "bgp_origin = ORIGIN_EGP; ".to_owned(),
            2 => format!("bgp_next_hop = 192.0.2.{n}; "),
            3 => format!("bgp_path.prepend({n}); "),
            4 => format!("bgp_path.delete([{n}]); "),
            5 => "bgp_community.empty; ".to_owned(),
            6 => "unset(bgp_large_community); ".to_owned(),
            7 => "unset(bgp_path); ".to_owned(),
            8 => format!("bgp_local_pref = {n}; "),
            9 => format!("preference = {n}; "),
            10 => "bgp_community.filter([(1..3, *)]); ".to_owned(),
            11 => "bgp_ext_community.empty; ".to_owned(),
            _ => "unset(bgp_local_pref); ".to_owned(),
        }
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("v{}", self.names)
    }

    fn block(&mut self, depth: u8) -> String {
        let (ints, bools) = (self.ints.len(), self.bools.len());
        let mut text = "{ ".to_owned();
        for _ in 0..self.choose(4) {
            text += &self.statement(depth);
        }
        self.ints.truncate(ints);
        self.bools.truncate(bools);
        text + "} "
    }

    fn statement(&mut self, depth: u8) -> String {
        let deeper = depth.saturating_sub(1);
        match if depth == 0 { self.choose(8) } else { self.choose(15) } {
            0 => {
                let value = self.int(2);
                let name = self.name();
                let before = ["", "int NAME; NAME = ", "int NAME = 3; NAME = "]
                    [usize::from(self.choose(3))]
                .replace("NAME", &name);
                let before = if before.is_empty() { format!("int {name} = ") } else { before };
                self.ints.push(name.clone());
                format!("{before}{value}; ")
            }
            1 => {
                let value = self.bool(2);
                let name = self.name();
                self.bools.push(name.clone());
                format!("bool {name} = {value}; ")
            }
            2 if self.choose(2) == 0 => self.change(),
            2 => format!("bgp_med = {}; ", self.int(1)),
            3 => format!("print {}, \" \", {}; ", self.int(1), self.bool(1)),
            4 if self.functions > 0 => {
                let f = self.choose(u8::try_from(self.functions).unwrap());
                format!("s{f}({}, {}); ", self.int(0), self.bool(0))
            }
            4 | 5 => self.list_change(),
            6 if !self.ints.is_empty() => {
                let at = self.choose(u8::try_from(self.ints.len()).unwrap());
                let name = self.ints[usize::from(at)].clone();
                format!("{name} = {}; ", self.int(1))
            }
            6 => "unset(bgp_med); ".to_owned(),
            7 if self.returns && self.choose(2) == 0 => "return true; ".to_owned(),
            7 => ["accept; ", "reject; ", ""][usize::from(self.choose(3))].to_owned(),
            8 => {
                let name = self.name();
                let value = self.int(1);
                self.ints.push(name.clone());
                format!("int {name}; if {} then {name} = {value}; ", self.bool(1))
            }
            14 => {
                let (name, value) = (self.name(), self.bool(1));
                self.bools.push(name.clone());
                format!("bool {name}; if {} then {name} = {value}; ", self.bool(1))
            }
            9 | 10 => format!(
                "if {} then {}else {}",
                self.bool(2),
                self.block(deeper),
                self.block(deeper)
            ),
            11 => format!("if {} then {}", self.bool(2), self.block(deeper)),
            12 => format!(
                "case {} {{ 1: {} 2..4: {} else: {} }} ",
                self.int(1),
                self.block(deeper),
                self.block(deeper),
                self.block(deeper)
            ),
            _ => {
                let name = self.name();
                self.ints.push(name.clone());
                let text = format!("for int {name} in bgp_path do {}", self.block(deeper));
                self.ints.pop();
                text
            }
        }
    }

    /// One change of a list, or some deletions at once.
    fn list_change(&mut self) -> String {
        let (n, m) = (self.choose(4), self.choose(3));
        let deletion = |which| match which {
            0 => format!("bgp_community.delete([({n}, {m})]); "),
            1 => format!("bgp_large_community.delete([({n}, {m}, *)]); "),
            2 => format!("bgp_community.delete([(1, 1..{}), (*, {m})]); ", n + 1),
            3 => format!("bgp_community.delete(({n}, {m})); "),
            4 => format!("bgp_large_community.delete(({n}, 1, 1)); "),
            5 => format!("bgp_ext_community.delete([(rt, {n}, {m}), (rt, 5, *)]); "),
            6 => format!("bgp_community.delete(bgp_community.filter([({n}, *)])); "),
            _ => "bgp_community.delete([]); ".to_owned(),
        };
        match self.choose(6) {
            0 | 1 => format!("bgp_community.add(({n}, 2)); "),
            2 => format!("bgp_large_community.add(({n}, 1, {m})); "),
            3 => format!("bgp_ext_community.add((rt, {n}, {m})); "),
            4 => deletion(self.choose(8)),
            _ => (0..4).map(|_| deletion(self.choose(8))).collect(),
        }
    }

    /// A function of each sort, then a filter.
    fn text(&mut self) -> String {
        let mut text = String::new();
        for n in 0..3 {
            (self.ints, self.bools) = (vec!["a".to_owned()], vec!["b".to_owned()]);
            let value = self.int(2);
            text += &format!("function i{n}(int a; bool b) -> int {{ return {value}; }}\n");
            self.returns = true;
            let (body, value) = (self.block(1), self.bool(2));
            text += &format!(
                "function b{n}(int a; bool b) -> bool {{ {body} if {} then return false; return {value}; }}\n",
                self.bool(1)
            );
            self.returns = false;
            let body = self.block(2);
            text += &format!("function s{n}(int a; bool b) {{ {body} }}\n");
            self.functions = n + 1;
        }
        self.ints.clear();
        self.bools.clear();
        let mut body = String::new();
        for _ in 0..6 {
            body += &self.statement(2);
        }
        format!("{text} import filter {{ {body} accept; }};")
    }
}

/// Routes that differ in what they have.
pub(crate) fn routes() -> Vec<Arc<Attrs>> {
    let mut builder = AttrsBuilder::new(Rts::Bgp);
    builder.set_preference(2);
    builder.set_origin(Origin::Igp);
    let path: AsPathBuf = "1 3 2".parse().unwrap();
    builder.set_as_path(path.view()).unwrap();
    builder.set_med(Some(3));
    builder.set_local_pref(Some(1));
    let list: dunlin_net::community::CommunitiesBuf = "(1,1) (2,2)".parse().unwrap();
    builder.set_communities(list.view()).unwrap();
    let list: dunlin_net::community::LargeCommunitiesBuf = "(1,1,1) (2,1,2)".parse().unwrap();
    builder.set_large_communities(list.view()).unwrap();
    builder.set_bgp_next_hop(Some(BgpNextHop::new("192.0.2.1".parse().unwrap())));
    builder.set_next_hop(NextHop::Bgp);
    let usual = builder.finish();
    // Another path, lists that are there without elements, or with a torn one, and no MED.
    let path: AsPathBuf = "2 {1 4}".parse().unwrap();
    builder.set_as_path(path.view()).unwrap();
    builder.set_med(None);
    builder.set_raw(kind::COMMUNITIES, None, &[]).unwrap();
    builder.set_raw(kind::EXT_COMMUNITIES, None, &[0, 2, 0, 1, 0, 0, 0, 1, 7]).unwrap();
    builder.set_raw(kind::LARGE_COMMUNITIES, None, &[1, 2, 3]).unwrap();
    let next_hop = BgpNextHop::new("2001:db8::1".parse().unwrap());
    builder.set_bgp_next_hop(Some(next_hop));
    vec![usual, builder.finish(), AttrsBuilder::new(Rts::Static).finish()]
}
