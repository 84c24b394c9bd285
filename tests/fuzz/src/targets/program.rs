//! Programs of the filter language that type-check: made by type, so that what is tested is the run and
//! the folding of constants, not the parser's refusals.

use crate::chance::Chance;

/// The types that expressions are made of, as the language names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Int,
    Ip,
    Prefix,
    Pair,
    Quad,
    Ec,
    Lc,
    Text,
    Bytes,
    Path,
    Clist,
    Eclist,
    Lclist,
    Origin,
    Rd,
}

use Kind::{
    Bool, Bytes, Clist, Ec, Eclist, Int, Ip, Lc, Lclist, Origin, Pair, Path, Prefix, Quad, Rd, Text,
};

/// All of them.
const KINDS: &[Kind] = &[
    Bool, Int, Ip, Prefix, Pair, Quad, Ec, Lc, Text, Bytes, Path, Clist, Eclist, Lclist, Origin, Rd,
];

impl Kind {
    /// As in a declaration.
    fn name(self) -> &'static str {
        match self {
            Bool => "bool",
            Int => "int",
            Ip => "ip",
            Prefix => "prefix",
            Pair => "pair",
            Quad => "quad",
            Ec => "ec",
            Lc => "lc",
            Text => "string",
            Bytes => "bytestring",
            Path => "bgppath",
            Clist => "clist",
            Eclist => "eclist",
            Lclist => "lclist",
            Origin => "enum bgp_origin",
            Rd => "rd",
        }
    }

    fn literals(self) -> &'static [&'static str] {
        match self {
            Bool => &["true", "false"],
            Int => &[
                "0",
                "1",
                "2",
                "7",
                "31",
                "32",
                "33",
                "128",
                "129",
                "255",
                "65535",
                "65536",
                "0x7fffffff",
                "4294967295",
            ],
            Ip => {
                &["0.0.0.0", "10.1.2.3", "255.255.255.255", "::", "2001:db8::1", "::ffff:1.2.3.4"]
            }
            Prefix => &[
                "0.0.0.0/0",
                "10.0.0.0/8",
                "10.1.2.3/32",
                "::/0",
                "2001:db8::/32",
                "2001:db8::1/128",
                "10.0.0.0/8 max 24 as 65001",
                "65000:1 10.0.0.0/8",
                "mpls 7",
                "aspa 65001",
                "eth 02:00:00:00:00:01 vlan 7",
                "2001:db8::/32 from 2001:db8:1::/48",
            ],
            Pair => &["(0,0)", "(65001,1)", "(65535,65535)"],
            Quad => &["1.2.3.4", "0.0.0.0"],
            Ec => &[
                "(rt,1,2)",
                "(ro,65536,7)",
                "(rt,10.0.0.1,3)",
                "(generic,0x43000000,1)",
                "(unknown 0x1234,5,6)",
            ],
            Lc => &["(0,0,0)", "(65001,1,2)", "(4294967295,4294967295,4294967295)"],
            Text => &["\"\"", "\"a\"", "\"peer*\"", "\"0a:0b\"", "\"ü→\""],
            Bytes => &["hex:", "hex:00", "hex:0a:0b:0c", "00:11:22:33:44:55:66:77:88:99"],
            Path => &["+empty+"],
            Clist => &["-empty-"],
            Eclist => &["--empty--"],
            Lclist => &["---empty---"],
            Origin => &["ORIGIN_IGP", "ORIGIN_EGP", "ORIGIN_INCOMPLETE"],
            Rd => &["65000:1", "1.2.3.4:5", "2:100:5"],
        }
    }

    fn attributes(self) -> &'static [&'static str] {
        match self {
            Bool => &["onlink"],
            Int => &[
                "bgp_med",
                "bgp_local_pref",
                "preference",
                "igp_metric",
                "weight",
                "bgp_otc",
                "krt_metric",
            ],
            Ip => &["from", "gw", "bgp_next_hop", "krt_prefsrc"],
            Prefix => &["net"],
            Quad => &["bgp_originator_id"],
            Text => &["proto", "ifname"],
            Path => &["bgp_path"],
            Clist => &["bgp_community", "bgp_cluster_list"],
            Eclist => &["bgp_ext_community"],
            Lclist => &["bgp_large_community"],
            Origin => &["bgp_origin"],
            Pair | Ec | Lc | Bytes | Rd => &[],
        }
    }

    /// Sets that values of the type may be in.
    fn sets(self) -> &'static [&'static str] {
        match self {
            Int | Path => &["[]", "[1]", "[0..4294967295]", "[1, 7, 65000..65010]"],
            Ip => &["[10.1.2.3]", "[0.0.0.0..255.255.255.255]", "10.0.0.0/8", "::/0"],
            Prefix => &[
                "[]",
                "[10.0.0.0/8+]",
                "[0.0.0.0/0{0,32}]",
                "[2001:db8::/32{40,48}, ::/0-]",
                "10.0.0.0/8",
            ],
            Pair | Clist => &["[(1,1)]", "[(65001,*)]", "[(*,1..5)]", "[(65000..65010, 7), (1,2)]"],
            Quad => &["[1.2.3.4]", "[0.0.0.0..9.9.9.9]"],
            Ec | Eclist => &["[(rt,1,2)]", "[(rt,65536,*)]", "[(ro,1,0..9)]"],
            Lc | Lclist => &["[(1,2,3)]", "[(65001,*,*)]", "[(1,2,3..9), (0..1,*,*)]"],
            Text => &["\"*\"", "\"a?*\"", "\"\""],
            Origin => &["[ORIGIN_IGP, ORIGIN_EGP]"],
            Rd => &["[65000:1, 65000:5]"],
            Bool | Bytes => &[],
        }
    }
}

/// Makes programs.
#[derive(Debug)]
pub struct Maker<'c> {
    chance: &'c mut Chance,
    /// Whether attributes may be read.
    route: bool,
    /// Literals are taken out and become parameters.
    lifted: Option<Vec<(Kind, &'static str)>>,
    /// Variables that there are: their types and numbers.
    variables: Vec<(Kind, usize)>,
    made: usize,
    /// Pieces that may still be made.
    budget: usize,
}

impl<'c> Maker<'c> {
    /// A maker with these dice.
    pub fn new(chance: &'c mut Chance, route: bool) -> Self {
        Self { chance, route, lifted: None, variables: Vec::new(), made: 0, budget: 120 }
    }

    fn literal(&mut self, kind: Kind) -> String {
        let literal = *self.chance.one_of(kind.literals());
        match &mut self.lifted {
            Some(list) => {
                list.push((kind, literal));
                format!("p{}", list.len() - 1)
            }
            None => literal.to_owned(),
        }
    }

    /// An expression of a type.
    fn expression(&mut self, kind: Kind, depth: usize) -> String {
        self.budget = self.budget.saturating_sub(1);
        if depth == 0 || self.budget == 0 || self.chance.per_mille(200) {
            return self.leaf(kind);
        }
        let deep = depth - 1;
        let mut sub = |kind: Kind| self.expression(kind, deep);
        match kind {
            Bool => return self.truth(deep),
            Int => {}
            Ip => return format!("({}).mask({})", sub(Ip), sub(Int)),
            Prefix | Origin | Rd | Quad => return self.leaf(kind),
            Pair => return format!("({},{})", sub(Int), sub(Int)),
            Ec => {
                let (key, value) = (sub(Int), sub(Int));
                let form = *self.chance.one_of(&["rt", "ro", "generic"]);
                return format!("({form},{key},{value})");
            }
            Lc => return format!("({},{},{})", sub(Int), sub(Int), sub(Int)),
            Text => {
                let other = *self.chance.one_of(KINDS);
                return match self.chance.within(0..=2) {
                    0 => format!(
                        "({} ++ {})",
                        self.expression(Text, deep),
                        self.expression(Text, deep)
                    ),
                    1 => format!(
                        "({}).append({})",
                        self.expression(Text, deep),
                        self.expression(Text, deep)
                    ),
                    _ => format!("format({})", self.expression(other, deep)),
                };
            }
            Bytes => {
                return match self.chance.within(0..=2) {
                    0 => format!(
                        "({} ++ {})",
                        self.expression(Bytes, deep),
                        self.expression(Bytes, deep)
                    ),
                    1 => format!("from_hex({})", self.expression(Text, deep)),
                    _ => format!(
                        "append({}, {})",
                        self.expression(Bytes, deep),
                        self.expression(Bytes, deep)
                    ),
                };
            }
            Path => return self.path(deep),
            Clist => return self.list(Clist, Pair, deep),
            Eclist => return self.list(Eclist, Ec, deep),
            Lclist => return self.list(Lclist, Lc, deep),
        }
        self.number(deep)
    }

    fn leaf(&mut self, kind: Kind) -> String {
        let own: Vec<usize> = self
            .variables
            .iter()
            .filter(|(of, _)| *of == kind)
            .map(|(_, number)| *number)
            .collect();
        if !own.is_empty() && self.chance.per_mille(400) {
            return format!("x{}", self.chance.one_of(&own));
        }
        if self.route && !kind.attributes().is_empty() && self.chance.per_mille(400) {
            return (*self.chance.one_of(kind.attributes())).to_owned();
        }
        self.literal(kind)
    }

    fn number(&mut self, deep: usize) -> String {
        match self.chance.within(0..=9) {
            0..=4 => {
                let op = *self.chance.one_of(&["+", "-", "*", "/", "&", "|"]);
                format!("({} {op} {})", self.expression(Int, deep), self.expression(Int, deep))
            }
            5 => format!("({}).len", self.expression(Path, deep)),
            6 => {
                let part = *self.chance.one_of(&["first", "last", "last_nonaggregated"]);
                format!("({}).{part}", self.expression(Path, deep))
            }
            7 => {
                let list = *self.chance.one_of(&[Clist, Eclist, Lclist, Prefix]);
                format!("({}).len", self.expression(list, deep))
            }
            8 => {
                let part = *self.chance.one_of(&["asn", "data"]);
                format!("({}).{part}", self.expression(Pair, deep))
            }
            _ => {
                let part = *self.chance.one_of(&["asn", "data1", "data2"]);
                format!("({}).{part}", self.expression(Lc, deep))
            }
        }
    }

    fn truth(&mut self, deep: usize) -> String {
        let kind = *self.chance.one_of(KINDS);
        match self.chance.within(0..=9) {
            0..=2 => {
                let op = *self.chance.one_of(&["&&", "||"]);
                format!("({} {op} {})", self.expression(Bool, deep), self.expression(Bool, deep))
            }
            3 => format!("!({})", self.expression(Bool, deep)),
            4 => {
                let op = *self.chance.one_of(&["=", "!="]);
                format!("({} {op} {})", self.expression(kind, deep), self.expression(kind, deep))
            }
            5 => {
                let kind = *self
                    .chance
                    .one_of(&[Bool, Int, Pair, Quad, Origin, Ec, Rd, Lc, Ip, Prefix, Text]);
                let op = *self.chance.one_of(&["<", "<=", ">", ">="]);
                format!("({} {op} {})", self.expression(kind, deep), self.expression(kind, deep))
            }
            6 | 7 if !kind.sets().is_empty() => {
                let op = *self.chance.one_of(&["~", "!~"]);
                let set = *self.chance.one_of(kind.sets());
                format!("({} {op} {set})", self.expression(kind, deep))
            }
            8 => self.membership(deep),
            _ => format!("defined({})", self.expression(kind, deep)),
        }
    }

    fn membership(&mut self, deep: usize) -> String {
        match self.chance.within(0..=4) {
            0 => format!("({} ~ {})", self.expression(Int, deep), self.expression(Path, deep)),
            1 => format!("({} ~ {})", self.expression(Pair, deep), self.expression(Clist, deep)),
            2 => format!("({} ~ {})", self.expression(Ec, deep), self.expression(Eclist, deep)),
            3 => format!("({} ~ {})", self.expression(Lc, deep), self.expression(Lclist, deep)),
            _ => {
                let item = match self.chance.within(0..=5) {
                    0 => "*".to_owned(),
                    1 => "?".to_owned(),
                    2 => "1..7".to_owned(),
                    3 => "[1, 7]".to_owned(),
                    4 => "1 +".to_owned(),
                    _ => format!("({})", self.expression(Int, deep)),
                };
                format!("({} ~ [= {item} * =])", self.expression(Path, deep))
            }
        }
    }

    fn path(&mut self, deep: usize) -> String {
        let on = self.expression(Path, deep);
        match self.chance.within(0..=4) {
            0 | 1 => format!("({on}).prepend({})", self.expression(Int, deep)),
            2 => format!("({on}).delete({})", self.expression(Int, deep)),
            3 => format!("delete({on}, {})", self.chance.one_of(Int.sets())),
            _ => format!("filter({on}, {})", self.chance.one_of(Int.sets())),
        }
    }

    fn list(&mut self, kind: Kind, item: Kind, deep: usize) -> String {
        let on = self.expression(kind, deep);
        match self.chance.within(0..=5) {
            0..=2 => format!("({on}).add({})", self.expression(item, deep)),
            3 => format!("add({on}, {})", self.expression(kind, deep)),
            4 => format!("({on}).delete({})", self.expression(item, deep)),
            _ => format!("filter({on}, {})", self.chance.one_of(kind.sets())),
        }
    }

    /// An expression twice: with its literals in it, and as a function of them with the call. The second
    /// cannot be folded while it is read.
    pub fn both_ways(&mut self) -> (String, String, String) {
        let kind = *self.chance.one_of(KINDS);
        self.lifted = Some(Vec::new());
        let body = self.expression(kind, 4);
        let literals = self.lifted.take().unwrap_or_default();
        let mut folded = body.clone();
        for (number, (_, literal)) in literals.iter().enumerate().rev() {
            folded = folded.replace(&format!("p{number}"), literal);
        }
        let parameters: Vec<String> = literals
            .iter()
            .enumerate()
            .map(|(number, (kind, _))| format!("{} p{number}", kind.name()))
            .collect();
        let values: Vec<&str> = literals.iter().map(|(_, literal)| *literal).collect();
        let name = kind.name();
        let function =
            format!("function f({}) -> {name} {{ return {body}; }}", parameters.join("; "));
        (folded, function, format!("f({})", values.join(", ")))
    }

    /// A filter of statements.
    pub fn filter(&mut self) -> String {
        let mut text = String::from("filter {\n");
        for _ in 0..self.chance.within(1..=8) {
            self.statement(&mut text, 3);
        }
        text.push_str("accept;\n}");
        text
    }

    fn block(&mut self, text: &mut String, depth: usize) {
        let known = self.variables.len();
        text.push_str("{ ");
        for _ in 0..self.chance.within(0..=3) {
            self.statement(text, depth);
        }
        text.push_str("} ");
        self.variables.truncate(known);
    }

    fn statement(&mut self, text: &mut String, depth: usize) {
        let kind = *self.chance.one_of(KINDS);
        match self.chance.within(0..=11) {
            0..=2 => {
                let value = self.expression(kind, 3);
                self.made += 1;
                self.variables.push((kind, self.made));
                *text += &format!("{} x{} = {value};\n", kind.name(), self.made);
            }
            3 | 4 if depth > 0 => {
                *text += &format!("if {} then ", self.expression(Bool, 3));
                self.block(text, depth - 1);
                if self.chance.per_mille(400) {
                    text.push_str("else ");
                    self.block(text, depth - 1);
                }
            }
            5 if depth > 0 => {
                let (list, item) =
                    *self.chance.one_of(&[(Path, Int), (Clist, Pair), (Eclist, Ec), (Lclist, Lc)]);
                let list = self.expression(list, 2);
                self.made += 1;
                *text += &format!("for {} x{} in {list} do ", item.name(), self.made);
                self.variables.push((item, self.made));
                self.block(text, depth - 1);
                self.variables.pop();
            }
            6 if depth > 0 => {
                *text += &format!("case {} {{ 0: ", self.expression(Int, 2));
                self.block(text, depth - 1);
                text.push_str(" 1..7, 65535: ");
                self.block(text, depth - 1);
                text.push_str(" else: ");
                self.block(text, depth - 1);
                text.push_str("}\n");
            }
            7 => {
                *text +=
                    &format!("print {}, {};\n", self.expression(kind, 2), self.expression(Text, 2))
            }
            8 => {
                let attribute =
                    *self.chance.one_of(&["bgp_med", "bgp_path", "bgp_community", "krt_metric"]);
                *text += &format!("unset({attribute});\n");
            }
            _ => self.assignment(text, kind),
        }
    }

    fn assignment(&mut self, text: &mut String, kind: Kind) {
        let own: Vec<(Kind, usize)> = self.variables.clone();
        if !own.is_empty() && self.chance.per_mille(500) {
            let (kind, number) = *self.chance.one_of(&own);
            let value = self.expression(kind, 3);
            *text += &format!("x{number} = {value};\n");
            return;
        }
        let settable = |name: &&&str| !matches!(**name, "net" | "proto");
        let names: Vec<&&str> = kind.attributes().iter().filter(settable).collect();
        if names.is_empty() {
            return;
        }
        let name = *self.chance.one_of(&names);
        let value = self.expression(kind, 3);
        *text += &format!("{name} = {value};\n");
    }
}
