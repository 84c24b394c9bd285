//! Rows as people and as programs read them.

use core::time::Duration;

use super::super::output::Output;
use super::json::Json;

/// A column: what it is called for people and for programs, and how wide it is.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Column {
    /// The heading. Empty: not shown to people.
    pub(in super::super) head: &'static str,
    /// The key in JSON.
    pub(in super::super) key: &'static str,
    /// Least width; to the right if negative.
    pub(in super::super) width: i8,
}

/// A column by its heading, key and width.
pub(in super::super) const fn column(head: &'static str, key: &'static str, width: i8) -> Column {
    Column { head, key, width }
}

/// What stands in a row.
#[derive(Clone, Debug)]
pub(in super::super) enum Cell {
    /// A word or a name.
    Text(String),
    /// How many.
    Count(u64),
    /// How long; nanoseconds in JSON.
    Span(Duration),
    /// Yes or no.
    Flag(bool),
    /// Nothing, or not known.
    None,
}

impl Cell {
    pub(in super::super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(in super::super) fn count(count: impl TryInto<u64>) -> Self {
        Self::Count(count.try_into().unwrap_or(u64::MAX))
    }

    pub(in super::super) fn span(span: Option<Duration>) -> Self {
        span.map_or(Self::None, Self::Span)
    }

    fn for_people(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Span(time) => span(*time),
            Self::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
            Self::None => "-".to_owned(),
        }
    }

    fn for_programs(&self, json: &mut Json, output: &mut Output) {
        match self {
            Self::Text(text) => json.string(output, text),
            Self::Count(count) => json.bare(output, count),
            Self::Span(span) => json.bare(output, span.as_nanos()),
            Self::Flag(flag) => json.bare(output, flag),
            Self::None => json.bare(output, "null"),
        }
    }
}

/// Writes the heading.
pub(in super::super) fn write_head(columns: &[Column], output: &mut Output) {
    let cells = columns.iter().map(|column| (column, column.head.to_owned()));
    output.row(1027, &line(cells));
}

/// Writes a row, as an object of the open array or as a line.
pub(in super::super) fn write_row(
    columns: &[Column],
    cells: &[Cell],
    json: Option<&mut Json>,
    output: &mut Output,
) {
    let Some(json) = json else {
        let cells = columns.iter().zip(cells).map(|(column, cell)| (column, cell.for_people()));
        return output.row(1027, &line(cells));
    };
    json.object(output);
    write_members(columns, cells, json, output);
    json.end_object();
}

/// Writes an object of the open array, which people are not shown.
pub(in super::super) fn write_object(
    members: &[(&str, Cell)],
    json: &mut Json,
    output: &mut Output,
) {
    json.object(output);
    for (key, cell) in members {
        json.key(output, key);
        cell.for_programs(json, output);
    }
    json.end_object();
}

/// Writes cells as members of the open object.
pub(in super::super) fn write_members(
    columns: &[Column],
    cells: &[Cell],
    json: &mut Json,
    output: &mut Output,
) {
    for (column, cell) in columns.iter().zip(cells) {
        json.key(output, column.key);
        cell.for_programs(json, output);
    }
}

fn line<'c>(cells: impl Iterator<Item = (&'c Column, String)>) -> String {
    let mut line = String::new();
    for (column, text) in cells.filter(|(column, _)| !column.head.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        let width = usize::from(column.width.unsigned_abs());
        let text =
            if column.width < 0 { format!("{text:>width$}") } else { format!("{text:<width$}") };
        line.push_str(&text);
    }
    line.trim_end().to_owned()
}

/// A span with the unit that fits, in five digits at most.
pub(in super::super) fn span(span: Duration) -> String {
    let nanos = span.as_nanos();
    let scaled = |unit: u128, name: &str| {
        let tenths = nanos * 10 / unit;
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    };
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => scaled(1_000, "us"),
        1_000_000..1_000_000_000 => scaled(1_000_000, "ms"),
        _ => scaled(1_000_000_000, "s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_the_unit_that_fits() {
        let shown = |nanos| span(Duration::from_nanos(nanos));
        assert_eq!(shown(0), "0 ns");
        assert_eq!(shown(999), "999 ns");
        assert_eq!(shown(1_050), "1.0 us");
        assert_eq!(shown(12_345_678), "12.3 ms");
        assert_eq!(shown(61_000_000_000), "61.0 s");
    }

    #[test]
    fn a_row_is_the_same_for_people_and_programs() {
        const COLUMNS: &[Column] =
            &[column("Name", "name", 6), column("Time", "time_ns", -8), column("", "hidden", 0)];
        let cells = [Cell::text("a"), Cell::Span(Duration::from_micros(5)), Cell::Flag(true)];
        let mut output = Output::default();
        write_head(COLUMNS, &mut output);
        write_row(COLUMNS, &cells, None, &mut output);
        let mut json = Json::default();
        write_row(COLUMNS, &cells, Some(&mut json), &mut output);
        json.finish(&mut output);
        let text = String::from_utf8(output.piece(usize::MAX - 1).to_vec()).unwrap();
        let expected = "1027-Name       Time\n a        5.0 us\n \
                        {\"name\":\"a\",\"time_ns\":5000,\"hidden\":true}\n";
        assert_eq!(text, expected);
    }
}
