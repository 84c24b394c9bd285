//! Running import filters.

use std::sync::Arc;

use dunlin_attr::Attrs;
use dunlin_filter::{
    ErrorLog, Program, ResolvedHop, RouteInput, Scratch, Sink, Validation, Verdict, run,
};
use dunlin_net::Network;

use crate::nexthop::NextHopState;
use crate::source::ChannelEvents;
use crate::{Source, SourceId};

/// What an import filter said.
#[derive(Debug)]
pub(crate) struct ImportVerdict {
    /// What of the route goes into the table.
    pub(crate) result: ImportResult,
    /// It holds for all routes of the source with these attributes until the filter changes.
    pub(crate) is_lasting: bool,
}

/// What of a route goes into the table.
#[derive(Debug)]
pub(crate) enum ImportResult {
    /// Nothing: rejected, or the filter failed.
    Reject,
    /// The route, with other attributes if the filter changed any.
    Accept(Option<Arc<Attrs>>),
}

/// Runs the import filter of a source over a route. Where its next hop leads is what is known now:
/// nothing, while the resolver has not answered.
pub(crate) fn import_verdict(
    program: &Program,
    source: &Source,
    scratch: &mut Scratch,
    net: Network,
    attrs: &Arc<Attrs>,
    hop: Option<&NextHopState>,
    validation: &dyn Validation,
) -> ImportVerdict {
    let input = import_input(source, net, attrs, hop_for_filters(hop), validation);
    let result = match run(program, scratch, &input, &mut Prints(source)) {
        Verdict::Accept(changed) => ImportResult::Accept(changed),
        Verdict::Reject => ImportResult::Reject,
        Verdict::Error(error) => {
            scratch.report(&error, &Failures(source.id, Arc::clone(&source.events)));
            ImportResult::Reject
        }
    };
    ImportVerdict { result, is_lasting: scratch.seen().is_lasting() }
}

/// A route as the import filter of its source sees it.
pub fn import_input<'a>(
    source: &'a Source,
    net: Network,
    attrs: &'a Arc<Attrs>,
    hop: ResolvedHop,
    validation: &'a dyn Validation,
) -> RouteInput<'a> {
    RouteInput {
        net,
        attrs,
        protocol: &source.protocol,
        from: source.peer.as_ref().map(|peer| peer.address),
        hop,
        interfaces: validation.interfaces(),
        validation: Some(validation),
    }
}

/// What import filters see of a next hop: nothing of one that needs no resolver.
pub(crate) fn hop_for_filters(hop: Option<&NextHopState>) -> ResolvedHop {
    hop.map_or_else(ResolvedHop::default, NextHopState::for_filters)
}

/// Gives errors of a filter to the channel.
struct Failures(SourceId, Arc<dyn ChannelEvents>);

impl ErrorLog for Failures {
    fn error(&self, text: &str) {
        self.1.filter_error(self.0, text);
    }

    fn keep(&self) -> Box<dyn ErrorLog + Send> {
        Box::new(Self(self.0, Arc::clone(&self.1)))
    }
}

/// Gives what a filter prints to the channel.
struct Prints<'a>(&'a Source);

impl Sink for Prints<'_> {
    fn line(&mut self, text: &str) {
        self.0.events.filter_print(self.0.id, text);
    }

    fn wants_lines(&self) -> bool {
        self.0.events.wants_prints()
    }
}
