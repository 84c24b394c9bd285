//! The prompt: editing, history, completion, help at a key.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::{FileHistory, History as _};
use rustyline::validate::Validator;
use rustyline::{
    Cmd, ConditionalEventHandler, Config, Context, Editor, Event, EventContext, EventHandler,
    Helper, KeyCode, KeyEvent, Modifiers, RepeatCount,
};

use crate::expand;

const PROMPT: &str = "dunlin> ";

/// Lines of history kept.
const HISTORY: usize = 1000;

/// What the user did at the prompt.
#[derive(Debug)]
pub(crate) enum Input {
    /// Entered a line.
    Line(String),
    /// Asked for help at the end of this text.
    Help(String),
    /// Is done.
    End,
}

/// The terminal.
pub(crate) struct Terminal {
    editor: Editor<Words, FileHistory>,
    history: Option<PathBuf>,
    /// Set by the key's handler, taken by [`Terminal::read`], on one thread (`Relaxed`); the editor asks
    /// for a handler that could be shared.
    asked: Arc<AtomicBool>,
    /// What was on the line before help was asked for.
    resumed: String,
}

impl Terminal {
    /// Takes hold of the terminal.
    pub(crate) fn new() -> rustyline::Result<Self> {
        let config = Config::builder()
            .max_history_size(HISTORY)?
            .history_ignore_dups(true)?
            .completion_type(rustyline::CompletionType::List)
            .build();
        let mut editor = Editor::with_config(config)?;
        editor.set_helper(Some(Words));
        let asked = Arc::new(AtomicBool::new(false));
        let key = Event::from(KeyEvent(KeyCode::Char('?'), Modifiers::NONE));
        let handler = Box::new(HelpKey { asked: Arc::clone(&asked) });
        editor.bind_sequence(key, EventHandler::Conditional(handler));
        let history = history_path();
        if let Some(path) = &history {
            // There is none the first time.
            let _ = editor.load_history(path);
        }
        Ok(Self { editor, history, asked, resumed: String::new() })
    }

    /// Asks for a line.
    pub(crate) fn read(&mut self) -> rustyline::Result<Input> {
        let start = core::mem::take(&mut self.resumed);
        match self.editor.readline_with_initial(PROMPT, (&start, "")) {
            Ok(line) if self.asked.swap(false, Ordering::Relaxed) => {
                self.resumed.clone_from(&line);
                Ok(Input::Help(line))
            }
            Ok(line) => {
                if !line.trim().is_empty() {
                    self.editor.add_history_entry(&line)?;
                }
                Ok(Input::Line(line))
            }
            // Gives the line up.
            Err(ReadlineError::Interrupted) => Ok(Input::Line(String::new())),
            Err(ReadlineError::Eof) => Ok(Input::End),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(path) = &self.history
            && !self.editor.history().is_empty()
        {
            // A history that cannot be kept is no reason to bother anybody.
            let _ = self.editor.append_history(path);
        }
    }
}

fn history_path() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
    Some(PathBuf::from(home).join(".dunlinc_history"))
}

/// Ends the line at `?`, unless that is inside quotes.
struct HelpKey {
    asked: Arc<AtomicBool>,
}

impl ConditionalEventHandler for HelpKey {
    fn handle(
        &self,
        _event: &Event,
        _count: RepeatCount,
        _positive: bool,
        context: &EventContext<'_>,
    ) -> Option<Cmd> {
        let before = context.line().get(..context.pos()).unwrap_or_default();
        if before.matches('"').count() % 2 == 1 || before.matches('\'').count() % 2 == 1 {
            return None;
        }
        self.asked.store(true, Ordering::Relaxed);
        Some(Cmd::AcceptLine)
    }
}

/// Completes words of commands.
struct Words;

impl Completer for Words {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..position).unwrap_or_default();
        let start = before.len() - expand::split_last(before).1.len();
        let pair = |word: &str| Pair { display: word.to_owned(), replacement: format!("{word} ") };
        Ok((start, expand::completions(before).into_iter().map(pair).collect()))
    }
}

impl Hinter for Words {
    type Hint = String;
}
impl Highlighter for Words {}
impl Validator for Words {}
impl Helper for Words {}
