//! `show places`: the catalogue of places in the program where something was asked for.

use dunlin_runtime::{Context, PlaceInfo};

use super::super::output::Output;
use super::json::Json;
use super::table::{Cell, Column, column, write_head, write_row};

const COLUMNS: &[Column] = &[
    column("File", "file", 44),
    column("Line", "line", -5),
    column("", "column", 0),
    column("Asks for", "asks_for", 8),
];

/// Shows all that there are: some hundred at most, as many as the program has such calls.
pub(in super::super) fn show(cx: &Context<'_>, output: &mut Output, json: bool) {
    let places = cx.runtime().places();
    if !json {
        write_head(COLUMNS, output);
        places.iter().for_each(|place| write_row(COLUMNS, &row(place), None, output));
        return output.last(0, "");
    }
    let json = &mut Json::default();
    json.object(output);
    json.key(output, "places");
    json.array(output);
    for place in &places {
        write_row(COLUMNS, &row(place), Some(json), output);
    }
    json.end_array();
    json.end_object();
    json.finish(output);
    output.last(0, "");
}

fn row(place: &PlaceInfo) -> Vec<Cell> {
    let PlaceInfo { location, site } = place;
    vec![
        Cell::text(location.file()),
        Cell::count(location.line()),
        Cell::count(location.column()),
        Cell::text(site.name().unwrap_or("-")),
    ]
}
