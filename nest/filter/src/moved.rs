//! Compiled code whose text has moved: the same, with other places and lines.
//!
//! When a configuration is read again, most of it is as it was and only stands elsewhere. What runs is
//! shared then, places and lines are not.

use std::sync::Arc;

use dunlin_conf::Moves;
use dunlin_net::hash::Map;

use crate::{
    code::{Code, Function, Node, Spot},
    program::{ChannelFilter, Program},
    symbol::Symbol,
};

/// The code has the place of its text in what it says, so it has to be compiled again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixed;

/// The moved form of something; nothing if it is as it was.
type Moved<T> = Result<Option<T>, Fixed>;

/// Gives each program and each function of an earlier reading the places that it has now. What was shared
/// stays shared.
#[derive(Debug)]
pub struct Mover<'a> {
    moves: &'a Moves,
    /// By address: what they are kept alive by outlives this.
    programs: Map<usize, Moved<Arc<Program>>>,
    functions: Map<usize, Moved<Arc<Function>>>,
}

impl<'a> Mover<'a> {
    /// For what was read before texts moved in this way.
    #[must_use]
    pub fn new(moves: &'a Moves) -> Self {
        Self { moves, programs: Map::default(), functions: Map::default() }
    }

    /// Where everything has moved to.
    #[must_use]
    pub fn moves(&self) -> &'a Moves {
        self.moves
    }

    /// A meaning with its places of now. It has to be given in the order of definition.
    ///
    /// # Errors
    /// If it has to be compiled again.
    pub fn symbol(&mut self, symbol: &Symbol) -> Result<Symbol, Fixed> {
        Ok(match symbol {
            Symbol::Function(function) => Symbol::Function(self.function(function)?),
            Symbol::Filter(program) => Symbol::Filter(self.program(program)?),
            other => other.clone(),
        })
    }

    /// A channel's filter with its places of now.
    ///
    /// # Errors
    /// If it has to be compiled again.
    pub fn filter(&mut self, filter: &ChannelFilter) -> Result<ChannelFilter, Fixed> {
        Ok(match filter {
            ChannelFilter::Program(program) => ChannelFilter::Program(self.program(program)?),
            other => other.clone(),
        })
    }

    fn program(&mut self, program: &Arc<Program>) -> Result<Arc<Program>, Fixed> {
        if self.moves.is_empty() {
            return Ok(Arc::clone(program));
        }
        let key = Arc::as_ptr(program).addr();
        let moved = match self.programs.get(&key) {
            Some(known) => known.clone(),
            None => {
                let moved = self.both(&program.code, program.written.as_deref());
                let moved = moved.map(|moved| {
                    let name = || program.name.clone();
                    moved.map(|(code, written)| Arc::new(Program::of(name(), code, written)))
                });
                self.programs.insert(key, moved.clone());
                moved
            }
        };
        Ok(moved?.unwrap_or_else(|| Arc::clone(program)))
    }

    fn function(&mut self, function: &Arc<Function>) -> Result<Arc<Function>, Fixed> {
        if self.moves.is_empty() {
            return Ok(Arc::clone(function));
        }
        let key = Arc::as_ptr(function).addr();
        let moved = match self.functions.get(&key) {
            Some(known) => known.clone(),
            None => {
                let moved = self.both(&function.code, function.written.as_deref());
                let moved = moved.map(|moved| {
                    moved.map(|(code, written)| {
                        Arc::new(Function {
                            name: function.name.clone(),
                            parameters: function.parameters.clone(),
                            result: function.result,
                            depth: function.depth,
                            code,
                            written,
                        })
                    })
                });
                self.functions.insert(key, moved.clone());
                moved
            }
        };
        Ok(moved?.unwrap_or_else(|| Arc::clone(function)))
    }

    /// What runs, and the code as it was written.
    fn both(&mut self, code: &Code, written: Option<&Code>) -> Moved<(Code, Option<Box<Code>>)> {
        let moved = self.code(code)?;
        let moved_written = match written {
            Some(written) => self.code(written)?,
            None => None,
        };
        if moved.is_none() && moved_written.is_none() {
            return Ok(None);
        }
        let same = |code: &Code| code.at(code.spots.clone(), code.functions.clone());
        let written = moved_written.or_else(|| written.map(same)).map(Box::new);
        Ok(Some((moved.unwrap_or_else(|| same(code)), written)))
    }

    fn code(&mut self, code: &Code) -> Moved<Code> {
        let mut functions = Vec::new();
        for function in &code.functions {
            functions.push(self.function(function)?);
        }
        let pairs = || functions.iter().zip(&code.functions);
        let calls_moved = pairs().any(|(now, before)| !Arc::ptr_eq(now, before));
        let spots: Box<[Spot]> = code.spots.iter().map(|spot| self.spot(*spot)).collect();
        if spots == code.spots {
            return Ok(calls_moved.then(|| code.at(spots, functions.into())));
        }
        let has_place = |node: &Node| matches!(node, Node::Assert(..));
        if code.nodes.iter().any(has_place) {
            return Err(Fixed);
        }
        Ok(Some(code.at(spots, functions.into())))
    }

    fn spot(&self, spot: Spot) -> Spot {
        Spot { line: self.moves.line(spot.span, spot.line), span: self.moves.span(spot.span) }
    }
}
