//! Checks against ROA and ASPA tables.

use dunlin_net::NetType;

use super::{Machine, tracer::Tracer};
use crate::{
    code::Table,
    input::{Seen, Validation, Validity},
    ops::{self, Fault, Outcome},
    types::{EnumType, Type},
    value::Value,
};

impl<'s, T: Tracer> Machine<'s, '_, T> {
    /// `roa_check`. A prefix of the other family than the table is unknown to it.
    pub(super) fn origin_validity(
        &self,
        table: &Table,
        net: Value<'s>,
        asn: Value<'s>,
    ) -> Outcome<'s> {
        let name = "ROA_CHECK_EXPLICIT";
        self.saw(Seen::SNAPSHOT);
        let asn = ops::number(asn, 2, name)?;
        let prefix = match net {
            Value::Prefix(prefix) => Some(prefix),
            Value::Net(net) => net.in_sets(),
            other => return Err(ops::wrong_type(1, name, Type::Prefix, other.kind())),
        };
        let v4 = match table.net_type {
            NetType::Roa4 => true,
            NetType::Roa6 => false,
            _ => return Err("Table type must be either ROA4 or ROA6".into()),
        };
        let validity = match prefix.filter(|prefix| prefix.is_v4() == v4) {
            Some(prefix) => self.validation(table)?.origin(&table.name, prefix, asn),
            None => Validity::Unknown,
        };
        Ok(Value::Enum(EnumType::Roa, validity as u32))
    }

    /// `aspa_check`. The rules that need no table come first: an empty path, sets and
    /// confederation segments are invalid.
    pub(super) fn path_validity(
        &self,
        table: &Table,
        path: Value<'s>,
        upstream: Value<'s>,
    ) -> Outcome<'s> {
        let name = "ASPA_CHECK_EXPLICIT";
        self.saw(Seen::SNAPSHOT);
        let upstream = ops::truth(upstream, 2, name)?;
        let Value::Path(path) = path else {
            return Err(ops::wrong_type(1, name, Type::Path, path.kind()));
        };
        if table.net_type != NetType::Aspa {
            return Err("Table type must be ASPA".into());
        }
        let validity = if path.is_empty() || path.has_set() || path.has_confed() {
            Validity::Invalid
        } else {
            self.validation(table)?.path(&table.name, path, upstream)
        };
        Ok(Value::Enum(EnumType::Aspa, validity as u32))
    }

    fn validation(&self, table: &Table) -> Result<&'s dyn Validation, Fault> {
        let found = self.input.map_or(self.validation, |input| input.validation);
        found.ok_or_else(|| Fault::from(format!("Table {} holds nothing to check by", table.name)))
    }
}
