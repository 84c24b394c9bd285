//! Reads statements by rules.

use core::time::Duration;

use dunlin_conf::{Argument, Failed, Parsed, Span, TokenKind};
use dunlin_filter::parse_channel_filter;

use super::password::wrong_length;
use super::{Given, Part, Rule, Said, Statements};
use crate::config::{ConfigParser, Globals, parse_any_table, parse_limit};

/// First words of options that every protocol has: behind one of them something may stand that no rule
/// knows.
const COMMON: &[&str] = &["router", "restart", "thread", "import", "export", "ipv6", "ipv4"];

/// Reads the statement at the cursor if one of the rules has its words; the `;` stays. None, with the
/// cursor unmoved, if no rule has.
///
/// # Errors
/// If the statement is wrong; the diagnostic is recorded.
pub fn read(parser: &mut ConfigParser, globals: &Globals, rules: &[Rule]) -> Parsed<Option<Said>> {
    let mut reader = Reader { parser, globals };
    match reader.find(rules)? {
        Some(rule) => reader.statement(rule).map(Some),
        None => Ok(None),
    }
}

/// The parser, and what the configuration said before.
#[derive(Debug)]
pub struct Reader<'a> {
    parser: &'a mut ConfigParser,
    globals: &'a Globals,
}

impl Reader<'_> {
    /// The rule with the most words of those that fit.
    fn find<'r>(&mut self, rules: &'r [Rule]) -> Parsed<Option<&'r Rule>> {
        let mut best: Option<(&Rule, usize)> = None;
        let mut partial = 0;
        for rule in rules {
            let (count, all) = self.parser.count_words(rule.words);
            if !all {
                partial = partial.max(count);
            } else if best.is_none_or(|(_, most)| count > most) {
                best = Some((rule, count));
            }
        }
        let common = COMMON.iter().any(|word| self.parser.at_word(word));
        match best {
            Some((rule, most)) if most > 0 || partial == 0 => Ok(Some(rule)),
            _ if partial > 0 && !common => Err(self.wrong_word(rules, partial)),
            _ => Ok(None),
        }
    }

    /// The first words are right, the one behind is not.
    fn wrong_word(&mut self, rules: &[Rule], right: usize) -> Failed {
        let begun: Vec<String> =
            (0..right).map(|n| self.parser.text(self.parser.ahead(n).span).to_owned()).collect();
        for _ in 0..right {
            self.parser.advance();
        }
        let mut expected: Vec<String> = Vec::new();
        for rule in rules {
            let words: Vec<&str> = rule.words.split_whitespace().collect();
            let fits = words.len() > right && words.iter().zip(&begun).all(|(a, b)| a == b);
            let next = words.get(right).map(|word| word.to_uppercase()).filter(|_| fits);
            expected.extend(next.filter(|next| !expected.contains(next)));
        }
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        self.parser.unexpected(&expected)
    }

    fn statement(&mut self, rule: &Rule) -> Parsed<Said> {
        let start = self.parser.token().span;
        for _ in rule.words.split_whitespace() {
            self.parser.advance();
        }
        let mut said = Said { words: rule.words, place: start, values: Vec::new() };
        self.parts(rule, rule.parts, &mut said.values)?;
        said.place = start.to(self.parser.previous().span);
        if let Some(text) = wrong_length(&said) {
            return Err(self.parser.error(said.place, text).into());
        }
        Ok(said)
    }

    fn parts(&mut self, rule: &Rule, parts: &[Part], values: &mut Vec<Given>) -> Parsed<()> {
        for (n, part) in parts.iter().enumerate() {
            let follows = parts.get(n + 1);
            // A number behind a word is named by that word.
            let rule = match n.checked_sub(1).and_then(|before| parts.get(before)) {
                Some(Part::Word(word)) => &Rule { words: word, parts: &[] },
                _ => rule,
            };
            self.part(rule, part, follows, values)?;
        }
        Ok(())
    }

    fn part(
        &mut self,
        rule: &Rule,
        part: &Part,
        follows: Option<&Part>,
        values: &mut Vec<Given>,
    ) -> Parsed<()> {
        match part {
            Part::Maybe(parts) => match parts.first() {
                Some(first) if self.fits(first) => self.parts(rule, parts, values),
                _ => Ok(()),
            },
            Part::Either(ways) => {
                let fits = |way: &&&[Part]| way.first().is_some_and(|first| self.fits(first));
                let way = ways.iter().find(fits).or(ways.last());
                self.parts(rule, way.copied().unwrap_or_default(), values)
            }
            Part::List(parts) => loop {
                self.parts(rule, parts, values)?;
                if !self.parser.eat(TokenKind::Comma) {
                    return Ok(());
                }
            },
            Part::Block(rules) => {
                let block = self.block(rules)?;
                values.push(Given::Block(block));
                Ok(())
            }
            _ => {
                let given = self.value(rule, part, follows)?;
                values.push(given);
                Ok(())
            }
        }
    }

    fn block(&mut self, rules: &[Rule]) -> Parsed<Statements> {
        let mut statements = Statements::default();
        let globals = self.globals;
        self.parser.block(|parser| match read(parser, globals, rules)? {
            Some(said) => {
                statements.0.push(said);
                Ok(())
            }
            None => Err(parser.unexpected(&[])),
        })?;
        Ok(statements)
    }

    fn value(&mut self, rule: &Rule, part: &Part, follows: Option<&Part>) -> Parsed<Given> {
        let parser = &mut *self.parser;
        Ok(match part {
            Part::Switch => return self.switch(follows),
            Part::Number(low, high) => Given::Number(self.number(rule, *low, *high)?),
            Part::Time(low, high) => Given::Time(self.time(rule, *low, *high)?),
            Part::Seconds(low, high) => Given::Time(self.seconds(rule, *low, *high)?),
            Part::Ip => Given::Ip(parser.ip()?),
            Part::IpOnLink => return self.ip_on_link(),
            Part::Prefix => Given::Prefix(parser.prefix()?),
            Part::Id => Given::Number(parser.id()?),
            Part::Text => Given::Text(parser.string()?),
            Part::Bytes => Given::Bytes(parser.bytes()?),
            Part::Secret
                if matches!(parser.token().kind, TokenKind::Bytes(_))
                    || matches!(parser.named_constant(), Some(Argument::Bytes(_))) =>
            {
                Given::Bytes(parser.bytes()?)
            }
            Part::Secret => Given::Text(parser.string()?),
            Part::Date => Given::Text(super::password::date(parser)?),
            Part::Interface => Given::Text(interface(parser)?),
            Part::Names => Given::Interfaces(parser.interface_names()?),
            Part::Pattern => Given::Interfaces(parser.interface_pattern()?),
            Part::Table => Given::Table(parse_any_table(parser, self.globals)?.name),
            Part::Filter => Given::Filter(parse_channel_filter(parser)?),
            Part::Limit => Given::Limit(parse_limit(parser)?),
            Part::Rd | Part::Value => Given::Value(self.constant(part)?),
            Part::Word(word) => {
                parser.expect_word(word)?;
                Given::Word(word)
            }
            Part::OneOf(words) => Given::Word(self.one_of(words)?),
            Part::Other(other) => other(parser, self.globals)?,
            // Read in `part`.
            Part::Maybe(_) | Part::Either(_) | Part::List(_) | Part::Block(_) => {
                return Err(Failed);
            }
        })
    }

    /// A switch that may be left out in front of what follows.
    fn switch(&mut self, follows: Option<&Part>) -> Parsed<Given> {
        let next = match follows {
            Some(Part::Maybe(parts)) => parts.first(),
            other => other,
        };
        let left_out =
            matches!(next, Some(part @ (Part::Word(_) | Part::Block(_))) if self.fits(part));
        Ok(Given::Switch(left_out || self.parser.switch()?))
    }

    /// The option's words as a sentence begins.
    fn name(rule: &Rule) -> String {
        let mut letters = rule.words.chars();
        letters.next().map_or_else(
            || "Value".to_owned(),
            |first| first.to_uppercase().collect::<String>() + letters.as_str(),
        )
    }

    fn number(&mut self, rule: &Rule, low: u32, high: u32) -> Parsed<u32> {
        if (low, high) == (0, u32::MAX) {
            return self.parser.integer();
        }
        self.parser.integer_in(&Self::name(rule), low..=high)
    }

    fn time(&mut self, rule: &Rule, low: u64, high: u64) -> Parsed<Duration> {
        let start = self.parser.token().span;
        let time = self.parser.time()?;
        self.bounded(rule, start, time, (low, high))
    }

    fn seconds(&mut self, rule: &Rule, low: u64, high: u64) -> Parsed<Duration> {
        let bare = matches!(self.parser.token().kind, TokenKind::Number(_))
            && self.parser.ahead(1).kind == TokenKind::Semicolon;
        if !bare {
            return self.time(rule, low, high);
        }
        let start = self.parser.token().span;
        let time = Duration::from_secs(self.parser.integer()?.into());
        self.bounded(rule, start, time, (low, high))
    }

    fn bounded(
        &mut self,
        rule: &Rule,
        start: Span,
        time: Duration,
        (low, high): (u64, u64),
    ) -> Parsed<Duration> {
        let (least, most) = (Duration::from_millis(low), Duration::from_millis(high));
        if (least..=most).contains(&time) {
            return Ok(time);
        }
        let place = start.to(self.parser.previous().span);
        let name = Self::name(rule);
        let text = format!("{name} must be in range {}-{}", unit(least), unit(most));
        Err(self.parser.error(place, text).into())
    }

    fn ip_on_link(&mut self) -> Parsed<Given> {
        let ip = self.parser.ip()?;
        if self.parser.eat(TokenKind::Percent) {
            interface(self.parser)?;
        }
        Ok(Given::Ip(ip))
    }

    fn constant(&mut self, part: &Part) -> Parsed<dunlin_filter::Constant> {
        let start = self.parser.token().span;
        let constant = dunlin_filter::parse_eval(self.parser)?;
        if matches!(part, Part::Rd) && !matches!(constant, dunlin_filter::Constant::Rd(_)) {
            let place = start.to(self.parser.previous().span);
            return Err(self.parser.error(place, "Route distinguisher expected").into());
        }
        Ok(constant)
    }

    /// One of some groups of words, the longest that fits.
    fn one_of(&mut self, groups: &[&'static str]) -> Parsed<&'static str> {
        let mut best: Option<(&'static str, usize)> = None;
        for group in groups {
            let (count, all) = self.parser.count_words(group);
            if all && best.is_none_or(|(_, most)| count > most) {
                best = Some((group, count));
            }
        }
        let Some((group, count)) = best else {
            let mut firsts: Vec<String> = Vec::new();
            for group in groups {
                let first = group.split_whitespace().next().unwrap_or_default().to_uppercase();
                if !firsts.contains(&first) {
                    firsts.push(first);
                }
            }
            let firsts: Vec<&str> = firsts.iter().map(String::as_str).collect();
            return Err(self.parser.unexpected(&firsts));
        };
        for _ in 0..count {
            self.parser.advance();
        }
        Ok(group)
    }

    /// Whether a part can begin at the cursor.
    fn fits(&self, part: &Part) -> bool {
        let token = self.parser.token().kind;
        let is_ip = matches!(token, TokenKind::Ip4(_) | TokenKind::Ip6(_));
        let named = token == TokenKind::Open || token.is_name() && self.parser.symbol().is_some();
        match part {
            Part::Word(word) => self.parser.at_word(word),
            Part::OneOf(groups) => groups.iter().any(|group| {
                let (_, all) = self.parser.count_words(group);
                all
            }),
            Part::Block(_) => token == TokenKind::OpenBrace,
            Part::Number(..) | Part::Time(..) | Part::Seconds(..) => {
                matches!(token, TokenKind::Number(_)) || named
            }
            Part::Ip | Part::IpOnLink | Part::Prefix => is_ip || named,
            Part::Id => is_ip || matches!(token, TokenKind::Number(_)) || named,
            Part::Text | Part::Date | Part::Names => token == TokenKind::String || named,
            Part::Secret | Part::Bytes => {
                matches!(token, TokenKind::String | TokenKind::Bytes(_)) || named
            }
            Part::Pattern => is_ip || token == TokenKind::String || named,
            Part::Table => token.is_name() && self.parser.symbol().is_some(),
            _ => !matches!(
                token,
                TokenKind::Semicolon | TokenKind::OpenBrace | TokenKind::CloseBrace
            ),
        }
    }
}

/// The name of an interface, quoted or not.
fn interface(parser: &mut ConfigParser) -> Parsed<std::sync::Arc<str>> {
    if parser.at(TokenKind::String) { parser.string() } else { Ok(parser.name()?.0) }
}

fn unit(time: Duration) -> String {
    match time.as_millis() {
        ms if ms.is_multiple_of(1000) => format!("{} s", ms / 1000),
        ms => format!("{ms} ms"),
    }
}
