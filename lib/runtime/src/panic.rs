//! Panics of what loops bring along, and what is known of them.
//!
//! Whatever a worker calls that is not the runtime's own goes through [`contain`]: handlers, destructors of messages and
//! states, completions, replies. A panic stops the loop it is of, at most, and never its worker.

use core::{any::Any, cell::RefCell, fmt};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

/// A panic in a handler. Displays as message and place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    /// The kind of the handler: `message`, `timer`, `ready`; or what else of the loop it was.
    pub handler: &'static str,
    /// What the panic said.
    pub message: String,
    /// File, line and column, if the panic hook calls [`keep_panic_place`].
    pub place: Option<String>,
}

impl Panic {
    pub(crate) fn new(handler: &'static str, payload: Box<dyn Any + Send>) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let message = text.unwrap_or("no reason given").to_owned();
        let panic = Self { handler, message, place: PLACE.take() };
        forget(payload);
        panic
    }
}

/// Drops what was panicked with, which may panic again, with something that may panic again: that is not dropped.
fn forget(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        core::mem::forget(again);
    }
}

/// Calls something that is not the runtime's own: a panic ends here.
pub(crate) fn contain<R>(what: &'static str, call: impl FnOnce() -> R) -> Result<R, Panic> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| Panic::new(what, payload))
}

/// Panics while many things are done of which each has to be: the first, and how many there were.
#[derive(Debug, Default)]
pub(crate) struct Panics {
    first: Option<Panic>,
    count: u64,
    /// Some were of what the loop owns: its state, its messages.
    owned: bool,
}

impl Panics {
    /// Drops something that the loop owns.
    pub(crate) fn drop<T>(&mut self, what: &'static str, owned: T) {
        let before = self.count;
        self.contain(what, || drop(owned));
        self.owned |= self.count > before;
    }

    /// Whether something that the loop owned has panicked.
    pub(crate) fn of_owner(&self) -> bool {
        self.owned
    }

    /// As [`contain`].
    pub(crate) fn contain(&mut self, what: &'static str, call: impl FnOnce()) {
        if let Err(panic) = contain(what, call) {
            self.count += 1;
            self.first.get_or_insert(panic);
        }
    }

    /// What there is to say: as in `a message panicked as the loop went: MESSAGE, at PLACE (and 2 more)`.
    pub(crate) fn text(&self) -> Option<String> {
        let first = self.first.as_ref()?;
        let text = format!("{} panicked as the loop went: {first}", first.handler);
        Some(match self.count {
            0 | 1 => text,
            count => format!("{text} (and {} more)", count - 1),
        })
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.place {
            Some(place) => write!(f, ", at {place}"),
            None => Ok(()),
        }
    }
}

thread_local! {
    /// Where this thread panicked last; taken when the panic is caught.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// To be called from the process's panic hook: the place of a panic is known only there. Reports of
/// panics in handlers name it then.
pub fn keep_panic_place(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string);
    // A panic while the thread ends has nobody to report it to.
    let _ = PLACE.try_with(|kept| kept.replace(place));
}
