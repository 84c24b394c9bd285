//! Listings that instances of one type give: `show static`.

use dunlin_runtime::Context;

use super::output::Output;
use super::session::{Desk, Payload, Step, Task};
use crate::manager::{Request, Selection};

/// Asks all chosen instances at once and shows their answers in order, an empty line between.
pub(super) struct ShowInstances {
    kind: &'static str,
    selection: Option<Selection>,
    what: &'static str,
    code: u16,
    /// Answers so far, once their number is known.
    texts: Option<Vec<Option<Vec<String>>>>,
    /// Answers that came before the number did.
    early: Vec<(usize, Vec<String>)>,
}

impl ShowInstances {
    pub(super) fn new(
        kind: &'static str,
        selection: Selection,
        what: &'static str,
        code: u16,
    ) -> Self {
        Self { kind, selection: Some(selection), what, code, texts: None, early: Vec::new() }
    }

    fn ask(&self, desk: &Desk, selection: Selection) {
        let port = desk.port();
        desk.ask(Request::Show {
            kind: self.kind,
            selection,
            what: self.what,
            reply: desk.reply(Payload::Rows),
            each: Box::new(move |index| {
                let port = port.clone();
                crate::protocol::Reply::or_lost(move |text: Option<Vec<String>>| {
                    port(Payload::Text(index, text.unwrap_or_default()));
                })
            }),
        });
    }

    fn put(&mut self, index: usize, text: Vec<String>) {
        match &mut self.texts {
            Some(texts) => {
                if let Some(place) = texts.get_mut(index) {
                    *place = Some(text);
                }
            }
            None => self.early.push((index, text)),
        }
    }
}

impl Task for ShowInstances {
    fn step(
        &mut self,
        _cx: &mut Context<'_>,
        desk: &mut Desk,
        output: &mut Output,
        answer: Option<Payload>,
    ) -> Step {
        if let Some(selection) = self.selection.take() {
            self.ask(desk, selection);
        }
        match answer {
            Some(Payload::Rows(rows)) => {
                self.texts = Some(vec![None; rows.len()]);
                for (index, text) in core::mem::take(&mut self.early) {
                    self.put(index, text);
                }
            }
            Some(Payload::Text(index, text)) => self.put(index, text),
            _ => {}
        }
        let Some(texts) = &self.texts else { return Step::Waiting };
        if texts.iter().any(Option::is_none) {
            return Step::Waiting;
        }
        for (index, text) in texts.iter().flatten().enumerate() {
            if index > 0 {
                output.row(self.code, "");
            }
            text.iter().for_each(|line| output.row(self.code, line));
        }
        output.last(0, "");
        Step::Done
    }
}
