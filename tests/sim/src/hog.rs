//! Loops that keep workers busy.

use core::time::Duration;

use dunlin_runtime::{Class, Context, EventId, Loop, Time};

/// A loop that takes `piece` of virtual time for each of its handlers, one after the other, until
/// a moment.
#[derive(Debug)]
pub struct Hog {
    class: Class,
    piece: Duration,
    until: Time,
    event: EventId,
}

impl Hog {
    /// A hog of a class.
    pub fn new(class: Class, piece: Duration, until: Time) -> Self {
        Self { class, piece, until, event: EventId::NONE }
    }
}

impl Loop for Hog {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(self.class);
        cx.schedule(self.event);
        // Starting is of the control class; it must use that turn up, or its first piece is too.
        cx.sim_consume(Duration::from_millis(2));
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        cx.sim_consume(self.piece);
        if cx.now() < self.until {
            cx.schedule(event);
        } else {
            cx.stop_self();
        }
    }
}
