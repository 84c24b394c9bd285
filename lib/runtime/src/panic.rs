//! What is known of a panic in a handler.

use core::{any::Any, cell::RefCell, fmt};
use std::panic::PanicHookInfo;

use dunlin_trace::Site;

/// A panic in a handler. Displays as message and place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    /// The kind of the handler: `message`, `timer`, `ready`.
    pub handler: &'static str,
    /// What the panic said.
    pub message: String,
    /// File, line and column, if the panic hook calls [`keep_panic_place`].
    pub place: Option<String>,
}

impl Panic {
    pub(crate) fn new(site: Site, payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self {
            handler: site.name().unwrap_or("nameless"),
            message: text.unwrap_or("no reason given").to_owned(),
            place: PLACE.take(),
        }
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
