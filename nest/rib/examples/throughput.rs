//! What a route costs on its way through the tables.
//!
//! One source announces a million IPv4 routes in sets of eight prefixes, with lengths as in the
//! global table; S slices decide; one group with one member that discards encodes. Figures are CPU
//! time of the workers, by the kernel's scheduler statistics, so that other load on the machine
//! matters little.
//!
//!     cargo run --profile bench-quick -p dunlin-rib --example throughput [-- ROUTES [SLICES [THREADS [STAGES]]]]

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measuring program")]

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use dunlin_attr::{Attrs, AttrsBuilder, BgpNextHop, NextHop, Origin, Rts, kind};
use dunlin_filter::{ChannelFilter, Scratch};
use dunlin_net::as_path::AsPathBuf;
use dunlin_net::{NetType, Prefix, Prefix4};
use dunlin_rib::chunk::Chunk;
use dunlin_rib::counters::ExportDelta;
use dunlin_rib::egress::{EgressMessage, LogReader, LogSink, MemberSpec, Progress};
use dunlin_rib::encode::{Block, Encoder, Nets, Unsendable};
use dunlin_rib::export::{
    Deciding, DeltaBatch, DeltaSink, ExportPolicy, ExportVerdict, Exporter, ExporterKind, OutRoute,
    RouteView,
};
use dunlin_rib::import::{ImportBuilder, ImportCredit, SESSION, Slices};
use dunlin_rib::limits::{LimitKind, TooMany};
use dunlin_rib::registry::{
    GroupFigures, GroupFound, JoinSpec, Registry, RegistryMessage, next_exporter,
};
use dunlin_rib::resolver::Resolver;
use dunlin_rib::slice::{Slice, SliceMessage, SliceStatistics};
use dunlin_rib::source::{ChannelEvents, SourceSpec};
use dunlin_rib::validation::{Validated, ValidatedNow};
use dunlin_rib::{Barrier, MemberId, Peer, SliceId, Source, SourceId, TableId};
use dunlin_runtime::{Address, Class, Context, Loop, Runtime, RuntimeOptions, Time};

const TABLE: TableId = TableId(0);
const PER_SET: usize = 8;
/// Routes that a session gets from one read.
const BURST: usize = 4000;
/// Bytes of batches that a session has under way at most.
const CREDIT: usize = 1 << 20;

fn main() {
    let number = |at: usize, default: usize| {
        std::env::args().nth(at).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (routes, slices, threads) = (number(1, 1_000_000), number(2, 2), number(3, 1));
    let stages = number(4, 3);
    let table = Routes::new(routes);
    println!("{routes} routes, {} sets, {slices} slices, {threads} threads", table.sets.len());
    let decide = stage("import + decide", &table, slices, threads, Listener::None);
    if stages < 2 {
        return;
    }
    let delta = stage("  + deltas", &table, slices, threads, Listener::Sink);
    if stages < 3 {
        return;
    }
    let all = stage("  + egress", &table, slices, threads, Listener::Member);
    println!("deltas {:.0} ns, egress {:.0} ns a route", delta - decide, all - delta);
}

/// What is announced.
struct Routes {
    sets: Vec<Arc<Attrs>>,
    nets: Vec<Prefix4>,
}

impl Routes {
    fn new(count: usize) -> Self {
        let sets = (0..count.div_ceil(PER_SET)).map(make_set).collect();
        // Shares of prefix lengths as in the global table, roughly.
        let lengths = [24, 24, 24, 22, 24, 23, 24, 22, 24, 21, 24, 23, 24, 20, 24, 19];
        let mut next = u32::from(Ipv4Addr::new(1, 0, 0, 0));
        let net = |n: usize| {
            let length = lengths[n % lengths.len()];
            let size = 1_u32 << (32 - length);
            let start = next.next_multiple_of(size);
            next = start + size;
            Prefix4::new(start, length).unwrap()
        };
        let mut nets: Vec<Prefix4> = (0..count).map(net).collect();
        // Neighbouring prefixes mostly have different attributes.
        let mut seed = 7_u64;
        for n in (1..count).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            nets.swap(n, (seed >> 33) as usize % (n + 1));
        }
        Self { sets, nets }
    }
}

fn make_set(n: usize) -> Arc<Attrs> {
    let n = n as u32;
    let mut builder = AttrsBuilder::new(Rts::Bgp);
    builder.set_preference(100);
    builder.set_origin(Origin::Igp);
    let path = [65001, 3356, 1299, 64512 + n % 1000, 10_000 + n];
    builder.set_as_path(AsPathBuf::from_sequence(&path).view()).unwrap();
    builder.set_raw(kind::COMMUNITIES, None, &[0; 16]).unwrap();
    builder.set_next_hop(NextHop::Bgp);
    builder.set_bgp_next_hop(Some(BgpNextHop::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)))));
    builder.finish()
}

enum Listener {
    None,
    Sink,
    Member,
}

/// One run; returns nanoseconds of worker time for a route.
fn stage(name: &str, routes: &Routes, slices: usize, threads: usize, listener: Listener) -> f64 {
    let options = RuntimeOptions { threads, ..RuntimeOptions::default() };
    let runtime = Runtime::new(options).unwrap();
    let world = World::new(&runtime, slices);
    match listener {
        Listener::None => {}
        Listener::Sink => world.add_sink(),
        Listener::Member => drop(world.join(&runtime, 2)),
    }
    world.barrier();
    let credit = ImportCredit::new("routes", CREDIT, None);
    let (slices, source) = (world.slices.clone(), world.source(1));
    let mut builder = ImportBuilder::new(slices, source, Some(Arc::clone(&credit)));
    let count = routes.nets.len() as f64;

    let meter = Meter::start();
    for (n, net) in routes.nets.iter().enumerate() {
        builder.announce(*net, 0, &routes.sets[n / PER_SET]);
        if n % BURST == BURST - 1 {
            send(&mut builder, &credit);
        }
    }
    builder.flush();
    world.barrier();
    world.idle();
    let (cpu, wall) = meter.stop();
    let statistics = world.statistics();
    let bytes: usize = statistics.iter().map(|slice| slice.table_bytes).sum();
    let sets: usize = statistics.iter().map(|slice| slice.attribute_bytes).sum();
    println!(
        "{name:18} {:4.0} ns a route, {:4.0} wall; {:.1} bytes a route + {:.1} for handles of sets",
        cpu / count,
        wall / count,
        bytes as f64 / count,
        sets as f64 / count
    );
    if matches!(listener, Listener::Member) {
        world.more(&runtime, &mut builder, &credit, routes);
    }
    runtime.shutdown();
    cpu / count
}

/// Sends a burst, and waits while the slices have too many, as a session does.
fn send(builder: &mut ImportBuilder<Prefix4>, credit: &ImportCredit) {
    builder.flush();
    while credit.wait_if_full(SESSION, Time::ZERO) {
        std::thread::park_timeout(Duration::from_micros(50));
    }
}

/// Worker time and wall time, in nanoseconds.
struct Meter {
    cpu: u64,
    start: Instant,
}

impl Meter {
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock itself")]
    fn start() -> Self {
        Self { cpu: worker_time(), start: Instant::now() }
    }

    fn stop(self) -> (f64, f64) {
        ((worker_time() - self.cpu) as f64, self.start.elapsed().as_nanos() as f64)
    }
}

/// Time on a processor of all threads but this one.
fn worker_time() -> u64 {
    let own = std::fs::read_link("/proc/thread-self").unwrap();
    let own = own.file_name().unwrap().to_owned();
    let mut sum = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        if task.file_name() == own {
            continue;
        }
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        sum += text.split(' ').next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
    }
    sum
}

struct World {
    slices: Slices,
    registry: Address<RegistryMessage>,
    received: Arc<AtomicU64>,
}

impl World {
    fn new(runtime: &Runtime, slices: usize) -> Self {
        let list = (0..slices).map(|n| {
            runtime.spawn(&format!("slice {n}"), Class::Routing, Slice::new(SliceId(n as u16)))
        });
        let slices = Slices::new(list.collect());
        let resolver = runtime.spawn("resolver", Class::Routing, Resolver::new());
        let registry = runtime.spawn("registry", Class::Routing, Registry::new());
        registry.send(Class::Routing, RegistryMessage::Start(slices.clone())).unwrap();
        slices.send_all(Class::Routing, || SliceMessage::Start {
            slices: slices.clone(),
            resolver: resolver.clone(),
            validated: ValidatedNow::new(Validated::default()),
        });
        let add = || SliceMessage::TableAdd { id: TABLE, net_type: NetType::Ip4 };
        slices.send_all(Class::Routing, add);
        Self { slices, registry, received: Arc::default() }
    }

    fn source(&self, id: u32) -> Arc<Source> {
        let mut source = Source::new(SourceSpec {
            id: SourceId(id),
            table: TABLE,
            protocol: format!("peer{id}").into(),
            kind: Rts::Bgp,
            events: Arc::new(Silent),
        });
        source.import = ChannelFilter::Accept;
        source.peer = Some(Peer {
            address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, id as u8)),
            interface: None,
            router_id: id,
            asn: 65001,
            local_asn: 65000,
            internal: false,
            cluster: None,
            rs_client: false,
        });
        Arc::new(source)
    }

    fn add_sink(&self) {
        let exporter = Exporter {
            id: next_exporter(),
            table: TABLE,
            kind: ExporterKind::Group,
            policy: Arc::new(AcceptAll),
            sink: Arc::new(Silent),
            counters: Arc::default(),
            sharing: Arc::default(),
            limit: None,
        };
        let add = || SliceMessage::ExporterAdd(Box::new(exporter.clone()));
        self.slices.send_all(Class::Routing, add);
    }

    /// A member that discards; waits until it has been fed.
    fn join(&self, runtime: &Runtime, id: u32) -> Address<SessionMessage> {
        let progress: Arc<Progress> = Arc::default();
        let session = Session {
            reader: None,
            progress: Arc::clone(&progress),
            received: Arc::clone(&self.received),
        };
        let session = runtime.spawn(&format!("session {id}"), Class::Routing, session);
        let (fed, wait) = mpsc::channel();
        let spec = JoinSpec {
            table: TABLE,
            net_type: NetType::Ip4,
            policy: Arc::new(AcceptAll),
            encoder: Arc::new(Updates),
            member: MemberSpec {
                sink: Arc::new(ToSession { session: session.clone(), fed }),
                progress,
                source: SourceId(id),
                address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, id as u8)),
                resync: false,
                trace: None,
            },
            limit: None,
            found: Arc::new(Silent),
        };
        self.registry.send(Class::Routing, RegistryMessage::Join(Box::new(spec))).unwrap();
        wait.recv().unwrap();
        session
    }

    /// Waits until the slices have done what was sent.
    fn barrier(&self) {
        let (done, wait) = mpsc::channel();
        let barrier = Arc::new(Barrier::new(self.slices.count(), move || done.send(()).unwrap()));
        self.slices.send_all(Class::Routing, || SliceMessage::Barrier(Arc::clone(&barrier)));
        wait.recv().unwrap();
    }

    /// Waits until nothing more is received.
    fn idle(&self) {
        let mut last = u64::MAX;
        while last != self.received.load(Ordering::Relaxed) {
            last = self.received.load(Ordering::Relaxed);
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    fn statistics(&self) -> Vec<SliceStatistics> {
        let (reply, replies) = mpsc::channel();
        for slice in self.slices.iter() {
            let reply = reply.clone();
            let reply = Box::new(move |statistics| reply.send(statistics).unwrap());
            slice.send(Class::Routing, SliceMessage::Statistics(reply)).unwrap();
        }
        (0..self.slices.count()).map(|_| replies.recv().unwrap()).collect()
    }

    /// A second receiver, the same routes again, new attributes, and withdrawals.
    fn more(
        &self,
        runtime: &Runtime,
        builder: &mut ImportBuilder<Prefix4>,
        credit: &ImportCredit,
        routes: &Routes,
    ) {
        let count = routes.nets.len() as f64;
        println!("{:18} {} bytes received", "", self.received.load(Ordering::Relaxed));
        let meter = Meter::start();
        let _second = self.join(runtime, 3);
        self.idle();
        println!("{:18} {:4.0} ns a route", "second receiver", meter.stop().0 / count);
        let mut run = |name: &str, op: &mut dyn FnMut(&mut ImportBuilder<Prefix4>, usize)| {
            let meter = Meter::start();
            for n in 0..routes.nets.len() {
                op(builder, n);
                if n % BURST == BURST - 1 {
                    send(builder, credit);
                }
            }
            builder.flush();
            self.barrier();
            self.idle();
            println!("{name:18} {:4.0} ns a route", meter.stop().0 / count);
        };
        run("the same again", &mut |builder, n| {
            builder.announce(routes.nets[n], 0, &routes.sets[n / PER_SET]);
        });
        let sets = routes.sets.len();
        run("other attributes", &mut |builder, n| {
            builder.announce(routes.nets[n], 0, &routes.sets[(n / PER_SET + 1) % sets]);
        });
        run("withdrawals", &mut |builder, n| builder.withdraw(routes.nets[n], 0));
    }
}

struct Silent;

impl ChannelEvents for Silent {
    fn limit_hit(&self, _: SourceId, _: LimitKind) {}
    fn refused(&self, _: SourceId, _: TooMany) {}
    fn filter_error(&self, _: SourceId, _: &str) {}
    fn filter_print(&self, _: SourceId, _: &str) {}
}

impl DeltaSink for Silent {
    fn deliver(&self, _: Box<DeltaBatch>) {}
}

impl GroupFound for Silent {
    fn found(&self, _: &GroupFigures) {}
}

struct AcceptAll;

impl ExportPolicy for AcceptAll {
    fn key(&self) -> u64 {
        1
    }
    fn ignores_net(&self) -> bool {
        true
    }
    fn evaluate(&self, _: &mut Scratch, _: RouteView<'_>) -> ExportVerdict {
        ExportVerdict::AsIs
    }
    fn deciding<'a>(&'a self, _: RouteView<'a>) -> Deciding<'a> {
        Deciding::Rules("everything passes")
    }
}

/// Encodes UPDATEs as external BGP would, without prepending.
struct Updates;

const HEADER: usize = 23;
const LENGTH: usize = 4096;

fn put_nets(nets: &mut &[Prefix4], room: usize, out: &mut Vec<u8>) {
    let start = out.len();
    while let Some((net, rest)) = nets.split_first() {
        let bytes = usize::from(net.len().div_ceil(8));
        if out.len() - start + 1 + bytes > room {
            break;
        }
        out.push(net.len());
        out.extend_from_slice(&net.addr().octets()[..bytes]);
        *nets = rest;
    }
}

impl Encoder for Updates {
    fn key(&self) -> u64 {
        1
    }

    fn attributes(&self, route: &OutRoute, block: &mut Vec<u8>) -> Result<Block, Unsendable> {
        block.extend_from_slice(&[0x40, 3, 4, 10, 0, 0, 1]);
        block.extend_from_slice(route.attrs.wire());
        Ok(Block::default())
    }

    fn announce(&self, block: &[u8], nets: Nets<'_>, out: &mut Vec<u8>) -> u32 {
        let Nets::V4(mut nets) = nets else { return 0 };
        let mut messages = 0;
        while !nets.is_empty() {
            out.extend_from_slice(&[0xff; HEADER]);
            out.extend_from_slice(block);
            put_nets(&mut nets, LENGTH - HEADER - block.len(), out);
            messages += 1;
        }
        messages
    }

    fn withdraw(&self, nets: Nets<'_>, out: &mut Vec<u8>) -> u32 {
        let Nets::V4(mut nets) = nets else { return 0 };
        let mut messages = 0;
        while !nets.is_empty() {
            out.extend_from_slice(&[0xff; HEADER]);
            put_nets(&mut nets, LENGTH - HEADER, out);
            messages += 1;
        }
        messages
    }

    fn end_of_rib(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0xff; HEADER]);
    }

    fn nets_of(&self, _: &[u8], _: &mut dyn FnMut(Prefix)) {}
}

enum SessionMessage {
    Joined(MemberId, Address<EgressMessage>),
    Append(Arc<Chunk>),
}

/// Takes everything at once.
struct Session {
    reader: Option<(LogReader, Address<EgressMessage>)>,
    progress: Arc<Progress>,
    received: Arc<AtomicU64>,
}

impl Loop for Session {
    type Message = SessionMessage;

    fn message(&mut self, _: &mut Context<'_>, message: SessionMessage) {
        match message {
            SessionMessage::Joined(member, egress) => {
                let reader = LogReader::new(member, Arc::clone(&self.progress));
                self.reader = Some((reader, egress));
            }
            SessionMessage::Append(chunk) => {
                let Some((reader, egress)) = &mut self.reader else { return };
                let mut poke = reader.push(chunk);
                let bytes: usize = {
                    let mut slices = Vec::new();
                    reader.gather(&mut slices, 64);
                    slices.iter().map(|slice| slice.len()).sum()
                };
                poke |= reader.advance(bytes);
                self.received.fetch_add(bytes as u64, Ordering::Relaxed);
                if poke {
                    let drained = EgressMessage::Drained(reader.member());
                    egress.send(Class::Routing, drained).unwrap();
                }
            }
        }
    }
}

struct ToSession {
    session: Address<SessionMessage>,
    fed: mpsc::Sender<()>,
}

impl LogSink for ToSession {
    fn joined(&self, member: MemberId, egress: Address<EgressMessage>) {
        let _ = self.session.send(Class::Routing, SessionMessage::Joined(member, egress));
    }
    fn refused(&self, _: TooMany) {}
    fn append(&self, chunk: Arc<Chunk>) {
        let _ = self.session.send(Class::Routing, SessionMessage::Append(chunk));
    }
    fn detach(&self) {}
    fn fed(&self, _: &ExportDelta) {
        let _ = self.fed.send(());
    }
}
