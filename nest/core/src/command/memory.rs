//! `show memory`

use dunlin_rib::slice::{SliceMessage, SliceStatistics};
use dunlin_runtime::{Class, Context};

use super::output::Output;
use super::session::{Desk, Payload, Step, Task};
use crate::manager::MemoryReport;

/// Collects the sizes of all slices, then shows them beside what the allocator says.
#[derive(Default)]
pub(super) struct ShowMemory {
    asked: bool,
    slices: Vec<SliceStatistics>,
}

impl Task for ShowMemory {
    fn step(
        &mut self,
        _cx: &mut Context<'_>,
        desk: &mut Desk,
        output: &mut Output,
        answer: Option<Payload>,
    ) -> Step {
        let slices = &desk.shared().rib.slices;
        if !self.asked {
            self.asked = true;
            // Past what waits to be imported: it is soon said.
            slices.send_all(Class::Control, || {
                let reply = desk.reply(Payload::Slice);
                SliceMessage::Statistics(Box::new(move |statistics| reply.send(statistics)))
            });
        }
        if let Some(Payload::Slice(statistics)) = answer {
            self.slices.push(statistics);
        }
        if self.slices.len() < slices.count() {
            return Step::Waiting;
        }
        let shared = desk.shared();
        let validated = shared.rib.validated.load().memory() as u64;
        lines(&self.slices, validated, shared.host.memory(), output);
        Step::Done
    }
}

/// `validated`: what is published of ROA and ASPA tables.
fn lines(slices: &[SliceStatistics], validated: u64, memory: MemoryReport, output: &mut Output) {
    let sum = |part: fn(&SliceStatistics) -> usize| slices.iter().map(part).sum::<usize>() as u64;
    let tables = sum(|slice| slice.table_bytes) + validated;
    let attributes = sum(|slice| slice.attribute_bytes);
    let rest = memory.allocated.saturating_sub(tables + attributes);
    // Stacks, and what the allocator needs for itself.
    let known = memory.files + memory.active + memory.kept;
    let unknown = memory.resident.saturating_sub(known);
    let effective = memory.allocated + memory.files;
    output.row(1018, "BIRD memory usage");
    output.row(1018, &format!("{:18}{:<9}    {}", "", "Effective", "Overhead"));
    for (name, effective, overhead) in [
        ("Routing tables:", tables, 0),
        ("Route attributes:", attributes, 0),
        ("Everything else:", rest, memory.active.saturating_sub(memory.allocated)),
        ("Program itself:", memory.files, unknown),
        ("Standby memory:", 0, memory.kept),
        ("Total:", effective, memory.resident.saturating_sub(effective)),
    ] {
        output.row(1018, &format!("{name:<17} {}   {}", size(effective), size(overhead)));
    }
    output.row(1018, "");
    output.row(1018, &format!("{:<17} {}", "Active pages:", size(memory.active)));
    output.row(1018, &format!("{:<17} {}", "Kept free pages:", size(memory.kept)));
    output.row(1018, &format!("{:<17} {}", "Cold free pages:", size(memory.retained)));
    output.row(1018, &format!("{:<17} {}", "Resident:", size(memory.resident)));
    output.last(0, "");
}

/// A size in four digits and a fraction, with the unit that fits.
fn size(bytes: u64) -> String {
    let mut tenths = bytes.saturating_mul(10);
    let mut units = " kMGTE".chars();
    let mut unit = units.next();
    while tenths >= 10 * 10 * 1024 {
        tenths = (tenths + 512) / 1024;
        unit = units.next();
    }
    format!("{:4}.{} {}B", tenths / 10, tenths % 10, unit.unwrap_or('?'))
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_as_bird_writes_them() {
        assert_eq!(size(0), "   0.0  B");
        assert_eq!(size(872), " 872.0  B");
        assert_eq!(size(2076 << 10), "2076.0 kB");
        assert_eq!(size(460_800), " 450.0 kB");
        assert_eq!(size(90 << 20), "  90.0 MB");
    }
}
