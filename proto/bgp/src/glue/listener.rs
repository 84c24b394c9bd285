//! Accepts connections and hands each to the session that it is for.
//!
//! One loop for all sessions. Sockets are opened in the manager's loop, where a failure can still
//! be told to whoever starts the session, and are adopted here.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use dunlin_core::log::{Log, LogClass};
use dunlin_net::Prefix;
use dunlin_runtime::{
    AcceptPause, Address, Class, Context, ListenOptions, Loop, OwnedSocket, Ready, SocketId,
    TimerId,
};

use super::session::SessionMessage;

/// Where a session listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ListenKey {
    /// The local end; an unspecified address for any.
    pub(crate) local: SocketAddr,
    /// The interface that the socket is bound to.
    pub(crate) device: Option<Arc<str>>,
}

/// Who may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// One neighbour.
    Address(IpAddr),
    /// Anybody from here.
    Range(Prefix),
}

impl Who {
    /// How well an address fits: an address itself best, then long prefixes.
    fn fit(&self, address: IpAddr) -> Option<u8> {
        match self {
            Self::Address(own) => (*own == address).then_some(u8::MAX),
            Self::Range(prefix) => prefix.contains_addr(address).then(|| prefix.len()),
        }
    }

    /// What a key for TCP MD5 is set for: an address, or a prefix.
    fn signs(&self) -> (IpAddr, Option<u8>) {
        match self {
            Self::Address(address) => (*address, None),
            Self::Range(prefix) => (prefix.addr(), Some(prefix.len())),
        }
    }
}

/// Whether connections that should be signed are. Until all of them are, nobody is let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Signed {
    /// The system doesn't know the password.
    #[default]
    Not,
    /// It does, but there may be some to accept that came before.
    New,
    /// All that can come.
    All,
}

/// A session that waits for connections.
#[derive(Clone, Debug)]
pub(crate) struct Waiter {
    pub(crate) key: ListenKey,
    pub(crate) who: Who,
    /// Our address, if it must be this one.
    pub(crate) local: Option<IpAddr>,
    pub(crate) md5: Option<Arc<str>>,
    /// The listener's own.
    pub(crate) signed: Signed,
    pub(crate) session: Address<SessionMessage>,
}

/// What the listener is told.
pub(crate) enum ListenerMessage {
    /// A new socket.
    Open(ListenKey, OwnedSocket),
    /// A socket that could not be opened as long as another one wasn't closed.
    Listen(ListenKey, Box<ListenOptions>),
    /// Nobody needs this socket any more.
    Close(ListenKey),
    /// A session waits for connections.
    Wait(Box<Waiter>),
    /// A session doesn't any more.
    Leave(Address<SessionMessage>),
}

/// See the module.
pub(crate) struct Listener {
    sockets: Vec<(ListenKey, SocketId)>,
    waiters: Vec<Waiter>,
    log: Log,
    pause: AcceptPause,
}

impl Listener {
    pub(crate) fn new(log: Log) -> Self {
        Self { sockets: Vec::new(), waiters: Vec::new(), log, pause: AcceptPause::default() }
    }

    fn open(&mut self, cx: &mut Context<'_>, key: ListenKey, socket: io::Result<SocketId>) {
        match socket {
            Ok(id) => {
                self.sockets.push((key.clone(), id));
                for waiter in self.waiters.iter_mut().filter(|waiter| waiter.key == key) {
                    sign(cx, &self.log, id, waiter);
                }
                // Whoever opened the socket has listened for a while.
                if self.waiters.iter().any(|waiter| waiter.signed == Signed::New) {
                    self.accept(cx, id);
                }
            }
            Err(error) => {
                let text = format_args!("BGP: cannot listen on {}: {error}", key.local);
                self.log.write(LogClass::Error, text);
            }
        }
    }

    fn close(&mut self, cx: &mut Context<'_>, key: &ListenKey) {
        self.sockets.retain(|(own, id)| {
            let keep = own != key;
            if !keep {
                cx.close(*id);
            }
            keep
        });
    }

    fn socket_of(&self, key: &ListenKey) -> Option<SocketId> {
        self.sockets.iter().find(|(own, _)| own == key).map(|(_, id)| *id)
    }

    fn wait(&mut self, cx: &mut Context<'_>, mut waiter: Waiter) {
        self.leave(cx, &waiter.session);
        let socket = self.socket_of(&waiter.key);
        if let Some(id) = socket {
            sign(cx, &self.log, id, &mut waiter);
        }
        let is_new = waiter.signed == Signed::New;
        self.waiters.push(waiter);
        if let (Some(id), true) = (socket, is_new) {
            self.accept(cx, id);
        }
    }

    fn leave(&mut self, cx: &mut Context<'_>, session: &Address<SessionMessage>) {
        let own = |waiter: &mut Waiter| waiter.session.loop_id() == session.loop_id();
        let gone: Vec<Waiter> = self.waiters.extract_if(.., own).collect();
        for waiter in gone.iter().filter(|waiter| waiter.md5.is_some()) {
            let Some(id) = self.socket_of(&waiter.key) else { continue };
            // A session that begins again may be here before its predecessor has left, and keys
            // are the socket's.
            let same = |other: &&mut Waiter| {
                other.md5.is_some() && other.key == waiter.key && other.who == waiter.who
            };
            match self.waiters.iter_mut().rfind(same) {
                Some(heir) => {
                    sign(cx, &self.log, id, heir);
                    self.accept(cx, id);
                }
                None => {
                    let (address, prefix) = waiter.who.signs();
                    // The socket is about to be closed, at worst.
                    let _ = cx.set_md5(id, address, prefix, None);
                }
            }
        }
    }

    fn accept(&mut self, cx: &mut Context<'_>, listener: SocketId) {
        // All that wait, but not so many that others have to.
        for _ in 0..64 {
            match cx.accept(listener) {
                Ok((socket, peer)) => {
                    self.pause.worked();
                    self.hand_over(cx, listener, socket, peer);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return self.all_accepted(listener);
                }
                Err(error) => return self.accept_failed(cx, listener, &error),
            }
        }
    }

    /// Nobody is left who connected before the system knew a password.
    fn all_accepted(&mut self, listener: SocketId) {
        let Some((key, _)) = self.sockets.iter().find(|(_, id)| *id == listener) else { return };
        let new = |waiter: &&mut Waiter| waiter.key == *key && waiter.signed == Signed::New;
        self.waiters.iter_mut().filter(new).for_each(|waiter| waiter.signed = Signed::All);
    }

    fn accept_failed(&mut self, cx: &mut Context<'_>, listener: SocketId, error: &io::Error) {
        if self.pause.failed(cx, listener, error) {
            let wait = AcceptPause::SPAN;
            let text = format_args!("BGP: cannot accept, tries every {wait:?}: {error}");
            self.log.write(LogClass::Error, text);
        }
    }

    fn hand_over(
        &mut self,
        cx: &mut Context<'_>,
        listener: SocketId,
        socket: SocketId,
        peer: SocketAddr,
    ) {
        let Ok(local) = cx.local_addr(socket) else { return cx.close(socket) };
        let address = canonical(peer.ip());
        let Some(waiter) = self.waiter(listener, address, canonical(local.ip())) else {
            let text = format_args!(
                "BGP: Unexpected connect from unknown address {address} (port {})",
                peer.port()
            );
            self.log.write(LogClass::Warning, text);
            return cx.close(socket);
        };
        if waiter.md5.is_some() && waiter.signed != Signed::All {
            return cx.close(socket);
        }
        let session = waiter.session.clone();
        if let Ok(owned) = cx.release(socket) {
            // A session that has just stopped drops the connection with the message.
            let _ = session.send(Class::Control, SessionMessage::Incoming(owned, address));
        }
    }

    fn waiter(&self, listener: SocketId, peer: IpAddr, local: IpAddr) -> Option<&Waiter> {
        let (key, _) = self.sockets.iter().find(|(_, id)| *id == listener)?;
        self.waiters
            .iter()
            .filter(|waiter| waiter.key == *key && waiter.local.is_none_or(|own| own == local))
            .filter_map(|waiter| waiter.who.fit(peer).map(|fit| (fit, waiter)))
            .max_by_key(|(fit, _)| *fit)
            .map(|(_, waiter)| waiter)
    }
}

/// An IPv4 address is one, however the system writes it.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Has the system check what a neighbour with a password signs.
fn sign(cx: &mut Context<'_>, log: &Log, socket: SocketId, waiter: &mut Waiter) {
    let Some(key) = &waiter.md5 else { return };
    let (address, prefix) = waiter.who.signs();
    let result = cx.set_md5(socket, address, prefix, Some(key.as_bytes()));
    waiter.signed = if result.is_ok() { Signed::New } else { Signed::Not };
    if let Err(error) = result {
        let text = format_args!("BGP: cannot set the password for {address}: {error}");
        log.write(LogClass::Error, text);
    }
}

impl Loop for Listener {
    type Message = ListenerMessage;

    fn is_essential(&self) -> bool {
        true
    }

    fn start(&mut self, cx: &mut Context<'_>) {
        self.pause.start(cx);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: ListenerMessage) {
        match message {
            ListenerMessage::Open(key, socket) => {
                let socket = cx.adopt(socket);
                self.open(cx, key, socket);
            }
            ListenerMessage::Listen(key, options) => {
                let socket = cx.listen(key.local, &options);
                self.open(cx, key, socket);
            }
            ListenerMessage::Close(key) => self.close(cx, &key),
            ListenerMessage::Wait(waiter) => self.wait(cx, *waiter),
            ListenerMessage::Leave(session) => self.leave(cx, &session),
        }
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, _ready: Ready) {
        self.accept(cx, socket);
    }

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        self.pause.timer(cx, timer);
        // If nobody waits, no readiness will tell that all who came before a password are gone.
        let new = |waiter: &&Waiter| waiter.signed == Signed::New;
        let keys = self.waiters.iter().filter(new).map(|waiter| &waiter.key);
        let sockets: Vec<SocketId> = keys.filter_map(|key| self.socket_of(key)).collect();
        for socket in sockets {
            self.accept(cx, socket);
        }
    }
}

/// Keeps a listening socket open as long as some session holds it.
#[derive(Debug)]
pub(crate) struct Lease {
    key: ListenKey,
    listener: Address<ListenerMessage>,
}

impl Lease {
    pub(crate) fn new(key: ListenKey, listener: Address<ListenerMessage>) -> Arc<Self> {
        Arc::new(Self { key, listener })
    }

    pub(crate) fn key(&self) -> &ListenKey {
        &self.key
    }

    pub(crate) fn listener(&self) -> &Address<ListenerMessage> {
        &self.listener
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A listener that has stopped has closed all its sockets.
        let _ = self.listener.send(Class::Control, ListenerMessage::Close(self.key.clone()));
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::net::TcpStream;
    use std::sync::mpsc::{Sender, channel};

    use dunlin_core::log::LogTarget;
    use dunlin_runtime::sim::SimRuntime;
    use dunlin_runtime::{ConnectOptions, Runtime, RuntimeOptions};

    use super::*;

    struct Silent;

    impl LogTarget for Silent {
        fn wants(&self, _class: LogClass) -> bool {
            false
        }
        fn write(&self, _class: LogClass, _text: String) {}
    }

    /// Stands in for a session; says when a connection comes.
    struct Waiting(Sender<()>);

    impl Loop for Waiting {
        type Message = SessionMessage;

        fn message(&mut self, _cx: &mut Context<'_>, message: SessionMessage) {
            if matches!(message, SessionMessage::Incoming(..)) {
                let _ = self.0.send(());
            }
        }
    }

    /// Opens the socket in a loop of its own, as the manager does, and connects to it.
    struct Opener(Option<OwnedSocket>, Vec<SocketId>);

    enum OpenerMessage {
        Connect(usize),
        GiveTo(Address<ListenerMessage>),
    }

    impl Loop for Opener {
        type Message = OpenerMessage;

        fn start(&mut self, cx: &mut Context<'_>) {
            let socket = cx.listen(at(), &ListenOptions::default()).unwrap();
            self.0 = cx.release(socket).ok();
        }

        fn message(&mut self, cx: &mut Context<'_>, message: OpenerMessage) {
            match message {
                OpenerMessage::Connect(count) => {
                    let connect = |_| cx.connect(at(), &ConnectOptions::default()).unwrap();
                    self.1.extend((0..count).map(connect));
                }
                OpenerMessage::GiveTo(listener) => {
                    let key = ListenKey { local: at(), device: None };
                    let open = ListenerMessage::Open(key, self.0.take().unwrap());
                    listener.send(Class::Control, open).unwrap();
                }
            }
        }
    }

    fn at() -> SocketAddr {
        "127.0.0.1:11802".parse().unwrap()
    }

    fn wait_for(who: Who, session: &Address<SessionMessage>) -> ListenerMessage {
        ListenerMessage::Wait(Box::new(Waiter {
            key: ListenKey { local: at(), device: None },
            who,
            local: None,
            md5: Some("secret".into()),
            signed: Signed::Not,
            session: session.clone(),
        }))
    }

    /// Many connect, then the listener gets the socket and hears of the password.
    fn connect_before_the_password(is_first: bool, seed: u64) {
        let mut sim = SimRuntime::new(seed);
        let log = Log::new(Arc::new(Silent));
        let listener = sim.spawn("listener", Class::Control, Listener::new(log));
        let opener = sim.spawn("opener", Class::Control, Opener(None, Vec::new()));
        let (came, comes) = channel();
        let session = sim.spawn("session", Class::Control, Waiting(came));
        let tell = |message| opener.send(Class::Control, message).unwrap();
        tell(OpenerMessage::Connect(300));
        sim.run_for(Duration::from_millis(100));
        let wait = wait_for(Who::Range("127.0.0.0/8".parse().unwrap()), &session);
        if is_first {
            listener.send(Class::Control, wait).unwrap();
            sim.run_for(Duration::from_millis(1));
            tell(OpenerMessage::GiveTo(listener.clone()));
        } else {
            tell(OpenerMessage::GiveTo(listener.clone()));
            // No time to accept them all.
            sim.step(sim.now() + Duration::from_millis(1));
            listener.send(Class::Control, wait).unwrap();
        }
        sim.run_for(Duration::from_millis(100));
        assert_eq!(comes.try_iter().count(), 0, "seed {seed}: let in unsigned");
        tell(OpenerMessage::Connect(5));
        sim.run_for(Duration::from_millis(100));
        assert_eq!(comes.try_iter().count(), 5, "seed {seed}: kept out");
    }

    #[test]
    fn who_connected_before_the_password_was_set_is_not_let_in() {
        for seed in 0..20 {
            connect_before_the_password(false, seed);
            connect_before_the_password(true, seed);
        }
    }

    /// Without a descriptor nothing can be accepted, not even found out that nobody waits.
    #[test]
    fn who_connects_after_a_shortage_is_let_in_though_a_password_came_during_it() {
        for seed in 0..20 {
            let mut sim = SimRuntime::new(seed);
            let log = Log::new(Arc::new(Silent));
            let listener = sim.spawn("listener", Class::Control, Listener::new(log));
            let opener = sim.spawn("opener", Class::Control, Opener(None, Vec::new()));
            let (came, comes) = channel();
            let session = sim.spawn("session", Class::Control, Waiting(came));
            let tell = |message| opener.send(Class::Control, message).unwrap();
            tell(OpenerMessage::GiveTo(listener.clone()));
            sim.run_for(Duration::from_millis(100));
            sim.net().limit_descriptors(at().ip(), 0);
            listener.send(Class::Control, wait_for(Who::Address(at().ip()), &session)).unwrap();
            sim.run_for(Duration::from_secs(5));
            assert!((4..=6).contains(&sim.net().shortages()), "seed {seed}: once a second");
            sim.net().unlimit_descriptors(at().ip());
            sim.run_for(Duration::from_secs(2));
            tell(OpenerMessage::Connect(1));
            sim.run_for(Duration::from_millis(100));
            assert_eq!(comes.try_iter().count(), 1, "seed {seed}: kept out");
        }
    }

    #[test]
    fn a_key_stays_with_the_successor_of_a_session_that_leaves_late() {
        let at = at();
        let runtime = Runtime::new(RuntimeOptions { threads: 1, ..Default::default() }).unwrap();
        let log = Log::new(Arc::new(Silent));
        let listener = runtime.spawn("listener", Class::Control, Listener::new(log));
        let tell = |message| listener.send(Class::Control, message).unwrap();
        let key = ListenKey { local: at, device: None };
        tell(ListenerMessage::Listen(key.clone(), Box::default()));
        let (came, comes) = channel();
        let session = || runtime.spawn("session", Class::Control, Waiting(came.clone()));
        let (old, new) = (session(), session());
        for session in [&old, &new] {
            tell(wait_for(Who::Address(at.ip()), session));
        }
        tell(ListenerMessage::Leave(old));
        for _ in 0..5 {
            // Without a signature: not let in, whether the system knows signatures or not.
            let _ = TcpStream::connect_timeout(&at, Duration::from_millis(100));
        }
        assert!(comes.recv_timeout(Duration::from_millis(100)).is_err(), "let in unsigned");
        runtime.shutdown();
    }
}
