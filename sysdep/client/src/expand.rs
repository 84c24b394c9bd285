//! From what was typed to a whole command: abbreviations, help, completion.

use crate::words::{Command, GROUPS, commands};

/// What a typed line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A command, its words written out.
    Command(String),
    /// Words of commands, but not enough of them.
    Incomplete,
    /// No command begins so. If a word could be several, all of these.
    Unknown(Vec<&'static str>),
}

/// How far a line follows the words of commands.
struct Place<'a> {
    /// The words, written out.
    words: Vec<&'static str>,
    /// What is behind them.
    rest: &'a str,
    /// What the word behind them could be, if it could be several.
    ambiguous: Vec<&'static str>,
}

/// The words that may follow these.
fn following(words: &[&str]) -> Vec<&'static str> {
    next_words(words, |_| true)
}

/// Those of them that help shows.
fn shown(words: &[&str]) -> Vec<&'static str> {
    next_words(words, |command| !command.is_hidden())
}

fn next_words(words: &[&str], wanted: impl Fn(&Command) -> bool) -> Vec<&'static str> {
    let mut list: Vec<&'static str> = Vec::new();
    let begins = |command: &&Command| command.words.starts_with(words) && wanted(command);
    for command in commands().filter(begins) {
        if let Some(next) = command.words.get(words.len())
            && !list.contains(next)
        {
            list.push(next);
        }
    }
    list
}

fn find(words: &[&str]) -> Option<&'static Command> {
    commands().find(|command| command.words == words)
}

fn follow(line: &str) -> Place<'_> {
    let mut place = Place { words: Vec::new(), rest: line.trim(), ambiguous: Vec::new() };
    loop {
        let word = place.rest.split_whitespace().next().unwrap_or_default();
        let named = find(&place.words).is_some_and(Command::takes_names);
        let fits = |next: &&&'static str| match named {
            true => **next == word,
            false => next.starts_with(word),
        };
        let next = following(&place.words);
        let fitting: Vec<&'static str> = next.iter().filter(fits).copied().collect();
        let found = match fitting.as_slice() {
            _ if word.is_empty() => return place,
            [only] => only,
            several => match several.iter().find(|next| **next == word) {
                Some(exact) => exact,
                None => {
                    place.ambiguous = fitting;
                    return place;
                }
            },
        };
        place.words.push(found);
        place.rest = place.rest[word.len()..].trim_start();
    }
}

/// What a line means.
pub(crate) fn meaning(line: &str) -> Meaning {
    let place = follow(line);
    if place.ambiguous.is_empty() && find(&place.words).is_some() {
        let mut text = place.words.join(" ");
        if !place.rest.is_empty() {
            text.push(' ');
            text.push_str(place.rest);
        }
        return Meaning::Command(text);
    }
    if place.rest.is_empty() && !place.words.is_empty() {
        return Meaning::Incomplete;
    }
    Meaning::Unknown(place.ambiguous)
}

/// What may stand where a line ends: the words or options that begin like its last one, each with what
/// follows and what it means. Nothing if the line is no beginning of a command.
pub(crate) fn help(line: &str) -> Vec<(String, &'static str)> {
    let (before, partial) = split_last(line);
    let place = follow(before);
    let mut list = Vec::new();
    if place.rest.is_empty() {
        let next = shown(&place.words).into_iter().filter(|word| word.starts_with(partial));
        for word in next {
            let mut words = place.words.clone();
            words.push(word);
            list.extend(describe(&words));
        }
    }
    if let Some(command) = find(&place.words) {
        let fits = |(word, _): &&(&str, &str)| word.starts_with(partial);
        let options = command.options.iter().filter(fits);
        list.extend(options.map(|(word, help)| (format!("  {word}"), *help)));
        if list.is_empty() || partial.is_empty() {
            list.insert(0, usage(command));
        }
    }
    list
}

/// The help for a topic: a command with its usage, or all that begin with these words.
pub(crate) fn topic(words: &str) -> Vec<(String, &'static str)> {
    let place = follow(words);
    if !place.rest.is_empty() {
        return Vec::new();
    }
    let mut list = Vec::new();
    let chosen =
        |command: &&Command| command.words.starts_with(&place.words) && !command.is_hidden();
    for command in commands().filter(chosen) {
        list.push(usage(command));
        if command.words == place.words {
            let options = command.options.iter();
            list.extend(options.map(|(word, help)| (format!("  {word}"), *help)));
        }
    }
    list
}

fn usage(command: &Command) -> (String, &'static str) {
    let words = command.words.join(" ");
    let text =
        if command.arguments.is_empty() { words } else { format!("{words} {}", command.arguments) };
    (text, command.help)
}

/// A line of help for a node: a command, or a group.
fn describe(words: &[&str]) -> Option<(String, &'static str)> {
    if let Some(command) = find(words) {
        return Some(usage(command));
    }
    let text = format!("{} ...", words.join(" "));
    let group = GROUPS.iter().find(|(word, _)| words == [*word]);
    Some((text, group.map_or("", |(_, help)| help)))
}

/// A line without its last word, and that word; empty behind a blank.
pub(crate) fn split_last(line: &str) -> (&str, &str) {
    let start = line
        .rfind(char::is_whitespace)
        .map_or(0, |at| at + line[at..].chars().next().map_or(1, char::len_utf8));
    line.split_at(start)
}

/// Words that may complete the last word of a line.
pub(crate) fn completions(line: &str) -> Vec<&'static str> {
    let (before, partial) = split_last(line);
    let place = follow(before);
    let mut list = Vec::new();
    if place.rest.is_empty() {
        list.extend(shown(&place.words));
    }
    if let Some(command) = find(&place.words) {
        list.extend(command.options.iter().map(|(word, _)| *word));
    }
    list.retain(|word| word.starts_with(partial) && !word.starts_with('<'));
    list
}

#[cfg(test)]
mod tests {
    use super::{Meaning, completions, help, meaning, topic};

    fn command(line: &str) -> String {
        match meaning(line) {
            Meaning::Command(text) => text,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn abbreviations_are_written_out() {
        assert_eq!(command("sh pro"), "show protocols");
        assert_eq!(command(" sh  ro  all "), "show route all");
        assert_eq!(command("conf ch \"x y\""), "configure check \"x y\"");
        assert_eq!(command("sh int s"), "show interfaces summary");
        assert_eq!(
            command("show route where net ~ [10.0.0.0/8+]"),
            "show route where net ~ [10.0.0.0/8+]"
        );
        assert_eq!(command("threads 4"), "threads 4");
    }

    #[test]
    fn names_are_not_taken_for_words() {
        assert_eq!(command("show protocols a"), "show protocols a");
        assert_eq!(command("show protocols all up1"), "show protocols all up1");
        assert_eq!(command("reload p"), "reload p");
        assert_eq!(command("disable é"), "disable é");
    }

    #[test]
    fn what_is_no_command() {
        assert_eq!(meaning("foo"), Meaning::Unknown(Vec::new()));
        assert_eq!(meaning("show foo"), Meaning::Unknown(Vec::new()));
        assert_eq!(meaning("sh"), Meaning::Incomplete);
        assert_eq!(meaning("re"), Meaning::Unknown(vec!["restart", "reload", "restrict"]));
        assert_eq!(meaning(""), Meaning::Unknown(Vec::new()));
    }

    #[test]
    fn help_depends_on_the_place() {
        let words =
            |line: &str| -> Vec<String> { help(line).into_iter().map(|(text, _)| text).collect() };
        assert!(words("").contains(&"show ...".to_owned()));
        assert_eq!(words("show sta"), ["show status", "show static [<protocol>]"]);
        assert!(words("show route ").contains(&"  noexport".to_owned()));
        assert_eq!(words("sh ro nox"), words("show route nox"));
        assert_eq!(words("show route noe"), ["  noexport"]);
        assert_eq!(words("conf ").len(), 7);
        assert!(words("nothing ").is_empty());
    }

    #[test]
    fn topics() {
        assert!(topic("").len() > 25);
        assert_eq!(topic("show route")[0].0.split(' ').next(), Some("show"));
        assert!(topic("sh th").len() == 2);
        assert!(topic("nothing").is_empty());
    }

    #[test]
    fn what_the_daemon_does_not_have_is_not_listed() {
        let absent =
            ["dump", "mrt", "mrtdump", "echo", "graceful", "show mpls", "show ospf", "show bfd"];
        for line in absent {
            assert!(topic(line).is_empty(), "{line}");
            let first = line.split(' ').next().unwrap();
            let listed = topic("").iter().any(|(text, _)| text.starts_with(line));
            assert!(!listed && (first == "show" || !completions(first).contains(&first)), "{line}");
        }
        // The daemon answers that there is no such protocol.
        assert_eq!(command("sh os neighbors"), "show ospf neighbors");
        assert_eq!(meaning("dump resources"), Meaning::Unknown(Vec::new()));
    }

    #[test]
    fn words_are_completed() {
        assert_eq!(completions("sh"), ["show"]);
        assert_eq!(completions("show st"), ["status", "static"]);
        assert_eq!(completions("sh route fi"), ["filter", "filtered"]);
        assert_eq!(completions("show protocols "), ["all"]);
        assert!(completions("é").is_empty());
    }

    #[test]
    fn nothing_typed_makes_it_panic() {
        for line in ["é", "é ", "show é", "\u{a0}", "show\u{2003}ro", "?", "'", "\""] {
            let _ = (meaning(line), help(line), completions(line), topic(line));
        }
    }
}
