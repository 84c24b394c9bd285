//! Calls: small functions are put in place, others are made for the arguments that are given.

use std::{net::IpAddr, sync::Arc};

use super::{Folder, MAX_PLACED, Scope, Slot, fold_with, times_set};
use crate::{
    code::{Code, Function, List, Node, NodeId, Spot},
    types::Type,
    value::Constant,
};

/// The most nodes of a function that is put in the place of a call.
const MAX_INLINE: usize = 32;

/// The most nodes of a function made for its arguments, before and after.
const MAX_SPECIAL: usize = 256;

/// The most functions made for their arguments in one program.
const MAX_SPECIALS: usize = 64;

/// The most variables of a program that gets some of functions put in place.
const MAX_SLOTS: usize = 200;

/// What was made, or not, of a function for some arguments.
pub(super) struct Special {
    function: Arc<Function>,
    arguments: Vec<Option<Constant>>,
    made: Option<Arc<Function>>,
}

impl Folder {
    /// A call whose value is wanted.
    pub(super) fn call(
        &mut self,
        scope: &mut Scope<'_>,
        function: u32,
        arguments: List,
        spot: Spot,
    ) -> NodeId {
        let code = scope.code;
        let written = code.operands(arguments);
        let arguments: Vec<NodeId> = written.iter().map(|a| self.expression(scope, *a)).collect();
        let Some(function) = code.functions.get(function as usize) else {
            let list = self.list(&arguments);
            return self.push(Node::Call(u32::MAX, list), spot);
        };
        if self.literal {
            return self.plain_call(function, &arguments, spot);
        }
        self.in_place(function, &arguments)
            .or_else(|| self.special_call(function, &arguments, spot))
            .unwrap_or_else(|| self.plain_call(function, &arguments, spot))
    }

    fn plain_call(&mut self, function: &Arc<Function>, arguments: &[NodeId], spot: Spot) -> NodeId {
        let list = self.list(arguments);
        let function = self.function(function);
        self.push(Node::Call(function, list), spot)
    }

    /// What a function returns, in place of a call, if it does nothing else.
    fn in_place(&mut self, function: &Function, arguments: &[NodeId]) -> Option<NodeId> {
        let callee = &function.code;
        let Node::Return(value) = callee.node(callee.body) else { return None };
        self.afford(callee)?;
        let calls = |node: &Node| matches!(node, Node::Recurse(_) | Node::Call(..));
        let slots = self.parameters(function, arguments, !callee.nodes.iter().any(calls))?;
        if callee.nodes.iter().any(|node| matches!(node, Node::Recurse(_))) {
            return None;
        }
        let changed = self.changed;
        self.placed += 1;
        let value = self.expression(&mut Scope::new(callee, slots), *value);
        self.placed -= 1;
        if self.constant(value) == Some(&Constant::Void) {
            // Nothing is a value of any type only when it comes from a call.
            self.changed = changed;
            return None;
        }
        self.growth -= callee.nodes.len();
        self.changed = true;
        Some(value)
    }

    /// What a function does, in place of a call whose value is not wanted, if it never returns early.
    pub(super) fn statements_of_call(
        &mut self,
        scope: &mut Scope<'_>,
        function: u32,
        arguments: List,
    ) -> Option<NodeId> {
        let code = scope.code;
        let function = code.functions.get(function as usize)?;
        let callee = &function.code;
        self.afford(callee)?;
        let jumps = |node: &Node| matches!(node, Node::Recurse(_) | Node::Return(_));
        if self.literal
            || callee.nodes.iter().any(jumps)
            || self.kinds.len() + callee.kinds.len() > MAX_SLOTS
        {
            return None;
        }
        let written = code.operands(arguments);
        let arguments: Vec<NodeId> = written.iter().map(|a| self.expression(scope, *a)).collect();
        let slots = self.parameters(function, &arguments, false)?;
        self.growth -= callee.nodes.len();
        self.changed = true;
        self.placed += 1;
        let body = self.statement(&mut Scope::new(callee, slots), callee.body);
        self.placed -= 1;
        Some(body)
    }

    /// Whether the function is small, and there is room.
    fn afford(&self, callee: &Code) -> Option<()> {
        let nodes = callee.nodes.len();
        let fits = nodes <= MAX_INLINE && nodes <= self.growth && self.placed < MAX_PLACED;
        fits.then_some(())
    }

    /// What parameters stand for, if that can be said: constants, variables of the caller, and
    /// attributes if those cannot change under way.
    fn parameters(
        &self,
        function: &Function,
        arguments: &[NodeId],
        attributes: bool,
    ) -> Option<Vec<Slot>> {
        let callee = &function.code;
        let sets = times_set(callee);
        let mut slots = vec![Slot::Unknown; callee.kinds.len()];
        let wanted = function.parameters.iter();
        for (((slot, kind), argument), sets) in
            slots.iter_mut().zip(wanted).zip(arguments).zip(sets)
        {
            if sets > 0 {
                return None;
            }
            *slot = match self.node(*argument) {
                Node::Constant(constant) => Slot::Constant(fitting(constant, *kind)?),
                Node::Variable(other) if self.kinds.get(usize::from(*other)) == Some(kind) => {
                    Slot::Variable(*other)
                }
                Node::Attribute(attribute) if attributes && attribute.kind() == *kind => {
                    Slot::Attribute(attribute.clone())
                }
                _ => return None,
            };
        }
        (arguments.len() == function.parameters.len()).then_some(slots)
    }

    /// A call of a function that was made for those of its arguments that are constant.
    fn special_call(
        &mut self,
        function: &Arc<Function>,
        arguments: &[NodeId],
        spot: Spot,
    ) -> Option<NodeId> {
        if function.code.nodes.len() > MAX_SPECIAL
            || !arguments.iter().any(|argument| self.constant(*argument).is_some())
        {
            return None;
        }
        let sets = times_set(&function.code);
        let known = arguments.iter().zip(&function.parameters).zip(sets);
        let known: Vec<Option<Constant>> = known
            .map(|((argument, kind), sets)| {
                let constant = self.constant(*argument).filter(|_| sets == 0)?;
                fitting(constant, *kind)
            })
            .collect();
        if arguments.len() != function.parameters.len() || known.iter().all(Option::is_none) {
            return None;
        }
        let special = self.special(function, &known)?;
        let left = arguments.iter().zip(&known).filter(|(_, known)| known.is_none());
        let left: Vec<NodeId> = left.map(|(argument, _)| *argument).collect();
        self.changed = true;
        let placed = self.in_place(&special, &left);
        Some(placed.unwrap_or_else(|| self.plain_call(&special, &left, spot)))
    }

    /// The function for these arguments, if it is worth having.
    fn special(
        &mut self,
        function: &Arc<Function>,
        arguments: &[Option<Constant>],
    ) -> Option<Arc<Function>> {
        let same = |special: &&Special| {
            Arc::ptr_eq(&special.function, function) && special.arguments == arguments
        };
        if let Some(known) = self.special.iter().find(same) {
            return known.made.clone();
        }
        if self.special.len() >= MAX_SPECIALS || self.placed >= MAX_PLACED {
            return None;
        }
        let made = specialized(function, arguments, self.placed + 1).map(Arc::new);
        self.special.push(Special {
            function: Arc::clone(function),
            arguments: arguments.to_vec(),
            made: made.clone(),
        });
        made
    }
}

/// The function with some arguments given; none if that does not make it smaller.
fn specialized(
    function: &Function,
    arguments: &[Option<Constant>],
    placed: u32,
) -> Option<Function> {
    let code = &function.code;
    if code.nodes.iter().any(|node| matches!(node, Node::Recurse(_))) {
        return None;
    }
    let mut slots = vec![Slot::Unknown; code.kinds.len()];
    for (slot, constant) in slots.iter_mut().zip(arguments) {
        if let Some(constant) = constant {
            *slot = Slot::Constant(constant.clone());
        }
    }
    let left = function.parameters.iter().zip(arguments).filter(|(_, known)| known.is_none());
    let parameters: Vec<Type> = left.map(|(kind, _)| *kind).collect();
    let (new, _) = fold_with(code, &parameters, slots, placed);
    (new.nodes.len() < code.nodes.len()).then(|| Function {
        name: Arc::clone(&function.name),
        parameters: parameters.into(),
        result: function.result,
        depth: function.depth,
        code: new.sealed(),
        written: None,
    })
}

/// An argument as its parameter gets it; none if a call with it fails.
fn fitting(constant: &Constant, wanted: Type) -> Option<Constant> {
    match constant {
        Constant::Void => None,
        Constant::Ip(IpAddr::V4(ip)) if wanted == Type::Quad => Some(Constant::Quad(ip.to_bits())),
        _ => constant.kind().fits(wanted).then(|| constant.clone()),
    }
}
