//! Medians and spread of recorded runs, as Markdown tables.

use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

/// The values of each measure, in order of first appearance.
type Measures = Vec<(String, Vec<f64>)>;

pub fn print(files: &[String]) -> Result<()> {
    // Scenario and sizes, then daemons.
    let mut all = BTreeMap::<String, Vec<(String, Measures)>>::new();
    let mut errors = BTreeMap::<String, usize>::new();
    for file in files {
        for line in fs::read_to_string(file).with_context(|| file.clone())?.lines() {
            let v: Value = serde_json::from_str(line)?;
            let text = |k: &str| v[k].as_str().unwrap_or_default().to_string();
            let title = format!("{} {}", text("scenario"), v["sizes"]);
            if let Some(e) = v["error"].as_str() {
                *errors.entry(format!("{title} {}: {e}", text("daemon"))).or_default() += 1;
                continue;
            }
            let daemons = all.entry(title).or_default();
            let measures = entry(daemons, &text("daemon"));
            for (k, n) in v.as_object().into_iter().flatten() {
                if let (Some(n), true) = (n.as_f64(), k != "run") {
                    entry(measures, k).push(n);
                }
            }
        }
    }
    for (title, daemons) in &mut all {
        let mut columns: Vec<String> = Vec::new();
        for k in daemons.iter().flat_map(|d| &d.1).map(|m| &m.0) {
            if !columns.contains(k) {
                columns.push(k.clone());
            }
        }
        println!("\n### {title}\n\n| daemon | runs | {} |", columns.join(" | "));
        println!("|---|---|{}", "---:|".repeat(columns.len()));
        for (daemon, measures) in daemons {
            let runs = measures.iter().map(|m| m.1.len()).max().unwrap_or(0);
            let cell = |k: &String| match measures.iter_mut().find(|m| m.0 == *k) {
                Some(m) => spread(&mut m.1),
                None => "-".to_string(),
            };
            let cells: Vec<_> = columns.iter().map(cell).collect();
            println!("| {daemon} | {runs} | {} |", cells.join(" | "));
        }
    }
    for (e, n) in errors {
        println!("\n{n} x {e}");
    }
    Ok(())
}

fn entry<'a, T: Default>(list: &'a mut Vec<(String, T)>, key: &str) -> &'a mut T {
    let at = list.iter().position(|e| e.0 == key).unwrap_or_else(|| {
        list.push((key.to_string(), T::default()));
        list.len() - 1
    });
    &mut list[at].1
}

/// "median (least-most)".
fn spread(v: &mut [f64]) -> String {
    v.sort_by(f64::total_cmp);
    let short = |x: f64| {
        if x >= 100.0 { format!("{x:.0}") } else { format!("{x:.2}") }
    };
    let (low, mid, high) = (v[0], v[v.len() / 2], v[v.len() - 1]);
    if low == high {
        short(mid)
    } else {
        format!("{} ({}-{})", short(mid), short(low), short(high))
    }
}
