//! The namespace of a configuration, with nested scopes.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::{argument::Argument, lexer::MAX_NAME, parser::Parsed, parser::Parser, source::Span};

/// What symbols of a configuration mean. The crate with the expression language implements it.
pub trait Payload: Clone + Sized {
    /// The symbol's value as an argument, if it is a constant of a basic type.
    fn constant(&self) -> Option<Argument>;

    /// Parses a constant expression; the cursor is behind `(`, and the `)` stays for the caller.
    ///
    /// # Errors
    /// If there is none; the diagnostic is recorded.
    fn parse_expression(parser: &mut Parser<Self>) -> Parsed<Argument>;

    /// The number that a name stands for without being defined.
    fn number(_name: &str) -> Option<u32> {
        None
    }

    /// What kind of thing the symbol is, as `show symbols` names it.
    fn kind(&self) -> &'static str;

    /// Names that have a meaning without being defined, for advice on those that have none.
    fn words() -> Vec<&'static str> {
        Vec::new()
    }

    /// What to say of a name that older configurations have and that means nothing any more.
    fn gone(_name: &str) -> Option<&'static str> {
        None
    }
}

/// Names a symbol in its [`Symbols`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SymbolId(u32);

/// A defined name.
#[derive(Debug, Clone)]
pub struct Symbol<S> {
    /// The name.
    pub name: Arc<str>,
    /// Where it was defined.
    pub span: Span,
    /// What it means.
    pub value: S,
}

/// A name is already taken in the same scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redefined {
    /// Where it was defined before.
    pub previous: Span,
}

type Names = HashMap<Arc<str>, SymbolId, RandomState>;

/// All symbols. The outermost scope stays; inner ones come and go with the blocks of functions.
///
/// An overlay ([`Symbols::over`]) reads an older table, which it shares: the command line parses
/// expressions over the running configuration that way.
#[derive(Debug, Clone)]
pub struct Symbols<S> {
    base: Option<Arc<Self>>,
    /// What names meant in the configuration that this one is to replace.
    before: Option<Arc<Self>>,
    list: Vec<Symbol<S>>,
    scopes: Vec<Names>,
    /// Grows with each change of what names mean.
    version: u64,
}

impl<S> Default for Symbols<S> {
    fn default() -> Self {
        Self {
            base: None,
            before: None,
            list: Vec::new(),
            scopes: vec![Names::default()],
            version: 0,
        }
    }
}

impl<S> Symbols<S> {
    /// An empty table in front of another one.
    #[must_use]
    pub fn over(base: Arc<Self>) -> Self {
        Self { base: Some(base), ..Self::default() }
    }

    /// An empty table that knows what names meant before; until [`Symbols::forget_before`].
    #[must_use]
    pub fn after(before: Arc<Self>) -> Self {
        Self { before: Some(before), ..Self::default() }
    }

    /// What a name meant in the outermost scope of the configuration before: a value that is equal can be
    /// that very one, so that it takes no memory of its own and is found to be equal at once.
    #[must_use]
    pub fn before(&self, name: &str) -> Option<&S> {
        let before = self.before.as_ref()?;
        let id = before.scopes.first()?.get(name)?;
        before.symbol(*id).map(|symbol| &symbol.value)
    }

    /// Lets go of the configuration before.
    pub fn forget_before(&mut self) {
        self.before = None;
    }

    /// Defines a name in the innermost scope.
    ///
    /// # Errors
    /// If the innermost scope has the name already.
    pub fn define(&mut self, name: &str, span: Span, value: S) -> Result<SymbolId, Redefined> {
        let scope = self.scopes.len().saturating_sub(1);
        if let Some(&previous) = self.scopes.get(scope).and_then(|names| names.get(name)) {
            let previous = self.symbol(previous).map_or(span, |symbol| symbol.span);
            return Err(Redefined { previous });
        }
        let name: Arc<str> = Arc::from(name);
        let id = SymbolId(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        self.list.push(Symbol { name: name.clone(), span, value });
        if let Some(names) = self.scopes.get_mut(scope) {
            names.insert(name, id);
        }
        self.version += 1;
        Ok(id)
    }

    /// Takes over a symbol of the outermost scope of another table; false if the name is taken.
    pub fn adopt(&mut self, symbol: Symbol<S>) -> bool {
        let id = SymbolId(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        let Some(names) = self.scopes.first_mut() else { return false };
        if names.contains_key(&symbol.name) {
            return false;
        }
        names.insert(symbol.name.clone(), id);
        self.list.push(symbol);
        self.version += 1;
        true
    }

    /// How many symbols were defined so far, in all scopes.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.list.len()
    }

    /// The symbols of the outermost scope that were defined since then.
    pub fn since(&self, mark: usize) -> impl Iterator<Item = &Symbol<S>> {
        let outer = self.scopes.first();
        let list = self.list.iter().enumerate().skip(mark);
        list.filter_map(move |(index, symbol)| {
            let id = outer?.get(&symbol.name)?;
            (id.0 as usize == index).then_some(symbol)
        })
    }

    /// How many names the outermost scope has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.scopes.first().map_or(0, Names::len)
    }

    /// Finds a name, innermost scope first.
    #[must_use]
    pub fn lookup(&self, name: &str) -> Option<&Symbol<S>> {
        match self.lookup_id(name) {
            Some(id) => self.symbol(id),
            None => self.base.as_ref().and_then(|base| base.lookup(name)),
        }
    }

    /// Whether there is another table behind this one.
    #[must_use]
    pub fn is_overlay(&self) -> bool {
        self.base.is_some()
    }

    /// Finds a name that was defined in this table itself, not in the one behind it.
    #[must_use]
    pub fn lookup_id(&self, name: &str) -> Option<SymbolId> {
        self.scopes.iter().rev().find_map(|names| names.get(name).copied())
    }

    /// Whether a name has any meaning.
    #[must_use]
    pub fn is_defined(&self, name: &str) -> bool {
        self.lookup(name).is_some()
    }

    /// The symbol of an id.
    #[must_use]
    pub fn symbol(&self, id: SymbolId) -> Option<&Symbol<S>> {
        self.list.get(id.0 as usize)
    }

    /// The name that differs least from this one, if one is near: of those defined and of others.
    #[must_use]
    pub fn nearest<'n>(&'n self, name: &str, others: &[&'n str]) -> Option<&'n str> {
        /// Comparing with every name of a huge configuration would take too long.
        const MAX_COMPARED: usize = 5000;
        let own = self.list.iter().rev().take(MAX_COMPARED).map(|symbol| &*symbol.name);
        nearest(name, own.chain(others.iter().copied()))
    }

    /// Changes what a symbol means, as when a function's body becomes known.
    pub fn symbol_mut(&mut self, id: SymbolId) -> Option<&mut Symbol<S>> {
        self.list.get_mut(id.0 as usize)
    }

    /// Takes a name out of the innermost scope.
    pub fn forget(&mut self, name: &str) {
        if let Some(names) = self.scopes.last_mut() {
            names.remove(name);
        }
        self.version += 1;
    }

    /// Opens an inner scope.
    pub fn push_scope(&mut self) {
        self.scopes.push(Names::default());
        self.version += 1;
    }

    /// Closes the innermost scope; the outermost one stays.
    pub fn pop_scope(&mut self) {
        if self.scopes.len() > 1 {
            self.scopes.pop();
            self.version += 1;
        }
    }

    /// A number that changes whenever a name may mean something else than before.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many scopes are open, the outermost included.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.scopes.len()
    }

    /// The symbols of the outermost scope, in the order of definition.
    pub fn iter(&self) -> impl Iterator<Item = &Symbol<S>> {
        self.since(0)
    }
}

/// The name that differs least from this one, if one is near.
#[must_use]
pub fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let allowed = (name.len() + 1) / 4;
    // Of two letters, anything is near.
    let long = |near: &&str| near.len() > 2 && name.len() > 2;
    let measured = names.into_iter().filter(long).map(|near| (distance(name, near), near));
    let (distance, near) = measured.min()?;
    (distance <= allowed).then_some(near)
}

/// How many bytes have to be inserted, deleted, replaced or swapped with the next to make one name of the
/// other.
fn distance(a: &str, b: &str) -> usize {
    let allowed = a.len() / 4 + 1;
    if a.len().abs_diff(b.len()) > allowed || b.len() > MAX_NAME {
        return usize::MAX;
    }
    let (a, b) = (a.as_bytes(), b.as_bytes());
    // The rows of the table that count: the one before the last, the last, and the next.
    let [mut before, mut row, mut next] = [[0; MAX_NAME + 1]; 3];
    row.iter_mut().enumerate().for_each(|(length, cell)| *cell = length);
    for (i, x) in a.iter().enumerate() {
        next[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let mut least = (row[j] + usize::from(x != y)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && (*x, a[i - 1]) == (b[j - 1], *y) {
                least = least.min(before[j - 1] + 1);
            }
            next[j + 1] = least;
        }
        if next[..=b.len()].iter().all(|cell| *cell > allowed) {
            return usize::MAX;
        }
        (before, row, next) = (row, next, before);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: u32) -> Span {
        Span { file: 0, start, end: start }
    }

    #[test]
    fn inner_scopes_hide_outer_names_until_they_close() {
        let mut symbols = Symbols::default();
        symbols.define("x", at(1), 1).unwrap();
        symbols.push_scope();
        symbols.define("x", at(2), 2).unwrap();
        assert_eq!(symbols.define("x", at(3), 3), Err(Redefined { previous: at(2) }));
        assert_eq!(symbols.lookup("x").map(|s| s.value), Some(2));
        symbols.pop_scope();
        symbols.pop_scope();
        assert_eq!(symbols.lookup("x").map(|s| s.value), Some(1));
        assert_eq!(symbols.iter().count(), 1);
    }

    #[test]
    fn an_overlay_reads_what_is_behind_it() {
        let mut base = Symbols::default();
        base.define("x", at(1), 1).unwrap();
        let mut over = Symbols::over(Arc::new(base));
        assert_eq!(over.lookup("x").map(|s| s.value), Some(1));
        over.define("x", at(2), 2).unwrap();
        assert_eq!(over.lookup("x").map(|s| s.value), Some(2));
    }

    #[test]
    fn what_names_meant_before_is_known_until_it_is_forgotten() {
        let mut first = Symbols::default();
        first.define("x", at(1), 1).unwrap();
        let mut second = Symbols::after(Arc::new(first));
        assert_eq!((second.before("x"), second.before("y")), (Some(&1), None));
        assert!(!second.is_defined("x"));
        second.forget_before();
        assert_eq!(second.before("x"), None);
    }

    #[test]
    fn near_names_are_found() {
        let mut symbols = Symbols::default();
        symbols.define("bogon_prefixes", at(1), ()).unwrap();
        symbols.define("x", at(1), ()).unwrap();
        assert_eq!(symbols.nearest("bogon_prefix", &[]), Some("bogon_prefixes"));
        assert_eq!(symbols.nearest("customers", &[]), None);
        assert_eq!(symbols.nearest("customers", &["customer"]), Some("customer"));
        assert_eq!(distance("abc", "axc"), 1);
        assert_eq!(distance("abc", "ac"), 1);
        assert_eq!(distance("bpg", "bgp"), 1);
        assert_eq!(symbols.nearest("g", &["f"]), None);
    }
}
