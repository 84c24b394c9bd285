//! `--test`: runs the test suites of a configuration.

use std::io::{self, Write};
use std::process::ExitCode;

use dunlin_conf::json;
use dunlin_core::config::Loaded;
use dunlin_filter::{PolicyTest, Report, Scratch};

use crate::options::Options;
use crate::reading::{findings, kinds, load, print};

/// Reads the configuration and runs its suites, a line for each; fails if one does.
///
/// # Errors
/// If standard output cannot be written.
pub(crate) fn test(options: &Options) -> io::Result<ExitCode> {
    let (loaded, _) = load(options, &kinds());
    let out = &mut io::stdout().lock();
    let tests: &[PolicyTest] = match &loaded {
        Ok(config) => &config.tests,
        Err(_) => &[],
    };
    let failed = match &loaded {
        _ if options.json => run_in_json(&loaded, tests, out)?,
        Ok(_) => run(tests, out)?,
        Err(rejected) => {
            print(rejected);
            0
        }
    };
    let good = loaded.is_ok() && failed == 0;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the tests; how many failed.
fn run(tests: &[PolicyTest], out: &mut dyn Write) -> io::Result<usize> {
    let mut scratch = Scratch::default();
    let mut failed = 0;
    for test in tests {
        let mut printed: Vec<String> = Vec::new();
        let report = test.run(&mut scratch, &mut printed);
        failed += usize::from(!report.passed());
        write_report(&test.title(), &report, &printed, out)?;
    }
    writeln!(out, "{} passed, {failed} failed", tests.len() - failed)?;
    Ok(failed)
}

/// As [`run`], as one JSON document with what was found in the configuration.
fn run_in_json(loaded: &Loaded, tests: &[PolicyTest], out: &mut dyn Write) -> io::Result<usize> {
    let mut scratch = Scratch::default();
    let mut failed = 0;
    let strings = |list: &[String]| {
        let quoted: Vec<String> = list.iter().map(|text| json::string(text)).collect();
        format!("[{}]", quoted.join(", "))
    };
    let mut suites = Vec::new();
    for test in tests {
        let mut printed: Vec<String> = Vec::new();
        let report = test.run(&mut scratch, &mut printed);
        failed += usize::from(!report.passed());
        suites.push(format!(
            "\n    {{\"suite\": {}, \"passed\": {}, \"checks\": {}, \"failures\": {}, \"printed\": {}}}",
            json::string(&test.title()),
            report.passed(),
            report.checks,
            strings(&report.failures),
            strings(&printed),
        ));
    }
    let end = if suites.is_empty() { "" } else { "\n  " };
    let (found, passed) = (findings(loaded), tests.len() - failed);
    writeln!(
        out,
        "{{\n{found},\n  \"suites\": [{}{end}],\n  \"passed\": {passed},\n  \"failed\": {failed}\n}}",
        suites.join(",")
    )?;
    Ok(failed)
}

fn write_report(
    title: &str,
    report: &Report,
    printed: &[String],
    out: &mut dyn Write,
) -> io::Result<()> {
    let mark = if report.passed() { "ok  " } else { "FAIL" };
    let checks = if report.checks == 1 { "check" } else { "checks" };
    writeln!(out, "{mark} {title} ({} {checks})", report.checks)?;
    for line in printed {
        writeln!(out, "     | {line}")?;
    }
    for failure in &report.failures {
        writeln!(out, "     {failure}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::run;
    use crate::reading::kinds;

    #[test]
    fn each_suite_is_reported_with_what_failed() {
        let text = "protocol device { }
function good() { bt_assert(1 = 1); }
function bad() { print \"looking\"; bt_assert(net = 10.0.0.0/8); bt_assert(true); }
filter a { accept; }
bt_test_suite(good, \"good things\");
bt_test_suite(bad, \"bad things\", 11.0.0.0/8);
bt_test_same(a, a, 1);
";
        let config = dunlin_core::config::parse_text("f.conf", text, &kinds());
        let config = config.map_err(|wrong| wrong.lines().collect::<Vec<_>>()).unwrap();
        let mut out = Vec::new();
        assert_eq!(run(&config.tests, &mut out).unwrap(), 1);
        let expected = "\
ok   good things (1 check)
FAIL bad things (2 checks)
     | looking
     f.conf:3:35: net = 10.0.0.0/8: it is 11.0.0.0/8 and 10.0.0.0/8
ok   a is a (1 check)
2 passed, 1 failed
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
