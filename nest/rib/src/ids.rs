//! Small identifiers. Each is meaningful only where its comment says.

use core::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

id!(
    /// A routing table, dense over the daemon; the same in every slice.
    TableId(u16)
);
id!(
    /// One incarnation of an import channel: a session that re-establishes gets a new one.
    SourceId(u32)
);
id!(
    /// Somebody to whom slices send deltas of one table.
    ExporterId(u32)
);
id!(
    /// A member of one export group.
    MemberId(u16)
);
id!(
    /// A pipe between two tables.
    PipeId(u32)
);
id!(
    /// A slice, from zero.
    SliceId(u16)
);
