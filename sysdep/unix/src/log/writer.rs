//! The thread that writes the log.

use core::sync::atomic::Ordering;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};

use dunlin_core::log::LogClass;
use dunlin_core::timeformat::{TimeFormat, WallTime};
use dunlin_os::clock;

use super::sinks::{Line, Sinks};
use super::{Message, Shared};

/// What the writer is told beside messages.
#[derive(Debug)]
pub(super) enum Order {
    /// Write there from now on, with times in this form.
    Sinks(Sinks, TimeFormat),
    /// The daemon runs.
    Started,
    /// Write what is waiting, then end.
    End,
}

/// See the module.
pub(super) struct Writer {
    shared: Arc<Shared>,
    orders: Receiver<Order>,
    sinks: Sinks,
    format: TimeFormat,
    started: bool,
    /// Local time's offset, and until which second it was worth not asking again.
    zone: (i32, u64),
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, orders: Receiver<Order>, sinks: Sinks) -> Self {
        let format = TimeFormat::iso_long(3);
        Self { shared, orders, sinks, format, started: false, zone: (0, 0) }
    }

    pub(super) fn run(mut self) {
        loop {
            let mut ends = self.obey();
            while let Some(message) = self.shared.queue.pop() {
                // What was ordered before it was said holds for it, even if it has come since.
                ends |= self.obey();
                self.message(&message);
            }
            if self.started {
                // Not before what was said until then is on the terminal.
                self.sinks.end_of_start();
            }
            self.sinks.flush();
            if self.confess() {
                self.sinks.flush();
            }
            if ends {
                return;
            }
            // Whoever pushes unparks afterwards, so a message that came after the last pop ends
            // this at once.
            std::thread::park();
        }
    }

    /// Takes orders; true if one of them is to end.
    fn obey(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Sinks(sinks, format)) => {
                    let old = core::mem::replace(&mut self.sinks, sinks);
                    self.sinks.take_over(old);
                    self.format = format;
                    if self.started {
                        self.sinks.end_of_start();
                    }
                }
                Ok(Order::Started) => self.started = true,
                Ok(Order::End) | Err(TryRecvError::Disconnected) => return true,
                Err(TryRecvError::Empty) => return false,
            }
        }
    }

    fn message(&mut self, message: &Message) {
        let Message { class, wall, worker, text } = message;
        let head = format!("{} [{worker:04x}]", self.time(*wall));
        // A line break would begin a line without head.
        let flat = text.contains(['\n', '\r']).then(|| text.replace(['\n', '\r'], " "));
        let text = flat.as_deref().unwrap_or(text);
        self.sinks.write(&Line { class: *class, wall: *wall, head: &head, text });
    }

    /// Says what was lost, if something was.
    fn confess(&mut self) -> bool {
        let dropped = self.shared.dropped.swap(0, Ordering::Relaxed) + self.sinks.take_lost();
        if dropped > 0 {
            let text = format!("{dropped} log messages were dropped");
            let wall = WallTime(clock::wall());
            self.message(&Message { class: LogClass::Warning, wall, worker: 0, text });
        }
        dropped > 0
    }

    fn time(&mut self, wall: WallTime) -> String {
        let second = wall.0.as_secs();
        // Offsets change at full minutes, if at all.
        if second >= self.zone.1 || second + 60 < self.zone.1 {
            self.zone = (clock::zone_offset(wall.0), second - second % 60 + 60);
        }
        self.format.show(wall, wall, self.zone.0)
    }
}
