//! The scenarios: what is set up, what is measured, in which phases.

mod filters;
mod policy;

pub use filters::parts;

use crate::daemon::{Daemon, Peer, Setup};
use crate::engine::{Engine, Trickle};
use crate::net;
use crate::rib::{ANY, Rib, state};
use crate::table::{Index, Source, Universe};
use crate::wire::{self, Attrs};
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Sizes of a run; every field is an option of the command line.
#[derive(Clone, Debug)]
pub struct Params {
    pub prefixes: usize,
    pub prefixes6: usize,
    pub feeders: usize,
    pub clients: usize,
    pub routes: usize,
    pub flap: usize,
    pub rate: usize,
    pub secs: usize,
    pub sessions: usize,
    pub seed: usize,
    pub limit: usize,
    pub plain: usize,
    pub mrt: Option<String>,
    /// A file with a policy that `filters` asks too.
    pub policy: Option<String>,
}

impl Params {
    /// The sizes that the published figures use.
    pub fn defaults() -> Params {
        Params {
            prefixes: 0,
            prefixes6: 0,
            feeders: 10,
            clients: 50,
            routes: 2000,
            flap: 5,
            rate: 1000,
            secs: 20,
            sessions: 500,
            seed: 1,
            limit: 180,
            plain: 0,
            mrt: None,
            policy: None,
        }
    }
}

pub const SCENARIOS: [&str; 7] =
    ["fulltable", "multi", "rs", "reload", "trickle", "idle", "filters"];

/// Who announces what to whom.
struct Plan {
    uni: Universe,
    /// Groups announced by each speaker.
    tables: Vec<Vec<usize>>,
    /// Checks what it receives.
    receives: Vec<bool>,
    rs: bool,
    v6: bool,
    hold: u16,
    marker: u8,
    policy: Option<String>,
    /// The AS of the first speaker, if it is not to be a private one.
    first_as: Option<u32>,
    /// Ids from here on belong to the trickle and are never expected.
    pool: usize,
}

impl Plan {
    fn new(uni: Universe, speakers: usize) -> Plan {
        let pool = uni.nets.len();
        Plan {
            uni,
            tables: vec![Vec::new(); speakers],
            receives: vec![false; speakers],
            rs: false,
            v6: false,
            hold: 90,
            marker: 0,
            policy: None,
            first_as: None,
            pool,
        }
    }

    fn setup(&self) -> Setup {
        let peers = (0..self.tables.len())
            .map(|i| Peer {
                addr: net::speaker(i),
                asn: self.asn(i),
                rs_client: self.rs,
                export: self.receives[i],
            })
            .collect();
        let policy = self.policy.clone();
        Setup { peers, v6: self.v6, hold: self.hold, marker: self.marker, policy }
    }

    fn asn(&self, i: usize) -> u32 {
        self.first_as.filter(|_| i == 0).unwrap_or_else(|| net::speaker_as(i))
    }

    fn source(&self, i: usize) -> Source {
        Source {
            feeder: i,
            asn: self.asn(i),
            nh4: net::speaker(i),
            nh6: net::speaker6(i),
            v6: self.v6,
        }
    }

    /// Path length with which each speaker announces each prefix; 0: it doesn't.
    fn lengths(&self) -> Vec<Vec<u8>> {
        let table = |i: usize| {
            let mut l = vec![0; self.uni.nets.len()];
            for &g in &self.tables[i] {
                let len = self.uni.attrs(i, self.asn(i), g).path.len() as u8;
                let r = &self.uni.groups[g];
                l[r.start as usize..r.end as usize].fill(len);
            }
            l
        };
        (0..self.tables.len())
            .map(|i| if self.tables[i].is_empty() { Vec::new() } else { table(i) })
            .collect()
    }
}

/// A daemon with its speakers, and the results so far.
struct Bench {
    plan: Plan,
    lengths: Vec<Vec<u8>>,
    eng: Engine,
    d: Daemon,
    limit: Duration,
    out: Map<String, Value>,
}

/// When a phase began, and the counters then.
struct Mark {
    at: Instant,
    cpu: f64,
    threads: std::collections::HashMap<u32, f64>,
    own: f64,
    updates: u64,
    announced: u64,
    bytes: u64,
}

const QUIET: Duration = Duration::from_secs(1);

impl Bench {
    fn new(name: &str, plan: Plan, p: &Params) -> Result<Bench> {
        let index = Rc::new(Index::new(&plan.uni.nets));
        let mut eng = Engine::new(SocketAddrV4::new(net::DUT, 179), index);
        for i in 0..plan.tables.len() {
            let rib = plan.receives[i].then(|| Rib::new(plan.uni.nets.len(), name == "null"));
            eng.add(net::speaker(i), plan.asn(i), plan.v6, plan.hold, rib);
            if !plan.tables[i].is_empty() {
                eng.s[i].table = Rc::new(plan.uni.encode(&plan.source(i), &plan.tables[i]));
            }
        }
        let lengths = plan.lengths();
        let d = Daemon::start(name, &plan.setup())?;
        let limit = Duration::from_secs(p.limit as u64);
        Ok(Bench { plan, lengths, eng, d, limit, out: Map::new() })
    }

    fn put(&mut self, key: &str, v: f64) {
        self.out.insert(key.to_string(), json!((v * 1000.0).round() / 1000.0));
    }

    /// Brings up `who` and waits for the sessions.
    fn establish(&mut self, who: impl IntoIterator<Item = usize>) -> Result<Duration> {
        for i in who {
            self.eng.s[i].wanted = true;
        }
        let at = Instant::now();
        if !self.eng.until(Duration::from_secs(120), Engine::all_up)? {
            let up = self.eng.s.iter().filter(|s| s.wanted && s.state != crate::engine::State::Up);
            bail!("{} sessions did not come up: {:?}", up.count(), self.eng.fallen.first());
        }
        let took = at.elapsed();
        self.eng.run_for(QUIET)?;
        Ok(took)
    }

    /// Sets what every receiver should have while `active` speakers announce.
    fn expect(&mut self, active: impl Fn(usize) -> bool, marker: u8) {
        let n = self.plan.uni.nets.len();
        let mut best = vec![u8::MAX; n];
        for l in self.lengths.iter().enumerate().filter(|l| active(l.0)).map(|l| l.1) {
            for (b, &x) in best.iter_mut().zip(l).filter(|p| *p.1 > 0) {
                *b = (*b).min(x);
            }
        }
        let prepend = if self.plan.rs || self.d.name == "null" { 0 } else { 1 };
        for i in 0..self.eng.s.len() {
            let own = &self.lengths[i];
            let want = (0..n)
                .map(|id| match best[id] {
                    _ if id >= self.plan.pool => ANY,
                    u8::MAX => 0,
                    // Its own route is the best one: what it gets is the daemon's choice.
                    b if active(i) && own.get(id) == Some(&b) => ANY,
                    b => state(b + prepend, marker),
                })
                .collect();
            if let Some(rib) = self.eng.s[i].rib.as_mut() {
                rib.expect(want);
            }
        }
    }

    fn mark(&self) -> Mark {
        Mark {
            at: Instant::now(),
            cpu: self.d.cpu(),
            threads: self.d.threads(),
            own: own_cpu(),
            updates: self.eng.rx.updates,
            announced: self.eng.rx.announced,
            bytes: self.eng.rx.bytes,
        }
    }

    /// Waits for convergence and records the phase.
    fn converge(&mut self, phase: &str, m: &Mark) -> Result<()> {
        let missing = self.eng.mismatch();
        let reached = self.eng.converge(self.limit, QUIET)?;
        let Some(t) = reached else {
            bail!(
                "{phase}: not converged after {:?}: {} of {missing} to go",
                self.limit,
                self.eng.mismatch()
            );
        };
        self.record(phase, m, t);
        Ok(())
    }

    /// What a phase that was complete at a time has taken, until now.
    fn record(&mut self, phase: &str, m: &Mark, complete: Instant) {
        self.put(&format!("{phase}_s"), (complete - m.at).as_secs_f64());
        let cpu = self.d.cpu() - m.cpu;
        self.put(&format!("{phase}_cpu"), cpu);
        self.put(&format!("{phase}_own_cpu"), own_cpu() - m.own);
        self.put(&format!("{phase}_second_pct"), self.second_share(m));
        self.put(&format!("{phase}_rx_updates"), (self.eng.rx.updates - m.updates) as f64);
        self.put(&format!("{phase}_rx_routes"), (self.eng.rx.announced - m.announced) as f64);
        self.put(&format!("{phase}_rx_mb"), (self.eng.rx.bytes - m.bytes) as f64 / 1e6);
    }

    /// What the second busiest thread did of all that the two busiest did, in per cent.
    fn second_share(&self, m: &Mark) -> f64 {
        let before = |tid| m.threads.get(tid).copied().unwrap_or(0.0);
        let now = self.d.threads();
        let mut used: Vec<f64> = now.iter().map(|(tid, cpu)| cpu - before(tid)).collect();
        used.sort_by(|one, other| other.total_cmp(one));
        used.resize(2, 0.0);
        100.0 * used[1] / (used[0] + used[1]).max(1e-9)
    }

    fn memory(&mut self) {
        let (peak, rss, pss) = (self.d.peak_rss(), self.d.rss(), self.d.pss());
        self.put("rss_peak_mb", peak);
        self.put("rss_mb", rss);
        self.put("pss_mb", pss);
    }

    /// All feeders send all they have, at once.
    fn load(&mut self) -> Result<()> {
        self.expect(|_| true, self.plan.marker);
        let m = self.mark();
        for i in 0..self.eng.s.len() {
            if self.eng.s[i].wanted {
                self.eng.send_table(i);
            }
        }
        self.converge("load", &m)?;
        self.memory();
        Ok(())
    }

    /// Gives speaker `i` the pool of prefixes that a trickle goes through.
    fn add_trickle(&mut self, i: usize, rate: u32) {
        let who = self.plan.source(i);
        let nets = self.plan.uni.nets[self.plan.pool..].to_vec();
        let make = move |n: &wire::Net, seq: Option<u16>| {
            let tag = seq.map(|s| (wire::TRICKLE_AS as u32) << 16 | s as u32);
            let a = Attrs {
                path: vec![who.asn, 3333],
                comms: tag.into_iter().collect(),
                ..Attrs::default()
            };
            let mut out = Vec::new();
            wire::announce(&mut out, &a, who.nh4, who.nh6, &[*n]);
            out
        };
        self.eng.s[i].table = Rc::new(nets.iter().flat_map(|n| make(n, None)).collect());
        let tagged = Box::new(move |n: &wire::Net, seq| make(n, Some(seq)));
        self.eng.trickle = Some(Trickle::new(i, nets, rate, tagged));
    }

    fn trickle(&mut self) -> &mut Trickle {
        self.eng.trickle.as_mut().expect("a trickle")
    }

    /// Records the delays since the last `clear`.
    fn delays(&mut self, prefix: &str) {
        let now = Instant::now();
        let t = self.trickle();
        if t.on {
            t.close_gaps(now);
        }
        let gap = t.worst_gap.as_secs_f64();
        let mut d = std::mem::take(&mut t.delays_us);
        d.sort_unstable();
        let at = |q: f64| {
            d.get(((d.len() as f64 * q) as usize).min(d.len().max(1) - 1)).copied().unwrap_or(0)
        };
        let (p50, p99, p999, max) = (at(0.5), at(0.99), at(0.999), at(1.0));
        for (k, v) in [("p50", p50), ("p99", p99), ("p999", p999), ("max", max)] {
            self.put(&format!("{prefix}{k}_ms"), v as f64 / 1000.0);
        }
        self.put(&format!("{prefix}gap_ms"), gap * 1000.0);
        self.put(&format!("{prefix}arrivals"), d.len() as f64);
    }
}

/// CPU time of the harness itself.
fn own_cpu() -> f64 {
    // SAFETY: a rusage is numbers only, so zeros are one, and `u` is valid for a write.
    unsafe {
        let mut u: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut u);
        let s = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
        s(u.ru_utime) + s(u.ru_stime)
    }
}

pub fn run(scenario: &str, daemon: &str, p: &Params) -> Result<Map<String, Value>> {
    match scenario {
        "fulltable" => fulltable(daemon, p),
        "multi" => multi(daemon, p),
        "rs" => rs(daemon, p),
        "reload" => reload(daemon, p),
        "trickle" => trickle(daemon, p),
        "idle" => idle(daemon, p),
        _ if filters::is(scenario) => filters::run(scenario, daemon, p),
        _ => bail!("no scenario {scenario}; there are {SCENARIOS:?}"),
    }
}

fn universe(p: &Params, default: usize, pool: usize) -> Result<Universe> {
    let n = if p.prefixes > 0 { p.prefixes } else { default };
    match &p.mrt {
        Some(file) => Universe::from_mrt(file, n + p.prefixes6),
        None => Ok(generate(p, &[(n, false), (p.prefixes6, true), (pool, false)])),
    }
}

fn generate(p: &Params, parts: &[(usize, bool)]) -> Universe {
    let mut uni = Universe::generate(p.seed as u64, parts);
    uni.plain = p.plain != 0;
    uni
}

/// One full table from one feeder to one receiver; then a second receiver
/// joins; then everything is withdrawn.
fn fulltable(daemon: &str, p: &Params) -> Result<Map<String, Value>> {
    let mut plan = Plan::new(universe(p, 1_000_000, 0)?, 3);
    plan.v6 = plan.uni.nets.iter().any(|n| n.v6);
    plan.tables[0] = (0..plan.uni.groups.len()).collect();
    plan.receives = vec![false, true, true];
    let gone = Rc::new(plan.uni.encode_withdraw(&plan.tables[0]));
    let mut b = Bench::new(daemon, plan, p)?;
    b.establish([0, 1])?;
    b.load()?;
    if daemon != "null" {
        let m = b.mark();
        b.eng.s[2].wanted = true;
        b.converge("join", &m)?;
        b.memory();
    }
    b.expect(|_| false, 0);
    let m = b.mark();
    b.eng.send(0, gone);
    b.converge("withdraw", &m)?;
    let rss = b.d.rss();
    b.put("rss_empty_mb", rss);
    finish(b)
}

/// Several feeders with overlapping tables; one receiver gets the best paths.
/// Then one feeder is lost.
fn multi(daemon: &str, p: &Params) -> Result<Map<String, Value>> {
    let each = if p.prefixes > 0 { p.prefixes } else { 200_000 };
    let mut plan = Plan::new(universe(p, each * 2, 0)?, p.feeders + 1);
    for f in 0..p.feeders {
        // Every feeder has its own half of the groups.
        let mut rng = crate::table::Rng::new(p.seed as u64 * 1000 + f as u64);
        plan.tables[f] = (0..plan.uni.groups.len()).filter(|_| rng.below(2) == 0).collect();
    }
    plan.receives[p.feeders] = true;
    let mut b = Bench::new(daemon, plan, p)?;
    b.establish(0..=p.feeders)?;
    b.load()?;
    // The forwarder withdraws nothing.
    if daemon == "null" {
        return finish(b);
    }
    b.expect(|i| i != 0, 0);
    let m = b.mark();
    b.eng.drop_session(0);
    b.converge("loss", &m)?;
    finish(b)
}

/// A route server's clients: 70 % of a client's routes are its own, 30 % are
/// shared with four others. `extra` speakers and `pool` prefixes come on top.
fn rs_plan(p: &Params, extra: usize, pool: usize) -> Result<Plan> {
    let (n, k) = (p.clients, p.routes);
    let own = k * 7 / 10;
    let shared = (k - own) * n / 5;
    let mut parts = vec![(own, false); n];
    parts.extend([(shared, false), (pool, false)]);
    let uni = generate(p, &parts);
    let mut plan = Plan::new(uni, n + extra);
    plan.pool = own * n + shared;
    plan.rs = true;
    plan.receives[..n].fill(true);
    for (g, r) in plan.uni.groups.iter().enumerate() {
        let id = r.start as usize;
        if id < own * n {
            plan.tables[id / own].push(g);
        } else if id < plan.pool {
            (0..5).for_each(|j| plan.tables[(g * 7 + j * (n / 5).max(1)) % n].push(g));
        }
    }
    Ok(plan)
}

/// Everybody's routes to everybody; then some clients drop and come back.
fn rs(daemon: &str, p: &Params) -> Result<Map<String, Value>> {
    let mut b = Bench::new(daemon, rs_plan(p, 0, 0)?, p)?;
    b.establish(0..p.clients)?;
    b.load()?;
    if daemon == "null" || p.flap == 0 {
        return finish(b);
    }
    b.expect(|i| i >= p.flap, 0);
    let m = b.mark();
    (0..p.flap).for_each(|i| b.eng.drop_session(i));
    b.converge("down", &m)?;
    b.expect(|_| true, 0);
    let back = b.establish(0..p.flap)?;
    b.put("reconnect_s", back.as_secs_f64());
    let m = b.mark();
    (0..p.flap).for_each(|i| b.eng.send_table(i));
    b.converge("up", &m)?;
    finish(b)
}

/// The import policy of a loaded route server changes under a trickle.
fn reload(daemon: &str, p: &Params) -> Result<Map<String, Value>> {
    if !Daemon::can_reload(daemon) {
        bail!("skipped: no policy reload by this adapter");
    }
    let mut plan = rs_plan(p, 1, 1000)?;
    plan.marker = 1;
    let mut b = Bench::new(daemon, plan, p)?;
    b.add_trickle(p.clients, 200);
    b.establish(0..=p.clients)?;
    b.load()?;
    b.trickle().start();
    b.eng.run_for(Duration::from_secs(1))?;
    b.trickle().clear();
    b.eng.run_for(Duration::from_secs(4))?;
    b.delays("steady_");
    b.trickle().clear();
    b.eng.run_for(Duration::from_millis(200))?;
    b.expect(|_| true, 2);
    b.plan.marker = 2;
    let m = b.mark();
    b.d.reload(&b.plan.setup())?;
    b.converge("reload", &m)?;
    b.delays("during_");
    let asked: u32 = b.eng.s.iter().map(|s| s.refreshes).sum();
    b.put("refreshes", asked as f64);
    let peak = b.d.peak_rss();
    b.put("rss_peak_mb", peak);
    finish(b)
}

/// A steady stream of single updates through a loaded daemon to ten receivers.
fn trickle(daemon: &str, p: &Params) -> Result<Map<String, Value>> {
    let receivers = 10;
    let mut plan = Plan::new(universe(p, 400_000, 5000)?, receivers + 2);
    plan.pool = plan.uni.nets.len() - 5000;
    let pool = plan.pool as u32;
    plan.tables[0] =
        (0..plan.uni.groups.len()).filter(|&g| plan.uni.groups[g].start < pool).collect();
    plan.receives[2..].fill(true);
    let mut b = Bench::new(daemon, plan, p)?;
    b.add_trickle(1, p.rate as u32);
    b.establish(0..receivers + 2)?;
    b.load()?;
    b.trickle().start();
    b.eng.run_for(Duration::from_secs(2))?;
    let (m, before) = (b.mark(), b.trickle().sent);
    b.trickle().clear();
    b.eng.run_for(Duration::from_secs(p.secs as u64))?;
    let cpu = b.d.cpu() - m.cpu;
    let sent = (b.trickle().sent - before) as f64;
    b.put("rate", sent / m.at.elapsed().as_secs_f64());
    b.put("trickle_cpu_ms_per_1000", cpu / sent * 1e6);
    b.trickle().on = false;
    b.eng.run_for(QUIET)?;
    b.delays("");
    let lost = sent * receivers as f64 - b.out["arrivals"].as_f64().context("arrivals")?;
    b.put("lost", lost.max(0.0));
    finish(b)
}

/// Many sessions that only keep each other alive, every three seconds.
fn idle(daemon: &str, p: &Params) -> Result<Map<String, Value>> {
    let mut plan = Plan::new(Universe::generate(1, &[]), p.sessions);
    plan.hold = 9;
    plan.receives.fill(true);
    let mut b = Bench::new(daemon, plan, p)?;
    let took = b.establish(0..p.sessions)?;
    b.put("establish_s", took.as_secs_f64());
    b.eng.run_for(Duration::from_secs(3))?;
    let (m, before) = (b.mark(), b.eng.rx.keepalives);
    b.eng.run_for(Duration::from_secs(p.secs as u64))?;
    if let Some(why) = b.eng.fallen.first() {
        bail!("session fell: {why}");
    }
    let minutes = m.at.elapsed().as_secs_f64() / 60.0;
    let cpu = b.d.cpu() - m.cpu;
    b.put("cpu_s_per_minute", cpu / minutes);
    let heard = (b.eng.rx.keepalives - before) as f64;
    b.put("rx_keepalives_per_minute", heard / minutes);
    b.memory();
    finish(b)
}

fn finish(mut b: Bench) -> Result<Map<String, Value>> {
    let unknown = b.eng.rx.unknown;
    if unknown > 0 {
        b.put("unknown_prefixes", unknown as f64);
    }
    Ok(b.out)
}
