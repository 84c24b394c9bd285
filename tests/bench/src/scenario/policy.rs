//! Import policies over the table of a run: what is registered is chosen from the table itself.

use crate::table::{Rng, Universe, any_as};
use crate::wire::Attrs;
use anyhow::{Context, Result};
use std::collections::BTreeSet;

/// Policies by name; the first takes everything.
pub const NAMES: [&str; 4] = ["all", "simple", "sets", "member"];

/// The one whose text is in a file of the user's.
pub const OF_FILE: &str = "file";

/// The AS of the member that announces.
pub const MEMBER: u32 = 3333;

const ALL: &str = "filter policy { accept; }\n";
const SIMPLE: &str = include_str!("../../policies/simple.conf");
const SETS: &str = include_str!("../../policies/sets.conf");
const MEMBER_POLICY: &str = include_str!("../../policies/member.conf");

/// So many different ASes originate the member's routes, and so many of them are registered.
const ORIGINS: u64 = 6000;
const REGISTERED_ORIGINS: usize = 5000;
const REGISTERED_PREFIXES: usize = 10_000;

/// The text of a policy: a filter `policy` and what it needs.
pub fn text(name: &str, uni: &Universe, file: Option<&str>, address: &str) -> Result<String> {
    let text = match name {
        "all" => ALL.to_string(),
        "simple" => SIMPLE.to_string(),
        "sets" => SETS.to_string(),
        "member" => MEMBER_POLICY.to_string(),
        _ => {
            let file = file.context("a policy of --policy FILE")?;
            std::fs::read_to_string(file).with_context(|| file.to_string())?
        }
    };
    Ok(text
        .replace("@member@", &MEMBER.to_string())
        .replace("@address@", address)
        .replace("@origins@", &origins(uni).join(",\n\t"))
        .replace("@prefixes@", &prefixes(uni).join(",\n\t")))
}

/// Of the origins of the table as many as are registered.
fn origins(uni: &Universe) -> Vec<String> {
    let of = |group| uni.attrs(0, MEMBER, group).path.last().copied();
    let mut found = BTreeSet::new();
    for asn in (0..uni.groups.len()).filter_map(of) {
        if found.len() == REGISTERED_ORIGINS {
            break;
        }
        found.insert(asn);
    }
    found.iter().map(u32::to_string).collect()
}

/// Prefixes of the table that are registered: three of ten as they are, the rest in an allocation that is.
fn prefixes(uni: &Universe) -> Vec<String> {
    let mut rng = Rng::new(1);
    let mut found = BTreeSet::new();
    let most = REGISTERED_PREFIXES.min(uni.nets.len() / 2);
    // An allocation may be found more than once.
    for _ in 0..10 * most {
        if found.len() == most {
            break;
        }
        let net = uni.nets[rng.below(uni.nets.len() as u64) as usize];
        let top = (net.bits >> 96) as u32;
        let allocation = 12 + rng.below(3) as u8;
        if rng.below(10) < 3 || net.len <= allocation || net.v6 {
            found.insert((top, net.len, net.len));
        } else {
            found.insert((top & u32::MAX << (32 - allocation), allocation, 24));
        }
    }
    let text = |(bits, len, longest): &(u32, u8, u8)| {
        let address = std::net::Ipv4Addr::from(*bits);
        match longest == len {
            true => format!("{address}/{len}"),
            false => format!("{address}/{len}{{{len},{longest}}}"),
        }
    };
    found.iter().map(text).collect()
}

/// Makes attributes those of a member's route: some of its customers originate it, some routes ask a route
/// server for something, and some are to be refused.
pub fn dress(a: &mut Attrs, rng: &mut Rng) {
    let customer = rng.below(ORIGINS);
    if let Some(origin) = a.path.last_mut() {
        *origin = any_as(&mut Rng::new(0x0a50 << 32 ^ customer));
    }
    let other = 1000 + rng.below(500) as u32;
    match rng.below(200) {
        // To some and to nobody.
        0..10 => a.comms.push(other),
        10..14 => a.large.push([64_900, 0, other]),
        // What only the route server says.
        14..20 => a.comms.push(64_901 << 16 | 1),
        20..24 => a.large.push([64_900, 64_903, 1]),
        // A blackhole; a graceful shutdown.
        24..26 => a.comms.push(65_535 << 16 | 666),
        26..28 => a.comms.push(65_535 << 16),
        // Through somebody who needs no transit, or a private AS.
        28..32 => a.path.insert(1, 3356),
        32..34 => a.path.insert(1, 64_700),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Net;

    fn table() -> Universe {
        let mut uni = Universe::generate(1, &[(100_000, false)]);
        uni.dress = Some(dress);
        uni
    }

    #[test]
    fn policies_are_complete_and_the_sets_have_their_sizes() {
        let uni = table();
        for name in NAMES {
            let text = text(name, &uni, None, "10.99.128.1").unwrap();
            assert!(text.contains("filter policy {") && !text.contains('@'), "{name}");
        }
        assert_eq!(origins(&uni).len(), REGISTERED_ORIGINS);
        assert_eq!(prefixes(&uni).len(), REGISTERED_PREFIXES);
        assert!(text(OF_FILE, &uni, None, "").is_err());
    }

    #[test]
    fn most_of_the_table_is_registered_and_not_all() {
        let uni = table();
        let registered: BTreeSet<String> = prefixes(&uni).into_iter().collect();
        let has = |net: &Net| {
            let top = (net.bits >> 96) as u32;
            let cut = |len: u8| std::net::Ipv4Addr::from(top & u32::MAX << (32 - len));
            registered.contains(&format!("{}/{}", cut(net.len), net.len))
                || (12..15).any(|l| registered.contains(&format!("{}/{l}{{{l},24}}", cut(l))))
        };
        let share = uni.nets.iter().filter(|net| has(net)).count() * 100 / uni.nets.len();
        assert!((50..95).contains(&share), "{share} %");
    }
}
