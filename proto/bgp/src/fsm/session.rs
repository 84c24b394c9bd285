//! The state machine of a session.

use core::time::Duration;

use dunlin_runtime::Time;

use super::connection::{Connection, Live, Side, earliest};
use super::error::LastError;
use super::negotiate::Agreed;
use super::settings::Settings;
use super::timing::{Backoff, jittered};
use crate::wire::notification::code;
use crate::wire::{Cease, Notification, Open};

mod input;
mod timeout;

/// A message that the state machine wants sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// OPEN.
    Open(Box<Open>),
    /// KEEPALIVE.
    Keepalive,
    /// NOTIFICATION; the connection is closed next.
    Notification(Notification),
}

/// What is to be done, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Open the outgoing connection.
    Connect,
    /// Send a message.
    Send(Side, Message),
    /// Close the connection (or give up opening it), after what was sent before.
    Close(Side),
    /// The hold time of this connection is over by the stamps. Look whether bytes wait in the
    /// socket, and call [`Fsm::heard`] or [`Fsm::silent`] at once.
    AskHeard(Side),
    /// The session is established on this connection.
    Established(Side, Box<Agreed>),
    /// The session was established and is no more.
    Lost,
    /// The session disables itself, as the configuration wants after this error.
    Disable,
}

/// The state of a session as the RFC and users name it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    /// Nothing is under way.
    Idle,
    /// About to connect.
    Active,
    /// Connecting.
    Connect,
    /// Our OPEN is out.
    OpenSent,
    /// Both OPENs are good.
    OpenConfirm,
    /// Routes flow.
    Established,
}

impl State {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "Idle",
            Self::Active => "Active",
            Self::Connect => "Connect",
            Self::OpenSent => "OpenSent",
            Self::OpenConfirm => "OpenConfirm",
            Self::Established => "Established",
        }
    }
}

/// What a session waits for before its next attempt, for `show protocols all`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waiting {
    /// After an error: what is left, and the whole.
    Error(Duration, Duration),
    /// Before connecting: what is left, and the whole.
    Connect(Duration, Duration),
}

/// Whether attempts are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Not wanted.
    Down,
    /// After an error.
    ErrorWait { until: Time, wait: Duration },
    /// Connecting, waiting for the neighbour, or established.
    Running,
}

/// The state machine of a session.
#[derive(Clone, Debug)]
pub struct Fsm {
    settings: Settings,
    phase: Phase,
    outgoing: Connection,
    incoming: Connection,
    backoff: Backoff,
    last_error: Option<LastError>,
    /// The neighbour refused an OPEN with capabilities.
    without_capabilities: bool,
}

/// The least wait before another attempt to connect.
const LEAST_DELAY: Duration = Duration::from_secs(1);

/// Where actions are put.
pub(super) type Actions = Vec<Action>;

impl Fsm {
    /// A session that isn't started.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            phase: Phase::Down,
            outgoing: Connection::Idle,
            incoming: Connection::Idle,
            backoff: Backoff::default(),
            last_error: None,
            without_capabilities: false,
        }
    }

    /// Begins to connect, or to wait for the neighbour.
    pub fn start(&mut self, now: Time, random: u64) {
        if self.phase == Phase::Down {
            self.backoff.forget();
            self.phase = Phase::Running;
            self.activate(now, self.settings.timers.connect_delay, random);
        }
    }

    /// Ends the session and stays down. The neighbour is told why.
    pub fn stop(&mut self, cease: &Notification, actions: &mut Actions) {
        let was_established = self.established().is_some();
        for side in [Side::Outgoing, Side::Incoming] {
            self.end_connection(side, cease, actions);
        }
        if was_established {
            self.last_error = Some(LastError::Sent(cease.clone()));
            actions.push(Action::Lost);
        }
        self.phase = Phase::Down;
    }

    /// Ends the session for a reason of ours (a limit, a lost link) and starts it again, after
    /// the wait that errors have.
    pub fn fail(&mut self, now: Time, cease: &Notification, why: LastError, actions: &mut Actions) {
        let was_established = self.established().is_some();
        for side in [Side::Outgoing, Side::Incoming] {
            self.end_connection(side, cease, actions);
        }
        if was_established {
            actions.push(Action::Lost);
        }
        self.last_error = Some(why);
        self.wait_after_error(now, actions);
    }

    /// The next moment at which [`Fsm::expired`] has something to do.
    pub fn deadline(&self) -> Option<Time> {
        let wait = match self.phase {
            Phase::ErrorWait { until, .. } => Some(until),
            Phase::Down | Phase::Running => None,
        };
        earliest([wait, self.outgoing.deadline(), self.incoming.deadline()])
    }

    /// The state of the further of the two connections.
    pub fn state(&self) -> State {
        self.outgoing.state().max(self.incoming.state())
    }

    /// Whether the session waits for the neighbour to connect, and for nothing else.
    pub fn is_passive_wait(&self) -> bool {
        self.phase == Phase::Running && self.settings.passive && self.state() == State::Idle
    }

    /// Whether the session is stopped.
    pub fn is_down(&self) -> bool {
        self.phase == Phase::Down
    }

    /// What the session waits for.
    pub fn waiting(&self, now: Time) -> Option<Waiting> {
        match (self.phase, &self.outgoing) {
            (Phase::ErrorWait { until, wait }, _) => Some(Waiting::Error(until.since(now), wait)),
            (Phase::Running, Connection::Active { connect_at, delay }) => {
                Some(Waiting::Connect(connect_at.since(now), *delay))
            }
            _ => None,
        }
    }

    /// The last error.
    pub fn last_error(&self) -> Option<&LastError> {
        self.last_error.as_ref()
    }

    /// Notes an error that happened outside.
    pub fn note_error(&mut self, error: LastError) {
        self.last_error = Some(error);
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes settings that don't concern a running session.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The established connection.
    pub fn established(&self) -> Option<Side> {
        [Side::Outgoing, Side::Incoming]
            .into_iter()
            .find(|side| self.connection(*side).state() == State::Established)
    }

    /// The state of one connection.
    pub fn side_state(&self, side: Side) -> State {
        self.connection(side).state()
    }

    /// What was agreed upon on a connection, and the neighbour's OPEN.
    pub fn agreed(&self, side: Side) -> Option<(&Agreed, &Open)> {
        self.connection(side).live().map(|live| (&live.agreed, &live.open))
    }

    /// What is left of the hold, keepalive and send hold times of the established session.
    pub fn time_left(&self, now: Time) -> Option<[Duration; 3]> {
        let live = self.connection(self.established()?).live()?;
        let left = |moment: Option<Time>| moment.map_or(Duration::ZERO, |moment| moment.since(now));
        Some([left(live.hold_at()), left(live.keepalive_at), left(live.send_hold_at())])
    }

    /// The OPEN that we send.
    pub fn our_open(&self) -> Open {
        let settings = &self.settings;
        let capabilities = if self.without_capabilities {
            Default::default()
        } else {
            settings.capabilities.clone()
        };
        let hold = u16::try_from(settings.timers.hold.as_secs()).unwrap_or(u16::MAX);
        Open::new(settings.local_as, hold, settings.router_id, capabilities)
    }

    /// Begins again. A neighbour that refuses at once isn't asked over and over, whatever the
    /// configuration says.
    fn run_again(&mut self, now: Time, random: u64) {
        self.phase = Phase::Running;
        let delay = self.settings.timers.connect_delay.max(LEAST_DELAY);
        self.activate(now, delay, random);
    }

    /// Waits to connect, unless the neighbour is to do that.
    fn activate(&mut self, now: Time, delay: Duration, random: u64) {
        if self.settings.passive {
            return;
        }
        let delay = jittered(delay, random);
        self.outgoing = Connection::Active { connect_at: now + delay, delay };
    }

    fn connection(&self, side: Side) -> &Connection {
        match side {
            Side::Outgoing => &self.outgoing,
            Side::Incoming => &self.incoming,
        }
    }

    fn connection_mut(&mut self, side: Side) -> &mut Connection {
        match side {
            Side::Outgoing => &mut self.outgoing,
            Side::Incoming => &mut self.incoming,
        }
    }

    /// Ends one connection, with a message if there is somebody to read it. Says whether it was
    /// the established one.
    fn end_connection(&mut self, side: Side, why: &Notification, actions: &mut Actions) -> bool {
        let connection = core::mem::take(self.connection_mut(side));
        if connection.is_open() {
            actions.push(Action::Send(side, Message::Notification(why.clone())));
        }
        if connection.is_open() || connection.state() == State::Connect {
            actions.push(Action::Close(side));
        }
        connection.state() == State::Established
    }

    /// The neighbour did something that the protocol doesn't allow, or fell silent: tell it, and
    /// begin again later. What goes wrong beside an established connection ends itself alone:
    /// whoever can connect from the neighbour's address could end the session otherwise.
    fn protocol_error(
        &mut self,
        now: Time,
        side: Side,
        error: Notification,
        actions: &mut Actions,
    ) {
        if self.is_beside(side) {
            self.end_connection(side, &error, actions);
            return;
        }
        let mut lost = self.end_connection(side, &error, actions);
        self.last_error = Some(LastError::Sent(error));
        lost |= self.end_connection(side.other(), &Notification::new(code::CEASE, 0), actions);
        if lost {
            actions.push(Action::Lost);
        }
        self.wait_after_error(now, actions);
    }

    /// Whether the session is established, but on the other connection.
    fn is_beside(&self, side: Side) -> bool {
        self.established() == Some(side.other())
    }

    fn wait_after_error(&mut self, now: Time, actions: &mut Actions) {
        if self.settings.disable_after_error {
            self.disable(actions);
            return;
        }
        let timers = &self.settings.timers;
        let wait = self.backoff.error(now, timers.error_wait, timers.error_forget);
        self.phase = Phase::ErrorWait { until: now + wait, wait };
    }

    fn disable(&mut self, actions: &mut Actions) {
        self.phase = Phase::Down;
        actions.push(Action::Disable);
    }

    /// One connection is gone without anybody's fault. What is left decides how to go on.
    fn after_loss(&mut self, now: Time, random: u64, lost: bool, actions: &mut Actions) {
        if lost {
            // The other connection, if there is one, was about to be refused.
            let cease = Notification::cease(Cease::Collision, "");
            self.end_connection(Side::Outgoing, &cease, actions);
            self.end_connection(Side::Incoming, &cease, actions);
            actions.push(Action::Lost);
        }
        let busy = matches!(self.incoming.state(), State::OpenConfirm | State::Established);
        if self.outgoing.state() == State::Idle && !busy && self.phase == Phase::Running {
            self.run_again(now, random);
        }
    }

    fn establish(&mut self, side: Side, mut live: Box<Live>, actions: &mut Actions) {
        live.asked = false;
        self.last_error = None;
        let agreed = Box::new(live.agreed.clone());
        *self.connection_mut(side) = Connection::Established(live);
        // Attempts that nobody needs any more.
        if matches!(self.outgoing.state(), State::Active | State::Connect) {
            self.end_connection(Side::Outgoing, &Notification::new(code::CEASE, 0), actions);
        }
        actions.push(Action::Established(side, agreed));
    }
}

impl Connection {
    pub(super) fn state(&self) -> State {
        match self {
            Self::Idle => State::Idle,
            Self::Active { .. } => State::Active,
            Self::Connect { .. } => State::Connect,
            Self::OpenSent { .. } => State::OpenSent,
            Self::OpenConfirm(_) => State::OpenConfirm,
            Self::Established(_) => State::Established,
        }
    }
}
