//! Programs that are equal but for constants, asked all at once.
//!
//! One of them runs. Where it comes to a constant in which the others differ from it, those are sorted
//! out for whom that makes a difference: with a comparison, who would get another answer; elsewhere, who
//! has another constant. For those who are left at the end the verdict is the same, with the same
//! changes. The others are asked again, one of them for all who are left of them.

use std::sync::Arc;

use super::{Evaluated, Frame, Machine, tracer::Tracer};
use crate::{
    code::{Binary, Code, Node, NodeId},
    ops::{self, Outcome},
    program::Program,
    value::{Constant, Value},
};

/// See the module.
#[derive(Debug, Default)]
pub struct Cohort {
    programs: Vec<Arc<Program>>,
    /// Of each node: whether some of the programs have another constant there than the first.
    differs: Box<[bool]>,
    /// Which of them runs.
    runs: usize,
    /// Of each: it comes to the same as the one that runs, as far as that has got.
    alike: Vec<bool>,
}

impl Cohort {
    /// A cohort of these programs. None if they differ in more than constants.
    #[must_use]
    pub fn new(programs: Vec<Arc<Program>>) -> Option<Self> {
        let (first, others) = programs.split_first()?;
        if !others.iter().all(|other| other.code.has_shape_of(&first.code)) {
            return None;
        }
        let nodes = first.code.nodes.iter().enumerate();
        let differs = nodes.map(|(id, node)| {
            others.iter().any(|other| other.code.nodes.get(id).is_none_or(|other| other != node))
        });
        let differs = differs.collect();
        let alike = vec![false; programs.len()];
        Some(Self { programs, differs, runs: 0, alike })
    }

    /// How many programs it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.programs.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.programs.is_empty()
    }

    /// In how many places the programs differ.
    #[must_use]
    pub fn places(&self) -> usize {
        self.differs.iter().filter(|differs| **differs).count()
    }

    /// The next run is that of one of the programs, for it and those for which `asks` says so. Programs
    /// go by their places in the list that the cohort was made of.
    pub fn begin(&mut self, runs: usize, mut asks: impl FnMut(usize) -> bool) {
        self.runs = runs;
        for (member, alike) in self.alike.iter_mut().enumerate() {
            *alike = member == runs || asks(member);
        }
    }

    /// Whether what the run came to holds for this program.
    #[must_use]
    pub fn is_alike(&self, member: usize) -> bool {
        self.alike.get(member).copied().unwrap_or(false)
    }

    /// What the run came to holds for nobody else.
    pub fn part(&mut self) {
        let runs = self.runs;
        self.keep(|member, _| member == runs);
    }

    /// Whether this code is that of the program that runs.
    pub(super) fn runs(&self, code: &Code) -> bool {
        let runs = self.programs.get(self.runs);
        runs.is_some_and(|program| std::ptr::eq(&raw const program.code, code))
    }

    /// Whether some program has another constant in a place of the code.
    fn differs(&self, code: &Code, node: NodeId) -> bool {
        self.differs.get(node as usize).copied().unwrap_or(false) && self.runs(code)
    }

    /// Keeps those that have this constant in a place.
    pub(super) fn keep_equal(&mut self, code: &Code, node: NodeId, constant: &Constant) {
        if self.differs(code, node) {
            self.keep(|_, other| constant_of(other, node) == Some(constant));
        }
    }

    fn keep(&mut self, mut keeps: impl FnMut(usize, &Code) -> bool) {
        let members = self.programs.iter().zip(&mut self.alike).enumerate();
        for (member, (program, alike)) in members {
            *alike = *alike && keeps(member, &program.code);
        }
    }
}

fn constant_of(code: &Code, node: NodeId) -> Option<&Constant> {
    if let Node::Constant(constant) = code.node(node) { Some(constant) } else { None }
}

impl<'s, T: Tracer> Machine<'s, '_, T> {
    /// Whether one of two operands is a constant in which the cohort differs.
    #[inline]
    pub(super) fn differ(&self, code: &Code, a: NodeId, b: NodeId) -> bool {
        match &self.cohort {
            None => false,
            Some(cohort) => cohort.differs(code, a) || cohort.differs(code, b),
        }
    }

    /// An operation on a constant in which the cohort differs: those stay who get the same answer.
    #[inline(never)]
    pub(super) fn binary_of_all(
        &mut self,
        frame: &mut Frame<'s>,
        id: NodeId,
        op: Binary,
        operands: [NodeId; 2],
    ) -> Evaluated<'s> {
        let code: &'s Code = frame.code;
        let mut values = [Value::Void; 2];
        for (value, operand) in values.iter_mut().zip(operands) {
            *value = match code.node(operand) {
                // Who has another one is found out below.
                Node::Constant(constant) => constant.value(),
                _ => self.evaluate(frame, operand)?,
            };
        }
        let [a, b] = values;
        let result = ops::binary(op, a, b, self.bump);
        if let Some(cohort) = &mut self.cohort {
            let differs = operands.map(|operand| cohort.differs(code, operand));
            cohort.keep(|_, other| {
                let own = |place: usize| match constant_of(other, operands[place]) {
                    Some(constant) if differs[place] => constant.value(),
                    _ => values[place],
                };
                let equal = |place: usize| {
                    !differs[place]
                        || constant_of(other, operands[place]) == constant_of(code, operands[place])
                };
                match &result {
                    Ok(Value::Bool(answer)) => {
                        is_bool(&ops::binary(op, own(0), own(1), self.bump), *answer)
                    }
                    _ => equal(0) && equal(1),
                }
            });
        }
        result.map_err(|fault| self.stop(frame, id, fault))
    }
}

fn is_bool(outcome: &Outcome<'_>, wanted: bool) -> bool {
    matches!(outcome, Ok(Value::Bool(answer)) if *answer == wanted)
}

#[cfg(test)]
mod tests {
    use dunlin_attr::{Attrs, AttrsBuilder, Rts};
    use dunlin_net::as_path::AsPathBuf;
    use proptest::prelude::*;

    use super::*;
    use crate::{ChannelFilter, RouteInput, Scratch, Verdict, apply_for, parse::tests::parse, run};

    fn program(text: &str) -> Arc<Program> {
        let (outcome, mut filters) = parse(text);
        let errors: Vec<String> = outcome.diagnostics.errors().map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{text}: {errors:?}");
        match filters.pop().unwrap() {
            ChannelFilter::Program(program) => program,
            other => panic!("{other:?}"),
        }
    }

    fn attrs() -> Arc<Attrs> {
        let mut builder = AttrsBuilder::new(Rts::Bgp);
        let path: AsPathBuf = "65001 65002 65003".parse().unwrap();
        builder.set_as_path(path.view()).unwrap();
        builder.set_med(Some(7));
        let list: dunlin_net::community::CommunitiesBuf = "(1,3) (2,5)".parse().unwrap();
        builder.set_communities(list.view()).unwrap();
        builder.finish()
    }

    fn input(attrs: &Arc<Attrs>) -> RouteInput<'_> {
        RouteInput::new("10.1.0.0/16".parse().unwrap(), attrs, "peer1")
    }

    fn told(verdict: &Verdict, scratch: &Scratch) -> String {
        let set = (scratch.seen().sets_med(), scratch.seen().sets_next_hop());
        match verdict {
            Verdict::Accept(None) => format!("accept {set:?}"),
            Verdict::Accept(Some(new)) => format!("accept {set:?} {:?}", new.wire()),
            Verdict::Reject => "reject".to_owned(),
            Verdict::Error(error) => format!("error {error}"),
        }
    }

    /// What each program says, and how many runs that took.
    fn all_at_once(programs: &[Arc<Program>]) -> (Vec<String>, usize) {
        let attrs = attrs();
        let mut cohort = Cohort::new(programs.to_vec()).expect("one shape");
        let mut said: Vec<Option<String>> = vec![None; programs.len()];
        let (mut runs, mut scratch) = (0, Scratch::default());
        while let Some(next) = said.iter().position(Option::is_none) {
            cohort.begin(next, |member| said[member].is_none());
            let filter = ChannelFilter::Program(Arc::clone(&programs[next]));
            let mut lines: Vec<String> = Vec::new();
            let verdict =
                apply_for(&filter, Some(&mut cohort), &mut scratch, &input(&attrs), &mut lines);
            runs += 1;
            for (member, said) in said.iter_mut().enumerate() {
                if cohort.is_alike(member) {
                    assert!(said.replace(told(&verdict, &scratch)).is_none());
                }
            }
        }
        (said.into_iter().flatten().collect(), runs)
    }

    fn one_by_one(programs: &[Arc<Program>]) -> Vec<String> {
        let attrs = attrs();
        let mut scratch = Scratch::default();
        let mut said = |program| {
            let mut lines: Vec<String> = Vec::new();
            let verdict = run(program, &mut scratch, &input(&attrs), &mut lines);
            told(&verdict, &scratch)
        };
        programs.iter().map(|program| said(program)).collect()
    }

    fn fifty(text: impl Fn(usize) -> String) -> Vec<Arc<Program>> {
        (0..50).map(|n| program(&format!("import filter {{ {} }};", text(n)))).collect()
    }

    #[test]
    fn fifty_that_differ_in_constants_are_asked_as_often_as_there_are_answers() {
        for (expected, programs) in [
            // Nobody is named.
            (1, fifty(|n| format!("if (64999, {n}) ~ bgp_community then reject; accept;"))),
            // One is.
            (2, fifty(|n| format!("if (1, {n}) ~ bgp_community then reject; accept;"))),
            (2, fifty(|n| format!("if bgp_path.len > {n} then reject; accept;"))),
            (
                3,
                fifty(|n| {
                    format!(
                        "if bgp_path ~ [65{n:03}, 64002] || bgp_med = {n} then reject; bgp_med = 1; accept;"
                    )
                }),
            ),
            (1, fifty(|n| format!("case bgp_med {{ 1: bgp_med = {n}; else: reject; }} accept;"))),
            // All do something else.
            (50, fifty(|n| format!("bgp_med = {n}; accept;"))),
            (50, fifty(|n| format!("if bgp_med > {n}00 then accept; print {n}; reject;"))),
            (25, fifty(|n| format!("bgp_med = {}; accept;", n / 2))),
        ] {
            let (said, runs) = all_at_once(&programs);
            assert_eq!(said, one_by_one(&programs));
            assert_eq!(runs, expected, "{:?}", programs[1].code.nodes);
        }
    }

    #[test]
    fn programs_of_other_shapes_are_no_cohort() {
        let one = program("import filter { if bgp_med = 1 then reject; accept; };");
        for other in
            ["if bgp_med = (1, 2) then reject; accept;", "if bgp_med > 1 then reject; accept;"]
        {
            let other = program(&format!("import filter {{ {other} }};"));
            assert_ne!(one.shape(), other.shape());
            assert!(Cohort::new(vec![Arc::clone(&one), other]).is_none());
        }
        let same = program("import filter { if bgp_med = 9 then reject; accept; };");
        assert_eq!(one.shape(), same.shape());
        assert_eq!(Cohort::new(vec![one, same]).unwrap().places(), 1);
    }

    /// Statements with places for constants.
    const PARTS: &[&str] = &[
        "if bgp_med = # then reject; ",
        "if # < bgp_path.len then accept; ",
        "bgp_local_pref = #; ",
        "int v@ = # + bgp_med; if v@ > # then bgp_med = v@; ",
        "if (1, #) ~ bgp_community then bgp_community.add((9, #)); ",
        "if bgp_community ~ [(#, 1..5)] then reject; ",
        "for int a@ in bgp_path do if a@ = 65000 + # then reject; ",
        "case bgp_path.len { 3: bgp_med = #; else: reject; } ",
        "if bgp_med / # = 1 then reject; ",
        "if bgp_path ~ [= * # * =] || net.len > # then bgp_path.prepend(#); ",
        "if !(bgp_med = # && bgp_path.first != #) then print bgp_med; ",
        "bgp_community.delete([(#, *)]); bgp_large_community.delete([(9, #, 1)]); bgp_community.delete([(#, 1)]); ",
        "if net.type = NET_IP4 then { if bgp_path.len = # then reject; if # = bgp_med then reject; } ",
        "bool b@; b@ = bgp_path.len > #; if b@ then bgp_med = #; ",
        "if g(bgp_med) then bgp_local_pref = #; ",
        "if bgp_path.len > # then bgp_med = bgp_med; ",
        "if bgp_path.len < # then bgp_next_hop = 192.0.2.#; else unset(bgp_med); ",
    ];

    /// It runs by itself, whoever calls it.
    const FUNCTION: &str = "function g(int n) -> bool {
        for int a in bgp_path do if a = n then return true;
        bgp_community.delete([(1, 3)]); bgp_community.add((2, 6));
        if (2, 5) ~ bgp_community then return true;
        return net.len = 3; }";

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn all_at_once_say_what_each_says(
            parts in proptest::collection::vec(0..PARTS.len(), 1..6),
            constants in proptest::collection::vec(proptest::collection::vec(1_u32..6, 24), 2..12),
        ) {
            let text = |constants: &[u32]| {
                let mut constants = constants.iter().cycle();
                let mut text = String::new();
                for (number, part) in parts.iter().enumerate() {
                    for c in PARTS[*part].chars() {
                        match c {
                            '#' => text += &constants.next().unwrap().to_string(),
                            '@' => text += &number.to_string(),
                            c => text.push(c),
                        }
                    }
                }
                program(&format!("{FUNCTION} import filter {{ {text} accept; }};"))
            };
            let programs: Vec<_> = constants.iter().map(|constants| text(constants)).collect();
            let (said, runs) = all_at_once(&programs);
            prop_assert_eq!(&said, &one_by_one(&programs));
            prop_assert!(runs <= programs.len());
        }
    }
}
