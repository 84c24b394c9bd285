//! The main thread while the daemon runs: signals, milestones, the end.

use core::fmt;
use core::time::Duration;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc;

use dunlin_core::config::Config;
use dunlin_core::log::{Log, LogClass};
use dunlin_core::manager::{ManagerMessage, Signal as Request};
use dunlin_os::clock;
use dunlin_os::process::Starting;
use dunlin_os::signal::Signal;
use dunlin_runtime::{Address, Class, Loops, Runtime, Survey};
use dunlin_trace::Recorder;
use dunlin_unix::log::{LogEnd, Logger};
use dunlin_unix::pid_file::PidFile;
use dunlin_unix::supervisor::{Happening, Milestone, Supervisor};

use crate::memory::Relief;
use crate::recorder;
use crate::wire::Size;

/// How long the daemon may take to end after a signal. The manager gives protocols a little less; this
/// is for the case that it cannot keep that. Behind it come the loops, the log and what the system takes
/// to free the memory: three seconds in all, with a second of them for a machine that is busy.
const LONGEST_END: Duration = Duration::from_millis(1_700);

/// How long the loops may take to stop when everything worth saying has been said.
const LONGEST_STOP: Duration = Duration::from_millis(200);

/// Records that a signal, or the loss of an essential loop, puts into the log.
const IN_DUMP: usize = 200;

/// Everything that the main thread holds while the daemon runs.
pub(crate) struct Watch {
    pub(crate) supervisor: Supervisor,
    pub(crate) runtime: Runtime,
    pub(crate) manager: Address<ManagerMessage>,
    pub(crate) recorder: Option<Recorder>,
    pub(crate) logger: Arc<Logger>,
    pub(crate) log_end: LogEnd,
    pub(crate) log: Log,
    /// The parent waits for this, if the daemon goes to the background.
    pub(crate) starting: Option<Starting>,
    pub(crate) pid_file: Option<PidFile>,
    /// To be printed when everything has started.
    pub(crate) greeting: Option<Greeting>,
    /// Where the control socket is.
    pub(crate) control: PathBuf,
}

/// How the daemon ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// As the manager said.
    Orderly(i32),
    /// Without the manager.
    Forced,
    /// An essential loop is lost: what the others say is worth nothing any more.
    Broken,
}

impl Watch {
    /// Watches until the daemon ends.
    pub(crate) fn run(mut self) -> ExitCode {
        let end = self.watch();
        self.end(end)
    }

    fn watch(&mut self) -> End {
        let mut relief = Relief::new();
        let mut asked = None;
        let mut look = clock::monotonic() + nanoseconds(relief.interval());
        loop {
            let now = clock::monotonic();
            if asked.is_some_and(|asked| now >= asked + nanoseconds(LONGEST_END)) {
                self.log.write(LogClass::Fatal, format_args!("Shutdown takes too long"));
                return End::Forced;
            }
            if now >= look {
                relief.look();
                look = now + nanoseconds(relief.interval());
                if self.manager.is_stopped() {
                    self.log.write(LogClass::Fatal, format_args!("The manager has stopped"));
                    return End::Forced;
                }
            }
            // While the end is under way, look often enough for its limit.
            let until = asked.map_or(look, |asked| look.min(asked + nanoseconds(LONGEST_END)));
            let timeout = Duration::from_nanos(until.saturating_sub(now)) + TICK;
            match self.supervisor.next(Some(timeout)) {
                Ok(Happening::Nothing) => {}
                Ok(Happening::Milestone(Milestone::Finished(code))) => return End::Orderly(code),
                Ok(Happening::Milestone(Milestone::Broken)) => return End::Broken,
                Ok(Happening::Milestone(Milestone::Started)) => {
                    if let Err(error) = self.started() {
                        self.log.write(LogClass::Fatal, format_args!("Cannot start: {error}"));
                        return End::Orderly(1);
                    }
                }
                Ok(Happening::Signal(signal)) => {
                    if self.signal(signal) && asked.replace(clock::monotonic()).is_some() {
                        self.log.write(LogClass::Warning, format_args!("Asked to end again"));
                        return End::Forced;
                    }
                }
                Err(error) => {
                    self.log.write(LogClass::Fatal, format_args!("Cannot wait: {error}"));
                    return End::Forced;
                }
            }
        }
    }

    /// Everything runs: whoever started the daemon may know.
    fn started(&mut self) -> io::Result<()> {
        if let Some(file) = &mut self.pid_file {
            file.write()?;
        }
        if let Some(starting) = self.starting.take() {
            starting.ready()?;
        }
        if let Some(greeting) = self.greeting.take() {
            println!("{greeting}");
        }
        Ok(())
    }

    /// Passes a signal on; true if it asks for the end.
    fn signal(&self, signal: Signal) -> bool {
        let request = match signal {
            Signal::Hangup => Request::Configure,
            Signal::Terminate => Request::Shutdown("SIGTERM"),
            Signal::Interrupt => Request::Shutdown("SIGINT"),
            Signal::User1 => {
                self.dump();
                return false;
            }
        };
        // A manager that has stopped is noticed elsewhere.
        let _ = self.manager.send(Class::Control, ManagerMessage::Signal(request));
        matches!(request, Request::Shutdown(_))
    }

    /// Puts what the daemon is doing into the log.
    fn dump(&self) {
        // Loops are counted, not described: there may be very many.
        let stats = self.runtime.survey(Survey { loops: Loops::None, handlers: false });
        let report = crate::memory::report();
        let say = |text: fmt::Arguments<'_>| self.log.write(LogClass::Info, text);
        say(format_args!(
            "Dump: {} workers, {} loops, {} bytes allocated",
            stats.workers.len(),
            stats.workers.iter().map(|worker| worker.loops).sum::<usize>(),
            report.allocated
        ));
        for worker in &stats.workers {
            say(format_args!(
                "Worker {:04x}: {} loops, busy {:?}, {} turns, longest handler {:?}, liveness \
                 late {:?}",
                worker.index + 1,
                worker.loops,
                worker.busy,
                worker.turns,
                worker.longest,
                worker.liveness_late
            ));
        }
        self.dump_records();
    }

    fn dump_records(&self) {
        if let Some(recorder) = &self.recorder {
            recorder::dump(recorder, &self.log, IN_DUMP);
        }
    }

    /// Stops everything that still runs, and cleans up.
    fn end(self, end: End) -> ExitCode {
        if end == End::Broken {
            self.abort();
        }
        let stopped = stop(self.runtime);
        if !stopped {
            // Else the manager has removed it.
            let _ = std::fs::remove_file(&self.control);
        }
        if let (End::Orderly(_), Some(recorder)) = (end, &self.recorder) {
            recorder::remove(recorder);
        }
        self.logger.finish(&self.log_end);
        drop(self.pid_file);
        match end {
            End::Orderly(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
            End::Forced | End::Broken => ExitCode::FAILURE,
        }
    }

    /// Ends the process as a crash does, but only when what has happened and what came before it are in
    /// the log. Nothing is asked of the loops, and the recorder keeps its file.
    fn abort(self) -> ! {
        self.log.write(LogClass::Fatal, format_args!("Dunlin cannot go on, and ends"));
        self.dump_records();
        let _ = std::fs::remove_file(&self.control);
        drop(self.pid_file);
        self.logger.finish(&self.log_end);
        std::process::abort()
    }
}

/// Stops the loops; false if they take too long. Then the end of the process stops them.
fn stop(runtime: Runtime) -> bool {
    let (done, wait) = mpsc::channel();
    let stopping = dunlin_os::thread::spawn("stop", None, move || {
        runtime.shutdown();
        // Nobody waits any more if it took too long.
        let _ = done.send(());
    });
    stopping.is_ok() && wait.recv_timeout(LONGEST_STOP).is_ok()
}

/// So that a wait does not end just before what it is for.
const TICK: Duration = Duration::from_millis(1);

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// What the example tells who started it.
#[derive(Debug)]
pub(crate) struct Greeting {
    control: PathBuf,
    size: Size,
    tables: String,
}

impl Greeting {
    pub(crate) fn new(config: &Config, control: &Path, size: Size) -> Self {
        let names: Vec<&str> = config.globals.tables.iter().map(|table| &*table.name).collect();
        Self { control: control.to_owned(), size, tables: names.join(", ") }
    }
}

impl fmt::Display for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (version, control) = (env!("CARGO_PKG_VERSION"), self.control.display());
        let Size { threads, slices } = self.size;
        let workers = if threads == 1 { "worker" } else { "workers" };
        let cut = if slices == 1 { "table slice" } else { "table slices" };
        let tables = &self.tables;
        write!(
            f,
            "\n\
            Dunlin {version} runs its built-in example, because no -c FILE was given:\n\
            \x20 route server    AS 65000 on 127.0.0.1 port 1790 and ::1 port 1790\n\
            \x20 neighbours      anybody from 127.0.0.0/8 and ::1, any AS number\n\
            \x20 tables          {tables}, with a few documentation prefixes\n\
            \x20 control socket  {control}\n\
            \x20 threads         {threads} {workers}, {slices} {cut}\n\
            \n\
            Type next, in another terminal:\n\
            \x20 cargo run --release -p dunlinc           (or dunlinc)  then: show protocols, help, ?\n\
            \x20 birdc -s {control} show route       works too\n\
            Your own configuration: dunlin -f -c FILE.  Ctrl-C ends this one.\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Greeting, Size};
    use crate::reading;

    /// The manual shows what a machine with two processors says.
    #[test]
    fn the_manual_shows_what_the_example_says() {
        let config = reading::EXAMPLE.load(&reading::kinds()).unwrap();
        let size = Size::on(2, None, &config.globals);
        let greeting = Greeting::new(&config, "/run/user/1000/dunlin.ctl".as_ref(), size);
        let manual = include_str!("../../../doc/manual/getting-started.md");
        let greeting = greeting.to_string();
        let lines: Vec<&str> =
            greeting.lines().filter(|line| line.starts_with("  ")).take(5).collect();
        assert_eq!(lines.len(), 5, "{greeting}");
        for line in lines {
            assert!(manual.contains(&format!("\n    {line}\n")), "{line}");
        }
    }
}
