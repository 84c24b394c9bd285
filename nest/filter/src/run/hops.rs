//! Next hops as a filter reads them while it changes them.

use dunlin_attr::{Dest, Hop, Iface};

use super::{Machine, tracer::Tracer};
use crate::{attribute::Attribute, input::RouteInput, value::Value};

/// What the filter has made of the next hops.
enum Made<'s> {
    /// Packets go nowhere.
    Nowhere(Dest),
    /// To this neighbour.
    Neighbour(Value<'s>, Option<Iface>),
    /// To whoever is on this interface.
    Device(Value<'s>, Option<Iface>),
}

impl<'s, T: Tracer> Machine<'s, '_, T> {
    /// Where packets go: as the filter has set it, or with what became of the next hop.
    pub(super) fn dest(&self, input: &RouteInput<'_>) -> Dest {
        match self.made(input) {
            Some(Made::Nowhere(dest)) => dest,
            Some(Made::Neighbour(..) | Made::Device(..)) => Dest::Unicast,
            None if input.attrs.dest() == Dest::Unicast && input.hop.unreachable => {
                Dest::Unreachable
            }
            None => input.attrs.dest(),
        }
    }

    /// What the first hop says, but for what was set of just that.
    pub(super) fn hop(&self, input: &'s RouteInput<'s>, attribute: &Attribute) -> Value<'s> {
        let Some(made) = self.made(input) else { return stated(input, attribute) };
        let (gateway, name, interface) = match made {
            Made::Nowhere(_) => (Value::Void, Value::Void, None),
            Made::Neighbour(gateway, interface) => {
                let name = interface.map_or(Value::Void, |interface| {
                    Value::String(self.bump.alloc_str(interface.name.as_str()))
                });
                (gateway, name, interface)
            }
            Made::Device(name, interface) => (Value::Void, name, interface),
        };
        match attribute {
            Attribute::Gateway => gateway,
            Attribute::InterfaceName => name,
            Attribute::InterfaceIndex => {
                interface.map_or(Value::Void, |interface| Value::Int(interface.index))
            }
            Attribute::Weight => Value::Int(1),
            _ => Value::Bool(false),
        }
    }

    /// Each of these changes makes the others void, so there is at most one.
    fn made(&self, input: &RouteInput<'_>) -> Option<Made<'s>> {
        if self.is_untouched(&Attribute::Dest) {
            return None;
        }
        let known = input.interfaces;
        self.changes.iter().find_map(|(changed, value)| match (changed, *value) {
            (Attribute::Dest, Value::Enum(_, number)) => {
                Some(Made::Nowhere(Dest::from_number(number)?))
            }
            (Attribute::Gateway, Value::Ip(gateway)) => {
                let interface = known.and_then(|known| known.of_neighbour(gateway));
                Some(Made::Neighbour(*value, interface))
            }
            (Attribute::InterfaceName, Value::String(name)) => {
                let interface = known.and_then(|known| known.by_name(name));
                Some(Made::Device(*value, interface))
            }
            _ => None,
        })
    }

    /// Drops changes of the next hops, as they get others.
    pub(super) fn forget_hop(&mut self) {
        self.changes.retain(|(known, _)| {
            !matches!(
                known,
                Attribute::Dest
                    | Attribute::Gateway
                    | Attribute::InterfaceName
                    | Attribute::Weight
                    | Attribute::Onlink
            )
        });
    }
}

/// What the first hop says as the route came.
fn stated<'s>(input: &'s RouteInput<'s>, attribute: &Attribute) -> Value<'s> {
    let stated: Option<&Hop> = input.attrs.next_hop().hops().first();
    let interface = input.hop.interface.as_ref().or(stated.and_then(|hop| hop.iface.as_ref()));
    match attribute {
        Attribute::Gateway => {
            let gateway = input.hop.gateway.or(stated.and_then(|hop| hop.gateway));
            gateway.map_or(Value::Void, Value::Ip)
        }
        Attribute::InterfaceName => {
            interface.map_or(Value::Void, |iface| Value::String(iface.name.as_str()))
        }
        Attribute::InterfaceIndex => interface.map_or(Value::Void, |iface| Value::Int(iface.index)),
        Attribute::Weight => Value::Int(stated.map_or(1, |hop| u32::from(hop.weight))),
        _ => Value::Bool(stated.is_some_and(|hop| hop.onlink)),
    }
}

#[cfg(test)]
mod tests;
