//! The interfaces as the kernel's messages make them.

use std::collections::BTreeMap;
use std::sync::Arc;

use dunlin_core::interfaces::{Interface, InterfaceAddress, InterfaceFlags, Interfaces};

use crate::netlink::{AddressRecord, Event, LinkRecord};

/// All interfaces, changed message by message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    links: BTreeMap<u32, Link>,
}

#[derive(Clone, Debug, Default)]
struct Link {
    /// None until the interface itself was seen; addresses may be heard of before it.
    name: Option<Arc<str>>,
    flags: InterfaceFlags,
    mtu: u32,
    master: u32,
    addresses: Vec<InterfaceAddress>,
}

impl Machine {
    /// Takes one message's news.
    pub(crate) fn apply(&mut self, event: Event) {
        match event {
            Event::Link(link) => self.link(link),
            Event::LinkGone(index) => {
                self.links.remove(&index);
            }
            Event::Address(record) => self.address(&record),
            Event::AddressGone(record) => {
                if let Some(link) = self.links.get_mut(&record.index) {
                    link.addresses.retain(|entry| !same(entry, &record.address));
                }
            }
            Event::Done | Event::Error(_) | Event::Overrun | Event::Other => {}
        }
    }

    fn link(&mut self, record: LinkRecord) {
        let link = self.links.entry(record.index).or_default();
        if let Some(name) = record.name
            && link.name.as_deref() != Some(&*name)
        {
            link.name = Some(Arc::from(name));
        }
        link.flags = record.flags;
        link.mtu = record.mtu.unwrap_or(link.mtu);
        link.master = record.master.unwrap_or(0);
    }

    fn address(&mut self, record: &AddressRecord) {
        let link = self.links.entry(record.index).or_default();
        let old = link.addresses.iter_mut().find(|entry| same(entry, &record.address));
        match old {
            // Nobody may use it yet, or any more: a duplicate was found.
            _ if record.tentative => link.addresses.retain(|entry| !same(entry, &record.address)),
            Some(entry) => *entry = record.address,
            None => link.addresses.push(record.address),
        }
    }

    /// A picture for everybody else.
    pub(crate) fn snapshot(&self) -> Interfaces {
        let list = self.links.iter().filter_map(|(index, link)| {
            Some(Interface {
                index: *index,
                name: link.name.clone()?,
                flags: link.flags,
                mtu: link.mtu,
                master: link.master,
                addresses: link.addresses.clone(),
            })
        });
        Interfaces::new(list.collect())
    }
}

/// Whether both are the same address of the same network; the rest may differ.
fn same(a: &InterfaceAddress, b: &InterfaceAddress) -> bool {
    a.address == b.address && a.prefix == b.prefix
}

#[cfg(test)]
mod tests {
    use super::Machine;
    use crate::netlink::{AddressRecord, Event, LinkRecord};
    use dunlin_core::interfaces::{InterfaceAddress, InterfaceFlags};
    use dunlin_net::Prefix;
    use std::net::IpAddr;

    fn link(index: u32, name: Option<&str>, mtu: Option<u32>) -> Event {
        let flags = InterfaceFlags { admin_up: true, ..InterfaceFlags::default() };
        let name = name.map(str::to_owned);
        Event::Link(LinkRecord { index, name, flags, mtu, master: None })
    }

    fn address(text: &str, tentative: bool, secondary: bool) -> AddressRecord {
        let address: IpAddr = text.parse().unwrap();
        let prefix = Prefix::new(address, 24).unwrap();
        let address = InterfaceAddress { address, prefix, opposite: None, secondary };
        AddressRecord { index: 3, address, broadcast: None, scope: 0, tentative }
    }

    fn addresses(machine: &Machine) -> Vec<String> {
        let snapshot = machine.snapshot();
        let Some(interface) = snapshot.by_index(3) else { return Vec::new() };
        interface.addresses.iter().map(|entry| entry.address.to_string()).collect()
    }

    #[test]
    fn addresses_come_change_and_go() {
        let mut machine = Machine::default();
        machine.apply(Event::Address(address("10.0.0.1", false, false)));
        assert_eq!(machine.snapshot().iter().count(), 0, "not without its interface");
        machine.apply(link(3, Some("v0"), Some(1400)));
        machine.apply(Event::Address(address("10.0.0.2", false, false)));
        machine.apply(Event::Address(address("10.0.0.2", false, true)));
        assert_eq!(addresses(&machine), ["10.0.0.1", "10.0.0.2"]);
        assert!(machine.snapshot().by_index(3).unwrap().addresses[1].secondary);
        machine.apply(Event::AddressGone(address("10.0.0.1", false, false)));
        assert_eq!(addresses(&machine), ["10.0.0.2"]);
    }

    #[test]
    fn tentative_addresses_wait() {
        let mut machine = Machine::default();
        machine.apply(link(3, Some("v0"), None));
        machine.apply(Event::Address(address("2001:db8::1", true, false)));
        assert!(addresses(&machine).is_empty());
        machine.apply(Event::Address(address("2001:db8::1", false, false)));
        assert_eq!(addresses(&machine), ["2001:db8::1"]);
    }

    #[test]
    fn what_is_not_said_stays() {
        let mut machine = Machine::default();
        machine.apply(link(3, Some("v0"), Some(1400)));
        machine.apply(link(3, None, None));
        machine.apply(link(3, Some("v9"), None));
        let snapshot = machine.snapshot();
        let interface = snapshot.by_index(3).unwrap();
        assert_eq!((&*interface.name, interface.mtu), ("v9", 1400));
        machine.apply(Event::LinkGone(3));
        assert_eq!(machine.snapshot().iter().count(), 0);
    }
}
