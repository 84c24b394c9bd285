//! A neighbour that speaks BGP over a blocking socket.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

use dunlin_bgp::wire::attribute::put;
use dunlin_bgp::wire::capability::Capabilities;
use dunlin_bgp::wire::decode::{DecodeRules, Decoder, Verdict};
use dunlin_bgp::wire::frame::{self, KEEPALIVE, Type};
use dunlin_bgp::wire::{
    Carried, Family, FamilySet, Framed, MAX_LENGTH, Notification, Open, encode,
};
use dunlin_net::{Prefix, Prefix4};

pub(crate) struct Speaker {
    stream: TcpStream,
    buffer: Vec<u8>,
    pub(crate) asn: u32,
    pub(crate) open: Option<Open>,
    /// What the daemon announces: attributes and next hop by prefix.
    pub(crate) routes: BTreeMap<Prefix, (Vec<u8>, IpAddr)>,
    pub(crate) updates: usize,
    pub(crate) end_of_rib: Vec<Family>,
    pub(crate) notification: Option<Notification>,
    pub(crate) refreshes: usize,
    pub(crate) closed: bool,
}

pub(crate) fn my_open(asn: u32, id: u32) -> Open {
    let capabilities = Capabilities {
        present: true,
        families: [Family::IPV4, Family::IPV6].into_iter().collect(),
        route_refresh: true,
        as4: Some(asn),
        ..Capabilities::default()
    };
    Open::new(asn, 90, id, capabilities)
}

impl Speaker {
    /// Connects from an address of the loopback network.
    pub(crate) fn connect(from: &str, to: &str, asn: u32) -> Self {
        let stream = connect_from(from, to.parse().unwrap());
        Self::with(stream, asn)
    }

    /// Waits for the daemon to connect.
    pub(crate) fn accept(listener: &TcpListener, asn: u32) -> Self {
        Self::with(listener.accept().unwrap().0, asn)
    }

    fn with(stream: TcpStream, asn: u32) -> Self {
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        Self {
            stream,
            buffer: Vec::new(),
            asn,
            open: None,
            routes: BTreeMap::new(),
            updates: 0,
            end_of_rib: Vec::new(),
            notification: None,
            refreshes: 0,
            closed: false,
        }
    }

    /// Exchanges OPEN and KEEPALIVE.
    pub(crate) fn establish(&mut self) {
        let mut out = Vec::new();
        my_open(self.asn, self.asn).encode(&mut out);
        out.extend_from_slice(&KEEPALIVE);
        self.send(&out);
        self.until("an OPEN", |speaker| speaker.open.is_some());
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Announces IPv4 prefixes with our AS and whatever more attributes.
    pub(crate) fn announce(&mut self, prefixes: &[Prefix4], next_hop: [u8; 4], more: &[u8]) {
        let mut attributes = vec![0x40, 1, 1, 0];
        let [a, b, c, d] = self.asn.to_be_bytes();
        put(&mut attributes, 0x40, 2, &[2, 1, a, b, c, d]);
        put(&mut attributes, 0x40, 3, &next_hop);
        attributes.extend_from_slice(more);
        let mut block = vec![0];
        block.extend_from_slice(&attributes);
        let mut out = Vec::new();
        encode::announce(&block, prefixes.iter().copied(), MAX_LENGTH, &mut out);
        self.send(&out);
    }

    pub(crate) fn withdraw(&mut self, prefixes: &[Prefix4]) {
        let mut out = Vec::new();
        encode::withdraw(prefixes.iter().copied(), MAX_LENGTH, &mut out);
        self.send(&out);
    }

    /// Reads until something holds.
    pub(crate) fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..1000 {
            if holds(self) {
                return;
            }
            self.read();
        }
        panic!("waited in vain for {what}; {:?}, {} routes", self.notification, self.routes.len());
    }

    /// Reads for a while.
    pub(crate) fn listen(&mut self, times: usize) {
        (0..times).for_each(|_| self.read());
    }

    fn read(&mut self) {
        let mut bytes = [0; 65536];
        match self.stream.read(&mut bytes) {
            Ok(0) => self.closed = true,
            Ok(count) => self.buffer.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => self.closed = true,
            Err(_) => return,
        }
        let buffer = std::mem::take(&mut self.buffer);
        let mut rest = &buffer[..];
        while let Framed::Message(frame) = frame::next(rest, false) {
            rest = &rest[frame.length()..];
            self.message(frame.kind, frame.body);
        }
        self.buffer = rest.to_vec();
    }

    fn message(&mut self, kind: Type, body: &[u8]) {
        match kind {
            Type::Open => self.open = Some(Open::decode(body).unwrap()),
            Type::Keepalive => {}
            Type::Notification => self.notification = Notification::decode(body),
            Type::RouteRefresh => self.refreshes += 1,
            Type::Update => self.update(body),
        }
    }

    fn update(&mut self, body: &[u8]) {
        let rules = DecodeRules {
            internal: false,
            as4: true,
            families: FamilySet::from_iter(Carried::ALL),
            extended_next_hop: false,
            loopback: true,
            local_as: self.asn,
            allow_local_as: 0,
            router_id: self.asn,
            cluster_id: None,
            allow_as_sets: false,
            allow_local_pref: true,
            first_as: None,
            role: None,
            neighbor_as: 0,
            aigp: false,
            default_local_pref: 100,
        };
        let mut decoder = Decoder::default();
        let update = decoder.decode(body, &rules).unwrap();
        assert!(!matches!(update.verdict, Verdict::TreatAsWithdraw(_)), "{:?}", update.verdict);
        self.updates += 1;
        self.end_of_rib.extend(update.end_of_rib);
        for nlri in update.withdrawn {
            nlri.ipv4().for_each(|net| drop(self.routes.remove(&Prefix::V4(net))));
            nlri.ipv6().for_each(|net| drop(self.routes.remove(&Prefix::V6(net))));
        }
        for part in update.announced {
            let Some(next_hop) = part.next_hop else { continue };
            let value = (update.attributes.to_vec(), next_hop.global);
            let nets = part.nlri.ipv4().map(Prefix::V4).chain(part.nlri.ipv6().map(Prefix::V6));
            nets.for_each(|net| drop(self.routes.insert(net, value.clone())));
        }
    }
}

/// A blocking connection from a given address, which the standard library can't make.
fn connect_from(from: &str, to: SocketAddr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let from = SocketAddr::new(from.parse().unwrap(), 0);
    for _ in 0..200 {
        let fd = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&fd, &from).unwrap();
        if connect(&fd, &to).is_ok() {
            return TcpStream::from(fd);
        }
        super::daemon::nap();
    }
    panic!("cannot connect to {to}");
}
