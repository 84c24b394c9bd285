//! Every option of every protocol is read, and what is wrong is refused where it is wrong.

mod refused;

use dunlin_core::config::grammar::{PASSWORDS, Part, Rule};
use dunlin_core::config::{Config, Kinds, Rejected, parse_text};

use crate::grammars::ALL;

pub(super) const SAMPLES: [(&str, &str); 12] = [
    ("aggregator", include_str!("../../samples/aggregator.conf")),
    ("babel", include_str!("../../samples/babel.conf")),
    ("bfd", include_str!("../../samples/bfd.conf")),
    ("bmp", include_str!("../../samples/bmp.conf")),
    ("bridge", include_str!("../../samples/bridge.conf")),
    ("evpn", include_str!("../../samples/evpn.conf")),
    ("l3vpn", include_str!("../../samples/l3vpn.conf")),
    ("mrt", include_str!("../../samples/mrt.conf")),
    ("ospf", include_str!("../../samples/ospf.conf")),
    ("radv", include_str!("../../samples/radv.conf")),
    ("rip", include_str!("../../samples/rip.conf")),
    ("rpki", include_str!("../../samples/rpki.conf")),
];

pub(super) fn load(text: &str) -> Result<Config, Rejected> {
    let kinds: Kinds = crate::kinds().collect();
    parse_text("t.conf", text, &kinds)
}

#[test]
fn every_option_is_read() {
    for (keyword, sample) in SAMPLES {
        let config = load(sample).map_err(|rejected| rejected.lines().collect::<Vec<_>>());
        let config = config.unwrap_or_else(|lines| panic!("{keyword}: {lines:#?}"));
        assert!(config.protocols.iter().all(|protocol| protocol.kind.keyword() == keyword));
    }
}

/// The words of all rules, those in blocks too.
fn words(rules: &'static [Rule], inner: bool, found: &mut Vec<&'static str>) {
    for rule in rules {
        found.push(rule.words);
        // The same in all protocols; Babel's sample has all of it.
        if inner || !PASSWORDS.iter().any(|password| password.words == rule.words) {
            parts(rule.parts, inner, found);
        }
    }
}

fn parts(list: &'static [Part], inner: bool, found: &mut Vec<&'static str>) {
    for part in list {
        match part {
            Part::Block(rules) => words(rules, inner, found),
            Part::Maybe(list) | Part::List(list) => parts(list, inner, found),
            Part::Either(ways) => ways.iter().for_each(|way| parts(way, inner, found)),
            _ => {}
        }
    }
}

#[test]
fn no_option_is_missing_from_the_samples() {
    for grammar in ALL {
        let (_, sample) = SAMPLES.iter().find(|(name, _)| *name == grammar.keyword).unwrap();
        let sample = sample.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut found = Vec::new();
        words(grammar.rules, grammar.keyword == "babel", &mut found);
        let absent: Vec<_> = found
            .into_iter()
            .filter(|words| {
                !sample.contains(&format!("{words} ")) && !sample.contains(&format!("{words};"))
            })
            .collect();
        assert!(absent.is_empty(), "{}: {absent:?}", grammar.keyword);
    }
}

#[test]
fn a_section_that_would_be_started_is_warned_of() {
    for (keyword, sample) in SAMPLES {
        let text = format!("Protocol {keyword} is not supported yet");
        let config = load(sample).unwrap();
        let said = config.warnings.iter().filter(|warning| warning.message == text);
        assert_eq!(said.count(), config.protocols.len(), "{keyword}");
        let first = config.warnings.iter().find(|warning| warning.message == text).unwrap();
        let line = 1 + sample.lines().position(|line| line.starts_with("protocol")).unwrap();
        assert_eq!(first.line as usize, line, "{keyword}");
    }
}

#[test]
fn secrets_are_named_by_constants() {
    for key in ["\"text\"", "hex:01:02:03", "from_hex(\"010203\")"] {
        let text = format!(
            "define KEY = {key}; protocol rip {{ interface \"x\" {{ password KEY; key KEY; }}; }}"
        );
        assert!(load(&text).is_ok(), "{key}");
    }
    let refused = load("define KEY = 5; protocol rip { interface \"x\" { password KEY; }; }");
    assert_eq!(refused.unwrap_err().lines().next().unwrap(), "t.conf:1:57 String expected");
}

/// What BIRD 2 takes and BIRD 3 does not, and what BIRD's guide has and its program does not.
#[test]
fn forms_that_mean_one_thing_are_accepted() {
    let text = "protocol ospf { disabled; area 0 { interface \"a\"; }; area 0.0.0.0 { }; }";
    let config = load(text).unwrap();
    assert_eq!(config.warnings[0].to_string(), "t.conf:1:54: Area already defined");
    let refused = load("protocol ospf { area 1 { virtual link 1; }; area 1 { }; }").unwrap_err();
    assert!(refused.lines().any(|line| line.contains("Vlinks cannot be used on single area")));
    let seconds = load("protocol babel { ipv4; interface \"x\" { hello interval 1; }; }").unwrap();
    let units = load("protocol babel { ipv4; interface \"x\" { hello interval 1 s; }; }").unwrap();
    assert!(seconds.protocols[0].specific.same(&*units.protocols[0].specific));
}

#[test]
fn a_disabled_one_is_not_warned_of() {
    let config = load("protocol bfd { disabled; interface \"x\" { interval 1 s; }; }").unwrap();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn templates_are_inherited_and_compared() {
    let text = "template rip t { infinity 20; }\nprotocol rip a from t { interface \"x\"; }\n\
                protocol rip b from t { interface \"x\"; }\nprotocol rip c { interface \"x\"; }\n";
    let config = load(text).unwrap();
    let same = |one: usize, two: usize| {
        config.protocols[one].specific.same(&*config.protocols[two].specific)
    };
    assert!(same(0, 1) && !same(0, 2));
}

/// Of any text nothing else comes than a configuration or errors with places.
#[test]
fn no_text_is_read_in_silence() {
    for (keyword, sample) in SAMPLES {
        // Of an aggregator's code only the braces are looked at.
        let sample = sample.split("merge by").next().unwrap_or_default();
        for (place, _) in sample.match_indices(';') {
            let broken = format!("{} nonsense{}", &sample[..place], &sample[place..]);
            let rejected = load(&broken);
            assert!(rejected.is_err(), "{keyword}: accepted nonsense before byte {place}");
        }
    }
}
