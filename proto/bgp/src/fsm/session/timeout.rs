//! What happens when time has passed.

use dunlin_runtime::Time;

use super::super::connection::{Connection, Side};
use super::super::timing::{jittered, together};
use super::{Action, Actions, Fsm, Message, Phase};
use crate::wire::Notification;
use crate::wire::notification::code;

/// What is due on a connection.
enum Due {
    Connect,
    Retry,
    OpenHold,
    Hold,
    SendHold,
    Keepalive,
}

impl Fsm {
    /// Does whatever is due by `now`. `random` spreads what follows.
    pub fn expired(&mut self, now: Time, random: u64, actions: &mut Actions) {
        if let Phase::ErrorWait { until, .. } = self.phase
            && until <= now
        {
            self.run_again(now, random);
        }
        for side in [Side::Outgoing, Side::Incoming] {
            // Each step moves its own deadline, so this comes to an end.
            while let Some(due) = self.due(side, now) {
                self.act(due, side, now, random, actions);
            }
        }
    }

    fn due(&self, side: Side, now: Time) -> Option<Due> {
        let past = |moment: Option<Time>| moment.is_some_and(|moment| moment <= now);
        match self.connection(side) {
            Connection::Idle => None,
            Connection::Active { connect_at, .. } => (*connect_at <= now).then_some(Due::Connect),
            Connection::Connect { retry_at } => (*retry_at <= now).then_some(Due::Retry),
            Connection::OpenSent { hold_at } => past(*hold_at).then_some(Due::OpenHold),
            // A KEEPALIVE first: that we are asked about the neighbour is no reason not to send it.
            Connection::OpenConfirm(live) | Connection::Established(live)
                if past(live.keepalive_at) =>
            {
                Some(Due::Keepalive)
            }
            Connection::OpenConfirm(live) | Connection::Established(live)
                if past(live.hold_at()) && !live.asked =>
            {
                Some(Due::Hold)
            }
            Connection::Established(live) if past(live.send_hold_at()) => Some(Due::SendHold),
            Connection::OpenConfirm(_) | Connection::Established(_) => None,
        }
    }

    fn act(&mut self, due: Due, side: Side, now: Time, random: u64, actions: &mut Actions) {
        match due {
            Due::Connect => self.connect(now, random, actions),
            Due::Retry => {
                actions.push(Action::Close(Side::Outgoing));
                self.connect(now, random, actions);
            }
            Due::OpenHold => {
                self.protocol_error(now, side, Notification::new(code::HOLD, 0), actions);
            }
            Due::Hold => {
                if let Some(live) = self.connection_mut(side).live_mut() {
                    live.asked = true;
                }
                actions.push(Action::AskHeard(side));
            }
            Due::SendHold => {
                self.protocol_error(now, side, Notification::new(code::SEND_HOLD, 0), actions);
            }
            Due::Keepalive => self.keepalive(side, now, random, actions),
        }
    }

    fn connect(&mut self, now: Time, random: u64, actions: &mut Actions) {
        let wait = jittered(self.settings.timers.connect_retry, random);
        self.outgoing = Connection::Connect { retry_at: now + wait };
        actions.push(Action::Connect);
    }

    pub(super) fn keepalive(&mut self, side: Side, now: Time, random: u64, actions: &mut Actions) {
        let Some(live) = self.connection_mut(side).live_mut() else { return };
        let wait = jittered(live.agreed.keepalive, random);
        live.keepalive_at = (!wait.is_zero()).then(|| together(now + wait, live.agreed.keepalive));
        actions.push(Action::Send(side, Message::Keepalive));
    }

    /// The answer to [`Action::AskHeard`]: nothing came after `last`, which is when the system
    /// last saw data.
    pub fn silent(&mut self, side: Side, last: Option<Time>, now: Time, actions: &mut Actions) {
        let Some(live) = self.connection_mut(side).live_mut() else { return };
        if !live.asked {
            return;
        }
        live.asked = false;
        live.heard = last.map_or(live.heard, |last| last.max(live.heard));
        if live.hold_at().is_some_and(|hold_at| hold_at <= now) {
            self.protocol_error(now, side, Notification::new(code::HOLD, 0), actions);
        }
    }
}
