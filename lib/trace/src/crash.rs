//! The last records as text from a signal handler, where nothing may be allocated, locked or formatted.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use dunlin_os::clock;
use dunlin_os::crash::{self, Crash, Writer};

use crate::layout::{RECORD, RING_HEADER, ring};
use crate::record::{RecordId, Site, class_name, unpack};
use crate::recorder::Recorder;
use crate::snapshot::first_whole;
use crate::source::Source;

/// How many panics are worth a dump: a panic that is caught may come again and again.
const PANICS: u32 = 4;

/// What is dumped; set once, before the handlers that read it are installed.
static DUMP: OnceLock<(Recorder, u32)> = OnceLock::new();

/// Panics so far. Relaxed: it publishes nothing.
static PANICKED: AtomicU32 = AtomicU32::new(0);

/// From now on a fatal signal, and each of the first few panics, writes the last `last` records of every
/// worker to standard error or where [`crash::set_output`] said. Once per process.
pub fn install_crash_dump(recorder: &Recorder, last: u32) -> io::Result<()> {
    if DUMP.set((recorder.clone(), last)).is_err() {
        let message = "a crash dump is installed";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    crash::install(report_signal)?;
    crash::on_panic(|_, out| {
        if PANICKED.fetch_add(1, Ordering::Relaxed) < PANICS {
            out.text("dunlin: panic in thread ").decimal(dunlin_os::thread::id().into()).text("\n");
            report_rings(out);
        }
    });
    Ok(())
}

fn report_signal(crash: &Crash, out: &mut Writer) {
    out.text("\ndunlin: ").text(crash.name()).text(" in thread ").decimal(crash.thread.into());
    out.text(", address ").hex(crash.address as u64);
    out.text(", instruction ").hex(crash.instruction as u64).text("\n");
    report_rings(out);
}

fn report_rings(out: &mut Writer) {
    let Some((recorder, last)) = DUMP.get() else { return };
    if let Some(path) = recorder.path() {
        out.text("dunlin: flight recorder in ");
        out.bytes(path.as_os_str().as_encoded_bytes()).text("\n");
    }
    recorder.dump(out, *last);
    out.flush();
}

impl Recorder {
    /// Writes the last `last` records of every ring, oldest first, while their owners go on. Async-signal-safe.
    pub fn dump(&self, out: &mut Writer, last: u32) {
        let (words, geometry) = (self.words(), self.header().geometry);
        // What only simulated clocks know is shown as it is.
        let now = self.is_real().then(clock::ticks);
        for number in 0..geometry.rings {
            let start = geometry.ring(number);
            let head = words.word(start + ring::HEAD);
            if head == 0 {
                continue;
            }
            let whole = |head| first_whole(head, geometry.records);
            let first = whole(head).max(head.saturating_sub(last.into()));
            out.text("worker ")
                .decimal(number as u64)
                .text(": ")
                .decimal(head)
                .text(" records, the last ");
            out.decimal(head - first).text(":\n");
            for index in first..head {
                let slot = index as usize & (geometry.records - 1);
                let mut record = [0; RECORD];
                let read = words.read(start + RING_HEADER + slot * RECORD, &mut record);
                // Overwritten meanwhile, perhaps in part.
                if read && index >= whole(words.word(start + ring::HEAD)) {
                    self.dump_record(out, index, record, now);
                }
            }
        }
    }

    fn dump_record(&self, out: &mut Writer, index: u64, record: [u64; RECORD], now: Option<u64>) {
        let raw = unpack(record);
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
        self.dump_site(out, raw.site);
        if raw.loop_id != 0 {
            out.text(" ");
            if let Some(name) = self.header().geometry.loop_names().find(self.words(), raw.loop_id)
            {
                out.bytes(name.bytes()).text(" ");
            }
            out.text("[").decimal(raw.loop_id.into()).text("]");
        }
        out.text(" ").text(class_name(raw.class));
        out.text(" waited ").decimal(scale.nanoseconds(raw.delay)).text(" ns, ");
        match raw.duration {
            None => _ = out.text("not ended"),
            Some(ticks) => _ = out.text("took ").decimal(scale.nanoseconds(ticks)).text(" ns"),
        }
        if raw.argument != 0 {
            out.text(", argument ").decimal(raw.argument.into());
        }
        dump_cause(out, raw.cause);
        out.text("\n");
    }

    fn dump_site(&self, out: &mut Writer, site: Site) {
        if let Some(name) = site.name() {
            out.text(name);
        } else if let Some(name) = self.header().geometry.sites().find(self.words(), site.0.into())
        {
            out.bytes(name.bytes());
        } else {
            out.text("site ").decimal(site.0.into());
        }
    }
}

/// Only the low half of the number is known here, which is all of it for the first four thousand million.
fn dump_cause(out: &mut Writer, cause: RecordId) {
    if !cause.is_none() {
        out.text(", after w").decimal(cause.ring().into()).text(" #").decimal(cause.index().into());
    }
}
