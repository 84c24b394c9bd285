//! Builds code: checks types, folds constants, numbers variables.

use std::sync::Arc;

use bumpalo::Bump;
use dunlin_conf::{Failed, Parsed, Span};
use dunlin_net::community::EcKind;

use crate::{
    Parser,
    attribute::Attribute,
    code::{Binary, Code, Function, List, Logic, Node, NodeId, Reads, SetPart, Spot, Table, Unary},
    method::Method,
    ops::{self, Fault, Outcome},
    parse::work,
    set::Switch,
    types::{Element, EnumType, Type},
    value::{Constant, Value},
};

/// The most variables of one function.
const MAX_VARIABLES: usize = 255;

/// Few functions have more nodes.
const USUAL_NODES: usize = 32;

/// An expression that was built.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expr {
    pub(crate) node: NodeId,
    pub(crate) kind: Type,
    pub(crate) span: Span,
}

/// What the body being built belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A filter, or an expression outside any body.
    Filter,
    /// A function, its name and result; no result if that is still to be inferred.
    Function(Arc<str>, Option<Type>),
}

/// Code under construction.
#[derive(Debug)]
pub(crate) struct Builder {
    nodes: Vec<Node>,
    spots: Vec<Spot>,
    operands: Vec<NodeId>,
    switches: Vec<Switch>,
    functions: Vec<Arc<Function>>,
    kinds: Vec<Type>,
    reads: Reads,
    pub(crate) owner: Owner,
    /// The last comparison of constants, for messages: its node and what it was of.
    compared: Option<(NodeId, Binary, Constant, Constant)>,
    bump: Bump,
}

impl Builder {
    pub(crate) fn new(owner: Owner) -> Self {
        Self {
            nodes: Vec::with_capacity(USUAL_NODES),
            spots: Vec::with_capacity(USUAL_NODES),
            operands: Vec::new(),
            switches: Vec::new(),
            functions: Vec::new(),
            kinds: Vec::new(),
            reads: Reads::default(),
            owner,
            compared: None,
            bump: Bump::new(),
        }
    }

    pub(crate) fn finish(self, body: NodeId) -> Code {
        Code::new(
            self.nodes,
            self.spots,
            self.operands,
            self.switches,
            self.functions,
            body,
            self.kinds,
            self.reads,
        )
    }

    pub(crate) fn push(&mut self, parser: &Parser, node: Node, span: Span) -> NodeId {
        let id = NodeId::try_from(self.nodes.len()).unwrap_or(NodeId::MAX);
        self.nodes.push(node);
        self.spots.push(Spot { line: parser.line(span), span });
        id
    }

    /// Drops the newest nodes.
    fn forget_from(&mut self, first: NodeId) {
        // What is put in their place may be computed from the comparison, but is another value.
        self.compared = None;
        self.nodes.truncate(first as usize);
        self.spots.truncate(first as usize);
    }

    fn expr(&mut self, parser: &Parser, node: Node, kind: Type, span: Span) -> Expr {
        Expr { node: self.push(parser, node, span), kind, span }
    }

    pub(crate) fn list(&mut self, nodes: &[NodeId]) -> List {
        let start = u32::try_from(self.operands.len()).unwrap_or(u32::MAX);
        self.operands.extend_from_slice(nodes);
        List { start, len: u32::try_from(nodes.len()).unwrap_or(u32::MAX) }
    }

    // --- Variables

    /// A new slot.
    pub(crate) fn variable(&mut self, parser: &mut Parser, kind: Type) -> Parsed<u16> {
        if self.kinds.len() >= MAX_VARIABLES {
            return Err(parser.error_here("Too many variables in one function").into());
        }
        self.kinds.push(kind);
        Ok(u16::try_from(self.kinds.len() - 1).unwrap_or(u16::MAX))
    }

    pub(crate) fn read_variable(
        &mut self,
        parser: &Parser,
        slot: u16,
        kind: Type,
        span: Span,
    ) -> Expr {
        self.expr(parser, Node::Variable(slot), kind, span)
    }

    // --- Constants

    pub(crate) fn constant(&mut self, parser: &Parser, value: Constant, span: Span) -> Expr {
        let kind = value.kind();
        self.expr(parser, Node::Constant(value), kind, span)
    }

    /// The value of an expression that is constant.
    pub(crate) fn constant_of(&self, expr: Expr) -> Option<&Constant> {
        match self.nodes.get(expr.node as usize) {
            Some(Node::Constant(constant)) => Some(constant),
            _ => None,
        }
    }

    /// Takes the value of an expression that is constant out of the code.
    pub(crate) fn take_constant(&mut self, expr: Expr) -> Option<Constant> {
        let constant = self.constant_of(expr)?.clone();
        self.forget_from(expr.node);
        Some(constant)
    }

    fn value_of(&self, expr: Expr) -> Option<Value<'_>> {
        self.constant_of(expr).map(Constant::value)
    }

    /// Makes a constant fit where another type is wanted, if that can be.
    pub(crate) fn promote(&mut self, expr: Expr, wanted: Type) -> Expr {
        let Some(Node::Constant(constant)) = self.nodes.get_mut(expr.node as usize) else {
            return expr;
        };
        *constant = constant.clone().promoted(wanted);
        Expr { kind: constant.kind(), ..expr }
    }

    /// Replaces the newest nodes, all constant, by the result of an operation on them.
    fn fold(
        &mut self,
        parser: &mut Parser,
        result: Result<Constant, Fault>,
        first: NodeId,
        span: Span,
    ) -> Parsed<Expr> {
        match result {
            Ok(constant) => {
                self.forget_from(first);
                // The constant is a copy: what it was computed with is not needed any more.
                self.bump.reset();
                Ok(self.constant(parser, constant, span))
            }
            Err(Fault(message)) => {
                let line = parser.line(span);
                let message = format!("filter preevaluation, line {line}: {message}");
                Err(parser.error_here(message).into())
            }
        }
    }

    // --- Checks

    /// Reports that an operand has the wrong type, at the token where BIRD notices.
    pub(crate) fn type_error(
        parser: &mut Parser,
        at: Span,
        message: String,
        operand: Expr,
    ) -> Failed {
        let why = format!("this is {}", operand.kind);
        let error = parser.error(at, message);
        if operand.span != at {
            error.related(operand.span, why);
        } else {
            error.hint(why);
        }
        Failed
    }

    /// Checks the type of an operand.
    pub(crate) fn check(
        &mut self,
        parser: &mut Parser,
        operand: Expr,
        wanted: Type,
        number: u8,
        of: &str,
    ) -> Parsed<Expr> {
        let at = parser.token().span;
        self.check_at(parser, at, operand, wanted, number, of)
    }

    /// As [`Builder::check`], with the place of the error.
    pub(crate) fn check_at(
        &mut self,
        parser: &mut Parser,
        at: Span,
        operand: Expr,
        wanted: Type,
        number: u8,
        of: &str,
    ) -> Parsed<Expr> {
        let operand = self.promote(operand, wanted);
        if operand.kind.fits(wanted) {
            return Ok(operand);
        }
        let message = ops::type_message(number, of, wanted, operand.kind);
        Err(Self::type_error(parser, at, message, operand))
    }

    // --- Operators

    pub(crate) fn binary(
        &mut self,
        parser: &mut Parser,
        op: Binary,
        a: Expr,
        b: Expr,
    ) -> Parsed<Expr> {
        let span = a.span.to(b.span);
        let (a, b) = (self.promote(a, b.kind), self.promote(b, a.kind));
        let (a, b, kind) = self.check_binary(parser, op, a, b)?;
        if let (Some(one), Some(other)) = (self.value_of(a), self.value_of(b)) {
            if op == Binary::Concat {
                work::over(parser, span, &one, &other)?;
            }
            let bump = &self.bump;
            let result = ops::binary(op, one, other, bump).map(|value| value.to_constant());
            let compared = match (kind, self.constant_of(a), self.constant_of(b)) {
                (Type::Bool, Some(one), Some(other)) => {
                    Some((a.node, op, one.clone(), other.clone()))
                }
                _ => None,
            };
            let folded = self.fold(parser, result, a.node, span)?;
            self.compared = compared;
            return Ok(folded);
        }
        Ok(self.expr(parser, Node::Binary(op, a.node, b.node), kind, span))
    }

    /// A comparison that was folded as it was before, so that its run has values to show.
    pub(crate) fn unfolded(&mut self, parser: &Parser, expr: Expr) -> Expr {
        let newest = self.nodes.len().checked_sub(1) == usize::try_from(expr.node).ok();
        match self.compared.take() {
            Some((node, op, a, b)) if node == expr.node && newest => {
                self.take_constant(expr);
                let (a, b) =
                    (self.constant(parser, a, expr.span), self.constant(parser, b, expr.span));
                self.expr(parser, Node::Binary(op, a.node, b.node), Type::Bool, expr.span)
            }
            _ => expr,
        }
    }

    fn check_binary(
        &mut self,
        parser: &mut Parser,
        op: Binary,
        a: Expr,
        b: Expr,
    ) -> Parsed<(Expr, Expr, Type)> {
        let wanted = match op {
            Binary::Equal | Binary::NotEqual => {
                if !ops::can_be_equal(a.kind, b.kind) {
                    let message = format!("{} and {} are never equal", a.kind, b.kind);
                    parser.warning(a.span.to(b.span), message).hint("they are of different types");
                }
                return Ok((a, b, Type::Bool));
            }
            Binary::Match | Binary::NotMatch => {
                if !ops::can_match(a.kind, b.kind) && self.constant_of(a).is_none() {
                    let message = format!("~ applied on {} and {}", a.kind, b.kind);
                    parser.warning(a.span, message).hint("this fails whenever it is evaluated");
                }
                return Ok((a, b, Type::Bool));
            }
            Binary::Less | Binary::LessEqual | Binary::Greater | Binary::GreaterEqual => {
                if a.kind.fits(b.kind) {
                    return Ok((a, b, Type::Bool));
                }
                let name = op.name();
                let message = format!("Arguments 1 and 2 of {name} must be of the same type");
                let (at, why) = (parser.token().span, format!("{} and {}", a.kind, b.kind));
                parser.error(at, message).related(a.span.to(b.span), why);
                return Err(Failed);
            }
            Binary::Concat if matches!(a.kind, Type::Bytes) => Type::Bytes,
            Binary::Concat if a.kind == Type::Unknown => b.kind,
            Binary::Concat => Type::String,
            Binary::Pair => return self.check_constructor(parser, op.name(), a, b, Type::Pair),
            _ => Type::Int,
        };
        let a = self.check(parser, a, wanted, 1, op.name())?;
        let b = self.check(parser, b, wanted, 2, op.name())?;
        Ok((a, b, wanted))
    }

    fn check_constructor(
        &mut self,
        parser: &mut Parser,
        name: &str,
        a: Expr,
        b: Expr,
        kind: Type,
    ) -> Parsed<(Expr, Expr, Type)> {
        let at = parser.previous().span;
        let a = self.check_at(parser, at, a, Type::Int, 1, name)?;
        let b = self.check_at(parser, at, b, Type::Int, 2, name)?;
        Ok((a, b, kind))
    }

    pub(crate) fn unary(
        &mut self,
        parser: &mut Parser,
        op: Unary,
        a: Expr,
        span: Span,
    ) -> Parsed<Expr> {
        let (a, kind) = match op {
            Unary::Not => (self.check(parser, a, Type::Bool, 1, op.name())?, Type::Bool),
            Unary::Defined => (a, Type::Bool),
            Unary::Format => (a, Type::String),
            Unary::FromHex => (self.check(parser, a, Type::String, 1, op.name())?, Type::Bytes),
        };
        if let Some(value) = self.value_of(a) {
            work::over(parser, span, &value, &Value::Void)?;
            let result = ops::unary(op, value, &self.bump).map(|value| value.to_constant());
            return self.fold(parser, result, a.node, span);
        }
        Ok(self.expr(parser, Node::Unary(op, a.node), kind, span))
    }

    /// A chain of `&&` and `||`, which are equal and go from left to right.
    pub(crate) fn logic(
        &mut self,
        parser: &mut Parser,
        first: Expr,
        steps: &[(Logic, Expr)],
    ) -> Parsed<Expr> {
        let mut all = vec![];
        for (number, (op, operand)) in steps.iter().enumerate() {
            let name = if *op == Logic::And { "AND" } else { "OR" };
            if number == 0 {
                self.check(parser, first, Type::Bool, 1, name)?;
            }
            self.check(parser, *operand, Type::Bool, 2, name)?;
            all.push((*op, operand.node));
        }
        let span = steps.last().map_or(first.span, |(_, last)| first.span.to(last.span));
        if let Some(result) = self.logic_of_constants(first, steps) {
            return self.fold(parser, Ok(Constant::Bool(result)), first.node, span);
        }
        Ok(self.expr(parser, Node::Logic(first.node, all.into()), Type::Bool, span))
    }

    fn logic_of_constants(&self, first: Expr, steps: &[(Logic, Expr)]) -> Option<bool> {
        let truth = |expr| match self.constant_of(expr) {
            Some(Constant::Bool(value)) => Some(*value),
            _ => None,
        };
        let mut value = truth(first)?;
        for (op, operand) in steps {
            let operand = truth(*operand)?;
            if value == (*op == Logic::And) {
                value = operand;
            }
        }
        Some(value)
    }

    pub(crate) fn ec(
        &mut self,
        parser: &mut Parser,
        kind: EcKind,
        key: Expr,
        value: Expr,
        span: Span,
    ) -> Parsed<Expr> {
        let value = self.check(parser, value, Type::Int, 2, "EC_CONSTRUCT")?;
        if let (Some(one), Some(other)) = (self.value_of(key), self.value_of(value)) {
            let result = ops::ec(kind, one, other).map(|value| value.to_constant());
            return self.fold(parser, result, key.node, span);
        }
        Ok(self.expr(parser, Node::Ec(kind, key.node, value.node), Type::Ec, span))
    }

    pub(crate) fn lc(&mut self, parser: &mut Parser, parts: [Expr; 3], span: Span) -> Parsed<Expr> {
        let at = parser.previous().span;
        for (number, part) in (1..).zip(parts) {
            self.check_at(parser, at, part, Type::Int, number, "LC_CONSTRUCT")?;
        }
        let [a, b, c] = parts;
        if let (Some(x), Some(y), Some(z)) = (self.value_of(a), self.value_of(b), self.value_of(c))
        {
            let result = ops::lc(x, y, z).map(|value| value.to_constant());
            return self.fold(parser, result, a.node, span);
        }
        Ok(self.expr(parser, Node::Lc(a.node, b.node, c.node), Type::Lc, span))
    }

    /// Applies a method whose operands were checked.
    pub(crate) fn method(
        &mut self,
        parser: &mut Parser,
        method: Method,
        on: Expr,
        argument: Option<Expr>,
        kind: Type,
        span: Span,
    ) -> Parsed<Expr> {
        let first = self.value_of(on);
        let second = match argument {
            Some(argument) => self.value_of(argument),
            None => Some(Value::Void),
        };
        if let (Some(first), Some(second)) = (first, second) {
            work::over(parser, span, &first, &second)?;
            let outcome: Outcome<'_> = ops::method(method, first, second, &self.bump);
            let result = outcome.map(|value| value.to_constant());
            return self.fold(parser, result, on.node, span);
        }
        let node = Node::Method(method, on.node, argument.map(|argument| argument.node));
        Ok(self.expr(parser, node, kind, span))
    }

    pub(crate) fn mask(
        &mut self,
        parser: &Parser,
        parts: Vec<crate::code::MaskPart>,
        span: Span,
    ) -> Expr {
        self.expr(parser, Node::Mask(parts.into()), Type::Mask, span)
    }

    pub(crate) fn set(
        &mut self,
        parser: &Parser,
        element: Element,
        parts: Vec<SetPart>,
        span: Span,
    ) -> Expr {
        self.expr(parser, Node::Set(element, parts.into()), Type::Set(element), span)
    }

    /// A check against a ROA or ASPA table, of operands that were checked.
    pub(crate) fn check_against(
        &mut self,
        parser: &Parser,
        kind: EnumType,
        table: Table,
        (a, b): (Expr, Expr),
        span: Span,
    ) -> Expr {
        self.reads.snapshot = true;
        let node = match kind {
            EnumType::Aspa => Node::AspaCheck(table, a.node, b.node),
            _ => Node::RoaCheck(table, a.node, b.node),
        };
        self.expr(parser, node, Type::Enum(kind), span)
    }

    // --- Attributes

    pub(crate) fn read_attribute(
        &mut self,
        parser: &Parser,
        attribute: Attribute,
        span: Span,
    ) -> Expr {
        self.reads.attribute(&attribute);
        let kind = attribute.kind();
        self.expr(parser, Node::Attribute(attribute), kind, span)
    }

    /// The statement that sets an attribute. The cursor is behind the expression.
    pub(crate) fn set_attribute(
        &mut self,
        parser: &mut Parser,
        attribute: Attribute,
        value: Expr,
        span: Span,
    ) -> Parsed<NodeId> {
        let at = parser.token().span;
        if attribute.is_read_only() {
            let message = if attribute.is_static() {
                "This static attribute is read-only."
            } else {
                "This attribute cannot be set"
            };
            parser.error(at, message).related(span, "set here");
            return Err(Failed);
        }
        self.reads.attribute(&attribute);
        let name = if attribute.is_static() || attribute == Attribute::Preference {
            "RTA_SET"
        } else {
            "EA_SET"
        };
        let value = self.check_at(parser, at, value, attribute.kind(), 1, name)?;
        Ok(self.push(parser, Node::SetAttribute(attribute, value.node), span))
    }

    // --- Calls and cases

    pub(crate) fn call(
        &mut self,
        parser: &mut Parser,
        function: &Arc<Function>,
        arguments: &[NodeId],
        span: Span,
    ) -> Expr {
        self.reads.join(function.code.reads);
        let list = self.list(arguments);
        let known = self.functions.iter().position(|known| Arc::ptr_eq(known, function));
        let index = known.unwrap_or_else(|| {
            self.functions.push(function.clone());
            self.functions.len() - 1
        });
        let node = Node::Call(u32::try_from(index).unwrap_or(u32::MAX), list);
        self.expr(parser, node, function.result, span)
    }

    pub(crate) fn recurse(
        &mut self,
        parser: &Parser,
        arguments: &[NodeId],
        result: Type,
        span: Span,
    ) -> Expr {
        let list = self.list(arguments);
        self.expr(parser, Node::Recurse(list), result, span)
    }

    pub(crate) fn switch(&mut self, switch: Switch) -> u32 {
        self.switches.push(switch);
        u32::try_from(self.switches.len() - 1).unwrap_or(u32::MAX)
    }

    /// Remembers that a run may print.
    pub(crate) fn note_print(&mut self) {
        self.reads.prints = true;
    }
}
