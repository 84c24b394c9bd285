//! A forwarder that hands every UPDATE unread to all other sessions: the lower
//! bound that the machine, its kernel and this harness set for any daemon.

use crate::{daemon::DUT_AS, net, wire};
use anyhow::Result;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::rc::Rc;

struct Conn {
    sock: TcpStream,
    up: bool,
    inb: Vec<u8>,
    out: VecDeque<(Rc<Vec<u8>>, usize)>,
}

impl Conn {
    fn flush(&mut self) -> bool {
        while let Some((data, at)) = self.out.front_mut() {
            match self.sock.write(&data[*at..]) {
                Ok(n) => *at += n,
                Err(e) => return e.kind() == ErrorKind::WouldBlock,
            }
            if *at == data.len() {
                self.out.pop_front();
            }
        }
        true
    }
}

pub fn serve(addr: &str) -> Result<()> {
    let listener = TcpListener::bind(addr)?;
    listener.set_nonblocking(true)?;
    let mut conns: Vec<Option<Conn>> = Vec::new();
    let mut buf = vec![0; 1 << 18];
    loop {
        let mut fds =
            vec![libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        fds.extend(conns.iter().map(|c| match c {
            Some(c) => {
                let out = if c.out.is_empty() { 0 } else { libc::POLLOUT };
                libc::pollfd { fd: c.sock.as_raw_fd(), events: libc::POLLIN | out, revents: 0 }
            }
            None => libc::pollfd { fd: -1, events: 0, revents: 0 },
        }));
        // SAFETY: `fds` is valid for as many as it holds.
        unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as u64, 10_000) };
        for i in 0..fds.len() - 1 {
            let ev = fds[i + 1].revents;
            if ev & libc::POLLOUT != 0 && !conns[i].as_mut().is_none_or(Conn::flush) {
                conns[i] = None;
            }
            if ev & !libc::POLLOUT != 0 && !read(&mut conns, i, &mut buf) {
                conns[i] = None;
            }
        }
        if fds[0].revents != 0 {
            let (sock, _) = listener.accept()?;
            sock.set_nonblocking(true)?;
            sock.set_nodelay(true)?;
            let open = Rc::new(wire::open(DUT_AS, 90, net::DUT, true));
            let out = VecDeque::from([(open, 0), (Rc::new(wire::keepalive()), 0)]);
            conns.push(Some(Conn { sock, up: false, inb: Vec::new(), out }));
        }
    }
}

/// Reads once; false when the connection is gone.
fn read(conns: &mut [Option<Conn>], i: usize, buf: &mut [u8]) -> bool {
    let Some(c) = conns[i].as_mut() else {
        return true;
    };
    let n = match c.sock.read(buf) {
        Ok(0) => return false,
        Ok(n) => n,
        Err(e) => return e.kind() == ErrorKind::WouldBlock,
    };
    c.inb.extend_from_slice(&buf[..n]);
    let (mut at, mut pass) = (0, Vec::new());
    while let Some(h) = c.inb.get(at..at + wire::HEADER) {
        let (len, kind) = (u16::from_be_bytes([h[16], h[17]]) as usize, h[18]);
        let Some(msg) = c.inb.get(at..at + len) else {
            break;
        };
        match kind {
            wire::UPDATE => pass.extend_from_slice(msg),
            wire::NOTIFICATION => return false,
            wire::KEEPALIVE => {
                if c.up {
                    c.out.push_back((Rc::new(wire::keepalive()), 0));
                }
                c.up = true;
            }
            _ => {}
        }
        at += len;
    }
    c.inb.drain(..at);
    if !pass.is_empty() {
        let pass = Rc::new(pass);
        for (j, other) in conns.iter_mut().enumerate() {
            if let Some(o) = other.as_mut().filter(|o| j != i && o.up) {
                o.out.push_back((pass.clone(), 0));
                o.flush();
            }
        }
    }
    conns[i].as_mut().is_none_or(Conn::flush)
}
