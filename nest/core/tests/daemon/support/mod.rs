//! A daemon with toy protocols that say what happens to them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "support of tests")]

#[path = "../../lab/mod.rs"]
mod lab;
mod toy;

use core::ops::Deref;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use dunlin_core::config::Kinds;
use dunlin_core::interfaces::Interfaces;
use dunlin_core::protocol::{Phase, ProtocolKind};

use self::lab::{NoInterfaces, STARTED};
use self::toy::Toy;

const PATIENCE: Duration = Duration::from_secs(10);

/// A running daemon.
pub struct Lab {
    lab: lab::Lab,
    /// What toys say.
    pub events: Receiver<String>,
}

impl Deref for Lab {
    type Target = lab::Lab;

    fn deref(&self) -> &lab::Lab {
        &self.lab
    }
}

impl Lab {
    /// Starts a daemon and waits until all of it runs.
    pub fn start(text: &str) -> Self {
        let lab = Self::try_start(text);
        assert_eq!(lab.code(), STARTED);
        lab
    }

    /// Starts a daemon.
    pub fn try_start(text: &str) -> Self {
        let (sender, events) = mpsc::channel();
        let kind = |keyword, phase| -> Arc<dyn ProtocolKind> {
            Arc::new(Toy { keyword, phase, events: sender.clone() })
        };
        let kinds: Kinds = Arc::new([kind("device", Phase::Device), kind("toy", Phase::Rest)]);
        Self { lab: lab::Lab::begin(kinds, text, Arc::new(NoInterfaces), 1), events }
    }

    /// Asks until the answer is right, as after something that takes its time.
    #[track_caller]
    pub fn until(&self, line: &str, mut right: impl FnMut(&str) -> bool) -> String {
        let mut is_right = false;
        let answer = self.lab.until(line, |answer| {
            is_right = right(answer);
            is_right
        });
        assert!(is_right, "{line} never answered right, last:\n{answer}");
        answer
    }

    /// What toys have said since the last call, up to and with this.
    pub fn events_to(&self, last: &str) -> Vec<String> {
        let mut events = Vec::new();
        while let Ok(event) = self.events.recv_timeout(PATIENCE) {
            events.push(event);
            if events.last().is_some_and(|event| event == last) {
                return events;
            }
        }
        panic!("{last} never happened: {events:?}");
    }

    /// What toys have said since the last call.
    pub fn events_now(&self) -> Vec<String> {
        self.events.try_iter().collect()
    }
}

/// What the toy device finds.
pub fn interfaces() -> Arc<Interfaces> {
    Arc::new(Interfaces::new(vec![lab::interface(3, "veth0", &["10.9.0.1/24"])]))
}
