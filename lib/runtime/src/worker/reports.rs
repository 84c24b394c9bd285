//! What a worker says of handlers that ran for too long or too late.

use dunlin_trace::Site;

use super::Worker;
use crate::{
    dispatch::Dispatch,
    options::{LogLevel, LogRecord},
    stats::{About, Finding, Throttle, Who},
};

/// Which reports may be made.
pub(super) type Reports = Throttle<{ Finding::KINDS }>;

impl Worker {
    /// Reports what the meter has found in the turn that is over.
    #[cold]
    pub(super) fn report_findings(&mut self) {
        for finding in core::mem::take(&mut self.engine.meter.findings) {
            let (site, span) = match finding {
                Finding::Overrun { took, .. } => (Site::OVERRUN, took),
                Finding::Late { late, .. } => (Site::LATE, late),
            };
            let (who, millis) = (finding.who(), u32::try_from(span.as_millis()));
            self.engine.note(site, who.loop_id.number(), millis.unwrap_or(u32::MAX));
            let about = About::handler(who);
            let admitted = self.reports.admit(finding.kind(), about, self.engine.now);
            let Some(held) = admitted else { continue };
            let text = finding.text(&|who| self.name_of(who));
            self.pool.log(&LogRecord {
                level: LogLevel::Warning,
                loop_id: Some(who.loop_id),
                // The text names loops, more than one perhaps.
                loop_name: None,
                text: held.after(text),
            });
        }
    }

    fn cell_of(&self, who: Who) -> Option<&std::sync::Arc<dyn crate::loop_cell::Runnable>> {
        let mut cells = self.loops.iter().flatten().map(|resident| &resident.cell);
        cells.find(|cell| cell.header().id() == who.loop_id)
    }

    fn name_of(&self, who: Who) -> String {
        let place = self.pool.places.find(who.place);
        who.describe(self.cell_of(who).map(|cell| cell.header().name()), place)
    }
}
