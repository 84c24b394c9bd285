//! What the parser says, and what it advises.

use super::{Failed, Parser};
use crate::{
    diagnostics::{Diagnostic, Severity},
    keywords,
    source::Span,
    symbols::Payload,
    token::{Token, TokenKind},
};

impl<S: Payload> Parser<S> {
    /// Reports an error.
    pub fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.last_error = Some(self.at);
        self.report(Severity::Error, span, message)
    }

    /// Reports an error at the token at the cursor.
    pub fn error_here(&mut self, message: impl Into<String>) -> &mut Diagnostic {
        self.error(self.token().span, message)
    }

    /// Reports a warning.
    pub fn warning(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.report(Severity::Warning, span, message)
    }

    /// Reports a statement that changes nothing.
    pub fn no_effect(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.report(Severity::NoEffect, span, message)
    }

    fn report(
        &mut self,
        severity: Severity,
        span: Span,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let order = self.order();
        self.diagnostics.add(&self.sources, severity, span, order, message)
    }

    /// Reports that the token at the cursor does not fit. Up to four tokens that would are named.
    pub fn unexpected(&mut self, expecting: &[&str]) -> Failed {
        self.unexpected_because(expecting, None)
    }

    /// As [`Parser::unexpected`], with advice.
    pub fn unexpected_because(&mut self, expecting: &[&str], because: Option<&str>) -> Failed {
        if expecting.is_empty()
            && because.is_none()
            && let Some((right, words)) = self.nearly.get_mut().take(self.at)
        {
            // The first words of an option are right: the one behind them is what does not fit.
            self.at += right;
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            return self.unexpected_because(&words, because);
        }
        let token = self.token();
        let repeated = self.last_error == Some(self.at) || token.kind == TokenKind::Invalid;
        self.last_error = Some(self.at);
        let name = self.text(token.span).to_owned();
        if repeated || token.kind.is_name() && self.failed.contains(name.as_str()) {
            return Failed;
        }
        let found = self.symbols.lookup(&name).map(|symbol| (symbol.span, symbol.value.kind()));
        let described = match token.kind {
            TokenKind::End => "END".to_owned(),
            kind if kind.is_name() && found.is_some() => "CF_SYM_KNOWN".to_owned(),
            kind if kind.is_name() && keywords::is_keyword(&name) => name.to_uppercase(),
            kind => kind.describe().to_owned(),
        };
        let mut message = format!("syntax error, unexpected {described}");
        if (1..=4).contains(&expecting.len()) {
            message.push_str(", expecting ");
            message.push_str(&expecting.join(" or "));
        }
        let hint = match (token.kind.is_name(), found) {
            (true, Some((_, kind))) => Some(format!("`{name}` is a {kind}")),
            (true, None) if S::gone(&name).is_some() => S::gone(&name).map(str::to_owned),
            (true, None) if !keywords::is_keyword(&name) => Some(self.undefined_hint(&name)),
            _ => None,
        };
        let undefined = token.kind.is_name() && found.is_none() && !keywords::is_keyword(&name);
        let earlier = match found {
            Some((span, _)) => Some((span, "defined here")),
            None => self.left_open(token),
        };
        let unfinished = self.unfinished(token).filter(|_| earlier.is_none());
        // Where `;` is missing, the name on the next line is not what is wrong.
        let hint = match unfinished {
            Some(unfinished) if expecting.contains(&"';'") => Some(unfinished),
            unfinished => hint.or(unfinished),
        };
        let hint = because.map(str::to_owned).or(hint);
        let diagnostic = self.report(Severity::Error, token.span, message);
        diagnostic.hint = hint;
        diagnostic.undefined = undefined.then(|| name.into());
        if let Some((span, why)) = earlier {
            diagnostic.related(span, why);
        }
        Failed
    }

    /// The innermost open block, if the token shows that its end is missing.
    fn left_open(&self, token: Token) -> Option<(Span, &'static str)> {
        let starts = token.kind == TokenKind::Name && self.is_top_level(token);
        let block = self.blocks.last().filter(|_| starts || token.kind == TokenKind::End)?;
        Some((*block, "this block is still open"))
    }

    /// Advice on a token that begins a line, where the line before may lack its end.
    fn unfinished(&self, token: Token) -> Option<String> {
        use TokenKind as T;
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at))?;
        let ends = [T::Semicolon, T::OpenBrace, T::CloseBrace, T::Comma, T::Colon, T::ElseColon];
        let lines = (self.line(before.span), self.line(token.span));
        let apart = before.span.file == token.span.file && lines.0 < lines.1;
        (apart && !ends.contains(&before.kind))
            .then(|| format!("is a `;` missing at the end of line {}?", lines.0))
    }

    /// Remembers a name whose definition failed, so that its uses are no errors.
    pub fn forgive(&mut self, name: &str) {
        self.failed.insert(name.into());
    }

    fn undefined_hint(&self, name: &str) -> String {
        if self.diagnostics.is_full() {
            return String::new();
        }
        let words: Vec<&str> = S::words().into_iter().chain(keywords::all()).collect();
        match self.symbols.nearest(name, &words) {
            Some(near) => format!("`{name}` is not defined; did you mean `{near}`?"),
            None => format!("`{name}` is not defined; names are defined before they are used"),
        }
    }
}
