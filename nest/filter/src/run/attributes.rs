//! Reads attributes, and takes changes of them.

use dunlin_attr::{AttrId, Attrs, Dest, Present, kind};
use dunlin_net::{
    Network,
    as_path::AsPath,
    community::{Communities, ExtCommunities, LargeCommunities},
};

use super::{Machine, extra, lists::wire, tracer::Tracer};
use crate::{
    attribute::Attribute,
    flat::Place,
    input::{RouteInput, Seen},
    net::Net,
    ops::Fault,
    types::{EnumType, Type},
    value::Value,
};

const MAX_PREFERENCE: u32 = u16::MAX as u32;

/// Weights as filters see them.
const WEIGHTS: std::ops::RangeInclusive<u32> = 1..=256;

impl<'s, T: Tracer> Machine<'s, '_, T> {
    /// The value of an attribute as it is now.
    pub(super) fn read(&self, attribute: &'s Attribute) -> Result<Value<'s>, Fault> {
        let Some(input) = self.input else { return Err("No route to access".into()) };
        if let Some(place) = Place::of(attribute) {
            return Ok(place.value(self.bytes(place)));
        }
        let value = match self.changed(attribute) {
            Some(value) => value,
            None => self.original(input, attribute),
        };
        Ok(match (value, attribute.kind()) {
            (Value::Void, Type::Path) => Value::Path(AsPath::EMPTY),
            (Value::Void, Type::Clist) => Value::Clist(Communities::default()),
            (Value::Void, Type::Eclist) => Value::Eclist(ExtCommunities::default()),
            (Value::Void, Type::Lclist) => Value::Lclist(LargeCommunities::default()),
            (value, _) => value,
        })
    }

    /// The route has the attribute as it came.
    #[inline]
    pub(super) fn is_untouched(&self, attribute: &Attribute) -> bool {
        self.touched & attribute.bit() == 0
    }

    fn changed(&self, attribute: &Attribute) -> Option<Value<'s>> {
        if self.is_untouched(attribute) {
            return None;
        }
        let find = |wanted: &Attribute| {
            self.changes.iter().find(|(known, _)| known.is(wanted)).map(|(_, value)| *value)
        };
        match attribute {
            Attribute::Bit(id, bit) => match find(word_of(id))? {
                Value::Int(word) => Some(Value::Bool(word >> bit & 1 == 1)),
                _ => Some(Value::Void),
            },
            _ => find(attribute),
        }
    }

    fn original(&self, input: &'s RouteInput<'s>, attribute: &'s Attribute) -> Value<'s> {
        let attrs: &'s Attrs = input.attrs;
        self.saw_attribute(attribute);
        match attribute {
            Attribute::Net => self.network(input.net),
            Attribute::Proto => Value::String(input.protocol),
            Attribute::Source => Value::Enum(EnumType::Rts, attrs.source() as u32),
            Attribute::Dest => Value::Enum(EnumType::Rtd, self.dest(input) as u32),
            Attribute::Preference => Value::Int(attrs.preference()),
            Attribute::From => match attrs.extra_value(&AttrId::From) {
                Some(value) => extra::read(value),
                None => input.from.map_or(Value::Void, Value::Ip),
            },
            Attribute::IgpMetric => match attrs.extra_value(&AttrId::IgpMetric) {
                Some(value) => extra::read(value),
                None => input.hop.igp_metric.map_or(Value::Void, Value::Int),
            },
            Attribute::Gateway
            | Attribute::InterfaceName
            | Attribute::InterfaceIndex
            | Attribute::Weight
            | Attribute::Onlink => self.hop(input, attribute),
            Attribute::Bgp(number, kind) => bgp(attrs, *number, *kind),
            Attribute::Extra(id, _) => attrs.extra_value(id).map_or(Value::Void, extra::read),
            Attribute::Bit(id, bit) => match attrs.extra_value(id) {
                Some(dunlin_attr::Value::Int(word)) => Value::Bool(word >> bit & 1 == 1),
                _ => Value::Void,
            },
        }
    }

    /// Notes what the value of an attribute, or setting it, depends on.
    fn saw_attribute(&self, attribute: &Attribute) {
        if *attribute == Attribute::Net {
            self.saw(Seen::NET);
        } else if attribute.is_of_source() {
            self.saw(Seen::SOURCE);
        } else if attribute.is_of_hop() {
            self.saw(Seen::HOP);
        }
    }

    /// Remembers a change; void removes the attribute. A bit is a change of its word.
    pub(super) fn change(&mut self, attribute: &'s Attribute, value: Value<'s>) {
        if let Attribute::Bit(id, bit) = attribute {
            let word = word_of(id);
            let old = match self.read(word) {
                Ok(Value::Int(word)) => word,
                _ => 0,
            };
            let mask = 1_u32 << (bit & 31);
            let new = if let Value::Bool(true) = value { old | mask } else { old & !mask };
            return self.change(word, Value::Int(new));
        }
        if let Some(place) = Place::of(attribute) {
            self.set_listed(place, value);
        }
        self.touched |= attribute.bit();
        match self.changes.iter_mut().find(|(known, _)| known.is(attribute)) {
            Some((_, old)) => *old = value,
            None => self.changes.push((attribute, value)),
        }
    }

    /// A network as filters see it.
    fn network(&self, network: Network) -> Value<'s> {
        match network.plain() {
            Some(prefix) => Value::Prefix(prefix),
            None => Net::of(network).map_or(Value::Void, |net| Value::Net(self.bump.alloc(net))),
        }
    }

    /// Sets an attribute, if the value is one that it can have.
    pub(super) fn set(&mut self, attribute: &'s Attribute, value: Value<'s>) -> Result<(), Fault> {
        let Some(input) = self.input else { return Err("No route to access".into()) };
        let value = Self::fitting(value, attribute.kind(), "EA_SET")?;
        self.saw_attribute(attribute);
        match (attribute, value) {
            // Nothing was added or deleted.
            (_, Value::Clist(_) | Value::Eclist(_) | Value::Lclist(_))
                if self.has_list(attribute, value) =>
            {
                return Ok(());
            }
            (Attribute::Preference, Value::Int(preference)) if preference > MAX_PREFERENCE => {
                return Err("Setting preference value out of bounds".into());
            }
            (Attribute::Weight, Value::Int(weight)) => {
                if !WEIGHTS.contains(&weight) {
                    return Err("Setting weight value out of bounds".into());
                }
                if self.dest(input) != Dest::Unicast {
                    return Err("Setting weight needs regular nexthop".into());
                }
            }
            (Attribute::Dest, Value::Enum(_, number)) => {
                if Dest::from_number(number).is_none_or(|dest| dest == Dest::Unicast) {
                    return Err(
                        "Destination can be changed only to blackhole, unreachable or prohibit"
                            .into(),
                    );
                }
                self.forget_hop();
            }
            (Attribute::Gateway, Value::Ip(gateway)) => {
                let known = input.interfaces;
                if known.is_some_and(|known| known.of_neighbour(gateway).is_none()) {
                    return Err("Invalid gw address".into());
                }
                self.forget_hop();
            }
            (Attribute::InterfaceName, Value::String(name)) => {
                let known = input.interfaces;
                if known.is_some_and(|known| known.by_name(name).is_none()) {
                    return Err("Invalid iface name".into());
                }
                self.forget_hop();
            }
            _ => {}
        }
        self.change(attribute, value);
        Ok(())
    }

    /// Whether a list is the route's own, unchanged: the same bytes in the same place.
    fn has_list(&self, attribute: &Attribute, value: Value<'s>) -> bool {
        let Some(place) = Place::of(attribute) else { return false };
        if !self.is_untouched(attribute) {
            return false;
        }
        let is = wire(value);
        if is.is_empty() { self.lacks(attribute) } else { std::ptr::eq(is, self.bytes(place)) }
    }

    /// Whether the route came without this list, and has got none.
    pub(super) fn lacks(&self, list: &Attribute) -> bool {
        let (Some(input), Attribute::Bgp(number, _)) = (self.input, list) else { return false };
        let Some(bit) = list_bit(*number) else { return false };
        !input.attrs.present().has(bit) && self.is_untouched(list)
    }
}

/// The attribute that bits of this id are in.
fn word_of(id: &AttrId) -> &'static Attribute {
    static LOCK: Attribute = Attribute::Extra(AttrId::KernelLock, Type::Int);
    static FEATURES: Attribute = Attribute::Extra(AttrId::KernelFeatures, Type::Int);
    if *id == AttrId::KernelLock { &LOCK } else { &FEATURES }
}

/// What says that an attribute set has this list of communities.
#[inline]
fn list_bit(number: u8) -> Option<Present> {
    match number {
        kind::COMMUNITIES => Some(Present::COMMUNITIES),
        kind::EXT_COMMUNITIES => Some(Present::EXT_COMMUNITIES),
        kind::LARGE_COMMUNITIES => Some(Present::LARGE_COMMUNITIES),
        _ => None,
    }
}

/// A path attribute of BGP.
#[inline(always)]
fn bgp(attrs: &Attrs, number: u8, wanted: Type) -> Value<'_> {
    let int = |word: Option<u32>| word.map_or(Value::Void, Value::Int);
    match number {
        kind::LOCAL_PREF => return int(attrs.local_pref()),
        kind::MULTI_EXIT_DISC => return int(attrs.med()),
        _ => {}
    }
    let view = attrs.bgp_view();
    match (number, wanted) {
        (_, Type::Path) => Value::Path(view.as_path()),
        // What is not there need not be looked for; it is read as an empty list.
        _ if list_bit(number).is_some_and(|bit| !attrs.present().has(bit)) => Value::Void,
        (kind::COMMUNITIES, _) => Value::Clist(view.communities()),
        (kind::EXT_COMMUNITIES, _) => Value::Eclist(view.ext_communities()),
        (kind::LARGE_COMMUNITIES, _) => Value::Lclist(view.large_communities()),
        (kind::CLUSTER_LIST, _) => Value::Clist(Communities::new(view.cluster_list().wire())),
        (kind::ORIGIN, _) => attrs
            .origin()
            .map_or(Value::Void, |origin| Value::Enum(EnumType::Origin, origin as u32)),
        (kind::NEXT_HOP, _) => view.next_hop_global().map_or(Value::Void, Value::Ip),
        (kind::ORIGINATOR_ID, _) => view.originator_id().map_or(Value::Void, Value::Quad),
        (kind::ONLY_TO_CUSTOMER, _) => int(view.only_to_customer()),
        (_, Type::Bytes) => view.raw(number).map_or(Value::Void, |(_, value)| Value::Bytes(value)),
        _ => view.raw(number).map_or(Value::Void, |_| Value::Opaque),
    }
}
