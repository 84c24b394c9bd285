//! What import policies cost: one feeder, one receiver, each policy over a table in which routes share
//! attribute sets and over one in which each prefix has its own.
//!
//! What gets through is not known beforehand: the number of routes that the receiver has in the end and a
//! digest of their attributes are measures of the run, and have to be the same for all daemons.

use super::*;
use crate::daemon::Daemon;

const PREFIXES: usize = 500_000;

/// A daemon that uses less in a quiet time has nothing left to do.
const IDLE_CPU: f64 = 0.02;

/// The scenarios that a name stands for: `filters` for all policies over both tables.
pub fn parts(scenario: &str, p: &Params) -> Vec<String> {
    if scenario != "filters" {
        return vec![scenario.to_string()];
    }
    let file = p.policy.as_ref().map(|_| policy::OF_FILE);
    let tables = ["shared", "own"];
    let of = |table| policy::NAMES.into_iter().chain(file).map(move |name| (table, name));
    tables.into_iter().flat_map(of).map(|(table, name)| format!("filters-{name}-{table}")).collect()
}

/// The policy and whether each prefix has a set of its own.
fn named(scenario: &str) -> Option<(&str, bool)> {
    let (name, table) = scenario.strip_prefix("filters-")?.split_once('-')?;
    let known = policy::NAMES.contains(&name) || name == policy::OF_FILE;
    (known && ["shared", "own"].contains(&table)).then_some((name, table == "own"))
}

pub fn is(scenario: &str) -> bool {
    named(scenario).is_some()
}

pub fn run(scenario: &str, daemon: &str, p: &Params) -> Result<Map<String, Value>> {
    let (name, own) = named(scenario).context("a policy")?;
    if !Daemon::reads_filters(daemon) {
        bail!("skipped: no such filters");
    }
    let mut uni = universe(p, PREFIXES, 0)?;
    uni.dress = Some(policy::dress);
    let mut plan = Plan::new(uni, 2);
    plan.first_as = Some(policy::MEMBER);
    plan.policy =
        Some(policy::text(name, &plan.uni, p.policy.as_deref(), &net::speaker(0).to_string())?);
    plan.receives[1] = true;
    let groups: Vec<usize> = (0..plan.uni.groups.len()).collect();
    let who = plan.source(0);
    let table =
        if own { plan.uni.encode_each(&who, &groups) } else { plan.uni.encode(&who, &groups) };
    let routes = plan.uni.nets.len();
    let mut b = Bench::new(daemon, plan, p)?;
    b.eng.s[0].table = Rc::new(table);
    if let Some(rib) = b.eng.s[1].rib.as_mut() {
        rib.digests = Some(vec![0; routes]);
    }
    b.establish([0, 1])?;
    b.put("routes", routes as f64);
    let m = b.mark();
    b.eng.send_table(0);
    let complete = b.settle()?;
    b.record("load", &m, complete);
    b.memory();
    b.outcome();
    finish(b)
}

impl Bench {
    /// Runs until all is sent and nothing more happens; when the last UPDATE came.
    fn settle(&mut self) -> Result<Instant> {
        let start = Instant::now();
        while start.elapsed() < self.limit {
            let cpu = self.d.cpu();
            self.eng.run_for(QUIET)?;
            if let Some(why) = self.eng.fallen.first() {
                bail!("session fell: {why}");
            }
            let quiet = self.eng.all_sent() && self.eng.last_update.elapsed() >= QUIET;
            if quiet && self.d.cpu() - cpu < IDLE_CPU {
                return Ok(self.eng.last_update.max(start));
            }
        }
        bail!("still busy after {:?}", self.limit)
    }

    /// How many routes the receiver has, and what they are.
    fn outcome(&mut self) {
        let digests = self.eng.s[1].rib.as_ref().and_then(|rib| rib.digests.as_deref());
        let digests = digests.unwrap_or(&[]);
        let taken = digests.iter().filter(|d| **d != 0).count();
        let mix = |sum: u64, (id, d): (usize, &u64)| {
            sum.wrapping_add(d.wrapping_mul((id as u64) << 1 | 1))
        };
        let all = digests.iter().enumerate().fold(0, mix);
        self.put("taken", taken as f64);
        self.out.insert("digest".into(), json!(format!("{all:016x}")));
    }
}
