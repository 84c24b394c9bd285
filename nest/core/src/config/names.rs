//! What core's own names mean in the one namespace of a configuration.

use super::{Meaning, TableConfig};

/// As `show symbols` names them.
const PROTOCOL: &str = "protocol";
const TEMPLATE: &str = "template";
const MPLS_DOMAIN: &str = "mpls domain";
const MPLS_RANGE: &str = "mpls label range";

/// The meaning of a table's name; `index` is its place in the list of tables.
pub(super) fn table(table: &TableConfig, index: usize) -> Meaning {
    Meaning::Table(table.net_type, u32::try_from(index).unwrap_or(u32::MAX))
}

/// The place of a table in the list of tables.
pub(super) fn as_table(meaning: &Meaning) -> Option<usize> {
    match meaning {
        Meaning::Table(_, index) => usize::try_from(*index).ok(),
        _ => None,
    }
}

/// The meaning of a protocol's name.
pub(super) fn protocol() -> Meaning {
    Meaning::Other(PROTOCOL, 0)
}

/// The meaning of a template's name.
pub(super) fn template() -> Meaning {
    Meaning::Other(TEMPLATE, 0)
}

/// Whether something can be inherited from.
pub(super) fn is_ancestor(meaning: &Meaning) -> Option<()> {
    matches!(meaning, Meaning::Other(PROTOCOL | TEMPLATE, _)).then_some(())
}

/// The meaning of the name of a domain of MPLS labels.
pub(super) fn mpls_domain() -> Meaning {
    Meaning::Other(MPLS_DOMAIN, 0)
}

/// The meaning of the name of a range of MPLS labels.
pub(super) fn mpls_range() -> Meaning {
    Meaning::Other(MPLS_RANGE, 0)
}

/// Whether it is a domain of MPLS labels.
pub(super) fn as_mpls_domain(meaning: &Meaning) -> Option<()> {
    matches!(meaning, Meaning::Other(MPLS_DOMAIN, _)).then_some(())
}

/// Whether it is a range of MPLS labels.
pub(super) fn as_mpls_range(meaning: &Meaning) -> Option<()> {
    matches!(meaning, Meaning::Other(MPLS_RANGE, _)).then_some(())
}
