//! Running import filters.

use std::sync::Arc;

use dunlin_attr::Attrs;
use dunlin_filter::{Program, ResolvedHop, RouteInput, Scratch, Sink, Verdict, run};
use dunlin_net::Prefix;

use crate::Source;
use crate::nexthop::NextHopState;

/// What an import filter said.
#[derive(Debug)]
pub(crate) enum ImportVerdict {
    /// Rejected, or the filter failed.
    Reject,
    /// Accepted, with other attributes if it changed any.
    Accept(Option<Arc<Attrs>>),
}

/// Runs the import filter of a source over a route. Where its next hop leads is what is known now:
/// nothing, while the resolver has not answered.
pub(crate) fn import_verdict(
    program: &Program,
    source: &Source,
    scratch: &mut Scratch,
    net: Prefix,
    attrs: &Arc<Attrs>,
    hop: Option<&NextHopState>,
) -> ImportVerdict {
    let input = RouteInput {
        net,
        attrs,
        protocol: &source.protocol,
        from: source.peer.as_ref().map(|peer| peer.address),
        hop: hop.map_or_else(ResolvedHop::default, NextHopState::for_filters),
        interfaces: None,
        validation: None,
    };
    match run(program, scratch, &input, &mut Prints(source)) {
        Verdict::Accept(changed) => ImportVerdict::Accept(changed),
        Verdict::Reject => ImportVerdict::Reject,
        Verdict::Error(error) => {
            source.events.filter_error(source.id, &error.to_string());
            ImportVerdict::Reject
        }
    }
}

/// Gives what a filter prints to the channel.
struct Prints<'a>(&'a Source);

impl Sink for Prints<'_> {
    fn line(&mut self, text: &str) {
        self.0.events.filter_print(self.0.id, text);
    }
}
