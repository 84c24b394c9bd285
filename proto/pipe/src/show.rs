//! What `show protocols all` says of a pipe.

use dunlin_core::protocol::{limit_lines, statistics_line};
use dunlin_rib::counters::ImportDelta;

use crate::config::PipeConfig;

/// One direction, as counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Since the pipe started.
    pub changes: ImportDelta,
    /// Routes there now.
    pub routes: u64,
    /// The limit is hit.
    pub hit: bool,
}

/// The lines of a pipe; with figures of import and export while it runs.
pub fn lines(config: &PipeConfig, running: Option<[Figures; 2]>) -> Vec<String> {
    let state = if running.is_some() { "READY" } else { "DOWN" };
    let mut lines = vec!["  Channel main".to_owned()];
    let mut put = |name: &str, value: &str| lines.push(format!("    {name:<15} {value}"));
    put("Table:", &config.primary);
    put("Peer table:", &config.peer);
    put("Import state:", state);
    put("Export state:", state);
    put("Import filter:", &config.import.to_string());
    put("Export filter:", &config.export.to_string());
    let hits = running.map_or([false; 2], |figures| figures.map(|figures| figures.hit));
    limit_lines(&mut put, "Import limit:", config.import_limit, hits[0]);
    limit_lines(&mut put, "Export limit:", config.export_limit, hits[1]);
    if let Some(figures) = running {
        statistics(figures, &mut lines);
    }
    lines
}

fn statistics([import, export]: [Figures; 2], lines: &mut Vec<String>) {
    let (into, out) = (import.routes, export.routes);
    lines.push(format!("  {:<15} {into} imported, {out} exported", "Routes:"));
    let head = ["received", "rejected", "filtered", "ignored", "accepted"].map(str::to_owned);
    lines.push(statistics_line(2, "Route change stats:", head));
    for (name, figures) in [("Import", import.changes), ("Export", export.changes)] {
        let updates = [
            figures.updates_received,
            figures.updates_rejected,
            figures.updates_filtered,
            // There is no column of its own for what a limit keeps out.
            figures.updates_ignored + figures.updates_limited,
            figures.updates_accepted,
        ];
        let updates = updates.map(|count| count.to_string());
        lines.push(statistics_line(2, &format!("  {name} updates:"), updates));
        let withdraws = [
            figures.withdraws_received.to_string(),
            figures.withdraws_rejected.to_string(),
            "---".to_owned(),
            figures.withdraws_ignored.to_string(),
            figures.withdraws_accepted.to_string(),
        ];
        lines.push(statistics_line(2, &format!("  {name} withdraws:"), withdraws));
    }
}

#[cfg(test)]
mod tests {
    use super::{Figures, lines};
    use crate::config::PipeConfig;
    use dunlin_core::protocol::{Limit, LimitAction};
    use dunlin_filter::ChannelFilter;

    fn config() -> PipeConfig {
        PipeConfig {
            primary: "master4".into(),
            peer: "t2".into(),
            import: ChannelFilter::Reject,
            export: ChannelFilter::Accept,
            import_limit: None,
            export_limit: None,
            max_generation: 16,
            rpki_reload: true,
        }
    }

    #[test]
    fn as_bird_shows_it() {
        let mut export = Figures { routes: 8, ..Figures::default() };
        export.changes.updates_received = 8;
        export.changes.updates_accepted = 8;
        let mut import = Figures::default();
        import.changes.updates_received = 16;
        import.changes.updates_rejected = 16;
        let expected = "  Channel main
    Table:          master4
    Peer table:     t2
    Import state:   READY
    Export state:   READY
    Import filter:  REJECT
    Export filter:  ACCEPT
  Routes:         0 imported, 8 exported
  Route change stats:     received   rejected   filtered    ignored   accepted
    Import updates:             16         16          0          0          0
    Import withdraws:            0          0        ---          0          0
    Export updates:              8          0          0          0          8
    Export withdraws:            0          0        ---          0          0";
        assert_eq!(lines(&config(), Some([import, export])).join("\n"), expected);
        assert_eq!(lines(&config(), None).len(), 7);
        let limit = Limit { count: 3, action: LimitAction::Block };
        let config = PipeConfig { export_limit: Some(limit), ..config() };
        export.hit = true;
        export.changes.updates_limited = 2;
        let all = lines(&config, Some([import, export]));
        assert_eq!(all[7..9], ["    Export limit:   3 [HIT]", "      Action:       block"]);
        assert!(all[13].ends_with("          2          8"), "{all:?}");
    }
}
