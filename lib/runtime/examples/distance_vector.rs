//! A distance-vector protocol: who reaches whom, over how many hops.
//!
//! A node tells each neighbour its distances whenever they change, and every second as a sign of life. A
//! neighbour that says nothing for three seconds, or hangs up, is lost, and with it what was reached
//! through it. Loops of three and more nodes count up to sixteen, which is unreachable.
//!
//! `cargo run -p dunlin-runtime --example distance_vector`
use std::{collections::BTreeMap, io, net::SocketAddr, sync::mpsc, time::Duration};

use dunlin_runtime::{
    Class, ConnectOptions, Context, Interest, ListenOptions, Loop, Ready, Runtime, RuntimeOptions,
    SocketId, TimerId,
};

const HELLO: Duration = Duration::from_secs(1);
const HOLD: Duration = Duration::from_secs(3);
const UNREACHABLE: u8 = 16;
const NODES: usize = 256;

/// How far each node is, by its number.
pub(crate) type Distances = BTreeMap<u8, u8>;

/// One router. Asked by a message, it says how far the others are.
pub(crate) struct Node {
    number: u8,
    at: SocketAddr,
    /// Neighbours it connects to; others connect to it.
    calls: Vec<SocketAddr>,
    listener: SocketId,
    hello: TimerId,
    links: Vec<Link>,
    /// Distance to each node, and the neighbour it is reached through.
    routes: BTreeMap<u8, (u8, SocketId)>,
}

/// One neighbour.
struct Link {
    socket: SocketId,
    hold: TimerId,
    called: Option<SocketAddr>,
    /// What it said last.
    heard: [u8; NODES],
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Loop for Node {
    type Message = mpsc::Sender<Distances>;

    fn start(&mut self, cx: &mut Context<'_>) {
        match cx.listen(self.at, &ListenOptions::default()) {
            Ok(listener) => self.listener = listener,
            Err(error) => return eprintln!("cannot listen on {}: {error}", self.at),
        }
        self.hello = cx.timer(Class::Liveness);
        cx.arm_every(self.hello, HELLO);
        self.call(cx);
    }

    fn message(&mut self, _cx: &mut Context<'_>, asker: mpsc::Sender<Distances>) {
        let _ = asker.send(self.distances());
    }

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        if timer == self.hello {
            self.tell_all(cx);
            self.call(cx);
        } else if let Some(link) = self.links.iter().find(|link| link.hold == timer) {
            self.lose(cx, link.socket);
            self.choose(cx);
        }
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        if socket == self.listener {
            while let Ok((connection, _)) = cx.accept(socket) {
                self.add(cx, connection, None);
            }
        } else if let Some(link) = self.links.iter_mut().find(|link| link.socket == socket) {
            link.flush(cx);
            if ready.readable && link.read(cx).is_err() {
                self.lose(cx, socket);
            }
            self.choose(cx);
        }
    }
}

impl Node {
    pub(crate) fn new(number: u8, at: SocketAddr, calls: Vec<SocketAddr>) -> Self {
        let (listener, hello, links) = (SocketId::NONE, TimerId::NONE, Vec::new());
        let routes = BTreeMap::from([(number, (0, SocketId::NONE))]);
        Self { number, at, calls, listener, hello, links, routes }
    }

    fn distances(&self) -> Distances {
        self.routes.iter().map(|(&node, route)| (node, route.0)).collect()
    }

    /// Connects to the neighbours it should have and has not.
    fn call(&mut self, cx: &mut Context<'_>) {
        let local = Some(SocketAddr::new(self.at.ip(), 0));
        let options = ConnectOptions { local, ..ConnectOptions::default() };
        let missing = |peer: &SocketAddr| self.links.iter().all(|link| link.called != Some(*peer));
        for peer in self.calls.iter().copied().filter(missing).collect::<Vec<_>>() {
            if let Ok(socket) = cx.connect(peer, &options) {
                self.add(cx, socket, Some(peer));
            }
        }
    }

    fn add(&mut self, cx: &mut Context<'_>, socket: SocketId, called: Option<SocketAddr>) {
        let (hold, heard) = (cx.timer(Class::Liveness), [UNREACHABLE; NODES]);
        cx.arm_after(hold, HOLD);
        self.links.push(Link { socket, hold, called, heard, input: vec![], output: vec![] });
        self.tell_all(cx);
    }

    fn lose(&mut self, cx: &mut Context<'_>, socket: SocketId) {
        for link in self.links.extract_if(.., |link| link.socket == socket) {
            cx.remove_timer(link.hold);
            cx.close(link.socket);
        }
    }

    /// Takes the shortest way to each node, and tells if that is another than before.
    fn choose(&mut self, cx: &mut Context<'_>) {
        let mut routes = BTreeMap::from([(self.number, (0, SocketId::NONE))]);
        for link in &self.links {
            for (node, distance) in (0..=u8::MAX).zip(link.heard) {
                let best = routes.get(&node).map_or(UNREACHABLE, |route| route.0);
                if distance.saturating_add(1) < best {
                    routes.insert(node, (distance + 1, link.socket));
                }
            }
        }
        if routes != self.routes {
            self.routes = routes;
            println!("node {} reaches {:?}", self.number, self.distances());
            self.tell_all(cx);
        }
    }

    /// Tells each neighbour all distances but those through itself, a byte for each node.
    fn tell_all(&mut self, cx: &mut Context<'_>) {
        for link in &mut self.links {
            let mut told = [UNREACHABLE; NODES];
            for (&node, route) in self.routes.iter().filter(|(_, route)| route.1 != link.socket) {
                told[usize::from(node)] = route.0;
            }
            link.output.extend(told);
            link.flush(cx);
        }
    }
}

impl Link {
    /// Reads what is there. Each time the neighbour has said all its distances it is alive.
    fn read(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut buffer = [0; 1024];
        match cx.read(self.socket, &mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => self.input.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        while let Some(said) = self.input.first_chunk() {
            self.heard = *said;
            self.input.drain(..NODES);
            cx.restart(self.hold);
        }
        Ok(())
    }

    /// Writes what there is room for. An error shows when reading.
    fn flush(&mut self, cx: &mut Context<'_>) {
        while !self.output.is_empty() {
            let Ok(count) = cx.write(self.socket, &self.output) else { break };
            self.output.drain(..count);
        }
        let _ = cx.interest(self.socket, Interest { read: true, write: !self.output.is_empty() });
    }
}

/// Four routers in a ring, one of which goes after a while.
fn main() -> io::Result<()> {
    let runtime = Runtime::new(RuntimeOptions::default())?;
    let at = |number: u8| SocketAddr::from(([127, 0, 0, number], 7520));
    let node = |number: u8| Node::new(number, at(number), vec![at(number % 4 + 1)]);
    let nodes = [1, 2, 3, 4].map(|number| runtime.spawn("node", Class::Control, node(number)));
    let (_never, patience) = mpsc::channel::<()>();
    let _ = patience.recv_timeout(HOLD);
    nodes[1].stop();
    runtime.join();
    Ok(())
}
