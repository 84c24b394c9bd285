//! What a speaker hears.

use std::io::ErrorKind;
use std::sync::Arc;

use dunlin_bgp::wire::attribute::{attributes, number};
use dunlin_bgp::wire::decode::{DecodeRules, Verdict};
use dunlin_bgp::wire::frame::{self, Type};
use dunlin_bgp::wire::{Carried, FamilySet, Framed, Notification, Open};
use dunlin_net::Prefix;
use dunlin_runtime::{Context, Time};

use super::{Pace, Phase, SpeakerLoop};
use crate::model::Path;

impl SpeakerLoop {
    /// Reads once, so many bytes at most.
    pub(super) fn read(&mut self, cx: &mut Context<'_>, most: usize) {
        if matches!(self.phase, Phase::Idle | Phase::Connecting) {
            return;
        }
        let mut buffer = cx.take_read_buffer();
        let most = most.min(buffer.len());
        let result = cx.read(self.socket, &mut buffer[..most]);
        match result {
            Ok(0) => self.lost(cx, "closed by the daemon"),
            Ok(count) => {
                self.heard(cx.now(), count);
                self.input.extend_from_slice(&buffer[..count]);
                self.parse(cx);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => self.lost(cx, &error.to_string()),
        }
        cx.put_read_buffer(buffer);
    }

    fn heard(&mut self, now: Time, count: usize) {
        let gap = now.since(self.heard);
        self.heard = now;
        let counts = self.is_up() && self.pace == Pace::Full;
        self.note(|seen| {
            seen.read += count;
            if counts {
                seen.worst_gap = seen.worst_gap.max(gap);
            }
        });
    }

    fn parse(&mut self, cx: &mut Context<'_>) {
        let input = core::mem::take(&mut self.input);
        let mut rest = &input[..];
        loop {
            match frame::next(rest, false) {
                Framed::Message(frame) => {
                    rest = &rest[frame.length()..];
                    self.message_came(cx, frame.kind, frame.body);
                }
                Framed::Partial(_) => break,
                Framed::Error(error) => {
                    self.note(|seen| seen.trouble.push(format!("unframeable: {error:?}")));
                    return self.refuse(cx, error, "unframeable");
                }
            }
            if self.phase == Phase::Idle {
                return;
            }
        }
        self.input = rest.to_vec();
    }

    fn message_came(&mut self, cx: &mut Context<'_>, kind: Type, body: &[u8]) {
        match (kind, self.phase) {
            (Type::Open, Phase::OpenSent) => match Open::decode(body) {
                Ok(open) => self.confirm(cx, open.hold_time),
                Err(error) => self.refuse(cx, error, "bad OPEN"),
            },
            (Type::Keepalive, Phase::OpenConfirm) => self.establish(cx),
            (Type::Keepalive, Phase::Established) => {}
            (Type::Update, Phase::Established) => self.update(cx, body),
            (Type::RouteRefresh, Phase::Established) => self.put_table_again(),
            (Type::Notification, _) => {
                let text = match Notification::decode(body) {
                    Some(notification) => format!("NOTIFICATION {notification:?}"),
                    None => "a NOTIFICATION too short".to_owned(),
                };
                self.lost(cx, &text);
            }
            (kind, phase) => {
                self.note(|seen| seen.trouble.push(format!("{kind:?} in {phase:?}")));
            }
        }
    }

    fn put_table_again(&mut self) {
        self.put_table();
    }

    fn update(&mut self, cx: &mut Context<'_>, body: &[u8]) {
        let rules = rules(self.spec.asn);
        let mut decoder = core::mem::take(&mut self.decoder);
        let seen = Arc::clone(&self.seen);
        let seen = &mut *seen.lock().unwrap();
        seen.updates += 1;
        match decoder.decode(body, &rules) {
            Ok(update) => {
                if update.verdict != Verdict::Ok {
                    seen.trouble.push(format!("{:?}", update.verdict));
                }
                for nlri in update.withdrawn {
                    let nets = nlri.ipv4().map(Prefix::V4).chain(nlri.ipv6().map(Prefix::V6));
                    nets.for_each(|net| drop(seen.routes.remove(&net)));
                }
                let path = path(update.attributes);
                for part in update.announced {
                    let nets =
                        part.nlri.ipv4().map(Prefix::V4).chain(part.nlri.ipv6().map(Prefix::V6));
                    nets.for_each(|net| seen.announced(net, &path, self.spec.asn));
                }
                if let (true, Some(last)) = (self.spec.clocks, path.last()) {
                    seen.versions.entry(*last).or_insert(cx.now());
                }
                if let Some(family) = update.end_of_rib.and_then(|family| family.carried()) {
                    seen.end_of_rib(family, cx.now());
                }
            }
            Err(error) => seen.trouble.push(format!("undecodable: {error:?}")),
        }
        self.decoder = decoder;
    }
}

fn rules(own: u32) -> DecodeRules {
    DecodeRules {
        internal: false,
        as4: true,
        families: FamilySet::from_iter(Carried::ALL),
        extended_next_hop: false,
        loopback: false,
        local_as: own,
        // A route that comes back is to be seen.
        allow_local_as: u32::MAX,
        router_id: own,
        cluster_id: None,
        allow_as_sets: false,
        allow_local_pref: false,
        first_as: None,
        role: None,
        neighbor_as: 0,
        aigp: false,
        default_local_pref: 100,
    }
}

fn path(canonical: &[u8]) -> Path {
    let Some(attribute) = attributes(canonical).find(|one| one.number == number::AS_PATH) else {
        return Path::default();
    };
    let mut value = attribute.value;
    let mut path = Vec::new();
    while let [_, count, rest @ ..] = value {
        let (segment, rest) = rest.split_at(usize::from(*count) * 4);
        path.extend(segment.chunks(4).map(|asn| u32::from_be_bytes(asn.try_into().unwrap())));
        value = rest;
    }
    path.into()
}
