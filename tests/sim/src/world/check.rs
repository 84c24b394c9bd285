//! Comparing what there is with what must be.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use dunlin_core::log::LogClass;
use dunlin_net::Prefix;
use dunlin_rib::registry::{GroupFigures, RegistryMessage};
use dunlin_rib::slice::SliceMessage;
use dunlin_runtime::Class;

use super::World;
use crate::model::Best;

/// How long everything must stay as it should be in the end.
const QUIET: Duration = Duration::from_secs(2);

impl World {
    /// Lets time pass until everybody knows what the model says, and stays that way; then looks at
    /// tables, logs and what speakers complain of. Returns the hash of the trace.
    ///
    /// # Panics
    /// If it does not come to that within `span`.
    pub fn converge(&mut self, span: Duration) -> u64 {
        let limit = self.sim.now() + span;
        while let Some(difference) = self.difference() {
            assert!(self.sim.now() < limit, "no agreement within {span:?}: {difference}");
            self.run(Duration::from_millis(200));
        }
        self.run(QUIET);
        // By chance a few runs had none that came, or none that went.
        while let Some(workers) = self.noise.missing() {
            self.resize(workers);
            self.run(QUIET);
        }
        if let Some(difference) = self.difference() {
            panic!("there was agreement, but now: {difference}");
        }
        self.check_tables();
        self.check_words();
        assert_eq!(self.noise.missing(), None, "workers have come and gone");
        self.sim.trace_hash()
    }

    /// The first speaker that does not know what it should.
    fn difference(&self) -> Option<String> {
        for daemon in 0..self.daemons.len() {
            let best = self.model.best(daemon);
            let here = |at: &usize| {
                let speaker = &self.model.speakers[*at];
                speaker.daemon == daemon && speaker.up
            };
            let mut speakers = (0..self.speakers.len()).filter(here);
            if let Some(difference) = speakers.find_map(|at| self.difference_of(at, &best)) {
                return Some(difference);
            }
        }
        None
    }

    fn difference_of(&self, speaker: usize, best: &BTreeMap<Prefix, Best>) -> Option<String> {
        let seen = self.seen(speaker);
        if !seen.is_fed() {
            let (up, ends) = (seen.up, seen.ends_of_rib);
            return Some(format!("speaker {speaker}: up {up}, End-of-RIB {ends:?}"));
        }
        let mut wanted = self.model.view(speaker, best);
        let same = |(net, path)| seen.routes.get(&net) == Some(path);
        let count = self.model.view(speaker, best).count();
        if seen.routes.len() == count && wanted.all(same) {
            return None;
        }
        let wanted: BTreeMap<_, _> = self.model.view(speaker, best).collect();
        let wrong = |(net, path): &(&Prefix, &crate::model::Path)| wanted.get(net) != Some(path);
        let extra: Vec<_> = seen.routes.iter().filter(wrong).take(5).collect();
        let lacks =
            |(net, path): &(&Prefix, &&crate::model::Path)| seen.routes.get(net) != Some(path);
        let missing: Vec<_> = wanted.iter().filter(lacks).take(5).collect();
        Some(format!(
            "speaker {speaker}: {} routes, not {count}; has {extra:?}, wants {missing:?}",
            seen.routes.len()
        ))
    }

    /// The tables hold what the speakers bring and nothing else: no ghosts.
    fn check_tables(&mut self) {
        for daemon in 0..self.daemons.len() {
            let (networks, routes) = self.table_sizes(daemon);
            assert_eq!(routes, self.model.routes(daemon), "routes of daemon {daemon}");
            assert_eq!(networks, self.model.best(daemon).len(), "networks of daemon {daemon}");
        }
    }

    /// Networks and routes in all tables of a daemon.
    pub fn table_sizes(&mut self, daemon: usize) -> (usize, usize) {
        let sum: Arc<Mutex<(usize, usize, usize)>> = Arc::default();
        let slices = self.daemons[daemon].slices.clone();
        slices.send_all(Class::Routing, || {
            let sum = Arc::clone(&sum);
            SliceMessage::Statistics(Box::new(move |one| {
                let sum = &mut *sum.lock().unwrap();
                sum.0 += one.tables.iter().map(|table| table.networks).sum::<usize>();
                sum.1 += one.tables.iter().map(|table| table.routes).sum::<usize>();
                sum.2 += 1;
            }))
        });
        let answers = slices.count();
        self.until("slices answer", Duration::from_secs(20), |_| sum.lock().unwrap().2 == answers);
        let (networks, routes, _) = *sum.lock().unwrap();
        (networks, routes)
    }

    /// The export groups of a daemon.
    pub fn groups(&mut self, daemon: usize) -> Vec<GroupFigures> {
        let list: Arc<Mutex<Option<Vec<GroupFigures>>>> = Arc::default();
        let reply = Arc::clone(&list);
        let ask = RegistryMessage::List(Box::new(move |groups| {
            *reply.lock().unwrap() = Some(groups);
        }));
        self.daemons[daemon].registry.send(Class::Control, ask).unwrap();
        self.until("the registry answers", Duration::from_secs(20), |_| {
            list.lock().unwrap().is_some()
        });
        list.lock().unwrap().take().unwrap()
    }

    /// Nobody has complained.
    pub fn check_words(&self) {
        for (at, speaker) in self.speakers.iter().enumerate() {
            let seen = speaker.seen.lock().unwrap();
            assert!(seen.trouble.is_empty(), "speaker {at}: {:?}", seen.trouble);
        }
        let reports = self.reports.lock().unwrap();
        assert!(reports.is_empty(), "the runtime: {reports:?}");
        for daemon in &self.daemons {
            let logged = daemon.logged.lock().unwrap();
            let bad =
                |(class, _): &&(LogClass, String)| matches!(class, LogClass::Bug | LogClass::Fatal);
            let bad: Vec<_> = logged.iter().filter(bad).collect();
            assert!(bad.is_empty(), "{}: {bad:?}", daemon.spec.name);
        }
    }

    /// No session of these speakers was ever lost.
    pub fn check_never_lost(&self, speakers: impl IntoIterator<Item = usize>) {
        for at in speakers {
            let seen = self.seen(at);
            assert!(seen.losses.is_empty(), "speaker {at} lost its session: {:?}", seen.losses);
        }
    }

    /// For a run that has failed.
    pub(super) fn print_last_words(&self) {
        for report in &*look(&self.reports) {
            eprintln!("runtime: {report}");
        }
        for daemon in &self.daemons {
            let logged = look(&daemon.logged);
            let skip = logged.len().saturating_sub(30);
            for (class, text) in logged.iter().skip(skip) {
                eprintln!("{} <{}> {text}", daemon.spec.name, class.mark());
            }
        }
        for (at, speaker) in self.speakers.iter().enumerate().take(12) {
            let seen = look(&speaker.seen);
            eprintln!(
                "speaker {at}: up {}, {} sessions, {} routes, {} updates, End-of-RIB {:?}, \
                 losses {:?}, worst gap {:?}, trouble {:?}",
                seen.up,
                seen.sessions,
                seen.routes.len(),
                seen.updates,
                seen.ends_of_rib,
                seen.losses,
                seen.worst_gap,
                seen.trouble
            );
        }
    }
}

/// What is there, whoever panicked while looking at it.
fn look<T>(at: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    at.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
