//! `watchdog …` and `debug latency …`: what is reported of handlers that take too long or run too late.

use core::time::Duration;

use dunlin_conf::{Parsed, TokenKind};
use dunlin_runtime::Watch;

use super::ConfigParser;

/// What a configuration says of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watchdog {
    /// A handler of any class that runs for longer is reported; zero: none is. As written.
    warning: Option<Duration>,
    /// A handler that runs for longer ends the daemon; zero: none does.
    timeout: Duration,
    /// Whether handlers of all classes that wait for longer than `latency_limit` are reported.
    latency: bool,
    latency_limit: Duration,
}

impl Default for Watchdog {
    fn default() -> Self {
        let latency_limit = Duration::from_secs(1);
        Self { warning: None, timeout: Duration::ZERO, latency: false, latency_limit }
    }
}

impl Watchdog {
    /// As the runtime is told.
    pub fn watch(&self) -> Watch {
        let limit = |span: Duration| (!span.is_zero()).then_some(span);
        let mut watch = Watch { abort: limit(self.timeout), ..Watch::default() };
        if let Some(warning) = self.warning {
            watch.overrun = watch.overrun.map(|_| limit(warning));
            watch.stall = limit(warning);
        }
        if self.latency {
            watch.late = watch.late.map(|_| limit(self.latency_limit));
        }
        watch
    }

    /// Reads `warning T` or `timeout T` behind `watchdog`.
    pub(super) fn parse(&mut self, parser: &mut ConfigParser) -> Parsed<()> {
        let is_warning = parser.expect_one_of(&[("warning", true), ("timeout", false)])?;
        let span = if parser.eat_word("off") { Duration::ZERO } else { parser.time()? };
        if is_warning {
            self.warning = Some(span);
        } else {
            self.timeout = span;
        }
        Ok(())
    }

    /// Reads `limit T` or a mask behind `debug latency`. Every mask but `off` is as good as `all`: there
    /// is one kind of waiting here.
    pub(super) fn parse_latency(&mut self, parser: &mut ConfigParser) -> Parsed<()> {
        if parser.eat_word("limit") {
            self.latency_limit = parser.time()?;
            return Ok(());
        }
        if parser.at(TokenKind::OpenBrace) {
            parser.advance();
            while !parser.eat(TokenKind::CloseBrace) {
                if !parser.token().kind.is_name() && !parser.at(TokenKind::Comma) {
                    return Err(parser.unexpected(&["'}'"]));
                }
                parser.advance();
            }
            self.latency = true;
            return Ok(());
        }
        self.latency = parser.expect_one_of(&[("all", true), ("on", true), ("off", false)])?;
        Ok(())
    }
}
