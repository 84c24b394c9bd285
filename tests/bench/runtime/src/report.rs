//! The table of a group, and which of its bars are missed.

use crate::{
    group::{Bar, Figure, Group},
    run::Values,
};

/// Prints a group; how many bars were missed.
pub fn print(group: &Group, values: &Values) -> usize {
    println!("\n{}: {}", group.name, group.about);
    let mut missed = 0;
    for figure in group.figures {
        let median = |who| values.get(&(who, figure.name)).map(|values| middle(values));
        for contender in group.contenders {
            let Some(values) = values.get(&(contender.name, figure.name)) else { continue };
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let verdict = verdict(figure, contender.name, median);
            missed += usize::from(verdict.contains("MISSED"));
            println!(
                "  {:<46} {:<24} {:>12} {:<8} least {:>12}  {verdict}",
                figure.name,
                contender.name,
                number(middle(values)),
                figure.unit,
                number(least),
            );
        }
    }
    missed
}

/// What the bars of a figure say of a contender.
fn verdict(
    figure: &Figure,
    who: &'static str,
    median: impl Fn(&'static str) -> Option<f64>,
) -> String {
    if !who.starts_with("dunlin") {
        return String::new();
    }
    let Some(value) = median(who) else { return String::new() };
    let mut said = Vec::new();
    for bar in figure.bars {
        if let Bar::More(name, limit, other) = *bar {
            if let Some(least) = median(other).filter(|_| name == who) {
                let (more, held) = (value - least, value - least <= limit);
                let held = if held { "held" } else { "MISSED" };
                said.push(format!(
                    "{} more than {other}, <= {}: {held}",
                    number(more),
                    number(limit)
                ));
            }
            continue;
        }
        let (limit, what) = match *bar {
            Bar::AtMost(limit) => (Some(limit), format!("<= {}", number(limit))),
            Bar::Only(name, limit) if name == who => (Some(limit), format!("<= {}", number(limit))),
            Bar::Only(..) | Bar::More(..) => continue,
            Bar::Times(factor, other) => {
                let limit = median(other).map(|value| value * factor);
                (limit, format!("<= {factor} x {other}"))
            }
        };
        let Some(limit) = limit else { continue };
        said.push(format!("{what}: {}", if value <= limit { "held" } else { "MISSED" }));
    }
    said.join(", ")
}

fn middle(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[half],
        _ => (sorted[half - 1] + sorted[half]) / 2.0,
    }
}

fn number(value: f64) -> String {
    let digits = if value.abs() < 100.0 { 1 } else { 0 };
    format!("{value:.digits$}")
}
