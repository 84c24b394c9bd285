//! Where the log goes.

use std::path::PathBuf;
use std::sync::Arc;

use dunlin_conf::{Argument, Parsed, TokenKind};

use super::{ConfigParser, no_effect_yet};
use crate::log::{LogClass, LogClasses};

/// One `log` statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Where to.
    pub destination: LogDestination,
    /// What of it.
    pub classes: LogClasses,
}

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogDestination {
    /// Standard error.
    Stderr,
    /// The system's log, under this name.
    Syslog(Arc<str>),
    /// A file.
    File(LogFile),
}

/// A log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// The file.
    pub path: PathBuf,
    /// Beyond this size it is renamed to the backup and begun anew.
    pub rotate: Option<(u32, PathBuf)>,
}

impl LogConfig {
    /// Parses the statement behind `log`.
    /// None for a destination that is not built.
    pub(super) fn parse(parser: &mut ConfigParser) -> Parsed<Option<Self>> {
        if Self::unbuilt(parser)? {
            return Self::classes(parser).map(|_| None);
        }
        let destination = Self::destination(parser)?;
        let classes = Self::classes(parser)?;
        Ok(Some(Self { destination, classes }))
    }

    /// `fixed "FILE" SIZE` and `udp ADDRESS|"HOST" [port N]`
    fn unbuilt(parser: &mut ConfigParser) -> Parsed<bool> {
        let place = parser.token().span;
        if parser.eat_word("fixed") {
            parser.string()?;
            parser.integer()?;
            no_effect_yet(parser, place, "log fixed");
        } else if parser.eat_word("udp") {
            match at_string(parser) {
                true => parser.string().map(drop)?,
                false => parser.ip().map(drop)?,
            }
            if parser.eat_word("port") {
                parser.integer_in("Port", 1..=65535)?;
            }
            no_effect_yet(parser, place, "log udp");
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn destination(parser: &mut ConfigParser) -> Parsed<LogDestination> {
        if parser.eat_word("stderr") {
            return Ok(LogDestination::Stderr);
        }
        if parser.eat_word("syslog") {
            let name = if parser.eat_word("name") { parser.string()? } else { Arc::from("dunlin") };
            return Ok(LogDestination::Syslog(name));
        }
        if at_string(parser) {
            let path = PathBuf::from(&*parser.string()?);
            return Ok(LogDestination::File(LogFile { path, rotate: Self::rotation(parser)? }));
        }
        Err(parser.unexpected(&["STDERR", "SYSLOG", "TEXT"]))
    }

    fn rotation(parser: &mut ConfigParser) -> Parsed<Option<(u32, PathBuf)>> {
        let is_named = matches!(parser.named_constant(), Some(Argument::Int(_)));
        if !is_named && !matches!(parser.token().kind, TokenKind::Number(_)) {
            return Ok(None);
        }
        let limit = parser.integer_in("Log file size limit", 16384..=u32::MAX)?;
        let backup = parser.string()?;
        Ok(Some((limit, PathBuf::from(&*backup))))
    }

    fn classes(parser: &mut ConfigParser) -> Parsed<LogClasses> {
        if parser.eat_word("all") {
            return Ok(LogClasses::ALL);
        }
        parser.expect(TokenKind::OpenBrace)?;
        let words = LogClass::ALL.map(|class| (class.keyword(), class));
        let mut classes = LogClasses::NONE.with(parser.expect_one_of(&words)?);
        while parser.eat(TokenKind::Comma) {
            classes = classes.with(parser.expect_one_of(&words)?);
        }
        parser.expect(TokenKind::CloseBrace)?;
        Ok(classes)
    }
}

/// Whether a string is at the cursor, or the name of one.
fn at_string(parser: &ConfigParser) -> bool {
    parser.at(TokenKind::String) || matches!(parser.named_constant(), Some(Argument::String(_)))
}
