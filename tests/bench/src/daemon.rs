//! The daemons under test: writes each one's configuration, starts and stops
//! it in its own network namespace and reads its use of CPU and memory.

use crate::net;
use anyhow::{Context, Result, bail};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const DUT_AS: u32 = 65000;

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    Bird2,
    Bird3 {
        threads: u32,
    },
    Dunlin {
        threads: u32,
    },
    Frr,
    OpenBgpd,
    GoBgp,
    RustyBgp,
    RustBgpd,
    /// Our own forwarder that copies UPDATEs unread: the machine's limit.
    Null,
}

/// Names for the command line, where each binary is looked for, and the
/// environment variable that says otherwise.
const KINDS: [(&str, Kind, &str, &str); 13] = [
    ("bird2", Kind::Bird2, "/usr/sbin/bird", "BIRD2"),
    ("bird3-t1", Kind::Bird3 { threads: 1 }, "bird3", "BIRD3"),
    ("bird3-t2", Kind::Bird3 { threads: 2 }, "bird3", "BIRD3"),
    ("dunlin-t1", Kind::Dunlin { threads: 1 }, "dunlin", "DUNLIN"),
    ("dunlin-t2", Kind::Dunlin { threads: 2 }, "dunlin", "DUNLIN"),
    ("dunlin-bare-t1", Kind::Dunlin { threads: 1 }, "dunlin", "DUNLIN_BARE"),
    ("dunlin-bare-t2", Kind::Dunlin { threads: 2 }, "dunlin", "DUNLIN_BARE"),
    ("frr", Kind::Frr, "/usr/lib/frr/bgpd", "FRR_BGPD"),
    ("openbgpd", Kind::OpenBgpd, "/usr/sbin/bgpd", "OPENBGPD"),
    ("gobgpd", Kind::GoBgp, "/usr/bin/gobgpd", "GOBGPD"),
    ("rustybgp", Kind::RustyBgp, "rustybgpd", "RUSTYBGPD"),
    ("rustbgpd", Kind::RustBgpd, "rustbgpd", "RUSTBGPD"),
    ("null", Kind::Null, "/proc/self/exe", "BGPLOAD_NULL"),
];

pub fn names() -> Vec<&'static str> {
    KINDS.iter().map(|k| k.0).collect()
}

#[derive(Clone)]
pub struct Peer {
    pub addr: Ipv4Addr,
    pub asn: u32,
    pub rs_client: bool,
    /// Gets routes from the daemon.
    pub export: bool,
}

#[derive(Clone)]
pub struct Setup {
    pub peers: Vec<Peer>,
    pub v6: bool,
    pub hold: u16,
    /// Non-zero: an import policy that adds community 65000:marker.
    pub marker: u8,
    /// The import policy, in BIRD's words: a filter `policy` and what it needs.
    pub policy: Option<String>,
}

pub struct Daemon {
    pub name: &'static str,
    kind: Kind,
    bin: String,
    dir: PathBuf,
    child: Child,
}

impl Daemon {
    pub fn start(name: &str, setup: &Setup) -> Result<Daemon> {
        let &(name, kind, bin, env) = KINDS
            .iter()
            .find(|k| k.0 == name)
            .with_context(|| format!("no daemon {name}; there are {:?}", names()))?;
        let bin = std::env::var(env).unwrap_or(bin.to_string());
        let dir = std::env::temp_dir().join("bgpload").join(name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir)?;
        let conf = write_config(kind, setup, &dir)?;
        let d = dir.display();
        let dut = net::DUT;
        let args = match kind {
            Kind::Bird2 | Kind::Bird3 { .. } | Kind::Dunlin { .. } => {
                format!("-f -c {conf} -s {d}/ctl -P {d}/pid")
            }
            // No zebra: bgpd alone, as the others run without a kernel table.
            Kind::Frr => format!(
                "-f {conf} -n -Z -S -A 127.0.0.1 -P 2605 -i {d}/pid --vty_socket {d} -l {dut} \
                 --log file:{d}/log --limit-fds 4096"
            ),
            Kind::OpenBgpd => format!("-d -f {conf}"),
            Kind::GoBgp => {
                format!("-f {conf} -t toml --api-hosts 127.0.0.1:50051 --pprof-disable -l warn")
            }
            Kind::RustyBgp => format!("-f {conf} --api-hosts 127.0.0.1:50051"),
            Kind::RustBgpd => conf.clone(),
            Kind::Null => format!("null {dut}:179"),
        };
        if kind == Kind::OpenBgpd {
            // Its processes change root there; the service manager would make it.
            fs::create_dir_all("/run/openbgpd")?;
        }
        let log = fs::File::create(dir.join("out"))?;
        let mut cmd = Command::new(&bin);
        cmd.args(args.split_whitespace())
            .current_dir(&dir)
            .env("RUST_LOG", std::env::var("RUST_LOG").unwrap_or("warn".into()))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        // SAFETY: between fork and exec there are system calls only; the path of the namespace is a short string, and this
        // process has no other thread that could hold the allocator's lock.
        unsafe {
            cmd.pre_exec(|| {
                // It ends with the harness, however that ends.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
                net::enter(net::DUT_NS)
            });
        }
        let child = cmd.spawn().with_context(|| format!("cannot start {bin}"))?;
        let mut daemon = Daemon { name, kind, bin, dir, child };
        daemon.await_port()?;
        Ok(daemon)
    }

    /// Waits until the daemon listens on the BGP port.
    fn await_port(&mut self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(20);
        let dut = SocketAddrV4::new(net::DUT, 179).into();
        while std::net::TcpStream::connect_timeout(&dut, Duration::from_millis(200)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended at once ({status}); see {}", self.bin, self.dir.display());
            }
            if Instant::now() > end {
                bail!("{} does not listen on {dut}", self.bin);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_millis(300));
        Ok(())
    }

    /// Can its import policy be changed while it runs, by this adapter?
    pub fn can_reload(name: &str) -> bool {
        !matches!(name, "rustybgp" | "rustbgpd" | "null")
    }

    /// Does it understand BIRD's filters?
    pub fn reads_filters(name: &str) -> bool {
        name.starts_with("bird") || name.starts_with("dunlin")
    }

    pub fn reload(&self, setup: &Setup) -> Result<()> {
        write_config(self.kind, setup, &self.dir)?;
        if self.kind == Kind::Frr {
            let set = format!("set community 65000:{} additive", setup.marker);
            let ok = Command::new("vtysh")
                .args(["--vty_socket", &self.dir.display().to_string(), "-d", "bgpd"])
                .args(["-c", "configure terminal", "-c", "route-map IMPORT permit 10", "-c", &set])
                .stdout(Stdio::null())
                .status()?
                .success();
            if !ok {
                bail!("vtysh failed");
            }
            return Ok(());
        }
        // Everybody else reads the file again on SIGHUP.
        // SAFETY: a call without pointers.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGHUP) };
        Ok(())
    }

    /// The daemon's processes: what was started and all its descendants.
    fn pids(&self) -> Vec<u32> {
        let mut parent = HashMap::new();
        for e in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = e.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else {
                continue;
            };
            if let Some(f) = stat(pid) {
                parent.insert(pid, f[1].parse::<u32>().unwrap_or(0));
            }
        }
        let mut pids = vec![self.child.id()];
        let mut at = 0;
        while at < pids.len() {
            let of = pids[at];
            pids.extend(parent.iter().filter(|p| *p.1 == of).map(|p| *p.0));
            at += 1;
        }
        pids
    }

    /// User plus system time of all threads, in seconds.
    pub fn cpu(&self) -> f64 {
        self.pids().into_iter().filter_map(cpu_of).sum::<f64>()
    }

    /// Processor time of each thread there is, in seconds, by thread number.
    pub fn threads(&self) -> HashMap<u32, f64> {
        let mut threads = HashMap::new();
        for pid in self.pids() {
            for e in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
                let Some(tid) = e.file_name().to_str().and_then(|n| n.parse().ok()) else {
                    continue;
                };
                let text = fs::read_to_string(e.path().join("schedstat")).unwrap_or_default();
                let nanos = text.split_whitespace().next().and_then(|n| n.parse::<f64>().ok());
                threads.insert(tid, nanos.unwrap_or(0.0) / 1e9);
            }
        }
        threads
    }

    /// A memory figure summed over the processes, in MiB.
    fn memory(&self, file: &str, key: &str) -> f64 {
        let kib = |pid: u32| {
            let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
            let line = text.lines().find(|l| l.starts_with(key))?;
            line.split_whitespace().nth(1)?.parse::<f64>().ok()
        };
        self.pids().into_iter().filter_map(kib).sum::<f64>() / 1024.0
    }

    pub fn peak_rss(&self) -> f64 {
        self.memory("status", "VmHWM:")
    }

    pub fn rss(&self) -> f64 {
        self.memory("status", "VmRSS:")
    }

    pub fn pss(&self) -> f64 {
        self.memory("smaps_rollup", "Pss:")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pids = self.pids();
        // SAFETY: a call without pointers.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGTERM) };
        let end = Instant::now() + Duration::from_secs(3);
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        // Only what this adapter started, by id.
        for pid in pids {
            if Path::new(&format!("/proc/{pid}")).exists() {
                // SAFETY: a call without pointers.
                unsafe { libc::kill(pid as i32, libc::SIGKILL) };
            }
        }
        let _ = self.child.wait();
    }
}

/// A process's processor time in seconds, from its own clock: /proc counts it in hundredths, and a whole
/// scenario may take five of them.
fn cpu_of(pid: u32) -> Option<f64> {
    let mut clock = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `clock` is valid for a write.
    if unsafe { libc::clock_getcpuclockid(pid as i32, &mut clock) } != 0 {
        return None;
    }
    // SAFETY: `time` is valid for a write.
    let found = unsafe { libc::clock_gettime(clock, &mut time) } == 0;
    found.then(|| time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

/// The fields of /proc/PID/stat after the command name.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_string).collect())
}

fn write_config(kind: Kind, s: &Setup, dir: &Path) -> Result<String> {
    let text = match kind {
        Kind::Bird2 => bird(s, None),
        Kind::Bird3 { threads } => bird(s, Some(threads)),
        Kind::Dunlin { threads } => {
            // Lines that a comparison adds, such as "slices 4;".
            let more = std::env::var("DUNLIN_CONF").unwrap_or_default();
            format!("{more}\n{}", bird(s, Some(threads)))
        }
        Kind::Frr => frr(s),
        Kind::OpenBgpd => openbgpd(s, dir),
        Kind::GoBgp => gobgp(s, true),
        Kind::RustyBgp => gobgp(s, false),
        Kind::RustBgpd => rustbgpd(s, dir),
        Kind::Null => String::new(),
    };
    let path = dir.join("conf");
    fs::write(&path, text)?;
    // OpenBGPD insists on a file that only its owner can write.
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(path.display().to_string())
}

fn bird(s: &Setup, threads: Option<u32>) -> String {
    let mut c = String::from("log stderr { warning, error, fatal, bug };\n");
    if let Some(n) = threads {
        let _ = writeln!(c, "threads {n};");
    }
    let _ = writeln!(c, "router id {};\nprotocol device {{}}", net::DUT);
    let import = if let Some(policy) = &s.policy {
        c += policy;
        "filter policy"
    } else if s.marker > 0 {
        let m = s.marker;
        let _ = writeln!(c, "filter marking {{ bgp_community.add((65000,{m})); accept; }}");
        "filter marking"
    } else {
        "all"
    };
    let channels = |export: &str| {
        let one = format!("{{ import {import}; export {export}; }};");
        let six = if s.v6 { format!(" ipv6 {one}") } else { String::new() };
        format!("ipv4 {one}{six}")
    };
    for (name, export) in [("both", "all"), ("feeders", "none")] {
        let _ = writeln!(
            c,
            "template bgp {name} {{ local {} as {DUT_AS}; passive; hold time {}; {} }}",
            net::DUT,
            s.hold,
            channels(export)
        );
    }
    for (i, p) in s.peers.iter().enumerate() {
        let from = if p.export { "both" } else { "feeders" };
        let rs = if p.rs_client { " rs client;" } else { "" };
        let _ = writeln!(
            c,
            "protocol bgp p{i} from {from} {{ neighbor {} as {};{rs} }}",
            p.addr, p.asn
        );
    }
    c
}

fn frr(s: &Setup) -> String {
    let mut c = format!(
        "frr defaults traditional\nlog file /dev/null errors\n\
         router bgp {DUT_AS}\n bgp router-id {}\n no bgp ebgp-requires-policy\n\
         no bgp network import-check\n bgp route-map delay-timer 1\n\
         no bgp default ipv4-unicast\n",
        net::DUT
    );
    let keep = (s.hold / 3).max(1);
    for p in &s.peers {
        let a = p.addr;
        let _ = writeln!(
            c,
            " neighbor {a} remote-as {}\n neighbor {a} passive\n neighbor {a} timers {keep} {}",
            p.asn, s.hold
        );
    }
    for af in ["ipv4", "ipv6"].iter().take(1 + s.v6 as usize) {
        let _ = writeln!(c, " address-family {af} unicast");
        for p in &s.peers {
            let a = p.addr;
            let _ = writeln!(c, "  neighbor {a} activate");
            if p.rs_client {
                let _ = writeln!(c, "  neighbor {a} route-server-client");
            }
            if !p.export {
                let _ = writeln!(c, "  neighbor {a} route-map NONE out");
            }
            if s.marker > 0 {
                let _ = writeln!(c, "  neighbor {a} route-map IMPORT in");
            }
        }
        c += " exit-address-family\n";
    }
    c += "route-map NONE deny 10\n";
    if s.marker > 0 {
        let m = s.marker;
        let _ = writeln!(c, "route-map IMPORT permit 10\n set community 65000:{m} additive");
    }
    c
}

fn openbgpd(s: &Setup, dir: &Path) -> String {
    let rs = s.peers.iter().any(|p| p.rs_client);
    let mut c = format!(
        "AS {DUT_AS}\nrouter-id {0}\nlisten on {0}\nfib-update no\nsocket \"{1}/ctl\"\n",
        net::DUT,
        dir.display()
    );
    if rs {
        c += "transparent-as yes\n";
    }
    for p in &s.peers {
        let six = if s.v6 { "unicast" } else { "none" };
        let export = if p.export { "" } else { "export none\n" };
        let _ = writeln!(
            c,
            "neighbor {} {{\nremote-as {}\npassive\nholdtime {}\nannounce IPv4 unicast\n\
             announce IPv6 {six}\n{export}}}",
            p.addr, p.asn, s.hold
        );
    }
    c += "allow from any\nallow to any\n";
    if rs {
        c += "match to any set nexthop no-modify\n";
    }
    if s.marker > 0 {
        let _ = writeln!(c, "match from any set community 65000:{}", s.marker);
    }
    c
}

/// GoBGP's TOML, which RustyBGP reads too.
fn gobgp(s: &Setup, bind: bool) -> String {
    let mut c =
        format!("[global.config]\nas = {DUT_AS}\nrouter-id = \"{0}\"\nport = 179\n", net::DUT);
    if bind {
        let _ = writeln!(c, "local-address-list = [\"{}\"]", net::DUT);
    }
    let rs = s.peers.iter().any(|p| p.rs_client);
    let mute: Vec<_> = s.peers.iter().filter(|p| !p.export).collect();
    let mut global = String::new();
    let mut policies = String::new();
    let mut sets = String::new();
    if !mute.is_empty() {
        global += "export-policy-list = [\"mute\"]\ndefault-export-policy = \"accept-route\"\n";
        let list: Vec<_> = mute.iter().map(|p| format!("\"{}/32\"", p.addr)).collect();
        let _ = writeln!(
            sets,
            "[[defined-sets.neighbor-sets]]\nneighbor-set-name = \"mute\"\n\
             neighbor-info-list = [{}]",
            list.join(", ")
        );
        policies += "[[policy-definitions]]\nname = \"mute\"\n[[policy-definitions.statements]]\n\
                     name = \"mute1\"\n\
                     [policy-definitions.statements.conditions.match-neighbor-set]\n\
                     neighbor-set = \"mute\"\nmatch-set-options = \"any\"\n[policy-definitions.statements.actions]\n\
                     route-disposition = \"reject-route\"\n";
    }
    let mark = "import-policy-list = [\"mark\"]\ndefault-import-policy = \"accept-route\"\n";
    if s.marker > 0 {
        let _ = writeln!(
            policies,
            "[[policy-definitions]]\nname = \"mark\"\n[[policy-definitions.statements]]\n\
             name = \"mark1\"\n[policy-definitions.statements.actions]\n\
             route-disposition = \"accept-route\"\n\
             [policy-definitions.statements.actions.bgp-actions.set-community]\n\
             options = \"add\"\n\
             [policy-definitions.statements.actions.bgp-actions.set-community.set-community-method]\n\
             communities-list = [\"65000:{}\"]",
            s.marker
        );
        if !rs {
            global += mark;
        }
    }
    if !global.is_empty() {
        let _ = writeln!(c, "[global.apply-policy.config]\n{global}");
    }
    for p in &s.peers {
        let _ = writeln!(
            c,
            "[[neighbors]]\n[neighbors.config]\nneighbor-address = \"{}\"\npeer-as = {}\n\
             [neighbors.transport.config]\npassive-mode = true\n\
             [neighbors.timers.config]\nhold-time = {}\nkeepalive-interval = {}",
            p.addr,
            p.asn,
            s.hold,
            (s.hold / 3).max(1)
        );
        if p.rs_client {
            c += "[neighbors.route-server.config]\nroute-server-client = true\n";
            if s.marker > 0 {
                let _ = writeln!(c, "[neighbors.apply-policy.config]\n{mark}");
            }
        }
        for af in ["ipv4-unicast", "ipv6-unicast"].iter().take(1 + s.v6 as usize) {
            let _ = writeln!(
                c,
                "[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"{af}\""
            );
        }
    }
    c + &sets + &policies
}

/// As dynamic neighbours: it has no passive mode, and a static neighbour that
/// it is dialling turns inbound connections away.
fn rustbgpd(s: &Setup, dir: &Path) -> String {
    let mut c = format!(
        "[global]\nasn = {DUT_AS}\nrouter_id = \"{}\"\nlisten_port = 179\n\
         dynamic_neighbor_limit = 1000\nruntime_state_dir = \"{}\"\n\
         [global.telemetry]\nlog_format = \"json\"\n",
        net::DUT,
        dir.display()
    );
    for (group, export) in [("both", true), ("feeders", false)] {
        let six = if s.v6 { ", \"ipv6_unicast\"" } else { "" };
        let rs = s.peers.iter().any(|p| p.rs_client);
        let _ = writeln!(
            c,
            "[peer_groups.{group}]\nhold_time = {}\nfamilies = [\"ipv4_unicast\"{six}]\n\
             route_server_client = {rs}\ngraceful_restart = false",
            s.hold
        );
        if s.v6 {
            let _ = writeln!(c, "local_ipv6_nexthop = \"{}\"", net::DUT6);
        }
        if !export {
            for (net, le) in [("0.0.0.0/0", 32), ("::/0", 128)].iter().take(1 + s.v6 as usize) {
                let _ = writeln!(
                    c,
                    "[[peer_groups.{group}.export_policy]]\nprefix = \"{net}\"\nle = {le}\n\
                     action = \"deny\""
                );
            }
        }
    }
    for p in &s.peers {
        let group = if p.export { "both" } else { "feeders" };
        let _ = writeln!(
            c,
            "[[dynamic_neighbors]]\nprefix = \"{}/32\"\npeer_group = \"{group}\"\n\
             remote_asn = {}",
            p.addr, p.asn
        );
    }
    c
}
