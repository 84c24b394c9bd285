//! Tests of policy that a configuration brings along, and running them.

use std::sync::Arc;

use dunlin_net::Prefix;

use crate::{
    code::Function,
    input::Sink,
    program::Program,
    run::{Scratch, run_suite},
};

/// A test.
#[derive(Debug, Clone)]
pub enum PolicyTest {
    /// `bt_test_suite`: a function with assertions in it.
    Suite {
        /// `FILE:LINE:COL`
        place: Arc<str>,
        /// The function, which has no parameters.
        function: Arc<Function>,
        /// What it tests, in the user's words.
        text: Arc<str>,
        /// The `net` of the route that it runs over.
        net: Option<Prefix>,
    },
    /// `bt_test_same`: whether two programs are the same.
    Same {
        /// `FILE:LINE:COL`
        place: Arc<str>,
        /// Their names.
        names: [Arc<str>; 2],
        /// What they name.
        subjects: [Subject; 2],
        /// Whether they have to be the same.
        same: bool,
    },
}

/// What `bt_test_same` compares.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A filter.
    Filter(Arc<Program>),
    /// A function.
    Function(Arc<Function>),
}

/// By what is written, apart from operations on literals: what comes to the same in the end need not
/// be the same.
impl PartialEq for Subject {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Filter(one), Self::Filter(other)) => one.written() == other.written(),
            (Self::Function(one), Self::Function(other)) => {
                one.parameters == other.parameters
                    && one.result == other.result
                    && one.written() == other.written()
            }
            _ => false,
        }
    }
}

impl Eq for Subject {}

/// What a test found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How many checks were made.
    pub checks: u32,
    /// Those that failed, and what else was wrong, each with its place.
    pub failures: Vec<String>,
}

impl Report {
    /// Whether nothing was wrong.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

impl PolicyTest {
    /// What it tests.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::Suite { text, .. } => text.to_string(),
            Self::Same { names: [one, other], same: true, .. } => format!("{one} is {other}"),
            Self::Same { names: [one, other], same: false, .. } => format!("{one} is not {other}"),
        }
    }

    /// Runs it. A suite runs over a route of its own, without attributes; what its function prints
    /// goes to the sink.
    pub fn run(&self, scratch: &mut Scratch, sink: &mut dyn Sink) -> Report {
        match self {
            Self::Suite { place, function, net, .. } => {
                let net = net.unwrap_or(Prefix::V4(dunlin_net::Prefix4::DEFAULT));
                let (mut report, end) = run_suite(function, net, scratch, sink);
                report.failures.extend(end.map(|end| format!("{place}: {end}")));
                report
            }
            Self::Same { place, subjects: [one, other], same, .. } => {
                let found = one == other;
                let differs = if found { "they are the same" } else { "they differ" };
                let failures = (found != *same).then(|| format!("{place}: {differs}"));
                Report { checks: 1, failures: failures.into_iter().collect() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::parse::tests::parse_tests;

    use super::*;

    fn reports(text: &str) -> Vec<(String, Report)> {
        let tests = parse_tests(text);
        let mut printed: Vec<String> = Vec::new();
        tests
            .iter()
            .map(|test| (test.title(), test.run(&mut Scratch::default(), &mut printed)))
            .collect()
    }

    #[test]
    fn assertions_that_hold_pass() {
        let text = "attribute int mine;
            function f() { int a; bt_assert(1 + 1 = 2); bt_check_assign(a, 5); bt_assert(a = 5);
              bt_check_assign(bgp_med, a + 1); bt_check_assign(mine, 3); bt_check_assign(preference, 7);
              bt_check_assign(bgp_path, prepend(+empty+, 5)); bt_check_assign(bgp_originator_id, 1.2.3.4);
              bt_assert(net = 10.0.0.0/8 && bgp_path.len = 1); }
            bt_test_suite(f, \"a text\", 10.0.0.0/8);";
        let expected = Report { checks: 9, failures: Vec::new() };
        assert_eq!(reports(text), [("a text".to_owned(), expected)]);
    }

    #[test]
    fn failures_have_their_place_and_values_and_do_not_stop_the_suite() {
        let text = "function two() -> int { return 2; }
function f() -> bool { int a = 5; bt_assert(a  =
  two() + 4); bt_assert(1 + 1 = 3); bt_assert(a < 6);
  bt_assert(! (a = 5)); bt_assert(a ~ [1, 2]); bt_assert(bgp_path.len > 0 || a = 1); return true; }
bt_test_suite(f, \"wrong\");";
        let (_, report) = reports(text).remove(0);
        assert_eq!(report.checks, 6);
        assert_eq!(
            report.failures,
            [
                "f:2:35: a = two() + 4: it is 5 and 6",
                "f:3:15: 1 + 1 = 3: it is 2 and 3",
                "f:4:3: ! (a = 5)",
                "f:4:25: a ~ [1, 2]: it is 5 and [1, 2]",
                "f:4:48: bgp_path.len > 0 || a = 1",
            ]
        );
    }

    #[test]
    fn what_is_made_of_comparisons_of_constants_is_asserted_itself() {
        let text = "define NETS = [10.0.0.0/8+];
function f() { bt_assert(!(1 = 1)); bt_assert(!(1 = 2)); bt_assert(! (10.1.0.0/16 ~ NETS));
  bt_assert(!(1 = 2) && true); bt_assert(1 = 2 || 2 = 2); bt_assert((1 = 1) = false);
  bt_assert(!!(2 < 1)); bt_assert(! (10.1.0.0/16 !~ NETS)); bt_assert((1 = 2)); }
bt_test_suite(f, \"folded\");";
        let (_, report) = reports(text).remove(0);
        assert_eq!(report.checks, 9);
        assert_eq!(
            report.failures,
            [
                "f:2:16: !(1 = 1)",
                "f:2:58: ! (10.1.0.0/16 ~ NETS)",
                "f:3:59: (1 = 1) = false: it is TRUE and FALSE",
                "f:4:3: !!(2 < 1)",
                "f:4:61: (1 = 2): it is 1 and 2",
            ]
        );
    }

    #[test]
    fn an_assignment_that_does_not_hold_fails() {
        let text = "function f() { bt_check_assign(weight, 300); }
            bt_test_suite(f, \"weight\");";
        let (_, report) = reports(text).remove(0);
        let wanted = "f:2:13: filters, line 1: Setting weight value out of bounds";
        assert_eq!(report.failures, [wanted]);
    }

    #[test]
    fn a_suite_that_fails_or_rejects_has_failed() {
        let text = "function f() -> int { if bgp_path.len = 0 then reject; return 1; }
            function g(int x) -> int { return 5 / x; }
            function h() { bt_assert(g(0) = 1); bt_assert(true); }
            function i() { bt_assert(true); accept; }
            bt_test_suite(f, \"f\"); bt_test_suite(h, \"h\"); bt_test_suite(i, \"i\");";
        let found = reports(text);
        let failures: Vec<&[String]> = found.iter().map(|(_, r)| &*r.failures).collect();
        assert_eq!(failures[0], ["f:5:13: the function rejects the route"]);
        assert_eq!(failures[1], ["f:5:36: filters, line 2: Mother told me not to divide by 0"]);
        assert!(found[2].1.passed());
    }

    #[test]
    fn filters_are_the_same_by_what_they_do() {
        let text = "filter f { if bgp_med = 2 + 3 then accept; reject; }
            filter g { if bgp_med = 5 then accept; reject; }
            filter h { accept; }
            bt_test_same(f, g, 1); bt_test_same(f, h, false); bt_test_same(g, h, 1);";
        let found: Vec<(String, bool)> =
            reports(text).into_iter().map(|(title, report)| (title, report.passed())).collect();
        let expected = [("f is g", true), ("f is not h", true), ("g is h", false)];
        assert_eq!(found, expected.map(|(title, passed)| (title.to_owned(), passed)));
    }
}
