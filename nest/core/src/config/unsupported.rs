//! Things that BIRD has and Dunlin does not. All of them are read and checked, none in silence: what could
//! change nothing here is a warning; what is not there yet is a warning where a configuration is only read, and
//! an error that names it where it is to run ([`super::load_to_run`]). Who wants to run it all the same
//! gets it without what can be missed; without what else the daemon would do what its configuration forbids,
//! an instance does not start.

use std::sync::Arc;

use dunlin_conf::{Failed, Span};

use super::ConfigParser;

/// Reports that the thing at the cursor is not built yet.
pub fn refuse(parser: &mut ConfigParser, what: &str) -> Failed {
    parser
        .error_here(format!("{what} is not supported yet"))
        .because("Dunlin does not have this so far; take it out, or keep this part on BIRD for now")
}

/// Warns that an option is read and changes nothing. `option`: its words; `place`: where it stands;
/// `reason`: what makes it so, to be read by whoever wrote it.
pub fn no_effect(parser: &mut ConfigParser, place: Span, option: &str, reason: &str) {
    parser.no_effect(place, format!("{option}: accepted, has no effect: {reason}"));
}

/// Warns that an option is read and changes nothing so far, because what it is about is not built.
pub fn no_effect_yet(parser: &mut ConfigParser, place: Span, option: &str) {
    parser
        .no_effect(place, format!("{option}: accepted, has no effect yet"))
        .hint("Dunlin does not have this so far; the rest of the configuration works without it")
        .missing(format!("{option} is not supported yet"));
}

/// Warns that something is read which is not built and without which its protocol must not start; gives
/// what [`InstanceConfig::unbuilt`](crate::protocol::InstanceConfig::unbuilt) is to be.
pub fn unbuilt(parser: &mut ConfigParser, place: Span, what: &str) -> Arc<str> {
    let text = format!("{what} is not supported yet");
    parser
        .no_effect(place, text.clone())
        .hint("a protocol with this is read but does not start, as it would not do what is written")
        .missing(text);
    Arc::from(what)
}
