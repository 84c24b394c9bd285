//! A conversation with the daemon: commands in, text out.

use std::io::{self, BufRead, Write};

use crate::connection::{Connection, End};
use crate::expand::{self, Meaning};
use crate::reply::is_failure;
use crate::terminal::{Input, Terminal};

/// Why there is nothing more to do.
#[derive(Debug)]
pub(crate) enum Ended {
    /// As the user wished; whether the last command succeeded.
    Done(bool),
    /// The daemon closed the connection.
    Closed,
}

/// What a line came to.
enum Outcome {
    /// It is done; whether it succeeded.
    Done(bool),
    /// The user wants to leave.
    Quit,
    /// The daemon closed the connection.
    Closed,
}

/// See the module.
pub(crate) struct Session<W: Write> {
    connection: Connection,
    out: W,
    verbose: bool,
}

impl<W: Write> Session<W> {
    /// Begins: reads the greeting, and restricts itself if asked to. Nothing if the daemon hangs up.
    pub(crate) fn begin(
        connection: Connection,
        out: W,
        verbose: bool,
        restrict: bool,
    ) -> io::Result<Option<Self>> {
        let mut session = Self { connection, out, verbose };
        if session.reply()? == End::Closed {
            return Ok(None);
        }
        if restrict {
            session.connection.send("restrict")?;
            if session.reply()? == End::Closed {
                return Ok(None);
            }
        }
        Ok(Some(session))
    }

    /// Runs one command.
    pub(crate) fn once(&mut self, line: &str) -> io::Result<Ended> {
        Ok(match self.line(line)? {
            Outcome::Done(success) => Ended::Done(success),
            Outcome::Quit => Ended::Done(true),
            Outcome::Closed => Ended::Closed,
        })
    }

    /// Runs commands from a terminal.
    pub(crate) fn interactive(&mut self) -> io::Result<Ended> {
        let mut terminal = Terminal::new().map_err(io::Error::other)?;
        let mut success = true;
        loop {
            match terminal.read().map_err(io::Error::other)? {
                Input::End => return Ok(Ended::Done(success)),
                Input::Help(text) => {
                    help(&mut self.out, &expand::help(&text))?;
                }
                Input::Line(line) => {
                    let verbose = self.verbose;
                    let out = &mut self.out;
                    // What the daemon said while the user was typing.
                    let open = self.connection.notices(|line| put(out, line.shown(verbose)))?;
                    self.out.flush()?;
                    match self.line(&line) {
                        _ if !open => return Ok(Ended::Closed),
                        Ok(Outcome::Done(done)) => success = done,
                        Ok(Outcome::Quit) => return Ok(Ended::Done(success)),
                        Ok(Outcome::Closed) => return Ok(Ended::Closed),
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }

    /// Runs commands from a file or pipe, one a line; `#` begins a comment.
    pub(crate) fn script(&mut self, input: impl BufRead) -> io::Result<Ended> {
        let mut success = true;
        for line in input.lines() {
            let line = line?;
            if line.trim_start().starts_with('#') {
                continue;
            }
            match self.line(&line)? {
                Outcome::Done(done) => success = done,
                Outcome::Quit => break,
                Outcome::Closed => return Ok(Ended::Closed),
            }
        }
        Ok(Ended::Done(success))
    }

    fn line(&mut self, line: &str) -> io::Result<Outcome> {
        let line = line.trim();
        if line.is_empty() {
            return Ok(Outcome::Done(true));
        }
        if let Some(success) = local(&mut self.out, line)? {
            return Ok(Outcome::Done(success));
        }
        match expand::meaning(line) {
            Meaning::Command(command) if command == "quit" || command == "exit" => {
                Ok(Outcome::Quit)
            }
            Meaning::Command(command) => self.command(&command),
            other => {
                unknown(&mut self.out, line, &other)?;
                Ok(Outcome::Done(false))
            }
        }
    }

    fn command(&mut self, command: &str) -> io::Result<Outcome> {
        self.connection.send(command)?;
        Ok(match self.reply()? {
            End::Complete(code) => Outcome::Done(!is_failure(code)),
            End::Closed => Outcome::Closed,
        })
    }

    fn reply(&mut self) -> io::Result<End> {
        let (out, verbose) = (&mut self.out, self.verbose);
        let end = self.connection.reply(|line| put(out, line.shown(verbose)))?;
        self.out.flush()?;
        Ok(end)
    }
}

/// Answers what needs no daemon: `help` and lines that end in `?`. Nothing if it is not that.
pub(crate) fn local(out: &mut impl Write, line: &str) -> io::Result<Option<bool>> {
    if let Some(text) = line.strip_suffix('?') {
        return help(out, &expand::help(text)).map(Some);
    }
    let mut words = line.splitn(2, char::is_whitespace);
    if words.next() != Some("help") {
        return Ok(None);
    }
    let topic = words.next().unwrap_or_default();
    let success = help(out, &expand::topic(topic))?;
    if topic.is_empty() {
        writeln!(out, "\nWords may be abbreviated. Press `?' for context sensitive help.")?;
    }
    out.flush()?;
    Ok(Some(success))
}

fn help(out: &mut impl Write, list: &[(String, &str)]) -> io::Result<bool> {
    for (text, help) in list {
        writeln!(out, "{}", format!("{text:<46} {help}").trim_end())?;
    }
    if list.is_empty() {
        writeln!(out, "No such command.")?;
    }
    out.flush()?;
    Ok(!list.is_empty())
}

fn unknown(out: &mut impl Write, line: &str, meaning: &Meaning) -> io::Result<()> {
    writeln!(out, "No such command. Press `?' for help.")?;
    match meaning {
        Meaning::Unknown(several) if !several.is_empty() => {
            writeln!(out, "It could be: {}", several.join(", "))?;
        }
        Meaning::Incomplete => {
            writeln!(out, "It needs another word; `{line} ?' lists them.")?;
        }
        _ => {}
    }
    out.flush()
}

fn put(out: &mut impl Write, text: Option<String>) -> io::Result<()> {
    match text {
        Some(text) => writeln!(out, "{text}"),
        None => Ok(()),
    }
}
