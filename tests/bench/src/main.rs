//! bgpload: loads a BGP daemon from many speakers, measures what comes out.
//! See README.md.

mod daemon;
mod engine;
mod net;
mod null;
mod report;
mod rib;
mod scenario;
mod table;
mod wire;

use anyhow::{Context, Result, bail};
use scenario::Params;
use serde_json::{Map, Value, json};
use std::io::Write;

const USAGE: &str = "usage:
  bgpload run --daemon A[,B...] --scenario S[,T...] [--runs N] [--out FILE] [--SIZE N]...
  bgpload report FILE...      medians of the runs in FILE, as Markdown
  bgpload daemons             the daemons and scenarios there are
  bgpload clean               removes the network namespaces
sizes: prefixes prefixes6 feeders clients routes flap rate secs sessions seed limit plain; --mrt FILE; --policy FILE";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("run") => run(&args[1..]),
        Some("report") => report::print(&args[1..]),
        Some("null") => null::serve(args.get(1).context("an address")?),
        Some("clean") => net::tear_down(),
        Some("daemons") => {
            println!("daemons: {}", daemon::names().join(" "));
            println!("scenarios: {}", scenario::SCENARIOS.join(" "));
            Ok(())
        }
        _ => bail!(USAGE),
    }
}

fn run(args: &[String]) -> Result<()> {
    let (mut daemons, mut scenarios) = (Vec::new(), Vec::new());
    let (mut runs, mut out) = (1, None);
    let mut p = Params::defaults();
    let mut sizes = Map::new();
    for pair in args.chunks(2) {
        let [key, value] = pair else { bail!("{} needs a value\n{USAGE}", pair[0]) };
        let list = || value.split(',').map(str::to_string).collect();
        let number = || value.parse::<usize>().with_context(|| format!("{key} {value}"));
        let size = match key.as_str() {
            "--daemon" => {
                daemons = list();
                continue;
            }
            "--scenario" => {
                scenarios = list();
                continue;
            }
            "--policy" => {
                p.policy = Some(value.clone());
                continue;
            }
            "--runs" => {
                runs = number()?;
                continue;
            }
            "--out" => {
                out = Some(value.clone());
                continue;
            }
            "--mrt" => {
                p.mrt = Some(value.clone());
                continue;
            }
            "--prefixes" => &mut p.prefixes,
            "--prefixes6" => &mut p.prefixes6,
            "--feeders" => &mut p.feeders,
            "--clients" => &mut p.clients,
            "--routes" => &mut p.routes,
            "--flap" => &mut p.flap,
            "--rate" => &mut p.rate,
            "--secs" => &mut p.secs,
            "--sessions" => &mut p.sessions,
            "--seed" => &mut p.seed,
            "--limit" => &mut p.limit,
            "--plain" => &mut p.plain,
            _ => bail!("unknown option {key}\n{USAGE}"),
        };
        *size = number()?;
        sizes.insert(key[2..].to_string(), json!(*size));
    }
    net::set_up()?;
    net::enter(net::LOAD_NS).context("the generator's namespace")?;
    let mut file = match out {
        Some(f) => Some(std::fs::OpenOptions::new().create(true).append(true).open(f)?),
        None => None,
    };
    // Interleaved: every daemon once, then all again, so that noise is shared.
    let _turn = net::take_turn()?;
    let scenarios: Vec<_> = scenarios.iter().flat_map(|s| scenario::parts(s, &p)).collect();
    for run in 0..runs {
        for s in &scenarios {
            for d in &daemons {
                let mut line = Map::new();
                line.insert("daemon".into(), json!(d));
                line.insert("scenario".into(), json!(s));
                line.insert("sizes".into(), Value::Object(sizes.clone()));
                line.insert("run".into(), json!(run));
                match scenario::run(s, d, &p) {
                    Ok(result) => line.extend(result),
                    Err(e) => {
                        line.insert("error".into(), json!(format!("{e:#}")));
                    }
                }
                let line = Value::Object(line).to_string();
                println!("{line}");
                if let Some(f) = file.as_mut() {
                    writeln!(f, "{line}")?;
                }
            }
        }
    }
    Ok(())
}
