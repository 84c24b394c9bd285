//! `show interfaces [summary]`

use std::net::IpAddr;

use super::output::Output;
use super::session::Desk;
use crate::interfaces::{Interface, InterfaceAddress, InterfaceFlags, Interfaces};

pub(super) fn show(desk: &Desk, output: &mut Output, summary: bool) {
    let interfaces = desk.shared().published().interfaces.clone();
    if summary {
        lines_summary(&interfaces, output)
    } else {
        lines(&interfaces, output)
    }
    output.last(0, "");
}

fn lines_summary(interfaces: &Interfaces, output: &mut Output) {
    let head =
        format!("{:<10} {:<6} {:<18} {}", "Interface", "State", "IPv4 address", "IPv6 address");
    output.row(2005, &head);
    for interface in interfaces.iter() {
        let shown = |ipv6: bool| {
            let address = interface.preferred(ipv6);
            address.map(|entry| format!("{}/{}", entry.address, entry.prefix.len()))
        };
        let (v4, v6) = (shown(false).unwrap_or_default(), shown(true).unwrap_or_default());
        let state = state(interface);
        output.row(1005, &format!("{:<10} {state:<6} {v4:<18} {v6}", interface.name));
    }
}

fn state(interface: &Interface) -> &'static str {
    if interface.is_enabled() { "up" } else { "down" }
}

fn lines(interfaces: &Interfaces, output: &mut Output) {
    for interface in interfaces.iter() {
        let (name, index) = (&interface.name, interface.index);
        output.row(1001, &format!("{name} {} (index={index})", state(interface)));
        let words = flag_words(interface.flags).join(" ");
        output.row(1004, &format!("\t{words} MTU={}", interface.mtu));
        for entry in &interface.addresses {
            output.row(1003, &format!("\t{}", address(interface, entry)));
        }
    }
}

fn flag_words(flags: InterfaceFlags) -> Vec<&'static str> {
    let kind = if flags.point_to_point { "PtP" } else { "MultiAccess" };
    let all = [
        (kind, true),
        ("Broadcast", flags.broadcast),
        ("Multicast", flags.multicast),
        (if flags.admin_up { "AdminUp" } else { "AdminDown" }, true),
        (if flags.link_up { "LinkUp" } else { "LinkDown" }, true),
        ("Loopback", flags.loopback),
        ("Ignored", flags.loopback),
    ];
    all.into_iter().filter(|(_, on)| *on).map(|(word, _)| word).collect()
}

fn address(interface: &Interface, entry: &InterfaceAddress) -> String {
    let mut notes = Vec::new();
    let first = |other: Option<&InterfaceAddress>| other == Some(entry);
    if first(interface.preferred(entry.address.is_ipv6())) || first(interface.link_local()) {
        notes.push("Preferred".to_owned());
    }
    if let Some(opposite) = entry.opposite {
        notes.push(format!("opposite {opposite}"));
    }
    if entry.secondary {
        notes.push("secondary".to_owned());
    }
    notes.push(format!("scope {}", scope(entry.address)));
    format!("{}/{} ({})", entry.address, entry.prefix.len(), notes.join(", "))
}

/// The scope of an address by its value.
fn scope(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(v4) if v4.is_loopback() => "host",
        IpAddr::V4(v4) if v4.is_link_local() => "link",
        IpAddr::V4(v4) if v4.is_private() => "site",
        IpAddr::V6(v6) if v6.is_loopback() => "host",
        IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfe80 => "link",
        // Site-local (deprecated) and unique local addresses.
        IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfec0 => "site",
        IpAddr::V6(v6) if v6.segments()[0] & 0xfe00 == 0xfc00 => "site",
        _ => "univ",
    }
}

#[cfg(test)]
mod tests {
    use super::{lines, lines_summary};
    use crate::command::Output;
    use crate::interfaces::{Interface, InterfaceAddress, InterfaceFlags, Interfaces};

    fn address(text: &str) -> InterfaceAddress {
        let (address, length) = text.split_once('/').unwrap();
        let address = address.parse().unwrap();
        let prefix = dunlin_net::Prefix::new(address, length.parse().unwrap()).unwrap();
        InterfaceAddress { address, prefix, opposite: None, secondary: false }
    }

    fn sample() -> Interfaces {
        let up = InterfaceFlags { admin_up: true, link_up: true, ..Default::default() };
        let loopback = Interface {
            index: 1,
            name: "lo".into(),
            flags: InterfaceFlags { loopback: true, ..up },
            mtu: 65536,
            master: 0,
            addresses: vec![address("127.0.0.1/8"), address("::1/128")],
        };
        let ethernet = Interface {
            index: 2,
            name: "vc0".into(),
            flags: InterfaceFlags { broadcast: true, multicast: true, ..up },
            mtu: 1500,
            master: 0,
            addresses: vec![
                address("10.98.0.1/24"),
                address("fd98::1/64"),
                address("fe80::44fb:b3ff:fe19:9ba3/64"),
            ],
        };
        Interfaces::new(vec![ethernet, loopback])
    }

    fn shown(show: fn(&Interfaces, &mut Output)) -> String {
        let mut output = Output::default();
        show(&sample(), &mut output);
        String::from_utf8(output.piece(10000).to_vec()).unwrap()
    }

    #[test]
    fn as_bird_shows_them() {
        let expected = "1001-lo up (index=1)\n\
            1004-\tMultiAccess AdminUp LinkUp Loopback Ignored MTU=65536\n\
            1003-\t127.0.0.1/8 (Preferred, scope host)\n \t::1/128 (Preferred, scope host)\n\
            1001-vc0 up (index=2)\n\
            1004-\tMultiAccess Broadcast Multicast AdminUp LinkUp MTU=1500\n\
            1003-\t10.98.0.1/24 (Preferred, scope site)\n \tfd98::1/64 (Preferred, scope site)\n \
            \tfe80::44fb:b3ff:fe19:9ba3/64 (Preferred, scope link)\n";
        assert_eq!(shown(lines), expected);
    }

    #[test]
    fn summary_as_bird_shows_it() {
        let expected = "2005-Interface  State  IPv4 address       IPv6 address\n\
            1005-lo         up     127.0.0.1/8        ::1/128\n \
            vc0        up     10.98.0.1/24       fd98::1/64\n";
        assert_eq!(shown(lines_summary), expected);
    }
}
