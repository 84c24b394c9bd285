//! What is read again, and what is not. That the result is that of reading everything is for the random
//! configurations of the fuzz tests to show, with every protocol.

use std::path::Path;
use std::sync::Arc;

use dunlin_conf::MemoryFiles;

use super::super::tests::kinds;
use super::super::{Config, Kinds, load, load_again, load_changed};

const MAIN: &str = "/etc/main.conf";

/// Three members behind what they share.
const TEXT: &str = "\
define one = 1;
define three = one + 2;
ipv4 table t1;
function common(int x) -> bool { return x > three; }
template static base { ipv4 { import filter { if common(bgp_med) then reject; accept; }; }; }
filter in_a { if common(2) then reject; accept; }
protocol static a { ipv4 { table t1; import filter in_a; }; }
filter in_b {
	if bgp_med = 7 then reject;
	accept;
}
protocol static b { size 3; ipv4 { import filter in_b; }; }
protocol static c from base { size 4; }
protocol static { ipv4 { import where bgp_med = one; }; }
";

struct Lab {
    kinds: Kinds,
    before: Config,
}

impl Lab {
    fn new(text: &str) -> Self {
        let kinds = kinds();
        let Ok(before) = load(Path::new(MAIN), &files(text), &kinds) else { panic!("{text}") };
        Self { kinds, before }
    }

    /// Reads another text; nothing unless it was enough to read what has changed.
    fn changed(&self, text: &str) -> Option<Config> {
        self.changed_files(&files(text))
    }

    fn changed_files(&self, files: &MemoryFiles) -> Option<Config> {
        load_changed(Path::new(MAIN), files, &self.kinds, true, &self.before)
    }

    /// The protocols that are those of before.
    fn kept(&self, config: &Config) -> Vec<String> {
        let same = |name: &str| {
            let pair = (self.before.protocol(name), config.protocol(name));
            matches!(pair, (Some(old), Some(new)) if Arc::ptr_eq(old, new))
        };
        let names = config.protocols.iter().map(|protocol| protocol.name.to_string());
        names.filter(|name| same(name)).collect()
    }
}

fn files(text: &str) -> MemoryFiles {
    MemoryFiles::default().with(MAIN, text)
}

#[test]
fn what_has_not_changed_is_taken_over() {
    let lab = Lab::new(TEXT);
    let same = lab.changed(TEXT).unwrap();
    // What has no name of its own is numbered again.
    assert_eq!(lab.kept(&same), ["a", "b", "c"]);
    let other = lab.changed(&TEXT.replace("bgp_med = 7", "bgp_med = 8")).unwrap();
    assert_eq!(lab.kept(&other), ["a", "c"]);
    let filter = |config: &Config| config.protocol("b").unwrap().channels[0].import.clone();
    assert_ne!(filter(&lab.before), filter(&other));
    assert_eq!(other.protocol("b").unwrap().span, lab.before.protocol("b").unwrap().span);
}

#[test]
fn who_has_a_changed_name_in_its_text_is_read_again() {
    let lab = Lab::new(TEXT);
    for (what, by, kept) in [
        // A constant goes into other constants, functions, a template, and what is made from it.
        ("one = 1", "one = 2", vec!["b"]),
        ("size 3", "size 5", vec!["a", "c"]),
        // An equal value changes nothing.
        ("one + 2;", "1 + 1+1;", vec!["a", "b", "c"]),
        ("x > three", "x < three", vec!["b"]),
        ("common(2)", "common(4)", vec!["b", "c"]),
        ("common(bgp_med)", "common(1234567)", vec!["a", "b"]),
        ("size 3;", "/*a c*/", vec!["a", "c"]),
    ] {
        let changed = lab.changed(&TEXT.replace(what, by)).unwrap();
        assert_eq!(lab.kept(&changed), kept, "{by}");
    }
    let new = lab.changed(&TEXT.replace("filter in_a", "define size = 1; filter in_a"));
    assert!(new.is_none(), "the keyword is gone, and the protocols are wrong");
}

#[test]
fn what_stands_elsewhere_has_other_places() {
    let lab = Lab::new(TEXT);
    let changed = lab.changed(&TEXT.replace("common(2)", "common(1000) /* \n\n */")).unwrap();
    assert_eq!(lab.kept(&changed), Vec::<String>::new());
    let (old, new) = (lab.before.protocol("b").unwrap(), changed.protocol("b").unwrap());
    let line = |config: &Config, span| config.sources.position(span).line;
    assert_eq!(line(&changed, new.span), line(&lab.before, old.span) + 2);
    assert_eq!(changed.sources.text(new.span), "b");
    assert_eq!(old.channels[0].import, new.channels[0].import, "it does the same");
    // What its filter is made of is shared, though its lines are not.
    assert!(!old.channels[0].import.is(&new.channels[0].import));
    let named = changed.symbols.lookup("in_b").unwrap();
    assert_eq!(changed.sources.text(named.span), "in_b");
}

#[test]
fn a_warning_has_its_line_though_no_byte_has_moved() {
    let text = "define a = 1; define b = 2;\nprotocol static { ipv4; }\nprotocol static s { ipv4 { export block 5; }; }\n";
    let lab = Lab::new(text);
    let changed = lab.changed(&text.replace("; define", ";\ndefine")).unwrap();
    let lines = |config: &Config| config.warnings.iter().map(|w| w.line).collect::<Vec<_>>();
    assert_eq!((lines(&lab.before), lines(&changed)), (vec![3, 3], vec![4, 4]));
}

#[test]
fn several_changes_leave_what_is_between_them() {
    let lab = Lab::new(TEXT);
    let text = TEXT.replace("common(2)", "common(3)").replace("size 4", "size 5");
    assert_eq!(lab.kept(&lab.changed(&text).unwrap()), ["b"]);
    let text = TEXT.replace("protocol static b", "protocol static d { ipv4; }\nprotocol static b");
    let config = lab.changed(&text).unwrap();
    let names: Vec<&str> = config.protocols.iter().map(|protocol| &*protocol.name).collect();
    assert_eq!(names, ["a", "d", "b", "c", "static1"]);
    let text = TEXT.replace("protocol static b { size 3; ipv4 { import filter in_b; }; }\n", "");
    assert_eq!(lab.kept(&lab.changed(&text).unwrap()), ["a"]);
}

#[test]
fn in_doubt_everything_is_read() {
    let lab = Lab::new(TEXT);
    for (what, by) in [
        // What other statements find.
        ("ipv4 table t1", "ipv4 table t2; ipv4 table t1"),
        ("ipv4 table t1;", "ipv4 table t1; debug protocols all;"),
        // Errors.
        ("import filter in_b", "import filter in_c"),
        ("size 3", "size"),
        ("size 3;", "size 3; }"),
        ("accept;\n}", "accept;\n{"),
        ("accept;\n}", "accept;\n"),
        ("filter in_b", "/* filter in_b"),
        ("filter in_b", "\" filter in_b"),
        ("protocol static c", "protocol static b"),
        // Something is included.
        ("filter in_b", "include \"other.conf\";\nfilter in_b"),
        // A section that was not read is to be inherited from.
        ("protocol static {", "protocol static e from b { size 1; } protocol static {"),
    ] {
        let text = TEXT.replace(what, by);
        assert_ne!(text, TEXT);
        assert!(lab.changed(&text).is_none(), "{by}");
        // And nobody notices.
        let whole = load(Path::new(MAIN), &files(&text), &lab.kinds).is_ok();
        let again =
            load_again(Path::new(MAIN), &files(&text), &lab.kinds, true, Some(&lab.before)).is_ok();
        assert_eq!(whole, again, "{by}");
    }
    let other = Path::new("/etc/other.conf");
    let moved = MemoryFiles::default().with("/etc/other.conf", TEXT);
    assert!(load_changed(other, &moved, &lab.kinds, true, &lab.before).is_none());
    // Who is to run all of it hears of what is missing.
    assert!(load_changed(Path::new(MAIN), &files(TEXT), &lab.kinds, false, &lab.before).is_none());
    let others = kinds();
    assert!(load_changed(Path::new(MAIN), &files(TEXT), &others, true, &lab.before).is_none());
}

#[test]
fn numbers_in_place_of_names_are_given_anew() {
    let lab =
        Lab::new("protocol static { ipv4; }\nfilter f { accept; }\nprotocol static { ipv4; }\n");
    let text = "filter f { accept; }\nfilter static1 { accept; }\nprotocol static { ipv4; }\n";
    let config = lab.changed(text).unwrap();
    assert_eq!(&*config.protocols[0].name, "static2");
    assert_eq!(config.protocols.len(), 1);
}

#[test]
fn included_files_are_read_again_too() {
    let main = "define one = 1;\ninclude \"d/*.conf\";\nprotocol static last { ipv4; }\n";
    let a = "filter f { if bgp_med = one then reject; accept; }\n";
    let b = "protocol static b { ipv4 { import filter f; }; }\n";
    let files = MemoryFiles::default().with(MAIN, main).with("/etc/d/a.conf", a);
    let files = files.with("/etc/d/b.conf", b);
    let kinds = kinds();
    let before = load(Path::new(MAIN), &files, &kinds).ok().unwrap();
    let lab = Lab { kinds, before };
    let same = lab.changed_files(&files).unwrap();
    assert_eq!(lab.kept(&same), ["b", "last"]);
    let changed = lab.changed_files(&files.clone().with("/etc/d/a.conf", a.replace("one", "2")));
    assert_eq!(lab.kept(&changed.unwrap()), ["last"]);
    let changed = lab.changed_files(&files.clone().with("/etc/d/b.conf", b.replace("f;", "f;;")));
    assert_eq!(lab.kept(&changed.unwrap()), ["last"]);
    // Next to what is included it is not clear what stands where.
    assert!(lab.changed_files(&files.clone().with(MAIN, main.replace("= 1", "= 10"))).is_none());
    // Another file, and none where there was one.
    assert!(lab.changed_files(&files.clone().with("/etc/d/c.conf", "")).is_none());
    let fewer = MemoryFiles::default().with(MAIN, main).with("/etc/d/a.conf", a);
    assert!(lab.changed_files(&fewer).is_none());
}

#[test]
fn a_reading_of_changes_can_be_the_first_of_others() {
    let mut lab = Lab::new(TEXT);
    for size in 10..40 {
        let text = TEXT.replace("size 3", &format!("size {}", size * size * size));
        let text = text.replace("x > three", &"x > three".replace("three", &" ".repeat(size)));
        let text = text.replace("x >", "x > three");
        lab.before = lab.changed(&text).unwrap();
        let whole = load(Path::new(MAIN), &files(&text), &lab.kinds).ok().unwrap();
        let spans = |config: &Config| config.symbols.iter().map(|s| s.span).collect::<Vec<_>>();
        assert_eq!(spans(&lab.before), spans(&whole));
        let notes = |config: &Config| format!("{:?}", config.reading.statements);
        assert_eq!(notes(&lab.before), notes(&whole));
    }
}

#[test]
fn work_counts_whether_it_is_done_again_or_not() {
    let text = "function f(int x) -> int { if x > 0 then return f(x - 1); return 1; }
        define a = f(3);
        define b = f(4);
        protocol static { ipv4; }";
    let lab = Lab::new(text);
    let changed = lab.changed(&text.replace("f(4)", "f(5)")).unwrap();
    let work = |text: &str| Lab::new(text).before.reading.work;
    let alone = work(&text.replace("define a = f(3);", "").replace("f(4)", "f(5)"));
    assert_eq!(changed.reading.work, work(text) + alone);
}
