//! Each target for a bounded number of cases, or for `FUZZ_SECONDS`.

use dunlin_core::config::parse_text;
use dunlin_fuzz_tests::targets::{
    again, bgp, command, configuration, filter, lexer, netlink, program, trace, value,
};
use dunlin_fuzz_tests::{chance, drive, mutate};

#[test]
fn bgp_messages() {
    let good = bgp::good();
    good.iter().for_each(|one| bgp::feed(one));
    drive::run("messages", 40_000, |chance| bgp::broken(chance, &good), |bytes| bgp::feed(bytes));
}

#[test]
fn paths_and_communities_as_bytes() {
    drive::run("values", 40_000, value::bytes, |bytes| value::feed_bytes(bytes));
}

#[test]
fn paths_communities_and_prefixes_as_text() {
    drive::run("texts", 20_000, value::text, |text| value::feed_text(text));
}

#[test]
fn netlink_datagrams() {
    let good = netlink::good();
    good.iter().for_each(|one| netlink::feed(one));
    let make = |chance: &mut _| mutate::one_of_bytes(chance, &good);
    drive::run("netlink", 40_000, make, |bytes| netlink::feed(bytes));
}

#[test]
fn flight_records() {
    let good = trace::good();
    good.iter().for_each(|one| trace::feed(one));
    let make = |chance: &mut _| mutate::one_of_bytes(chance, &good);
    drive::run("records", 3000, make, |bytes| trace::feed(bytes));
}

#[test]
fn tokens() {
    drive::run("tokens", 20_000, lexer::files, lexer::feed);
}

#[test]
fn configurations() {
    let kinds = configuration::kinds();
    for text in configuration::CORPUS {
        if let Err(rejected) = parse_text("good.conf", text, &kinds) {
            panic!("{:#?}", rejected.lines().map(|line| line.to_string()).collect::<Vec<_>>());
        }
    }
    let words = configuration::words();
    let make = |chance: &mut chance::Chance| {
        if chance.per_mille(600) {
            return mutate::structure(chance, configuration::CORPUS, &words);
        }
        mutate::one_of_texts(chance, configuration::CORPUS, &words)
    };
    drive::run("configurations", 600, make, |text| configuration::feed(text, &kinds));
}

#[test]
fn configurations_read_again() {
    let kinds = configuration::kinds();
    let counts = again::Counts::default();
    drive::run("read again", 150, again::make, |case| again::feed(case, &kinds, &counts));
    println!("read again: {counts:?}");
    assert!(counts.changes.get() > counts.whole.get(), "{counts:?}");
}

#[test]
fn programs() {
    let routes = filter::routes();
    let make = |chance: &mut _| program::Maker::new(chance, true).filter();
    let compiled = (0..100).filter(|seed| filter::compiles(&make(&mut chance::Chance::new(*seed))));
    assert!(compiled.count() >= 50, "most of them type-check");
    drive::run("programs", 3000, make, |text| filter::feed(text, &routes));
}

#[test]
fn folded_and_run() {
    let make = |chance: &mut _| program::Maker::new(chance, false).both_ways();
    drive::run("folded and run", 6000, make, filter::feed_both_ways);
}

#[test]
fn filters() {
    let routes = filter::routes();
    let refused: Vec<_> = filter::GOOD.iter().filter(|text| !filter::compiles(text)).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let words = filter::words();
    let make = |chance: &mut _| mutate::one_of_texts(chance, filter::GOOD, &words);
    drive::run("filters", 8000, make, |text| filter::feed(text, &routes));
}

#[test]
fn commands() {
    let kinds = configuration::kinds();
    let Ok(config) = parse_text("good.conf", configuration::GOOD, &kinds) else {
        panic!("the good configuration is refused");
    };
    let why =
        |line: &&'static str| Some((*line, dunlin_core::command::check(line, &config).err()?));
    let refused: Vec<_> = command::GOOD.iter().filter_map(why).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let make = |chance: &mut _| mutate::one_of_texts(chance, command::GOOD, command::WORDS);
    drive::run("commands", 8000, make, |line| command::feed(line, &config));
}

#[test]
#[should_panic(expected = "FUZZ_CASE=")]
fn a_fault_is_named() {
    let make = |chance: &mut chance::Chance| chance.within(0..=99);
    drive::run("a fault", 10_000, make, |number| assert_ne!(*number, 42));
}
