//! One handler of a loop that is about to run: which, and why.

use std::sync::Arc;

use dunlin_sync::Class;
use dunlin_trace::{RecordId, Site};

use crate::{
    ask::Ask,
    cause::Stamp,
    driver::Done,
    ids::{Key, SocketId, Thing},
    loop_cell::Runnable,
    runloop::Ready,
    time::Time,
    timer::Expired,
};

/// One handler to run.
pub(crate) enum Step<M> {
    Start,
    Message(M, Stamp),
    Timer(Expired),
    Event(Key, Class, Stamp),
    Ready(SocketId, Ready, Class, Time),
    Work(Key, Class, Stamp),
    Job(Key),
    Ask(Ask, Stamp),
    Stop,
}

impl<M> Step<M> {
    /// Whose handler it is, if that can be cancelled.
    #[inline]
    pub(crate) fn thing(&self) -> Option<Thing> {
        match self {
            Self::Timer(expired) => Some(Thing::Timer(expired.timer.0)),
            Self::Event(key, ..) => Some(Thing::Event(*key)),
            Self::Work(key, ..) => Some(Thing::Work(*key)),
            Self::Start
            | Self::Message(..)
            | Self::Ready(..)
            | Self::Job(_)
            | Self::Ask(..)
            | Self::Stop => None,
        }
    }

    #[inline]
    pub(crate) fn describe(&self, own: &Arc<dyn Runnable>, now: Time) -> Done {
        let none = RecordId::NONE;
        let (site, class, since, cause, argument) = match self {
            Self::Start => (Site::START, Class::Control, Time::ZERO, own.header().asked(), 0),
            Self::Stop => (Site::STOP, Class::Control, Time::ZERO, none, 0),
            Self::Ask(_, stamp) => (Site::ASK, Class::Control, stamp.sent, stamp.record, 0),
            Self::Message(_, stamp) => (Site::MESSAGE, stamp.class, stamp.sent, stamp.record, 0),
            Self::Timer(expired) => {
                (Site::TIMER, expired.class, expired.due, expired.cause, expired.timer.0.index)
            }
            Self::Event(key, class, stamp) => {
                (Site::EVENT, *class, stamp.sent, stamp.record, key.index)
            }
            Self::Ready(socket, _, class, since) => {
                (Site::READY, *class, *since, none, socket.0.index)
            }
            Self::Work(key, class, stamp) => {
                (Site::WORK, *class, stamp.sent, stamp.record, key.index)
            }
            Self::Job(key) => (Site::JOB, Class::Bulk, Time::ZERO, none, key.index),
        };
        let waited = since != Time::ZERO;
        let since = if waited { since.min(now) } else { now };
        let (loop_id, kind) = (own.header().id(), own.header().kind());
        Done { site, class, since, waited, cause, argument, loop_id, kind, began: now }
    }
}
