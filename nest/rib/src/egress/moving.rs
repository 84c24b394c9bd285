//! Members that leave for another group without losing track of what they hold.
//!
//! The other group tells of every change since the member joined it. What is missing is what this
//! group had yet to tell by then: deltas under way from slices, networks that wait, and the unread
//! part of the log. So the slices are asked (for nothing) and their answers waited for; then the
//! member drops its unread part, and all those networks go to the other group to be asked again.

use dunlin_net::Prefix;
use dunlin_net::hash::Set;
use dunlin_runtime::{Address, Class};

use super::{Egress, EgressMessage};
use crate::MemberId;
use crate::export::QueryRequest;
use crate::import::EncodedKey;
use crate::slice::SliceMessage;

/// A move under way.
#[derive(Debug)]
pub(super) struct Moving {
    to: Address<EgressMessage>,
    as_member: MemberId,
    /// Of the empty query.
    token: u32,
    /// Slices that have not answered it.
    missing: usize,
}

impl<K: EncodedKey> Egress<K> {
    pub(super) fn begin_move(
        &mut self,
        id: MemberId,
        to: Address<EgressMessage>,
        as_member: MemberId,
    ) {
        let token = self.new_token();
        let (exporter, missing) = (self.spec.exporter, self.spec.slices.count());
        let Some(member) = self.member_mut(id) else { return };
        member.moving = Some(Moving { to, as_member, token, missing });
        self.spec.slices.send_all(Class::Routing, || {
            SliceMessage::Query(Box::new(QueryRequest { exporter, token, nets: Vec::new() }))
        });
    }

    /// A slice has answered an empty query: all that it sent before is here.
    pub(super) fn move_reply(&mut self, token: u32) {
        let Some(member) = self.members.iter_mut().find(|m| m.moves_under(token)) else { return };
        let id = member.id;
        if let Some(moving) = &mut member.moving {
            moving.missing = moving.missing.saturating_sub(1);
        }
        self.finish_move(id);
    }

    /// Lets a member go if everything is there; else sees to it that it will be.
    pub(super) fn finish_move(&mut self, id: MemberId) {
        let Some(member) = self.member(id) else { return };
        let Some(moving) = member.moving.as_ref().filter(|moving| moving.missing == 0) else {
            return;
        };
        let Some(off) = &member.off else {
            self.leave_log(id);
            return;
        };
        if !off.detached {
            return;
        }
        let mut nets: Set<Prefix> = off.dirty.clone();
        nets.extend(off.asked.iter().copied());
        nets.extend(self.live.keys().map(|key| key.prefix()));
        let recheck =
            EgressMessage::Recheck { member: moving.as_member, nets: nets.into_iter().collect() };
        // A group that has stopped has no members either.
        let _ = moving.to.send(Class::Routing, recheck);
        member.spec.sink.left();
        self.leave(id);
    }
}

impl super::Member {
    fn moves_under(&self, token: u32) -> bool {
        self.moving.as_ref().is_some_and(|moving| moving.token == token)
    }
}
