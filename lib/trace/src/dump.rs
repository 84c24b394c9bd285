//! Records as text from a signal handler: only reads of memory and the [`Writer`].

use dunlin_os::clock;
use dunlin_os::crash::Writer;
use dunlin_sync::words::Words;

use crate::layout;
use crate::record::{Raw, RecordId, Site, class_name, move_of, unpack, worker_number};
use crate::recorder::Recorder;

/// So many records are looked at to find the handler that a worker is in: what it notes meanwhile comes behind.
const LOOKED_BACK: u64 = 256;

/// All of this is async-signal-safe.
impl Recorder {
    /// Writes what is known of the program.
    pub(crate) fn dump_program(&self, out: &mut Writer) {
        let words = self.words();
        out.text("Process: ").decimal(self.header().process.into()).text("\n");
        let length = words.word(layout::FACTS_LENGTH).min(layout::FACTS_WORDS as u64 * 8) as usize;
        if length > 0 {
            out.text("Program: ");
            for word in 0..length.div_ceil(8) {
                let bytes = words.word(layout::FACTS + word).to_ne_bytes();
                out.bytes(bytes.get(..(length - word * 8).min(8)).unwrap_or_default());
            }
            out.text("\n");
        }
        let configuration = words.word(layout::CONFIGURATION);
        if configuration != 0 {
            out.text("Configuration: ").hex_padded(configuration).text("\n");
        }
        if let Some(path) = self.path() {
            out.text("Flight recorder: ");
            out.bytes(path.as_os_str().as_encoded_bytes()).text("\n");
        }
    }

    /// Writes for every worker which handler it is in, for how long, and who asked for that.
    pub(crate) fn dump_running(&self, out: &mut Writer) {
        for number in 0..self.header().geometry.rings {
            let ring = self.header().geometry.ring(number);
            let (owner, head) = (ring.owner(self.words()), ring.head(self.words()));
            if head == 0 {
                continue;
            }
            out.text("  worker ").decimal(number as u64 + 1);
            match owner {
                0 => _ = out.text(" (ended)"),
                _ => _ = out.text(" (thread ").decimal(owner).text(")"),
            }
            self.dump_running_of(out, number, head);
            out.text("\n");
        }
    }

    fn dump_running_of(&self, out: &mut Writer, number: usize, head: u64) {
        let mut panicked = false;
        for back in 1..=LOOKED_BACK.min(head) {
            let Some(raw) = self.raw(number, head - back) else { break };
            panicked |= raw.site == Site::PANIC;
            // A call has ended before the handler that made it.
            let is_inner = raw.site == Site::CALL && raw.duration.is_some();
            if !raw.site.is_handler() || is_inner {
                continue;
            }
            if raw.duration.is_some() {
                out.text(": between handlers, after #").decimal(head - back);
            } else {
                out.text(if panicked { ": after a panic in #" } else { ": in #" });
                out.decimal(head - back).text(" ");
                self.dump_what(out, &raw);
                out.text(" ").text(class_name(raw.class));
                if self.is_real() {
                    let took = clock::ticks().saturating_sub(raw.at);
                    out.text(" since ").decimal(self.header().scale.nanoseconds(took)).text(" ns");
                }
                self.dump_place(out, raw.place);
                self.dump_cause(out, raw.cause);
            }
            return;
        }
        out.text(": nothing is known");
    }

    /// Writes the last `last` records of every ring, oldest first, while their owners go on.
    pub fn dump(&self, out: &mut Writer, last: u32) {
        let geometry = self.header().geometry;
        // What only simulated clocks know is shown as it is.
        let now = self.is_real().then(clock::ticks);
        for number in 0..geometry.rings {
            let ring = geometry.ring(number);
            let head = ring.head(self.words());
            if head == 0 {
                continue;
            }
            let first = ring.first_whole(head).max(head.saturating_sub(last.into()));
            out.text("worker ").decimal(number as u64 + 1).text(": ").decimal(head);
            out.text(" records, the last ").decimal(head - first).text(":\n");
            for index in first..head {
                if let Some(raw) = self.raw(number, index) {
                    self.dump_record(out, index, &raw, now);
                }
            }
        }
    }

    /// A record, unless it is overwritten, perhaps in part.
    fn raw(&self, number: usize, index: u64) -> Option<Raw> {
        self.header().geometry.ring(number).read(self.words(), index).map(unpack)
    }

    fn dump_record(&self, out: &mut Writer, index: u64, raw: &Raw, now: Option<u64>) {
        let scale = &self.header().scale;
        match now {
            Some(now) => {
                let ago = scale.nanoseconds(now.saturating_sub(raw.at));
                out.text("  -").decimal(ago / 1_000_000_000).text(".");
                out.padded(ago % 1_000_000_000, 9);
            }
            None => _ = out.text("  ").decimal(scale.monotonic(raw.at)),
        }
        out.text(" #").decimal(index).text(" ");
        self.dump_what(out, raw);
        out.text(" ").text(class_name(raw.class));
        out.text(" waited ").decimal(scale.nanoseconds(raw.delay)).text(" ns, ");
        match raw.duration {
            None => _ = out.text("not ended"),
            Some(ticks) => _ = out.text("took ").decimal(scale.nanoseconds(ticks)).text(" ns"),
        }
        dump_argument(out, raw);
        self.dump_place(out, raw.place);
        self.dump_cause(out, raw.cause);
        out.text("\n");
    }

    /// The site and the loop.
    fn dump_what(&self, out: &mut Writer, raw: &Raw) {
        let (words, geometry) = (self.words(), self.header().geometry);
        if let Some(name) = raw.site.name() {
            out.text(name);
        } else if let Some(name) = geometry.sites().find(words, raw.site.0.into()) {
            out.bytes(name.bytes());
        } else {
            out.text("site ").decimal(raw.site.0.into());
        }
        if raw.loop_id != 0 {
            out.text(" ");
            if let Some(name) = geometry.loop_names().find(words, raw.loop_id) {
                out.bytes(name.bytes()).text(" ");
            }
            out.text("[").decimal(raw.loop_id.into()).text("]");
        }
    }

    /// Where in the program it was asked for.
    fn dump_place(&self, out: &mut Writer, place: u16) {
        if place == 0 {
            return;
        }
        if let Some(name) = self.header().geometry.places().find(self.words(), place.into()) {
            out.text(", asked at ").bytes(name.bytes());
        }
    }

    /// Who asked for it. Only the low half of the number is known here, which is all of it for the first four
    /// thousand million; after that the cause is not looked up.
    fn dump_cause(&self, out: &mut Writer, cause: RecordId) {
        if cause.is_none() {
            return;
        }
        let worker = worker_number(cause.ring());
        out.text(", after w").decimal(worker.into()).text(" #").decimal(cause.index().into());
        if usize::from(cause.ring()) < self.header().geometry.rings
            && let Some(raw) = self.raw(cause.ring().into(), cause.index().into())
        {
            out.text(" ");
            self.dump_what(out, &raw);
        }
    }
}

/// The argument, as far as it says anything.
fn dump_argument(out: &mut Writer, raw: &Raw) {
    match raw.site {
        Site::LEAVE | Site::ARRIVE => {
            let (worker, reason) = move_of(raw.argument);
            out.text(if raw.site == Site::LEAVE { ", to " } else { ", from " });
            match worker {
                u16::MAX => _ = out.text("another"),
                worker => _ = out.text("w").decimal(worker_number(worker).into()),
            }
            reason.map(|reason| out.text(", ").text(reason));
        }
        Site::SPAWN => {}
        _ if raw.argument == 0 => {}
        _ => _ = out.text(", argument ").decimal(raw.argument.into()),
    }
}
