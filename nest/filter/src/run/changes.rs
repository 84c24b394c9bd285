//! Makes the attribute set of an accepted route.

use std::sync::Arc;

use dunlin_attr::{
    AttrId, Attrs, AttrsBuilder, BgpNextHop, Dest, Hop, Iface, IfaceName, NextHop, Origin, Rts,
    ValueTooLong, kind,
};
use dunlin_net::community::ClusterList;

use super::{Machine, extra, tracer::Tracer};
use crate::{
    attribute::Attribute,
    input::{RouteInput, RunError, Seen, Verdict},
    value::Value,
};

impl<T: Tracer> Machine<'_, '_, T> {
    /// The verdict of a filter that accepted. A set like the one that was made before is that one.
    pub(super) fn finish(
        &self,
        builder: &mut AttrsBuilder,
        made: &mut Option<Arc<Attrs>>,
    ) -> Verdict {
        let Some(input) = self.input else { return Verdict::Reject };
        if self.changes.is_empty() {
            return Verdict::Accept(None);
        }
        self.note_set();
        builder.reset(input.attrs);
        for (attribute, value) in &self.changes {
            if let Err(ValueTooLong) = change(builder, input, attribute, *value) {
                let message = format!("Value of {attribute:?} is too long");
                return Verdict::Error(RunError { line: 0, message });
            }
        }
        if builder.is(input.attrs) {
            return Verdict::Accept(None);
        }
        let new = match made.as_ref().filter(|made| builder.is(made)) {
            Some(made) => Arc::clone(made),
            None => Arc::clone(made.insert(builder.finish())),
        };
        Verdict::Accept(Some(new))
    }

    /// Notes which attributes have been set of those for which that matters even if the value is the same.
    fn note_set(&self) {
        for (attribute, value) in &self.changes {
            match attribute {
                _ if matches!(value, Value::Void) => {}
                Attribute::Bgp(kind::MULTI_EXIT_DISC, _) => self.saw(Seen::MED),
                Attribute::Bgp(kind::NEXT_HOP, _) => self.saw(Seen::NEXT_HOP),
                _ => {}
            }
        }
    }
}

fn change(
    builder: &mut AttrsBuilder,
    input: &RouteInput<'_>,
    attribute: &Attribute,
    value: Value<'_>,
) -> Result<(), ValueTooLong> {
    match attribute {
        Attribute::Bgp(number, _) => return bgp(builder, *number, value),
        Attribute::Extra(id, _) => set_extra(builder, id, value),
        Attribute::From => set_extra(builder, &AttrId::From, value),
        Attribute::IgpMetric => set_extra(builder, &AttrId::IgpMetric, value),
        Attribute::Preference => {
            builder.set_preference(if let Value::Int(value) = value { value } else { 0 });
        }
        Attribute::Source => {
            if let Value::Enum(_, number) = value
                && let Some(source) = Rts::from_number(number)
            {
                builder.set_source(source);
            }
        }
        Attribute::Dest => {
            if let Value::Enum(_, number) = value
                && let Some(dest) = Dest::from_number(number)
            {
                builder.set_dest(dest);
            }
        }
        Attribute::Gateway | Attribute::InterfaceName | Attribute::Weight | Attribute::Onlink => {
            next_hop(builder, input, attribute, value)
        }
        // Bits were changed in their word.
        Attribute::Net | Attribute::Proto | Attribute::InterfaceIndex | Attribute::Bit(..) => {}
    }
    Ok(())
}

fn set_extra(builder: &mut AttrsBuilder, id: &AttrId, value: Value<'_>) {
    match extra::write(value) {
        Some(value) => builder.set_extra(id.clone(), value),
        None => {
            builder.unset_extra(id);
        }
    }
}

fn bgp(builder: &mut AttrsBuilder, number: u8, value: Value<'_>) -> Result<(), ValueTooLong> {
    match (number, value) {
        (_, Value::Void) => {
            builder.unset(number);
        }
        (kind::ORIGIN, Value::Enum(_, origin)) => {
            let origin = u8::try_from(origin).ok().and_then(Origin::from_wire);
            builder.set_origin(origin.unwrap_or(Origin::Incomplete));
        }
        (kind::NEXT_HOP, Value::Ip(ip)) => {
            builder.set_bgp_next_hop(Some(BgpNextHop { global: ip, link_local: None }));
        }
        (kind::MULTI_EXIT_DISC, Value::Int(med)) => builder.set_med(Some(med)),
        (kind::LOCAL_PREF, Value::Int(preference)) => builder.set_local_pref(Some(preference)),
        (kind::ONLY_TO_CUSTOMER, Value::Int(asn)) => builder.set_only_to_customer(Some(asn)),
        (kind::ORIGINATOR_ID, Value::Quad(id)) => builder.set_originator_id(Some(id)),
        (kind::CLUSTER_LIST, Value::Clist(list)) => {
            builder.set_cluster_list(ClusterList::new(list.wire()))?;
        }
        (_, Value::Path(path)) => builder.set_as_path(path)?,
        (_, Value::Clist(list)) => builder.set_communities(list)?,
        (_, Value::Eclist(list)) => builder.set_ext_communities(list)?,
        (_, Value::Lclist(list)) => builder.set_large_communities(list)?,
        (_, Value::Bytes(bytes)) => builder.set_raw(number, None, bytes)?,
        _ => {}
    }
    Ok(())
}

/// Changes of hops. Whatever was resolved recursively is stated from then on.
fn next_hop(
    builder: &mut AttrsBuilder,
    input: &RouteInput<'_>,
    attribute: &Attribute,
    value: Value<'_>,
) {
    let new = match (attribute, value) {
        (Attribute::Gateway, Value::Ip(gateway)) => {
            let iface = input.interfaces.and_then(|known| known.of_neighbour(gateway));
            NextHop::hop(Hop { iface, ..Hop::via(gateway) })
        }
        (Attribute::InterfaceName, Value::String(name)) => {
            let Some(iface) = interface(input, name) else { return };
            NextHop::hop(Hop::dev(iface))
        }
        _ => {
            let mut hops = current(builder, input);
            for hop in &mut hops {
                match (attribute, value) {
                    (Attribute::Weight, Value::Int(weight)) => {
                        hop.weight = u16::try_from(weight).unwrap_or(u16::MAX);
                    }
                    (Attribute::Onlink, Value::Bool(onlink)) => hop.onlink = onlink,
                    _ => {}
                }
            }
            if hops.is_empty() {
                return;
            }
            NextHop::Hops(hops.into())
        }
    };
    builder.set_next_hop(new);
}

/// The interface of a name; without knowledge of interfaces just the name.
fn interface(input: &RouteInput<'_>, name: &str) -> Option<Iface> {
    match input.interfaces {
        Some(known) => known.by_name(name),
        None => Some(Iface { index: 0, name: IfaceName::new(name)? }),
    }
}

/// The hops as they are now.
fn current(builder: &AttrsBuilder, input: &RouteInput<'_>) -> Vec<Hop> {
    let stated = builder.next_hop().hops();
    if !stated.is_empty() {
        return stated.to_vec();
    }
    match (input.hop.gateway, input.hop.interface) {
        (None, None) => Vec::new(),
        (Some(gateway), iface) => vec![Hop { iface, ..Hop::via(gateway) }],
        (None, Some(iface)) => vec![Hop::dev(iface)],
    }
}
