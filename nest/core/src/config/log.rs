//! Where the log goes.

use std::path::PathBuf;
use std::sync::Arc;

use dunlin_conf::{Parsed, TokenKind};

use super::ConfigParser;
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
    pub(super) fn parse(parser: &mut ConfigParser) -> Parsed<Self> {
        let destination = Self::destination(parser)?;
        let classes = Self::classes(parser)?;
        Ok(Self { destination, classes })
    }

    fn destination(parser: &mut ConfigParser) -> Parsed<LogDestination> {
        if parser.eat_word("stderr") {
            return Ok(LogDestination::Stderr);
        }
        if parser.eat_word("syslog") {
            let name = if parser.eat_word("name") { parser.string()? } else { Arc::from("dunlin") };
            return Ok(LogDestination::Syslog(name));
        }
        for word in ["fixed", "udp"] {
            if parser.at_word(word) {
                return Err(super::unsupported::refuse(parser, &format!("log {word}")));
            }
        }
        if parser.at(TokenKind::String) {
            let path = PathBuf::from(&*parser.string()?);
            return Ok(LogDestination::File(LogFile { path, rotate: Self::rotation(parser)? }));
        }
        Err(parser.unexpected(&["STDERR", "SYSLOG", "TEXT"]))
    }

    fn rotation(parser: &mut ConfigParser) -> Parsed<Option<(u32, PathBuf)>> {
        if !matches!(parser.token().kind, TokenKind::Number(_)) {
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
