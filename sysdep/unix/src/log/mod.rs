//! The log: taken on workers, written by a thread of its own.
//!
//! Invariants:
//! * Whoever logs never waits: a message goes into a bounded queue, or is counted as dropped.
//! * Only the writer's thread touches destinations; a slow one delays nobody else.
//! * How many messages were dropped is the next thing that the log says.

mod file;
mod sinks;
mod syslog;
mod writer;

use core::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use core::time::Duration;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::Thread;

use crossbeam_queue::ArrayQueue;
use dunlin_core::config::LogConfig;
use dunlin_core::log::{LogClass, LogTarget};
use dunlin_core::timeformat::{TimeFormat, WallTime};
use dunlin_os::clock;

use self::sinks::Sinks;
use self::writer::{Order, Writer};

/// Messages that may wait for the writer.
const CAPACITY: usize = 4096;

/// How long the end of the daemon waits for the writer, which may wait for somebody else.
const PATIENCE: Duration = Duration::from_millis(200);

/// One message under way.
#[derive(Debug)]
struct Message {
    class: LogClass,
    wall: WallTime,
    /// The worker it comes from, counted from one; 0 for other threads.
    worker: u16,
    text: String,
}

/// What workers and the writer share.
#[derive(Debug)]
struct Shared {
    queue: ArrayQueue<Message>,
    /// Messages that found the queue full. Added to by whoever logs, taken by the writer
    /// (`Relaxed`: a count that publishes nothing).
    dropped: AtomicU64,
    /// Classes that some destination wants. Written by [`Logger::configure`], read by whoever logs
    /// (`Relaxed`: publishes nothing).
    wanted: AtomicU16,
}

/// What there is beside the configuration: flags of the command line.
#[derive(Clone, Debug, Default)]
pub struct LogDefaults {
    /// When everything goes to standard error, whatever is configured (`-d`) or if nothing is.
    pub stderr: StderrUse,
    /// Everything also goes to this file (`-D`).
    pub debug_file: Option<PathBuf>,
    /// Relative paths begin here: a daemon has left the directory it was started in.
    pub directory: PathBuf,
}

/// When standard error is used without a `log stderr`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StderrUse {
    /// Only while the daemon starts.
    #[default]
    Starting,
    /// If no destination is configured, instead of syslog.
    Fallback,
    /// Always, everything: also what a `log stderr` of the configuration leaves out.
    Always,
}

/// The log, as workers use it. There is one; dropping it does not end it, [`Logger::finish`] does.
#[derive(Debug)]
pub struct Logger {
    shared: Arc<Shared>,
    orders: Sender<Order>,
    writer: Thread,
    defaults: LogDefaults,
}

/// Comes when the writer has ended.
#[derive(Debug)]
pub struct LogEnd(Receiver<()>);

impl Logger {
    /// Starts the writer. Until [`Logger::configure`], what is bad goes to standard error.
    ///
    /// # Errors
    /// If the system has no thread for it.
    pub fn start(defaults: LogDefaults) -> io::Result<(Arc<Self>, LogEnd)> {
        let sinks = Sinks::starting();
        let shared = Arc::new(Shared {
            queue: ArrayQueue::new(CAPACITY),
            dropped: AtomicU64::new(0),
            wanted: AtomicU16::new(sinks.classes().0),
        });
        let (orders, received) = mpsc::channel();
        let (ended, end) = mpsc::channel();
        let writer = Writer::new(Arc::clone(&shared), received, sinks);
        let thread = dunlin_os::thread::spawn("log", Some(STACK), move || {
            writer.run();
            // Nobody listens if the daemon has lost patience.
            let _ = ended.send(());
        })?;
        let writer = thread.thread().clone();
        Ok((Arc::new(Self { shared, orders, writer, defaults }), LogEnd(end)))
    }

    /// Puts what a configuration says into force. Files are opened again, so one that was moved
    /// away is begun anew.
    ///
    /// # Errors
    /// If a file cannot be opened; everything else is in force then. The file that it was goes on
    /// being written, and opening is tried again while there is something to write.
    pub fn configure(&self, configs: &[LogConfig], format: &TimeFormat) -> Result<(), String> {
        let (sinks, problems) = Sinks::open(configs, &self.defaults);
        self.shared.wanted.store(sinks.classes().0, Ordering::Relaxed);
        self.order(Order::Sinks(sinks, format.clone()));
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }

    /// The daemon runs: from now on standard error gets only what is configured.
    pub fn started(&self) {
        self.order(Order::Started);
    }

    /// Writes what is waiting and ends the writer; messages that come later are lost.
    pub fn finish(&self, end: &LogEnd) {
        self.order(Order::End);
        // Too late is as good as done: the daemon ends anyway.
        let _ = end.0.recv_timeout(PATIENCE);
    }

    fn order(&self, order: Order) {
        // Without a writer the daemon has ended.
        let _ = self.orders.send(order);
        self.writer.unpark();
    }
}

impl LogTarget for Logger {
    fn wants(&self, class: LogClass) -> bool {
        self.shared.wanted.load(Ordering::Relaxed) & class.bit() != 0
    }

    fn write(&self, class: LogClass, text: String) {
        let message = Message { class, wall: WallTime(clock::wall()), worker: worker(), text };
        if self.shared.queue.push(message).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
        // One swap of a word; a system call only if the writer sleeps.
        self.writer.unpark();
    }
}

/// The writer formats times and file names, no more.
const STACK: usize = 256 << 10;

/// The worker this thread is, counted from one as in `show threads`; 0 if it is none.
fn worker() -> u16 {
    thread_local! {
        static NUMBER: u16 = {
            let thread = std::thread::current();
            let number = thread.name().and_then(|name| name.strip_prefix("worker-"));
            number.and_then(|number| number.parse().ok()).unwrap_or(0)
        };
    }
    NUMBER.with(|number| *number)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use dunlin_core::config::{LogDestination, LogFile};
    use dunlin_core::log::{Log, LogClasses};

    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("dunlin-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn to_file(path: PathBuf, classes: LogClasses) -> LogConfig {
        let file = LogFile { path, rotate: None };
        LogConfig { destination: LogDestination::File(file), classes }
    }

    #[test]
    fn messages_reach_the_files_that_want_them() {
        let directory = directory("classes");
        let (all, bad) = (directory.join("all"), directory.join("bad"));
        let (logger, end) = Logger::start(LogDefaults::default()).unwrap();
        let errors = LogClasses::NONE.with(LogClass::Error);
        let configs = [to_file(all.clone(), LogClasses::ALL), to_file(bad.clone(), errors)];
        logger.configure(&configs, &TimeFormat::iso_long(3)).unwrap();
        let log = Log::new(Arc::clone(&logger) as Arc<dyn LogTarget>);
        log.write(LogClass::Info, format_args!("hello"));
        log.write(LogClass::Error, format_args!("a\nb"));
        logger.finish(&end);
        let text = fs::read_to_string(&all).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        let (time, rest) = lines[0].split_at(23);
        assert_eq!((time.len(), &time[4..5], &time[19..20]), (23, "-", "."), "{text}");
        assert_eq!(rest, " [0000] <INFO> hello");
        assert!(lines[1].ends_with(" [0000] <ERR> a b"), "{text}");
        assert_eq!(fs::read_to_string(&bad).unwrap().lines().count(), 1);
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_is_named() {
        let (logger, end) = Logger::start(LogDefaults::default()).unwrap();
        let config = to_file("/nowhere/at/all".into(), LogClasses::ALL);
        let error = logger.configure(&[config], &TimeFormat::iso_long(3)).unwrap_err();
        assert!(error.contains("/nowhere/at/all"), "{error}");
        logger.finish(&end);
    }

    #[test]
    fn what_was_dropped_is_said() {
        let directory = directory("dropped");
        let path = directory.join("log");
        let (logger, end) = Logger::start(LogDefaults::default()).unwrap();
        let config = to_file(path.clone(), LogClasses::ALL);
        logger.configure(&[config], &TimeFormat::iso_long(3)).unwrap();
        logger.shared.dropped.fetch_add(7, Ordering::Relaxed);
        logger.write(LogClass::Info, "last".to_owned());
        logger.finish(&end);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("<WARN> 7 log messages were dropped"), "{text}");
        assert_eq!(text.lines().count(), 2);
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_flood_never_waits_and_nothing_is_lost_silently() {
        let directory = directory("flood");
        let path = directory.join("log");
        let (logger, end) = Logger::start(LogDefaults::default()).unwrap();
        let config = to_file(path.clone(), LogClasses::ALL);
        logger.configure(&[config], &TimeFormat::iso_long(3)).unwrap();
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let logger = Arc::clone(&logger);
                std::thread::spawn(move || {
                    for number in 0..10_000 {
                        logger.write(LogClass::Info, format!("{thread} {number}"));
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        logger.finish(&end);
        let text = fs::read_to_string(&path).unwrap();
        let mut seen = 0_u64;
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            if line.contains("were dropped") {
                seen += words[4].parse::<u64>().unwrap();
            } else {
                seen += 1;
            }
        }
        assert_eq!(seen, 40_000);
        fs::remove_dir_all(&directory).unwrap();
    }
}
