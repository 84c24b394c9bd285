//! Hundreds of sockets that always have something get the same service.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::{collections::HashMap, net::UdpSocket, os::fd::OwnedFd, sync::mpsc::Sender};

use common::{next, runtime, told};
use dunlin_runtime::{Class, Context, Loop, OwnedSocket, Ready, SocketId};

/// Counts how often each socket is served; reads nothing, so each stays ready.
struct Hot {
    given: Vec<OwnedSocket>,
    served: HashMap<SocketId, u64>,
    left: u64,
    told: Sender<Vec<u64>>,
}

impl Loop for Hot {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        for socket in self.given.drain(..) {
            self.served.insert(cx.adopt(socket).unwrap(), 0);
        }
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, _: Ready) {
        *self.served.get_mut(&socket).unwrap() += 1;
        self.left -= 1;
        if self.left == 0 {
            self.told.send(self.served.values().copied().collect()).unwrap();
            cx.stop_self();
        }
    }
}

#[test]
fn eight_hundred_hot_sockets_are_served_alike() {
    let runtime = runtime(1);
    let (told, heard) = told();
    for _ in 0..4 {
        let socket = |_| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.send_to(b"hot", socket.local_addr().unwrap()).unwrap();
            // A busy kernel may bring it later, when the others have been served for a while.
            socket.peek(&mut [0; 3]).unwrap();
            socket.set_nonblocking(true).unwrap();
            OwnedSocket::from_fd(OwnedFd::from(socket))
        };
        let given = (0..200).map(socket).collect();
        let hot = Hot { given, served: HashMap::new(), left: 40_000, told: told.clone() };
        runtime.spawn("hot", Class::Routing, hot);
    }
    for _ in 0..4 {
        let served = next(&heard);
        let (least, most) = (served.iter().min().unwrap(), served.iter().max().unwrap());
        assert!(*most <= least + 8, "of 200 sockets one was served {least} times, one {most}");
    }
}
