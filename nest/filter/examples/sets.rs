//! What it costs to ask a set, by its form: instructions, for choosing forms.
//!
//! Each line is one set of one size in one form. Run it under callgrind, which counts instructions and
//! does not mind other load; what the loops themselves cost is measured by the forms `none` and `nets`:
//!
//!     tests/bench/sets
//!
//! or, by hand, the difference between two runs of `sets FORM SIZE ROUNDS`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measuring program")]

use std::hint::black_box;

use dunlin_filter::{Element, Form, PrefixSet, set::Item, set::Set};
use dunlin_net::{Prefix, Prefix4, trie};

/// The same numbers in every run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as u32
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [form, size, rounds] = &arguments[..] else {
        println!("sets {{none|ranges|bitmap|hash|chosen|nets|trie|index}} SIZE ROUNDS");
        return;
    };
    let (size, rounds): (u32, u32) = (size.parse().unwrap(), rounds.parse().unwrap());
    let found = match form.as_str() {
        "nets" | "trie" | "index" => prefixes(form, size, rounds),
        _ => numbers(form, size, rounds),
    };
    println!("{form} {size} {rounds} {found}");
}

/// AS numbers as they are in customers' sets: mostly low ones, some of four octets; asked for as often
/// as not.
fn numbers(form: &str, size: u32, rounds: u32) -> u32 {
    let mut chance = Chance(u64::from(size));
    let asn = |chance: &mut Chance| match chance.next() % 4 {
        0 => 196_608 + chance.next() % 80_000,
        _ => chance.next() % 64_000,
    };
    let all: Vec<u32> = (0..size).map(|_| asn(&mut chance)).collect();
    let items = all.iter().map(|n| Item::Range(u128::from(*n), u128::from(*n)));
    let set = Set::new(Element::Int, items);
    let set = match form {
        "ranges" => set.in_form(Form::Ranges),
        "bitmap" => set.in_form(Form::Bitmap),
        "hash" => set.in_form(Form::Hash),
        _ => set,
    };
    let mut found = 0;
    for round in 0..rounds {
        let number = asn(&mut chance);
        let number = if round % 2 == 0 { number } else { all[number as usize % all.len()] };
        if form == "none" {
            found += black_box(number) & 1;
        } else {
            found += u32::from(set.contains_u32(black_box(number)));
        }
    }
    found
}

/// Prefixes as they are in the global table.
fn prefixes(form: &str, size: u32, rounds: u32) -> u32 {
    let mut chance = Chance(u64::from(size));
    let prefix = |chance: &mut Chance| {
        let len = [24, 24, 24, 22, 23, 20, 19, 16][chance.next() as usize % 8];
        let addr = (chance.next() % 223 + 1) << 24 | chance.next() & 0x00ff_ffff;
        let mask = u32::MAX << (32 - len);
        Prefix::V4(Prefix4::new(addr & mask, len).unwrap())
    };
    let all: Vec<Prefix> = (0..size).map(|_| prefix(&mut chance)).collect();
    let mut set = trie::PrefixSet::new();
    for (number, prefix) in all.iter().enumerate() {
        if number % 3 == 0 {
            set.add(*prefix, prefix.len(), 24);
        } else {
            set.add_exact(*prefix);
        }
    }
    let set = PrefixSet::new(set).with_index(form == "index");
    let mut found = 0;
    for round in 0..rounds {
        let other = prefix(&mut chance);
        let asked = match other {
            Prefix::V4(prefix) if round % 2 == 1 => all[prefix.bits() as usize % all.len()],
            other => other,
        };
        if form == "nets" {
            found += u32::from(black_box(asked).len());
        } else {
            found += u32::from(set.contains(black_box(asked)));
        }
    }
    found
}
