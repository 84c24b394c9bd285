//! What filters are told of origins and providers.
//!
//! ROA and ASPA tables are cut into slices as all tables are, but a question is about entries of several
//! slices at once. So one loop, the [`validator`], follows all such tables and publishes what they say as
//! a whole: [`Validated`]. Slices and commands read the version that is there when their turn begins.
//!
//! * [`origins`]: the ROAs of a table; [`providers`]: the ASPAs of a table; both in [`sorted`] lists of
//!   chunks, of which a new version shares with the old one what has not changed;
//! * [`changed`]: the networks that a change is about.

mod changed;
mod origins;
mod providers;
mod sorted;
pub mod validator;

pub use changed::Changed;
pub use origins::Origins;
pub use providers::Providers;

use std::sync::Arc;

use dunlin_filter::{Interfaces, Validation, Validity};
use dunlin_net::{NetType, Prefix, as_path::AsPath};
use dunlin_sync::Snapshot;

/// A table has changed, and may have routes judged otherwise that filters have asked it about.
#[derive(Clone, Debug)]
pub struct Recheck {
    /// The table's name.
    pub table: Arc<str>,
    /// The networks of those routes.
    pub changed: Changed,
}

/// What one table says.
#[derive(Clone, Debug)]
pub enum Content {
    /// Of a `roa4` table.
    Roa4(Origins<u32>),
    /// Of a `roa6` table.
    Roa6(Origins<[u8; 16]>),
    /// Of an `aspa` table.
    Aspa(Providers),
}

impl Content {
    /// Nothing yet; none if tables of this type are not asked.
    pub fn new(net_type: NetType) -> Option<Self> {
        Some(match net_type {
            NetType::Roa4 => Self::Roa4(Origins::default()),
            NetType::Roa6 => Self::Roa6(Origins::default()),
            NetType::Aspa => Self::Aspa(Providers::default()),
            _ => return None,
        })
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        match self {
            Self::Roa4(origins) => origins.memory(),
            Self::Roa6(origins) => origins.memory(),
            Self::Aspa(providers) => providers.memory(),
        }
    }
}

/// The place where what can be asked is published.
pub type ValidatedNow = Snapshot<Validated>;

/// All that can be asked, as of some moment. Never changes.
#[derive(Clone, Debug, Default)]
pub struct Validated {
    /// There are few such tables: looking through them costs less than hashing a name.
    tables: Vec<(Arc<str>, Arc<Content>)>,
    /// What filters that set next hops are held to; none while nothing is known of interfaces.
    interfaces: Option<Arc<dyn Interfaces>>,
}

impl Validated {
    /// What a table says.
    pub fn table(&self, name: &str) -> Option<&Content> {
        self.tables.iter().find(|(other, _)| **other == *name).map(|(_, content)| &**content)
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.tables.iter().map(|(_, content)| content.memory()).sum()
    }

    /// With another content of a table, or without it.
    #[must_use]
    pub(crate) fn with(&self, name: &Arc<str>, content: Option<Arc<Content>>) -> Self {
        let others = self.tables.iter().filter(|(other, _)| other != name).cloned();
        let tables = others.chain(content.map(|content| (Arc::clone(name), content))).collect();
        Self { tables, interfaces: self.interfaces.clone() }
    }

    /// With other interfaces.
    #[must_use]
    pub(crate) fn on(&self, interfaces: Arc<dyn Interfaces>) -> Self {
        Self { tables: self.tables.clone(), interfaces: Some(interfaces) }
    }
}

impl Validation for Validated {
    fn interfaces(&self) -> Option<&dyn Interfaces> {
        self.interfaces.as_deref()
    }

    fn origin(&self, table: &str, prefix: Prefix, asn: u32) -> Validity {
        match self.table(table) {
            Some(Content::Roa4(origins)) => origins.check(prefix, asn),
            Some(Content::Roa6(origins)) => origins.check(prefix, asn),
            _ => Validity::Unknown,
        }
    }

    fn path(&self, table: &str, path: AsPath<'_>, upstream: bool) -> Validity {
        match self.table(table) {
            Some(Content::Aspa(providers)) => providers.check(path, upstream),
            _ => Validity::Unknown,
        }
    }
}
