//! What the kernel says of another thread of this process, for those who watch over it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// A thread of this process, watched from another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    id: u32,
}

/// What a thread has had so far, by the kernel's scheduler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskTimes {
    /// Time on a processor. Brought up to date at each tick of the kernel while it runs.
    pub ran: Duration,
    /// Time it wanted a processor and did not get one; counted when it gets one.
    pub waited: Duration,
}

/// What a thread does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// It runs, or wants to.
    Runnable,
    /// It waits in a system call, or for a page.
    Sleeping,
    /// A debugger or a signal has stopped it.
    Stopped,
    /// It has ended.
    Ended,
}

impl Task {
    /// The thread of this number ([`crate::thread::id`]).
    pub const fn new(id: u32) -> Self {
        Self { id }
    }

    /// What it has had so far.
    ///
    /// # Errors
    /// If the thread has ended, or the kernel keeps no such figures.
    pub fn times(&self) -> io::Result<TaskTimes> {
        self.meter()?.times()
    }

    /// What tells its times again and again, without opening a file each time. It holds a descriptor.
    ///
    /// # Errors
    /// As of [`times`](Self::times).
    pub fn meter(&self) -> io::Result<TaskMeter> {
        File::open(format!("/proc/self/task/{}/schedstat", self.id)).map(TaskMeter)
    }

    /// What it does at the moment.
    pub fn state(&self) -> TaskState {
        let Ok(text) = fs::read_to_string(format!("/proc/self/task/{}/stat", self.id)) else {
            return TaskState::Ended;
        };
        // The name is in brackets, and may have brackets itself.
        let letter = text.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        match letter {
            Some('R') => TaskState::Runnable,
            Some('T' | 't') => TaskState::Stopped,
            Some('X' | 'x' | 'Z') | None => TaskState::Ended,
            Some(_) => TaskState::Sleeping,
        }
    }
}

/// Tells the times of one thread.
#[derive(Debug)]
pub struct TaskMeter(File);

impl TaskMeter {
    /// What the thread has had so far.
    ///
    /// # Errors
    /// As of [`Task::times`].
    pub fn times(&self) -> io::Result<TaskTimes> {
        let mut text = [0; 64]; // three numbers of up to twenty digits
        let length = self.0.read_at(&mut text, 0)?;
        let text = text.get(..length).unwrap_or_default();
        let mut fields = text.split(u8::is_ascii_whitespace).map(number);
        match (fields.next().flatten(), fields.next().flatten()) {
            (Some(ran), Some(waited)) => Ok(TaskTimes { ran, waited }),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "odd schedstat")),
        }
    }
}

/// Nanoseconds in digits.
fn number(digits: &[u8]) -> Option<Duration> {
    std::str::from_utf8(digits).ok()?.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::thread;

    /// Waits for something to become true.
    #[expect(clippy::disallowed_methods, reason = "a test waits for the kernel")]
    fn eventually(mut is_so: impl FnMut() -> bool) {
        for _ in 0..5000 {
            if is_so() {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("not in ten seconds");
    }

    #[test]
    fn a_thread_that_waits_sleeps_and_one_that_has_ended_is_gone() {
        let (tell, told) = channel();
        let (end, ended) = channel::<()>();
        let handle = thread::spawn("sleeper", None, move || {
            tell.send(thread::id()).unwrap();
            let _ = ended.recv();
        })
        .unwrap();
        let task = Task::new(told.recv().unwrap());
        eventually(|| task.state() == TaskState::Sleeping);
        let before = task.times().unwrap();
        assert_eq!(task.times().unwrap().ran, before.ran);
        let meter = task.meter().unwrap();
        assert_eq!(meter.times().unwrap(), before);
        drop(end);
        handle.join().unwrap();
        eventually(|| task.state() == TaskState::Ended);
        assert!(task.times().is_err());
        assert!(meter.times().is_err());
        assert_eq!(Task::new(u32::MAX).state(), TaskState::Ended);
    }

    #[test]
    fn a_thread_that_works_runs() {
        let task = Task::new(thread::id());
        assert_eq!(task.state(), TaskState::Runnable);
        let meter = task.meter().unwrap();
        let before = meter.times().unwrap();
        let begin = thread::cpu_time();
        while thread::cpu_time() - begin < 30_000_000 {
            core::hint::spin_loop();
        }
        let after = meter.times().unwrap();
        assert!(after.ran - before.ran >= Duration::from_millis(15), "{before:?} {after:?}");
        assert!(task.times().unwrap().ran >= after.ran);
    }
}
