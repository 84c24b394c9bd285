//! Errors of runs on their way to the log. A filter that fails mostly fails for every route: so many errors are
//! written in a second, and then how many more there were.

use std::fmt;

use crate::input::RunError;

/// Lines in a second, of each loop that runs filters.
const MOST: u32 = 10;

/// Where errors of runs are written.
pub trait ErrorLog {
    /// Writes a line.
    fn error(&self, text: &str);

    /// The same, to be kept until more is known.
    fn keep(&self) -> Box<dyn ErrorLog + Send>;
}

/// The errors of one second.
#[derive(Default)]
pub(crate) struct Errors {
    second: u64,
    written: u32,
    left_out: u64,
    /// Where the first was to be written that was left out.
    log: Option<Box<dyn ErrorLog + Send>>,
}

impl Errors {
    pub(crate) fn report(&mut self, error: &RunError, log: &dyn ErrorLog) {
        if self.written < MOST {
            self.written += 1;
            return log.error(&error.to_string());
        }
        self.left_out += 1;
        self.log.get_or_insert_with(|| log.keep());
    }

    pub(crate) fn at_second(&mut self, second: u64) {
        if second != self.second {
            (self.second, self.written) = (second, 0);
            self.settle();
        }
    }

    pub(crate) fn owes(&self) -> bool {
        self.left_out > 0
    }

    pub(crate) fn settle(&mut self) {
        let left_out = core::mem::take(&mut self.left_out);
        match self.log.take() {
            Some(log) if left_out == 1 => log.error("One more run-time error of a filter"),
            Some(log) => log.error(&format!("{left_out} more run-time errors of filters")),
            None => {}
        }
    }
}

impl fmt::Debug for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Errors").field("left_out", &self.left_out).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::{ErrorLog, Errors};
    use crate::input::RunError;

    struct Lines(Sender<String>);

    impl ErrorLog for Lines {
        fn error(&self, text: &str) {
            self.0.send(text.to_owned()).unwrap();
        }

        fn keep(&self) -> Box<dyn ErrorLog + Send> {
            Box::new(Self(self.0.clone()))
        }
    }

    fn fail(errors: &mut Errors, log: &Lines, times: u32) {
        for line in 1..=times {
            errors.report(&RunError { line, message: "failed".to_owned() }, log);
        }
    }

    fn said(lines: &Receiver<String>) -> Vec<String> {
        lines.try_iter().collect()
    }

    #[test]
    fn ten_errors_in_a_second_are_written_and_then_how_many_more_there_were() {
        let (sender, lines) = channel();
        let (log, mut errors) = (Lines(sender), Errors::default());
        errors.at_second(7);
        fail(&mut errors, &log, 10);
        let first: Vec<String> = (1..=10).map(|n| format!("filters, line {n}: failed")).collect();
        assert_eq!(said(&lines), first);
        assert!(!errors.owes());
        fail(&mut errors, &log, 5000);
        errors.at_second(7);
        assert_eq!(said(&lines), [""; 0]);
        assert!(errors.owes());
        errors.at_second(8);
        assert_eq!(said(&lines), ["5000 more run-time errors of filters"]);
        // The next second has lines of its own.
        fail(&mut errors, &log, 11);
        assert_eq!(said(&lines), first);
        errors.settle();
        assert_eq!(said(&lines), ["One more run-time error of a filter"]);
        errors.at_second(9);
        assert_eq!(said(&lines), [""; 0]);
    }
}
