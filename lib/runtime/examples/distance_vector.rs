//! A distance-vector protocol: who reaches whom, over how many hops. A node tells each neighbour its distances
//! whenever they change, and every second as a sign of life. A neighbour that says nothing for three seconds, or
//! hangs up, is lost, and with it what was reached through it. Loops of three and more nodes count up to sixteen,
//! which is unreachable.
use std::{collections::BTreeMap, io, net::SocketAddr, sync::mpsc, time::Duration};

use dunlin_runtime::{
    Class, ConnectOptions, Context, Interest, ListenOptions, Loop, Ready, Runtime, RuntimeOptions,
    SocketId, TimerId,
};

const HOLD: Duration = Duration::from_secs(3);
const UNREACHABLE: u8 = 16;
const NODES: usize = 256;

/// How far each node is, and the neighbour it is reached through.
pub(crate) type Routes = BTreeMap<u8, (u8, SocketId)>;

/// One router. It connects to those it calls, others to it. Asked by a message, it says how far they are.
pub(crate) struct Node {
    number: u8,
    at: SocketAddr,
    calls: Vec<SocketAddr>,
    links: Vec<Link>,
    routes: Routes,
}

/// One neighbour, and what was heard from it last.
struct Link {
    socket: SocketId,
    hold: TimerId,
    called: Option<SocketAddr>,
    heard: [u8; NODES],
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Loop for Node {
    type Message = mpsc::Sender<Routes>;

    fn start(&mut self, cx: &mut Context<'_>) {
        let listens = cx.listen(self.at, &ListenOptions::default());
        let _ = listens.inspect_err(|error| eprintln!("cannot listen on {}: {error}", self.at));
        let hello = cx.timer(Class::Liveness);
        cx.arm_every(hello, HOLD / 3);
        self.choose(cx);
        self.timer(cx, hello);
    }

    fn message(&mut self, _: &mut Context<'_>, asker: mpsc::Sender<Routes>) {
        let _ = asker.send(self.routes.clone());
    }

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        if let Some(silent) = self.links.iter().position(|link| link.hold == timer) {
            cx.close(self.links.remove(silent).socket);
            cx.remove_timer(timer);
            return self.choose(cx);
        }
        self.tell_all(cx);
        let local = Some(SocketAddr::new(self.at.ip(), 0));
        let options = ConnectOptions { local, ..ConnectOptions::default() };
        for peer in self.calls.clone() {
            let is_called = self.links.iter().any(|link| link.called == Some(peer));
            if !is_called && let Ok(socket) = cx.connect(peer, &options) {
                self.add(cx, socket, Some(peer));
            }
        }
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, _: Ready) {
        if let Some(link) = self.links.iter_mut().find(|link| link.socket == socket) {
            flush(link, cx);
            let mut buffer = [0; 1024];
            match cx.read(socket, &mut buffer) {
                Ok(count @ 1..) => link.input.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => drop(cx.arm_after(link.hold, Duration::ZERO)), // it has hung up
            }
            // Each time it has said all its distances it is alive.
            while let Some(said) = link.input.first_chunk() {
                link.heard = *said;
                link.input.drain(..NODES);
                cx.restart(link.hold);
            }
            self.choose(cx);
        } else if let Ok((connection, _)) = cx.accept(socket) {
            self.add(cx, connection, None);
        }
    }
}

impl Node {
    pub(crate) fn new(number: u8, at: SocketAddr, calls: Vec<SocketAddr>) -> Self {
        Self { number, at, calls, links: Vec::new(), routes: Routes::new() }
    }

    fn add(&mut self, cx: &mut Context<'_>, socket: SocketId, called: Option<SocketAddr>) {
        let (hold, heard) = (cx.timer(Class::Liveness), [UNREACHABLE; NODES]);
        cx.arm_after(hold, HOLD);
        self.links.push(Link { socket, hold, called, heard, input: vec![], output: vec![] });
        self.tell_all(cx);
    }

    /// Takes the shortest way to each node, and tells if that is another than before.
    fn choose(&mut self, cx: &mut Context<'_>) {
        let mut routes = Routes::from([(self.number, (0, SocketId::NONE))]);
        for link in &self.links {
            for (node, told) in (0..=u8::MAX).zip(link.heard) {
                if told.saturating_add(1) < routes.get(&node).map_or(UNREACHABLE, |best| best.0) {
                    routes.insert(node, (told + 1, link.socket));
                }
            }
        }
        if routes != self.routes {
            println!("node {} reaches {routes:?}", self.number);
            self.routes = routes;
            self.tell_all(cx);
        }
    }

    /// Tells each neighbour all distances but those through itself, a byte for each node.
    fn tell_all(&mut self, cx: &mut Context<'_>) {
        for link in &mut self.links {
            let route = |node| self.routes.get(&node).filter(|route| route.1 != link.socket);
            link.output.extend((0..=u8::MAX).map(|n| route(n).map_or(UNREACHABLE, |best| best.0)));
            flush(link, cx);
        }
    }
}

/// Writes what there is room for. An error shows when reading.
fn flush(link: &mut Link, cx: &mut Context<'_>) {
    while let Ok(count @ 1..) = cx.write(link.socket, &link.output) {
        link.output.drain(..count);
    }
    let _ = cx.interest(link.socket, Interest { read: true, write: !link.output.is_empty() });
}

/// Four routers in a ring, one of which goes after a while.
fn main() -> io::Result<()> {
    let runtime = Runtime::new(RuntimeOptions::default())?;
    let at = |number: u8| SocketAddr::from(([127, 0, 0, number], 7520));
    let node = |number: u8| Node::new(number, at(number), vec![at(number % 4 + 1)]);
    let nodes = [1, 2, 3, 4].map(|number| runtime.spawn("node", Class::Control, node(number)));
    std::thread::park_timeout(HOLD);
    nodes[1].stop();
    runtime.join();
    Ok(())
}
