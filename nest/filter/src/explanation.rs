//! What a run did, step by step, for people who ask why.

use std::fmt::Write as _;

use dunlin_conf::{SourceMap, Span};

use crate::{input::Verdict, run::What};

/// Characters that are shown of a piece of the program's text.
const MAX_TEXT: usize = 160;

/// A run that was watched.
#[derive(Debug)]
pub struct Explanation {
    /// What the filter says of the route.
    pub verdict: Verdict,
    /// Where it was said: the `accept` or `reject`, or what failed. None if the filter is none of the
    /// configuration (`all`, `none`) or was over without a verdict.
    pub decided: Option<Span>,
    /// What happened, in the order in which it began.
    pub steps: Vec<Step>,
    /// Steps that were too many to be kept. The last ones are missing, but never the one that decided.
    pub left_off: usize,
}

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is about.
    pub what: What,
    /// How many steps it is inside of.
    pub depth: usize,
    /// Where it is: the start of this span of the program's text.
    pub place: Span,
    /// The text to show: an expression, what is set or removed, a call, labels.
    pub text: Span,
    /// What came out: the value, the line that is printed, the message of a failure. None if it has
    /// none, or the run was over before it had one.
    pub value: Option<String>,
    /// What was read for it, in this order.
    pub read: Vec<Read>,
}

/// A value that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The variable, attribute or method.
    pub text: Span,
    /// Its value then.
    pub value: String,
}

impl Step {
    /// The program's own words, with single blanks.
    #[must_use]
    pub fn text(&self, sources: &SourceMap) -> String {
        one_line(sources.text(self.text))
    }

    /// What happened, in one line: the program's own words, and the values.
    #[must_use]
    pub fn line(&self, sources: &SourceMap) -> String {
        let text = self.text(sources);
        let value = self.value.as_deref();
        let mut line = match (self.what, value) {
            (What::Condition | What::Operand | What::Call, Some(value)) => is(&text, value),
            (What::Condition | What::Operand | What::Call | What::Unset, _) => text,
            (What::Case, Some(value)) => format!("case {}", is(&text, value)),
            (What::Case, None) => format!("case {text}"),
            (What::Arm, _) => format!("arm {}", text.trim_end_matches(':')),
            (What::Loop, value) => format!("{text}: {}", value.unwrap_or_default()),
            (What::Set, Some(value)) => format!("{text} = {value}"),
            (What::Set, None) => format!("{text} ="),
            (What::Return, Some(value)) => format!("return {}", is(&text, value)),
            (What::Return, None) => format!("return {text}"),
            (What::Print, value) => format!("print: {}", value.unwrap_or_default()),
            (What::Accept, _) => "accept".to_owned(),
            (What::Reject, _) => "reject".to_owned(),
            (What::Fault, value) => format!("fails: {}", value.unwrap_or_default()),
            (What::End, value) => format!("ends: {}", value.unwrap_or_default()),
        };
        for (index, read) in self.read.iter().enumerate() {
            let before = if index == 0 { " (" } else { ", " };
            let text = read.text(sources);
            // Writing to a string cannot fail.
            let _ = write!(line, "{before}{text} = {}", read.value);
        }
        if !self.read.is_empty() {
            line.push(')');
        }
        line
    }
}

impl Read {
    /// The program's own words.
    #[must_use]
    pub fn text(&self, sources: &SourceMap) -> String {
        one_line(sources.text(self.text))
    }
}

/// An expression and its value, unless it says the value itself.
fn is(text: &str, value: &str) -> String {
    if text == value { text.to_owned() } else { format!("{text} is {value}") }
}

/// A place as messages have it: `FILE:LINE:COL`.
#[must_use]
pub fn place(sources: &SourceMap, span: Span) -> String {
    let at = sources.position(span);
    format!("{}:{}:{}", sources.name(span), at.line, at.column)
}

/// A text with single blanks, and not too long.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if let Some((end, _)) = line.char_indices().nth(MAX_TEXT) {
            line.truncate(end);
            line.push_str("...");
            break;
        }
    }
    line
}
