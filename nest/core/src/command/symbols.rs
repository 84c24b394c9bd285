//! `show symbols`

use dunlin_conf::Payload as _;

use super::output::Output;
use super::query::SymbolQuery;
use super::session::Desk;

pub(super) fn show(desk: &Desk, output: &mut Output, query: &SymbolQuery) {
    let config = desk.shared().published().config.clone();
    let line = |name: &str, kind: &str| format!("{name:<8}\t{kind}");
    if let SymbolQuery::Name(name) = query {
        match config.symbols.lookup(name) {
            Some(symbol) => output.row(1010, &line(name, symbol.value.kind())),
            None => return output.last(9001, &format!("{name}: symbol not known")),
        }
    } else {
        for symbol in config.symbols.iter() {
            let kind = symbol.value.kind();
            if matches!(query, SymbolQuery::Kind(wanted) if *wanted != kind) {
                continue;
            }
            output.row(1010, &line(&symbol.name, kind));
        }
    }
    output.last(0, "");
}
