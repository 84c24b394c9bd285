//! Origins that come and go, and routes that are judged again.

use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use dunlin_net::{NetType, Network, Prefix, Prefix4, Roa4};
use dunlin_runtime::sim::SimRuntime;
use dunlin_runtime::{Address, Class, Context, Loop};
use dunlin_sync::Snapshot;

use super::world::{TABLE, World};
use crate::barrier::Barrier;
use crate::export::{Delta, DeltaBatch, Deltas, OutRoute, To};
use crate::import::{ImportBuilder, Slices};
use crate::nexthop::NextHopState;
use crate::slice::SliceMessage;
use crate::testing::{Kind, Look, Rng, address, attrs, bgp_source, filter, fix_hashes, for_seeds};
use crate::validation::validator::{Settle, ValidatedTable, Validator, ValidatorMessage};
use crate::validation::{Changed, Recheck, Validated};
use crate::walk::{Shown, Walk};
use crate::{ExporterId, SliceId, TableId};

const ROAS: TableId = TableId(1);
const LOOK: Look = Look { local_pref: 100, hops: 1, med: 0 };

/// A validator that follows a table of origins and waits so long, in milliseconds.
fn validator(
    sim: &SimRuntime,
    slices: &Slices,
    validated: &Snapshot<Validated>,
    settle: [u64; 2],
) -> Address<ValidatorMessage> {
    let validator = sim.spawn("validator", Class::Routing, Validator::new(validated.clone()));
    let table = ValidatedTable { id: ROAS, name: "roas".into(), net_type: NetType::Roa4 };
    let [quiet, most] = settle.map(Duration::from_millis);
    for message in [
        ValidatorMessage::Start(slices.clone(), validator.clone()),
        ValidatorMessage::Add(table),
        ValidatorMessage::Settle(ROAS, Settle::EXPORT, Settle { quiet, most }),
    ] {
        validator.send(Class::Routing, message).unwrap();
    }
    validator
}

/// Some ROA around or inside of one of the networks.
fn some_roa(rng: &mut Rng, nets: &[Prefix4]) -> Roa4 {
    let len = 6 + rng.below(20) as u8;
    let around = Prefix4::new(nets[rng.below(nets.len())].bits(), len).unwrap();
    let max_len = len + rng.below(usize::from(33 - len)) as u8;
    Roa4::new(Prefix::V4(around), max_len, rng.below(3) as u32).unwrap()
}

/// Whether a network is let through: RFC 6811, one ROA after the other.
fn passes(roas: &BTreeSet<Roa4>, net: Prefix4) -> bool {
    let net = Prefix::V4(net);
    let mut covering = roas.iter().filter(|roa| roa.prefix().contains(net)).peekable();
    covering.peek().is_none() || covering.any(|roa| roa.asn() == 1 && net.len() <= roa.max_len())
}

#[test]
fn what_is_let_through_is_what_the_origins_say_in_the_end() {
    for_seeds(20, |seed| {
        let mut world = World::new(4, seed, 4_000_000);
        world.slices.send_all(Class::Routing, || SliceMessage::TableAdd {
            id: ROAS,
            net_type: NetType::Roa4,
        });
        let mut rng = Rng::new(seed);
        let settle = [[0, 0], [1, 5], [7, 20]][rng.below(3)];
        validator(&world.sim, &world.slices, &world.validated, settle);
        let peer = world.add_peer_with(Kind::AcceptAll, address(9), None, |source| {
            source.import = filter("where roa_check(roas, net, 1) != ROA_INVALID");
        });
        let origins = Arc::new(bgp_source(77, 77, ROAS.0, &world.events));
        let mut builder: ImportBuilder<Roa4> =
            ImportBuilder::new(world.slices.clone(), origins, None);
        let nets: Vec<Prefix4> = (0..200)
            .map(|_| Prefix4::new((rng.next() as u32) & 0x0fff_ff00, 16 + rng.below(9) as u8))
            .map(Option::unwrap)
            .collect();
        let (mut roas, mut there) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..300 {
            let (roa, net) = (some_roa(&mut rng, &nets), nets[rng.below(nets.len())]);
            match rng.below(6) {
                0 | 1 => {
                    roas.insert(roa);
                    builder.announce(roa, 0, &attrs(LOOK));
                }
                2 => {
                    let any = roas.iter().nth(rng.below(roas.len() + 1)).copied();
                    if let Some(gone) = any {
                        roas.remove(&gone);
                        builder.withdraw(gone, 0);
                    }
                }
                3 => {
                    there.remove(&net);
                    world.withdraw(peer, net, 0);
                }
                _ => {
                    there.insert(net);
                    world.announce(peer, net, 0, LOOK);
                }
            }
            builder.flush();
            world.flush(peer);
            if rng.one_in(3) {
                world.run(rng.below(9) as u64);
            }
        }
        world.run(200);
        let passing = there.iter().filter(|net| passes(&roas, **net));
        let wanted: BTreeSet<Network> = passing.map(|net| Network::V4(*net)).collect();
        let found = world.walk(TABLE, &Walk::All { cursor: 0 }, Shown::Accepted);
        let found: BTreeSet<Network> = found.iter().map(|net| net.net).collect();
        assert_eq!(found, wanted);
        assert!(!wanted.is_empty() && wanted.len() < there.len(), "nothing is told apart");
    });
}

/// What a slice was asked to judge, with whom to tell.
type Asked = Arc<Mutex<Vec<(Arc<Recheck>, Arc<Barrier>)>>>;

/// A slice that does not judge by itself.
#[derive(Debug, Default)]
struct Busy {
    follower: Arc<Mutex<Option<ExporterId>>>,
    asked: Asked,
}

impl Loop for Busy {
    type Message = SliceMessage;

    fn message(&mut self, _: &mut Context<'_>, message: SliceMessage) {
        match message {
            SliceMessage::ExporterAdd(exporter) => {
                *self.follower.lock().unwrap() = Some(exporter.id);
            }
            SliceMessage::Recheck { recheck, done } => {
                self.asked.lock().unwrap().push((recheck, done));
            }
            _ => {}
        }
    }
}

/// One more origin.
fn change(exporter: ExporterId, number: u32) -> ValidatorMessage {
    let prefix = Prefix::V4(Prefix4::new(number << 8, 24).unwrap());
    let key = Roa4::new(prefix, 24, 1).unwrap();
    let source = bgp_source(1, 1, ROAS.0, &Arc::default());
    let next_hop = NextHopState::Unreachable;
    ValidatorMessage::Changes(Box::new(DeltaBatch {
        slice: SliceId(0),
        exporter,
        burst: None,
        again: false,
        routes: vec![OutRoute { attrs: attrs(LOOK), source: Arc::new(source), next_hop }],
        deltas: Deltas::Roa4(vec![Delta { key, path_id: 0, route: 0, to: To::All }]),
        feed: None,
        query: None,
        told: Vec::new(),
    }))
}

#[test]
fn slices_that_are_slow_to_judge_are_asked_once_for_all_that_has_changed_since() {
    fix_hashes();
    let mut sim = SimRuntime::new(1);
    let busy = Busy::default();
    let (follower, asked) = (Arc::clone(&busy.follower), Arc::clone(&busy.asked));
    let slices = Slices::new(vec![sim.spawn("slice", Class::Routing, busy)]);
    let validator = validator(&sim, &slices, &Snapshot::new(Validated::default()), [1, 2]);
    sim.run_for(Duration::from_millis(1));
    let exporter = follower.lock().unwrap().unwrap();
    let mut changes = |numbers: core::ops::Range<u32>| {
        for number in numbers {
            validator.send(Class::Routing, change(exporter, number)).unwrap();
            sim.run_for(Duration::from_millis(10));
        }
    };
    let count = || asked.lock().unwrap().len();
    let prefixes = |at: usize| match &asked.lock().unwrap()[at].0.changed {
        Changed::Inside(prefixes) => prefixes.len(),
        Changed::All => panic!("all families"),
    };
    changes(0..1);
    assert_eq!((count(), prefixes(0)), (1, 1));
    // It has not said that it is ready.
    changes(1..50);
    assert_eq!(count(), 1);
    asked.lock().unwrap()[0].1.arrive();
    sim.run_for(Duration::from_millis(10));
    assert_eq!((count(), prefixes(1)), (2, 49));
    // Nothing has changed since.
    asked.lock().unwrap()[1].1.arrive();
    sim.run_for(Duration::from_secs(1));
    assert_eq!(count(), 2);
}
