//! What passes a pipe in one direction: whatever its filter accepts.

use dunlin_core::log::{Log, LogClass};
use dunlin_filter::{ChannelFilter, Scratch, Sink, Verdict, apply};
use dunlin_rib::export::{Deciding, ExportPolicy, ExportVerdict, RouteView};

/// See the module.
#[derive(Debug)]
pub struct PipePolicy {
    filter: ChannelFilter,
    rpki_reload: bool,
    /// Where what the filter prints goes.
    log: Log,
}

impl PipePolicy {
    /// The policy of a filter.
    pub fn new(filter: ChannelFilter, log: Log) -> Self {
        Self { filter, rpki_reload: true, log }
    }

    /// The same; `on`: routes pass again when ROA or ASPA tables change that the filter asks.
    #[must_use]
    pub fn with_rpki_reload(self, on: bool) -> Self {
        Self { rpki_reload: on, ..self }
    }
}

/// What filters print goes to the log.
struct ToLog<'a>(&'a Log);

impl Sink for ToLog<'_> {
    fn line(&mut self, text: &str) {
        self.0.write(LogClass::Info, format_args!("{text}"));
    }

    fn wants_lines(&self) -> bool {
        self.0.wants(LogClass::Info)
    }
}

impl ExportPolicy for PipePolicy {
    fn key(&self) -> u64 {
        self.filter.fingerprint()
    }

    fn ignores_net(&self) -> bool {
        let prints = matches!(&self.filter, ChannelFilter::Program(program) if program.prints());
        !self.filter.reads_prefix() && !prints
    }

    fn rechecks(&self, table: &str) -> bool {
        self.rpki_reload && self.filter.asks(table)
    }

    fn evaluate(&self, scratch: &mut Scratch, route: RouteView<'_>) -> ExportVerdict {
        let input = route.input(route.next_hop.for_filters());
        match apply(&self.filter, scratch, &input, &mut ToLog(&self.log)) {
            Verdict::Accept(None) => ExportVerdict::AsIs,
            Verdict::Accept(Some(changed)) => ExportVerdict::Changed(changed),
            Verdict::Reject => ExportVerdict::Filtered,
            Verdict::Error(error) => {
                scratch.report(&error, &self.log);
                ExportVerdict::Filtered
            }
        }
    }

    fn deciding<'a>(&'a self, route: RouteView<'a>) -> Deciding<'a> {
        Deciding::Filter(&self.filter, route.input(route.next_hop.for_filters()))
    }
}
