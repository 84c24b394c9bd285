//! Makes flat code.

use std::sync::Arc;

use dunlin_attr::kind;

use super::{AsWhat, Flat, Member, Number, Operation, Place, Question, Test};
use crate::{
    attribute::Attribute,
    code::{Binary, Code, List, Logic, Node, NodeId, Unary},
    fold,
    method::Method,
    types::{Element, EnumType, Type},
    value::Constant,
};

/// Code that nests deeper is run as a tree, which tells when it is too deep.
const MAX_NESTING: u32 = 100;

/// The flat form of folded code. None if it calls itself or nests deep.
pub(crate) fn compile(code: &Code) -> Option<Arc<Flat>> {
    let recurses = code.nodes.iter().any(|node| matches!(node, Node::Recurse(_)));
    if recurses || fold::depth(code) > MAX_NESTING {
        return None;
    }
    let mut compiler = Compiler { code, operations: Vec::new(), labels: Vec::new() };
    compiler.statement(code.body);
    Some(Arc::new(compiler.finish()))
}

/// A place that is not known yet; its number is that of its entry in the list.
#[derive(Debug, Clone, Copy)]
struct Label(u32);

/// Where a condition leads to.
#[derive(Debug, Clone, Copy)]
struct Ways {
    yes: Label,
    no: Label,
    /// Which of them is what comes next.
    next: bool,
}

impl Ways {
    const fn swapped(self) -> Self {
        Self { yes: self.no, no: self.yes, next: !self.next }
    }
}

struct Compiler<'a> {
    code: &'a Code,
    /// Jumps go to labels, until [`Compiler::finish`].
    operations: Vec<Operation>,
    labels: Vec<u32>,
}

impl Compiler<'_> {
    fn finish(mut self) -> Flat {
        let place = |label: u32| self.labels.get(label as usize).copied().unwrap_or(u32::MAX);
        for operation in &mut self.operations {
            match operation {
                Operation::Test(Question { to, .. }) | Operation::Jump(to) => *to = place(*to),
                _ => {}
            }
        }
        Flat { operations: self.operations.into() }
    }

    fn label(&mut self) -> Label {
        self.labels.push(u32::MAX);
        Label(u32::try_from(self.labels.len() - 1).unwrap_or(u32::MAX))
    }

    /// What comes next is where the label leads to.
    fn bind(&mut self, label: Label) {
        if let Some(place) = self.labels.get_mut(label.0 as usize) {
            *place = u32::try_from(self.operations.len()).unwrap_or(u32::MAX);
        }
    }

    fn statement(&mut self, id: NodeId) {
        let code = self.code;
        let operation = match code.node(id) {
            Node::Nothing => return,
            Node::Block(list) => return self.block(*list),
            Node::If(..) => return self.tests(id),
            Node::SetVariable(slot, value) => return self.set_variable(id, *slot, *value),
            Node::SetAttribute(attribute, value) => {
                self.list_change(id, attribute, *value).unwrap_or(Operation::Execute(id))
            }
            Node::Discard(value) if matches!(code.node(*value), Node::Call(..)) => {
                Operation::Call(*value)
            }
            Node::Return(value) if self.is_bool(*value) => {
                return self.either(*value, Operation::Return);
            }
            Node::Accept(list) if list.len == 0 => Operation::Accept,
            Node::Reject(list) if list.len == 0 => Operation::Reject,
            _ => Operation::Execute(id),
        };
        self.operations.push(operation);
    }

    fn block(&mut self, list: List) {
        for statement in self.code.operands(list) {
            self.statement(*statement);
        }
    }

    /// A chain of `else if`, of any length.
    fn tests(&mut self, mut id: NodeId) {
        let code = self.code;
        let end = self.label();
        while let Node::If(condition, then, otherwise) = code.node(id) {
            let (yes, no) = (self.label(), self.label());
            self.condition(*condition, Ways { yes, no, next: true }, AsWhat::Condition);
            self.bind(yes);
            self.statement(*then);
            id = *otherwise;
            if !self.ends(*then) && !matches!(code.node(id), Node::Nothing) {
                self.operations.push(Operation::Jump(end.0));
            }
            self.bind(no);
        }
        self.statement(id);
        self.bind(end);
    }

    /// Whether nothing behind the statement is reached, and it is plain to see.
    fn ends(&self, id: NodeId) -> bool {
        match self.code.node(id) {
            Node::Block(list) => self.code.operands(*list).last().is_some_and(|id| self.ends(*id)),
            Node::Accept(_) | Node::Reject(_) | Node::Error(_) | Node::Return(_) => true,
            _ => false,
        }
    }

    fn set_variable(&mut self, id: NodeId, slot: u16, value: NodeId) {
        let kind = self.code.kinds.get(usize::from(slot)).copied().unwrap_or(Type::Unknown);
        match self.code.node(value) {
            Node::Constant(constant)
                if *constant == Constant::Void || constant.kind().fits(kind) =>
            {
                self.operations.push(Operation::Set(slot, value));
            }
            _ if kind == Type::Bool && self.is_bool(value) => {
                self.either(value, |value| Operation::SetBool(slot, value));
            }
            _ => self.operations.push(Operation::Execute(id)),
        }
    }

    /// One operation if an expression is true, another if it is not.
    fn either(&mut self, value: NodeId, operation: impl Fn(bool) -> Operation) {
        let (yes, no, end) = (self.label(), self.label(), self.label());
        self.condition(value, Ways { yes, no, next: true }, AsWhat::Condition);
        self.bind(yes);
        self.operations.push(operation(true));
        self.operations.push(Operation::Jump(end.0));
        self.bind(no);
        self.operations.push(operation(false));
        self.bind(end);
    }

    /// Whether evaluating it as a condition is the same as evaluating it for its value: nothing that could be
    /// no bool is asked for one, but by `&&` and `||`, which tell it in the same way.
    fn is_bool(&self, id: NodeId) -> bool {
        match self.code.node(id) {
            Node::Unary(Unary::Not, operand) => self.is_bool(*operand),
            Node::Unary(Unary::Defined, _) | Node::Logic(..) => true,
            Node::Binary(op, ..) => matches!(
                op,
                Binary::Match
                    | Binary::NotMatch
                    | Binary::Equal
                    | Binary::NotEqual
                    | Binary::Less
                    | Binary::LessEqual
                    | Binary::Greater
                    | Binary::GreaterEqual
            ),
            _ => false,
        }
    }

    fn condition(&mut self, id: NodeId, ways: Ways, as_what: AsWhat) {
        match self.code.node(id) {
            Node::Constant(Constant::Bool(value)) => {
                if *value != ways.next {
                    let to = if *value { ways.yes } else { ways.no };
                    self.operations.push(Operation::Jump(to.0));
                }
            }
            Node::Logic(first, steps) => self.chain(*first, steps, ways),
            Node::Unary(Unary::Not, operand) => {
                self.condition(*operand, ways.swapped(), AsWhat::Negated);
            }
            node => {
                let (test, negated) = self.test(node);
                let (leaves, to) = if ways.next { (false, ways.no) } else { (true, ways.yes) };
                let question = Question { test, negated, leaves, as_what, node: id, to: to.0 };
                self.operations.push(Operation::Test(question));
            }
        }
    }

    /// A chain of `&&` and `||`: each operand leads to the next that is asked if it comes to this.
    fn chain(&mut self, first: NodeId, steps: &[(Logic, NodeId)], ways: Ways) {
        let labels: Vec<Label> = steps.iter().map(|_| self.label()).collect();
        // Of each operand: where it leads to if it is true, and if it is not.
        let mut leads = vec![(ways.yes, ways.no); steps.len() + 1];
        for (place, ((op, _), label)) in steps.iter().zip(&labels).enumerate().rev() {
            let (yes, no) = leads[place + 1];
            leads[place] = if *op == Logic::And { (*label, no) } else { (yes, *label) };
        }
        let operands = core::iter::once(first).chain(steps.iter().map(|(_, operand)| *operand));
        for (place, (operand, (yes, no))) in operands.zip(leads).enumerate() {
            if let Some(label) = place.checked_sub(1).and_then(|before| labels.get(before)) {
                self.bind(*label);
            }
            let next = steps.get(place).map_or(ways.next, |(op, _)| *op == Logic::And);
            let as_what = match place.checked_sub(1).and_then(|before| steps.get(before)) {
                Some((op, _)) => AsWhat::Other(*op),
                None => AsWhat::First(steps.first().map_or(Logic::And, |(op, _)| *op)),
            };
            self.condition(operand, Ways { yes, no, next }, as_what);
        }
    }

    /// The short way to find out what a node says, and whether it says the opposite.
    fn test(&self, node: &Node) -> (Test, bool) {
        let test = match node {
            Node::Variable(slot) => Some(Test::Variable(*slot)),
            Node::Unary(Unary::Defined, of) => self.number(*of).and_then(|number| {
                matches!(number, Number::Med | Number::LocalPref).then_some(Test::Defined(number))
            }),
            Node::Binary(Binary::Match | Binary::NotMatch, a, b) => self.matching(*a, *b),
            Node::Binary(op @ (Binary::Equal | Binary::NotEqual), a, b) => {
                let of_numbers = self.comparison(*a, *op, *b);
                of_numbers.or_else(|| self.equality(*a, *b))
            }
            Node::Binary(
                op @ (Binary::Less | Binary::LessEqual | Binary::Greater | Binary::GreaterEqual),
                a,
                b,
            ) => self.comparison(*a, *op, *b),
            _ => None,
        };
        let negated = match (node, &test) {
            (_, None | Some(Test::Compare(..))) => false,
            (Node::Binary(op, ..), _) => matches!(op, Binary::NotEqual | Binary::NotMatch),
            _ => false,
        };
        (test.unwrap_or(Test::General), negated)
    }

    fn comparison(&self, a: NodeId, op: Binary, b: NodeId) -> Option<Test> {
        Some(Test::Compare(self.number(a)?, op, self.number(b)?))
    }

    fn equality(&self, a: NodeId, b: NodeId) -> Option<Test> {
        let Node::Constant(wanted) = self.code.node(b) else { return None };
        Some(match (self.code.node(a), wanted) {
            (Node::Attribute(Attribute::Source), Constant::Enum(EnumType::Rts, wanted)) => {
                Test::Source(*wanted)
            }
            (
                Node::Attribute(Attribute::Bgp(kind::ORIGIN, Type::Enum(EnumType::Origin))),
                Constant::Enum(EnumType::Origin, wanted),
            ) => Test::Origin(*wanted),
            (Node::Attribute(Attribute::Bgp(kind::NEXT_HOP, Type::Ip)), Constant::Ip(wanted)) => {
                Test::NextHop(*wanted)
            }
            (Node::Method(Method::NetType, on, None), Constant::Enum(EnumType::Net, wanted))
                if matches!(self.code.node(*on), Node::Attribute(Attribute::Net)) =>
            {
                Test::NetType(*wanted)
            }
            _ => return None,
        })
    }

    fn matching(&self, a: NodeId, b: NodeId) -> Option<Test> {
        Some(match (self.code.node(a), self.code.node(b)) {
            (Node::Attribute(Attribute::Net), Node::Constant(Constant::PrefixSet(set))) => {
                Test::NetIn(Arc::clone(set))
            }
            (Node::Constant(one), Node::Attribute(list)) => {
                let (place, member) = member(one, list)?;
                Test::Has(place, member)
            }
            (Node::Attribute(list), Node::Constant(Constant::Set(set)))
                if element(list) == Some(set.element()) =>
            {
                match Place::of(list)? {
                    Place::Path => Test::PathIn(Arc::clone(set)),
                    place => Test::ListIn(place, Arc::clone(set)),
                }
            }
            (Node::Attribute(path), Node::Constant(Constant::Mask(mask)))
                if Place::of(path) == Some(Place::Path) =>
            {
                Test::PathLike(Arc::clone(mask))
            }
            (_, Node::Constant(Constant::Set(set))) if set.element() == Element::Int => {
                Test::NumberIn(self.number(a)?, Arc::clone(set))
            }
            _ => return None,
        })
    }

    fn number(&self, id: NodeId) -> Option<Number> {
        Some(match self.code.node(id) {
            Node::Constant(Constant::Int(number)) => Number::Constant(*number),
            Node::Variable(slot) => Number::Variable(*slot),
            Node::Attribute(attribute) => match attribute {
                Attribute::Bgp(kind::LOCAL_PREF, Type::Int) => Number::LocalPref,
                Attribute::Bgp(kind::MULTI_EXIT_DISC, Type::Int) => Number::Med,
                Attribute::Preference => Number::Preference,
                _ => return None,
            },
            Node::Method(method, on, None) => match (method, self.code.node(*on)) {
                (Method::Len, Node::Attribute(Attribute::Net)) => Number::NetLen,
                (method, Node::Attribute(path)) if Place::of(path) == Some(Place::Path) => {
                    match method {
                        Method::Len => Number::PathLen,
                        Method::First => Number::PathFirst,
                        Method::Last => Number::PathLast,
                        _ => return None,
                    }
                }
                _ => return None,
            },
            _ => return None,
        })
    }

    /// A deletion of known communities from a list, or an addition of one.
    fn list_change(&self, id: NodeId, attribute: &Attribute, value: NodeId) -> Option<Operation> {
        let Node::Method(method, on, Some(which)) = self.code.node(value) else { return None };
        let (Node::Attribute(list), Node::Constant(which)) =
            (self.code.node(*on), self.code.node(*which))
        else {
            return None;
        };
        if list != attribute {
            return None;
        }
        match (method, which) {
            (Method::Delete, Constant::Set(set)) if element(list) == Some(set.element()) => {
                let place = Place::of(list).filter(|place| *place != Place::Path)?;
                Some(Operation::Delete(place, Arc::clone(set), id))
            }
            (Method::Add, one) => {
                let (place, member) = member(one, list)?;
                Some(Operation::Add(place, member, id))
            }
            _ => None,
        }
    }
}

/// What the sets are made of that a path or list is asked about.
fn element(attribute: &Attribute) -> Option<Element> {
    Some(match Place::of(attribute)? {
        Place::Path => Element::Int,
        Place::Communities => Element::Pair,
        Place::Ext => Element::Ec,
        Place::Large => Element::Lc,
    })
}

/// A community of the sort that a list has.
fn member(one: &Constant, list: &Attribute) -> Option<(Place, Member)> {
    let place = Place::of(list)?;
    Some((place, Member::of(one, place)?))
}
