//! Runs contenders in turn, each measurement in a process of its own.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Write,
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
};

use crate::{
    group::{BARE, Contender, Group, Out, TIMED, UNMEASURED},
    groups, report,
};

/// What to run.
pub struct Plan {
    rounds: usize,
    only: Vec<String>,
    out: Option<String>,
}

impl Plan {
    /// Reads the command line; none if it makes no sense.
    pub fn read(words: &[&str]) -> Option<Self> {
        let mut plan = Self { rounds: 5, only: Vec::new(), out: None };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let value = words.next()?;
            match *word {
                "--rounds" => plan.rounds = value.parse().ok().filter(|&rounds| rounds > 0)?,
                "--only" => plan.only = value.split(',').map(str::to_owned).collect(),
                "--out" => plan.out = Some((*value).to_owned()),
                _ => return None,
            }
        }
        let groups = groups::all();
        let known = |name: &String| groups.iter().any(|group| group.name == name);
        plan.only.iter().all(known).then_some(plan)
    }

    fn wants(&self, group: &Group) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == group.name)
    }
}

/// Values of the rounds, by contender and figure.
pub type Values = BTreeMap<(&'static str, &'static str), Vec<f64>>;

/// Everything in the plan; fails if a measurement does, not if a bar is missed.
pub fn all(plan: &Plan) -> ExitCode {
    let mut out = plan.out.as_ref().map(|path| File::create(path).expect("the file for the runs"));
    let (mut done, mut failed, mut missed) = (0, 0, 0);
    for group in groups::all().into_iter().filter(|group| plan.wants(group)) {
        let mut values = Values::new();
        for _ in 0..plan.rounds {
            let there = |one: &&Contender| program(one.name).is_some();
            for contender in group.contenders.iter().filter(there) {
                let Some(measured) = child(&group, contender.name) else {
                    failed += 1;
                    continue;
                };
                done += 1;
                for (figure, value) in measured {
                    if let Some(out) = &mut out {
                        let (group, who) = (group.name, contender.name);
                        writeln!(out, r#"{{"group":"{group}","who":"{who}","figure":"{figure}","value":{value}}}"#)
                            .expect("writing the runs");
                    }
                    values.entry((contender.name, figure)).or_default().push(value);
                }
            }
        }
        missed += report::print(&group, &values);
    }
    println!("{missed} bars missed");
    println!("{done} passed, {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

/// The program for `who`: some are builds of their own, in which tokio measures its polls or Dunlin leaves something out.
fn program(who: &str) -> Option<PathBuf> {
    let builds = [
        (TIMED, "LOOPBENCH_TIMED"),
        (UNMEASURED, "LOOPBENCH_UNMEASURED"),
        (BARE, "LOOPBENCH_BARE"),
    ];
    match builds.iter().find(|(name, _)| *name == who) {
        Some((_, variable)) => std::env::var_os(variable).map(PathBuf::from),
        None => Some(std::env::current_exe().expect("this program")),
    }
}

/// Measures one contender in another process.
fn child(group: &Group, who: &str) -> Option<Vec<(&'static str, f64)>> {
    let mut command = Command::new(program(who)?);
    command.args(["one", group.name, who]).stderr(Stdio::inherit());
    let output = command.output().expect("to start a process");
    let text = String::from_utf8_lossy(&output.stdout);
    let values: Vec<_> = text.lines().filter_map(|line| parse(group, line)).collect();
    if output.status.success() && !values.is_empty() {
        return Some(values);
    }
    eprintln!("{} {who}: {}", group.name, output.status);
    None
}

fn parse(group: &Group, line: &str) -> Option<(&'static str, f64)> {
    let (name, value) = line.split_once('\t')?;
    let figure = group.figures.iter().find(|figure| figure.name == name)?;
    Some((figure.name, value.parse().ok()?))
}

/// The child's part.
pub fn one(group: &str, who: &str) {
    let groups = groups::all();
    let group = groups.iter().find(|one| one.name == group).expect("no such group");
    let contender = group.contenders.iter().find(|one| one.name == who).expect("no such contender");
    let mut out = Out::default();
    (contender.run)(&mut out);
    for (figure, value) in &out.values {
        println!("{figure}\t{value}");
    }
    // Whatever still runs has nothing more to say.
    std::process::exit(0);
}
