//! Configurations that change step by step: what is read again of the changes alone has to be what is read of
//! the whole, in everything that can be seen.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use dunlin_conf::MemoryFiles;
use dunlin_core::config::{Config, Kinds, load, load_changed};

use super::configuration::{CORPUS, words};
use crate::chance::Chance;
use crate::mutate;

/// The files of a configuration; the first one to be read is [`MAIN`].
type Tree = BTreeMap<String, String>;

const MAIN: &str = "etc/main.conf";

/// A configuration and what becomes of it.
#[derive(Debug)]
pub struct Case {
    trees: Vec<Tree>,
}

/// How often reading the changes was enough, and how often everything had to be read.
#[derive(Debug, Default)]
pub struct Counts {
    /// It was enough.
    pub changes: Cell<u64>,
    /// Everything had to be read.
    pub whole: Cell<u64>,
    /// There was something wrong with it.
    pub refused: Cell<u64>,
}

/// A configuration and some steps.
pub fn make(chance: &mut Chance) -> Case {
    let words = words();
    let mut trees = vec![beginning(chance)];
    for _ in 0..6 {
        // What is wrong with one stays wrong with those made of it.
        let mut tree = chance.one_of(&trees).clone();
        for _ in 0..*chance.one_of(&[1, 1, 1, 1, 2, 3]) {
            step(chance, &mut tree, &words);
        }
        trees.push(tree);
    }
    Case { trees }
}

/// Reads one after the other, and compares.
pub fn feed(case: &Case, kinds: &Kinds, counts: &Counts) {
    let mut before: Option<Config> = None;
    for tree in &case.trees {
        let files = tree.iter().fold(MemoryFiles::default(), |files, (path, text)| {
            files.with(path, text.as_bytes().to_vec())
        });
        let path = Path::new(MAIN);
        let whole = load(path, &files, kinds);
        let changed =
            before.as_ref().and_then(|before| load_changed(path, &files, kinds, true, before));
        let add = |count: &Cell<u64>| count.set(count.get() + 1);
        match (whole, changed) {
            (Err(_), Some(_)) => panic!("what is refused as a whole is accepted"),
            (Err(_), None) => add(&counts.refused),
            (Ok(whole), None) => {
                if before.is_some() {
                    add(&counts.whole);
                }
                before = Some(whole);
            }
            (Ok(whole), Some(changed)) => {
                add(&counts.changes);
                compare(&whole, &changed);
                before = Some(changed);
            }
        }
    }
}

fn compare(whole: &Config, changed: &Config) {
    let (whole, changed) = (seen(whole), seen(changed));
    for (number, (one, other)) in whole.iter().zip(&changed).enumerate() {
        assert_eq!(one, other, "line {number}");
    }
    assert_eq!(whole.len(), changed.len());
}

/// Everything that can be seen of a configuration.
fn seen(config: &Config) -> Vec<String> {
    let Config { path, digest, globals, protocols, symbols, tests, warnings, sources, .. } = config;
    let mut lines = vec![format!("{path:?} {digest} {globals:?} {tests:?}")];
    for (place, protocol) in protocols.iter().enumerate() {
        assert_eq!(config.place(&protocol.name), Some(place));
        lines.push(format!("{protocol:?} {:?} {:?}", protocol.span, protocol.end));
        let (unbuilt, description) = (&protocol.unbuilt, &protocol.description);
        lines.push(format!("{unbuilt:?} {description:?} {:?}", protocol.debug));
        lines.push(format!("{:?} {:?}", protocol.router_id, protocol.hostname));
        lines.push(format!("{:?} {:?}", protocol.restart_time, protocol.thread_group));
        lines.push(format!("{:?} {:?}", protocol.others, protocol.parent));
        lines.push(format!(
            "{:?} {}",
            sources.position(protocol.span),
            sources.text(protocol.span)
        ));
    }
    for symbol in symbols.iter() {
        lines.push(format!("{} {:?} {:?}", symbol.name, symbol.span, symbol.value));
        lines.push(format!("{:?} {}", sources.position(symbol.span), sources.text(symbol.span)));
    }
    lines.extend(warnings.iter().map(|warning| format!("{warning:?}")));
    for file in sources.files() {
        lines.push(format!("{} {}", file.name(), file.text()));
    }
    lines.iter().map(|line| without_identities(line)).collect()
}

/// Each code that is compiled has a number of its own.
fn without_identities(line: &str) -> String {
    let mut pieces = line.split("Identity(");
    let mut text = pieces.next().unwrap_or("").to_owned();
    for piece in pieces {
        text.push_str(piece.trim_start_matches(|sign: char| sign.is_ascii_digit()));
    }
    text
}

// --- Configurations

/// One of the corpus, or some members of a route server, in one file or several.
fn beginning(chance: &mut Chance) -> Tree {
    if chance.per_mille(150) {
        return Tree::from([(MAIN.to_owned(), (*chance.one_of(CORPUS)).to_owned())]);
    }
    let mut list = vec!["router id 10.0.0.1;".to_owned(), "protocol device { }".to_owned()];
    list.push("ipv4 table master4 sorted;\nipv4 table second;\nattribute int mark;".to_owned());
    for member in 0..chance.within(1..=5) {
        list.extend((0..PARTS).map(|part| statement(chance, part, member)));
    }
    if chance.per_mille(500) {
        return Tree::from([(MAIN.to_owned(), list.join("\n"))]);
    }
    let mut tree = Tree::new();
    let rest = list.split_off(chance.within(1..=list.len()));
    let more = chance.within(0..=2);
    let mut main = list.join("\n") + "\ninclude \"members/*.conf\";\n";
    for (number, piece) in rest.chunks(rest.len() / (more + 1) + 1).enumerate() {
        tree.insert(format!("etc/members/{number}.conf"), piece.join("\n"));
    }
    if chance.per_mille(500) {
        main.push_str("protocol static at_the_end { ipv4; }\n");
    }
    tree.insert(MAIN.to_owned(), main);
    tree
}

/// How many kinds of statements there are.
const PARTS: usize = 21;

/// A statement about a member.
fn statement(chance: &mut Chance, part: usize, n: usize) -> String {
    let x = chance.within(1..=99);
    match part {
        0 => format!("define set_{n} = [ 10.{n}.0.0/16{{16,24}}, 10.{x}.0.0/16 ];"),
        1 => format!("define number_{n} = {x};"),
        2 => format!("define 'quoted.{n}' = number_{n} + {x};"),
        3 => format!(
            "function ok_{n}(int a) -> bool\n{{\n  if a > number_{n} then return true;\n  return net ~ set_{n};\n}}"
        ),
        4 => format!(
            "function twice_{n}() -> bool {{ return ok_{n}({x}) || ok_{n}('quoted.{n}'); }}"
        ),
        5 => format!(
            "filter in_{n} {{ # of {n}\n  if !ok_{n}(bgp_med) then reject \"no\", net;\n  bgp_community.add((65000, {x}));\n  accept;\n}}"
        ),
        6 => format!(
            "filter out_{n} int i; {{ i = {x}; case i {{ 1..5: mark = 7; else: if twice_{n}() then print \"x\"; }} accept; }}"
        ),
        7 => format!(
            "template bgp t_{n} {{ local as 65000; hold time {}; ipv4 {{ import filter in_{n}; export where ok_{n}(3); }}; }}",
            x + 3
        ),
        8 => format!(
            "protocol bgp p_{n} {{ local as 65000; neighbor 10.0.{n}.1 as {};\n  ipv4 {{ import filter in_{n}; export filter out_{n}; secondary; }};\n}}",
            65001 + n
        ),
        9 => {
            format!("protocol bgp h_{n} from t_{n} {{ neighbor 10.0.{n}.2 as {x}; mrtdump all; }};")
        }
        10 => format!("protocol static {{ ipv4; route 10.{n}.0.0/16 blackhole; }}"),
        11 => format!(
            "protocol static named_{n} {{ ipv4; route 10.{x}.0.0/16 blackhole {{ bgp_med = number_{n}; }}; }}"
        ),
        12 => format!(
            "protocol pipe pipe_{n} {{ table master4; peer table second; export filter out_{n}; import none; }}"
        ),
        13 => format!("/* the member\n {n} */"),
        14 => format!("function test_{n}() {{\n  bt_assert(number_{n} > 0);\n}}"),
        15 => format!("bt_test_suite(test_{n}, \"suite {n}\");"),
        16 => format!("eval number_{n} * {x};"),
        17 if chance.per_mille(150) => {
            format!("protocol bgp c_{n} from p_{n} {{ description \"p_{n} {x}\"; }}")
        }
        18 if chance.per_mille(100) => format!("ipv4 table table_{n} {{ gc threshold {x}; }}"),
        19 if chance.per_mille(100) => (*chance.one_of(&[
            "debug protocols { states };",
            "timeformat log iso long;",
            "mrtdump \"f\";",
            "define secondary = 1;",
            "define bgp = 1;",
        ]))
        .to_owned(),
        20 => format!("filter calls_{n} {{ test_{n}(); if twice_{n}() then accept; }}"),
        _ => format!("# nothing of {n}"),
    }
}

// --- Steps

fn step(chance: &mut Chance, tree: &mut Tree, words: &[&'static str]) {
    let paths: Vec<String> = tree.keys().cloned().collect();
    let path = chance.one_of(&paths).clone();
    match chance.within(0..=19) {
        0 => {
            let number = chance.within(0..=3);
            let text = lines(chance);
            tree.insert(format!("etc/members/{number}.conf"), text);
        }
        1 if path != MAIN => drop(tree.remove(&path)),
        2 => {
            // One name for another, wherever it is.
            let member = chance.within(0..=4);
            let name = chance.one_of(&["number_", "set_", "in_", "ok_", "p_", "twice_"]);
            let (old, new) = (format!("{name}{member}"), format!("{name}{member}x"));
            tree.values_mut().for_each(|text| *text = text.replace(&old, &new));
        }
        3 => {}
        _ => {
            let text = tree.get_mut(&path).expect("it is one of them");
            *text = change(chance, text, words);
        }
    }
}

fn lines(chance: &mut Chance) -> String {
    let member = chance.within(0..=9);
    let count = chance.within(1..=3);
    let parts = (0..count).map(|_| chance.within(0..=PARTS - 1)).collect::<Vec<_>>();
    parts.into_iter().map(|part| statement(chance, part, member) + "\n").collect()
}

/// A place in a text, mostly the beginning of a line.
fn place(chance: &mut Chance, text: &str) -> usize {
    let mut at = chance.within(0..=text.len());
    if chance.per_mille(700) {
        let before = &text.as_bytes()[..at];
        at = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    }
    (0..=at).rfind(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn change(chance: &mut Chance, text: &str, words: &[&'static str]) -> String {
    let at = place(chance, text);
    let (head, tail) = text.split_at(at);
    let line = tail.find('\n').map_or(tail.len(), |end| end + 1);
    match chance.within(0..=19) {
        0 | 1 => format!("{head}{}{tail}", lines(chance)),
        // Only what is in front of something changes.
        12..=14 => {
            let what = ["\n", "\n\n", "# more\n", "/* x\n */ ", "   "];
            format!("{head}{}{tail}", chance.one_of(&what))
        }
        // A line goes, or comes twice.
        2 => format!("{head}{}", &tail[line..]),
        3 => format!("{head}{}{tail}", &tail[..line]),
        4 => {
            let what = [
                "\n",
                " ",
                "# more\n",
                "/* */",
                "/*",
                "*/",
                "\"",
                "'",
                "{",
                "}",
                ";",
                "#",
                "i",
                "include \"members/0.conf\";\n",
                ";;\n",
            ];
            format!("{head}{}{tail}", chance.one_of(&what))
        }
        5 => format!("{head}{}{tail}", chance.one_of(words)),
        6 => String::from_utf8_lossy(&mutate::bytes(chance, text.as_bytes())).into_owned(),
        // Numbers get other ones, longer and shorter ones too.
        _ => {
            let digits = |sign: char| sign.is_ascii_digit();
            let Some(first) = tail.find(digits) else { return text.to_owned() };
            let length = tail[first..].find(|sign| !digits(sign)).unwrap_or(tail.len() - first);
            let number = chance.within(3..=32);
            format!("{head}{}{number}{}", &tail[..first], &tail[first + length..])
        }
    }
}
